// The platform calls of the Worker. No protocol rule lives here: Rust decides, this carries out, and every
// failure that Rust can decide about is a value, not an exception.

/**
 * A response of status, `name: value` lines and body.
 *
 * @param {number} status
 * @param {string} lines
 * @param {BodyInit | null | undefined} body
 */
export function respond(status, lines, body) {
  const bodyless = status === 204 || status === 304 || (status >= 100 && status < 200);
  return new Response(bodyless ? null : (body ?? null), { status, headers: headersOf(lines) });
}

/**
 * @param {string} lines
 */
function headersOf(lines) {
  const headers = new Headers();
  let start = 0;
  for (let end = lines.indexOf('\n'); end >= 0; end = lines.indexOf('\n', start)) {
    const colon = lines.indexOf(': ', start);
    headers.append(lines.slice(start, colon), lines.slice(colon + 2, end));
    start = end + 1;
  }
  return headers;
}

/**
 * Asks an origin; `timeout` when the head does not come in time, `lost` when the connection fails.
 *
 * @param {Fetcher | undefined} bound the Worker that is the origin, if it is one
 * @param {string} url
 * @param {string} method
 * @param {string} lines
 * @param {BodyInit | null} body
 * @param {number} milliseconds
 */
export async function askOrigin(bound, url, method, lines, body, milliseconds) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), milliseconds);
  try {
    const response = await (bound ?? globalThis).fetch(url, {
      method,
      headers: headersOf(lines),
      body: method === 'GET' || method === 'HEAD' ? null : body,
      redirect: 'manual',
      signal: controller.signal,
    });
    return { head: headOf(response), response };
  } catch {
    return controller.signal.aborted ? 'timeout' : 'lost';
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Posts JSON, or asks for it where there is no body. The answer is status, `json` or nothing, and the body, if all of
 * it came in time and is not too long; else a word: `unsigned` (and never sent), `late`, `long` or `lost`.
 *
 * @param {string} url
 * @param {string} lines fields that show who asks
 * @param {string | undefined} signing what [`signed`] takes, if that shows it
 * @param {string} body
 * @param {number} milliseconds
 * @param {number} bytes
 */
export async function askJson(url, lines, signing, body, milliseconds, bytes) {
  const headers = headersOf(`content-type: application/json\naccept: application/json\n${lines}`);
  try {
    if (signing !== undefined) headers.set('authorization', `Bearer ${await signed(signing)}`);
  } catch {
    return 'unsigned';
  }
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), milliseconds);
  try {
    const response = await fetch(url, {
      headers,
      ...(body === '' ? {} : { method: 'POST', body }),
      redirect: 'manual',
      signal: controller.signal,
    });
    const type = response.headers.get('content-type') ?? '';
    const text = await bounded(response, bytes);
    if (text === undefined) return 'long';
    return `${response.status}\n${/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(type) ? 'json' : ''}\n${text}`;
  } catch {
    return controller.signal.aborted ? 'late' : 'lost';
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Keys by their PKCS#8, imported once.
 *
 * @type {Map<string, CryptoKey>}
 */
const keys = new Map();

/** What the algorithms of a JWT are called elsewhere. */
const ALGORITHMS = new Map([
  ['EdDSA', { name: 'Ed25519' }],
  ['ES256', { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }],
]);

/**
 * A JWT with its signature; throws if the key is none.
 *
 * @param {string} signing algorithm, PKCS#8 in base64, and the JWT without signature, apart by spaces
 */
export async function signed(signing) {
  const [name = '', pkcs8 = '', input = ''] = signing.split(' ');
  const algorithm = /** @type {EcKeyImportParams & EcdsaParams} */ (ALGORITHMS.get(name));
  let key = keys.get(pkcs8);
  if (key === undefined) {
    const bytes = Uint8Array.from(atob(pkcs8), (char) => char.charCodeAt(0));
    key = await crypto.subtle.importKey('pkcs8', bytes, algorithm, false, ['sign']);
    keys.set(pkcs8, key);
  }
  const signature = new Uint8Array(await crypto.subtle.sign(algorithm, key, new TextEncoder().encode(input)));
  const base64 = btoa(String.fromCharCode(...signature));
  return `${input}.${base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
}

/**
 * Posts a signed notice; whether it was taken.
 *
 * @param {string} url
 * @param {string} signature
 * @param {string} body
 * @param {number} milliseconds
 */
export async function postNotice(url, signature, body, milliseconds) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), milliseconds);
  try {
    const headers = { 'content-type': 'application/json', 'farebox-signature': signature };
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal: controller.signal });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** A body that is written piece by piece. */
export function channel() {
  const { readable, writable } = new IdentityTransformStream();
  return { readable, writer: writable.getWriter() };
}

/**
 * Writes a piece, or ends the body; whether somebody still reads.
 *
 * @param {{ writer: WritableStreamDefaultWriter<Uint8Array> }} channel
 * @param {string | undefined} piece
 */
export async function writePiece({ writer }, piece) {
  try {
    if (piece === undefined) await writer.close();
    else await writer.write(new TextEncoder().encode(piece));
    return true;
  } catch {
    return false;
  }
}

/**
 * The text of a request's body, if it is not too long and is valid UTF-8.
 *
 * @param {Request} request
 * @param {number} bytes
 */
export async function textOf(request, bytes) {
  try {
    return await bounded(request, bytes);
  } catch {
    return undefined;
  }
}

/**
 * The text of a body that is not too long and is valid UTF-8.
 *
 * @param {Response | Request} response
 * @param {number} limit
 */
async function bounded(response, limit) {
  if (response.body === null) return '';
  const reader = response.body.getReader();
  const chunks = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.byteLength;
    if (length > limit) {
      await reader.cancel();
      return undefined;
    }
    chunks.push(value);
  }
  const bytes = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : joined(chunks, length);
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

/**
 * The ledger's namespace, in the jurisdiction that the operator has chosen, and where its objects had best begin.
 *
 * @param {DurableObjectNamespace | undefined} namespace
 * @param {DurableObjectJurisdiction | null | undefined} jurisdiction
 * @param {DurableObjectLocationHint | null | undefined} location
 */
export function ledgerOf(namespace, jurisdiction, location) {
  const hint = location ? { locationHint: location } : undefined;
  if (!jurisdiction) return { namespace, hint };
  try {
    return { namespace: namespace?.jurisdiction(jurisdiction), hint };
  } catch (error) {
    // Objects elsewhere would be other ones: rather no ledger than a second one.
    complain(`farebox: LEDGER_JURISDICTION: the platform has no ${jurisdiction} (${error instanceof Error ? error.message : error})`);
    return { namespace: undefined, hint };
  }
}

/**
 * Asks a ledger object; a body goes behind the command, and so does a stored one behind its answer.
 *
 * @param {ReturnType<typeof ledgerOf>} ledger
 * @param {string} name
 * @param {string} command
 * @param {Uint8Array | { whole: Uint8Array } | null} body
 * @param {number} milliseconds
 */
export async function askObject({ namespace, hint }, name, command, body, milliseconds) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), milliseconds);
  try {
    if (namespace === undefined) return undefined;
    const stub = namespace.get(namespace.idFromName(name), hint);
    const bytes = body === null ? undefined : 'whole' in body ? body.whole : body;
    const response = await stub.fetch(`https://ledger/${name.startsWith('ledger/') ? '' : name}`, {
      method: 'POST',
      signal: controller.signal,
      ...(bytes === undefined ? { body: command } : withBody(command, bytes)),
    });
    if (!response.ok) {
      await response.body?.cancel();
      return undefined;
    }
    const split = response.headers.get(SPLIT);
    if (split === null) return { answer: await response.text(), body: null };
    const all = new Uint8Array(await response.arrayBuffer());
    const end = Number(split);
    return { answer: new TextDecoder().decode(all.subarray(0, end)), body: { whole: all.subarray(end) } };
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Whether one more is within the rate limit; a limit that fails limits nobody, because it only shields.
 *
 * @param {RateLimit} limiter
 * @param {string} key
 */
