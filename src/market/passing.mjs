// Paid requests that are passed on to sellers, and their answers as they come back.

import { LATE, race, timed } from '../platform/deadline.mjs';
import { headersOf } from '../platform/edge.mjs';

/**
 * Passes a paid request on to a seller, and its answer back as it comes; a word if there is none: `late`, `lost`, `long`, or
 * `redirect`.
 *
 * @param {Request} request
 * @param {string} url
 * @param {string} method
 * @param {string} lines
 * @param {number} headMs
 * @param {number} bytes
 */
export async function passOn(request, url, method, lines, headMs, bytes) {
  const controller = new AbortController();
  const began = Date.now();
  const headers = headersOf(lines);
  for (const name of OF_CONTENT) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  let sent;
  try {
    sent = new Request(url, {
      method,
      headers,
      redirect: 'manual',
      ...(request.body === null || method === 'GET' || method === 'HEAD' ? {} : { body: request.body }),
    });
  } catch {
    return 'lost';
  }
  const response = await race(
    fetch(sent, { signal: controller.signal }).catch(() => undefined),
    headMs,
  );
  if (response === LATE || response === undefined) {
    controller.abort();
    return response === LATE ? 'late' : 'lost';
  }
  const { status } = response;
  const announced = Number(response.headers.get('content-length') ?? 0);
  if ((status >= 300 && status < 400 && status !== 304) || announced > bytes) {
    controller.abort();
    return announced > bytes ? 'long' : 'redirect';
  }
  const kept = new Headers();
  for (const [name, value] of response.headers) if (!NOT_OF_SELLERS.test(name)) kept.append(name, value);
  // All sellers share the market's origin: what they send may be looked at there, and may do nothing.
  kept.set('content-security-policy', 'sandbox');
  kept.set('x-content-type-options', 'nosniff');
  let body = null;
  if (response.body !== null && !BODYLESS.has(status)) {
    body = await carried(response, controller, began + headMs - Date.now(), bytes);
    if (body === 'lost') {
      controller.abort();
      return 'lost';
    }
  }
  try {
    return new Response(body, { status, headers: kept });
  } catch {
    controller.abort();
    return 'lost';
  }
}

/**
 * A seller's body as it goes to the gate, which must not take a part of it for the whole: a short one is complete before the answer
 * begins, and one whose length is announced cannot end early. `lost` if it broke off before the answer began.
 *
 * @param {Response} response
 * @param {AbortController} source
 * @param {number} milliseconds until the answer has to begin
 * @param {number} bytes
 */
async function carried(response, source, milliseconds, bytes) {
  const { body, headers } = response;
  const reader = /** @type {ReadableStream<Uint8Array>} */ (body).getReader();
  const announced = headers.get('content-length');
  // The platform decodes: that is the length of what was encoded.
  const isKnown = announced !== null && /^\d{1,9}$/.test(announced) && !headers.has('content-encoding');
  /** @type {Gathered} */
  let begun = { pieces: [], end: 'late', next: undefined };
  if (!(isKnown && Number(announced) > WHOLE_BYTES) && !/^text\/event-stream/i.test(headers.get('content-type') ?? '')) {
    begun = await gathered(reader, Math.min(Math.max(milliseconds, 0), WHOLE_MS), WHOLE_BYTES);
    if (begun.end === 'lost') return 'lost';
    if (begun.end === 'whole') return new Uint8Array(await new Blob(begun.pieces).arrayBuffer());
  }
  const { readable, writable } = isKnown ? new FixedLengthStream(Number(announced)) : new IdentityTransformStream();
  void flow(begun, reader, writable.getWriter(), bytes, source);
  return readable;
}

/**
 * @typedef {object} Gathered
 * @property {Uint8Array[]} pieces
 * @property {'whole' | 'long' | 'late' | 'lost'} end
 * @property {ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']> | undefined} next a read that goes on
 */

/**
 * The beginning of a body, or all of it.
 *
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {number} milliseconds
 * @param {number} bytes
 * @returns {Promise<Gathered>}
 */
async function gathered(reader, milliseconds, bytes) {
  /** @type {Gathered} */
  const begun = { pieces: [], end: 'late', next: undefined };
  let length = 0;
  begun.end = await timed(milliseconds, async (/** @type {Promise<typeof LATE>} */ late) => {
    for (;;) {
      begun.next ??= reader.read();
      const piece = await Promise.race([begun.next, late]);
      if (piece === LATE) return /** @type {const} */ ('late');
      begun.next = undefined;
      if (piece.done) return 'whole';
      begun.pieces.push(piece.value);
      length += piece.value.byteLength;
      if (length > bytes) return 'long';
    }
  }).catch(() => /** @type {const} */ ('lost'));
  return begun;
}

/**
 * Lets a body flow on to the gate.
 *
 * @param {Gathered} begun
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {WritableStreamDefaultWriter<Uint8Array>} writer
 * @param {number} bytes
 * @param {AbortController} source
 */
async function flow({ pieces, next }, reader, writer, bytes, source) {
  let left = bytes;
  try {
    for (const piece of pieces) {
      left -= piece.byteLength;
      await writer.write(piece);
    }
    for (;;) {
      const piece = await (next ?? reader.read()).catch(() => undefined);
      next = undefined;
      if (piece?.done) return await writer.close();
      left -= piece?.value.byteLength ?? bytes;
      if (piece === undefined || left < 0) break;
      await writer.write(piece.value);
    }
  } catch {
    // The gate has left.
    source.abort();
    return;
  }
  source.abort();
  await writer.abort(new Error('the seller broke off')).catch(() => {});
}

/** What is complete before it is passed on: as much as the gate keeps itself, and for as long as it collects that. */
const WHOLE_BYTES = 1024 * 1024;
const WHOLE_MS = 10_000;

/** Fields of a client's request that are about its body, or about the answer's. */
const OF_CONTENT = ['content-type', 'content-language', 'content-encoding', 'accept', 'accept-language'];
/** Fields that are the connection's, the gate's, or would mean the market's origin; the platform sets those of the body's form. */
const NOT_OF_SELLERS = new RegExp(
  `^(${[
    'connection',
    'keep-alive',
    'transfer-encoding',
    'upgrade',
    'te',
    'trailer',
    'proxy-.*',
    'content-length',
    'content-encoding',
    // Their addresses would be the market's, where other sellers are.
    'link',
    'content-location',
    'speculation-rules',
    'use-as-dictionary',
    'accept-ch',
    'set-cookie2?',
    'clear-site-data',
    'strict-transport-security',
    'service-worker-allowed',
    'refresh',
    'location',
    'nel',
    'report-to',
    'reporting-endpoints',
    'content-security-policy.*',
    'alt-svc',
    'access-control-.*',
    'www-authenticate',
    'payment.*',
    'x-payment.*',
    'farebox-.*',
    // A proxy in front would read a file of its own, or ask a place of its own, in the seller's name.
    'x-accel-.*',
    'x-(lighttpd-)?send-?file.*',
    'x-lighttpd-.*',
    'x-litespeed-.*',
    'x-reproxy-.*',
  ].join('|')})$`,
);
/** Statuses whose answers have no body. */
const BODYLESS = new Set([204, 205, 304]);
