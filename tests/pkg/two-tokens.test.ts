/** Calls at once under one key, each of which a server asks for another token, or for another nonce: one of them is charged. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';

import { type FareboxError, memoryStore, payingFetch, type Store } from '../../pkg/dist/index.js';
import { resume, sentPayments } from '../../pkg/dist/resume.js';
import { eventually } from '../support/eventually.ts';
import { askFor, challenge, credentialOf, deliver } from './charges.ts';
import {
  ask,
  GOODS,
  OFFER,
  ON_BASE,
  paymentOf,
  serve,
  settlement,
  sharedShop,
  spentIn,
  TRANSACTION,
  terms,
  watchedSigner,
} from './shop.ts';

const shop = sharedShop();
const KEYED = { headers: { 'idempotency-key': 'order-7' } };

/** Serves what was paid on its network. */
function served(request: IncomingMessage, response: ServerResponse): void {
  const payment = Buffer.from(paymentOf(request) ?? '', 'base64').toString();
  const { accepted } = JSON.parse(payment) as { accepted: { network: string } };
  serve(response, settlement({ network: accepted.network }));
}

for (const [name, more] of [
  ['in one wrapped fetch', {}],
  ['with one store', { resume }],
] as const) {
  //
  test(`of two calls at once under one key that are asked for two tokens one pays, ${name}`, async (t) => {
    const held: (() => void)[] = [];
    t.after(() => held.pop()?.());
    let offer: unknown = OFFER;
    shop.answers = (request, response) => {
      if (paymentOf(request) === undefined) return ask(response, terms([offer]));
      if (offer === OFFER) return void held.push(() => served(request, response));
      served(request, response);
    };
    const signer = watchedSigner();
    const pay = payingFetch({ signer, store: memoryStore(), ...more });
    const first = pay(`${shop.url}/report`, KEYED);
    await eventually('the payment is sent', () => held.length === 1);
    offer = ON_BASE;
    await assert.rejects(pay(`${shop.url}/report`, KEYED), { code: 'payment_unresolved' });
    assert.equal(shop.payments().length, 1);
    held.pop()?.();
    assert.equal(await (await first).text(), GOODS);
    const asked = signer.asked.length;
    // What was delivered is over: in another token it is bought anew under another key alone.
    await assert.rejects(pay(`${shop.url}/report`, KEYED), { code: 'payment_conflict', signed: false });
    assert.deepEqual([shop.payments().length, signer.asked.length], [1, asked]);
    assert.equal(await (await pay(`${shop.url}/report`, { headers: { 'idempotency-key': 'order-8' } })).text(), GOODS);
  });
}

//
for (const who of ['person', 'wallet'] as const)
  test(`what another process has closed is not paid in another token by one whose ${who} is asked for long`, async () => {
    const base = memoryStore();
    const store = (): Store => ({ read: () => base.read(), replace: (version, record) => base.replace(version, record) });
    const answers: ((yes: boolean) => void)[] = [];
    let offer: unknown = ON_BASE;
    shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response, terms([offer])) : served(request, response));
    const asked = (): Promise<boolean> => new Promise((resolve) => answers.push(resolve));
    const wallet = watchedSigner();
    const sign: typeof wallet.sign = async (typedData) => {
      await asked();
      return wallet.sign(typedData);
    };
    const waits = who === 'person' ? { signer: wallet, confirm: asked } : { signer: { ...wallet, sign } };
    const slow = payingFetch({ ...waits, store: store(), resume })(`${shop.url}/report`, KEYED);
    await eventually('it is asked', () => answers.length === 1);
    offer = OFFER;
    const quick = payingFetch({ signer: watchedSigner(), store: store(), resume });
    assert.equal(await (await quick(`${shop.url}/report`, KEYED)).text(), GOODS);
    answers.pop()?.(true);
    await assert.rejects(slow, { code: 'payment_conflict' });
    assert.equal(shop.payments().length, 1);
  });

