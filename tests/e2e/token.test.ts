import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import {
  createWalletClient,
  domainSeparator,
  type Hex,
  hexToBigInt,
  http,
  numberToHex,
  parseSignature,
  serializeSignature,
  toHex,
} from 'viem';

import { type Chain, startChain } from '../../demo/chain.mjs';
import { compile, contracts } from '../../demo/token/compile.mjs';
import { TRANSFER_TYPES } from '../support/mpp-payer.ts';

let chain: Chain;
before(async () => {
  chain = await startChain();
});
after(() => chain?.stop());

const types = {
  ...TRANSFER_TYPES,
  CancelAuthorization: [
    { name: 'authorizer', type: 'address' },
    { name: 'nonce', type: 'bytes32' },
  ],
} as const;
const domain = () => ({ name: 'USDC', version: '2', chainId: 84532, verifyingContract: chain.token.address }) as const;
const FOREVER = 2n ** 64n;
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** Sends a transaction and waits for its block: the node takes it before it mines it. */
async function send(functionName: string, args: unknown[]): Promise<Hex> {
  const { chain: definition, url, accounts, token, publicClient } = chain;
  const wallet = createWalletClient({ account: accounts.facilitator, chain: definition, transport: http(url) });
  const hash = await wallet.writeContract({ ...token, functionName, args });
  const { status } = await publicClient.waitForTransactionReceipt({ hash, pollingInterval: 20 });
  assert.equal(status, 'success');
  return hash;
}

async function refusalOf(functionName: string, args: unknown[]): Promise<string> {
  return send(functionName, args).then(
    () => 'accepted',
    (error: { shortMessage?: string }) => error.shortMessage ?? '',
  );
}

function authorization(nonce: number, from = chain.accounts.payer.address) {
  return {
    from,
    to: chain.accounts.payee.address,
    value: 10_000n,
    validAfter: 0n,
    validBefore: FOREVER,
    nonce: numberToHex(nonce, { size: 32 }),
  };
}

async function signed(nonce: number) {
  const message = authorization(nonce);
  const signature = await chain.accounts.payer.signTypedData({
    domain: domain(),
    types,
    primaryType: 'TransferWithAuthorization',
    message,
  });
  return { message, signature, args: Object.values(message) };
}

for (const name of contracts) {
  test(`the committed artefact of ${name} is what its source compiles to, byte for byte`, () => {
    const committed = readFileSync(new URL(`../../demo/token/${name}.json`, import.meta.url), 'utf8');
    assert.equal(compile(name), committed);
  });
}

test('both forms of transferWithAuthorization move the value once', async () => {
  const { payer, payee } = chain.accounts;
  const before = [await chain.balanceOf(payer.address), await chain.balanceOf(payee.address)];
  const first = await signed(1);
  const { v, r, s } = parseSignature(first.signature);
  await send('transferWithAuthorization', [...first.args, Number(v), r, s]);
  const second = await signed(2);
  await send('transferWithAuthorization', [...second.args, second.signature]);

  const afterwards = [await chain.balanceOf(payer.address), await chain.balanceOf(payee.address)];
  assert.deepEqual([before[0]! - afterwards[0]!, afterwards[1]! - before[1]!], [20_000n, 20_000n]);
  assert.match(await refusalOf('transferWithAuthorization', [...first.args, first.signature]), /is used or canceled/);
});

test('a cancelled authorization moves nothing', async () => {
  const { message, signature, args } = await signed(3);
  const cancellation = await chain.accounts.payer.signTypedData({
    domain: domain(),
    types,
    primaryType: 'CancelAuthorization',
    message: { authorizer: message.from, nonce: message.nonce },
  });
  await send('cancelAuthorization', [message.from, message.nonce, cancellation]);
  assert.match(await refusalOf('transferWithAuthorization', [...args, signature]), /is used or canceled/);
});

//
test('the other signature of the same authorization, with a high s, is refused', async () => {
  const { signature, args } = await signed(4);
  const { r, s, yParity } = parseSignature(signature);
  const high = serializeSignature({ r, s: toHex(ORDER - hexToBigInt(s), { size: 32 }), yParity: 1 - yParity });
  assert.match(await refusalOf('transferWithAuthorization', [...args, high]), /invalid signature 's' value/);
});

test('only the payee can receive with an authorization', async () => {
  const { signature, args } = await signed(5);
  assert.match(await refusalOf('receiveWithAuthorization', [...args, signature]), /caller must be the payee/);
});

test('a contract answers for its own signature', async () => {
  const wallet = '0x00000000000000000000000000000000c0ffee01';
  await send('mint', [wallet, 50_000n]);
  const args = Object.values(authorization(6, wallet));
  // Runtime code that answers every call with one word: ERC-1271's yes, then zero.
  await chain.rpc('anvil_setCode', [wallet, '0x5f5f5260205ff3']);
  assert.match(await refusalOf('transferWithAuthorization', [...args, '0x']), /invalid signature/);
  await chain.rpc('anvil_setCode', [wallet, '0x631626ba7e60e01b5f5260205ff3']);
  await send('transferWithAuthorization', [...args, '0x']);
  assert.equal(await chain.balanceOf(wallet), 40_000n);
});

//
test('the EIP-712 domain is that of the address where the code stands', async () => {
  const elsewhere = '0x00000000000000000000000000000000c0ffee02';
  await chain.rpc('anvil_setCode', [elsewhere, await chain.publicClient.getCode({ address: chain.token.address })]);
  for (const address of [chain.token.address, elsewhere] as const) {
    const separator = await chain.publicClient.readContract({ address, abi: chain.token.abi, functionName: 'DOMAIN_SEPARATOR' });
    assert.equal(separator, domainSeparator({ domain: { ...domain(), verifyingContract: address } }));
  }
});

//
test('a blacklisted account and a paused token move nothing', async () => {
  const { signature, args, message } = await signed(8);
  await send('setBlacklisted', [message.from, true]);
  assert.match(await refusalOf('transferWithAuthorization', [...args, signature]), /blacklisted/);
  await send('setBlacklisted', [message.from, false]);
  await send('setPaused', [true]);
  assert.match(await refusalOf('transferWithAuthorization', [...args, signature]), /paused/);
  await send('setPaused', [false]);
  await send('transferWithAuthorization', [...args, signature]);
});
