// Bodies: read within bounds, held, and hashed. They stay here, and only stored ones cross to Rust.

import { LATE, race, timed } from './deadline.mjs';
import { BodyReader } from './reading.mjs';

/**
 * @typedef {object} Source the held part of a body: all of it, or its beginning and a reader of the rest
 * @property {Uint8Array} [whole]
 * @property {BodyReader} [reader]
 * @property {Uint8Array[]} [chunks]
 * @property {Promise<ReadableStreamReadResult<Uint8Array>>} [next] a read that is under way
 * @property {number} [announced] its length, if it was announced
 */

/**
 * Reads a body to its end: `whole`; or stops because it is `open` (longer) or in `timeout` (`late` came first), with
 * what was read kept in front of the rest; or finds it `broken`.
 *
 * @param {ReadableStream<Uint8Array> | null} body
 * @param {number} limit
 * @param {Promise<typeof LATE>} [late]
 * @param {{least?: number | undefined, announced?: number | undefined}} [known] bytes of a piece, unless it is the last one, and of all
 * @returns {Promise<{ kind: 'whole' | 'open' | 'timeout' | 'broken', length: number, source: Source | null }>}
 */
async function read(body, limit, late, { least, announced } = {}) {
  if (body === null) return { kind: 'whole', length: 0, source: { whole: new Uint8Array(0) } };
  const reader = new BodyReader(body);
  /** @type {Uint8Array[]} */
  const chunks = [];
  let length = 0;
  try {
    for (;;) {
      const next = reader.read(least);
      const piece = await (late === undefined ? next : Promise.race([next, late]));
      if (piece === LATE) return { kind: 'timeout', length, source: { reader, chunks, next } };
      if (piece.done) break;
      chunks.push(piece.value.slice());
      length += piece.value.byteLength;
      if (length > limit) return { kind: 'open', length, source: { reader, chunks } };
      if (length === announced) {
        // The platform shows the end of an answer once the origin has all of the request, which may be never.
        reader.read(least).catch(() => {});
        break;
      }
    }
  } catch {
    return { kind: 'broken', length, source: null };
  }
  const whole = chunks.length === 1 ? chunks[0] : joined(chunks, length);
  return { kind: 'whole', length, source: { whole } };
}

/**
 * Reads a response's body within both limits; the result is that of `read`.
 *
 * @param {Response} response
 * @param {number} limit
 * @param {number} milliseconds
 */
export function collect(response, limit, milliseconds) {
  return timed(milliseconds, (late) => read(response.body, limit, late, { announced: lengthOf(response) }));
}

/**
 * The text of a body that is not too long; throws if it breaks off or is no valid UTF-8. Of a longer one so many bytes more are read
 * for nothing.
 *
 * @param {Response | Request} message
 * @param {number} limit
 * @param {number} [spare]
 */
export async function bounded(message, limit, spare = 0) {
  const announced = lengthOf(message);
  if (announced !== undefined && announced <= limit) return UTF8.decode(await message.arrayBuffer());
  const { kind, source } = await read(message.body, limit);
  if (kind === 'open') {
    await source?.reader?.drop(spare);
    return undefined;
  }
  if (kind !== 'whole') throw new Error('the body broke off');
  return UTF8.decode(source?.whole);
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Bytes as they go into JSON: as `text`, or in `base64` if they are no UTF-8.
 *
 * @param {Uint8Array} bytes
 * @param {boolean} [isCut] whether more has come, so that the last character may be a part of one
 * @returns {{text: string} | {base64: string}}
 */
export function written(bytes, isCut = false) {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut }) };
  } catch {
    let text = '';
    for (let at = 0; at < bytes.length; at += 32_768) text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
    return { base64: btoa(text) };
  }
}

/**
 * The length of a message's body, if it was announced and is that of the bytes that are seen here.
 *
 * @param {Response | Request} message
 */
export function lengthOf({ headers }) {
  const length = headers.get('content-length');
  return length !== null && /^\d{1,15}$/.test(length) && !headers.has('content-encoding') ? Number(length) : undefined;
}

/**
 * The text of a message's body, if it is not too long and is valid UTF-8.
 *
 * @param {Response | Request} message
 * @param {number} bytes
 */
export async function textOf(message, bytes) {
  try {
    return await bounded(message, bytes);
  } catch {
    return undefined;
  }
}

/** Milliseconds in which a request's body has to come. */
const BODY_MS = 20_000;
/** Bytes of a body that is too long that are read all the same: a connection with more of it ends, and may take the answer along. */
const SPARE_BYTES = 1024 * 1024;

/**
 * The text of a request's body; `long` or `broken` in an array if it has none that can be used. One that does not come in
 * time is broken.
 *
 * @param {Request} request
 * @param {number} bytes
 */
export async function requestText(request, bytes) {
  try {
    const text = await race(bounded(request, bytes, SPARE_BYTES), BODY_MS, LATE);
    return text === LATE ? ['broken'] : (text ?? ['long']);
  } catch {
    return ['broken'];
  }
}

/**
 * @param {Uint8Array[]} chunks
 * @param {number} length
 */
export function joined(chunks, length) {
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}

/**
 * The body for the client, made from what is held, or the connection that the origin has upgraded.
 *
 * @param {Response | Source | null | undefined} held
 */
export function bodyOf(held) {
  if (held === null || held === undefined) return null;
  if (held instanceof Response) return held.webSocket ?? held.body;
  return held.whole ?? null;
}

/**
 * Cancels what is held.
 *
 * @param {Response | Source | null | undefined} held
 */
export function discard(held) {
  if (held === null || held === undefined) return;
  const done = held instanceof Response ? held.body?.cancel() : held.reader?.cancel();
  done?.catch(() => {});
}

/** A piece of a byte costs as much as this many: whoever sends bytes one by one is read as others are. */
const LEAST_BYTES = 2048;

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
    return { kind: 'long', body: { reader: new BodyReader(request.body), announced } };
  }
  const { kind, source } = await timed(milliseconds, (late) => read(request.body, limit, late, { least: LEAST_BYTES }));
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
