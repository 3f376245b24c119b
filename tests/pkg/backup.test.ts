// Copies of a gate's folder: what is in them, and what is not put back. How a gate sells after that is in `serve.test.ts`.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';

import { backUp, closedBefore, closedUntil, restore, yetToCome } from '../../pkg/gate/dist/serve/backup.js';
import { afterRestores } from '../../pkg/gate/dist/serve/settings.js';
import { isOwnFolder } from '../../pkg/gate/dist/serve/shown.js';
import { takeState } from '../../pkg/gate/dist/serve/state.js';
import { PROGRAM } from './serve-world.ts';

const place = mkdtempSync(join(tmpdir(), 'farebox-copies-'));
after(() => rmSync(place, { recursive: true, force: true }));
const at = (...names: string[]): string => join(place, ...names);

/** A folder with a row and secrets. */
function folder(name: string): string {
  mkdirSync(at(name, 'rows', 'ledger'), { recursive: true });
  writeFileSync(at(name, 'rows', 'ledger', 'a.sqlite'), `row of ${name}`);
  writeFileSync(at(name, 'secrets.json'), '{"LEDGER_SALT":"s"}', { mode: 0o600 });
  return at(name);
}

test('a folder that has secrets and no rows yet is copied', () => {
  mkdirSync(at('fresh'));
  writeFileSync(at('fresh', 'secrets.json'), '{}', { mode: 0o600 });
  backUp(at('fresh'), at('copy-of-fresh'));
  assert.equal(readFileSync(at('copy-of-fresh', '.farebox-gate', 'secrets.json'), 'utf8'), '{}');
});

//
test('what a copy has stands under a name that no gate passes on, and that repositories do not take', () => {
  backUp(folder('hidden'), at('copy-1130'));
  const paths = (readdirSync(at('copy-1130'), { recursive: true }) as string[]).filter((path) => path !== '.gitignore');
  assert.ok(paths.includes(join('.farebox-gate', 'secrets.json')));
  assert.deepEqual(
    paths.filter((path) => !isOwnFolder(`/site/copy-1130/${path}`)),
    [],
  );
  assert.equal(readFileSync(at('copy-1130', '.gitignore'), 'utf8'), '*\n');
  // A copy that was made before copies had that name.
  renameSync(at('copy-1130', '.farebox-gate'), at('copy-of-before'));
  restore(at('copy-of-before'), at('hidden-again'));
  assert.equal(readFileSync(at('hidden-again', 'rows', 'ledger', 'a.sqlite'), 'utf8'), 'row of hidden');
});

test('a copy has what links lead to', () => {
  const real = folder('disk');
  mkdirSync(at('linked'));
  symlinkSync(join(real, 'rows'), at('linked', 'rows'));
  symlinkSync(join(real, 'secrets.json'), at('linked', 'secrets.json'));
  backUp(at('linked'), at('copy'));
  for (const name of ['rows', 'secrets.json']) assert.equal(lstatSync(at('copy', '.farebox-gate', name)).isSymbolicLink(), false, name);
  rmSync(real, { recursive: true });
  restore(at('copy'), at('back'));
  assert.equal(readFileSync(at('back', 'rows', 'ledger', 'a.sqlite'), 'utf8'), 'row of disk');
  assert.equal(readFileSync(at('back', 'secrets.json'), 'utf8'), '{"LEDGER_SALT":"s"}');
});

//
for (const [what, link, target] of [
  ['the rows', ['rows'], 'rows'],
  ['a file among the rows', ['rows', 'ledger', 'b.sqlite'], 'rows/ledger/a.sqlite'],
  ['the secrets', ['secrets.json'], 'secrets.json'],
  ['the times', ['restored.json'], 'restored.json'],
] as const)
  test(`a copy in which ${what} is a link is not put back`, () => {
    const other = folder(`other-${what}`);
    const copied = `copy-${what}`;
    backUp(folder(`of-${what}`), at(copied));
    rmSync(at(copied, '.farebox-gate', ...link), { recursive: true, force: true });
    symlinkSync(join(other, target), at(copied, '.farebox-gate', ...link));
    assert.throws(() => restore(at(copied), at(`back-${what}`)), /is a link, and a backup has none/);
    assert.equal(existsSync(at(`back-${what}`)), false);
  });

