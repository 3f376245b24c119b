/** What an exchange sells in a day, and how much of it one seller: what a wallet can pay out again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { LIVE, type OnlineSeller, signedPayment, standardProfiles, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { sharedWorld } from '../../support/suite.ts';
import { PRICE, quotedBy } from './support.ts';

describe('an exchange that sells so much in a day', { concurrency: 1 }, () => {
  const world = sharedWorld(() =>
    startExchangeWorld({
      profiles: (wallets) =>
        standardProfiles(wallets).map((profile) =>
          profile.profile === LIVE ? { ...profile, per_day: '0.0149', per_seller_day: '0.0099' } : profile,
        ),
    }),
  );

  const seller = () => world.seller({ capability: 'day', capacity: 10 });
  const buys = async (from: OnlineSeller) => {
    const deal = await quotedBy(world, from, 'day');
    return { deal, by: deal.quote.seller_id as string, verified: async () => (await deal.verify()).status };
  };
  const refused = async () => {
    const { status, json } = await world.quote(await world.wallet(), 'hello', { capability: 'day' });
    return [status, json.code];
  };

  it('gives each seller its share, refuses what is quoted beyond it before it is paid, and goes on on the next day', async () => {
    const [first, second] = [await seller(), await seller()];
    const [one, two, three] = [await buys(first), await buys(first), await buys(first)];
    assert.deepEqual(new Set([one.by, two.by]).size, 2, 'equals are asked in turn');
    assert.deepEqual([await one.verified(), await two.verified()], [200, 200]);
    // Quoted in time, and the day is sold by now.
    const payment = await signedPayment(world, three.deal.buyer, three.deal.quote);
    assert.equal(
      (await world.ask('POST', `/till/${three.deal.quote.payment_id}`, { base: world.gate.url, headers: { 'x-payment': payment } })).status,
      503,
    );
    assert.equal(await three.verified(), 409);
    assert.deepEqual([await three.deal.moved(), await world.held()], [[0n, 0n], PRICE * 2n]);
    assert.deepEqual(await refused(), [503, 'NO_SELLER_AVAILABLE']);
    for (const one of [first, second]) {
      const { json } = await world.call(one, 'sellers/jobs');
      for (const { job_id: id } of json.jobs) {
        await world.call(one, `jobs/${id}/start`);
        assert.equal((await world.call(one, `jobs/${id}/complete`, { result: 'ok' })).status, 200);
      }
    }
    await world.wait(86_400);
    for (const one of [first, second]) one.token = await world.session(one);
    await Promise.all([first, second].map((one) => world.call(one, 'sellers/heartbeat')));
    const next = await buys(first);
    assert.equal(await next.verified(), 200);
    assert.equal(await world.held(), PRICE);
  });
});
