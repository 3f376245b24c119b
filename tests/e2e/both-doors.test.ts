// One authorization of the token, brought as a credential of MPP and as a payment of x402, in every order and at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Hex } from 'viem';

import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { asX402, type MppPayment, payMpp } from '../support/mpp-payer.ts';
import { challengeOf, credential, receiptIn } from '../support/mpp-wire.ts';
import { sharedWorld } from '../support/suite.ts';
import type { PaymentRequired } from '../worker/support/payer.ts';
import { settlementOf } from './clients.ts';
import { changesDuring, startWorld, transfersOf } from './world.ts';

const world = sharedWorld(startWorld);

const ROUTES = [
  { settle: 'after', path: '/report', verified: 1 },
  { settle: 'before', path: '/report-before', verified: 0 },
] as const;
const NOTHING = { paid: 0n, received: 0n, asked: 0, verified: 0, settled: 0 };

type Door = 'mpp' | 'okx' | 'x402' | 'x402 v1';
type Doors = { readonly payment: MppPayment; readonly headers: Readonly<Record<Door, Record<string, string>>> };

/** One authorization, and what each protocol's client would send with it. */
async function everyDoor(path: string): Promise<Doors> {
  const asked = await fetch(`${world.gate.url}${path}`);
  const required = JSON.parse(Buffer.from(asked.headers.get('payment-required') ?? '', 'base64').toString('utf8')) as PaymentRequired;
  const challenge = challengeOf(asked.headers.get('www-authenticate'));
  const payment = await payMpp(world.chain.accounts.payer, challenge);
  const { authorization, signature } = payment;
  const okx = {
    challenge: { ...challenge },
    payload: { type: 'transaction', authorization: { type: 'eip-3009', ...authorization, signature } },
  };
  const v1 = { x402Version: 1, scheme: 'exact', network: 'base-sepolia', payload: { signature, authorization } };
  return {
    payment,
    headers: {
      mpp: { Authorization: payment.value },
      okx: { Authorization: credential(okx) },
      x402: { 'PAYMENT-SIGNATURE': asX402(payment, required) },
      'x402 v1': { 'X-PAYMENT': Buffer.from(JSON.stringify(v1)).toString('base64') },
    },
  };
}

/** The transaction that an answer names, in the header of the protocol that was spoken; there is no other. */
function transactionIn(response: Response, door: Door): Hex {
  const names = ['payment-receipt', 'payment-response', 'x-payment-response'].filter((name) => response.headers.has(name));
  assert.deepEqual(names, [
    { mpp: 'payment-receipt', okx: 'payment-receipt', x402: 'payment-response', 'x402 v1': 'x-payment-response' }[door],
  ]);
  if (door === 'x402' || door === 'x402 v1') return settlementOf(response.headers, door === 'x402' ? 2 : 1).transaction;
  return receiptIn(response.headers.get('payment-receipt'))?.reference as Hex;
}

const ORDERS: readonly (readonly [first: Door, then: Door])[] = [
  ['mpp', 'x402'],
  ['x402', 'mpp'],
  ['mpp', 'x402 v1'],
  ['x402 v1', 'okx'],
  ['okx', 'mpp'],
  ['mpp', 'okx'],
];

