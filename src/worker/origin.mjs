// Asks the origin, and lets bodies flow on their way.

import { env } from 'cloudflare:workers';

import { discard, lengthOf } from '../platform/body.mjs';
import { LATE, race } from '../platform/deadline.mjs';
import { headersOf, headOf } from '../platform/edge.mjs';
import { BodyReader, Waits } from '../platform/reading.mjs';
import { MINUTE_MS, Pace, WAITED_MS } from './pace.mjs';

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
 * @param {number} uploading milliseconds that a body may take before those begin, while it flows
 * @param {'no-store' | undefined} cache
 * @param {string | undefined} resolve the host to connect to, if it is not the URL's
 */
export async function askOrigin(bound, url, method, lines, body, milliseconds, uploading, cache, resolve) {
  try {
    const { stream, sent, breaks, answered } = upload(method === 'GET' || method === 'HEAD' ? null : body);
    const asked = (bound ?? globalThis).fetch(url, {
      method,
      headers: headersOf(lines),
      body: stream,
      redirect: 'manual',
      ...(breaks === undefined ? {} : { signal: breaks.signal }),
      ...(cache === undefined ? {} : { cache }),
      ...(resolve === undefined ? {} : { cf: { resolveOverride: resolve } }),
    });
    // An origin works on all of a body: its own time begins then.
    if (sent !== undefined) await race(Promise.race([sent, asked]), uploading);
    const response = await race(asked, milliseconds);
    if (response === LATE) {
      breaks?.abort();
      asked.then(discard, () => {});
      return 'timeout';
    }
    answered?.();
    // A change of protocol that was not asked for has no body and no connection to pass on.
    if (response.status === 101 && !response.webSocket) {
      breaks?.abort();
      return 'lost';
    }
    const isUnderWay = sent?.isOpen && breaks !== undefined && (await uploaded(sent, 0)) === 'flowing';
    return { head: headOf(response), response: isUnderWay ? behind(response, sent, breaks) : response, sent };
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
  if (body === null || !('reader' in /** @type {any} */ (body)))
    return { stream: /** @type {BodyInit | null} */ (body), sent: undefined, breaks: undefined, answered: undefined };
  const source = /** @type {Source} */ (body);
  const { readable, writable } = source.announced === undefined ? new IdentityTransformStream() : new FixedLengthStream(source.announced);
  const breaks = new AbortController();
  let isAnswered = false;
  const writer = writable.getWriter();
  const given = new Pace();
  const outcome = flow(source, writer, UPLOAD_IDLE_MS, undefined, {
    broken: () => breaks.abort(),
    // An origin that has answered need not read all of a body, and its answer goes on.
    stalled: () => isAnswered || breaks.abort(),
    given,
  });
  const sent = Object.assign(outcome, { given, isOpen: source.announced === undefined, isAwaited: false });
  const answered = () => {
    isAnswered = true;
  };
  return { stream: readable, sent, breaks, answered };
}

/**
 * @typedef {Promise<string> & {given: Pace, isOpen: boolean, isAwaited: boolean}} Upload the outcome of an upload, what its client has
 *   given of it, whether its length is unknown, and whether the end of its answer waits for it
 */

/**
 * An answer whose last byte is read once the upload is over: with its answer the platform ends a request, as if what has come of a
 * body without a length were all of it, and takes no more of the client. Until then it can be aborted.
 *
 * @param {Response} response
 * @param {Upload} sent
 * @param {AbortController} breaks
 */
function behind(response, sent, breaks) {
  // The end of an answer without a length is not shown before that.
  if (response.body === null || !response.headers.has('content-length')) {
    awaited(sent).catch(() => {
      sent.isAwaited = false;
    });
    return response;
  }
  const length = lengthOf(response);
  const { readable, writable } = length === undefined ? new IdentityTransformStream() : new FixedLengthStream(length);
  const [reader, writer] = [response.body.getReader({ mode: 'byob' }), writable.getWriter()];
  const passed = async () => {
    // Of a compressed answer nobody can tell which byte is the last one.
    for (let left = length ?? 1; left > 0; ) {
      if (left === 1) await awaited(sent);
      const { done, value } = await reader.read(new Uint8Array(left === 1 ? TAKEN_BYTES : Math.min(left - 1, TAKEN_BYTES)));
      if (done) break;
      await writer.write(value);
      if (length !== undefined) left -= value.length;
    }
    await writer.close();
  };
  const cut = (/** @type {unknown} */ error) => {
    breaks.abort();
    reader.cancel().catch(() => {});
    writer.abort(error).catch(() => {});
  };
  writer.closed.catch(cut);
  passed().catch(cut);
  return new Response(readable, { headers: response.headers });
}

/**
 * Waits for the end of an upload on which that of its answer depends; throws if it has broken off, or goes on for too long.
 *
 * @param {Upload} sent
 */
async function awaited(sent) {
  sent.isAwaited = true;
  const end = await race(sent, AWAITED_MS);
  if (end === LATE || end === 'broken') throw new Error('the upload has not ended');
  sent.isAwaited = false;
}

/** Milliseconds for which an answer waits for its upload. */
const AWAITED_MS = 300_000;

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
 * @param {Upload} [sent] the upload of the request's body: a client that breaks it off breaks the answer off, too
 */
export function pump(held, idle, promised, sent) {
  const { readable, writable } = promised === undefined ? new IdentityTransformStream() : new FixedLengthStream(promised);
  const writer = writable.getWriter();
  const source = held instanceof Response ? { reader: held.body === null ? undefined : new BodyReader(held.body) } : held;
  const isAwaited = () => sent?.isAwaited === true;
  /** @param {Early} early */
  const broken = async ({ bytes, taken, isSilent }) => {
    const uploaded = sent === undefined ? 'complete' : await race(sent, 0, 'flowing');
    // Else a payer would have most of a long answer, and their money back.
    if (uploaded === 'broken' || taken.isSlow(TAKEN_BYTES_IN_MINUTE, MINUTE_MS)) return 'client_left';
    if (uploaded === 'complete' || bytes === 0) return 'broken';
    // Nobody sees the end of an answer of which no length is known before the origin has all of the request. Its client,
    // who may see to it that the origin never has, may have the whole answer.
    if (promised === undefined) return 'client_left';
    const isSlow = sent?.given.isSlow(GIVEN_BYTES, WAITED_MS) || sent?.given.isSlowOnTheWhole(GIVEN_BYTES, WAITED_MS);
    return isAwaited() || (!isSilent && isSlow) ? 'client_left' : 'broken';
  };
  const end = flow(source, writer, idle, promised, { broken, stalled: () => {}, isAwaited }).then((end) => {
    // With this the platform ends an upload as well: whose doing it is was asked before.
    if (end !== 'complete') {
      writer.abort(new Error('it broke off')).catch(() => {});
      source.reader?.cancel().catch(() => {});
    }
    return end === 'client_left' ? clientLeft() : end;
  });
  return { readable, end };
}

/**
 * Says that a client has left, unless all have: with the front of `farebox serve`, which alone brings them. What became of their answers nobody
 * knows then, and the lease of each payment decides.
 *
 * @returns {Promise<string>}
 */
async function clientLeft() {
  const { FRONT: front } = /** @type {{ FRONT?: Fetcher }} */ (env);
  const isThere = await (front?.fetch('http://front/') ?? Promise.resolve()).then(
    () => true,
    () => false,
  );
  return isThere ? 'client_left' : new Promise(() => {});
}

/** Milliseconds after which a reader who takes nothing has left, and bytes that are to be taken in that time. */
const TAKING_MS = 300_000;
const TAKEN_BYTES = 65_536;
/**
 * Bytes that a reader has to take in a minute, and an upload to bring in the last ten seconds, and in ten of all its seconds: what came
 * in one piece before is no sign of life, and neither is what comes at the end alone. Many origins give a request minutes in all. Who sends less may see to it that those pass.
 */
const TAKEN_BYTES_IN_MINUTE = 4_194_304;
const GIVEN_BYTES = 1_000_000;

/**
 * @typedef {object} Early how a body ended too early: after how many bytes, what its reader took, and whether its source fell silent
 * @property {number} bytes
 * @property {Pace} taken
 * @property {boolean} isSilent
 */

/**
 * @typedef {object} Means
 * @property {(early: Early) => Promise<string> | void} broken breaks off where the body ends too early; may say whose doing that is
 * @property {() => void} stalled is called when the reader takes nothing
 * @property {Pace} [given] notes what the source gives
 * @property {() => boolean} [isAwaited] whether the source waits for something else, and is not late
 */

/**
 * Lets a body flow, and says how it ended: `broken` if it ended too early, `client_left` if its reader takes no more.
 *
 * @param {Source} source
 * @param {WritableStreamDefaultWriter} writer
 * @param {number} idle
 * @param {number | undefined} promised
 * @param {Means} means
 */
async function flow(source, writer, idle, promised, { broken, stalled, given, isAwaited }) {
  const [comes, takes] = [new Waits(idle), new Waits(TAKING_MS)];
  let sent = 0;
  const taken = new Pace();
  /** @param {Promise<void>} done */
  const isTaken = async (done) => {
    const taken = await takes.for(
      done.then(
        () => true,
        () => false,
      ),
    );
    if (taken === LATE) stalled();
    return taken === true;
  };
  /** @param {Uint8Array} piece */
  const write = async (piece) => {
    for (let at = 0; at < piece.length; at += TAKEN_BYTES) {
      taken.begin();
      if (!(await isTaken(writer.write(piece.subarray(at, at + TAKEN_BYTES))))) return false;
      taken.end(Math.min(TAKEN_BYTES, piece.length - at));
    }
    sent += piece.length;
    return true;
  };
  let end = await pass(source, comes, write, { isWhole: () => sent === promised, given, isAwaited });
  if (end === 'complete' && promised !== undefined && sent < promised) end = 'broken';
  if (end === 'broken' || end === 'silent') end = (await broken({ bytes: sent, taken, isSilent: end === 'silent' })) ?? 'broken';
  if (end === 'complete' && !(await isTaken(writer.close()))) end = 'client_left';
  comes.end();
  takes.end();
  return end;
}

/**
 * @param {Source} source
 * @param {Waits} comes
 * @param {(piece: Uint8Array) => Promise<boolean>} write
 * @param {Pick<Means, 'given' | 'isAwaited'> & {isWhole: () => boolean}} means `isWhole` says whether all that was promised has
 *   been written
 */
async function pass({ reader, chunks = [], next }, comes, write, { isWhole, given, isAwaited }) {
  for (const chunk of chunks) if (!(await write(chunk))) return 'client_left';
  while (reader !== undefined) {
    // The platform shows the end of an answer once the origin has all of the request, which may be never. A connection
    // that has come to its end is used again if somebody reads that.
    if (isWhole()) {
      (next ?? reader.read()).catch(() => {});
      break;
    }
    given?.begin();
    const coming = next ?? reader.read();
    let read = await comes.for(coming).catch(() => undefined);
    while (read === LATE && isAwaited?.()) read = await comes.for(coming).catch(() => undefined);
    given?.end(typeof read === 'object' ? (read.value?.length ?? 0) : 0);
    next = undefined;
    if (read === undefined) return 'broken';
    if (read === LATE) return 'silent';
    if (read.done) break;
    if (!(await write(read.value))) return 'client_left';
  }
  return 'complete';
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
