// A request that hangs ends, also where memory is collected meanwhile and the caller gave a signal of their own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { payingFetch } from '../../pkg/dist/index.js';
import { ask, paymentOf, sharedShop, watchedSigner } from './shop.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const shop = sharedShop((request, response) => {
  if (paymentOf(request) === undefined) ask(response);
});

test('an answer that never comes is not waited for longer than timeoutMs', { timeout: 15_000 }, async (t) => {
  const collects = setInterval(collect, 20);
  t.after(() => clearInterval(collects));
  const fetch = payingFetch({ signer: watchedSigner(), policy: { deadlineSecs: 1 }, timeoutMs: 1_000 });
  await assert.rejects(fetch(`${shop.url}/hangs`, { signal: new AbortController().signal }), { code: 'payment_unresolved' });
});
