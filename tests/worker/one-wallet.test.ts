/** Users and agents who pay with one wallet: what one of them has paid for is handed to no other one, and holds none of them back. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { rowsOf } from './support/operator.ts';
import { freshPayer } from './support/payer.ts';
import type { HeaderRow } from './support/raw.ts';
import { eventually, expectPaid, expectProblem, MODES, openWorld, payFor, QUICK, send, type World } from './support/world.ts';

const NAMES: Readonly<Record<string, (user: string) => readonly HeaderRow[]>> = {
  'keys of their own': (user) => [['Idempotency-Key', `order-of-${user}-0123456789abcdef`]],
  'credentials of their own': (user) => [['Authorization', `Bearer ${user}`]],
  'empty keys': (user) => [
    ['Idempotency-Key', ''],
    ['Authorization', `Bearer ${user}`],
  ],
};

describe('two users of one wallet', { concurrency: true }, () => {
  let world: World;
  before(async () => {
    world = await openWorld({ vars: { RECOVERY: QUICK } });
  });
  after(() => world.stop());

  for (const mode of MODES) {
    for (const [what, headersOf] of Object.entries(NAMES)) {
      //
      it(`have each their own answer, where the first one's payment was in doubt (${mode}, ${what})`, async () => {
        const [target, payer] = [`/${mode}/inbox-${what.slice(0, 3)}`, freshPayer()];
        const settles = (): number => world.facilitator.of('settle', payer.address).length;
        const [alice, bob] = ['alice', 'bob'].map((user) => ({ headers: headersOf(user) }));
        const first = await payFor(world, target, { payer });
        world.facilitator.script(payer.address, { settle: { kind: 'destroy' } });
        expectProblem(await send(world, target, first, alice), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
        world.facilitator.script(payer.address, {});
        await eventually(
          'it turns out to be paid',
          async () => ['delivered', 'settled'].includes(String((await rowsOf(world, payer.address.toLowerCase()))[0]?.['state'])),
          30_000,
        );
        const [asked, settled] = [world.origin.of(target).length, settles()];
        const second = await payFor(world, target, { payer });
        const theirs = await send(world, target, second, bob);
        expectPaid(theirs, second);
        assert.equal(theirs.headers['payment-replayed'], undefined);
        assert.deepEqual([world.origin.of(target).length, settles()], [asked + 1, settled + 1]);
        // The first one signs anew, and is served by what they have paid.
        const third = await payFor(world, target, { payer });
        assert.equal((await send(world, target, third, alice)).status, 200);
        assert.equal(settles(), settled + 1, 'one purchase is one charge');
      });
    }
  }
});
