// Prepared requests by id: states, rejections with their sentences, costs, and one payment each whatever happens.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import {
  AgentHarness,
  type AgentHarnessClient,
  type AgentHarnessOptions,
  AgentPayClient,
  type SdkPreparedPaidRequestReady,
} from '../../pkg/dist/agent/index.js';
import { memoryStore } from '../../pkg/dist/index.js';
import {
  ALLOW,
  type ControlPlane,
  DENY,
  decisionsOf,
  EXECUTING,
  ID,
  INCONCLUSIVE,
  MONEY,
  PREFLIGHT_FAILED,
  RECEIPT,
  startControlPlane,
} from './control-plane.ts';
import { base64, type Json, OTHER, open, type Shop, USDC } from './shop.ts';

let plane: ControlPlane;
let shop: Shop;
before(async () => {
  plane = await startControlPlane();
  shop = await open((request, response) => {
    if (request.url?.startsWith('/free')) return response.end('ok');
    const expires = new URL(request.url ?? '', 'http://shop').searchParams.get('expires');
    const terms = base64(JSON.stringify({ x402Version: 2, accepts: [ACCEPT] }));
    response
      .writeHead(402, { 'payment-required': terms, ...(expires === null ? {} : { 'www-authenticate': paymentUntil(expires) }) })
      .end();
  });
});
beforeEach(() => {
  plane.calls.length = 0;
  plane.answers = [];
  plane.loses = 0;
  plane.hold = undefined;
  shop.requests.length = 0;
});
after(async () => {
  await Promise.all([plane?.stop(), shop?.stop()]);
});

const ACCEPT = { scheme: 'exact', network: 'eip155:84532', amount: '1000000', asset: USDC, payTo: '0xmerchant', extra: { precision: 6 } };
const paymentUntil = (expires: string): string =>
  `Payment id="a", realm="shop", method="evm", intent="charge", request="e30", expires="${expires}"`;
const client = (): AgentPayClient =>
  new AgentPayClient({
    controlPlaneBaseUrl: plane.url,
    auth: { type: 'runtimeToken', runtimeToken: 't' },
    organization: 'acme',
    agent: 'buyer',
  });
function harness(change: Partial<AgentHarnessOptions> = {}): AgentHarness {
  let last = 0;
  return new AgentHarness({ client: client(), createPreparedId: () => `prepared-${(last += 1)}`, ...change });
}
const rejected = (preparedId: string, rejectionCode: string, message: string) => ({
  preparedId,
  harnessDisposition: 'rejected',
  rejectionCode,
  message,
});
const REPORT = () => ({
  url: `${shop.url}/report?style=neo`,
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: '{"prompt":"hello"}',
});

test('a prepared request is executed once, and its result stays', async () => {
  const it = harness({ now: () => new Date('2026-03-10T00:00:00.000Z') });
  const summary = await it.preparePaidRequest(REPORT());
  assert.deepEqual(
    [summary.preparedId, summary.state, summary.kind, summary.costSummary, summary.expiresAt],
    ['prepared-1', 'active', 'ready', 'Costs 1.000000 USDC on Base Sepolia (exact).', '2026-03-10T00:05:00.000Z'],
  );
  const result = await it.executePreparedRequest({ preparedId: 'prepared-1', executionContext: { description: 'a report' } });
  assert.deepEqual(result, {
    preparedId: 'prepared-1',
    harnessDisposition: 'executed',
    sdkOutcomeKind: 'success',
    status: 200,
    merchantResponse: { status: 200, headers: { 'content-type': 'application/json' }, body: '{"ok":true}' },
    receiptId: ID(1),
    paidRequestId: ID(2),
    paymentAttemptId: ID(3),
  });
  const second = await it.executePreparedRequest({ preparedId: 'prepared-1' });
  assert.deepEqual(second, rejected('prepared-1', 'prepared_request_consumed', 'Prepared request prepared-1 has already been consumed.'));
  assert.deepEqual(it.getExecutionResult('prepared-1'), { preparedId: 'prepared-1', state: 'consumed', executionResult: result });
  assert.equal(decisionsOf(plane).length, 1);
});

