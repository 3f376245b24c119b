// The package pays our gate on a real chain: each signer, both settle modes, lost replies.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Hex } from 'viem';

import { FareboxError, localSigner, payingFetch, receiptOf, wrapFetch } from '../../pkg/dist/index.js';
import { changesDuring, startWorld, transfersOf } from '../e2e/world.ts';
import { sharedWorld } from '../support/suite.ts';
import { SIGNERS, wallet } from './signers.ts';

const world = sharedWorld(startWorld);

const PRICE = 10_000n;

for (const [name, signerOf] of Object.entries(SIGNERS)) {
  for (const path of ['/report', '/report-before']) {
    test(`${name} pays ${path}, and the receipt names the transfer`, async () => {
      const account = world.chain.accounts.payer;
      const fetch = payingFetch({ signer: signerOf(account, world.chain) });
      const { result: response, change } = await changesDuring(world, account.address, () => fetch(`${world.gate.url}${path}`));
      assert.equal(response.status, 200, await response.clone().text());
      assert.equal(change.paid, PRICE);
      assert.equal(change.received, PRICE);
      assert.equal(change.asked, 1);
      const receipt = receiptOf(response);
      assert.ok(receipt);
      assert.equal(receipt.price, '0.01');
      assert.equal(receipt.payer, account.address);
      const keys = (await (await globalThis.fetch(`${world.gate.url}/.well-known/farebox-keys.json`)).json()) as {
        keys: { address: string }[];
      };
      assert.ok(
        keys.keys.some(({ address }) => address === receipt.signedBy),
        'the gate signed it',
      );
      const [transfer] = await transfersOf(world, receipt.transaction as Hex);
      assert.deepEqual(transfer, { from: account.address, to: world.chain.accounts.payee.address, value: PRICE });
    });
  }
}

test('what is free stays free, and nothing is signed for it', async () => {
  const fetch = payingFetch({ signer: { address: async () => assert.fail('asked'), sign: async () => assert.fail('signed') } });
  const response = await fetch(`${world.gate.url}/`);
  assert.equal(response.status, 200);
  assert.equal(receiptOf(response), undefined);
});

test('a reply that is lost after the settlement is asked for again with the same payment: one debit, the content', async () => {
  const account = world.chain.accounts.payer;
  for (const lose of [1, 2, 3]) {
    let paid = 0;
    const sent = new Set<string | null>();
    const flaky: typeof globalThis.fetch = async (input, init) => {
      const response = await globalThis.fetch(input, init);
      const header = new Headers(init?.headers).get('payment-signature');
      if (header === null) return response;
      sent.add(header);
      paid += 1;
      if (paid > lose) return response;
      await response.arrayBuffer();
      throw new TypeError('fetch failed');
    };
    const fetch = wrapFetch(flaky, { signer: localSigner(account.privateKey) });
    const { result: response, change } = await changesDuring(world, account.address, () => fetch(`${world.gate.url}/report`));
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('payment-replayed'), 'true');
    assert.equal(((await response.json()) as { weather?: unknown }) !== null, true);
    assert.deepEqual([change.paid, change.asked, sent.size], [PRICE, 1, 1]);
    assert.ok(receiptOf(response));
  }
});

test("without an identifier a lost reply is asked for with the wallet's word", async () => {
  const account = world.chain.accounts.payer;
  const asked: string[][] = [];
  let lost = false;
  const flaky: typeof globalThis.fetch = async (input, init) => {
    const response = await globalThis.fetch(input, init);
    const headers = new Headers(init?.headers);
    if (!headers.has('payment-signature')) return response;
    asked.push([...headers.keys()].filter((name) => name.startsWith('farebox') || name.startsWith('payment')));
    if (lost) return response;
    lost = true;
    await response.arrayBuffer();
    throw new TypeError('fetch failed');
  };
  const fetch = wrapFetch(flaky, { signer: localSigner(account.privateKey), identifier: false });
  const { result: response, change } = await changesDuring(world, account.address, () => fetch(`${world.gate.url}/report`));
  assert.equal(response.status, 200);
  assert.deepEqual(asked, [['payment-signature'], ['payment-signature'], ['farebox-redelivery', 'payment-signature']]);
  assert.deepEqual([change.paid, change.asked], [PRICE, 1]);
});

