// The platform calls of the market alone: its objects, sellers, the gate, the treasury, and the gate's stored route table.

import { written } from '../platform/body.mjs';
import { LATE, race, timed } from '../platform/deadline.mjs';
import { headersOf } from '../platform/edge.mjs';

/**
 * Asks an object; undefined if it is down.
 *
 * @param {any} objects the binding
 * @param {string} name
 * @param {string} letter
 * @param {number} milliseconds
 */
export async function askObject(objects, name, letter, milliseconds) {
  try {
    return await race(objects.get(objects.idFromName(name)).ask(name, letter), milliseconds, undefined);
  } catch {
    return undefined;
  }
}

/**
 * Calls a seller, or a bound Worker. Status and one line per field as `head`; the body as `text`, or as `base64` if it is no UTF-8.
 * A word if there is none: `early` (nothing was sent), `late`, `lost`, or `long`.
 *
 * @param {Fetcher | undefined} bound
 * @param {string} url
 * @param {string} method
 * @param {string} lines
 * @param {string | undefined} payload
 * @param {number} headMs
 * @param {number} bodyMs
 * @param {number} bytes
 */
export async function callSeller(bound, url, method, lines, payload, headMs, bodyMs, bytes) {
  const controller = new AbortController();
  let request;
  try {
    // As bytes: for text the platform would add a content-type that is not among the lines.
    const sent = payload === undefined ? {} : { body: new TextEncoder().encode(payload) };
    request = new Request(url, { method, headers: headersOf(lines), redirect: 'manual', ...sent });
  } catch {
    return 'early';
  }
  const { signal } = controller;
  const asked = (bound === undefined ? fetch(request, { signal }) : bound.fetch(request, { signal })).catch(() => undefined);
  const response = await race(asked, headMs);
  if (response === LATE || response === undefined) {
    controller.abort();
    return response === LATE ? 'late' : 'lost';
  }
  const body = await whole(response.body, bodyMs, bytes);
  if (typeof body === 'string') {
    controller.abort();
    return body;
  }
  return { head: headOf(response), ...written(body) };
}

/**
 * @param {ReadableStream<Uint8Array> | null} body
 * @param {number} milliseconds
 * @param {number} bytes
 */
function whole(body, milliseconds, bytes) {
  if (body === null) return new Uint8Array(0);
  const reader = body.getReader();
  /** @type {Uint8Array[]} */
  const pieces = [];
  let length = 0;
  return timed(milliseconds, async (late) => {
    try {
      for (;;) {
        const piece = await Promise.race([reader.read(), late]);
        if (piece === LATE) return 'late';
        if (piece.done) return new Uint8Array(await new Blob(pieces).arrayBuffer());
        length += piece.value.byteLength;
        if (length > bytes) return 'long';
        pieces.push(piece.value);
      }
    } catch {
      return 'lost';
    }
  });
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * @param {Response} response
 */
function headOf(response) {
  let head = `${response.status}`;
  let fields = 0;
  for (const [name, value] of response.headers) {
    fields += 1;
    if (fields > MOST_FIELDS || head.length > MOST_CHARACTERS) break;
    if (name !== 'set-cookie') head += `\n${name}: ${value}`;
  }
  return head;
}

/** What is read of a head. */
const MOST_FIELDS = 256;
const MOST_CHARACTERS = 65_536;

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
  ].join('|')})$`,
);
/** Statuses whose answers have no body. */
const BODYLESS = new Set([204, 205, 304]);

/**
 * Asks the treasury: status, `Farebox-Figures`, `Farebox-Money` and the body, apart by line ends; undefined if no complete answer came.
 *
 * @param {Record<string, any>} env
 * @param {string} method
 * @param {string} path
 * @param {string} lines
 * @param {string | undefined} body
 * @param {number} milliseconds
 * @param {number} bytes
 */
export async function askTreasury(env, method, path, lines, body, milliseconds, bytes) {
  const signal = AbortSignal.timeout(milliseconds);
  try {
    const headers = headersOf(`content-type: application/json\naccept: application/json\n${lines}`);
    const response = await env.TREASURY.fetch(`https://treasury${path}`, {
      method,
      headers,
      redirect: 'manual',
      signal,
      ...(body === undefined ? {} : { body }),
    });
    const bytesRead = await whole(response.body, milliseconds, bytes);
    if (typeof bytesRead === 'string') return undefined;
    const told = ['farebox-figures', 'farebox-money'].map((name) => response.headers.get(name) ?? '');
    return [response.status, ...told, UTF8.decode(bytesRead)].join('\n');
  } catch {
    return undefined;
  }
}

/**
 * Puts an object into the archive; whether the bucket says that it has it.
 *
 * @param {Record<string, any>} env
 * @param {string} name
 * @param {string} text
 * @param {number} milliseconds
 */
export async function putShelf(env, name, text, milliseconds) {
  try {
    const httpMetadata = { contentType: 'application/x-ndjson' };
    return await race(
      env.ARCHIVE.put(name, text, { httpMetadata }).then(() => true),
      milliseconds,
      false,
    );
  } catch {
    return false;
  }
}

/**
 * The text of an object of the archive; undefined if it cannot be read.
 *
 * @param {Record<string, any>} env
 * @param {string} name
 * @param {number} milliseconds
 */
export async function getShelf(env, name, milliseconds) {
  const read = async () => (await env.ARCHIVE.get(name))?.text();
  try {
    return await race(read(), milliseconds, undefined);
  } catch {
    return undefined;
  }
}

/**
 * Puts a question to a Worker of the operator: `REPUTATION` knows agents, `PROOF` judges results. Undefined if no complete answer came.
 *
 * @param {Record<string, any>} env
 * @param {'REPUTATION' | 'PROOF'} binding
 * @param {string} question
 * @param {number} milliseconds
 * @param {number} bytes
 */
