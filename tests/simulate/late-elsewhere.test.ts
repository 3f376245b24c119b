import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../worker/support/world.ts';
import { PROTOCOLS, personOf, show, sign, VALID_FOR_SECS } from './people.ts';
import { World } from './world.ts';

// I-09
test('a payment whose settlement was answered late and has moved is never given fresh terms, late and for a route that has another price by now', async () => {
  const world = await World.start([]);
  try {
    await Promise.all(
      PROTOCOLS.map(async (protocol, index) => {
        const person = personOf(1, protocol, index);
        world.chain.mint(person.payer.address, 100_000n);
        const target = `/moved-after/late-${index}`;
        world.script(target, {});
        const how = { protocol, side: 'gate', identifier: 'pay_0123456789abcdef0123456789abcdef' } as const;
        const payment = await sign(world, person, target, `0x${`${index + 1}`.padStart(64, '0')}`, how);
        assert.ok(payment);
        world.facilitator.plans.set(payment.nonce.toLowerCase(), { verify: 'good', settle: 'silent', repeats: 'told' });
        const first = await show(world, person, 'pays', 'gate', payment);
        assert.ok([200, 503].includes(first.status), `${protocol}: ${first.status}`);
        const end = Date.now() + 1_000 * (VALID_FOR_SECS + 8);
        await eventually('the end of the payment', () => Date.now() > end, 60_000);
        const late = await show(world, person, 'comes late', 'beside', payment);
        assert.equal(late.status, 200, `${protocol}: ${late.code} ${late.text.slice(0, 200)}`);
      }),
    );
  } finally {
    await world.stop();
  }
});
