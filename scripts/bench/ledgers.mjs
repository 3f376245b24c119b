// What the ledger's objects do, without the gate in front: claims per second, and rows per payment.

import { randomBytes } from 'node:crypto';

import { ASSET, NETWORK, PAY_TO } from './payments.mjs';
import { expect, median, playRounds, quotients } from './rounds.mjs';
import { startObjects, startSide } from './sides.mjs';

/** @typedef {import('./scenarios.mjs').Stage} Stage */
/** @typedef {import('./scenarios.mjs').Line} Line */
/** @typedef {import('./sides.mjs').Runner} Runner */

/**
 * Claims of many payers, by the number of objects that share them, beside an object that only inserts a row. Caller
 * and objects share one thread here, so more objects are no more processors: what they show is what spreading costs.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
export async function claims({ backend, choice, rounds }) {
  const gate = await startSide('farebox', backend, choice, FRONT);
  const peer = await startObjects('one INSERT', 'scripts/bench/peers/insert.mjs', choice.ledger, FRONT);
  /** @type {Line[]} */
  const lines = [];
  for (const objects of [1, 4, 16]) {
    let round = 0;
    const play = async (/** @type {Runner} */ runner) => {
      // Fresh objects, so that none works for payments of an earlier round; the first claim makes their tables.
      const names = Array.from({ length: objects }, (_, index) => `ledger/${objects}/${index}/${round}`);
      round += 1;
      await playClaims(runner, names, objects);
      const before = runner.processor.nanoseconds();
      const start = performance.now();
      await playClaims(runner, names, CLAIMS);
      const seconds = (performance.now() - start) / 1000;
      return { perSecond: CLAIMS / seconds, cpuUs: (runner.processor.nanoseconds() - before) / 1000 / CLAIMS };
    };
    await playRounds([gate, peer], 2, play);
    const [ours = [], theirs = []] = await playRounds([gate, peer], rounds, play);
    const [ourRates, theirRates] = [ours, theirs].map((all) => all.map(({ perSecond }) => perSecond));
    const [ourTimes, theirTimes] = [ours, theirs].map((all) => all.map(({ cpuUs }) => cpuUs));
    const name = `claims, ${objects} object${objects === 1 ? '' : 's'}`;
    const rate = median(ourRates ?? []);
    lines.push(
      {
        scenario: name,
        unit: '/s',
        ours: rate,
        peer: peer.name,
        theirs: median(theirRates ?? []),
        ratio: quotients(ourRates ?? [], theirRates ?? []),
        goal: `≥ ${LEAST_PER_SECOND} /s`,
        met: rate >= LEAST_PER_SECOND,
      },
      {
        scenario: `${name}, processor`,
        unit: 'µs',
        ours: median(ourTimes ?? []),
        peer: peer.name,
        theirs: median(theirTimes ?? []),
        ratio: quotients(theirTimes ?? [], ourTimes ?? []),
        goal: '',
        met: null,
      },
    );
  }
  return lines;
}

/**
 * @param {Runner} runner
 * @param {string[]} names
 * @param {number} count
 */
async function playClaims({ name, client }, names, count) {
  const lines = Array.from({ length: count }, (_, index) => `${names[index % names.length]} ${claim()}`);
  const answer = await client.send({ path: `/?at-once=${AT_ONCE}`, headers: {}, body: lines.join('\n') });
  expect(
    answer.text === JSON.stringify({ played: count, refused: '' }),
    `claims: ${name} answered ${answer.status}: ${answer.text.slice(0, 300)}`,
  );
}

