// What the client of `farebox/agent` tells of a request before it is paid: price, hints and faults, as those of `@402flow/sdk` do.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AgentHarness, detectChallengeFromResponse } from '../../pkg/dist/agent/index.js';
import { decisionsOf } from './control-plane.ts';
import { asks, client, field, its, JSON_POST, plane, prepared, says, shop, TERMS } from './planned.ts';
import { type Json, open, USDC } from './shop.ts';

test('the header of x402 is read into a price, and every member of the terms is kept', async () => {
  const it = await prepared();
  assert.deepEqual(it.paymentRequirement, {
    protocol: 'x402',
    asset: USDC,
    amount: '1.000000',
    amountMinor: '1000000',
    precision: 6,
    description: 'A report',
    network: 'eip155:84532',
    payee: '0xmerchant',
    amountType: 'exact',
    provenance: { source: 'merchant_challenge', authority: 'authoritative' },
  });
  assert.deepEqual([it.nextAction, it.probe?.responseStatus, it.challengeDetails?.accepts[0]?.payTo], ['execute', 402, '0xmerchant']);
  assert.deepEqual(it.challengeDetails?.resource, TERMS.resource);
});

test('headers that name a price are read', async () => {
  its.answer = says(402, {
    'x-payment-protocol': 'x402',
    'x-payment-amount': '2.500000',
    'x-payment-precision': '6',
    'x-payment-payee': 'merchant-wallet',
  });
  const { protocol, paymentRequirement } = await prepared();
  assert.deepEqual(
    [protocol, paymentRequirement?.amountMinor, paymentRequirement?.payee, paymentRequirement?.amountType],
    ['x402', '2500000', 'merchant-wallet', 'exact'],
  );
});

test('WWW-Authenticate is read and forwarded; its precision does not count', async () => {
  const value = `x402 amount="1.250000", asset="${USDC}", precision="2", payee="merchant-wallet"`;
  its.answer = says(402, { 'www-authenticate': value });
  const it = await prepared();
  assert.deepEqual(
    [it.paymentRequirement?.amountMinor, it.paymentRequirement?.precision, it.paymentRequirement?.asset],
    ['1250000', 6, USDC],
  );
  await client().executePreparedRequest(it);
  const sent = decisionsOf(plane)[0]?.body?.['challenge'] as { headers: Json };
  assert.equal(sent.headers['www-authenticate'], value);
});

test('a JSON body is a challenge of a 402, with x402Version or a protocol in it or in its wrapper', async () => {
  const json = { 'content-type': 'application/json' };
  const detect = async (body: string, status = 402) =>
    (await detectChallengeFromResponse(new Response(body, { status, headers: json })))?.protocol;
  assert.equal(await detect('{"challenge":{"x402Version":1,"accepts":[]}}'), 'x402');
  const wrapped = await detectChallengeFromResponse(
    new Response('{"challenge":{"protocol":"l402","invoice":"lnbc1example"}}', { status: 402, headers: json }),
  );
  assert.deepEqual(wrapped, { protocol: 'l402', headers: json, body: { challenge: { protocol: 'l402', invoice: 'lnbc1example' } } });
  for (const status of [200, 401, 500]) assert.equal(await detect('{"protocol":"x402"}', status), undefined, `${status}`);
});

test('a 200 is no challenge: prepared as a passthrough', async () => {
  its.answer = says(200, { 'payment-required': 'e30=' }, 'ok');
  assert.equal(await detectChallengeFromResponse(new Response('ok', { headers: { 'x-payment-protocol': 'x402' } })), undefined);
  const it = await client().preparePaidRequest(`${shop.url}/free`);
  assert.deepEqual([it.kind, it.protocol, it.probe?.responseStatus, it.nextAction], ['passthrough', 'none', 200, 'treat_as_passthrough']);
});

test('a field that the caller says is required and the body lacks is the one issue', async () => {
  const it = await prepared(JSON_POST, { externalMetadata: { requestBodyFields: [field('prompt'), field('style')] } });
  assert.deepEqual(it.validationIssues, [
    {
      location: 'body',
      field: 'style',
      code: 'missing_required_field',
      message: 'Required request body field "style" is missing.',
      source: 'external_metadata',
      blocking: true,
      severity: 'error',
      suggestedFix: 'Add the required body field "style" before execution.',
    },
  ]);
  assert.equal(it.nextAction, 'revise_request');
});

const bazaar = (input: Json, info: Json = {}) => ({
  ...TERMS,
  extensions: { bazaar: { info: { input: info }, schema: { type: 'object', properties: { input } } } },
});

