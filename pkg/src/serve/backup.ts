/** Copies of a gate's folder: taken while it serves or not, and put back so that nothing since the copy can buy twice. */
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';

import { Usage } from '../cli/words.js';
import { isRunning, marksOf } from './left.js';
import { HIDES, NOTE, servedBy, takeState } from './state.js';

/** What stands in the folder of a gate that was put back: unix seconds of each time, the latest first. */
const RESTORED = 'restored.json';
const COPIED = ['rows', 'secrets.json', RESTORED];

/** Copies the folder of a gate. Requests wait while its rows are read. */
export function backUp(folder: string, target: string): void {
  const [from, to] = [resolve(folder), resolve(target)];
  if (!existsSync(join(from, 'secrets.json'))) throw new Usage(`${from} is not the folder of a gate: it has no secrets.json`);
  if (`${to}${sep}`.startsWith(`${from}${sep}`)) throw new Usage(`${to} is in the folder that is copied: name one elsewhere`);
  if (existsSync(to)) throw new Usage(`${to} is there already: name a new folder`);
  const served = servedBy(from);
  if (served === undefined) {
    const state = takeState(from);
    try {
      backUpOf(from, to);
    } finally {
      state.leave();
    }
    return;
  }
  // Another process is not stopped, whatever the mark says.
  if (!isRunning(served, marksOf(from)))
    throw new Usage(
      `process ${served.pid} is no runtime of ${from}: call again in a moment, on the machine or in the container that serves it`,
    );
  stopped(served.pid, () => backUpOf(from, to));
  if (servedBy(from)?.pid === served.pid) return;
  rmSync(to, { recursive: true, force: true });
  throw new Usage('the runtime was started again meanwhile: call again');
}

/** Copies, and notes it last: what was cut short is no backup. */
function backUpOf(from: string, to: string): void {
  orNothing(to, () => {
    copy(from, to);
    note(to);
  });
}

/** Works while a process stands still: it writes nothing, so what is copied is what a loss of power would leave, and SQLite goes on from there. */
function stopped(pid: number, work: () => void): void {
  // Ctrl-C comes when the other one runs again.
  const wait = (): void => {};
  for (const signal of SIGNALS) process.on(signal, wait);
  const guard = continuedWithoutUs(pid);
  try {
    try {
      process.kill(pid, 'SIGSTOP');
    } catch {
      throw new Usage('the runtime has just ended: call again');
    }
    work();
  } finally {
    process.kill(pid, 'SIGCONT');
    guard.stdin.end();
    for (const signal of SIGNALS) process.off(signal, wait);
  }
}

/** Starts a guard that lets a process go on once its own input ends: also when this program is killed. */
function continuedWithoutUs(pid: number) {
  const words = ['-c', 'cat >/dev/null; kill -CONT "$1"', 'sh', String(pid)];
  const guard = spawn('/bin/sh', words, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  // Without a shell there is no guard, and the copy is made as well.
  guard.on('error', () => {});
  guard.unref();
  return guard;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Puts a copy back as the folder of a gate: payments that may be older than this moment begin nothing until they have ended. */
export function restore(source: string, folder: string): void {
  const [from, to] = [resolve(source), resolve(folder)];
  if (!existsSync(join(from, NOTE))) throw new Usage(`${from} is no backup: it has no ${NOTE}`);
  if (existsSync(to) && readdirSync(to).some((name) => name !== HIDES))
    throw new Usage(`${to} is not empty: move it away, or name another --state`);
  const link = linkIn(from);
  if (link !== undefined) throw new Usage(`${link} is a link, and a backup has none: what it leads to may be another gate's`);
  const times = [Math.ceil(Date.now() / 1000), ...closedBefore(from)];
  orNothing(to, () => {
    // First, and taken away last: with it the folder is no gate. A folder that is there may be a disk, which has no other name.
    mkdirSync(to, { recursive: true, mode: 0o700 });
    note(to);
    copy(from, to);
    writeFileSync(join(to, RESTORED), `${JSON.stringify(times)}\n`, { mode: 0o600 });
  });
  rmSync(join(to, NOTE));
}

const note = (folder: string): void =>
  writeFileSync(join(folder, NOTE), `${JSON.stringify({ at: new Date().toISOString() })}\n`, { mode: 0o600 });

/** Leaves nothing of work that fails in a folder that was not there, or empty. */
function orNothing(folder: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    for (const name of [...COPIED, NOTE]) rmSync(join(folder, name), { recursive: true, force: true });
    throw error;
  }
}

/** Times at which the folder was put back from a copy, the latest first. */
export function closedBefore(folder: string): readonly number[] {
  const file = join(folder, RESTORED);
  if (!existsSync(file)) return [];
  const times = timesIn(readFileSync(file, 'utf8'));
  if (times !== undefined) return times;
  throw new Usage(
    `${file} cannot be read: write [${Math.ceil(Date.now() / 1000)}] into it, the time from which on payments are new, in unix seconds`,
  );
}

function timesIn(text: string): readonly number[] | undefined {
  try {
    const times: unknown = JSON.parse(text);
    return Array.isArray(times) && times.every((time) => Number.isSafeInteger(time)) ? times : undefined;
  } catch {
    return undefined;
  }
}

/** The first link among what is put back. */
function linkIn(from: string): string | undefined {
  const below = COPIED.map((name) => join(from, name)).filter((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined);
  for (let path = below.pop(); path !== undefined; path = below.pop()) {
    const found = lstatSync(path);
    if (found.isSymbolicLink()) return path;
    if (found.isDirectory()) for (const name of readdirSync(path)) below.push(join(path, name));
  }
  return undefined;
}

/** Copies what links lead to, because the copy has to outlive the disk. */
function copy(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const name of COPIED)
    if (existsSync(join(from, name))) cpSync(join(from, name), join(to, name), { recursive: true, dereference: true });
  chmodSync(to, 0o700);
  if (existsSync(join(to, 'secrets.json'))) chmodSync(join(to, 'secrets.json'), 0o600);
}
