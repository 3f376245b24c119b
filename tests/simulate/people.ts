// Who comes to the gate: payers who pay as they are asked, and some who have other plans.

import { keccak256, toHex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

import { payMpp } from '../support/mpp-payer.ts';
import { challengeOf } from '../support/mpp-wire.ts';
import { type Payer, type PaymentRequired, pay } from '../worker/support/payer.ts';
import type { HeaderRow } from '../worker/support/raw.ts';
import { signStatement } from '../worker/support/statement.ts';
import { ASSET } from '../worker/support/world.ts';
import type { Exchange, Side, World } from './world.ts';

export type Person = {
  readonly name: string;
  readonly payer: Payer;
  /** Where they come from. */
  readonly address: string;
};

/** Seconds for which payments are valid: more than one takes, little enough to wait for. */
export const VALID_FOR_SECS = 20;
export const PROTOCOLS = ['v2', 'v1', 'mpp', 'mpp, listed'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** A payment that was signed, ready to be shown any number of times. */
export type Signed = { readonly target: string; readonly nonce: string; readonly headers: readonly HeaderRow[] };

export type How = {
  readonly protocol: Protocol;
  readonly side: Side;
  /** A secret that proves a repeat. */
  readonly identifier?: string;
};

/** A person of this name; the same seed gives the same key. */
export function personOf(seed: number, name: string, index: number): Person {
  const account = privateKeyToAccount(keccak256(toHex(`${seed} ${name}`)));
  return { name, payer: { address: account.address, account }, address: `198.51.${Math.floor(index / 250)}.${index % 250}` };
}

/** Asks for terms and signs them; undefined where none came. */
export async function sign(
  world: World,
  { name, payer, address }: Person,
  target: string,
  nonce: `0x${string}`,
  how: How,
): Promise<Signed | undefined> {
  const { protocol, side, identifier } = how;
  const asked = await world.request({ who: name, what: 'asks', side, target, address });
  const required = termsIn(asked);
  if (required === undefined) return undefined;
  if (protocol === 'mpp' || protocol === 'mpp, listed') {
    const framing = protocol === 'mpp' ? 'joined' : 'listed';
    const validBefore = String(Math.floor(Date.now() / 1000) + VALID_FOR_SECS);
    const payment = await payMpp(payer.account, challengeOf(asked.headers['www-authenticate']), { framing, signed: { validBefore } });
    return { target, nonce: payment.nonce, headers: [['Authorization', payment.value], ...keyRow(identifier)] };
  }
  const version = protocol === 'v1' ? 1 : 2;
  const named = identifier === undefined || version === 1 ? {} : { identifier };
  const { row } = await pay(payer, required, { version, nonce, validForSecs: VALID_FOR_SECS, ...named });
  return { target, nonce, headers: [row, ...keyRow(version === 1 ? identifier : undefined)] };
}

/** Shows a payment once. */
export function show(
  world: World,
  { name, address }: Person,
  what: string,
  side: Side,
  { target, nonce, headers }: Signed,
): Promise<Exchange> {
  return world.request({ who: name, what, side, target, address, nonce, headers });
}

/** A payment with its payer's signature that they want what it paid for. Spec: docs/repeats.md, "Repeats". */
export async function proven({ payer }: Person, signed: Signed): Promise<Signed> {
  const payment = { payer: payer.address, nonce: signed.nonce };
  const url = `http://shop.example${signed.target}`;
  const statement = await signStatement(payer.account, { payment, asset: ASSET, method: 'GET', url });
  return { ...signed, headers: [...signed.headers, statement] };
}

/** The terms of a 402. */
export function termsIn({ status, headers }: Exchange): PaymentRequired | undefined {
  const header = headers['payment-required'];
  return status !== 402 || header === undefined
    ? undefined
    : (JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as PaymentRequired);
}

function keyRow(identifier: string | undefined): readonly HeaderRow[] {
  return identifier === undefined ? [] : [['Idempotency-Key', identifier]];
}
