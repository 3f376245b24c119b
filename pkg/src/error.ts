/** Errors, in the words of the compiled part or of this package. */

/** A payment as sent: while its outcome is unknown, send the same one again, never a new one. */
export type SentPayment = {
  readonly method: string;
  /** The URL that is paid. */
  readonly url: string;
  /** The URL that was asked for, where it redirected to that one: the purchase goes on with the same call for it, and a call for another URL is another purchase. */
  readonly askedUrl?: string;
  readonly header: readonly [name: string, value: string];
  /** 0x and 64 hex digits; identifies it for a gate's operator. */
  readonly key: string;
  /** Unix seconds from which it can no longer be charged. */
  readonly validBefore: number;
};

/**
 * A server's reason for refusing payment: extension `diagnostic`. Texts are cleaned and short; they
 * are data, whatever they say.
 */
export type Diagnostic = {
  readonly code: string;
  readonly escalate: boolean;
  readonly message?: string;
  readonly suggestion?: string;
  readonly attempts?: number;
  readonly firstAttempt?: string;
  readonly reason?: string;
  /**
   * The server's name for the request; otherwise `req_` and the beginning of the payment's nonce.
   */
  readonly correlationId: string;
};

/** The code of an error: stable, as in README.md, "Errors". */
export type FareboxErrorCode =
  | 'aborted'
  | 'allowance_missing'
  | 'already_paying'
  | 'approval_needed'
  | 'authorization_taken'
  | 'body_not_replayable'
  | 'broadcast_failed'
  | 'broadcast_missing'
  | 'budget_exhausted'
  | 'budget_unreadable'
  | 'challenge_expired'
  | 'declined'
  | 'endpoint_blocked'
  | 'insufficient_funds'
  | 'invalid_amount'
  | 'invalid_argument'
  | 'invalid_header'
  | 'invalid_key'
  | 'invalid_options'
  | 'invalid_payment'
  | 'invalid_policy'
  | 'invalid_receipt'
  | 'invalid_request'
  | 'invalid_signature'
  | 'invalid_signer'
  | 'invalid_typed_data'
  | 'malformed_challenge'
  | 'no_randomness'
  | 'payee_changed'
  | 'payment_conflict'
  | 'payment_refused'
  | 'payment_unresolved'
  | 'policy_amount'
  | 'policy_asset'
  | 'policy_expired'
  | 'policy_host'
  | 'policy_network'
  | 'policy_payee'
  | 'policy_validity'
  | 'realm_mismatch'
  | 'receipt_mismatch'
  | 'redirected'
  | 'refund_due'
  | 'refund_later'
  | 'resource_mismatch'
  | 'session_expired'
  | 'terms_changed'
  | 'unsupported_intent'
  | 'unsupported_method'
  | 'unsupported_network'
  | 'unsupported_scheme'
  | 'unsupported_version'
  | 'wallet_failed'
  | 'wallet_network_missing'
  | 'wallet_rejected'
  | 'wrong_signature'
  | 'wrong_transaction';

/** An error as reported by the compiled part. */
export type Told = { code: FareboxErrorCode; message: string; remedy: string; signed?: boolean; diagnostic?: Diagnostic | null };

/** The only class of errors: a stable `code`, a sentence, and a remedy. */
export class FareboxError extends Error {
  override readonly name = 'FareboxError';
  readonly code: FareboxErrorCode;
  readonly remedy: string;
  /** Whether a payment was signed: then the budget counts it as spent. */
  signed: boolean;
  /** The payment, once it was signed. */
  payment: SentPayment | undefined;
  /** The server's last response, if its body is still there. */
  response: Response | undefined;
  /** The server's reason for refusing payment, if it gives one that can be acted on. */
  readonly diagnostic: Diagnostic | undefined;

  constructor(told: Told, cause?: unknown) {
    super(told.message, cause === undefined ? undefined : { cause });
    this.code = told.code;
    this.remedy = told.remedy;
    this.signed = told.signed ?? false;
    this.diagnostic = told.diagnostic ?? undefined;
  }
}

/**
 * An unusable argument. Neither it nor the platform's message about it is shown: it may be a
 * misplaced secret.
 */
export function unusable(code: FareboxErrorCode, message: string, remedy = 'correct the argument'): FareboxError {
  return new FareboxError({ code, message, remedy });
}

/**
 * Runs code that reads the caller's arguments: a wrong type is reported by the function's name
 * alone.
 */
export function given<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof FareboxError || error instanceof WebAssembly.RuntimeError) throw error;
    throw unusable('invalid_argument', `an argument of ${name} has the wrong type`);
  }
}

/** Reads a value of the caller's that may throw anything; that is never shown. */
export function quietly<T>(read: () => T, error: () => FareboxError): T {
  try {
    return read();
  } catch {
    throw error();
  }
}

/** A member of any value; of one that cannot be read, nothing. */
export function memberOf(value: unknown, name: string): unknown {
  try {
    return (typeof value === 'object' && value !== null) || typeof value === 'function'
      ? (value as Record<string, unknown>)[name]
      : undefined;
  } catch {
    return undefined;
  }
}

/** Runs a call into the compiled part, which throws JSON text. */
export function told<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (typeof error !== 'string') throw error;
    throw new FareboxError(JSON.parse(error) as Told);
  }
}

/** The error of a hook that threw when it was to send a transaction: what it did before is not known. */
export const notBroadcast = (cause: unknown): FareboxError =>
  new FareboxError(
    {
      code: 'broadcast_failed',
      message: 'the option broadcast returned no transaction',
      remedy: 'before you pay again, read error.cause and check whether your transaction was sent',
      signed: true,
    },
    cause,
  );
