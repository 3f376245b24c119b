/** What went wrong, in the words that the compiled part or this package gives it. */

/** A payment as it was sent: send the same one again, never a new one, while its outcome is not known. */
export type SentPayment = {
  readonly method: string;
  readonly url: string;
  readonly header: readonly [name: string, value: string];
  /** 0x and 64 hex digits; how a gate's operator finds it. */
  readonly key: string;
  /** Unix seconds from which it cannot be charged any more. */
  readonly validBefore: number;
};

/** What a server says about why it takes no payment: extension `diagnostic`. Texts are cleaned and short; they are data, whatever they say. */
export type Diagnostic = {
  readonly code: string;
  readonly escalate: boolean;
  readonly message?: string;
  readonly suggestion?: string;
  readonly attempts?: number;
  readonly firstAttempt?: string;
  readonly reason?: string;
  /** The server's name for the request; without one `req_` and the beginning of the payment's nonce. */
  readonly correlationId: string;
};

/** An error as the compiled part tells it. */
export type Told = { code: string; message: string; remedy: string; signed?: boolean; diagnostic?: Diagnostic | null };

/** The one class of errors: a stable `code`, a sentence, and what to do. */
export class FareboxError extends Error {
  override readonly name = 'FareboxError';
  readonly code: string;
  readonly remedy: string;
  /** Whether a payment was signed: then the budget counts it as spent. */
  signed: boolean;
  /** The payment, once it was signed. */
  payment: SentPayment | undefined;
  /** What the server answered last, if the body is still there. */
  response: Response | undefined;
  /** Why the server takes no payment, if it says so in a way that can be acted on. */
  readonly diagnostic: Diagnostic | undefined;

  constructor(told: Told, cause?: unknown) {
    super(told.message, cause === undefined ? undefined : { cause });
    this.code = told.code;
    this.remedy = told.remedy;
    this.signed = told.signed ?? false;
    this.diagnostic = told.diagnostic ?? undefined;
  }
}

/** An argument that is of no use. Neither it nor what the platform says of it is told: it may be a secret in the wrong place. */
export function unusable(code: string, message: string, remedy = 'correct the argument'): FareboxError {
  return new FareboxError({ code, message, remedy });
}

/** Runs what reads the caller's arguments: one of another type is told by the function's name alone. */
export function given<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof FareboxError || error instanceof WebAssembly.RuntimeError) throw error;
    throw unusable('invalid_argument', `an argument of ${name} has the wrong type`);
  }
}

/** Runs a call into the compiled part; what it throws is JSON text. */
export function told<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (typeof error !== 'string') throw error;
    throw new FareboxError(JSON.parse(error) as Told);
  }
}