test('a receipt that surely names another price than was shown is told so', async () => {
  const it = harness();
  for (const [money, reason] of [
    [{ ...MONEY, asset: USDC }, undefined],
    [
      { ...MONEY, asset: USDC, amount: '1.000001', amountMinor: '1000001' },
      `The receipt names another price than was shown: 1.000001 of ${USDC}.`,
    ],
    [{ ...MONEY, asset: OTHER }, `The receipt names another price than was shown: 1.000000 of ${OTHER}.`],
  ] as const) {
    plane.answers = [{ body: { ...ALLOW, receipt: { ...RECEIPT, money } } }];
    const { preparedId } = await it.preparePaidRequest(REPORT());
    const result = await it.executePreparedRequest({ preparedId });
    assert.equal(result.harnessDisposition === 'executed' && result.reason, reason);
  }
});

test('a newer preparation of the same endpoint supersedes the older one, whatever the query', async () => {
  const it = harness();
  await it.preparePaidRequest(REPORT());
  await it.preparePaidRequest({ ...REPORT(), url: `${shop.url}/report?style=other` });
  const message = 'Prepared request prepared-1 was superseded by prepared-2.';
  assert.deepEqual(
    await it.executePreparedRequest({ preparedId: 'prepared-1' }),
    rejected('prepared-1', 'prepared_request_superseded', message),
  );
  const { state, supersededByPreparedId } = it.getExecutionResult('prepared-1');
  assert.deepEqual([state, supersededByPreparedId, it.getExecutionResult('prepared-2').state], ['superseded', 'prepared-2', 'active']);
  await it.preparePaidRequest({ ...REPORT(), method: 'PUT' });
  assert.equal(it.getExecutionResult('prepared-2').state, 'active');
});

test('a passthrough and a request to revise are rejected, and stay active with the rejection', async () => {
  const it = harness();
  const free = await it.preparePaidRequest({ url: `${shop.url}/free` });
  assert.deepEqual([free.nextAction, free.costSummary], ['treat_as_passthrough', 'No payment required.']);
  const notReady = rejected(
    'prepared-1',
    'prepared_request_not_ready',
    'Prepared request prepared-1 is not executable because it is passthrough.',
  );
  assert.deepEqual(await it.executePreparedRequest({ preparedId: 'prepared-1' }), notReady);
  assert.deepEqual(it.getExecutionResult('prepared-1'), { preparedId: 'prepared-1', state: 'active', executionResult: notReady });
  await it.preparePaidRequest({ ...REPORT(), externalMetadata: { requestBodyFields: [{ name: 'style', required: true }] } });
  const revise = rejected(
    'prepared-2',
    'prepared_request_not_executable',
    'Prepared request prepared-2 requires revise_request before execution.',
  );
  assert.deepEqual(await it.executePreparedRequest({ preparedId: 'prepared-2' }), revise);
  assert.deepEqual(it.getExecutionResult('prepared-2'), { preparedId: 'prepared-2', state: 'active', executionResult: revise });
  assert.equal(plane.calls.length, 0);
});

test('missing, unknown and expired ids are rejected without a call', async () => {
  let now = new Date('2026-03-10T00:00:00.000Z');
  const it = harness({ preparedTtlMs: 1_000, now: () => now });
  await it.preparePaidRequest(REPORT());
  assert.deepEqual(await it.executePreparedRequest({ preparedId: '' }), rejected('', 'missing_prepared_id', 'A preparedId is required.'));
  assert.deepEqual(
    await it.executePreparedRequest({ preparedId: 'q' }),
    rejected('q', 'unknown_prepared_id', 'Prepared request q is unknown.'),
  );
  now = new Date('2026-03-10T00:00:02.000Z');
  const expired = rejected('prepared-1', 'expired_prepared_id', 'Prepared request prepared-1 has expired.');
  assert.deepEqual(await it.executePreparedRequest({ preparedId: 'prepared-1' }), expired);
  assert.deepEqual(it.getExecutionResult('prepared-1'), { preparedId: 'prepared-1', state: 'expired', executionResult: expired });
  assert.deepEqual([shop.requests.length, plane.calls.length], [1, 0]);
  for (const [id, code, named] of [
    ['  ', 'missing_prepared_id', undefined],
    ['q', 'unknown_prepared_id', 'q'],
  ] as const) {
    assert.throws(() => it.getExecutionResult(id), { name: 'AgentHarnessError', code, preparedId: named });
    assert.throws(() => it.getPreparedRecord(id), { name: 'AgentHarnessError', code });
  }
});

