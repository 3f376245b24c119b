// A request that hangs ends, also where memory is collected meanwhile and the caller gave a signal of their own. A person who waits long
// before they agree pays what the caps allow by then.

import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { pause as pauseOfJobs } from '../../pkg/dist/agent/exchange/call.js';
import { readWithin } from '../../pkg/dist/beginning.js';
import { policyOf } from '../../pkg/dist/cli/request.js';
import { memoryStore, payingFetch } from '../../pkg/dist/index.js';
import { pause } from '../../pkg/dist/request.js';
import { ask, GOODS, paymentOf, serve, sharedShop, watchedSigner } from './shop.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const shop = sharedShop((request, response) => {
  if (paymentOf(request) === undefined) ask(response);
  else if (request.url !== '/hangs') serve(response);
});

/** A body that comes after a while. */
const slowly = (text: string): ReadableStream<Uint8Array> =>
  new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      controller.enqueue(new TextEncoder().encode(text));
      controller.close();
    },
  });

test('an answer that never comes is not waited for longer than timeoutMs', { timeout: 15_000 }, async (t) => {
  const collects = setInterval(collect, 20);
  t.after(() => clearInterval(collects));
  const fetch = payingFetch({ signer: watchedSigner(), policy: { deadlineSecs: 1 }, timeoutMs: 1_000 });
  await assert.rejects(fetch(`${shop.url}/hangs`, { signal: new AbortController().signal }), { code: 'payment_unresolved' });
});

//
test('whoever sets a limit beyond what a timer counts waits for long, and gets what they paid for', async () => {
  shop.answers = (request, response) => {
    if (paymentOf(request) === undefined) ask(response);
    else setTimeout(() => serve(response), 200);
  };
  for (const limit of [Infinity, 30 * 86_400_000]) {
    shop.requests.length = 0;
    const fetch = payingFetch({ signer: watchedSigner(), policy: { deadlineSecs: 1 }, timeoutMs: limit });
    assert.equal(await (await fetch(shop.url)).text(), GOODS);
    assert.equal(shop.payments().length, 1);
    const read = await readWithin(new Response(slowly(GOODS)), 100, limit);
    assert.deepEqual([read.end, new TextDecoder().decode(read.bytes)], ['whole', GOODS]);
    const waking = new AbortController();
    for (const pauses of [pause(limit, waking.signal), pauseOfJobs(limit, waking.signal)]) {
      assert.equal(await Promise.race([pauses.then(() => 'over'), new Promise((resolve) => setTimeout(resolve, 50, 'waits'))]), 'waits');
    }
    waking.abort();
  }
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

test('the command line waits longer than a gate that was killed at work takes, unless its policy says how long', () => {
  // docs/serve.md: a payer waits for up to 70 seconds.
  assert.ok((policyOf({ max: '1' }).deadlineSecs ?? 0) >= 75);
  const file = join(mkdtempSync(join(tmpdir(), 'farebox-policy-')), 'policy.json');
  writeFileSync(file, '{"deadlineSecs":5}');
  assert.equal(policyOf({ policy: file }).deadlineSecs, 5);
});
