// A gate whose debts its operator's treasury pays back, on a chain: the payer has the money again by itself, once, whatever is lost or killed meanwhile.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { privateKeyToAccount } from 'viem/accounts';

import { drawKey, drawToken, storage } from '../../demo/beginning.mjs';
import { NETWORK, startChain } from '../../demo/chain.mjs';
import { startFacilitator } from '../../demo/facilitator.mjs';
import { FAILING, gateVars } from '../../demo/gate.mjs';
import { startOrigin } from '../../demo/origin.mjs';
import { parts } from '../../demo/parts.mjs';
import { startSwitch } from '../../demo/switch.mjs';
import { startWithClock } from '../../scripts/clock.mjs';
import { GATE } from '../../scripts/miniflare.mjs';
import { startTreasury } from '../../scripts/treasury.mjs';
import { payingFetch } from '../e2e/clients.ts';
import { eventually } from '../support/eventually.ts';
import { sharedWorld } from '../support/suite.ts';

const BUILD = process.env.FAREBOX_BUILD ?? 'build';
/** Seconds after which the gate asks again, and a treasury that was killed has gone on. */
const PAUSE_SECS = 61;
/** A lost answer is waited for up to 45 seconds. */
const LIMIT_SECS = 150;

const world = sharedWorld(async () => {
  const { keep, stop } = parts();
  try {
    const chain = keep(await startChain());
    const origin = keep(await startOrigin());
    const facilitator = keep(await startFacilitator({ chain }));
    const payouts = keep(await startSwitch(facilitator.url));
    const { folder } = keep(storage('gate-refunds'));
    const key = drawKey();
    const [token, operator] = [drawToken(32), drawToken(32)];
    // Payers sign by their own clock, of which the gate's is ahead.
    const failing = { ...FAILING, max_timeout_secs: 3_500 };
    const treasury = keep(
      await startTreasury({
        build: join(BUILD, 'treasury'),
        persist: join(folder, 'treasury'),
        vars: {
          ORGANIZATIONS: [{ name: 'acme', environment: 'test', policy: { wallet: 'main', payoutsPerDay: { USDC: '1.00' } }, agents: [] }],
          WALLETS: [{ name: 'main', networks: [NETWORK], secret: 'WALLET_KEY' }],
          PAYOUT_TOKENS: [{ organization: 'acme', wallet: 'main', secret: 'GATE_PAYOUTS' }],
          RPC_URL: chain.url,
          FACILITATOR_URL: payouts.url,
          SEND_SECS: '6',
          READ_SECS: '1',
          TEST_NETWORKS_ONLY: 'true',
        },
        secrets: { OPERATOR_TOKEN: operator, WALLET_KEY: key, GATE_PAYOUTS: token },
      }),
    );
    const door = keep(await startSwitch(treasury.url, { worker: true }));
    const gate = keep(
      await startWithClock(GATE, {
        build: BUILD,
        persist: join(folder, 'gate'),
        vars: {
          ...gateVars({ chain, facilitator, origin }),
          ROUTES: [failing, { ...failing, path: '/fail/others/[status]', pay_to: chain.accounts.payee.address }],
          PAY_TO: privateKeyToAccount(key).address,
          RPC_URL: chain.url,
          REFUNDS: { organization: 'acme', wallet: 'main' },
        },
        secrets: { OPERATOR_TOKEN: operator, REFUNDS_TOKEN: token },
        services: { TREASURY: door.url },
      }),
    );
    return { chain, treasury, door, payouts, gate, operator, wallet: privateKeyToAccount(key).address, stop };
  } catch (error) {
    await stop();
    throw error;
  }
});

interface Payment {
  state: string;
  reason?: string;
  refunding_key?: string;
}

const ask = (path: string, body?: object): Promise<Response> =>
  fetch(`${world.gate.url}/_farebox/payments/${path}`, {
    headers: { authorization: `Bearer ${world.operator}` },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
const standing = async (id: string): Promise<Payment> => (await (await ask(id)).json()) as Payment;

/** A payment that is not served, of a payer of its own: its id, and what the payer lacks since. */
async function owed(at: number, path = '/fail/503'): Promise<{ id: string; lacks: () => Promise<bigint> }> {
  const payer = world.chain.accounts.payers[at] ?? assert.fail('no such payer');
  const before = await world.chain.balanceOf(payer.address);
  const failed = await payingFetch(fetch, payer)(`${world.gate.url}${path}`);
  const said = await failed.text();
  const { payment } = JSON.parse(said) as { payment?: string };
  assert.ok(payment !== undefined, said);
  return { id: payment, lacks: async () => before - (await world.chain.balanceOf(payer.address)) };
}

/** Sets the clocks ahead: chain, treasury and gate. */
async function wait(secs: number): Promise<void> {
  await world.chain.rpc('evm_increaseTime', [secs]);
  await world.chain.rpc('evm_mine', []);
  await world.treasury.ahead(secs);
  await world.gate.ahead(secs);
}

/** Waits until a payment is paid back, with a pause of the gate in between if that takes long. */
async function paidBack(id: string): Promise<void> {
  await eventually(
    'it is refunded',
    async () => {
      const { state } = await standing(id);
      if (state !== 'refunded') {
        await wait(PAUSE_SECS);
        await new Promise((resolve) => setTimeout(resolve, 3_000));
      }
      return state;
    },
    (state) => state === 'refunded',
    LIMIT_SECS,
  );
}

describe('a treasury that pays the debts of a gate back', () => {
  test('gives the money back by itself, and no one begins beside it', async () => {
    world.payouts.set({ mode: 'delay', path: '/settle', ms: 2_000, times: 1 });
    const { id, lacks } = await owed(0);
    await eventually(
      'the refund begins',
      () => standing(id),
      (payment) => payment.refunding_key === 'treasury:acme',
    );
    const beside = await ask(`${id}/refunding`, {});
    assert.deepEqual([beside.status, ((await beside.json()) as { code: string }).code], [409, 'refund_begun']);
    await paidBack(id);
    assert.equal(await lacks(), 0n);
  });

  test('pays once though its answer is lost', async () => {
    world.door.set({ mode: 'lose', path: '/api/payouts', times: 1 });
    const { id, lacks } = await owed(1);
    await paidBack(id);
    assert.equal(await lacks(), 0n);
  });

  test('pays once though the gate is killed while it is asked', async () => {
    const { broken } = world.payouts.counts;
    world.payouts.set({ mode: 'delay', path: '/settle', ms: 3_000, times: 1 });
    const { id, lacks } = await owed(2);
    await eventually(
      'the facilitator is asked',
      () => world.payouts.counts.broken,
      (now) => now > broken,
    );
    await world.gate.kill();
    await world.gate.restart();
    await paidBack(id);
    assert.equal(await lacks(), 0n);
  });

  test('pays once though it is killed itself while the facilitator is asked', async () => {
    const { broken } = world.payouts.counts;
    world.payouts.set({ mode: 'delay', path: '/settle', ms: 3_000, times: 1 });
    const { id, lacks } = await owed(3);
    await eventually(
      'the facilitator is asked',
      () => world.payouts.counts.broken,
      (now) => now > broken,
    );
    await world.treasury.kill();
    await world.treasury.restart();
    await paidBack(id);
    assert.equal(await lacks(), 0n);
  });

  test('pays nothing back that another account was paid', async () => {
    const { id, lacks } = await owed(4, '/fail/others/503');
    await wait(PAUSE_SECS);
    const { state, refunding_key } = await standing(id);
    assert.deepEqual([state, refunding_key, await lacks()], ['refund_due', undefined, 10_000n]);
  });
});
