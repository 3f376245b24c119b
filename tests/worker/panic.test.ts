/**
 * A panic anywhere in the compiled gate, or an exception that comes through it: everybody who waits is told at once, nobody hangs, and the next request works.
 * Runs a build that panics on request, and no other file beside it, because it compares milliseconds.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { DRILL, expectLost } from './support/drill.ts';
import type { Answer } from './support/raw.ts';
import { eventually, expectFreshTerms, expectPaid, MODES, type Mode, openWorld, payFor, QUICK, send, type World } from './support/world.ts';

/** What the answers take on a machine that does nothing else, in milliseconds and in paid requests; one that is busy may be late once. */
const SOON_MS = 50;
const SOON_PAYMENTS = 3;
const LATE_MS = 4_000;
/** When the neighbours would be answered: later than any of that. */
const SETTLE_MS = 8_000;

describe('a panic', () => {
  let world: World;
  const took: number[] = [];
  const paid: number[] = [];
  before(async () => {
    world = await openWorld({ build: DRILL, vars: { RECOVERY: { ...QUICK, settle_secs: (2 * SETTLE_MS) / 1000 } } });
    await world.gate.raw('GET', '/after/warm');
  });
  after(() => world.stop());

  const places = [
    ['while a request is admitted', 'gate', 'x-panic'],
    ['after a payment was claimed', 'claimed', 'x-panic'],
    ['in the ledger object', 'object', 'x-panic'],
    ['by an exception of JavaScript while a request is admitted', 'gate', 'x-throw'],
    ['by an exception of JavaScript after a payment was claimed', 'claimed', 'x-throw'],
  ] as const;

  for (const [where, place, how] of places) {
    // A-133, I-21
    it(`${where} is answered 500 at once, for it and its neighbours`, async () => {
      const neighbours = await Promise.all(MODES.map((mode) => slowNeighbour(mode, `${place}-${how}`)));
      // An object is told the URL.
      const path = place === 'object' ? '/after/drill-here' : `/after/${how}-${place}`;
      const payment = await payFor(world, path);
      const answers = neighbours.map(({ answer }) => answer);
      await eventually('the neighbours are being settled', () =>
        neighbours.every(({ payer }) => world.facilitator.of('settle', payer).length === 1),
      );

      const started = performance.now();
      const lost = await send(world, path, payment, place === 'object' ? {} : { headers: [[how, place]] });
      const lostMs = performance.now() - started;
      expectLost(lost);
      for (const answer of await Promise.all(answers)) expectLost(answer);
      const allMs = performance.now() - started;
      assert.ok(lostMs <= LATE_MS, `answered after ${lostMs.toFixed(1)} ms`);
      assert.ok(allMs <= LATE_MS, `the neighbours heard after ${allMs.toFixed(1)} ms`);
      took.push(allMs);

      expectFreshTerms(await world.gate.raw('GET', path));
      const nextPath = `/after/next-${how}-${place}`;
      const next = await payFor(world, nextPath);
      const asked = performance.now();
      expectPaid(await send(world, nextPath, next), next);
      paid.push(performance.now() - asked);
    });
  }

  it('is answered within 50 ms, as a rule, or in the time of three payments on a slow machine', () => {
    assert.equal(took.length, places.length);
    const soon = Math.max(SOON_MS, SOON_PAYMENTS * medianOf(paid));
    assert.ok(medianOf(took) <= soon, `${took.map((ms) => ms.toFixed(1)).join(', ')} against ${soon.toFixed(1)}`);
  });

  it('cannot be asked for where the gate is deployed', async () => {
    const deployed = await openWorld();
    try {
      for (const place of ['gate', 'claimed']) {
        const payment = await payFor(deployed, `/after/drill-here-${place}`);
        expectPaid(
          await send(deployed, `/after/drill-here-${place}`, payment, {
            headers: [
              ['x-panic', place],
              ['x-throw', place],
            ],
          }),
          payment,
        );
      }
    } finally {
      await deployed.stop();
    }
  });

  async function slowNeighbour(mode: Mode, place: string): Promise<{ payer: string; answer: Promise<Answer> }> {
    const path = `/${mode}/neighbour-${place}`;
    const payment = await payFor(world, path);
    world.facilitator.script(payment.payer, { settle: { kind: 'good', delayMs: SETTLE_MS } });
    return { payer: payment.payer, answer: send(world, path, payment) };
  }
});

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
