// The client of `farebox/agent` against a control plane and merchants over HTTP, as those of `@402flow/sdk` behave.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import {
  type AgentPayClientOptions,
  createFormUrlEncodedBody,
  type FetchPaidError,
  type FetchPaidFailureResponse,
  type SdkPreparedPaidRequestReady,
} from '../../pkg/dist/agent/index.js';
import {
  ALLOW,
  DENY,
  decisionsOf,
  EXECUTING,
  EXECUTION_FAILED,
  ID,
  INCONCLUSIVE,
  PAID_FULFILLMENT_FAILED,
  PREFLIGHT_FAILED,
  RECEIPT,
} from './control-plane.ts';
import { asks, CHALLENGE, client, failure, its, JSON_POST, plane, prepared, says, shop, TERMS } from './planned.ts';
import { base64, type Json, open } from './shop.ts';

test('a free answer is passed on unread, and the control plane is not asked', async () => {
  its.answer = says(200, {}, 'ok');
  const response = await client().fetchPaid(`${shop.url}/free`, undefined, {});
  assert.deepEqual(
    [response.kind, response.protocol, response.response.bodyUsed, await response.response.text()],
    ['passthrough', 'none', false, 'ok'],
  );
  assert.equal(plane.calls.length, 0);
});

//
test('a control plane that redirects gets no request, nor does the address that it names', async (t) => {
  for (const status of [301, 302, 303, 307, 308]) {
    const other = await open((_, response) => response.writeHead(200).end('{}'));
    const login = await open((_, response) => void response.writeHead(status, { location: `${other.url}/login` }).end());
    t.after(() => Promise.all([other.stop(), login.stop()]));
    its.answer = asks(TERMS);
    const asking = client({ controlPlaneBaseUrl: login.url, headers: { 'cf-access-client-secret': 's' } });
    await assert.rejects(asking.fetchPaid(`${shop.url}/v1`, undefined, {}), /redirects to another address/);
    assert.deepEqual([login.requests.length, other.requests.length], [1, 0]);
  }
});

//
test('what another origin asks for by a redirect is not paid, and its free answer is passed on', async () => {
  const other = await open((_, response) => its.answer(response));
  try {
    its.answer = (response) => {
      its.answer = asks(TERMS);
      response.writeHead(302, { location: other.url }).end();
    };
    await assert.rejects(client().fetchPaid(`${shop.url}/v1`, undefined, {}), { code: 'redirected', signed: false });
    its.answer = (response) => {
      its.answer = asks(TERMS);
      response.writeHead(307, { location: `${other.url}/x` }).end();
    };
    await assert.rejects(client().preparePaidRequest(`${shop.url}/v1`), { code: 'redirected' });
    its.answer = (response) => {
      its.answer = says(200, {}, 'ok');
      response.writeHead(302, { location: other.url }).end();
    };
    assert.equal((await client().fetchPaid(`${shop.url}/v1`, undefined, {})).kind, 'passthrough');
    // The same origin answers for itself.
    its.answer = (response) => {
      its.answer = asks(TERMS);
      response.writeHead(302, { location: '/v2' }).end();
    };
    assert.equal((await client().preparePaidRequest(`${shop.url}/v1`)).kind, 'ready');
    assert.equal(plane.calls.length, 0);
  } finally {
    await other.stop();
  }
});

test('what was prepared is sent to the control plane unchanged, and the merchant is not asked again', async () => {
  const it = await prepared(JSON_POST);
  const outcome = await client().executePreparedRequest(it, { description: 'a report', metadata: { run: 7 }, idempotencyKey: 'key-1' });
  assert.equal(outcome.kind, 'success');
  assert.equal(shop.requests.length, 1);
  const [call] = decisionsOf(plane);
  const hash = createHash('sha256').update(JSON_POST.body).digest('hex');
  assert.deepEqual(call?.body, {
    context: { organization: 'acme', agent: 'buyer', description: 'a report', metadata: { run: 7 } },
    request: {
      url: `${shop.url}/v1/generate`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON_POST.body,
      bodyHash: hash,
    },
    challenge: JSON.parse(JSON.stringify(it.challenge)),
    idempotencyKey: 'key-1',
  });
  assert.deepEqual([call?.headers['authorization'], call?.headers['x-402flow-sdk-version']], ['Bearer runtime-token', '0.1.0-alpha.22']);
  assert.match(call?.headers['x-farebox-candidate'] as string, /^[0-9a-f]{64}$/);
});

