/* tslint:disable */
/* eslint-disable */

/**
 * One request: each method says what to do next, as JSON `{do: …}`.
 */
export class Exchange {
    free(): void;
    [Symbol.dispose](): void;
    /**
     * An answer came: status, one `name: value` line per header field, and of refusals the body.
     */
    answered(status: number, headers: string, body: Uint8Array | number[], now: number): string;
    /**
     * No answer came.
     */
    lost(now: number): string;
    /**
     * A request of `payer` to an absolute URL, under a policy (JSON).
     */
    constructor(policy: string, method: string, url: string, payer: string);
    /**
     * The payment as it was sent, JSON.
     */
    payment(): string | undefined;
    /**
     * What the wallet signs.
     */
    prepare(now: number): string;
    /**
     * What is about to be paid, JSON.
     */
    proposal(): string | undefined;
    /**
     * The record of the store without this payment, which nobody signed.
     */
    release(record?: string | null): string;
    /**
     * The record of the store with this payment counted; throws why not.
     */
    reserve(record: string | null | undefined, now: number): string;
    /**
     * The wallet's signature, hex.
     */
    signed(signature: string, now: number): string;
    /**
     * Sends no `payment-identifier`.
     */
    withoutIdentifier(): Exchange;
}

/**
 * A secp256k1 key; it is overwritten when `free()` is called.
 */
export class LocalKey {
    private constructor();
    free(): void;
    [Symbol.dispose](): void;
    /**
     * The key of 32 bytes in hex. The caller's own copy is the caller's to forget.
     */
    static fromHex(text: string): LocalKey;
    /**
     * A new key from the platform's randomness.
     */
    static generate(): LocalKey;
    /**
     * Signs typed data (JSON): `r`, `s` in the lower half, `v` 27 or 28, hex.
     */
    signTypedData(typed_data: string): string;
    /**
     * Its address.
     */
    readonly address: string;
}

/**
 * The JSON text in a payment header of any kind.
 */
export function decodeHeader(value: string): string;

/**
 * JSON text as a payment header.
 */
export function encodeHeader(json: string): string;

/**
 * The EIP-712 digest of typed data (JSON), hex.
 */
export function hashTypedData(typed_data: string): string;

/**
 * Keccak-256 of bytes, hex.
 */
export function keccak256(bytes: Uint8Array | number[]): string;

/**
 * The key of the payment of one authorization: what `Farebox-Redelivery` and a gate's log name it by.
 */
export function paymentKey(chain_id: number, asset: string, payer: string, nonce: string): string;

/**
 * Who signed a receipt of extension `offer-receipt` (JSON), and what it says: `{signer, payload}`.
 */
export function receiptSigner(receipt: string): string;

/**
 * Who signed typed data (JSON).
 */
export function recoverSigner(typed_data: string, signature: string): string;

/**
 * The `Farebox-Redelivery` header of a signed statement.
 */
export function redeliveryHeader(typed_data: string, signature: string): string;

/**
 * Typed data of a redelivery statement, JSON.
 */
export function redeliveryTypedData(key: string, chain_id: number, method: string, url: string, now: number): string;

