/** A payment for what a route asked before its terms changed: what the ledger knows of it is told, never new terms. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import type { Value } from './support/gate.ts';
import { freshPayer, requiredBy } from './support/payer.ts';
import {
  callsOf,
  eventually,
  expectCalls,
  expectFreshTerms,
  expectPaid,
  expectProblem,
  MODES,
  NO_CALLS,
  nextNumber,
  openWorld,
  ordinaryCalls,
  payFor,
  send,
  type World,
} from './support/world.ts';

const SECRET = [['Idempotency-Key', 'f'.repeat(30)]] as const;
const OTHER_PAYEE = '0x209693Bc6afc0C5328bA36FaF03C514EF312287C';
const common = { max_timeout_secs: 60, origin_timeout_secs: 2 };

/** Both routes as they are at first, and with one thing of their terms changed. */
const tables: Readonly<Record<string, readonly Value[]>> = {
  'another price': MODES.map((mode) => ({ path: `/${mode}/*`, price: '$0.02', settle: mode, ...common })),
  'another payee': MODES.map((mode) => ({ path: `/${mode}/*`, price: '$0.01', settle: mode, pay_to: OTHER_PAYEE, ...common })),
  'another time': MODES.map((mode) => ({ path: `/${mode}/*`, price: '$0.01', settle: mode, ...common, max_timeout_secs: 70 })),
  'another mode': MODES.map((mode) => ({ path: `/${mode}/*`, price: '$0.01', settle: mode === 'after' ? 'before' : 'after', ...common })),
};

let world: World;
const first = MODES.map((mode) => ({ path: `/${mode}/*`, price: '$0.01', settle: mode, ...common }));

before(async () => {
  world = await openWorld({ routes: first });
});
after(() => world.stop());

for (const [name, table] of Object.entries(tables)) {
  describe(`a route with ${name}`, () => {
    for (const mode of MODES) {
      it(`tells what became of a payment for its former terms, ${mode}`, async () => {
        await world.gate.restart('dispose', { vars: { ROUTES: JSON.stringify(first) } });
        const paths = ['unknown', 'delivered', 'new'].map((what) => `/${mode}/${what}-${nextNumber()}`);
        const [unknownPath = '', deliveredPath = '', newPath = ''] = paths;
        const payer = freshPayer();
        const [unknown, delivered, unseen] = [
          await payFor(world, unknownPath, { payer }),
          await payFor(world, deliveredPath),
          await payFor(world, newPath),
        ];
        world.facilitator.script(payer.address, { settle: { kind: 'destroy' } });
        expectProblem(await send(world, unknownPath, unknown, { headers: SECRET }), {
          status: 503,
          code: 'settlement_unknown',
          retryAfter: 5,
        });
        expectPaid(await send(world, deliveredPath, delivered, { headers: SECRET }), delivered);
        expectCalls(world, delivered.payer, deliveredPath, ordinaryCalls(mode));

        await world.gate.restart('dispose', { vars: { ROUTES: JSON.stringify(table) } });
        const again = await send(world, unknownPath, unknown, { headers: SECRET });
        expectProblem(again, { status: 503, code: 'settlement_unknown', retryAfter: 5 });
        world.facilitator.script(payer.address, {});
        await eventually(
          'the unknown one is found out and delivered',
          async () => {
            const answer = await send(world, unknownPath, unknown, { headers: SECRET });
            if (answer.status === 200) expectPaid(answer, unknown);
            return answer.status === 200;
          },
          60_000,
        );
        assert.equal(world.facilitator.settled.has(`${payer.address.toLowerCase()}/${unknown.nonce.toLowerCase()}`), true);
        assert.equal(world.origin.of(unknownPath).length, 1);

        const replay = await send(world, deliveredPath, delivered, { headers: SECRET });
        expectPaid(replay, delivered);
        assert.equal(replay.headers['payment-replayed'], 'true');
        expectCalls(world, delivered.payer, deliveredPath, ordinaryCalls(mode));

        const answer = await send(world, newPath, unseen);
        if (name === 'another mode' && mode === 'before') {
          // Who agreed to be charged in advance agrees to be charged later.
          expectPaid(answer, unseen);
          return;
        }
        const now = requiredBy(await world.gate.raw('GET', newPath));
        const { required } = expectFreshTerms(answer);
        assert.deepEqual(required.accepts, now.accepts, 'the terms of today');
        assert.deepEqual(callsOf(world, unseen.payer, newPath), NO_CALLS);
      });
    }
  });
}