export async function withinLimit(limiter, key) {
  try {
    return (await limiter.limit({ key })).success;
  } catch {
    return true;
  }
}

/** Names the bytes of JSON in front of a raw body. */
const SPLIT = 'farebox-split';

/**
 * @param {string} command
 * @param {Uint8Array} body
 */
function withBody(command, body) {
  const json = new TextEncoder().encode(command);
  return { headers: { [SPLIT]: `${json.byteLength}` }, body: joined([json, body], json.byteLength + body.byteLength) };
}

/**
 * What an object says, and when its alarm has to be set for.
 *
 * @param {string} answer
 * @param {Uint8Array | undefined} stored
 * @param {number | undefined} alarm
 */
export function answered(answer, stored, alarm) {
  if (stored === undefined) return { response: new Response(answer), alarm };
  const { headers, body } = withBody(answer, stored);
  return { response: new Response(body, { headers }), alarm };
}

/**
 * @param {Uint8Array[]} chunks
 * @param {number} length
 */
function joined(chunks, length) {
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}

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
 * @typedef {object} Source what is held of a response: all of it, or its beginning and a reader of the rest
 * @property {Uint8Array} [whole]
 * @property {ReadableStreamDefaultReader<Uint8Array>} [reader]
 * @property {Uint8Array[]} [chunks]
 * @property {Promise<ReadableStreamReadResult<Uint8Array>>} [next] a read that is under way
 */

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
 * Lets a body flow to the client, with a sign of life now and then.
 *
 * @param {Response | Source} held
 * @param {number} idle milliseconds without a byte after which the origin counts as broken
 * @param {number | undefined} promised bytes that have to come
 */