const BY_HASH = { chainId: 84532, credentialTypes: ['hash'], decimals: 6 };
const asksOf = {
  'a token': (response: ServerResponse) => ask(response, terms([OFFER])),
  'another token': (response: ServerResponse) => ask(response, terms([ON_BASE])),
  "a nonce of the server's": (response: ServerResponse) => askFor(response, [challenge({})]),
  "a transaction of the payer's": (response: ServerResponse) => askFor(response, [challenge({ details: BY_HASH })]),
} as const;
type Asks = keyof typeof asksOf;
/** A shop that asks so, and fails whatever is paid. */
const failing =
  (asks: () => Asks) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    if (paymentOf(request) === undefined && credentialOf(request) === undefined) asksOf[asks()](response);
    else response.writeHead(500).end();
  };
let transfers = 0;
const broadcast = async (): Promise<string> => {
  transfers += 1;
  return TRANSACTION;
};
/** What shops were sent: payments and credentials. */
const sent = (): Set<string | undefined> =>
  new Set(shop.requests.map((request) => paymentOf(request) ?? credentialOf(request)).filter((it) => it !== undefined));

//
test('what was delivered in one wrapped fetch is not paid in another token by a call whose person is asked for long', async () => {
  const answers: ((yes: boolean) => void)[] = [];
  let offer: unknown = ON_BASE;
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response, terms([offer])) : served(request, response));
  const confirm = (): Promise<boolean> => new Promise((resolve) => answers.push(resolve));
  const pay = payingFetch({ signer: watchedSigner(), store: memoryStore(), confirm });
  const slow = pay(`${shop.url}/report`, KEYED);
  await eventually('the person is asked', () => answers.length === 1);
  offer = OFFER;
  const quick = pay(`${shop.url}/report`, KEYED);
  await eventually('the person is asked again', () => answers.length === 2);
  answers.pop()?.(true);
  // Only what was read is over.
  await assert.rejects(
    quick
      .then((response) => response.text())
      .then(() => answers.pop()?.(true))
      .then(() => slow),
    { code: 'payment_unresolved' },
  );
  assert.equal(shop.payments().length, 1);
});

