// The contract of x402 `batch-settlement` as we wrote it, under the published client, server and facilitator: what is
// deposited, claimed, paid out, refunded and withdrawn, to the last unit.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { HTTPFacilitatorClient } from '@x402/core/server';
import { BatchSettlementEvmScheme as Payer } from '@x402/evm/batch-settlement/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { createWalletClient, type Hex, http, publicActions } from 'viem';

import { BATCH_SETTLEMENT, type Chain, NETWORK, readArtefact } from '../../demo/chain.mjs';
import { AUTHORIZER, type ChannelSeller, DELAY, PRICE, startChannelSeller } from './channel-seller.ts';

const { abi } = readArtefact('BatchSettlement');

let world: ChannelSeller;
let chain: ChannelSeller['chain'];
let facilitator: ChannelSeller['facilitator'];
let seller: ChannelSeller['seller'];
let url: string;

before(async () => {
  world = await startChannelSeller();
  ({ chain, facilitator, seller, url } = world);
});
after(() => world?.stop());

/** A payer with the published client; its signer reads the chain, as a wallet does. */
function payerOf(payer: Chain['accounts']['payer']) {
  const { readContract } = chain.publicClient;
  const scheme = new Payer({ ...payer, readContract } as never);
  const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client: scheme }] });
  return { scheme, pay };
}

function payerAt(index: number): Chain['accounts']['payer'] {
  const payer = chain.accounts.payers[index];
  assert.ok(payer);
  return payer;
}

async function read<T>(functionName: string, args: unknown[]): Promise<T> {
  return (await chain.publicClient.readContract({ address: BATCH_SETTLEMENT, abi, functionName, args })) as T;
}

/** Sends a transaction of this account; why it is refused, if it is. */
async function send(from: Chain['accounts']['payer'], functionName: string, args: unknown[]): Promise<string> {
  const wallet = createWalletClient({ account: from, chain: chain.chain, transport: http(chain.url) }).extend(publicActions);
  try {
    const hash: Hex = await wallet.writeContract({ address: BATCH_SETTLEMENT, abi, functionName, args });
    return (await wallet.waitForTransactionReceipt({ hash, pollingInterval: 20 })).status;
  } catch (error) {
    return String(/reverted with the following reason:\n(\w+)/.exec(String(error))?.[1] ?? error);
  }
}

test('a deposit pays for requests; what was charged is claimed and paid out, the rest refunded', async () => {
  const payer = payerAt(0);
  const { scheme, pay } = payerOf(payer);
  const funds = await chain.balanceOf(payer.address);
  for (let request = 0; request < 3; request += 1) assert.equal((await pay(url)).status, 200);
  const [channel] = await seller.getStorage().list();
  assert.ok(channel);
  const { channelId, channelConfig } = channel;
  const [balance, claimed] = await read<[bigint, bigint]>('channels', [channelId]);
  assert.equal(balance, funds - (await chain.balanceOf(payer.address)));
  assert.ok(balance >= 3n * PRICE);
  assert.equal(claimed, 0n);
  assert.equal(await read('getChannelId', [channelConfig]), channelId);

  const manager = seller.createChannelManager(new HTTPFacilitatorClient({ url: facilitator.url }), NETWORK);
  await manager.claimAndSettle();
  assert.deepEqual(await read('channels', [channelId]), [balance, 3n * PRICE]);
  assert.equal(await chain.balanceOf(chain.accounts.payee.address), 3n * PRICE);

  const refunded = await scheme.refund(url);
  assert.equal(refunded.success, true);
  assert.equal(refunded.amount, String(balance - 3n * PRICE));
  assert.equal(await chain.balanceOf(payer.address), funds - 3n * PRICE);
  assert.equal(await chain.balanceOf(BATCH_SETTLEMENT), 0n);
  assert.equal(await read('refundNonce', [channelId]), 1n);
});

