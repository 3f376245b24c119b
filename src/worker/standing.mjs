// Answers requests for terms that have been asked for before: what is the same in every answer is
// kept here, and one call of the compiled gate counts the request and gives the rest.

import { askAgain, forget, handOver, remember } from '#glue';

import { headersOf, requestHead } from '../platform/edge.mjs';
import { logUnpaid } from './unpaid.mjs';

/** The fields by which a client is counted: its address, and the name of its program. */
const ADDRESS = 'cf-connecting-ip';
const AGENT = 'user-agent';

/**
 * @typedef {object} Known a 402 without what is its own
 * @property {number} number by which the compiled gate knows it
 * @property {Headers} headers
 * @property {[string, string, string]} body the texts around the id of the challenge and the correlation id
 * @property {string} asked path and route, as members of JSON
 */

/** URLs that are remembered, and URLs that have been asked for once. */
const MOST = 256;

const encoder = new TextEncoder();

/** The standing terms of one configuration. */
export class Standing {
  /** @type {Set<string>} */
  #fields;
  /** @type {Set<string>} */
  #connection;
  #browser;
  /**
   * By URL; null where the answer depends on more than that.
   *
   * @type {Map<string, Known | null>}
   */
  #known = new Map();
  /** @type {Set<string>} */
  #once = new Set();

  /**
   * @param {[fields: string, connection: string, browser: string]} silent which requests say nothing but their URL;
   *   every name comes from `crates/gate/src/standing.rs`
   */
  constructor([fields, connection, browser]) {
    this.#fields = new Set(fields.split(' '));
    this.#connection = new Set(connection.split(' '));
    this.#browser = browser;
  }

  /**
   * The answer if the request says nothing but its URL, and that is known; else the compiled gate
   * has to answer.
   *
   * @param {Request} request
   * @param {object} ledger
   * @param {ExecutionContext} context
   */
  answer(request, ledger, context) {
    const known = this.#known.get(request.url);
    if (!known) return undefined;
    const client = this.#clientOf(request);
    const lines = client === undefined ? undefined : askAgain(known.number, client.address, client.agent);
    if (lines === undefined) return undefined;
    const [correlation = '', id, challenges = '', due] = lines.split('\n');
    logUnpaid(lineOf(correlation, known), context);
    if (due !== '') handOver(ledger, context);
    const [before, between, after] = known.body;
    const body = encoder.encode(before + id + between + correlation + after);
    const response = new Response(body, { status: 402, headers: known.headers });
    response.headers.set('x-correlation-id', correlation);
    if (challenges !== '') response.headers.set('www-authenticate', challenges);
    return response;
  }

  /**
   * Notes that a request was answered 402; the second time for a URL, the answer is remembered.
   *
   * @param {Request} request
   */
  note(request) {
    const { url } = request;
    if (this.#known.has(url) || this.#clientOf(request) === undefined) return;
    if (!this.#once.delete(url)) {
      if (this.#once.size >= MOST) this.#once.clear();
      this.#once.add(url);
      return;
    }
    if (this.#known.size >= MOST) this.#drop();
    const said = remember(requestHead(request));
    if (said === undefined) {
      this.#known.set(url, null);
      return;
    }
    const end = said.indexOf('\n');
    const [lines, before, between, after, route] = JSON.parse(said.slice(end + 1));
    this.#known.set(url, {
      number: Number(said.slice(0, end)),
      headers: headersOf(lines),
      body: [before, between, after],
      asked: membersOf(url, route),
    });
  }

  /** Forgets the one that was remembered first. */
  #drop() {
    for (const [url, known] of this.#known) {
      this.#known.delete(url);
      if (known !== null) forget(known.number);
      return;
    }
  }

  /**
   * Address and program of the client, perhaps empty texts; undefined if the request may say more
   * than its URL.
   *
   * @param {Request} request
   */
  #clientOf(request) {
    if (request.method !== 'GET' || request.body !== null) return undefined;
    const found = { address: '', agent: '' };
    for (const [name, value] of request.headers) {
      if (!this.#fields.has(name) && !(name === 'connection' && this.#connection.has(value.toLowerCase()))) return undefined;
      if (name === AGENT && value.includes(this.#browser)) return undefined;
      if (name === ADDRESS) found.address = value;
      if (name === AGENT) found.agent = value;
    }
    return found;
  }
}

/**
 * The line of the log that the compiled gate would write.
 *
 * @param {string} correlation
 * @param {Known} known
 */
function lineOf(correlation, { asked }) {
  const seconds = Math.floor(Date.now() / 1000);
  if (seconds !== moment.seconds) {
    moment.seconds = seconds;
    moment.text = new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
  }
  return `{"at":"${moment.text}","code":"payment_required","correlation_id":"${correlation}","diagnosis":null,"method":"GET","outcome":"terms",${asked},"status":402}`;
}

/**
 * Path and route of a line; the path is as long as the compiled gate writes it.
 *
 * @param {string} url
 * @param {string} route as JSON
 */
function membersOf(url, route) {
  return `"path":${JSON.stringify(new URL(url).pathname.slice(0, MAX_PATH_CHARS))},"route":${route}`;
}

/** Longest path in a line. */
const MAX_PATH_CHARS = 256;

/** The second that was written last. */
const moment = { seconds: 0, text: '' };