test("the merchant's word about a field counts, and the caller's fills what is open", async () => {
  its.answer = asks(
    bazaar({
      properties: {
        bodyType: { const: 'json' },
        body: { type: 'object', properties: { prompt: { type: 'string', description: 'Merchant prompt field.' } } },
      },
    }),
  );
  const { hints } = await prepared(JSON_POST, {
    externalMetadata: {
      requestBodyType: 'text',
      requestBodyFields: [
        { name: 'Prompt', type: 'boolean', description: 'Other.' },
        { name: 'style', type: 'string' },
      ],
    },
  });
  const [merchant, external] = [
    { source: 'merchant_challenge', authority: 'authoritative' },
    { source: 'external_metadata', authority: 'advisory' },
  ];
  assert.deepEqual(hints.requestBodyType, { value: 'json', attribution: merchant });
  assert.deepEqual(hints.requestBodyFields, [
    { name: 'prompt', type: 'string', description: 'Merchant prompt field.', attribution: merchant },
    { name: 'style', type: 'string', attribution: external },
  ]);
  assert.deepEqual(hints.notes, [{ value: 'Request hints derived from merchant challenge metadata.', attribution: merchant }]);
});

test("required fields of a merchant's schema are asked for, and its example is one line", async () => {
  const body = { jsonrpc: '2.0', method: 'eth_blockNumber', params: [], id: 1 };
  const properties = { jsonrpc: { const: '2.0' }, method: { type: 'string' }, id: { type: ['number', 'string'] } };
  its.answer = asks(
    bazaar(
      { properties: { bodyType: { const: 'json' }, body: { type: 'object', properties, required: ['jsonrpc', 'method', 'id'] } } },
      { type: 'http', bodyType: 'json', body },
    ),
  );
  const it = await prepared({ ...JSON_POST, body: '{"jsonrpc":"2.0","id":1}' });
  assert.deepEqual(
    it.validationIssues.map(({ field: name, source }) => [name, source]),
    [['method', 'merchant_challenge']],
  );
  assert.equal(it.hints.requestBodyExample?.value, '{"jsonrpc":"2.0","method":"eth_blockNumber","params":[],"id":1}');
  assert.deepEqual(
    it.hints.requestBodyFields.map(({ name, type }) => [name, type]),
    [
      ['jsonrpc', undefined],
      ['method', 'string'],
      ['id', 'number'],
    ],
  );
  assert.deepEqual(
    (await prepared({ method: 'POST' })).validationIssues.map(({ field: name }) => name),
    ['jsonrpc', 'method', 'id'],
    'without a body',
  );
});

test('query parameters come from a schema, else from the example; a reference is not fetched', async () => {
  let fetched = 0;
  const other = await open((_, response) => {
    fetched += 1;
    response.end('{}');
  });
  its.answer = asks(
    bazaar(
      { properties: { queryParams: { $ref: `${other.url}/schema.json` } } },
      { queryParams: { country: 'DE', year: 2026, exact: true } },
    ),
  );
  const it = await prepared();
  assert.deepEqual(
    it.hints.requestQueryParams.map(({ name, type, required }) => [name, type, required]),
    [
      ['country', 'string', true],
      ['year', 'integer', true],
      ['exact', 'boolean', true],
    ],
  );
  assert.deepEqual(
    it.validationIssues.map(({ code, field: name }) => [code, name]),
    ['country', 'year', 'exact'].map((name) => ['missing_required_query_param', name]),
  );
  assert.equal(it.nextAction, 'revise_request');
  const revised = await client().preparePaidRequest(`${shop.url}/v1?country=DE&year=2026&exact=true`);
  assert.deepEqual([revised.nextAction, fetched], ['execute', 0]);
  await other.stop();
});

