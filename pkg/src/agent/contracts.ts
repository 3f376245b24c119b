/** The contract with a control plane, and what a prepared request looks like. */
import * as wasm from '#agent-wasm';

import { boolean, choice, type Infer, list, loose, number, object, record, text, union, unknown } from './schema.js';

/** Fraction digits of amounts that name none. */
export const defaultMoneyPrecision = 6;

/** Minor units of a decimal amount; throws if it is none, or has more decimals than the precision. */
export function monetaryAmountToMinorUnits(amount: string, precision: number): string {
  if (!Number.isInteger(precision) || precision < 0 || precision > 0xffff_ffff) throw new RangeError('Invalid money precision.');
  try {
    return wasm.toMinorUnits(String(amount), precision);
  } catch (error) {
    throw typeof error === 'string' ? new Error(error) : error;
  }
}

export const receiptAuthorizationOutcomeSchema = choice('allowed');
export type ReceiptAuthorizationOutcome = Infer<typeof receiptAuthorizationOutcomeSchema>;
export const settlementEvidenceClassSchema = choice('none', 'inconclusive', 'merchant_verifiable_success', 'settled');
export type SettlementEvidenceClass = Infer<typeof settlementEvidenceClassSchema>;
export const fulfillmentStatusSchema = choice('succeeded', 'failed', 'inconclusive');
export type FulfillmentStatus = Infer<typeof fulfillmentStatusSchema>;
export const receiptStatusSchema = choice('confirmed', 'provisional', 'expired_unconfirmed', 'refunded', 'void');
export type ReceiptStatus = Infer<typeof receiptStatusSchema>;
export const receiptReconciliationStatusSchema = choice('none', 'required', 'in_progress', 'resolved', 'refunded');
export type ReceiptReconciliationStatus = Infer<typeof receiptReconciliationStatusSchema>;
export const paymentProofSourceSchema = choice('merchant', 'local_simulation');
export type PaymentProofSource = Infer<typeof paymentProofSourceSchema>;
export const chainAttributionStrengthSchema = choice('strong_request_scoped', 'constrained_unique');
export type ChainAttributionStrength = Infer<typeof chainAttributionStrengthSchema>;
export const chainConfirmationSourceSchema = choice('chain_observer');
export type ChainConfirmationSource = Infer<typeof chainConfirmationSourceSchema>;
export const chainFinalityLevelSchema = choice('evm_block_confirmations_12', 'solana_commitment_finalized');
export type ChainFinalityLevel = Infer<typeof chainFinalityLevelSchema>;
export const chainAttributionBasisSchema = record(unknown());
export type ChainAttributionBasis = Infer<typeof chainAttributionBasisSchema>;
export const paidRequestProtocolSchema = choice('x402', 'l402');
export type PaidRequestProtocol = Infer<typeof paidRequestProtocolSchema>;
export const paidRequestHttpMethodSchema = choice('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS');
export type PaidRequestHttpMethod = Infer<typeof paidRequestHttpMethodSchema>;
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

