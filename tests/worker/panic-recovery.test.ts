/** What a panic leaves behind: a row that its lease ends, and nothing charged or done twice. Runs a build that panics on request. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { DRILL, expectLost } from './support/drill.ts';
import type { HeaderRow } from './support/raw.ts';
import { eventually, jsonOf, MODES, openWorld, payFor, send, type World } from './support/world.ts';

describe('a payment at work when the instance panics', () => {
  let world: World;
  before(async () => {
    world = await openWorld({ build: DRILL });
  });
  after(() => world.stop());

  for (const mode of MODES) {
    //
    it(`leaves a row that its lease ends, and no second charge (${mode})`, async () => {
      const path = `/${mode}/recovers`;
      const payment = await payFor(world, path);
      world.facilitator.script(payment.payer, { settle: [{ kind: 'good', delayMs: 1500 }, { kind: 'good' }] });
      const secret: HeaderRow = ['Idempotency-Key', 'the-secret-of-this-payer-0123456789'];
      const answer = send(world, path, payment, { headers: [secret] });
      await eventually('it is being settled', () => world.facilitator.of('settle', payment.payer).length === 1);
      await world.gate.raw('GET', '/after/x', [['x-panic', 'gate']]);
      const lost = await answer;
      expectLost(lost);
      await eventually('the log names the request', () =>
        world.gate.printed.includes(`farebox: the work on the request ${lost.headers['x-correlation-id']} was lost`),
      );

      await eventually('the lease is over', async () => {
        const { status, text } = await send(world, path, payment, { headers: [secret] });
        return status === 200 && text.length > 0;
      });
      const [first, second, ...others] = world.facilitator.of('settle', payment.payer).map((call) => call.body.toString());
      assert.deepEqual(others, []);
      assert.equal(second, first, 'the same bytes are sent again');
      assert.equal(world.origin.of(path).length, 1, 'the origin ran once');
      assert.equal(jsonOf(await send(world, path, payment))['code'], 'payment_already_delivered');
    });
  }
});
