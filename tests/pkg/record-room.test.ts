// A seller chooses what its answers hold, and how many hosts it has: the record of what is open keeps room for others, and nothing is signed without it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createLocalAgentClient, type FetchPaidError, type SdkPreparedPaidRequestReady } from '../../pkg/dist/agent/index.js';
import { encodeHeader, type FareboxError, memoryStore, type Policy, wrapFetch } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { type SentRow, sentIn, withSent } from '../../pkg/dist/sent.js';
import { OFFER, OFFER_V1, PAYEE, spentIn, watchedSigner } from './shop.ts';

/** A payer, and what its server answers a request without a payment; a payment fails at hosts that begin with `s`. */
function payerOf(asks: (host: string) => Response, more: Policy = {}, signsAfterMs = 0) {
  const [store, signer] = [memoryStore(), watchedSigner()];
  const sign: typeof signer.sign = async (typedData) => {
    if (signsAfterMs > 0) await new Promise((resolve) => setTimeout(resolve, signsAfterMs));
    return signer.sign(typedData);
  };
  const server = async (input: unknown, init?: RequestInit): Promise<Response> => {
    const { host } = new URL(String(input));
    const headers = new Headers(init?.headers);
    if (!headers.has('payment-signature') && !headers.has('x-payment')) return asks(host);
    return new Response('', { status: host.startsWith('s') ? 500 : 200 });
  };
  const fetch = wrapFetch(server as typeof globalThis.fetch, {
    signer: { ...signer, sign },
    store,
    resume,
    policy: { perDay: '10', pinPayees: false, ...more },
  });
  const buys = (host: string, path = '/a'): Promise<number | string> =>
    fetch(`https://${host}.example${path}`).then(
      ({ status }) => status,
      (error: FareboxError) => error.code,
    );
  return { store, signer, buys };
}
const inHeader = (body: string): Response =>
  new Response(body, {
    status: 402,
    headers: { 'payment-required': encodeHeader({ x402Version: 2, accepts: [OFFER] }), 'x-more': 'x'.repeat(8_000) },
  });

//
test('what a seller adds to its terms takes no room of the payments at others', async () => {
  const { store, buys } = payerOf(() => inHeader('\u0001'.repeat(65_500)));
  for (let turn = 0; turn < 20; turn += 1) assert.equal(await buys(`s${turn}`), 500);
  assert.equal(await buys('honest'), 200);
  const sizes = sentIn((await store.read()).record).map(([, , , text]) => text.length);
  assert.ok(sizes.length === 21 && Math.max(...sizes) < 4_000, `${sizes.join()}`);
});

//
test('what there is no room to keep is not signed', async () => {
  const long = (text: string): Response => Response.json({ x402Version: 1, error: text, accepts: [OFFER_V1] }, { status: 402 });
  const [most, more] = [payerOf(() => long('x'.repeat(30_000))), payerOf(() => long('x'.repeat(33_000)))];
  assert.equal(await more.buys('s'), 'malformed_challenge');
  assert.deepEqual([more.signer.asked.length, sentIn((await more.store.read()).record)], [0, []]);
  // The record takes 4 Mi of open payments.
  const told = [];
  for (let turn = 0; turn < 160; turn += 1) told.push(await most.buys(`s${turn}`));
  const kept = told.indexOf('budget_exhausted');
  assert.ok(kept > 120, `${kept}`);
  assert.equal(most.signer.asked.length, kept);
});

//
test('whoever asks for much at once signs no more than there is room to keep, however long the policy is that is kept beside it', async () => {
  const hosts = ['s.example', ...Array.from({ length: 500 }, (_, at) => `h${at}.example`)];
  const payees = [PAYEE, ...Array.from({ length: 500 }, (_, at) => `0x${String(at).padStart(40, '0')}`)];
  const { store, signer, buys } = payerOf(
    () => Response.json({ x402Version: 1, accepts: [OFFER_V1] }, { status: 402 }),
    { hosts, payees },
    1_500,
  );
  const told = await Promise.all(Array.from({ length: 30 }, (_, at) => buys('s', `/${at}`)));
  for (let turn = 30; turn < 35; turn += 1) told.push(await buys('s', `/${turn}`));
  const left = told.filter((it) => it === 500).length;
  assert.ok(left > 8 && left < 30 && told.every((it) => it === 500 || it === 'budget_exhausted'), told.join());
  assert.deepEqual([signer.asked.length, sentIn((await store.read()).record).length], [left, left]);
  assert.deepEqual((await spentIn(store)).entries.length, left);
});

