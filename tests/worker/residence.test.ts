/** `LEDGER_JURISDICTION` and `LEDGER_LOCATION`: every call to the ledger names them, whoever makes it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { eventually, expectPaid, expectProblem, openWorld, payFor, SECRETS, send } from './support/world.ts';

describe('where the ledger lives', { concurrency: 3 }, () => {
  for (const [vars, jurisdiction, location] of [
    [{}, null, null],
    [{ LEDGER_JURISDICTION: 'eu', LEDGER_LOCATION: 'weur' }, 'eu', 'weur'],
    [{ LEDGER_LOCATION: 'apac' }, null, 'apac'],
    [{ LEDGER_JURISDICTION: 'fedramp' }, 'fedramp', null],
  ] as const) {
    it(`is named by every call: ${JSON.stringify(vars)}`, async () => {
      const world = await openWorld({ probe: true, vars });
      try {
        for (const path of ['/after/home', '/before/home']) {
          const payment = await payFor(world, path, { identifier: 'pay_fedcba9876543210fedcba9876543210' });
          const answer = await send(world, path, payment);
          expectPaid(answer, payment);
        }
        const operator = [['Authorization', `Bearer ${SECRETS['OPERATOR_TOKEN']}`]] as const;
        const listed = await world.gate.raw('GET', '/_farebox/payments', operator);
        const { items } = JSON.parse(listed.text) as { items: { id: string }[] };
        assert.equal(items.length, 2, 'what was written is found');
        await world.gate.raw('GET', `/_farebox/receipts/${items[0]?.id}`, [['Idempotency-Key', 'pay_fedcba9876543210fedcba9876543210']]);
        assert.equal(await world.gate.scheduled(), 'ok');
        await eventually('counts are handed over', async () => (await world.gate.homes()).some(([asked]) => asked === 'meters'));
        const homes = await world.gate.homes();
        const asked = new Set(homes.map(([what]) => what));
        for (const what of ['payer', 'operator', 'read', 'meters']) assert.ok(asked.has(what), `${what} is among ${[...asked]}`);
        assert.deepEqual([...new Set(homes.map(([, ...home]) => JSON.stringify(home)))], [JSON.stringify([jurisdiction, location])]);
      } finally {
        await world.stop();
      }
    });
  }

  it('is never somewhere else: where the platform has no such jurisdiction, nothing is sold', async () => {
    // workerd by itself has none.
    const world = await openWorld({ vars: { LEDGER_JURISDICTION: 'eu' } });
    try {
      for (const path of ['/after/nowhere', '/before/nowhere']) {
        const payment = await payFor(world, path);
        expectProblem(await send(world, path, payment), { status: 503, code: 'ledger_unavailable', retryAfter: 2 });
        assert.equal(world.facilitator.of('settle', payment.payer).length, 0);
      }
      await eventually('the log names it', () => world.gate.printed.includes('LEDGER_JURISDICTION'));
      assert.equal((await world.gate.raw('GET', '/free')).status, 200);
    } finally {
      await world.stop();
    }
  });
});
