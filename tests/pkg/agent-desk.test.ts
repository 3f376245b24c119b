// Two-phase payments: what a person is shown, and that only their yes pays, once, and what was on the card.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  createLocalAgentClient,
  createPaymentDesk,
  mcpFetch,
  mcpToolUrl,
  type PaymentDeskOptions,
  parameterPlan,
} from '../../pkg/dist/agent/index.js';
import { memoryStore } from '../../pkg/dist/index.js';
import { desk, header, paid, quoted, refused, shop } from './desks.ts';
import {
  ask,
  base64,
  GOODS,
  type Json,
  OFFER,
  OFFER_V1,
  OTHER,
  PAYEE,
  paymentOf,
  serve,
  settlement,
  spentIn,
  TRANSACTION,
  terms,
  USDC,
  watchedSigner,
} from './shop.ts';

test('who asks for the others and picks one gets its card, and that entry is paid', async () => {
  shop.answers = (request, response) =>
    paymentOf(request) === undefined
      ? ask(
          response,
          terms([
            { ...OFFER, amount: '5000' },
            { ...OFFER, amount: '20000', payTo: OTHER },
            { ...OFFER, amount: '10000' },
          ]),
        )
      : serve(response, settlement({ amount: '20000' }));
  const { desk: it, signer } = desk();
  const quote = await quoted(it);
  assert.deepEqual([(await it.card(quote)).selectedIndex, quote.alternatives.map(({ acceptsIndex }) => acceptsIndex)], [0, [2, 1]]);
  assert.equal((await it.card({ ...quote, others: true })).kind, 'list');
  assert.equal(await refused(it.confirm({ ...quote, answer: 'yes' })), 'invalid_input', 'a list is not answered with yes');
  const card = await it.card({ ...quote, selectedIndex: 1 });
  assert.deepEqual([card.kind, card.lines.at(-1)?.value], ['confirmation', `\`${OTHER}\``]);
  const { confirmation = '' } = await it.confirm({ ...quote, answer: 'yes' });
  const outcome = paid(await it.pay({ ...quote, selectedIndex: 1, confirmation }));
  assert.deepEqual([outcome.status, outcome.response.body], ['success', GOODS]);
  const { accepted } = JSON.parse(Buffer.from(shop.payments()[0] ?? '', 'base64').toString()) as { accepted: Json };
  assert.deepEqual([accepted['amount'], accepted['payTo'], signer.asked.length], ['20000', OTHER, 1]);
});

test('a yes to the recommendation pays without a second card, and the transaction is told without names of fields', async () => {
  shop.answers = (request, response) =>
    paymentOf(request) === undefined ? ask(response, terms([OFFER, { ...OFFER, amount: '90000' }])) : serve(response);
  const { desk: it, store } = desk();
  const quote = await quoted(it);
  assert.equal((await it.card(quote)).kind, 'recommendation');
  const { confirmation = '' } = await it.confirm({ ...quote, answer: 'yes' });
  const outcome = paid(await it.pay({ ...quote, confirmation }));
  assert.deepEqual([outcome.status, outcome.transaction, outcome.response.body], ['success', TRANSACTION, GOODS]);
  assert.equal(outcome.text, `Paid 0.01 USDC (10000). Transaction: \`${TRANSACTION}\`.`);
  assert.deepEqual([shop.payments().length, (await spentIn(store)).entries.length, outcome.receipt?.paymentReference], [1, 1, TRANSACTION]);
});

test('a long answer that was bought is neither read nor written anew for another quote, and no caller can change it', async (t) => {
  const long = 'x'.repeat(1024 * 1024);
  shop.answers = (request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    response.writeHead(200, { 'payment-response': base64(JSON.stringify(settlement())) }).end(request.url === '/long' ? long : GOODS);
  };
  const { desk: it } = desk();
  const buys = async (path: string) => {
    const quote = await quoted(it, { url: `${shop.url}${path}` });
    await it.card(quote);
    const { confirmation = '' } = await it.confirm({ ...quote, answer: 'yes' });
    return { quote, outcome: paid(await it.pay({ ...quote, confirmation })) };
  };
  const { quote, outcome } = await buys('/long');
  assert.equal(outcome.response.body.length, long.length);
  const { parse, stringify } = JSON;
  let characters = 0;
  t.mock.method(JSON, 'parse', (text: string, ...more: []) => {
    characters += text.length;
    return parse(text, ...more);
  });
  t.mock.method(JSON, 'stringify', (value: unknown, ...more: []) => {
    const text = stringify(value, ...more);
    characters += text?.length ?? 0;
    return text;
  });
  await buys('/short');
  assert.ok(characters > 0 && characters < long.length, String(characters));
  for (const told of [outcome, paid(await it.pay(quote))]) Object.assign(told.response, { body: 'another' });
  assert.ok(paid(await it.pay(quote)).response.body === long);
});