//
test('an agent signs nothing that there is no room to keep', async () => {
  for (const free of [20, 1_000]) {
    const [store, signer] = [memoryStore(), watchedSigner()];
    const asks = Response.json({ x402Version: 1, accepts: [OFFER_V1] }, { status: 402 });
    let came = 0;
    const fetch = (async (_: unknown, init?: RequestInit) => {
      if (!new Headers(init?.headers).has('x-payment')) return asks.clone();
      came += 1;
      return new Response('', { status: 500 });
    }) as typeof globalThis.fetch;
    const filled = Array.from({ length: 8 }, (_, at): SentRow => {
      const row = [`agent ${at}`, 1, true, JSON.stringify({ url: `https://f${at}.example/`, text: '' })] as const;
      const most = 512 * 1024 - (at === 0 ? free : 0);
      return [row[0], row[1], row[2], row[3].replace('""', `"${'x'.repeat(most - row[0].length - row[3].length)}"`)];
    });
    let record: string | undefined;
    for (const row of filled) record = withSent(record, row);
    await store.replace(0, record ?? '');
    const client = createLocalAgentClient({ signer, store, fetch, policy: { deadlineSecs: 1 } });
    const prepared = (await client.preparePaidRequest('https://s.example/a')) as SdkPreparedPaidRequestReady;
    const error = await client.executePreparedRequest(prepared).catch((thrown: FetchPaidError) => thrown);
    assert.match(String((error as FetchPaidError).reason), /^budget_exhausted/);
    assert.deepEqual([signer.asked.length, came, (await spentIn(store)).entries.length], [0, 0, 0], `${free}`);
  }
});

//
test('rows of channels take no room of what is known to be paid', () => {
  const channels = Array.from({ length: 1_100 }, (_, at): SentRow => [`channel ${at}`, 1, true, '{}']);
  const known = (at: number): SentRow => [`fetch ${at}`, 1, false, JSON.stringify({ url: `https://h${at}.example/` })];
  const before = Array.from({ length: 600 }, (_, at) => known(at));
  const record = withSent(JSON.stringify({ v: 2, entries: [], pins: [], sent: [...channels, ...before] }), known(600));
  const kept = sentIn(record).map(([name]) => name);
  assert.equal(kept.filter((name) => name.startsWith('channel ')).length, 1_100);
  assert.equal(kept.filter((name) => name.startsWith('fetch ')).length, 512);
  assert.equal(kept.at(-1), 'fetch 600');
});

//
test('of processes that look for room at once, each that finds none is not counted', async () => {
  const AT_ONCE = 40;
  const [store, watched] = [memoryStore(), watchedSigner()];
  // Nothing is kept before all of them have looked.
  const late: (() => void)[] = [];
  const signer: typeof watched = {
    ...watched,
    sign: async (...asked) => {
      const signature = await watched.sign(...asked);
      await new Promise<void>((done) => {
        if (late.push(done) === AT_ONCE) for (const go of late) go();
      });
      return signature;
    },
  };
  const asks = Response.json({ x402Version: 1, error: 'x'.repeat(30_000), accepts: [OFFER_V1] }, { status: 402 });
  const server = async (_: unknown, init?: RequestInit): Promise<Response> =>
    new Headers(init?.headers).has('x-payment') ? new Response('', { status: 500 }) : asks.clone();
  const buys = (at: number): Promise<number | string> => {
    // Each process has a store of its own over the one record.
    const policy = { perDay: '10', pinPayees: false };
    const fetch = wrapFetch(server as typeof globalThis.fetch, { signer, store: { ...store }, resume, policy });
    return fetch(`https://s.example/${at}`).then(
      ({ status }) => status,
      (error: FareboxError) => error.code,
    );
  };
  const told = await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => buys(at)));
  const { entries } = await spentIn(store);
  assert.ok(told.includes('budget_exhausted'));
  assert.deepEqual([signer.asked.length, entries.length], [AT_ONCE, sentIn((await store.read()).record).length]);
});
