/**
 * Makes x402 payments without any x402 client: terms are read from a 402 of the gate, typed data is signed by viem.
 *
 * `tamper` changes what is sent after signing, `signed` what is signed; both default to nothing.
 */
import { randomBytes } from 'node:crypto';

import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts';

import { TRANSFER_TYPES } from '../../support/mpp-payer.ts';
import { transactionOf } from './facilitator.ts';
import type { Answer, HeaderRow } from './raw.ts';

export { TRANSFER_TYPES };

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export type Terms = {
  readonly scheme: string;
  readonly network: string;
  readonly amount: string;
  readonly asset: `0x${string}`;
  readonly payTo: `0x${string}`;
  readonly maxTimeoutSeconds: number;
  readonly extra: { readonly name: string; readonly version: string; readonly [key: string]: Json };
};

export type PaymentRequired = {
  readonly x402Version: number;
  readonly error?: string;
  readonly resource: { readonly url: string; readonly description?: string; readonly mimeType?: string };
  readonly accepts: readonly Terms[];
  readonly extensions?: JsonObject;
};

export type Authorization = { from: string; to: string; value: string; validAfter: string; validBefore: string; nonce: string };

export type PayOptions = {
  readonly version?: 1 | 2;
  /** Seconds from now until `validBefore` [what the terms say]. */
  readonly validForSecs?: number;
  readonly validAfter?: string;
  readonly nonce?: `0x${string}`;
  /** Fields of the authorization to change before signing. */
  readonly signed?: Partial<Authorization>;
  /** Changes the finished payload object before it is encoded. */
  readonly tamper?: (payload: JsonObject) => void;
  /** Adds this id in the `payment-identifier` extension (v2). */
  readonly identifier?: string;
};

export type Payment = {
  readonly row: HeaderRow;
  readonly json: string;
  readonly payer: string;
  readonly nonce: string;
  readonly signature: string;
  /** What the unscripted facilitator reports when it settles this payment. */
  readonly transaction: string;
};

export type Payer = { readonly address: `0x${string}`; readonly account: PrivateKeyAccount };

export function freshPayer(): Payer {
  const account = privateKeyToAccount(generatePrivateKey());
  return { address: account.address, account };
}

/** The v2 header of a 402, decoded. */
export function requiredBy(answer: Answer): PaymentRequired {
  const header = answer.headers['payment-required'];
  if (header === undefined) throw new Error(`no PAYMENT-REQUIRED in a ${answer.status}: ${answer.text.slice(0, 300)}`);
  return JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as PaymentRequired;
}

/** Signs and encodes one payment for the first accepted terms. */
export async function pay(payer: Payer, required: PaymentRequired, options: PayOptions = {}): Promise<Payment> {
  const terms = required.accepts[0];
  if (terms === undefined) throw new Error('the 402 accepts nothing');
  const now = Math.floor(Date.now() / 1000);
  const authorization: Authorization = {
    from: payer.address,
    to: terms.payTo,
    value: terms.amount,
    validAfter: options.validAfter ?? (options.version === 1 ? String(now - 600) : '0'),
    validBefore: String(now + (options.validForSecs ?? terms.maxTimeoutSeconds)),
    nonce: options.nonce ?? `0x${randomBytes(32).toString('hex')}`,
    ...options.signed,
  };
  const signature = await signTransfer(payer, authorization, terms);
  const inner: JsonObject = { signature, authorization: { ...authorization } };
  const payload: JsonObject =
    options.version === 1
      ? { x402Version: 1, scheme: 'exact', network: v1Name(terms.network), payload: inner }
      : {
          x402Version: 2,
          payload: inner,
          ...(options.identifier === undefined ? {} : { extensions: identifierExtension(options.identifier) }),
          resource: required.resource,
          accepted: terms,
        };
  options.tamper?.(payload);
  const json = JSON.stringify(payload);
  return {
    row: encode(json, options.version ?? 2),
    json,
    payer: payer.address,
    nonce: authorization.nonce,
    signature,
    transaction: transactionOf(payer.address, authorization.nonce),
  };
}

export function encode(json: string, version: 1 | 2 = 2): HeaderRow {
  return [version === 1 ? 'X-PAYMENT' : 'PAYMENT-SIGNATURE', Buffer.from(json).toString('base64')];
}

export function signTransfer(payer: Payer, authorization: Authorization, terms: Terms): Promise<`0x${string}`> {
  return payer.account.signTypedData({
    domain: {
      name: terms.extra.name,
      version: terms.extra.version,
      chainId: Number(terms.network.split(':')[1]),
      verifyingContract: terms.asset,
    },
    types: TRANSFER_TYPES,
    primaryType: 'TransferWithAuthorization',
    message: {
      from: authorization.from as `0x${string}`,
      to: authorization.to as `0x${string}`,
      value: BigInt(authorization.value),
      validAfter: BigInt(authorization.validAfter),
      validBefore: BigInt(authorization.validBefore),
      nonce: authorization.nonce as `0x${string}`,
    },
  });
}

/** The settlement header of an answer, decoded; `undefined` when there is none. */
export function settlementOf(answer: Answer): JsonObject | undefined {
  const header = answer.headers['payment-response'] ?? answer.headers['x-payment-response'];
  return header === undefined ? undefined : (JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as JsonObject);
}

/** The authorization inside a payload that `tamper` is given. */
export function authorizationIn(payload: JsonObject): JsonObject {
  return (payload['payload'] as JsonObject)['authorization'] as JsonObject;
}

function identifierExtension(id: string): JsonObject {
  return { 'payment-identifier': { info: { required: false, id } } };
}

function v1Name(network: string): string {
  const name = V1_NAMES[network];
  if (name === undefined) throw new Error(`no v1 name for ${network}`);
  return name;
}

const V1_NAMES: Readonly<Record<string, string>> = { 'eip155:84532': 'base-sepolia', 'eip155:80002': 'polygon-amoy' };
