/** What a payment costs the ledger: its calls and every row that they write, index rows and alarms with them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { measuredCosts } from '../../scripts/costs.mjs';

import type { HeaderRow } from './support/raw.ts';
import { eventually, expectPaid, MODES, type Mode, openWorld, payFor, send, type World } from './support/world.ts';

const SECRET_ID = 'pay_fedcba9876543210fedcba9876543210';
const SSE = { headers: { 'Content-Type': 'text/event-stream' }, body: ['data: one\n\n', 'data: two\n\n'], everyMs: 20 };
const COSTS = measuredCosts();
/** Claim, seal and outcome write the row; the last of them notes its transaction too. */
const ORDINARY = { calls: 3, payments: 4 };
/** For what is written behind the answer: the end of a stream, and whatever should not be. */
const TRAILING_MS = 300;

describe('writes', () => {
  let world: World;
  before(async () => {
    world = await openWorld({ probe: true, vars: { LEDGER_SHARDS: 1, RECOVERY: { settle_secs: 20 } } });
    // The tables are there, and the alarm stands for the earliest that can be due.
    for (const mode of MODES) await writesOf(mode, 'first');
    await eventually('the objects of the counts are there too', async () => (await world.gate.ledger()).handovers.length > 1);
  });
  after(() => world.stop());

  /** Calls and writes of one paid request, which makes so many calls. */
  async function writesOf(
    mode: Mode,
    name: string,
    identifier?: string,
    rows: readonly HeaderRow[] = [],
    calls = ORDINARY.calls,
  ): Promise<unknown> {
    const path = `/${mode}/${name}`;
    const payment = await payFor(world, path, identifier === undefined ? {} : { identifier });
    await world.gate.ledger('ok');
    expectPaid(await send(world, path, payment, { headers: rows }), payment);
    await eventually('all calls are made', async () => (await counts())['calls'] === calls);
    await new Promise((resolve) => setTimeout(resolve, TRAILING_MS));
    return counts();
  }

  /** Without what is counted of clients, which goes to objects at its own time. */
  async function counts(): Promise<Record<string, number>> {
    const {
      calls,
      alarms,
      writes: { attempts: _attempts, meters: _meters, setAlarm = 0, ...writes },
    } = await world.gate.ledger();
    // An alarm that is due meanwhile, on a slow machine, sets the next one.
    const moved = setAlarm - alarms.length;
    return { calls, ...writes, ...(moved > 0 ? { setAlarm: moved } : {}) };
  }

  it('the costs that the documents name are counted so', () => {
    assert.deepEqual([COSTS.calls, COSTS.rows.after, COSTS.rows.before, COSTS.rows.stream], [3, 4, 4, 5]);
  });

  for (const mode of MODES) {
    it(`a payment writes its row three times, and its transaction once (${mode})`, async () => {
      assert.deepEqual(await writesOf(mode, 'plain'), ORDINARY);
    });

    it(`an identifier or a key adds no write (${mode})`, async () => {
      assert.deepEqual(await writesOf(mode, 'identified', SECRET_ID), ORDINARY);
      const rows: readonly HeaderRow[] = [['Idempotency-Key', 'w'.repeat(22)]];
      assert.deepEqual(await writesOf(mode, 'keyed', undefined, rows), ORDINARY);
    });

    it(`a body that flows is not written, its end is (${mode})`, async () => {
      world.origin.script(`/${mode}/flowing`, SSE);
      assert.deepEqual(await writesOf(mode, 'flowing', undefined, [], 4), { calls: 4, payments: 5 });
    });

    it(`the first repeat writes its row once, a later one and a question for the price nothing (${mode})`, async () => {
      const path = `/${mode}/repeated`;
      const payment = await payFor(world, path, { identifier: `${SECRET_ID}${mode}` });
      expectPaid(await send(world, path, payment), payment);
      // The row, and its transaction in the index.
      for (const written of [{ payments: 2 }, {}]) {
        await world.gate.ledger('ok');
        const again = await send(world, path, payment);
        expectPaid(again, payment);
        assert.equal(again.headers['payment-replayed'], 'true');
        assert.equal((await send(world, path, undefined)).status, 402);
        await new Promise((resolve) => setTimeout(resolve, TRAILING_MS));
        assert.deepEqual(await counts(), { calls: 1, ...written });
      }
    });
  }
});