export function pump(held, idle, promised) {
  const { readable, writable } = promised === undefined ? new IdentityTransformStream() : new FixedLengthStream(promised);
  return { readable, end: flow(held, writable.getWriter(), idle, promised) };
}

/**
 * @param {Response | Source} held
 * @param {WritableStreamDefaultWriter} writer
 * @param {number} idle
 * @param {number | undefined} promised
 */
async function flow(held, writer, idle, promised) {
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
        writer.abort(new Error('the origin broke off')).catch(() => {});
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
    writer.abort(new Error('the origin broke off')).catch(() => {});
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

/**
 * Hashes a request's body if it ends within the limits; `body` is what to forward in its place.
 *
 * @param {Request} request
 * @param {number} limit
 * @param {number} milliseconds
 */
export async function digestBody(request, limit, milliseconds) {
  const announced = Number(request.headers.get('content-length') ?? Number.NaN);
  if (request.body === null) return { digest: 'none', body: null };
  if (announced > limit) return { digest: undefined, body: request.body };
  const { kind, source } = await collect(/** @type {any} */ ({ body: request.body }), limit, milliseconds);
  if (kind === 'whole' && source?.whole !== undefined) {
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', source.whole));
    const digest = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return { digest, body: source.whole };
  }
  if (source === null) return { digest: undefined, body: null };
  return { digest: undefined, body: restOf(source) };
}

/**
 * A stream of what was read and the rest.
 *
 * @param {Source} source
 */
function restOf(source) {
  const { readable, writable } = new IdentityTransformStream();
  flow(source, writable.getWriter(), 60_000, undefined).catch(() => {});
  return readable;
}

/**
 * @param {Request} request
 */
export function requestBody(request) {
  return request.body;
}

/**
 * @param {ExecutionContext} context
 * @param {Promise<unknown>} promise
 */
export function waitUntil(context, promise) {
  context.waitUntil(promise);
}

/**
 * @param {number} milliseconds
 */
export function sleep(milliseconds) {
  return new Promise((resolve) => { setTimeout(resolve, milliseconds); });
}

/**
 * Whether a promise is settled within this time; it goes on either way.
 *
 * @param {Promise<unknown>} promise
 * @param {number} milliseconds
 */
export async function within(promise, milliseconds) {
  let timer;
  const late = new Promise((resolve) => { timer = setTimeout(resolve, milliseconds, false); });
  try {
    return await Promise.race([promise.then(() => true, () => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The head of a response: status, and one line per field.
 *
 * @param {Response} response
 */
export function headOf(response) {
  let head = `${response.status}`;
  for (const [name, value] of response.headers) {
    // The runtime sets the length of what it sends; an encoded one counts other bytes than we see.
    if (name !== 'content-length' || !response.headers.has('content-encoding')) head += `\n${name}: ${value}`;
  }
  return head;
}

/**
 * @param {string} line
 */
export function log(line) {
  console.log(line);
}

/**
 * @param {string} line
 */
export function complain(line) {
  console.error(line);
}
