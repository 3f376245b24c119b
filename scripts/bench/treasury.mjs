// What a decision of the treasury takes, beside `@x402/fetch` that pays the same merchant in the same runtime.
//
// The merchant answers at once, as a Worker of the same process, so its processor time and that of the way there are in the
// figures "with its merchant". What one visit takes is measured in each round by a Worker that only asks the merchant, and
// taken off: one visit of the treasury, whose agent has brought the 402, and two of the peer. The peer keeps no books, has no
// rules and no budgets, and answers no second request from the first: it is what paying alone takes.

import { randomBytes } from 'node:crypto';

import { privateKeyToAccount } from 'viem/accounts';

import { ASSET, NETWORK, PAY_TO } from './payments.mjs';
import { compared, expect, measure, median, playRounds, spread } from './rounds.mjs';
import { startPaying } from './sides.mjs';

/** @typedef {import('./scenarios.mjs').Stage} Stage */
/** @typedef {import('./scenarios.mjs').Line} Line */
/** @typedef {import('./sides.mjs').Runner} Runner */
/** @typedef {import('./load.mjs').Shot} Shot */

/** @typedef {{name: string, runner: Runner, shots: () => Shot[], right: (answer: {status: number, text: string}) => boolean, atOnce?: number}} Turn one side's part of a round */

/**
 * The treasury, its peer, and the Worker that only asks.
 *
 * @param {import('./sides.mjs').GateChoice} choice
 * @param {string} [front] a module in front of the treasury
 */
export async function startTreasury({ build, ledger, inspected }, front) {
  const key = `fbk_acme_${randomBytes(8).toString('hex')}_${randomBytes(32).toString('hex')}`;
  const bindings = {
    TREASURY_SECRET: randomBytes(32).toString('hex'),
    OPERATOR_TOKEN: randomBytes(32).toString('hex'),
    WALLET_KEY,
    BUYER_KEY: key,
    TEST_NETWORKS_ONLY: true,
    WALLETS: [{ name: 'main', networks: [NETWORK], secret: 'WALLET_KEY' }],
    ORGANIZATIONS: [
      {
        name: 'acme',
        environment: 'test',
        policy: {
          allowedOrigins: [MERCHANT],
          payees: [PAY_TO],
          perPayment: { USDC: '1.00' },
          perHour: { USDC: '500000.00' },
          perDay: { USDC: '500000.00' },
          perMonth: { USDC: '500000.00' },
          reviewAbove: { USDC: '1.00' },
        },
        agents: [{ name: 'buyer', policy: { perDay: { USDC: '500000.00' } }, bootstrapKey: 'BUYER_KEY' }],
      },
    ],
  };
  const runner = await startPaying('farebox-treasury', { build, bindings }, ledger, MERCHANT_BINDINGS, front, inspected);
  const exchanged = await runner.client.send({
    path: '/api/sdk/runtime-tokens',
    headers: { ...VERSION, authorization: `Bearer ${key}` },
    body: '',
  });
  expect(exchanged.status === 201, `treasury: ${exchanged.status} ${exchanged.text}`);
  const headers = { ...VERSION, authorization: `Bearer ${JSON.parse(exchanged.text).token}`, 'content-type': 'application/json' };
  return { runner, headers };
}

/**
 * A request for a decision, under a key of its own unless one is given.
 *
 * @param {Record<string, string>} headers
 * @param {{amount?: string, key?: string}} [options]
 * @returns {Shot}
 */
export function decision(headers, { amount = '10000', key = randomBytes(16).toString('hex') } = {}) {
  const body = {
    context: { organization: 'acme', agent: 'buyer' },
    request: { url: URL_OF_REPORT, method: 'GET', headers: { accept: 'application/json' } },
    challenge: { protocol: 'x402', headers: { 'payment-required': termsOf(amount) }, body: '{"error":"payment required"}' },
    idempotencyKey: key,
  };
  return { path: '/api/sdk/payment-decisions', headers, body: JSON.stringify(body) };
}

