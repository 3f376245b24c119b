/** The decision of a control plane about a payment, and what it is asked. */
import { choice, type Infer, id, number, object, record, text, union, unknown } from '../schema.js';
import { idempotencyKey } from './bounds.js';
import { sdkReceiptSchema, settlementEvidenceClassSchema } from './receipt.js';
import { paidRequestChallengeSchema, paidRequestContextSchema, paidRequestHttpRequestSchema } from './request.js';

export const paidRequestReasonCodeSchema = choice(
  'policy_allow',
  'policy_denied',
  'policy_review_required',
  'challenge_candidate_malformed',
  'challenge_no_supported_candidates',
  'challenge_mixed_environment_candidates',
  'challenge_execution_identity_unavailable',
  'challenge_execution_identity_ambiguous',
  'payment_execution_in_progress',
  'preflight_incompatible',
  'merchant_rejected',
  'merchant_execution_failed',
  'settlement_proof_conflict',
  'merchant_transport_lost',
);
export type PaidRequestReasonCode = Infer<typeof paidRequestReasonCodeSchema>;

export const sdkPaymentDecisionRequestSchema = object({
  context: paidRequestContextSchema,
  request: object({
    ...paidRequestHttpRequestSchema.shape,
    /** The URL that names the purchase, where it is another: the one that was asked for, in the spelling of `fetch`. */
    askedUrl: paidRequestHttpRequestSchema.shape.url.optional(),
  }),
  challenge: paidRequestChallengeSchema,
  idempotencyKey,
});
export type SdkPaymentDecisionRequest = Infer<typeof sdkPaymentDecisionRequestSchema>;
export const sdkMerchantResponseSchema = object({
  status: number({ min: 100, max: 599, whole: true }),
  headers: record(text()).default(() => ({})),
  body: text().default(() => ''),
});
export type SdkMerchantResponse = Infer<typeof sdkMerchantResponseSchema>;

const attempt = { paidRequestId: id(), paymentAttemptId: id(), reason: text({ min: 1 }) };
const evidence = record(unknown()).optional();
const merchantFailure = choice('merchant_rejected', 'merchant_execution_failed');
export const sdkPaymentDecisionAllowResponseSchema = object({
  outcome: choice('allow'),
  ...attempt,
  reasonCode: paidRequestReasonCodeSchema,
  merchantResponse: sdkMerchantResponseSchema,
  receipt: sdkReceiptSchema,
});
export const sdkPaymentDecisionPaidFulfillmentFailedResponseSchema = object({
  outcome: choice('paid_fulfillment_failed'),
  ...attempt,
  reasonCode: merchantFailure,
  settlementEvidenceClass: settlementEvidenceClassSchema,
  fulfillmentStatus: choice('failed'),
  merchantResponse: sdkMerchantResponseSchema,
  receipt: sdkReceiptSchema,
  evidence,
});
export const sdkPaymentDecisionExecutionFailedResponseSchema = object({
  outcome: choice('execution_failed'),
  ...attempt,
  reasonCode: merchantFailure,
  merchantResponse: sdkMerchantResponseSchema,
  evidence,
});
export const sdkPaymentDecisionPreflightFailedResponseSchema = object({
  outcome: choice('preflight_failed'),
  ...attempt,
  reasonCode: choice('preflight_incompatible'),
  /** The review whose approval serves again. */
  policyReviewEventId: id().optional(),
  evidence,
});
export const sdkPaymentDecisionExecutingResponseSchema = object({
  outcome: choice('executing'),
  ...attempt,
  reasonCode: choice('payment_execution_in_progress'),
});
export const sdkPaymentDecisionInconclusiveResponseSchema = object({
  outcome: choice('inconclusive'),
  ...attempt,
  reasonCode: choice('merchant_transport_lost'),
  evidence,
});
export const sdkPaymentDecisionDenyResponseSchema = object({
  outcome: choice('deny'),
  paidRequestId: id().optional(),
  reasonCode: paidRequestReasonCodeSchema,
  reason: text({ min: 1 }),
  policyReviewEventId: id().optional(),
  evidence,
});
export const sdkPaymentDecisionResponseSchema = union(
  'outcome',
  sdkPaymentDecisionAllowResponseSchema,
  sdkPaymentDecisionPaidFulfillmentFailedResponseSchema,
  sdkPaymentDecisionExecutingResponseSchema,
  sdkPaymentDecisionPreflightFailedResponseSchema,
  sdkPaymentDecisionExecutionFailedResponseSchema,
  sdkPaymentDecisionInconclusiveResponseSchema,
  sdkPaymentDecisionDenyResponseSchema,
);
export type SdkPaymentDecisionResponse = Infer<typeof sdkPaymentDecisionResponseSchema>;
