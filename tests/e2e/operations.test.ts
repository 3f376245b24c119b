// The operator's day as docs/operations.md describes it, with a real chain to prove the refund.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { createWalletClient, type Hex, http } from 'viem';

import type { Chain } from '../../demo/chain.mjs';
import { FAILING } from '../../demo/gate.mjs';
import type { Gate } from '../../scripts/miniflare.mjs';
import { root } from '../../scripts/steps.mjs';
import { payingFetch } from './clients.ts';
import { startWorld, type World } from './world.ts';

const TOKEN = 'operator-token-of-the-operations-test';
const PRICE = 10_000n;

let world: World;
let chain: Chain;
let gate: Gate;
before(async () => {
  world = await startWorld({ readsChain: true, routes: [FAILING], secrets: { OPERATOR_TOKEN: TOKEN } });
  ({ chain, gate } = world);
});
after(() => world?.stop());

type Item = { id: string; state: string; payer: string; amount: string; reason: string; transaction: string };

async function ask(path: string, body?: unknown): Promise<{ status: number; json: Record<string, unknown>; text: string }> {
  const response = await fetch(`${gate.url}/_farebox/${path}`, {
    headers: { authorization: `Bearer ${TOKEN}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, json: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {} };
}

async function due(): Promise<Item[]> {
  return (await ask('payments?state=refund_due')).json['items'] as Item[];
}

async function sums(): Promise<Record<string, string>> {
  const [item] = (await ask('audit')).json['items'] as Record<string, string>[];
  assert.ok(item);
  return item;
}

/** Signs and sends what the refund script printed, from the payee's wallet. */
async function send({ to, data }: { to: Hex; data: Hex }): Promise<Hex> {
  const wallet = createWalletClient({ account: chain.accounts.payee, chain: chain.chain, transport: http(chain.url) });
  const hash = await wallet.sendTransaction({ to, data });
  await chain.publicClient.waitForTransactionReceipt({ hash, pollingInterval: 20 });
  return hash;
}

// I-07
test('a refund that is due is printed, sent, proven by the chain and closed once, and the books balance', async () => {
  const { payer } = chain.accounts;
  const pay = payingFetch(fetch, payer);
  assert.equal((await pay(`${gate.url}/report`)).status, 200);
  for (const status of [503, 500]) assert.equal((await pay(`${gate.url}/fail/${status}`)).status, 502);

  const [first, second] = await due();
  assert.ok(first && second);
  assert.deepEqual([first.payer, first.amount, first.reason], [payer.address.toLowerCase(), `${PRICE}`, 'origin']);
  assert.deepEqual(await sums().then(({ settled, delivered, refund_due, difference }) => [settled, delivered, refund_due, difference]), [
    '30000',
    '10000',
    '20000',
    '0',
  ]);

  const printed = execFileSync(process.execPath, [join(root, 'pkg/dist/cli/main.js'), 'refund', first.id, '--json'], {
    env: { ...process.env, FAREBOX_URL: gate.url, FAREBOX_OPERATOR_TOKEN: TOKEN, PAY_TO: chain.accounts.payee.address },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const before = await chain.balanceOf(payer.address);
  const unproven = await ask(`payments/${first.id}/refunded`, { transaction: first.transaction });
  assert.deepEqual([unproven.status, unproven.json['code']], [409, 'refund_unproven'], 'the payment itself is no refund');
  const hash = await send(JSON.parse(printed));
  assert.equal((await chain.balanceOf(payer.address)) - before, PRICE);
  for (let turn = 0; turn < 2; turn += 1) {
    const refunded = await ask(`payments/${first.id}/refunded`, { transaction: hash });
    assert.deepEqual([refunded.status, refunded.json['state'], refunded.json['reason']], [200, 'refunded', hash]);
  }
  const twice = await ask(`payments/${second.id}/refunded`, { transaction: hash });
  assert.deepEqual([twice.status, twice.json['code']], [409, 'wrong_state'], 'one transfer pays one debt');
  assert.equal((await ask(`payments/${second.id}/waived`, { reason: 'settled by hand' })).json['state'], 'waived');
  assert.deepEqual(await due(), []);
  assert.deepEqual(
    await sums().then(({ settled, delivered, refund_due, refunded, waived, difference }) => [
      settled,
      delivered,
      refund_due,
      refunded,
      waived,
      difference,
    ]),
    ['30000', '10000', '0', '10000', '10000', '0'],
  );
  const rows = (await ask('export?format=csv')).text.trim().split('\r\n');
  assert.equal(rows.length, 4);
  assert.match((await ask('metrics')).text, /^farebox_payments_total\{state="refunded",route="\/fail\/\[status\]"\} 1$/m);
});
