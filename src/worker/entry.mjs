// The Worker's module: what the platform calls, in front of the compiled gate. It forwards by itself what is
// certainly free, and keeps a panic from hanging anybody: the instance is thrown away and everybody who
// waited in it is answered.

import { Ledger as LedgerObject, __wbg_reset_state as renew, configure, fail, finish, handle, sweep } from '#glue';

/**
 * @typedef {object} Plain what `Gate::plain_forwarding` says
 * @property {string} origin
 * @property {number} milliseconds
 * @property {string[]} priced
 * @property {Set<string>} request
 * @property {string[]} own
 * @property {Set<string>} response
 */

/**
 * What each environment's configuration gave. The objects of a Worker may be given another one than its requests,
 * with the same variables in it.
 *
 * @type {WeakMap<object, { plain: Plain | undefined }>}
 */
let configured = new WeakMap();

/** Counts instances of the compiled gate. */
let generation = 0;

/** Whether the instance panicked: it is never used again, the next call begins a new one. */
let lost = false;

/**
 * Who waits in this instance: each is told when it is lost.
 *
 * @type {Set<() => void>}
 */
const waiting = new Set();

function lose() {
  if (lost) return;
  lost = true;
  configured = new WeakMap();
  const all = [...waiting];
  waiting.clear();
  for (const tell of all) tell();
}

/** What a waiting request is told. */
const LOST = new Error('the instance is lost');

/** Before every call into the compiled gate. */
function usable() {
  if (!lost) return;
  renew();
  generation += 1;
  lost = false;
}

// A panic calls this, just before the instance ends.
/** @type {any} */ (globalThis).__farebox_panicked = lose;

export default {
  /**
   * @param {Request} request
   * @param {Record<string, unknown>} env
   * @param {ExecutionContext} context
   */
  async fetch(request, env, context) {
    try {
      const { plain } = configurationOf(env);
      const target = plain === undefined ? undefined : plainTarget(request, plain);
      if (plain !== undefined && target !== undefined) return forwardPlain(request, target, plain);
      const answer = handle(headOf(request), request, env.LEDGER, env.RATE_LIMITER, context);
      return answer instanceof Response ? answer : await survived(answer);
    } catch (error) {
      // Refusals are answers: what is thrown here ended the instance, or says that it has ended.
      if (error !== LOST) lose();
      return internal(request, env);
    }
  },

  /**
   * The trigger of `wrangler.toml`.
   *
   * @param {ScheduledController} _controller
   * @param {Record<string, unknown>} env
   */
  async scheduled(_controller, env) {
    configurationOf(env);
    await survived(sweep(env.LEDGER));
  },
};

/** One shard of the ledger; its compiled part is made anew when the instance it lived in is lost. */
export class Ledger {
  /**
   * @param {DurableObjectState} state
   * @param {Record<string, unknown>} env
   */
  constructor(state, env) {
    this.state = state;
    this.env = env;
    this.generation = -1;
  }

  compiled() {
    usable();
    // An alarm may be the first thing that this isolate does.
    configurationOf(this.env);
    if (this.generation !== generation) {
      this.object = new LedgerObject(this.state);
      this.generation = generation;
    }
    return this.object;
  }

  /**
   * The compiled part answers in one block, in which nothing is waited for: it cannot be lost in between.
   *
   * @param {Request} request
   */
  async fetch(request) {
    const split = request.headers.get(SPLIT);
    const message = new Uint8Array(await request.arrayBuffer());
    const object = this.compiled();
    let answered;
    try {
      answered = object.ask(message, split === null ? message.length : Number(split));
    } catch (error) {
      // A statement that failed is an error like any other; a trap ended the instance.
      if (error instanceof WebAssembly.RuntimeError) lose();
      throw error;
    }
    const { response, alarm } = answered;
    if (alarm !== undefined) {
      await this.state.storage.setAlarm(alarm).catch((/** @type {unknown} */ error) => {
        // The compiled part counts it as set: the next request begins with one that knows of none.
        this.generation = -1;
        throw error;
      });
    }
    return response;
  }

  alarm() {
    return survived(this.compiled().alarm());
  }
}

/** Names the bytes of JSON in front of a raw body. */
const SPLIT = 'farebox-split';

