// The treasury's module.

import { sweep, TreasuryObject } from '#glue';

import { answer, Compiled, ready } from '../platform/compiled.mjs';
import { survived } from '../platform/instance.mjs';
import { followed } from './events.mjs';

export default {
  /**
   * @param {Request} request
   * @param {Record<string, unknown>} env
   * @param {ExecutionContext} context
   */
  fetch: (request, env, context) => followed(request, () => answer(request, env, context)),

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

/** An organization's books. */
export class Treasury extends Compiled {
  /**
   * @param {DurableObjectState} state
   * @param {Record<string, unknown>} env
   */
  constructor(state, env) {
    super(state, env, TreasuryObject);
  }
}
