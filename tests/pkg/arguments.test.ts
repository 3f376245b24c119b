// What is given in the wrong place or of the wrong type: told by name, as every other error, and never shown. It may be a key.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';

import {
  authorizationTypedData, decodeHeader, encodeHeader, endpointsOf, FareboxError, formatAmount, hashTypedData, keccak256, localSigner,
  memoryStore, paymentAuthorization, paymentKey, payingFetch, receiptSigner, recoverSigner, redeliveryHeader, redeliveryTypedData, sellerError,
  viemSigner, walletSigner, wrapFetch,
} from '../../pkg/dist/index.js';
import { fileStore } from '../../pkg/dist/file-store.js';
import { objectStore } from '../../pkg/dist/object-store.js';
import { ask, open } from './shop.ts';

const KEY = `0x${'5ec2e7'.repeat(10)}abcd`;
const signer = localSigner(`0x${'11'.repeat(32)}`);
const cycle: Record<string, unknown> = { [KEY]: KEY };
cycle['again'] = cycle;

/** The key in every shape in which it may come. */
const WRONG: Readonly<Record<string, unknown>> = {
  'a text': KEY,
  'a number': Number(KEY),
  'a big integer': BigInt(KEY),
  'bytes': Buffer.from(KEY.slice(2), 'hex'),
  'a list': [KEY],
  'an object': { key: KEY, [KEY]: 1 },
  'an object that holds itself': cycle,
  'a function': Object.assign(() => KEY, { key: KEY }),
  'a symbol': Symbol(KEY),
  'nothing': undefined,
  'null': null,
};

/** Every character of it that may have been told, in any form of a number. */
function showsKey(error: unknown): boolean {
  const said = `${inspect(error, { depth: 9 })} ${String(error)} ${JSON.stringify(error)}`.toLowerCase();
  return [KEY.slice(2, 34), String(BigInt(KEY)).slice(0, 12), String(Number(KEY)).slice(0, 8), '5e, c2, e7', '94,194,231'].some((part) => said.includes(part));
}

function isQuiet(error: unknown, codes: readonly string[]): true {
  assert.ok(error instanceof FareboxError, inspect(error));
  assert.equal(showsKey(error), false, inspect(error));
  assert.ok(codes.includes(error.code), error.code);
  assert.equal(error.signed, false);
  return true;
}

type Take = (wrong: never) => unknown;
const GIVEN: readonly (readonly [what: string, code: string, take: Take, fine?: readonly string[]])[] = [
  ['the options', 'invalid_options invalid_signer', (it) => payingFetch(it)],
  ['the signer', 'invalid_signer', (it) => payingFetch({ signer: it })],
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
  ['the address of a wallet', 'invalid_signer', (it) => walletSigner({ request: async () => '' }, { address: it }), ['a text', 'nothing', 'null']],
  ['a folder', 'invalid_argument', (it) => fileStore(it), ['a text']],
  ['an object of the platform', 'invalid_argument', (it) => objectStore(it)],
  ['a header', 'invalid_argument invalid_header', (it) => decodeHeader(it)],
  ['a value for a header', 'invalid_argument', (it) => encodeHeader(it), ['a text', 'a number', 'bytes', 'a list', 'an object', 'null']],
  ['a credential', 'invalid_argument invalid_header', (it) => paymentAuthorization(it)],
  ['a refusal', 'invalid_argument', (it) => sellerError(402, it), ['a text', 'bytes']],
  ['an amount', 'invalid_argument invalid_amount', (it) => formatAmount(it, 'USDC'), ['a big integer']],
  ['a token', 'invalid_argument invalid_amount', (it) => formatAmount('1', it), Object.keys(WRONG).filter((kind) => !['nothing', 'null'].includes(kind))],
  ['typed data', 'invalid_argument invalid_typed_data', (it) => hashTypedData(it)],
  ['a signature', 'invalid_argument invalid_signature invalid_typed_data', (it) => recoverSigner({ domain: {}, types: {}, primaryType: 'A', message: {} }, it)],
  ['what is hashed', 'invalid_argument', (it) => keccak256(it), ['a text', 'bytes']],
  ['an authorization', 'invalid_argument', (it) => authorizationTypedData({ name: '', version: '', chainId: 1, verifyingContract: '' }, it), Object.keys(WRONG).filter((kind) => !['nothing', 'null'].includes(kind))],
  ['a payment', 'invalid_argument invalid_payment', (it) => paymentKey(it)],
  ['a statement', 'invalid_argument invalid_payment', (it) => redeliveryTypedData(it)],
  ['a signed statement', 'invalid_argument invalid_payment invalid_signature invalid_typed_data', (it) => redeliveryHeader(it, ''), ['a text', 'a number', 'bytes', 'a list', 'an object', 'null']],
  ['a receipt', 'invalid_argument invalid_receipt', (it) => receiptSigner(it)],
];

for (const [what, codes, take, fine = []] of GIVEN) {
  test(`${what} of a wrong type is told by its name and never shown`, () => {
    for (const [kind, wrong] of Object.entries(WRONG).filter(([kind]) => !fine.includes(kind))) {
      assert.throws(() => take(wrong as never), (error) => isQuiet(error, codes.split(' ')), `${what}: ${kind}`);
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

test('an endpoint that is none is told without it', async () => {
  const { reenable, approve } = endpointsOf(memoryStore());
  for (const wrong of Object.values(WRONG)) {
    for (const open of [reenable, approve]) await assert.rejects(open(wrong as never), (error) => isQuiet(error, ['invalid_argument']), inspect(wrong));
  }
});

test('a signer that gives no text for its address, or for its signature, is told without what it gave', async (t) => {
  const shop = await open((_, response) => ask(response));
  t.after(() => shop.stop());
  for (const wrong of Object.values(WRONG).filter((it) => typeof it !== 'symbol')) {
    const nobody = payingFetch({ signer: { address: async () => wrong as never, sign: async () => '' } });
    await assert.rejects(nobody(shop.url), (error) => isQuiet(error, ['invalid_signer']), inspect(wrong));
    const odd = payingFetch({ signer: { address: () => signer.address(), sign: async () => wrong as never } });
    await assert.rejects(odd(shop.url), (error) => error instanceof FareboxError && error.code === 'wrong_signature' && !showsKey(error.message), inspect(wrong));
  }
});
