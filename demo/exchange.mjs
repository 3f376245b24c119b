// The story of a compute exchange: three sellers, one of whom dies while it works; a stock client and the buyer of this package;
// a job that fails, whose refund is on the chain; and books that add up.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { privateKeyToAccount } from 'viem/accounts';

import { LIVE } from './exchange-world.mjs';
import { ends, line, usdc } from './show.mjs';

/**
 * @typedef {import('./exchange-world.mjs').ExchangeWorld} World
 * @typedef {import('./exchange-world.mjs').Wallet} Wallet
 * @typedef {'ada' | 'bo' | 'cy'} Name
 * @typedef {Awaited<ReturnType<typeof hire>>} Seller
 * @typedef {object} Stage
 * @property {World} world
 * @property {Record<Name, Seller>} sellers
 * @property {Record<'stock' | 'buyer', Wallet>} buyers
 * @property {(holds: boolean, sentence: string) => void} check
 * @typedef {{title: string, short: string, ended: string, moved: Partial<Record<Name | 'stock' | 'buyer', bigint>>, play: (stage: Stage) => Promise<unknown>}} Scene
 */

const PRICE = 5_000n;
/** @type {Scene[]} */
const SCENES = [
  { title: 'Three sellers come, each a process of its own', short: 'sellers come', ended: 'online', moved: {}, play: come },
  {
    title: 'A stock client of x402 buys a summary',
    short: 'a stock client',
    ended: 'done',
    moved: { stock: -PRICE, ada: PRICE },
    play: stock,
  },
  {
    title: 'Our buyer orders one too, and its seller dies while it works',
    short: 'a seller dies',
    ended: 'done',
    moved: { buyer: -PRICE, ada: PRICE },
    play: dies,
  },
  { title: 'Cy fails, and the money comes back', short: 'a job fails', ended: 'failed', moved: {}, play: fails },
  { title: 'The sellers are asked to stop', short: 'the end', ended: 'offline', moved: {}, play: stops },
];

/**
 * Tells the story and returns the failed expectations, as sentences.
 *
 * @param {World} world
 * @returns {Promise<string[]>}
 */
export async function exchangeStory(world) {
  /** @type {string[]} */
  const broken = [];
  /** @type {Stage['check']} */
  const check = (holds, sentence) => {
    line(holds ? '✓' : '✗', sentence);
    if (!holds) broken.push(sentence);
  };
  const folder = mkdtempSync(join(tmpdir(), 'farebox-sellers-'));
  // Of sellers at one price the one that was given nothing for the longest time is asked; at first, the one of the lower address.
  const [first, second, third, one, other] = [
    await world.wallet(),
    await world.wallet(),
    await world.wallet(),
    await world.wallet(),
    await world.wallet(),
  ];
  const [low, high] = first.address.toLowerCase() < second.address.toLowerCase() ? [first, second] : [second, first];
  const sellers = {
    ada: await hire(world, folder, 'ada', low, { capability: 'summarize', works: 'well' }),
    bo: await hire(world, folder, 'bo', high, { capability: 'summarize', works: 'forever' }),
    cy: await hire(world, folder, 'cy', third, { capability: 'translate', works: 'badly' }),
  };
  const buyers = { stock: one, buyer: other };
  const wallets = { ada: low, bo: high, cy: third, stock: one, buyer: other, escrow: world.escrow };
  /** @type {() => Promise<Record<string, bigint>>} */
  const balances = async () =>
    Object.fromEntries(
      await Promise.all(Object.entries(wallets).map(async ([name, { address }]) => [name, await world.chain.balanceOf(address)])),
    );
  const stage = { world, sellers, buyers, check };
  try {
    console.log(
      "\nSellers offer a task for a price. The buyer's money is held until the work is done; then the seller has it, or the buyer again.",
    );
    /** @type {string[][]} */
    const rows = [];
    const start = await balances();
    for (const [index, { title, short, ended, moved, play }] of SCENES.entries()) {
      console.log(`\n${index + 1}. ${title}`);
      const before = await balances();
      await play(stage);
      const expected = (/** @type {string} */ name) => moved[/** @type {Name} */ (name)] ?? 0n;
      const after = await until(balances, (now) =>
        Object.keys(wallets).every((name) => (now[name] ?? 0n) - (before[name] ?? 0n) === expected(name)),
      );
      const changes = Object.keys(wallets).map((name) => ({ name, change: (after[name] ?? 0n) - (before[name] ?? 0n) }));
      const told = changes
        .filter(({ change }) => change !== 0n)
        .map(({ name, change }) => `${named(name)} ${change > 0n ? '+' : '-'}${usdc(change > 0n ? change : -change)}`);
      check(
        changes.every(({ name, change }) => change === expected(name)),
        told.length === 0 ? 'no balance has changed' : told.join(', '),
      );
      rows.push([
        `${index + 1}. ${short}`,
        ended,
        usdc(changes.filter(({ change }) => change > 0n).reduce((sum, { change }) => sum + change, 0n)),
      ]);
    }
    console.log('');
    for (const [scene = '', ...cells] of [['scene', 'ended as', 'paid'], ...rows])
      console.log(`   ${scene.padEnd(24)}${cells.map((cell) => cell.padStart(14)).join('')}`);
    console.log(`\n${SCENES.length + 1}. The books`);
    const end = await balances();
    const change = Object.keys(wallets).map((name) => (end[name] ?? 0n) - (start[name] ?? 0n));
    check(
      change.reduce((sum, one) => sum + one, 0n) === 0n && end['escrow'] === start['escrow'],
      `sellers earned ${usdc(change.filter((one) => one > 0n).reduce((sum, one) => sum + one, 0n))}, buyers spent the same, and nothing is held any more`,
    );
  } finally {
    for (const seller of Object.values(sellers)) await seller.end();
    rmSync(folder, { recursive: true, force: true });
  }
  return broken;
}

