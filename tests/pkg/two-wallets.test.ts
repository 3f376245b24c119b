// Two wallets on one store: a token takes a nonce of each of them, so that what one has signed for a purchase does not make the other's void.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { memoryStore, type PayOptions, payingFetch, type Store, wrapFetch } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { apart, latch } from './scripted-exchange.ts';
import { ask, GOODS, type honest, OTHER, PAYER, paymentOf, serve, settlement, sharedShop, watchedSigner } from './shop.ts';

const shop = sharedShop();
const OTHER_KEY = '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d';
type Paid = { readonly payload: { readonly authorization: { readonly from: string; readonly nonce: string } } };
const authorizations = () => shop.payments().map((it) => (JSON.parse(atob(it)) as Paid).payload.authorization);
/** What can be charged: a nonce of each account once. */
const charges = (): number => new Set(authorizations().map(({ from, nonce }) => `${from} ${nonce}`)).size;
/** Delivers to whoever pays. */
const delivers: typeof honest = (request, response) => {
  const payment = paymentOf(request);
  if (payment === undefined) return ask(response);
  const { from } = (JSON.parse(atob(payment)) as Paid).payload.authorization;
  serve(response, settlement({ payer: from }));
};
const loses: typeof honest = (request, response) =>
  paymentOf(request) === undefined ? ask(response) : void response.writeHead(500).end('no');

/** A wallet that signs once it is let. */
function slow(key: string) {
  const [asks, lets] = [latch<void>(), latch<void>()];
  const wallet = watchedSigner(key);
  const sign: typeof wallet.sign = async (typedData) => {
    asks.opens();
    await lets.comes;
    return wallet.sign(typedData);
  };
  return { asks: asks.comes, go: () => lets.opens(), signer: { ...wallet, sign } };
}
const HEADERS = { 'idempotency-key': 'order-1' };
const process = (store: Store, more: Partial<PayOptions> = {}) =>
  payingFetch({ signer: watchedSigner(), store: apart(store), resume, policy: { deadlineSecs: 1 }, ...more });

//
test('what was delivered under a key to one wallet is not paid for again by another one', async () => {
  const store = memoryStore();
  shop.answers = delivers;
  assert.equal(await (await process(store)(`${shop.url}/a`, { headers: HEADERS })).text(), GOODS);
  const other = process(store, { signer: watchedSigner(OTHER_KEY) })(`${shop.url}/a`, { headers: HEADERS });
  await assert.rejects(other, { code: 'payment_conflict' });
  assert.deepEqual([charges(), authorizations()[0]?.from], [1, PAYER]);
  assert.equal(await (await process(store)(`${shop.url}/a`, { headers: HEADERS })).text(), GOODS, 'its own wallet asks for it again');
  assert.equal(charges(), 1);
});

//
test('of two wallets that pay for one key at once, the second one sends nothing while the first one may be charged', async () => {
  const store = memoryStore();
  const { asks, go, signer } = slow(OTHER_KEY);
  shop.answers = loses;
  const late = assert.rejects(process(store, { signer })(`${shop.url}/a`, { headers: HEADERS }), { code: 'payment_unresolved' });
  await asks;
  assert.equal((await process(store)(`${shop.url}/a`, { headers: HEADERS })).status, 500);
  go();
  await late;
  assert.deepEqual([charges(), authorizations()[0]?.from], [1, PAYER]);
});

//
test('of two wallets that go on with what has ended, the one that is too late sends nothing', async () => {
  const store = memoryStore();
  let ahead = 0;
  const now = () => Date.now() / 1000 + ahead;
  const policy = { deadlineSecs: 1, payAgain: true };
  shop.answers = loses;
  assert.equal((await process(store, { now, policy })(`${shop.url}/a`)).status, 500);
  ahead = 4_000;
  const { asks, go, signer } = slow(OTHER_KEY);
  const late = assert.rejects(process(store, { now, policy, signer })(`${shop.url}/a`), { code: 'payment_conflict', signed: true });
  await asks;
  // The first wallet signs again, and its answer is lost as well.
  assert.equal((await process(store, { now, policy })(`${shop.url}/a`)).status, 500);
  go();
  await late;
  assert.deepEqual([charges(), new Set(authorizations().map(({ from }) => from))], [1, new Set([PAYER])]);
});

//
test('a wallet that was changed between two calls under one key pays only once, also without a store', async () => {
  let signer = watchedSigner();
  const [first, second] = [signer, watchedSigner(OTHER_KEY)];
  const pay = wrapFetch(fetch, {
    signer: { address: () => signer.address(), sign: (data) => signer.sign(data) },
    policy: { deadlineSecs: 1 },
  });
  shop.answers = delivers;
  assert.equal(await (await pay(`${shop.url}/a`, { headers: HEADERS })).text(), GOODS);
  signer = second;
  await assert.rejects(pay(`${shop.url}/a`, { headers: HEADERS }));
  assert.deepEqual([charges(), first.asked.length, await second.address()], [1, 1, OTHER]);
});
