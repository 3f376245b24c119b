/** The wire formats, for callers that do not use the wrapper: payment headers beside it, all others in a compiled part of their own. */
import * as cards from '#cards-wasm';
import * as wasm from '#wasm';

import { given, told } from './error.js';
import type { TypedData } from './signer.js';

/** The JSON value in a payment header of any kind. */
export function decodeHeader(value: string): unknown {
  return given('decodeHeader', () => JSON.parse(told(() => wasm.decodeHeader(string(value)))));
}

/** A JSON value as a payment header. */
export function encodeHeader(value: unknown): string {
  return given('encodeHeader', () => wasm.encodeHeader(string(JSON.stringify(value))));
}

/**
 * The field value of a credential: begins with `Payment ` once, with or without it in the input.
 */
export function paymentAuthorization(credential: string): string {
  return given('paymentAuthorization', () => told(() => cards.paymentAuthorization(string(credential))));
}

/**
 * A seller's refusal: its text, cleaned and at most 256 characters, and one line for people. The
 * text is data, whatever it says.
 */
export type SellerError = { readonly text: string; readonly code: string | null; readonly status: number; readonly message: string };

/**
 * Reads a refusal: the first of `reason`, `detail`, `message`, `msg`, `error` and `title` that has
 * text, otherwise the whole body.
 */
export function sellerError(status: number, body: string | Uint8Array): SellerError {
  return given('sellerError', () => JSON.parse(cards.sellerError(number(status), bytesOf(body))) as SellerError);
}

/** The unit of an amount: a symbol, or a contract with its network, which takes precedence. */
export type Token =
  | string
  | {
      readonly symbol?: string;
      readonly network?: string;
      readonly asset?: string;
      /** For a contract that is not in the table. */
      readonly decimals?: number;
    };

/**
 * Formats atomic units: `0.0004 USDC (400)`; for an unknown token the atomic units and a warning.
 */
export function formatAmount(amount: string | bigint, token: Token): string {
  return given('formatAmount', () => {
    const { symbol = '', network = '', asset = '', decimals = -1 } = typeof token === 'string' ? { symbol: token } : token;
    return told(() =>
      cards.formatAmount(
        typeof amount === 'bigint' ? `${amount}` : string(amount),
        string(symbol),
        string(network),
        string(asset),
        number(decimals),
      ),
    );
  });
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
  return given('hashTypedData', () => told(() => cards.hashTypedData(text(typedData))));
}

/** The address whose key signed typed data. */
export function recoverSigner(typedData: LooseTypedData, signature: string): string {
  return given('recoverSigner', () => told(() => cards.recoverSigner(text(typedData), string(signature))));
}

/** Keccak-256, 0x and 64 hex digits; a string is hashed as UTF-8. */
export function keccak256(bytes: Uint8Array | string): string {
  return given('keccak256', () => cards.keccak256(bytesOf(bytes)));
}

/** The data signed under x402 `exact`. */
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
  return given('authorizationTypedData', () => {
    const { from, to, value, validAfter, validBefore, nonce } = authorization;
    const message = { from, to, value: `${value}`, validAfter: `${validAfter}`, validBefore: `${validBefore}`, nonce };
    const field = (name: string, type: string) => ({ name, type });
    return {
      domain,
      types: {
        EIP712Domain: [
          field('name', 'string'),
          field('version', 'string'),
          field('chainId', 'uint256'),
          field('verifyingContract', 'address'),
        ],
        TransferWithAuthorization: [
          field('from', 'address'),
          field('to', 'address'),
          field('value', 'uint256'),
          field('validAfter', 'uint256'),
          field('validBefore', 'uint256'),
          field('nonce', 'bytes32'),
        ],
      },
      primaryType: 'TransferWithAuthorization',
      message,
    };
  });
}

/** The key of an authorization's payment, which a gate's operator finds in the log. */
export function paymentKey(payment: { chainId: number; asset: string; payer: string; nonce: string }): string {
  return given('paymentKey', () =>
    told(() => cards.paymentKey(number(payment.chainId), string(payment.asset), string(payment.payer), string(payment.nonce))),
  );
}

/** Typed data that a payer signs to receive an answer again; `now` in unix seconds. */
export function redeliveryTypedData(statement: {
  paymentKey: string;
  chainId: number;
  method: string;
  url: string;
  now: number;
}): TypedData {
  return given('redeliveryTypedData', () => {
    const { paymentKey: key, chainId, method, url, now } = statement;
    return JSON.parse(
      told(() => cards.redeliveryTypedData(string(key), number(chainId), string(method), string(url), number(now))),
    ) as TypedData;
  });
}

/** The `Farebox-Redelivery` header of a signed statement. */
export function redeliveryHeader(typedData: TypedData, signature: string): string {
  return given('redeliveryHeader', () => told(() => cards.redeliveryHeader(string(JSON.stringify(typedData)), string(signature))));
}

/**
 * Signer and content of a receipt of extension `offer-receipt`. Compare the signer with the
 * server's keys.
 */
export function receiptSigner(receipt: unknown): { signer: string; payload: Record<string, unknown> } {
  return given(
    'receiptSigner',
    () =>
      JSON.parse(told(() => cards.receiptSigner(string(JSON.stringify(receipt))))) as { signer: string; payload: Record<string, unknown> },
  );
}

function text(typedData: LooseTypedData): string {
  return string(JSON.stringify(typedData, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)));
}

// The compiled part reads lengths and numbers of its arguments, so values of other types must not
// reach it.

function string(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('no text');
  return value;
}

function number(value: unknown): number {
  if (typeof value !== 'number') throw new TypeError('no number');
  return value;
}

function bytesOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : new TextEncoder().encode(string(value));
}
