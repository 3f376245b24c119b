// What an order leaves in a store that others share: rows within bounds, which no exchange and no other process takes away.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';

import { buyJob } from '../../pkg/dist/agent/index.js';
import { memoryStore } from '../../pkg/dist/index.js';
import { type SentRow, sentIn, stands, withSent } from '../../pkg/dist/sent.js';
import { apart, asked, failure, idOf, its, latch, nonces, order, payments, quotedAs, say } from './scripted-exchange.ts';
import { spentIn } from './shop.ts';

const NOW = 1_800_000_000;
const DUE = { code: 'PAYMENT_VERIFY_FAILED', error: 'x', details: { gate: 'refund_due' } };

/** A row of a host, of so many characters. */
const rowOf = (key: string, host: string, size: number, more: Record<string, unknown> = {}, open = false): SentRow => {
  const text = JSON.stringify({ url: `https://${host}/x`, ...more, filling: '' });
  return [key, NOW, open, JSON.stringify({ ...JSON.parse(text), filling: 'x'.repeat(Math.max(0, size - text.length)) })];
};
const recordOf = (rows: readonly SentRow[]): string =>
  rows.reduce<string>((record, row) => withSent(record, row), '{"v":2,"entries":[],"pins":[]}');
const keysIn = (record: string, begins: string): string[] =>
  sentIn(record)
    .map(([key]) => key)
    .filter((key) => key.startsWith(begins));

test('a stored row stands against one that does not hold what it holds, and against one that is less far', () => {
  const open = { isOpen: true, signed: 'a', rank: 3 };
  const over = { isOpen: false, signed: 'a', rank: 5 };
  for (const [stored, mine, expected] of [
    [open, { isOpen: true, signed: 'b', rank: 4 }, true],
    [open, { isOpen: false, rank: 5 }, true],
    [open, { isOpen: true, signed: 'a', rank: 4 }, false],
    [open, { isOpen: true, signed: 'a', rank: 2 }, true],
    // What has ended is not reopened, not even by the same signature.
    [over, { isOpen: true, signed: 'a', rank: 9 }, true],
    [over, { isOpen: true, signed: 'b' }, true],
    // Nothing was signed for it.
    [{ isOpen: false, rank: 5 }, { isOpen: true, signed: 'a', rank: 2 }, true],
    [{ isOpen: false }, { isOpen: true, signed: 'a' }, false],
  ] as const)
    assert.equal(stands(stored, mine), expected, JSON.stringify([stored, mine]));
});

//
test('a host fills its own share of a store, and its rows that are known make room for its own alone', () => {
  const honest = recordOf(Array.from({ length: 200 }, (_, at) => rowOf(`honest ${at}`, 'honest.example', 1_000)));
  let record = honest;
  for (let at = 0; at < 30; at += 1) record = withSent(record, rowOf(`evil ${at}`, 'evil.example', 1_000_000));
  assert.equal(keysIn(record, 'honest').length, 200);
  assert.deepEqual(keysIn(record, 'evil'), ['evil 29']);
  for (let at = 0; at < 300; at += 1) record = withSent(record, rowOf(`small ${at}`, 'evil.example', 100));
  assert.equal(keysIn(record, 'honest').length, 200);
  assert.deepEqual(
    keysIn(record, 'small'),
    Array.from({ length: 256 }, (_, at) => `small ${at + 44}`),
  );
  // What is open at a host takes the place of what is known there.
  for (let at = 0; at < 9; at += 1) record = withSent(record, rowOf(`open ${at}`, 'evil.example', 50_000, { ends: NOW + 600 }, true));
  assert.deepEqual([keysIn(record, 'open').length, keysIn(record, 'honest').length], [9, 200]);
  assert.throws(
    () => withSent(withSent(record, rowOf('open 9', 'evil.example', 50_000, {}, true)), rowOf('open 10', 'evil.example', 50_000, {}, true)),
    { code: 'budget_exhausted', message: /evil\.example/ },
  );
});

test('where the store is full, the host that has most gives way', () => {
  const rows = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((host) =>
    Array.from({ length: 10 }, (_, at) => rowOf(`h${host} ${at}`, `h${host}.example`, 51_000)),
  );
  let record = recordOf([rowOf('little 0', 'little.example', 100), ...rows]);
  for (let at = 0; at < 15; at += 1) record = withSent(record, rowOf(`late ${at}`, 'late.example', 50_000, { ends: NOW + 600 }, at < 10));
  assert.equal(keysIn(record, 'little').length, 1);
  // Those that are open, and the new one.
  assert.equal(keysIn(record, 'late').length, 11);
  const left = [0, 1, 2, 3, 4, 5, 6, 7].map((host) => keysIn(record, `h${host} `).length);
  assert.ok(
    left.every((count) => count === 8 || count === 9),
    left.join(),
  );
  assert.ok(record.length < 4.3 * 1024 * 1024, String(record.length));
});

test('a refund that was told of is kept until it ends', () => {
  const told = rowOf('told', 'evil.example', 200, { refunded: true, ends: NOW + 1_000 });
  const old = rowOf('old', 'evil.example', 200, { refunded: true });
  const over = rowOf('over', 'evil.example', 200, { refunded: true, ends: NOW - 1_000 });
  let record = recordOf([told, old, over]);
  for (let at = 0; at < 300; at += 1) record = withSent(record, rowOf(`small ${at}`, 'evil.example', 5_000));
  assert.deepEqual([...keysIn(record, 'told'), ...keysIn(record, 'old'), ...keysIn(record, 'over')], ['told', 'old']);
});

