/** Jobs that are charged when they are done: the buyer's request waits at the till, and the seller is paid directly or no one is. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { createWalletClient, encodeFunctionData, http } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

import { eventually } from '../../support/eventually.ts';
import { sharedWorld } from '../../support/suite.ts';
import { PRICE, quoted, quotedBy, startWaitingWorld, WAITS_SECS } from './support.ts';

describe('a job that is charged on delivery', () => {
  const world = sharedWorld(startWaitingWorld);
  /** What the dashboard says of a seller: the volume, and the jobs that it did. */
  const shown = async (address: string): Promise<[string, number]> => {
    const { json } = await world.ask('GET', '/api/v1/dashboard/market?mode=live&network=testnet');
    const row = json.rows.find(({ sellerId }: { sellerId: string }) => sellerId === address.toLowerCase());
    return [row.volume, row.completedJobs];
  };
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
    assert.deepEqual([told.status, told.json.release], [200, { status: 'skipped', reason: 'to_be_settled' }], told.text);
    const { status, json, text } = await answer;
    assert.deepEqual([status, json?.status, json?.result], [200, 'done', { text: 'world' }], text);
    assert.deepEqual([await deal.moved(), await world.held()], [[PRICE, PRICE], 0n]);
    assert.deepEqual(await shown(deal.seller.wallet.address), ['0.0050', 1]);
    const {
      json: { events },
    } = await world.ask('GET', `/api/v1/jobs/${id}/feed`, { headers: { authorization: `Bearer ${json?.job_token}` } });
    assert.deepEqual(
      events.map(({ type }: { type: string }) => type),
      ['PAID', 'RUNNING', 'DONE', 'RELEASED'],
    );
  });

  //
  it('counts as no volume, and is not given to its buyer, if the buyer has spent the money meanwhile', async () => {
    const deal = await quoted(world, 'emptied');
    const answer = deal.verify();
    const id = await deal.shown();
    await deal.call('start', id);
    const { chain } = world;
    await chain.rpc('eth_sendTransaction', [{ from: chain.accounts.payee.address, to: deal.buyer.address, value: '0xde0b6b3a7640000' }]);
    const wallet = createWalletClient({
      account: privateKeyToAccount(deal.buyer.privateKey),
      chain: chain.chain,
      transport: http(chain.url),
    });
    const data = encodeFunctionData({
      abi: chain.token.abi,
      functionName: 'transfer',
      args: [chain.accounts.payee.address, await chain.balanceOf(deal.buyer.address)],
    });
    await chain.publicClient.waitForTransactionReceipt({ hash: await wallet.sendTransaction({ to: chain.token.address, data }) });
    const told = await deal.call('complete', id, { result: { text: 'the work' } });
    assert.deepEqual([told.status, told.json.release.reason], [200, 'to_be_settled'], told.text);
    const { status, text } = await answer;
    assert.ok(status !== 200 && !text.includes('the work'), text);
    assert.deepEqual([await deal.earned(), await shown(deal.seller.wallet.address)], [0n, ['0.0000', 1]]);
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

  it("is one seller's, whoever else knows its id", async () => {
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
    await eventually(
      'the buyer has what was paid for',
      () => deal.verify(),
      ({ status, json }) => status === 200 && json?.result?.text === 'world',
    );
    assert.deepEqual(await deal.moved(), [PRICE, PRICE]);
  });
});
