/** A purchase that is signed again with one nonce, against the built Worker: one charge, whatever became of the first authorization. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { refusedSettle, type Script } from './support/facilitator.ts';
import { freshPayer, type Payer, type Payment } from './support/payer.ts';
import { expectPaid, expectProblem, MODES, nextNumber, openWorld, payFor, send, type World } from './support/world.ts';

const routes = MODES.map((mode) => ({ path: `/${mode}/*`, price: '$0.01', settle: mode, max_timeout_secs: 120, origin_timeout_secs: 2 }));

let world: World;
before(async () => {
  world = await openWorld({ routes });
});
after(() => world.stop());

/** The purchase signed again: the same nonce, a later end. */
async function again(path: string, payer: Payer, first: Payment): Promise<Payment> {
  const signed = await payFor(world, path, { payer, nonce: first.nonce as `0x${string}`, validForSecs: 90 });
  assert.equal(signed.nonce, first.nonce);
  assert.notEqual(signed.signature, first.signature);
  return signed;
}

/** The answers of `settle` that say a transfer was made, for this payer. */
const settled = (payer: Payer): number =>
  [...world.facilitator.settled].filter((key) => key.startsWith(payer.address.toLowerCase())).length;

async function start(what: string, mode: string, script: Script = {}): Promise<{ path: string; payer: Payer; first: Payment }> {
  const [path, payer] = [`/${mode}/${what}-${nextNumber()}`, freshPayer()];
  const first = await payFor(world, path, { payer, validForSecs: 60 });
  world.facilitator.script(payer.address, script);
  return { path, payer, first };
}

describe('a purchase that is signed again with its nonce', () => {
  for (const mode of MODES) {
    it(`is bought after an empty wallet was filled, ${mode}`, async () => {
      const { path, payer, first } = await start('funds', mode, { settle: refusedSettle('insufficient_funds') });
      expectProblem(await send(world, path, first), { status: 402, code: 'settlement_refused' });
      world.facilitator.script(payer.address, {});
      const second = await again(path, payer, first);
      expectPaid(await send(world, path, second), second);
      assert.equal(settled(payer), 1);
      const bodies = new Set(world.facilitator.of('settle', payer.address).map((call) => JSON.stringify(call)));
      assert.ok(bodies.size > 1, 'the new bytes were sent');
    });

    it(`is that payment while its outcome is unknown, and once it is delivered, ${mode}`, async () => {
      const { path, payer, first } = await start('open', mode, { settle: { kind: 'destroy' } });
      expectProblem(await send(world, path, first), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
      world.facilitator.script(payer.address, {});
      const second = await again(path, payer, first);
      await new Promise((done) => setTimeout(done, 1_100));
      expectPaid(await send(world, path, second), first);
      await new Promise((done) => setTimeout(done, 1_100));
      const third = await payFor(world, path, { payer, nonce: first.nonce as `0x${string}`, validForSecs: 100 });
      const replay = await send(world, path, third);
      assert.deepEqual([replay.status, replay.headers['payment-replayed']], [200, 'true']);
      expectProblem(await send(world, path, first), { status: 409, code: 'payment_already_delivered' });
      assert.deepEqual([settled(payer), world.origin.of(path).length], [1, 1]);
    });
  }

  for (const status of [404, 429, 503]) {
    it(`is bought after the origin answered ${status}`, async () => {
      const { path, payer, first } = await start('origin', 'after');
      world.origin.script(path, { status, body: 'not now' });
      assert.equal((await send(world, path, first)).status, status);
      assert.equal(settled(payer), 0);
      world.origin.script(path, {});
      const second = await again(path, payer, first);
      expectPaid(await send(world, path, second), second);
      assert.equal(settled(payer), 1);
    });
  }

  it('begins at another request where nothing moved, and is the payment of that request from then on', async () => {
    for (const mode of MODES) {
      const { path, payer, first } = await start('moves', mode, { settle: refusedSettle('invalid_exact_evm_payload_signature') });
      expectProblem(await send(world, path, first), { status: 402, code: 'settlement_refused' });
      world.facilitator.script(payer.address, {});
      const other = `${path}-other`;
      // What was sent to a facilitator buys nothing elsewhere: others may have read it.
      expectProblem(await send(world, other, first), { status: 409, code: 'payment_already_used' });
      const second = await again(other, payer, first);
      expectPaid(await send(world, other, second), second);
      assert.equal(world.origin.of(other).length, 1, 'made for this request');
      expectProblem(await send(world, path, first), { status: 409, code: 'payment_already_used' });
      expectProblem(
        await send(world, `${path}-third`, await payFor(world, path, { payer, nonce: first.nonce as `0x${string}`, validForSecs: 110 })),
        { status: 409, code: 'payment_already_used' },
      );
      assert.equal(settled(payer), 1);
    }
  });
});