test('a preparation does not outlive its challenge', async () => {
  const it = harness({ now: () => new Date('2026-03-10T00:00:00.000Z') });
  const { expiresAt } = await it.preparePaidRequest({ url: `${shop.url}/report?expires=2026-03-10T00:01:00Z` });
  assert.equal(expiresAt, '2026-03-10T00:01:00.000Z');
});

test('what leaves the harness are copies', async () => {
  const it = harness();
  const summary = await it.preparePaidRequest(REPORT());
  summary.hints.notes.push({ value: 'x', attribution: { source: 'external_metadata', authority: 'advisory' } });
  const record = it.getPreparedRecord('prepared-1');
  assert.deepEqual(
    [record.state, record.executionBinding.merchantOrigin, record.executionBinding.headers],
    ['active', shop.url, { 'content-type': 'application/json' }],
  );
  record.executionBinding.headers['x'] = 'y';
  record.prepared.request.url = 'https://other.example';
  assert.deepEqual(it.getPreparedRecord('prepared-1').executionBinding.headers, { 'content-type': 'application/json' });
  await it.executePreparedRequest({ preparedId: 'prepared-1' });
  assert.equal((decisionsOf(plane)[0]?.body?.['request'] as Json)['url'], REPORT().url);
});

for (const [kind, body, status] of [
  ['denied', DENY, 403],
  ['execution_pending', EXECUTING, 202],
  ['execution_inconclusive', INCONCLUSIVE, 202],
  ['preflight_failed', PREFLIGHT_FAILED, 502],
] as const) {
  test(`${kind} consumes, and the result has its words and ids`, async () => {
    plane.answers = [{ body }];
    const it = harness();
    await it.preparePaidRequest(REPORT());
    const result = await it.executePreparedRequest({ preparedId: 'prepared-1' });
    assert.ok(result.harnessDisposition === 'executed');
    assert.deepEqual(
      [result.sdkOutcomeKind, result.status, result.merchantResponse.status, result.reason, result.paidRequestId],
      [kind, status, status, body.reason, ID(2)],
    );
    assert.equal(it.getExecutionResult('prepared-1').state, 'consumed');
  });
}

