/** An origin, a ledger or a workerd that fails: not charged, or refund_due, or recovered; never twice, never silently. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { faults } from './support/faults.ts';
import { settlementOf } from './support/payer.ts';
import type { HeaderRow } from './support/raw.ts';
import {
  callsOf,
  eventually,
  expectCalls,
  expectNextGoodRequest,
  expectPaid,
  expectProblem,
  jsonOf,
  MODES,
  NO_CALLS,
  ORIGIN_TIMEOUT_SECS,
  openWorld,
  payFor,
  routes,
  send,
  type World,
} from './support/world.ts';

const SECRET: HeaderRow = ['Idempotency-Key', 'o'.repeat(30)];
describe('origin faults', { concurrency: 4 }, () => {
  let world: World;
  before(async () => {
    const again = { price: '$0.01', idempotent: true, max_timeout_secs: 60, origin_timeout_secs: ORIGIN_TIMEOUT_SECS };
    world = await openWorld({
      routes: routes([
        { path: '/idempotent-after/*', settle: 'after', ...again },
        { path: '/idempotent-before/*', settle: 'before', ...again },
      ]),
    });
  });
  after(() => world.stop());

  for (const [what, fault] of Object.entries(faults)) {
    const slug = what.replaceAll(' ', '-');

    //
    it(`an origin with ${what} is not charged in after mode`, async () => {
      const path = `/after/origin-${slug}`;
      const payment = await payFor(world, path);
      world.origin.script(path, fault.reply);
      const connection = await world.gate.connect();
      const answer = await send(world, path, payment, { connection });
      assert.equal(answer.status, fault.after, answer.text.slice(0, 200));
      assert.equal(settlementOf(answer), undefined);
      assert.equal(answer.headers['payment-required'], undefined);
      if (fault.after === fault.reply.status) assert.equal(answer.text, fault.reply.body);
      else assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json\b/);
      // Its random id may spell anything.
      assert.ok(!answer.text.replace(/rcpt_\w+/, '').includes('half'), 'no part of a failed body');
      assert.equal((answer.headers['cache-control'] ?? '').includes('no-store'), true);
      expectProblem(await send(world, path, payment), { status: 409, code: 'origin_failed' });
      expectCalls(world, payment.payer, path, { verify: 1, settle: 0, origin: 1 });
      await expectNextGoodRequest(world, connection);
      connection.close();
    });

    //
    it(`an origin with ${what} after the settlement is refund_due`, async () => {
      const path = `/before/origin-${slug}`;
      const payment = await payFor(world, path, { identifier: 'pay_fedcba9876543210fedcba9876543210' });
      world.origin.script(path, fault.reply);
      const connection = await world.gate.connect();
      const answer = await send(world, path, payment, { connection });
      expectProblem(answer, { status: fault.before, code: 'refund_due' });
      assert.equal(settlementOf(answer)?.['success'], true);
      assert.equal(settlementOf(answer)?.['transaction'], payment.transaction);
      assert.ok(!answer.text.includes('half'));
      for (let i = 0; i < 2; i += 1) {
        expectProblem(await send(world, path, payment), { status: 409, code: 'refund_due' });
      }
      expectCalls(world, payment.payer, path, { verify: 0, settle: 1, origin: 1 });
      await expectNextGoodRequest(world, connection, 'before');
      connection.close();
    });
  }

  it('the payer may pay again with a new authorization after the origin failed', async () => {
    const path = '/after/again';
    world.origin.script(path, { status: 500, body: 'once' }, {});
    assert.equal((await send(world, path, await payFor(world, path))).status, 500);
    const second = await payFor(world, path);
    expectPaid(await send(world, path, second), second);
  });

  it('an idempotent route may be asked again with the same key', async () => {
    for (const mode of MODES) {
      const path = `/idempotent-${mode}/x`;
      const payment = await payFor(world, path);
      world.origin.script(path, { then: 'reset' }, {});
      let answer = await send(world, path, payment, { headers: [SECRET] });
      if (answer.status !== 200) answer = await send(world, path, payment, { headers: [SECRET] });
      expectPaid(answer, payment);
      const keys = world.origin.of(path).map((call) => call.headers['idempotency-key']);
      assert.deepEqual([keys.length, new Set(keys).size], [2, 1]);
      assert.equal(world.facilitator.of('settle', payment.payer).length, 1);
    }
  });

  //
  it('a client that leaves does not stop what was begun, and nothing runs twice', async () => {
    for (const mode of MODES) {
      const path = `/${mode}/client-leaves`;
      const payment = await payFor(world, path);
      world.origin.script(path, { delayMs: 600 });
      const connection = await world.gate.connect();
      const left = send(world, path, payment, { connection, headers: [SECRET] }).catch(() => undefined);
      await eventually('the origin is asked', () => world.origin.of(path).length === 1);
      connection.close();
      await left;
      await eventually('the answer is kept', async () => {
        const again = await send(world, path, payment, { headers: [SECRET] });
        assert.ok(again.status === 200 || again.status === 409, `${again.status} ${again.text.slice(0, 200)}`);
        if (again.status === 409) return false;
        expectPaid(again, payment);
        return again.headers['payment-replayed'] === 'true';
      });
      assert.deepEqual([world.origin.of(path).length, world.facilitator.of('settle', payment.payer).length], [1, 1]);
    }
  });
});

describe('ledger and isolate faults', { concurrency: 4 }, () => {
  it('an answer of the object that gets lost neither settles nor runs anything twice', async () => {
    const world = await openWorld({ probe: true });
    try {
      for (const mode of MODES) {
        const path = `/${mode}/lost`;
        const payment = await payFor(world, path);
        await world.gate.ledger('lost');
        const answer = await send(world, path, payment, { headers: [SECRET] });
        await world.gate.ledger('ok');
        assert.equal(answer.status, 503, answer.text.slice(0, 200));
        assert.equal(answer.headers['payment-required'], undefined);
        assert.deepEqual(callsOf(world, payment.payer, path), NO_CALLS, 'nothing starts without a claim');
        const repeat = await send(world, path, payment, { headers: [SECRET] });
        assert.ok([200, 409, 503].includes(repeat.status), `${repeat.status} ${repeat.text.slice(0, 200)}`);
        const calls = callsOf(world, payment.payer, path);
        assert.ok(calls.origin <= 1 && calls.settle <= 2, JSON.stringify(calls));
      }
    } finally {
      await world.stop();
    }
  });

  for (const mode of MODES) {
    for (const at of [2, 3]) {
      for (const fault of ['lost', 'down'] as const) {
        it(`ledger call ${at} being ${fault} never asks for money again and ends in one delivery or one debt (${mode})`, async () => {
          const world = await openWorld({ probe: true });
          try {
            const path = `/${mode}/call-${at}`;
            const payment = await payFor(world, path);
            await world.gate.ledger(fault, at);
            const first = await send(world, path, payment, { headers: [SECRET] });
            assert.ok([200, 502, 503].includes(first.status), `${first.status} ${first.text.slice(0, 200)}`);
            await eventually('an end', async () => {
              const answer = await send(world, path, payment, { headers: [SECRET] });
              assert.ok([200, 409, 503].includes(answer.status), `${answer.status} ${answer.text.slice(0, 200)}`);
              return answer.status === 200 || ['refund_due', 'origin_failed'].includes(String(jsonOf(answer)['code']));
            });
            const { origin } = callsOf(world, payment.payer, path);
            assert.ok(origin <= 1, 'the origin ran once');
            const sent = world.facilitator.of('settle', payment.payer);
            assert.ok(new Set(sent.map((call) => call.body.toString('latin1'))).size <= 1, 'one payment, the same bytes');
          } finally {
            await world.stop();
          }
        });
      }
    }
  }

  it('a workerd that dies while the origin works charges nothing, and says so once the lease is over', async () => {
    const world = await openWorld();
    try {
      const path = '/after/dies-at-origin';
      const payment = await payFor(world, path);
      world.origin.script(path, { delayMs: 1500 });
      const lost = send(world, path, payment).catch(() => undefined);
      await eventually('the origin is asked', () => world.origin.of(path).length === 1);
      await world.gate.restart('kill');
      await lost;
      expectProblem(await send(world, path, payment), { status: 409, code: 'payment_in_progress', retryAfter: 2 });
      await eventually('the lease ends', async () => {
        const answer = await send(world, path, payment);
        assert.equal(answer.status, 409, answer.text.slice(0, 200));
        return jsonOf(answer)['code'] === 'origin_failed';
      });
      expectCalls(world, payment.payer, path, { verify: 1, settle: 0, origin: 1 });
    } finally {
      await world.stop();
    }
  });

  for (const mode of MODES) {
    it(`a workerd that dies while it settles keeps the outcome unknown until it is known (${mode})`, async () => {
      const world = await openWorld();
      try {
        const path = `/${mode}/dies-at-settle`;
        const payment = await payFor(world, path);
        world.facilitator.script(payment.payer, { settle: [{ kind: 'hang' }, { kind: 'good' }] });
        const lost = send(world, path, payment, { headers: [SECRET] }).catch(() => undefined);
        await eventually('settle is asked', () => world.facilitator.of('settle', payment.payer).length === 1);
        await world.gate.restart('kill');
        await lost;
        await eventually('the paid answer', async () => {
          const answer = await send(world, path, payment, { headers: [SECRET] });
          assert.ok([200, 409, 503].includes(answer.status), `${answer.status} ${answer.text.slice(0, 200)}`);
          if (answer.status !== 200) return false;
          expectPaid(answer, payment);
          return true;
        });
        assert.equal(world.origin.of(path).length, 1);
        const sent = world.facilitator.of('settle', payment.payer);
        assert.equal(new Set(sent.map((call) => call.body.toString('latin1'))).size, 1);
      } finally {
        await world.stop();
      }
    });
  }

  it('a workerd that dies while the origin works on a settled request owes a refund', async () => {
    const world = await openWorld();
    try {
      const path = '/before/dies-at-origin';
      const payment = await payFor(world, path);
      world.origin.script(path, { delayMs: 1500 });
      const lost = send(world, path, payment).catch(() => undefined);
      await eventually('the origin is asked', () => world.origin.of(path).length === 1);
      await world.gate.restart('kill');
      await lost;
      await eventually('the refund is due', async () => {
        const answer = await send(world, path, payment);
        assert.equal(answer.status, 409, answer.text.slice(0, 200));
        return jsonOf(answer)['code'] === 'refund_due';
      });
      expectCalls(world, payment.payer, path, { verify: 0, settle: 1, origin: 1 });
    } finally {
      await world.stop();
    }
  });
});
