// What is given in the wrong place or of the wrong type: told by name, as every other error, and never shown. It may be a key.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { fileStore } from '../../pkg/dist/file-store.js';
import * as everything from '../../pkg/dist/index.js';
import {
  authorizationTypedData,
  decodeHeader,
  encodeHeader,
  endpointsOf,
  FareboxError,
  formatAmount,
  hashTypedData,
  keccak256,
  localSigner,
  memoryStore,
  payingFetch,
  paymentAuthorization,
  paymentKey,
  receiptSigner,
  recoverSigner,
  redeliveryHeader,
  redeliveryTypedData,
  sellerError,
  viemSigner,
  walletSigner,
  wrapFetch,
} from '../../pkg/dist/index.js';
import { objectStore } from '../../pkg/dist/object-store.js';
import { ask, honest, open, PAYER, PAYER_KEY, serve } from './shop.ts';

const KEY = `0x${'5ec2e7'.repeat(10)}abcd`;
const signer = localSigner(`0x${'11'.repeat(32)}`);
const cycle: Record<string, unknown> = { [KEY]: KEY };
cycle['again'] = cycle;

/** The key in every shape in which it may come. */
const WRONG: Readonly<Record<string, unknown>> = {
  'a text': KEY,
  'a number': Number(KEY),
  'a big integer': BigInt(KEY),
  bytes: Buffer.from(KEY.slice(2), 'hex'),
  'a list': [KEY],
  'an object': { key: KEY, [KEY]: 1 },
  'an object that holds itself': cycle,
  'a function': Object.assign(() => KEY, { key: KEY }),
  'a symbol': Symbol(KEY),
  nothing: undefined,
  null: null,
};

/** What throws the key at whoever reads a member of it. */
const hostile = (): never => {
  throw new Error(KEY);
};
const guarded = new Proxy({}, { get: hostile, has: hostile, ownKeys: hostile, getPrototypeOf: hostile });

/** What else a caller may pass in place of anything. */
const ANYTHING: Readonly<Record<string, unknown>> = {
  ...WRONG,
  'a small number': 1,
  'no number': NaN,
  'a small big integer': 1n,
  'an empty object': {},
  'an empty list': [],
  'no text': '',
  'a huge text': KEY.repeat(50_000),
  'an object whose member throws': Object.defineProperty({}, 'sign', { enumerable: true, get: hostile }),
  'an object that lets no one in': guarded,
  'an object whose text throws': { toString: hostile, valueOf: hostile, toJSON: hostile },
};

/** Every character of it that may have been told, in any form of a number. */
function showsKey(error: unknown): boolean {
  const said = `${inspect(error, { depth: 9 })} ${String(error)} ${JSON.stringify(error)}`.toLowerCase();
  return [KEY.slice(2, 34), String(BigInt(KEY)).slice(0, 12), String(Number(KEY)).slice(0, 8), '5e, c2, e7', '94,194,231'].some((part) =>
    said.includes(part),
  );
}

function isQuiet(error: unknown, codes: readonly string[]): true {
  assert.ok(error instanceof FareboxError, inspect(error));
  assert.equal(showsKey(error), false, inspect(error));
  assert.ok(codes.includes(error.code), error.code);
  assert.equal(error.signed, false);
  return true;
}

/** The functions of every entry; classes are made by the package itself. */
const EXPORTS = Object.entries<unknown>({ ...everything, fileStore, objectStore }).filter(
  (entry): entry is [string, (...values: unknown[]) => unknown] => typeof entry[1] === 'function' && entry[1] !== FareboxError,
);

for (const [name, call] of EXPORTS) {
  //
  test(`${name} takes any value in any place: what it cannot use is a FareboxError that shows nothing`, async () => {
    for (const [kind, value] of Object.entries(ANYTHING)) {
      for (const given of [[value], [value, value], [value, value, value], ['', value], [signer, value], [402, value], [() => {}, value]]) {
        const thrown = await Promise.resolve()
          .then(() => call(...given))
          .then(
            () => undefined,
            (error: unknown) => error,
          );
        assert.ok(thrown === undefined || isQuiet(thrown, [(thrown as FareboxError).code]), `${name}: ${kind}`);
      }
    }
  });
}

test('the functions of a signer and of a wallet take any value as well', async () => {
  const { sign } = localSigner(PAYER_KEY);
  for (const [kind, value] of Object.entries(ANYTHING)) {
    await assert.rejects(sign(value as never), (error) => isQuiet(error, ['invalid_argument', 'invalid_typed_data']), kind);
  }
});

test('a private key as text is a signer, with 0x and without it, and with the line break of a file', async (t) => {
  const shop = await open(honest);
  t.after(() => shop.stop());
  const texts = [PAYER_KEY, PAYER_KEY.slice(2), PAYER_KEY.slice(2).toUpperCase(), `${PAYER_KEY}\n`];
  for (const text of texts) {
    assert.equal(await localSigner(text).address(), PAYER);
    const response = await payingFetch({ signer: text })(shop.url);
    assert.equal(everything.receiptOf(response)?.payer, PAYER);
  }
});

