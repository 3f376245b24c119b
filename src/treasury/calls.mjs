// The platform calls of the treasury alone: its objects, merchants and signers.

import { bounded } from '../platform/body.mjs';
import { race, timed, LATE } from '../platform/deadline.mjs';
import { headersOf } from '../platform/edge.mjs';

/**
 * Asks the object of an organization; undefined if it is down.
 *
 * @param {Record<string, unknown>} env
 * @param {string} organization
 * @param {string} command
 * @param {number} milliseconds
 */
export async function askTreasury(env, organization, command, milliseconds) {
  try {
    const namespace = /** @type {any} */ (env.TREASURY);
    return await race(namespace.get(namespace.idFromName(organization)).ask(organization, command), milliseconds, undefined);
  } catch {
    return undefined;
  }
}

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

/**
 * The text of a request's body; `long` or `broken` in an array if it has none that can be used.
 *
 * @param {Request} request
 * @param {number} bytes
 */
export async function requestText(request, bytes) {
  try {
    return (await bounded(request, bytes)) ?? ['long'];
  } catch {
    return ['broken'];
  }
}

/**
 * Sends a request to a merchant: status and one line per field as `head`, the body, and whether that was cut. `early` if the
 * request could not be made, so that nothing was sent; `lost` if no head came, or the body broke off.
 *
 * @param {string} url
 * @param {string} method
 * @param {string} lines
 * @param {string | undefined} payload
 * @param {number} headMs
 * @param {number} bodyMs
 * @param {number} bytes
 */
export async function askMerchant(url, method, lines, payload, headMs, bodyMs, bytes) {
  const controller = new AbortController();
  let request;
  try {
    // As bytes: for text the platform would add a content-type that the agent did not send.
    const sent = payload === undefined ? {} : { body: new TextEncoder().encode(payload) };
    request = new Request(url, { method, headers: headersOf(lines), redirect: 'manual', ...sent });
  } catch {
    return 'early';
  }
  const asked = fetch(request, { signal: controller.signal }).catch(() => undefined);
  const response = await race(asked, headMs);
  if (response === LATE || response === undefined) {
    controller.abort();
    return 'lost';
  }
  let head = `${response.status}`;
  let fields = 0;
  for (const [name, value] of response.headers) {
    fields += 1;
    if (fields > MOST_FIELDS || head.length > MOST_CHARACTERS) break;
    if (name !== 'set-cookie') head += `\n${name}: ${value}`;
  }
  const body = await begun(response, bodyMs, bytes);
  if (body === undefined || body.cut) controller.abort();
  return body === undefined ? 'lost' : { head, ...body };
}

/**
 * A body, cut at this length; undefined if it broke off or did not come in time.
 *
 * @param {Response} response
 * @param {number} milliseconds
 * @param {number} bytes
 */
async function begun({ body }, milliseconds, bytes) {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let text = '';
  if (body === null) return { text, cut: false };
  const reader = body.getReader();
  let left = bytes;
  const came = await timed(milliseconds, async (late) => {
    try {
      for (;;) {
        const piece = await Promise.race([reader.read(), late]);
        if (piece === LATE) return false;
        if (piece.done) return true;
        text += decoder.decode(piece.value.subarray(0, left), { stream: true });
        left -= piece.value.byteLength;
        if (left < 0) return true;
      }
    } catch {
      return false;
    }
  });
  text += decoder.decode();
  return came ? { text, cut: left < 0 } : undefined;
}

/** What is read of a merchant's head. */
const MOST_FIELDS = 256;
const MOST_CHARACTERS = 65_536;

/**
 * Asks a bound Worker for a signature of typed data: the member `signature` of its answer.
 *
 * @param {Record<string, any>} env
 * @param {string} binding
 * @param {string} typed
 * @param {number} milliseconds
 */
export async function askSigner(env, binding, typed, milliseconds) {
  const signal = AbortSignal.timeout(milliseconds);
  try {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const response = await env[binding].fetch('https://signer/sign', { method: 'POST', headers, body: typed, redirect: 'manual', signal });
    const { signature } = JSON.parse(await bounded(response, 4096) ?? '{}');
    return response.status === 200 && typeof signature === 'string' ? signature : undefined;
  } catch {
    return undefined;
  }
}