/**
 * What a promise gives, or an exception when the instance that works on it is lost.
 *
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function survived(promise) {
  return new Promise((resolve, reject) => {
    const tell = () => reject(LOST);
    // The runtime ends a request that waits for nothing of its own, before it hears from another one.
    const alive = setTimeout(tell, LONGEST_MS);
    waiting.add(tell);
    promise.then(resolve, reject).finally(() => {
      clearTimeout(alive);
      waiting.delete(tell);
    });
  });
}

/** Longer than any request takes. */
const LONGEST_MS = 3_600_000;

/**
 * The answer when the instance was lost: written by the next one.
 *
 * @param {Request} request
 * @param {Record<string, unknown>} env
 */
function internal(request, env) {
  try {
    configurationOf(env);
    return fail(headOf(request), 'internal');
  } catch {
    return new Response(null, { status: 500, headers: { 'cache-control': 'no-store' } });
  }
}

/**
 * @param {Record<string, unknown>} env
 */
function configurationOf(env) {
  const known = configured.get(env);
  if (known !== undefined) return known;
  usable();
  const text = configure(variablesOf(env));
  const plain = text === undefined ? undefined : JSON.parse(text);
  if (plain !== undefined) {
    plain.request = new Set(plain.request);
    plain.response = new Set(plain.response);
  }
  const configuration = { plain };
  configured.set(env, configuration);
  return configuration;
}

/**
 * Variables and secrets as one JSON object; bindings are left out.
 *
 * @param {Record<string, unknown>} env
 */
function variablesOf(env) {
  const plain = Object.entries(env).filter(([, value]) =>
    typeof value !== 'object' || value === null || Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype);
  return JSON.stringify(Object.fromEntries(plain));
}

/**
 * Method, URL, whether a body comes, and one line per header field.
 *
 * @param {Request} request
 */
function headOf(request) {
  let head = `${request.method}\n${request.url}\n${request.body === null ? '' : 'body'}`;
  for (const [name, value] of request.headers) head += `\n${name}: ${value}`;
  return head;
}

const ORDINARY = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** Fields that the runtime writes itself, and the ordinary words of `Connection`. */
const RUNTIME = new Set(['host', 'content-length', 'transfer-encoding', 'connection']);

/** What an origin says about its own connection. */
const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding']);

/**
 * Path and query of a request that is certainly free; undefined sends it to the gate. It may be too careful,
 * never too generous: the compiled gate alone judges the rest.
 *
 * @param {Request} request
 * @param {Plain} plain
 */
function plainTarget(request, plain) {
  if (!ORDINARY.has(request.method)) return undefined;
  const { url } = request;
  const start = url.indexOf('/', url.indexOf('://') + 3);
  const match = start < 0 ? null : /^((?:\/[a-z0-9_-]+)*\/?)(?:\?[\w.~=&,:+%-]*)?$/.exec(url.slice(start));
  const path = match?.[1];
  if (match === null || path === undefined || path === '' || path.startsWith('/_')) return undefined;
  if (plain.priced.some((prefix) => path.startsWith(prefix))) return undefined;
  for (const [name, value] of request.headers) {
    if (name === 'connection' ? !/^(close|keep-alive)$/i.test(value) : plain.request.has(name) && !RUNTIME.has(name)) return undefined;
    if (plain.own.some((prefix) => name.startsWith(prefix))) return undefined;
    if (name === 'authorization' && /(^|,)\s*payment([\s,]|$)/i.test(value)) return undefined;
  }
  return match[0];
}

/**
 * @param {Request} request
 * @param {string} target
 * @param {Plain} plain
 */
async function forwardPlain(request, target, plain) {
  const correlation = crypto.randomUUID();
  const headers = new Headers(request.headers);
  for (const name of RUNTIME) headers.delete(name);
  headers.set('x-correlation-id', correlation);
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), plain.milliseconds);
  try {
    const response = await fetch(plain.origin + target, {
      method: request.method,
      headers,
      body: request.body,
      redirect: 'manual',
      signal: controller.signal,
    });
    for (const name of response.headers.keys()) {
      if (plain.response.has(name) && !HOP.has(name)) return finish(response, correlation);
      if (name === 'location' || name === 'www-authenticate' || name.startsWith('farebox-')) return finish(response, correlation);
    }
    const answer = new Response(response.body, response);
    for (const name of HOP) answer.headers.delete(name);
    answer.headers.set('x-correlation-id', correlation);
    return answer;
  } catch {
    return fail(headOf(request), controller.signal.aborted ? 'timeout' : 'lost');
  } finally {
    clearTimeout(timer);
  }
}