for (const [name, init, metadata, expected] of [
  [
    'a JSON body without its content type',
    { method: 'POST', body: '{"a":1}' },
    { requestBodyType: 'json' },
    [['headers', 'content-type', 'unsupported_content_type']],
  ],
  [
    'a body that is no JSON',
    { ...JSON_POST, body: 'a=1' },
    { requestBodyFields: [field('a')] },
    [['body', 'body', 'malformed_candidate_value']],
  ],
  ['a scalar', { ...JSON_POST, body: '1' }, { requestBodyFields: [field('a')] }, [['body', 'body', 'request_shape_conflicts_with_hint']]],
  ['null', { ...JSON_POST, body: 'null' }, { requestBodyFields: [field('a')] }, [['body', 'body', 'request_shape_conflicts_with_hint']]],
  [
    'a list, which passes as an object',
    { ...JSON_POST, body: '[1]' },
    { requestBodyFields: [field('a')] },
    [['body', 'a', 'missing_required_field']],
  ],
  [
    'wrong types',
    { ...JSON_POST, body: '{"s":1,"n":"1","i":1.5,"b":0,"o":"","l":{},"x":1}' },
    {
      requestBodyFields: [
        ['s', 'string'],
        ['n', 'number'],
        ['i', 'int'],
        ['b', 'boolean'],
        ['o', 'object'],
        ['l', 'array'],
        ['x', 'uuid'],
      ].map(([it, type]) => ({ name: it, type })),
    },
    ['s', 'n', 'i', 'b', 'o', 'l'].map((it) => ['body', it, 'malformed_candidate_value']),
  ],
  [
    'right types',
    { ...JSON_POST, body: '{"s":"","n":1.5,"i":2,"b":true,"o":[],"l":[]}' },
    {
      requestBodyFields: [
        ['s', 'string'],
        ['n', 'number'],
        ['i', 'integer'],
        ['b', 'boolean'],
        ['o', 'object'],
        ['l', 'array'],
      ].map(([it, type]) => ({ name: it, type })),
    },
    [],
  ],
  [
    'names that every object has',
    { ...JSON_POST, body: '{}' },
    { requestBodyFields: [field('constructor'), field('A'), field('a')] },
    [['body', 'A', 'missing_required_field']],
  ],
] as const) {
  test(`validation finds what is wrong with ${name}`, async () => {
    const { validationIssues } = await prepared(init as RequestInit, { externalMetadata: metadata as never });
    assert.deepEqual(
      validationIssues.map(({ location, field: it, code }) => [location, it, code]),
      expected,
    );
  });
}

test('validation finds open places in the path', async () => {
  const issues = async (path: string) =>
    (await client().preparePaidRequest(`${shop.url}${path}`, undefined, { externalMetadata: { requestPathParams: [{ name: 'id' }] } }))
      .validationIssues;
  assert.deepEqual(
    (await issues('/v1/{id}')).map(({ location, code, message }) => [location, code, message]),
    [['path', 'missing_required_path_param', 'Required path parameter "id" is missing.']],
  );
  assert.equal((await issues('/v1/:id')).length, 1);
  assert.equal((await issues('/v1/7')).length, 0);
});

test('validation runs on a passthrough, which stays one', async () => {
  its.answer = says(200, {}, 'ok');
  const it = await client().preparePaidRequest(`${shop.url}/free`, JSON_POST, {
    externalMetadata: { requestBodyFields: [field('style')] },
  });
  assert.deepEqual([it.validationIssues.length, it.nextAction], [1, 'treat_as_passthrough']);
});

test('a URL that is none, and a method that is none, are refused before anyone is asked', async () => {
  for (const [url, method] of [
    ['nope', 'GET'],
    ['/v1', 'GET'],
    [`${shop.url}/v1`, 'FETCH'],
  ] as const) {
    await assert.rejects(client().preparePaidRequest(url, { method }), { name: 'ZodError' });
    await assert.rejects(client().fetchPaid(url, { method }, {}), { name: 'ZodError' });
  }
  assert.deepEqual([shop.requests.length, plane.calls.length], [0, 0]);
});

test('what a caller says of a payment has bounds, and beyond them the control plane is not asked', async () => {
  const it = await prepared();
  const beyond = [
    { description: '' },
    { description: 'x'.repeat(201) },
    { idempotencyKey: '' },
    { idempotencyKey: 'x'.repeat(129) },
    { metadata: [] as never },
  ];
  const harness = new AgentHarness({ client: client() });
  const { preparedId } = await harness.preparePaidRequest({ url: `${shop.url}/v1/generate` });
  for (const context of beyond) {
    await assert.rejects(client().executePreparedRequest(it, context), { name: 'ZodError' });
    await assert.rejects(client().fetchPaid(it.request.url, undefined, { ...context, challenge: it.challenge as never }), {
      name: 'ZodError',
    });
    await assert.rejects(harness.executePreparedRequest({ preparedId, executionContext: context }), { name: 'ZodError' });
  }
  await assert.rejects(client({ organization: 'Acme Inc' }).executePreparedRequest(it), { name: 'ZodError' });
  assert.equal(plane.calls.length, 0);
  // Nothing had begun.
  const executed = await harness.executePreparedRequest({
    preparedId,
    executionContext: { description: 'x'.repeat(200), idempotencyKey: 'x'.repeat(128) },
  });
  assert.equal(executed.harnessDisposition, 'executed');
});

test('metadata that says nothing hinders nothing', async () => {
  const it = await prepared(undefined, {
    externalMetadata: { description: '', requestBodyFields: [{ name: ' ' }], notes: ['x'.repeat(500)] },
  });
  assert.equal(it.nextAction, 'execute');
  assert.equal(it.hints.notes[0]?.value.length, 400);
});
