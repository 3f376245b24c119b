/**
 * An object that an earlier build has written: its tables and rows as they were recorded from it, opened by this build.
 *
 * `tests/vectors/ledger/rows-of-schema-7.json` has the tables, six payments and their requests. The times of last changes are
 * moved to today, because what is old is purged, and so are the ends of what is open; what was signed stays.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { ask, PURGE_NOW, plant, rowsOf } from './support/operator.ts';
import type { Payment } from './support/payer.ts';
import type { HeaderRow } from './support/raw.ts';
import { eventually, expectPaid, expectProblem, jsonOf, openWorld, payFor, send, type World } from './support/world.ts';

const RECORDED = 'tests/vectors/ledger/rows-of-schema-7.json';

type Recorded = { readonly target: string; readonly payment: Payment; readonly headers: readonly HeaderRow[]; readonly text: string };
type Name = 'served' | 'large' | 'bare' | 'owed' | 'refused' | 'doubtful';

const { requests } = JSON.parse(readFileSync(RECORDED, 'utf8')) as { readonly requests: Readonly<Record<Name, Recorded>> };

/** Copies of one of them, at rest and not, whose keys begin as its key does. */
const ALIKE = 5;
/** More than an object of this build can keep. */
const TOO_MANY_ALIKE = 20;

/** More than one event moves. */
const MANY = 20_010;

function store(persist: string, alike: number, others = 0): void {
  const stored = execFileSync('python3', ['-c', STORE, persist, RECORDED, String(alike), String(others)], { encoding: 'utf8' });
  assert.equal(stored, `${6 + alike + others}\n`);
}

/** Makes the object's file; its rows changed last just now. */
const STORE = `
import json, os, sqlite3, sys
folder, recorded, alike, more = sys.argv[1:]
recorded = json.load(open(recorded))
name = os.path.join(folder, recorded['file'])
os.makedirs(os.path.dirname(name))
database = sqlite3.connect(name)
database.execute('PRAGMA journal_mode = WAL')
for statement in recorded['schema']:
    database.execute(statement)
value = lambda it: bytes.fromhex(it['hex']) if isinstance(it, dict) else it
for table, rows in recorded['rows'].items():
    for row in rows:
        database.execute('INSERT INTO ' + table + ' VALUES (' + ', '.join('?' for _ in row) + ')', [value(it) for it in row])
columns = [row[1] for row in database.execute('PRAGMA table_info(payments)')]
for copy in range(int(alike)):
    others = {
        'payer': "printf('0x%040x', " + str(copy) + ")", 'open': str(copy % 2), 'owned': 'NULL', 'tx': "replace(tx, substr(tx, 3, 1), '" + str(copy) + "')",
        'key': 'substr(key, 1, 12) || lower(hex(randomblob(26)))', 'receipt': "substr(receipt, 1, 27) || 'q" + 'abcdefghijklmnopqrstuvwxyz'[copy] + "aa'",
    }
    database.execute('INSERT INTO payments SELECT ' + ', '.join(others.get(name, name) for name in columns) + " FROM payments WHERE route = '/before/*' AND state = 'delivered' LIMIT 1")
others = {
    'payer': "printf('0x%040x', i + 1000)", 'key': 'lower(hex(randomblob(32)))', 'receipt': "printf('rcpt_%026d', i)", 'open': '0', 'owned': 'NULL',
    'tx': "'0x' || lower(hex(randomblob(32)))",
}
if int(more):
    database.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " + more + ") INSERT INTO payments SELECT "
        + ', '.join(others.get(name, name) for name in columns) + " FROM n, (SELECT * FROM payments WHERE route = '/before/*' AND state = 'delivered' LIMIT 1)")
database.execute("UPDATE payments SET updated = unixepoch()")
database.execute("UPDATE payments SET since = unixepoch(), sent = unixepoch() WHERE state = 'unknown'")
database.execute("UPDATE payments SET valid_before = unixepoch() + 3600 WHERE state IN ('unknown', 'released')")
database.execute("UPDATE meta SET value = unixepoch() + 3600 WHERE name = 'purge_at'")
database.commit()
print(database.execute('SELECT COUNT(*) FROM payments').fetchone()[0])
`;

