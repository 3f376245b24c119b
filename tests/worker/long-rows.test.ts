/**
 * Rows that would cost their object more than themselves: one that begins again and again, and one that cannot be written.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { ask, plant, rowsOf } from './support/operator.ts';
import { freshPayer } from './support/payer.ts';
import { eventually, expectPaid, expectProblem, jsonOf, openWorld, payFor, send } from './support/world.ts';

type Step = { readonly from: string; readonly to: string };

/** More than the history of a row keeps whole. */
const ROUNDS = 220;
/** By itself nothing is due during the test. */
const UNHURRIED = { settle_secs: 10, resend_secs: [600], chain_secs: [600, 600], refund_secs: 600, manual_secs: 86_400 };
/** Milliseconds in which an alarm has done what is due. */
const SOON_MS = 20_000;

describe('a row of one payer', () => {
  //
  it('stays short however often its payment begins again', async () => {
    const persist = mkdtempSync(join(tmpdir(), 'farebox-long-'));
    const world = await openWorld({ persist });
    try {
      const path = '/after/anew';
      const payer = freshPayer();
      const nonce = `0x${'5a'.repeat(32)}` as const;
      world.origin.script(path, { status: 404 });
      for (let round = 0; round < ROUNDS; round += 1) {
        // Another signature of the same nonce each time.
        const payment = await payFor(world, path, { payer, nonce, validForSecs: 50 - 20 * (round % 2) });
        assert.equal((await send(world, path, payment)).status, 404);
      }
      const [row] = await rowsOf(world, payer.address);
      const found = jsonOf(await ask(world, `payments/${String(row?.['id'])}`));
      const steps = found['transitions'] as readonly Step[];
      assert.deepEqual([steps[0]?.from, steps[0]?.to], ['none', 'executing']);
      assert.equal(steps.at(-1)?.to, 'abandoned');
      assert.ok(steps.length < 2 * ROUNDS, String(steps.length));
      assert.equal(steps.filter(({ from }) => from === '…').length, 1);
      await world.gate.stop();
      assert.equal(plant(world.gate, 'SELECT key FROM payments WHERE length(history) < 8100'), 1);
    } finally {
      await world.stop();
      rmSync(persist, { recursive: true, force: true });
    }
  });

  //
  it('holds up no other where it cannot be written', async () => {
    const persist = mkdtempSync(join(tmpdir(), 'farebox-unwritable-'));
    const world = await openWorld({ persist, vars: { RECOVERY: UNHURRIED, LEDGER_SHARDS: 1 } });
    try {
      const payments = [];
      for (const name of ['stuck', 'other']) {
        const path = `/before/${name}`;
        const payment = await payFor(world, path);
        world.facilitator.script(payment.payer, { settle: [{ kind: 'destroy' }, { kind: 'destroy' }, { kind: 'good' }] });
        expectProblem(await send(world, path, payment), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
        payments.push(payment);
      }
      const [stuck, other] = payments;
      assert.ok(stuck !== undefined && other !== undefined);
      await world.gate.stop();
      plant(world.gate, 'UPDATE payments SET sent = sent - 600');
      // It comes first.
      assert.equal(plant(world.gate, 'UPDATE payments SET sent = sent - 100 WHERE lower(payer) = ?', stuck.payer.toLowerCase()), 1);
      const refuse = `CREATE TRIGGER stuck BEFORE UPDATE ON payments WHEN lower(old.payer) = '${stuck.payer.toLowerCase()}'
        BEGIN SELECT RAISE(ABORT, 'string or blob too big'); END`;
      plant(world.gate, refuse);
      await world.gate.restart();
      const paid = async () => (await rowsOf(world, other.payer)).every(({ state }) => state === 'settled');
      await eventually('the other one is settled', paid, SOON_MS);
      expectPaid(await send(world, '/before/other', other), other);
      const [left] = await rowsOf(world, stuck.payer);
      assert.equal(left?.['state'], 'unknown', JSON.stringify(left));
    } finally {
      await world.stop();
      rmSync(persist, { recursive: true, force: true });
    }
  });
});
