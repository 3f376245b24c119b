// Answers of merchants that may ask for a payment, and requests that may be paid for. The same on each run.

import { type Random, randomOf } from '../random.ts';

export type ChallengeCase = { readonly status: number; readonly headers: readonly (readonly [string, string])[]; readonly body: string };
export type PreparedCase = {
  readonly answer: ChallengeCase;
  readonly url: string;
  readonly init: { readonly method: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string };
  readonly external?: unknown;
};

/** Answers with every form of a challenge, whole and broken. */
export function challengeCases(count = 4_000): ChallengeCase[] {
  const random = randomOf(402);
  return Array.from({ length: count }, () => answer(random));
}

/** Requests, each with the answer to it and what else is known of it. */
export function preparedCases(count = 600): PreparedCase[] {
  const random = randomOf(4022);
  return Array.from({ length: count }, () => {
    const terms = payload(random, true);
    const headers: [string, string][] =
      random.below(3) === 0
        ? [['content-type', 'application/json']]
        : [['payment-required', Buffer.from(JSON.stringify(terms)).toString('base64')]];
    const asked = { status: 402, headers, body: JSON.stringify(terms) };
    const external = random.below(2) === 0 ? {} : { external: metadata(random) };
    return { answer: random.below(6) === 0 ? priced(random) : asked, url: random.pick(URLS), init: init(random), ...external };
  });
}

const MAYBE = <T>(random: Random, name: string, values: readonly T[]): Record<string, T> =>
  random.below(3) === 0 ? {} : { [name]: random.pick(values) };

const KINDS = [
  '',
  'application/json',
  'application/json; charset=utf-8',
  'application/problem+json',
  'text/plain',
  'text/html',
  'text/plain, application/json',
];
const NAMED = ['x402', 'l402', 'X402', 'L402', 'http', 'x402x', ''];
const SCHEMES = [
  'x402',
  'L402 macaroon="a", invoice="b"',
  'X402 amount="1.25", asset="USDC"',
  'Basic realm="a", x402 amount="1"',
  'Bearer',
  'Basic realm="pay"',
  'l402',
  '',
];

function answer(random: Random): ChallengeCase {
  const headers: [string, string][] = [];
  const kind = random.pick(KINDS);
  if (kind !== '') headers.push(['content-type', kind]);
  if (random.below(4) === 0) headers.push(['payment-required', random.pick(['e30=', '', '{}', 'nope', encoded(payload(random, false))])]);
  if (random.below(4) === 0) headers.push(['x-payment-protocol', random.pick(NAMED)]);
  if (random.below(4) === 0) headers.push(['www-authenticate', random.pick(SCHEMES)]);
  if (random.below(4) === 0) headers.push(['retry-after', '1']);
  return { status: 402, headers, body: body(random) };
}

function body(random: Random): string {
  const whole = JSON.stringify(payload(random, false));
  const choices = [whole, whole, whole, '', 'null', '[]', '"x402"', '1', '{', whole.slice(1), `\ufeff${whole}`, ` ${whole}\n`];
  return random.pick(choices);
}

/** Terms, perhaps within `challenge`, in which members are missing or odd. */
function payload(random: Random, isTerms: boolean): unknown {
  const one = (): Record<string, unknown> => ({
    ...MAYBE(random, 'x402Version', isTerms ? [1, 2, '1', '01', 1.5, -1, null, 0] : [1, 2, '1', null, {}]),
    ...(isTerms ? {} : MAYBE(random, 'protocol', ['x402', 'l402', 'X402', 'L402', 'http', '', ' x402', 402, null, ['x402']])),
    ...MAYBE(random, 'error', ['paid', '', 1]),
    ...MAYBE(random, 'resource', [
      { url: 'https://a.example/', description: 'A report', mimeType: 'text/plain' },
      { url: '' },
      { description: '' },
      'a',
      [],
    ]),
    ...MAYBE(random, 'accepts', [[offer(random)], [offer(random), offer(random)], [], ['a', 1, null, offer(random)], {}, 'a']),
    ...MAYBE(random, 'extensions', [{}, { bazaar: bazaar(random) }, { bazaar: bazaar(random) }, { bazaar: bazaar(random) }, 'a']),
  });
  const wraps = ['a', null, 1, true, ''];
  if (random.below(4) === 0) return { challenge: one() };
  if (!isTerms && random.below(5) === 0) return { ...one(), challenge: random.pick([...wraps, one(), {}, []]) };
  return one();
}

const AMOUNTS = ['1000000', '1', '0', '25', ''];
const WHOLE = [6, 0, 2, '6', '02', '', 'six', null, 18, 1.5];

function offer(random: Random): Record<string, unknown> {
  return {
    ...MAYBE(random, 'scheme', ['exact', 'upto', '', 1]),
    ...MAYBE(random, 'network', ['eip155:84532', 'base', '', null]),
    ...MAYBE(random, 'amount', [...AMOUNTS, null]),
    ...MAYBE(random, 'maxAmountRequired', [...AMOUNTS, null]),
    ...MAYBE(random, 'asset', ['mystery', '0xabc123', '', 5]),
    ...MAYBE(random, 'payTo', ['0xmerchant', 'merchant-wallet', '', {}]),
    ...MAYBE(random, 'precision', WHOLE),
    ...MAYBE(random, 'maxTimeoutSeconds', [60, 0, -1, 1.5, '60', 'x', null]),
    ...MAYBE(random, 'resource', ['https://a.example/', '', {}]),
    ...MAYBE(random, 'description', ['A report', '', 1]),
    ...MAYBE(random, 'mimeType', ['text/plain', '']),
    ...MAYBE(random, 'outputSchema', [{ input: {} }, null, 'a']),
    ...MAYBE(random, 'extra', [
      { decimals: random.pick(WHOLE) },
      { precision: random.pick(WHOLE), name: 'Coin' },
      { outputSchema: { input: input(random) } },
      { outputSchema: { input: {} } },
      { outputSchema: 'a' },
      'a',
      null,
    ]),
  };
}

