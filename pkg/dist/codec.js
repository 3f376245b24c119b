/** The wire formats, for whoever works without the wrapper. */
import * as wasm from '#wasm';
import { told } from './error.js';
/** The JSON value in a payment header of any kind. */
export function decodeHeader(value) {
    return JSON.parse(told(() => wasm.decodeHeader(value)));
}
/** A JSON value as a payment header. */
export function encodeHeader(value) {
    return wasm.encodeHeader(JSON.stringify(value));
}
/** The EIP-712 digest, 0x and 64 hex digits. */
export function hashTypedData(typedData) {
    return told(() => wasm.hashTypedData(text(typedData)));
}
/** The address whose key signed typed data. */
export function recoverSigner(typedData, signature) {
    return told(() => wasm.recoverSigner(text(typedData), signature));
}
/** Keccak-256, 0x and 64 hex digits; a string is hashed as UTF-8. */
export function keccak256(bytes) {
    return wasm.keccak256(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
}
/** Typed data of an EIP-3009 authorization. */
export function authorizationTypedData(domain, authorization) {
    const { from, to, value, validAfter, validBefore, nonce } = authorization;
    const message = { from, to, value: `${value}`, validAfter: `${validAfter}`, validBefore: `${validBefore}`, nonce };
    const field = (name, type) => ({ name, type });
    return {
        domain,
        types: {
            EIP712Domain: [field('name', 'string'), field('version', 'string'), field('chainId', 'uint256'), field('verifyingContract', 'address')],
            TransferWithAuthorization: [
                field('from', 'address'), field('to', 'address'), field('value', 'uint256'),
                field('validAfter', 'uint256'), field('validBefore', 'uint256'), field('nonce', 'bytes32'),
            ],
        },
        primaryType: 'TransferWithAuthorization',
        message,
    };
}
/** The key of an authorization's payment, by which a gate's operator and its log name it. */
export function paymentKey(payment) {
    return told(() => wasm.paymentKey(payment.chainId, payment.asset, payment.payer, payment.nonce));
}
/** What a payer signs to have an answer again; `now` in unix seconds. */
export function redeliveryTypedData(statement) {
    const { paymentKey: key, chainId, method, url, now } = statement;
    return JSON.parse(told(() => wasm.redeliveryTypedData(key, chainId, method, url, now)));
}
/** The `Farebox-Redelivery` header of a signed statement. */
export function redeliveryHeader(typedData, signature) {
    return told(() => wasm.redeliveryHeader(JSON.stringify(typedData), signature));
}
/** Who signed a receipt of extension `offer-receipt`, and what it says. Compare the signer with the server's keys. */
export function receiptSigner(receipt) {
    return JSON.parse(told(() => wasm.receiptSigner(JSON.stringify(receipt))));
}
function text(typedData) {
    return JSON.stringify(typedData, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
}
