/** Verdicts: what a merchant's answer to a payment, or a failure of the payer, means to the caller. */
import * as wasm from '#agent-wasm';

import { type Read, readWithin } from '../../beginning.js';
import { FareboxError } from '../../error.js';
import { forModel } from '../../for-model.js';
import { drawn } from '../../hex.js';
import type { Receipt } from '../../options.js';
import type {
  PaidRequestReasonCode,
  SdkMerchantResponse,
  SdkPaymentDecisionResponse,
  SdkPreparedPaidRequestReady,
  SdkReceipt,
} from '../contracts.js';
import { having } from '../having.js';
import { fieldsOf } from '../heads.js';
import { type Sent, signedIn } from '../journal.js';
import { ENCODING, writtenOf } from '../outcome.js';
import { uuidOf } from '../uuid.js';
import { type LocalAgentOptions, MAX_ANSWER_MS } from './options.js';
import { moneyOf } from './priced.js';

/** A merchant's answer as it was bought, and the decision that stands for it. */
export type Settled = {
  readonly decision: SdkPaymentDecisionResponse;
  readonly answer?: { readonly status: number; readonly headers: Record<string, string>; readonly bytes: Uint8Array };
  /** Whether it can no longer be charged. */
  readonly isOver?: boolean;
  /** Whether its content came without a receipt. */
  readonly isOpen?: boolean;
  /** The settlement that its merchant tells, as it was checked. */
  readonly settled?: Receipt | undefined;
};

/** An answer to a payment, and the settlement that it names. */
export type Answered = { readonly response: Response; readonly settled: Receipt | undefined; readonly isOver?: boolean };

type Ids = { readonly paidRequestId: string; readonly paymentAttemptId: string };

/** Tells what became of payments for one prepared request. */
export class Verdicts {
  readonly #options: LocalAgentOptions;
  readonly #prepared: SdkPreparedPaidRequestReady;

  constructor(options: LocalAgentOptions, prepared: SdkPreparedPaidRequestReady) {
    this.#options = options;
    this.#prepared = prepared;
  }

  /** The meaning of an answer to a payment. */
  async ofAnswer(sent: Sent, { response, settled, isOver = false }: Answered): Promise<Settled> {
    const ids = idsOf(sent);
    const { amountText } = sent.proposal;
    const { answer, merchantResponse, end } = await this.#read(response);
    if ((end === 'broken' || end === 'late') && response.ok) {
      // What was bought is asked for again, with the same payment.
      const proof = settled === undefined ? '' : ` The merchant names the transaction ${settled.transaction}.`;
      return unknown(ids, `The answer to a payment of ${amountText} ${end === 'late' ? 'took too long' : 'broke off'}.${proof}`);
    }
    const isWhole = end !== 'longer';
    const receipt = this.#receipt(sent, settled, response.ok && isWhole);
    if (response.ok) {
      const isOpen = settled === undefined && !isOver;
      const told = { ...ids, merchantResponse, receipt };
      const reason = `Paid ${settled === undefined ? amountText : `${settled.price} ${settled.symbol} (${settled.amount})`}`;
      if (isWhole)
        return { decision: { outcome: 'allow', reasonCode: 'policy_allow', reason: `${reason}.`, ...told }, answer, isOpen, settled };
      const cut = `${reason}, and the answer is longer than ${this.#most} bytes: this is its beginning.`;
      return { decision: unfulfilled({ ...told, reason: cut }, settled === undefined ? 'inconclusive' : PROVEN), answer, isOpen, settled };
    }
    const reason = `The merchant answered ${response.status} to a request that carried a payment of ${amountText}.`;
    if (settled !== undefined) return { decision: unfulfilled({ ...ids, merchantResponse, receipt, reason }, PROVEN), answer, settled };
    // It is not said that it was charged, or that it was not.
    if (response.status >= 500 && !isOver) return unknown(ids, reason);
    return { decision: { outcome: 'execution_failed', ...ids, reasonCode: 'merchant_rejected', reason, merchantResponse }, answer };
  }

