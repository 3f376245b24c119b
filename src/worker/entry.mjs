// The Worker's module: what the platform calls, in front of the compiled gate. It forwards by
// itself what is certainly free, and keeps a panic from hanging requests: the instance is thrown
// away and every request that waited in it is answered.

import { env as bound, DurableObject } from 'cloudflare:workers';
import { Channel as ChannelObject, configure, configureObjects, fail, handle, Ledger as LedgerObject, prepare, sweep } from '#glue';

import { isHeld } from '../platform/copy.mjs';
import { race } from '../platform/deadline.mjs';
import { complain, requestHead } from '../platform/edge.mjs';
import { generation, Lost, lose, onLoss, survived, usable } from '../platform/instance.mjs';
import { isBinding, variablesOf } from '../platform/variables.mjs';
import { copied } from './copied.mjs';
import { watchFlows } from './flow.mjs';
import { forwardPlain, plainOf, plainOrigin } from './free.mjs';
import { ledgerOf, messageOf, responseOf } from './ledger.mjs';
import { Standing } from './standing.mjs';
import { StoredTable } from './table.mjs';

/**
 * @typedef {object} Configuration the result of `EdgeRules::write`, with the platform's bindings
 * @property {import('./free.mjs').Plain | undefined} plain
 * @property {Standing | undefined} standing
 * @property {Bindings} bindings
 */

/**
 * @typedef {object} Bindings
 * @property {{ namespace: DurableObjectNamespace | undefined, hint: object | undefined }} ledger
 * @property {{ namespace: DurableObjectNamespace | undefined, hint: object | undefined }} channel
 * @property {RateLimit | undefined} limiter
 * @property {Fetcher | undefined} origin
 * @property {Record<string, unknown>} services all that the platform binds, and the variables
 */

/**
 * Configuration by environment. The objects of a Worker may be given another one than its requests,
 * with the same variables in it.
 *
 * @type {WeakMap<object, Configuration>}
 */
let configured = new WeakMap();

/**
 * The same for objects, and for calls to them without a request: these need no route table.
 *
 * @type {WeakMap<object, Configuration>}
 */
let configuredForObjects = new WeakMap();

/** Milliseconds for which a request waits for the table that is read, while there is an older one. */
const PATIENCE_MS = 1_000;

/** The route table beside the variables, where `CONFIG` is bound. */
const stored = new StoredTable();

/** What the variables that this Worker was deployed with give, read before there is a request. */
let prepared = preparedOf(bound);

onLoss(() => {
  configured = new WeakMap();
  configuredForObjects = new WeakMap();
  prepared = undefined;
});

watchFlows(survived);

