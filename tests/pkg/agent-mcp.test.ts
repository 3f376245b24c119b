// Tools of other MCP servers that ask for a payment, in both forms: what is read, paid once and handed over.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  createLocalAgentClient,
  type McpCall,
  type McpCallParams,
  type McpCallResult,
  mcpArguments,
  mcpFetch,
  mcpToolUrl,
  payMcpTool,
  readMcpPayment,
} from '../../pkg/dist/agent/index.js';
import { FareboxError, memoryStore, type Policy, type Proposal } from '../../pkg/dist/index.js';
import { type Json, OFFER, PAYEE, settlement, spentIn, terms, USDC, watchedSigner } from './shop.ts';

const SERVER = 'weather';
const GOODS: McpCallResult = { content: [{ type: 'text', text: 'sunny' }] };
const TERMS = terms([OFFER], { resource: { url: 'mcp://tool/forecast', description: 'Tool: forecast', mimeType: 'application/json' } });
const RESULT: McpCallResult = { isError: true, structuredContent: TERMS, content: [{ type: 'text', text: JSON.stringify(TERMS) }] };
const RELAYED_RECEIPT = { 'offer-receipt': { info: { receipt: { format: 'eip712', payload: {}, signature: '0x00' } } } };
const RELAYED = terms([OFFER], {
  resource: { url: 'https://gate.example.com/tools/forecast' },
  extensions: { 'offer-receipt': { info: { receipt: 'eip712' }, schema: {} } },
});
const CHALLENGE = {
  id: 'c1',
  realm: 'weather.mcp.invalid',
  method: 'evm',
  intent: 'charge',
  request: { amount: '10000', currency: USDC, recipient: PAYEE, methodDetails: { chainId: 84532, credentialTypes: ['authorization'] } },
};
const TRANSACTION = `0x${'ab'.repeat(32)}`;
const failure = (code: number, message: string, data: Json): Error => Object.assign(new Error(message), { code, data });
const SOLD_X402 = { ...GOODS, _meta: { 'x402/payment-response': settlement() } };
/** The settlement of a gate that signs for its own URL. */
const SOLD_RELAYED = { ...GOODS, _meta: { 'x402/payment-response': { ...settlement(), extensions: RELAYED_RECEIPT } } };
const SOLD_MPP = {
  ...GOODS,
  _meta: {
    'org.paymentauth/receipt': {
      method: 'evm',
      reference: TRANSACTION,
      status: 'success',
      timestamp: '2026-01-01T00:00:00Z',
      challengeId: 'c1',
    },
  },
};

/** A server whose tool asks in one form until it is paid, and remembers every call. */
function server(
  asks: McpCallResult | Error,
  member: string,
  sold: McpCallResult,
): { readonly call: McpCall; readonly calls: McpCallParams[] } {
  const calls: McpCallParams[] = [];
  const call: McpCall = async (params) => {
    calls.push(params);
    if (params._meta?.[member] !== undefined) return sold;
    if (asks instanceof Error) throw asks;
    return asks;
  };
  return { call, calls };
}
const X402 = 'x402/payment';
const MPP = 'org.paymentauth/credential';
/** As a server of Cloudflare's agents: it reads payments as text, and asks with its terms in `_meta` too. */
function agents(content: McpCallResult['content']): ReturnType<typeof server> {
  const asks = { ...TERMS, resource: { url: 'x402://forecast', description: 'Tool: forecast', mimeType: 'application/json' } };
  const { call, calls } = server({ isError: true, _meta: { 'x402/error': asks }, content }, X402, SOLD_X402);
  return {
    calls,
    call: async (params, ends) => {
      const payment = params._meta?.[X402];
      if (payment === undefined) return call(params, ends);
      assert.ok(typeof payment === 'string');
      const { accepted } = JSON.parse(Buffer.from(payment, 'base64').toString()) as { accepted: Json };
      assert.deepEqual(accepted, OFFER);
      return call(params, ends);
    },
  };
}

const FORMS: Readonly<Record<string, () => ReturnType<typeof server>>> = {
  'a result with the terms of x402': () => server(RESULT, X402, SOLD_X402),
  'the terms as text alone': () => server({ isError: true, content: RESULT.content }, X402, SOLD_X402),
  'the terms of a gate that announces receipts for its own URL, as older sellers hand them on': () =>
    server({ isError: true, structuredContent: RELAYED }, X402, SOLD_X402),
  'the same, whose receipt is handed on, too': () => server({ isError: true, structuredContent: RELAYED }, X402, SOLD_RELAYED),
  "the terms of Cloudflare's agents": () => agents(RESULT.content),
  'the same without content': () => agents([]),
  'an error 402 with the terms': () => server(failure(402, 'Payment required', TERMS), X402, SOLD_X402),
  'an error -32042 with a challenge of MPP': () =>
    server(failure(-32042, 'Payment is required.', { httpStatus: 402, challenges: [CHALLENGE] }), MPP, SOLD_MPP),
  'a result that requires MPP': () =>
    server({ isError: true, _meta: { 'org.paymentauth/payment-required': { challenges: [CHALLENGE] } } }, MPP, SOLD_MPP),
};

