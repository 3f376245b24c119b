// A charge that the payer sends by itself: where its hash never came, it may have been sent, and is not sent again unasked.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { privateKeyToAccount } from 'viem/accounts';

import { createLocalAgentClient, type FetchPaidError } from '../../pkg/dist/agent/index.js';
import { fileStore } from '../../pkg/dist/file-store.js';
import { memoryStore, type PayOptions, payingFetch, type Store } from '../../pkg/dist/index.js';
import { resume, sentPayments } from '../../pkg/dist/resume.js';
import { eventually } from '../support/eventually.ts';
import { askFor, challenge, credentialIn, credentialOf, deliver } from './charges.ts';
import { ask, GOODS, open, PAYER_KEY, paymentOf, type Shop, spentIn } from './shop.ts';

const home = mkdtempSync(join(tmpdir(), 'farebox-broadcasts-'));
after(() => rmSync(home, { recursive: true, force: true }));

const BY_HASH = { chainId: 84532, credentialTypes: ['hash'], decimals: 6 };
/** A shop whose clock is this much later. */
async function shopOf(later: () => number = () => 0): Promise<Shop> {
  return open((request, response) => {
    const expires = new Date(Date.now() + (later() + 300) * 1000).toISOString();
    if (credentialOf(request) === undefined) return askFor(response, [challenge({ details: BY_HASH, expires })]);
    deliver(response, { reference: (credentialIn(request).payload as { hash: string }).hash });
  });
}

const HASH = `0x${'5a'.repeat(32)}`;
/** After the end of what was asked for. */
const LATER = 3_600;

for (const [name, more] of [
  ['a wrapped fetch', {}],
  ['a store with resume', { resume }],
] as const) {
  //
  test(`${name}: a transaction whose hash was lost is not sent again while it may be mined, and then only asked for`, async (t) => {
    const [agains, transfers]: [boolean[], number[]] = [[], []];
    let [later, fails] = [0, true];
    const shop = await shopOf(() => later);
    t.after(() => shop.stop());
    const store = memoryStore();
    let agrees: ((again: boolean) => boolean) | undefined;
    const options: PayOptions = {
      signer: PAYER_KEY,
      store,
      ...more,
      now: () => Date.now() / 1000 + later,
      broadcast: async () => {
        transfers.push(later);
        if (fails) throw new Error('socket hang up');
        return HASH;
      },
    };
    const confirm = (it: { readonly again: boolean }): boolean => {
      agains.push(it.again);
      return agrees?.(it.again) ?? true;
    };
    const pays = payingFetch({ ...options, confirm });
    const call = (fetch = pays) => fetch(shop.url, { headers: { 'idempotency-key': 'order-7' } });
    await assert.rejects(call(), { code: 'broadcast_failed', signed: true });
    fails = false;
    await assert.rejects(call(), { code: 'payment_unresolved', signed: true });
    assert.equal(transfers.length, 1);
    if ('resume' in more) {
      assert.deepEqual(
        (await sentPayments(store)).map(({ open: isOpen }) => isOpen),
        [true],
      );
      later = LATER;
      await assert.rejects(call(payingFetch(options)), { code: 'payment_unresolved' });
    }
    later = LATER;
    agrees = (again) => !again;
    await assert.rejects(call(), { code: 'declined' });
    assert.deepEqual([transfers.length, agains.at(-1)], [1, true]);
    agrees = () => true;
    assert.equal((await call()).status, 200);
    assert.deepEqual([transfers, agains.at(-1)], [[0, LATER], true]);
    assert.equal((await spentIn(store)).entries.length, 2);
  });
}

//
test('what a process was killed in is known to the next one before anything is sent', async (t) => {
  const shop = await shopOf();
  t.after(() => shop.stop());
  const store = (): Store => fileStore(join(home, 'budget'));
  let transfers = 0;
  const options = (broadcast: NonNullable<PayOptions['broadcast']>): PayOptions => ({
    signer: PAYER_KEY,
    store: store(),
    resume,
    broadcast: (it) => {
      transfers += 1;
      return broadcast(it);
    },
  });
  // As one that ends in its hook.
  void payingFetch(options(() => new Promise<string>(() => undefined)))(shop.url);
  await eventually('the hook is called', () => transfers === 1);
  await assert.rejects(payingFetch(options(async () => HASH))(shop.url), { code: 'payment_unresolved' });
  assert.equal(transfers, 1);
});

