// Counts the writes of a Durable Object, as SQLite reports them, including secondary indexes. This
// file is a module of the Worker: to measure, put it in front of the built object class.

/** @typedef {Record<string, number>} Writes rows by table, other writes by the name of their call */

/**
 * The state to construct an object with: it is the given one, and adds to `writes`.
 *
 * @template {object} T
 * @param {T} state
 * @param {Writes} writes
 * @returns {T}
 */
export function counted(state, writes) {
  const { storage } = /** @type {{storage: Storage}} */ (state);
  const add = (/** @type {string} */ what, /** @type {number} */ rows) => {
    if (rows > 0) writes[what] = (writes[what] ?? 0) + rows;
  };
  const sql = over(storage.sql, {
    exec(/** @type {string} */ query, /** @type {unknown[]} */ ...values) {
      const cursor = storage.sql.exec(query, ...values);
      // By now a writing statement has run to its end.
      add(TABLE.exec(query)?.[1] ?? query, cursor.rowsWritten);
      return cursor;
    },
  });
  const calls = CALLS.map((name) => [
    name,
    (/** @type {unknown[]} */ ...values) => {
      add(name, 1);
      return /** @type {any} */ (storage)[name](...values);
    },
  ]);
  return over(state, { storage: over(storage, { sql, ...Object.fromEntries(calls) }) });
}

/** The table that a statement writes to. */
const TABLE = /^\s*(?:INSERT(?:\s+OR\s+\w+)?\s+INTO|UPDATE|DELETE\s+FROM|CREATE\s+TABLE(?:\s+IF\s+NOT\s+EXISTS)?)\s+(\w+)/i;

/** Writes besides SQL. */
const CALLS = ['setAlarm', 'deleteAlarm', 'put', 'delete', 'deleteAll'];

/**
 * @typedef {object} Storage
 * @property {{exec: (query: string, ...values: unknown[]) => {rowsWritten: number}}} sql
 */

/**
 * An object with some members of its own.
 *
 * @template {object} T
 * @param {T} object
 * @param {Record<string, unknown>} members
 * @returns {T}
 */
function over(object, members) {
  return new Proxy(object, {
    get(target, name) {
      if (typeof name === 'string' && Object.hasOwn(members, name)) return members[name];
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