for (const [way, more] of [
  ['in one wrapped fetch', {}],
  ['with one store', { resume }],
] as const) {
  for (const [first, second] of [
    ['a token', "a transaction of the payer's"],
    ['a token', "a nonce of the server's"],
    ["a nonce of the server's", "a nonce of the server's"],
    ["a nonce of the server's", 'a token'],
    ["a transaction of the payer's", "a nonce of the server's"],
  ] satisfies [Asks, Asks][]) {
    //
    test(`of two calls at once under one key one pays, ${way}: ${first}, then ${second}`, async (t) => {
      const held: (() => void)[] = [];
      t.after(() => held.pop()?.());
      transfers = 0;
      let asks: Asks = first;
      shop.answers = (request, response) => {
        const isPaid = paymentOf(request) !== undefined;
        if (!isPaid && credentialOf(request) === undefined) return asksOf[asks](response);
        const answer = (): void => (isPaid ? served(request, response) : deliver(response));
        if (asks !== first || held.length > 0) return answer();
        held.push(answer);
      };
      const pay = payingFetch({ signer: watchedSigner(), store: memoryStore(), broadcast, ...more });
      const one = pay(`${shop.url}/report`, KEYED);
      await eventually('the payment is sent', () => held.length === 1);
      asks = second;
      await assert.rejects(pay(`${shop.url}/report`, KEYED), { code: 'payment_unresolved' });
      assert.deepEqual([sent().size, transfers], [1, first === "a transaction of the payer's" ? 1 : 0]);
      held.pop()?.();
      assert.equal(await (await one).text(), GOODS);
    });
  }

  //
  test(`beside what has ended nothing is paid by another call while a person is asked about it, ${way}`, async () => {
    let [asks, later]: [Asks, number] = ['a token', 0];
    shop.answers = failing(() => asks);
    const answers: ((yes: boolean) => void)[] = [];
    const pay = payingFetch({
      signer: watchedSigner(),
      store: memoryStore(),
      policy: { maxValiditySecs: 86_400 },
      now: () => Date.now() / 1000 + later,
      confirm: ({ again }) => (again ? new Promise((resolve) => answers.push(resolve)) : true),
      ...more,
    });
    assert.equal((await pay(`${shop.url}/report`, KEYED)).status, 500);
    [asks, later] = ['another token', 130];
    const slow = pay(`${shop.url}/report`, KEYED);
    await eventually('the person is asked', () => answers.length === 1);
    asks = "a nonce of the server's";
    await assert.rejects(pay(`${shop.url}/report`, KEYED), { code: 'payment_unresolved' });
    assert.equal(sent().size, 1);
    answers.pop()?.(false);
    await assert.rejects(slow, { code: 'declined' });
    // Whoever is asked about it by a later call may go on.
    const last = pay(`${shop.url}/report`, KEYED);
    await eventually('the person is asked anew', () => answers.length === 1);
    answers.pop()?.(true);
    assert.equal((await last).status, 500);
  });

  for (const [second, hasEnded] of [
    ['another token', false],
    ['another token', true],
    ["a transaction of the payer's", true],
    ["a nonce of the server's", true],
  ] satisfies [Asks, boolean][]) {
    //
    test(`a person who is asked for long for ${second} pays nothing beside what ${hasEnded ? 'has ended' : 'is open'} meanwhile, ${way}`, async () => {
      let [asks, later]: [Asks, number] = [second, 0];
      transfers = 0;
      shop.answers = failing(() => asks);
      const answers: ((yes: boolean) => void)[] = [];
      const pay = payingFetch({
        signer: watchedSigner(),
        store: memoryStore(),
        broadcast,
        policy: { maxValiditySecs: 86_400 },
        now: () => Date.now() / 1000 + later,
        confirm: () => (asks === second ? new Promise((resolve) => answers.push(resolve)) : true),
        ...more,
      });
      const slow = pay(`${shop.url}/report`, KEYED);
      await eventually('the person is asked', () => answers.length === 1);
      asks = 'a token';
      assert.equal((await pay(`${shop.url}/report`, KEYED)).status, 500);
      if (hasEnded) later = 130;
      answers.pop()?.(true);
      await assert.rejects(slow, { code: 'payment_unresolved' });
      assert.deepEqual([sent().size, transfers], [1, 0]);
    });
  }
  for (const second of ['another token', "a nonce of the server's", "a transaction of the payer's"] satisfies Asks[]) {
    //
    test(`an answer that is held back past the end of its payment lets no other call under its key pay ${second}, ${way}`, async (t) => {
      const held: (() => void)[] = [];
      t.after(() => held.pop()?.());
      let [asks, later]: [Asks, number] = ['a token', 0];
      transfers = 0;
      shop.answers = (request, response) => {
        const isPaid = paymentOf(request) !== undefined;
        if (!isPaid && credentialOf(request) === undefined) return asksOf[asks](response);
        const answer = (): void => (isPaid ? served(request, response) : deliver(response));
        if (held.length > 0 || asks !== 'a token') return answer();
        held.push(answer);
      };
      const pay = payingFetch({ signer: watchedSigner(), store: memoryStore(), broadcast, now: () => Date.now() / 1000 + later, ...more });
      const one = pay(`${shop.url}/report`, KEYED);
      await eventually('the payment is sent', () => held.length === 1);
      [asks, later] = [second, 130];
      await assert.rejects(pay(`${shop.url}/report`, KEYED), { code: 'payment_unresolved' });
      assert.deepEqual([sent().size, transfers], [1, 0]);
      held.pop()?.();
      assert.equal(await (await one).text(), GOODS);
      await assert.rejects(pay(`${shop.url}/report`, KEYED), { code: 'payment_conflict' });
      assert.deepEqual([sent().size, transfers], [1, 0]);
    });
  }

  //
  test(`a payment that was held back stands in no error, and its buyer's store tells of the one that left, ${way}`, async (t) => {
    const held: (() => void)[] = [];
    t.after(() => held.pop()?.());
    let asks: Asks = 'another token';
    shop.answers = (request, response) => {
      if (paymentOf(request) === undefined) return asksOf[asks](response);
      held.push(() => served(request, response));
    };
    const answers: ((yes: boolean) => void)[] = [];
    const store = memoryStore();
    const pay = payingFetch({
      signer: watchedSigner(),
      store,
      confirm: () => (asks === 'another token' ? new Promise((resolve) => answers.push(resolve)) : true),
      ...more,
    });
    const slow = pay(`${shop.url}/report`, KEYED).catch((error: unknown) => error);
    await eventually('the person is asked', () => answers.length === 1);
    asks = 'a token';
    const quick = pay(`${shop.url}/report`, KEYED);
    await eventually('the payment is sent', () => held.length === 1);
    answers.pop()?.(true);
    const error = (await slow) as FareboxError;
    assert.deepEqual([error.code, error.payment, sent().size], ['payment_unresolved', undefined, 1]);
    if ('resume' in more) assert.equal((await sentPayments(store)).length, 1);
    held.pop()?.();
    assert.equal(await (await quick).text(), GOODS);
  });

  //
  test(`what was delivered and is not read is not paid in another token by a call that began before, ${way}`, async () => {
    let [asks, later]: [Asks, number] = ['another token', 0];
    shop.answers = (request, response) => (paymentOf(request) === undefined ? asksOf[asks](response) : served(request, response));
    const answers: ((yes: boolean) => void)[] = [];
    const pay = payingFetch({
      signer: watchedSigner(),
      store: memoryStore(),
      policy: { maxValiditySecs: 86_400 },
      now: () => Date.now() / 1000 + later,
      confirm: () => (asks === 'another token' ? new Promise((resolve) => answers.push(resolve)) : true),
      ...more,
    });
    const slow = pay(`${shop.url}/report`, KEYED);
    await eventually('the person is asked', () => answers.length === 1);
    asks = 'a token';
    const unread = await pay(`${shop.url}/report`, KEYED);
    later = 130;
    answers.pop()?.(true);
    await assert.rejects(slow, { code: 'payment_unresolved' });
    assert.equal(sent().size, 1);
    assert.equal(await unread.text(), GOODS);
  });
}

