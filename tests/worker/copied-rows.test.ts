// The rows of an object as a copy has them, in real SQLite objects: each once, whatever moves between two pages, and each value as it was.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { root } from '../../scripts/steps.mjs';

const { Miniflare } = createRequire(import.meta.url)('miniflare') as typeof import('miniflare');

const FRONT = `
import { DurableObject } from 'cloudflare:workers';
import { carryOut, isHeld, OtherVersion, pageOf } from './copy.mjs';
export class Rows extends DurableObject {
  async fetch(request) {
    const { sql, command, lines } = await request.json();
    const { storage } = this.ctx;
    try {
      for (const [query, ...values] of sql ?? []) storage.sql.exec(query, ...values.map((it) => it?.bytes ? Uint8Array.from(it.bytes).buffer : it));
      if (command?.do === 'page') return new Response(pageOf(storage.sql, command));
      if (command === undefined) return Response.json({ held: isHeld(storage.sql) });
      return Response.json(storage.transactionSync(() => carryOut(storage.sql, command, lines)));
    } catch (error) {
      return Response.json({ state: error instanceof OtherVersion ? 'other' : String(error) });
    }
  }
}
export default { fetch: (request, env) => env.ROWS.get(env.ROWS.idFromName(new URL(request.url).pathname)).fetch(request) };
`;

let mf: InstanceType<typeof Miniflare>;
before(async () => {
  mf = new Miniflare({
    modules: [
      { type: 'ESModule', path: 'index.mjs', contents: FRONT },
      { type: 'ESModule', path: 'copy.mjs', contents: readFileSync(join(root, 'src/platform/copy.mjs'), 'utf8') },
    ],
    compatibilityDate: '2026-04-01',
    durableObjects: { ROWS: { className: 'Rows', useSQLite: true } },
    cf: false,
  });
  await mf.ready;
});
after(() => mf?.dispose());

type Statement = readonly [query: string, ...values: unknown[]];

async function ask(object: string, body: { sql?: readonly Statement[]; command?: object; lines?: string }): Promise<string> {
  const answer = await mf.dispatchFetch(`http://rows/${object}`, { method: 'POST', body: JSON.stringify(body) });
  return answer.text();
}

const COPY = { tables: 'ledger', copy: 'a'.repeat(32), first: ['meta', 'aliases', 'payments'], counts: ['meta', 'attempts'] };
const TABLES: readonly Statement[] = [
  ['CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL)'],
  ['CREATE TABLE payments (id INTEGER PRIMARY KEY, key TEXT NOT NULL, body BLOB, due INTEGER, reason TEXT)'],
  ['CREATE TABLE common (id INTEGER PRIMARY KEY, terms TEXT)'],
  ['CREATE TABLE aliases (payer TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (payer, key)) WITHOUT ROWID'],
  ['CREATE TABLE attempts (who TEXT PRIMARY KEY) WITHOUT ROWID'],
  ["INSERT INTO meta VALUES ('schema', 9)"],
];

/** All rows of an object, in pages of so many bytes; something is done between two pages. */
async function rowsOf(object: string, bytes: number, between: (page: number) => Promise<unknown> = async () => {}): Promise<string[]> {
  const rows: string[] = [];
  for (let [after, page]: [string, number] = ['', 0]; ; page += 1) {
    const lines = (await ask(object, { command: { ...COPY, do: 'page', after, bytes } })).trimEnd().split('\n');
    const { next } = JSON.parse(lines.pop() ?? '') as { next?: string };
    rows.push(...lines);
    if (next === undefined) return rows;
    after = next;
    await between(page);
  }
}

const numberOf = (line: string): number => (JSON.parse(line) as [string, { id: number }])[1].id;

//
test('an object of the ledger keeps the second in which it answers by a copy, and no copy has it before', async () => {
  const command = { ...COPY, note: 'restored' };
  const noted = async (object: string): Promise<readonly { value: number }[]> =>
    (await rowsOf(object, 1_000)).map((line) => JSON.parse(line)[1]).filter(({ name }) => name === 'restored');
  await ask('noted', { sql: TABLES });
  const begun = Math.floor(Date.now() / 1000);
  for (const deed of ['hold', 'take'])
    await ask('noted', { command: { ...command, do: deed, page: 0 }, lines: '["meta",{"name":"restored","value":7}]\n' });
  assert.deepEqual(await noted('noted'), [{ name: 'restored', value: 7 }], 'as it was copied');
  assert.equal(JSON.parse(await ask('noted', { command: { ...command, do: 'open' } })).state, 'open');
  const [first, ...more] = await noted('noted');
  assert.deepEqual(more, []);
  assert.ok(first && first.value >= begun && first.value <= Date.now() / 1000, JSON.stringify(first));
  // Another one has no such number.
  await ask('unnoted', { sql: TABLES });
  for (const deed of ['hold', 'open']) await ask('unnoted', { command: { ...COPY, note: null, do: deed } });
  assert.deepEqual(await noted('unnoted'), []);
});

