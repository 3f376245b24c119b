// What the platform calls, in front of the compiled part of a Worker with objects: it keeps a panic from hanging requests, and
// an object's writes together: all of a command are kept, or none.

import { DurableObject } from 'cloudflare:workers';
import { configure, fail, handle } from '#glue';

import { requestHead } from './edge.mjs';
import { generation, Lost, lose, onLoss, survived, usable } from './instance.mjs';
import { variablesOf } from './variables.mjs';

/**
 * The environments whose variables the compiled part has read.
 *
 * @type {WeakSet<object>}
 */
let configured = new WeakSet();

onLoss(() => {
  configured = new WeakSet();
});

/**
 * Answers a request.
 *
 * @param {Request} request
 * @param {Record<string, unknown>} env
 * @param {ExecutionContext} context
 */
export async function answer(request, env, context) {
  try {
    ready(env);
    const answer = handle(requestHead(request), request, env);
    if (answer instanceof Response) return answer;
    // A payment goes on when the client leaves.
    context.waitUntil(answer);
    return await survived(answer);
  } catch (error) {
    // Refusals are answers: an exception here ended the instance, or reports that it has ended.
    if (!(error instanceof Lost)) lose();
    return internal(request, env);
  }
}

/** An object's books; the compiled part is made anew when the instance it lived in is lost. */
export class Compiled extends DurableObject {
  /**
   * @param {DurableObjectState} state
   * @param {Record<string, unknown>} env
   * @param {new (state: DurableObjectState, env: Record<string, unknown>) => any} part
   */
  constructor(state, env, part) {
    super(state, env);
    this.state = state;
    this.variables = env;
    this.part = part;
    this.generation = -1;
  }

  compiled() {
    ready(this.variables);
    if (this.generation !== generation) {
      this.object = new this.part(this.state, this.variables);
      this.generation = generation;
    }
    return this.object;
  }

  /**
   * Answers a command in one transaction. The platform holds the answer back until what was written is kept.
   *
   * @param {string} name
   * @param {string} command
   */
  async ask(name, command) {
    const object = this.compiled();
    let said;
    try {
      said = object.ask(name, command);
    } catch (error) {
      usable();
      throw error;
    }
    const { answer, alarm } = said;
    if (alarm !== undefined) {
      await this.state.storage.setAlarm(alarm).catch((/** @type {unknown} */ error) => {
        // The compiled part counts it as set: the next request begins with one that knows of none.
        this.generation = -1;
        throw error;
      });
    }
    return answer;
  }

  alarm() {
    return survived(this.compiled().alarm());
  }
}

/**
 * Runs before every call into the compiled part.
 *
 * @param {Record<string, unknown>} env
 */
export function ready(env) {
  usable();
  if (configured.has(env)) return;
  configure(variablesOf(env));
  configured.add(env);
}

/**
 * The answer when the instance was lost: written by the next one.
 *
 * @param {Request} request
 * @param {Record<string, unknown>} env
 */
function internal(request, env) {
  try {
    ready(env);
    return fail(request.method, request.url);
  } catch {
    return new Response(null, { status: 500, headers: { 'cache-control': 'no-store' } });
  }
}