for (const { settle, path, verified } of ROUTES) {
  for (const [first, then] of ORDERS) {
    test(`what was paid by ${first} is not paid again by ${then}, settling ${settle} the origin`, async () => {
      const { payer, payee } = world.chain.accounts;
      const { headers } = await everyDoor(path);
      const { change } = await changesDuring(world, payer.address, async () => {
        const paid = await fetch(`${world.gate.url}${path}`, { headers: headers[first] });
        assert.equal(paid.status, 200, await paid.clone().text());
        assert.deepEqual(await transfersOf(world, transactionIn(paid, first)), [
          { from: payer.address, to: payee.address, value: PRICE_ATOMIC },
        ]);
        for (const door of [then, first, then]) {
          const again = await fetch(`${world.gate.url}${path}`, { headers: headers[door] });
          assert.equal(again.status, 409, door);
          assert.equal(((await again.json()) as { code: string }).code, 'payment_already_delivered', door);
        }
      });
      assert.deepEqual(change, { paid: PRICE_ATOMIC, received: PRICE_ATOMIC, asked: 1, verified, settled: 1 });
    });
  }

  //
  test(`fifty requests with one authorization, by every door at once, are one payment and one delivery, settling ${settle} the origin`, async () => {
    const { payer, payee } = world.chain.accounts;
    const { headers } = await everyDoor(path);
    const doors = (['mpp', 'x402', 'okx', 'x402 v1', 'mpp'] as const).flatMap((door) => Array.from({ length: 10 }, () => door));
    const { result: answers, change } = await changesDuring(world, payer.address, () =>
      Promise.all(doors.map((door) => fetch(`${world.gate.url}${path}`, { headers: headers[door] }))),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array.from({ length: 49 }, () => 409)]);
    assert.deepEqual(change, { paid: PRICE_ATOMIC, received: PRICE_ATOMIC, asked: 1, verified, settled: 1 });
    const winner = answers.findIndex(({ status }) => status === 200);
    const transaction = transactionIn(answers[winner] ?? Response.error(), doors[winner] ?? 'mpp');
    assert.deepEqual(await transfersOf(world, transaction), [{ from: payer.address, to: payee.address, value: PRICE_ATOMIC }]);
    const codes = await Promise.all(
      answers.filter(({ status }) => status === 409).map(async (answer) => ((await answer.json()) as { code: string }).code),
    );
    assert.deepEqual(
      [...new Set(codes)].filter((code) => code !== 'payment_in_progress' && code !== 'payment_already_delivered'),
      [],
    );
  });

  test(`who knows the secret of the first request gets it again by the other door, settling ${settle} the origin`, async () => {
    const { payer } = world.chain.accounts;
    const { headers } = await everyDoor(path);
    const secret = { 'Idempotency-Key': `both-doors-${settle}-0123456789` };
    const { change } = await changesDuring(world, payer.address, async () => {
      const paid = await fetch(`${world.gate.url}${path}`, { headers: { ...headers.mpp, ...secret } });
      assert.equal(paid.status, 200, await paid.clone().text());
      for (const door of ['x402', 'okx', 'x402 v1', 'mpp'] as const) {
        const again = await fetch(`${world.gate.url}${path}`, { headers: { ...headers[door], ...secret } });
        assert.deepEqual([again.status, again.headers.get('payment-replayed')], [200, 'true'], door);
        assert.equal(transactionIn(again, door), transactionIn(paid, 'mpp'));
        assert.equal(await again.text(), await paid.clone().text());
      }
    });
    assert.deepEqual(change, { paid: PRICE_ATOMIC, received: PRICE_ATOMIC, asked: 1, verified, settled: 1 });
  });

  //
  test(`two proofs in one request are 400 and move nothing, settling ${settle} the origin`, async () => {
    const { payer } = world.chain.accounts;
    const [one, two] = [await everyDoor(path), await everyDoor(path)];
    const both: readonly Record<string, string>[] = [
      { ...one.headers.mpp, ...one.headers.x402 },
      { ...one.headers.mpp, ...two.headers.x402 },
      { ...one.headers.okx, ...one.headers['x402 v1'] },
      { ...one.headers.x402, ...two.headers['x402 v1'] },
      { Authorization: `${one.headers.mpp['Authorization']}, ${two.headers.mpp['Authorization']}` },
      { Authorization: `${one.headers.mpp['Authorization']}, ${one.headers.okx['Authorization']}` },
      { ...one.headers.mpp, 'Payment-Authorization': two.headers.mpp['Authorization'] ?? '' },
    ];
    const { change } = await changesDuring(world, payer.address, async () => {
      for (const headers of both) {
        const answer = await fetch(`${world.gate.url}${path}`, { headers });
        assert.equal(answer.status, 400, Object.keys(headers).join(' and '));
        assert.equal(((await answer.json()) as { code: string }).code, 'ambiguous_payment');
      }
    });
    assert.deepEqual(change, NOTHING);
    // Neither was used up by that.
    for (const { headers } of [one, two]) assert.equal((await fetch(`${world.gate.url}${path}`, { headers: headers.mpp })).status, 200);
  });
}
