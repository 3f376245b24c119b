// The market's module.

import { ExchangeObject, SkillsObject, sweep } from '#glue';

import { Compiled, answer, ready } from '../platform/compiled.mjs';
import { survived } from '../platform/instance.mjs';

export default {
  fetch: answer,

  /**
   * The trigger of `wrangler.toml`.
   *
   * @param {ScheduledController} _controller
   * @param {Record<string, unknown>} env
   */
  async scheduled(_controller, env) {
    ready(env);
    await survived(sweep(env));
  },
};

/** The market's books. */
export class Skills extends Compiled {
  /**
   * @param {DurableObjectState} state
   * @param {Record<string, unknown>} env
   */
  constructor(state, env) {
    super(state, env, SkillsObject);
  }
}

/** Sellers, quotes, jobs and held money of a network profile. */
export class Exchange extends Compiled {
  /**
   * @param {DurableObjectState} state
   * @param {Record<string, unknown>} env
   */
  constructor(state, env) {
    super(state, env, ExchangeObject);
  }
}