//
test('a key that is not set is told as that, and one of another form is not shown', () => {
  assert.throws(
    () => payingFetch({ signer: undefined }),
    (error) => isQuiet(error, ['invalid_signer']) && /not set/.test((error as Error).message),
  );
  assert.throws(
    () => localSigner(undefined),
    (error) => isQuiet(error, ['invalid_key']) && /not set/.test((error as Error).message),
  );
  for (const text of ['', KEY.slice(0, 40), `${KEY}00`, `0x0x${KEY}`, `${'00'.repeat(32)}`, KEY.repeat(50_000)]) {
    assert.throws(
      () => payingFetch({ signer: text }),
      (error) => isQuiet(error, ['invalid_key']),
    );
  }
});

test('a form or a stream goes out unpaid first, and is refused only when the server asks for a payment', async (t) => {
  const free = await open((_, response) => serve(response, '{}'));
  const priced = await open(honest);
  t.after(() => Promise.all([free.stop(), priced.stop()]));
  const form = (): FormData => {
    const it = new FormData();
    it.set('a', 'b');
    return it;
  };
  const stream = (): ReadableStream => new Blob(['abc']).stream();
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode('abc');
  }
  for (const body of [form, stream, pieces]) {
    const fetch = payingFetch({ signer: PAYER_KEY });
    const init = (): RequestInit => ({ method: 'POST', body: body() as BodyInit, duplex: 'half' }) as RequestInit;
    assert.equal((await fetch(free.url, init())).status, 200, body.name);
    await assert.rejects(
      fetch(priced.url, init()),
      (error) => isQuiet(error, ['body_not_replayable']) && (error as FareboxError).response?.status === 402,
    );
  }
  assert.match(free.requests[0]?.headers['content-type'] ?? '', /^multipart\/form-data; boundary=/);
  assert.equal(priced.requests.length, 3, 'each went out once');
});

test('a body that is none is told before anything is sent', async () => {
  const fetch = wrapFetch(() => assert.fail('nothing is sent'), { signer });
  for (const body of [{ key: KEY }, 12, () => KEY, guarded, Symbol(KEY)]) {
    await assert.rejects(fetch('https://shop.example/', { method: 'POST', body: body as never }), (error) =>
      isQuiet(error, ['invalid_request']),
    );
  }
});

type Take = (wrong: never) => unknown;
const GIVEN: readonly (readonly [what: string, code: string, take: Take, fine?: readonly string[]])[] = [
  ['the options', 'invalid_options invalid_signer', (it) => payingFetch(it)],
  ['the signer', 'invalid_signer', (it) => payingFetch({ signer: it }), ['a text']],
  ['the policy', 'invalid_policy', (it) => payingFetch({ signer, policy: it }), ['nothing', 'null', 'a number']],
  ['the cap of a policy', 'invalid_policy', (it) => payingFetch({ signer, policy: { perDay: it } }), ['nothing']],
  ['the hosts of a policy', 'invalid_policy', (it) => payingFetch({ signer, policy: { hosts: it } }), ['nothing', 'a list']],
  ['an asset of a policy', 'invalid_policy', (it) => payingFetch({ signer, policy: { assets: [it] } }), ['a text']],
  ['the store', 'invalid_options', (it) => payingFetch({ signer, store: it }), ['nothing', 'null']],
  ['confirm', 'invalid_options', (it) => payingFetch({ signer, confirm: it }), ['nothing', 'a function']],
  ['broadcast', 'invalid_options', (it) => payingFetch({ signer, broadcast: it }), ['nothing', 'a function']],
  ['the clock', 'invalid_options', (it) => payingFetch({ signer, now: it }), ['nothing', 'a function']],
  ['identifier', 'invalid_options', (it) => payingFetch({ signer, identifier: it }), ['nothing']],
  ['the fetch that is wrapped', 'invalid_options', (it) => wrapFetch(it, { signer }), ['a function']],
  ['a key', 'invalid_key', (it) => localSigner(it), ['a text']],
  ['an account', 'invalid_signer', (it) => viemSigner(it)],
  ['the address of an account', 'invalid_signer', (it) => viemSigner({ address: it, signTypedData: async () => '' }), ['a text']],
  ['a wallet', 'invalid_signer', (it) => walletSigner(it)],
  [
    'the address of a wallet',
    'invalid_signer',
    (it) => walletSigner({ request: async () => '' }, { address: it }),
    ['a text', 'nothing', 'null'],
  ],
  ['a folder', 'invalid_argument', (it) => fileStore(it), ['a text']],
  ['an object of the platform', 'invalid_argument', (it) => objectStore(it)],
  ['a header', 'invalid_argument invalid_header', (it) => decodeHeader(it)],
  ['a value for a header', 'invalid_argument', (it) => encodeHeader(it), ['a text', 'a number', 'bytes', 'a list', 'an object', 'null']],
  ['a credential', 'invalid_argument invalid_header', (it) => paymentAuthorization(it)],
  ['a refusal', 'invalid_argument', (it) => sellerError(402, it), ['a text', 'bytes']],
  ['an amount', 'invalid_argument invalid_amount', (it) => formatAmount(it, 'USDC'), ['a big integer']],
  [
    'a token',
    'invalid_argument invalid_amount',
    (it) => formatAmount('1', it),
    Object.keys(WRONG).filter((kind) => !['nothing', 'null'].includes(kind)),
  ],
  ['typed data', 'invalid_argument invalid_typed_data', (it) => hashTypedData(it)],
  [
    'a signature',
    'invalid_argument invalid_signature invalid_typed_data',
    (it) => recoverSigner({ domain: {}, types: {}, primaryType: 'A', message: {} }, it),
  ],
  ['what is hashed', 'invalid_argument', (it) => keccak256(it), ['a text', 'bytes']],
  [
    'an authorization',
    'invalid_argument',
    (it) => authorizationTypedData({ name: '', version: '', chainId: 1, verifyingContract: '' }, it),
    Object.keys(WRONG).filter((kind) => !['nothing', 'null'].includes(kind)),
  ],
  ['a payment', 'invalid_argument invalid_payment', (it) => paymentKey(it)],
  ['a statement', 'invalid_argument invalid_payment', (it) => redeliveryTypedData(it)],
  [
    'a signed statement',
    'invalid_argument invalid_payment invalid_signature invalid_typed_data',
    (it) => redeliveryHeader(it, ''),
    ['a text', 'a number', 'bytes', 'a list', 'an object', 'null'],
  ],
  ['a receipt', 'invalid_argument invalid_receipt', (it) => receiptSigner(it)],
];

