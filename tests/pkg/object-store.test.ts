// A record that has grown past what one value of a Durable Object takes, and a store that takes nothing while an agent pays.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createLocalAgentClient } from '../../pkg/dist/agent/index.js';
import { memoryStore, type PayOptions, type Store } from '../../pkg/dist/index.js';
import { Budget } from '../../pkg/dist/object-store.js';
import { update } from '../../pkg/dist/store.js';
import { askFor, challenge, credentialOf, deliver } from './charges.ts';
import { type Objects, openObjects } from './objects.ts';
import { GOODS, honest, open, PAYER_KEY, paymentOf, TRANSACTION, watchedSigner } from './shop.ts';

let objects: Objects;
before(async () => {
  objects = await openObjects();
});
after(() => objects.stop());

/** The most that the rows of a record may have, characters: those of a harness or a desk. */
const LARGEST = 64 * 1024 * 1024;

//
test('an object takes a record of any size that the package writes, whole, and one writer at a time', async () => {
  const store = objects.store('sizes');
  assert.equal((await store.read()).record, undefined);
  const late = await store.read();
  for (const [size, text] of [
    [100, 'x'],
    [5_000_000, 'x'],
    [499_999, '€'],
    [500_000, '€'],
    [500_001, '€'],
    [1_000_000, 'x'],
    [5_000_000, '€'],
    [2_600_000, 'x'],
    [0, ''],
  ] as const) {
    const record = `${size}${text.repeat(size)}${size}`;
    assert.equal(await update(store, () => record), true);
    assert.ok((await objects.store('sizes').read()).record === record, `${size} of ${text}`);
  }
  assert.equal(await store.replace(late.version, 'late'), false);
  assert.equal((await store.read()).record, '00');
});

test('an object takes the longest record of a harness, and asks its storage for no more keys at once than that takes', async () => {
  const kept = new Map<string, unknown>();
  // Cloudflare's reference: each of these takes at most 128 keys.
  const within = <Keys extends readonly unknown[]>(keys: Keys): Keys => {
    assert.ok(keys.length <= 128, `${keys.length} keys`);
    return keys;
  };
  const storage = {
    get: (async (asked: string | string[]) =>
      typeof asked === 'string' ? kept.get(asked) : new Map(within(asked).map((key) => [key, kept.get(key)]))) as never,
    put: async (entries: Readonly<Record<string, unknown>>) =>
      within(Object.entries(entries)).forEach(([key, value]) => kept.set(key, value)),
    delete: async (keys: string[]) => within(keys).filter((key) => kept.delete(key)).length,
  };
  const asks = (init?: RequestInit): Promise<Response> => new Budget({ storage }).fetch(new Request('https://budget/', init));
  const record = 'x'.repeat(LARGEST);
  assert.equal((await asks({ method: 'PUT', body: JSON.stringify({ version: 0, record }) })).status, 204);
  const { record: read } = (await (await asks()).json()) as { record: string };
  assert.ok(read === record);
  assert.equal((await asks({ method: 'PUT', body: JSON.stringify({ version: 1, record: 'short' }) })).status, 204);
  assert.deepEqual([...kept.keys()], ['budget']);
});

test('an object reads the record that an earlier version has kept, and drops the pieces that it needs no more', async () => {
  const kept = new Map<string, unknown>([['budget', { version: 7, record: 'earlier' }]]);
  const get = async (asked: string | string[]): Promise<unknown> =>
    typeof asked === 'string' ? kept.get(asked) : new Map(asked.map((key) => [key, kept.get(key)]));
  const storage = {
    get: get as never,
    put: async (entries: Readonly<Record<string, unknown>>) => Object.entries(entries).forEach(([key, value]) => kept.set(key, value)),
    delete: async (keys: string[]) => keys.filter((key) => kept.delete(key)).length,
  };
  const asks = (init?: RequestInit): Promise<Response> => new Budget({ storage }).fetch(new Request('https://budget/', init));
  assert.deepEqual(await (await asks()).json(), { version: 7, record: 'earlier' });
  const replaced: number[] = [];
  for (const [version, size] of [7, 8, 9].map((it, at) => [it, [1_600_000, 600_000, 1][at] ?? 0] as const)) {
    const { status } = await asks({ method: 'PUT', body: JSON.stringify({ version, record: 'x'.repeat(size) }) });
    replaced.push(status, kept.size);
  }
  assert.deepEqual(replaced, [204, 4, 204, 2, 204, 1]);
});

//
test('an agent whose record is larger than one value of an object buys', async (t) => {
  const shop = await open(honest);
  t.after(() => shop.stop());
  const store = objects.store('agent');
  const text = (at: number): string =>
    JSON.stringify({ url: `https://shop-${at % 6}.example/${at}`, ends: 1, payment: { a: 'x'.repeat(3_600) } });
  const sent = Array.from({ length: 720 }, (_, at) => [`agent old-${at}`, at, false, text(at)]);
  await update(store, () => JSON.stringify({ v: 2, entries: [], pins: [], sent }));
  const client = createLocalAgentClient({ signer: PAYER_KEY, store, policy: { hosts: [shop.host] } });
  assert.equal(await (await client.fetchPaid(`${shop.url}/report`, undefined, {})).response.text(), GOODS);
  assert.ok(((await store.read()).record ?? '').length > 2_200_000);
});

/** A store that fails once, as it is to keep a payment of an agent. */
function failing(): Store & { failed: number } {
  const store = memoryStore();
  const it = {
    failed: 0,
    read: store.read,
    replace: async (version: unknown, record: string): Promise<boolean> => {
      if (it.failed === 0 && record.includes('["agent ')) {
        it.failed += 1;
        throw new Error('the disk is full');
      }
      return store.replace(version, record);
    },
  };
  return it;
}

//
test('a payment of an agent that its store cannot keep does not leave, and the fault of the store is told', async (t) => {
  const shop = await open(honest);
  t.after(() => shop.stop());
  const [store, signer] = [failing(), watchedSigner()];
  const client = createLocalAgentClient({ signer, store, policy: { hosts: [shop.host] } });
  const buys = () => client.fetchPaid(`${shop.url}/report`, undefined, { idempotencyKey: 'order-7' });
  await assert.rejects(buys(), { message: 'the disk is full' });
  assert.deepEqual([store.failed, shop.requests.map(paymentOf)], [1, [undefined]]);
  assert.equal((await buys()).kind, 'success');
  const nonces = signer.asked.map(({ message }) => message['nonce']);
  assert.deepEqual([nonces.length, new Set(nonces).size], [2, 1]);
});

//
test('a transaction of an agent that its store cannot keep is not asked for', async (t) => {
  const shop = await open((request, response) =>
    credentialOf(request) === undefined
      ? askFor(response, [challenge({ details: { chainId: 84532, credentialTypes: ['hash'], decimals: 6 } })])
      : deliver(response, { reference: TRANSACTION }),
  );
  t.after(() => shop.stop());
  const transfers: unknown[] = [];
  const broadcast: PayOptions['broadcast'] = async (it) => {
    transfers.push(it);
    return TRANSACTION;
  };
  const client = createLocalAgentClient({ signer: PAYER_KEY, store: failing(), policy: { hosts: [shop.host] }, broadcast });
  const buys = () => client.fetchPaid(`${shop.url}/report`, undefined, { idempotencyKey: 'order-7' });
  await assert.rejects(buys(), { message: 'the disk is full' });
  assert.equal(transfers.length, 0);
  assert.equal((await buys()).kind, 'success');
  assert.equal(transfers.length, 1);
});
