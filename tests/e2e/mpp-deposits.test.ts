// Deposits of sessions by MPP that the gate sends, on a chain: a payer of OKX's shape, without any gas, opens a channel, buys, adds to its deposit and
// closes. What would be lost is refused before it costs gas, and whoever sends the same deposit first opens the same channel.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createWalletClient, encodeFunctionData, type Hex, http, parseAbi, toHex, zeroAddress } from 'viem';

import { account, type Chain, PAYEE, PAYMENT_CHANNEL, startChain } from '../../demo/chain.mjs';
import { startFacilitator } from '../../demo/facilitator.mjs';
import { gateVars } from '../../demo/gate.mjs';
import { startOrigin } from '../../demo/origin.mjs';
import { type Gate, startGate } from '../../scripts/miniflare.mjs';
import { type CountingNode, countingNode } from './counting-node.ts';
import { OkxPayer } from './okx-payer.ts';

const PRICE = 10_000n;
/** The least deposit that is sent. */
const LEAST = 10n * PRICE;
const LIMIT = { timeout: 60_000 };
const FORM = parseAbi([
  'function openWithAuthorization(address payee, address token, uint128 deposit, bytes32 salt, address authorizedSigner, address from, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature, address[] splitRecipients, uint16[] splitBps)',
]);
type Signed = { authorization: { value: string; validBefore: string; nonce: Hex }; signature: Hex; salt: Hex };

/** The call that brings the opening of this request to the contract; none if it shows nothing. */
function callOf(init: RequestInit | undefined, payer: Hex): Hex | undefined {
  const token = new Headers(init?.headers).get('authorization')?.replace('Payment ', '');
  if (token === undefined) return undefined;
  const { challenge, payload } = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as {
    challenge: { request: string };
    payload: Signed;
  };
  const { currency, recipient } = JSON.parse(Buffer.from(challenge.request, 'base64url').toString('utf8')) as {
    currency: Hex;
    recipient: Hex;
  };
  const {
    authorization: { value, validBefore, nonce },
    signature,
    salt,
  } = payload;
  const args = [recipient, currency, BigInt(value), salt, zeroAddress, payer, 0n, BigInt(validBefore), nonce, signature, [], []] as const;
  return encodeFunctionData({ abi: FORM, functionName: 'openWithAuthorization', args });
}

let [chain, node, gate]: [Chain, CountingNode, Gate] = [] as never;
const ends: { stop(): unknown }[] = [];
function keep<T extends { stop(): unknown }>(part: T): T {
  ends.unshift(part);
  return part;
}

before(async () => {
  chain = keep(await startChain());
  const origin = keep(await startOrigin());
  const facilitator = keep(await startFacilitator({ chain }));
  node = keep(await countingNode(chain.url));
  const vars = gateVars({ chain, facilitator, origin });
  const route = { path: '/report/session', methods: ['GET'], price: '$0.01', session_escrow: PAYMENT_CHANNEL, session_fee_payer: '$0.10' };
  gate = keep(
    await startGate({
      build: process.env.FAREBOX_BUILD ?? 'build',
      vars: { ...vars, ROUTES: [...vars.ROUTES, route], RPC_URL: node.url },
      secrets: { PAYEE_KEY: account(PAYEE).privateKey },
    }),
  );
}, LIMIT);
after(async () => {
  for (const part of ends) await part.stop();
});

/** A payer who has tokens and no gas, and what it has sent so far. */
async function payerAt(index: number) {
  const payer = chain.accounts.payers[index];
  assert.ok(payer);
  await chain.rpc('anvil_setBalance', [payer.address, '0x0']);
  return { payer, session: new OkxPayer(chain, payer, `${gate.url}/report/session`) };
}

/** Transactions of the payee, and the last one. */
const sent = () => chain.publicClient.getTransactionCount({ address: chain.accounts.payee.address });
async function last(): Promise<Hex> {
  const { transactions } = await chain.publicClient.getBlock({ includeTransactions: true });
  return transactions.at(-1)?.input ?? '0x';
}
const balances = (payer: Hex) => Promise.all([payer, chain.accounts.payee.address, PAYMENT_CHANNEL].map((owner) => chain.balanceOf(owner)));

