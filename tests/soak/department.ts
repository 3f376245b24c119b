/** What every department of the soak has: work that goes on, upheavals meanwhile, an end at which all is counted. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Chain } from '../../demo/chain.mjs';
import type { Kv } from '../../demo/kv.mjs';
import type { Switch } from '../../demo/switch.mjs';
import { type Random, randomOf } from '../pkg/random.ts';
import { eventually } from '../support/eventually.ts';

/** A built Worker that can be killed, and started again with another build. */
export interface Mortal {
  readonly pid: number;
  kill(): Promise<void>;
  /** Has it collect its garbage. */
  collect(): Promise<void>;
  restart(build?: string): Promise<void>;
}

export interface Department {
  readonly name: string;
  readonly workers: Readonly<Record<string, Mortal>>;
  readonly switches: Readonly<Record<string, Switch>>;
  readonly chain: Chain;
  /** The namespace that its Workers share. */
  readonly kv?: Kv;
  /** One purchase from its beginning to what its buyer is told in the end. */
  work(number: number, random: Random): Promise<void>;
  /** Moves the clocks of its Workers and of its chain. */
  wait(secs: number): Promise<void>;
  /** Waits, with all parts whole, until nothing is open. */
  drain(): Promise<void>;
  /** Compares buyers, books and chain, and says in a line what became of all. */
  judge(): Promise<string>;
  /** What the buyers know, for a run that goes on from what is stored: JSON. */
  memories(): unknown;
  stop(): Promise<void>;
}

const THIS_BUILD = 'build';
/** Folder of the build of an earlier commit, which takes turns with this one: each kill may be an upgrade or a rollback. */
const EARLIER_BUILD = process.env['FAREBOX_EARLIER'];

/** Purchases that go on at once, and those that are asked about in the end. */
const [LANES, ASKED_AT_ONCE] = [3, 8];
const [GAP_MS, MORE_GAP_MS] = [1_500, 4_000];
/** The longest time for which a part is broken. */
const BROKEN_MS = 2_500;
/** Jumps of the clock: within a lease, past an authorization, past a budget's day. */
const JUMPS = [3, 40, 700, 90_000] as const;
/** The share of the time after which nothing breaks any more, and memory is looked at. */
const CALM_AFTER = 0.75;
/** Seconds that what is under way at the end may take, and what is open then. */
const LAST_SECS = 300;
/** Before the end of the work. */
const LAST_LOOK_MS = 2_000;
const MIB = 1024 * 1024;
/** What a Worker may grow by in the calm part: what its allocator has not given back, and the pages of its database. */
const GROWTH = { share: 0.25, bytes: 48 * MIB };

/** Lets a department work for so long, and breaks its parts in turn. Returns the line that says what was done. */
export async function soak(department: Department, secs: number, seed: number): Promise<string> {
  const [begin, end] = [performance.now(), performance.now() + secs * 1000];
  const calm = begin + secs * 1000 * CALM_AFTER;
  const upheavals = async (): Promise<string> => {
    const told = await upheave(department, calm, seed);
    // What is counted in the end is what this build makes of all that is stored.
    if (EARLIER_BUILD !== undefined) for (const name of Object.keys(department.workers)) await startAgain(department, name, THIS_BUILD);
    return told;
  };
  const memory = async (): Promise<string> => {
    await sleep(calm + 0.3 * (end - calm) - performance.now());
    const before = await residents(department);
    // While it still works, which it does until all have been looked at: what is idle collects nothing.
    await sleep(end - LAST_LOOK_MS - performance.now());
    return compare(before, await residents(department), department.name);
  };
  let looks = true;
  const looked = memory().finally(() => {
    looks = false;
  });
  const { name } = department;
  const working = Promise.all([looked, upheavals(), labour(department, end, seed, 0, () => looks)]);
  const [grown, met, number] = await ended(`${name}: the last of its work`, secs + LAST_SECS, working);
  await ended(`${name}: what was open`, LAST_SECS, department.drain());
  const told = await ended(`${name}: the comparison of ${number} purchases`, LAST_SECS + secs / 5, department.judge());
  return `${department.name}: ${number} purchases; ${told}; ${met}; ${grown}`;
}

