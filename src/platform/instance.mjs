// The compiled instance of a Worker: after a panic it is thrown away, every request that waited in it is told, and the next
// call begins a new one.

import { __wbg_reset_state as renew, __worker_init_state as stateOf } from '#glue';

/** Whether the instance has ended: it is never used again, the next call begins a new one. */
let lost = false;

/**
 * Callbacks of the requests that wait in this instance, called when it is lost.
 *
 * @type {Set<() => void>}
 */
const waiting = new Set();

/**
 * What the Worker forgets with an instance.
 *
 * @type {(() => void)[]}
 */
const forgetting = [];

/** Error of a request that waited in a lost instance; made when that is so, because the runtime reads the script again for its place. */
export class Lost extends Error {}

/** State of the platform crate: how many instances there were, and whether this one has ended. */
const instance = /** @type {any} */ (globalThis).__worker_init_state;

/** Counts instances. */
export let generation = instance.instanceId;

/**
 * Has this called whenever an instance is lost.
 *
 * @param {() => void} forget
 */
export function onLoss(forget) {
  forgetting.push(forget);
}

export function lose() {
  if (lost) return;
  lost = true;
  for (const forget of forgetting) forget();
  const all = [...waiting];
  waiting.clear();
  for (const tell of all) tell();
}

/**
 * Runs before every call into the compiled part, which may have ended silently and been replaced
 * by another instance.
 */
export function usable() {
  try {
    if (stateOf().instanceId !== generation) lose();
  } catch {
    lose();
  }
  if (!lost) return;
  renew();
  generation = instance.instanceId;
  lost = false;
}

// Set just before the instance ends, or when it has ended.
Object.defineProperty(instance, 'criticalError', {
  get: () => lost,
  set(value) {
    if (value) lose();
  },
});

/**
 * The result of a promise, or an exception if the instance that works on it is lost.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {number} [longest] milliseconds after which it counts as lost
 * @returns {Promise<T>}
 */
export function survived(promise, longest = LONGEST_MS) {
  return new Promise((resolve, reject) => {
    const tell = () => reject(new Lost('the instance is lost'));
    // The runtime ends a request that waits only for other requests' promises, so it waits for a
    // timer of its own.
    const alive = setTimeout(tell, longest);
    waiting.add(tell);
    promise.then(resolve, reject).finally(() => {
      clearTimeout(alive);
      waiting.delete(tell);
    });
  });
}

/** Longer than any request takes. */
const LONGEST_MS = 3_600_000;
