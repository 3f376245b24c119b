// `farebox/channels` at the gate: what the payer knows, what the gate has charged and what the chain holds are the same to the last unit.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BATCH_SETTLEMENT } from '../../demo/chain.mjs';
import { channelFetch, channelReceiptOf } from '../../pkg/dist/channels.js';
import { memoryStore } from '../../pkg/dist/store.js';
import { startWorld, type World } from '../e2e/world.ts';

const PRICE = 10_000n;
let world: World;
let url: string;
before(async () => {
  world = await startWorld({ routes: [{ path: '/report/session', methods: ['GET'], price: '$0.01', session_delay_secs: 900 }] });
  url = `${world.gate.url}/report/session`;
});
after(() => world?.stop());

function payerAt(index: number) {
  const account = world.chain.accounts.payers[index];
  assert.ok(account);
  const options = { signer: account, policy: { perDay: '5' }, store: memoryStore(), deposit: '0.3' };
  return { account, pay: channelFetch(fetch, options) };
}

test('requests at once take turns at the gate, each is served and charged once, and the rest comes back', async () => {
  const { account, pay } = payerAt(0);
  const funds = await world.chain.balanceOf(account.address);
  const held = await world.chain.balanceOf(BATCH_SETTLEMENT);
  const first = await pay(url);
  assert.equal(first.status, 200, await first.clone().text());
  assert.match(channelReceiptOf(first)?.transaction ?? '', /^0x/);
  const counts = { ...world.facilitator.counts };
  const asked = world.origin.requests.length;
  const answers = await Promise.all(Array.from({ length: 20 }, () => pay(url)));
  assert.deepEqual(
    answers.map(({ status }) => status),
    Array(20).fill(200),
  );
  assert.equal(world.origin.requests.length, asked + 20);
  assert.deepEqual(world.facilitator.counts, counts, 'no voucher asks the facilitator');
  const [channel] = await pay.channels();
  assert.deepEqual([channel?.spent, channel?.signed], [String(21n * PRICE), String(21n * PRICE)]);
  assert.equal(await world.chain.balanceOf(BATCH_SETTLEMENT), held + 300_000n);
  const { refunded } = await pay.refund(url);
  assert.equal(refunded, String(300_000n - 21n * PRICE));
  assert.equal(await world.chain.balanceOf(account.address), funds - 21n * PRICE);
  // After that it goes on with another deposit.
  for (let request = 0; request < 2; request += 1) assert.equal((await pay(url)).status, 200);
  assert.equal((await pay.channels())[0]?.spent, String(23n * PRICE));
});

test('a lost answer is asked for with the same voucher, and comes: the origin has worked once, and it is charged once', async () => {
  let loses = false;
  const flaky: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    if (!loses || !new Headers(init?.headers).has('payment-signature')) return answer;
    loses = false;
    throw new TypeError('the connection is gone');
  };
  const account = world.chain.accounts.payers[1];
  assert.ok(account);
  const pay = channelFetch(flaky, { signer: account, policy: { perDay: '5' }, store: memoryStore(), deposit: '0.3' });
  assert.equal((await pay(url)).status, 200);
  const asked = world.origin.requests.length;
  loses = true;
  const answer = await pay(url);
  assert.deepEqual([answer.status, channelReceiptOf(answer)?.spent], [200, String(2n * PRICE)]);
  assert.equal(world.origin.requests.length, asked + 1);
  assert.equal((await pay(url)).status, 200);
  const [channel] = await pay.channels();
  assert.equal(channel?.spent, String(3n * PRICE));
});

test('a payer whose record is lost goes on with the channel that the gate knows', async () => {
  const { account, pay } = payerAt(2);
  for (let request = 0; request < 3; request += 1) assert.equal((await pay(url)).status, 200);
  const funds = await world.chain.balanceOf(account.address);
  const later = payerAt(2).pay;
  assert.equal((await later(url)).status, 200);
  assert.equal(await world.chain.balanceOf(account.address), funds, 'without another deposit');
  assert.equal((await later.channels())[0]?.spent, String(4n * PRICE));
});
