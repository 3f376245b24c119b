/** What the suites of MPP repeat: ask, sign the challenge, send, and what every answer of that protocol must have. */
import assert from 'node:assert/strict';

import { type Deviations, type MppPayment, payMpp } from '../../support/mpp-payer.ts';
import { type Challenge, challengeOf, type JsonObject, type Receipt, receiptIn, requestOf } from '../../support/mpp-wire.ts';
import { transactionOf } from './facilitator.ts';
import { freshPayer, type Payer, requiredBy } from './payer.ts';
import type { Answer, Connection, HeaderRow, RawRequest } from './raw.ts';
import { jsonOf, rowsNamed, send, type World } from './world.ts';

export const PROBLEMS = 'https://paymentauth.org/problems/';
export const CHAIN_ID = 84_532;

/** A credential and what settling it gives. */
export type Paid = MppPayment & { readonly transaction: string };

export type MppOptions = Deviations & {
  readonly payer?: Payer;
  readonly method?: string;
  /** Rows of the request that asks. */
  readonly headers?: readonly HeaderRow[];
  readonly body?: string;
};

/** Asks without paying and gives the challenge. */
export async function challengeFor(world: World, target: string, options: MppOptions = {}): Promise<Challenge> {
  const asked = await world.gate.raw(options.method ?? 'GET', target, options.headers ?? [], options.body);
  assert.equal(asked.status, 402, `an unpaid ${target} is asked for payment: ${asked.text.slice(0, 300)}`);
  return challengeIn(asked);
}

/** The one challenge of an answer. */
export function challengeIn(answer: Answer): Challenge {
  const rows = rowsNamed(answer.rawHeaders, 'www-authenticate');
  assert.equal(rows.length, 1, `one line: ${rows.join(' | ')}`);
  return challengeOf(rows[0]);
}

/** Asks without paying and signs the challenge. */
export async function mppFor(world: World, target: string, options: MppOptions = {}): Promise<Paid> {
  return signed(await challengeFor(world, target, options), options);
}

export async function signed(challenge: Challenge, options: MppOptions = {}): Promise<Paid> {
  const payment = await payMpp((options.payer ?? freshPayer()).account, challenge, options);
  return { ...payment, transaction: transactionOf(payment.payer, payment.nonce) };
}

export type SendOptions = Partial<RawRequest> & { readonly connection?: Connection; readonly at?: string };

/** Sends a request with a header value as its credential. */
export function sendMpp(world: World, target: string, { value }: { readonly value: string }, options: SendOptions = {}): Promise<Answer> {
  return send(world, target, undefined, { ...options, headers: [['Authorization', value], ...(options.headers ?? [])] });
}

/** A delivered answer whose receipt names this payment's transaction and challenge, and nothing of the other protocol. */
export function expectMppPaid(
  answer: Answer,
  payment: { readonly transaction: string; readonly challenge: Challenge },
  status = 200,
): Receipt {
  assert.equal(answer.status, status, answer.text.slice(0, 400));
  const receipt = receiptIn(answer.headers['payment-receipt']);
  assert.ok(receipt, 'a receipt');
  assert.match(receipt.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  assert.deepEqual(
    { ...receipt, timestamp: '' },
    {
      method: 'evm',
      status: 'success',
      timestamp: '',
      reference: payment.transaction,
      challengeId: payment.challenge.id,
      chainId: CHAIN_ID,
      externalId: requestOf(payment.challenge).externalId,
    },
  );
  for (const name of ['payment-response', 'x-payment-response', 'payment-required']) assert.equal(answer.headers[name], undefined, name);
  const caching = (answer.headers['cache-control'] ?? '').split(',').map((part) => part.trim());
  assert.deepEqual([...caching].sort(), ['no-store', 'private']);
  return receipt;
}

/** A credential that is refused: 402, the problem with every member filled, and fresh terms of both protocols. */
export function expectMppRefused(answer: Answer, problem: string, old?: Challenge): JsonObject {
  const said = `${answer.status} ${answer.text.slice(0, 400)}`;
  assert.equal(answer.status, 402, said);
  assert.match(answer.headers['content-type'] ?? '', /^application\/(problem\+)?json\b/, said);
  assert.equal(answer.headers['cache-control'], 'no-store');
  const body = jsonOf(answer) as JsonObject;
  assert.equal(body['type'], `${PROBLEMS}${problem}`, said);
  assert.equal(body['status'], 402, said);
  for (const member of ['title', 'detail', 'reason', 'code']) {
    assert.ok(typeof body[member] === 'string' && body[member] !== '', `${member}: ${said}`);
  }
  expectAllTerms(answer, old);
  assert.equal(body['challengeId'], challengeIn(answer).id, said);
  return body;
}

/** Terms of every protocol, none of them used before. */
export function expectAllTerms(answer: Answer, old?: Challenge): void {
  const challenge = challengeIn(answer);
  assert.notEqual(challenge.id, old?.id, 'a challenge of its own');
  assert.equal(requestOf(challenge).amount, requiredBy(answer).accepts[0]?.amount, 'one price');
  assert.equal(requestOf(challenge).recipient, requiredBy(answer).accepts[0]?.payTo, 'one payee');
  const body = jsonOf(answer);
  assert.equal(body['x402Version'], 1, answer.text.slice(0, 300));
  assert.ok(Array.isArray(body['accepts']) && body['accepts'].length > 0, 'the terms of version 1');
  for (const name of ['payment-receipt', 'payment-response', 'x-payment-response']) assert.equal(answer.headers[name], undefined, name);
}
