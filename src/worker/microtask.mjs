// What the glue wakes its futures with, in place of the runtime's function of this name: that one leaves and enters
// JavaScript for every call, a promise's reaction does not.

/**
 * @param {() => void} wake
 */
export function queueMicrotask(wake) {
  Promise.resolve().then(wake);
}
