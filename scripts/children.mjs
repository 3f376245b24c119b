// The workerd processes that this one has started.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** @type {Promise<unknown>} */
let starting = Promise.resolve();

/**
 * Starts something, and says which processes of workerd are there since: one start after the other, or each could take the other's for its own.
 *
 * @template T
 * @param {() => Promise<T>} start
 * @returns {Promise<{ started: T, pids: number[] }>}
 */
export function startWatched(start) {
  const run = starting.then(async () => {
    const before = new Set(workerdChildren());
    const started = await start();
    return { started, pids: workerdChildren().filter((pid) => !before.has(pid)) };
  });
  starting = run.catch(() => undefined);
  return run;
}

/**
 * Their ids: none where there is neither `/proc` nor `pgrep`.
 *
 * Read without a process of its own where that can be, because tests ask at each start of workerd.
 *
 * @returns {number[]}
 */
function workerdChildren() {
  if (existsSync(`/proc/self/task/${process.pid}/children`)) return childrenInProc();
  try {
    return execFileSync('pgrep', ['-P', String(process.pid), 'workerd'], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
  } catch {
    // pgrep ends with 1 when there is none.
    return [];
  }
}

/** @returns {number[]} */
function childrenInProc() {
  const lists = readdirSync('/proc/self/task').map((thread) => textOf(`/proc/self/task/${thread}/children`));
  const children = lists.flatMap((list) => list.split(' ')).filter((pid) => pid !== '');
  return children.filter((pid) => textOf(`/proc/${pid}/comm`).trim() === 'workerd').map(Number);
}

/**
 * @param {string} path
 * @returns {string} nothing if it has just ended
 */
function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
