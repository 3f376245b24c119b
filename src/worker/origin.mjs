// Asks the origin, and lets bodies flow on their way.

import { discard } from '../platform/body.mjs';
import { LATE, race } from '../platform/deadline.mjs';
import { headOf, headersOf } from '../platform/edge.mjs';
import { BodyReader, Waits } from '../platform/reading.mjs';

/** @typedef {import('../platform/body.mjs').Source} Source */

/**
 * Asks an origin; `timeout` when the head does not come in time, `lost` when the connection fails.
 * `sent` is the outcome of sending the request's body, if it is known here.
 *
 * @param {Fetcher | undefined} bound the Worker that is the origin, if it is one
 * @param {string} url
 * @param {string} method
 * @param {string} lines
 * @param {BodyInit | Source | null} body
 * @param {number} milliseconds
 * @param {'no-store' | undefined} cache
 * @param {string | undefined} resolve the host to connect to, if it is not the URL's
 */
export async function askOrigin(bound, url, method, lines, body, milliseconds, cache, resolve) {
  try {
    const { stream, sent, breaks } = upload(method === 'GET' || method === 'HEAD' ? null : body);
    const asked = (bound ?? globalThis).fetch(url, {
      method,
      headers: headersOf(lines),
      body: stream,
      redirect: 'manual',
      ...(breaks === undefined ? {} : { signal: breaks.signal }),
      ...(cache === undefined ? {} : { cache }),
      ...(resolve === undefined ? {} : { cf: { resolveOverride: resolve } }),
    });
    const response = await race(asked, milliseconds);
    if (response === LATE) {
      breaks?.abort();
      asked.then(discard, () => {});
      return 'timeout';
    }
    // A change of protocol that was not asked for has no body and no connection to pass on.
    if (response.status === 101 && !response.webSocket) return 'lost';
    return { head: headOf(response), response, sent };
  } catch {
    return 'lost';
  }
}

/**
 * A body for the origin, and the outcome of sending it. A body that breaks off aborts the request:
 * the origin must not take a part for the whole.
 *
 * @param {BodyInit | Source | null} body
 */
function upload(body) {
  if (body === null || !('reader' in /** @type {any} */ (body))) return { stream: /** @type {BodyInit | null} */ (body), sent: undefined, breaks: undefined };
  const source = /** @type {Source} */ (body);
  const { readable, writable } = source.announced === undefined ? new IdentityTransformStream() : new FixedLengthStream(source.announced);
  const breaks = new AbortController();
  const sent = flow(source, writable.getWriter(), UPLOAD_IDLE_MS, undefined, () => breaks.abort());
  return { stream: readable, sent, breaks };
}

/** Milliseconds without a byte of the client after which its upload has broken off. */
const UPLOAD_IDLE_MS = 60_000;

/**
 * Whether a request's body went to its end, which is waited for: `broken` if it did not, `flowing` if it still goes on.
 *
 * @param {Promise<string>} sent
 * @param {number} milliseconds
 */
export function uploaded(sent, milliseconds) {
  return race(sent, milliseconds, 'flowing');
}

/**
 * Lets a body flow to the client, with a sign of life now and then.
 *
 * @param {Response | Source} held
 * @param {number} idle milliseconds without a byte after which the origin counts as broken
 * @param {number | undefined} promised bytes that have to come
 */
export function pump(held, idle, promised) {
  const { readable, writable } = promised === undefined ? new IdentityTransformStream() : new FixedLengthStream(promised);
  const writer = writable.getWriter();
  const broken = () => { writer.abort(new Error('the origin broke off')).catch(() => {}); };
  return { readable, end: flow(held, writer, idle, promised, broken) };
}

/**
 * @param {Response | Source} held
 * @param {WritableStreamDefaultWriter} writer
 * @param {number} idle
 * @param {number | undefined} promised
 * @param {() => void} broken called when the body ends too early
 */
async function flow(held, writer, idle, promised, broken) {
  const source = held instanceof Response ? { reader: held.body === null ? undefined : new BodyReader(held.body) } : held;
  const { reader } = source;
  let sent = 0;
  /** @param {Uint8Array} chunk */
  const write = async (chunk) => {
    sent += chunk.byteLength;
    await writer.write(chunk);
  };
  try {
    for (const chunk of source.chunks ?? []) await write(chunk);
  } catch {
    reader?.cancel().catch(() => {});
    return 'client_left';
  }
  if (reader !== undefined) {
    const waits = new Waits(idle);
    const left = await rest(reader, source.next, waits, write);
    waits.end();
    if (left !== 'complete') {
      reader.cancel().catch(() => {});
      if (left === 'broken') broken();
      return left;
    }
  }
  if (promised !== undefined && sent < promised) {
    broken();
    return 'broken';
  }
  try {
    await writer.close();
  } catch {
    return 'client_left';
  }
  return 'complete';
}

/**
 * @param {BodyReader} reader
 * @param {Promise<import('../platform/reading.mjs').Piece> | undefined} first a read that is under way
 * @param {Waits} waits
 * @param {(piece: Uint8Array) => Promise<void>} write
 */
async function rest(reader, first, waits, write) {
  for (let next = first ?? reader.read(); ; next = reader.read()) {
    const read = await waits.for(next).catch(() => LATE);
    if (read === LATE) return 'broken';
    if (read.done) return 'complete';
    try {
      await write(read.value);
    } catch {
      return 'client_left';
    }
  }
}

/** Milliseconds between two signs of life. */
const SIGN_MS = 20_000;

/**
 * The next sign of life of a pump: `flowing` after a while, or how it ended.
 *
 * @param {{ end: Promise<string> }} pumped
 */
export function progress(pumped) {
  return race(pumped.end, SIGN_MS, 'flowing');
}
