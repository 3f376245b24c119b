// Deadlines: for a request that is aborted when its time is up, and for a promise that goes on.

/** Stands for a promise that is not settled in time. */
export const LATE = Symbol('late');

/**
 * Runs `run` and returns its result. Its controller aborts when the time is up, and `isLate`
 * distinguishes that from other aborts; both do nothing more once `run` is settled.
 *
 * @template T
 * @param {number} milliseconds
 * @param {(controller: AbortController, isLate: () => boolean) => Promise<T>} run
 */
export async function withDeadline(milliseconds, run) {
  const controller = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, milliseconds);
  try {
    return await run(controller, () => late);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs `run` and returns its result. The promise passed to it resolves to `late` when the time is
 * up.
 *
 * @template T, [L=typeof LATE]
 * @param {number} milliseconds
 * @param {(late: Promise<L>) => Promise<T>} run
 * @param {L} late
 */
export async function timed(milliseconds, run, late = /** @type {any} */ (LATE)) {
  let timer;
  const over = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds, late);
  });
  try {
    return await run(over);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The result of a promise, or `late` if that takes longer; the promise goes on either way.
 *
 * @template T, [L=typeof LATE]
 * @param {Promise<T>} promise
 * @param {number} milliseconds
 * @param {L} [late]
 */
export function race(promise, milliseconds, late = /** @type {any} */ (LATE)) {
  // One promise: `Promise.race` would make three more for each call of an object.
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds, late);
    const ends = (/** @type {(outcome: any) => void} */ settle) => (/** @type {unknown} */ outcome) => {
      clearTimeout(timer);
      settle(outcome);
    };
    promise.then(ends(resolve), ends(reject));
  });
}