export async function askBound(env, binding, question, milliseconds, bytes) {
  const signal = AbortSignal.timeout(milliseconds);
  const headers = { 'content-type': 'application/json' };
  const asked = async () => {
    const response = await env[binding].fetch(`https://${binding.toLowerCase()}/check`, {
      method: 'POST',
      headers,
      body: question,
      redirect: 'manual',
      signal,
    });
    if (response.status !== 200) return undefined;
    const answer = await whole(response.body, milliseconds, bytes);
    return typeof answer === 'string' ? undefined : UTF8.decode(answer);
  };
  return race(
    asked().catch(() => undefined),
    milliseconds,
    undefined,
  );
}

/**
 * What an object shows; undefined if it is down.
 *
 * @param {any} objects the binding
 * @param {string} name
 * @param {string} letter
 * @param {number} milliseconds
 */
export async function lookAt(objects, name, letter, milliseconds) {
  try {
    return await race(objects.get(objects.idFromName(name)).look(name, letter), milliseconds, undefined);
  } catch {
    return undefined;
  }
}

/**
 * A feed of an object: the response, which goes on; undefined if it is down.
 *
 * @param {any} objects the binding
 * @param {string} name
 * @param {Request} request how it is to be read
 * @param {string} letter which feed
 * @param {string} client
 * @param {number} milliseconds
 */
export async function openFeed(objects, name, request, letter, client, milliseconds) {
  const headers = new Headers({
    'farebox-name': encodeURIComponent(name),
    'farebox-letter': encodeURIComponent(letter),
    'farebox-client': encodeURIComponent(client),
  });
  const upgrade = request.headers.get('upgrade');
  if (upgrade !== null) headers.set('upgrade', upgrade);
  try {
    return await race(objects.get(objects.idFromName(name)).fetch('https://exchange.invalid/feed', { headers }), milliseconds, undefined);
  } catch {
    return undefined;
  }
}

/**
 * Whether a signature is of the issuer whose keys are at this URL: `right`, `wrong`, or `unread` if they cannot be read.
 *
 * @param {string} url of a JWKS
 * @param {string} kid of the key; empty if the token names none
 * @param {string} text what is signed
 * @param {string} signature in base64url
 * @param {number} milliseconds
 */
export async function checkRs256(url, kid, text, signature, milliseconds) {
  let tried;
  for (let turn = 0; turn < JWKS_TURNS; turn += 1) {
    const known = jwks.get(url);
    const now = Date.now();
    const isFresh = known !== undefined && now < known.until;
    if (isFresh && known.keys !== tried) {
      tried = known.keys;
      if (await isSigned(tried, kid, text, signature)) return 'right';
    }
    // Issuers change their keys: what the known ones do not prove is looked up once more, by one request at a time.
    if (isFresh && now < known.read + JWKS_PAUSE_MS) {
      await new Promise((resolve) => setTimeout(resolve, known.read + JWKS_PAUSE_MS - now));
      continue;
    }
    if (known !== undefined) known.read = now;
    const keys = await readJwks(url, milliseconds);
    if (keys === undefined) return 'unread';
    jwks.set(url, { keys, read: now, until: now + JWKS_MS });
    return (await isSigned(keys, kid, text, signature)) ? 'right' : 'wrong';
  }
  return 'unread';
}

/**
 * Whether one of these keys has made a signature.
 *
 * @param {any[]} keys
 * @param {string} kid
 * @param {string} text
 * @param {string} signature
 */
async function isSigned(keys, kid, text, signature) {
  const suits = (/** @type {any} */ key) =>
    key?.kty === 'RSA' && (key.use === undefined || key.use === 'sig') && (key.alg === undefined || key.alg === 'RS256');
  const all = keys.filter(suits);
  const key = kid === '' ? (all.length === 1 ? all[0] : undefined) : all.find((/** @type {any} */ one) => one.kid === kid);
  if (key === undefined) return false;
  try {
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
    const { n, e } = key;
    const imported = await crypto.subtle.importKey('jwk', { kty: 'RSA', n, e }, algorithm, false, ['verify']);
    const bytes = Uint8Array.from(atob(signature.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
    return await crypto.subtle.verify(algorithm, imported, bytes, new TextEncoder().encode(text));
  } catch {
    return false;
  }
}

/**
 * Keys of issuers by their URL: when they were read, and until when they count.
 *
 * @type {Map<string, {keys: any[], read: number, until: number}>}
 */
const jwks = new Map();
const JWKS_MS = 300_000;
/** Between two reads of an issuer's keys: tokens of strangers cause no more. */
const JWKS_PAUSE_MS = 1_000;
const JWKS_TURNS = 4;
const JWKS_BYTES = 256 * 1024;

/**
 * @param {string} url
 * @param {number} milliseconds
 */
async function readJwks(url, milliseconds) {
  try {
    const signal = AbortSignal.timeout(milliseconds);
    const response = await fetch(url, { headers: { accept: 'application/json' }, redirect: 'manual', signal });
    const body = response.status === 200 ? await whole(response.body, milliseconds, JWKS_BYTES) : '';
    const keys = typeof body === 'string' ? undefined : JSON.parse(UTF8.decode(body)).keys;
    return Array.isArray(keys) ? keys : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes the gate's route table; whether it is written.
 *
 * @param {Record<string, any>} env
 * @param {string} table
 * @param {number} milliseconds
 */
export async function putTable(env, table, milliseconds) {
  try {
    return await race(
      env.CONFIG.put('routes', table).then(() => true),
      milliseconds,
      false,
    );
  } catch {
    return false;
  }
}
