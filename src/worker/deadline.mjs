// Deadlines of what the Worker waits for: of a request that ends with its time, and of a promise that goes on.

/** What stands for a promise that is not settled in time. */
export const LATE = Symbol('late');

/**
 * What `run` gives. Its controller aborts when the time is over, and `isLate` tells that from other aborts; both are
 * at rest once `run` is settled.
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
 * What `run` gives. Its promise is settled as `late` when the time is over.
 *
 * @template T, [L=typeof LATE]
 * @param {number} milliseconds
 * @param {(late: Promise<L>) => Promise<T>} run
 * @param {L} late
 */
export async function timed(milliseconds, run, late = /** @type {any} */ (LATE)) {
  let timer;
  const over = new Promise((resolve) => { timer = setTimeout(resolve, milliseconds, late); });
  try {
    return await run(over);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * What a promise gives, or `late` when that takes longer; the promise goes on either way.
 *
 * @template T, [L=typeof LATE]
 * @param {Promise<T>} promise
 * @param {number} milliseconds
 * @param {L} [late]
 */
export function race(promise, milliseconds, late) {
  return timed(milliseconds, (over) => Promise.race([promise, over]), late);
}