/**
 * Processor time, time and rate of decisions.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
export async function decisions({ choice, rounds }) {
  const { runner, headers } = await startTreasury(choice);
  const peer = await startPaying(
    '@x402/fetch',
    { peer: 'scripts/bench/peers/x402-fetch.mjs', bindings: { WALLET_KEY } },
    choice.ledger,
    MERCHANT_BINDINGS,
  );
  const asks = await startPaying('asks', { peer: 'scripts/bench/peers/asks.mjs' }, choice.ledger, MERCHANT_BINDINGS);
  const told = JSON.stringify({ url: URL_OF_REPORT, method: 'GET' });
  const payment = 'A'.repeat(PAYMENT_CHARACTERS);
  const visits = (/** @type {number} */ times) =>
    many(() => ({ path: `/?times=${times}`, headers: { 'payment-signature': payment }, body: told }));
  const outcome =
    (/** @type {string} */ name) =>
    (/** @type {{text: string}} */ { text }) =>
      text.startsWith(`{"outcome":"${name}"`) || text.includes(`"outcome":"${name}"`);
  const repeated = randomBytes(16).toString('hex');
  const made = await runner.client.send(decision(headers, { key: repeated }));
  expect(outcome('allow')(made), `treasury: ${made.status} ${made.text}`);
  /** @type {Turn[]} */
  const turns = [
    { name: 'decision', runner, shots: () => many(() => decision(headers)), right: outcome('allow') },
    {
      name: 'peer',
      runner: peer,
      shots: () => many(() => ({ path: '/', headers: {}, body: told })),
      right: ({ status }) => status === 200,
    },
    { name: 'one visit', runner: asks, shots: () => visits(1), right: ({ status }) => status === 200 },
    { name: 'nine visits', runner: asks, shots: () => visits(9), right: ({ status }) => status === 200 },
    { name: 'denied', runner, shots: () => many(() => decision(headers, { amount: '2000000' })), right: outcome('deny') },
    { name: 'repeated', runner, shots: () => many(() => decision(headers, { key: repeated })), right: outcome('allow') },
    { name: 'crowd', runner, shots: () => many(() => decision(headers)), right: outcome('allow'), atOnce: CROWD },
    {
      name: 'peers',
      runner: peer,
      shots: () => many(() => ({ path: '/', headers: {}, body: told })),
      right: ({ status }) => status === 200,
      atOnce: CROWD,
    },
  ];
  const sides = turns.map((turn) => ({ ...turn.runner, ...turn }));
  const play = async (/** @type {typeof sides[number]} */ { runner, name, shots, right, atOnce = AT_ONCE }) => {
    const measured = await measure(runner, shots(), atOnce);
    for (const answer of measured.answers) expect(right(answer), `treasury, ${name}: ${answer.status} ${answer.text.slice(0, 300)}`);
    return measured;
  };
  await playRounds(sides, WARM_ROUNDS, play);
  const results = await playRounds(sides, rounds, play);
  for (const { client, stop } of [runner, peer, asks]) {
    client.close();
    await stop();
  }
  const of = (/** @type {string} */ name) => results[turns.findIndex((turn) => turn.name === name)] ?? [];
  const cpu = (/** @type {string} */ name) => of(name).map(({ cpuUs }) => cpuUs);
  const rate = (/** @type {string} */ name) => of(name).map(({ perSecond }) => perSecond);
  const once = cpu('one visit');
  const visit = cpu('nine visits').map((nine, round) => (nine - (once[round] ?? Number.NaN)) / 8);
  const without = (/** @type {string} */ name, /** @type {number} */ times) =>
    cpu(name).map((all, round) => all - times * (visit[round] ?? Number.NaN));
  const alone = (/** @type {string} */ what, /** @type {number[]} */ values) => ({
    scenario: `treasury, ${what}`,
    unit: 'µs',
    ours: median(values),
    ourSpread: spread(values),
    goal: '',
    met: null,
  });
  const own = without('decision', 1);
  return [
    {
      scenario: 'treasury, decision without its merchant',
      unit: 'µs',
      peer: peer.name,
      ...compared(own, without('peer', 2), { inverse: true }),
      goal: `≤ ${MOST_US} µs`,
      met: median(own) <= MOST_US,
    },
    {
      scenario: 'treasury, decision with its merchant',
      unit: 'µs',
      peer: peer.name,
      ...compared(cpu('decision'), cpu('peer'), { inverse: true }),
      goal: '',
      met: null,
    },
    {
      scenario: `treasury, of one organization, ${CROWD} at once`,
      unit: '/s',
      peer: peer.name,
      ...compared(rate('crowd'), rate('peers')),
      goal: '',
      met: null,
    },
    alone('one visit of the merchant', visit),
    alone('decision that is denied', cpu('denied')),
    alone('decision that is told again', cpu('repeated')),
  ];
}

