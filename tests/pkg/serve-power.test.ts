// Loss of power, as far as it can be played: of the files of `serve`, `backup` and `restore` stays what they have put on the disk. Rows are
// SQLite's, which puts each step on the disk by itself.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';

import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { wrapFetch } from '../../pkg/dist/index.js';
import { memoryStore } from '../../pkg/dist/store.js';
import { closedBefore, restore } from '../../pkg/gate/dist/serve/backup.js';
import { takeState } from '../../pkg/gate/dist/serve/state.js';
import { lostPower, noting, stepsIn } from './power.ts';
import { PROGRAM, runtimeOf, type ServeWorld, startServeWorld } from './serve-world.ts';

let origin: Origin;
let world: ServeWorld;
before(async () => {
  origin = await startOrigin();
  world = await startServeWorld(origin.url, ['/report']);
});
const place = mkdtempSync(join(tmpdir(), 'farebox-power-'));
const at = (...names: string[]): string => join(place, ...names);
after(async () => {
  await world?.stop();
  await origin?.stop();
  rmSync(place, { recursive: true, force: true });
});

/** Pays a URL, and returns what it sent. */
async function paid(url: string): Promise<Headers> {
  let sent = new Headers();
  const watched: typeof fetch = (input, init) => {
    sent = new Headers(init?.headers);
    return fetch(input, init);
  };
  const response = await wrapFetch(watched, { signer: world.chain.accounts.payers[2]!.privateKey, store: memoryStore() })(url);
  assert.equal(response.status, 200);
  await response.arrayBuffer();
  return sent;
}

test('a gate whose machine loses power at its first sale knows its secrets and that payment afterwards', async () => {
  const { chain, state, serving, auditOf } = world;
  const [log, lost] = [at('serve.log'), join(dirname(state), 'lost')];
  const first = await serving([], noting(log));
  const payment = await paid(`${first.url}/report?power`);
  first.child.kill('SIGKILL');
  process.kill(runtimeOf(state), 'SIGKILL');
  await first.ended;
  lostPower(stepsIn(log), state, lost);
  const secrets = (folder: string): string => readFileSync(join(folder, 'secrets.json'), 'utf8');
  assert.equal(secrets(lost), secrets(state));
  // Its mark and what the runtime was started with were never put there: they are of no use to the next start.
  assert.ok(!existsSync(join(lost, 'runtime', 'index.js')));
  cpSync(join(state, 'rows', 'farebox-ledger'), join(lost, 'rows', 'farebox-ledger'), { recursive: true });
  const had = await chain.balanceOf(chain.accounts.payee.address);
  const requests = origin.requests.filter(({ url }) => url === '/report?power').length;
  const second = await serving(['--state', lost, '--port', new URL(first.url).port]);
  assert.ok(!second.wrote().includes('is new'), second.wrote());
  const again = await fetch(`${second.url}/report?power`, { headers: payment });
  assert.ok([200, 409].includes(again.status), await again.text());
  assert.equal(origin.requests.filter(({ url }) => url === '/report?power').length, requests);
  assert.equal(await chain.balanceOf(chain.accounts.payee.address), had);
  await paid(`${second.url}/report?since`);
  assert.deepEqual(await auditOf(second.url), ['0']);
  second.child.kill('SIGTERM');
  assert.equal(await second.ended, 0);
});

/** Runs the command on a folder, and returns what it has put on the disk. */
function steps(log: string, ...words: string[]): ReturnType<typeof stepsIn> {
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, ...words], {
    encoding: 'utf8',
    env: { ...process.env, ...noting(log) },
  });
  assert.equal(status, 0, stderr);
  return stepsIn(log);
}

const ROWS = ['a.sqlite', 'a.sqlite-wal', 'b.sqlite'];
/** A folder with rows and secrets. */
function folder(name: string): string {
  mkdirSync(at(name, 'rows', 'ledger'), { recursive: true });
  for (const file of ROWS) writeFileSync(at(name, 'rows', 'ledger', file), `rows of ${file}`);
  writeFileSync(at(name, 'rows.json'), '{"rows":true}\n');
  writeFileSync(at(name, 'rows', 'gate.json'), '{}\n');
  writeFileSync(at(name, 'secrets.json'), '{"LEDGER_SALT":"s"}', { mode: 0o600 });
  return at(name);
}
const rowsOf = (state: string): string[] => ROWS.map((file) => readFileSync(join(state, 'rows', 'ledger', file), 'utf8'));
const WHOLE = ROWS.map((file) => `rows of ${file}`);

//
test('a backup that loses power at any step is whole or none', () => {
  const done = steps(at('backup.log'), 'backup', at('copy'), '--state', folder('gate'));
  const ends = done.map((_, step) => {
    const copy = at(`copy-${step}`);
    lostPower(done.slice(0, step + 1), at('copy'), copy);
    try {
      restore(copy, at(`from-copy-${step}`));
    } catch (error) {
      assert.match((error as Error).message, /is no backup/);
      return 'none';
    }
    assert.deepEqual(rowsOf(at(`from-copy-${step}`)), WHOLE);
    return 'whole';
  });
  assert.deepEqual([ends[0], ends.at(-1)], ['none', 'whole']);
});

//
test('a folder that is put back and loses power at any step is refused, or knows when that was', () => {
  steps(at('backup-2.log'), 'backup', at('source'), '--state', folder('gate-2'));
  const done = steps(at('restore.log'), 'restore', at('source'), '--state', at('back'));
  const ends = done.map((_, step) => {
    const back = at(`back-${step}`);
    lostPower(done.slice(0, step + 1), at('back'), back);
    // Nothing was put back yet: it is as before.
    if (readdirSync(back).length === 0) return 'empty';
    try {
      takeState(back).leave();
    } catch (error) {
      assert.match((error as Error).message, /was put back in part/);
      return 'refused';
    }
    assert.deepEqual([rowsOf(back), closedBefore(back).length], [WHOLE, 1]);
    return 'known';
  });
  assert.deepEqual([ends[0], ends.at(-2), ends.at(-1)], ['empty', 'refused', 'known']);
});
