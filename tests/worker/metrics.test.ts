/** Counters of routes that came and went leave those that an operator looks at. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';

import { ask, plant } from './support/operator.ts';
import { eventually, expectPaid, openWorld, payFor, send } from './support/world.ts';

/** More than one answer ever had. */
const GONE = 4_200;
/** Counters of a family with routes that are kept; one more is that of all others. */
const KEPT = 1_500;
const plantSeries = (family: string, rest: string) =>
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${GONE})
   INSERT INTO meters SELECT '${family}{route="/s/gone-' || i || '"${rest}}', 1 FROM n RETURNING series`;

//
it('counters of thousands of routes that came and went hide no other ones, and go on as one', async () => {
  const persist = mkdtempSync(join(tmpdir(), 'farebox-metrics-'));
  const world = await openWorld({ persist });
  try {
    const metrics = async () => (await ask(world, 'metrics')).text;
    const lines = (text: string, start: string) => text.split('\n').filter((line) => line.startsWith(start));
    const sum = (text: string, start: string) => lines(text, start).reduce((all, line) => all + Number(line.split(' ').at(-1)), 0);
    const buy = async (path = '/after/counted') => {
      const payment = await payFor(world, path);
      expectPaid(await send(world, path, payment), payment);
    };
    for (let turn = 0; turn < 3; turn += 1) await buy();
    const own = 'farebox_challenges_total{route="/after/*"}';
    const facilitator = 'farebox_facilitator_seconds_count{op="settle"}';
    await eventually('the counters are handed over', async () => sum(await metrics(), facilitator) >= 3 && sum(await metrics(), own) >= 3);
    await world.gate.stop();
    assert.ok(plant(world.gate, plantSeries('farebox_challenges_total', '')) >= GONE);
    assert.ok(plant(world.gate, plantSeries('farebox_diagnostics_total', ',code="PAYMENT_UNVERIFIED"')) >= GONE);
    await world.gate.restart();
    const text = await metrics();
    assert.ok(sum(text, facilitator) >= 3, 'the facilitator is shown');
    assert.ok(sum(text, own) >= 3, 'what was counted more often is shown');
    assert.equal(lines(text, 'farebox_challenges_total{').length, KEPT + 1);
    assert.equal(lines(text, 'farebox_diagnostics_total{').length, KEPT + 1);
    assert.equal(sum(text, 'farebox_challenges_total{'), GONE + sum(text, own), 'nothing is counted less');
    const others = sum(text, 'farebox_challenges_total{route="other"}');
    assert.ok(others > GONE - KEPT - 10, String(others));
    assert.ok(lines(text, 'farebox_diagnostics_total{route="other",code="PAYMENT_UNVERIFIED"}').length === 1);
    // What comes anew is counted by its name, and what counts least goes on with the others.
    await buy('/before/new');
    const route = 'farebox_challenges_total{route="/before/*"}';
    await eventually('a new route is shown', async () => sum(await metrics(), route) === 1);
    const later = await metrics();
    assert.equal(lines(later, 'farebox_challenges_total{').length, KEPT + 1);
    assert.equal(sum(later, 'farebox_challenges_total{'), sum(text, 'farebox_challenges_total{') + 1);
  } finally {
    await world.stop();
    rmSync(persist, { recursive: true, force: true });
  }
});