/** Processes with one store: each has its own object. */
function processes(store: Store): () => Store {
  return () => ({ read: () => store.read(), replace: (version, record) => store.replace(version, record) });
}

const KEYED = { headers: { 'idempotency-key': 'order-7' } };
const outcome = (answer: Promise<Response>): Promise<string> =>
  answer.then(
    (response) => response.text(),
    (error: unknown) => String((error as { code?: unknown }).code),
  );

for (const [name, stores] of [
  ['in one wrapped fetch', undefined],
  ['in one process', (store: Store) => () => store],
  ['in two processes', processes],
] as const) {
  //
  test(`${name} two calls of one key at the same time send one transaction`, async (t) => {
    const shop = await shopOf();
    t.after(() => shop.stop());
    const store = stores?.(memoryStore());
    let transfers = 0;
    const hooks: (() => void)[] = [];
    const options = (): PayOptions => ({
      signer: PAYER_KEY,
      ...(store === undefined ? {} : { store: store(), resume }),
      broadcast: async () => {
        transfers += 1;
        if (transfers === 1) await new Promise<void>((resolve) => hooks.push(resolve));
        return HASH;
      },
    });
    const first = payingFetch(options());
    const second = store === undefined ? first : payingFetch(options());
    const one = first(shop.url, KEYED);
    await eventually('the hook is called', () => transfers === 1);
    assert.equal(await outcome(second(shop.url, KEYED)), 'payment_unresolved');
    hooks.pop()?.();
    assert.equal(await outcome(one), GOODS);
    assert.equal(transfers, 1);
    // What was delivered under a key is not paid by another transaction.
    assert.deepEqual([await outcome(second(shop.url, KEYED)), transfers], ['payment_conflict', 1]);
  });
}

for (const [name, more, [beside, after]] of [
  ['a wrapped fetch', {}, ['payment_conflict', 'payment_conflict']],
  ['a store with resume', { resume }, ['payment_unresolved', GOODS]],
] as const) {
  //
  test(`${name}: who is asked to send has all the time, and nobody is asked beside them`, async (t) => {
    let later = 0;
    const shop = await shopOf(() => later);
    t.after(() => shop.stop());
    const hooks: ((hash: string) => void)[] = [];
    const store = memoryStore();
    const pay = payingFetch({
      signer: PAYER_KEY,
      store,
      ...more,
      now: () => Date.now() / 1000 + later,
      broadcast: () => (hooks.length === 0 ? new Promise<string>((resolve) => hooks.push(resolve)) : Promise.resolve(HASH)),
    });
    const slow = outcome(pay(shop.url, KEYED));
    await eventually('the hook is called', () => hooks.length === 1);
    later = LATER;
    for (let call = 0; call < 3; call += 1) assert.equal(await outcome(pay(shop.url, KEYED)), 'payment_unresolved');
    // Of those who were refused nothing is counted.
    assert.deepEqual([hooks.length, (await spentIn(store)).entries.length], [1, 1]);
    hooks.pop()?.(HASH);
    await slow;
  });

  test(`${name}: an answer that nobody reads holds its key until its payment has ended`, async (t) => {
    let later = 0;
    const shop = await shopOf(() => later);
    t.after(() => shop.stop());
    const pay = payingFetch({
      signer: PAYER_KEY,
      store: memoryStore(),
      ...more,
      now: () => Date.now() / 1000 + later,
      broadcast: async () => HASH,
    });
    const unread = await pay(shop.url, KEYED);
    assert.equal(await outcome(pay(shop.url, KEYED)), beside);
    later = LATER;
    assert.equal(await outcome(pay(shop.url, KEYED)), after);
    assert.equal(await unread.text(), GOODS);
  });
}

