// Forwards requests that are certainly free, without the compiled gate.

import { fail, finish } from '#glue';

import { discard } from '../platform/body.mjs';
import { LATE, race } from '../platform/deadline.mjs';
import { MOST, requestHead } from '../platform/edge.mjs';

/**
 * @typedef {object} Plain the rules of `Gate::plain_forwarding`; every name of a field or method comes from there
 * @property {string | null} origin
 * @property {number} milliseconds
 * @property {Set<string>} methods
 * @property {string[]} bodyless methods whose body, if there is one, the gate has to leave out
 * @property {string[]} guarded
 * @property {string} correlation
 * @property {Fields & { words: Map<string, string[]>, parts: Map<string, string>, set: [string, string][], address: string, told: [string, string, string] }} request
 * @property {Fields} answer
 */

/**
 * @typedef {object} Fields
 * @property {Set<string>} gate names that the compiled gate has to see
 * @property {string[]} prefixes the same, by how they begin
 * @property {string[]} dropped names that are left out
 */

/**
 * Turns the lists into sets and maps.
 *
 * @param {any} plain as it was read from JSON
 * @returns {Plain}
 */
export function plainOf({ methods, request, answer, ...rest }) {
  return {
    ...rest,
    methods: new Set(methods),
    request: { ...request, gate: new Set(request.gate), words: new Map(request.words), parts: new Map(request.parts) },
    answer: { ...answer, gate: new Set(answer.gate) },
  };
}

/** A target that every server reads alike: its path, and perhaps a query. */
const PLAIN_TARGET = /^((?:\/[a-z0-9_-]+)*\/?)(?:\?[\w.~=&,:+%-]*)?$/;

/** Names that every origin reads alike. */
const PLAIN_NAME = /^[a-z0-9-]+$/;

/**
 * The URL to ask the origin for if the request is certainly free; undefined sends it to the gate.
 * It may be too careful, never too generous: the compiled gate alone judges the rest.
 *
 * @param {Request} request
 * @param {Plain} plain
 */
export function plainUrl(request, plain) {
  if (!plain.methods.has(request.method)) return undefined;
  if (request.body !== null && plain.bodyless.includes(request.method)) return undefined;
  const { url } = request;
  const start = url.indexOf('/', url.indexOf('://') + 3);
  const match = start < 0 ? null : PLAIN_TARGET.exec(url.slice(start));
  const path = match?.[1];
  if (match === null || path === undefined || path === '') return undefined;
  if (plain.guarded.some((prefix) => path.startsWith(prefix))) return undefined;
  const { words, parts } = plain.request;
  let [fields, characters] = [0, 0];
  for (const [name, value] of request.headers) {
    fields += 1;
    characters += name.length + value.length + 4;
    if (fields > MOST.fields || characters > MOST.characters) return undefined;
    if (isForGate(name, plain.request) || !PLAIN_NAME.test(name)) return undefined;
    if (words.get(name)?.includes(value.toLowerCase()) === false) return undefined;
    const part = parts.get(name);
    if (part !== undefined && value.toLowerCase().includes(part)) return undefined;
  }
  return (plain.origin ?? url.slice(0, start)) + match[0];
}

/**
 * @param {string} name
 * @param {Fields} fields
 */
function isForGate(name, { gate, prefixes }) {
  return gate.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

/**
 * @param {Request} request
 * @param {string} url
 * @param {Plain} plain
 * @param {Fetcher | undefined} bound the Worker that is the origin, if it is one
 */
export async function forwardPlain(request, url, plain, bound) {
  const correlation = crypto.randomUUID();
  const headers = new Headers(request.headers);
  for (const name of plain.request.dropped) headers.delete(name);
  headers.set(plain.correlation, correlation);
  for (const [name, value] of plain.request.set) headers.set(name, value);
  const { address, told } = plain.request;
  const [, scheme = '', authority = ''] = /^(\w+):\/\/([^/?#]*)/.exec(request.url) ?? [];
  [request.headers.get(address), authority, scheme].forEach((value, index) => {
    if (value) headers.set(told[index] ?? '', value);
  });
  try {
    const init = { method: request.method, headers, body: request.body, redirect: /** @type {const} */ ('manual') };
    // An origin that is late is left alone: what it was asked ends with the request.
    const response = await race((bound ?? globalThis).fetch(url, init), plain.milliseconds);
    if (response === LATE) return fail(requestHead(request), 'timeout');
    if (response.status < 200 || response.status > 599) {
      discard(response);
      return fail(requestHead(request), 'lost');
    }
    for (const name of response.headers.keys()) {
      if (isForGate(name, plain.answer)) return finish(response, correlation);
    }
    const answer = new Response(response.body, response);
    const fields = answer.headers;
    for (const name of plain.answer.dropped) fields.delete(name);
    fields.set(plain.correlation, correlation);
    return answer;
  } catch {
    return fail(requestHead(request), 'lost');
  }
}
