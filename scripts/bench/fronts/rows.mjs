// In front of the built gate: fills its ledger objects with rows, ends them, and says what they hold.
//
// `/_rows/fill?rows=N&of=open|answered|settled` writes copies of a payment into the object that has it: of its row before it
// was settled, of the one after that, or of that without its response. `/_rows/end` ends the objects, so that the next call
// starts them; `/_rows/size` gives the bytes of the database and of the compiled part's memory.

// @ts-expect-error the built gate, which stands beside this module inside workerd
import gate, { Ledger as Built, benchMemoryBytes } from './index.js';

/** Ids of the objects that have been asked, the newest last. */
const asked = new Set();
const OBJECT = 'https://ledger/_rows/';
/** Whether a row is kept that is sealed and not settled. */
let sampled = false;

/** @typedef {{exec: (statement: string, ...values: unknown[]) => Iterable<Record<string, any>> & {toArray(): unknown[]}, databaseSize: number}} Sql */

export class Ledger extends Built {
  /**
   * @param {any} state
   * @param {unknown} env
   */
  constructor(state, env) {
    super(state, env);
    this.storage = state.storage;
    this.end = () => state.abort('ended by the bench');
    asked.add(state.id.toString());
  }

  /**
   * Keeps the first payment's row as it is before the outcome.
   *
   * @param {string} command
   * @param {Uint8Array | null} body
   */
  ask(command, body) {
    const answer = super.ask(command, body);
    /** @type {Sql} */
    const sql = this.storage.sql;
    if (!sampled) {
      sql.exec('DROP TABLE IF EXISTS sample');
      sql.exec('CREATE TABLE sample AS SELECT * FROM payments WHERE id < 0');
      sampled = sql.exec('SELECT 1 FROM sample WHERE sealed = 1').toArray().length > 0;
    }
    return answer;
  }

  /** @param {Request} request */
  async fetch(request) {
    if (!request.url.startsWith(OBJECT)) return super.fetch(request);
    const { pathname, searchParams } = new URL(request.url);
    /** @type {Sql} */
    const sql = this.storage.sql;
    if (pathname === '/_rows/end') this.end();
    if (pathname === '/_rows/fill') fill(sql, Number(searchParams.get('rows')), String(searchParams.get('of')));
    return Response.json({
      rows: countOf(sql),
      rowBytes: bytesOf(sql, 'payments'),
      openBytes: bytesOf(sql, 'sample'),
      databaseBytes: sql.databaseSize,
      memoryBytes: benchMemoryBytes(),
    });
  }
}

/**
 * Copies of a payment, each of a payer of its own, with a key as unlike another as digests are.
 *
 * @param {Sql} sql
 * @param {number} rows
 * @param {string} of
 */
function fill(sql, rows, of) {
  const columns = columnsOf(sql);
  const isOpen = of === 'open';
  const base = countOf(sql);
  /** @type {Record<string, string>} */
  const others = {
    id: `${isOpen ? '-' : ''}(start + 1) * 16`,
    payer: "printf('0x%040x', i)",
    key: "printf('%012x', start) || lower(hex(randomblob(26)))",
    receipt: 'lower(hex(randomblob(length(receipt) / 2)))',
    tx: 'substr(tx, 1, length(tx) - 64) || lower(hex(randomblob(32)))',
    ...(isOpen
      ? { state: "'unknown'", since: 'unixepoch()', sent: 'unixepoch()', due: 'NULL', holder: 'NULL', tx: 'NULL', reason: 'NULL' }
      : {}),
    ...(of === 'settled' ? { head: 'NULL', sha256: 'NULL', body: 'NULL' } : {}),
  };
  const from = isOpen ? 'sample' : 'payments WHERE id > 0';
  sql.exec(
    `WITH RECURSIVE n(i, start) AS (SELECT ?, ${START} UNION ALL SELECT i + 1, ${START} FROM n WHERE i < ?)
     INSERT OR IGNORE INTO payments (${columns.join(', ')})
     SELECT ${columns.map((name) => others[name] ?? name).join(', ')} FROM n, (SELECT * FROM ${from} LIMIT 1)`,
    base + 1,
    base + rows,
  );
}

/** A key's first twelve digits. */
const START = 'abs(random()) % 281474976710656';

/** @param {Sql} sql */
function columnsOf(sql) {
  return [...sql.exec("SELECT name FROM pragma_table_info('payments')")].map(({ name }) => String(name));
}

/**
 * What the columns of one row hold, without what the database adds.
 *
 * @param {Sql} sql
 * @param {'payments' | 'sample'} table
 */
function bytesOf(sql, table) {
  const [first] = sql.exec(
    `SELECT ${columnsOf(sql)
      .map((name) => `coalesce(octet_length(${name}), 0)`)
      .join(' + ')} AS bytes FROM ${table} LIMIT 1`,
  );
  return Number(first?.bytes);
}

/** @param {Sql} sql */
function countOf(sql) {
  const [first] = sql.exec('SELECT count(*) AS rows FROM payments');
  return Number(first?.rows);
}

export default {
  /**
   * @param {Request} request
   * @param {any} env
   * @param {unknown} context
   */
  async fetch(request, env, context) {
    const url = new URL(request.url);
    if (!url.pathname.startsWith('/_rows/')) return gate.fetch(request, env, context);
    const answers = [];
    for (const id of asked) {
      const object = env.LEDGER.get(env.LEDGER.idFromString(id));
      const asking = object.fetch(OBJECT + url.pathname.slice('/_rows/'.length) + url.search);
      // One that has been ended does not answer.
      answers.push(
        await asking.then(
          (/** @type {Response} */ answer) => answer.json(),
          () => ({ rows: 0 }),
        ),
      );
    }
    return Response.json(answers.find(({ rows }) => rows > 0) ?? {});
  },
};
