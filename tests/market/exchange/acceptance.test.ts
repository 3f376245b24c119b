/** The acceptance cases of the exchange's contract by HTTP, with exact bodies and codes; the number of each is in its name. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { encodeFunctionData } from 'viem';

import {
  type ExchangeWorld,
  LIVE,
  MOCK,
  type OnlineSeller,
  signedPayment,
  standardProfiles,
  startExchangeWorld,
  type Wallet,
} from '../../../demo/exchange-world.mjs';
import { eventually } from '../../support/eventually.ts';

const LIMIT = { timeout: 120_000 };
const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
const HEX_64 = /^[0-9a-f]{64}$/;
let count = 0;
const fresh = (name: string): string => `${name}-${(count += 1)}`;

describe('the exchange', LIMIT, () => {
  let world: ExchangeWorld;
  let profiles: ReturnType<typeof standardProfiles>;
  before(async () => {
    world = await startExchangeWorld({
      profiles: (wallets) => {
        profiles = standardProfiles(wallets);
        return profiles;
      },
    });
  }, LIMIT);
  after(() => world?.stop());

  const codeOf = ({ status, json }: { status: number; json: any }): [number, string] => {
    assert.equal(typeof json?.error, 'string', JSON.stringify(json));
    return [status, json.code];
  };
  const verify = (
    quote: any,
    buyer: Wallet | { address: string },
    given: { prompt?: string; payment?: string; tx?: unknown; capability: string; profile?: string },
  ) =>
    world.ask('POST', '/api/v1/jobs/verify', {
      body: {
        fingerprint: quote.fingerprint,
        ...(given.tx === undefined ? {} : { tx_hash: given.tx }),
        payload: {
          buyer_id: buyer.address,
          capability: given.capability,
          prompt: given.prompt ?? 'hello',
          network_profile: given.profile ?? LIVE,
        },
      },
      headers: given.payment === undefined ? {} : { 'x-payment': given.payment },
    });
  /** A seller, a buyer and a quote between them. */
  const quoted = async () => {
    const capability = fresh('task');
    const [seller, buyer] = [await world.seller({ capability }), await world.wallet()];
    const quote = await world.quote(buyer, 'hello', { capability });
    assert.equal(quote.status, 402, quote.text);
    return { capability, seller, buyer, quote: quote.json };
  };
  const paid = async () => {
    const it = await quoted();
    const answer = await verify(it.quote, it.buyer, { capability: it.capability, payment: await signedPayment(world, it.buyer, it.quote) });
    assert.equal(answer.status, 200, answer.text);
    return { ...it, job: answer.json };
  };
  const unknown = async (): Promise<OnlineSeller> => ({ wallet: await world.wallet(), agent: fresh('agent'), profile: LIVE, token: '' });
  const beat = (seller: OnlineSeller) => world.call(seller, 'sellers/heartbeat');

  it('1: registers at a price above zero, offline until a heartbeat', async () => {
    const seller = await unknown();
    const capability = fresh('task');
    for (const price_per_task of [0, '0', -1, '', '1e-3', 'Infinity', '0x10', '0.0000001', null]) {
      const refused = await world.call(seller, 'sellers/register', { capability, price_per_task });
      assert.deepEqual(
        [refused.status, refused.json],
        [400, { error: 'price_per_task must be a positive number.', code: 'INVALID_REQUEST' }],
        String(price_per_task),
      );
    }
    const registered = await world.call(seller, 'sellers/register', {
      capability,
      price_per_task: '0.005',
      passport_agent_id: seller.agent,
    });
    assert.deepEqual(
      [registered.status, registered.json],
      [200, { status: 'registered', seller_id: seller.wallet.address.toLowerCase(), network_profile: LIVE }],
    );
    assert.deepEqual(codeOf(await world.quote(await world.wallet(), 'hello', { capability })), [503, 'NO_SELLER_AVAILABLE']);
    for (const [body, error] of [
      [{ wallet: `0x${'11'.repeat(20)}` }, 'wallet must match seller_id.'],
      [{ passport_payer_addr: `0x${'11'.repeat(20)}` }, 'passport_payer_addr must match seller_id.'],
      [{ network_profile: 'x' }, 'network_profile must be one of demo-testnet, live-testnet, live-mainnet.'],
    ] as const) {
      const { status, json } = await world.call(seller, 'sellers/register', { capability, price_per_task: 1, ...body });
      assert.deepEqual([status, json], [400, { error, code: 'INVALID_REQUEST' }]);
    }
  });

  it('2: a heartbeat needs a session, and makes a seller idle', async () => {
    const seller = await unknown();
    assert.deepEqual(codeOf(await beat(seller)), [403, 'SELLER_SESSION_INVALID']);
    await world.call(seller, 'sellers/register', { capability: fresh('task'), price_per_task: 1, passport_agent_id: seller.agent });
    assert.deepEqual(codeOf(await beat(seller)), [403, 'SELLER_SESSION_INVALID']);
    seller.token = await world.session(seller);
    const { status, json } = await beat(seller);
    assert.deepEqual(
      [status, json],
      [200, { status: 'ok', seller_id: seller.wallet.address.toLowerCase(), network_profile: LIVE, seller_status: 'idle' }],
    );
    const off = await world.call(seller, 'sellers/offline');
    assert.deepEqual([off.status, off.json.status], [200, 'offline']);
  });

  it('3: a heartbeat leaves a reservation as it is', async () => {
    const { seller, capability, quote, buyer } = await quoted();
    const beats = await Promise.all([1, 2, 3].map(() => beat(seller)));
    assert.deepEqual(
      beats.map(({ json }) => json.seller_status),
      ['reserved', 'reserved', 'reserved'],
    );
    assert.deepEqual(codeOf(await world.quote(await world.wallet(), 'hello', { capability })), [503, 'NO_SELLER_AVAILABLE']);
    assert.equal((await world.quote(buyer, 'hello', { capability })).json.payment_id, quote.payment_id);
  });

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

  it("18: a job is its seller's, who proves that first, and starts once", async () => {
    const {
      seller,
      job: { job_id: id },
    } = await paid();
    const [other, elsewhere] = [
      await world.seller({ capability: fresh('task') }),
      await world.seller({ profile: MOCK, capability: fresh('task') }),
    ];
    const start = (one: OnlineSeller, job = id) => world.call(one, `jobs/${job}/start`);
    assert.deepEqual(codeOf(await start({ ...seller, token: '' })), [403, 'SELLER_SIGNATURE_INVALID']);
    assert.deepEqual(codeOf(await start({ ...seller, token: '' }, 'nowhere')), [403, 'SELLER_SIGNATURE_INVALID']);
    assert.deepEqual(codeOf(await start({ ...seller, token: elsewhere.token })), [403, 'SELLER_SIGNATURE_INVALID']);
    assert.deepEqual(codeOf(await start(other)), [403, 'SELLER_MISMATCH']);
    assert.deepEqual(codeOf(await start(seller, '00000000-0000-4000-8000-000000000001')), [404, 'JOB_NOT_FOUND']);
    assert.deepEqual(codeOf(await world.call(seller, `jobs/${id}/complete`, { result: 1 })), [409, 'INVALID_JOB_STATE']);
    // The body of the original names no profile: the job's id does.
    const plain = await world.ask('POST', `/api/v1/jobs/${id}/start`, {
      body: { seller_id: seller.wallet.address.toUpperCase().replace('0X', '0x') },
      headers: { authorization: `Bearer ${seller.token}` },
    });
    assert.deepEqual([plain.status, plain.json], [200, { job_id: id, status: 'running' }]);
    assert.deepEqual(codeOf(await start(seller)), [409, 'INVALID_JOB_STATE']);
    const without = await world.call(seller, `jobs/${id}/complete`);
    assert.deepEqual([without.status, without.json], [400, { error: 'result is required.', code: 'INVALID_REQUEST' }]);
  });

  it('19: a release that fails leaves the job running, and is made up for', async () => {
    const {
      seller,
      job: { job_id: id, job_token: token },
    } = await paid();
    const read = async () => (await world.ask('GET', `/api/v1/jobs/${id}`, { headers: { authorization: `Bearer ${token}` } })).json;
    await world.call(seller, `jobs/${id}/start`);
    world.switches.treasury.set({ mode: 'cut' });
    assert.deepEqual(codeOf(await world.call(seller, `jobs/${id}/complete`, { result: { text: 'late' } })), [500, 'ESCROW_RELEASE_FAILED']);
    const running = await read();
    assert.deepEqual([running.status, running.result], ['running', null]);
    assert.deepEqual(codeOf(await world.call(seller, `jobs/${id}/fail`, { error: 'x' })), [409, 'INVALID_JOB_STATE']);
    world.switches.treasury.set();
    const done = await eventually('the seller is paid', read, ({ status }) => status === 'done');
    assert.deepEqual([done.result, await world.chain.balanceOf(seller.wallet.address)], [{ text: 'late' }, 5000n]);
    assert.equal((await beat(seller)).json.seller_status, 'idle');
    assert.deepEqual(codeOf(await world.call(seller, `jobs/${id}/complete`, { result: 'again' })), [409, 'INVALID_JOB_STATE']);
  });

  it('22: a bond opens a session and gives a token that renews it', async () => {
    const seller = await unknown();
    const agent = { passport_agent_id: seller.agent };
    const session = (more: object) => world.call(seller, 'sellers/session', { ...agent, ...more });
    const challenge = () =>
      world.ask('POST', '/api/v1/sellers/session/challenge', {
        body: { seller_id: seller.wallet.address, network_profile: LIVE, ...agent },
        headers: world.client(),
      });
    assert.deepEqual(codeOf(await challenge()), [404, 'SELLER_NOT_FOUND']);
    await world.call(seller, 'sellers/register', { capability: fresh('task'), price_per_task: 1, ...agent });
    const { status, json: asked, text } = await challenge();
    assert.equal(status, 200, text);
    assert.deepEqual(
      [asked.status, asked.to, asked.asset, asked.network, asked.chain_id],
      ['ok', world.bonds.address, world.chain.token.address, 'eip155:84532', 84532],
    );
    assert.ok(BigInt(asked.amount_atomic) > 10_000n && BigInt(asked.amount_atomic) <= 10_999n);
    assert.equal(asked.kpass_command, `kpass wallet send --to ${asked.to} --asset ${asked.asset} --amount ${asked.amount}`);
    assert.deepEqual(codeOf(await session({})), [403, 'PASSPORT_AUTH_REQUIRED']);
    assert.deepEqual(codeOf(await session({ challenge_id: asked.challenge_id, tx_hash: `0x${'ab'.repeat(32)}` })), [
      403,
      'RECEIPT_NOT_FOUND',
    ]);
    const wrong = await transfer(seller.wallet, asked.to, 10_000n);
    assert.deepEqual(codeOf(await session({ challenge_id: asked.challenge_id, tx_hash: wrong })), [403, 'TX_TOKEN_TRANSFER_MISMATCH']);
    const tx = await transfer(seller.wallet, asked.to, BigInt(asked.amount_atomic));
    const opened = await session({ challenge_id: asked.challenge_id, tx_hash: tx });
    assert.equal(opened.status, 200, opened.text);
    assert.deepEqual([opened.json.auth_method, opened.json.token_type, opened.json.expires_in_seconds], ['seller_bond', 'Bearer', 900]);
    assert.match(opened.json.seller_renewal_token, /^qdr_[\w-]{43}$/);
    const renewed = await session({ seller_renewal_token: opened.json.seller_renewal_token });
    assert.deepEqual([renewed.status, renewed.json.auth_method, 'seller_renewal_token' in renewed.json], [200, 'seller_bond', false]);
    for (const [more, code] of [
      [{ seller_renewal_token: 'qdr_x' }, 'PASSPORT_AUTH_REQUIRED'],
      [{ seller_renewal_token: opened.json.seller_renewal_token, passport_agent_id: 'other' }, 'SELLER_PASSPORT_MISMATCH'],
      [{ challenge_id: asked.challenge_id, tx_hash: wrong }, 'SELLER_BOND_CHALLENGE_INVALID'],
    ] as const)
      assert.deepEqual(codeOf(await session(more)), [403, code]);
    // Whose answer was lost asks again, and has the same session.
    const again = await session({ challenge_id: asked.challenge_id, tx_hash: tx });
    assert.deepEqual(
      [again.status, again.json.seller_session_token, again.json.seller_renewal_token],
      [200, opened.json.seller_session_token, undefined],
    );
    assert.equal((await challenge()).json.status, 'already_verified');
    seller.token = renewed.json.seller_session_token;
    assert.equal((await beat(seller)).json.seller_status, 'idle');
  });

  it("22: an identity token is the issuer's, in time, and the seller's own; its keys are read again only for what they do not prove", async () => {
    const seller = await unknown();
    await world.call(seller, 'sellers/register', { capability: fresh('task'), price_per_task: 1, passport_agent_id: seller.agent });
    const claims = { sub: 'sub-1', agent_id: seller.agent, wallet: { address: seller.wallet.address }, exp: world.now() + 600 };
    const open = (token: string) => world.call({ ...seller, token }, 'sellers/session', { passport_agent_id: seller.agent });
    const right = world.issuer.token(claims);
    const read = world.issuer.counts.keys;
    for (const [token, code] of [
      [`${right.slice(0, -8)}AAAAAAAA`, 'PASSPORT_TOKEN_INVALID'],
      [world.issuer.token({ ...claims, iss: 'other' }), 'PASSPORT_TOKEN_INVALID'],
      [world.issuer.token(claims, { kid: 'key-2' }), 'PASSPORT_TOKEN_INVALID'],
      [world.issuer.token({ ...claims, exp: world.now() - 1 }), 'PASSPORT_TOKEN_EXPIRED'],
      [world.issuer.token(claims, { alg: 'none' }), 'PASSPORT_TOKEN_INVALID'],
      [world.issuer.token({ ...claims, agent_id: 'other' }), 'SELLER_PASSPORT_MISMATCH'],
      [world.issuer.token({ ...claims, wallet: { address: world.escrow.address } }), 'SELLER_PASSPORT_MISMATCH'],
    ] as const)
      assert.deepEqual(codeOf(await open(token)), [403, code]);
    const opened = await open(right);
    assert.deepEqual([opened.status, opened.json.auth_method], [200, 'passport_rs256'], opened.text);
    // The first one, and the two that none of the known keys has signed.
    assert.ok(world.issuer.counts.keys - read <= 3, String(world.issuer.counts.keys - read));
    const before = world.issuer.counts.keys;
    assert.deepEqual([(await open(right)).status, world.issuer.counts.keys], [200, before]);
  });

  it('23: a seller polls its own jobs with its session', async () => {
    const { seller, job } = await paid();
    await paid();
    assert.deepEqual(codeOf(await world.call({ ...seller, token: '' }, 'sellers/jobs')), [403, 'SELLER_SIGNATURE_INVALID']);
    const { json } = await world.call(seller, 'sellers/jobs');
    const [{ created_at, expires_at, ...shown }, ...more] = json.jobs;
    assert.deepEqual(
      [more, shown.job_id, shown.status, shown.amount, shown.currency, shown.payment_mode],
      [[], job.job_id, 'paid', '0.005', 'USDC', 'x402-escrow'],
    );
    assert.ok(Date.parse(expires_at) > Date.parse(created_at));
  });

  it('26: capabilities are what has a free seat, by name, at the least price', async () => {
    const [a, b] = [fresh('a'), fresh('b')];
    for (const [capability, price] of [
      [b, '0.5'],
      [b, '0.25'],
      [a, '2'],
    ] as const)
      await world.seller({ capability, price });
    const { status, json } = await world.ask('GET', `/api/v1/buyers/capabilities?network_profile=${LIVE}`);
    assert.deepEqual([status, json.network_profile, json.network, json.currency], [200, LIVE, 'eip155:84532', 'USDC']);
    const names = json.capabilities.map(({ capability }: any) => capability);
    assert.deepEqual(names, [...names].sort());
    const own = json.capabilities.filter(({ capability }: any) => capability === a || capability === b);
    assert.deepEqual(own, [
      { capability: a, available_count: 1, min_price: '2', currency: 'USDC' },
      { capability: b, available_count: 2, min_price: '0.25', currency: 'USDC' },
    ]);
    assert.deepEqual(codeOf(await world.ask('GET', `/api/v1/buyers/capabilities?network_profile=${MOCK}`)), [
      400,
      'BUYER_CAPABILITIES_PROFILE_UNSUPPORTED',
    ]);
    const wrong = await world.ask('GET', '/api/v1/buyers/capabilities?network_profile=x');
    assert.deepEqual(
      [wrong.status, wrong.json],
      [400, { error: 'network_profile must be live-mainnet or live-testnet.', code: 'INVALID_NETWORK_PROFILE' }],
    );
  });

  it("what is malformed, unknown or too long is told in the contract's envelope", async () => {
    const post = (path: string, body: string) => world.ask('POST', path, { body });
    assert.deepEqual(codeOf(await post('/api/v1/jobs/quote', '{')), [400, 'INVALID_JSON']);
    const list = await post('/api/v1/sellers/register', '[]');
    assert.deepEqual([list.status, list.json.error], [400, 'seller_id must be a non-empty string.']);
    assert.deepEqual(codeOf(await post('/api/v1/jobs/quote', '{"network_profile":"live-mainnet"}')), [500, 'GATEWAY_CONFIG_MISSING']);
    assert.deepEqual(codeOf(await post('/api/v1/jobs/quote', '{"network_profile":"live-testnet"}')), [400, 'INVALID_REQUEST']);
    assert.deepEqual(codeOf(await post('/api/v1/jobs/quote', `{"a":"${'x'.repeat(262_144)}"}`)), [413, 'REQUEST_TOO_LARGE']);
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
    live.escrow = world.bonds.address;
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

  // The last ones: the clock of the world does not come back.
  it('22: a transaction proves one bond, in ten minutes, and a fresh bond binds another agent', async () => {
    const seller = await unknown();
    await world.call(seller, 'sellers/register', { capability: fresh('task'), price_per_task: 1, passport_agent_id: seller.agent });
    const challenge = async (agent: string) =>
      (
        await world.ask('POST', '/api/v1/sellers/session/challenge', {
          body: { seller_id: seller.wallet.address, network_profile: LIVE, passport_agent_id: agent },
          headers: world.client(),
        })
      ).json;
    const session = (agent: string, more: object) =>
      world.call({ ...seller, token: '' }, 'sellers/session', { passport_agent_id: agent, ...more });
    const first = await challenge(seller.agent);
    const tx = await transfer(seller.wallet, first.to, BigInt(first.amount_atomic));
    const opened = await session(seller.agent, { challenge_id: first.challenge_id, tx_hash: tx });
    assert.equal(opened.status, 200, opened.text);
    seller.token = opened.json.seller_session_token;
    const late = await challenge('agent-late');
    const other = await challenge('agent-other');
    assert.deepEqual(codeOf(await session('agent-other', { challenge_id: other.challenge_id, tx_hash: tx })), [
      403,
      'SELLER_BOND_TX_REUSED',
    ]);
    assert.equal((await beat(seller)).status, 200);
    const second = await transfer(seller.wallet, other.to, BigInt(other.amount_atomic));
    assert.equal((await session('agent-other', { challenge_id: other.challenge_id, tx_hash: second })).status, 200);
    assert.deepEqual(codeOf(await beat(seller)), [403, 'SELLER_SESSION_INVALID'], "its session was the first agent's");
    assert.deepEqual(codeOf(await session(seller.agent, { seller_renewal_token: opened.json.seller_renewal_token })), [
      403,
      'PASSPORT_AUTH_REQUIRED',
    ]);
    await world.wait(601);
    const third = await transfer(seller.wallet, late.to, BigInt(late.amount_atomic));
    assert.deepEqual(codeOf(await session('agent-late', { challenge_id: late.challenge_id, tx_hash: third })), [
      403,
      'SELLER_BOND_CHALLENGE_EXPIRED',
    ]);
  });

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

  it('a seller that dies loses the job to another one, and without another one the money goes back', async () => {
    const {
      seller,
      buyer,
      job: { job_id: id, job_token: token },
      capability,
    } = await paid();
    const before = await world.chain.balanceOf(buyer.address);
    await world.call(seller, `jobs/${id}/start`);
    const second = await world.seller({ capability });
    const read = async () => (await world.ask('GET', `/api/v1/jobs/${id}`, { headers: { authorization: `Bearer ${token}` } })).json;
    await world.wait(59);
    await beat(second);
    await world.wait(59);
    await beat(second);
    await world.wait(3);
    await eventually(
      'the second seller has it',
      read,
      ({ seller_id, status }) => seller_id === second.wallet.address.toLowerCase() && status === 'paid',
    );
    await world.wait(61);
    const failed = await eventually('it is paid back', read, ({ status }) => status === 'failed');
    assert.deepEqual(failed.result, { error: 'The seller did not begin in time.' });
    assert.equal((await world.chain.balanceOf(buyer.address)) - before, 5000n);
  });

  /** Sends tokens by a transaction of the wallet's own. */
  async function transfer(from: Wallet, to: `0x${string}`, amount: bigint): Promise<`0x${string}`> {
    assert.match(to, ADDRESS);
    const { chain } = world;
    await chain.rpc('anvil_setBalance', [from.address, '0xde0b6b3a7640000']);
    await chain.rpc('anvil_impersonateAccount', [from.address]);
    const data = encodeFunctionData({ abi: chain.token.abi, functionName: 'transfer', args: [to, amount] });
    const hash = (await chain.rpc('eth_sendTransaction', [{ from: from.address, to: chain.token.address, data }])) as `0x${string}`;
    await chain.publicClient.waitForTransactionReceipt({ hash });
    return hash;
  }
});
