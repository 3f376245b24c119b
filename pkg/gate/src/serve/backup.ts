/** Copies of a gate's folder: taken while it serves or not, and put back so that nothing since the copy can buy twice. */
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';

import { Later, Usage } from 'farebox/command';
import { isRunning, marksOf } from './left.js';
import { markIn, type Owner } from './marks.js';
import { KNOWN, refuseLost } from './rows.js';
import { copyIn, HIDES, inCopy, NOTE, servedBy, takeState } from './state.js';
import { stopped } from './stopped.js';
import { syncAll, syncNames, writeWhole } from './whole.js';

/** What stands in the folder of a gate that was put back: unix seconds of each time, the latest first. */
const RESTORED = 'restored.json';
const COPIED = ['rows', 'secrets.json', KNOWN, RESTORED];

/** Copies the folder of a gate. Requests wait while its rows are read. */
export function backUp(folder: string, target: string): void {
  const [from, to] = [resolve(folder), resolve(target)];
  if (!existsSync(join(from, 'secrets.json'))) throw new Usage(`${from} is not the folder of a gate: it has no secrets.json`);
  if (`${to}${sep}`.startsWith(`${from}${sep}`)) throw new Usage(`${to} is in the folder that is copied: name one elsewhere`);
  if (existsSync(to)) throw new Usage(`${to} is there already: name a new folder`);
  refuseLost(from, join(from, 'rows'));
  const served = servedBy(from);
  if (served === undefined) {
    const state = takeState(from);
    try {
      copyOf(from, to, state.touch);
    } finally {
      state.leave();
    }
    finish(to);
    return;
  }
  // Another process is not stopped, whatever the mark says.
  if (!isRunning(served, marksOf(from)))
    throw new Later(
      `process ${served.pid} is no runtime of ${from}: call again in a moment, on the machine or in the container that serves it`,
    );
  const mark = markIn(marksOf(from), 'copied-by', copiesAlready, () => {});
  try {
    stopped(served.pid, (stillStands) => copyOf(from, to, stillStands));
  } finally {
    rmSync(mark, { force: true });
  }
  orGone(to, () => {
    if (servedBy(from)?.pid !== served.pid) throw new Later('the runtime was started again meanwhile: call again');
  });
  // Only now: requests do not wait for the disk of the copy.
  finish(to);
}

/** Each of two would let the runtime go on while the other one copies. */
const copiesAlready = ({ pid }: Owner, mark: string) =>
  new Later(`process ${pid} makes another backup: call again once it has ended; if it is another program, remove ${mark}`);

/** Copies; what is not finished is no backup. */
function copyOf(from: string, to: string, isWhole: () => void): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  // Made here, or refused: what is taken away below is nobody else's.
  mkdirSync(to, { mode: 0o700 });
  orGone(to, () => {
    // As the folder itself, which may stand in a repository.
    writeFileSync(join(to, HIDES), '*\n');
    copy(from, inCopy(to));
    isWhole();
  });
}

/** Notes a copy once all of it is on the disk: a loss of power leaves a whole one, or none. */
function finish(to: string): void {
  orGone(to, () => {
    syncAll(to);
    note(inCopy(to));
  });
}

/** Leaves nothing of work that fails: whoever is told to call again names the same folder. */
function orGone(folder: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Puts a copy back as the folder of a gate: payments that may be older than this moment begin nothing until they have ended. */
export function restore(source: string, folder: string): void {
  const [from, to] = [copyIn(resolve(source)), resolve(folder)];
  if (!existsSync(join(from, NOTE))) throw new Usage(`${from} is no backup: it has no ${NOTE}`);
  if (existsSync(to) && readdirSync(to).some((name) => name !== HIDES))
    throw new Usage(`${to} is not empty: move it to where no server hands it out, or name another --state`);
  const link = linkIn(from);
  if (link !== undefined) throw new Usage(`${link} is a link, and a backup has none: what it leads to may be another gate's`);
  const times = [Math.ceil(afterCopy(join(from, NOTE)) / 1000), ...closedBefore(from)];
  orNothing(to, () => {
    // First, and taken away last: with it the folder is no gate. A folder that is there may be a disk, which has no other name.
    mkdirSync(to, { recursive: true, mode: 0o700 });
    note(to);
    copy(from, to);
    writeWhole(join(to, RESTORED), `${JSON.stringify(times)}\n`);
    syncAll(to);
  });
  rmSync(join(to, NOTE));
  syncNames(to);
}

const note = (folder: string): void => writeWhole(join(folder, NOTE), `${JSON.stringify({ at: new Date().toISOString() })}\n`);

const CLOCKS_DIFFER_MS = 60_000;

/** This moment, unless the clock says that the copy is yet to be made: what was paid since would count as new. */
function afterCopy(file: string): number {
  const now = Date.now();
  const at = Date.parse(atOf(readFileSync(file, 'utf8')));
  if (Number.isNaN(at)) throw new Usage(`${file} does not say when the copy was made: take a whole one`);
  // Clocks of two machines differ by a little.
  if (now >= at - CLOCKS_DIFFER_MS) return Math.max(now, at);
  throw new Later(
    `the clock of this machine says ${new Date(now).toISOString()}, before the copy was made: set the clock, then call again. If the clock that made the copy was wrong, write the true time into ${file}`,
  );
}

function atOf(text: string): string {
  try {
    return String((JSON.parse(text) as { at?: unknown }).at);
  } catch {
    return '';
  }
}

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

/** A line if a folder was put back at a time that is yet to come, as by a clock that was wrong: until then nothing is sold by x402. */
export function yetToCome(times: readonly number[]): string | undefined {
  const ahead = times.find((time) => time * 1000 > Date.now() + AHEAD_MS);
  if (ahead === undefined) return undefined;
  const at = new Date(ahead * 1000);
  const then = Number.isNaN(at.getTime()) ? String(ahead) : at.toISOString();
  return `${RESTORED} says ${then}, which is yet to come, and until then there are no offers by x402: set the clock, or that time`;
}

/** The least time for which a gate that was put back makes no offers of x402, seconds. */
const CLOSED_SECS = 3_600;

/** A line as long as a gate that was put back makes no offers of x402. */
export function closedUntil(times: readonly number[], validity: string | undefined): string | undefined {
  const [latest] = times;
  if (latest === undefined) return undefined;
  const until = latest + Math.max(CLOSED_SECS, Number(validity ?? 0) || 0);
  if (until * 1000 <= Date.now() || latest * 1000 > Date.now() + AHEAD_MS) return undefined;
  const [from, to] = [latest, until].map((time) => new Date(time * 1000).toISOString());
  return `its rows were put back from a copy at ${from}: until ${to} at the latest new payers of x402 get no offer, those of MPP do`;
}

/** How far two looks at one clock may be apart. */
const AHEAD_MS = 60_000;

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
