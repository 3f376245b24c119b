// Sixty channels that are due in one second, while no block comes: the account of the payee sends each under a nonce of
// its own, who withdraws is paid in the first block, and nothing is sent in vain.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { decodeFunctionData, type Hex, toHex } from 'viem';

import { account, type Chain, PAYEE, PAYMENT_CHANNEL, readArtefact, startChain } from '../../demo/chain.mjs';
import { startFacilitator } from '../../demo/facilitator.mjs';
import { gateVars } from '../../demo/gate.mjs';
import { startOrigin } from '../../demo/origin.mjs';
import { type Gate, startGate } from '../../scripts/miniflare.mjs';
import { OkxPayer } from './okx-payer.ts';

const PRICE = 10_000n;
const EACH = 10;
/** Calls that wait for a block at once. Who withdraws is one of them, or goes beside them if they were sent before it came. */
const WAITING = 16;
let [chain, gate]: [Chain, Gate] = [] as never;
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
    await startGate({
      build: process.env.FAREBOX_BUILD ?? 'build',
      vars: { ...vars, ROUTES: [...vars.ROUTES, route], RPC_URL: chain.url },
      secrets: { PAYEE_KEY: account(PAYEE).privateKey },
    }),
  );
});
after(async () => {
  for (const part of ends) await part.stop();
});

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function nonce(blockTag: 'latest' | 'pending') {
  return chain.publicClient.getTransactionCount({ address: chain.accounts.payee.address, blockTag });
}

/** The channels that the payee's transactions of a block pay out of, and whether each succeeded. */
async function paidIn(blockNumber: bigint) {
  const { transactions } = await chain.publicClient.getBlock({ blockNumber, includeTransactions: true });
  const ours = transactions.filter((sent) => sent.from.toLowerCase() === chain.accounts.payee.address.toLowerCase());
  return Promise.all(
    ours.map(async ({ hash, input }) => {
      const { args } = decodeFunctionData({ abi: readArtefact('PaymentChannel').abi, data: input }) as unknown as { args: [Hex] };
      return { channel: args[0], status: (await chain.publicClient.getTransactionReceipt({ hash })).status };
    }),
  );
}

test('sixty channels that are due at once are settled in a few blocks, and who withdraws in the first', async () => {
  const [leaver, ...payers] = chain.accounts.payers;
  assert.ok(leaver && payers.length >= 6);
  const made: OkxPayer[] = [];
  await Promise.all(
    payers.slice(0, 6).map(async (payer) => {
      for (let salt = 1; salt <= EACH; salt += 1) {
        const session = new OkxPayer(chain, payer, `${gate.url}/report/session`);
        const opened = await session.open(2n * PRICE, toHex(salt, { size: 32 }));
        assert.equal(opened.status, 200, opened.body);
        assert.equal((await session.buy()).status, 200);
        made.push(session);
      }
    }),
  );
  const leaving = new OkxPayer(chain, leaver, `${gate.url}/report/session`);
  assert.equal((await leaving.open(10n * PRICE)).status, 200);
  for (let request = 0; request < 3; request += 1) assert.equal((await leaving.buy()).status, 200);
  await leaving.call('requestClose', [leaving.id]);

  await chain.rpc('evm_setAutomine', [false]);
  const [first, earlier] = [await nonce('latest'), await chain.balanceOf(chain.accounts.payee.address)];
  const closes = made.map(async (session) => {
    const closed = await session.close();
    assert.equal(closed.status, 200, closed.body);
  });
  const seen = await leaving.see();
  assert.equal(seen.status, 409, seen.body);
  await Promise.all(closes);
  for (let waits = 0; waits < 200 && (await nonce('pending')) < first + WAITING; waits += 1) await sleep(100);
  // Who withdraws has the next round.
  await sleep(5_000);
  const waiting = (await nonce('pending')) - first;
  assert.ok(waiting === WAITING || waiting === WAITING + 1, `${waiting} wait`);
  // The block is late: what waits is sent again, under its nonce.
  await sleep(17_000);
  assert.equal((await nonce('pending')) - first, waiting, 'nothing is sent twice');

  const blocks: Awaited<ReturnType<typeof paidIn>>[] = [];
  for (; blocks.length < 12 && (await nonce('latest')) < first + made.length + 1; await sleep(4_000)) {
    await chain.rpc('evm_mine', []);
    blocks.push(await paidIn(await chain.publicClient.getBlockNumber()));
  }
  assert.ok(
    blocks[0]?.some(({ channel }) => channel === leaving.id),
    'who withdraws is in the first block',
  );
  assert.ok(blocks.length <= 8, `${blocks.length} blocks`);
  const all = blocks.flat();
  assert.deepEqual(
    all.filter(({ status }) => status !== 'success'),
    [],
  );
  assert.equal(new Set(all.map(({ channel }) => channel)).size, made.length + 1);
  assert.equal(all.length, made.length + 1, 'one transaction for each channel');
  assert.equal(await chain.balanceOf(chain.accounts.payee.address), earlier + BigInt(made.length + 3) * PRICE);
  await sleep(4_000);
  await chain.rpc('evm_mine', []);
  assert.equal(await nonce('pending'), first + made.length + 1, 'nothing follows');
});