//
test('what was bought fills no store: the oldest that is over goes, and what is under way stays', async () => {
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : serve(response));
  const quotes = memoryStore();
  const { desk: it } = desk({ store: quotes });
  const pays = async (): Promise<string> => {
    const quote = await quoted(it);
    await it.card(quote);
    const { confirmation = '' } = await it.confirm({ ...quote, answer: 'yes' });
    assert.equal(paid(await it.pay({ ...quote, confirmation })).response.body, GOODS);
    return quote.paymentId;
  };
  const first = await pays();
  const { record = '', version } = await quotes.read();
  const [[, over]] = JSON.parse(record) as [[string, { readonly quote: Json }]];
  const row = (paymentId: string, change: Json): unknown => [paymentId, { ...over, quote: { ...over.quote, paymentId, ...change } }];
  const [size, most] = [4 * 1024 * 1024, 64 * 1024 * 1024];
  const rows = Array.from({ length: 20 }, (_, at) => row(`old-${at}`, { outcome: { body: 'x'.repeat(size) } }));
  // Of another owner: it is not gone on with.
  const underWay = row('under-way', { stage: 'unresolved', owner: 'ann' });
  await quotes.replace(version, JSON.stringify([underWay, [first, over], ...rows]));
  const last = await pays();
  const kept = (await quotes.read()).record ?? '';
  assert.ok(kept.length <= most + 3 * size && kept.length > most - 2 * size, String(kept.length));
  const ids = (JSON.parse(kept) as [string][]).map(([id]) => id);
  assert.deepEqual([ids[0], ids.at(-2), ids.at(-1), ids.includes(first)], ['under-way', 'old-19', last, false]);
});

test('a no ends the quote: no wallet is asked and nothing is called', async () => {
  const { desk: it, signer, store } = desk();
  const quote = await quoted(it);
  await it.card(quote);
  assert.deepEqual(await it.confirm({ ...quote, answer: 'no' }), {});
  for (const asked of [() => it.card(quote), () => it.confirm({ ...quote, answer: 'yes' }), () => it.pay({ ...quote, confirmation: 'x' })])
    assert.equal(await refused(asked()), 'declined');
  assert.deepEqual([signer.asked.length, shop.requests.length, (await store.read()).record], [0, 1, undefined]);
});

test('without a confirmation nothing is signed: the card comes, and a wrong, other or used one begins nothing', async () => {
  const { desk: it, signer } = desk();
  const quote = await quoted(it);
  const preview = await it.pay(quote);
  assert.deepEqual([preview.status, 'card' in preview && preview.card.kind], ['confirming', 'confirmation']);
  assert.equal(await refused(it.pay({ ...quote, confirmation: 'guess' })), 'confirmation_required');
  const other = await quoted(it);
  await it.card(other);
  const { confirmation: others = '' } = await it.confirm({ ...other, answer: 'yes' });
  await it.card(quote);
  const { confirmation = '' } = await it.confirm({ ...quote, answer: 'yes' });
  assert.equal(await refused(it.pay({ ...quote, confirmation: others })), 'confirmation_required');
  assert.equal(await refused(it.pay({ ...quote, selectedIndex: 7, confirmation })), 'invalid_input');
  assert.equal(signer.asked.length, 0);
  const [one, two] = await Promise.all([it.pay({ ...quote, confirmation }), it.pay({ ...quote, confirmation })]);
  assert.deepEqual([one.status, two.status].sort(), ['pending', 'success']);
  assert.deepEqual([signer.asked.length, shop.payments().length], [1, 1]);
  assert.deepEqual(await it.pay({ ...quote, confirmation: '' }), one.status === 'success' ? one : two, 'the outcome is kept');
  assert.deepEqual([signer.asked.length, shop.payments().length], [1, 1]);
});

