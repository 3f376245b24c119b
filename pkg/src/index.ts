/**
 * Pays for HTTP requests with x402 and MPP: once, and never more than allowed.
 *
 * @packageDocumentation
 */

export type { Authorization, LooseTypedData, SellerError, Token } from './codec.js';
export {
  authorizationTypedData,
  decodeHeader,
  encodeHeader,
  formatAmount,
  hashTypedData,
  keccak256,
  paymentAuthorization,
  paymentKey,
  receiptSigner,
  recoverSigner,
  redeliveryHeader,
  redeliveryTypedData,
  sellerError,
} from './codec.js';
export type { Endpoints, Entry, EscalationEvent } from './endpoints.js';
export { endpointsOf } from './endpoints.js';
export type { Diagnostic, FareboxErrorCode, SentPayment } from './error.js';
export { FareboxError } from './error.js';
export type { PayingFetch } from './fetch.js';
export { payingFetch, wrapFetch } from './fetch.js';
export type { Look, PaymentChallenge, Refusal, Spent } from './look.js';
export { lookAt, readChallenges, spent, writeChallenge } from './look.js';
export type { DeclaredAsset, PaymentStep, PayOptions, Policy, Proposal, Question, Receipt } from './options.js';
export { receiptOf } from './receipts.js';
export type { AnySigner, Eip1193Provider, EthersSigner, Signer, TypedData, ViemSigner } from './signer.js';
export { generatedSigner, localSigner, viemSigner, walletSigner } from './signer.js';
export type { Kept, Store } from './store.js';
export { memoryStore } from './store.js';
