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
});
