// Servers that want more than they may have: what each gets is a typed error, and never a signature too many.

import assert from 'node:assert/strict';
import type { RequestListener, ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';

import { privateKeyToAccount } from 'viem/accounts';

import { FareboxError, memoryStore, type PayOptions, payingFetch, receiptOf, type TypedData, wrapFetch } from '../../pkg/dist/index.js';
import {
  ask,
  base64,
  type Entry,
  GOODS,
  honest,
  type Json,
  OFFER,
  OFFER_V1,
  OTHER,
  open,
  PAYEE,
  PAYER,
  paymentOf,
  recordIn,
  type Spent,
  serve,
  settlement,
  TRANSACTION,
  terms,
  watchedSigner,
} from './shop.ts';

type Case = { readonly path?: string; readonly init?: RequestInit; readonly options?: Partial<PayOptions> };

/** One honest sale, so that budget and pins are not empty, then the hostile one at the same host. */
async function meet(t: TestContext, hostile: RequestListener, { path = '/hostile', init, options }: Case = {}) {
  const shop = await open((request, response) => (request.url === '/honest' ? honest : hostile)(request, response));
  t.after(shop.stop);
  const signer = watchedSigner();
  const store = memoryStore();
  // One moment throughout, so that what the budget counts and what is signed compare to the second.
  const moment = Math.floor(Date.now() / 1000);
  const fetch = payingFetch({ signer, store, now: () => moment, ...options });
  assert.equal(await (await fetch(`${shop.url}/honest`)).text(), GOODS);
  const before = await recordIn(store);
  signer.asked.length = 0;
  shop.requests.length = 0;
  const outcome = await fetch(`${shop.url}${path}`, init).then(
    (response) => ({ response }),
    (error: unknown) => ({ error }),
  );
  return { ...outcome, asked: signer.asked, before, after: await recordIn(store), shop };
}

type Met = Awaited<ReturnType<typeof meet>>;

/** The typed error, after checks that hold for every one. */
function errorOf(met: Met, code: string): FareboxError {
  const error = 'error' in met ? met.error : undefined;
  assert.ok(error instanceof FareboxError, `${String(error)} of ${JSON.stringify(met.shop.requests.map(({ url }) => url))}`);
  assert.equal(error.code, code, error.message);
  assert.match(error.remedy, /^\S.{10,}/);
  assert.match(error.message, /^[^\p{Cc}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\u2028\u2029]{10,600}$/u);
  return error;
}

/** Nothing was signed, and the budget is the same text as before. */
function assertNothingSigned(met: Met, code: string): FareboxError {
  const error = errorOf(met, code);
  assert.deepEqual([error.signed, error.payment, met.asked.length], [false, undefined, 0]);
  assert.equal(met.after, met.before);
  assert.deepEqual(
    met.shop.requests.map(paymentOf).filter((payment) => payment !== undefined),
    [],
  );
  return error;
}

/** One payment was signed, only that one was sent, and the budget counts exactly it. */
function assertSignedOnce(met: Met): void {
  assert.equal(met.asked.length, 1);
  const [{ message } = assert.fail()] = met.asked;
  const [before, after] = [met.before, met.after].map((text) => JSON.parse(text) as Spent) as [Spent, Spent];
  const [name = ''] = after.entries.at(-1) ?? [];
  assert.ok(/^[0-9a-f]{64}$/.test(name) && before.entries.every(([known]) => known !== name), name);
  const added: Entry = [
    name,
    Number(message['validBefore']) - OFFER.maxTimeoutSeconds,
    met.shop.host,
    message['to']?.toLowerCase() ?? '',
    `${message['value']}${'0'.repeat(12)}`,
  ];
  const [, , , payee] = added;
  // Each holds its payee for itself, because the other one may be let go.
  const held = [`${met.shop.host} ${OFFER.network}`, payee, name];
  assert.deepEqual(after, { ...before, entries: [...before.entries, added], pins: [...before.pins, held] });
}

function assertSigned(met: Met, code: string): FareboxError {
  const error = errorOf(met, code);
  assertSignedOnce(met);
  const sent = new Set(met.shop.requests.map(paymentOf).filter((payment) => payment !== undefined));
  assert.deepEqual([...sent], [error.payment?.header[1]]);
  assert.equal(error.signed, true);
  assert.equal(String(error.payment?.validBefore), met.asked[0]?.message['validBefore']);
  return error;
}

const offer = (change: Json): Json => ({ ...OFFER, ...change });
const extra = (change: Json): Json => offer({ extra: { ...OFFER.extra, ...change } });
const one = (accepted: Json) => (response: ServerResponse) => ask(response, terms([accepted]));
const bodyOf = (body: string) => (response: ServerResponse) => {
  response.writeHead(402, { 'content-type': 'application/json' }).end(body);
};

/** Terms of a gate behind a proxy that does not pass `Host` on. */
const ELSEWHERE = terms([OFFER], {
  resource: { url: 'https://127.0.0.1:1/hostile' },
  extensions: { 'offer-receipt': { info: { receipt: 'eip712' }, schema: {} } },
});

const unpayable: readonly (readonly [name: string, code: string, answer: (response: ServerResponse) => void])[] = [
  ['a price above the cap', 'policy_amount', one(offer({ amount: '1000001' }))],
  ['a price of 2^256 - 1', 'policy_amount', one(offer({ amount: String(2n ** 256n - 1n) }))],
  [
    'a price above the cap in version 1',
    'policy_amount',
    bodyOf(JSON.stringify({ x402Version: 1, error: '', accepts: [{ ...OFFER_V1, maxAmountRequired: '100001' }] })),
  ],
  ['another contract under the true name', 'policy_asset', one(offer({ asset: OTHER }))],
  ['the true contract under another name', 'policy_asset', one(extra({ name: 'US Dollar' }))],
  ['another contract to sign for', 'policy_asset', one(extra({ verifyingContract: OTHER }))],
  ['decimals that make the price look small', 'policy_amount', one(extra({ decimals: 18 }))],
  ['another payee than before', 'payee_changed', one(offer({ payTo: OTHER }))],
  ['a validity of ten years', 'policy_validity', one(offer({ maxTimeoutSeconds: 315_360_000 }))],
  ['a validity without an end', 'malformed_challenge', one(offer({ maxTimeoutSeconds: 1e300 }))],
  ['an unknown network', 'unsupported_network', one(offer({ network: 'eip155:424242' }))],
  ['a network of another kind', 'unsupported_network', one(offer({ network: 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp' }))],
  ['permit2 and nothing else', 'unsupported_scheme', one(extra({ assetTransferMethod: 'permit2' }))],
  ['a scheme that signs a limit', 'unsupported_scheme', one(offer({ scheme: 'upto' }))],
  ['a flow that nobody knows', 'unsupported_scheme', one(extra({ paymentFlow: 'magic' }))],
  ['receipts for another host', 'resource_mismatch', (response) => ask(response, ELSEWHERE)],
  ['nothing that is accepted', 'malformed_challenge', (response) => ask(response, terms([]))],
  [
    '300 offers, each too dear',
    'policy_amount',
    bodyOf(JSON.stringify({ x402Version: 1, error: '', accepts: new Array(300).fill(small('100001')) })),
  ],
  ['broken JSON', 'malformed_challenge', (response) => ask(response, JSON.stringify(terms()).slice(0, -1))],
  ['half a character', 'malformed_challenge', (response) => ask(response, JSON.stringify(terms([OFFER], { error: '\ud800' })))],
  [
    'two prices under one name',
    'malformed_challenge',
    (response) => ask(response, JSON.stringify(terms()).replace('"amount"', '"amount":"1","amount"')),
  ],
  [
    'two headers that differ',
    'malformed_challenge',
    (response) => {
      const [cheap, dear] = [offer({ amount: '1' }), OFFER].map((accepted) => base64(JSON.stringify(terms([accepted]))));
      response
        .writeHead(
          402,
          [
            ['payment-required', cheap ?? ''],
            ['payment-required', dear ?? ''],
          ].flat(),
        )
        .end();
    },
  ],
  ['a version that nobody speaks', 'unsupported_version', (response) => ask(response, { ...terms(), x402Version: 3 })],
  [
    'neither header nor terms',
    'malformed_challenge',
    (response) => {
      response.writeHead(402).end('pay me');
    },
  ],
  ['a header of 1 MB', 'malformed_challenge', (response) => ask(response, terms([OFFER], { error: 'x'.repeat(1 << 20) }))],
  ['a body of 1 MB', 'malformed_challenge', bodyOf(JSON.stringify({ x402Version: 1, error: 'x'.repeat(1 << 20), accepts: [OFFER_V1] }))],
  [
    'a body that breaks off',
    'malformed_challenge',
    (response) => {
      response.writeHead(402, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"x402Version":1,', () => response.destroy());
    },
  ],
];

for (const [name, code, answer] of unpayable) {
  //
  test(`${name}: ${code}, nothing signed`, async (t) => {
    assertNothingSigned(await meet(t, (_, response) => answer(response)), code);
  });
}

/** As short as terms can be. */
function small(price: string): Json {
  const { scheme, network, asset, payTo, maxTimeoutSeconds } = OFFER_V1;
  return { scheme, network, maxAmountRequired: price, asset, payTo, maxTimeoutSeconds };
}

test('of 300 offers one is signed, the cheapest of those that are looked at', async (t) => {
  const offers = Array.from({ length: 300 }, (_, index) => small(String(9_000 + ((index * 37) % 300))));
  const met = await meet(t, (request, response) => {
    if (paymentOf(request) === undefined) bodyOf(JSON.stringify({ x402Version: 1, error: '', accepts: offers }))(response);
    else response.end(GOODS);
  });
  assert.equal('response' in met && (await met.response.text()), GOODS);
  assertSignedOnce(met);
  assert.equal(met.asked[0]?.message['value'], '9000');
});

//
test('a redirect to another host that asks for payment: redirected, nothing signed', async (t) => {
  const elsewhere = await open((_, response) => ask(response));
  t.after(elsewhere.stop);
  const met = await meet(t, (_, response) => {
    response.writeHead(302, { location: `${elsewhere.url}/pay` }).end();
  });
  const error = assertNothingSigned(met, 'redirected');
  assert.deepEqual([error.response?.status, elsewhere.requests.length], [402, 1]);
});

test('a Request that follows no redirect follows none', async (t) => {
  const elsewhere = await open((_, response) => ask(response));
  t.after(elsewhere.stop);
  const shop = await open((_, response) => {
    response.writeHead(302, { location: elsewhere.url }).end();
  });
  t.after(shop.stop);
  const fetch = payingFetch({ signer: watchedSigner() });
  assert.equal((await fetch(new Request(shop.url, { redirect: 'manual' }))).status, 302);
  await assert.rejects(fetch(new Request(shop.url, { redirect: 'error' })), TypeError);
  assert.equal(elsewhere.requests.length, 0);
});

//
test('a redirect that comes after the payment is handed over, and no payment follows it', async (t) => {
  const elsewhere = await open((_, response) => serve(response));
  t.after(elsewhere.stop);
  const met = await meet(t, (request, response) => {
    if (paymentOf(request) === undefined) ask(response);
    else response.writeHead(307, { location: `${elsewhere.url}/paid` }).end();
  });
  assert.equal('response' in met && met.response.status, 307);
  assertSignedOnce(met);
  assert.equal(elsewhere.requests.length, 0);
});

test('a header of 1 MB over a fetch that reads it: malformed_challenge, nothing signed', async () => {
  const signer = watchedSigner();
  const store = memoryStore();
  const header = base64(JSON.stringify(terms([OFFER], { error: 'x'.repeat(1 << 20) })));
  const fetch = wrapFetch(async () => new Response('{}', { status: 402, headers: { 'payment-required': header } }), { signer, store });
  await assert.rejects(
    fetch('https://shop.example/'),
    (error) => error instanceof FareboxError && error.code === 'malformed_challenge' && !error.signed,
  );
  assert.deepEqual([signer.asked.length, (await store.read()).record], [0, undefined]);
});

const unsendable: readonly (readonly [name: string, code: string, init: () => RequestInit])[] = [
  ['a request that carries a payment', 'already_paying', () => ({ headers: { 'PAYMENT-SIGNATURE': 'e30=' } })],
  ['a request that carries a payment of version 1', 'already_paying', () => ({ headers: { 'X-PAYMENT': 'e30=' } })],
];

for (const [name, code, init] of unsendable) {
  test(`${name}: ${code}, before anything is sent`, async (t) => {
    const met = await meet(t, honest, { init: init() });
    assertNothingSigned(met, code);
    assert.equal(met.shop.requests.length, 0);
  });
}

/** Asks, and gives this to whoever paid. */
const afterPaying =
  (answer: (response: ServerResponse, url: string) => unknown): RequestListener =>
  (request, response) => {
    if (paymentOf(request) === undefined) ask(response);
    else answer(response, `http://${request.headers.host}${request.url}`);
  };

//
test('a server that asks again after every payment: payment_refused after one', async (t) => {
  const met = await meet(t, (_, response) => ask(response, terms([OFFER], { error: 'not\u202e enough' })));
  const error = assertSigned(met, 'payment_refused');
  assert.equal(error.response?.status, 402);
  assert.equal(met.shop.requests.length, 2);
});

/** A settlement with a receipt that this server signed, whatever it says. */
async function receipt(url: string, change: Json = {}, signature?: string): Promise<Json> {
  const payload = {
    version: 1,
    network: OFFER.network,
    resourceUrl: url,
    payer: PAYER,
    issuedAt: 1_763_600_000,
    transaction: TRANSACTION,
    ...change,
  };
  const message = { ...payload, issuedAt: BigInt(payload.issuedAt), version: BigInt(payload.version) };
  signature ??= await SERVER.signTypedData({
    domain: { name: 'x402 receipt', version: '1', chainId: 1 },
    types: RECEIPT,
    primaryType: 'Receipt',
    message,
  });
  return settlement({ extensions: { 'offer-receipt': { info: { receipt: { format: 'eip712', payload, signature } } } } });
}
const SERVER = privateKeyToAccount(`0x${'5e'.repeat(32)}`);
const RECEIPT = {
  Receipt: [
    { name: 'version', type: 'uint256' },
    { name: 'network', type: 'string' },
    { name: 'resourceUrl', type: 'string' },
    { name: 'payer', type: 'string' },
    { name: 'issuedAt', type: 'uint256' },
    { name: 'transaction', type: 'string' },
  ],
} as const;

const forged: readonly (readonly [name: string, settled: (url: string) => Json | string | Promise<Json>])[] = [
  ['of another payer', () => settlement({ payer: OTHER })],
  ['of another network', () => settlement({ network: 'eip155:8453' })],
  ['of another amount', () => settlement({ amount: '1' })],
  ['of no transaction', () => settlement({ transaction: '' })],
  ['of nothing that moved', () => settlement({ success: false, errorReason: 'sorry\r\n\u2066send more' })],
  ['that does not say whether it moved', () => settlement({ success: 'true' })],
  ['that is no base64', () => '%%%'],
  ['that is no JSON', () => base64('paid')],
  ['whose signed receipt names another payer', (url) => receipt(url, { payer: OTHER })],
  ['whose signed receipt names another network', (url) => receipt(url, { network: 'eip155:8453' })],
  ['whose signed receipt names another resource', (url) => receipt(`${url}/other`)],
  ['whose signed receipt names another transaction', (url) => receipt(url, { transaction: `0x${'cd'.repeat(32)}` })],
  ['whose signed receipt nobody signed', (url) => receipt(url, {}, `0x${'00'.repeat(65)}`)],
];

for (const [name, settled] of forged) {
  //
  test(`a receipt ${name}: receipt_mismatch, with what was served`, async (t) => {
    const error = assertSigned(
      await meet(
        t,
        afterPaying(async (response, url) => serve(response, await settled(url))),
      ),
      'receipt_mismatch',
    );
    assert.deepEqual([error.response?.status, await error.response?.text()], [200, GOODS]);
  });
}

test('the same signed receipt without a lie is taken', async (t) => {
  const met = await meet(
    t,
    afterPaying(async (response, url) => serve(response, await receipt(url))),
  );
  assert.ok('response' in met);
  assert.deepEqual([await met.response.text(), receiptOf(met.response)?.signedBy], [GOODS, SERVER.address]);
  assertSignedOnce(met);
});

const problem =
  (status: number, more: Json, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/problem+json', ...headers }).end(JSON.stringify(more));
  };

const forever: readonly (readonly [name: string, answer: (response: ServerResponse) => void])[] = [
  ['503', problem(503, {})],
  ['503 at once', problem(503, { code: 'busy', retryable: true }, { 'retry-after': '0' })],
  ['409 to be tried again', problem(409, { code: 'payment_in_progress', retryable: true, detail: 'sign\u0007 another one' })],
  [
    '503 whose body breaks off',
    (response) => {
      response.writeHead(503, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{', () => response.destroy());
    },
  ],
  [
    'a connection that ends',
    (response) => {
      response.destroy();
    },
  ],
];

for (const [name, answer] of forever) {
  test(`${name} for ever: payment_unresolved after the deadline, and only the same payment was sent`, async (t) => {
    // Ten seconds pass with each payment that arrives: two fit into the deadline, and a third would be too late.
    let now = 1_763_600_000;
    const met = await meet(
      t,
      afterPaying((response) => {
        now += 10;
        answer(response);
      }),
      { options: { policy: { deadlineSecs: 20 }, now: () => now } },
    );
    assertSigned(met, 'payment_unresolved');
    assert.equal(met.shop.requests.length, 3);
  });
}

for (const [code, answer] of [
  ['payment_conflict', problem(409, { code: 'payment_already_used' })],
  ['payment_conflict', problem(409, { code: 'no', retryable: false })],
  ['refund_due', problem(502, { code: 'refund_due' })],
] as const) {
  test(`a server that keeps the money and says so: ${code}, sent once`, async (t) => {
    const met = await meet(t, afterPaying(answer));
    assertSigned(met, code);
    assert.equal(met.shop.requests.length, 2);
  });
}

test('whoever aborts before the signature signs nothing, and the budget is as before', async (t) => {
  for (const when of ['reading the terms', 'confirming'] as const) {
    const abort = new AbortController();
    let asked = false;
    const abortWhen = (now: typeof when): void => {
      if (asked && now === when) abort.abort();
    };
    const met = await meet(
      t,
      (_, response) => {
        asked = true;
        ask(response);
      },
      {
        init: { signal: abort.signal },
        options: {
          now: () => {
            abortWhen('reading the terms');
            return 1_763_600_000;
          },
          confirm: () => {
            abortWhen('confirming');
            return true;
          },
        },
      },
    );
    assert.equal('error' in met && (met.error as Error).name, 'AbortError');
    assert.deepEqual([met.asked.length, met.after], [0, met.before]);
  }
});

test('whoever aborts after the signature is told which payment was sent', async (t) => {
  const abort = new AbortController();
  const met = await meet(
    t,
    afterPaying(() => abort.abort()),
    { init: { signal: abort.signal } },
  );
  assertSigned(met, 'aborted');
});

test('a wallet that will not ask for the answer again has still paid, and the error says so', async (t) => {
  const delivered = problem(409, {
    type: 'urn:farebox:problem:payment_already_delivered',
    code: 'payment_already_delivered',
    retryable: false,
  });
  const wallet = watchedSigner();
  const met = await meet(t, afterPaying(delivered), {
    options: {
      signer: {
        request: async ({ method, params = [] }) => {
          if (method === 'eth_requestAccounts') return [PAYER];
          if (method === 'eth_chainId') return '0x14a34';
          const typedData = JSON.parse(String(params[1])) as TypedData;
          if (typedData.primaryType === 'Redelivery') throw Object.assign(new Error('no'), { code: 4001 });
          return wallet.sign(typedData);
        },
      },
    },
  });
  const error = errorOf(met, 'wallet_rejected');
  assert.deepEqual([error.signed, error.payment?.header[1]], [true, paymentOf(met.shop.requests.at(-1) ?? assert.fail())]);
});

test('the honest shop sells at the honest price', async (t) => {
  const met = await meet(t, honest);
  assert.equal('response' in met && (await met.response.text()), GOODS);
  assertSignedOnce(met);
  assert.deepEqual([met.asked[0]?.message['to'], met.asked[0]?.message['value']], [PAYEE, OFFER.amount]);
});