//
test('a payment that was held back does not stand for what was sent: beside that a person is asked again', async (t) => {
  const held: (() => void)[] = [];
  t.after(() => held.pop()?.());
  let [asks, later]: [Asks, number] = ['a token', 0];
  let holds = false;
  shop.answers = (request, response) => {
    if (paymentOf(request) === undefined) return asksOf[asks](response);
    if (holds) held.push(() => void response.writeHead(500).end());
    else response.writeHead(500).end();
  };
  const answers: ((yes: boolean) => void)[] = [];
  const agains: boolean[] = [];
  const [signer, store] = [watchedSigner(), memoryStore()];
  const pay = payingFetch({
    signer,
    store,
    policy: { maxValiditySecs: 86_400 },
    now: () => Date.now() / 1000 + later,
    confirm: ({ again }) => {
      agains.push(again);
      return again && agains.length === 2 ? new Promise((resolve) => answers.push(resolve)) : true;
    },
  });
  assert.equal((await pay(`${shop.url}/report`, KEYED)).status, 500);
  [asks, later] = ['another token', 130];
  const slow = pay(`${shop.url}/report`, KEYED);
  await eventually('the person is asked', () => answers.length === 1);
  // The token of before has the nonce of before: that is sent.
  [asks, holds] = ['a token', true];
  const quick = pay(`${shop.url}/report`, KEYED);
  await eventually('the payment is sent', () => held.length === 1);
  answers.pop()?.(true);
  await assert.rejects(slow, { code: 'payment_unresolved' });
  // The second one is not asked to sign, and nothing is counted for it.
  assert.deepEqual([signer.asked.length, (await spentIn(store)).entries.length], [2, 2]);
  held.pop()?.();
  assert.equal((await quick).status, 500);
  [asks, later, holds] = ['another token', 260, false];
  assert.equal((await pay(`${shop.url}/report`, KEYED)).status, 500);
  assert.deepEqual(agains, [false, true, false, true]);
});

