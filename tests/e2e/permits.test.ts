// Payments by Permit2: stock clients, gate, reference facilitator and chain. Permit2 and x402's proxy stand at their canonical
// addresses, written from their specifications.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { createWalletClient, type Hex, http, maxUint256, parseAbi } from 'viem';

import { PERMIT2 } from '../../demo/chain.mjs';
import { PRICE, PRICE_ATOMIC } from '../../demo/gate.mjs';
import { payingFetch as payingFetchOfPackage, receiptOf } from '../../pkg/dist/index.js';
import { sharedWorld } from '../support/suite.ts';
import { type Payer, settlementOf } from './clients.ts';
import { changesDuring, startWorld, transfersOf } from './world.ts';

const ROUTES = [
  { path: '/report-permit', price: PRICE, asset_transfer_method: 'permit2' },
  { path: '/report-permit-before', price: PRICE, settle: 'before', asset_transfer_method: 'permit2' },
  { path: '/report-permit-sure', price: PRICE, confirm: 'chain', asset_transfer_method: 'permit2' },
];
const MODES = [
  { path: '/report-permit', verified: 1 },
  { path: '/report-permit-before', verified: 1 },
  { path: '/report-permit-sure', verified: 1 },
];

const world = sharedWorld(() => startWorld({ readsChain: true, routes: ROUTES.map((route) => ({ ...route, methods: ['GET'] })) }));

const abi = parseAbi([
  'function approve(address spender, uint256 value) returns (bool)',
  'function invalidateUnorderedNonces(uint256 word, uint256 mask)',
  'function nonceBitmap(address owner, uint256 word) view returns (uint256)',
]);

async function send(
  payer: Payer,
  address: Hex,
  functionName: 'approve' | 'invalidateUnorderedNonces',
  args: readonly [Hex | bigint, bigint],
) {
  const { chain } = world;
  await chain.rpc('anvil_setBalance', [payer.address, '0xde0b6b3a7640000']);
  const wallet = createWalletClient({ account: payer, chain: chain.chain, transport: http(chain.url) });
  const hash = await wallet.writeContract({ address, abi, functionName, args: args as never });
  const { status } = await chain.publicClient.waitForTransactionReceipt({ hash });
  assert.equal(status, 'success');
}

/** Lets Permit2 move this much of a payer's tokens. */
const allow = (payer: Payer, amount: bigint) => send(payer, world.chain.token.address, 'approve', [PERMIT2, amount]);

function payingFetch(payer: Payer, base: typeof fetch = fetch) {
  return wrapFetchWithPaymentFromConfig(base, { schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(payer) }] });
}

/** A payment that the stock client signs, which is not sent. */
async function signed(payer: Payer, path: string): Promise<string> {
  let payment = '';
  const holdsBack: typeof fetch = async (input, init) => {
    const header = new Request(input, init).headers.get('payment-signature');
    if (header === null) return fetch(input, init);
    payment = header;
    return new Response('held back');
  };
  await payingFetch(payer, holdsBack)(`${world.gate.url}${path}`);
  assert.notEqual(payment, '');
  return payment;
}

const show = (path: string, payment: string) => fetch(`${world.gate.url}${path}`, { headers: { 'payment-signature': payment } });

function nonceOf(payment: string): bigint {
  const message = JSON.parse(Buffer.from(payment, 'base64').toString()) as { payload: { permit2Authorization: { nonce: string } } };
  return BigInt(message.payload.permit2Authorization.nonce);
}

for (const { path, verified } of MODES) {
  test(`the stock client pays ${path} by Permit2, and the money has moved`, async () => {
    const payer = world.chain.accounts.payers[0]!;
    await allow(payer, PRICE_ATOMIC);
    const { result, change } = await changesDuring(world, payer.address, () => payingFetch(payer)(`${world.gate.url}${path}`));
    assert.equal(result.status, 200, await result.clone().text());
    assert.deepEqual(change, { paid: PRICE_ATOMIC, received: PRICE_ATOMIC, asked: 1, verified, settled: 1 });
    const settlement = settlementOf(result.headers, 2);
    assert.equal(settlement.payer, payer.address);
    const { payee } = world.chain.accounts;
    assert.deepEqual(await transfersOf(world, settlement.transaction), [{ from: payer.address, to: payee.address, value: PRICE_ATOMIC }]);
  });
}

test('without an allowance nothing is served, and the payer is told what is missing', async () => {
  const payer = world.chain.accounts.payers[1]!;
  for (const { path } of MODES) {
    const { result, change } = await changesDuring(world, payer.address, () => payingFetch(payer)(`${world.gate.url}${path}`));
    assert.equal(result.status, 402, path);
    const required = JSON.parse(Buffer.from(result.headers.get('payment-required') ?? '', 'base64').toString()) as { error: string };
    assert.equal(required.error, 'permit2_allowance_required', path);
    assert.deepEqual(change, { paid: 0n, received: 0n, asked: 0, verified: 1, settled: 0 }, path);
  }
});

test('one permit is served once, to one of many requests that show it at once', async () => {
  const payer = world.chain.accounts.payers[2]!;
  await allow(payer, maxUint256);
  const payment = await signed(payer, '/report-permit');
  const { result, change } = await changesDuring(world, payer.address, () =>
    Promise.all(Array.from({ length: 8 }, () => show('/report-permit', payment))),
  );
  assert.equal(result.filter(({ status }) => status === 200).length, 1);
  assert.ok(
    result.every(({ status }) => [200, 409].includes(status)),
    result.map(({ status }) => status).join(),
  );
  const again = await show('/report-permit-before', payment);
  assert.notEqual(again.status, 200);
  assert.equal(change.paid, PRICE_ATOMIC);
  assert.equal(change.asked, 1);
});

test('a permit whose nonce its payer has invalidated buys nothing', async () => {
  const payer = world.chain.accounts.payers[3]!;
  await allow(payer, maxUint256);
  for (const path of ['/report-permit', '/report-permit-before']) {
    const payment = await signed(payer, path);
    const nonce = nonceOf(payment);
    await send(payer, PERMIT2, 'invalidateUnorderedNonces', [nonce >> 8n, 1n << (nonce & 0xffn)]);
    const { result, change } = await changesDuring(world, payer.address, () => show(path, payment));
    assert.notEqual(result.status, 200);
    assert.deepEqual({ paid: change.paid, asked: change.asked }, { paid: 0n, asked: 0 }, path);
  }
});

test('the package pays by Permit2 where its policy says so, and shows the receipt of the gate', async () => {
  const payer = world.chain.accounts.payers[4]!;
  await allow(payer, PRICE_ATOMIC);
  const paying = payingFetchOfPackage({ signer: payer, policy: { permit2: true } });
  const { result, change } = await changesDuring(world, payer.address, () => paying(`${world.gate.url}/report-permit`));
  assert.equal(result.status, 200);
  assert.equal(change.paid, PRICE_ATOMIC);
  const receipt = receiptOf(result);
  assert.deepEqual([receipt?.payer, receipt?.amount], [payer.address, String(PRICE_ATOMIC)]);
});