test("an error of the merchant's transport comes through as the same object", async () => {
  const error = new TypeError('fetch failed');
  const broken = client({
    fetch: async () => {
      throw error;
    },
  });
  assert.equal(await broken.preparePaidRequest('https://merchant.example.com/').catch((it: unknown) => it), error);
  assert.equal(await broken.fetchPaid('https://merchant.example.com/', undefined, {}).catch((it: unknown) => it), error);
});

test("an allowed request succeeds with the merchant's answer and the receipt", async () => {
  const outcome = await client().fetchPaid(`${shop.url}/v1`, JSON_POST, {});
  assert.ok(outcome.kind === 'success');
  assert.deepEqual([outcome.response.status, await outcome.response.text()], [200, '{"ok":true}']);
  assert.deepEqual(
    [outcome.receiptId, outcome.receipt.receiptId, outcome.paidRequestId, outcome.paymentAttemptId],
    [ID(1), ID(1), ID(2), ID(3)],
  );
  const sent = decisionsOf(plane)[0]?.body?.['request'] as { bodyHash: string };
  assert.equal(sent.bodyHash, createHash('sha256').update(JSON_POST.body).digest('hex'));
});

test('a receipt without a merchant is one, and a provisional one too', async () => {
  const { merchantId: _, ...receipt } = RECEIPT;
  const changed = {
    ...receipt,
    status: 'provisional',
    reconciliationStatus: 'required',
    settlementEvidenceClass: 'merchant_verifiable_success',
  };
  plane.answers = [{ body: { ...ALLOW, receipt: changed } }];
  const outcome = await client().fetchPaid(`${shop.url}/v1`, undefined, { challenge: CHALLENGE });
  assert.ok(outcome.kind === 'success');
  assert.deepEqual([outcome.receipt.merchantId, outcome.receipt.status], [undefined, 'provisional']);
});

test('a bootstrap key is exchanged once, also by calls at the same time, and after a 401', async () => {
  const it = client({ auth: { type: 'bootstrapKey', bootstrapKey: 'bootstrap-key' } });
  const pay = () => it.fetchPaid(`${shop.url}/v1`, undefined, { challenge: CHALLENGE });
  await Promise.all([pay(), pay()]);
  await pay();
  assert.deepEqual(
    plane.calls.map(({ path, headers }) => [path, headers['authorization']]),
    [
      ['/api/sdk/runtime-tokens', 'Bearer bootstrap-key'],
      ...Array.from({ length: 3 }, () => ['/api/sdk/payment-decisions', 'Bearer runtime-token-1']),
    ],
  );
  assert.ok(plane.calls.every(({ headers }) => headers['x-402flow-sdk-version'] === '0.1.0-alpha.22'));
  plane.answers = [{ status: 401, body: { message: 'revoked' } }, { body: ALLOW }];
  await pay();
  assert.deepEqual(
    plane.calls.slice(4).map(({ headers }) => headers['authorization']),
    ['Bearer runtime-token-1', 'Bearer bootstrap-key', 'Bearer runtime-token-2'],
  );
});

//
test('a token goes to a control plane over https, or to this machine', async () => {
  for (const auth of [
    { type: 'bootstrapKey', bootstrapKey: 'k' },
    { type: 'runtimeToken', runtimeToken: 't' },
  ] as const) {
    for (const plane of ['http://plane.example', 'http://10.0.0.1:80', 'http://localhost.example', 'ftp://127.0.0.1', 'plane.example', ''])
      assert.throws(() => client({ auth, controlPlaneBaseUrl: plane }), { code: 'invalid_options', signed: false }, plane);
    for (const plane of [
      'https://plane.example',
      'https://plane.example/base/',
      'http://localhost:1',
      'http://[::1]:80',
      'http://127.8.8.8',
    ])
      client({ auth, controlPlaneBaseUrl: plane });
  }
});

