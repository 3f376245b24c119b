// Channels whose payer has left are looked after by their alarm alone: it outlives settings that are wrong for a while, and where the
// platform has lost it, the sweep sets it again.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

import { account, type Chain, PAYEE, PAYMENT_CHANNEL, startChain } from '../../demo/chain.mjs';
import { startFacilitator } from '../../demo/facilitator.mjs';
import { gateVars } from '../../demo/gate.mjs';
import { startOrigin } from '../../demo/origin.mjs';
import { startWithClock } from '../../scripts/clock.mjs';
import { GATE } from '../../scripts/miniflare.mjs';
import { alarmsDue, alarmsLost } from '../support/alarms.ts';
import { eventually } from '../support/eventually.ts';
import { OkxPayer } from './okx-payer.ts';

const PRICE = 10_000n;
/** Longer than a look at the chain counts, and shorter than a payer needs to withdraw. */
const AHEAD_MS = 400_000;
const TOKEN = 'operator-token-of-this-test-0123456789';
const AS_OPERATOR = { headers: { authorization: `Bearer ${TOKEN}` } };
type Gate = Awaited<ReturnType<typeof startWithClock>>;
type World = { readonly chain: Chain; readonly persist: string; start(more: object, aheadMs: number): Promise<Gate> };

/** A gate that sells by session, of which a channel has paid for three requests; it is stopped, and its payer withdraws. */
async function left(t: TestContext): Promise<World> {
  const persist = mkdtempSync(join(tmpdir(), 'farebox-alarms-'));
  t.after(() => rmSync(persist, { recursive: true, force: true }));
  const chain = await startChain();
  t.after(() => chain.stop());
  const facilitator = await startFacilitator({ chain });
  t.after(() => facilitator.stop());
  const origin = await startOrigin();
  t.after(() => origin.stop());
  const vars = gateVars({ chain, facilitator, origin });
  const route = { path: '/report/session', methods: ['GET'], price: '$0.01', session_escrow: PAYMENT_CHANNEL };
  const usual = { ...vars, ROUTES: [...vars.ROUTES, route], RPC_URL: chain.url };
  const secrets = { GATE_SECRET: 'g'.repeat(40), LEDGER_SALT: 's'.repeat(40), PAYEE_KEY: account(PAYEE).privateKey, OPERATOR_TOKEN: TOKEN };
  const start = (more: object, aheadMs: number): Promise<Gate> =>
    startWithClock(GATE, { build: process.env['FAREBOX_BUILD'] ?? 'build', vars: { ...usual, ...more }, secrets, persist }, aheadMs);
  const gate = await start({}, 0);
  const [payer] = chain.accounts.payers;
  assert.ok(payer);
  const session = new OkxPayer(chain, payer, `${gate.url}/report/session`);
  assert.equal((await session.open(10n * PRICE)).status, 200);
  for (let request = 0; request < 3; request += 1) assert.equal((await session.buy()).status, 200);
  await eventually('it is listed', async () => {
    const { items } = (await (await fetch(`${gate.url}/_farebox/channels`, AS_OPERATOR)).json()) as { items: { id: string }[] };
    return items.some(({ id }) => id === session.id);
  });
  await gate.stop();
  await session.call('requestClose', [session.id]);
  return { chain, persist, start };
}

/** What the payee has more once the gate was started again. */
async function isPaid({ chain, start }: World, sweeps: boolean): Promise<void> {
  const earlier = await chain.balanceOf(chain.accounts.payee.address);
  const gate = await start({}, AHEAD_MS);
  try {
    if (sweeps) await gate.sweep();
    await eventually('what was earned is claimed', async () => {
      return (await chain.balanceOf(chain.accounts.payee.address)) === earlier + 3n * PRICE;
    });
  } finally {
    await gate.stop();
  }
}

//
test('a channel whose alarm rings while the settings are wrong is paid once they are right', { timeout: 120_000 }, async (t) => {
  const world = await left(t);
  const earlier = await world.chain.balanceOf(world.chain.accounts.payee.address);
  for (const wrong of [{ FACILITATOR_URL: 'no URL' }, { RPC_URL: 'no URL' }]) {
    assert.ok(alarmsDue(world.persist) > 0, 'there are alarms');
    const gate = await world.start(wrong, AHEAD_MS);
    assert.ok((await fetch(`${gate.url}/report/session`)).status >= 500);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await gate.stop();
  }
  assert.equal(await world.chain.balanceOf(world.chain.accounts.payee.address), earlier);
  assert.ok(alarmsDue(world.persist) > 0, 'they are there');
  await isPaid(world, false);
});

//
test('a channel whose alarm was lost is paid once the sweep has gone by', { timeout: 120_000 }, async (t) => {
  const world = await left(t);
  assert.ok(alarmsLost(world.persist) > 0);
  await isPaid(world, true);
});
