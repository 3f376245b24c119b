/** What an object keeps of a payment: one row, which is short once it is settled, and the transactions that are taken. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { ask, plant, rowsOf } from './support/operator.ts';
import type { JsonObject, Payment } from './support/payer.ts';
import { eventually, expectPaid, expectProblem, jsonOf, MODES, openWorld, payFor, send, type World } from './support/world.ts';

const KEY = [['Idempotency-Key', 'r'.repeat(30)]] as const;
/** Settled, with a digest in the place of the request, and found by its receipt id without an index. */
const FOLDED = `SELECT key FROM payments WHERE payer = ? AND id > 0 AND state = 'delivered' AND named IS NULL AND client = ''
  AND length(request) < 80 AND request LIKE '{"folded":"%","signed":"10000"}'`;
/** The columns that it has in common with others are under a number. */
const IN_COMMON = `SELECT p.key FROM payments p JOIN common c ON c.id = p.common WHERE p.payer = ?
  AND p.mode || p.route || p.chain || p.asset || p.pay_to || p.facilitator = '' AND p.executing + p.settling + p.delivering = 0
  AND c.chain LIKE 'eip155:%' AND length(p.history) < 100`;
/** One that waits has a mark in the place of its terms, twice, and is half as long as what is sent. */
const MARKED = `SELECT p.key FROM payments p JOIN common c ON c.id = p.common JOIN whole w ON w.id = p.id WHERE p.payer = ? AND p.id < 0
  AND length(p.request) = length(replace(p.request, char(1), '')) + 2 AND c.terms LIKE '{"scheme":"exact",%}' AND length(p.request) < 700
  AND w.request NOT LIKE '%' || char(1) || '%' AND json_extract(w.request, '$.paymentRequirements') = c.terms`;
