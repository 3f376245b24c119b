/** Jobs that are charged when they are done: the buyer's request waits at the till, and the seller is paid directly or no one is. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import type { ExchangeWorld } from '../../../demo/exchange-world.mjs';
import { eventually } from '../../support/eventually.ts';
import { PRICE, WAITS_SECS, quoted, quotedBy, startWaitingWorld } from './support.ts';

describe('a job that is charged on delivery', () => {
  let world: ExchangeWorld;
  before(async () => {
    world = await startWaitingWorld();
  }, { timeout: 120_000 });
  after(() => world?.stop());
  const settles = (address: string): number => world.facilitator.countsOf(address).settle;

  it('pays its seller, and no one else, when the work is there', async () => {
    const deal = await quoted(world, 'done');
    assert.deepEqual([deal.quote.payment_mode, deal.quote.pay_to], ['x402-completion', deal.seller.wallet.address]);
    assert.equal(deal.quote.accepts[0].payTo, deal.seller.wallet.address);
    const answer = deal.verify();
    const id = await deal.shown();
    assert.deepEqual(await deal.moved(), [0n, 0n], 'nothing is charged for a promise');
    assert.equal((await deal.call('start', id)).json.status, 'running');
    const told = await deal.call('complete', id);
    assert.deepEqual([told.status, told.json.release], [200, { status: 'skipped', reason: 'settled_on_delivery' }], told.text);
    const { status, json, text } = await answer;
    assert.deepEqual([status, json?.status, json?.result], [200, 'done', { text: 'world' }], text);
    assert.deepEqual([await deal.moved(), await world.held()], [[PRICE, PRICE], 0n]);
  });

  it('is not charged if its seller gives up', async () => {
    const deal = await quoted(world, 'fails');
    const answer = deal.verify();
    const id = await deal.shown();
    await deal.call('start', id);
    assert.equal((await deal.call('fail', id, { error: 'no quota' })).status, 200);
    assert.equal((await answer).status, 502);
    assert.deepEqual([await deal.moved(), settles(deal.buyer.address)], [[0n, 0n], 0]);
  });

  it('is not charged if its seller does nothing, whose seat is free then and whose late work does not count', async () => {
    const deal = await quoted(world, 'idle');
    const began = Date.now();
    const answer = deal.verify();
    const id = await deal.shown();
    await deal.call('start', id);
    const { status, json, text } = await answer;
    assert.deepEqual([status, json?.code], [502, 'JOB_FAILED'], text);
    assert.ok(Date.now() - began < (WAITS_SECS + 6) * 1000, 'it ends at its time');
    const late = await deal.call('complete', id);
    assert.deepEqual([late.status, late.json.code], [409, 'INVALID_JOB_STATE']);
    assert.deepEqual([await deal.moved(), settles(deal.buyer.address)], [[0n, 0n], 0]);
    assert.equal((await world.call(deal.seller, 'sellers/heartbeat')).json.seller_status, 'idle');
    await quotedBy(world, deal.seller, 'idle');
  });

  it('is one seller\'s, whoever else knows its id', async () => {
    const deal = await quoted(world, 'own');
    const other = await world.seller({ capability: 'elsewhere' });
    const answer = deal.verify();
    const id = await deal.shown();
    for (const path of [`jobs/${id}/start`, `jobs/${id}/complete`, `jobs/${id}/fail`]) {
      const refused = await world.call(other, path, { result: 1, error: 1 });
      assert.deepEqual([refused.status, refused.json.code], [403, 'SELLER_MISMATCH'], path);
    }
    await deal.call('start', id);
    await deal.call('complete', id);
    assert.equal((await answer).status, 200);
    assert.equal(await world.chain.balanceOf(other.wallet.address), 0n);
  });

  it('is charged once, however often its payment is sent', async () => {
    const deal = await quoted(world, 'again');
    const [first, second] = [deal.verify(), deal.verify()];
    const id = await deal.shown();
    await deal.call('start', id);
    await deal.call('complete', id);
    const statuses = [(await first).status, (await second).status];
    assert.ok(statuses.includes(200), String(statuses));
    await deal.verify();
    assert.deepEqual(await deal.moved(), [PRICE, PRICE]);
  });

  it('is not lost with an answer of the facilitator that is lost', async () => {
    const deal = await quoted(world, 'unheard');
    world.switches.facilitator.set({ mode: 'lose', path: '/settle', times: 1 });
    const answer = deal.verify();
    const id = await deal.shown();
    await deal.call('start', id);
    await deal.call('complete', id);
    await answer;
    world.switches.facilitator.set();
    await eventually('the buyer has what was paid for', () => deal.verify(), ({ status, json }) => status === 200 && json?.result?.text === 'world');
    assert.deepEqual(await deal.moved(), [PRICE, PRICE]);
  });
});