test('values come back as they were, page by page', async () => {
  const texts = ['', 'a"b\\', 'line\nend\r\u2028\u2029\u0000', '\u{1f4b8}', "x'; DROP TABLE payments; --"];
  const rows: Statement[] = [];
  for (let id = 1; id <= 40; id += 1) {
    const bytes = Array.from({ length: (id * 97) % 9000 }, (_, at) => (at * id) % 256);
    rows.push([
      'INSERT INTO payments VALUES (?, ?, ?, ?, ?)',
      id % 3 === 0 ? -id : id,
      texts[id % texts.length],
      id % 4 === 0 ? null : { bytes },
      id % 2 === 0 ? null : 2 ** 53 - id,
      null,
    ]);
  }
  for (const payer of texts) for (const key of texts) rows.push(['INSERT INTO aliases VALUES (?, ?)', payer, key]);
  rows.push(["INSERT INTO common VALUES (1, '{}')"], ["INSERT INTO attempts VALUES ('0xab')"]);
  await ask('from', { sql: [...TABLES, ...rows] });
  const whole = await rowsOf('from', 1 << 30);
  assert.equal(whole.length, 1 + 25 + 40 + 1 + 1);
  assert.deepEqual(
    [...new Set(whole.map((line) => (JSON.parse(line) as [string])[0]))],
    ['meta', 'aliases', 'payments', 'attempts', 'common'],
    'what names a payment comes before it, what it names after it',
  );
  for (const bytes of [1, 700, 20_000]) assert.deepEqual(await rowsOf('from', bytes), whole, `${bytes}`);

  await ask('to', { sql: [...TABLES, ["INSERT INTO attempts VALUES ('0xcd')"]] });
  assert.equal(JSON.parse(await ask('to', { command: { ...COPY, do: 'hold' } })).state, 'held');
  for (const [page, from] of [0, 20, 40].entries()) {
    const lines = whole.slice(from, page === 2 ? undefined : from + 20).join('\n');
    for (let again = 0; again < 2; again += 1) {
      const said = JSON.parse(await ask('to', { command: { ...COPY, do: 'take', page }, lines }));
      assert.deepEqual(said, { state: 'held', next: page + 1 }, 'a page that comes again changes nothing');
    }
    const early = JSON.parse(await ask('to', { command: { ...COPY, do: 'take', page: page + 2 }, lines }));
    assert.deepEqual(early, { state: 'held', next: page + 1 }, 'one that comes too early is not taken');
  }
  assert.deepEqual(await rowsOf('to', 700), whole);
  assert.equal(JSON.parse(await ask('to', {})).held, true);
  const other = { ...COPY, copy: 'b'.repeat(32) };
  for (const deed of ['hold', 'free', 'open', 'take']) {
    assert.equal(JSON.parse(await ask('to', { command: { ...other, do: deed, page: 3 }, lines: '' })).state, 'used', deed);
  }
  assert.equal(JSON.parse(await ask('to', { command: { ...COPY, do: 'free' } })).state, 'held', 'rows are not let go of');
  assert.equal(JSON.parse(await ask('to', { command: { ...COPY, do: 'open' } })).state, 'open');
  assert.equal(JSON.parse(await ask('to', {})).held, false);
  const late = JSON.parse(await ask('to', { command: { ...COPY, do: 'take', page: 3 }, lines: whole[30] ?? '' }));
  assert.equal(late.state, 'open', 'it takes no more');
  assert.deepEqual(await rowsOf('to', 1 << 30), whole);
});

//
test('a row that comes to rest, or is open again, between two pages is read once', async () => {
  const ids = Array.from({ length: 120 }, (_, at) => at + 1);
  await ask('moves', {
    sql: [...TABLES, ...ids.map((id): Statement => ['INSERT INTO payments (id, key) VALUES (?, ?)', id % 2 ? -id : id, `k${id}`])],
  });
  const rows = await rowsOf('moves', 200, async (page) => {
    // All of them turn with every page, those that were read as well.
    assert.ok(page < 200);
    await ask('moves', { sql: [['UPDATE payments SET id = -id']] });
  });
  const read = rows.filter((line) => line.startsWith('["payments"')).map((line) => Math.abs(numberOf(line)));
  assert.deepEqual(read, ids);
});

test('an object that holds a row of money takes no copy, and keeps what it has', async () => {
  await ask('used', { sql: [...TABLES, ["INSERT INTO common VALUES (1, '{}')"], ["INSERT INTO attempts VALUES ('0xcd')"]] });
  const before = await rowsOf('used', 1 << 30);
  for (const deed of ['look', 'hold', 'take', 'open', 'free']) {
    const said = JSON.parse(
      await ask('used', { command: { ...COPY, do: deed, page: 0, holds: true }, lines: '["common",{"id":2,"terms":""}]' }),
    );
    assert.equal(said.state, 'used', deed);
  }
  assert.deepEqual(await rowsOf('used', 1 << 30), before);
});

test('lines of another version, or that are no rows, leave nothing of their page', async () => {
  await ask('odd', { sql: TABLES });
  await ask('odd', { command: { ...COPY, do: 'hold' } });
  const good = '["aliases",{"payer":"p","key":"k"}]';
  for (const bad of [
    '["meta",{"name":"schema","value":10}]',
    '["payments",{"id":1,"key":"k"}]',
    '["payments",{"id":1,"key":"k","body":null,"due":null,"reason":null,"more":1}]',
    '["payments",{"id":1.5,"key":"k","body":null,"due":null,"reason":null}]',
    '["payments",{"id":1,"key":"k","body":{"hex":"00"},"due":null,"reason":null}]',
    '["nowhere",{"id":1}]',
    '["sqlite_master",{"name":"x"}]',
    '["restoring",{"copy":"x","next":1,"opened":1}]',
    '["payments",null]',
    '{"payments":1}',
    'payments',
  ]) {
    const said = JSON.parse(await ask('odd', { command: { ...COPY, do: 'take', page: 0 }, lines: `${good}\n${bad}\n` }));
    assert.equal(said.state, 'other', bad);
  }
  assert.deepEqual(await rowsOf('odd', 1 << 30), ['["meta",{"name":"schema","value":9}]']);
});