test('a payment that came too late is signed once more under its nonce: one debit, the content', async () => {
  const account = world.chain.accounts.payer;
  // This payer's clock is a day slow, until it has signed.
  let slowSecs = 86_400;
  const nonces: unknown[] = [];
  const key = localSigner(account.privateKey);
  const fetch = payingFetch({
    now: () => Date.now() / 1000 - slowSecs,
    signer: {
      address: key.address,
      sign: (typedData) => {
        slowSecs = 0;
        nonces.push(typedData.message['nonce']);
        return key.sign(typedData);
      },
    },
  });
  const { result: response, change } = await changesDuring(world, account.address, () => fetch(`${world.gate.url}/report`));
  assert.equal(response.status, 200);
  assert.ok(receiptOf(response));
  assert.deepEqual([change.paid, nonces.length, new Set(nonces).size], [PRICE, 2, 1]);
  assert.deepEqual(await fetch.endpoints.pending(), []);
});

test('a price above the cap is refused before anything is signed', async () => {
  const fetch = payingFetch({ signer: localSigner(world.chain.accounts.payer.privateKey), policy: { perPayment: '0.009' } });
  await assert.rejects(fetch(`${world.gate.url}/report`), (error) => {
    assert.ok(error instanceof FareboxError);
    assert.equal(error.code, 'policy_amount');
    assert.equal(error.signed, false);
    assert.equal(error.payment, undefined);
    assert.equal(error.response?.status, 402);
    return true;
  });
});

test('a wallet whose owner says no is told apart, and the budget is as before', async () => {
  const { address } = world.chain.accounts.payer;
  let say: 'no' | 'yes' = 'no';
  const provider = wallet(world.chain.accounts.payer);
  const fetch = payingFetch({
    signer: {
      request: async (call: { method: string; params?: readonly unknown[] }) => {
        if (call.method === 'eth_signTypedData_v4' && say === 'no')
          throw Object.assign(new Error('User rejected the request.'), { code: 4001 });
        return (provider as { request(call: unknown): Promise<unknown> }).request(call);
      },
    },
    policy: { perDay: '0.01' },
  });
  await assert.rejects(
    fetch(`${world.gate.url}/report`),
    (error) => error instanceof FareboxError && error.code === 'wallet_rejected' && !error.signed,
  );
  say = 'yes';
  const { change } = await changesDuring(world, address, () => fetch(`${world.gate.url}/report`));
  assert.equal(change.paid, PRICE, 'the rejected one was not counted');
  await assert.rejects(fetch(`${world.gate.url}/report`), (error) => error instanceof FareboxError && error.code === 'budget_exhausted');
});

test('a route that is offered on several networks is paid on the one that the policy names', async () => {
  const payTo = '0x209693Bc6afc0C5328bA36FaF03C514EF312287C';
  const several = await startWorld({
    vars: {
      NETWORK: ['solana-devnet', 'eip155:80002', 'eip155:84532'],
      PAY_TO: { 'solana-devnet': '7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU', 'polygon-amoy': payTo, 'base-sepolia': payTo },
    },
  });
  try {
    const { payer } = several.chain.accounts;
    const fetch = payingFetch({ signer: localSigner(payer.privateKey), policy: { networks: ['eip155:84532'] } });
    const response = await fetch(`${several.gate.url}/report`);
    assert.equal(response.status, 200, await response.clone().text());
    const transaction = receiptOf(response)?.transaction as Hex;
    assert.deepEqual(await transfersOf(several, transaction), [{ from: payer.address, to: payTo, value: PRICE }]);
  } finally {
    await several.stop();
  }
});
