/** A payment that settles is the same payment in whichever header field its bytes come again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LIVE, signedPayment, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { sharedWorld } from '../../support/suite.ts';

const LIMIT = { timeout: 120_000 };
const world = sharedWorld(startExchangeWorld);

//
test('the bytes of a payment that settles end nothing in another field', LIMIT, async () => {
  await world.seller({ capability: 'fields', price: '0.005' });
  const buyer = await world.wallet();
  const quote = (await world.quote(buyer, 'work', { capability: 'fields' })).json;
  const payment = await signedPayment(world, buyer, quote);
  const payload = { buyer_id: buyer.address, capability: 'fields', prompt: 'work', network_profile: LIVE };
  const [own, others] = [world.client(), world.client()];
  const show = (field: string, client: Record<string, string>) =>
    world.ask('POST', '/api/v1/jobs/verify', {
      body: { fingerprint: quote.fingerprint, payload },
      headers: { [field]: payment, ...client },
    });
  const held = await world.held();
  const { facilitator } = world.switches;
  facilitator.set({ mode: 'delay', path: '/settle', ms: 4_000 });
  const first = show('x-payment', own);
  for (let turn = 0; facilitator.counts.broken === 0; turn += 1) {
    assert.ok(turn < 300, 'nothing settles');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const second = await show('payment-signature', others);
  facilitator.set();
  assert.deepEqual([second.status, second.json.code, second.json.details.gate], [409, 'PAYMENT_VERIFY_FAILED', 'payment_in_progress']);
  const paid = await first;
  assert.deepEqual([paid.status, paid.json.payment_id], [200, quote.payment_id], paid.text);
  const again = await show('payment-signature', own);
  assert.deepEqual([again.status, again.json.job_id], [200, paid.json.job_id], again.text);
  assert.equal((await world.held()) - held, 5000n);
});