//
test('a process knows of what another one was killed in under a key', async (t) => {
  const shop = await shopOf();
  t.after(() => shop.stop());
  const store = processes(memoryStore());
  let transfers = 0;
  const buys = (fetch: typeof globalThis.fetch): Promise<string> => outcome(fetch(shop.url, KEYED));
  const payer = (broadcast: () => Promise<string>): typeof globalThis.fetch =>
    payingFetch({
      signer: PAYER_KEY,
      store: store(),
      resume,
      broadcast: () => {
        transfers += 1;
        return broadcast();
      },
    });
  const first = payer(async () => HASH);
  void buys(payer(() => new Promise<string>(() => undefined)));
  await eventually('the hook is called', () => transfers === 1);
  assert.deepEqual([await buys(first), transfers], ['payment_unresolved', 1]);
});

for (const [name, hasEnded] of [
  ['while it has not ended', false],
  ['once it was delivered', true],
] as const) {
  //
  test(`a person who is asked for long sends nothing beside a transaction of another process, ${name}`, async (t) => {
    let delivers = hasEnded;
    const shop = await open((request, response) => {
      const expires = new Date(Date.now() + 300_000).toISOString();
      if (credentialOf(request) === undefined) return askFor(response, [challenge({ details: BY_HASH, expires })]);
      if (delivers) return deliver(response, { reference: HASH });
      response.writeHead(500).end();
    });
    t.after(() => shop.stop());
    const store = processes(memoryStore());
    let transfers = 0;
    const payer = (confirm: PayOptions['confirm']): typeof globalThis.fetch =>
      payingFetch({
        signer: PAYER_KEY,
        store: store(),
        resume,
        ...(confirm === undefined ? {} : { confirm }),
        policy: { deadlineSecs: 1 },
        broadcast: async () => {
          transfers += 1;
          return HASH;
        },
      });
    const answers: ((yes: boolean) => void)[] = [];
    const slow = outcome(payer(() => new Promise<boolean>((resolve) => answers.push(resolve)))(shop.url, KEYED));
    await eventually('the person is asked', () => answers.length === 1);
    await outcome(payer(undefined)(shop.url, KEYED));
    answers.pop()?.(true);
    assert.deepEqual([await slow, transfers], [hasEnded ? 'payment_conflict' : 'payment_unresolved', 1]);
    delivers = true;
    assert.equal(await outcome(payer(undefined)(shop.url, KEYED)), hasEnded ? 'payment_conflict' : GOODS);
  });
}

//
test('what a wallet signs for long is not sent beside a transaction that another process had delivered meanwhile', async (t) => {
  let isByHash = false;
  let paid = 0;
  const shop = await open((request, response) => {
    const expires = new Date(Date.now() + 300_000).toISOString();
    if (credentialOf(request) !== undefined) return deliver(response, { reference: HASH });
    if (paymentOf(request) !== undefined) {
      paid += 1;
      return void response.writeHead(500).end();
    }
    return isByHash ? askFor(response, [challenge({ details: BY_HASH, expires })]) : ask(response);
  });
  t.after(() => shop.stop());
  const store = processes(memoryStore());
  const account = privateKeyToAccount(PAYER_KEY);
  const signs: (() => void)[] = [];
  const slow = {
    address: account.address,
    signTypedData: async (typed: Parameters<typeof account.signTypedData>[0]) => {
      await new Promise<void>((resolve) => signs.push(resolve));
      return account.signTypedData(typed);
    },
  };
  const broadcast = async (): Promise<string> => HASH;
  const signing = outcome(payingFetch({ signer: slow, store: store(), resume, broadcast })(shop.url, KEYED));
  await eventually('the wallet is asked', () => signs.length === 1);
  isByHash = true;
  assert.equal(await outcome(payingFetch({ signer: PAYER_KEY, store: store(), resume, broadcast })(shop.url, KEYED)), GOODS);
  signs.pop()?.();
  assert.deepEqual([await signing, paid], ['payment_conflict', 0]);
});

