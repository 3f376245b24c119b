import type { TypedData } from './signer.js';
/** The JSON value in a payment header of any kind. */
export declare function decodeHeader(value: string): unknown;
/** A JSON value as a payment header. */
export declare function encodeHeader(value: unknown): string;
/** Typed data in viem's form: big integers are allowed, `EIP712Domain` may be missing. */
export type LooseTypedData = {
    readonly domain: Readonly<Record<string, unknown>>;
    readonly types: Readonly<Record<string, readonly {
        readonly name: string;
        readonly type: string;
    }[]>>;
    readonly primaryType: string;
    readonly message: Readonly<Record<string, unknown>>;
};
/** The EIP-712 digest, 0x and 64 hex digits. */
export declare function hashTypedData(typedData: LooseTypedData): string;
/** The address whose key signed typed data. */
export declare function recoverSigner(typedData: LooseTypedData, signature: string): string;
/** Keccak-256, 0x and 64 hex digits; a string is hashed as UTF-8. */
export declare function keccak256(bytes: Uint8Array | string): string;
/** What is signed under x402 `exact`. */
export type Authorization = {
    readonly from: string;
    readonly to: string;
    readonly value: string | bigint;
    readonly validAfter: string | bigint;
    readonly validBefore: string | bigint;
    readonly nonce: string;
};
/** Typed data of an EIP-3009 authorization. */
export declare function authorizationTypedData(domain: {
    name: string;
    version: string;
    chainId: number;
    verifyingContract: string;
}, authorization: Authorization): TypedData;
/** The key of an authorization's payment, by which a gate's operator and its log name it. */
export declare function paymentKey(payment: {
    chainId: number;
    asset: string;
    payer: string;
    nonce: string;
}): string;
/** What a payer signs to have an answer again; `now` in unix seconds. */
export declare function redeliveryTypedData(statement: {
    paymentKey: string;
    chainId: number;
    method: string;
    url: string;
    now: number;
}): TypedData;
/** The `Farebox-Redelivery` header of a signed statement. */
export declare function redeliveryHeader(typedData: TypedData, signature: string): string;
/** Who signed a receipt of extension `offer-receipt`, and what it says. Compare the signer with the server's keys. */
export declare function receiptSigner(receipt: unknown): {
    signer: string;
    payload: Record<string, unknown>;
};
