// In front of the built gate: counts what its objects are asked and what they write.
//
// `/_tally` gives the counts since the last time. `/_tally/purge?secs=N` has every object purge its rows, all of which have then
// changed last so many seconds ago and whose validity is over, and gives how many rows there were.

import { counted } from '../../tally.mjs';
// @ts-expect-error the built gate, which stands beside this module inside workerd
import gate, { Ledger as Built } from './index.js';

/** @type {Record<string, number>} */
const counts = {};

/** Where the counts since the last time are found. */
const PATH = '/_tally';
const PURGE = '/_tally/purge';
/** Ids of the objects that have been made. */
const made = new Set();

export class Ledger extends Built {
  /**
   * @param {any} state
   * @param {unknown} env
   */
  constructor(state, env) {
    super(state, env);
    this.uncounted = state.storage.sql;
    this.state = counted(state, counts);
    made.add(state.id.toString());
  }

  /** @param {Request} request */
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== PURGE) return super.fetch(request);
    const tables = [...this.uncounted.exec("SELECT 1 FROM sqlite_master WHERE name = 'payments'")];
    if (tables.length === 0) return Response.json(0);
    const aged = 'UPDATE payments SET updated = unixepoch() - ?, valid_before = min(valid_before, unixepoch() - 7200)';
    this.uncounted.exec(aged, Number(searchParams.get('secs')));
    const [rows] = this.uncounted.exec('SELECT count(*) AS rows FROM payments');
    this.uncounted.exec("UPDATE meta SET value = 1 WHERE name = 'purge_at'");
    // It reads that when it is made anew.
    this.generation = -1;
    await super.alarm();
    return Response.json(Number(rows?.rows));
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
   * @param {any} env
   * @param {unknown} context
   */
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (pathname === PURGE) {
      let rows = 0;
      for (const id of made) rows += await (await env.LEDGER.get(env.LEDGER.idFromString(id)).fetch(request.url)).json();
      return Response.json(rows);
    }
    if (pathname !== PATH) return gate.fetch(request, env, context);
    const answer = Response.json(counts);
    for (const name of Object.keys(counts)) delete counts[name];
    return answer;
  },
};
