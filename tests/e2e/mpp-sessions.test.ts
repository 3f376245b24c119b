// A session by MPP on a chain: a payer of OKX's shape opens a channel, pays a hundred requests by vouchers, adds to its
// deposit and closes. The gate sends what pays out by itself, and no facilitator takes part.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { account, type Chain, PAYEE, PAYMENT_CHANNEL, startChain } from '../../demo/chain.mjs';
import { type Facilitator, startFacilitator } from '../../demo/facilitator.mjs';
import { gateVars } from '../../demo/gate.mjs';
import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { type Gate, startGate } from '../../scripts/miniflare.mjs';
import { type CountingNode, countingNode } from './counting-node.ts';
import { OkxPayer } from './okx-payer.ts';

const PRICE = 10_000n;
let [chain, facilitator, origin, gate]: [Chain, Facilitator, Origin, Gate] = [] as never;
let node: CountingNode;
const ends: { stop(): unknown }[] = [];
function keep<T extends { stop(): unknown }>(part: T): T {
  ends.unshift(part);
  return part;
}

before(async () => {
  chain = keep(await startChain());
  origin = keep(await startOrigin());
  facilitator = keep(await startFacilitator({ chain }));
  node = keep(await countingNode(chain.url));
  const vars = gateVars({ chain, facilitator, origin });
  const route = { path: '/report/session', methods: ['GET'], price: '$0.01', session_escrow: PAYMENT_CHANNEL };
  gate = keep(
    await startGate({
      build: process.env.FAREBOX_BUILD ?? 'build',
      vars: { ...vars, ROUTES: [...vars.ROUTES, route], RPC_URL: node.url },
      secrets: { PAYEE_KEY: account(PAYEE).privateKey },
    }),
  );
});
after(async () => {
  for (const part of ends) await part.stop();
});

function payerAt(index: number) {
  const payer = chain.accounts.payers[index];
  assert.ok(payer);
  return { payer, session: new OkxPayer(chain, payer, `${gate.url}/report/session`) };
}

const payee = () => chain.balanceOf(chain.accounts.payee.address);

/** Waits until the payee has this much. */
async function paid(amount: bigint, seconds = 60) {
  for (let waits = 0; waits < seconds * 10 && (await payee()) !== amount; waits += 1)
    await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(await payee(), amount);
}

test('a hundred requests are paid by vouchers, and the close pays payee and payer to the last unit', async () => {
  const { payer, session } = payerAt(2);
  const [funds, earlier, held] = [await chain.balanceOf(payer.address), await payee(), await chain.balanceOf(PAYMENT_CHANNEL)];
  const opened = await session.open(60n * PRICE);
  assert.equal(opened.status, 200, opened.body);
  assert.deepEqual(
    { ...(JSON.parse(opened.body) as object), spent: undefined },
    {
      acceptedCumulative: '0',
      action: 'open',
      channelId: session.id,
      deposit: String(60n * PRICE),
      reference: session.id,
      spent: undefined,
      status: 'ok',
    },
  );
  const [counts, before, requests] = [{ ...facilitator.counts }, node.asked, origin.requests.length];
  for (let request = 1n; request <= 60n; request += 1n) {
    const answer = await session.buy();
    assert.equal(answer.status, 200, answer.body);
    assert.equal(answer.receipt?.spent, String(request * PRICE));
  }
  assert.equal(node.asked, before, 'no voucher asks the chain');
  assert.equal((await session.topUp(60n * PRICE)).status, 200);
  const added = node.asked;
  // From here on one voucher pays for two requests.
  for (let request = 61n; request <= 100n; request += 1n) assert.equal((await session.buy(PRICE)).status, 200);
  assert.equal(node.asked, added, 'no voucher asks the chain');
  assert.deepEqual(facilitator.counts, counts);
  assert.equal(origin.requests.length, requests + 100);
  assert.equal(session.signed, 1 + 60 + 20);
  assert.equal(await payee(), earlier);
  const closed = await session.close();
  assert.equal(closed.status, 200, closed.body);
  await paid(earlier + 100n * PRICE);
  assert.equal(await chain.balanceOf(payer.address), funds - 100n * PRICE);
  assert.equal(await chain.balanceOf(PAYMENT_CHANNEL), held);
  const late = await session.buy();
  assert.ok(late.code === 70014 || late.code === 70008, late.body);
});

test('a voucher that is used up is told so, and the payer signs once', async () => {
  const { session } = payerAt(3);
  assert.equal((await session.open(10n * PRICE)).status, 200);
  assert.equal((await session.buy()).status, 200);
  // The payer has forgotten what it spent.
  session.spent = 0n;
  const requests = origin.requests.length;
  const answer = await session.buy();
  assert.deepEqual([answer.status, answer.receipt?.spent, session.signed], [200, String(2n * PRICE), 3]);
  assert.equal(origin.requests.length, requests + 1);
});

//
test('what was earned is settled before a payer who leaves can withdraw', async () => {
  const { payer, session } = payerAt(4);
  const [funds, earlier] = [await chain.balanceOf(payer.address), await payee()];
  assert.equal((await session.open(10n * PRICE)).status, 200);
  for (let request = 0; request < 3; request += 1) assert.equal((await session.buy()).status, 200);
  await session.call('requestClose', [session.id]);
  // The gate sees it when it looks at the chain, here for something else; by itself it looks every five minutes. A new
  // deposit would withdraw the request to close, so an opening is shown again.
  const again = await fetch(`${gate.url}/report/session`);
  assert.equal(again.status, 402);
  const seen = await session.see();
  assert.equal(seen.status, 409, seen.body);
  await paid(earlier + 3n * PRICE);
  await chain.rpc('evm_increaseTime', [900]);
  await session.call('withdraw', [session.id]);
  assert.equal(await chain.balanceOf(payer.address), funds - 3n * PRICE);
});

//
test('a voucher that was sent for the chain closes no channel, and its payer goes on', async () => {
  const { payer, session } = payerAt(5);
  const [funds, earlier] = [await chain.balanceOf(payer.address), await payee()];
  assert.equal((await session.open(10n * PRICE)).status, 200);
  for (let request = 0; request < 3; request += 1) assert.equal((await session.buy()).status, 200);
  // The payer wants to leave, and what was earned is sent for: it stands in the pool, where everyone reads the voucher.
  await session.call('requestClose', [session.id]);
  const held: string[] = [];
  node.held = held;
  assert.equal((await session.see()).status, 409);
  for (let waits = 0; waits < 300 && held.length === 0; waits += 1) await new Promise((resolve) => setTimeout(resolve, 100));
  assert.notEqual(held.length, 0);
  // They stay after all.
  assert.equal((await session.topUp(PRICE)).status, 200);
  const stranger = await session.close();
  assert.deepEqual([stranger.status, stranger.code], [400, 70000], stranger.body);
  assert.doesNotMatch(stranger.body, /spent|deposit"|acceptedCumulative/);
  assert.equal((await session.buy()).status, 200);
  node.held = undefined;
  const closed = await session.close();
  assert.equal(closed.status, 200, closed.body);
  await paid(earlier + 4n * PRICE);
  for (let waits = 0; waits < 300 && (await chain.balanceOf(payer.address)) !== funds - 4n * PRICE; waits += 1)
    await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(await chain.balanceOf(payer.address), funds - 4n * PRICE);
});
