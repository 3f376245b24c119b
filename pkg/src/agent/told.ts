/** The sentences for a model about prices and outcomes. */
import * as wasm from '#agent-wasm';

import { type Read, readWithin } from '../beginning.js';
import type { Members } from '../members.js';
import type { SdkPreparedPaidRequest, SdkReceipt } from './contracts.js';
import type { AgentHarnessExecutedResult } from './harness.js';
import { having } from './having.js';
import { type FetchPaidFailureResponse, type PaidResponse, writtenOf } from './outcome.js';

/** The sentence about the cost, and why it would not be paid, in our words alone; none if a part of it is not known. */
export function costSummaryOf(prepared: SdkPreparedPaidRequest): string | undefined {
  if (prepared.kind === 'passthrough') return 'No payment required.';
  const { paymentRequirement, challengeDetails, refusal } = prepared;
  const cost =
    paymentRequirement && wasm.costSummary(JSON.stringify(paymentRequirement), JSON.stringify(challengeDetails?.accepts[0] ?? null));
  if (refusal === undefined) return cost;
  return `${cost ?? ''} A new payment would be refused: ${refusal}.`.trim();
}

/** An outcome as a result, with the answer's body read. */
export async function resultOf(
  preparedId: string,
  outcome: PaidResponse | FetchPaidFailureResponse,
  prepared: SdkPreparedPaidRequest,
): Promise<AgentHarnessExecutedResult> {
  const { kind, response } = outcome;
  // A broken body is no reason to lose an outcome.
  const read: Read = response.bodyUsed ? { bytes: new Uint8Array(), end: 'broken' } : await readWithin(response.clone(), MAX_BYTES, MAX_MS);
  const { receiptId, receipt, paidRequestId, paymentAttemptId, policyReviewEventId, reason, decision } = outcome as Partial<{
    receiptId: string;
    receipt: SdkReceipt;
    paidRequestId: string;
    paymentAttemptId: string;
    policyReviewEventId: string;
    reason: string;
    decision: { readonly evidence?: Members };
  }>;
  const said = reason === undefined ? anotherPrice(receipt, prepared) : wasm.boundedText(reason, 1000);
  const details = decision?.evidence?.['refusalDetails'];
  const refusalDetails = details === undefined ? undefined : wasm.boundedText(String(details), 400);
  return {
    preparedId,
    harnessDisposition: 'executed',
    sdkOutcomeKind: kind,
    status: response.status,
    merchantResponse: writtenOf(response, read),
    ...having({ receiptId, paidRequestId, paymentAttemptId, reason: said, refusalDetails, policyReviewEventId }),
  };
}

/** How much of an answer is told, and how long it may take. */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_MS = 120_000;

/** The sentence for a receipt that surely names another token or more than was shown; a symbol may stand for any contract. */
function anotherPrice(receipt: SdkReceipt | undefined, prepared: SdkPreparedPaidRequest): string | undefined {
  const shown = prepared.kind === 'ready' ? prepared.paymentRequirement : undefined;
  if (receipt === undefined || shown?.amountMinor === undefined || shown.asset === undefined) return undefined;
  const { asset, amount, amountMinor } = receipt.money;
  const units = (digits: string): bigint => (/^\d{1,100}$/.test(digits) ? BigInt(digits) : 0n);
  const isSame = asset.toLowerCase() === shown.asset.toLowerCase();
  const isOther = !isSame && [asset, shown.asset].every((it) => /^0x[0-9a-f]{40}$/i.test(it));
  const isMore = isSame && units(amountMinor) > units(shown.amountMinor);
  return isOther || isMore ? `The receipt names another price than was shown: ${amount} of ${asset}.` : undefined;
}
