// Forwards what is certainly free, without the compiled gate.

import { fail, finish } from '#glue';

import { discard } from './body.mjs';
import { withDeadline } from './deadline.mjs';
import { requestHead } from './edge.mjs';

/**
 * @typedef {object} Plain what `Gate::plain_forwarding` says
 * @property {string | null} origin
 * @property {string} mark
 * @property {number} milliseconds
 * @property {string[]} priced
 * @property {Set<string>} request
 * @property {string[]} own
 * @property {Set<string>} response
 */

const ORDINARY = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** Fields that the runtime writes itself, and the ordinary words of `Connection`. */
const RUNTIME = new Set(['host', 'content-length', 'transfer-encoding', 'connection']);

/** What the gate puts on requests that it lets through; one that comes with it goes to the compiled gate. */
const MARK = 'farebox-loop';

/** Names that every origin reads alike. */
const PLAIN_NAME = /^[a-z0-9-]+$/;
/** Keys of clients that are certainly none of the gate's. */
const PLAIN_KEY = /^(?!farebox)[\w.-]*$/i;

/** What an origin says about its own connection. */
const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding']);

/**
 * What to ask the origin for, if the request is certainly free; undefined sends it to the gate. It may be too
 * careful, never too generous: the compiled gate alone judges the rest.
 *
 * @param {Request} request
 * @param {Plain} plain
 */
export function plainUrl(request, plain) {
  if (!ORDINARY.has(request.method)) return undefined;
  const { url } = request;
  const start = url.indexOf('/', url.indexOf('://') + 3);
  const match = start < 0 ? null : /^((?:\/[a-z0-9_-]+)*\/?)(?:\?[\w.~=&,:+%-]*)?$/.exec(url.slice(start));
  const path = match?.[1];
  if (match === null || path === undefined || path === '' || path.startsWith('/_')) return undefined;
  if (plain.priced.some((prefix) => path.startsWith(prefix))) return undefined;
  for (const [name, value] of request.headers) {
    if (name === 'connection' ? !/^(close|keep-alive)$/i.test(value) : plain.request.has(name) && !RUNTIME.has(name)) return undefined;
    if (plain.own.some((prefix) => name.startsWith(prefix)) || !PLAIN_NAME.test(name)) return undefined;
    if (name === 'idempotency-key' && !PLAIN_KEY.test(value)) return undefined;
    if (name === 'authorization' && /(^|,)\s*payment([\s,]|$)/i.test(value)) return undefined;
  }
  return (plain.origin ?? url.slice(0, start)) + match[0];
}

/**
 * @param {Request} request
 * @param {string} url
 * @param {Plain} plain
 * @param {Fetcher | undefined} bound the Worker that is the origin, if it is one
 */
export function forwardPlain(request, url, plain, bound) {
  const correlation = crypto.randomUUID();
  const headers = new Headers(request.headers);
  for (const name of RUNTIME) headers.delete(name);
  headers.set('x-correlation-id', correlation);
  headers.set(MARK, plain.mark);
  return withDeadline(plain.milliseconds, async ({ signal }, isLate) => {
    try {
      const response = await (bound ?? globalThis).fetch(url, {
        method: request.method,
        headers,
        body: request.body,
        redirect: 'manual',
        signal,
      });
      if (response.status < 200 || response.status > 599) {
        discard(response);
        return fail(requestHead(request), 'lost');
      }
      for (const name of response.headers.keys()) {
        if (plain.response.has(name) && !HOP.has(name)) return finish(response, correlation);
        if (name === 'location' || name === 'www-authenticate' || name.startsWith('farebox-')) return finish(response, correlation);
      }
      const answer = new Response(response.body, response);
      for (const name of HOP) answer.headers.delete(name);
      answer.headers.set('x-correlation-id', correlation);
      return answer;
    } catch {
      return fail(requestHead(request), isLate() ? 'timeout' : 'lost');
    }
  });
}
