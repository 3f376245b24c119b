// What a ledger object's rows weigh: bytes on the disk and in memory, and what many of them do to a lookup and to a start.

import { randomBytes } from 'node:crypto';

import { expect, median } from './rounds.mjs';
import { startSide } from './sides.mjs';

/** @typedef {import('./scenarios.mjs').Stage} Stage */
/** @typedef {import('./scenarios.mjs').Line} Line */
/** @typedef {import('./sides.mjs').Side} Side */

/**
 * One object for all payers, filled with copies of a payment of scheme `exact`.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
export async function ledgerSize(stage) {
  stage.backend.delay(0, 0);
  return [...(await openRows(stage)), ...(await manyRows(stage))];
}

/**
 * Rows whose outcome is unknown, which the object has in mind as long as they are so.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
async function openRows(stage) {
  const gate = await start(stage);
  await end(gate);
  await pay(gate);
  const before = await size(gate);
  await fill(gate, OPEN_ROWS, 1);
  await end(gate);
  const startingMs = await pay(gate);
  const after = await size(gate);
  const inMemory = (after.memoryBytes - before.memoryBytes) / OPEN_ROWS;
  return [
    {
      scenario: `open row in memory, of ${OPEN_ROWS}`,
      unit: 'bytes',
      ours: inMemory,
      goal: `≤ ${MEMORY_BYTES} bytes`,
      met: inMemory <= MEMORY_BYTES,
    },
    { scenario: `start of an object, ${OPEN_ROWS} open rows`, unit: 'ms', ours: startingMs, goal: '', met: null },
  ];
}

/**
 * Rows at rest.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
async function manyRows(stage) {
  const gate = await start(stage);
  const lookUp = async () => {
    const answers = await gate.client.all(
      Array.from({ length: AT_ONCE }, () => ({ path: `/_farebox/receipts/${receipt()}`, headers: {} })),
      AT_ONCE,
    );
    for (const { status, text } of answers) expect([401, 404, 429].includes(status), `receipts: ${status} ${text.slice(0, 200)}`);
  };
  /** How long a payment takes that comes with many lookups of receipts. */
  const held = async () => {
    const shot = await signed(gate);
    const looking = lookUp();
    const answer = await send(gate, shot);
    await looking;
    return answer.totalMs;
  };
  const none = await repeat(TIMES, held);
  const before = await size(gate);
  await fill(gate, ROWS, 0);
  const after = await size(gate);
  const onDisk = (after.databaseBytes - before.databaseBytes) / ROWS;
  const many = await repeat(TIMES, held);
  await fill(gate, MANY_ROWS - ROWS, 0);
  const warm = await repeat(TIMES, () => pay(gate));
  const cold = await repeat(TIMES, async () => {
    await end(gate);
    return pay(gate);
  });
  const starting = Math.max(0, cold - warm);
  return [
    {
      scenario: 'row, what it holds',
      unit: 'bytes',
      ours: before.rowBytes,
      goal: `≤ ${ROW_BYTES} bytes`,
      met: before.rowBytes <= ROW_BYTES,
    },
    { scenario: `row on disk, of ${ROWS}`, unit: 'bytes', ours: onDisk, goal: '', met: null },
    {
      scenario: `payment beside ${AT_ONCE} lookups, ${ROWS} rows`,
      unit: 'ms',
      ours: many,
      peer: 'no rows',
      theirs: none,
      goal: `≤ ${HELD_TIMES} times`,
      met: many <= HELD_TIMES * none,
    },
    { scenario: `start of an object, ${MANY_ROWS} rows`, unit: 'ms', ours: starting, goal: `≤ ${START_MS} ms`, met: starting <= START_MS },
  ];
}

/**
 * @param {Stage} stage
 */
async function start({ backend, choice }) {
  const gate = await startSide('farebox', backend, choice, 'scripts/bench/fronts/rows.mjs', { LEDGER_SHARDS: 1, RECOVERY: UNHURRIED });
  await pay(gate);
  return gate;
}

/**
 * @param {Side} gate
 */
async function signed(gate) {
  const [shot] = await gate.paid('/after', 1);
  if (shot === undefined) throw new Error('no payment was signed');
  return shot;
}

/**
 * Pays once; gives how long the answer took. An object that is full takes no more, and says so.
 *
 * @param {Side} gate
 * @returns {Promise<number>}
 */
async function pay(gate) {
  const { status, text, totalMs } = await send(gate, await signed(gate));
  expect(status === 200 || status === 429, `ledger-size: ${status} ${text.slice(0, 300)}`);
  return totalMs;
}

/**
 * @param {Side} gate
 * @param {number} rows
 * @param {0 | 1} open
 */
async function fill(gate, rows, open) {
  for (let left = rows; left > 0; left -= AT_A_TIME) await front(gate, `fill?rows=${Math.min(left, AT_A_TIME)}&open=${open}`);
}

/**
 * @param {Side} gate
 */
function end(gate) {
  return front(gate, 'end');
}

/**
 * @param {Side} gate
 * @returns {Promise<{rowBytes: number, databaseBytes: number, memoryBytes: number}>}
 */
function size(gate) {
  return front(gate, 'size');
}

/**
 * @param {Side} gate
 * @param {string} what
 */
async function front(gate, what) {
  // Connections that are idle while rows are written are about to end.
  gate.client.close();
  const { status, text } = await send(gate, { path: `/_rows/${what}`, headers: {} });
  expect(status === 200, `ledger-size: ${what} gave ${status} ${text.slice(0, 300)}`);
  return JSON.parse(text);
}

/**
 * Sends one request, on a connection that is not about to end.
 *
 * @param {Side} gate
 * @param {import('./load.mjs').Shot} shot
 */
async function send(gate, shot) {
  const [answer] = await gate.client.all([shot], 1);
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

/**
 * The median of what some work gives.
 *
 * @param {number} times
 * @param {() => Promise<number>} work
 */
async function repeat(times, work) {
  const results = [];
  for (let turn = 0; turn < times; turn += 1) results.push(await work());
  return median(results);
}

/** An id that no payment has. */
function receipt() {
  return `rcpt_${Array.from(randomBytes(26), (byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte % 32]).join('')}`;
}

/** No row is looked at while it is measured. */
const UNHURRIED = { resend_secs: [86_400], chain_secs: [86_400, 86_400], manual_secs: 2_592_000 };
const OPEN_ROWS = 40_000;
const ROWS = 40_000;
const MANY_ROWS = 500_000;
const AT_A_TIME = 20_000;
const AT_ONCE = 20;
const TIMES = 9;
const MEMORY_BYTES = 200;
const ROW_BYTES = 2_048;
const START_MS = 20;
/** How much longer a payment may take for the lookups beside it. */
const HELD_TIMES = 1.5;
