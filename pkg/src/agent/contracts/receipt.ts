/** The receipt of a payment, and how far it is proven. */
import { choice, type Infer, id, object, record, text, unknown } from '../schema.js';
import { normalizedMoneySchema } from './money.js';
import { paidRequestHttpMethodSchema, paidRequestProtocolSchema } from './request.js';

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
export const sdkReceiptSchema = object({
  receiptId: id(),
  paidRequestId: id(),
  paymentAttemptId: id(),
  organizationId: id(),
  agentId: id(),
  merchantId: id().optional(),
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
  supersededByReceiptId: id().optional(),
  fulfillmentStatus: fulfillmentStatusSchema.optional(),
  createdAt: text({ form: 'time' }),
  completedAt: text({ form: 'time' }).optional(),
});
export type SdkReceipt = Infer<typeof sdkReceiptSchema>;
export const sdkReceiptResponseSchema = object({ receipt: sdkReceiptSchema });
export type SdkReceiptResponse = Infer<typeof sdkReceiptResponseSchema>;
