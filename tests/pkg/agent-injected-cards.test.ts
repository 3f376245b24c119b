// What a merchant writes into any text of a 402 or of a tool's answer changes no card, no ranking, no plan and no decision.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  createLocalAgentClient,
  createPaymentDesk,
  type McpCallResult,
  mcpFetch,
  mcpToolUrl,
  type PaymentQuote,
  type PaymentTerms,
  parameterPlan,
  payMcpTool,
  paymentCard,
  paymentOffers,
} from '../../pkg/dist/agent/index.js';
import { FareboxError } from '../../pkg/dist/index.js';
import { TEXTS } from './hostile-texts.ts';
import { base64, type Json, OFFER, OTHER, settlement, terms, USDC, watchedSigner } from './shop.ts';

/** Text without half characters. */
const wellFormed = (text: string): string => new TextDecoder().decode(new TextEncoder().encode(text));
const BALANCES = [{ network: OFFER.network, asset: USDC, amount: '1000000' }];
const INPUT = { type: 'http', method: 'GET', queryParams: { city: { type: 'string', required: true, description: 'which city' } } };
const entry = (change: Json = {}): Json => ({ ...OFFER, outputSchema: { input: INPUT }, ...change });
const OTHERS = [
  { ...OFFER, amount: '20000' },
  { ...OFFER, scheme: 'upto', amount: '500', payTo: OTHER },
];

/** Terms with a text in one place of the entry that is recommended, or beside it. */
const PLACES: Readonly<Record<string, (text: string) => Json>> = {
  error: (text) => terms([entry(), ...OTHERS], { error: text }),
  'resource.description': (text) => terms([entry(), ...OTHERS], { resource: { url: '/', description: text } }),
  'resource.mimeType': (text) => terms([entry(), ...OTHERS], { resource: { url: '/', mimeType: text } }),
  'accepts.description': (text) => terms([entry({ description: text }), ...OTHERS]),
  'accepts.resource': (text) => terms([entry({ resource: text }), ...OTHERS]),
  'extra.symbol': (text) => terms([entry({ extra: { ...OFFER.extra, symbol: text, note: text, decimals: 6 } }), ...OTHERS]),
  'extra.name of another way': (text) => terms([entry(), { ...OTHERS[0], extra: { name: text, version: text } }, OTHERS[1]]),
  'an unknown extension': (text) => terms([entry(), ...OTHERS], { extensions: { other: { [text]: text, list: [text] } } }),
  "a parameter's description": (text) =>
    terms([
      entry({
        outputSchema: { input: { ...INPUT, queryParams: { city: { type: 'string', required: true, description: text, title: text } } } },
      }),
      ...OTHERS,
    ]),
  "the output's schema": (text) => terms([entry({ outputSchema: { input: INPUT, output: { text } } }), ...OTHERS]),
};
const of402 = (wanted: Json): PaymentTerms => ({ headers: { 'payment-required': base64(JSON.stringify(wanted)) } });

/** All that is shown and decided about these terms. */
function told(wanted: PaymentTerms): unknown {
  const context = { balances: BALANCES, signs: ['exact', 'charge'] };
  return [
    paymentOffers(wanted, context, 0),
    paymentCard(wanted, context),
    paymentCard(wanted, context, { others: true }),
    paymentCard(wanted, context, { selectedIndex: 1 }),
    parameterPlan({ method: 'GET', url: 'https://shop.example/r' }, wanted),
  ];
}

test('there are enough texts', () => {
  assert.ok(new Set(TEXTS).size >= 50);
});

for (const [place, of] of Object.entries(PLACES)) {
  //
  test(`no text in ${place} changes a card, the ranking or the plan`, () => {
    const plain = told(of402(of('')));
    for (const text of TEXTS) assert.deepEqual(told(of402(of(text))), plain, JSON.stringify(text.slice(0, 80)));
  });
}

test('no text in a challenge of MPP changes its card, and none in its body', () => {
  const request = (text: string): string =>
    Buffer.from(
      JSON.stringify({
        amount: '10000',
        currency: USDC,
        description: text,
        methodDetails: { chainId: 84532, memo: text },
        recipient: OTHER,
      }),
    ).toString('base64url');
  const asks = (text: string): PaymentTerms => ({
    headers: {
      'www-authenticate': `Payment id="a", realm="shop.example", method="evm", intent="charge", request="${request(text)}", description="${encodeURIComponent(wellFormed(text.slice(0, 500)))}"`,
    },
    body: { title: text, detail: text },
  });
  const plain = told(asks(''));
  // Terms of a challenge have 16 KiB.
  for (const text of TEXTS) assert.deepEqual(told(asks(wellFormed(text.slice(0, 500)))), plain, JSON.stringify(text.slice(0, 80)));
});

