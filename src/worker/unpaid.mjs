// The log of requests that begin no payment: a gate that is asked often writes many lines at once.

/** Lines that wait, and when the first came, milliseconds. */
const unpaid = { lines: /** @type {string[]} */ ([]), since: 0 };
/** Milliseconds that a line waits. */
const WAIT_MS = 1_000;
/** Milliseconds after which the timer counts as lost, with the request that it belonged to. */
const LOST_MS = 5_000;
/** Lines that are written together: about 25 kB. */
const TOGETHER = 128;

/**
 * Logs a line about a request that begins no payment, together with those of the same second; one that
 * is alone is written as it is.
 *
 * @param {string} line
 * @param {ExecutionContext} context
 */
export function logUnpaid(line, context) {
  unpaid.lines.push(line);
  if (unpaid.lines.length === 1) {
    unpaid.since = Date.now();
    context.waitUntil(
      new Promise((resolve) => {
        setTimeout(resolve, WAIT_MS);
      }).then(writeUnpaid),
    );
  } else if (unpaid.lines.length >= TOGETHER || Date.now() - unpaid.since > LOST_MS) {
    writeUnpaid();
  }
}

function writeUnpaid() {
  const { lines } = unpaid;
  unpaid.lines = [];
  if (lines.length > 0) console.log(lines.length === 1 ? lines[0] : `{"unpaid":[${lines.join(',')}]}`);
}
