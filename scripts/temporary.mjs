// Where tests keep their files: in memory where there is room for them. On a disk the Workers of one
// file wait for the writes of all others. What a process has written outlives its SIGKILL in both.

import { accessSync, constants, mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { join } from 'node:path';

const IN_MEMORY = '/dev/shm';
const PREFIX = 'farebox-tests-';
/** What must be free there, and of all memory, bytes: some tests install packages, and workerd and browsers run beside them. */
const ROOM = 6 * 2 ** 30;

/** Has the processes that start from now on keep their temporary files in memory, until this one ends. */
export function keepFilesInMemory() {
  if (process.env.TMPDIR !== undefined || !hasRoom()) return;
  removeLeftOver();
  const folder = join(IN_MEMORY, `${PREFIX}${process.pid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  process.env.TMPDIR = folder;
  process.on('exit', () => remove(folder));
  console.log(`temporary files are kept in memory, at ${folder}: name another place in TMPDIR`);
}

/** @returns {boolean} */
function hasRoom() {
  try {
    accessSync(IN_MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(IN_MEMORY);
    return Math.min(bavail * bsize, freemem()) >= ROOM;
  } catch {
    // Not every system has it.
    return false;
  }
}

/** Removes what runs that were killed have left. */
function removeLeftOver() {
  for (const name of readdirSync(IN_MEMORY)) {
    if (name.startsWith(PREFIX) && !isRunning(Number(name.slice(PREFIX.length)))) remove(join(IN_MEMORY, name));
  }
}

/**
 * @param {number} pid
 * @returns {boolean}
 */
function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/** @param {string} folder */
function remove(folder) {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // A process that ends now may still write there; the next run removes it.
  }
}
