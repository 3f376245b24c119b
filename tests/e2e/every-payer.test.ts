// One route, six payers of four protocols' shapes, one chain: each pays what the route asks, once, and gets the receipt of its protocol.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Hex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { localSigner, payingFetch as ourFetch, receiptOf as ourReceiptOf } from '../../pkg/dist/index.js';
import { payMpp } from '../support/mpp-payer.ts';
import { challengeOf, receiptIn, requestOf } from '../support/mpp-wire.ts';
import { mppxFetch, receiptOf, strictlyRead } from '../support/mppx-client.ts';
import { payAsOkx } from '../support/okx-payer.ts';
import { sharedWorld } from '../support/suite.ts';
import { type Payer, payingFetch, payingFetchV1, settlementOf } from './clients.ts';
import { changesDuring, startWorld, transfersOf } from './world.ts';

const world = sharedWorld(startWorld);

/** What somebody got for his money: the answer, and the transaction that his own receipt names. */
type Bought = { readonly response: Response; readonly transaction: Hex };

const payers: readonly { readonly name: string; readonly receipts: readonly string[]; buy(url: string, payer: Payer): Promise<Bought> }[] =
  [
    {
      name: '@x402/fetch',
      receipts: ['payment-response'],
      async buy(url, payer) {
        const response = await payingFetch(fetch, payer)(url);
        return { response, transaction: settlementOf(response.headers, 2).transaction };
      },
    },
    {
      name: 'x402-fetch',
      receipts: ['x-payment-response'],
      async buy(url, payer) {
        const response = await payingFetchV1(fetch, payer)(url);
        return { response, transaction: settlementOf(response.headers, 1).transaction };
      },
    },
    {
      name: 'mppx',
      receipts: ['payment-receipt'],
      async buy(url, payer) {
        const response = await mppxFetch(fetch, privateKeyToAccount(payer.privateKey))(url);
        return { response, transaction: receiptOf(response).reference as Hex };
      },
    },
    {
      name: 'a payer of the shape of mppx 0.13',
      receipts: ['payment-receipt'],
      async buy(url, payer) {
        const asked = await fetch(url);
        const { value } = await payMpp(privateKeyToAccount(payer.privateKey), challengeOf(asked.headers.get('www-authenticate')), {
          framing: 'listed',
        });
        const response = await fetch(url, { headers: { Authorization: value } });
        return { response, transaction: receiptOf(response).reference as Hex };
      },
    },
    {
      name: "a payer of OKX's shape",
      receipts: ['payment-receipt'],
      async buy(url, payer) {
        const asked = await fetch(url);
        const { value } = await payAsOkx(asked.headers.get('www-authenticate') ?? '', privateKeyToAccount(payer.privateKey));
        const response = await fetch(url, { headers: { Authorization: value } });
        return { response, transaction: receiptIn(response.headers.get('payment-receipt'))?.reference as Hex };
      },
    },
    {
      name: 'this package',
      receipts: ['payment-receipt', 'payment-response'],
      async buy(url, payer) {
        const response = await ourFetch({ signer: localSigner(payer.privateKey) })(url);
        return { response, transaction: ourReceiptOf(response)?.transaction as Hex };
      },
    },
  ];

const RECEIPTS = ['payment-response', 'x-payment-response', 'payment-receipt'];