for (const [way, more] of [
  ['in one wrapped fetch', {}],
  ['with one store', { resume }],
] as const) {
  //
  test(`what was delivered is known to a call that began before, however much else is bought meanwhile, ${way}`, async () => {
    const answers: ((yes: boolean) => void)[] = [];
    let offer: unknown = ON_BASE;
    shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response, terms([offer])) : served(request, response));
    const confirm = (): boolean | Promise<boolean> => (offer === ON_BASE ? new Promise((resolve) => answers.push(resolve)) : true);
    const pay = payingFetch({ signer: watchedSigner(), store: memoryStore(), confirm, ...more });
    const slow = pay(`${shop.url}/report`, KEYED);
    await eventually('the person is asked', () => answers.length === 1);
    offer = OFFER;
    assert.equal(await (await pay(`${shop.url}/report`, KEYED)).text(), GOODS);
    for (let order = 0; order < 257; order += 1)
      await (await pay(`${shop.url}/report`, { headers: { 'idempotency-key': `${order}` } })).text();
    answers.pop()?.(true);
    await assert.rejects(slow, { code: 'payment_unresolved' });
    assert.equal(sent().size, 258);
  });
}

/** The same key, with this body. */
const withBody = (body: string) => ({ ...KEYED, method: 'POST', body });

for (const [way, more] of [
  ['in one wrapped fetch', {}],
  ['with one store', { resume }],
] as const)
  for (const [first, second] of [
    ['a token', 'another token'],
    ['a token', "a transaction of the payer's"],
    ["a nonce of the server's", "a nonce of the server's"],
    ["a transaction of the payer's", "a transaction of the payer's"],
  ] satisfies [Asks, Asks][]) {
    //
    test(`another body under a key is refused before anything is signed, ${way}: ${first}, then ${second}`, async (t) => {
      const held: (() => void)[] = [];
      t.after(() => held.pop()?.());
      let [asks, fails]: [Asks, boolean] = [first, true];
      transfers = 0;
      shop.answers = (request, response) => {
        const isPaid = paymentOf(request) !== undefined;
        if (!isPaid && credentialOf(request) === undefined) return asksOf[asks](response);
        const answer = (): void => (isPaid ? served(request, response) : deliver(response));
        if (fails && held.length === 0) held.push(answer);
        else answer();
      };
      const signer = watchedSigner();
      const pay = payingFetch({ signer, store: memoryStore(), broadcast, ...more });
      const isRefused = async (): Promise<void> => {
        const before = [signer.asked.length, transfers, shop.requests.length];
        await assert.rejects(pay(`${shop.url}/report`, withBody('{"t":2}')), { code: 'payment_conflict', signed: false });
        assert.deepEqual([signer.asked.length, transfers, shop.requests.length], before);
      };
      // While the first one goes on, while its outcome is not known, and once it was delivered.
      const gone = new AbortController();
      const lost = pay(`${shop.url}/report`, { ...withBody('{"t":1}'), signal: gone.signal });
      await eventually('the payment is sent', () => held.length === 1);
      asks = second;
      await isRefused();
      gone.abort();
      await assert.rejects(lost);
      await isRefused();
      fails = false;
      assert.equal(await (await pay(`${shop.url}/report`, withBody('{"t":1}'))).text(), GOODS);
      await isRefused();
      assert.equal(sent().size, 1);
      // Without a key the body names a purchase, as ever.
      asks = 'a token';
      assert.equal(await (await pay(`${shop.url}/report`, { method: 'POST', body: '{"t":2}' })).text(), GOODS);
    });

    //
    test(`what was delivered under a key is not paid anew by another nonce, ${way}: ${first}, then ${second}`, async () => {
      let asks: Asks = first;
      transfers = 0;
      shop.answers = (request, response) => {
        const isPaid = paymentOf(request) !== undefined;
        if (!isPaid && credentialOf(request) === undefined) return asksOf[asks](response);
        if (isPaid) served(request, response);
        else deliver(response);
      };
      const signer = watchedSigner();
      const pay = payingFetch({ signer, store: memoryStore(), broadcast, ...more });
      assert.equal(await (await pay(`${shop.url}/report`, KEYED)).text(), GOODS);
      asks = second;
      const before = [signer.asked.length, transfers];
      await assert.rejects(pay(`${shop.url}/report`, KEYED), { code: 'payment_conflict', signed: false });
      assert.deepEqual([signer.asked.length, transfers], before);
      assert.equal(sent().size, 1);
      assert.equal(await (await pay(`${shop.url}/report`, { headers: { 'idempotency-key': 'order-8' } })).text(), GOODS);
    });
  }
