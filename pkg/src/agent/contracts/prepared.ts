/** A prepared request: what it costs, hints, and faults. */
import { boolean, choice, type Infer, list, loose, number, object, record, text, union, unknown } from '../schema.js';
import { sdkPreparationFieldSchema } from './metadata.js';
import { paidRequestChallengeSchema, paidRequestHttpRequestSchema, paidRequestProtocolSchema } from './request.js';

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
export const sdkPreparedHintValueSchema = object({ value: text(), attribution: sdkPreparationAttributionSchema });
export type SdkPreparedHintValue = Infer<typeof sdkPreparedHintValueSchema>;
export const sdkPreparedHintFieldSchema = object({
  ...sdkPreparationFieldSchema.shape,
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