/** What has to be over in so many seconds; a step that hangs is named. */
async function ended<T>(what: string, secs: number, step: Promise<T>): Promise<T> {
  const late = new AbortController();
  const began = performance.now();
  const end = sleep(secs * 1000, undefined, { signal: late.signal }).then(() => {
    throw new Error(`${what} is not over after ${secs} s`);
  });
  try {
    return await Promise.race([step, end]);
  } finally {
    late.abort();
    end.catch(() => undefined);
    console.error(`${what}: ${Math.round((performance.now() - began) / 1000)} s`);
  }
}

/** Lets a department work until then, and for as long as it is needed, with pauses; the number of its purchases. */
export async function labour(
  department: Department,
  end: number,
  seed: number,
  pauseMs = 0,
  isNeeded: () => boolean = () => false,
): Promise<number> {
  let number = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < end || isNeeded()) {
      number += 1;
      await department.work(number, randomOf(seed * 1_000_003 + number));
      if (pauseMs > 0) await sleep(pauseMs);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return number;
}

/** Asks about each, several at once: what has no end any more is asked about for as long as a buyer has patience. */
export async function askedOfAll<T, A>(all: readonly T[], ask: (one: T) => Promise<A>): Promise<readonly (readonly [T, A])[]> {
  const answers: (readonly [T, A])[] = [];
  const rest = all[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (const one of rest) answers.push([one, await ask(one)]);
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, lane));
  return answers;
}

/** Breaks its parts in turn until then, and says what was done. */
export async function upheave(department: Department, end: number, seed: number): Promise<string> {
  const random = randomOf(seed);
  const done = new Map<string, number>();
  for (;;) {
    await sleep(GAP_MS + random.below(MORE_GAP_MS));
    if (performance.now() > end) break;
    const what = await upheaval(department, random);
    done.set(what, (done.get(what) ?? 0) + 1);
  }
  for (const one of Object.values(department.switches)) one.set();
  return [...done]
    .sort()
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
}

/** Breaks one thing for a while, and says what. */
async function upheaval(department: Department, random: Random): Promise<string> {
  const { workers, switches, wait } = department;
  const kind = random.below(10);
  if (kind < 3) {
    const name = random.pick(Object.keys(workers));
    await workers[name]?.kill();
    await sleep(random.below(400));
    const build = EARLIER_BUILD === undefined ? undefined : random.pick([EARLIER_BUILD, THIS_BUILD]);
    await startAgain(department, name, build);
    if (build === undefined) return `${name} killed`;
    return `${name} killed, then ${build === THIS_BUILD ? 'this build' : 'the earlier build'}`;
  }
  if (kind < 5) {
    await wait(random.pick(JUMPS));
    return 'clock moved';
  }
  const name = random.pick(Object.keys(switches));
  const mode = random.pick(['cut', 'lose', 'delay', 'answer'] as const);
  switches[name]?.set({ mode, ms: 300 + random.below(1_500), status: random.pick([429, 500, 503]) });
  await sleep(300 + random.below(BROKEN_MS));
  switches[name]?.set();
  return `${name} broken`;
}

/** Starts a Worker again, with another build if one is named. In a build each has a folder of its name, but the gate. */
async function startAgain({ workers }: Department, name: string, build?: string): Promise<void> {
  await workers[name]?.restart(build === undefined ? undefined : join(build, name === 'gate' ? '' : name));
}

/** What each Worker keeps once its garbage is collected. */
async function residents({ workers }: Department): Promise<ReadonlyMap<string, number>> {
  const kept = new Map<string, number>();
  for (const [name, worker] of Object.entries(workers)) {
    // One that was killed last may be starting.
    await eventually(`${name} collects its garbage`, async () => {
      await worker.collect();
      return true;
    });
    kept.set(name, residentBytes(worker.pid));
  }
  return kept;
}

/** The memory of a process that is its own: files that it shares with others do not count. */
function residentBytes(pid: number): number {
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  assert.ok(kib, `the memory of process ${pid} can be read`);
  return Number(kib) * 1024;
}

function compare(before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>, department: string): string {
  return [...now]
    .map(([name, is]) => {
      const was = before.get(name) ?? 0;
      const most = was * (1 + GROWTH.share) + GROWTH.bytes;
      assert.ok(is <= most, `${department}: the memory of ${name} has grown from ${inMib(was)} to ${inMib(is)}`);
      return `${name} ${inMib(was)} to ${inMib(is)}`;
    })
    .join(', ');
}

const inMib = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`;