test('a card that was put up again needs a new yes', async () => {
  const { desk: it, signer } = desk();
  const quote = await quoted(it);
  await it.card(quote);
  const { confirmation = '' } = await it.confirm({ ...quote, answer: 'yes' });
  await it.card({ ...quote, others: true });
  assert.equal(await refused(it.pay({ ...quote, selectedIndex: 0, confirmation })), 'confirmation_required');
  assert.equal(signer.asked.length, 0);
});

test('terms of version 1 show their amount and are paid by X-PAYMENT', async () => {
  shop.answers = (request, response) => {
    if (request.headers['x-payment'] !== undefined) return serve(response);
    response
      .writeHead(402, { 'content-type': 'application/json' })
      .end(JSON.stringify({ x402Version: 1, error: 'pay', accepts: [{ ...OFFER_V1, resource: `${shop.url}/report` }] }));
  };
  const { desk: it } = desk();
  const quote = await quoted(it);
  const card = await it.card(quote);
  assert.equal(card.lines.find(({ label }) => label === 'Amount')?.value, '`0.01 USDC (10000)`');
  const { confirmation = '' } = await it.confirm({ ...quote, answer: 'yes' });
  assert.equal(paid(await it.pay({ ...quote, confirmation })).status, 'success');
  const sent = JSON.parse(Buffer.from(shop.payments()[0] ?? '', 'base64').toString()) as Json;
  assert.deepEqual(
    [sent['x402Version'], sent['scheme'], sent['network'], Object.keys(sent['payload'] as Json).sort()],
    [1, 'exact', 'base-sepolia', ['authorization', 'signature']],
  );
});

/** A back end that pays in the way of a deferred or bounded scheme, as a control plane may. */
const plane = (settled: Json): PaymentDeskOptions['client'] => ({
  preparePaidRequest: async (url, _, { challenge } = {}) =>
    ({
      kind: 'ready',
      protocol: 'x402',
      request: { url, method: 'GET' },
      challenge,
      hints: { requestBodyFields: [], requestQueryParams: [], requestPathParams: [], notes: [] },
      validationIssues: [],
      nextAction: 'execute',
    }) as never,
  executePreparedRequest: async () =>
    ({
      kind: 'success',
      protocol: 'x402',
      response: new Response(GOODS, { headers: { 'payment-response': base64(JSON.stringify(settled)) } }),
    }) as never,
});

for (const [name, scheme, settled, status, text] of [
  [
    'a deferred payment that is pending is settling',
    'aggr_deferred',
    { success: true, status: 'pending' },
    'pending',
    'Delivered. The payment of 1 USDC (1000000) is settling.',
  ],
  ['a bounded payment that cost nothing is not charged', 'upto', { success: true, amount: '0' }, 'success', 'Delivered, and not charged.'],
  [
    'a bounded payment says what it cost',
    'upto',
    { success: true, amount: '400', transaction: TRANSACTION },
    'success',
    `Paid 0.0004 USDC (400). Transaction: \`${TRANSACTION}\`.`,
  ],
] as const) {
  test(name, async () => {
    shop.answers = (_, response) => ask(response, terms([{ ...OFFER, scheme, amount: '1000000' }]));
    const it = createPaymentDesk({ client: plane(settled) });
    const quote = await quoted(it);
    const card = await it.card(quote);
    assert.equal(
      card.lines.find(({ label }) => label === 'Amount')?.value,
      scheme === 'upto' ? '`up to 1 USDC (1000000)`' : '`1 USDC (1000000)`',
    );
    const { confirmation = '' } = await it.confirm({ ...quote, answer: 'yes' });
    const outcome = paid(await it.pay({ ...quote, confirmation }));
    assert.deepEqual([outcome.status, outcome.text], [status, text]);
  });
}