//
test('two folders whose rows are the same are served by one process', () => {
  const one = folder('one');
  mkdirSync(at('two'));
  symlinkSync(join(one, 'rows'), at('two', 'rows'));
  writeFileSync(at('two', 'secrets.json'), '{}', { mode: 0o600 });
  for (const [first, second] of [
    [one, at('two')],
    [at('two'), one],
  ] as const) {
    const state = takeState(first);
    // Another process would be refused; this one has its own mark there.
    const mark = join(dirname(state.mark), 'served-by-1-ab');
    writeFileSync(mark, '');
    assert.throws(() => takeState(second), /process 1 serves .* already/);
    rmSync(mark);
    state.leave();
  }
});

test('however often a folder was put back, the gate gets times that it takes', () => {
  let from = folder('moves');
  for (let move = 1; move <= 10; move += 1) {
    backUp(from, at(`copy-${move}`));
    from = at(`move-${move}`);
    restore(at(`copy-${move}`), from);
  }
  const times = closedBefore(from);
  assert.equal(times.length, 10);
  const setBefore = (vars: Record<string, string>, all = times): number[] =>
    (afterRestores(vars, all)['LEDGER_CLOSED_BEFORE'] ?? '').split(',').map(Number);
  const later = Math.max(...times) + 500;
  for (const given of [
    setBefore({}),
    setBefore({ LEDGER_CLOSED_BEFORE: `${later},7` }),
    setBefore({}, [30, 10, 20, 10, 9, 8, 7, 6, 5, 4, 3]),
  ]) {
    assert.ok(given.length <= 8, String(given));
    assert.deepEqual(
      given,
      [...new Set(given)].sort((one, other) => other - one),
    );
  }
  assert.equal(setBefore({ LEDGER_CLOSED_BEFORE: `${later},7` })[0], later);
  assert.equal(
    afterRestores({ LEDGER_CLOSED_BEFORE: 'yesterday' }, times)['LEDGER_CLOSED_BEFORE'],
    'yesterday',
    'the gate says what is wrong',
  );
  for (const text of ['', '[17', '["now"]', '{}']) {
    writeFileSync(join(from, 'restored.json'), text);
    assert.throws(() => closedBefore(from), /restored\.json cannot be read: write \[\d+\] into it/);
  }
});

test('a copy that could not be made is made under the same name later', () => {
  const from = folder('refuses');
  const lost = join(from, 'rows', 'ledger', 'b.sqlite');
  symlinkSync(at('nowhere'), lost);
  assert.throws(() => backUp(from, at('copy-of-the-day')));
  assert.equal(existsSync(at('copy-of-the-day')), false);
  rmSync(lost);
  backUp(from, at('copy-of-the-day'));
  assert.equal(readFileSync(at('copy-of-the-day', '.farebox-gate', 'rows', 'ledger', 'a.sqlite'), 'utf8'), 'row of refuses');
});

//
test('a folder that was cut short is no gate, and neither is a copy', () => {
  const from = folder('cut');
  backUp(from, at('copy-of-cut'));
  assert.throws(() => takeState(at('copy-of-cut')), /is a copy of a gate, or was put back in part: use `farebox restore`/);
  rmSync(join(from, 'secrets.json'));
  assert.throws(() => takeState(from), /has rows and no secrets\.json, without which they are lost/);
  assert.equal(existsSync(join(from, 'secrets.json')), false, 'new ones would lose the rows for good');
});

//
test('a restore that was killed half way is no gate either, and the next one needs an empty folder', async () => {
  const from = folder('large');
  for (let part = 0; part < 40; part += 1) writeFileSync(join(from, 'rows', `part-${part}`), Buffer.alloc(4_000_000, part));
  backUp(from, at('copy-of-large'));
  const child = spawn(process.execPath, [PROGRAM, 'restore', at('copy-of-large'), '--state', at('half')]);
  while (!existsSync(at('half', 'rows'))) await new Promise((resolve) => setTimeout(resolve, 1));
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(existsSync(at('half', 'backup.json')), 'it was killed in time');
  assert.throws(() => takeState(at('half')), /was put back in part/);
  assert.throws(() => restore(at('copy-of-large'), at('half')), /is not empty/);
  rmSync(at('half'), { recursive: true });
  restore(at('copy-of-large'), at('half'));
  takeState(at('half')).leave();
});

