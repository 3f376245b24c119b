// An origin that knows nothing of payments and notes every request that reaches it.
//
//   /, /about          a page and a line of text, meant to stay free
//   /report            JSON; also under /report-before, and any other path that starts with /report
//   /big               5 MiB of bytes with Content-Length; `?hold` waits for `release()` after the first part
//   /events            server-sent events; `?count=`, `?every=<ms>`; `?hold` waits before the last one
//   /echo              what arrived: method, target, headers, digest of the body
//   /slow?ms=          answers late
//   /fail/{status}     answers with that status
//   /cut               promises more bytes than it sends, then drops the connection
//
// A second segment, as in `/big/before`, changes nothing: so a gate can price one behaviour in two ways.

import { createHash } from 'node:crypto';

import { isFromGate } from './from-gate.mjs';
import { serve } from './server.mjs';

/** Length of the body of `/big`. */
export const BIG_BYTES = 5 * 1024 * 1024;

/**
 * @typedef {object} Seen
 * @property {number} at milliseconds since the epoch
 * @property {string} method
 * @property {string} url the target as it arrived
 * @property {import('node:http').IncomingHttpHeaders} headers
 * @property {string[]} rawHeaders
 * @property {string} bodyDigest hex SHA-256
 * @property {number} bodyBytes
 * @property {number} sentBytes how much of its body has been written so far
 * @property {boolean} ended whether the last byte has been written
 */

/**
 * @typedef {Awaited<ReturnType<typeof startOrigin>>} Origin
 */

/**
 * Starts the origin. `requests` holds the requests, oldest first; `release()` releases the held
 * answers to all of them, including those that have not reached their pause yet. With a secret,
 * which is the gate's `ORIGIN_SECRET`, requests without the gate's signature are refused and not
 * recorded.
 *
 * @param {{port?: number, secret?: string}} [options]
 */
export async function startOrigin({ port, secret } = {}) {
  /** @type {Seen[]} */
  const requests = [];
  /** @type {Set<() => void>} */
  const held = new Set();
  let aheadSecs = 0;

  const { url, stop } = await serve(
    async (request, response) => {
      if (secret !== undefined && !isFromGate(request, secret, Date.now() / 1000 + aheadSecs)) {
        response.writeHead(403, { 'content-type': 'text/plain; charset=utf-8' }).end('Ask the gate.\n');
        return;
      }
      /** @type {Seen} */
      const seen = {
        at: Date.now(),
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        rawHeaders: request.rawHeaders,
        bodyDigest: '',
        bodyBytes: 0,
        sentBytes: 0,
        ended: false,
      };
      requests.push(seen);
      /** @type {Promise<void>} */
      const released = new Promise((resolve) => {
        held.add(resolve);
        response.once('close', () => held.delete(resolve));
      });
      try {
        const digest = createHash('sha256');
        for await (const chunk of request) {
          digest.update(chunk);
          seen.bodyBytes += chunk.length;
        }
        seen.bodyDigest = digest.digest('hex');
        await answer({ seen, response, released });
      } catch {
        // The client left in the middle of its request; no answer is possible.
        response.destroy();
      }
    },
    { port },
  );

  return {
    url,
    requests,
    /** Sets its clock further ahead. */
    ahead(/** @type {number} */ secs) {
      aheadSecs += secs;
    },
    release() {
      for (const go of held) go();
      held.clear();
    },
    async stop() {
      for (const go of held) go();
      await stop();
    },
  };
}

/**
 * @typedef {object} Exchange
 * @property {Seen} seen
 * @property {import('node:http').ServerResponse} response
 * @property {Promise<void>} released
 */

/**
 * @param {Exchange} exchange
 */
async function answer(exchange) {
  const { pathname, searchParams } = new URL(exchange.seen.url, 'http://origin');
  const [first = '', second = ''] = pathname.slice(1).split('/');
  const name = first.startsWith('report') ? 'report' : first;
  switch (name) {
    case '':
      return send(exchange, 200, 'text/html; charset=utf-8', '<!doctype html><title>Origin</title><p>Free to read.\n');
    case 'about':
      return send(exchange, 200, 'text/plain; charset=utf-8', 'An origin that knows nothing of payments.\n');
    case 'report':
      return sendJson(exchange, 200, { report: 'Rainfall, Tuesday', millimetres: 10, served: exchange.seen.at });
    case 'echo': {
      const { method, url, headers, bodyDigest, bodyBytes } = exchange.seen;
      return sendJson(exchange, 200, { method, url, headers, bodyDigest, bodyBytes });
    }
    case 'slow':
      await pause(numberOf(searchParams, 'ms', 1_000));
      return sendJson(exchange, 200, { slow: true });
    case 'fail':
      return fail(exchange, Number(second));
    case 'big':
      return sendBig(exchange, searchParams.has('hold'));
    case 'events':
      return sendEvents(exchange, {
        count: numberOf(searchParams, 'count', 5),
        every: numberOf(searchParams, 'every', 200),
        held: searchParams.has('hold'),
      });
    case 'cut':
      return cut(exchange);
    default:
      return sendJson(exchange, 404, { error: 'no such page' });
  }
}