  /** The meaning of a failure of the payer; `changed` says that other terms than the shown ones came. */
  async ofFailure(sent: Sent | undefined, error: unknown, changed: string | undefined): Promise<Settled> {
    const { code, signed, response } = error instanceof FareboxError ? error : { code: '', signed: true, response: undefined };
    const why = changed === undefined ? whyOf(error) : { reason: changed };
    const ids = idsOf(sent);
    if (sent === undefined && !signed) {
      if (changed === undefined && PREFLIGHT.includes(code))
        return { decision: { outcome: 'preflight_failed', ...ids, reasonCode: 'preflight_incompatible', ...why } };
      return { decision: { outcome: 'deny', reasonCode: DENIALS[code] ?? 'policy_denied', ...why } };
    }
    const { reason } = why;
    const evidence = { code, ...why.evidence };
    if (response?.ok && code === 'receipt_mismatch') {
      // What came is handed over. Its receipt proves nothing, so the purchase goes on as one of which nothing is known.
      return unknown(ids, reason, { ...evidence, merchantResponse: (await this.#read(response)).merchantResponse });
    }
    if (
      sent === undefined ||
      response === undefined ||
      !['payment_refused', 'insufficient_funds', 'allowance_missing', 'refund_due'].includes(code)
    )
      return unknown(ids, reason, evidence);
    const { answer, merchantResponse } = await this.#read(response);
    const told = { ...ids, reason, merchantResponse, evidence };
    return {
      decision:
        code === 'refund_due'
          ? unfulfilled({ ...told, receipt: this.#receipt(sent, undefined, false) }, PROVEN)
          : { outcome: 'execution_failed', reasonCode: 'merchant_rejected', ...told },
      answer,
    };
  }

  get #most(): number {
    return this.#options.maxAnswerBytes ?? MAX_ANSWER_BYTES;
  }

  /** An answer within its bounds: its bytes, the same for JSON, and why it ends there. */
  async #read(
    response: Response,
  ): Promise<{
    readonly answer: NonNullable<Settled['answer']>;
    readonly merchantResponse: SdkMerchantResponse;
    readonly end: Read['end'];
  }> {
    const read = await readWithin(response, this.#most, this.#options.answerTimeoutMs ?? MAX_ANSWER_MS);
    const merchantResponse = writtenOf(response, read);
    // Text that is cut within a character ends before it.
    const isCut = read.end === 'longer' && merchantResponse.headers[ENCODING] === undefined;
    const bytes = isCut ? new TextEncoder().encode(merchantResponse.body) : read.bytes;
    return { answer: { status: response.status, headers: fieldsOf(response.headers), bytes }, merchantResponse, end: read.end };
  }

  #receipt(sent: Sent, settled: Receipt | undefined, isFulfilled: boolean): SdkReceipt {
    const { organization = 'local', agent = 'local' } = this.#options;
    const { request, protocol } = this.#prepared;
    // Where nothing was charged it is empty.
    const transaction = settled?.transaction || undefined;
    return {
      receiptId: idOf('receipt', signedIn(sent)),
      ...idsOf(sent),
      organizationId: idOf('organization', organization),
      agentId: idOf('agent', `${organization}/${agent}`),
      protocol,
      // What was shown or signed last need not be what was charged.
      money: moneyOf(settled ?? sent.proposal),
      authorizationOutcome: 'allowed',
      // The merchant says so, in agreement with what was signed; the chain is not asked here.
      status: 'provisional',
      reconciliationStatus: settled === undefined || !isFulfilled ? 'required' : 'none',
      evidenceSource: 'merchant',
      settlementEvidenceClass: settled === undefined ? 'inconclusive' : PROVEN,
      ...having({ paymentReference: transaction, settlementIdentifier: transaction }),
      fulfillmentStatus: isFulfilled ? 'succeeded' : 'failed',
      requestUrl: request.url,
      requestMethod: request.method,
      createdAt: new Date().toISOString(),
    };
  }
}

/** The reason of a failure in our words, and the merchant's apart from it. */
export function whyOf(error: unknown): { readonly reason: string; readonly evidence?: Record<string, string> } {
  if (!(error instanceof FareboxError)) return { reason: 'The answer was lost.' };
  const { message, quote } = forModel(error);
  return { reason: `${error.code}: ${message}`, ...(quote && { evidence: { refusalDetails: quote } }) };
}

/** A verdict that leaves open whether it was charged: it is asked for again. */
export function unknown(ids: Ids, reason: string, evidence?: Record<string, unknown>): Settled {
  const decision = { outcome: 'inconclusive', ...ids, reasonCode: 'merchant_transport_lost', reason } as const;
  return { decision: evidence === undefined ? decision : { ...decision, evidence } };
}

type Unfulfilled = Extract<SdkPaymentDecisionResponse, { outcome: 'paid_fulfillment_failed' }>;

/** Paid, and not delivered in full. */
function unfulfilled(
  told: Omit<Unfulfilled, 'outcome' | 'reasonCode' | 'settlementEvidenceClass' | 'fulfillmentStatus'>,
  settlementEvidenceClass: Unfulfilled['settlementEvidenceClass'],
): Unfulfilled {
  return {
    outcome: 'paid_fulfillment_failed',
    reasonCode: 'merchant_execution_failed',
    ...told,
    settlementEvidenceClass,
    fulfillmentStatus: 'failed',
  };
}

/**
 * Whether nothing can follow: what delivered nothing, or content without a receipt, is sent again until it can no longer be charged,
 * whatever its answer was, and a denial may be lifted.
 */
export function isFinal({ decision, answer, isOver = false, isOpen = false }: Settled): boolean {
  if (isOpen) return false;
  return decision.outcome === 'allow' || isOver || (answer !== undefined && answer.status >= 200 && answer.status < 300);
}

/** Ids that are the same whenever the same payment is told of, and new ones where none was sent. */
export function idsOf(sent: Sent | undefined): Ids {
  const seed = sent === undefined ? drawn() : signedIn(sent);
  return { paidRequestId: idOf('request', seed), paymentAttemptId: idOf('attempt', seed) };
}

/** A UUID of its own form (version 8), from a hash. */
function idOf(kind: string, seed: string): string {
  return uuidOf(wasm.sha256(`farebox ${kind}\n${seed}`), 8);
}

/** What a merchant proves by an answer that agrees with what was signed. */
const PROVEN = 'merchant_verifiable_success';
/** Bytes of a paid answer that are read. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Codes for which there is no way to pay. */
const PREFLIGHT = [
  'malformed_challenge',
  'unsupported_version',
  'unsupported_scheme',
  'unsupported_method',
  'unsupported_intent',
  'unsupported_network',
  'challenge_expired',
  'realm_mismatch',
  'resource_mismatch',
  'authorization_taken',
  'broadcast_missing',
  'redirected',
  'wrong_signature',
  'invalid_signer',
  'budget_unreadable',
];
/** Codes whose denial has a reason of its own. */
const DENIALS: Readonly<Record<string, PaidRequestReasonCode>> = { approval_needed: 'policy_review_required' };
