/** The whole path of a job, over HTTP, with money on the chain: register, session, heartbeat, quote, verify, start, complete or fail. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { LIVE, MOCK, signedPayment, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { sharedWorld } from '../../support/suite.ts';

const HASH = /^0x[0-9a-f]{64}$/;

describe('a job', () => {
  const world = sharedWorld(startExchangeWorld);

  const bought = async (capability: string) => {
    const seller = await world.seller({ capability });
    const buyer = await world.wallet();
    const quote = await world.quote(buyer, 'hello', { capability });
    assert.equal(quote.status, 402, quote.text);
    const payment = await signedPayment(world, buyer, quote.json);
    const body = {
      fingerprint: quote.json.fingerprint,
      payload: { buyer_id: buyer.address, capability, prompt: 'hello', network_profile: LIVE },
    };
    const before = await world.chain.balanceOf(buyer.address);
    const held = await world.held();
    const paid = await world.ask('POST', '/api/v1/jobs/verify', { body, headers: { 'x-payment': payment } });
    assert.equal(paid.status, 200, paid.text);
    assert.deepEqual([paid.json.status, paid.json.payment_mode, paid.json.escrow_registration_tx_hash], ['paid', 'x402-escrow', null]);
    assert.match(paid.json.settlement_tx_hash, HASH);
    assert.deepEqual([before - (await world.chain.balanceOf(buyer.address)), (await world.held()) - held], [5000n, 5000n]);
    const { job_id: id, job_token: token } = paid.json;
    const read = () => world.ask('GET', `/api/v1/jobs/${id}`, { headers: { authorization: `Bearer ${token}` } });
    return { seller, buyer, id, read, quote, payment, body, paid };
  };

  it('is quoted, paid, done, and its seller has the money', async () => {
    const { seller, id, read, quote } = await bought('done');
    assert.match(quote.headers.get('payment-required') ?? '', /^[\w+/=-]+$/);
    assert.match(quote.headers.get('www-authenticate') ?? '', /Payment /);
    const polled = await world.call(seller, 'sellers/jobs');
    assert.deepEqual(
      polled.json.jobs.map(({ job_id, status, payload }: any) => [job_id, status, payload.prompt]),
      [[id, 'paid', 'hello']],
    );
    assert.deepEqual((await world.call(seller, `jobs/${id}/start`)).json, { job_id: id, status: 'running' });
    const held = await world.held();
    const done = await world.call(seller, `jobs/${id}/complete`, { result: { text: 'world' } });
    assert.equal(done.status, 200, done.text);
    assert.deepEqual([done.json.status, done.json.result, done.json.release.status], ['done', { text: 'world' }, 'released']);
    assert.match(done.json.release.tx_hash, HASH);
    assert.deepEqual([await world.chain.balanceOf(seller.wallet.address), held - (await world.held())], [5000n, 5000n]);
    const { json } = await read();
    assert.deepEqual([json.status, json.result, json.seller_id], ['done', { text: 'world' }, seller.wallet.address.toLowerCase()]);
    assert.equal((await world.call(seller, 'sellers/heartbeat')).json.seller_status, 'idle');
  });

  it('that fails is paid back to who paid', async () => {
    const { seller, buyer, id, read } = await bought('fails');
    assert.equal((await world.call(seller, `jobs/${id}/start`)).status, 200);
    const before = await world.chain.balanceOf(buyer.address);
    const failed = await world.call(seller, `jobs/${id}/fail`, { error: 'no quota' });
    assert.equal(failed.status, 200, failed.text);
    assert.deepEqual([failed.json.status, failed.json.result, failed.json.refund.status], ['failed', { error: 'no quota' }, 'refunded']);
    assert.deepEqual(
      [(await world.chain.balanceOf(buyer.address)) - before, await world.chain.balanceOf(seller.wallet.address)],
      [5000n, 0n],
    );
    assert.equal((await read()).json.status, 'failed');
  });

  it('is one, however often its payment is shown', async () => {
    const { id, body, payment, paid } = await bought('again');
    for (let time = 0; time < 3; time += 1) {
      const again = await world.ask('POST', '/api/v1/jobs/verify', { body, headers: { 'x-payment': payment } });
      assert.deepEqual([again.status, again.json], [200, paid.json]);
    }
    assert.equal(id, paid.json.job_id);
  });

  it("is paid by the original's bare object in X-PAYMENT", async () => {
    await world.seller({ capability: 'bare' });
    const buyer = await world.wallet();
    const quote = (await world.quote(buyer, 'hello', { capability: 'bare' })).json;
    const { payload } = JSON.parse(Buffer.from(await signedPayment(world, buyer, quote), 'base64').toString());
    const paid = await world.ask('POST', '/api/v1/jobs/verify', {
      body: {
        fingerprint: quote.fingerprint,
        payload: { buyer_id: buyer.address, capability: 'bare', prompt: 'hello', network_profile: LIVE },
      },
      headers: { 'x-payment': Buffer.from(JSON.stringify(payload)).toString('base64') },
    });
    assert.deepEqual([paid.status, paid.json.status], [200, 'paid'], paid.text);
  });

  it('of the profile that pretends moves nothing', async () => {
    const seller = await world.seller({ profile: MOCK });
    const buyer = { address: '0x1111111111111111111111111111111111111111' };
    const quote = await world.quote(buyer, 'hello', { profile: MOCK });
    assert.equal(quote.status, 402, quote.text);
    const held = await world.held();
    const verify = (tx_hash: string) =>
      world.ask('POST', '/api/v1/jobs/verify', {
        body: {
          fingerprint: quote.json.fingerprint,
          tx_hash,
          payload: { buyer_id: buyer.address, capability: 'llm', prompt: 'hello', network_profile: MOCK },
        },
      });
    assert.deepEqual([(await verify('abc')).status, (await verify('abc')).json.code], [400, 'INVALID_TX_HASH']);
    const paid = await verify('0xabc123');
    assert.deepEqual([paid.status, paid.json.status, paid.json.payment_mode], [200, 'paid', 'mock'], paid.text);
    const id = paid.json.job_id;
    assert.equal((await world.call(seller, `jobs/${id}/start`)).status, 200);
    const done = await world.call(seller, `jobs/${id}/complete`, { result: 'ok' });
    assert.deepEqual(done.json.release, { status: 'skipped', reason: 'mock_payment' });
    const read = await world.ask('GET', `/api/v1/jobs/${id}`, { headers: { authorization: `Bearer ${paid.json.job_token}` } });
    assert.deepEqual([read.json.status, read.json.result, await world.held()], ['done', 'ok', held]);
  });
});