for (const [name, more, init] of [
  ['a wrapped fetch', {}, {}],
  ['a wrapped fetch with a key', {}, KEYED],
  ['a store with resume', { resume }, {}],
  ['a store with resume and a key', { resume }, KEYED],
] as const) {
  //
  test(`${name}: each transaction whose hash never comes counts, and the caps of the day hold for all of them`, async (t) => {
    let [later, transfers] = [0, 0];
    const shop = await shopOf(() => later);
    t.after(() => shop.stop());
    const store = memoryStore();
    const pay = payingFetch({
      signer: PAYER_KEY,
      store,
      ...more,
      now: () => Date.now() / 1000 + later,
      policy: { payAgain: true, perDay: '0.04' },
      broadcast: async () => {
        transfers += 1;
        throw new Error('the node timed out');
      },
    });
    const said: string[] = [];
    for (let call = 0; call < 6; call += 1) {
      said.push(await outcome(pay(shop.url, init)));
      later += 400;
    }
    assert.deepEqual([transfers, (await spentIn(store)).entries.length], [4, 4]);
    assert.deepEqual(said, [...Array<string>(4).fill('broadcast_failed'), 'budget_exhausted', 'budget_exhausted']);
  });
}

for (const [name, more] of [
  ['a wrapped fetch', {}],
  ['a store with resume', { resume }],
] as const) {
  //
  test(`${name}: a key of which two payments have ended is finished by a transaction, once a person has said so`, async (t) => {
    let later = 0;
    let isByHash = false;
    const shop = await open((request, response) => {
      const expires = new Date(Date.now() + (later + 300) * 1000).toISOString();
      if (credentialOf(request) !== undefined) return deliver(response, { reference: HASH });
      if (paymentOf(request) !== undefined) return void response.writeHead(404).end();
      return isByHash ? askFor(response, [challenge({ details: BY_HASH, expires })]) : ask(response);
    });
    t.after(() => shop.stop());
    const store = memoryStore();
    const agains: boolean[] = [];
    let transfers = 0;
    const pay = payingFetch({
      signer: PAYER_KEY,
      store,
      ...more,
      now: () => Date.now() / 1000 + later,
      confirm: ({ again }) => {
        agains.push(again);
        return true;
      },
      broadcast: async () => {
        transfers += 1;
        return HASH;
      },
    });
    assert.deepEqual(await Promise.all([outcome(pay(shop.url, KEYED)), outcome(pay(shop.url, KEYED))]), ['', '']);
    // In a store both are one row: beside it there is one of another token.
    if ('resume' in more) {
      const { record, version } = await store.read();
      const { sent, ...rest } = JSON.parse(record ?? '') as { sent: [string, number, boolean, string][] };
      const others = sent.map(([row, at, isOpen, text]) => [
        `${row.slice(0, -2)}00`,
        at,
        isOpen,
        text.replace(/"slot":"\w+"/, '"slot":"00"'),
      ]);
      assert.ok(await store.replace(version, JSON.stringify({ ...rest, sent: [...sent, ...others] })));
    }
    [later, isByHash] = [LATER, true];
    assert.deepEqual([await outcome(pay(shop.url, KEYED)), transfers, agains.at(-1)], [GOODS, 1, true]);
  });
}

//
test('of two processes whose people let one transaction go, one sends the next', async (t) => {
  let later = 0;
  const shop = await shopOf(() => later);
  t.after(() => shop.stop());
  const store = processes(memoryStore());
  let transfers = 0;
  const payer = (broadcast: () => Promise<string>, confirm: PayOptions['confirm']): typeof globalThis.fetch =>
    payingFetch({
      signer: PAYER_KEY,
      store: store(),
      resume,
      now: () => Date.now() / 1000 + later,
      ...(confirm === undefined ? {} : { confirm }),
      broadcast: () => {
        transfers += 1;
        return broadcast();
      },
    });
  const fails = async (): Promise<string> => {
    throw new Error('socket hang up');
  };
  assert.equal(await outcome(payer(fails, undefined)(shop.url)), 'broadcast_failed');
  later = LATER;
  const answers: ((yes: boolean) => void)[] = [];
  const asks = (): Promise<boolean> => new Promise((resolve) => answers.push(resolve));
  const both = [0, 1].map(() => outcome(payer(fails, asks)(shop.url)));
  await eventually('both are asked', () => answers.length === 2);
  answers[0]?.(true);
  await eventually('one has sent', () => transfers === 2);
  answers[1]?.(true);
  assert.deepEqual([(await Promise.all(both)).sort(), transfers], [['broadcast_failed', 'payment_conflict'], 2]);
});

