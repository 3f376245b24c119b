// Lists of a treasury's books are found by an index: a list of few among many reads no others.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

const SCHEMA = readFileSync('src/treasury/objects/schema.rs', 'utf8');
const BOOKS = readFileSync('src/treasury/objects/books.rs', 'utf8');

/** Makes the tables, and tells how SQLite finds the rows of each statement. */
const PLAN = `
import json, sqlite3, sys
tables, statements = json.load(sys.stdin)
database = sqlite3.connect(':memory:')
for statement in tables:
    database.execute(statement)
plans = []
for statement in statements:
    values = ['x'] * statement.count('?')
    plans.append([row[3] for row in database.execute('EXPLAIN QUERY PLAN ' + statement, values)])
print(json.dumps(plans))
`;

/** The statements of the schema, in their order. */
const tables = [...SCHEMA.replace(/^\s*\/\/.*$/gm, '').matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map(([, statement = '']) => statement);

/** The statement that lists the rows of a table, with these conditions. */
function listOf(table: string, conditions: string): string {
  const written = new RegExp(`"(SELECT row FROM ${table} WHERE \\(created, id\\)[^"]*)"`).exec(BOOKS)?.[1] ?? '';
  assert.ok(written.includes('{filter}'), table);
  return written.replace('{filter}', conditions).replace('{rare}', '');
}

const RARE = " AND outcome NOT IN ('allow', 'deny', 'executing')";

describe('the books of a treasury', () => {
  //
  it('find a list of few among many by an index, and sort nothing', () => {
    const lists: readonly (readonly [table: string, conditions: string, index: string])[] = [
      ['reviews', '', 'reviews_created'],
      ['reviews', ' AND verdict = ?', 'reviews_verdict'],
      ['reviews', ' AND agent = ? AND verdict = ?', 'reviews_agent'],
      ['decisions', '', 'decisions_created'],
      ['decisions', ` AND outcome = ?${RARE}`, 'decisions_rare'],
      ['decisions', ` AND agent = ? AND outcome = ?${RARE}`, 'decisions_rare'],
    ];
    const input = JSON.stringify([tables, lists.map(([table, conditions]) => listOf(table, conditions))]);
    const plans = JSON.parse(execFileSync('python3', ['-c', PLAN], { input, encoding: 'utf8' })) as string[][];
    for (const [at, [table, conditions, index]] of lists.entries()) {
      const [found = '', ...more] = plans[at] ?? [];
      assert.ok(found.startsWith(`SEARCH ${table} USING INDEX ${index} (`), `${conditions}: ${found}`);
      assert.deepEqual(more, [], conditions);
    }
    assert.ok(BOOKS.includes(`"${RARE}"`), 'the statement says what the index leaves out');
  });
});