/**
 * A seller that stays, for who wants to try.
 *
 * @param {World} world
 */
export async function onDuty(world) {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-sellers-'));
  // A quote that is not paid has a seat for five minutes: there has to be another one to buy.
  const dora = await hire(world, folder, 'dora', await world.wallet(), { capability: 'echo', works: 'well', capacity: 4 });
  await dora.start();
  await dora.told('online');
  return {
    seller: ends(dora.wallet.address),
    stop: async () => {
      await dora.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** @param {Stage} stage */
async function come({ world, sellers, check }) {
  for (const [name, seller] of Object.entries(sellers)) {
    await seller.start();
    await seller.told('online');
    line(named(name).padEnd(8), `sells ${seller.capability} for ${usdc(PRICE)}, to be paid to ${ends(seller.wallet.address)}`);
  }
  const { json } = await world.ask('GET', `/api/v1/buyers/capabilities?network_profile=${LIVE}`);
  const listed = json.capabilities.map((/** @type {any} */ it) => `${it.capability} ${it.available_count}×`).join(', ');
  check(listed === 'summarize 2×, translate 1×', `the exchange offers ${listed}`);
}

/** @param {Stage} stage */
async function stock({ world, buyers, sellers, check }) {
  const account = privateKeyToAccount(buyers.stock.privateKey);
  const payload = { buyer_id: account.address, capability: 'summarize', prompt: 'three little words', network_profile: LIVE };
  const { status, json: quote } = await world.ask('POST', '/api/v1/jobs/quote', { body: payload });
  line('exchange', `${status} ${quote.amount} ${quote.currency} to ${ends(quote.pay_to)}, held for ${quote.expires_in_seconds} s`);
  line('client  ', 'POST /api/v1/jobs/verify, with @x402/fetch');
  const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(account) }] });
  const answer = await pay(`${world.url}/api/v1/jobs/verify`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ fingerprint: quote.fingerprint, payload }),
  });
  const paid = /** @type {any} */ (await answer.json());
  line('exchange', `${answer.status} ${paid.status}`);
  await sellers.ada.told('completed');
  const { json: job } = await world.ask('GET', `/api/v1/jobs/${paid.job_id}`, { headers: { authorization: `Bearer ${paid.job_token}` } });
  check(
    job.status === 'done' && job.result.meta.by === 'ada',
    `the job is ${job.status}: "${job.result?.text}", by ${named(job.result?.meta?.by ?? '')}`,
  );
  const { status: stranger } = await world.ask('GET', `/api/v1/jobs/${paid.job_id}`);
  check(stranger === 403, 'without its token no one reads it');
}

/** @param {Stage} stage */
async function dies({ world, buyers, sellers, check }) {
  line('buyer   ', "buyJob({ capability: 'summarize', maxAmount: '0.01' })");
  const bought = buy({ world, buyers });
  await sellers.bo.told('working');
  line('Bo      ', 'works, and is killed: SIGKILL');
  await sellers.bo.kill();
  // A seller has two minutes. The others go on beating.
  for (let secs = 0; secs < 140; secs += 10) {
    await world.wait(10);
    await pause(700);
    if (sellers.ada.saw('working', 2)) break;
    await world.market.sweep();
  }
  line('exchange', 'two minutes later, for which the clocks were moved: the job goes to another seller');
  const job = await bought;
  check(
    job.result?.meta?.by === 'ada',
    `the buyer has "${job.result?.text}", by ${named(job.result?.meta?.by ?? '')}, for one payment of ${job.amount} ${job.currency}`,
  );
}

