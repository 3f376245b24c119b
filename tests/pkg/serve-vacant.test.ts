// Files of channels that hold nothing, which anybody makes at a gate that sells by session: they go, and no other file does.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { type Runtime, startRuntime } from '../../pkg/gate/dist/serve/runtime.js';
import { sweepLeft, sweepVacant } from '../../pkg/gate/dist/serve/vacant.js';
import { eventually } from '../support/eventually.ts';

const place = mkdtempSync(join(tmpdir(), 'farebox-vacant-'));
const runtimes = new Set<Runtime>();
after(async () => {
  for (const runtime of runtimes) await runtime.stop(0);
  rmSync(place, { recursive: true, force: true });
});

/** A gate whose channels look for their table, and make it with a row where they are told to. */
const GATE = `import { DurableObject } from 'cloudflare:workers';
export class Ledger {}
export class Channel extends DurableObject {
  async fetch(request) {
    const { sql } = this.ctx.storage;
    if (request.method === 'PUT') {
      sql.exec('CREATE TABLE IF NOT EXISTS channel (state TEXT)');
      sql.exec('INSERT INTO channel (state) VALUES (?)', await request.text());
    }
    const has = [...sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'channel'")].length > 0;
    return new Response(has ? [...sql.exec('SELECT state FROM channel')].map(({ state }) => state).join() : 'nothing');
  }
}
export default {
  async fetch(request, { CHANNEL }) {
    return CHANNEL.get(CHANNEL.idFromName(new URL(request.url).pathname)).fetch(request);
  },
};
`;

const rows = join(place, 'rows');
const files = (): string[] => readdirSync(join(rows, 'farebox-channel')).filter((name) => !name.startsWith('metadata'));
const databases = (): number => files().filter((name) => name.endsWith('.sqlite')).length;
let pid = 0;

async function started(): Promise<Runtime> {
  const gate = join(place, 'gate');
  mkdirSync(gate, { recursive: true });
  mkdirSync(rows, { recursive: true });
  writeFileSync(join(gate, 'index.js'), GATE);
  writeFileSync(join(gate, 'index_bg.wasm'), Buffer.from('0061736d01000000', 'hex'));
  const runtime = startRuntime({
    gate,
    pages: place,
    rows,
    files: join(place, 'runtime'),
    vars: {},
    began: (number) => {
      pid = number;
    },
    log: () => {},
  });
  runtimes.add(runtime);
  await runtime.answers();
  return runtime;
}

/** Asks a channel, or writes a row of it. */
async function channel(runtime: Runtime, name: string, row?: string): Promise<string> {
  const sent = request({ socketPath: runtime.socket(), path: `/${name}`, method: row === undefined ? 'GET' : 'PUT' }).end(row);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return String((await answer.toArray())[0]);
}

test('a file that cannot be handled keeps no other one from its name, and what holds nothing is not kept aside', () => {
  const folder = join(place, 'refuses', 'farebox-channel');
  mkdirSync(folder, { recursive: true });
  const file = (letter: string, end: string): string => join(folder, `${letter.repeat(64)}.sqlite${end}`);
  // Nobody removes a folder as a file.
  for (const end of ['', '-wal']) writeFileSync(file('a', end), '');
  mkdirSync(file('a', '-shm'));
  writeFileSync(file('c', '.aside'), 'a real one');
  writeFileSync(file('d', '.aside'), '');
  writeFileSync(file('d', ''), 'made anew');
  sweepLeft(join(place, 'refuses'));
  assert.equal(readFileSync(file('c', ''), 'utf8'), 'a real one');
  assert.equal(readFileSync(file('d', ''), 'utf8'), 'made anew');
  assert.ok(!readdirSync(folder).some((name) => name.endsWith('.aside')));
});

//
test('files of channels that hold nothing go while the gate serves, and no other one does', { timeout: 120_000 }, async () => {
  let runtime = await started();
  await channel(runtime, 'real', 'paid');
  for (let made = 0; made < 250; made += 1) assert.equal(await channel(runtime, `made-up-${made}`), 'nothing');
  await eventually('those at rest are closed', () => !files().some((name) => name.endsWith('-wal')));
  assert.ok(files().length > 250);
  // One that is asked at this moment writes afterwards.
  await channel(runtime, 'new');
  await sweepVacant(rows, () => pid);
  assert.equal(databases(), 2, 'the real one and the new one');
  await channel(runtime, 'new', 'first');
  assert.equal(await channel(runtime, 'made-up-1', 'by now a real one'), 'by now a real one');
  // What a kill leaves: rows that are in their log alone, and files that hold nothing.
  await channel(runtime, 'made-up-2');
  await runtime.stop(0);
  const [one = ''] = files().filter((name) => name.endsWith('.sqlite'));
  renameSync(join(rows, 'farebox-channel', one), join(rows, 'farebox-channel', `${one}.aside`));
  sweepLeft(rows);
  assert.equal(databases(), 3);
  runtime = await started();
  for (const [name, row] of [
    ['real', 'paid'],
    ['new', 'first'],
    ['made-up-1', 'by now a real one'],
    ['made-up-2', 'nothing'],
  ] as const)
    assert.equal(await channel(runtime, name), row, name);
  await runtime.stop(0);
});