export default {
  /**
   * @param {Request} request
   * @param {Record<string, unknown>} env
   * @param {ExecutionContext} context
   */
  async fetch(request, env, context) {
    try {
      usable();
      if (isBinding(env.CONFIG)) await tableKnown(/** @type {KVNamespace} */ (env.CONFIG), env, context);
      const { plain, standing, bindings } = configurationOf(env);
      const again = standing?.answer(request, bindings.ledger, context);
      if (again !== undefined) return again;
      const free = plain === undefined ? undefined : plainOrigin(request, plain);
      if (plain !== undefined && free !== undefined) return forwardPlain(request, free, plain, bindings.origin);
      const answer = handle(requestHead(request), request, bindings, context);
      if (!(answer instanceof Response)) return await survived(answer);
      if (answer.status === 402) standing?.note(request);
      return answer;
    } catch (error) {
      // Refusals are answers: an exception here ended the instance, or reports that it has ended.
      if (!(error instanceof Lost)) lose();
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
    const { bindings } = configurationForObjects(env);
    await survived(sweep(bindings.ledger, bindings.channel));
  },
};

/** One shard of the ledger; its compiled part is made anew when the instance it lived in is lost. */
export class Ledger extends DurableObject {
  /**
   * @param {DurableObjectState} state
   * @param {Record<string, unknown>} env
   */
  constructor(state, env) {
    super(state, env);
    this.state = state;
    this.variables = env;
    this.generation = -1;
    /** @type {boolean | undefined} */
    this.isHeld = undefined;
  }

  /** Whether this object waits for the rest of a copy: what it has so far decides nothing. */
  get held() {
    this.isHeld ??= isHeld(this.state.storage.sql);
    return this.isHeld;
  }

  compiled() {
    usable();
    if (this.held) throw new Error('the rows of a copy are not all here');
    // An alarm may be the first thing that this isolate does.
    const { bindings } = configurationForObjects(this.variables);
    if (this.generation !== generation) {
      this.object = this.made(bindings);
      this.generation = generation;
    }
    return this.object;
  }

  /**
   * @param {Bindings} bindings
   * @returns {LedgerObject | ChannelObject}
   */
  made(bindings) {
    return new LedgerObject(this.state, bindings.ledger, bindings.services);
  }

  /**
   * Answers a command with the body that comes along. The platform holds the answer back until what was written is kept.
   *
   * The compiled part answers in one block, in which nothing is waited for: it cannot be lost in between. What sends claims keeps nothing.
   *
   * @param {string} command
   * @param {Uint8Array | null} body
   */
  async ask(command, body) {
    const object = this.compiled();
    let said;
    try {
      said = object.ask(command, body ?? undefined);
      // Claims are answered once they were sent.
      if (said instanceof Promise) said = await said;
    } catch (error) {
      // A statement that failed is an error like any other; one that ended the instance is noticed
      // here.
      usable();
      throw error;
    }
    const { answered, alarm } = said;
    if (alarm !== undefined) {
      await this.state.storage.setAlarm(alarm).catch((/** @type {unknown} */ error) => {
        // The compiled part counts it as set: the next request begins with one that knows of none.
        this.generation = -1;
        throw error;
      });
    }
    return answered;
  }

  /**
   * The same for Workers of earlier versions, which may ask while a new one is being deployed.
   *
   * @param {Request} request
   */
  async fetch(request) {
    return responseOf(await this.ask(...(await messageOf(request))));
  }

  async alarm() {
    // The last page of a copy sets it again.
    if (!this.held) await survived(this.compiled().alarm());
  }

  /**
   * Reads rows for a copy, or takes those of one.
   *
   * @param {string} command
   * @param {string | null} lines a page
   */
  copy(command, lines) {
    return copied(this, JSON.parse(command), lines ?? '');
  }

  /** Forgets what is known of the rows. */
  forget() {
    this.isHeld = undefined;
    this.generation = -1;
  }
}

/**
 * The fate of a message; none of what is no message to a channel.
 *
 * @param {string} answer
 * @returns {string | undefined}
 */
const saidIn = (answer) => JSON.parse(answer)?.said;

/**
 * Whether a message only looks at a channel, of which the chain has shown nothing new. So does what only wakes its object.
 *
 * @param {string} command
 */
function isLook(command) {
  if (!command.startsWith('{')) return true;
  const { ask, sight } = JSON.parse(command);
  return ask === 'see' && (sight ?? null) === null;
}

/** Streams of one channel that wait for vouchers at once. */
const MOST_WAITING = 16;

/** One channel of a session. */
export class Channel extends Ledger {
  /**
   * Called after each message: streams wait here for vouchers.
   *
   * @type {Set<() => void>}
   */
  waiting = new Set();

  /**
   * What is refused, or only asked, brings no stream a voucher, and anyone can send it.
   *
   * @param {string} command
   * @param {Uint8Array | null} body
   */
  async ask(command, body) {
    const answered = await super.ask(command, body);
    if (this.waiting.size > 0 && saidIn(answered.answer) !== 'refused' && !isLook(command)) {
      for (const wake of this.waiting) wake();
    }
    return answered;
  }

  /**
   * Answers a command once the answer is another one than that it waits, or the time is up; at once if so many wait that each message to the channel
   * would be work for all of them.
   *
   * @param {string} command
   * @param {number} milliseconds
   */
  async awaited(command, milliseconds) {
    const end = Date.now() + milliseconds;
    const isOneTooMany = this.waiting.size >= MOST_WAITING;
    for (;;) {
      let wake = () => {};
      // A voucher that comes while this is being asked counts.
      const woken = new Promise((resolve) => {
        wake = () => {
          resolve(true);
        };
      });
      this.waiting.add(wake);
      try {
        const answered = await super.ask(command, null);
        if (saidIn(answered.answer) !== 'waiting' || isOneTooMany || !(await race(woken, end - Date.now(), false))) return answered;
      } finally {
        this.waiting.delete(wake);
      }
    }
  }

  /** @param {Bindings} bindings */
  made(bindings) {
    return new ChannelObject(this.state, bindings.channel);
  }
}

/**
 * The answer when the instance was lost: written by the next one.
 *
 * @param {Request} request
 * @param {Record<string, unknown>} env
 */
function internal(request, env) {
  try {
    configurationOf(env);
    return fail(requestHead(request), 'internal');
  } catch {
    return new Response(null, { status: 500, headers: { 'cache-control': 'no-store' } });
  }
}

/**
 * @param {Record<string, unknown>} env
 * @returns {Configuration}
 */
function configurationOf(env) {
  const known = configured.get(env);
  if (known !== undefined) return known;
  usable();
  // Nothing is served by the variables' table while the stored one is not known.
  const waits = isBinding(env.CONFIG) && stored.text === undefined;
  const configuration = configurationBy(waits ? undefined : factsOf(variablesOf(env)), env);
  if (!waits) configured.set(env, configuration);
  return configuration;
}

/**
 * What is known of variables, with the stored route table if there is one.
 *
 * @param {string} variables
 */
function factsOf(variables) {
  if (variables === prepared?.variables) return prepared.facts;
  // From here on the compiled part has read others.
  prepared = undefined;
  return configure(variables, stored.text ?? undefined);
}

/**
 * Reads the variables that are known before there is a request, which is when an isolate has time. Whatever is wrong with
 * them is left to the first request: its log is read.
 *
 * @param {Record<string, unknown> | undefined} env
 */
function preparedOf(env) {
  // A stored route table cannot be read yet.
  if (env === undefined || isBinding(env.CONFIG)) return undefined;
  try {
    const variables = variablesOf(env);
    const facts = prepare(variables);
    return facts === undefined ? undefined : { variables, facts };
  } catch {
    lose();
    return undefined;
  }
}

/**
 * @param {Record<string, unknown>} env
 */
function configurationForObjects(env) {
  const known = configuredForObjects.get(env);
  if (known !== undefined) return known;
  usable();
  const configuration = configurationBy(configureObjects(variablesOf(env)), env);
  configuredForObjects.set(env, configuration);
  return configuration;
}

/**
 * @param {string | undefined} text undefined if the configuration is wrong
 * @param {Record<string, unknown>} env
 * @returns {Configuration}
 */
function configurationBy(text, env) {
  const { plain, silent, jurisdiction, location } = text === undefined ? {} : JSON.parse(text);
  const origin = /** @type {Fetcher | undefined} */ (isBinding(env.ORIGIN) ? env.ORIGIN : undefined);
  const limiter = /** @type {RateLimit | undefined} */ (env.RATE_LIMITER);
  const ledger = ledgerOf(/** @type {DurableObjectNamespace} */ (env.LEDGER), jurisdiction, location);
  const channel = ledgerOf(/** @type {DurableObjectNamespace | undefined} */ (env.CHANNEL), jurisdiction, location);
  const standing = silent === undefined ? undefined : new Standing(silent);
  return { plain: plain ? plainOf(plain) : undefined, standing, bindings: { ledger, channel, limiter, origin, services: env } };
}

/**
 * Has the stored route table read if that is due. The request that begins the read waits for it: a gate that has rested would
 * ask the old price, and meet the new table with the payment. Others wait only while there is no table.
 *
 * @param {KVNamespace} store
 * @param {Record<string, unknown>} env
 * @param {ExecutionContext} context
 */
async function tableKnown(store, env, context) {
  const take = (/** @type {string | null} */ text) => {
    usable();
    const answer = configure(variablesOf(env), text ?? undefined);
    if (answer === undefined) return false;
    // Other environments have to read their configuration again.
    configured = new WeakMap([[env, configurationBy(answer, env)]]);
    return true;
  };
  // An exception there ended the instance.
  const read = stored.refresh(store, take, complain)?.catch(lose);
  if (read !== undefined) {
    context.waitUntil(read);
    await race(read, PATIENCE_MS);
  }
  if (stored.text === undefined) await stored.settled();
}
