// Restores that are refused or broken off: nothing is written over anything, a stranger gets what other routes of the operator
// give, and what was killed goes on to the whole.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { CLOSED, Copying, TOKEN } from './copying.ts';

let world: Copying;
let books: Readonly<Record<string, string>>;
before(
  async () => {
    world = await Copying.start();
    await world.gate('source');
    for (const path of ['/report', '/fail/503', '/report-before']) await world.pay(path);
    await world.gate('source', CLOSED);
    books = await world.books();
    assert.equal((await world.run(['backup', world.at('copy')])).code, 0);
  },
  { timeout: 120_000 },
);
after(() => world?.stop());

const inside = (name: string, file: string): string => join(world.at(name), '.farebox-gate', file);

/** A copy that was changed: its rows, its mark, or both so that its sums are right. */
function changed(name: string, { rows = (text: string) => text, mark = (text: string) => text, sums = false }): string {
  cpSync(world.at('copy'), world.at(name), { recursive: true });
  const text = rows(readFileSync(inside(name, 'ledger.jsonl'), 'utf8'));
  writeFileSync(inside(name, 'ledger.jsonl'), text);
  const said = JSON.parse(mark(readFileSync(inside(name, 'ledger.json'), 'utf8'))) as { parts: { sha256: string }[] };
  const parts = text.split(/^\{.*\}\n/m).slice(1);
  if (sums)
    for (const [at, part] of said.parts.entries())
      part.sha256 = createHash('sha256')
        .update(parts[at] ?? '')
        .digest('hex');
  writeFileSync(inside(name, 'ledger.json'), JSON.stringify(said));
  return world.at(name);
}

/** Restores, and looks whether the gate has nothing of it and still sells. */
async function refuses(source: string, says: RegExp, more: Parameters<Copying['run']>[1] = {}): Promise<void> {
  const { code, err } = await world.run(['restore', source], more);
  assert.notEqual(code, 0, err);
  assert.match(err, says);
}

//
test('nothing comes into a gate that has sold, of another salt, other objects or another version', { timeout: 240_000 }, async () => {
  await world.gate('sold');
  assert.equal((await world.pay('/report')).status, 200);
  await refuses(world.at('copy'), /holds rows, and nothing is written over them/);
  assert.equal((await world.pay('/report')).status, 200, 'it goes on');

  await world.gate('salt', {}, { LEDGER_SALT: 't'.repeat(40) });
  await refuses(world.at('copy'), /another LEDGER_SALT/);
  await world.gate('sessions', world.withSessions());
  await refuses(world.at('copy'), /a route of the gate sells by session/);
  await world.gate('shards', { LEDGER_SHARDS: 4 });
  await refuses(world.at('copy'), /LEDGER_SHARDS/);
  await world.gate('fresh');
  await refuses(world.at('copy'), /FAREBOX_OPERATOR_TOKEN is another one/, { token: 'x'.repeat(40) });
  const { schema } = /"value":(?<schema>\d+)/.exec(readFileSync(inside('copy', 'ledger.jsonl'), 'utf8'))?.groups ?? {};
  for (const version of [Number(schema) - 1, Number(schema) + 1]) {
    const rows = (text: string) => text.replaceAll('{"name":"schema","value":' + schema, `{"name":"schema","value":${version}`);
    await world.gate(`version-${version}`);
    await refuses(changed(`version-${version}`, { rows, sums: true }), /another version/);
  }
  const more = (text: string) => text.replaceAll('["payments",{', '["payments",{"later":1,');
  await world.gate('columns');
  await refuses(changed('columns', { rows: more, sums: true }), /another version/);
});

test('a copy that was cut or changed is not sent', async () => {
  await world.gate('clean');
  await refuses(changed('paid', { rows: (text) => text.replace('refund_due', 'delivered') }), /is cut or was changed/);
  changed('cut', {});
  truncateSync(inside('cut', 'ledger.jsonl'), 400);
  await refuses(world.at('cut'), /is cut or was changed/);
  await refuses(changed('format', { mark: (text) => text.replace('"format":1', '"format":2') }), /another format/);
  mkdirSync(world.at('empty'));
  await refuses(world.at('empty'), /is no whole copy/);
  assert.equal((await world.pay('/report')).status, 200, 'the gate has nothing of it');
});

//
test('a restore that was killed goes on to the whole, and meanwhile nothing is sold', { timeout: 240_000 }, async () => {
  await world.gate('killed');
  for (const at of [3, 9]) {
    await world.killed(world.at('copy'), 'page', at);
    assert.equal((await world.pay('/report')).status, 503);
    const other = await world.run(['backup', world.at(`half-${at}`)]);
    assert.match(other.err, /a copy is being restored there/);
    assert.equal(existsSync(world.at(`half-${at}`)), false);
  }
  // Nor does the runtime go on with half of it after a start.
  await world.gate('killed');
  assert.equal((await world.pay('/report')).status, 503);
  const whole = await world.run(['restore', world.at('copy')]);
  assert.equal(whole.code, 0, whole.err);
  assert.deepEqual(await world.books(), books);
  assert.equal((await world.pay('/report')).status, 200);
});

//
test('a stranger is told what every route of the operator tells them', async () => {
  await world.gate('stranger');
  const asked = [
    ['GET', 'backup'],
    ['GET', 'backup?object=ledger/16/0'],
    ['POST', `restore?do=begin&copy=${'0'.repeat(32)}`],
    ['POST', `restore?do=page&copy=${'0'.repeat(32)}&object=ledger/16/0`],
  ] as const;
  for (const [method, path] of asked) {
    for (const headers of [{}, { authorization: 'Bearer x' }] as Record<string, string>[]) {
      const answer = await fetch(`${world.url}/_farebox/${path}`, {
        method,
        headers,
        ...(method === 'POST' ? { body: 'x'.repeat(100) } : {}),
      });
      assert.equal(answer.status, 401, path);
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      assert.equal(answer.headers.get('access-control-allow-origin'), null);
    }
  }
  const operator = { authorization: `Bearer ${TOKEN}` };
  const wrong = [
    ['GET', 'backup?object=..%2Fsecrets', 'object'],
    ['GET', 'backup?object=channel%2F0xAB', 'object'],
    ['POST', 'restore?do=begin&copy=x', 'copy'],
    ['POST', `restore?do=drop&copy=${'0'.repeat(32)}`, 'do'],
    ['POST', `restore?do=open&copy=${'0'.repeat(32)}&object=ledger%2F16%2F0`, 'object'],
  ] as const;
  for (const [method, path, parameter] of wrong) {
    const answer = await fetch(`${world.url}/_farebox/${path}`, { method, headers: operator });
    assert.deepEqual([answer.status, ((await answer.json()) as { parameter: string }).parameter], [400, parameter], path);
  }
  const page = await fetch(`${world.url}/_farebox/restore?do=page&copy=${'0'.repeat(32)}&object=ledger%2F16%2F0`, {
    method: 'POST',
    headers: operator,
    body: '["payments",{}]\n',
  });
  assert.equal(page.status, 409, 'nothing is held');
  assert.equal((await world.pay('/report')).status, 200);
});