/** A client whose preparation says this. */
const fixed = (requirement: Json, accept: Json = {}): AgentHarnessClient => ({
  preparePaidRequest: async () =>
    ({
      kind: 'ready',
      protocol: 'x402',
      request: { url: 'https://merchant.example.com/', method: 'GET' },
      challenge: { protocol: 'x402', headers: {} },
      hints: { requestBodyFields: [], requestQueryParams: [], requestPathParams: [], notes: [] },
      validationIssues: [],
      nextAction: 'execute',
      paymentRequirement: { protocol: 'x402', provenance: { source: 'merchant_challenge', authority: 'authoritative' }, ...requirement },
      challengeDetails: { accepts: [accept] },
    }) as SdkPreparedPaidRequestReady,
  executePreparedRequest: async () => {
    throw new Error('not asked');
  },
});
const SOLANA = 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp';
const MINT = 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v';
for (const [summary, requirement, accept] of [
  [
    'Costs 0.001000 USDC on Base Sepolia (exact).',
    { amount: '0.001', amountMinor: '1000', asset: USDC, network: 'eip155:84532', amountType: 'exact' },
    {},
  ],
  [
    'Costs 0.001000 USDC on Base Sepolia (exact).',
    { amountMinor: '1000', asset: USDC.toLowerCase(), network: 'base-sepolia', amountType: 'exact' },
    {},
  ],
  [
    'Costs 0.001000 USD Coin on Solana (exact).',
    { amountMinor: '1000', precision: 6, asset: MINT, network: SOLANA, amountType: 'exact' },
    { extra: { name: 'USD Coin' } },
  ],
  [
    'Costs 2.500 mystery-asset on custom-net (up to).',
    { amount: '2.500', amountMinor: '2500', precision: 3, asset: 'mystery-asset', network: 'custom-net', amountType: 'max' },
    {},
  ],
  [
    'Costs 0.005000 USDC on Base Sepolia (up to).',
    { amountMinor: '5000', precision: 6, asset: USDC, network: 'eip155:84532', amountType: 'max' },
    {},
  ],
  [
    'Costs 0.001000 USDC on Base Sepolia (exact).',
    { amountMinor: '1000', precision: 6, asset: '0xtoken', network: 'eip155:84532', amountType: 'exact' },
    { extra: { name: 'USDC' } },
  ],
  [
    'Costs 1.000000 USDC on Base (exact).',
    {
      amountMinor: '1000000',
      precision: 18,
      asset: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913',
      network: 'eip155:8453',
      amountType: 'exact',
    },
    { extra: { name: 'Free' } },
  ],
  [
    `Costs 1.0 ${`0x${'12'.repeat(20)}`} on Base (exact).`,
    { amountMinor: '10', precision: 1, asset: `0x${'12'.repeat(20)}`, network: 'base', amountType: 'exact' },
    { extra: { name: 'USDC' } },
  ],
  [undefined, { amountMinor: '1000', asset: USDC, network: 'eip155:84532' }, {}],
  [undefined, { amountMinor: '1000', asset: 'unknown', network: 'eip155:84532', amountType: 'exact' }, {}],
  [undefined, {}, {}],
] as const) {
  test(`the cost is told as: ${summary}; ${JSON.stringify(requirement)}`, async () => {
    assert.equal(
      (await harness({ client: fixed(requirement, accept) }).preparePaidRequest({ url: 'https://merchant.example.com/' })).costSummary,
      summary,
    );
  });
}

test('two executions at once are one decision', async () => {
  let release = (): void => undefined;
  plane.hold = new Promise((resolve) => {
    release = resolve;
  });
  const it = harness();
  await it.preparePaidRequest(REPORT());
  const both = [it.executePreparedRequest({ preparedId: 'prepared-1' }), it.executePreparedRequest({ preparedId: 'prepared-1' })];
  assert.deepEqual(it.getExecutionResult('prepared-1'), { preparedId: 'prepared-1', state: 'consumed' });
  release();
  const [first, second] = await Promise.all(both);
  assert.equal(first?.harnessDisposition, 'executed');
  assert.deepEqual(second, rejected('prepared-1', 'prepared_request_consumed', 'Prepared request prepared-1 has already been consumed.'));
  assert.equal(decisionsOf(plane).length, 1);
});

test('an answer that is lost after the decision is asked for again under the same key: one payment', async () => {
  const before = plane.payments();
  plane.loses = 2;
  const it = harness();
  await it.preparePaidRequest(REPORT());
  const execute = (idempotencyKey?: string) =>
    it.executePreparedRequest({
      preparedId: 'prepared-1',
      ...(idempotencyKey === undefined ? {} : { executionContext: { idempotencyKey } }),
    });
  await assert.rejects(execute(), TypeError);
  assert.equal(it.getExecutionResult('prepared-1').state, 'active');
  await assert.rejects(execute('another key would pay again'), TypeError);
  const result = await execute();
  assert.ok(result.harnessDisposition === 'executed');
  assert.deepEqual([result.sdkOutcomeKind, plane.payments() - before], ['success', 1]);
  assert.equal(new Set(decisionsOf(plane).map(({ body }) => body?.['idempotencyKey'])).size, 1);
});