describe('an object that the build of schema 7 has stored', () => {
  const persist = mkdtempSync(join(tmpdir(), 'farebox-stored-'));
  const recovery = { settle_secs: 2, resend_secs: [3600], chain_secs: [3600, 3600], manual_secs: 86_400 };
  let world: World;
  before(async () => {
    store(persist, ALIKE);
    world = await openWorld({ persist, vars: { LEDGER_SHARDS: 1, RECOVERY: recovery, KEEP_PAYMENTS_DAYS: 1 } });
  });
  after(async () => {
    await world.stop();
    rmSync(persist, { recursive: true, force: true });
  });

  const again = (name: Name) => send(world, requests[name].target, requests[name].payment, { headers: requests[name].headers });
  const rowOf = async (name: Name) => (await rowsOf(world, requests[name].payment.payer.toLowerCase()))[0];

  it('serves the responses that it has stored, small and large', async () => {
    for (const name of ['served', 'large'] as const) {
      const answer = await again(name);
      expectPaid(answer, requests[name].payment);
      assert.equal(answer.text, requests[name].text, name);
      assert.equal(answer.headers['payment-replayed'], 'true');
      assert.equal(world.origin.of(requests[name].target).length, 0, name);
    }
  });

  it('answers the other payments from their rows, and charges none again', async () => {
    expectProblem(await again('bare'), { status: 409, code: 'payment_already_delivered' });
    expectProblem(await again('owed'), { status: 409, code: 'refund_due' });
    assert.equal((await rowOf('doubtful'))?.['state'], 'unknown');
    for (const { payment, target } of Object.values(requests)) {
      assert.equal(world.facilitator.of('settle', payment.payer).length, 0, target);
    }
  });

  it('takes no transaction of one of them for another payment', async () => {
    const payment = await payFor(world, '/before/borrowed');
    const transaction = requests.served.payment.transaction;
    world.facilitator.script(payment.payer, { settle: { kind: 'good', fields: { transaction } } });
    expectProblem(await send(world, '/before/borrowed', payment), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
    assert.equal(world.origin.of('/before/borrowed').length, 0);
  });

  it('finds each by its receipt id, and exports all', async () => {
    for (const name of Object.keys(requests) as Name[]) {
      const row = await rowOf(name);
      assert.ok(row, name);
      const found = await ask(world, `payments/${String(row['id'])}`);
      assert.equal(jsonOf(found)['key'], row['key'], name);
    }
    const csv = (await ask(world, 'export?format=csv')).text;
    for (const { payment, target } of Object.values(requests)) assert.equal(csv.split(payment.payer.toLowerCase()).length, 2, target);
  });

  it('finds those whose keys begin alike, each once', async () => {
    const bare = await rowOf('bare');
    const start = String(bare?.['key']).slice(0, 12);
    const csv = (await ask(world, 'export?format=csv')).text;
    const keys = csv
      .split('\n')
      .flatMap((line) => /\b[0-9a-f]{64}\b/.exec(line) ?? [])
      .filter((key) => key.startsWith(start));
    assert.equal(new Set(keys).size, ALIKE + 1);
    assert.equal(keys.length, ALIKE + 1);
    for (let copy = 0; copy < ALIKE; copy += 1) {
      const payer = `0x${copy.toString(16).padStart(40, '0')}`;
      const [row] = await rowsOf(world, payer);
      assert.equal(jsonOf(await ask(world, `payments/${String(row?.['id'])}`))['payer'], payer);
    }
  });

  it('is refunded what it owes', async () => {
    const id = String((await rowOf('owed'))?.['id']);
    const refund = `0x${'ab'.repeat(32)}`;
    const refunded = await ask(world, `payments/${id}/refunded`, { transaction: refund });
    assert.equal(jsonOf(refunded)['state'], 'refunded', refunded.text);
    assert.equal(jsonOf(await ask(world, `payments/${id}`))['reason'], refund);
  });

  it('sweeps its responses first, and its rows at their time', async () => {
    await world.gate.stop();
    assert.equal(plant(world.gate, PURGE_NOW), 1);
    assert.equal(
      plant(world.gate, 'UPDATE payments SET updated = updated - 90000 WHERE payer = ?', requests.served.payment.payer.toLowerCase()),
      1,
    );
    assert.equal(
      plant(
        world.gate,
        'UPDATE payments SET updated = updated - 200000, valid_before = 1 WHERE payer = ?',
        requests.bare.payment.payer.toLowerCase(),
      ),
      1,
    );
    await world.gate.restart('dispose', { vars: { KEEP_PAYMENTS_DAYS: 2 } });
    await world.gate.scheduled();
    await eventually('the old row is gone', async () => (await rowOf('bare')) === undefined);
    expectProblem(await again('served'), { status: 409, code: 'payment_already_delivered' });
    assert.equal((await rowOf('served'))?.['state'], 'delivered');
    expectPaid(await again('large'), requests.large.payment);
  });
});

describe('an object with more rows than one event moves', () => {
  //
  it('charges nothing until all are moved, also over a kill, and has each once', async () => {
    const persist = mkdtempSync(join(tmpdir(), 'farebox-stored-'));
    store(persist, 0, MANY);
    const world = await openWorld({ persist, vars: { LEDGER_SHARDS: 1 } });
    const { target, payment, headers, text } = requests.served;
    try {
      const first = await send(world, target, payment, { headers });
      assert.deepEqual([first.status, jsonOf(first)['code']], [503, 'ledger_unavailable'], first.text);
      await world.gate.restart('kill');
      const answer = await send(world, target, payment, { headers });
      expectPaid(answer, payment);
      assert.equal(answer.text, text);
      assert.equal(world.facilitator.of('settle', payment.payer).length, 0);
      await world.gate.stop();
      assert.equal(plant(world.gate, 'SELECT DISTINCT payer, key FROM payments'), 6 + MANY);
      assert.equal(plant(world.gate, "SELECT * FROM sqlite_master WHERE name = 'earlier'"), 0);
      assert.equal(plant(world.gate, 'SELECT * FROM payments WHERE id < 0'), 2, 'those that are not at rest');
    } finally {
      await world.stop();
      rmSync(persist, { recursive: true, force: true });
    }
  });
});

describe('an object that cannot be rewritten', () => {
  //
  it('stays as it was, charges nothing, and is opened once the cause is gone', async () => {
    const persist = mkdtempSync(join(tmpdir(), 'farebox-stored-'));
    store(persist, TOO_MANY_ALIKE);
    const world = await openWorld({ persist, vars: { LEDGER_SHARDS: 1 } });
    const { target, payment, headers, text } = requests.served;
    try {
      for (let turn = 0; turn < 2; turn += 1) {
        const answer = await send(world, target, payment, { headers });
        assert.deepEqual([answer.status, jsonOf(answer)['code']], [503, 'ledger_unavailable'], answer.text);
      }
      assert.equal(world.facilitator.of('settle', payment.payer).length, 0);
      await world.gate.stop();
      assert.equal(plant(world.gate, 'SELECT * FROM payments'), 6 + TOO_MANY_ALIKE, 'no row has moved');
      assert.equal(plant(world.gate, "SELECT * FROM sqlite_master WHERE name = 'earlier'"), 0);
      const copies = "DELETE FROM payments WHERE payer BETWEEN printf('0x%040x', 5) AND printf('0x%040x', 99)";
      assert.equal(plant(world.gate, copies), TOO_MANY_ALIKE - ALIKE);
      await world.gate.restart();
      const answer = await send(world, target, payment, { headers });
      expectPaid(answer, payment);
      assert.equal(answer.text, text);
    } finally {
      await world.stop();
      rmSync(persist, { recursive: true, force: true });
    }
  });
});
