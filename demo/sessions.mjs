// The story of a session: one deposit and a thousand requests, an answer that is lost, a gate that is killed, the published client
// beside ours, a stream by the second, and money that adds up.

import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { createWalletClient, http } from 'viem';

import { channelFetch, channelReceiptOf } from '../pkg/dist/channels.js';
import { memoryStore } from '../pkg/dist/store.js';
import { BATCH_SETTLEMENT, PAYMENT_CHANNEL } from './chain.mjs';
import { UNIT } from './sessions-world.mjs';
import { ends, line, usdc } from './show.mjs';

/**
 * @typedef {import('./sessions-world.mjs').SessionsWorld} World
 * @typedef {(holds: boolean, sentence: string) => void} Check
 */

const CALLS = 1_000;
const DEPOSIT = 1_500_000n;
const STOCK_CALLS = 20;
const SECONDS = 5n;
const STREAM_DEPOSIT = 100_000n;

/**
 * Tells the story and returns the failed expectations, as sentences.
 *
 * @param {World} world
 * @returns {Promise<string[]>}
 */
export async function sessionsStory({ chain, facilitator, origin, gate, url, stream }) {
  /** @type {string[]} */
  const broken = [];
  /** @type {Check} */
  const check = (holds, sentence) => {
    line(holds ? '✓' : '✗', sentence);
    if (!holds) broken.push(sentence);
  };
  const {
    payer,
    payers: [other, third],
    payee,
  } = chain.accounts;
  if (other === undefined || third === undefined) throw new Error('there is no second payer');
  const balance = async () => ({
    payer: await chain.balanceOf(payer.address),
    other: await chain.balanceOf(other.address),
    third: await chain.balanceOf(third.address),
    payee: await chain.balanceOf(payee.address),
    contract: (await chain.balanceOf(BATCH_SETTLEMENT)) + (await chain.balanceOf(PAYMENT_CHANNEL)),
  });
  const calls = () => facilitator.counts.verify + facilitator.counts.settle;
  const start = await balance();
  let loses = false;
  /** @type {typeof fetch} */
  const flaky = async (input, init) => {
    const answer = await fetch(input, init);
    if (!loses) return answer;
    loses = false;
    throw new TypeError('the connection is gone');
  };
  const pay = channelFetch(flaky, {
    signer: payer,
    policy: { perPayment: '0.001', perDay: '5', escrows: [PAYMENT_CHANNEL] },
    store: memoryStore(),
    deposit: '1.5',
    maxDeposit: '1.5',
  });
  console.log(
    `\nA request costs ${usdc(UNIT)}. Who asks once pays once; who asks often deposits once, and signs a voucher for each request.`,
  );

  console.log('\n1. One deposit');
  const first = await pay(url);
  line('→', `GET ${new URL(url).pathname}`, `deposit of ${usdc(DEPOSIT)}, and a voucher for ${usdc(UNIT)}`);
  line('←', `${first.status}`, channelReceiptOf(first)?.transaction.startsWith('0x') === true ? 'the deposit is on the chain' : '');
  check((await balance()).contract === start.contract + DEPOSIT, `the contract holds ${usdc(DEPOSIT)} for ${ends(payer.address)}`);

  console.log(`\n2. ${(CALLS - 1).toLocaleString('en')} vouchers`);
  const [asked, served] = [calls(), origin.requests.length];
  let failed = 0;
  for (let request = 1; request < CALLS; request += 1) if ((await pay(url)).status !== 200) failed += 1;
  check(failed === 0 && origin.requests.length === served + CALLS - 1, 'each is served once');
  check(calls() === asked, 'the facilitator was asked for none of them, nor was the chain');
  check((await pay.channels())[0]?.spent === String(UNIT * BigInt(CALLS)), `spent: ${usdc(UNIT * BigInt(CALLS))}`);

  console.log('\n3. An answer is lost');
  loses = true;
  const work = origin.requests.length;
  const again = await pay(url);
  check(
    again.status === 200 && origin.requests.length === work + 1,
    'the same voucher is sent again, and has the same answer: the origin worked once',
  );
  check(channelReceiptOf(again)?.spent === String(UNIT * BigInt(CALLS + 1)), 'it is charged once');

  console.log('\n4. The gate is killed');
  await gate.kill();
  await gate.restart();
  const later = await pay(url);
  const spent = UNIT * BigInt(CALLS + 2);
  check(
    later.status === 200 && channelReceiptOf(later)?.spent === String(spent),
    `it has lost no voucher: the next one is for ${usdc(spent)}`,
  );

  console.log('\n5. The published client of @x402/evm');
  const { readContract } = chain.publicClient;
  const scheme = new BatchSettlementEvmScheme(/** @type {any} */ ({ ...other, readContract }), { depositStrategy: () => 100n * UNIT });
  const stock = wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client: scheme }] });
  let good = 0;
  for (let request = 0; request < STOCK_CALLS; request += 1) if ((await stock(url)).status === 200) good += 1;
  const stockSpent = UNIT * BigInt(STOCK_CALLS);
  check(good === STOCK_CALLS, `pays for ${STOCK_CALLS} requests, unchanged`);
  const stockBack = await scheme.refund(url);
  check(stockBack.amount === String(100n * UNIT - stockSpent), `and has ${usdc(100n * UNIT - stockSpent)} of ${usdc(100n * UNIT)} back`);

  console.log('\n6. A stream by the second');
  const wallet = createWalletClient({ account: third, chain: chain.chain, transport: http(chain.url) });
  let leave = () => {};
  const live = channelFetch(fetch, {
    signer: third,
    policy: { perPayment: '0.001', perDay: '5', escrows: [PAYMENT_CHANNEL] },
    store: memoryStore(),
    deposit: '0.1',
    maxDeposit: '0.1',
    onState: (state) => {
      if (state.includes(` cum ${usdc(SECONDS * UNIT)} (`)) leave();
    },
    broadcast: async ({ calls }) => {
      let hash;
      for (const { to, data } of calls ?? []) {
        hash = await wallet.sendTransaction({ to: /** @type {`0x${string}`} */ (to), data: /** @type {`0x${string}`} */ (data) });
        await chain.publicClient.waitForTransactionReceipt({ hash });
      }
      return hash;
    },
  });
  const signed = async () => BigInt((await live.channels())[0]?.signed ?? 0);
  const events = await live(`${stream}?count=600&every=50`);
  line('→', `GET ${new URL(stream).pathname}`, `deposit of ${usdc(STREAM_DEPOSIT)}, and a voucher for ${usdc(UNIT)}`);
  const reader = /** @type {ReadableStream<Uint8Array>} */ (events.body).getReader();
  leave = () => {
    reader.cancel().catch(() => {});
  };
  let parts = 0n;
  while (!(await reader.read()).done) parts += 1n;
  // The origin is silent for no whole second, so each second that was paid has brought something.
  check(events.status === 200 && parts >= SECONDS - 1n, `events flow, and each second costs ${usdc(UNIT)}`);
  check(
    (await signed()) === SECONDS * UNIT,
    `the reader leaves in the fifth second: ${SECONDS} vouchers were signed, the last for ${usdc(SECONDS * UNIT)}`,
  );
  const rest = await live.refund(stream);
  check(rest.refunded === String(STREAM_DEPOSIT - SECONDS * UNIT), `the rest comes back: ${usdc(STREAM_DEPOSIT - SECONDS * UNIT)}`);

  console.log('\n7. The end of the session');
  const { refunded } = await pay.refund(url);
  check(refunded === String(DEPOSIT - spent), `the rest comes back: ${usdc(DEPOSIT - spent)}`);
  const earned = spent + stockSpent + SECONDS * UNIT;
  await until(
    () => chain.balanceOf(payee.address),
    (now) => now === start.payee + earned,
  );
  // Read together only now: each payment to the payee gives a payer the rest.
  const end = await balance();
  check(end.payee === start.payee + earned, `the gate has claimed what was earned: ${usdc(earned)}`);
  check(
    end.payer === start.payer - spent &&
      end.other === start.other - stockSpent &&
      end.third === start.third - SECONDS * UNIT &&
      end.contract === start.contract,
    'payers, payee and contract add up, to the last unit',
  );
  return broken;
}

/**
 * Reads until it holds, for half a minute at most.
 *
 * @template T
 * @param {() => Promise<T>} read
 * @param {(value: T) => boolean} holds
 */
async function until(read, holds) {
  const last = Date.now() + 30_000;
  for (;;) {
    const value = await read();
    if (holds(value) || Date.now() > last) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
