// A Worker that does the least of what a payment needs with a record of its own: decodes it, has it verified, writes a
// claim, asks the origin, writes that, has it settled, writes that and answers. It checks no signature, no terms and no
// repeats: a floor for whoever waits for three durable writes.

/**
 * @typedef {object} Variables
 * @property {string} ORIGIN_URL
 * @property {string} FACILITATOR_URL
 * @property {string} PAY_TO
 * @property {string} ASSET
 * @property {string} NETWORK
 * @property {{idFromName: (name: string) => unknown, get: (id: unknown) => {fetch: (url: string, init: RequestInit) => Promise<Response>}}} LEDGER
 */

/**
 * @typedef {object} Sql
 * @property {(query: string, ...values: unknown[]) => unknown} exec
 */

export class Ledger {
  /** @type {Sql} */
  #sql;

  /**
   * @param {{storage: {sql: Sql}}} state
   */
  constructor({ storage: { sql } }) {
    this.#sql = sql;
    sql.exec('CREATE TABLE IF NOT EXISTS payments (key TEXT PRIMARY KEY, state TEXT NOT NULL, row TEXT NOT NULL) WITHOUT ROWID');
  }

  /** @param {Request} request */
  async fetch(request) {
    const text = await request.text();
    const { key, state } = JSON.parse(text);
    this.#sql.exec('INSERT OR REPLACE INTO payments VALUES (?, ?, ?)', key, state, text);
    return new Response('{"granted":true}');
  }
}

export default {
  /**
   * @param {Request} request
   * @param {Variables} env
   */
  async fetch(request, env) {
    const url = new URL(request.url);
    const terms = {
      scheme: 'exact',
      network: env.NETWORK,
      amount: '10000',
      asset: env.ASSET,
      payTo: env.PAY_TO,
      maxTimeoutSeconds: 300,
      extra: { name: 'USDC', version: '2' },
    };
    const payment = request.headers.get('payment-signature');
    if (payment === null) {
      const required = {
        x402Version: 2,
        error: 'Payment required',
        resource: { url: request.url, description: '', mimeType: '' },
        accepts: [terms],
      };
      return new Response('{}', {
        status: 402,
        headers: { 'payment-required': btoa(JSON.stringify(required)), 'content-type': 'application/json' },
      });
    }
    const paymentPayload = JSON.parse(atob(payment));
    const { from, nonce: key } = paymentPayload.payload.authorization;
    const object = env.LEDGER.get(env.LEDGER.idFromName(`${Number.parseInt(from.slice(2, 4), 16) % 16}`));
    const record = async (/** @type {string} */ state) => {
      const response = await object.fetch('https://ledger/', { method: 'POST', body: JSON.stringify({ key, state, from, terms }) });
      return response.json();
    };
    const ask = async (/** @type {string} */ operation) => {
      const body = JSON.stringify({ x402Version: 2, paymentPayload, paymentRequirements: terms });
      const response = await fetch(`${env.FACILITATOR_URL}/${operation}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      return /** @type {Promise<any>} */ (response.json());
    };
    await record('claimed');
    const { isValid } = await ask('verify');
    if (!isValid) return new Response('{}', { status: 402 });
    const answer = await fetch(new Request(env.ORIGIN_URL + url.pathname + url.search, request));
    await record('answered');
    const settled = await ask('settle');
    await record('settled');
    const given = new Response(answer.body, answer);
    given.headers.set('payment-response', btoa(JSON.stringify(settled)));
    return given;
  },
};
