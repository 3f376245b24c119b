/** Answers that need a gate of their own: in-flight limit, a ledger that is away, calls counted, denied paths. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { freshPayer } from './support/payer.ts';
import {
  begin,
  eventually,
  expectCalls,
  expectNextGoodRequest,
  expectPaid,
  expectProblem,
  NO_CALLS,
  openWorld,
  ordinaryCalls,
  payFor,
  routes,
  send,
} from './support/world.ts';

describe('limits', () => {
  it('one payment more than allowed in flight waits, then is too_many_in_flight, and stays good', async () => {
    const slow = { path: '/slow/*', price: '$0.01', max_timeout_secs: 120, origin_timeout_secs: 60 };
    const world = await openWorld({ routes: routes([slow]), vars: { MAX_IN_FLIGHT_PER_PAYER: 1 } });
    try {
      const payer = freshPayer();
      const one = await payFor(world, '/slow/one', { payer });
      const two = await payFor(world, '/slow/two', { payer });
      let finish = (): void => {};
      world.origin.script('/slow/one', {
        once: new Promise<void>((resolve) => {
          finish = resolve;
        }),
      });
      const first = begin(send(world, '/slow/one', one));
      await eventually('the origin is asked', () => world.origin.of('/slow/one').length === 1);
      const connection = await world.gate.connect();
      const second = await send(world, '/slow/two', two, { connection });
      expectProblem(second, { status: 429, code: 'too_many_in_flight', retryAfter: 2 });
      assert.ok(second.timings.headMs > 1500, `waited ${second.timings.headMs} ms`);
      assert.equal(world.origin.of('/slow/two').length, 0);
      await expectNextGoodRequest(world, connection);
      connection.close();
      finish();
      expectPaid(await first, one);
      expectPaid(await send(world, '/slow/two', two), two);
    } finally {
      await world.stop();
    }
  });

  it('a request within the wait is served when the first one ends', async () => {
    const world = await openWorld({ vars: { MAX_IN_FLIGHT_PER_PAYER: 1 } });
    try {
      const payer = freshPayer();
      const payments = await Promise.all(['/after/one', '/after/two'].map((path) => payFor(world, path, { payer })));
      world.origin.script('/after/one', { delayMs: 300 });
      const answers = await Promise.all(payments.map((payment, i) => send(world, i === 0 ? '/after/one' : '/after/two', payment)));
      assert.deepEqual(
        answers.map((answer) => answer.status),
        [200, 200],
      );
    } finally {
      await world.stop();
    }
  });

  //
  it('a ledger object that is down, overloaded or cannot keep what it wrote is ledger_unavailable, with no call, and works afterwards', async () => {
    const world = await openWorld({ probe: true });
    try {
      for (const mode of ['after', 'before'] as const) {
        for (const fault of ['down', 'overloaded', 'unkept'] as const) {
          const path = `/${mode}/ledger-${fault}`;
          const payment = await payFor(world, path);
          await world.gate.ledger(fault);
          assert.equal((await world.gate.raw('GET', path)).status, 402, 'asking needs no object');
          assert.equal((await world.gate.raw('GET', '/free')).status, 200, 'neither does what is free');
          const connection = await world.gate.connect();
          const answer = await send(world, path, payment, { connection });
          await world.gate.ledger('ok');
          expectProblem(answer, { status: 503, code: 'ledger_unavailable', retryAfter: 2 });
          expectCalls(world, payment.payer, path, NO_CALLS);
          await expectNextGoodRequest(world, connection, mode);
          connection.close();
          expectPaid(await send(world, path, payment), payment);
          expectCalls(world, payment.payer, path, ordinaryCalls(mode));
        }
      }
    } finally {
      await world.stop();
    }
  });

  it('an ordinary payment costs three calls of one object, what is refused before the claim none', async () => {
    const world = await openWorld({ probe: true });
    try {
      for (const mode of ['after', 'before'] as const) {
        const path = `/${mode}/counted`;
        const payment = await payFor(world, path);
        const forged = await payFor(world, path, {
          tamper: ({ payload }) => void ((payload as { authorization: { value: string } }).authorization.value = '10001'),
        });
        await world.gate.ledger('ok');
        assert.equal((await send(world, path, forged)).status, 402);
        assert.equal((await world.gate.raw('GET', '/free')).status, 200);
        assert.equal((await world.gate.ledger()).calls, 0);
        expectPaid(await send(world, path, payment), payment);
        await eventually('three calls', async () => (await world.gate.ledger()).calls >= 3);
        const counts = await world.gate.ledger();
        assert.deepEqual([counts.calls, counts.objects], [3, 1], counts.asked.join(' '));
      }
    } finally {
      await world.stop();
    }
  });

  it('a path that is not listed is 404 where the default is to deny', async () => {
    const world = await openWorld({ vars: { DEFAULT: 'deny' } });
    try {
      const connection = await world.gate.connect();
      assert.equal((await connection.send({ method: 'GET', target: '/free' })).status, 404);
      assert.equal(world.origin.calls.length, 0);
      await expectNextGoodRequest(world, connection);
      connection.close();
    } finally {
      await world.stop();
    }
  });

  it('after a restore of the ledger, authorizations from before it are refused without any call', async () => {
    const [lost, world] = await Promise.all([
      openWorld(),
      openWorld({ vars: { LEDGER_CLOSED_BEFORE: Math.floor(Date.now() / 1000) + 60 } }),
    ]);
    try {
      const old = await payFor(lost, '/after/restored');
      expectProblem(await send(world, '/after/restored', old), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
      expectCalls(world, old.payer, '/after/restored', NO_CALLS);
    } finally {
      await Promise.all([lost.stop(), world.stop()]);
    }
  });
});
