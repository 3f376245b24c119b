// A seller chooses what its answers hold, and how many hosts it has: the record of what is open keeps room for others, and nothing is signed without it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encodeHeader, type FareboxError, memoryStore, wrapFetch } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { type SentRow, sentIn, withSent } from '../../pkg/dist/sent.js';
import { OFFER, OFFER_V1, watchedSigner } from './shop.ts';

/** A payer, and what its server answers a request without a payment; a payment fails at hosts that begin with `s`. */
function payerOf(asks: (host: string) => Response, signs: () => Promise<void> = async () => {}) {
  const [store, watched] = [memoryStore(), watchedSigner()];
  const signer: typeof watched = {
    ...watched,
    sign: async (...asked) => {
      const signature = await watched.sign(...asked);
      await signs();
      return signature;
    },
  };
  const server = async (input: unknown, init?: RequestInit): Promise<Response> => {
    const { host } = new URL(String(input));
    const headers = new Headers(init?.headers);
    if (!headers.has('payment-signature') && !headers.has('x-payment')) return asks(host);
    return new Response('', { status: host.startsWith('s') ? 500 : 200 });
  };
  const fetch = wrapFetch(server as typeof globalThis.fetch, { signer, store, resume, policy: { perDay: '10', pinPayees: false } });
  const buys = (host: string): Promise<number | string> =>
    fetch(`https://${host}.example/a`).then(
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
test('what is asked for room is all that is kept, and what finds none is not counted', async () => {
  const names = Array.from({ length: 400 }, (_, at) => `host-${at}.example`);
  const policy = { perDay: '10', pinPayees: false, hosts: ['shop.example', ...names] };
  const [store, signer] = [memoryStore(), watchedSigner()];
  const server = async (_: unknown, init?: RequestInit): Promise<Response> => {
    const isPaid = new Headers(init?.headers).has('x-payment');
    return isPaid ? new Response('', { status: 500 }) : Response.json({ x402Version: 1, accepts: [OFFER_V1] }, { status: 402 });
  };
  const fetch = wrapFetch(server as typeof globalThis.fetch, { signer, store, resume, policy });
  const buys = (path: string): Promise<number | string> =>
    fetch(`https://shop.example/${path}`).then(
      ({ status }) => status,
      (error: FareboxError) => error.code,
    );
  // One after the other: none is signed that is not kept.
  const told = [];
  for (let turn = 0; turn < 100; turn += 1) told.push(await buys(`one-${turn}`));
  const kept = told.filter((it) => it === 500).length;
  assert.ok(kept > 20 && kept < 100, `${kept}`);
  assert.equal(told.filter((it) => it === 'budget_exhausted').length, 100 - kept);
  assert.equal(signer.asked.length, kept);
  const record = async (): Promise<{ entries: unknown[]; sent: SentRow[] }> => JSON.parse((await store.read()).record ?? '{}');
  assert.equal((await record()).entries.length, kept);
});

//
test('of those that look for room at once, each that finds none is not counted', async () => {
  const AT_ONCE = 40;
  // Nothing is kept before all of them have looked.
  const late: (() => void)[] = [];
  const signs = (): Promise<void> =>
    new Promise((done) => {
      if (late.push(done) === AT_ONCE) for (const go of late) go();
    });
  const long = (): Response => Response.json({ x402Version: 1, error: 'x'.repeat(30_000), accepts: [OFFER_V1] }, { status: 402 });
  const { store, signer, buys } = payerOf(long, signs);
  const told = await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => buys(`s.example/${at}?`)));
  const { entries, sent } = JSON.parse((await store.read()).record ?? '{}') as { entries: unknown[]; sent: SentRow[] };
  assert.ok(told.includes('budget_exhausted'));
  assert.deepEqual([signer.asked.length, entries.length], [AT_ONCE, sent.length]);
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
