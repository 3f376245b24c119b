// In front of the built gate: counts what its objects are asked and what they write.

import { counted } from '../../tally.mjs';
// @ts-expect-error the built gate, which stands beside this module inside workerd
import gate, { Ledger as Built } from './index.js';

/** @type {Record<string, number>} */
const counts = {};

/** Where the counts since the last time are found. */
const PATH = '/_tally';

export class Ledger extends Built {
  /**
   * @param {object} state
   * @param {unknown} env
   */
  constructor(state, env) {
    super(state, env);
    this.state = counted(state, counts);
  }

  /**
   * @param {string} command
   * @param {Uint8Array | null} body
   */
  ask(command, body) {
    counts.calls = (counts.calls ?? 0) + 1;
    return super.ask(command, body);
  }
}

export default {
  /**
   * @param {Request} request
   * @param {unknown} env
   * @param {unknown} context
   */
  fetch(request, env, context) {
    if (new URL(request.url).pathname !== PATH) return gate.fetch(request, env, context);
    const answer = Response.json(counts);
    for (const name of Object.keys(counts)) delete counts[name];
    return answer;
  },
};
