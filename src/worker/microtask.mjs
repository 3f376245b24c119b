// What the glue wakes its futures with, in place of the runtime's function of this name: that one leaves and enters
// JavaScript for every call, a promise's reaction does not.

/**
 * @param {() => void} wake
 */
export function queueMicrotask(wake) {
  Promise.resolve().then(() => {
    try {
      wake();
    } catch (error) {
      // Whatever came through left its future half done: the instance is told lost, as after a panic.
      /** @type {any} */ (globalThis).__worker_init_state.criticalError = true;
      throw error;
    }
  });
}