for (const [form, open] of Object.entries(FORMS)) {
  //
  test(`a tool that asks by ${form} is paid once and gives its result with the receipt`, async () => {
    const { call, calls } = open();
    const [signer, store] = [watchedSigner(), memoryStore()];
    const { result, receipt } = await payMcpTool(call, { name: 'forecast', arguments: { days: 3 } }, { signer, store, server: SERVER });
    assert.deepEqual(result.content, GOODS.content);
    assert.deepEqual([receipt?.transaction, receipt?.amount, receipt?.payTo], [TRANSACTION, '10000', PAYEE]);
    assert.deepEqual([calls.length, signer.asked.length, (await spentIn(store)).entries.length], [2, 1, 1]);
    assert.deepEqual(
      calls.map(({ name, arguments: given }) => [name, given]),
      [
        ['forecast', { days: 3 }],
        ['forecast', { days: 3 }],
      ],
    );
  });
}

test('a tool that asks for no payment gives its result, and nothing is signed', async () => {
  const signer = watchedSigner();
  const calls: McpCallParams[] = [];
  const free: McpCall = async (params) => {
    calls.push(params);
    return GOODS;
  };
  assert.deepEqual(await payMcpTool(free, { name: 'forecast', _meta: { progressToken: 1 } }, { signer, server: SERVER }), {
    result: GOODS,
  });
  assert.deepEqual([calls, signer.asked.length], [[{ name: 'forecast', arguments: {}, _meta: { progressToken: 1 } }], 0]);
});

test('a tool that fails gives its failure as it was, and an ordinary error result is no payment', async () => {
  const signer = watchedSigner();
  const broken = failure(-32602, 'Unknown tool', {});
  await assert.rejects(
    payMcpTool(
      async () => {
        throw broken;
      },
      { name: 'x' },
      { signer, server: SERVER },
    ),
    (error) => error === broken,
  );
  const bad: McpCallResult = { isError: true, content: [{ type: 'text', text: 'no such city' }] };
  assert.deepEqual(await payMcpTool(async () => bad, { name: 'x' }, { signer, server: SERVER }), { result: bad });
  const lookalike: McpCallResult = { structuredContent: TERMS, content: [] };
  assert.deepEqual(
    await payMcpTool(async () => lookalike, { name: 'x' }, { signer, server: SERVER }),
    { result: lookalike },
    'no error, no payment',
  );
  assert.equal(signer.asked.length, 0);
});

test('policy and confirmation hold for tools: what they refuse is not signed', async () => {
  for (const [options, code] of [
    [{ policy: { perPayment: '0.001' } }, 'policy_amount'],
    [{ confirm: () => false }, 'declined'],
    [{ policy: { hosts: ['other.example'] } }, 'policy_host'],
  ] as const) {
    const { call, calls } = FORMS['a result with the terms of x402']!();
    const signer = watchedSigner();
    const error = await payMcpTool(call, { name: 'forecast' }, { signer, server: SERVER, ...options }).catch((it: unknown) => it);
    assert.ok(error instanceof FareboxError);
    assert.deepEqual([error.code, signer.asked.length, calls.length], [code, 0, 1]);
  }
});

//
test("the first realm that is not the server's is told and pinned, and another one is not signed", async () => {
  const signer = watchedSigner();
  const store = memoryStore();
  const told: (string | null)[] = [];
  const pay = (realm: string, policy: Policy = {}, agrees = true) => {
    const asks = failure(-32042, 'Payment is required.', { challenges: [{ ...CHALLENGE, realm }] });
    const confirm = ({ claimsToSell }: Proposal) => {
      told.push(claimsToSell);
      return agrees;
    };
    return payMcpTool(server(asks, MPP, SOLD_MPP).call, { name: 'forecast' }, { signer, server: SERVER, store, confirm, policy });
  };
  await assert.rejects(pay('shop.example', {}, false), { code: 'declined' });
  assert.equal(signer.asked.length, 0, 'who declines signs nothing');
  assert.deepEqual((await pay('shop.example')).result.content, GOODS.content);
  await assert.rejects(pay('other.example'), { code: 'realm_mismatch' });
  assert.deepEqual([told, signer.asked.length], [['shop.example', 'shop.example'], 1]);
  const policy = { mpp: { 'weather.mcp.invalid': { realm: 'third.example' } } };
  assert.deepEqual((await pay('third.example', policy)).result.content, GOODS.content, 'the policy knows it');
  await assert.rejects(pay('fourth.example', policy), { code: 'realm_mismatch' });
});