test('a request without an outcome neither expires nor is superseded: it would be paid twice', async () => {
  let now = new Date('2026-03-10T00:00:00.000Z');
  plane.loses = 1;
  const it = harness({ now: () => now });
  await it.preparePaidRequest(REPORT());
  await assert.rejects(it.executePreparedRequest({ preparedId: 'prepared-1' }), TypeError);
  now = new Date('2026-03-11T00:00:00.000Z');
  await it.preparePaidRequest(REPORT());
  const result = await it.executePreparedRequest({ preparedId: 'prepared-1' });
  assert.equal(result.harnessDisposition, 'executed');
});

test("a caller's key is used, and two prepared requests have two of their own", async () => {
  const it = harness();
  for (const context of [{ idempotencyKey: 'mine' }, {}, {}]) {
    const { preparedId } = await it.preparePaidRequest(REPORT());
    await it.executePreparedRequest({ preparedId, executionContext: context });
  }
  const keys = decisionsOf(plane).map(({ body }) => body?.['idempotencyKey']);
  assert.equal(keys[0], 'mine');
  assert.equal(new Set(keys).size, 3);
});

test('prepared requests are bounded, and those without an outcome stay', async () => {
  plane.loses = 1;
  const it = harness({ maxRecords: 3 });
  await it.preparePaidRequest({ url: `${shop.url}/report/0` });
  await assert.rejects(it.executePreparedRequest({ preparedId: 'prepared-1' }), TypeError);
  for (let at = 1; at <= 5; at += 1) await it.preparePaidRequest({ url: `${shop.url}/report/${at}` });
  const known = [1, 2, 3, 4, 5, 6].filter((at) => {
    try {
      return it.getExecutionResult(`prepared-${at}`).state === 'active';
    } catch {
      return false;
    }
  });
  assert.deepEqual(known, [1, 5, 6]);
});

test('a store keeps what was prepared: another process executes it once, and goes on after a crash with the same key', async () => {
  const store = memoryStore();
  const [before, one] = [plane.payments(), harness({ store })];
  await one.preparePaidRequest(REPORT());
  let release = (): void => undefined;
  plane.hold = new Promise((resolve) => {
    release = resolve;
  });
  const lost = one.executePreparedRequest({ preparedId: 'prepared-1' });
  const other = harness({ store, createPreparedId: () => 'other' });
  assert.deepEqual(
    await other.executePreparedRequest({ preparedId: 'prepared-1' }),
    rejected('prepared-1', 'prepared_request_consumed', 'Prepared request prepared-1 has already been consumed.'),
  );
  // The first process is gone; the next one reads what it left.
  const next = harness({ store, createPreparedId: () => 'next' });
  await next.restore();
  assert.equal(next.getExecutionResult('prepared-1').state, 'active');
  release();
  const result = await next.executePreparedRequest({ preparedId: 'prepared-1' });
  assert.ok(result.harnessDisposition === 'executed');
  assert.deepEqual([result.sdkOutcomeKind, plane.payments() - before], ['success', 1]);
  await lost;
  assert.equal(new Set(decisionsOf(plane).map(({ body }) => body?.['idempotencyKey'])).size, 1);
});

test("a thing that looks like the client's error is an outcome", async () => {
  const details = { kind: 'denied', protocol: 'x402', response: new Response('{}', { status: 403 }), reason: 'no', decision: DENY };
  const failing: AgentHarnessClient = {
    ...fixed({}),
    executePreparedRequest: async () => {
      throw Object.assign(new Error('denied'), { name: 'FetchPaidError', details });
    },
  };
  const it = harness({ client: failing });
  await it.preparePaidRequest(REPORT());
  const result = await it.executePreparedRequest({ preparedId: 'prepared-1' });
  assert.deepEqual([result.harnessDisposition, it.getExecutionResult('prepared-1').state], ['executed', 'consumed']);
});