test('a token is exchanged again 30 s before its end, and a failed exchange is not kept', async () => {
  const calls: string[] = [];
  const exchanges: (() => Response)[] = [
    () =>
      Response.json(
        { message: 'This SDK version is not supported.', code: 'unsupported_sdk_version', supportedVersions: ['1'] },
        { status: 400 },
      ),
    () => Response.json([], { status: 200 }),
    () => Response.json({ expiresAt: new Date().toISOString() }),
    () => Response.json({ token: 't' }),
    () => new Response('', { status: 500 }),
    () => Response.json({ token: 'short', expiresAt: new Date(Date.now() + 29_000).toISOString() }),
    () => Response.json({ token: 'long', expiresAt: new Date(Date.now() + 60_000).toISOString() }),
  ];
  const it = client({
    auth: { type: 'bootstrapKey', bootstrapKey: 'k' },
    fetch: async (url) => {
      calls.push(String(url));
      return String(url).endsWith('runtime-tokens') ? exchanges.shift()!() : Response.json(ALLOW, { status: 201 });
    },
  });
  const pay = () => it.fetchPaid('https://merchant.example.com/', undefined, { challenge: CHALLENGE });
  for (const message of [
    'This SDK version is not supported.',
    'Runtime token exchange response is missing token.',
    'Runtime token exchange response is missing token.',
    'Runtime token exchange response is missing expiresAt.',
    'Runtime token exchange failed with status 500.',
  ])
    await assert.rejects(pay(), { message });
  await pay();
  await pay();
  await pay();
  assert.equal(calls.filter((url) => url.endsWith('runtime-tokens')).length, 7);
});

for (const [kind, given, status, reason] of [
  ['denied', DENY, 403, 'Denied.'],
  ['execution_pending', EXECUTING, 202, EXECUTING.reason],
  ['execution_inconclusive', INCONCLUSIVE, 202, INCONCLUSIVE.reason],
  ['preflight_failed', PREFLIGHT_FAILED, 502, PREFLIGHT_FAILED.reason],
  ['execution_failed', EXECUTION_FAILED, 402, EXECUTION_FAILED.reason],
  ['paid_fulfillment_failed', PAID_FULFILLMENT_FAILED, 502, PAID_FULFILLMENT_FAILED.reason],
] as const) {
  for (const http of [201, 200, 402, 500]) {
    test(`${kind} is told as such, whatever the HTTP status: ${http}`, async () => {
      const error = await failure({ status: http, body: given });
      assert.deepEqual(
        [error.name, error.kind, error.message, error.reason, error.response.status, error.protocol],
        ['FetchPaidError', kind, `${kind}: ${reason}`, reason, status, 'x402'],
      );
      assert.deepEqual([error.decision, error.paidRequestId, error.details.kind], [given, ID(2), kind]);
    });
  }
}

test("a review is a denial with the event's id, and other reasons of a denial are kept", async () => {
  const reason = 'Blocked by policy. Review event created for operator follow-up.';
  const error = await failure({ body: { ...DENY, reasonCode: 'policy_review_required', reason, policyReviewEventId: ID(9) } });
  assert.deepEqual([error.kind, error.policyReviewEventId, error.response.status, error.reason], ['denied', ID(9), 403, reason]);
  const again = await failure({ body: { ...PREFLIGHT_FAILED, policyReviewEventId: ID(9) } });
  assert.deepEqual([again.kind, again.policyReviewEventId, again.response.status], ['preflight_failed', ID(9), 502]);
  const mixed = await failure({
    body: { outcome: 'deny', reasonCode: 'challenge_mixed_environment_candidates', reason: 'Test and main networks are mixed.' },
  });
  assert.deepEqual([mixed.kind, mixed.reason, mixed.paidRequestId], ['denied', 'Test and main networks are mixed.', undefined]);
});

