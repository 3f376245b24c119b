// An object's answers and its transactions.

/**
 * An object's answer, and the time for its alarm.
 *
 * @param {string} answer
 * @param {number | undefined} alarm
 */
export function answeredWith(answer, alarm) {
  return { answer, alarm };
}

/**
 * Runs what writes to an object's database; if it throws, nothing is written.
 *
 * @param {DurableObjectState} state
 * @param {() => unknown} run
 */
export function together(state, run) {
  return state.storage.transactionSync(run);
}