//
test('a backup that is killed while it copies lets the runtime go on', async () => {
  const from = folder('served');
  for (let part = 0; part < 40; part += 1) writeFileSync(join(from, 'rows', `part-${part}`), Buffer.alloc(4_000_000, part));
  const words = join(from, 'runtime', 'config.capnp');
  const runtime = spawn('sleep', ['600'], { argv0: words });
  const server = spawn('sleep', ['600']);
  after(() => [runtime, server].forEach((child) => child.kill('SIGKILL')));
  const stateOf = (): string => /\) (.)/.exec(readFileSync(`/proc/${runtime.pid}/stat`, 'utf8'))?.[1] ?? '';
  const sockets = join(place, 'farebox-000000');
  writeFileSync(join(from, `served-by-${server.pid}-00`), JSON.stringify({ pid: runtime.pid, words, sockets }));
  const isKilledInTime = async (attempt: number): Promise<boolean> => {
    const child = spawn(process.execPath, [PROGRAM, 'backup', at(`copy-of-served-${attempt}`), '--state', from]);
    const ended = once(child, 'exit');
    while (stateOf() !== 'T' && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 1));
    child.kill('SIGKILL');
    return (await ended)[1] === 'SIGKILL';
  };
  let attempts = 0;
  while (!(await isKilledInTime(attempts))) assert.ok((attempts += 1) < 50, 'it is killed while it copies');
  for (let tries = 0; stateOf() === 'T' && tries < 500; tries += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  // It waits, or has just been let run.
  assert.match(stateOf(), /^[SRD]$/);
});

test('a copy says which secrets it has not', async () => {
  for (const [name, secrets, says] of [
    ['salted', { LEDGER_SALT: 's' }, /has the rows and no GATE_SECRET, which the environment has: keep that as well/],
    ['full', { LEDGER_SALT: 's', GATE_SECRET: 'g' }, /has the rows and the secrets: keep/],
  ] as const) {
    writeFileSync(join(folder(name), 'secrets.json'), JSON.stringify(secrets), { mode: 0o600 });
    const { status, stderr } = spawnSync(process.execPath, [PROGRAM, 'backup', at(`copy-${name}`), '--state', at(name)], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    assert.match(stderr, says);
  }
});

//
test('a copy is not put back by a clock that is behind it', (t) => {
  backUp(folder('early'), at('copy-of-early'));
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() - 3_600_000 });
  assert.throws(() => restore(at('copy-of-early'), at('early-again')), /before the copy was made: set the clock/);
  assert.equal(existsSync(at('early-again')), false);
  t.mock.timers.reset();
  writeFileSync(at('copy-of-early', '.farebox-gate', 'backup.json'), '{}');
  assert.throws(() => restore(at('copy-of-early'), at('early-again')), /does not say when the copy was made/);
  backUp(at('early'), at('second-copy'));
  restore(at('second-copy'), at('early-again'));
  const times = closedBefore(at('early-again'));
  assert.deepEqual([times.length, yetToCome(times)], [1, undefined]);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() - 3_600_000 });
  assert.match(yetToCome(times) ?? '', /^restored\.json says 2\S+Z, which is yet to come/);
});

test('a gate that was put back says how long it makes no offers of x402', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2026, 0, 2, 12) });
  const ago = (secs: number): readonly number[] => [Date.UTC(2026, 0, 2, 12) / 1000 - secs, 1_700_000_000];
  const says = (until: string) =>
    new RegExp(`^its rows were put back from a copy at 2026-01-02T11:\\S+: until 2026-01-02T${until}:00:00.000Z at the`);
  assert.match(
    closedUntil(ago(3_600 - 1), undefined) ?? '',
    /^its rows .* until 2026-01-02T12:00:01\.000Z at the latest .* no offer, those of MPP do$/,
  );
  assert.match(closedUntil(ago(3_600), '7200') ?? '', says('13'));
  for (const [times, validity] of [
    [[], undefined],
    [ago(3_600), undefined],
    [ago(3_600), '600'],
    [ago(7_200), '7200'],
    // Another line tells of a time that is yet to come.
    [ago(-3_600), undefined],
  ] as const)
    assert.equal(closedUntil(times, validity), undefined);
});

test('a restore that fails leaves nothing under the name of the gate', () => {
  backUp(folder('fails'), at('copy-that-fails'));
  writeFileSync(at('copy-that-fails', '.farebox-gate', 'restored.json'), '[1');
  assert.throws(() => restore(at('copy-that-fails'), at('not-there')), /cannot be read/);
  assert.deepEqual(
    readdirSync(place).filter((name) => name.startsWith('not-there')),
    [],
  );
});
