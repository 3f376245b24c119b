/** Records that an object has kept and whose answer never came: the response is served, or waits for its payer's next payment. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { freshPayer } from './support/payer.ts';
import { callsOf, eventually, expectPaid, expectProblem, openWorld, payFor, send, type World } from './support/world.ts';

/** Calls of the ledger object for one payment, up to the last record. */
const CALLS = 3;

describe('answers of the object that get lost', { concurrency: 1 }, () => {
  let world: World;
  before(async () => {
    world = await openWorld({ probe: true });
  });
  after(() => world.stop());

  for (const [mode, at] of [
    ['after', 3],
    ['before', 2],
    ['before', 3],
  ] as const) {
    for (const fault of ['lost', 'down'] as const) {
      //
      it(`a record whose answer is ${fault} is made once more, and its response served (${mode}, call ${at})`, async () => {
        const path = `/${mode}/${fault}-${at}`;
        const payment = await payFor(world, path);
        await world.gate.ledger(fault, at);
        const answer = await send(world, path, payment);
        expectPaid(answer, payment);
        assert.equal(answer.headers['payment-replayed'], undefined);
        assert.equal((await world.gate.ledger('ok')).calls, CALLS + 1);
        assert.deepEqual(callsOf(world, payment.payer, path), { verify: mode === 'after' ? 1 : 0, settle: 1, origin: 1 });
      });
    }
  }

  for (const mode of ['after', 'before'] as const) {
    //
    it(`what was recorded and never sent is fetched by the payer's next payment, which is not charged (${mode})`, async () => {
      const path = `/${mode}/never-sent`;
      const payer = freshPayer();
      const payment = await payFor(world, path, { payer });
      await world.gate.ledger('lost', CALLS, 2);
      expectProblem(await send(world, path, payment), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
      await eventually('the object is told that nothing was sent', async () => (await world.gate.ledger()).calls === CALLS + 2);
      expectProblem(await send(world, path, payment), { status: 409, code: 'payment_already_delivered' });
      const next = await payFor(world, path, { payer });
      const fetched = await send(world, path, next);
      assert.equal(fetched.status, 200, fetched.text.slice(0, 200));
      assert.equal(fetched.headers['payment-replayed'], 'true');
      assert.deepEqual(callsOf(world, payment.payer, path), { verify: mode === 'after' ? 1 : 0, settle: 1, origin: 1 });
    });
  }
});