test("the merchant's rejection and its failure can be told apart", async () => {
  for (const reasonCode of ['merchant_rejected', 'merchant_execution_failed']) {
    const { decision } = await failure({ status: 500, body: { ...EXECUTION_FAILED, reasonCode } });
    assert.equal((decision as { reasonCode?: string }).reasonCode, reasonCode);
  }
});

test("what was paid for and not delivered has its receipt and the merchant's answer", async () => {
  const error = await failure({ body: PAID_FULFILLMENT_FAILED });
  assert.deepEqual(
    [error.receipt?.status, error.receiptId, await error.response.text()],
    ['provisional', ID(1), '{"error":"upstream unavailable"}'],
  );
});

test("what is no decision is told in the control plane's words, and its body is kept", async () => {
  const cases = [
    [{ status: 404, body: { message: 'Payment decision request rejected.' } }, 'Payment decision request rejected.'],
    [
      {
        status: 400,
        body: { message: 'Invalid SDK payment decision request.', issues: { formErrors: [], fieldErrors: { request: ['Invalid url'] } } },
      },
      'Invalid SDK payment decision request. request: Invalid url',
    ],
    [{ status: 400, body: { message: 'No.', issues: { formErrors: ['Form.'], fieldErrors: { a: ['b', 'c'] } } } }, 'No. Form. a: b, c'],
    [{ status: 503, body: 'unavailable' }, 'Payment decision failed with status 503.'],
    [{ status: 201, body: { ...ALLOW, receipt: undefined } }, 'Payment decision response did not match the SDK contract.'],
  ] as const;
  for (const [given, reason] of cases) {
    const error = (await failure(given)) as FetchPaidError<Extract<FetchPaidFailureResponse, { kind: 'request_failed' }>>;
    assert.deepEqual(
      [error.kind, error.reason, error.response.status, error.decision.outcome, error.decision.status],
      ['request_failed', reason, given.status, 'request_failed', given.status],
    );
    assert.deepEqual(error.decision.body, JSON.parse(JSON.stringify(given.body)));
  }
});

test('the same request under the same key has the same receipt, and nothing is added without a key', async () => {
  const pay = (idempotencyKey?: string) =>
    client().fetchPaid(`${shop.url}/v1`, undefined, { challenge: CHALLENGE, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) });
  const before = plane.payments();
  const [one, two] = [await pay('same-key'), await pay('same-key')];
  assert.ok(one.kind === 'success' && two.kind === 'success');
  assert.deepEqual([one.receiptId, await one.response.text()], [two.receiptId, await two.response.text()]);
  assert.equal(plane.payments() - before, 1);
  await pay();
  assert.equal('idempotencyKey' in (decisionsOf(plane).at(-1)?.body ?? {}), false);
});

//
test('the header that names a purchase to its merchant names it to the control plane, unless the caller names it otherwise', async () => {
  const named = async (key: string, options: { idempotencyKey?: string } = {}): Promise<unknown> => {
    const headers = { 'Idempotency-Key': key };
    await client().fetchPaid(`${shop.url}/v1`, { headers }, { challenge: CHALLENGE, ...options });
    const { idempotencyKey, request } = decisionsOf(plane).at(-1)?.body ?? {};
    assert.equal((request as { headers: Record<string, string> }).headers['idempotency-key'], key);
    return idempotencyKey;
  };
  assert.deepEqual([await named('order-1'), await named('order-1', { idempotencyKey: 'mine' })], ['order-1', 'mine']);
  // One that is longer than a control plane takes is told as its SHA-256, and an empty one names nothing.
  const long = 'k'.repeat(129);
  const digest = createHash('sha256').update(long).digest('hex');
  assert.deepEqual([await named('k'.repeat(128)), await named(long), await named('')], ['k'.repeat(128), digest, undefined]);
});

