/** Payers who may not pay: nobody is asked on their behalf, and what they have paid for stays theirs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { rowsOf } from './support/operator.ts';
import { freshPayer } from './support/payer.ts';
import { callsOf, expectCalls, expectPaid, expectProblem, MODES, NO_CALLS, openWorld, payFor, send, type World } from './support/world.ts';

const IDENTIFIER = 'pay_0123456789abcdef0123456789abcdef';

async function within<T>(world: World, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await world.stop();
  }
}

describe('denied payers', () => {
  for (const mode of MODES) {
    it(`a payment of a denied payer is 403, in both versions, and leaves no row (${mode})`, async () => {
      const [denied, other] = [freshPayer(), freshPayer()];
      const world = await openWorld({ vars: { DENY_PAYERS: JSON.stringify([denied.address]) } });
      await within(world, async () => {
        for (const version of [1, 2] as const) {
          const path = `/${mode}/denied-${version}`;
          const payment = await payFor(world, path, { payer: denied, version });
          for (const _ of [1, 2]) {
            const answer = await send(world, path, payment);
            const body = expectProblem(answer, { status: 403, code: 'payer_denied' });
            assert.equal(body['retryable'], false);
            assert.equal(answer.headers['payment-required'], undefined, 'no terms to sign again');
            assert.equal(answer.headers['access-control-allow-origin'], '*');
          }
          expectCalls(world, denied.address, path, NO_CALLS);
        }
        assert.deepEqual(await rowsOf(world, denied.address), []);
        const payment = await payFor(world, `/${mode}/allowed`, { payer: other });
        expectPaid(await send(world, `/${mode}/allowed`, payment), payment);
      });
    });

    it(`what was paid for before is given again, and an unknown outcome is still cleared up (${mode})`, async () => {
      const payer = freshPayer();
      const world = await openWorld();
      await within(world, async () => {
        const served = await payFor(world, `/${mode}/served`, { payer, identifier: IDENTIFIER });
        const first = await send(world, `/${mode}/served`, served);
        expectPaid(first, served);
        const doubtful = await payFor(world, `/${mode}/doubtful`, { payer, identifier: IDENTIFIER, validForSecs: 60 });
        world.facilitator.script(payer.address, { settle: { kind: 'destroy' } });
        expectProblem(await send(world, `/${mode}/doubtful`, doubtful), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
        world.facilitator.script(payer.address, {});

        await world.gate.restart('dispose', { vars: { DENY_PAYERS: [payer.address.toLowerCase()] } });
        const again = await send(world, `/${mode}/served`, served);
        expectPaid(again, served);
        assert.equal(again.text, first.text);
        let cleared = await send(world, `/${mode}/doubtful`, doubtful);
        for (let turn = 0; cleared.status !== 200 && turn < 30; turn += 1) {
          await new Promise((resolve) => setTimeout(resolve, 1_000));
          cleared = await send(world, `/${mode}/doubtful`, doubtful);
        }
        expectPaid(cleared, doubtful);
        const before = callsOf(world, payer.address, `/${mode}/new`);
        const fresh = await payFor(world, `/${mode}/new`, { payer });
        expectProblem(await send(world, `/${mode}/new`, fresh), { status: 403, code: 'payer_denied' });
        assert.deepEqual(callsOf(world, payer.address, `/${mode}/new`), before);
      });
    });
  }
});
