// Wakes the futures of the glue in place of the runtime's function of this name, which leaves and
// enters JavaScript for every call; a promise's reaction does not.

/**
 * @param {() => void} wake
 */
export function queueMicrotask(wake) {
  Promise.resolve().then(() => {
    try {
      wake();
    } catch (error) {
      // An exception that came through left its future half done: the instance counts as lost, as
      // after a panic.
      /** @type {any} */ (globalThis).__worker_init_state.criticalError = true;
      throw error;
    }
  });
}
