// The platform calls of the Worker: what is neither the origin's (`origin.mjs`) nor the ledger's
// (`ledger.mjs`). No protocol rule lives here: Rust decides, this carries out, and every failure
// that Rust can decide about is a value, not an exception.

import { bounded } from './body.mjs';
import { race, withDeadline } from './deadline.mjs';

/** Statuses whose answers have no body. */
const BODYLESS = new Set([204, 205, 304]);

/**
 * A response of status, `name: value` lines and body; undefined if the platform has no such
 * response.
 *
 * @param {number} status
 * @param {string} lines
 * @param {BodyInit | WebSocket | null | undefined} body
 */
export function respond(status, lines, body) {
  try {
    if (body instanceof WebSocket) return new Response(null, { status, headers: headersOf(lines), webSocket: body });
    return new Response(BODYLESS.has(status) ? null : (body ?? null), { status, headers: headersOf(lines) });
  } catch {
    return undefined;
  }
}

/**
 * @param {string} lines
 */
export function headersOf(lines) {
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
 * Says who may read an answer, or a promise of one, whatever the origin says: this page, with its
 * credentials, or every page without.
 *
 * @param {Response | Promise<Response>} answer
 * @param {string | undefined} page
 * @returns {Response | Promise<Response>}
 */
export function forPage(answer, page) {
  if (answer instanceof Promise) return answer.then((response) => forPage(response, page));
  const { headers } = answer;
  if (!headers.has('access-control-allow-origin')) return answer;
  headers.set('access-control-allow-origin', page ?? '*');
  if (page === undefined) headers.delete('access-control-allow-credentials');
  else headers.set('access-control-allow-credentials', 'true');
  headers.append('vary', 'Origin');
  return answer;
}

/**
 * What answers said of extensions, by their URL, until it is taken.
 *
 * @type {Map<string, string>}
 */
const said = new Map();
const MOST_SAID = 16;
const MAX_SAID = 4096;

/**
 * The `EXTENSION-RESPONSES` of the last answer from this URL, once.
 *
 * @param {string} url
 */
export function takeExtensionResponses(url) {
  const header = said.get(url);
  said.delete(url);
  return header;
}

/**
 * @param {string} url
 * @param {string | null} header
 */
function keepExtensionResponses(url, header) {
  if (header !== null && header.length <= MAX_SAID && said.size < MOST_SAID) said.set(url, header);
}

/**
 * Posts JSON, or asks for it where there is no body. The answer is status, `json` or nothing, and the body, if all of
 * it came in time and is not too long; else a word: `unsigned` (and never sent), `late`, `long` or `lost`. The body
 * of a redirect is its `Location`.
 *
 * @param {string} url
 * @param {string} lines fields with the gate's credentials
 * @param {string | undefined} signing the argument of [`signed`], if a signature shows it
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
  // The answer is read to its end here, so nothing is left that the time could cut off later.
  const signal = AbortSignal.timeout(milliseconds);
  try {
    const response = await fetch(url, { headers, ...(body === '' ? {} : { method: 'POST', body }), redirect: 'manual', signal });
    const location = response.headers.get('location');
    if (response.status >= 300 && response.status < 400 && location !== null) {
      await response.body?.cancel();
      return `${response.status}\n\n${location}`;
    }
    const type = response.headers.get('content-type') ?? '';
    const text = await bounded(response, bytes);
    if (text === undefined) return 'long';
    keepExtensionResponses(url, response.headers.get('extension-responses'));
    return `${response.status}\n${/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(type) ? 'json' : ''}\n${text}`;
  } catch {
    return signal.aborted ? 'late' : 'lost';
  }
}

/**
 * Keys by their PKCS#8, imported once.
 *
 * @type {Map<string, CryptoKey>}
 */
const keys = new Map();

/** Names of JWT algorithms in WebCrypto. */
const ALGORITHMS = new Map([
  ['EdDSA', { name: 'Ed25519' }],
  ['ES256', { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }],
]);

/**
 * A JWT with its signature; throws if the key is invalid.
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
 * Posts a question to a pricer; returns its answer if that is a 200, in time and not too long.
 *
 * @param {Record<string, Fetcher>} services
 * @param {string} name
 * @param {string} body
 * @param {number} milliseconds
 * @param {number} bytes
 */
export function askPrice(services, name, body, milliseconds, bytes) {
  return withDeadline(milliseconds, async ({ signal }) => {
    try {
      const headers = { 'content-type': 'application/json', accept: 'application/json' };
      const init = { method: 'POST', headers, body, redirect: /** @type {const} */ ('manual'), signal };
      const response = await services[name]?.fetch('https://pricer/price', init);
      if (response?.status === 200) return await bounded(response, bytes);
      await response?.body?.cancel();
      return undefined;
    } catch {
      return undefined;
    }
  });
}

/**
 * Posts a notice, with its signature if it has one; returns whether it was accepted.
 *
 * @param {string} url
 * @param {string | undefined} signature
 * @param {string} body
 * @param {number} milliseconds
 */
export function postNotice(url, signature, body, milliseconds) {
  return withDeadline(milliseconds, async ({ signal }) => {
    try {
      const signed = signature === undefined ? {} : { 'farebox-signature': signature };
      const headers = { 'content-type': 'application/json', ...signed };
      const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  });
}

/** A body that is written piece by piece. */
export function channel() {
  const { readable, writable } = new IdentityTransformStream();
  return { readable, writer: writable.getWriter() };
}

/**
 * Writes a piece, or ends the body; returns whether the body still has a reader.
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
 * Whether one more is within the rate limit; if the limit fails, every request passes, because it
 * is only a shield.
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
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

/**
 * Whether a promise is settled within this time; it goes on either way.
 *
 * @param {Promise<unknown>} promise
 * @param {number} milliseconds
 */
export function within(promise, milliseconds) {
  return race(
    promise.then(
      () => true,
      () => true,
    ),
    milliseconds,
    false,
  );
}

/** What the compiled gate refuses need not be read to its end: fields, their characters, those of a URL. */
export const MOST = { fields: 256, characters: 65_536, url: 20_000 };

/**
 * Method, URL, whether a body comes, and one line per header field.
 *
 * @param {Request} request
 */
export function requestHead(request) {
  const start = `${request.method}\n${request.url.slice(0, MOST.url)}\n${request.body === null ? '' : 'body'}`;
  let head = start;
  let fields = 0;
  for (const [name, value] of request.headers) {
    head += `\n${name}: ${value}`;
    fields += 1;
    if (fields > MOST.fields || head.length - start.length > MOST.characters) break;
  }
  return head;
}

/**
 * The head of a response: status, and one line per field.
 *
 * @param {Response} response
 */
export function headOf(response) {
  let head = `${response.status}`;
  for (const [name, value] of response.headers) {
    // The runtime sets the length of what it sends; that of an encoded body counts other bytes than
    // are seen here.
    if (name !== 'content-length' || !response.headers.has('content-encoding')) head += `\n${name}: ${value}`;
  }
  return head;
}

/** Tells the entry, by the object on which the platform crate notes a panic, that the instance has ended. */
export function lost() {
  /** @type {any} */ (globalThis).__worker_init_state.criticalError = true;
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
