/** A prepared request: what it costs, hints, and faults. */
import { boolean, choice, digits, type Infer, list, loose, number, object, record, said, text, union, unknown } from '../schema.js';
import { sdkPreparationFieldSchema } from './metadata.js';
import { monetaryAmountSchema } from './money.js';
import { paidRequestChallengeSchema, paidRequestHttpRequestSchema, paidRequestProtocolSchema } from './request.js';

const filled = text({ min: 1 });
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
export const sdkPreparedHintValueSchema = object({ value: filled, attribution: sdkPreparationAttributionSchema });
export type SdkPreparedHintValue = Infer<typeof sdkPreparedHintValueSchema>;
export const sdkPreparedHintFieldSchema = object({ ...sdkPreparationFieldSchema.shape, attribution: sdkPreparationAttributionSchema });
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
export const sdkPreparedChallengeResourceSchema = object({ url: filled, description: filled.optional(), mimeType: filled.optional() });
export type SdkPreparedChallengeResource = Infer<typeof sdkPreparedChallengeResourceSchema>;
export const sdkPreparedChallengeAcceptSchema = loose({
  scheme: filled.optional(),
  network: filled.optional(),
  amount: filled.optional(),
  maxAmountRequired: filled.optional(),
  asset: filled.optional(),
  payTo: filled.optional(),
  maxTimeoutSeconds: number({ above: 0, whole: true }).optional(),
  resource: filled.optional(),
  description: filled.optional(),
  mimeType: filled.optional(),
  outputSchema: unknown(),
  extra: record(unknown()).optional(),
});
export type SdkPreparedChallengeAccept = Infer<typeof sdkPreparedChallengeAcceptSchema>;
export const sdkPreparedChallengeDetailsSchema = object({
  x402Version: number({ above: 0, whole: true }).optional(),
  error: filled.optional(),
  resource: sdkPreparedChallengeResourceSchema.optional(),
  accepts: list(sdkPreparedChallengeAcceptSchema).default(() => []),
  extensions: record(unknown()).optional(),
});
export type SdkPreparedChallengeDetails = Infer<typeof sdkPreparedChallengeDetailsSchema>;
export const sdkPreparedPaymentRequirementSchema = object({
  protocol: paidRequestProtocolSchema,
  asset: filled.optional(),
  amount: monetaryAmountSchema.optional(),
  amountMinor: digits().optional(),
  precision: number({ min: 0, whole: true }).optional(),
  description: filled.optional(),
  network: filled.optional(),
  payee: filled.optional(),
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
  field: said(100),
  code: said(100),
  message: said(400),
  source: sdkPreparationSourceSchema,
  blocking: boolean(),
  severity: sdkPreparedValidationSeveritySchema,
  suggestedFix: said(400).optional(),
});
export type SdkPreparedValidationIssue = Infer<typeof sdkPreparedValidationIssueSchema>;
export const sdkPreparedNextActionSchema = choice('execute', 'revise_request', 'treat_as_passthrough');
export type SdkPreparedNextAction = Infer<typeof sdkPreparedNextActionSchema>;
const prepared = {
  request: paidRequestHttpRequestSchema,
  /** Where the request was redirected within its origin: the URL that was asked for, which names the purchase. */
  askedUrl: paidRequestHttpRequestSchema.shape.url.optional(),
  /** Why a new payment for it would be refused here: a code and a sentence of ours. */
  refusal: text().optional(),
  /** What may quote the merchant. */
  refusalDetails: text().optional(),
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
