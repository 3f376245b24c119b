/** Free requests of a day: counted once over isolates, restarts and races, and never without the ledger. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import type { Value } from './support/gate.ts';
import { loseAlarms, PURGE_NOW, plant } from './support/operator.ts';
import type { Answer } from './support/raw.ts';
import { eventually, expectFreshTerms, openWorld, type World, type WorldOptions } from './support/world.ts';

const DAY_SECS = 86_400;
const common = { price: '$0.01', max_timeout_secs: 60, origin_timeout_secs: 2 };
const ROUTES: readonly Value[] = [
  { path: '/daily/*', free: { per_day: 5 }, ...common },
  { path: '/paid/*', ...common },
];

/** A world at noon, so that no day ends meanwhile. */
async function within<T>(options: WorldOptions, work: (world: World) => Promise<T>): Promise<T> {
  const world = await openWorld({ probe: true, routes: ROUTES, ...options });
  try {
    await toNoon(world);
    return await work(world);
  } finally {
    await world.stop();
  }
}

async function toNoon(world: World): Promise<void> {
  const now = await world.gate.ahead(0);
  await world.gate.ahead((DAY_SECS * 3) / 2 - (now % DAY_SECS));
}

/** Waits for the true day to end if it is about to. */
async function awayFromMidnight(): Promise<void> {
  const rest = DAY_SECS - ((Date.now() / 1000) % DAY_SECS);
  if (rest < 50) await new Promise((resolve) => setTimeout(resolve, (rest + 1) * 1000));
}

function ask(world: World, path: string, address: string): Promise<Answer> {
  return world.gate.raw('GET', path, [['CF-Connecting-IP', address]]);
}

/** What is left after a free request; `payment` for one that is asked to pay. */
function left(answer: Answer): string | undefined {
  if (answer.status === 402) {
    expectFreshTerms(answer, 'payment_required');
    return 'payment';
  }
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['cache-control'], 'private, no-store');
  return answer.headers['farebox-free-remaining'];
}

async function leftOf(world: World, times: number, path: string, address: string): Promise<(string | undefined)[]> {
  const all: (string | undefined)[] = [];
  for (let turn = 0; turn < times; turn += 1) all.push(left(await ask(world, path, address)));
  return all;
}