test('a refusal after the payment is told with its reason, and nothing is signed again', async () => {
  const refuses: McpCall = async ({ _meta }) => {
    if (_meta?.[MPP] === undefined) throw failure(-32042, 'Payment is required.', { challenges: [CHALLENGE] });
    throw failure(-32043, 'no', {
      httpStatus: 402,
      challenges: [CHALLENGE],
      problem: { title: 'Verification failed', detail: 'signature is stale' },
    });
  };
  const signer = watchedSigner();
  const error = await payMcpTool(refuses, { name: 'forecast' }, { signer, server: SERVER }).catch((it: unknown) => it);
  assert.ok(error instanceof FareboxError);
  assert.deepEqual(
    [error.code, error.message, error.signed, signer.asked.length],
    ['payment_refused', '❌ Seller rejected: signature is stale (HTTP 402)', true, 1],
  );
});

test('the local back end prepares and executes tools like requests over HTTP', async () => {
  const { call, calls } = FORMS['a result with the terms of x402']!();
  const signer = watchedSigner();
  const client = createLocalAgentClient({ signer, fetch: mcpFetch(call) });
  const outcome = await client.fetchPaid(mcpToolUrl(SERVER, 'forecast'), { method: 'POST', body: '{"days":3}' }, {});
  assert.ok(outcome.kind === 'success');
  assert.deepEqual([((await outcome.response.json()) as McpCallResult).content, signer.asked.length, calls.length], [GOODS.content, 1, 2]);
});

test('what is no message of MCP asks for nothing', () => {
  for (const answer of [
    undefined,
    null,
    1,
    'text',
    [],
    {},
    { isError: true },
    { isError: true, content: 'x' },
    new Error('x'),
    { error: { code: -1 } },
    { result: null },
    { isError: true, content: [{ text: '{' }] },
  ]) {
    assert.equal(readMcpPayment(answer).asks, false, JSON.stringify(answer));
  }
  assert.equal(readMcpPayment({ result: RESULT }).asks, true);
});

test('URLs of tools keep servers and tools apart, and hold no query, where keys stand', () => {
  assert.deepEqual(
    [mcpToolUrl('https://mcp.example/v1/', 'a/b'), mcpToolUrl('My_Weather.1', 'x'), new URL(mcpToolUrl('a', 'b')).host],
    ['https://mcp.example/v1/tools/a%2Fb', 'https://my_weather.1.mcp.invalid/tools/x', 'a.mcp.invalid'],
  );
  assert.equal(mcpToolUrl('https://me:secret@mcp.example/mcp/?token=abc#here', 'x?y'), 'https://mcp.example/mcp/tools/x%3Fy');
  for (const name of ['', '.', '..']) assert.throws(() => mcpToolUrl('https://mcp.example', name), { code: 'invalid_argument' }, name);
  // Each would share its host, and what is signed for it, with another one.
  for (const server of ['', '天気', 'Weather 1', 'a/b', 'a:b', 'a@b', 'x'.repeat(64)])
    assert.throws(() => mcpToolUrl(server, 'x'), { code: 'invalid_argument' }, server);
});

//
test('the tool that is named is called, whatever the URL of its server', async () => {
  for (const server of ['https://mcp.example/mcp?token=abc', 'https://mcp.example/mcp/?token=abc#x', 'https://mcp.example', SERVER]) {
    for (const name of ['forecast', 'a/b', 'a?b=c', '%2e%2e']) {
      const { call, calls } = FORMS['a result with the terms of x402']!();
      const asked: string[] = [];
      const confirm = ({ url }: { readonly url: string }): boolean => asked.push(url) > 0;
      await payMcpTool(call, { name }, { signer: watchedSigner(), server, confirm });
      assert.deepEqual([new Set(calls.map((it) => it.name)), asked], [new Set([name]), [mcpToolUrl(server, name)]], `${server} ${name}`);
      assert.ok(!asked.join('').includes('abc'));
    }
  }
  const called: string[] = [];
  const fetches = mcpFetch(async ({ name }) => {
    called.push(name);
    return GOODS;
  });
  await assert.rejects(fetches('https://mcp.example/mcp?token=abc/tools/forecast'), { code: 'invalid_argument' });
  assert.deepEqual(called, []);
});

test('arguments get the types that the tool declares, and what does not fit stays', () => {
  const schema = {
    properties: {
      n: { type: 'integer' },
      x: { type: 'number' },
      b: { type: 'boolean' },
      l: { type: 'array' },
      o: { type: 'object' },
      s: { type: 'string' },
    },
  };
  assert.deepEqual(mcpArguments({ n: '3', x: '1.5', b: 'true', l: '[1]', o: '{"a":1}', s: '5', other: '1' }, schema), {
    n: 3,
    x: 1.5,
    b: true,
    l: [1],
    o: { a: 1 },
    s: '5',
    other: '1',
  });
  const large = { n: '9007199254740993', x: '12345678901234567890', s: '9007199254740993' };
  assert.deepEqual(mcpArguments(large, schema), large, 'no other number than was given');
  assert.deepEqual(mcpArguments({ n: 9007199254740993n, x: '9007199254740991' }, schema), { n: '9007199254740993', x: 9007199254740991 });
  assert.deepEqual(mcpArguments({ n: 'three', b: 'yes', s: 5 }, schema), { n: 'three', b: 'yes', s: '5' });
  assert.deepEqual(mcpArguments({ n: '3' }, undefined), { n: '3' });
});
