/**
 * Pays for HTTP requests with x402: once, and never more than allowed.
 *
 * @packageDocumentation
 */
export { payingFetch, receiptOf, wrapFetch } from './fetch.js';
export { generatedSigner, localSigner, viemSigner, walletSigner } from './signer.js';
export { memoryStore } from './store.js';
export { FareboxError } from './error.js';
export { authorizationTypedData, decodeHeader, encodeHeader, hashTypedData, keccak256, paymentKey, receiptSigner, recoverSigner, redeliveryHeader, redeliveryTypedData, } from './codec.js';