describe('free requests of a day', { concurrency: 2 }, () => {
  it('so many pass, the rest pay, and a flood costs no call of an object', () =>
    within({ vars: { LEDGER_SHARDS: 1 } }, async (world) => {
      // The tables are there.
      await ask(world, '/daily/first', '192.0.2.200');
      await world.gate.ledger('ok');
      assert.deepEqual(await leftOf(world, 7, '/daily/a', '192.0.2.1'), ['4', '3', '2', '1', '0', 'payment', 'payment']);
      const { calls, writes } = await world.gate.ledger('ok');
      assert.equal(calls, 6, 'the sixth learns that nothing is left');
      assert.equal(writes['quota'], 5, 'one row is written for each free one');
      await leftOf(world, 20, '/daily/b', '192.0.2.1');
      assert.equal((await world.gate.ledger()).calls, 0);
      assert.deepEqual(await leftOf(world, 1, '/daily/a', '192.0.2.2'), ['4'], 'another client');
      assert.equal(world.origin.of().length, 7);
    }));

  it('requests at once share what there is', () =>
    within({}, async (world) => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(world, '/daily/race', '192.0.2.1')));
      const seen = answers.map(left).sort();
      assert.deepEqual(seen.slice(0, 5), ['0', '1', '2', '3', '4']);
      assert.deepEqual(new Set(seen.slice(5)), new Set(['payment']));
      assert.equal(world.origin.of('/daily/race').length, 5);
    }));

  it('isolates count together, and a killed one forgets nothing', async () => {
    // The second Worker has the true clock, and so has the first one.
    await awayFromMidnight();
    const world = await openWorld({ probe: true, routes: ROUTES, beside: {} });
    try {
      const both = async (path: string) => {
        const connection = await world.gate.connect(world.gate.besideUrl);
        try {
          return left(await connection.send({ method: 'GET', target: path, headers: [['CF-Connecting-IP', '192.0.2.9']] }));
        } finally {
          connection.close();
        }
      };
      assert.deepEqual(await leftOf(world, 2, '/daily/x', '192.0.2.9'), ['4', '3']);
      assert.equal(await both('/daily/x'), '2');
      await world.gate.restart('kill');
      assert.deepEqual(await leftOf(world, 1, '/daily/x', '192.0.2.9'), ['1']);
      assert.equal(await both('/daily/x'), '0');
      assert.deepEqual(await leftOf(world, 1, '/daily/x', '192.0.2.9'), ['payment']);
      assert.equal(await both('/daily/x'), 'payment');
    } finally {
      await world.stop();
    }
  });

  it('without the ledger nothing is free, and a lost answer counts', () =>
    within({}, async (world) => {
      for (const fault of ['down', 'overloaded'] as const) {
        await world.gate.ledger(fault);
        assert.deepEqual(await leftOf(world, 1, '/daily/down', '192.0.2.1'), ['payment'], fault);
      }
      await world.gate.ledger('lost');
      assert.deepEqual(await leftOf(world, 1, '/daily/down', '192.0.2.1'), ['payment']);
      await world.gate.ledger('ok');
      assert.deepEqual(await leftOf(world, 5, '/daily/down', '192.0.2.1'), ['3', '2', '1', '0', 'payment']);
      assert.equal(world.origin.of('/daily/down').length, 4);
    }));

  it('a new day begins at midnight UTC', () =>
    within({}, async (world) => {
      assert.deepEqual(await leftOf(world, 6, '/daily/days', '192.0.2.1'), ['4', '3', '2', '1', '0', 'payment']);
      await world.gate.ahead(DAY_SECS / 2 - 60);
      assert.deepEqual(await leftOf(world, 1, '/daily/days', '192.0.2.1'), ['payment']);
      await world.gate.ahead(120);
      assert.deepEqual(await leftOf(world, 1, '/daily/days', '192.0.2.1'), ['4']);
    }));

  it('counts are removed by the alarm two days after their own', async () => {
    await awayFromMidnight();
    const persist = mkdtempSync(join(tmpdir(), 'farebox-quota-'));
    const world = await openWorld({ probe: true, routes: ROUTES, persist, vars: { LEDGER_SHARDS: 1 } });
    try {
      for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) await ask(world, '/daily/old', address);
      await world.gate.stop();
      const clients = 'SELECT client FROM quota ORDER BY client LIMIT 1';
      assert.equal(plant(world.gate, `UPDATE quota SET day = day - 3 WHERE client = (${clients})`), 1);
      assert.equal(plant(world.gate, `UPDATE quota SET day = day - 2 WHERE client = (${clients} OFFSET 1)`), 1);
      assert.equal(plant(world.gate, PURGE_NOW), 1);
      loseAlarms(world.gate);
      await world.gate.restart();
      await eventually(
        'the alarm has come',
        async () => {
          await world.gate.scheduled();
          return (await world.gate.ledger()).alarms.length > 0;
        },
        60_000,
      );
      await world.gate.stop();
      const today = Math.floor(Date.now() / 1000 / DAY_SECS);
      assert.equal(plant(world.gate, 'SELECT day FROM quota'), 2, 'the oldest alone is removed');
      assert.equal(plant(world.gate, 'SELECT day FROM quota WHERE day <= ?', today - 3), 0);
    } finally {
      await world.stop();
      rmSync(persist, { recursive: true, force: true });
    }
  });

  it('what was free is used, whatever the origin makes of it', () =>
    within({}, async (world) => {
      world.origin.script('/daily/bad', { status: 503, body: 'no' }, { then: 'reset' });
      const failed = await ask(world, '/daily/bad', '192.0.2.1');
      assert.deepEqual([failed.status, failed.headers['farebox-free-remaining']], [503, '4']);
      const lost = await ask(world, '/daily/bad', '192.0.2.1');
      assert.deepEqual([lost.status, lost.headers['farebox-free-remaining']], [502, '3']);
    }));
});