/**
 * Rows that a decision writes, index rows included, how often it sets the alarm, and how often its object is asked.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
export async function decisionWrites({ choice }) {
  const { runner, headers } = await startTreasury(choice, 'scripts/bench/fronts/treasury-tally.mjs');
  const count = async () => JSON.parse((await runner.client.send({ path: '/_tally', headers: {} })).text);
  /** @type {Line[]} */
  const lines = [];
  for (const [what, amount, outcome] of /** @type {const} */ ([
    ['paid', '10000', 'allow'],
    ['denied', '2000000', 'deny'],
  ])) {
    const play = async () => {
      await count();
      for (const answer of await runner.client.all(
        many(() => decision(headers, { amount })),
        AT_ONCE,
      ))
        expect(answer.text.includes(`"outcome":"${outcome}"`), `treasury, writes: ${answer.status} ${answer.text.slice(0, 300)}`);
      return count();
    };
    // The tables are made first.
    await play();
    const { calls = 0, setAlarm = 0, deleteAlarm = 0, ...tables } = await play();
    const rows = Object.values(tables).reduce((sum, written) => sum + written, 0) / DECISIONS;
    lines.push(
      { scenario: `treasury, writes, ${what}`, unit: 'rows', ours: rows, goal: '', met: null },
      { scenario: `treasury, writes, ${what}, alarm`, unit: 'times', ours: (setAlarm + deleteAlarm) / DECISIONS, goal: '', met: null },
      { scenario: `treasury, writes, ${what}, calls`, unit: 'times', ours: calls / DECISIONS, goal: '', met: null },
    );
  }
  runner.client.close();
  await runner.stop();
  return lines;
}

/** @param {() => Shot} make */
function many(make) {
  return Array.from({ length: DECISIONS }, make);
}

/** @param {string} amount */
function termsOf(amount) {
  const required = {
    x402Version: 2,
    error: 'Payment required',
    resource: { url: URL_OF_REPORT, description: 'One weather report', mimeType: 'application/json' },
    accepts: [
      {
        scheme: 'exact',
        network: NETWORK,
        amount,
        asset: ASSET,
        payTo: PAY_TO,
        maxTimeoutSeconds: 300,
        extra: { name: 'USDC', version: '2' },
      },
    ],
  };
  return Buffer.from(JSON.stringify(required)).toString('base64');
}

const MERCHANT = 'https://merchant.example.com';
const URL_OF_REPORT = `${MERCHANT}/report`;
/** A key of anvil's, which everyone knows. */
const WALLET_KEY = `0x${'59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d'}`;
const VERSION = { 'x-402flow-sdk-version': '0.1.0-alpha.22' };
/** What the merchant's two header fields say. */
const MERCHANT_BINDINGS = {
  TERMS: termsOf('10000'),
  SETTLEMENT: Buffer.from(
    JSON.stringify({
      success: true,
      network: NETWORK,
      payer: privateKeyToAccount(/** @type {`0x${string}`} */ (WALLET_KEY)).address,
      transaction: `0x${'ab'.repeat(32)}`,
    }),
  ).toString('base64'),
};
/** Length of a payment of x402, as a header field. */
const PAYMENT_CHARACTERS = 1100;
const DECISIONS = 60;
const WARM_ROUNDS = 6;
const AT_ONCE = 8;
const CROWD = 32;
/** What a decision may take without its merchant. */
const MOST_US = 3000;