//
test('a claim above its voucher, of another signer or without the authorizer is refused', async () => {
  const payer = payerAt(3);
  const { scheme, pay } = payerOf(payer);
  assert.equal((await pay(url)).status, 200);
  const channel = (await seller.getStorage().list()).find((it) => it.channelConfig.payer === payer.address);
  assert.ok(channel);
  const { channelConfig, signedMaxClaimable, signature } = channel;
  const claim = (total: bigint, most = BigInt(signedMaxClaimable), by = signature) => [
    { voucher: { channel: channelConfig, maxClaimableAmount: most }, signature: by, totalClaimed: total },
  ];
  const { payee } = chain.accounts;
  assert.equal(await send(payer, 'claim', [claim(PRICE)]), 'NotAuthorized');
  assert.equal(await send(payee, 'claim', [claim(PRICE + 1n)]), 'AboveVoucher');
  assert.equal(await send(payee, 'claim', [claim(PRICE + 1n, PRICE + 1n)]), 'InvalidSignature');
  assert.equal(await send(payee, 'claim', [claim(1_000_000_000n, 1_000_000_000n)]), 'AboveBalance');
  const stranger = await AUTHORIZER.signMessage({ message: 'claim' });
  assert.equal(await send(payer, 'claimWithSignature', [claim(PRICE), stranger]), 'InvalidSignature');
  assert.equal(await send(payer, 'refundWithSignature', [channelConfig, 1n, 0n, stranger]), 'InvalidSignature');
  assert.equal(await send(payer, 'refundWithSignature', [channelConfig, 1n, 1n, stranger]), 'NonceMismatch');
  assert.equal(await send(payee, 'claim', [claim(PRICE)]), 'success');
  assert.equal(await send(payee, 'claim', [claim(PRICE)]), 'success', 'again, it changes nothing');
  const refunded = await scheme.refund(url);
  assert.equal(refunded.success, true);
  assert.equal((await read<[bigint, bigint]>('channels', [channel.channelId]))[0], PRICE);
  const earlier = await chain.balanceOf(payee.address);
  assert.equal(await send(payer, 'settle', [payee.address, chain.token.address]), 'success', 'anyone may');
  assert.equal(await chain.balanceOf(payee.address), earlier + PRICE);
});

// The last one: it moves the chain's clock.
test('a payer withdraws after the delay what was not claimed until then', async () => {
  const payer = payerAt(1);
  const { pay } = payerOf(payer);
  const funds = await chain.balanceOf(payer.address);
  const before = await chain.balanceOf(chain.accounts.payee.address);
  assert.equal((await pay(url)).status, 200);
  const channel = (await seller.getStorage().list()).find((it) => it.channelConfig.payer === payer.address);
  assert.ok(channel);
  const { channelConfig, channelId } = channel;
  const [balance] = await read<[bigint, bigint]>('channels', [channelId]);
  assert.equal(await send(payerAt(2), 'initiateWithdraw', [channelConfig, balance]), 'NotPayer');
  assert.equal(await send(payer, 'initiateWithdraw', [channelConfig, balance + 1n]), 'AmountExceedsBalance');
  assert.equal(await send(payer, 'initiateWithdraw', [channelConfig, balance]), 'success');
  assert.equal(await send(payer, 'finalizeWithdraw', [channelConfig]), 'TooEarly');
  const manager = seller.createChannelManager(new HTTPFacilitatorClient({ url: facilitator.url }), NETWORK);
  await manager.claimAndSettle();
  await chain.rpc('evm_increaseTime', [DELAY]);
  await chain.rpc('evm_mine', []);
  assert.equal(await send(payer, 'finalizeWithdraw', [channelConfig]), 'success');
  assert.equal(await chain.balanceOf(payer.address), funds - PRICE);
  assert.equal(await chain.balanceOf(chain.accounts.payee.address), before + PRICE);
  assert.equal(await chain.balanceOf(BATCH_SETTLEMENT), 0n);
});
