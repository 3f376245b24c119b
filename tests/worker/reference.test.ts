/** Negative controls: each failure that was measured on the reference middleware comes out right here. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { requiredBy } from './support/payer.ts';
import {
  expectCalls,
  expectFreshTerms,
  expectNextGoodRequest,
  expectPaid,
  expectProblem,
  jsonOf,
  openWorld,
  payFor,
  send,
  type World,
} from './support/world.ts';

describe('what the reference gets wrong', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world.stop());

  it('an unpaid HEAD of a GET route runs no handler and is asked for payment', async () => {
    const connection = await world.gate.connect();
    const answer = await connection.send({ method: 'HEAD', target: '/get/x' });
    assert.equal(answer.status, 402);
    assert.equal(requiredBy(answer).accepts.length, 1);
    assert.equal(world.origin.of('/get/x').length, 0);
    await expectNextGoodRequest(world, connection);
    connection.close();
  });

  it('an unpaid request is not cacheable and readable across origins', async () => {
    const answer = await world.gate.raw('GET', '/get/x');
    expectFreshTerms(answer, 'payment_required');
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal(answer.headers['access-control-allow-origin'], '*');
  });

  it('another letter case of a paid path is not free', async () => {
    for (const target of ['/GET/x', '/Get/x', '/after/../AFTER/x']) {
      const answer = await world.gate.raw('GET', target);
      assert.ok(answer.status === 400 || answer.status === 402, `${target}: ${answer.status}`);
    }
    assert.equal(world.origin.calls.filter((call) => /^\/(get|after)\/x$/i.test(call.target)).length, 0);
  });

  it('a preflight of a route without methods is answered, not charged', async () => {
    const answer = await world.gate.raw('OPTIONS', '/after/x', [
      ['Origin', 'https://app.example'],
      ['Access-Control-Request-Method', 'POST'],
    ]);
    assert.equal(answer.status, 204);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
  });

  it('five concurrent requests with one proof are one verify, one settle, one handler run', async () => {
    const path = '/after/five';
    const payment = await payFor(world, path);
    world.facilitator.script(payment.payer, { settle: { kind: 'good', delayMs: 50 } });
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(world, path, payment)));
    assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 409, 409, 409, 409]);
    expectCalls(world, payment.payer, path, { verify: 1, settle: 1, origin: 1 });
  });

  it('a settle that hangs up is not shown as unpaid', async () => {
    const path = '/after/hung-up';
    const payment = await payFor(world, path);
    world.facilitator.script(payment.payer, { settle: { kind: 'destroy' } });
    const answer = await send(world, path, payment);
    expectProblem(answer, { status: 503, code: 'settlement_unknown', retryAfter: 5 });
    assert.notEqual(answer.text, '{}');
  });

  it('a version 1 payment alone is accepted', async () => {
    const payment = await payFor(world, '/after/v1-only', { version: 1 });
    expectPaid(await send(world, '/after/v1-only', payment), payment);
  });

  it('a refused payment is never the two bytes {}', async () => {
    const payment = await payFor(world, '/after/no-empty-body', { signed: { value: '1' } });
    const answer = await send(world, '/after/no-empty-body', payment);
    expectFreshTerms(answer);
    assert.ok(Object.keys(jsonOf(answer)).length >= 4);
  });
});
