// Payments by link: what a service says of one is compared with what was expected, and followed to its end.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { checkPaymentLink, followPaymentLink, paymentLinkIn } from '../../pkg/dist/agent/index.js';
import { PAYEE, USDC } from './shop.ts';

/** A link whose states come one after the other. */
async function followed(first: string, states: readonly string[], reason?: string) {
  const calls = { pay: 0, status: 0, waited: 0 };
  const outcome = await followPaymentLink({
    paymentId: 'a2a_1',
    pay: async () => {
      calls.pay += 1;
      return { status: first, ...(reason === undefined ? {} : { reason }) };
    },
    status: async () => ({ status: states[calls.status++] ?? states.at(-1) ?? first }),
    wait: async (milliseconds) => {
      calls.waited += milliseconds;
    },
    now: () => calls.waited,
  });
  return { ...outcome, calls };
}

//
test('a service that answers late is asked for a minute by the clock', async () => {
  const clock = { now: 5_000, asked: 0 };
  const outcome = await followPaymentLink({
    paymentId: 'a2a_1',
    pay: async () => ({ status: 'pending' }),
    status: async () => {
      clock.asked += 1;
      clock.now += 30_000;
      return { status: 'settling' };
    },
    wait: async (milliseconds) => {
      clock.now += milliseconds;
    },
    now: () => clock.now,
  });
  assert.deepEqual([outcome.status, outcome.final, clock], ['settling', false, { now: 71_000, asked: 2 }]);
});

test('a payment by link is asked for every three seconds for a minute, and paid by one call', async () => {
  const completed = await followed('pending', [...Array.from({ length: 18 }, () => 'pending'), 'completed']);
  assert.deepEqual([completed.status, completed.final, completed.calls], ['completed', true, { pay: 1, status: 19, waited: 57_000 }]);
  const settling = await followed('pending', ['settling']);
  assert.deepEqual([settling.status, settling.final, settling.calls.waited], ['settling', false, 60_000]);
  assert.equal(settling.text, 'Payment a2a_1 is still settling. Its state can be asked for later.');
  const rejected = await followed('rejected', [], 'policy');
  assert.deepEqual([rejected.text, rejected.calls], ['payment a2a_1 rejected (reason=policy)', { pay: 1, status: 0, waited: 0 }]);
});

test('what a link service says of a failure ends it, and an answer that is lost does not', async () => {
  for (const said of [
    { success: false, errorReason: 'authorization_used', status: 'pending' },
    { success: false, errorReason: 'authorization_used', status: 'completed' },
    { status: 'rejected', errorReason: 'authorization_used' },
    { success: false, errorReason: 'authorization_used' },
  ]) {
    const { text, final } = await followPaymentLink({
      paymentId: 'a2a_1',
      pay: async () => said,
      status: async () => said,
      wait: async () => {},
    });
    assert.deepEqual([text, final], ['payment a2a_1 rejected (reason=authorization_used)', true], JSON.stringify(said));
  }
  let asked = 0;
  const outcome = await followPaymentLink({
    paymentId: 'a2a_1',
    pay: async () => ({ success: true, status: 'pending' }),
    status: async () => {
      asked += 1;
      if (asked < 3) throw new Error('the connection was lost');
      return { success: true, status: 'completed' };
    },
    wait: async () => {},
  });
  assert.deepEqual([outcome.status, outcome.final, asked], ['completed', true, 3]);
});

test('a link that is not what was expected says what differs, and is not to be signed', () => {
  const request = { amount: '10000', currency: USDC, recipient: PAYEE, methodDetails: { chainId: 84532, authorizationType: 'eip-3009' } };
  const link = { challenge: { data: { intent: 'charge', expires: '2026-03-10T12:30:00Z', request } }, status: 'pending' };
  const expected = { amount: '10000', token: USDC.toLowerCase(), recipient: PAYEE, network: 'eip155:84532' };
  const now = Date.parse('2026-03-10T12:00:00Z');
  const { ok, candidate } = checkPaymentLink({ code: 0, data: link }, expected, now);
  assert.deepEqual([ok, /^[0-9a-f]{64}$/.test(candidate ?? '')], [true, true]);
  assert.deepEqual(checkPaymentLink(link, { ...expected, amount: '9999' }, now), {
    ok: false,
    differs: ['amount'],
    text: 'The link is not what was expected: amount. Nothing was signed.',
  });
  assert.deepEqual(checkPaymentLink(link, expected, now + 1_800_000).differs, ['status']);
  assert.equal(checkPaymentLink(undefined, expected).ok, false);
});

test('who wants to pay without naming what is asked for the paymentId, and nothing else', () => {
  assert.deepEqual(paymentLinkIn('I want to pay'), { ask: 'paymentId', text: 'Which payment? Please give its paymentId.' });
  assert.deepEqual(paymentLinkIn('please pay https://pay.example/p/a2a_01HX-7?x=1'), { paymentId: 'a2a_01HX-7' });
});
