// Forwards requests that are certainly free, without the compiled gate.

import { fail, finish } from '#glue';

import { discard } from '../platform/body.mjs';
import { MOST, requestHead } from '../platform/edge.mjs';

/**
 * @typedef {object} Plain the rules of `EdgeRules::plain_forwarding`; every name of a field or method comes from there
 * @property {string | null} origin
 * @property {Set<string>} methods
 * @property {string[]} bodyless methods whose body, if there is one, the gate has to leave out
 * @property {string[]} guarded
 * @property {string} correlation
 * @property {Fields & { dropped: Set<string>, words: Map<string, string[]>, parts: Map<string, string>, set: [string, string][], address: string, told: [string, string, string] }} request `dropped` is left out
 * @property {Fields} answer
 * @property {Kinds} asked names of fields that were seen in requests
 * @property {Kinds} answered names of fields that were seen in answers
 */

/**
 * @typedef {object} Fields
 * @property {Set<string>} gate names that the compiled gate has to see
 * @property {string[]} prefixes the same, by how they begin
 */

/** @typedef {Map<string, 'gate' | 'dropped' | 'read' | 'kept'>} Kinds what a field's name says of it; `read` has to be looked at */

/**
 * @typedef {object} Forwarding
 * @property {string} url
 * @property {Record<string, string>} headers
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
    request: {
      ...request,
      gate: new Set(request.gate),
      dropped: new Set(request.dropped),
      words: new Map(request.words),
      parts: new Map(request.parts),
    },
    answer: { ...answer, gate: new Set(answer.gate) },
    asked: new Map(),
    answered: new Map(),
  };
}

/** A target that every server reads alike: its path, and perhaps a query. */
const PLAIN_TARGET = /^((?:\/[a-z0-9_-]+)*\/?)(?:\?[\w.~=&,:+%-]*)?$/;

/** Names that every origin reads alike. */
const PLAIN_NAME = /^[a-z0-9-]+$/;

/**
 * What to ask the origin for if the request is certainly free; undefined sends it to the gate.
 * It may be too careful, never too generous: the compiled gate alone judges the rest.
 *
 * @param {Request} request
 * @param {Plain} plain
 * @returns {Forwarding | undefined}
 */
export function plainOrigin(request, plain) {
  if (!plain.methods.has(request.method)) return undefined;
  if (request.body !== null && plain.bodyless.includes(request.method)) return undefined;
  const { url } = request;
  const scheme = url.indexOf('://');
  const start = url.indexOf('/', scheme + 3);
  const match = start < 0 ? null : PLAIN_TARGET.exec(url.slice(start));
  const path = match?.[1];
  if (match === null || path === undefined || path === '') return undefined;
  if (plain.guarded.some((prefix) => path.startsWith(prefix))) return undefined;
  const { words, parts, dropped, address, told } = plain.request;
  /** @type {Record<string, string>} */
  const headers = {};
  let [fields, characters, from] = [0, 0, ''];
  for (const [name, value] of request.headers) {
    fields += 1;
    characters += name.length + value.length + 4;
    if (fields > MOST.fields || characters > MOST.characters) return undefined;
    const kind = plain.asked.get(name) ?? noted(plain.asked, name, kindOf(name, plain.request));
    if (kind === 'gate') return undefined;
    if (kind === 'read') {
      const lower = value.toLowerCase();
      if (words.get(name)?.includes(lower) === false) return undefined;
      const part = parts.get(name);
      if (part !== undefined && lower.includes(part)) return undefined;
    }
    if (name === address) from = value;
    if (kind === 'kept' || (kind === 'read' && !dropped.has(name))) headers[name] = value;
  }
  for (const [name, value] of plain.request.set) headers[name] = value;
  if (from !== '') headers[told[0]] = from;
  headers[told[1]] = url.slice(scheme + 3, start);
  headers[told[2]] = url.slice(0, scheme);
  return { url: (plain.origin ?? url.slice(0, start)) + match[0], headers };
}

/**
 * What a name in a request says.
 *
 * @param {string} name
 * @param {Plain['request']} request
 */
function kindOf(name, request) {
  if (isForGate(name, request) || !PLAIN_NAME.test(name)) return 'gate';
  if (request.words.has(name) || request.parts.has(name)) return 'read';
  return request.dropped.has(name) ? 'dropped' : 'kept';
}

/**
 * Notes what a name says: clients send the same names again and again.
 *
 * @template {'gate' | 'dropped' | 'read' | 'kept'} T
 * @param {Kinds} kinds
 * @param {string} name
 * @param {T} kind
 */
function noted(kinds, name, kind) {
  if (kinds.size < MOST_KINDS) kinds.set(name, kind);
  return kind;
}

/** Names that are noted. */
const MOST_KINDS = 256;

/**
 * @param {string} name
 * @param {Fields} fields
 */
function isForGate(name, { gate, prefixes }) {
  return gate.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

/**
 * Asks the origin, for as long as it takes, and hands on its answer.
 *
 * @param {Request} request
 * @param {Forwarding} forwarding
 * @param {Plain} plain
 * @param {Fetcher | undefined} bound the Worker that is the origin, if it is one
 */
export async function forwardPlain(request, { url, headers }, plain, bound) {
  const correlation = crypto.randomUUID();
  headers[plain.correlation] = correlation;
  try {
    const init = { method: request.method, headers, body: request.body, redirect: /** @type {const} */ ('manual') };
    const response = await (bound ?? globalThis).fetch(url, init);
    if (response.status < 200 || response.status > 599) {
      discard(response);
      return fail(requestHead(request), 'lost');
    }
    for (const name of response.headers.keys()) {
      const kind = plain.answered.get(name) ?? noted(plain.answered, name, isForGate(name, plain.answer) ? 'gate' : 'kept');
      if (kind === 'gate') return finish(response, correlation);
    }
    return response;
  } catch {
    return fail(requestHead(request), 'lost');
  }
}
