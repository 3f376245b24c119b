/** Thousands of requests to an exchange that are almost right: each is answered, none tells a secret or leaves more than a bound, and a job is done as before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LIVE, MOCK, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { LIMIT, MOST_BYTES, play, REQUESTS } from '../../support/hostile/play.ts';
import { sharedWorld } from '../../support/suite.ts';
import { requestsOf } from './requests.ts';
import { PRICE, quoted } from './support.ts';

const world = sharedWorld(startExchangeWorld);

// I-21
test(`an exchange answers ${REQUESTS} requests that are almost right`, LIMIT, async (t) => {
  const deal = await quoted(world, 'of-a-victim');
  const [seller, pretender] = [
    await world.seller({ capability: 'fuzz', capacity: 90 }),
    await world.seller({ capability: 'pretend', capacity: 90, profile: MOCK }),
  ];
  const buyer = await world.wallet();
  const paid = await deal.verify();
  assert.equal(paid.status, 200, paid.text);
  const quote = await world.quote(buyer, 'hello', { capability: 'pretend', profile: MOCK });
  assert.equal(quote.status, 402, quote.text);
  const payload = { buyer_id: buyer.address, capability: 'pretend', prompt: 'hello', network_profile: MOCK };
  const own = await world.ask('POST', '/api/v1/jobs/verify', {
    body: { fingerprint: quote.json.fingerprint, tx_hash: '0xabc123', payload },
  });
  assert.equal(own.status, 200, own.text);
  const foreign = { quote: deal.quote.payment_id, payment: deal.payment };
  const jobs = [own.json.job_id, paid.json.job_id] as const;
  const identity = world.issuer.token({ sub: 'rogue', agent_id: 'rogue', wallet_address: buyer.address, exp: world.now() + 3_600 });

  await play(t, {
    worker: 'exchange',
    urls: [world.url],
    shapes: requestsOf({
      capabilities: ['fuzz', 'pretend'],
      seller: { address: seller.wallet.address, agent: seller.agent },
      pretender: pretender.wallet,
      buyer: buyer.address,
      jobs,
      fingerprints: [quote.json.fingerprint, deal.quote.fingerprint],
      foreign,
      tokens: { seller: seller.token, pretender: pretender.token, job: own.json.job_token, identity },
    }),
    names: {
      foreign: [
        jobs[1],
        foreign.quote,
        deal.quote.fingerprint,
        deal.seller.wallet.address,
        deal.buyer.address,
        'of-a-victim',
        LIVE,
        MOCK,
        'nowhere',
      ],
      tokens: [seller.token, pretender.token, identity],
    },
    secrets: new Map([
      ["the operator's token", world.tokens.operator],
      ['the secret of gate and market', world.tokens.origin],
      ['the secret of notices', world.tokens.webhook],
      ['the token of payouts', world.tokens.payouts],
      ['the token of refunds', world.tokens.refunds],
      ["the escrow wallet's key", world.escrow.privateKey.slice(2)],
      ["another seller's session", deal.seller.token],
      ["another buyer's token", paid.json.job_token],
    ]),
    pages: [
      '/exchange?mode=live&network=testnet',
      '/api/v1/dashboard/market?mode=live&network=testnet',
      '/api/v1/dashboard/events?mode=live&network=testnet',
      `/api/v1/buyers/capabilities?network_profile=${LIVE}`,
    ].map((path) => `${world.url}${path}`),
    stored: () => world.market.stored(),
    most: { objects: 1, bytes: MOST_BYTES },
    honest: async (when) => {
      const { status, earned } = await honestJob(when);
      assert.deepEqual([status, earned], ['done', PRICE]);
    },
  });
});

/** A job of a new seller and a new buyer, from the quote to the payout. */
async function honestJob(when: string) {
  const deal = await quoted(world, `honest-${when}`);
  const paid = await deal.verify();
  assert.equal(paid.status, 200, paid.text);
  const { job_id: id } = paid.json;
  assert.equal((await deal.call('start', id)).status, 200);
  const done = await deal.call('complete', id);
  return { status: done.json.status, earned: await deal.earned() };
}
