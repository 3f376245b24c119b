/**
 * Ledgers that an earlier build has written open, and lose nothing.
 *
 * Each case lets this build write payments, takes from the stopped ledger what the earlier schema did not have, and
 * starts the gate on it. The tables below are frozen: they are what those builds made, whatever the source says today.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { rowsOf } from './support/operator.ts';
import { callsOf, eventually, expectPaid, expectProblem, jsonOf, openWorld, payFor, send } from './support/world.ts';

const PAYMENTS_1 = `payer TEXT NOT NULL, key TEXT NOT NULL, binding TEXT NOT NULL, secret TEXT, mode TEXT NOT NULL,
  receipt TEXT NOT NULL, route TEXT NOT NULL, network TEXT NOT NULL, asset TEXT NOT NULL,
  amount TEXT NOT NULL, pay_to TEXT NOT NULL, valid_before INTEGER NOT NULL,
  facilitator TEXT NOT NULL, request TEXT NOT NULL,
  executing INTEGER NOT NULL, settling INTEGER NOT NULL, delivering INTEGER NOT NULL,
  state TEXT NOT NULL, fence INTEGER NOT NULL, due INTEGER, since INTEGER, sent INTEGER,
  tx TEXT, reason TEXT, holder TEXT, sealed INTEGER NOT NULL,
  created INTEGER NOT NULL, updated INTEGER NOT NULL`;
const PAYMENTS_2 = `${PAYMENTS_1}, resends INTEGER NOT NULL DEFAULT 0, read INTEGER, seen_block INTEGER,
  handed INTEGER NOT NULL DEFAULT 1, history TEXT NOT NULL DEFAULT '', url TEXT NOT NULL DEFAULT '',
  confirm INTEGER NOT NULL DEFAULT 0`;
const PAYMENTS_4 = `${PAYMENTS_2}, correlation TEXT NOT NULL DEFAULT ''`;
const PAYMENTS_6 = `${PAYMENTS_4}, asked INTEGER NOT NULL DEFAULT 1, client TEXT NOT NULL DEFAULT '',
  open INTEGER NOT NULL DEFAULT 1, owned TEXT`;
const PAYMENTS_7 = `${PAYMENTS_6}, signing TEXT NOT NULL DEFAULT ''`;

const EARLIER = [
  { schema: 1, payments: PAYMENTS_1, without: ['aliases', 'moved', 'outbox', 'meters', 'attempts', 'quota'] },
  { schema: 2, payments: PAYMENTS_2, without: ['outbox', 'meters', 'attempts', 'quota'] },
  { schema: 3, payments: PAYMENTS_2, without: ['attempts', 'quota'] },
  { schema: 4, payments: PAYMENTS_4, without: ['quota'] },
  { schema: 6, payments: PAYMENTS_6, without: [] },
  { schema: 7, payments: PAYMENTS_7, without: [] },
] as const;

/** Gives every object the schema of an earlier build; prints how many payments were kept. */
const TURN_BACK = `
import glob, json, sqlite3, sys
folder, schema, payments, without = sys.argv[1:]
kept = 0
for name in glob.glob(folder + '/**/*.sqlite', recursive=True):
    database = sqlite3.connect(name)
    tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    if 'payments' in tables:
        database.execute('CREATE TABLE earlier (' + payments + ', PRIMARY KEY (payer, key)) WITHOUT ROWID')
        known = [row[1] for row in database.execute('PRAGMA table_info(whole)')]
        columns = ', '.join(row[1] for row in database.execute('PRAGMA table_info(earlier)') if row[1] in known)
        kept += database.execute('INSERT INTO earlier (' + columns + ') SELECT ' + columns + ' FROM whole').rowcount
        database.execute('INSERT INTO responses SELECT payer, key, head, sha256, body, created FROM payments WHERE head IS NOT NULL')
        opens = database.execute('SELECT payer, key FROM payments WHERE id < 0').fetchall()
        database.execute('DROP VIEW whole')
        database.execute('DROP TABLE common')
        database.execute('DROP TABLE payments')
        database.execute('ALTER TABLE earlier RENAME TO payments')
        for table in json.loads(without):
            database.execute('DROP TABLE ' + table)
        if int(schema) >= 6:
            database.execute('UPDATE payments SET open = 0')
            for row in opens:
                database.execute('UPDATE payments SET open = 1 WHERE payer = ? AND key = ?', row)
            database.execute("UPDATE payments SET owned = tx WHERE state <> 'unknown'")
            database.execute('CREATE INDEX payments_open ON payments (payer, key) WHERE open = 1')
            database.execute('CREATE INDEX payments_receipt ON payments (receipt)')
            database.execute('CREATE INDEX payments_owned ON payments (owned) WHERE owned IS NOT NULL')
            database.execute("CREATE INDEX payments_refund ON payments (reason) WHERE state = 'refunded'")
    if 'payments' in tables:
        assert database.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (int(schema),)).rowcount == 1
        database.commit()
    database.close()
print(kept)
`;

