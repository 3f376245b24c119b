// Requests that are sent once.

import { written } from './body.mjs';
import { LATE, race, timed } from './deadline.mjs';
import { headersOf, MOST } from './edge.mjs';

/**
 * Sends a request once, to a bound Worker if there is one: status and one line per field as `head`, the body as `text`, or as `base64` if it is no
 * UTF-8, and whether that was cut. A word if there is none: `early` if the request could not be made, so that nothing was sent; `late` if the head or the
 * end of the body did not come in time; `lost` if the connection broke.
 *
 * @param {Fetcher | undefined} by
 * @param {string} url
 * @param {string} method
 * @param {string} lines
 * @param {string | undefined} payload
 * @param {number} headMs
 * @param {number} bodyMs
 * @param {number} bytes
 */
export async function sendOnce(by, url, method, lines, payload, headMs, bodyMs, bytes) {
  const controller = new AbortController();
  let request;
  try {
    // As bytes: for text the platform would add a content-type that is not among the lines.
    const sent = payload === undefined ? {} : { body: new TextEncoder().encode(payload) };
    request = new Request(url, { method, headers: headersOf(lines), redirect: 'manual', ...sent });
  } catch {
    return 'early';
  }
  const signal = controller.signal;
  const asked = (by === undefined ? fetch(request, { signal }) : by.fetch(request, { signal })).catch(() => undefined);
  const response = await race(asked, headMs);
  if (response === LATE || response === undefined) {
    controller.abort();
    return response === LATE ? 'late' : 'lost';
  }
  let head = `${response.status}`;
  let fields = 0;
  for (const [name, value] of response.headers) {
    fields += 1;
    if (fields > MOST.fields || head.length > MOST.characters) break;
    if (name !== 'set-cookie') head += `\n${name}: ${value}`;
  }
  const body = await begun(response, bodyMs, bytes);
  if (typeof body === 'string' || body.cut) controller.abort();
  return typeof body === 'string' ? body : { head, ...body };
}

/**
 * A body, cut at this length; `late` if it did not come in time, `lost` if it broke off.
 *
 * @param {Response} response
 * @param {number} milliseconds
 * @param {number} bytes
 */
async function begun({ body }, milliseconds, bytes) {
  /** @type {Uint8Array[]} */
  const pieces = [];
  if (body === null) return { text: '', cut: false };
  const reader = body.getReader();
  let left = bytes;
  const end = await timed(milliseconds, async (late) => {
    try {
      for (;;) {
        const piece = await Promise.race([reader.read(), late]);
        if (piece === LATE) return 'late';
        if (piece.done) return 'whole';
        pieces.push(piece.value.subarray(0, left));
        left -= piece.value.byteLength;
        if (left < 0) return 'whole';
      }
    } catch {
      return 'lost';
    }
  });
  if (end !== 'whole') return end;
  const cut = left < 0;
  return { ...written(new Uint8Array(await new Blob(pieces).arrayBuffer()), cut), cut };
}
