// A Worker that does the least of what a voucher needs with a record of its own: decodes it, has its object hold the price,
// asks the origin, has the object keep charge and answer in a row, and answers. It checks no signature, no terms and no
// repeats: a floor for whoever waits for one durable write.

// @ts-expect-error a module of workerd
import { DurableObject } from 'cloudflare:workers';

/**
 * @typedef {object} Variables
 * @property {string} ORIGIN_URL
 * @property {{idFromName: (name: string) => unknown, get: (id: unknown) => Ledger}} LEDGER
 */

/** @typedef {{sql: {exec: (query: string, ...values: unknown[]) => unknown}}} Storage */

export class Ledger extends DurableObject {
  /**
   * @param {{storage: Storage}} state
   * @param {Variables} env
   */
  constructor(state, env) {
    super(state, env);
    /** @type {Storage} */
    this.storage = state.storage;
    /** @type {string | undefined} */
    this.held = undefined;
    this.storage.sql.exec('CREATE TABLE IF NOT EXISTS channel (id INTEGER PRIMARY KEY, state TEXT NOT NULL, head TEXT, body BLOB)');
  }

  /** @param {string} voucher */
  hold(voucher) {
    this.held = voucher;
    return '{"said":"held"}';
  }

  /**
   * @param {string} state
   * @param {string} head
   * @param {Uint8Array} body
   */
  charge(state, head, body) {
    this.held = undefined;
    this.storage.sql.exec('INSERT OR REPLACE INTO channel VALUES (1, ?, ?, ?)', state, head, body);
    return '{"said":"charged"}';
  }
}

export default {
  /**
   * @param {Request} request
   * @param {Variables} env
   */
  async fetch(request, env) {
    const url = new URL(request.url);
    const { payload } = JSON.parse(atob(String(request.headers.get('payment-signature'))));
    const object = env.LEDGER.get(env.LEDGER.idFromName(payload.voucher.channelId));
    await object.hold(JSON.stringify(payload.voucher));
    const answer = await fetch(new Request(env.ORIGIN_URL + url.pathname + url.search, request));
    const body = new Uint8Array(await answer.arrayBuffer());
    const said = await object.charge(JSON.stringify(payload), JSON.stringify([...answer.headers]), body);
    const given = new Response(body, answer);
    given.headers.set('payment-response', btoa(said));
    return given;
  },
};
