// Marks of processes in a gate's folder: whose number is another's now keeps nothing, and what may pass has a code of its own.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';

import { failed } from '../../pkg/dist/cli/remedies.js';
import { Later } from '../../pkg/dist/cli/words.js';
import { lives } from '../../pkg/gate/dist/serve/left.js';
import { takeState, waitState } from '../../pkg/gate/dist/serve/state.js';
import { root } from '../../scripts/steps.mjs';
import { eventually } from '../support/eventually.ts';
import { PROGRAM } from './serve-world.ts';

/** The part that keeps a folder, for programs of their own. */
const STATE = join(root, 'pkg/gate/dist/serve/state.js');
const place = mkdtempSync(join(tmpdir(), 'farebox-marks-'));
const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(place, { recursive: true, force: true });
});
const LINUX = { skip: process.platform !== 'linux' };

/** A folder with a row and secrets. */
function folder(name: string): string {
  const gate = join(place, name);
  mkdirSync(join(gate, 'rows'), { recursive: true });
  writeFileSync(join(gate, 'rows', 'a.sqlite'), 'a row');
  writeFileSync(join(gate, 'secrets.json'), '{"LEDGER_SALT":"s"}', { mode: 0o600 });
  return gate;
}

/** Ends with its code, once it has. */
async function farebox(...words: string[]): Promise<number | null> {
  const child = spawn(process.execPath, [PROGRAM, ...words], { stdio: 'ignore' });
  children.add(child);
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

/** A thread of this process that is no process. */
const thread = (): string => readdirSync(`/proc/${process.pid}/task`).find((it) => Number(it) !== process.pid) ?? '1';

//
test('a mark of a process that is gone keeps nothing, whoever has its number now', LINUX, () => {
  const gate = folder('gone');
  const { mark, leave } = takeState(gate);
  const [, , , , boot = '', start = ''] = basename(mark).split('-');
  assert.match(`${boot} ${start}`, /^[0-9a-f]{32} \d+$/);
  leave();
  const other = '0'.repeat(32);
  for (const [name, text] of [
    // After a loss of power, also where what it said was lost with it.
    [`served-by-1-ab-${other}-7`, ''],
    [`served-by-1-ab-${other}-7`, '\0\0\0\0'],
    [`served-by-${thread()}-ab-${other}-7`, ''],
    // After a kill.
    [`served-by-1-ab-${boot}-999999999999`, ''],
    [`served-by-${thread()}-ab-${boot}-999999999999`, ''],
  ] as const) {
    writeFileSync(join(gate, name), text);
    takeState(gate).leave();
    assert.equal(existsSync(join(gate, name)), false, name);
  }
});

//
test('a mark of a process that goes on keeps the folder, and the code says that it may pass', LINUX, async () => {
  const gate = folder('kept');
  const child = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `import { takeState } from '${STATE}'; takeState('${gate}'); setInterval(() => {}, 1e9);`,
  ]);
  children.add(child);
  const mark = await eventually('it has marked it', () => readdirSync(gate).find((name) => name.startsWith('served-by-')));
  assert.throws(
    () => takeState(gate),
    (error) => error instanceof Later && error.message.includes(`process ${child.pid} serves`),
  );
  assert.deepEqual(
    readdirSync(gate).filter((name) => name.startsWith('served-by-')),
    [mark],
  );
  assert.equal(await farebox('backup', join(place, 'no-copy'), '--state', gate), 75);
  // One of an earlier version says no more than the number.
  renameSync(join(gate, mark), join(gate, `served-by-${child.pid}-ab`));
  assert.throws(() => takeState(gate), /serves .* already/);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  takeState(gate).leave();
});

const ALIEN = /of another container/;
/** Has a mark untouched for so many seconds. */
function ages(mark: string, seconds: number): void {
  const then = new Date(Date.now() - seconds * 1000);
  utimesSync(mark, then, then);
}

//
test('a mark of another container keeps the folder while it is touched, and proves no copy whole', LINUX, async () => {
  const gate = folder('container');
  const { mark, leave } = takeState(gate);
  const [, , , , boot, , space = ''] = basename(mark).split('-');
  assert.match(space, /^\d+$/);
  leave();
  // Its runtime's number is that of a process here, which is never ended.
  const words = join(gate, 'runtime', 'config.capnp');
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e9)', words, 'x']);
  children.add(other);
  const text = JSON.stringify({ pid: other.pid, words, sockets: join(place, 'farebox-000000') });
  const alien = join(gate, `served-by-1-ab-${boot}-7-1`);
  writeFileSync(alien, text);
  ages(alien, 20);
  const isKept = (error: unknown): boolean => error instanceof Later && ALIEN.test(error.message);
  assert.throws(() => takeState(gate), isKept);
  const copy = join(place, 'copy-of-container');
  assert.equal(await farebox('backup', copy, '--state', gate), 75);
  ages(alien, 40);
  assert.equal(await farebox('backup', copy, '--state', gate), 75);
  assert.equal(existsSync(copy), false);
  assert.equal(readFileSync(alien, 'utf8'), text);
  takeState(gate).leave();
  assert.equal(existsSync(alien), false);
  assert.equal(lives(other.pid!), true);
  // After a new start of the system it is one of before.
  writeFileSync(join(gate, `served-by-1-ab-${'0'.repeat(32)}-7-1`), '');
  assert.equal(await farebox('backup', copy, '--state', gate), 0);
});

