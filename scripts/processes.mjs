// Child processes in groups of their own, and their end.
//
// Each child leads a process group, so that its own children (cargo's compilers, wrangler's workerd)
// end with it. Whatever way this process leaves short of SIGKILL, the registered ends run: Ctrl-C and
// SIGTERM wait for them, a plain exit kills the groups that are left.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/** @type {Set<() => unknown>} */
const ends = new Set();
/** @type {Set<number>} */
const groups = new Set();
let watching = false;
let ending = false;

/**
 * Registers something to stop when this process is asked to end. The returned function forgets it.
 *
 * @param {() => unknown} end
 * @returns {() => void}
 */
export function onEnd(end) {
  watch();
  ends.add(end);
  return () => ends.delete(end);
}

/**
 * Runs the registered ends, the latest first, and waits for them.
 *
 * @returns {Promise<void>}
 */
export async function endAll() {
  ending = true;
  for (const end of [...ends].reverse()) {
    // One of the others may have run it.
    if (!ends.delete(end)) continue;
    try {
      await end();
    } catch (error) {
      console.error(`while stopping: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** @returns {boolean} whether this process has been asked to end: what fails now fails because of that */
export function isEnding() {
  return ending;
}

/**
 * @typedef {object} Child
 * @property {number} pid
 * @property {Promise<number>} exited the exit code, 128 + signal number when a signal ended it
 * @property {() => string} output the last MiB of what it wrote, both streams in order
 * @property {() => Promise<void>} stop SIGTERM to the group, SIGKILL after two seconds
 */

/**
 * Starts a program in a new process group, without stdin.
 *
 * `show` passes its output on as it comes, or through a function of its own for each stream; otherwise it is only kept for `output()`.
 * With `aside` it gets the processor time that others leave.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv, show?: boolean | ((write: (text: string) => void) => (chunk: string) => void), aside?: boolean}} [options]
 * @returns {Child}
 */
export function startProcess(command, args, { cwd, env, show = false, aside = false } = {}) {
  watch();
  const child = spawn(command, args, { cwd, env: env ?? process.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let kept = '';
  const keep = (/** @type {NodeJS.WriteStream} */ stream) => {
    const write = (/** @type {string} */ text) => void stream.write(text);
    const pass = typeof show === 'function' ? show(write) : show ? write : () => {};
    return (/** @type {Buffer} */ chunk) => {
      const text = chunk.toString('utf8');
      kept = (kept + text).slice(-OUTPUT_CHARACTERS);
      pass(text);
    };
  };
  child.stdout.on('data', keep(process.stdout));
  child.stderr.on('data', keep(process.stderr));
  if (child.pid !== undefined) groups.add(child.pid);
  if (child.pid !== undefined && aside) stepAside(child.pid);

  /** @type {Promise<number>} */
  const exited = new Promise((resolve) => {
    child.on('error', (error) => {
      kept += `${command}: ${error.message}\n`;
      resolve(127);
    });
    child.on('close', (code, signal) => {
      if (child.pid !== undefined) groups.delete(child.pid);
      forget();
      resolve(code ?? 128 + (signal ? (SIGNAL_NUMBERS[signal] ?? 0) : 0));
    });
  });

  const stop = async () => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    signalGroup(child.pid, 'SIGTERM');
    const killer = setTimeout(() => signalGroup(child.pid ?? 0, 'SIGKILL'), STOP_MS);
    await exited;
    clearTimeout(killer);
  };
  const forget = onEnd(stop);
  return { pid: child.pid ?? -1, exited, output: () => kept, stop };
}

/**
 * Gives a process, and all that it will start, the lowest priority.
 *
 * @param {number} pid
 */
function stepAside(pid) {
  const { PRIORITY_LOW } = constants.priority;
  try {
    setPriority(pid, PRIORITY_LOW);
    // Linux may weigh sessions, of which this is one, before it weighs the processes in them.
    writeFileSync(`/proc/${pid}/autogroup`, String(PRIORITY_LOW));
  } catch {
    // Another system, or one that keeps priorities to itself: it only takes longer.
  }
}

/**
 * @param {number} pid
 * @param {NodeJS.Signals} signal
 */
function signalGroup(pid, signal) {
  if (pid <= 0) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has already ended, as intended.
  }
}

function watch() {
  if (watching) return;
  watching = true;
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      // A second Ctrl-C does not wait; the exit handler below still kills every group.
      if (ending) process.exit(128 + (SIGNAL_NUMBERS[signal] ?? 0));
      endAll().finally(() => process.exit(128 + (SIGNAL_NUMBERS[signal] ?? 0)));
    });
  }
  // npm passes a signal to its shell alone, which ends without this process.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event !== undefined) {
    setInterval(() => {
      if (process.ppid !== parent && !ending) endAll().finally(() => process.exit(128 + 15));
    }, ORPHAN_MS).unref();
  }
  process.on('exit', () => {
    for (const pid of groups) signalGroup(pid, 'SIGKILL');
  });
}

const OUTPUT_CHARACTERS = 1_048_576;
const STOP_MS = 2_000;
/** How soon it is noticed that the parent has ended. */
const ORPHAN_MS = 300;
/** @type {Record<string, number>} */
const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
