// A request that hangs ends, also where memory is collected meanwhile and the caller gave a signal of their own. A person who waits long
// before they agree pays what the caps allow by then.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { memoryStore, payingFetch } from '../../pkg/dist/index.js';
import { ask, paymentOf, serve, sharedShop, watchedSigner } from './shop.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const shop = sharedShop((request, response) => {
  if (paymentOf(request) === undefined) ask(response);
  else if (request.url !== '/hangs') serve(response);
});

test('an answer that never comes is not waited for longer than timeoutMs', { timeout: 15_000 }, async (t) => {
  const collects = setInterval(collect, 20);
  t.after(() => clearInterval(collects));
  const fetch = payingFetch({ signer: watchedSigner(), policy: { deadlineSecs: 1 }, timeoutMs: 1_000 });
  await assert.rejects(fetch(`${shop.url}/hangs`, { signal: new AbortController().signal }), { code: 'payment_unresolved' });
});

//
test('a yes that comes a day later signs nothing beyond the cap of that day', async () => {
  let now = 1_900_000_000;
  const [store, signer] = [memoryStore(), watchedSigner()];
  const payer = (confirm: () => Promise<boolean>) => payingFetch({ signer, policy: { perDay: '0.015' }, store, now: () => now, confirm });
  const meanwhile = payer(async () => true);
  const late = payer(async () => {
    now += 86_400;
    assert.equal((await meanwhile(`${shop.url}/meanwhile`)).status, 200);
    return true;
  });
  await assert.rejects(late(`${shop.url}/late`), { code: 'budget_exhausted' });
  assert.equal(signer.asked.length, 1, 'the wallet is not asked');
  now += 86_401;
  assert.equal((await meanwhile(`${shop.url}/after`)).status, 200, 'nothing of what was not signed stays counted');
});