//
test(
  'a container that comes after one that was killed waits until its mark is old, and no longer for one that goes on',
  LINUX,
  async (t) => {
    const gate = folder('waits');
    const { mark, leave } = takeState(gate);
    const [, , , , boot] = basename(mark).split('-');
    leave();
    const alien = join(gate, `served-by-1-ab-${boot}-7-1`);
    writeFileSync(alien, '');
    ages(alien, 28);
    let told = 0;
    const waited = await waitState(gate, new Promise(() => {}), () => (told += 1));
    assert.deepEqual([existsSync(alien), told], [false, 1]);
    waited?.leave();
    writeFileSync(alien, '');
    const ended = new Promise<void>((done) => setTimeout(done, 50));
    assert.equal(await waitState(gate, ended, () => {}), undefined, 'a signal ends it');
    const touching = setInterval(() => ages(alien, 0), 100);
    t.after(() => clearInterval(touching));
    await assert.rejects(
      waitState(gate, new Promise(() => {}), () => {}, 200),
      ALIEN,
    );
  },
);

//
test('a container that was killed while the clock ran ahead keeps its folder no longer than another one', LINUX, async (t) => {
  const gate = folder('ahead');
  const { mark, leave } = takeState(gate);
  const [, , , , boot] = basename(mark).split('-');
  leave();
  const alien = join(gate, `served-by-1-ab-${boot}-7-1`);
  const waits = (): Promise<unknown> => waitState(gate, new Promise(() => {}), () => {}, 8_000).then((state) => state?.leave());
  let seconds = 0;
  t.mock.method(performance, 'now', () => (seconds += 20) * 1000);
  // One that goes on touches its mark.
  writeFileSync(alien, '');
  const touching = setInterval(() => ages(alien, -3_600 - seconds), 100);
  await assert.rejects(waits(), ALIEN);
  clearInterval(touching);
  ages(alien, -3_600);
  await waits();
  assert.equal(existsSync(alien), false);
});

//
test('a runtime that does not end keeps the folder', LINUX, (t) => {
  const gate = folder('endless');
  const words = join(gate, 'runtime', 'config.capnp');
  const runtime = spawn('sleep', ['600'], { argv0: words });
  children.add(runtime);
  const mark = join(gate, 'served-by-999999999-ab');
  const text = JSON.stringify({ pid: runtime.pid, words, sockets: join(place, 'farebox-000000') });
  writeFileSync(mark, text);
  // As to one that waits for a disk that fails.
  const { kill } = process;
  const held = t.mock.method(
    process,
    'kill',
    (pid: number, signal?: string | number) => signal === 'SIGKILL' || kill.call(process, pid, signal),
  );
  assert.throws(
    () => takeState(gate),
    (error) => error instanceof Later && /does not end, and may still write rows/.test(error.message),
  );
  assert.equal(readFileSync(mark, 'utf8'), text);
  held.mock.restore();
  takeState(gate).leave();
});

//
test('a process that serves touches its mark, and one whose folder was taken meanwhile notes no runtime', async () => {
  const gate = folder('touched');
  const state = takeState(gate);
  ages(state.mark, 40);
  await eventually('it is touched', () => Date.now() - statSync(state.mark).mtimeMs < 10_000);
  rmSync(state.mark);
  assert.throws(() => state.runs(1, '', ''), /is gone: another process may serve the folder/);
  await assert.rejects(state.taken, Later);
  assert.equal(existsSync(state.mark), false);
  state.leave();
});

//
test('a gate whose folder was taken ends at once, with its runtime', LINUX, async () => {
  const gate = join(place, 'taken');
  const words = [
    '--origin',
    'http://127.0.0.1:9',
    '--facilitator',
    'http://127.0.0.1:9',
    '--price',
    '/a=$0.01',
    '--state',
    gate,
    '--port',
    '0',
  ];
  const ended = farebox('serve', '--pay-to', `0x${'1'.repeat(40)}`, ...words);
  const mark = await eventually('it runs', () => {
    const name = existsSync(gate) ? readdirSync(gate).find((it) => it.startsWith('served-by-') && !it.endsWith('.new')) : undefined;
    return name !== undefined && readFileSync(join(gate, name), 'utf8') !== '' ? join(gate, name) : undefined;
  });
  const { pid } = JSON.parse(readFileSync(mark, 'utf8')) as { pid: number };
  rmSync(mark);
  assert.equal(await ended, 75);
  assert.equal(lives(pid), false);
});