test('a quote has the same card whatever the 402 says, and its words are data in one member', async () => {
  const quoted = async (text: string) => {
    const fetch = async (): Promise<Response> =>
      new Response(JSON.stringify({ message: text }), {
        status: 402,
        headers: { 'payment-required': base64(JSON.stringify(PLACES['error']!(text))) },
      });
    const desk = createPaymentDesk({
      client: createLocalAgentClient({ signer: watchedSigner(), fetch }),
      fetch,
      now: () => 0,
      createPaymentId: () => 'pay-1',
    });
    const { merchantBody, ...quote } = (await desk.quote({ url: 'https://shop.example/r', balances: BALANCES })) as PaymentQuote;
    assert.equal(merchantBody, JSON.stringify({ message: text }));
    return [quote, await desk.card(quote), await desk.pay({ paymentId: 'pay-1' })];
  };
  const plain = await quoted('');
  for (const text of TEXTS) assert.deepEqual(await quoted(text), plain, JSON.stringify(text.slice(0, 80)));
});

test("no text in a tool's answer changes what is signed, or makes a payment of none", async () => {
  // Terms have 64 KiB.
  for (const text of TEXTS.map((it) => wellFormed(it.slice(0, 2000)))) {
    const free: McpCallResult = { isError: true, content: [{ type: 'text', text }], structuredContent: { message: text, accepts: text } };
    const signer = watchedSigner();
    assert.deepEqual(await payMcpTool(async () => free, { name: 'x' }, { signer, server: 's' }), { result: free });
    assert.equal(signer.asked.length, 0);
    const asks = terms([{ ...OFFER, description: text }], {
      error: text,
      resource: { url: 'mcp://tool/x', description: text, mimeType: text },
    });
    const sold: McpCallResult = { content: [{ type: 'text', text }], _meta: { 'x402/payment-response': settlement() } };
    const seen: unknown[] = [];
    const call = async ({ _meta }: { _meta?: Record<string, unknown> }): Promise<McpCallResult> =>
      _meta?.['x402/payment'] === undefined ? { isError: true, structuredContent: asks, content: [{ type: 'text', text }] } : sold;
    const confirm = ({
      description: _,
      serverSays: __,
      payer: ___,
      ...proposal
    }: object & { description: string; serverSays: string; payer: string | null }) => {
      seen.push(proposal);
      return true;
    };
    const { result, receipt } = await payMcpTool(call, { name: 'x' }, { signer, server: 's', confirm });
    assert.deepEqual([result, receipt?.amount, signer.asked.length, seen.length], [sold, '10000', 1, 1]);
    const [{ amount, payTo, claimsToSell }] = seen as [{ amount: string; payTo: string; claimsToSell: string }];
    assert.deepEqual([amount, payTo, claimsToSell], ['10000', OFFER.payTo, 'mcp://tool/x']);
    const refuses = async ({ _meta }: { _meta?: Record<string, unknown> }): Promise<McpCallResult> => {
      if (_meta?.['x402/payment'] !== undefined)
        throw Object.assign(new Error(text), { code: -32043, data: { problem: { detail: text, title: text } } });
      return { isError: true, structuredContent: asks };
    };
    const error = await payMcpTool(refuses, { name: 'x' }, { signer: watchedSigner(), server: 's' }).catch((it: unknown) => it);
    assert.ok(
      error instanceof FareboxError && ['payment_refused', 'insufficient_funds'].includes(error.code),
      JSON.stringify(text.slice(0, 80)),
    );
    assert.ok(
      /^[^\p{Cc}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}]*$/u.test(error.message.replace('❌', '')) && error.message.length < 700,
      JSON.stringify(text.slice(0, 80)),
    );
  }
});

test("a tool's name is one part of a URL, whatever it is", () => {
  for (const text of TEXTS) {
    const url = new URL(mcpToolUrl('weather', wellFormed(text.slice(0, 200))));
    assert.deepEqual([url.host, url.search, url.hash], ['weather.mcp.invalid', '', '']);
  }
  assert.equal(typeof mcpFetch, 'function');
});

test('a card marks what it cuts of a parameter, and what cannot be seen in it', () => {
  const of = (name: string, value: unknown) =>
    paymentCard({ headers: { 'payment-required': base64(JSON.stringify(terms())) } }, {}, { params: { [name]: value } })
      ?.lines.filter(({ label }) => label === 'Parameter')
      .map((line) => line.value);
  const x = (count: number): string => 'x'.repeat(count);
  for (const [name, value, shown] of [
    ['city', x(200), `\`city\` = \`${x(200)}\``],
    ['city', x(201), `\`city\` = \`${x(200)}\` (the first 200 of 201 characters)`],
    ['city', '\u202e01', '`city` = `01` (and 1 that cannot be seen)'],
    ['c\u200bi\u200bty', 'Paris', '`city` (and 2 that cannot be seen) = `Paris`'],
    ['city', `${x(300)}\u200b`, `\`city\` = \`${x(200)}\` (the first 200 of 301 characters) (and 1 that cannot be seen)`],
  ] as const)
    assert.deepEqual(of(name, value), [shown]);
});
