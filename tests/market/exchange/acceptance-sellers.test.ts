/** The acceptance cases of the exchange's contract about sellers: who they are, what they work on, and their bonds. The number of each is in its name. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { LIVE, MOCK, type OnlineSeller } from '../../../demo/exchange-world.mjs';
import { eventually } from '../../support/eventually.ts';
import { beat, codeOf, fresh, LIMIT, paid, quoted, transfer, unknown, world } from './accepting.ts';

describe('the exchange and its sellers', LIMIT, () => {
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
});
