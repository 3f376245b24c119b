/** The outcomes of a paid request: two kinds are returned, the others are thrown. */

import type { Read } from '../beginning.js';
import { isBodiless } from '../body.js';
import { membersOf } from '../members.js';
import { LATE_SECS } from '../sent.js';
import type { PaidRequestProtocol, SdkMerchantResponse, SdkPaymentDecisionResponse, SdkReceipt } from './contracts.js';
import { having } from './having.js';
import { fieldsOf } from './heads.js';

type Decision<O extends SdkPaymentDecisionResponse['outcome']> = Extract<SdkPaymentDecisionResponse, { outcome: O }>;
type RequestFailedDecision = { outcome: 'request_failed'; status: number; message: string; body?: unknown };
type Base = { protocol: PaidRequestProtocol | 'none'; response: Response };
type Attempt = { protocol: PaidRequestProtocol; paidRequestId: string; paymentAttemptId: string };

/** Nothing had to be paid; the merchant's answer is unread. */
export type PassthroughPaidResponse = Base & { kind: 'passthrough'; protocol: 'none' };
/** Paid, and delivered. */
export type SuccessPaidResponse = Base & Attempt & { kind: 'success'; receiptId: string; receipt: SdkReceipt };
/** Paid, and not delivered. */
export type PaidFulfillmentFailedResponse = Base &
  Attempt & {
    kind: 'paid_fulfillment_failed';
    receiptId: string;
    receipt: SdkReceipt;
    reason: string;
    decision: Decision<'paid_fulfillment_failed'>;
  };
/** Not paid: policy or wallet said no, or a person has to look. */
export type DeniedPaidResponse = Base & {
  kind: 'denied';
  protocol: PaidRequestProtocol;
  paidRequestId?: string;
  reason: string;
  decision: Decision<'deny'>;
  policyReviewEventId?: string;
};
/** Under way. */
export type ExecutionPendingPaidResponse = Base & Attempt & { kind: 'execution_pending'; reason: string; decision: Decision<'executing'> };
/** It is not known whether the payment counts. */
export type ExecutionInconclusivePaidResponse = Base &
  Attempt & { kind: 'execution_inconclusive'; reason: string; decision: Decision<'inconclusive'> };
/** The merchant refused it. */
export type ExecutionFailedPaidResponse = Base &
  Attempt & { kind: 'execution_failed'; reason: string; decision: Decision<'execution_failed'> };
/** It could not be tried. */
export type PreflightFailedPaidResponse = Base &
  Attempt & { kind: 'preflight_failed'; reason: string; decision: Decision<'preflight_failed'>; policyReviewEventId?: string };
/** There is no decision. */
export type RequestFailedPaidResponse = Base & {
  kind: 'request_failed';
  protocol: PaidRequestProtocol;
  reason: string;
  decision: RequestFailedDecision;
};

export type FetchPaidFailureResponse =
  | PaidFulfillmentFailedResponse
  | DeniedPaidResponse
  | ExecutionPendingPaidResponse
  | ExecutionInconclusivePaidResponse
  | ExecutionFailedPaidResponse
  | PreflightFailedPaidResponse
  | RequestFailedPaidResponse;
export type PaidResponse = PassthroughPaidResponse | SuccessPaidResponse;

/** Every outcome that is no delivery. */
export class FetchPaidError<TResponse extends FetchPaidFailureResponse = FetchPaidFailureResponse> extends Error {
  override readonly name = 'FetchPaidError';
  readonly details: TResponse;
  // Those of the details.
  declare readonly kind: TResponse['kind'];
  declare readonly protocol: TResponse['protocol'];
  declare readonly response: Response;
  declare readonly reason: string;
  declare readonly decision: TResponse['decision'];
  declare readonly paidRequestId: string | undefined;
  declare readonly paymentAttemptId: string | undefined;
  declare readonly receiptId: string | undefined;
  declare readonly receipt: SdkReceipt | undefined;
  declare readonly policyReviewEventId: string | undefined;

  constructor(details: TResponse) {
    super(`${details.kind}: ${details.reason}`);
    this.details = details;
    Object.assign(this, details);
  }
}

/** Whether it is one, also from another copy of this module. */
export function isFetchPaidError(error: unknown): error is FetchPaidError {
  if (error instanceof FetchPaidError) return true;
  if (!(error instanceof Error) || error.name !== 'FetchPaidError') return false;
  const { details } = error as { details?: unknown };
  return typeof details === 'object' && details !== null && 'kind' in details && 'response' in details;
}

/**
 * Until when an outcome leaves its payment open where the client does not know that itself, unix milliseconds; undefined if it does not.
 * No status says whether money moved: what delivered nothing, or without a receipt, is asked for again with the same payment. What is
 * no decision ends nothing that the `earlier` answers left open.
 */
export function openUntil(
  outcome: PaidResponse | FetchPaidFailureResponse,
  clientKnows: boolean,
  now: number,
  earlier: readonly Left[],
): number | undefined {
  if (outcome.kind === 'execution_pending' || outcome.kind === 'execution_inconclusive') return Infinity;
  if (clientKnows) return undefined;
  if (outcome.kind === 'request_failed') {
    const left = earlier.flatMap((it) => it.openUntil ?? []);
    const end = Math.max(...left);
    // A refusal signs nothing and tells nothing of what was signed before: that keeps its end, also one that has passed.
    if (isRefusal(outcome.decision)) return left.length > 0 ? end : undefined;
    // Anything else may hide what was signed only now.
    return Math.max(end, now + OPEN_MS);
  }
  const isOpen =
    outcome.kind === 'execution_failed' ||
    outcome.kind === 'paid_fulfillment_failed' ||
    (outcome.kind === 'success' && isUnproven(outcome.receipt));
  return isOpen ? now + OPEN_MS : undefined;
}