/** @param {Stage} stage */
async function fails(stage) {
  const { world, buyers, check } = stage;
  line('buyer   ', "buyJob({ capability: 'translate', prompt: 'the impossible' })");
  const from = await world.chain.publicClient.getBlockNumber();
  const error = await buy(stage, { capability: 'translate', prompt: 'the impossible' }).then(
    () => undefined,
    (/** @type {any} */ thrown) => thrown,
  );
  line('buyer   ', `${error?.name} ${error?.code}: "${error?.message}", money ${error?.money}`);
  check(error?.code === 'job_failed' && error?.money === 'refunded', 'the error says why, and that the money went back');
  const transfers = await until(
    () => world.chain.publicClient.getLogs({ address: world.chain.token.address, fromBlock: from + 1n }),
    (logs) => logs.some(({ topics }) => isTransfer(topics, world.escrow.address, buyers.buyer.address)),
  );
  const back = transfers.find(({ topics }) => isTransfer(topics, world.escrow.address, buyers.buyer.address));
  check(
    back !== undefined && BigInt(back.data) === PRICE,
    `the chain has it: ${back === undefined ? 'no transfer' : usdc(BigInt(back.data))} from the escrow to ${ends(buyers.buyer.address)}`,
  );
}

/** @param {Stage} stage */
async function stops({ world, sellers, check }) {
  for (const name of /** @type {const} */ (['ada', 'cy'])) {
    const code = await sellers[name].stop();
    check(sellers[name].count('offline') === 1 && code === 0, `${named(name)} goes offline once, and ends`);
  }
  const { json } = await world.ask('GET', `/api/v1/buyers/capabilities?network_profile=${LIVE}`);
  check(json.capabilities.length === 0, 'the exchange offers nothing any more');
}

/**
 * @param {Pick<Stage, 'world' | 'buyers'>} stage
 * @param {{capability?: string, prompt?: string}} [order]
 * @returns {Promise<any>}
 */
async function buy({ world, buyers }, { capability = 'summarize', prompt = 'a longer text that wants to be short' } = {}) {
  const { buyJob } = await import('../pkg/dist/agent/index.js');
  return buyJob({
    url: world.url,
    till: world.gate.url,
    profile: LIVE,
    capability,
    prompt,
    maxAmount: '0.01',
    currency: 'USDC',
    signer: buyers.buyer.privateKey,
    now: world.now,
    timeoutMs: 120_000,
  });
}

/**
 * A seller that can be started, killed and stopped.
 *
 * @param {World} world
 * @param {string} folder
 * @param {string} name
 * @param {Wallet} wallet
 * @param {{capability: string, works: string, capacity?: number}} work
 */
async function hire(world, folder, name, wallet, { capability, works, capacity = 1 }) {
  const token = world.issuer.token({ sub: `sub-${name}`, agent_id: name, wallet_address: wallet.address, exp: world.now() + 3600 });
  const env = {
    ...process.env,
    FAREBOX_SELLER: JSON.stringify({
      url: world.url,
      profile: LIVE,
      sellerId: wallet.address,
      agentId: name,
      capability,
      capacity,
      price: '0.005',
      token,
      folder: join(folder, name),
      works,
    }),
  };
  /** @type {any[]} */
  const events = [];
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let child;
  /** @type {Promise<number | null>} */
  let exited = Promise.resolve(0);
  const count = (/** @type {string} */ type) => events.filter((event) => event.type === type).length;
  return {
    wallet,
    capability,
    count,
    saw: (/** @type {string} */ type, times = 1) => count(type) >= times,
    async start() {
      const made = spawn(process.execPath, [fileURLToPath(new URL('exchange-seller.mjs', import.meta.url))], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      child = made;
      exited = new Promise((resolve) => made.on('close', resolve));
      let rest = '';
      made.stdout.setEncoding('utf8').on('data', (text) => {
        const lines = `${rest}${text}`.split('\n');
        rest = lines.pop() ?? '';
        events.push(...lines.map((one) => JSON.parse(one)));
      });
    },
    /** @param {string} type */
    told: (type) =>
      until(
        async () => count(type),
        (times) => times > 0,
      ),
    async kill() {
      child?.kill('SIGKILL');
      await exited;
    },
    async stop() {
      child?.kill('SIGTERM');
      return exited;
    },
    async end() {
      if (child?.exitCode === null && child.signalCode === null) await this.kill();
    },
  };
}

/**
 * @template T
 * @param {() => Promise<T>} read
 * @param {(value: T) => boolean} holds
 * @returns {Promise<T>} what holds, or what there is in the end
 */
async function until(read, holds) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await read();
    if (holds(value) || Date.now() > end) return value;
    await pause(200);
  }
}

/**
 * @param {readonly string[]} topics
 * @param {string} from
 * @param {string} to
 */
function isTransfer(topics, from, to) {
  const word = (/** @type {string} */ address) => `0x${'0'.repeat(24)}${address.slice(2).toLowerCase()}`;
  return topics[0] === TRANSFER && topics[1] === word(from) && topics[2] === word(to);
}

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {string} name */
const named = (name) => `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;

const TRANSFER = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef';
const PATIENCE_MS = 30_000;