export const externalIdSchema = text({ pattern: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i });
export const monetaryAmountSchema = text({ max: 100, pattern: /^\d+(\.\d+)?$/ });
/** A symbol, an address or a mint. */
export const currencyCodeSchema = text({ pattern: /^([A-Z0-9_-]{3,10}|0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$/ });
export const moneyUnitSchema = choice('minor');
export const normalizedMoneySchema = object({
  asset: currencyCodeSchema,
  amount: monetaryAmountSchema,
  amountMinor: text({ max: 100, pattern: /^\d+$/ }),
  precision: number({ min: 0, max: 6, whole: true }),
  unit: moneyUnitSchema,
}).refine(
  ({ amount, amountMinor, precision }) =>
    (amount.split('.')[1] ?? '').length === precision && monetaryAmountToMinorUnits(amount, precision) === amountMinor,
  'Monetary amount and minor units must agree.',
);
export type NormalizedMoney = Infer<typeof normalizedMoneySchema>;

const selector = () => text({ trim: true, min: 3, max: 64, pattern: /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/ });
export const paidRequestContextSchema = object({
  organization: selector(),
  agent: selector(),
  description: text({ min: 1, max: 200 }).optional(),
  metadata: record(unknown()).optional(),
});
export type PaidRequestContext = Infer<typeof paidRequestContextSchema>;
export const paidRequestHttpRequestSchema = object({
  url: text({ form: 'url' }),
  method: paidRequestHttpMethodSchema,
  headers: record(text()).optional(),
  body: text().optional(),
  bodyHash: text({ min: 1, max: 128 }).optional(),
});
export type PaidRequestHttpRequest = Infer<typeof paidRequestHttpRequestSchema>;
export const paidRequestChallengeSchema = object({
  protocol: paidRequestProtocolSchema,
  headers: record(text()).default(() => ({})),
  body: unknown(),
});
export type PaidRequestChallenge = Infer<typeof paidRequestChallengeSchema>;

export const sdkPreparationSourceSchema = choice('merchant_challenge', 'external_metadata');
export type SdkPreparationSource = Infer<typeof sdkPreparationSourceSchema>;
export const sdkPreparationAuthoritySchema = choice('authoritative', 'advisory');
export type SdkPreparationAuthority = Infer<typeof sdkPreparationAuthoritySchema>;
export const sdkPreparationAttributionSchema = object({
  source: sdkPreparationSourceSchema,
  authority: sdkPreparationAuthoritySchema,
  note: text({ min: 1, max: 400 }).optional(),
});
export type SdkPreparationAttribution = Infer<typeof sdkPreparationAttributionSchema>;
const field = {
  name: text({ min: 1, max: 100 }),
  type: text({ min: 1, max: 40 }).optional(),
  required: boolean().optional(),
  description: text({ min: 1, max: 400 }).optional(),
  defaultValue: unknown(),
  enumValues: list(text()).optional(),
};
export const sdkPreparationFieldSchema = object(field);
export type SdkPreparationField = Infer<typeof sdkPreparationFieldSchema>;
export const sdkExternalMetadataSchema = object({
  description: text({ min: 1, max: 400 }).optional(),
  requestBodyType: text({ min: 1, max: 100 }).optional(),
  requestBodyExample: text({ min: 1, max: 20_000 }).optional(),
  requestBodyFields: list(sdkPreparationFieldSchema).optional(),
  requestQueryParams: list(sdkPreparationFieldSchema).optional(),
  requestPathParams: list(sdkPreparationFieldSchema).optional(),
  notes: list(text({ min: 1, max: 400 })).optional(),
});
export type SdkExternalMetadata = Infer<typeof sdkExternalMetadataSchema>;
export const sdkPreparedHintValueSchema = object({ value: text(), attribution: sdkPreparationAttributionSchema });
export type SdkPreparedHintValue = Infer<typeof sdkPreparedHintValueSchema>;
export const sdkPreparedHintFieldSchema = object({
  ...field,
  type: text().optional(),
  description: text().optional(),
  attribution: sdkPreparationAttributionSchema,
});
export type SdkPreparedHintField = Infer<typeof sdkPreparedHintFieldSchema>;
export const sdkPreparedRequestHintsSchema = object({
  description: sdkPreparedHintValueSchema.optional(),
  requestBodyType: sdkPreparedHintValueSchema.optional(),
  requestBodyExample: sdkPreparedHintValueSchema.optional(),
  requestBodyFields: list(sdkPreparedHintFieldSchema).default(() => []),
  requestQueryParams: list(sdkPreparedHintFieldSchema).default(() => []),
  requestPathParams: list(sdkPreparedHintFieldSchema).default(() => []),
  notes: list(sdkPreparedHintValueSchema).default(() => []),
});
export type SdkPreparedRequestHints = Infer<typeof sdkPreparedRequestHintsSchema>;
export const sdkPreparedPaymentRequirementAmountTypeSchema = choice('exact', 'max');
export type SdkPreparedPaymentRequirementAmountType = Infer<typeof sdkPreparedPaymentRequirementAmountTypeSchema>;
export const sdkPreparedChallengeResourceSchema = object({ url: text(), description: text().optional(), mimeType: text().optional() });
export type SdkPreparedChallengeResource = Infer<typeof sdkPreparedChallengeResourceSchema>;
export const sdkPreparedChallengeAcceptSchema = loose({
  scheme: text().optional(),
  network: text().optional(),
  amount: text().optional(),
  maxAmountRequired: text().optional(),
  asset: text().optional(),
  payTo: text().optional(),
  maxTimeoutSeconds: number().optional(),
  resource: text().optional(),
  description: text().optional(),
  mimeType: text().optional(),
  outputSchema: unknown(),
  extra: record(unknown()).optional(),
});
export type SdkPreparedChallengeAccept = Infer<typeof sdkPreparedChallengeAcceptSchema>;
export const sdkPreparedChallengeDetailsSchema = object({
  x402Version: number().optional(),
  error: text().optional(),
  resource: sdkPreparedChallengeResourceSchema.optional(),
  accepts: list(sdkPreparedChallengeAcceptSchema).default(() => []),
  extensions: record(unknown()).optional(),
});
export type SdkPreparedChallengeDetails = Infer<typeof sdkPreparedChallengeDetailsSchema>;
export const sdkPreparedPaymentRequirementSchema = object({
  protocol: paidRequestProtocolSchema,
  asset: text().optional(),
  amount: text().optional(),
  amountMinor: text().optional(),
  precision: number({ min: 0, whole: true }).optional(),
  description: text().optional(),
  network: text().optional(),
  payee: text().optional(),
  amountType: sdkPreparedPaymentRequirementAmountTypeSchema.optional(),
  provenance: sdkPreparationAttributionSchema,
});
export type SdkPreparedPaymentRequirement = Infer<typeof sdkPreparedPaymentRequirementSchema>;
export const sdkPreparedProbeResultSchema = object({
  responseStatus: number({ min: 100, max: 599, whole: true }),
  confirmedAt: text({ form: 'time' }),
});
export type SdkPreparedProbeResult = Infer<typeof sdkPreparedProbeResultSchema>;
export const sdkPreparedValidationIssueLocationSchema = choice('body', 'query', 'path', 'headers');
export type SdkPreparedValidationIssueLocation = Infer<typeof sdkPreparedValidationIssueLocationSchema>;
export const sdkPreparedValidationSeveritySchema = choice('error', 'warning');
export type SdkPreparedValidationSeverity = Infer<typeof sdkPreparedValidationSeveritySchema>;
export const sdkPreparedValidationIssueSchema = object({
  location: sdkPreparedValidationIssueLocationSchema,
  field: text(),
  code: text(),
  message: text(),
  source: sdkPreparationSourceSchema,
  blocking: boolean(),
  severity: sdkPreparedValidationSeveritySchema,
  suggestedFix: text().optional(),
});
export type SdkPreparedValidationIssue = Infer<typeof sdkPreparedValidationIssueSchema>;
export const sdkPreparedNextActionSchema = choice('execute', 'revise_request', 'treat_as_passthrough');
export type SdkPreparedNextAction = Infer<typeof sdkPreparedNextActionSchema>;
const prepared = {
  request: paidRequestHttpRequestSchema,
  hints: sdkPreparedRequestHintsSchema,
  probe: sdkPreparedProbeResultSchema.optional(),
  validationIssues: list(sdkPreparedValidationIssueSchema).default(() => []),
  nextAction: sdkPreparedNextActionSchema,
};
export const sdkPreparedPaidRequestPassthroughSchema = object({ kind: choice('passthrough'), protocol: choice('none'), ...prepared });
export type SdkPreparedPaidRequestPassthrough = Infer<typeof sdkPreparedPaidRequestPassthroughSchema>;
export const sdkPreparedPaidRequestReadySchema = object({
  kind: choice('ready'),
  protocol: paidRequestProtocolSchema,
  ...prepared,
  challenge: paidRequestChallengeSchema,
  challengeDetails: sdkPreparedChallengeDetailsSchema.optional(),
  paymentRequirement: sdkPreparedPaymentRequirementSchema.optional(),
});
export type SdkPreparedPaidRequestReady = Infer<typeof sdkPreparedPaidRequestReadySchema>;
export const sdkPreparedPaidRequestSchema = union('kind', sdkPreparedPaidRequestPassthroughSchema, sdkPreparedPaidRequestReadySchema);
export type SdkPreparedPaidRequest = Infer<typeof sdkPreparedPaidRequestSchema>;

export const sdkPaymentDecisionRequestSchema = object({
  context: paidRequestContextSchema,
  request: paidRequestHttpRequestSchema,
  challenge: paidRequestChallengeSchema,
  idempotencyKey: text({ min: 1, max: 128 }).optional(),
});
export type SdkPaymentDecisionRequest = Infer<typeof sdkPaymentDecisionRequestSchema>;
export const sdkReceiptSchema = object({
  receiptId: externalIdSchema,
  paidRequestId: externalIdSchema,
  paymentAttemptId: externalIdSchema,
  organizationId: externalIdSchema,
  agentId: externalIdSchema,
  merchantId: externalIdSchema.optional(),
  protocol: paidRequestProtocolSchema,
  money: normalizedMoneySchema,
  authorizationOutcome: receiptAuthorizationOutcomeSchema,
  status: receiptStatusSchema,
  reconciliationStatus: receiptReconciliationStatusSchema,
  confirmationSource: chainConfirmationSourceSchema.optional(),
  attributionStrength: chainAttributionStrengthSchema.optional(),
  attributionBasis: chainAttributionBasisSchema.optional(),
  attributionRuleVersion: text({ min: 1, max: 128 }).optional(),
  confirmedAt: text({ form: 'time' }).optional(),
  finalityLevelUsed: chainFinalityLevelSchema.optional(),
  requestUrl: text({ form: 'url' }),
  requestMethod: paidRequestHttpMethodSchema,
  canonicalSettlementKey: text({ min: 1, max: 255 }).optional(),
  paymentReference: text({ min: 1, max: 128 }).optional(),
  evidenceSource: paymentProofSourceSchema.optional(),
  settlementEvidenceClass: settlementEvidenceClassSchema.optional(),
  settlementIdentifier: text({ min: 1, max: 255 }).optional(),
  supersededByReceiptId: externalIdSchema.optional(),
  fulfillmentStatus: fulfillmentStatusSchema.optional(),
  createdAt: text({ form: 'time' }),
  completedAt: text({ form: 'time' }).optional(),
});
export type SdkReceipt = Infer<typeof sdkReceiptSchema>;
export const sdkMerchantResponseSchema = object({
  status: number({ min: 100, max: 599, whole: true }),
  headers: record(text()).default(() => ({})),
  body: text().default(() => ''),
});
export type SdkMerchantResponse = Infer<typeof sdkMerchantResponseSchema>;

const attempt = { paidRequestId: externalIdSchema, paymentAttemptId: externalIdSchema, reason: text({ min: 1 }) };
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
  paidRequestId: externalIdSchema.optional(),
  reasonCode: paidRequestReasonCodeSchema,
  reason: text({ min: 1 }),
  policyReviewEventId: externalIdSchema.optional(),
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
export const sdkReceiptResponseSchema = object({ receipt: sdkReceiptSchema });
export type SdkReceiptResponse = Infer<typeof sdkReceiptResponseSchema>;