function bazaar(random: Random): Record<string, unknown> {
  const example = {
    ...MAYBE(random, 'body', [{ prompt: 'a', n: 1 }, {}, 'a']),
    ...MAYBE(random, 'queryParams', [{ country: 'de', year: 2026, half: 0.5, all: true, none: null, list: [1], map: {} }, {}, 'a']),
  };
  return {
    ...MAYBE(random, 'info', [{ input: example }, { input: 'a' }, 'a']),
    ...MAYBE(random, 'schema', [
      { properties: { input: input(random) } },
      { properties: { input: input(random) } },
      { properties: {} },
      'a',
    ]),
  };
}

function input(random: Random): Record<string, unknown> {
  const parts = {
    ...MAYBE(random, 'body', [fieldsSchema(random), fieldsSchema(random), 'a', {}]),
    ...MAYBE(random, 'queryParams', [fieldsSchema(random), fieldsSchema(random), 'a', {}]),
  };
  if (random.below(2) === 0) return { ...MAYBE(random, 'bodyType', ['json', 'form', '', 1]), ...parts };
  return {
    type: 'object',
    properties: { ...MAYBE(random, 'bodyType', [{ const: 'json' }, { const: '' }, { const: 1 }, 'json']), ...parts },
  };
}

const TYPES = [
  'string',
  'number',
  'integer',
  'boolean',
  'object',
  'array',
  'date',
  '',
  ['number', 'string'],
  [1, '', 'string'],
  [],
  1,
  null,
];

function fieldsSchema(random: Random): Record<string, unknown> {
  const property = (): unknown =>
    random.below(6) === 0
      ? random.pick(['a', null, 1, []])
      : { ...MAYBE(random, 'type', TYPES), ...MAYBE(random, 'description', ['What', '', 1]) };
  const names = ['prompt', 'style', 'n', 'country', 'year'].filter(() => random.below(2) === 0);
  return {
    ...(random.below(6) === 0 ? {} : { properties: Object.fromEntries(names.map((name) => [name, property()])) }),
    ...MAYBE(random, 'required', [['prompt'], ['prompt', 'style', 'prompt'], ['year', 1, null], ['PROMPT'], [], 'prompt']),
  };
}

function metadata(random: Random): unknown {
  const field = () => ({
    name: random.pick(['prompt', 'Prompt', 'style', 'n', 'year', 'id', 'country']),
    ...MAYBE(random, 'type', ['string', 'integer', 'INT', 'number', 'boolean', 'object', 'array', 'date', 'text']),
    ...MAYBE(random, 'description', ['What it is']),
    required: random.below(2) === 0,
    ...MAYBE(random, 'defaultValue', [1, 'a', null]),
    ...MAYBE(random, 'enumValues', [['a', 'b'], []]),
  });
  const fields = () => Array.from({ length: random.below(4) }, field);
  return {
    ...MAYBE(random, 'description', ['Makes a report']),
    ...MAYBE(random, 'requestBodyType', ['json', 'JSON', 'text']),
    ...MAYBE(random, 'requestBodyExample', ['{"a":1}']),
    ...MAYBE(random, 'requestBodyFields', [fields()]),
    ...MAYBE(random, 'requestQueryParams', [fields()]),
    ...MAYBE(random, 'requestPathParams', [fields().map((it) => ({ ...it, required: true }))]),
    ...MAYBE(random, 'notes', [['Be kind', 'Be quick'], []]),
  };
}

const URLS = [
  'https://a.example/x',
  'https://a.example/x?country=de&year=2026',
  'https://a.example/:id/x?prompt',
  'https://a.example/:id/x#year=1',
  'https://a.example/:style/x?n=1',
];
const BODIES = [
  '{"prompt":"a","n":1}',
  '{"prompt":1,"style":null,"n":"1"}',
  '{}',
  '[1]',
  'null',
  '"a"',
  '{',
  '{"n":1.5,"year":1.0,"style":[],"id":{}}',
  '{"constructor":1}',
];

function init(random: Random): PreparedCase['init'] {
  const sends = random.below(4) > 0;
  return {
    method: sends ? 'POST' : 'GET',
    ...MAYBE(random, 'headers', [{ 'Content-Type': 'application/json' }, { 'content-type': 'text/plain' }, { accept: '*/*' }]),
    ...(sends ? MAYBE(random, 'body', BODIES) : {}),
  };
}

/** An answer whose header fields name a price. */
function priced(random: Random): ChallengeCase {
  const fields = {
    'x-payment-protocol': 'x402',
    ...MAYBE(random, 'x-payment-amount', ['2.500000', '1', '0.1', '']),
    ...MAYBE(random, 'x-payment-precision', ['6', '', 'x', '9']),
    ...MAYBE(random, 'x-payment-asset', ['USDC', '']),
    ...MAYBE(random, 'x-payment-payee', ['merchant-wallet', '']),
    ...MAYBE(random, 'x-payment-network', ['base', '']),
    ...MAYBE(random, 'www-authenticate', [
      'x402 amount="1.25", asset="ABC", precision="2", payee="p", network="n"',
      'x402',
      'L402 invoice="a"',
    ]),
  };
  return { status: 402, headers: Object.entries(fields), body: '' };
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
