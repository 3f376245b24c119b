/** The acceptance cases of the exchange's contract about quotes and payments by HTTP, with exact bodies and codes; the number of each is in its name. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { LIVE, MOCK, signedPayment } from '../../../demo/exchange-world.mjs';
import { eventually } from '../../support/eventually.ts';
import { beat, codeOf, fresh, HEX_64, LIMIT, paid, profiles, quoted, transfer, verify, world } from './accepting.ts';

describe('the exchange', LIMIT, () => {
  it("4: a quote is the contract's 402, and has the gate's terms", async () => {
    const { quote, buyer, capability, seller } = await quoted();
    const {
      payment_id,
      fingerprint,
      accepts: [{ extra, outputSchema, ...accepted }],
      ...rest
    } = quote;
    assert.match(payment_id, HEX_64);
    assert.match(fingerprint, HEX_64);
    assert.deepEqual(rest, {
      error: 'Payment Required',
      code: 'PAYMENT_REQUIRED',
      payment_mode: 'x402-escrow',
      network_profile: LIVE,
      pay_to: world.escrow.address,
      amount: '0.005',
      amount_atomic: '5000',
      currency: 'USDC',
      network: 'eip155:84532',
      chain_id: 84532,
      payment_asset: world.chain.token.address,
      seller_id: seller.wallet.address.toLowerCase(),
      expires_in_seconds: 300,
      x402Version: 1,
    });
    assert.deepEqual(accepted, {
      scheme: 'exact',
      network: 'base-sepolia',
      maxAmountRequired: '5000',
      resource: `${world.url}/api/v1/jobs/verify`,
      description: `QuotaDEX ${capability} execution request`,
      mimeType: 'application/json',
      payTo: world.escrow.address,
      maxTimeoutSeconds: 300,
      asset: world.chain.token.address,
      merchantName: 'QuotaDEX Gateway',
    });
    assert.deepEqual(
      [extra.payment_id, extra.amount_atomic, extra.escrow_contract, typeof outputSchema],
      [payment_id, '5000', world.escrow.address, 'object'],
    );
    const again = await world.quote(buyer, 'hello', { capability });
    const terms = JSON.parse(Buffer.from(again.headers.get('payment-required') ?? '', 'base64').toString());
    assert.deepEqual(
      [terms.x402Version, terms.resource.url, terms.accepts[0].amount, terms.accepts[0].payTo],
      [2, `${world.gate.url}/till/${payment_id}`, '5000', world.escrow.address],
    );
  });

  it('5: the same request has one fingerprint, another prompt another one', async () => {
    const { quote, capability, buyer } = await quoted();
    const same = await world.quote(buyer, 'hello', { capability });
    assert.deepEqual([same.json.fingerprint, same.json.payment_id], [quote.fingerprint, quote.payment_id]);
    await world.seller({ capability });
    const other = await world.quote(buyer, 'hellp', { capability });
    assert.notEqual(other.json.fingerprint, quote.fingerprint);
  });

  it('6: without a seller it is 503 that names none', async () => {
    const capability = fresh('task');
    const { status, json } = await world.quote(await world.wallet(), 'hello', { capability });
    assert.deepEqual(
      [status, json],
      [
        503,
        {
          error: 'No seller is available for this capability right now.',
          code: 'NO_SELLER_AVAILABLE',
          details: {
            network_profile: LIVE,
            requested_capability: capability,
            capabilities_url: `${world.url}/api/v1/buyers/capabilities?network_profile=${LIVE}`,
          },
        },
      ],
    );
  });

  it('7: of two quotes at once for one seat one is 402 and the other 503', async () => {
    const capability = fresh('task');
    await world.seller({ capability });
    const [one, two] = [await world.wallet(), await world.wallet()];
    const answers = await Promise.all([world.quote(one, 'hello', { capability }), world.quote(two, 'hello', { capability })]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [402, 503]);
  });

  it('8: a seller that went is found before the facilitator is asked', async () => {
    const { seller, buyer, quote, capability } = await quoted();
    const payment = await signedPayment(world, buyer, quote);
    const settled = world.facilitator.counts.settle;
    await world.call(seller, 'sellers/offline');
    assert.deepEqual(codeOf(await verify(quote, buyer, { capability, payment })), [409, 'QUOTE_EXPIRED']);
    assert.equal(world.facilitator.counts.settle, settled);
  });

  it('9: without a payment it is told the terms, and no seller notices', async () => {
    const { seller, buyer, quote, capability } = await quoted();
    const asked = await verify(quote, buyer, { capability });
    assert.deepEqual([asked.status, asked.json.code, asked.json.payment_id], [402, 'X_PAYMENT_REQUIRED', quote.payment_id]);
    assert.ok(asked.headers.has('payment-required'));
    assert.equal((await beat(seller)).json.seller_status, 'reserved');
  });

  it('10: another prompt is not paid', async () => {
    const { buyer, quote, capability } = await quoted();
    const payment = await signedPayment(world, buyer, quote);
    assert.deepEqual(codeOf(await verify(quote, buyer, { capability, payment, prompt: 'hellp' })), [403, 'FINGERPRINT_INVALID']);
    assert.deepEqual(codeOf(await verify({ fingerprint: 'ab'.repeat(32) }, buyer, { capability, payment })), [403, 'FINGERPRINT_INVALID']);
  });

  it('11: the job holds its seat before the facilitator settles, and is paid after', async () => {
    const { seller, buyer, quote, capability } = await quoted();
    const payment = await signedPayment(world, buyer, quote);
    world.switches.facilitator.set({ mode: 'delay', path: '/settle', ms: 1_500, times: 1 });
    const paying = verify(quote, buyer, { capability, payment });
    await eventually(
      "the seat is the job's",
      async () => (await beat(seller)).json.seller_status,
      (status) => status === 'busy',
    );
    const { status, json } = await paying;
    assert.deepEqual(
      [status, Object.keys(json), json.status, json.payment_mode, json.payment_id, json.escrow_registration_tx_hash],
      [
        200,
        ['job_id', 'status', 'payment_mode', 'settlement_tx_hash', 'escrow_registration_tx_hash', 'payment_id', 'job_token'],
        'paid',
        'x402-escrow',
        quote.payment_id,
        null,
      ],
    );
    assert.match(json.settlement_tx_hash, /^0x[0-9a-f]{64}$/);
    assert.ok(json.job_token.length >= 32);
    assert.equal((await beat(seller)).json.seller_status, 'busy');
  });

  it('12: what is refused leaves no job, a free seat and no quote', async () => {
    for (const refuse of ['the gate', 'the facilitator']) {
      const { seller, buyer, quote, capability } = await quoted();
      const payment = await signedPayment(world, buyer, quote, refuse === 'the gate' ? { value: '4999' } : {});
      world.switches.facilitator.set({
        mode: 'answer',
        path: '/settle',
        times: 1,
        body: { success: false, errorReason: 'insufficient_funds', transaction: '', network: 'eip155:84532' },
      });
      const refused = await verify(quote, buyer, { capability, payment });
      world.switches.facilitator.set();
      assert.deepEqual(codeOf(refused), [400, 'FACILITATOR_RESPONSE_INVALID'], refused.text);
      // A payment for another amount is any stranger's to show: it takes the buyer neither quote nor seat.
      const ends = refuse !== 'the gate';
      assert.equal((await beat(seller)).json.seller_status, ends ? 'idle' : 'reserved');
      assert.deepEqual(
        codeOf(await verify(quote, buyer, { capability, payment })),
        ends ? [403, 'FINGERPRINT_INVALID'] : [400, 'FACILITATOR_RESPONSE_INVALID'],
      );
      assert.deepEqual((await world.call(seller, 'sellers/jobs')).json.jobs, []);
    }
  });

  it('15: a transaction hash pays nothing where money moves', async () => {
    const { buyer, quote, capability, seller } = await quoted();
    for (const tx of [`0x${'ab'.repeat(32)}`, '0xabc123'])
      assert.deepEqual(codeOf(await verify(quote, buyer, { capability, tx })), [402, 'X_PAYMENT_REQUIRED']);
    const blank = await verify(quote, buyer, { capability, tx: 7 });
    assert.deepEqual(
      [blank.status, blank.json],
      [400, { error: 'tx_hash must be a non-empty string when provided.', code: 'INVALID_REQUEST' }],
    );
    assert.equal((await beat(seller)).json.seller_status, 'reserved');
  });

  it('16, 20: a pretended payment looks like a hash, and its money is skipped', async () => {
    const capability = fresh('task');
    const [seller, buyer] = [await world.seller({ profile: MOCK, capability }), { address: `0x${'22'.repeat(20)}` }];
    const quote = (await world.quote(buyer, 'hello', { capability, profile: MOCK })).json;
    assert.deepEqual(codeOf(await verify(quote, buyer, { capability, profile: MOCK, tx: 'abc' })), [400, 'INVALID_TX_HASH']);
    const {
      json: { job_id: id },
    } = await verify(quote, buyer, { capability, profile: MOCK, tx: '0xabc123' });
    await world.call(seller, `jobs/${id}/start`);
    const { json } = await world.call(seller, `jobs/${id}/fail`, { error: 'no quota' });
    assert.deepEqual(json, {
      job_id: id,
      status: 'failed',
      result: { error: 'no quota' },
      refund: { status: 'skipped', reason: 'mock_payment' },
    });
  });

  //
  it('16: a pretended payment pays for one job', async () => {
    const capability = fresh('task');
    await world.seller({ profile: MOCK, capability, capacity: 2 });
    const bought = async (digit: string) => {
      const buyer = { address: `0x${digit.repeat(40)}` };
      const quote = (await world.quote(buyer, 'hello', { capability, profile: MOCK })).json;
      return verify(quote, buyer, { capability, profile: MOCK, tx: '0xdef456' });
    };
    assert.equal((await bought('3')).status, 200);
    assert.deepEqual(codeOf(await bought('4')), [409, 'TX_ALREADY_USED']);
  });

  //
  it('a request that names no profile is about the one that is served, and its fields are looked at', async () => {
    const capability = fresh('task');
    await world.seller({ capability });
    const order = { buyer_id: (await world.wallet()).address, capability, prompt: 'hello' };
    const quote = await world.ask('POST', '/api/v1/jobs/quote', { body: order, headers: world.client() });
    assert.deepEqual([quote.status, quote.json.network_profile], [402, LIVE], quote.text);
    const { prompt: _, ...short } = order;
    assert.deepEqual(codeOf(await world.ask('POST', '/api/v1/jobs/quote', { body: short, headers: world.client() })), [
      400,
      'INVALID_REQUEST',
    ]);
    const unpaid = await world.ask('POST', '/api/v1/jobs/verify', { body: { fingerprint: quote.json.fingerprint, payload: order } });
    assert.deepEqual(codeOf(unpaid), [402, 'X_PAYMENT_REQUIRED']);
  });

  it('19: of ten deliveries at once each is done or under way', async () => {
    const {
      seller,
      job: { job_id: id },
    } = await paid();
    await world.call(seller, `jobs/${id}/start`);
    assert.deepEqual(codeOf(await world.call(seller, `jobs/${id}/fail`)), [400, 'INVALID_REQUEST']);
    const told = await Promise.all(
      Array.from({ length: 10 }, async () => (await world.call(seller, `jobs/${id}/complete`, { result: 'x' })).status),
    );
    assert.ok(told.includes(200) && told.every((status) => status === 200 || status === 409), String(told));
    assert.equal(await world.chain.balanceOf(seller.wallet.address), 5000n);
  });

  //
  it('12: a buyer without funds hears so at once, and holds no seat', async () => {
    const { seller, buyer, quote, capability } = await quoted();
    const payment = await signedPayment(world, buyer, quote);
    await transfer(buyer, world.bonds.address, await world.chain.balanceOf(buyer.address));
    const began = Date.now();
    const told = await verify(quote, buyer, { capability, payment });
    assert.deepEqual(
      [...codeOf(told), told.json.details],
      [400, 'FACILITATOR_RESPONSE_INVALID', { reason: 'insufficient_funds' }],
      told.text,
    );
    assert.ok(Date.now() - began < 5_000);
    assert.equal((await beat(seller)).json.seller_status, 'idle');
  });

  it("what is malformed, unknown or too long is told in the contract's envelope", async () => {
    const post = (path: string, body: string) => world.ask('POST', path, { body });
    assert.deepEqual(codeOf(await post('/api/v1/jobs/quote', '{')), [400, 'INVALID_JSON']);
    const list = await post('/api/v1/sellers/register', '[]');
    assert.deepEqual([list.status, list.json.error], [400, 'seller_id must be a non-empty string.']);
    assert.deepEqual(codeOf(await post('/api/v1/jobs/quote', '{"network_profile":"live-mainnet"}')), [500, 'GATEWAY_CONFIG_MISSING']);
    assert.deepEqual(codeOf(await post('/api/v1/jobs/quote', '{"network_profile":"live-testnet"}')), [400, 'INVALID_REQUEST']);
    assert.deepEqual(codeOf(await post('/api/v1/jobs/quote', `{"a":"${'x'.repeat(262_144)}"}`)), [413, 'REQUEST_TOO_LARGE']);
    for (const path of ['register', 'heartbeat', 'offline', 'jobs', 'session', 'session/challenge'].map((it) => `/api/v1/sellers/${it}`)) {
      const long = await post(path, `{"a":"${'x'.repeat(16_384)}"}`);
      assert.deepEqual(
        [long.status, long.json],
        [413, { error: 'Request body must have at most 16384 bytes.', code: 'REQUEST_TOO_LARGE' }],
        path,
      );
      assert.equal((await post(path, `{"a":"${'x'.repeat(16_376)}"}`)).status, 400, path);
    }
    assert.deepEqual(codeOf(await world.ask('GET', '/api/v1/jobs/quote/x')), [404, 'NOT_FOUND']);
    const method = await world.ask('PUT', '/api/v1/jobs/verify', { body: '{}' });
    assert.deepEqual([...codeOf(method), method.headers.get('allow')], [405, 'METHOD_NOT_ALLOWED', 'POST']);
    assert.deepEqual(codeOf(await post(`/till/${'a0'.repeat(31)}a1`, '{}')), [403, 'PAYMENT_REQUIRED_AT_GATE']);
    assert.deepEqual(codeOf(await post('/_market/notices', '{"type":"payment.refund_due"}')), [403, 'NOTICE_NOT_SIGNED']);
    const { job } = await paid();
    for (const [id, token] of [
      [job.job_id, 'x'],
      [job.job_id, ''],
      ['00000000-0000-4000-8000-000000000001', 'x'],
      ['nowhere', 'x'],
    ]) {
      assert.deepEqual(codeOf(await world.ask('GET', `/api/v1/jobs/${id}`, { headers: { authorization: `Bearer ${token}` } })), [
        403,
        'JOB_TOKEN_INVALID',
      ]);
    }
  });

  it('a client holds two seats that it does not pay, whatever it says of its address', async () => {
    const capability = fresh('task');
    await world.seller({ capability, capacity: 5 });
    const headers = world.client();
    const ask = async (prompt: string, more: Record<string, string> = {}) =>
      world.quote(await world.wallet(), prompt, { capability, headers: { ...headers, ...more } });
    assert.deepEqual([(await ask('1')).status, (await ask('2', { 'x-forwarded-for': '1.2.3.4' })).status], [402, 402]);
    const third = await ask('3', { 'x-forwarded-for': '1.2.3.5' });
    assert.deepEqual([...codeOf(third), third.headers.get('retry-after')], [429, 'QUOTE_LIMIT_REACHED', '60']);
  });

  it('the cheapest seller is asked, however many digits its price has, and a quote that is held keeps its price', async () => {
    const capability = fresh('task');
    const [, , cheap] = await Promise.all(['0.1', '0.01', '0.009', '0.02'].map((price) => world.seller({ capability, price })));
    assert.ok(cheap);
    const buyer = await world.wallet();
    const quote = await world.quote(buyer, 'hello', { capability, headers: world.client() });
    assert.deepEqual(
      [quote.status, quote.json.amount, quote.json.seller_id],
      [402, '0.009', cheap.wallet.address.toLowerCase()],
      quote.text,
    );
    const anew = { capability, price_per_task: '0.5', passport_agent_id: cheap.agent };
    assert.equal((await world.call(cheap, 'sellers/register', anew)).status, 200);
    const { status, text } = await verify(quote.json, buyer, {
      prompt: 'hello',
      capability,
      payment: await signedPayment(world, buyer, quote.json),
    });
    assert.equal(status, 200, text);
  });

  it('17: what was quoted before the payment profile changed is not paid, and its money stays', async () => {
    const { seller, buyer, quote, capability } = await quoted();
    const payment = await signedPayment(world, buyer, quote);
    const [live] = profiles;
    assert.ok(live);
    const [settled, had] = [world.facilitator.counts.settle, await world.chain.balanceOf(buyer.address)];
    live.escrow = (await world.wallet()).address;
    await world.market.restart();
    assert.deepEqual(codeOf(await verify(quote, buyer, { capability, payment })), [409, 'QUOTE_PAYMENT_PROFILE_MISMATCH']);
    assert.deepEqual(
      [world.facilitator.counts.settle, await world.chain.balanceOf(buyer.address), (await beat(seller)).json.seller_status],
      [settled, had, 'reserved'],
    );
    live.escrow = world.escrow.address;
    await world.market.restart();
    assert.equal((await verify(quote, buyer, { capability, payment })).status, 200);
  });

  // The last one: the clock of the world does not come back.
  it('8, 10: a price is held for the 300 seconds of its quote, and its seat from other quotes for ten', async () => {
    const { seller, buyer, quote, capability } = await quoted();
    const other = await world.wallet();
    assert.deepEqual(codeOf(await world.quote(other, 'hello', { capability })), [503, 'NO_SELLER_AVAILABLE']);
    await world.wait(11);
    assert.equal((await world.quote(other, 'hello', { capability })).status, 402);
    for (const secs of [20, 50, 50, 50, 50, 50]) {
      await world.wait(secs);
      await beat(seller);
    }
    const terms = await verify(quote, buyer, { capability });
    assert.deepEqual([...codeOf(terms), terms.json.amount], [402, 'X_PAYMENT_REQUIRED', quote.amount]);
    await world.wait(20);
    await beat(seller);
    assert.deepEqual(codeOf(await verify(quote, buyer, { capability, payment: await signedPayment(world, buyer, quote) })), [
      403,
      'FINGERPRINT_INVALID',
    ]);
    assert.deepEqual(codeOf(await verify(quote, buyer, { capability })), [400, 'X_PAYMENT_REQUIRED']);
    assert.equal((await world.quote(other, 'hello', { capability })).status, 402);
  });
});
