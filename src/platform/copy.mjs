// The rows of an object as a copy has them: read page by page, and put into an object that holds nothing. The tables say
// which columns there are, so a new one is in a copy as well. Which tables are read first, and which hold only counts, is
// in the command: nothing is decided here.

/**
 * @typedef {object} CopyCommand
 * @property {'look' | 'page' | 'hold' | 'free' | 'take' | 'open'} do
 * @property {string} tables the kind of the object
 * @property {string} copy name of the copy
 * @property {number} [page] number of the page that comes with it
 * @property {string} [after] where the page before it ended
 * @property {number} [bytes] size of a page, but for its last row
 * @property {boolean} [holds] whether the first page holds the object
 * @property {readonly string[]} first tables that are read before the others
 * @property {readonly string[]} counts tables whose rows do not count as held: they go when a copy comes
 * @property {string | null} [note] name of the number that an object keeps of the second in which it is let go
 */

/** @typedef {string | number | ArrayBuffer | null} Value */

/** The table that says of which copy the rows are. It is in no copy. */
const MARK = 'restoring';

/**
 * Whether an object waits for the rest of a copy: until then it answers nothing else.
 *
 * @param {SqlStorage} sql
 */
export function isHeld(sql) {
  return markOf(sql)?.opened === 0;
}

/**
 * The mark of a copy; undefined if no copy came.
 *
 * @param {SqlStorage} sql
 */
function markOf(sql) {
  if (sql.exec('SELECT 1 FROM sqlite_master WHERE name = ?', MARK).toArray().length === 0) return undefined;
  return /** @type {{ copy: string, next: number, opened: number }} */ (sql.exec(`SELECT copy, next, opened FROM ${MARK}`).one());
}

/**
 * Carries out a command in one transaction, but for the reading of a page.
 *
 * @param {SqlStorage} sql
 * @param {CopyCommand} command
 * @param {string} lines
 */
export function carryOut(sql, command, lines) {
  switch (command.do) {
    case 'hold':
      return hold(sql, command);
    case 'free':
      return free(sql, command);
    case 'take':
      return take(sql, command, lines);
    case 'open':
      return open(sql, command);
    default:
      return stateOf(sql, command);
  }
}

/**
 * The state of an object as a copy sees it.
 *
 * @param {SqlStorage} sql
 * @param {CopyCommand} command
 */
function stateOf(sql, { copy, counts }) {
  const mark = markOf(sql);
  if (mark !== undefined) return { state: mark.copy !== copy ? 'used' : mark.opened === 1 ? 'open' : 'held', next: mark.next };
  const has = (/** @type {string} */ table) => sql.exec(`SELECT 1 FROM ${quoted(table)} LIMIT 1`).toArray().length > 0;
  return { state: tablesOf(sql, []).some((table) => !counts.includes(table) && has(table)) ? 'used' : 'empty', next: 0 };
}

/**
 * Holds an object for a copy: rows of tables that only count go.
 *
 * @param {SqlStorage} sql
 * @param {CopyCommand} command
 */
function hold(sql, command) {
  const found = stateOf(sql, command);
  if (found.state !== 'empty') return found;
  // The number of schema changes that have run stays: the tables are those of this version.
  for (const table of tablesOf(sql, [])) sql.exec(`DELETE FROM ${quoted(table)}${table === 'meta' ? " WHERE name <> 'schema'" : ''}`);
  sql.exec(`CREATE TABLE ${MARK} (copy TEXT NOT NULL, next INTEGER NOT NULL, opened INTEGER NOT NULL)`);
  sql.exec(`INSERT INTO ${MARK} VALUES (?, 0, 0)`, command.copy);
  return { state: 'held', next: 0 };
}

/**
 * Lets go of an object of which nothing has come.
 *
 * @param {SqlStorage} sql
 * @param {CopyCommand} command
 */
function free(sql, command) {
  const found = stateOf(sql, command);
  if (found.state !== 'held' || found.next > 0) return found;
  sql.exec(`DROP TABLE ${MARK}`);
  return { state: 'empty', next: 0 };
}

/**
 * Lets a held object answer again.
 *
 * @param {SqlStorage} sql
 * @param {CopyCommand} command
 */
function open(sql, command) {
  if (stateOf(sql, command).state === 'held') {
    sql.exec(`UPDATE ${MARK} SET opened = 1`);
    if (command.note) sql.exec('INSERT OR REPLACE INTO meta VALUES (?, ?)', command.note, Math.floor(Date.now() / 1000));
  }
  return stateOf(sql, command);
}

/**
 * Puts a page into a held object. One that has come before changes nothing; of one that comes too early it says which is next.
 *
 * @param {SqlStorage} sql
 * @param {CopyCommand} command
 * @param {string} lines
 */
function take(sql, command, lines) {
  const found = command.holds && command.page === 0 ? hold(sql, command) : stateOf(sql, command);
  if (found.state !== 'held' || found.next !== command.page) return found;
  const columns = new Map(tablesOf(sql, []).map((table) => [table, columnsOf(sql, table).map(({ name }) => name)]));
  for (const line of lines.split('\n')) {
    if (line === '') continue;
    const [table, row] = rowIn(line);
    const known = columns.get(table);
    if (known === undefined || known.length !== Object.keys(row).length || known.some((name) => !Object.hasOwn(row, name)))
      throw new OtherVersion();
    if (table === 'meta' && row.name === 'schema' && row.value !== schemaOf(sql)) throw new OtherVersion();
    const names = known.map(quoted).join(', ');
    // Nothing but that number is there.
    const verb = table === 'meta' ? 'INSERT OR REPLACE' : 'INSERT';
    sql.exec(
      `${verb} INTO ${quoted(table)} (${names}) VALUES (${known.map(() => '?').join(', ')})`,
      ...known.map((name) => stored(row[name])),
    );
  }
  sql.exec(`UPDATE ${MARK} SET next = ?`, found.next + 1);
  return { state: 'held', next: found.next + 1 };
}

