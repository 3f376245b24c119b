// The payee's account runs short of gas, and fees rise while no block comes: who withdraws is paid with what there is, and no price is the last.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { decodeFunctionData, type Hex } from 'viem';

import { account, type Chain, PAYEE, PAYMENT_CHANNEL, readArtefact, startChain } from '../../demo/chain.mjs';
import { startFacilitator } from '../../demo/facilitator.mjs';
import { gateVars } from '../../demo/gate.mjs';
import { startOrigin } from '../../demo/origin.mjs';
import { startWithClock } from '../../scripts/clock.mjs';
import { GATE } from '../../scripts/miniflare.mjs';
import { OkxPayer } from './okx-payer.ts';

const PRICE = 10_000n;
const TOKEN = 'operator-token-of-this-test-0123456789';
/** What a call may use. */
const GAS = 300_000n;
let [chain, gate]: [Chain, Awaited<ReturnType<typeof startWithClock>>] = [] as never;
const ends: { stop(): unknown }[] = [];
function keep<T extends { stop(): unknown }>(part: T): T {
  ends.unshift(part);
  return part;
}

before(async () => {
  chain = keep(await startChain());
  const origin = keep(await startOrigin());
  const facilitator = keep(await startFacilitator({ chain }));
  const vars = gateVars({ chain, facilitator, origin });
  const route = { path: '/report/session', methods: ['GET'], price: '$0.01', session_escrow: PAYMENT_CHANNEL };
  gate = keep(
    await startWithClock(GATE, {
      build: process.env.FAREBOX_BUILD ?? 'build',
      vars: { ...vars, ROUTES: [...vars.ROUTES, route], RPC_URL: chain.url },
      secrets: { PAYEE_KEY: account(PAYEE).privateKey, OPERATOR_TOKEN: TOKEN },
    }),
  );
});
after(async () => {
  for (const part of ends) await part.stop();
});

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(what: string, holds: () => Promise<boolean>) {
  for (let waits = 0; waits < 150; waits += 1) {
    if (await holds()) return;
    await sleep(200);
  }
  assert.fail(what);
}

/** The payee's transactions that wait, or those of a block: nonce, channel and maximum price. */
async function calls(blockTag: 'pending' | 'latest') {
  const { transactions } = await chain.publicClient.getBlock({ blockTag, includeTransactions: true });
  const ours = transactions.filter((sent) => sent.from.toLowerCase() === chain.accounts.payee.address.toLowerCase());
  return ours.map(({ nonce, input, maxFeePerGas = 0n }) => {
    const { args } = decodeFunctionData({ abi: readArtefact('PaymentChannel').abi, data: input }) as unknown as { args: [Hex] };
    return { nonce, channel: args[0], maxFeePerGas };
  });
}

async function asked(path: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${gate.url}/_farebox/${path}`, { headers: { authorization: `Bearer ${TOKEN}` } });
  assert.equal(answer.status, 200);
  return (await answer.json()) as Record<string, unknown>;
}

/** What operators are told that the payee's account lacks: the last item of the list of channels. */
async function lacks(): Promise<bigint | undefined> {
  const { items } = (await asked('channels')) as { items: { id: string; account?: string; network: string; lacks_wei?: string }[] };
  const last = items.at(-1);
  if (last?.lacks_wei === undefined) return undefined;
  assert.deepEqual([last.id, last.account, last.network], ['payee/eip155:84532', chain.accounts.payee.address, 'eip155:84532']);
  return BigInt(last.lacks_wei);
}

async function setBalance(wei: bigint) {
  await chain.rpc('anvil_setBalance', [chain.accounts.payee.address, `0x${wei.toString(16)}`]);
}

test('who withdraws is paid with the gas that there is, and a price that was raised to its limit follows the chain', async () => {
  const [payer, leaver] = chain.accounts.payers;
  assert.ok(payer && leaver);
  const [staying, leaving] = [payer, leaver].map((each) => new OkxPayer(chain, each, `${gate.url}/report/session`)) as [OkxPayer, OkxPayer];
  for (const session of [staying, leaving]) {
    assert.equal((await session.open(10n * PRICE)).status, 200);
    for (let request = 0; request < 3; request += 1) assert.equal((await session.buy()).status, 200);
  }
  await leaving.call('requestClose', [leaving.id]);
  await chain.rpc('evm_setAutomine', [false]);
  const earlier = await chain.balanceOf(chain.accounts.payee.address);
  const { baseFeePerGas: base } = await chain.publicClient.getBlock();
  assert.ok(base);

  // Enough for one call and an eighth, and not for two.
  const tip = BigInt((await chain.rpc('eth_maxPriorityFeePerGas', [])) as string);
  await setBalance((GAS * (2n * base + (tip > base / 10n ? tip : base / 10n)) * 3n) / 2n);
  assert.equal((await staying.close()).status, 200);
  await until('the close waits', async () => (await calls('pending')).some(({ channel }) => channel === staying.id));
  const [waiting] = await calls('pending');
  assert.equal((await leaving.see()).status, 409);
  await until('the other one has its nonce', async () => (await calls('pending')).some(({ channel }) => channel === leaving.id));
  await until('operators are told what it lacks', async () => ((await lacks()) ?? 0n) > 0n);
  await chain.rpc('evm_mine', []);
  const [paid, ...more] = await calls('latest');
  assert.deepEqual([paid?.channel, paid?.nonce, more], [leaving.id, waiting?.nonce, []]);
  assert.equal(await chain.balanceOf(chain.accounts.payee.address), earlier + 3n * PRICE);

  // More gas, and no block for minutes.
  await setBalance(10n ** 18n);
  await until('the close waits again', async () => (await calls('pending')).some(({ channel }) => channel === staying.id));
  await until('operators are told that it lacks no more', async () => (await lacks()) === 0n);
  const { sessions } = (await asked('totals')) as { sessions: { network: string; channels: number }[] };
  assert.deepEqual(
    sessions.map(({ network, channels }) => [network, channels]),
    [['eip155:84532', 2]],
  );
  let most = 0n;
  for (let rounds = 0, same = 0; rounds < 40 && same < 2; rounds += 1) {
    await gate.ahead(16);
    await sleep(1_000);
    const [again] = await calls('pending');
    assert.equal(again?.channel, staying.id);
    same = again.maxFeePerGas === most ? same + 1 : 0;
    most = again.maxFeePerGas;
  }
  const dear = most * 5n;
  await chain.rpc('anvil_setNextBlockBaseFeePerGas', [`0x${dear.toString(16)}`]);
  await chain.rpc('evm_mine', []);
  assert.deepEqual(await calls('latest'), [], 'too cheap for this block');
  await gate.ahead(16);
  await until('it is sent at the price of today', async () => {
    const [again] = await calls('pending');
    return again !== undefined && again.maxFeePerGas > dear;
  });
  await chain.rpc('evm_mine', []);
  assert.deepEqual(
    (await calls('latest')).map(({ channel }) => channel),
    [staying.id],
  );
  assert.equal(await chain.balanceOf(chain.accounts.payee.address), earlier + 6n * PRICE);
});