/** Whether a control plane says itself that it did not pay. One that fails may have paid before, and anyone on the way gives other answers. */
function isRefusal({ status, body }: RequestFailedDecision): boolean {
  return status >= 400 && status < 500 && typeof membersOf(body)['code'] === 'string';
}

/** An open payment, as an earlier answer left it: by which attempt of a control plane, and until when. */
export type Left = { readonly attempt?: string | undefined; readonly openUntil?: number | undefined };

/**
 * Until when a payment is open that earlier answers have left open too: one attempt has one authorization, which ends once, however
 * often it is asked for.
 */
export function firstEnd(until: number | undefined, attempt: string | undefined, earlier: readonly Left[]): number | undefined {
  if (until === undefined || attempt === undefined || !Number.isFinite(until)) return until;
  return Math.min(until, ...earlier.flatMap((it) => (it.attempt === attempt && it.openUntil !== undefined ? [it.openUntil] : [])));
}

/** Seconds for which a treasury signs at most: a merchant names how long it is, and may settle at the very end. */
const MAX_VALIDITY_SECS = 3_600;
/** How long it does, milliseconds: by then the authorization has ended. */
const OPEN_MS = (MAX_VALIDITY_SECS + LATE_SECS) * 1000;

/** Whether neither the merchant nor the chain has proven a payment so far. A control plane that gives no receipt says nothing of it. */
function isUnproven(receipt: SdkReceipt | undefined): boolean {
  const { status, settlementEvidenceClass: evidence } = receipt ?? {};
  return status === 'provisional' && (evidence === 'none' || evidence === 'inconclusive');
}

/** A decision as the outcome that it stands for. */
export function outcomeOf(
  protocol: PaidRequestProtocol,
  decision: SdkPaymentDecisionResponse,
): SuccessPaidResponse | FetchPaidFailureResponse {
  const { reason } = decision;
  switch (decision.outcome) {
    case 'allow':
      return { kind: 'success', protocol, ...paidOf(decision) };
    case 'paid_fulfillment_failed':
      return { kind: 'paid_fulfillment_failed', protocol, ...paidOf(decision), reason, decision };
    case 'deny': {
      const { paidRequestId, policyReviewEventId } = decision;
      return {
        kind: 'denied',
        protocol,
        response: said(403, decision),
        reason,
        decision,
        ...having({ paidRequestId, policyReviewEventId }),
      };
    }
    case 'executing':
      return { kind: 'execution_pending', protocol, response: said(202, decision), ...attemptOf(decision), reason, decision };
    case 'inconclusive':
      return { kind: 'execution_inconclusive', protocol, response: said(202, decision), ...attemptOf(decision), reason, decision };
    case 'execution_failed':
      return {
        kind: 'execution_failed',
        protocol,
        response: merchants(decision.merchantResponse),
        ...attemptOf(decision),
        reason,
        decision,
      };
    case 'preflight_failed': {
      const { policyReviewEventId } = decision;
      return {
        kind: 'preflight_failed',
        protocol,
        response: said(502, decision),
        ...attemptOf(decision),
        reason,
        decision,
        ...having({ policyReviewEventId }),
      };
    }
  }
}

function attemptOf({ paidRequestId, paymentAttemptId }: { paidRequestId: string; paymentAttemptId: string }) {
  return { paidRequestId, paymentAttemptId };
}

/** The parts of an outcome that was paid. */
function paidOf(decision: Decision<'allow' | 'paid_fulfillment_failed'>) {
  const { merchantResponse, receipt } = decision;
  return { response: merchants(merchantResponse), ...attemptOf(decision), receiptId: receipt.receiptId, receipt };
}

/** A decision as an answer. */
function said(status: number, decision: SdkPaymentDecisionResponse): Response {
  return Response.json(decision, { status });
}

/** The field of an answer whose body is told in base64, because it is no UTF-8: `base64`. No merchant's counts. */
export const ENCODING = 'x-farebox-encoding';

/** A merchant's answer as JSON has it, by the bytes that were read of it. */
export function writtenOf({ status, headers }: Response, { bytes, end }: Read): SdkMerchantResponse {
  const { [ENCODING]: _, ...fields } = fieldsOf(headers);
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: end !== 'whole' });
    return { status, headers: fields, body: text };
  } catch {
    let text = '';
    for (let at = 0; at < bytes.length; at += 32_768) text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
    return { status, headers: { ...fields, [ENCODING]: 'base64' }, body: btoa(text) };
  }
}

/** A merchant's answer; what is no text a control plane tells in base64. */
function merchants({ status, headers, body }: SdkMerchantResponse): Response {
  const { [ENCODING]: encoding, ...fields } = headers;
  let told: string | Uint8Array<ArrayBuffer> = body;
  try {
    if (encoding === 'base64') told = Uint8Array.from(atob(body), (char) => char.charCodeAt(0));
  } catch {
    // What cannot be read is given as it came: the money is spent.
  }
  return answerOf(status, fields, told);
}

/**
 * An answer of any status. The platform makes none of 1xx, and none with a body of some others: the
 * money is spent by then, so that is no reason to throw.
 */
export function answerOf(status: number, fields: Readonly<Record<string, string>>, body: string | Uint8Array<ArrayBuffer>): Response {
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields)) {
    try {
      headers.append(name, value);
    } catch {
      // A name that cannot be one; the answer counts all the same.
    }
  }
  const answer = new Response(isBodiless(status) ? null : body, { status: Math.max(status, 200), headers });
  if (status < 200) Object.defineProperties(answer, { status: { value: status }, ok: { value: false } });
  return answer;
}
