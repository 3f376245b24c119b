/** Quotes, settlements, receipts and subscriptions in the original's shapes, with pretended payments: bodies and statuses by HTTP. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Seller } from './support/seller.ts';
import { FakeTreasury, tokenOf } from './support/treasury.ts';
import { type Answer, Market, newOwner, OPERATOR } from './support/worker.ts';

const X402 = '/api/protocol/x402';
const MOCK = { COMPATIBILITY: 'open-stellar', MOCK: true };
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const refusal = ({ status, text }: Answer): unknown[] => [status, text];
const said = (error: string, code = 'invalid_request'): string => JSON.stringify({ ok: false, error, code });
let count = 0;
const hash = (): string => `0x${(count += 1).toString(16).padStart(64, '0')}`;

describe('a market that pretends payments', () => {
  let market: Market;
  let seller: Seller;
  const treasury = new FakeTreasury();
  before(async () => {
    seller = await Seller.start();
    market = await Market.start({ vars: MOCK, treasury: treasury.bound });
  });
  after(async () => {
    await market.stop();
    await seller.stop();
  });

  const post = (path: string, body: unknown, address = '192.0.2.1'): Promise<Answer> =>
    market.ask('POST', `${X402}${path}`, { body, headers: { 'cf-connecting-ip': address } });
  const quoted = async (body: Record<string, unknown> = {}): Promise<any> => {
    const answer = await post('/quote', { chain: 'stellar', serviceId: 'test-svc', payer: 'agent-1', ...body });
    assert.equal(answer.status, 200, answer.text);
    return answer.json.quote;
  };

  it('quotes what is asked for: code, amount, reference, and a future end', async () => {
    const { status, json, headers } = await post('/quote', {
      serviceId: 'test-svc',
      chain: 'stellar',
      payer: 'agent-1',
      units: 3,
      unitPriceUsd: 0.1,
    });
    assert.deepEqual([status, json.ok, headers.get('cache-control')], [200, true, 'no-store']);
    const { quoteId, paymentRef, expiresAt, ...quote } = json.quote;
    assert.match(quoteId, /^q_[0-9a-z]+_[0-9a-z]{6}$/);
    assert.match(paymentRef, /^test-svc:stellar:\d+-[0-9a-f]{16}$/);
    assert.match(expiresAt, ISO);
    const ahead = Date.parse(expiresAt) - Date.now();
    assert.ok(ahead > 290_000 && ahead <= 300_000, String(ahead));
    const stellar = 'GAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAWHF';
    const evm = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
    assert.deepEqual(quote, {
      code: 402,
      service: 'test-svc',
      serviceId: 'test-svc',
      chain: 'stellar',
      payer: 'agent-1',
      amountUsd: 0.3,
      amountUnits: '30000000',
      address: stellar,
      options: [
        { chain: 'stellar', amount: '3 XLM', amountUnits: '30000000', address: stellar },
        { chain: 'bnb', amount: '0.00054545 BNB', amountUnits: '545454545454546', address: evm },
        { chain: 'base', amount: '0.0001 ETH', amountUnits: '100000000000000', address: evm },
      ],
      memo: `x402/test-svc/${quoteId}`,
      mock: true,
    });
  });

  it("takes the original's defaults for what is missing, and its words for what is wrong", async () => {
    const { json } = await post('/quote', { units: 0, ttlSeconds: 0 });
    assert.deepEqual(
      [json.quote.chain, json.quote.payer, json.quote.serviceId, json.quote.amountUsd],
      ['bnb', 'anonymous', 'ai-agent-service', 0.1],
    );
    assert.deepEqual(refusal(await post('/quote', { units: -1 })), [500, said('units must be > 0', 'internal')]);
    assert.deepEqual(refusal(await post('/quote', { unitPriceUsd: -0.1 })), [500, said('unitPriceUsd must be > 0', 'internal')]);
    assert.deepEqual(refusal(await post('/quote', { ttlSeconds: -5 })), [500, said('ttlSeconds must be > 0', 'internal')]);
    assert.deepEqual(refusal(await post('/quote', { chain: 'solana' })), [400, said('Settlement chain is not available for quote')]);
    assert.deepEqual(refusal(await post('/quote', '{"units":')), [400, said('Invalid JSON body')]);
    assert.deepEqual(refusal(await post('/quote', { minReputation: 10 })), [503, said('Reputation cannot be asked', 'unavailable')]);
  });

  it('settles a quote by a hash of its chain, for its payer, once', async () => {
    const { paymentRef, quoteId } = await quoted();
    const body = { paymentRef, chain: 'stellar', txHash: 'ab'.repeat(32), paidBy: 'agent-1' };
    const refused = async (change: object): Promise<unknown[]> => refusal(await post('/settle', { ...body, ...change }));
    assert.deepEqual(await refused({ paymentRef: 'elsewhere' }), [400, said('Quote not found for paymentRef')]);
    assert.deepEqual(await refused({ chain: 'base' }), [400, said('Settlement chain does not match quote chain')]);
    assert.deepEqual(await refused({ paymentRef: undefined, quoteId, chain: 'solana' }), [
      400,
      said('Settlement chain is not available for quote'),
    ]);
    assert.deepEqual(await refused({ paidBy: 'agent-2' }), [400, said('paidBy does not match quote payer')]);
    assert.deepEqual(await refused({ txHash: 'not-a-hash' }), [400, said('Invalid tx hash format')]);
    assert.deepEqual(await refused({ subscriptionId: 'sub_none' }), [400, said('Subscription not found')]);
    const { status, json, text } = await post('/settle', body);
    const { id, settledAt, ...receipt } = json.receipt;
    assert.match(id, /^rcpt_[0-9a-z]+_[0-9a-z]{6}$/);
    assert.match(settledAt, ISO);
    assert.deepEqual(
      [status, receipt],
      [
        200,
        {
          accepted: true,
          quoteId,
          paymentRef,
          txHash: body.txHash,
          chain: 'stellar',
          amountUsd: 0.1,
          amountUnits: '10000000',
          agentId: 'agent-1',
          service: 'test-svc',
          amount: '0.1 USD',
          serviceId: 'test-svc',
          agent: 'agent-1',
          passportVerified: false,
          reputationTier: 'standard',
          mock: true,
        },
      ],
    );
    assert.deepEqual(refusal(await post('/settle', body)), [200, text], 'a repeat has the same answer');
    assert.deepEqual(await refused({ txHash: 'cd'.repeat(32) }), [400, said('Quote not found for paymentRef')]);
  });

  it('takes one hash for one quote, whatever its spelling', async () => {
    const [one, other] = [await quoted(), await quoted()];
    const txHash = 'c1'.repeat(32);
    assert.equal((await post('/settle', { paymentRef: one.paymentRef, txHash })).status, 200);
    for (const again of [txHash, txHash.toUpperCase(), `0x${txHash}`]) {
      assert.deepEqual(refusal(await post('/settle', { paymentRef: other.paymentRef, txHash: again })), [
        400,
        said('Transaction is used for another payment'),
      ]);
    }
    const crowd = await Promise.all(
      [await quoted({ chain: 'base' }), await quoted({ chain: 'base' })].map(({ paymentRef }) =>
        post('/settle', { paymentRef, txHash: `0x${'c2'.repeat(32)}` }),
      ),
    );
    assert.deepEqual(crowd.map(({ status }) => status).sort(), [200, 400]);
  });

  it('shows receipts by page, by search, and one by one', async () => {
    const { paymentRef } = await quoted({ chain: 'base', serviceId: 'Dear-One', unitPriceUsd: 1.5 });
    const { receipt } = (await post('/settle', { paymentRef, txHash: hash() })).json;
    assert.equal(receipt.reputationTier, 'gold');
    const list = async (query: string): Promise<any> => (await market.ask('GET', `${X402}/receipts${query}`)).json;
    const { receipts, ...page } = await list('?q=dear-one&chain=base&agent=AGENT-1&service=dear-one&pageSize=900');
    assert.deepEqual([receipts, page.page, page.pageSize, page.total, page.totalPages], [[receipt], 1, 50, 1, 1]);
    assert.deepEqual(Object.keys(page.stats), ['totalPayments', 'totalUsd', 'uniqueAgents', 'services']);
    const all = await list('?pageSize=0');
    assert.deepEqual([all.pageSize, all.total, all.totalPages], [1, all.stats.totalPayments, all.stats.totalPayments]);
    const sum = (await list('')).receipts.reduce(
      (usd: number, { amountUsd }: { amountUsd: number }) => usd + Math.round(amountUsd * 1e6),
      0,
    );
    assert.equal(Math.round(all.stats.totalUsd * 1e6), sum);
    assert.deepEqual(await list('?q=%27%22%25_'), { ...(await list('?q=nowhere')) }, 'signs of SQL are letters');
    assert.deepEqual((await market.ask('GET', `${X402}/receipts/${receipt.id}`)).json, { ok: true, receipt });
    assert.deepEqual(refusal(await market.ask('GET', `${X402}/receipts/rcpt_x`)), [404, said('Receipt not found', 'not_found')]);
  });

  it('counts the calls of a subscription down to none, for whoever has its key', async () => {
    const { status, json, text } = await post('/subscriptions', { agentId: 'agent 7', serviceId: 'svc/1', plan: 'starter', chain: 'base' });
    assert.deepEqual([status, json.ok, json.subscription.status, json.quote.amountUsd], [201, true, 'paused', 0.1], text);
    const {
      subscription: { id },
      quote,
      key,
    } = json;
    const access = (query: string, token = key): Promise<Answer> =>
      market.ask('GET', `${X402}/subscriptions/agent%207/svc%2F1${query}`, { token });
    assert.deepEqual(refusal(await access('?consume=true')), [402, '{"active":false,"callsRemaining":0,"renewsAt":"","status":"missing"}']);
    assert.deepEqual(refusal(await post('/settle', { paymentRef: quote.paymentRef, txHash: hash(), subscriptionId: 'sub_other' })), [
      400,
      said('subscriptionId does not match quote payer/service'),
    ]);
    const txHash = hash();
    const paid = await post('/settle', { paymentRef: quote.paymentRef, txHash, subscriptionId: id });
    const proof = { subscriptionId: id, isActive: true, lastPaymentLedger: null, lastPaymentTx: txHash, contractId: '' };
    assert.deepEqual([paid.status, paid.json.subscriptionProof], [200, proof], paid.text);
    assert.deepEqual((await market.ask('GET', `/api/subscriptions/${id}/proof`)).json, { ok: true, ...proof });
    for (let left = 99; left > 2; left -= 1) assert.equal((await access('?consume=true')).json.callsRemaining, left);
    const shown = async (answer: Promise<Answer>): Promise<unknown[]> =>
      answer.then(({ status: code, json: { active, callsRemaining, status: word } }) => [code, active, callsRemaining, word]);
    assert.deepEqual(await shown(access('', '')), [200, true, 3, 'active'], 'anyone may look');
    assert.deepEqual(refusal(await access('?consume=true', 'agent 7')), [401, said('Agent authentication required', 'unauthorized')]);
    assert.deepEqual(await shown(access('?consume=true', OPERATOR)), [200, true, 2, 'active']);
    assert.deepEqual(await shown(access('?consume=true')), [200, true, 1, 'active']);
    assert.deepEqual(await shown(access('?consume=true')), [200, true, 0, 'active']);
    assert.deepEqual(await shown(access('?consume=true')), [402, false, 0, 'exhausted']);
    const { json: listed } = await market.ask('GET', `${X402}/subscriptions`);
    assert.deepEqual(
      [listed.subscriptions.map((one: { id: string }) => one.id), listed.stats],
      [[id], { active: 1, paused: 0, grace: 0, mrrXlm: 1 }],
    );
  });

  it('keeps thirty-two quotes for the network of a caller', async () => {
    const ask = (address: string): Promise<Answer> => post('/quote', {}, address);
    for (let number = 0; number < 32; number += 1) assert.equal((await ask('198.51.100.9')).status, 200);
    const full = await ask('198.51.100.9');
    assert.deepEqual([...refusal(full), full.headers.get('retry-after')], [429, said('Too many open quotes', 'rate_limited'), '60']);
    assert.equal((await ask('198.51.100.10')).status, 200);
    // Who says that it came through the gate has to show the gate's signature.
    const forged = await market.ask('POST', `${X402}/quote`, {
      body: {},
      headers: {
        'cf-connecting-ip': '198.51.100.9',
        'x-forwarded-for': '203.0.113.5',
        'farebox-signature-v2': `t=${Math.floor(Date.now() / 1000)},v2=${'0'.repeat(64)}`,
      },
    });
    assert.equal(forged.status, 429);
  });

  it('has the paths that the guide names, and no others', async () => {
    for (const [method, path, allow] of [
      ['GET', `${X402}/quote`, 'POST'],
      ['GET', `${X402}/settle`, 'POST'],
      ['POST', `${X402}/receipts`, 'GET'],
      ['DELETE', `${X402}/subscriptions`, 'GET, POST'],
      ['POST', '/api/subscriptions/x/proof', 'GET'],
    ] as const) {
      const answer = await market.ask(method, path);
      assert.deepEqual(
        [...refusal(answer), answer.headers.get('allow')],
        [405, said('Method not allowed', 'method_not_allowed'), allow],
        path,
      );
    }
    for (const path of ['/api/skills', '/api/agents/a/skills', '/api/protocol/x402', '/api/subscriptions'])
      assert.deepEqual(refusal(await market.ask('GET', path)), [404, said('Not found', 'not_found')], path);
  });

  it('invokes a skill whose 402 has no terms: twice, with the proof on the second call, and its hash is in the ledger', async () => {
    const owner = newOwner();
    seller.scripts.set('/mock', ({ headers }, response) => {
      const paid = headers['x-payment'] !== undefined;
      response.writeHead(paid ? 200 : 402, { 'content-type': 'application/json' }).end(paid ? '{"result":"skill executed"}' : '{}');
    });
    const published = await market.publish(owner, {
      skillId: 'mock',
      name: 'mock',
      callUrl: `${seller.url}/mock`,
      priceXLM: 2.5,
      charges: 'seller',
    });
    assert.equal(published.status, 201, published.text);
    const { status, json, text } = await market.ask('POST', '/api/marketplace/skills/mock/invoke', {
      token: tokenOf('agent-1'),
      body: { agentId: 'agent-1', payload: { input: 'hello' } },
    });
    const { ledgerId, receipt, ...answer } = json;
    assert.deepEqual([status, answer], [200, { ok: true, response: { result: 'skill executed' } }], text);
    assert.deepEqual([receipt.chain, receipt.amountUsd, treasury.asked.length], ['stellar', 0.25, 0]);
    assert.match(ledgerId, /^inv_[0-9a-z]+_[0-9a-z]{6}$/);
    const calls = seller.of('/mock');
    assert.equal(calls.length, 2);
    const proof = JSON.parse(String(calls[1]?.headers['x-payment']));
    assert.deepEqual(
      [calls[0]?.headers['x-payment'], calls[1]?.body, Object.keys(proof), proof.txHash, proof.chain],
      [undefined, calls[0]?.body, ['paymentRef', 'txHash', 'chain'], receipt.txHash, 'stellar'],
    );
    const {
      json: { invocations },
    } = await market.ask('GET', '/api/marketplace/invocations?skillId=mock', { token: OPERATOR });
    assert.equal(invocations.length, 1);
    const [{ agentId, skillId, status: how, txHash, amountXLM }] = invocations;
    assert.deepEqual([agentId, skillId, how, txHash, amountXLM], ['agent-1', 'mock', 'success', receipt.txHash, 2.5]);
  });

  it('shows its numbers to the operator', async () => {
    assert.deepEqual(refusal(await market.ask('GET', '/api/marketplace/metrics')), [
      401,
      said('Agent authentication required', 'unauthorized'),
    ]);
    assert.equal((await market.ask('GET', '/api/marketplace/metrics', { token: tokenOf('agent-1') })).status, 401);
    const { status, text, headers } = await market.ask('GET', '/api/marketplace/metrics', { token: OPERATOR });
    assert.deepEqual([status, headers.get('content-type'), headers.get('cache-control')], [200, 'text/plain; version=0.0.4', 'no-store']);
    const of = (name: string): number => Number(new RegExp(`^farebox_market_${name} (\\d+)$`, 'm').exec(text)?.[1] ?? NaN);
    const receipts = (await market.ask('GET', `${X402}/receipts`)).json.stats.totalPayments;
    assert.deepEqual(
      [of('invocations\\{outcome="paid_ok"\\}'), of('skills'), of('running'), of('packs'), of('settlements'), of('subscriptions')],
      [1, 1, 0, 0, receipts, 1],
      text,
    );
    assert.ok(of('quotes') >= 33, text);
  });
});

describe('a subscription that is not renewed', () => {
  it('serves for a day of grace, then pauses; a payment makes it active again', async () => {
    const market = await Market.start({ vars: MOCK });
    try {
      const post = (path: string, body: unknown): Promise<Answer> => market.ask('POST', `${X402}${path}`, { body });
      const {
        json: {
          subscription: { id },
          quote,
          key,
        },
      } = await post('/subscriptions', { agentId: 'a', serviceId: 's', chain: 'base' });
      assert.equal((await post('/settle', { paymentRef: quote.paymentRef, txHash: hash() })).status, 200);
      const access = async (): Promise<unknown[]> => {
        const { status, json } = await market.ask('GET', `${X402}/subscriptions/a/s?consume=true`, { token: key });
        return [status, json.active, json.status, 'graceEndsAt' in json];
      };
      const later = async (secs: number): Promise<void> => {
        market.ahead += secs;
        await market.kill();
      };
      assert.deepEqual(await access(), [200, true, 'active', false]);
      await later(30 * 86_400 + 60);
      assert.deepEqual(await access(), [200, true, 'grace', true]);
      await later(86_400);
      assert.deepEqual(await access(), [402, false, 'paused', true]);
      const renewal = await post('/quote', { serviceId: 's', payer: 'a', chain: 'base', unitPriceUsd: 0.5 });
      const paid = await post('/settle', { paymentRef: renewal.json.quote.paymentRef, txHash: hash(), subscriptionId: id });
      assert.equal(paid.status, 200, paid.text);
      assert.deepEqual(await access(), [200, true, 'active', false]);
    } finally {
      await market.stop();
    }
  });
});

describe("the operator's Worker that knows agents", () => {
  it('is asked where a quote needs a reputation, and in time', async () => {
    const asked: any[] = [];
    let answer: () => Promise<Response> = async () => Response.json({ ok: true });
    const reputation = async (request: Request): Promise<Response> => {
      asked.push({ url: request.url, ...((await request.json()) as object) });
      return answer();
    };
    const market = await Market.start({ vars: MOCK, reputation });
    try {
      const ask = (): Promise<Answer> =>
        market.ask('POST', `${X402}/quote`, {
          body: { payer: 'agent-1', chain: 'base', minReputation: 50, tier: 'gold', attestation: { by: 'x' } },
        });
      assert.equal((await ask()).status, 200);
      assert.deepEqual(asked, [
        {
          url: 'https://reputation/check',
          purpose: 'quote',
          agentId: 'agent-1',
          serviceId: 'ai-agent-service',
          minReputation: 50,
          tier: 'gold',
          attestation: { by: 'x' },
        },
      ]);
      answer = async () => Response.json({ ok: false });
      assert.deepEqual(refusal(await ask()), [500, said('Reputation too low for this service', 'internal')]);
      for (const silent of [
        async () => new Response('{"ok":true}', { status: 500 }),
        async () => new Response('soon'),
        () =>
          new Promise<Response>((resolve) => {
            setTimeout(resolve, 4_000, Response.json({ ok: true }));
          }),
      ]) {
        answer = silent;
        const began = Date.now();
        assert.deepEqual(refusal(await ask()), [503, said('Reputation cannot be asked', 'unavailable')]);
        assert.ok(Date.now() - began < 3_900);
      }
      answer = async () => Response.json({ ok: false, reason: 'no passport' });
      const {
        json: { quote },
      } = await market.ask('POST', `${X402}/quote`, { body: { payer: 'agent-1', chain: 'base' } });
      const settle = (): Promise<Answer> =>
        market.ask('POST', `${X402}/settle`, {
          body: { paymentRef: quote.paymentRef, txHash: `0x${'d1'.repeat(32)}`, agentId: 'agent-1' },
        });
      assert.deepEqual(refusal(await settle()), [402, said('Passport gate: no passport', 'payment_required')]);
      answer = async () => Response.json({ ok: true });
      await new Promise((resolve) => {
        setTimeout(resolve, 1_050);
      });
      const { status, json } = await settle();
      assert.deepEqual([status, json.receipt?.passportVerified], [200, true]);
    } finally {
      await market.stop();
    }
  });
});
