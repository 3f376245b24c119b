/**
 * One object with many payments in doubt: its alarm asks at most four neighbours at once, makes no more fetches than
 * the platform allows an invocation, and gets all of them done.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import type { Reply, Script } from './support/facilitator.ts';
import type { LedgerCounts, Value } from './support/gate.ts';
import { ChainNode } from './support/node.ts';
import { plant } from './support/operator.ts';
import type { Payment } from './support/payer.ts';
import { eventually, expectProblem, MODES, openWorld, payFor, send } from './support/world.ts';

const PAYMENTS = 16;
const AT_ONCE = 4;
/** One place is kept for what is sent again. */
const READS_AT_ONCE = 3;
const FETCHES = 32;
/** By itself nothing is due during the test; rows are made older while the gate is off. */
const UNHURRIED: Value = { settle_secs: 10, resend_secs: [600], chain_secs: [600, 600], refund_secs: 600, manual_secs: 86_400 };
/** No payment has this id; who asks for it touches the object and nobody else. */
const NOBODY = '/_farebox/receipts/rcpt_aaaaaaaaaaaaaaaaaaaaaaaaaa';

describe('an alarm with much to do', { concurrency: 2 }, () => {
  //
  it('sends payments again, four at once, until each is settled', async () => {
    const settle: readonly Reply[] = [{ kind: 'destroy' }, { kind: 'destroy' }, { kind: 'good', delayMs: 300 }];
    const counts = await overdue({ aged: 'UPDATE payments SET sent = sent - 600', script: { settle }, fetches: PAYMENTS });
    expectBounded(counts, AT_ONCE);
  });

  it('reads the chain for three payments at once, however many round trips each of them takes', async () => {
    const node = await ChainNode.start();
    node.finds = 'logs';
    try {
      // Heads, states, logs and receipts of each.
      const counts = await overdue({
        node,
        aged: 'UPDATE payments SET sent = sent - 600, resends = 9',
        script: { settle: { kind: 'destroy' } },
        fetches: 4 * PAYMENTS,
      });
      expectBounded(counts, READS_AT_ONCE);
    } finally {
      await node.stop();
    }
  });
});

type Overdue = {
  /** Makes a row be due. */
  readonly aged: string;
  readonly script: Script;
  /** What recovery has to ask of its neighbours in all. */
  readonly fetches: number;
  /** A chain that has every payment. */
  readonly node?: ChainNode;
};

/** Makes payments of one object unknown, has all of them due at once, and waits until the alarm is done with them. */
async function overdue({ aged, script, fetches, node }: Overdue): Promise<LedgerCounts> {
  const persist = mkdtempSync(join(tmpdir(), 'farebox-overdue-'));
  const chain: Readonly<Record<string, Value>> = node === undefined ? {} : { RPC_URL: node.url };
  const world = await openWorld({ probe: true, persist, vars: { RECOVERY: UNHURRIED, LEDGER_SHARDS: 1, ...chain } });
  try {
    const unknown = async (_: unknown, i: number): Promise<Payment> => {
      const path = `/${MODES[i % 2]}/doubt-${i}`;
      const payment = await payFor(world, path);
      world.facilitator.script(payment.payer, script);
      expectProblem(await send(world, path, payment), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
      return payment;
    };
    const payments = await Promise.all(Array.from({ length: PAYMENTS }, unknown));
    await world.gate.stop();
    assert.equal(plant(world.gate, aged), PAYMENTS);
    if (node !== undefined) {
      for (const { payer, nonce } of payments) world.facilitator.settled.add(`${payer.toLowerCase()}/${nonce}`);
      node.facilitator = world.facilitator;
    }
    await world.gate.restart();
    await world.gate.raw('GET', NOBODY, [['Idempotency-Key', 'n'.repeat(30)]]);
    let counts = await world.gate.ledger();
    await eventually(
      'everything was asked',
      async () => {
        counts = await world.gate.ledger();
        const ended = counts.alarms.reduce((sum, { fetched }) => sum + fetched, 0);
        return ended === counts.fetched.length && ended >= fetches;
      },
      60_000,
    );
    assert.equal(counts.fetched.length, fetches);
    await world.gate.stop();
    assert.equal(plant(world.gate, "SELECT key FROM payments WHERE state IN ('delivered', 'settled')"), PAYMENTS);
    return counts;
  } finally {
    await world.stop();
    rmSync(persist, { recursive: true, force: true });
  }
}

function expectBounded({ alarms }: LedgerCounts, atOnceMost: number): void {
  const said = JSON.stringify(alarms);
  assert.equal(Math.max(...alarms.map(({ atOnce }) => atOnce)), atOnceMost, said);
  assert.ok(
    alarms.every(({ fetched }) => fetched <= FETCHES),
    said,
  );
}
