// How far a payment is, as a page can show it.

import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { test } from 'node:test';

import { type PaymentStep, type PayOptions, wrapFetch } from '../../pkg/dist/index.js';
import { honest, open, PAYER_KEY, paymentOf, serve } from './shop.ts';

async function stepsOf(
  handler: RequestListener,
  options: Partial<PayOptions> = {},
): Promise<{ steps: PaymentStep[]; prices: Set<string>; code?: string }> {
  const shop = await open(handler);
  const steps: PaymentStep[] = [];
  const prices = new Set<string>();
  const onStep: PayOptions['onStep'] = (step, { amountText }) => {
    steps.push(step);
    prices.add(amountText);
    throw new Error('a display that fails');
  };
  const pay = wrapFetch(fetch, { signer: PAYER_KEY, onStep, ...options });
  const ended = await pay(shop.url).then(
    () => ({}),
    ({ code }: { code: string }) => ({ code }),
  );
  await shop.stop();
  return { steps, prices, ...ended };
}

test('a payment is looked at, confirmed, signed, sent and done', async () => {
  const { steps, prices } = await stepsOf(honest);
  assert.deepEqual([steps, [...prices]], [['looked', 'confirmed', 'signing', 'sent', 'done'], ['0.01 USDC (10000)']]);
});

test('one whose outcome is open is settling as often as it is sent again', async () => {
  let times = 0;
  const { steps } = await stepsOf((request, response) => {
    if (paymentOf(request) === undefined) return honest(request, response);
    times += 1;
    if (times <= 2) response.writeHead(503).end();
    else serve(response);
  });
  assert.deepEqual(steps, ['looked', 'confirmed', 'signing', 'sent', 'settling', 'settling', 'done']);
});

test('one that a person does not confirm ends there, and a free request has no steps', async () => {
  assert.deepEqual((await stepsOf(honest, { confirm: () => false })).steps, ['looked']);
  assert.deepEqual(
    (
      await stepsOf((_, response) => {
        response.end('free');
      })
    ).steps,
    [],
  );
});