test('a refusal after the payment is told in one line', async () => {
  shop.answers = (request, response) =>
    paymentOf(request) === undefined
      ? ask(response)
      : response.writeHead(402, { 'content-type': 'application/json' }).end('{"reason":"","detail":"too late","code":7}');
  const { desk: it } = desk();
  const quote = await quoted(it);
  await it.card(quote);
  const { confirmation = '' } = await it.confirm({ ...quote, answer: 'yes' });
  const outcome = paid(await it.pay({ ...quote, confirmation }));
  assert.deepEqual([outcome.status, outcome.text], ['failed', '❌ Seller rejected: too late (code 7, HTTP 402)']);
});

test('an answer that is no 402 is handed over, and nothing else', async () => {
  shop.answers = (_, response) => response.writeHead(200, { 'payment-required': base64(JSON.stringify(terms())) }).end('{"x402Version":1}');
  const { desk: it, signer } = desk();
  const free = await it.quote({ url: shop.url });
  assert.ok(!free.needsConfirm);
  assert.deepEqual([await free.result.text(), shop.requests.length, signer.asked.length], ['{"x402Version":1}', 1, 0]);
});

test('an earlier yes confirms nothing later: each quote has its own card', async () => {
  const { desk: it, signer } = desk();
  const first = await quoted(it);
  await it.card(first);
  const { confirmation = '' } = await it.confirm({ ...first, answer: 'yes' });
  await it.pay({ ...first, confirmation });
  const second = await quoted(it);
  assert.equal((await it.pay(second)).status, 'confirming');
  assert.equal(await refused(it.pay({ ...second, confirmation })), 'confirmation_required');
  assert.deepEqual([signer.asked.length, shop.payments().length], [1, 1]);
});

test('a quote ends after 300 seconds, and belongs to its owner', async () => {
  let now = 1_000_000;
  const { desk: it, signer } = desk({ now: () => now });
  const quote = await quoted(it, { owner: 'ann' });
  const mine = { ...quote, owner: 'ann' };
  assert.equal(await refused(it.card(quote)), 'cross_user_payment_id');
  await it.card(mine);
  const { confirmation = '' } = await it.confirm({ ...mine, answer: 'yes' });
  assert.equal(await refused(it.pay({ ...quote, confirmation })), 'cross_user_payment_id');
  now += 301_000;
  assert.equal(await refused(it.pay({ ...mine, confirmation })), 'quote_expired_or_missing');
  assert.equal(await refused(it.pay({ paymentId: 'pay-unknown', confirmation })), 'quote_expired_or_missing');
  assert.deepEqual([signer.asked.length, quote.expiresAt], [0, new Date(1_300_000).toISOString()]);
});

for (const [status, headers, code, message] of [
  [405, { allow: 'POST' }, 'unsupported', 'The endpoint does not take GET: retry with POST.'],
  [401, {}, 'auth_required', 'The endpoint wants a login: HTTP 401.'],
  [403, {}, 'auth_required', 'The endpoint wants a login: HTTP 403.'],
  [503, {}, 'endpoint_server_error', 'The endpoint failed: HTTP 503.'],
] as const) {
  test(`an endpoint that answers ${status} gives no quote: ${code}`, async () => {
    shop.answers = (_, response) => response.writeHead(status, headers).end();
    await assert.rejects(desk().desk.quote({ url: shop.url }), { name: 'PaymentDeskError', code, message });
  });
}

test('an endpoint that does not answer, and terms that nobody here can pay, give no quote', async () => {
  assert.equal(
    await refused(
      desk({
        fetch: async () => {
          throw new TypeError('fetch failed');
        },
      }).desk.quote({ url: shop.url }),
    ),
    'endpoint_unreachable',
  );
  shop.answers = (_, response) =>
    response.writeHead(402, { 'www-authenticate': 'Payment id="a", realm="x", method="tempo", intent="charge", request="e30"' }).end();
  await assert.rejects(desk().desk.quote({ url: shop.url }), {
    code: 'unsupported',
    message: 'The seller takes payments by tempo, which is not supported.',
  });
});