for (const [name, first, second] of [
  ['a transaction whose hook waits', { details: BY_HASH }, { details: BY_HASH }],
  ['a charge that may have been taken', {}, { details: BY_HASH }],
  ['a charge that may have been taken, by another nonce', {}, {}],
] as const) {
  //
  test(`an agent whose person is asked for long pays nothing beside what another process has sent under its key: ${name}`, async (t) => {
    let [later, asked, delivers, transfers]: [number, object, boolean, number] = [0, second, false, 0];
    const shop = await open((request, response) => {
      const expires = new Date(Date.now() + (later + 300) * 1000).toISOString();
      if (credentialOf(request) === undefined) return askFor(response, [challenge({ ...asked, expires })]);
      return delivers ? deliver(response, { reference: HASH }) : void response.writeHead(500).end();
    });
    t.after(() => shop.stop());
    const store = processes(memoryStore());
    const [hooks, agains, answers]: [((hash: string) => void)[], boolean[], ((yes: boolean) => void)[]] = [[], [], []];
    const buys = (confirm?: PayOptions['confirm']): Promise<string> =>
      createLocalAgentClient({
        signer: PAYER_KEY,
        store: store(),
        policy: { hosts: [shop.host], deadlineSecs: 1 },
        now: () => Date.now() / 1000 + later,
        ...(confirm === undefined ? {} : { confirm }),
        broadcast: () => {
          transfers += 1;
          return confirm === undefined ? new Promise<string>((resolve) => hooks.push(resolve)) : Promise.resolve(HASH);
        },
      })
        .fetchPaid(shop.url, undefined, { idempotencyKey: 'order-7' })
        .then(
          ({ kind }) => kind,
          (error: unknown) => (error as FetchPaidError).details.kind,
        );
    const slow = buys(({ again }) => {
      agains.push(again);
      // The challenge has ended as they answer: of the fresh one they are asked as well.
      return agains.length === 1 ? new Promise((resolve) => answers.push(resolve)) : !again;
    });
    await eventually('the person is asked', () => answers.length === 1);
    asked = first;
    const quick = buys();
    if ('details' in first) await eventually('the hook is called', () => hooks.length === 1);
    else assert.equal(await quick, 'execution_inconclusive');
    later = LATER;
    answers.pop()?.(true);
    assert.deepEqual([await slow, agains, transfers], ['execution_inconclusive', [false, false, true], 'details' in first ? 1 : 0]);
    assert.ok(new Set(shop.requests.map(credentialOf).filter((it) => it !== undefined)).size <= 1);
    delivers = true;
    hooks.pop()?.(HASH);
    assert.equal(await quick, 'details' in first ? 'success' : 'execution_inconclusive');
  });
}

//
test("an agent's client knows of a transaction that may have been sent, after a hook that failed and in the next process", async (t) => {
  const store = memoryStore();
  const [transfers, agains]: [number[], boolean[]] = [[], []];
  let [later, fails] = [0, true];
  const shop = await shopOf(() => later);
  t.after(() => shop.stop());
  const client = () =>
    createLocalAgentClient({
      signer: PAYER_KEY,
      store,
      policy: { hosts: [shop.host] },
      now: () => Date.now() / 1000 + later,
      confirm: ({ again }) => {
        agains.push(again);
        return true;
      },
      broadcast: async () => {
        transfers.push(later);
        if (fails) throw new Error('socket hang up');
        return HASH;
      },
    });
  const buys = (it = client()): Promise<string> =>
    it.fetchPaid(shop.url, undefined, {}).then(
      ({ kind }) => kind,
      (error: unknown) => (error as FetchPaidError).details.kind,
    );
  const first = client();
  assert.equal(await buys(first), 'execution_inconclusive');
  fails = false;
  assert.deepEqual([await buys(first), await buys(), transfers.length], ['execution_inconclusive', 'execution_inconclusive', 1]);
  later = LATER;
  // Once a person has let the first one go, the next call is a purchase of its own.
  assert.deepEqual([await buys(), transfers.length, agains.at(-1)], ['execution_failed', 1, true]);
  assert.deepEqual([await buys(), transfers], ['success', [0, LATER]]);
});
