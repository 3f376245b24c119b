/**
 * A panic anywhere in the compiled gate: everybody who waits is told at once, nobody hangs, nothing is
 * delivered twice, and the next request works. Runs a build that panics on request.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import type { Answer, HeaderRow } from './support/raw.ts';
import { MODES, eventually, expectFreshTerms, expectPaid, jsonOf, openWorld, payFor, send, type Mode, type World } from './support/world.ts';

const DRILL = process.env['FAREBOX_DRILL_BUILD'] ?? 'build/panic-drill';
/** What the answers take on a machine that does nothing else; one that is busy may be late once. */
const SOON_MS = 50;
const LATE_MS = 1000;

describe('a panic', () => {
  let world: World;
  const took: number[] = [];
  before(async () => {
    world = await openWorld({ build: DRILL });
    await world.gate.raw('GET', '/after/warm');
  });
  after(() => world.stop());

  const places = [
    ['while a request is admitted', 'gate'],
    ['after a payment was claimed', 'claimed'],
    ['in the ledger object', 'object'],
  ] as const;

  for (const [where, place] of places) {
    it(`${where} is answered 500 at once, for it and its neighbours`, async () => {
      const neighbours = await Promise.all(MODES.map((mode) => slowNeighbour(mode, place)));
      const path = `/after/panic-${place}`;
      const payment = await payFor(world, path, place === 'object' ? { identifier: 'drill-here-0123456789' } : {});
      const answers = neighbours.map(({ answer }) => answer);
      await eventually('the neighbours are being settled', () => neighbours.every(({ payer }) => world.facilitator.of('settle', payer).length === 1));

      const started = performance.now();
      const lost = await send(world, path, payment, place === 'object' ? {} : { headers: [['x-panic', place]] });
      const lostMs = performance.now() - started;
      expectLost(lost);
      for (const answer of await Promise.all(answers)) expectLost(answer);
      const allMs = performance.now() - started;
      assert.ok(lostMs <= LATE_MS, `answered after ${lostMs.toFixed(1)} ms`);
      assert.ok(allMs <= LATE_MS, `the neighbours heard after ${allMs.toFixed(1)} ms`);
      took.push(allMs);

      expectFreshTerms(await world.gate.raw('GET', path));
      const next = await payFor(world, `${path}/next`);
      expectPaid(await send(world, `${path}/next`, next), next);
    });
  }

  it('is answered within 50 ms, as a rule', () => {
    assert.equal(took.length, places.length);
    const [, median] = took.toSorted((a, b) => a - b);
    assert.ok(median !== undefined && median <= SOON_MS, took.map((ms) => ms.toFixed(1)).join(', '));
  });

  for (const mode of MODES) {
    it(`leaves a row that its lease ends, and no second charge (${mode})`, async () => {
      const path = `/${mode}/recovers`;
      const payment = await payFor(world, path);
      world.facilitator.script(payment.payer, { settle: [{ kind: 'good', delayMs: 1500 }, { kind: 'good' }] });
      const secret: HeaderRow = ['Idempotency-Key', 'the-secret-of-this-payer-0123456789'];
      const answer = send(world, path, payment, { headers: [secret] });
      await eventually('it is being settled', () => world.facilitator.of('settle', payment.payer).length === 1);
      await world.gate.raw('GET', '/after/x', [['x-panic', 'gate']]);
      expectLost(await answer);

      await eventually('the lease is over', async () => {
        const { status, text } = await send(world, path, payment, { headers: [secret] });
        return status === 200 && text.length > 0;
      }, 20_000);
      const [first, second, ...others] = world.facilitator.of('settle', payment.payer).map((call) => call.body.toString());
      assert.deepEqual(others, []);
      assert.equal(second, first, 'the same bytes are sent again');
      assert.equal(world.origin.of(path).length, 1, 'the origin ran once');
      assert.equal(jsonOf(await send(world, path, payment))['code'], 'payment_already_delivered');
    });
  }

  it('cannot be asked for where the gate is deployed', async () => {
    const deployed = await openWorld();
    try {
      for (const place of ['gate', 'claimed']) {
        const payment = await payFor(deployed, `/after/${place}`, { identifier: 'drill-here-0123456789' });
        expectPaid(await send(deployed, `/after/${place}`, payment, { headers: [['x-panic', place]] }), payment);
      }
    } finally {
      await deployed.stop();
    }
  });

  async function slowNeighbour(mode: Mode, place: string): Promise<{ payer: string; answer: Promise<Answer> }> {
    const path = `/${mode}/neighbour-${place}`;
    const payment = await payFor(world, path);
    world.facilitator.script(payment.payer, { settle: { kind: 'good', delayMs: 1500 } });
    return { payer: payment.payer, answer: send(world, path, payment) };
  }
});

function expectLost(answer: Answer): void {
  assert.equal(answer.status, 500, answer.text);
  assert.equal(jsonOf(answer)['code'], 'internal');
  assert.equal(answer.headers['cache-control'], 'no-store');
}