test('a challenge that has ended is asked for again, and never signed', async () => {
  const request = Buffer.from(
    JSON.stringify({ amount: '10000', currency: USDC, methodDetails: { chainId: 84532 }, recipient: PAYEE }),
  ).toString('base64url');
  const challenge = (expires: string) =>
    `Payment id="a", realm="127.0.0.1", method="evm", intent="charge", request="${request}", expires="${expires}"`;
  const ends = ['2020-01-01T00:00:00Z', new Date(Date.now() + 240_000).toISOString()];
  shop.answers = (_, response) => response.writeHead(402, { 'www-authenticate': challenge(ends.shift() ?? '2020-01-01T00:00:00Z') }).end();
  const { desk: it, signer } = desk();
  const quote = await quoted(it);
  const card = await it.card(quote);
  assert.deepEqual(
    card.lines.map(({ label, value }) => `${label}: ${value}`),
    [
      'Payment type: one-shot payment',
      'Network: `Base Sepolia` (`eip155:84532`)',
      `Token: \`USDC\` (\`${USDC}\`)`,
      'Amount per request: `0.01 USDC (10000)`',
      `Pay to: \`${PAYEE}\``,
      'Who pays gas: the seller',
    ],
  );
  assert.deepEqual([shop.requests.length, signer.asked.length], [2, 0]);
  assert.equal(await refused(desk().desk.quote({ url: shop.url })), 'unsupported');
});

test('a free tool over MCP gives its result, and no payment is made up', async () => {
  const signer = watchedSigner();
  const fetch = mcpFetch(async () => ({ content: [{ type: 'text', text: 'sunny' }] }));
  const it = createPaymentDesk({ client: createLocalAgentClient({ signer, fetch }), fetch });
  const free = await it.quote({ url: mcpToolUrl('weather', 'forecast'), method: 'POST', body: '{}' });
  assert.ok(!free.needsConfirm);
  assert.deepEqual([await free.result.json(), signer.asked.length], [{ content: [{ type: 'text', text: 'sunny' }] }, 0]);
});

test('parameters come from what the terms declare; what is missing is one question, and values go where they belong', async () => {
  const input = {
    type: 'http',
    method: 'POST',
    bodyFields: { topic: { type: 'string', required: true }, depth: { type: 'number' } },
    queryParams: { lang: { type: 'string', required: true } },
  };
  const declared = { ...OFFER, outputSchema: { input } };
  const plan = parameterPlan({ method: 'POST', url: 'https://shop.example/r?lang=en', body: '{"depth":2}' }, header([declared]));
  assert.deepEqual(
    plan.params.map(({ name, carrier, required, source, value }) => [name, carrier, required, source, value]),
    [
      ['lang', 'query', true, 'context', 'en'],
      ['topic', 'body', true, 'prompt', undefined],
      ['depth', 'body', false, 'context', 2],
    ],
  );
  assert.deepEqual([plan.missingParams, plan.question], [['topic'], 'Please give a value for each of: `topic`.']);
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response, terms([declared])) : serve(response));
  const { desk: it } = desk();
  const quote = await quoted(it, { method: 'POST', body: '{"depth":2}', params: { topic: 'rain', lang: 'en' } });
  const card = await it.card(quote);
  assert.deepEqual(
    [quote.missingParams, card.lines.filter(({ label }) => label === 'Parameter').map(({ value }) => value)],
    [[], ['`lang` = `en`', '`topic` = `rain`', '`depth` = `2`']],
  );
  const { confirmation = '' } = await it.confirm({ ...quote, answer: 'yes' });
  assert.equal(paid(await it.pay({ ...quote, confirmation })).status, 'success');
  assert.equal(shop.requests.at(-1)?.url, '/report?lang=en');
  assert.equal(await refused(it.quote({ url: shop.url, params: [] as never })), 'invalid_input');
});

test('a payment whose answer is lost is asked for again with the same bytes, without another confirmation', async () => {
  let loses = true;
  shop.answers = (request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    if (loses) return response.destroy();
    return serve(response);
  };
  const { desk: it, signer } = desk({}, { policy: { deadlineSecs: 1 } });
  const quote = await quoted(it);
  await it.card(quote);
  const { confirmation = '' } = await it.confirm({ ...quote, answer: 'yes' });
  const open = paid(await it.pay({ ...quote, confirmation }));
  assert.deepEqual([open.status, open.kind], ['pending', 'execution_inconclusive']);
  loses = false;
  const outcome = paid(await it.pay(quote));
  assert.deepEqual([outcome.status, outcome.response.body, signer.asked.length, new Set(shop.payments()).size], ['success', GOODS, 1, 1]);
});