async function until(what: string, holds: () => Promise<boolean>) {
  for (let waits = 0; waits < 300; waits += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(what);
}

test('a payer without gas opens, buys, adds and closes, and all have what they are owed to the last unit', LIMIT, async () => {
  const { payer, session } = await payerAt(2);
  const [[funds = 0n, earned = 0n, held], before] = [await balances(payer.address), await sent()];
  const calls: Hex[] = [];
  const heard: typeof fetch = (input, init) => {
    const call = callOf(init, payer.address);
    if (call !== undefined) calls.push(call);
    return fetch(input, init);
  };
  Object.assign(session, { fetch: heard });
  const opened = await session.open(LEAST);
  assert.equal(opened.status, 200, opened.body);
  assert.deepEqual([await sent(), await chain.balanceOf(PAYMENT_CHANNEL)], [before + 1, held! + LEAST]);
  assert.deepEqual([await last()], calls);
  Object.assign(session, { fetch });
  for (let request = 0; request < 10; request += 1) assert.equal((await session.buy()).status, 200);
  const added = await session.topUp(2n * LEAST);
  assert.equal(added.status, 200, added.body);
  assert.equal((JSON.parse(added.body) as { deposit: string }).deposit, String(3n * LEAST));
  for (let request = 0; request < 5; request += 1) assert.equal((await session.buy()).status, 200);
  assert.equal((await session.close()).status, 200);
  await until('the payee is paid', async () => (await chain.balanceOf(chain.accounts.payee.address)) === earned + 15n * PRICE);
  assert.deepEqual(await balances(payer.address), [funds - 15n * PRICE, earned + 15n * PRICE, held]);
  assert.deepEqual([await sent(), await chain.publicClient.getTransactionCount({ address: payer.address })], [before + 3, 0]);
});

test('what is wrong, too small or not covered is refused without a transaction', LIMIT, async () => {
  const { payer, session } = await payerAt(3);
  const before = await sent();
  const open = async (deposit: bigint, lies: object = {}) => {
    session.lies = lies;
    return (await session.open(deposit, toHex(7, { size: 32 }))).code;
  };
  assert.equal(await open(LEAST - 1n), 70012);
  const stranger = chain.accounts.payers[4];
  assert.ok(stranger);
  const signature = await stranger.signMessage({ message: 'not this' });
  assert.equal(await open(LEAST, { signature }), 70004);
  assert.equal(await open(LEAST, { voucherSignature: signature }), 70004);
  assert.equal(await open(LEAST, { salt: toHex(8, { size: 32 }) }), 70010);
  session.validSecs = 30n;
  assert.equal(await open(LEAST), 70009);
  session.validSecs = undefined;
  const all = await chain.balanceOf(payer.address);
  assert.equal(await open(all + 1n), 70010);
  assert.equal(await sent(), before);
  assert.equal(await open(LEAST), undefined);
  assert.equal(await sent(), before + 1);
});

test('whoever sends the same deposit first opens the same channel, and the gate sends none', LIMIT, async () => {
  const { payer, session } = await payerAt(4);
  const before = await sent();
  const runner = chain.accounts.payers[0];
  assert.ok(runner);
  const wallet = createWalletClient({ account: runner, chain: chain.chain, transport: http(chain.url) });
  const overtaken: typeof fetch = async (input, init) => {
    const data = callOf(init, payer.address);
    if (data !== undefined) {
      const hash = await wallet.sendTransaction({ to: PAYMENT_CHANNEL, data });
      assert.equal((await chain.publicClient.waitForTransactionReceipt({ hash })).status, 'success');
    }
    return fetch(input, init);
  };
  Object.assign(session, { fetch: overtaken });
  const opened = await session.open(LEAST);
  assert.equal(opened.status, 200, opened.body);
  Object.assign(session, { fetch });
  assert.equal((await session.buy()).status, 200);
  assert.equal(await sent(), before);
});

//
test('copies of a deposit that waits have the node asked as often as one of them', LIMIT, async () => {
  const { session } = await payerAt(5);
  node.held = [];
  const copies: Promise<number>[] = [];
  const copied: typeof fetch = (input, init) => {
    const is = init?.headers !== undefined;
    for (let copy = 0; is && copy < 20; copy += 1)
      copies.push(
        fetch(input, init).then(async (answer) => {
          await answer.arrayBuffer();
          return answer.status;
        }),
      );
    return fetch(input, init);
  };
  Object.assign(session, { fetch: copied });
  const before = node.asked;
  const opened = await session.open(LEAST);
  assert.equal(opened.code, 70007, opened.body);
  assert.deepEqual(new Set(await Promise.all(copies)), new Set([402]));
  // One look of each, one a second for all of them, and what sends it: 21 times 20 if each looked by itself.
  assert.ok(node.asked - before < 100, String(node.asked - before));
  node.held = undefined;
  Object.assign(session, { fetch });
  await until('the deposit is mined', async () => (await session.see()).status === 200);
  assert.equal((await session.buy()).status, 200);
});
