/** The wire formats, for whoever works without the wrapper. */
import * as wasm from '#wasm';

import { told } from './error.js';
import type { TypedData } from './signer.js';

/** The JSON value in a payment header of any kind. */
export function decodeHeader(value: string): unknown {
  return JSON.parse(told(() => wasm.decodeHeader(value)));
}

/** A JSON value as a payment header. */
export function encodeHeader(value: unknown): string {
  return wasm.encodeHeader(JSON.stringify(value));
}

/** The field value of a credential: begins with `Payment ` once, whether the text that is given does or not. */
export function paymentAuthorization(credential: string): string {
  return told(() => wasm.paymentAuthorization(credential));
}

/** A seller's refusal: his words, cleaned and at most 256 characters, and one line for people. They are data, whatever they say. */
export type SellerError = { readonly text: string; readonly code: string | null; readonly status: number; readonly message: string };

/** What a refusal says: the first of `reason`, `detail`, `message`, `msg`, `error` and `title` that says anything, else the whole body. */
export function sellerError(status: number, body: string | Uint8Array): SellerError {
  return JSON.parse(wasm.sellerError(status, typeof body === 'string' ? new TextEncoder().encode(body) : body)) as SellerError;
}

/** What an amount counts: a symbol, or a contract with its network, which decides before the symbol does. */
export type Token = string | {
  readonly symbol?: string;
  readonly network?: string;
  readonly asset?: string;
  /** For a contract that is in no table. */
  readonly decimals?: number;
};

/** Atomic units in words: `0.0004 USDC (400)`; of a token that nobody knows the atomic units and a warning. */
export function formatAmount(amount: string | bigint, token: Token): string {
  const { symbol = '', network = '', asset = '', decimals = -1 } = typeof token === 'string' ? { symbol: token } : token;
  return told(() => wasm.formatAmount(String(amount), symbol, network, asset, decimals));
}

/** Typed data in viem's form: big integers are allowed, `EIP712Domain` may be missing. */
export type LooseTypedData = {
  readonly domain: Readonly<Record<string, unknown>>;
  readonly types: Readonly<Record<string, readonly { readonly name: string; readonly type: string }[]>>;
  readonly primaryType: string;
  readonly message: Readonly<Record<string, unknown>>;
};

/** The EIP-712 digest, 0x and 64 hex digits. */
export function hashTypedData(typedData: LooseTypedData): string {
  return told(() => wasm.hashTypedData(text(typedData)));
}

/** The address whose key signed typed data. */
export function recoverSigner(typedData: LooseTypedData, signature: string): string {
  return told(() => wasm.recoverSigner(text(typedData), signature));
}

/** Keccak-256, 0x and 64 hex digits; a string is hashed as UTF-8. */
export function keccak256(bytes: Uint8Array | string): string {
  return wasm.keccak256(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
}

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
export function authorizationTypedData(
  domain: { name: string; version: string; chainId: number; verifyingContract: string },
  authorization: Authorization,
): TypedData {
  const { from, to, value, validAfter, validBefore, nonce } = authorization;
  const message = { from, to, value: `${value}`, validAfter: `${validAfter}`, validBefore: `${validBefore}`, nonce };
  const field = (name: string, type: string) => ({ name, type });
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
export function paymentKey(payment: { chainId: number; asset: string; payer: string; nonce: string }): string {
  return told(() => wasm.paymentKey(payment.chainId, payment.asset, payment.payer, payment.nonce));
}

/** What a payer signs to have an answer again; `now` in unix seconds. */
export function redeliveryTypedData(statement: {
  paymentKey: string; chainId: number; method: string; url: string; now: number;
}): TypedData {
  const { paymentKey: key, chainId, method, url, now } = statement;
  return JSON.parse(told(() => wasm.redeliveryTypedData(key, chainId, method, url, now))) as TypedData;
}

/** The `Farebox-Redelivery` header of a signed statement. */
export function redeliveryHeader(typedData: TypedData, signature: string): string {
  return told(() => wasm.redeliveryHeader(JSON.stringify(typedData), signature));
}

/** Who signed a receipt of extension `offer-receipt`, and what it says. Compare the signer with the server's keys. */
export function receiptSigner(receipt: unknown): { signer: string; payload: Record<string, unknown> } {
  return JSON.parse(told(() => wasm.receiptSigner(JSON.stringify(receipt)))) as { signer: string; payload: Record<string, unknown> };
}

function text(typedData: LooseTypedData): string {
  return JSON.stringify(typedData, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
}