/**
 * @param {Exchange} exchange
 * @param {number} status
 */
function fail(exchange, status) {
  const known = Number.isInteger(status) && status >= 200 && status <= 599;
  if (status === 204 || status === 304) {
    exchange.response.writeHead(status).end();
    return;
  }
  sendJson(exchange, known ? status : 500, { error: `failing with ${known ? status : 500}, as asked` });
}

/**
 * @param {Exchange} exchange
 * @param {boolean} held
 */
async function sendBig(exchange, held) {
  const { seen, response, released } = exchange;
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': String(BIG_BYTES) });
  if (seen.method === 'HEAD') return response.end();
  for (let offset = 0; offset < BIG_BYTES; offset += PART_BYTES) {
    if (held && offset === PART_BYTES) await released;
    if (!(await write(exchange, bigPart(offset)))) return;
  }
  finish(exchange);
}

/**
 * The bytes of `/big` from `offset`: byte `i` is `i * 31 + (i >> 16)`, modulo 256, so that a missing or
 * exchanged part shows.
 *
 * @param {number} offset
 * @returns {Buffer}
 */
export function bigPart(offset) {
  const part = Buffer.allocUnsafe(Math.min(PART_BYTES, BIG_BYTES - offset));
  for (let index = 0; index < part.length; index += 1) {
    const at = offset + index;
    part[index] = (at * 31 + (at >> 16)) & 0xff;
  }
  return part;
}

/**
 * @param {Exchange} exchange
 * @param {{count: number, every: number, held: boolean}} options
 */
async function sendEvents(exchange, { count, every, held }) {
  const { seen, response, released } = exchange;
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  if (seen.method === 'HEAD') return response.end();
  for (let number = 1; number <= count; number += 1) {
    if (held && number === count) await released;
    else if (number > 1) await pause(every);
    if (!(await write(exchange, Buffer.from(`id: ${number}\ndata: {"tick":${number},"of":${count}}\n\n`)))) return;
  }
  finish(exchange);
}

/**
 * @param {Exchange} exchange
 */
async function cut(exchange) {
  exchange.response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': '1000' });
  await write(exchange, Buffer.alloc(100, 0x2e));
  exchange.response.destroy();
}

/**
 * Writes and waits until there is room again; false when the other side has left.
 *
 * @param {Exchange} exchange
 * @param {Buffer} part
 * @returns {Promise<boolean>}
 */
function write({ seen, response }, part) {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve(false);
    response.write(part, (error) => {
      if (!error) seen.sentBytes += part.length;
      resolve(!error);
    });
  });
}

/**
 * @param {Exchange} exchange
 */
function finish({ seen, response }) {
  seen.ended = true;
  response.end();
}

/**
 * @param {Exchange} exchange
 * @param {number} status
 * @param {unknown} value
 */
function sendJson(exchange, status, value) {
  send(exchange, status, 'application/json', `${JSON.stringify(value)}\n`);
}

/**
 * @param {Exchange} exchange
 * @param {number} status
 * @param {string} type
 * @param {string} text
 */
function send(exchange, status, type, text) {
  const body = Buffer.from(text);
  exchange.response.writeHead(status, { 'content-type': type, 'content-length': String(body.length) });
  exchange.seen.sentBytes = body.length;
  exchange.seen.ended = true;
  exchange.response.end(exchange.seen.method === 'HEAD' ? undefined : body);
}

/**
 * @param {URLSearchParams} parameters
 * @param {string} name
 * @param {number} otherwise
 */
function numberOf(parameters, name, otherwise) {
  const text = parameters.get(name);
  return text !== null && /^\d{1,5}$/.test(text) ? Number(text) : otherwise;
}

/**
 * @param {number} ms
 */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const PART_BYTES = 65_536;
