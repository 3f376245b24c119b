/** A payer with an unknown or refused payment shows a payment of their own terms: it buys nothing, whatever stands in the ledger. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { freshPayer, pay, requiredBy } from './support/payer.ts';
import { openWorld, payFor, send, type World } from './support/world.ts';

const STANDINGS = {
  'whose settlement is unknown': { status: 503, reply: { kind: 'destroy' } },
  'whose settlement was refused': {
    status: 402,
    reply: { kind: 'json', body: { success: false, errorReason: 'insufficient_funds', transaction: '', network: 'eip155:84532' } },
  },
} as const;

describe("terms of the payer's own", { concurrency: 2 }, () => {
  let world: World;
  before(async () => {
    world = await openWorld({ vars: { RECOVERY: { settle_secs: 2 } } });
  });
  after(() => world.stop());

  for (const [standing, { status, reply }] of Object.entries(STANDINGS)) {
    for (const mode of ['after', 'before']) {
      //
      it(`buy nothing for a payer ${standing} (${mode})`, async () => {
        const payer = freshPayer();
        const first = await payFor(world, '/before/first', { payer });
        world.facilitator.script(payer.address, { settle: reply });
        assert.equal((await send(world, '/before/first', first)).status, status);
        world.facilitator.script(payer.address, {});
        const settled = world.facilitator.of('settle', payer.address).length;

        const path = `/${mode}/own-${standing.length}`;
        const required = requiredBy(await world.gate.raw('GET', path));
        const own = required.accepts.map((terms) => ({ ...terms, amount: '1', payTo: payer.address }));
        const payment = await pay(payer, { ...required, accepts: own });
        const answer = await send(world, path, payment);
        assert.equal(answer.status, 402, answer.text);
        assert.equal(answer.headers['payment-response'], undefined);
        assert.equal(world.origin.of(path).length, 0, 'the origin is not asked');
        assert.equal(world.facilitator.of('settle', payer.address).length, settled, 'nothing is settled');
      });
    }
  }
});