test('bytes that a control plane tells in base64 are given as they were bought', async () => {
  const answer = (headers: Record<string, string>) => ({
    body: { ...ALLOW, merchantResponse: { status: 200, headers: { 'content-type': 'image/png', ...headers }, body: '//4AgA==' } },
  });
  const bought = async (headers: Record<string, string>): Promise<Buffer> => {
    plane.answers = [answer(headers)];
    const { response } = await client().fetchPaid(`${shop.url}/v1`, undefined, { challenge: CHALLENGE });
    assert.deepEqual([response.headers.get('content-type'), response.headers.has('x-farebox-encoding')], ['image/png', false]);
    return Buffer.from(await response.arrayBuffer());
  };
  assert.deepEqual(await bought({ 'x-farebox-encoding': 'base64' }), Buffer.from([0xff, 0xfe, 0, 0x80]));
  assert.deepEqual(await bought({}), Buffer.from('//4AgA=='));
});

test('statuses that the platform makes no answer of do not lose what was paid for', async () => {
  for (const status of [100, 101, 103, 204, 205, 304, 200, 599]) {
    plane.answers = [{ body: { ...ALLOW, merchantResponse: { status, headers: { 'x-a': 'b', 'not a name': 'c' }, body: 'text' } } }];
    const outcome = await client().fetchPaid(`${shop.url}/v1`, undefined, { challenge: CHALLENGE });
    assert.deepEqual([outcome.kind, outcome.response.status, outcome.response.headers.get('x-a')], ['success', status, 'b']);
  }
});

test("what identifies a person does not leave: neither of the request nor of the merchant's answer", async () => {
  its.answer = asks(TERMS, { 'set-cookie': 'session=merchant' });
  const headers = { cookie: 'session=mine', authorization: 'Bearer mine', 'proxy-authorization': 'Basic mine', 'x-kept': 'yes' };
  await client().fetchPaid(`${shop.url}/v1`, { headers }, {});
  assert.deepEqual(
    [shop.requests[0]?.headers.authorization, shop.requests[0]?.headers.cookie],
    ['Bearer mine', 'session=mine'],
    'the merchant has them',
  );
  assert.doesNotMatch(JSON.stringify(plane.calls[0]?.body), /session=|mine/);
  assert.deepEqual((plane.calls[0]?.body?.['request'] as Json)['headers'], { 'x-kept': 'yes' });
  await client({ forwardHeaders: ['Authorization'] }).fetchPaid(`${shop.url}/v1`, { headers }, {});
  assert.deepEqual((plane.calls[1]?.body?.['request'] as Json)['headers'], { authorization: 'Bearer mine', 'x-kept': 'yes' });
});

test('headers of the options go to the control plane alone, and cannot replace its own', async () => {
  const it = client({ headers: { 'x-tenant': 'one', authorization: 'Bearer other', 'X-402flow-SDK-Version': '9' } });
  await it.fetchPaid(`${shop.url}/v1`, undefined, {});
  assert.equal(shop.requests[0]?.headers['x-tenant'], undefined);
  const { 'x-tenant': tenant, authorization, 'x-402flow-sdk-version': version } = plane.calls[0]?.headers ?? {};
  assert.deepEqual([tenant, authorization, version], ['one', 'Bearer runtime-token', '0.1.0-alpha.22']);
});

test('fetch is called as a function, with a text and plain objects', async () => {
  const calls: [unknown, RequestInit | undefined, unknown][] = [];
  const fetch = async function (this: unknown, url: unknown, init?: RequestInit): Promise<Response> {
    calls.push([url, init, this]);
    return calls.length === 1
      ? new Response('', { status: 402, headers: { 'payment-required': base64(JSON.stringify(TERMS)) } })
      : Response.json(ALLOW, { status: 201 });
  };
  await client({ fetch: fetch as typeof globalThis.fetch }).fetchPaid('https://merchant.example.com/v1', JSON_POST, {});
  assert.deepEqual(
    calls.map(([url, , self]) => [url, self]),
    [
      ['https://merchant.example.com/v1', undefined],
      [`${plane.url}/api/sdk/payment-decisions`, undefined],
    ],
  );
  const headers = calls[1]?.[1]?.headers as Record<string, string>;
  assert.deepEqual(
    [headers['Authorization'], headers['x-402flow-sdk-version'], typeof calls[1]?.[1]?.body],
    ['Bearer runtime-token', '0.1.0-alpha.22', 'string'],
  );
});

