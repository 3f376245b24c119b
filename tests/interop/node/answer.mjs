// What every client here takes and gives: a URL and a key, and the last answer as one line of JSON.

export const [, , url] = process.argv;
export const key = /** @type {`0x${string}`} */ (process.env.PAYER_KEY);

/**
 * @param {number} status
 * @param {Iterable<[string, string]>} headers
 * @param {string} text
 */
export function show(status, headers, text) {
  console.log(JSON.stringify({ status, headers: Object.fromEntries(headers), text }));
}