describe('a ledger of an earlier build', () => {
  for (const { schema, payments: columns, without } of EARLIER) {
    it(`opens from schema ${schema}, repeats what was delivered, and ends what was unknown`, async () => {
      const persist = mkdtempSync(join(tmpdir(), 'farebox-migration-'));
      const world = await openWorld({ persist, vars: { LEDGER_SHARDS: 2 } });
      try {
        const secret = [['Idempotency-Key', 'm'.repeat(30)]] as const;
        const served = await payFor(world, '/after/served');
        const bare = await payFor(world, '/before/bare');
        const doubtful = await payFor(world, '/after/doubtful');
        const owed = await payFor(world, '/before/owed');
        world.origin.script('/before/owed', { status: 500 });
        world.facilitator.script(doubtful.payer, { settle: { kind: 'destroy' } });
        const first = await send(world, '/after/served', served, { headers: secret });
        expectPaid(first, served);
        expectPaid(await send(world, '/before/bare', bare), bare);
        expectProblem(await send(world, '/before/owed', owed), { status: 502, code: 'refund_due' });
        const doubt = await send(world, '/after/doubtful', doubtful);
        expectProblem(doubt, { status: 503, code: 'settlement_unknown', retryAfter: 5 });

        await world.gate.stop();
        const kept = execFileSync('python3', ['-c', TURN_BACK, persist, String(schema), columns, JSON.stringify(without)], {
          encoding: 'utf8',
        });
        assert.equal(Number(kept), 4);
        world.facilitator.script(doubtful.payer, {});
        await world.gate.restart();

        const before = ['/after/served', '/before/bare', '/before/owed'].map((path) => world.origin.of(path).length);
        const again = await send(world, '/after/served', served, { headers: secret });
        expectPaid(again, served);
        assert.equal(again.text, first.text);
        assert.equal(again.headers['payment-replayed'], 'true');
        expectProblem(await send(world, '/before/bare', bare), { status: 409, code: 'payment_already_delivered' });
        expectProblem(await send(world, '/before/owed', owed), { status: 409, code: 'refund_due' });
        await eventually(
          'the alarm ends the doubt',
          async () => (await rowsOf(world, doubtful.payer))[0]?.['state'] === 'delivered',
          30_000,
        );
        assert.equal(callsOf(world, doubtful.payer, '/after/doubtful').origin, 1);
        const after = ['/after/served', '/before/bare', '/before/owed'].map((path) => world.origin.of(path).length);
        assert.deepEqual(after, before, 'no origin was asked again');
        for (const { payer } of [served, bare, owed]) {
          assert.equal(world.facilitator.of('settle', payer).length, 1, 'nothing was settled again');
        }
        const fresh = await payFor(world, '/after/fresh');
        expectPaid(await send(world, '/after/fresh', fresh), fresh);
        const receipt = String((await rowsOf(world, owed.payer))[0]?.['id']);
        const token = ['Authorization', 'Bearer operator-token-of-the-test-suite-0123456789'] as const;
        const waived = await world.gate.raw('POST', `/_farebox/payments/${receipt}/waived`, [token], '{"reason":"settled by hand"}');
        assert.equal(jsonOf(waived)['state'], 'waived', waived.text);
      } finally {
        await world.stop();
        rmSync(persist, { recursive: true, force: true });
      }
    });
  }
});
