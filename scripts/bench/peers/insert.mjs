// The least that an object can do about a claim: reads it and inserts one row. It knows no payer's other payments,
// looks nothing up, answers no repeat and sets no alarm.

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
    sql.exec(
      'CREATE TABLE IF NOT EXISTS claims (payer TEXT NOT NULL, key TEXT NOT NULL, claim TEXT NOT NULL, PRIMARY KEY (payer, key)) WITHOUT ROWID',
    );
  }

  /** @param {Request} request */
  async fetch(request) {
    const claim = await request.text();
    const { payer, key } = JSON.parse(claim);
    this.#sql.exec('INSERT INTO claims VALUES (?, ?, ?)', payer, key, claim);
    return new Response('{"answer":{"granted":{"fence":1}}}');
  }
}