test('an exchange that sells nothing takes no rows of others away', async () => {
  const store = memoryStore();
  assert.equal((await buyJob(order({ store, idempotencyKey: 'mine' }))).money, 'paid');
  its.script = ({ path }, response) => path.endsWith('/verify') && say(response, 409, DUE);
  assert.equal((await failure(buyJob(order({ store, prompt: 'refunded' })))).code, 'refund_due');
  const listed = { network_profile: 'live-testnet', currency: 'USDC', capabilities: [{ capability: 'llm' }] };
  its.script = ({ path }, response) =>
    path.endsWith('/capabilities') ? say(response, 200, { ...listed, network: 'e'.repeat(1_000_000) }) : say(response, 503, {});
  const evil = its.url.replace('127.0.0.1', 'localhost');
  for (let turn = 0; turn < 5; turn += 1)
    assert.equal(
      (await failure(buyJob(order({ store: apart(store), url: evil, prompt: `${turn}`, timeoutMs: 400 })))).code,
      'quote_rejected',
    );
  assert.ok(((await store.read()).record ?? '').length < 10_000);
  its.script = () => undefined;
  assert.equal((await failure(buyJob(order({ store: apart(store), prompt: 'refunded' })))).code, 'payment_unresolved');
  asked.length = 0;
  assert.equal((await buyJob(order({ store: apart(store), idempotencyKey: 'mine' }))).money, 'paid');
  assert.equal(asked.length, 0);
});

test('a result that is too long is given once, and its digest is kept', async () => {
  const store = memoryStore();
  for (const [size, key] of [
    [60_000, 'short'],
    [1_000_000, 'long'],
  ] as const) {
    const result = { text: 'x'.repeat(size) };
    its.script = ({ path }, response) => path.endsWith('/job-1') && say(response, 200, { job_id: 'job-1', status: 'done', result });
    const mine = (): Parameters<typeof buyJob>[0] => order({ store: apart(store), idempotencyKey: key });
    const first = await buyJob(mine());
    assert.deepEqual([first.result, first.resultDigest], [result, undefined]);
    asked.length = 0;
    const again = await buyJob(mine());
    const digest = createHash('sha256').update(JSON.stringify(result)).digest('hex');
    assert.deepEqual([again.result, again.resultDigest, asked.length], key === 'short' ? [result, undefined, 0] : [undefined, digest, 0]);
    assert.deepEqual([again.jobId, again.money], ['job-1', 'paid']);
  }
  assert.ok(((await store.read()).record ?? '').length < 100_000);
});

for (const ending of ['refund_due', 'delivered'] as const) {
  test(`an order that was ${ending} to one process is not paid again by one that began before`, async () => {
    const store = memoryStore();
    const late = latch<ServerResponse>();
    let quotes = 0;
    its.script = ({ path }, response) => {
      if (path.endsWith('/verify') && ending === 'refund_due') return say(response, 409, DUE);
      if (!path.endsWith('/quote')) return undefined;
      quotes += 1;
      if (quotes === 2) late.opens(response);
      return quotes === 2 || quotedAs(quotes, {}, response);
    };
    const both = [1, 2].map(() => buyJob(order({ store: apart(store) })).catch((error: unknown) => error as { code: string }));
    const first = await Promise.race(both);
    quotedAs(2, {}, await late.comes);
    const told = await Promise.all(both);
    if (ending === 'delivered') assert.deepEqual([told[0], first], [told[1], told[1]]);
    else assert.deepEqual(told.map((it) => ('code' in it ? it.code : 'bought')).sort(), ['payment_unresolved', 'refund_due']);
    assert.deepEqual([nonces().size, (await spentIn(store)).entries.length, its.signed.length], [1, 1, 1]);
  });
}

test('an exchange has a profile paid on its own kind of network alone', async () => {
  const main = { network: 'eip155:8453', chain_id: 8453 };
  for (const [profile, code] of [
    ['live-testnet', 'quote_rejected'],
    ['demo-testnet', 'quote_rejected'],
  ] as const) {
    its.script = ({ path }, response) => {
      const said = { network_profile: profile, network: main.network, currency: 'USDC', capabilities: [{ capability: 'llm' }] };
      if (path.endsWith('/capabilities')) return say(response, 200, said);
      return path.endsWith('/quote') && quotedAs(1, {}, response, { network_profile: profile, ...main });
    };
    const error = await failure(buyJob(order({ profile })));
    assert.deepEqual([error.code, error.money, its.signed.length], [code, 'not_moved', 0]);
  }
  // Pretended payments alone are made in the demo.
  its.script = ({ path }, response) => path.endsWith('/quote') && quotedAs(1, {}, response, { network_profile: 'demo-testnet' });
  assert.equal((await failure(buyJob(order({ profile: 'demo-testnet' })))).code, 'quote_rejected');
  assert.deepEqual([payments().length, its.signed.length, idOf(1).length], [0, 0, 64]);
});

test('neither quotes without time nor a feed that always has news has a buyer ask without end', async () => {
  const short = { expires_in_seconds: 4 };
  its.script = ({ path }, response) => path.endsWith('/quote') && quotedAs(1, {}, response, short);
  assert.equal((await failure(buyJob(order({ timeoutMs: 1_000 })))).code, 'timed_out');
  assert.ok(asked.length <= 6, String(asked.length));
  asked.length = 0;
  its.script = ({ path }, response) => {
    if (path.endsWith('/feed')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => response.write('data: x\n\n'), 1);
      response.on('close', () => clearInterval(timer));
      return true;
    }
    return path.endsWith('/job-1') && say(response, 200, { job_id: 'job-1', status: 'running', result: null });
  };
  assert.equal((await failure(buyJob(order({ feed: true, timeoutMs: 2_500 })))).code, 'timed_out');
  assert.ok(asked.length <= 14, String(asked.length));
});