for (const { settle, path } of [
  { settle: 'after', path: '/report' },
  { settle: 'before', path: '/report-before' },
]) {
  test(`six payers pay one route that settles ${settle} the origin, and the chain shows six prices`, async () => {
    const { payee, payers: accounts } = world.chain.accounts;
    const received = await world.chain.balanceOf(payee.address);
    const settled = world.facilitator.counts.settle;
    const asked = world.origin.requests.length;
    const transactions = new Set<string>();
    for (const [index, { name, receipts, buy }] of payers.entries()) {
      const account = accounts[index];
      assert.ok(account);
      const { result, change } = await changesDuring(world, account.address, () => buy(`${world.gate.url}${path}`, account));
      const { response, transaction } = result;
      assert.equal(response.status, 200, `${name}: ${await response.clone().text()}`);
      assert.equal(((await response.json()) as { report: string }).report, 'Rainfall, Tuesday');
      assert.deepEqual(
        change,
        { paid: PRICE_ATOMIC, received: PRICE_ATOMIC, asked: 1, verified: settle === 'after' ? 1 : 0, settled: 1 },
        name,
      );
      const brought = RECEIPTS.filter((header) => response.headers.has(header));
      assert.equal(brought.length, 1, `${name}: one receipt, ${brought.join(' and ')}`);
      assert.ok(receipts.includes(brought[0] ?? ''), `${name}: ${brought[0]}`);
      assert.match(response.headers.get('cache-control') ?? '', /\bprivate\b/);
      assert.deepEqual(await transfersOf(world, transaction), [{ from: account.address, to: payee.address, value: PRICE_ATOMIC }], name);
      transactions.add(transaction);
    }
    assert.equal(transactions.size, payers.length);
    assert.equal((await world.chain.balanceOf(payee.address)) - received, 6n * PRICE_ATOMIC);
    assert.equal(world.facilitator.counts.settle - settled, 6);
    assert.equal(world.origin.requests.length - asked, 6);
    const seen = world.origin.requests.slice(asked).flatMap(({ headers }) => Object.keys(headers));
    const hidden = ['authorization', 'payment-authorization', 'payment-signature', 'x-payment', 'accept-payment'];
    assert.deepEqual(
      seen.filter((header) => hidden.includes(header)),
      [],
    );
  });
}

test("one challenge is answered by the strict client of the reference and by OKX's shape, each on its own", async () => {
  const { payers: accounts, payee } = world.chain.accounts;
  const [first, second] = [accounts[6], accounts[7]];
  assert.ok(first && second);
  const url = `${world.gate.url}/report`;
  const asked = await fetch(url);
  const value = asked.headers.get('www-authenticate') ?? '';
  const [read, ...others] = strictlyRead(asked);
  assert.deepEqual([others.length, read?.challenge.id], [0, challengeOf(value).id]);
  const { amount, recipient, methodDetails } = requestOf(challengeOf(value));
  assert.deepEqual([BigInt(amount), recipient, methodDetails.chainId], [PRICE_ATOMIC, payee.address, 84_532]);

  // The stock client is given that very answer when it asks, and takes it from there.
  let handed = false;
  const handing: typeof fetch = async (input, init) => {
    if (handed) return fetch(input, init);
    handed = true;
    return asked;
  };
  const mppx = await changesDuring(world, first.address, () => mppxFetch(handing, privateKeyToAccount(first.privateKey))(url));
  assert.equal(mppx.result.status, 200, await mppx.result.clone().text());
  assert.equal(receiptIn(mppx.result.headers.get('payment-receipt'))?.['challengeId'], challengeOf(value).id);
  assert.equal(mppx.change.paid, PRICE_ATOMIC);

  const { value: credential } = await payAsOkx(value, privateKeyToAccount(second.privateKey));
  const okx = await changesDuring(world, second.address, () => fetch(url, { headers: { Authorization: credential } }));
  assert.equal(okx.result.status, 200, await okx.result.clone().text());
  assert.equal(receiptIn(okx.result.headers.get('payment-receipt'))?.['challengeId'], challengeOf(value).id);
  assert.equal(okx.change.paid, PRICE_ATOMIC);
});

test('the stock client spends nothing on a challenge above its cap', async () => {
  const account = world.chain.accounts.payers[7];
  assert.ok(account);
  const dear = await startWorld({ routes: [{ path: '/dear', price: '$0.06' }] });
  try {
    const { change } = await changesDuring(dear, account.address, () =>
      assert.rejects(mppxFetch(fetch, privateKeyToAccount(account.privateKey))(`${dear.gate.url}/dear`), /exceeds maxAmount/),
    );
    assert.deepEqual(change, { paid: 0n, received: 0n, asked: 0, verified: 0, settled: 0 });
  } finally {
    await dear.stop();
  }
});