/** One claim of a payer who is in no other. */
function claim() {
  const hex = (/** @type {number} */ bytes) => randomBytes(bytes).toString('hex');
  const payer = `0x${hex(20)}`;
  const validBefore = Math.floor(Date.now() / 1000) + 300;
  const terms = {
    scheme: 'exact',
    network: NETWORK,
    amount: '10000',
    asset: ASSET,
    payTo: PAY_TO,
    maxTimeoutSeconds: 300,
    extra: { name: 'USDC', version: '2' },
  };
  const authorization = {
    from: payer,
    to: PAY_TO,
    value: '10000',
    validAfter: '0',
    validBefore: String(validBefore),
    nonce: `0x${hex(32)}`,
  };
  const url = 'http://127.0.0.1/after';
  const resource = { url, description: 'Paid after the answer', mimeType: 'application/json' };
  const paymentPayload = { x402Version: 2, payload: { signature: `0x${hex(65)}`, authorization }, resource, accepted: terms };
  const payment = {
    binding: hex(32),
    secret: null,
    mode: 'after',
    receipt: hex(16),
    route: '/after',
    url,
    network: NETWORK,
    asset: ASSET,
    amount: '10000',
    pay_to: PAY_TO,
    valid_before: validBefore,
    facilitator: 'http://127.0.0.1',
    request: JSON.stringify({ x402Version: 2, paymentPayload, paymentRequirements: terms }),
    confirm: false,
    // What one network leaves open is bounded.
    client: hex(8),
  };
  const leases = { executing: 600, settling: 600, delivering: 600 };
  const command = { claim: { payment, leases, idempotent: false, wallet: false, in_flight: 16, last: false } };
  return JSON.stringify({ v: 1, payer, key: hex(32), command, role: 'sole' });
}

const FRONT = 'scripts/bench/fronts/claims.mjs';
const CLAIMS = 500;
const AT_ONCE = 32;
/** What one object is planned for. */
const LEAST_PER_SECOND = 250;

/**
 * Rows that a payment writes, index rows included, how often it sets the alarm, and the rows that its retention writes and deletes, over
 * many payments.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
export async function writes({ backend, choice }) {
  const gate = await startSide('farebox', backend, choice, 'scripts/bench/fronts/tally.mjs');
  backend.delay(0, 0);
  const asked = async (/** @type {string} */ path) => JSON.parse((await gate.client.send({ path, headers: {} })).text);
  /** @type {(path: string) => Promise<Record<string, number>>} */
  const play = async (path) => {
    const shots = await gate.paid(path, PAYMENTS);
    await asked('/_tally');
    for (const answer of await gate.client.all(shots, 8))
      expect(answer.status === 200, `writes: ${answer.status} ${answer.text.slice(0, 300)}`);
    await new Promise((resolve) => setTimeout(resolve, TRAILING_MS));
    return asked('/_tally');
  };
  /** Rows by the payment that objects write for what is so old. @type {(secs: number) => Promise<number>} */
  const purge = async (secs) => {
    await asked('/_tally');
    const payments = await asked(`/_tally/purge?secs=${secs}`);
    const { payments: rows = 0, responses = 0 } = await asked('/_tally');
    return (rows + responses) / payments;
  };
  // The objects make their tables first.
  for (let turn = 0; turn < WARM_TURNS; turn += 1) for (const path of ['/after', '/before', '/big']) await play(path);
  await purge(OLD_SECS);
  /** @type {Line[]} */
  const lines = [];
  for (const [path, what] of /** @type {const} */ ([
    ['/after', 'after'],
    ['/before', 'before'],
    ['/big', 'stream'],
  ])) {
    const { calls = 0, setAlarm = 0, deleteAlarm = 0, meta = 0, attempts = 0, meters = 0, common = 0, ...tables } = await play(path);
    const rows = Object.values(tables).reduce((sum, written) => sum + written, 0) / PAYMENTS;
    const responses = await purge(ANSWERED_SECS);
    const payments = await purge(OLD_SECS);
    lines.push(
      { scenario: `writes, ${what}`, unit: 'rows', ours: rows, goal: `≤ ${ROWS} rows`, met: rows <= ROWS },
      {
        scenario: `writes, ${what}, of the object itself`,
        unit: 'rows',
        ours: (meta + attempts + meters + common) / PAYMENTS,
        goal: '',
        met: null,
      },
      { scenario: `writes, ${what}, retention of the response`, unit: 'rows', ours: responses, goal: '', met: null },
      { scenario: `writes, ${what}, retention of the payment`, unit: 'rows', ours: payments, goal: '1', met: payments === 1 },
      { scenario: `writes, ${what}, alarm`, unit: 'times', ours: (setAlarm + deleteAlarm) / PAYMENTS, goal: '', met: null },
      { scenario: `writes, ${what}, calls`, unit: 'times', ours: calls / PAYMENTS, goal: '', met: null },
    );
  }
  return lines;
}

/** Limit on the rows that a paid call writes. */
const ROWS = 4;
const WARM_TURNS = 3;
/** An age at which a response goes, and one at which the payment does. */
const ANSWERED_SECS = 2 * 86_400;
const OLD_SECS = 401 * 86_400;
const PAYMENTS = 64;
const TRAILING_MS = 500;