/** As many of them as there can be. */
const FULL = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1024)
  INSERT OR IGNORE INTO common SELECT i, 'after', '/gone/' || i, '', '', '', '', 1, 1, 1, NULL FROM n`;
/** It has them itself. */
const BY_ITSELF = `SELECT key FROM payments WHERE payer = ? AND common IS NULL AND route LIKE '/%/*' AND chain LIKE 'eip155:%' AND executing > 0`;

describe('the rows of an object', () => {
  const persist = mkdtempSync(join(tmpdir(), 'farebox-rows-'));
  let world: World;
  before(async () => {
    world = await openWorld({ persist, vars: { LEDGER_SHARDS: 1, RECOVERY: { settle_secs: 2, refund_secs: 3600 } } });
  });
  after(async () => {
    await world.stop();
    rmSync(persist, { recursive: true, force: true });
  });

  /** Pays, and the facilitator names the transaction of another payment. */
  async function borrows(path: string, from: Payment): Promise<void> {
    const payment = await payFor(world, path);
    world.facilitator.script(payment.payer, { settle: { kind: 'good', fields: { transaction: from.transaction } } });
    expectProblem(await send(world, path, payment), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
    assert.equal((await rowsOf(world, payment.payer.toLowerCase()))[0]?.['state'], 'unknown', path);
  }

  for (const mode of MODES) {
    it(`a settled payment keeps a digest of its request, and is found, repeated and counted by it (${mode})`, async () => {
      const path = `/${mode}/folded`;
      const payment = await payFor(world, path);
      const first = await send(world, path, payment, { headers: KEY });
      expectPaid(first, payment);
      await world.gate.stop();
      assert.equal(plant(world.gate, FOLDED, payment.payer.toLowerCase()), 1);
      assert.equal(plant(world.gate, IN_COMMON, payment.payer.toLowerCase()), 1);
      await world.gate.restart();
      const id = String((await rowsOf(world, payment.payer.toLowerCase()))[0]?.['id']);
      assert.equal(jsonOf(await ask(world, `payments/${id}`))['state'], 'delivered');
      const again = await send(world, path, payment, { headers: KEY });
      assert.deepEqual([again.headers['payment-replayed'], again.text], ['true', first.text]);
      assert.equal(world.facilitator.of('settle', payment.payer).length, 1);
      const sums = jsonOf(await ask(world, 'audit'))['items'] as JsonObject[];
      assert.deepEqual(
        sums.filter(({ difference }) => difference !== '0'),
        [],
      );
    });
  }

  it('a large response is beside its row, and comes back from there', async () => {
    world.origin.script('/after/beside', { headers: { 'Content-Type': 'text/plain' }, body: ['a long answer '.repeat(300)] });
    const payment = await payFor(world, '/after/beside');
    const first = await send(world, '/after/beside', payment, { headers: KEY });
    expectPaid(first, payment);
    await world.gate.stop();
    const beside = 'SELECT p.key FROM payments p JOIN responses r ON r.payer = p.payer AND r.key = p.key WHERE p.head IS NULL';
    assert.equal(plant(world.gate, beside), 1);
    await world.gate.restart();
    const again = await send(world, '/after/beside', payment, { headers: KEY });
    assert.deepEqual([again.headers['payment-replayed'], again.text], ['true', first.text]);
  });

  it('payments of a route have its columns in common, and their steps are told in full', async () => {
    const [one, other] = [await payFor(world, '/after/alike'), await payFor(world, '/after/alike')];
    for (const payment of [one, other]) expectPaid(await send(world, '/after/alike', payment), payment);
    const items = await Promise.all([one, other].map(async ({ payer }) => (await rowsOf(world, payer.toLowerCase()))[0]));
    for (const item of items) {
      assert.deepEqual([item?.['route'], item?.['network'], item?.['amount']], ['/after/*', 'eip155:84532', '10000']);
      const { transitions } = jsonOf(await ask(world, `payments/${item?.['id']}`)) as { transitions: JsonObject[] };
      assert.deepEqual(
        transitions.map(({ from, to }) => [from, to]),
        [
          ['none', 'executing'],
          ['executing', 'settling'],
          ['settling', 'delivered'],
        ],
      );
      for (const { at } of transitions) assert.ok(Math.abs(Number(at) - Date.now() / 1000) < 60, `${at}`);
    }
    await world.gate.stop();
    assert.equal(plant(world.gate, "SELECT id FROM common WHERE route = '/after/*'"), 1);
    await world.gate.restart();
  });

  it('the terms of a payment that waits are a mark in its row, and are sent in full', async () => {
    const payment = await payFor(world, '/before/marked');
    world.facilitator.script(payment.payer, { settle: { kind: 'json', status: 500, body: {} } });
    expectProblem(await send(world, '/before/marked', payment), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
    await world.gate.stop();
    assert.equal(plant(world.gate, MARKED, payment.payer.toLowerCase()), 1);
    await world.gate.restart();
    world.facilitator.script(payment.payer, { settle: { kind: 'good' } });
    await eventually('it is paid', async () => (await send(world, '/before/marked', payment)).status === 200);
    const sent = world.facilitator.of('settle', payment.payer).map(({ body }) => body.toString());
    assert.ok(sent.length > 1 && new Set(sent).size === 1, `${sent.length} times`);
  });

  it('where there is no room for more of these columns, a row has its own', async () => {
    await world.gate.stop();
    plant(world.gate, FULL);
    await world.gate.restart();
    const payment = await payFor(world, '/twin/crowded');
    const first = await send(world, '/twin/crowded', payment, { headers: KEY });
    expectPaid(first, payment);
    const [item] = await rowsOf(world, payment.payer.toLowerCase());
    assert.deepEqual([item?.['route'], item?.['network']], ['/twin/*', 'eip155:84532']);
    await world.gate.stop();
    assert.equal(plant(world.gate, BY_ITSELF, payment.payer.toLowerCase()), 1);
    await world.gate.restart();
    const again = await send(world, '/twin/crowded', payment, { headers: KEY });
    assert.deepEqual([again.headers['payment-replayed'], again.text], ['true', first.text]);
  });

  //
  it('no version reads rows that it does not know: neither an earlier one these, nor this one those of a later one', async () => {
    const payment = await payFor(world, '/dear/later');
    await world.gate.stop();
    assert.throws(() => plant(world.gate, 'SELECT network FROM payments'), /no such column: network/);
    assert.ok(plant(world.gate, "UPDATE meta SET value = value + 1 WHERE name = 'schema'") > 0);
    await world.gate.restart();
    const refused = await send(world, '/dear/later', payment);
    assert.deepEqual([refused.status, jsonOf(refused)['code']], [503, 'ledger_unavailable'], refused.text);
    assert.equal(world.facilitator.of('settle', payment.payer).length, 0);
    await world.gate.stop();
    assert.ok(plant(world.gate, "UPDATE meta SET value = value - 1 WHERE name = 'schema'") > 0);
    await world.gate.restart();
    expectPaid(await send(world, '/dear/later', payment), payment);
  });

  it('a transaction is taken from the moment that it is named, at rest or not, and after a restart', async () => {
    const settled = await payFor(world, '/before/settled');
    expectPaid(await send(world, '/before/settled', settled), settled);
    await borrows('/before/borrows-settled', settled);

    const served = await payFor(world, '/before/served');
    world.origin.script('/before/served', { then: 'hang' });
    const waiting = send(world, '/before/served', served).catch(() => undefined);
    await eventually('the origin is asked', () => world.origin.of('/before/served').length === 1);
    await borrows('/before/borrows-served', served);
    await world.gate.restart('kill');
    await waiting;
    await borrows('/before/borrows-later', served);
    await borrows('/before/borrows-settled-later', settled);
  });

  it('what waits for someone is in an index, which has nothing else, and is listed by it', async () => {
    const settled = await payFor(world, '/before/waited');
    expectPaid(await send(world, '/before/waited', settled), settled);
    await borrows('/before/borrows-waited', settled);
    await world.gate.stop();
    const waits = "state IN ('refund_due', 'manual', 'unknown')";
    const [indexed, all] = ['payments INDEXED BY payments_waiting', 'payments'].map((rows) =>
      plant(world.gate, `SELECT id FROM ${rows} WHERE ${waits}`),
    );
    const unknown = plant(world.gate, "SELECT id FROM payments WHERE state = 'unknown'");
    assert.ok(unknown > 0);
    assert.equal(indexed, all);
    await world.gate.restart();
    const { items } = jsonOf(await ask(world, 'payments?state=unknown&limit=200')) as { items: unknown[] };
    assert.equal(items.length, unknown);
  });
});
