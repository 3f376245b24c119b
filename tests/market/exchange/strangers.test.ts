/** What strangers send to an exchange that works with money on a chain, and what of it has an effect. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';

import {
  type ExchangeWorld,
  LIVE,
  MOCK,
  type OnlineSeller,
  signedPayment,
  startExchangeWorld,
  type Wallet,
} from '../../../demo/exchange-world.mjs';
import { eventually } from '../../support/eventually.ts';

const LIMIT = { timeout: 120_000 };
let world: ExchangeWorld;
let count = 0;
before(async () => {
  world = await startExchangeWorld();
}, LIMIT);
after(() => world?.stop());

const fresh = (): string => `task-${(count += 1)}`;
const codeOf = ({ status, json }: { status: number; json: any }): [number, string] => [status, json?.code];
const beat = (seller: OnlineSeller) => world.call(seller, 'sellers/heartbeat');
const quoteOf = async (buyer: Wallet, capability: string, headers = world.client()): Promise<any> => {
  const quote = await world.quote(buyer, 'hello', { capability, headers });
  assert.equal(quote.status, 402, quote.text);
  return quote.json;
};
const verify = (quote: any, buyer: Wallet, capability: string, payment: string) =>
  world.ask('POST', '/api/v1/jobs/verify', {
    body: { fingerprint: quote.fingerprint, payload: { buyer_id: buyer.address, capability, prompt: 'hello', network_profile: LIVE } },
    headers: { 'x-payment': payment },
  });
const forged = (payment: string, change: (payload: any) => void): string => {
  const message = JSON.parse(Buffer.from(payment, 'base64').toString());
  change(message.payload);
  return Buffer.from(JSON.stringify(message)).toString('base64');
};

describe('an exchange among strangers', { timeout: 300_000 }, () => {
  //
  it('sells what the seller said with its proof, not what another registered for its wallet', async () => {
    for (const isSaid of [true, false]) {
      const capability = fresh();
      const seller: OnlineSeller = { wallet: await world.wallet(), agent: `agent-${capability}`, profile: LIVE, token: '' };
      const own = { capability, price_per_task: '1', capacity: 2 };
      assert.equal((await world.call(seller, 'sellers/register', { ...own, passport_agent_id: seller.agent })).status, 200);
      assert.equal((await world.call(seller, 'sellers/register', { capability, price_per_task: '0.001', capacity: 100 })).status, 200);
      const token = world.issuer.token({
        sub: seller.agent,
        agent_id: seller.agent,
        wallet_address: seller.wallet.address,
        exp: world.now() + 600,
      });
      const opened = await world.call({ ...seller, token }, 'sellers/session', { passport_agent_id: seller.agent, ...(isSaid ? own : {}) });
      assert.equal(opened.status, 200, opened.text);
      seller.token = opened.json.seller_session_token;
      if (isSaid) {
        assert.deepEqual([opened.json.capability, opened.json.price_per_task, opened.json.capacity], [capability, '1', 2]);
      } else {
        assert.ok(!('price_per_task' in opened.json));
        assert.deepEqual(codeOf(await beat(seller)), [409, 'SELLER_REGISTRATION_STALE']);
        assert.equal((await world.call(seller, 'sellers/register', own)).status, 200);
      }
      assert.equal((await beat(seller)).json.seller_status, 'idle');
      assert.equal((await quoteOf(await world.wallet(), capability)).amount, '1');
    }
  });

  it("serves the buyer's own payment after ones that were made up in its name", async () => {
    const capability = fresh();
    const seller = await world.seller({ capability });
    const buyer = await world.wallet();
    const quote = await quoteOf(buyer, capability);
    const payment = await signedPayment(world, buyer, quote);
    for (const change of [
      (it: any) => {
        it.signature = `0x${'11'.repeat(64)}1b`;
      },
      (it: any) => {
        it.authorization.nonce = `0x${'22'.repeat(32)}`;
      },
    ]) {
      const refused = await verify(quote, buyer, capability, forged(payment, change));
      assert.deepEqual(codeOf(refused), [400, 'FACILITATOR_RESPONSE_INVALID'], refused.text);
      assert.equal((await beat(seller)).json.seller_status, 'reserved', 'the quote is open');
    }
    const funds = await world.chain.balanceOf(buyer.address);
    const paid = await verify(quote, buyer, capability, payment);
    assert.equal(paid.status, 200, paid.text);
    assert.equal(funds - (await world.chain.balanceOf(buyer.address)), 5000n);
  });

  it("gives back what another wallet than the buyer's pays at the till", async () => {
    const capability = fresh();
    const seller = await world.seller({ capability });
    const [buyer, other] = [await world.wallet(), await world.wallet()];
    const quote = await quoteOf(buyer, capability);
    const before = await world.chain.balanceOf(other.address);
    const payment = await signedPayment(world, other, quote);
    const told = await world.ask('POST', `/till/${quote.payment_id}`, { base: world.gate.url, headers: { 'x-payment': payment } });
    assert.notEqual(told.status, 200, told.text);
    assert.ok(!told.text.includes('job_token'));
    await eventually(
      'it has its money again',
      () => world.chain.balanceOf(other.address),
      (now) => now === before,
    );
    assert.deepEqual((await world.call(seller, 'sellers/jobs')).json.jobs, []);
  });

  it('has a till without a price for what is pretended, and takes no price that no till takes', async () => {
    const capability = fresh();
    await world.seller({ profile: MOCK, capability });
    const quote = await world.quote({ address: `0x${'33'.repeat(20)}` }, 'hello', { profile: MOCK, capability });
    assert.deepEqual([quote.status, quote.headers.get('payment-required')], [402, null]);
    const till = await world.ask('POST', `/till/${quote.json.payment_id}`, { base: world.gate.url });
    assert.deepEqual([till.status, till.json.code], [503, 'price_unavailable'], till.text);
    const seller: OnlineSeller = { wallet: await world.wallet(), agent: 'dear', profile: LIVE, token: '' };
    const refused = await world.call(seller, 'sellers/register', { capability, price_per_task: '100.01' });
    assert.deepEqual([refused.status, refused.json], [400, { error: 'price_per_task must be at most 100.', code: 'INVALID_REQUEST' }]);
  });

  it('sells no wallet its own work', async () => {
    const capability = fresh();
    const { wallet } = await world.seller({ capability });
    assert.deepEqual(codeOf(await world.quote(wallet, 'hello', { capability })), [503, 'NO_SELLER_AVAILABLE']);
  });

  //
  it('keeps no seat of a seller from a buyer who pays by any number of quotes that are not paid', async () => {
    const [capability, capacity] = [fresh(), 10];
    const seller = await world.seller({ capability, capacity });
    const idle = [];
    for (let number = 0; number < capacity; number += 1) {
      const headers = { 'cf-connecting-ip': `10.99.${Math.floor(number / 2)}.1` };
      const holder = await world.wallet();
      idle.push({ holder, terms: await quoteOf(holder, capability, headers) });
    }
    const early = await world.wallet();
    assert.deepEqual(codeOf(await world.quote(early, 'hello', { capability })), [503, 'NO_SELLER_AVAILABLE']);
    await world.wait(11);
    const buyer = await world.wallet();
    const quote = await quoteOf(buyer, capability);
    const paid = await verify(quote, buyer, capability, await signedPayment(world, buyer, quote));
    assert.deepEqual([paid.status, paid.json.status], [200, 'paid'], paid.text);
    // Whose quote gave its seat pays its price, by the seat of another that is not paid.
    const [{ holder, terms }] = idle as [{ holder: Wallet; terms: any }];
    const second = await verify(terms, holder, capability, await signedPayment(world, holder, terms));
    assert.deepEqual([second.status, second.json.payment_id], [200, terms.payment_id], second.text);
    const { json } = await world.call(seller, 'sellers/jobs');
    assert.deepEqual(
      json.jobs.map(({ job_id }: any) => job_id),
      [paid.json.job_id, second.json.job_id],
    );
  });

  //
  it('gives no seat for two minutes to a payment that bought something else', async () => {
    const capability = fresh();
    const seller = await world.seller({ capability, capacity: 2 });
    const buyer = await world.wallet();
    const first = await quoteOf(buyer, capability);
    const payment = await signedPayment(world, buyer, first);
    const sold = await world.ask('POST', `/till/${first.payment_id}`, { base: world.gate.url, headers: { 'x-payment': payment } });
    assert.equal(sold.status, 200, sold.text);
    const told = await verify(await quoteOf(buyer, capability), buyer, capability, payment);
    assert.deepEqual([...codeOf(told), told.json.details?.gate], [409, 'PAYMENT_VERIFY_FAILED', 'payment_already_used'], told.text);
    assert.equal((await beat(seller)).json.seller_status, 'idle', 'its second seat is free');
  });

  it('counts the seats of an address whose payments settle, and shows no seller that proved nothing', async () => {
    const [capability, headers] = [fresh(), { 'cf-connecting-ip': '10.88.0.1' }];
    await world.seller({ capability, capacity: 9 });
    world.switches.facilitator.set({ mode: 'cut', path: '/settle' });
    for (const turn of [1, 2]) {
      const buyer = await world.wallet();
      const quote = await quoteOf(buyer, capability, headers);
      const doubtful = await verify(quote, buyer, capability, await signedPayment(world, buyer, quote));
      assert.equal(doubtful.status, 503, `${turn}: ${doubtful.text}`);
    }
    world.switches.facilitator.set();
    assert.deepEqual(codeOf(await world.quote(await world.wallet(), 'hello', { capability, headers })), [429, 'QUOTE_LIMIT_REACHED']);
    const register = (number: number) =>
      world.ask('POST', '/api/v1/sellers/register', {
        body: {
          seller_id: `0x${'77'.repeat(19)}${number.toString(16).padStart(2, '0')}`,
          capability,
          price_per_task: 1,
          network_profile: LIVE,
        },
        headers,
      });
    for (let number = 0; number < 20; number += 1) assert.equal((await register(number)).status, 200);
    assert.deepEqual(codeOf(await register(20)), [429, 'SELLER_REGISTRATION_LIMIT_REACHED']);
    const { json } = await world.ask('GET', '/api/v1/dashboard/market?mode=live&network=testnet');
    assert.ok(json.rows.length > 0);
    assert.ok(json.rows.every(({ sellerId }: any) => !sellerId.startsWith('0x7777')));
  });

  //
  it('parses long bodies of strangers in turns, and those of others and of sellers come between', async () => {
    const capability = fresh();
    const seller = await world.seller({ capability });
    const flood = world.client();
    const prompt = '"'.repeat(60_000);
    let flooded = 0;
    const asked = Array.from({ length: 120 }, async () => {
      const { status, json, headers } = await world.ask('POST', '/api/v1/jobs/quote', { body: { prompt }, headers: flood });
      flooded += 1;
      return [status, json.code, headers.get('retry-after')];
    });
    const one = await world.ask('POST', '/api/v1/jobs/quote', { body: { prompt }, headers: world.client() });
    const late = flooded;
    assert.deepEqual([one.status, one.json.error], [400, 'buyer_id must be a non-empty string.']);
    const long = { seller_id: seller.wallet.address, network_profile: LIVE, result: 'x'.repeat(60_000) };
    // The last two bits of an id name its profile.
    const id = `${randomUUID().slice(0, -1)}1`;
    const delivered = await world.ask('POST', `/api/v1/jobs/${id}/complete`, {
      body: long,
      headers: { ...flood, authorization: `Bearer ${seller.token}` },
    });
    assert.deepEqual([...codeOf(delivered), flooded < asked.length], [404, 'JOB_NOT_FOUND', true]);
    const answers = await Promise.all(asked);
    const refused = answers.filter(([status]) => status === 429);
    assert.ok(refused.length >= 40 && late < asked.length, `${refused.length} refused, ${late} before another network`);
    assert.deepEqual(refused[0], [429, 'EXCHANGE_CROWDED', '2']);
    assert.ok(answers.every(([status]) => status === 400 || status === 429));
  });

  //
  it('asks its node for strangers in turns, and a question of another network comes between', async () => {
    const register = async (headers: Record<string, string>): Promise<any> => {
      const { address } = await world.wallet();
      const named = { seller_id: address, passport_agent_id: 'agent', network_profile: LIVE };
      const offer = { capability: fresh(), price_per_task: '1' };
      const registered = await world.ask('POST', '/api/v1/sellers/register', { body: { ...named, ...offer }, headers });
      assert.equal(registered.status, 200, registered.text);
      const asked = await world.ask('POST', '/api/v1/sellers/session/challenge', { body: named, headers });
      assert.equal(asked.status, 200, asked.text);
      return { ...named, challenge_id: asked.json.challenge_id };
    };
    const [flood, quiet] = [world.client(), world.client()];
    const [theirs, own] = [await register(flood), await register(quiet)];
    const prove = (body: any, headers: Record<string, string>) =>
      world.ask('POST', '/api/v1/sellers/session', {
        body: { ...body, tx_hash: `0x${randomUUID().replaceAll('-', '').repeat(2)}` },
        headers,
      });
    const before = world.switches.node.counts.seen;
    let flooded = 0;
    const asked = Array.from({ length: 200 }, async () => {
      const { status, json, headers } = await prove(theirs, flood);
      flooded += 1;
      return [status, json.code, headers.get('retry-after')];
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const one = await prove(own, quiet);
    assert.deepEqual([...codeOf(one), flooded < asked.length], [403, 'RECEIPT_NOT_FOUND', true], one.text);
    const answers = await Promise.all(asked);
    const refused = answers.filter(([status]) => status === 429);
    assert.deepEqual(refused[0], [429, 'EXCHANGE_CROWDED', '2']);
    assert.ok(answers.every(([status]) => status === 403 || status === 429));
    const seen = world.switches.node.counts.seen - before;
    assert.ok(refused.length >= 100 && seen <= 100, `${refused.length} refused, ${seen} asked`);
  });

  //
  it('counts no question about a signature that found no turn at the node', async () => {
    const register = async (headers: Record<string, string>): Promise<any> => {
      const { address } = await world.wallet();
      const named = { seller_id: address, passport_agent_id: 'agent', network_profile: LIVE };
      const body = { ...named, capability: fresh(), price_per_task: '1' };
      assert.equal((await world.ask('POST', '/api/v1/sellers/register', { body, headers })).status, 200);
      return named;
    };
    const challenge = (body: any, headers: Record<string, string>) =>
      world.ask('POST', '/api/v1/sellers/session/challenge', { body, headers });
    const quiet = world.client();
    const [theirs, own] = [await register(world.client()), await register(quiet)];
    const { json } = await challenge(theirs, world.client());
    // Each from another network, so that none of them has more places than the others.
    const crowd = Array.from({ length: 200 }, () =>
      world.ask('POST', '/api/v1/sellers/session', {
        body: { ...theirs, challenge_id: json.challenge_id, tx_hash: `0x${randomUUID().replaceAll('-', '').repeat(2)}` },
        headers: world.client(),
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    // Not by its key, so that its contract is asked.
    const signed = () =>
      challenge({ ...own, seller_signature: `0x${'11'.repeat(65)}`, seller_signed_at: new Date(world.now() * 1_000).toISOString() }, quiet);
    const told = (await Promise.all(Array.from({ length: 20 }, signed))).map(codeOf);
    await Promise.all(crowd);
    const refused = told.filter(([, code]) => code === 'EXCHANGE_CROWDED');
    assert.ok(refused.length >= 3, told.join(' '));
    for (const _ of refused) assert.deepEqual(codeOf(await signed()), [403, 'SELLER_SIGNATURE_INVALID']);
    assert.deepEqual(codeOf(await signed()), [429, 'SELLER_BOND_LIMIT_REACHED']);
  });

  it('answers a body that does not come', async () => {
    const { hostname, port } = new URL(world.url);
    const began = Date.now();
    const socket = connect(Number(port), hostname);
    const text = await new Promise<string>((resolve, reject) => {
      let said = '';
      socket
        .setEncoding('utf8')
        .on('data', (more) => {
          said += more;
          if (said.includes('INVALID_JSON')) resolve(said);
        })
        .on('error', reject)
        .on('close', () => resolve(said));
      socket.write(
        `POST /api/v1/jobs/quote HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"a":`,
      );
    });
    socket.destroy();
    assert.match(text, /^HTTP\/1\.1 400 /);
    assert.ok(Date.now() - began < 40_000);
  });
});
