// A session at the gate: the published client of `batch-settlement` pays a hundred requests with one deposit; what was
// earned is claimed and paid out, the rest refunded, to the last unit. A voucher asks no facilitator.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { createWalletClient, http } from 'viem';

import { BATCH_SETTLEMENT, readArtefact } from '../../demo/chain.mjs';
import { startWorld, type World } from './world.ts';

const PRICE = 10_000n;
const TOKEN = 'operator-token-of-this-test-0123456789';
let world: World;
before(async () => {
  world = await startWorld({ routes: [{ path: '/report/session', methods: ['GET'], price: '$0.01', session_delay_secs: 900 }], secrets: { OPERATOR_TOKEN: TOKEN } });
});
after(() => world?.stop());

function payerAt(index: number) {
  const payer = world.chain.accounts.payers[index];
  assert.ok(payer);
  const { readContract } = world.chain.publicClient;
  const deposit = 100n * PRICE;
  const scheme = new BatchSettlementEvmScheme({ ...payer, readContract } as never, { depositStrategy: () => deposit + PRICE });
  const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client: scheme }] });
  return { payer, scheme, pay };
}

test('a hundred requests are paid with one deposit, and no facilitator is asked about a voucher', async () => {
  const { chain, facilitator, origin, gate } = world;
  const { payer, scheme, pay } = payerAt(0);
  const url = `${gate.url}/report/session`;
  const funds = await chain.balanceOf(payer.address);
  const earlier = await chain.balanceOf(chain.accounts.payee.address);
  const first = await pay(url);
  assert.equal(first.status, 200, await first.text());
  assert.equal(await chain.balanceOf(BATCH_SETTLEMENT), 101n * PRICE);
  const counts = { ...facilitator.counts };
  const asked = origin.requests.length;
  for (let request = 1; request < 100; request += 1) assert.equal((await pay(url)).status, 200);
  assert.deepEqual(facilitator.counts, counts);
  assert.equal(origin.requests.length, asked + 99);
  const refunded = await scheme.refund(url);
  assert.equal(refunded.success, true);
  assert.equal(refunded.amount, String(PRICE));
  assert.equal(await chain.balanceOf(payer.address), funds - 100n * PRICE);
  // The alarm pays out what the refund has claimed.
  for (let waits = 0; waits < 300; waits += 1) {
    if ((await chain.balanceOf(chain.accounts.payee.address)) === earlier + 100n * PRICE) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(await chain.balanceOf(chain.accounts.payee.address), earlier + 100n * PRICE);
  assert.equal(await chain.balanceOf(BATCH_SETTLEMENT), 0n);
  const list = async (query = ''): Promise<{ items: Record<string, unknown>[]; next: string | null }> => {
    const answer = await fetch(`${gate.url}/_farebox/channels${query}`, { headers: { authorization: `Bearer ${TOKEN}` } });
    assert.equal(answer.status, 200);
    return answer.json() as never;
  };
  const paid = String(100n * PRICE);
  for (let waits = 0; waits < 100 && (await list()).items[0]?.['paid_out'] !== paid; waits += 1) await new Promise((resolve) => setTimeout(resolve, 100));
  const { items: [channel], next } = await list();
  assert.deepEqual(
    [channel?.['state'], channel?.['payer'], channel?.['deposit'], channel?.['spent'], channel?.['claimed'], channel?.['paid_out'], next],
    ['open', payer.address, paid, paid, paid, paid, null],
  );
  assert.deepEqual((await list(`?limit=1&cursor=${channel?.['id']}`)).items, []);
  assert.equal((await fetch(`${gate.url}/_farebox/channels`)).status, 401);
});

test('a payer who withdraws buys nothing more, and what was earned is claimed before the withdrawal', async () => {
  const { chain, origin, gate } = world;
  const { payer, pay, scheme } = payerAt(1);
  const url = `${gate.url}/report/session`;
  const earlier = await chain.balanceOf(chain.accounts.payee.address);
  let config: unknown;
  const watched = wrapFetchWithPaymentFromConfig((input, init) => {
    const payment = new Request(input, init).headers.get('payment-signature');
    if (payment !== null) {
      const { payload } = JSON.parse(Buffer.from(payment, 'base64').toString('utf8')) as { payload: { channelConfig: unknown } };
      config = payload.channelConfig;
    }
    return fetch(input, init);
  }, { schemes: [{ network: 'eip155:*', client: scheme }] });
  for (let request = 0; request < 3; request += 1) assert.equal((await watched(url)).status, 200);
  const { abi } = readArtefact('BatchSettlement');
  const wallet = createWalletClient({ account: payer, chain: chain.chain, transport: http(chain.url) });
  const args = [config, 50n * PRICE];
  const hash = await wallet.writeContract({ address: BATCH_SETTLEMENT, abi, functionName: 'initiateWithdraw', args });
  assert.equal((await chain.publicClient.waitForTransactionReceipt({ hash })).status, 'success');
  // The gate looks at the chain for a refund, even for one that it refuses.
  await assert.rejects(scheme.refund(url, { amount: String(1_000n * PRICE) }));
  const asked = origin.requests.length;
  assert.equal((await pay(url)).status, 402);
  assert.equal(origin.requests.length, asked);
  for (let waits = 0; waits < 450 && (await chain.balanceOf(chain.accounts.payee.address)) !== earlier + 3n * PRICE; waits += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(await chain.balanceOf(chain.accounts.payee.address), earlier + 3n * PRICE);
});
