/** What a desk is given, and what it tells. */
import type { Store } from '../../store.js';
import type { CardContext, ParameterPlan, PaymentCandidate, PaymentCard } from '../cards.js';
import type { AgentPayClient } from '../client.js';
import type { PaidRequestHttpRequest, SdkExternalMetadata, SdkReceipt } from '../contracts.js';
import type { FetchPaidFailureResponse, PaidResponse } from '../outcome.js';

export type PaymentDeskOptions = Omit<CardContext, 'balances'> & {
  /** The client that pays: `createLocalAgentClient`, or a control plane. */
  readonly client: Pick<AgentPayClient, 'preparePaidRequest' | 'executePreparedRequest'> & {
    readonly signs?: readonly string[];
    readonly keepsPayments?: boolean;
    /** The idempotency key of a payment for this owner's purchase whose outcome is open, if it knows one. */
    openPayment?(request: Pick<PaidRequestHttpRequest, 'method' | 'url' | 'headers' | 'body'>, owner: string): Promise<string | undefined>;
  };
  /** The `fetch` that asks merchants for quotes [the platform's]. */
  readonly fetch?: typeof fetch;
  /** Where quotes are kept, so that they outlive this process [its memory]. */
  readonly store?: Store;
  /** Unix milliseconds [the clock]. */
  readonly now?: () => number;
  readonly createPaymentId?: () => string;
  /** How long a merchant may take to answer a quote, milliseconds [10000]. */
  readonly timeoutMs?: number;
};
export type QuoteInput = {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The owner of the quote ['local']. */
  readonly owner?: string;
  /** Values of parameters, by name. */
  readonly params?: Readonly<Record<string, unknown>>;
  readonly externalMetadata?: SdkExternalMetadata;
  /** The wallet's balances: a list, an error of the wallet, or nothing [not known]. */
  readonly balances?: CardContext['balances'] | 'login_required';
};
export type PaymentQuote = {
  readonly paymentId: string;
  readonly needsConfirm: true;
  readonly summary: string;
  /** The recommended way, or the only ones if none is. */
  readonly candidates: readonly PaymentCandidate[];
  readonly alternatives: readonly PaymentCandidate[];
  readonly params: ParameterPlan['params'];
  readonly missingParams: readonly string[];
  /** The one question for what is missing. */
  readonly question?: string;
  /** The merchant's statements with its 402, as data. */
  readonly merchantBody: string;
  readonly walletError?: 'login_required' | 'balance_unavailable';
  readonly expiresAt: string;
};
/** Nothing has to be paid: the answer, unread. */
export type FreeAnswer = { readonly needsConfirm: false; readonly result: Response };
export type PaymentRef = { readonly paymentId: string; readonly owner?: string; readonly selectedIndex?: number };
export type PaymentOutcome = {
  readonly paymentId: string;
  readonly status: 'success' | 'pending' | 'failed';
  /** The sentence for a person. */
  readonly text: string;
  readonly transaction?: string;
  readonly amount?: string;
  readonly kind: PaidResponse['kind'] | FetchPaidFailureResponse['kind'];
  readonly response: { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string };
  readonly receipt?: SdkReceipt;
};
/** The answer to a call without a confirmation: the card that has to be answered. */
export type PaymentPreview = { readonly paymentId: string; readonly status: 'confirming'; readonly card: PaymentCard };

export type PaymentDeskErrorCode =
  | 'quote_expired_or_missing'
  | 'cross_user_payment_id'
  | 'invalid_input'
  | 'unsupported'
  | 'endpoint_unreachable'
  | 'auth_required'
  | 'endpoint_server_error'
  | 'confirmation_required'
  | 'declined'
  | 'terms_changed';

/** Why there is no quote, no card or no payment. Nothing was signed. */
export class PaymentDeskError extends Error {
  override readonly name = 'PaymentDeskError';
  readonly code: PaymentDeskErrorCode;
  constructor(code: PaymentDeskErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** The messages of those whose message does not depend on the case. */
export const MESSAGES: Readonly<Record<PaymentDeskErrorCode, string>> = {
  quote_expired_or_missing: 'The quote is not known, or its time is over: ask for a new one.',
  cross_user_payment_id: 'The quote belongs to another owner.',
  invalid_input: 'This is not the way to pay on the card that is up.',
  confirmation_required: 'This payment was not confirmed.',
  declined: 'The payment was declined.',
  unsupported: '',
  endpoint_unreachable: '',
  auth_required: '',
  endpoint_server_error: '',
  terms_changed: '',
};