for (const [what, codes, take, fine = []] of GIVEN) {
  test(`${what} of a wrong type is told by its name and never shown`, () => {
    for (const [kind, wrong] of Object.entries(WRONG).filter(([kind]) => !fine.includes(kind))) {
      assert.throws(
        () => take(wrong as never),
        (error) => isQuiet(error, codes.split(' ')),
        `${what}: ${kind}`,
      );
    }
  });
}

test('what cannot be a request is told without it', async () => {
  const fetch = wrapFetch(async () => new Response(), { signer });
  const requests: readonly (readonly [url: string, init?: RequestInit])[] = [
    [KEY],
    [`https://shop.example:${KEY}/`],
    [`https://payer:${KEY}@shop.example/`],
    ['https://shop.example/', { headers: { authorization: `Bearer ${KEY}\u0000` } }],
    ['https://shop.example/', { headers: { [`a b${KEY}`]: 'x' } }],
  ];
  for (const [url, init] of requests) await assert.rejects(fetch(url, init), (error) => isQuiet(error, ['invalid_request']), url);
});

test('a request that is none, or options of one, are told without them', async () => {
  const fetch = wrapFetch(async () => new Response(), { signer });
  for (const [kind, value] of Object.entries(ANYTHING)) {
    await assert.rejects(fetch(value as never), (error) => isQuiet(error, ['invalid_request']), kind);
  }
  for (const init of [
    guarded,
    { method: Symbol(KEY) },
    { method: 12 },
    Object.defineProperty({}, 'signal', { enumerable: true, get: hostile }),
  ]) {
    await assert.rejects(
      fetch('https://shop.example/', init as never),
      (error) => isQuiet(error, ['invalid_request']),
      inspect(init, { showProxy: false, depth: 0 }),
    );
  }
});

test('an endpoint that is none is told without it', async () => {
  const { reenable, approve } = endpointsOf(memoryStore());
  for (const wrong of Object.values(WRONG)) {
    for (const open of [reenable, approve])
      await assert.rejects(open(wrong as never), (error) => isQuiet(error, ['invalid_argument']), inspect(wrong));
  }
});

test('a signer that gives no text for its address, or for its signature, is told without what it gave', async (t) => {
  const shop = await open((_, response) => ask(response));
  t.after(() => shop.stop());
  for (const wrong of Object.values(WRONG).filter((it) => typeof it !== 'symbol')) {
    const nobody = payingFetch({ signer: { address: async () => wrong as never, sign: async () => '' } });
    await assert.rejects(nobody(shop.url), (error) => isQuiet(error, ['invalid_signer']), inspect(wrong));
    const odd = payingFetch({ signer: { address: () => signer.address(), sign: async () => wrong as never } });
    await assert.rejects(
      odd(shop.url),
      (error) => error instanceof FareboxError && error.code === 'wrong_signature' && !showsKey(error.message),
      inspect(wrong),
    );
  }
});
