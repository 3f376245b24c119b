// A purchase that one process ends while another waits for its wallet stays ended: what is signed too late does not leave, and reopens nothing.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';

import { createLocalAgentClient } from '../../pkg/dist/agent/index.js';
import { memoryStore, type PayOptions, payingFetch, type Store } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { sentIn } from '../../pkg/dist/sent.js';
import { apart, latch } from './scripted-exchange.ts';
import { ask, GOODS, honest, ON_BASE, paymentOf, sharedShop, terms, watchedSigner } from './shop.ts';

const shop = sharedShop();
const policy = { deadlineSecs: 1 };

/** A payer whose clock goes with the test, and a wallet that signs once it is let. */
function payers(): { readonly store: Store; readonly now: () => number; later(seconds: number): void } {
  let ahead = 0;
  return {
    store: memoryStore(),
    now: () => Date.now() / 1000 + ahead,
    later: (seconds) => {
      ahead += seconds;
    },
  };
}
function slow(): { readonly asks: Promise<void>; readonly go: () => void; readonly signer: ReturnType<typeof watchedSigner> } {
  const [asks, lets] = [latch<void>(), latch<void>()];
  const wallet = watchedSigner();
  const sign: typeof wallet.sign = async (typedData) => {
    asks.opens();
    await lets.comes;
    return wallet.sign(typedData);
  };
  return { asks: asks.comes, go: () => lets.opens(), signer: { ...wallet, sign } };
}
const openIn = async (store: Store): Promise<boolean[]> => sentIn((await store.read()).record).map(([, , open]) => open);
const fails: typeof honest = (request, response) =>
  paymentOf(request) === undefined ? ask(response) : void response.writeHead(500).end('no');

//
test('of two processes that resume one purchase, the one that is too late sends nothing and reopens nothing', async () => {
  const { store, now, later } = payers();
  const fetching = (more: Partial<PayOptions> = {}): typeof globalThis.fetch =>
    payingFetch({ signer: watchedSigner(), store: apart(store), resume, policy, now, ...more });
  shop.answers = fails;
  assert.equal((await fetching()(`${shop.url}/late`)).status, 500);
  later(300);
  shop.answers = honest;
  const { asks, go, signer } = slow();
  const second = fetching({ signer })(`${shop.url}/late`).then(
    () => undefined,
    (error: unknown) => error as { code: string; signed: boolean },
  );
  await asks;
  assert.equal(await (await fetching()(`${shop.url}/late`)).text(), GOODS);
  const { length } = shop.payments();
  go();
  const error = await second;
  assert.deepEqual([error?.code, error?.signed, shop.payments().length], ['payment_conflict', true, length]);
  assert.deepEqual(await openIn(store), [false]);
  // The next call is a new purchase.
  assert.equal(await (await fetching()(`${shop.url}/late`)).text(), GOODS);
  assert.deepEqual(await openIn(store), [false, false]);
});

test('of two processes with one Idempotency-Key, the one that is too late reopens nothing, and a later one may ask again', async () => {
  const { store, now } = payers();
  const fetching = (more: Partial<PayOptions> = {}): (() => Promise<Response>) => {
    const fetch = payingFetch({ signer: watchedSigner(), store: apart(store), resume, policy, now, ...more });
    return () => fetch(`${shop.url}/keyed`, { headers: { 'idempotency-key': 'order-1' } });
  };
  shop.answers = honest;
  const { asks, go, signer } = slow();
  const second = assert.rejects(fetching({ signer })(), { code: 'payment_conflict' });
  await asks;
  assert.equal(await (await fetching()()).text(), GOODS);
  go();
  await second;
  assert.deepEqual(await openIn(store), [false]);
  // What was over when it began is asked for again under its nonce.
  assert.equal(await (await fetching()()).text(), GOODS);
  assert.deepEqual(await openIn(store), [false]);
});

test('of two local agents that resume one purchase, the one that is too late asks with the payment that stands', async () => {
  const { store, now, later } = payers();
  const buying = (signer = watchedSigner()): Promise<string> =>
    createLocalAgentClient({ signer, store: apart(store), policy, now })
      .fetchPaid(`${shop.url}/agent`, undefined, {})
      .then(
        ({ kind }) => kind,
        (error: { details: { kind: string } }) => error.details.kind,
      );
  shop.answers = fails;
  assert.equal(await buying(), 'execution_inconclusive');
  later(300);
  shop.answers = honest;
  const { asks, go, signer } = slow();
  const second = buying(signer);
  await asks;
  // What is signed in one second under one nonce are the same bytes.
  later(5);
  assert.equal(await buying(), 'success');
  const sent = shop.payments();
  go();
  assert.equal(await second, 'success');
  // The bytes of the first, once more.
  assert.deepEqual([...new Set(shop.payments())], [...new Set(sent)]);
  assert.deepEqual(await openIn(store), [false]);
  // Content without a receipt reopens nothing either.
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : void response.end(GOODS));
  assert.equal(await buying(), 'success');
  assert.deepEqual(await openIn(store), [false, true]);
});

