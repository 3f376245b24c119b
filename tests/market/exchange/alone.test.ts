/** A Worker that has the exchange alone and takes real money: it needs no setting of skills, and none of them can be wrong for it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';

import { LIVE, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { sharedWorld } from '../../support/suite.ts';
import { forwarded } from '../support/worker.ts';
import { PRICE, quoted } from './support.ts';

const OTHERS = { MARKET_SECRET: '', NETWORK: '', LISTING_FEE: 'one dollar' };

const world = sharedWorld(() => startExchangeWorld({ vars: OTHERS }));

//
it('makes a job of what was paid at the till', async () => {
  const deal = await quoted(world, 'alone');
  const paid = await deal.verify();
  assert.equal(paid.status, 200, paid.text);
  assert.equal((await deal.call('start', paid.json.job_id)).status, 200);
  const done = await deal.call('complete', paid.json.job_id);
  assert.equal(done.status, 200, done.text);
  assert.deepEqual(await deal.moved(), [PRICE, PRICE]);
});

//
it('tells clients behind the gate apart', async () => {
  await world.seller({ capability: 'many', capacity: 9 });
  for (let at = 1; at <= 4; at += 1) {
    const body = { buyer_id: (await world.wallet()).address, capability: 'many', prompt: `${at}`, network_profile: LIVE };
    const path = '/api/v1/jobs/quote';
    const headers = { ...forwarded('POST', path, {}, world.now(), world.tokens.origin), 'x-forwarded-for': `10.9.9.${at}` };
    const quote = await world.ask('POST', path, { body, headers });
    assert.equal(quote.status, 402, quote.text);
  }
});

it('says that it is there', async () => {
  assert.equal((await world.ask('GET', '/_market/health')).status, 200);
});

it('is swept without a complaint', async () => {
  const before = world.market.logs().length;
  await world.market.sweep();
  assert.ok(!world.market.logs().slice(before).includes('did not answer'), world.market.logs().slice(before));
});
