// Asks the origin, and holds bodies on their way: they stay here, and only stored ones cross to Rust.

import { headOf, headersOf, joined } from './edge.mjs';

/**
 * Asks an origin; `timeout` when the head does not come in time, `lost` when the connection fails. `sent` is how the
 * request's body went, where that is known here.
 *
 * @param {Fetcher | undefined} bound the Worker that is the origin, if it is one
 * @param {string} url
 * @param {string} method
 * @param {string} lines
 * @param {BodyInit | Source | null} body
 * @param {number} milliseconds
 * @param {'no-store' | undefined} cache
 */
export async function askOrigin(bound, url, method, lines, body, milliseconds, cache) {
  const controller = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, milliseconds);
  try {
    const { stream, sent } = upload(method === 'GET' || method === 'HEAD' ? null : body, controller);
    const response = await (bound ?? globalThis).fetch(url, {
      method,
      headers: headersOf(lines),
      body: stream,
      redirect: 'manual',
      signal: controller.signal,
      ...(cache === undefined ? {} : { cache }),
    });
    return { head: headOf(response), response, sent };
  } catch {
    return late ? 'timeout' : 'lost';
  } finally {
    clearTimeout(timer);
  }
}

/**
 * A body for the origin, and how it went. What breaks off aborts the request: the origin must not take a part for all.
 *
 * @param {BodyInit | Source | null} body
 * @param {AbortController} controller
 */
function upload(body, controller) {
  if (body === null || !('reader' in /** @type {any} */ (body))) return { stream: /** @type {BodyInit | null} */ (body), sent: undefined };
  const source = /** @type {Source} */ (body);
  const { readable, writable } = source.announced === undefined ? new IdentityTransformStream() : new FixedLengthStream(source.announced);
  const sent = flow(source, writable.getWriter(), UPLOAD_IDLE_MS, undefined, () => controller.abort());
  return { stream: readable, sent };
}

/** Milliseconds without a byte of the client after which its upload has broken off. */
const UPLOAD_IDLE_MS = 60_000;

/**
 * Whether a request's body went to its end, which is waited for: `broken` if it did not, `flowing` if it still goes on.
 *
 * @param {Promise<string> | undefined} sent
 * @param {number} milliseconds
 */
export async function uploaded(sent, milliseconds) {
  if (sent === undefined) return 'complete';
  let timer;
  const late = new Promise((resolve) => { timer = setTimeout(resolve, milliseconds, 'flowing'); });
  try {
    return await Promise.race([sent, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @typedef {object} Source what is held of a body: all of it, or its beginning and a reader of the rest
 * @property {Uint8Array} [whole]
 * @property {ReadableStreamDefaultReader<Uint8Array>} [reader]
 * @property {Uint8Array[]} [chunks]
 * @property {Promise<ReadableStreamReadResult<Uint8Array>>} [next] a read that is under way
 * @property {number} [announced] its length, where that was said before
 */

/**
 * Reads a body to its end: `whole`; or stops because it is `open` (longer) or in `timeout` (slower), with
 * what was read kept in front of the rest; or finds it `broken`.
 *
 * @param {Response} response
 * @param {number} limit
 * @param {number} milliseconds
 */
export async function collect(response, limit, milliseconds) {
  if (response.body === null) return { kind: 'whole', length: 0, source: { whole: new Uint8Array(0) } };
  const reader = response.body.getReader();
  /** @type {Uint8Array[]} */
  const chunks = [];
  let length = 0;
  let timer;
  const late = new Promise((resolve) => { timer = setTimeout(resolve, milliseconds, LATE); });
  try {
    for (;;) {
      const next = reader.read();
      const read = await Promise.race([next, late]);
      if (read === LATE) {
        next.catch(() => {});
        return { kind: 'timeout', length, source: { reader, chunks, next } };
      }
      if (read.done) break;
      chunks.push(read.value);
      length += read.value.byteLength;
      if (length > limit) return { kind: 'open', length, source: { reader, chunks } };
    }
  } catch {
    return { kind: 'broken', length, source: null };
  } finally {
    clearTimeout(timer);
  }
  const whole = chunks.length === 1 ? chunks[0] : joined(chunks, length);
  return { kind: 'whole', length, source: { whole } };
}

const LATE = Symbol('late');

/**
 * The body that a client gets of what is held.
 *
 * @param {Response | Source | null | undefined} held
 */
export function bodyOf(held) {
  if (held === null || held === undefined) return null;
  if (held instanceof Response) return held.body;
  return held.whole ?? null;
}

/**
 * Lets go of what is held.
 *
 * @param {Response | Source | null | undefined} held
 */
export function discard(held) {
  if (held === null || held === undefined) return;
  const done = held instanceof Response ? held.body?.cancel() : held.reader?.cancel();
  done?.catch(() => {});
}

/**
 * Hashes a request's body if it ends within the limits; `body` is what to forward in its place. A body is `whole`, `long`
 * (longer, or slower without having said its length) or `broken`.
 *
 * @param {Request} request
 * @param {number} limit
 * @param {number} milliseconds
 */
export async function digestBody(request, limit, milliseconds) {
  if (request.body === null) return { kind: 'whole', digest: 'none', body: null };
  const length = request.headers.get('content-length');
  const announced = length === null ? undefined : Number(length);
  if (announced !== undefined && announced > limit) {
    return { kind: 'long', body: { reader: request.body.getReader(), announced } };
  }
  const { kind, source } = await collect(/** @type {any} */ ({ body: request.body }), limit, milliseconds);
  if (kind === 'whole' && source?.whole !== undefined) {
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', source.whole));
    const digest = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return { kind: 'whole', digest, body: source.whole };
  }
  if (source === null || announced !== undefined) {
    discard(source);
    return { kind: 'broken', body: null };
  }
  return { kind: 'long', body: source };
}

/**
 * @param {Request} request
 */
export function requestBody(request) {
  return request.body;
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
 * @param {() => void} broken what is to be done when the body ends too early
 */
async function flow(held, writer, idle, promised, broken) {
  const source = held instanceof Response ? { reader: held.body?.getReader(), chunks: [], next: undefined } : held;
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
    let next = source.next ?? reader.read();
    for (;;) {
      let read;
      try {
        read = await inTime(next, idle);
      } catch {
        reader.cancel().catch(() => {});
        broken();
        return 'broken';
      }
      if (read.done) break;
      try {
        await write(read.value);
      } catch {
        reader.cancel().catch(() => {});
        return 'client_left';
      }
      next = reader.read();
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
 * @template T
 * @param {Promise<T>} promise
 * @param {number} milliseconds
 * @returns {Promise<T>}
 */
async function inTime(promise, milliseconds) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(reject, milliseconds, new Error('idle')); });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Milliseconds between two signs of life. */
const SIGN_MS = 20_000;

/**
 * The next sign of life of a pump: `flowing` after a while, or how it ended.
 *
 * @param {{ end: Promise<string> }} pumped
 */
export async function progress(pumped) {
  let timer;
  const sign = new Promise((resolve) => { timer = setTimeout(resolve, SIGN_MS, 'flowing'); });
  try {
    return await Promise.race([pumped.end, sign]);
  } finally {
    clearTimeout(timer);
  }
}
