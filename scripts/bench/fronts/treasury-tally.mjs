// In front of the built treasury: counts what its objects are asked and what they write.

import { counted } from '../../tally.mjs';
// @ts-expect-error the built treasury, which stands beside this module inside workerd
import treasury, { Treasury as Built } from './index.js';

/** @type {Record<string, number>} */
const counts = {};

/** Where the counts since the last time are found. */
const PATH = '/_tally';

export class Treasury extends Built {
  /**
   * @param {object} state
   * @param {unknown} env
   */
  constructor(state, env) {
    super(state, env);
    this.state = counted(state, counts);
  }

  /**
   * @param {string} organization
   * @param {string} command
   */
  ask(organization, command) {
    counts.calls = (counts.calls ?? 0) + 1;
    return super.ask(organization, command);
  }
}

export default {
  /**
   * @param {Request} request
   * @param {unknown} env
   * @param {unknown} context
   */
  fetch(request, env, context) {
    if (new URL(request.url).pathname !== PATH) return treasury.fetch(request, env, context);
    const answer = Response.json(counts);
    for (const name of Object.keys(counts)) delete counts[name];
    return answer;
  },
};
