/** Dashboards and demo runs over HTTP: cases 27 and 28 of the contract. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { LIVE, MOCK, signedPayment, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { eventually } from '../../support/eventually.ts';
import { sharedWorld } from '../../support/suite.ts';

const LIMIT = { timeout: 120_000 };

const world = sharedWorld(startExchangeWorld);

const get = (path: string, headers: Record<string, string> = {}) => world.ask('GET', path, { headers });

describe('the dashboard', LIMIT, () => {
  it('shows what was paid on the chain, with links on live rows alone, and no secret', async () => {
    const seller = await world.seller({ capability: 'shown' });
    await world.seller({ profile: MOCK, capability: 'shown' });
    const buyer = await world.wallet();
    const quote = (await world.quote(buyer, 'secret prompt', { capability: 'shown' })).json;
    const reserved = (await get('/api/v1/dashboard/market?mode=live&network=testnet')).json.rows;
    assert.deepEqual(reserved.map(({ status }: any) => status).sort(), ['idle', 'reserved']);
    const payload = { buyer_id: buyer.address, capability: 'shown', prompt: 'secret prompt', network_profile: LIVE };
    const paid = (
      await world.ask('POST', '/api/v1/jobs/verify', {
        body: { fingerprint: quote.fingerprint, payload },
        headers: { 'x-payment': await signedPayment(world, buyer, quote) },
      })
    ).json;
    assert.equal((await get('/api/v1/dashboard/summary?mode=live&network=testnet')).json.sellerStatus.busy, 1);
    await world.call(seller, `jobs/${paid.job_id}/start`);
    await world.call(seller, `jobs/${paid.job_id}/complete`, { result: 'secret result' });
    await eventually(
      'it is counted',
      async () => (await get('/api/v1/dashboard/summary?mode=live&network=testnet')).json.metrics.completedJobs === 1,
    );
    const summary = await get('/api/v1/dashboard/summary?mode=live&network=testnet');
    assert.deepEqual(summary.json.metrics, { activeSellers: 2, openJobs: 0, completedJobs: 1, failedJobs: 0, volume24h: '0.0050' });
    assert.equal(summary.json.activity24h.length, 24);
    assert.deepEqual([summary.json.activity24h.at(-1).createdJobs, summary.json.activity24h.at(-1).settledJobs], [1, 1]);
    const market = await get('/api/v1/dashboard/market?mode=live&network=testnet');
    const live = market.json.rows.find(({ networkProfile }: any) => networkProfile === LIVE);
    const mock = market.json.rows.find(({ networkProfile }: any) => networkProfile === MOCK);
    assert.deepEqual(
      [live.explorerUrl, mock.explorerUrl],
      [`https://sepolia.basescan.org/address/${seller.wallet.address.toLowerCase()}`, null],
    );
    const [settled] = market.json.recentSettlements;
    assert.deepEqual([settled.jobId, settled.amount, settled.settlementTxHash], [paid.job_id, '0.0050', paid.settlement_tx_hash]);
    assert.equal(settled.explorerUrl, `https://sepolia.basescan.org/tx/${settled.transferTxHash}`);
    const events = await get('/api/v1/dashboard/events?mode=live&network=testnet');
    assert.deepEqual(Object.keys(events.json.events[0]), ['id', 'jobId', 'type', 'title', 'message', 'timestamp', 'tone']);
    for (const { text } of [summary, market, events])
      for (const secret of ['secret', buyer.address.toLowerCase(), paid.job_token, quote.payment_id])
        assert.ok(!text.includes(secret), `${secret}: ${text}`);
    assert.equal((await world.call(seller, 'sellers/offline')).status, 200);
    const gone = (await get('/api/v1/dashboard/market?mode=live&network=testnet')).json.rows.find(
      ({ sellerId }: any) => sellerId === seller.wallet.address.toLowerCase(),
    );
    assert.equal(gone.status, 'offline');
  });

  it('keeps what was chosen, and refuses what there is not', async () => {
    const chosen = await get('/exchange?mode=live&network=testnet');
    const cookies = chosen.headers.getSetCookie();
    assert.deepEqual(cookies, [
      'quotadex_dashboard_mode=live; Path=/; Max-Age=31536000; SameSite=Lax',
      'quotadex_dashboard_live_network=testnet; Path=/; Max-Age=31536000; SameSite=Lax',
    ]);
    const cookie = cookies.map((text) => text.split(';')[0]).join('; ');
    assert.equal((await get('/api/v1/dashboard/market', { cookie })).json.rows.length, 2);
    assert.equal((await get('/api/v1/dashboard/market', { cookie: 'quotadex_dashboard_mode=demo' })).json.rows.length, 1);
    assert.deepEqual([(await get('/api/v1/dashboard/market?mode=x')).status, (await get('/api/v1/dashboard/nothing')).status], [400, 404]);
    assert.equal((await get('/api/v1/dashboard/summary?mode=live&network=mainnet')).json.code, 'GATEWAY_CONFIG_MISSING');
  });

  it('gives events by cursor, oldest first', async () => {
    const query = '/api/v1/dashboard/events?mode=live&network=testnet';
    const { cursor } = (await get(query)).json;
    await world.seller({ capability: 'later' });
    await world.seller({ profile: MOCK, capability: 'later' });
    const later = (await get(`${query}&cursor=${cursor}`)).json;
    assert.deepEqual(later.events.map(({ type }: any) => type).sort(), [
      'SELLER_ONLINE',
      'SELLER_ONLINE',
      'SELLER_REGISTERED',
      'SELLER_REGISTERED',
    ]);
    assert.deepEqual((await get(`${query}&cursor=${later.cursor}`)).json, { events: [], cursor: later.cursor });
    assert.equal((await get(`${query}&cursor=1`)).status, 400);
  });
});

describe('a demo run', LIMIT, () => {
  const run = (body: object, headers: Record<string, string>) => world.ask('POST', '/api/v1/demo/run', { body, headers });

  it('is made with pretended money by a seller that is there, three times an hour', async () => {
    const seller = await world.seller({ profile: MOCK, capability: 'demo' });
    const headers = { 'cf-connecting-ip': '10.9.9.9' };
    const works = async () => {
      for (;;) {
        const { jobs } = (await world.call(seller, 'sellers/jobs')).json;
        for (const { job_id: id } of jobs) {
          await world.call(seller, `jobs/${id}/start`);
          await world.call(seller, `jobs/${id}/complete`, { result: { text: 'hi', meta: {} } });
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    for (let time = 0; time < 3; time += 1) {
      const [answer] = await Promise.all([run({ capability: 'demo', prompt: 'hello' }, headers), works()]);
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual(
        [answer.json.status, answer.json.payment_mode, answer.json.job.result],
        ['done', 'demo-direct-escrow', { text: 'hi', meta: {} }],
      );
      assert.deepEqual(
        answer.json.timeline.map(({ status }: any) => status),
        Array.from({ length: 6 }, () => 'done'),
      );
    }
    const before = await world.held();
    const refused = await run({ capability: 'demo', prompt: 'hello' }, headers);
    assert.deepEqual(
      [refused.status, refused.json.code, refused.json.details],
      [429, 'DEMO_RATE_LIMITED', { limit: 3, window_seconds: 3600 }],
    );
    assert.deepEqual([(await world.call(seller, 'sellers/jobs')).json.jobs, await world.held()], [[], before]);
    assert.equal((await run({ capability: 'demo', prompt: 'x'.repeat(2001) }, headers)).json.code, 'INVALID_REQUEST');
    assert.equal((await run({ capability: 'demo', prompt: 'x', network_profile: LIVE }, headers)).json.code, 'DEMO_NETWORK_UNSUPPORTED');
  });
});