for (const [idempotencyKey, answer, ends] of [undefined, 'order-17'].flatMap((key) => [
  [key, 'other terms', (late: ServerResponse): void => ask(late)] as const,
  [key, 'a failure', (late: ServerResponse): void => void late.writeHead(504).end()] as const,
])) {
  test(`what a local agent learns of a payment that has ended closes none that another has signed again${idempotencyKey === undefined ? '' : ', under its key'}: ${answer}`, async () => {
    const { store, now, later } = payers();
    const buying = (): Promise<string> =>
      createLocalAgentClient({ signer: watchedSigner(), store: apart(store), policy, now })
        .fetchPaid(`${shop.url}/held`, undefined, idempotencyKey === undefined ? {} : { idempotencyKey })
        .then(
          ({ kind }) => kind,
          (error: { details: { kind: string } }) => error.details.kind,
        );
    const before = shop.payments().length;
    shop.answers = fails;
    assert.equal(await buying(), 'execution_inconclusive');
    const held = latch<ServerResponse>();
    shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : held.opens(response));
    const first = buying();
    const late = await held.comes;
    later(300);
    // Another one is charged, and its answer is lost.
    shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : void response.destroy());
    assert.equal(await buying(), 'execution_inconclusive');
    ends(late);
    await first;
    assert.deepEqual((await openIn(store)).filter(Boolean), [true]);
    shop.answers = honest;
    assert.equal(await buying(), 'success');
    const nonces = shop
      .payments()
      .slice(before)
      .map((it) => (JSON.parse(Buffer.from(it, 'base64').toString()) as { payload: { authorization: { nonce: string } } }).payload);
    assert.equal(new Set(nonces.map(({ authorization }) => authorization.nonce)).size, 1);
  });
}

test('of two agents that share a store, the one whose payment the other has ended sends it no more', async () => {
  const { store, now, later } = payers();
  const wallets = [watchedSigner(), watchedSigner()] as const;
  const [first, second] = wallets.map((signer) => createLocalAgentClient({ signer, store: apart(store), policy, now }));
  const url = `${shop.url}/ended`;
  const nonces: string[] = [];
  shop.answers = fails;
  const lost = await first?.fetchPaid(url, undefined, {}).catch((error: unknown) => error);
  assert.equal((lost as { kind?: string }).kind, 'execution_inconclusive', String(lost));
  shop.answers = (request, response) => {
    const payment = paymentOf(request);
    if (payment !== undefined) nonces.push(JSON.parse(Buffer.from(payment, 'base64').toString()).payload.authorization.nonce);
    honest(request, response);
  };
  const served = await second?.fetchPaid(url, undefined, {});
  assert.equal(await served?.response.text(), GOODS);
  later(4_000);
  assert.equal(await (await first?.fetchPaid(url, undefined, {}))?.response.text(), GOODS);
  // The second request of the first agent is a purchase of its own.
  assert.deepEqual([nonces.length, new Set(nonces).size], [2, 2]);
});

for (const kept of [undefined, resume]) {
  test(`an answer that is given up before it is read leaves its purchase open${kept ? ', with resume' : ''}`, async () => {
    const { store, now } = payers();
    const signer = watchedSigner();
    const fetching = payingFetch({ signer, store, now, policy, ...(kept ? { resume: kept } : {}) });
    shop.answers = honest;
    const gives = new AbortController();
    const first = await fetching(`${shop.url}/unread`, { signal: gives.signal });
    assert.equal(first.status, 200);
    gives.abort();
    assert.equal(await (await fetching(`${shop.url}/unread`)).text(), GOODS);
    assert.equal(signer.asked.length, 1, 'the same payment is sent again');
    assert.equal(await (await fetching(`${shop.url}/unread`)).text(), GOODS);
    assert.equal(signer.asked.length, 2, 'what was read is over');
    // The signal fires before the call returns.
    const early = new AbortController();
    const telling = payingFetch({ signer, store, now, policy, onPayment: () => early.abort(), ...(kept ? { resume: kept } : {}) });
    await telling(`${shop.url}/early`, { signal: early.signal });
    assert.equal(await (await telling(`${shop.url}/early`)).text(), GOODS);
    assert.equal(signer.asked.length, 3, 'the same payment is sent again');
  });
}

//
for (const [who, key] of [
  ['by the request', {}],
  ['by its key', { 'idempotency-key': 'order-2' }],
] as const)
  for (const isFirst of [true, false])
    test(`of two processes that resume one purchase ${who}, one of them on another chain, the one that signs ${isFirst ? 'elsewhere' : 'again'} last sends nothing`, async () => {
      const { store, now, later } = payers();
      const fetching = (more: Partial<PayOptions> = {}): Promise<Response> =>
        payingFetch({ signer: watchedSigner(), store: apart(store), resume, policy, now, ...more })(`${shop.url}/two`, { headers: key });
      shop.answers = fails;
      assert.equal((await fetching()).status, 500);
      later(4_000);
      const elsewhere: Partial<PayOptions> = { confirm: () => true };
      const onBase: typeof honest = (request, response) =>
        paymentOf(request) === undefined ? ask(response, terms([ON_BASE])) : void response.writeHead(500).end('no');
      const [late, early] = isFirst ? [onBase, fails] : [fails, onBase];
      const { asks, go, signer } = slow();
      shop.answers = late;
      const second = fetching({ ...(isFirst ? elsewhere : {}), signer }).then(
        () => undefined,
        (error: unknown) => error as { code: string; signed: boolean },
      );
      await asks;
      shop.answers = early;
      assert.equal((await fetching(isFirst ? {} : elsewhere)).status, 500);
      const { length } = shop.payments();
      go();
      const error = await second;
      assert.deepEqual([error?.code, error?.signed, shop.payments().length], ['payment_conflict', true, length]);
      assert.deepEqual(await openIn(store), [true]);
    });