//
test('from outside a container its gate goes on', LINUX, async (context) => {
  const gate = folder('inside');
  const holds = `import { takeState } from '${STATE}'; takeState('${gate}'); setInterval(() => {}, 1e9);`;
  const words = ['--pid', '--fork', '--kill-child', '--mount-proc', process.execPath, '--input-type=module', '-e', holds];
  const child = spawn('unshare', words, { stdio: 'ignore' });
  children.add(child);
  let isRefused = false;
  child.on('error', () => (isRefused = true)).on('exit', () => (isRefused = true));
  const marked = (): string | undefined => readdirSync(gate).find((name) => name.startsWith('served-by-1-'));
  await eventually('it has marked it', () => isRefused || marked() !== undefined);
  if (isRefused) return context.skip('this user makes no namespaces');
  assert.throws(() => takeState(gate), ALIEN);
  assert.equal(await farebox('backup', join(place, 'copy-from-outside'), '--state', gate), 75);
  assert.notEqual(marked(), undefined);
});

/** A gate that is served by a process, with a runtime that writes the same number into several files all the time. */
async function written(name: string): Promise<{ gate: string; pid: number }> {
  const gate = folder(name);
  for (let part = 0; part < 40; part += 1) writeFileSync(join(gate, 'rows', `k-${part}`), Buffer.alloc(4_000_000, part));
  const words = join(gate, 'runtime', 'config.capnp');
  const writer = spawn(process.execPath, [
    '-e',
    `const fs = require('fs');
    let n = 0;
    setInterval(() => {
      n += 1;
      for (const name of ['b', 'z']) {
        fs.writeFileSync('${gate}/' + name, String(n));
        fs.renameSync('${gate}/' + name, '${gate}/rows/' + name);
      }
    }, 5);`,
    words,
    'x',
  ]);
  const server = spawn('sleep', ['600']);
  for (const child of [writer, server]) children.add(child);
  const sockets = join(place, 'farebox-000000');
  writeFileSync(join(gate, `served-by-${server.pid}-00`), JSON.stringify({ pid: writer.pid, words, sockets }));
  await eventually('it writes', () => existsSync(join(gate, 'rows', 'z')));
  return { gate, pid: writer.pid! };
}

const isCopying = (gate: string): boolean => readdirSync(gate).some((name) => name.startsWith('copied-by-'));
const moments = (copy: string): string[] => ['b', 'z'].map((file) => readFileSync(join(copy, '.farebox-gate', 'rows', file), 'utf8'));

/** Begins a backup, and holds it while it copies. Returns what lets it go on, and says its code then. */
async function held(gate: string, copy: string): Promise<() => Promise<number | null>> {
  const child = spawn(process.execPath, [PROGRAM, 'backup', copy, '--state', gate], { stdio: 'ignore' });
  children.add(child);
  const ended = once(child, 'exit') as Promise<[number | null]>;
  while (!existsSync(join(copy, '.farebox-gate', 'rows'))) await new Promise((done) => setTimeout(done, 1));
  child.kill('SIGSTOP');
  return async () => {
    child.kill('SIGCONT');
    return (await ended)[0];
  };
}

//
test('of two backups at once one is made, of one moment', LINUX, async () => {
  const { gate } = await written('twice');
  const [one, other] = [join(place, 'copy-1'), join(place, 'copy-2')];
  const goOn = await held(gate, one);
  assert.equal(await farebox('backup', other, '--state', gate), 75);
  assert.equal(existsSync(other), false);
  assert.equal(await goOn(), 0);
  const [b, z] = moments(one);
  // It may have been stopped between two files.
  assert.ok(Number(b) - Number(z) <= 1, `${b} ${z}`);
  assert.equal(isCopying(gate), false);
  writeFileSync(join(gate, 'copied-by-999999999-ab'), '');
  assert.equal(await farebox('backup', other, '--state', gate), 0, 'a killed one keeps nothing');
});

//
test('a backup in which somebody lets the runtime go on is none', LINUX, async () => {
  const { gate, pid } = await written('went-on');
  const copy = join(place, 'copy-3');
  const goOn = await held(gate, copy);
  process.kill(pid, 'SIGCONT');
  await new Promise((done) => setTimeout(done, 50));
  // Also where it stands again at the end.
  process.kill(pid, 'SIGSTOP');
  assert.equal(await goOn(), 75);
  process.kill(pid, 'SIGCONT');
  assert.equal(existsSync(join(copy, '.farebox-gate', 'backup.json')), false);
});

test('a folder that cannot be used ends with code 2 and its name, and a full disk with code 75', LINUX, async () => {
  const file = join(place, 'file');
  writeFileSync(file, '');
  for (const words of [['serve'], ['backup', join(place, 'copy')]]) {
    const child = spawn(process.execPath, [PROGRAM, ...words, '--state', join(file, 'gate')], { stdio: ['ignore', 'ignore', 'pipe'] });
    children.add(child);
    let text = '';
    child.stderr.on('data', (piece) => (text += String(piece)));
    const [code] = (await once(child, 'close')) as [number | null];
    assert.equal(code, 2, text);
    assert.ok(text.includes(join(file, 'gate')), text);
  }
  const thrownBy = (work: () => void): unknown => {
    try {
      work();
    } catch (error) {
      return error;
    }
    return undefined;
  };
  assert.equal(failed(thrownBy(() => writeFileSync('/dev/full', 'x'))), 75);
  assert.equal(failed(await fetch('http://127.0.0.1:1/').catch((error: unknown) => error)), 5);
});