/** The rows of a copy are not those of this version's tables. */
export class OtherVersion extends Error {}

/**
 * A page of rows, a line each, then a line that says where the next one begins.
 *
 * @param {SqlStorage} sql
 * @param {CopyCommand} command
 */
export function pageOf(sql, { first, after: cursor, bytes = 0 }) {
  const tables = tablesOf(sql, first);
  const [begun, ...marks] = (cursor ?? '') === '' ? [] : /** @type {[string, ...Value[]]} */ (JSON.parse(cursor ?? ''));
  const start = begun === undefined ? 0 : tables.indexOf(begun);
  if (start < 0) throw new OtherVersion();
  const lines = [];
  let size = 0;
  const state = isHeld(sql) ? 'held' : 'open';
  for (const table of tables.slice(start)) {
    const columns = columnsOf(sql, table);
    const keys = columns.filter(({ pk }) => pk > 0).sort((one, other) => one.pk - other.pk);
    let after = table === begun ? marks : [];
    for (let rows = rowsAfter(sql, table, keys, after); rows.length > 0; rows = rowsAfter(sql, table, keys, after)) {
      for (const row of rows) {
        after = keys.map(({ name }) => row[name] ?? null);
        const line = JSON.stringify([table, Object.fromEntries(Object.entries(row).map(([name, value]) => [name, written(value)]))]);
        lines.push(line);
        size += line.length;
        if (size >= bytes) return `${lines.join('\n')}\n${JSON.stringify({ state, next: JSON.stringify([table, ...after]) })}\n`;
      }
    }
  }
  return `${lines.map((line) => `${line}\n`).join('')}${JSON.stringify({ state })}\n`;
}

/**
 * The next rows behind a mark, in the order of their key. Where the key is one number, its sign says whether the row is at rest:
 * a row that comes to rest between two pages stays in its place, and is read once.
 *
 * @param {SqlStorage} sql
 * @param {string} table
 * @param {readonly Column[]} keys
 * @param {readonly Value[]} marks
 */
function rowsAfter(sql, table, keys, marks) {
  const names = keys.map(({ name }) => quoted(name)).join(', ');
  const read = (/** @type {string} */ where, /** @type {string} */ order, /** @type {readonly Value[]} */ values) =>
    /** @type {Record<string, Value>[]} */ (
      sql.exec(`SELECT * FROM ${quoted(table)} ${where} ORDER BY ${names}${order} LIMIT ${AT_ONCE}`, ...values).toArray()
    );
  const [key] = keys;
  if (key?.type === 'INTEGER' && keys.length === 1) {
    const place = (/** @type {Record<string, Value>} */ row) => Math.abs(Number(row[key.name]));
    const last = Math.abs(Number(marks[0] ?? 0));
    const [above, below] = [read(`WHERE ${names} > ?`, '', [last]), read(`WHERE ${names} < ?`, ' DESC', [-last])];
    return [...above, ...below].sort((one, other) => place(one) - place(other)).slice(0, AT_ONCE);
  }
  return marks.length === 0 ? read('', '', []) : read(`WHERE (${names}) > (${marks.map(() => '?').join(', ')})`, '', marks);
}

/** @typedef {{ name: string, type: string, pk: number }} Column */

/**
 * The tables of an object, those first that are to be read first.
 *
 * @param {SqlStorage} sql
 * @param {readonly string[]} first
 */
function tablesOf(sql, first) {
  const found = sql.exec("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").toArray();
  const names = found.map(({ name }) => String(name)).filter((name) => !/^(?:_cf_|sqlite_)/.test(name) && name !== MARK);
  return [...first.filter((name) => names.includes(name)), ...names.filter((name) => !first.includes(name))];
}

/**
 * @param {SqlStorage} sql
 * @param {string} table
 */
function columnsOf(sql, table) {
  return /** @type {Column[]} */ (sql.exec(`PRAGMA table_info(${quoted(table)})`).toArray());
}

/**
 * The number of schema changes that have run.
 *
 * @param {SqlStorage} sql
 */
function schemaOf(sql) {
  return sql.exec("SELECT value FROM meta WHERE name = 'schema'").toArray()[0]?.value;
}

/**
 * The table and the columns of a line.
 *
 * @param {string} line
 * @returns {[string, Record<string, unknown>]}
 */
function rowIn(line) {
  try {
    const [table, row] = JSON.parse(line);
    if (typeof row === 'object' && row !== null) return [String(table), row];
  } catch {
    // It is no row.
  }
  throw new OtherVersion();
}

/**
 * A value in a line. Amounts are text; no number is a fraction, or beyond the exact ones.
 *
 * @param {Value} value
 */
function written(value) {
  if (value instanceof ArrayBuffer) return { base64: inBase64(new Uint8Array(value)) };
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new Error('a number that no copy keeps exactly');
  return value;
}

/**
 * The value of a line.
 *
 * @param {unknown} value
 * @returns {Value}
 */
function stored(value) {
  if (value === null || typeof value === 'string' || Number.isSafeInteger(value)) return /** @type {Value} */ (value);
  const { base64 } = /** @type {{ base64?: unknown }} */ (value);
  if (typeof base64 !== 'string') throw new OtherVersion();
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer;
}

/** @param {Uint8Array} bytes */
function inBase64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += PIECE) text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  return btoa(text);
}

/** @param {string} name */
function quoted(name) {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Rows that are read at once: a stored answer in one may be long. */
const AT_ONCE = 16;
/** Bytes that are turned into letters at once. */
const PIECE = 8192;
