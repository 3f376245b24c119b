// `farebox spent`: what the budget on this machine tells of caps, open payments and receipts, of `pay` and of `farebox-mcp`, in words and as JSON.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { createLocalAgentClient, type SdkPreparedPaidRequestReady } from '../../pkg/dist/agent/index.js';
import { fileStore } from '../../pkg/dist/file-store.js';
import { farebox, newStore } from './command-line.ts';
import { honest, open, PAYER, PAYER_KEY, paymentOf, TRANSACTION } from './shop.ts';

test('spent tells what pay has bought and what it left open, and sends nothing', async (t) => {
  const shop = await open((request, response) =>
    request.url === '/b' && paymentOf(request) !== undefined ? void response.writeHead(502).end() : honest(request, response),
  );
  t.after(() => shop.stop());
  const { store } = await farebox(['pay', `${shop.url}/a`, '--yes']);
  assert.equal((await farebox(['pay', `${shop.url}/b`, '--yes'], { store })).code, 4);
  const before = shop.requests.length;
  const { code, out } = await farebox(['spent', '--per-day', '0.05'], { store, key: '' });
  assert.equal(code, 0);
  assert.match(out, /^perDay +0\.02 of 0\.05 is spent, 0\.03 remains$/m);
  assert.match(out, new RegExp(`^paid +GET ${shop.url}/a, 0\\.01 USDC on eip155:84532, transaction ${TRANSACTION}$`, 'm'));
  assert.match(out, new RegExp(`^open +GET ${shop.url}/b, until 20[^ ]+Z it may be charged, from ${PAYER}$`, 'm'));
  const { payments, caps } = JSON.parse((await farebox(['spent', '--json'], { store, key: '' })).out);
  assert.deepEqual(payments.map((it: { url: string; open: boolean }) => [it.url, it.open]).sort(), [
    [`${shop.url}/a`, false],
    [`${shop.url}/b`, true],
  ]);
  assert.equal(caps.find(({ cap }: { cap: string }) => cap === 'perDay').spent, '0.02');
  assert.equal(shop.requests.length, before);
});

test('spent takes the folder of farebox-mcp, whose payments lie beside its budget, and makes no folder that is not there', async (t) => {
  const shop = await open(honest);
  t.after(() => shop.stop());
  const folder = dirname(newStore());
  const [budget, sent] = ['budget', 'sent'].map((name) => join(folder, name));
  mkdirSync(folder, { recursive: true });
  const none = await farebox(['spent'], { store: join(folder, 'none') });
  assert.deepEqual([none.code, existsSync(join(folder, 'none'))], [0, false]);
  const policy = { hosts: [new URL(shop.url).host] };
  const client = createLocalAgentClient({ signer: PAYER_KEY, policy, store: fileStore(budget!), sent: fileStore(sent!) });
  await client.executePreparedRequest((await client.preparePaidRequest(`${shop.url}/c`)) as SdkPreparedPaidRequestReady);
  for (const store of [folder, budget]) {
    const { out } = await farebox(['spent'], { store: store!, key: '' });
    assert.match(out, new RegExp(`^paid +GET ${shop.url}/c, 0\\.01 USDC on eip155:84532, transaction ${TRANSACTION}$`, 'm'));
    assert.match(out, /^perDay +0\.01 of 10 is spent/m);
  }
  assert.deepEqual([(await farebox(['spent', 'word'])).code], [2]);
});
