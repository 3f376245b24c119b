/** A process that stands still while its rows are read. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

import { Later } from 'farebox/command';
import { waits } from './left.js';

/**
 * Works while a process stands still: it writes nothing, so what is copied is what a loss of power would leave, and SQLite goes on from there. `work`
 * is given what throws if somebody has let the process go on meanwhile.
 */
export function stopped(pid: number, work: (stillStands: () => void) => void): void {
  // Ctrl-C comes when the other one runs again.
  const wait = (): void => {};
  for (const signal of SIGNALS) process.on(signal, wait);
  const guard = continuedWithoutUs(pid);
  try {
    try {
      process.kill(pid, 'SIGSTOP');
    } catch {
      throw new Later('the runtime has just ended: call again');
    }
    const still = standing(pid);
    work(() => {
      if (standOf(pid) !== still) throw new Later(`process ${pid} went on while its rows were copied: call again`);
    });
  } finally {
    letGoOn(pid);
    guard.stdin.end();
    for (const signal of SIGNALS) process.off(signal, wait);
  }
}

function letGoOn(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // It was ended meanwhile.
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

/** Waits until a process stands, and returns how. */
function standing(pid: number): string {
  for (const until = Date.now() + STOP_MS; Date.now() < until; waits()) {
    const stand = standOf(pid);
    if (stand !== undefined) return stand;
  }
  throw new Later(`process ${pid} does not stop: call again`);
}

const STOP_MS = 5_000;

/** How often each thread of a stopped process has run and for how long; `undefined` if one may run. Without `/proc` nobody tells. */
function standOf(pid: number): string | undefined {
  const threads = `/proc/${pid}/task`;
  if (!existsSync('/proc/self/task')) return '';
  try {
    const stands = readdirSync(threads).map((thread) => {
      const status = readFileSync(`${threads}/${thread}/status`, 'latin1');
      const isStill = /^State:\t[TtZX]/m.test(status);
      return isStill ? `${thread} ${[...status.matchAll(/^(?:non)?voluntary_ctxt_switches:\t\d+$/gm)].join(' ')}` : undefined;
    });
    return stands.length > 0 && !stands.includes(undefined) ? stands.join('\n') : undefined;
  } catch {
    return undefined;
  }
}
