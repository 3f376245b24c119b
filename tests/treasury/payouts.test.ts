// Payouts on a chain: a transfer that is made once, whatever becomes of the facilitator's answer and of the treasury.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { formatUnits } from 'viem';

import { eventually } from '../support/eventually.ts';
import { sharedWorld } from '../support/suite.ts';
import { startTreasuryWorld } from './buyers.ts';

const TO = '0x90F79bf6EB2c4f870365E785982E1f101E93b906';
const LEASE_SECS = 33;

const world = sharedWorld(() =>
  startTreasuryWorld({
    stock: false,
    organizations: () => [{ name: 'acme', policy: { payoutsPerDay: { USDC: '1.00' } }, agents: [{ name: 'buyer' }] }],
  }),
);

const pay = (amount: string, idempotencyKey: string) =>
  world.operate('POST', 'payouts', {
    organization: 'acme',
    wallet: 'main',
    network: 'eip155:84532',
    asset: 'USDC',
    to: TO,
    amount,
    idempotencyKey,
  });
const standing = async (id: string) => (await world.operate('GET', `payouts/${id}?organization=acme`)).json;
const until = (id: string, state: string) =>
  eventually(
    `the payout is ${state}`,
    () => standing(id),
    (payout) => payout.state === state,
  );

/** What the recipient got, in atomic units of each transfer. */
const received = async (): Promise<bigint[]> =>
  [...(await world.transfers()).values()].filter(({ to }) => to === TO).map(({ value }) => value);
const sum = (values: readonly bigint[]): bigint => values.reduce((all, value) => all + value, 0n);

describe('a payout', () => {
  test('moves the tokens once, answers its key with the same bytes, and is confirmed at twelve blocks', async () => {
    const before = await received();
    const first = await pay('0.25', 'rent');
    assert.deepEqual([first.status, first.json.outcome], [201, 'sent'], first.text);
    assert.equal((await pay('0.25', 'rent')).text, first.text);
    assert.deepEqual((await received()).slice(before.length), [250_000n]);
    await world.mine(12);
    const payout = await until(first.json.id, 'confirmed');
    assert.equal(payout.transaction, first.json.evidence.transaction);
  });

  test('of another amount under a key that is used is a conflict, and nothing moves', async () => {
    assert.equal((await pay('0.01', 'used')).status, 201);
    const before = await received();
    const { status, json } = await pay('0.02', 'used');
    assert.deepEqual([status, json.code], [409, 'idempotency_key_conflict']);
    assert.deepEqual(await received(), before);
  });

  test('beyond what a day allows is refused, and nothing moves', async () => {
    const before = await received();
    const { status, json } = await pay('1.01', 'too much');
    assert.deepEqual([status, json.code], [403, 'payouts_budget_exceeded']);
    assert.deepEqual(await received(), before);
  });

  // I-27
  test('whose answer is lost is sent again with the same bytes, and the chain says that it moved once', async () => {
    const before = await received();
    world.switches.facilitator.set({ mode: 'lose', path: '/settle', times: 1 });
    const first = await pay('0.2', 'lost');
    world.switches.facilitator.set();
    assert.equal(first.json.outcome, 'unknown', first.text);
    await world.mine(12);
    await until(first.json.id, 'confirmed');
    assert.deepEqual((await received()).slice(before.length), [200_000n]);
  });

  test('is made once though the treasury is killed while the facilitator is asked', async () => {
    const before = await received();
    const { broken } = world.switches.facilitator.counts;
    world.switches.facilitator.set({ mode: 'delay', path: '/settle', ms: 4_000, times: 1 });
    const lost = pay('0.1', 'killed').then(
      () => false,
      () => true,
    );
    await eventually(
      'the facilitator is asked',
      async () => world.switches.facilitator.counts.broken,
      (now) => now > broken,
    );
    await world.crash();
    assert.equal(await lost, true);
    // Past the time in which the one that was killed might still work on it.
    await world.wait(LEASE_SECS);
    const { json } = await eventually(
      'an answer',
      () => pay('0.1', 'killed'),
      (answer) => answer.json.outcome !== 'executing',
    );
    await eventually('the tokens have moved', received, (now) => now.length > before.length);
    await world.mine(12);
    await until(json.id, 'confirmed');
    assert.deepEqual((await received()).slice(before.length), [100_000n]);
  });

  test('that the facilitator refuses stays counted until its authorization has ended, and is then given back', async () => {
    const before = await received();
    world.switches.facilitator.set({
      mode: 'answer',
      path: '/settle',
      body: { success: false, errorReason: 'insufficient_funds', transaction: '', network: 'eip155:84532' },
    });
    const first = await pay('0.05', 'refused');
    world.switches.facilitator.set();
    assert.deepEqual(
      [first.json.outcome, first.json.evidence, (await standing(first.json.id)).state],
      ['refused', { facilitatorReason: 'insufficient_funds' }, 'open'],
      first.text,
    );
    await world.wait(900);
    await world.mine(13);
    await until(first.json.id, 'void');
    assert.deepEqual(await received(), before);
  });

  test('is in the books as the chain has it', async () => {
    const audited = async () =>
      (await world.operate('GET', 'organizations/acme/audit')).json.items.find(({ scope }: { scope: string }) => scope === 'payouts');
    const { counted, void: unused } = await eventually('nothing is open', audited, ({ open }) => open === '0');
    assert.deepEqual([counted, unused], [formatUnits(sum(await received()), 6), '0.05']);
  });
});
