// In front of the built gate: fills its ledger objects with rows, ends them, and says what they hold.
//
// `/_rows/fill?rows=N&open=0|1` writes copies of a payment into the object that has it; `/_rows/end` ends the objects, so that
// the next call starts them; `/_rows/size` gives the bytes of the database and of the compiled part's memory.

// @ts-expect-error the built gate, which stands beside this module inside workerd
import gate, { Ledger as Built, benchMemoryBytes } from './index.js';

/** Ids of the objects that have been asked, the newest last. */
const asked = new Set();
const OBJECT = 'https://ledger/_rows/';

/** @typedef {{exec: (statement: string, ...values: unknown[]) => Iterable<Record<string, any>>, databaseSize: number}} Sql */

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

  /** @param {Request} request */
  async fetch(request) {
    if (!request.url.startsWith(OBJECT)) return super.fetch(request);
    const { pathname, searchParams } = new URL(request.url);
    /** @type {Sql} */
    const sql = this.storage.sql;
    if (pathname === '/_rows/end') this.end();
    if (pathname === '/_rows/fill') fill(sql, Number(searchParams.get('rows')), searchParams.get('open') === '1');
    return Response.json({ rows: countOf(sql), rowBytes: bytesOf(sql), databaseBytes: sql.databaseSize, memoryBytes: benchMemoryBytes() });
  }
}

/**
 * Copies of a payment, each of a payer of its own.
 *
 * @param {Sql} sql
 * @param {number} rows
 * @param {boolean} isOpen
 */
function fill(sql, rows, isOpen) {
  const columns = columnsOf(sql);
  const base = countOf(sql);
  /** @type {Record<string, string>} */
  const others = {
    payer: "printf('0x%040x', i)",
    key: "printf('%064x', i)",
    receipt: 'lower(hex(randomblob(length(receipt) / 2)))',
    tx: 'substr(tx, 1, length(tx) - 40) || lower(hex(randomblob(20)))',
    ...(isOpen
      ? {
          state: "'unknown'",
          open: '1',
          since: 'unixepoch()',
          sent: 'unixepoch()',
          due: 'NULL',
          holder: 'NULL',
          tx: 'NULL',
          reason: 'NULL',
        }
      : {}),
  };
  sql.exec(
    `WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     INSERT INTO payments (${columns.join(', ')})
     SELECT ${columns.map((name) => others[name] ?? name).join(', ')} FROM (SELECT * FROM payments LIMIT 1), n`,
    base + 1,
    base + rows,
  );
}

/** @param {Sql} sql */
function columnsOf(sql) {
  return [...sql.exec("SELECT name FROM pragma_table_info('payments')")].map(({ name }) => String(name));
}

/**
 * What the columns of one row hold, without what the database adds.
 *
 * @param {Sql} sql
 */
function bytesOf(sql) {
  const [first] = sql.exec(
    `SELECT ${columnsOf(sql)
      .map((name) => `coalesce(octet_length(${name}), 0)`)
      .join(' + ')} AS bytes FROM payments LIMIT 1`,
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