test('bodies that can be read once are refused by name, and forms are sent as forms', async () => {
  await assert.rejects(
    client().fetchPaid(`${shop.url}/v1`, { method: 'POST', body: new FormData() }, {}),
    /FormData.*createJsonRequestBody.*createFormUrlEncodedBody/,
  );
  assert.equal(createFormUrlEncodedBody({ tags: ['a', 'b'] }).toString(), 'tags=a&tags=b');
  const it = await prepared({ method: 'post', body: createFormUrlEncodedBody({ tags: ['a', 'b'] }) });
  assert.deepEqual([it.request.method, it.request.body], ['POST', 'tags=a&tags=b']);
  assert.match(it.request.headers?.['content-type'] ?? '', /^application\/x-www-form-urlencoded/);
  await assert.rejects(client().preparePaidRequest(`${shop.url}/v1`, { method: 'TRACE' }), /TRACE/);
});

test("a caller's challenge is not probed, and one without terms goes to the control plane", async () => {
  const it = await client().preparePaidRequest('https://merchant.example.com/', undefined, {
    challenge: { protocol: 'x402', headers: {}, body: { syntheticExecutionMode: 'mock' } },
  });
  assert.deepEqual([it.kind, it.nextAction, 'probe' in it], ['ready', 'execute', false]);
  await client().executePreparedRequest(it as SdkPreparedPaidRequestReady);
  assert.deepEqual([shop.requests.length, decisionsOf(plane).length], [0, 1]);
});

test('a receipt is looked up by its id, and what is no receipt is an error', async () => {
  const { receipt } = await client().lookupReceipt(ID(1));
  assert.deepEqual([receipt.receiptId, plane.calls[0]?.method, plane.calls[0]?.path], [ID(1), 'GET', `/api/sdk/receipts/${ID(1)}`]);
  await client().lookupReceipt('../runtime-tokens?a');
  assert.equal(plane.calls[1]?.path, '/api/sdk/receipts/..%2Fruntime-tokens%3Fa');
  const answering = (body: BodyInit, status = 200) => client({ fetch: async () => new Response(body, { status }) }).lookupReceipt(ID(1));
  await assert.rejects(answering('{"receipt":{}}'), { name: 'ZodError' });
  await assert.rejects(answering('no'), { name: 'SyntaxError' });
  await assert.rejects(answering('', 404), { message: 'Receipt lookup failed with status 404.' });
  await assert.rejects(answering('{"message":"Unknown receipt."}', 404), { message: 'Unknown receipt.' });
});

test('a key that is missing is refused by its name before anything is asked', () => {
  for (const missing of ['', undefined as unknown as string]) {
    const of = (auth: AgentPayClientOptions['auth']) => () => client({ auth });
    assert.throws(of({ type: 'bootstrapKey', bootstrapKey: missing }), {
      code: 'invalid_options',
      message: /^auth\.bootstrapKey is empty: is BOOTSTRAP_KEY, .* set\?$/,
    });
    assert.throws(of({ type: 'runtimeToken', runtimeToken: missing }), {
      code: 'invalid_options',
      message: /^auth\.runtimeToken is empty/,
    });
  }
  assert.equal(plane.calls.length, 0);
});

test('names that the key does not have are told, where the control plane says no more than that', async () => {
  const { reason } = await failure({ status: 404, body: { message: 'Payment decision request rejected.', code: 'rejected' } });
  assert.match(reason ?? '', /rejected\. The key is not one of the agent "buyer" of the organization "acme"/);
});
