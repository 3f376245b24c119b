// The cost of paid calls, from what the bench has measured and Cloudflare's list prices: the part of docs/deploy.md that says it.
//
//   node scripts/costs.mjs
//
// Rewrites that part from tests/costs.json, which `npm run bench -- --only writes,ledger-size --costs` writes.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { root } from './steps.mjs';

/**
 * @typedef {object} Measured
 * @property {string} command
 * @property {string} machine
 * @property {{after: number, before: number, stream: number, response: number, payment: number}} rows written by a paid call, and by
 *   the retention of its response and of its payment
 * @property {number} calls of objects
 * @property {{open: number, settled: number}} bytes on the disk
 */

/**
 * A price for each unit, after those that are included.
 *
 * @typedef {object} Price
 * @property {number} included
 * @property {number} dollars
 */

/** Cloudflare's list prices of 2026, by the month. @type {Record<'requests' | 'cpuMs' | 'objects' | 'rows' | 'gbSeconds' | 'gbMonths', Price>} */
const PRICES = {
  requests: { included: 10e6, dollars: 0.3 / 1e6 },
  cpuMs: { included: 30e6, dollars: 0.02 / 1e6 },
  objects: { included: 1e6, dollars: 0.15 / 1e6 },
  rows: { included: 50e6, dollars: 1 / 1e6 },
  gbSeconds: { included: 400e3, dollars: 12.5 / 1e6 },
  gbMonths: { included: 5, dollars: 0.2 },
};
const SUBSCRIPTION = 5;
/** Coinbase's price of a settlement. */
const SETTLEMENT = { included: 1_000, dollars: 0.001 };
/** The request for terms, and the paid one. */
const REQUESTS = 2;
/** About what a paid call takes. */
const CPU_MS = 3;
const GB_SECONDS = 0.00184;
/** `KEEP_PAYMENTS_DAYS`, in months. */
const MONTHS = 400 / 30.4;
const FREE_ROWS_A_DAY = 100_000;
const CALLS = [1e6, 100e6, 1_000e6];

/** @returns {Measured} */
export function measuredCosts() {
  return JSON.parse(readFileSync(join(root, RECORD), 'utf8'));
}

/** Where the measurement is kept. */
export const RECORD = 'tests/costs.json';

/**
 * The units of one paid call.
 *
 * @param {Measured} measured
 */
function unitsOf({ rows, calls, bytes }) {
  const written = Math.max(rows.after, rows.before);
  return {
    requests: REQUESTS,
    cpuMs: CPU_MS,
    objects: calls,
    rows: written + rows.response + rows.payment,
    gbSeconds: GB_SECONDS,
    gbMonths: (bytes.settled / 1e9) * MONTHS,
  };
}

/**
 * The part of docs/deploy.md.
 *
 * @param {Measured} measured
 */
export function costSection(measured) {
  const units = unitsOf(measured);
  const names = /** @type {(keyof typeof PRICES)[]} */ (['requests', 'cpuMs', 'objects', 'rows', 'gbSeconds', 'gbMonths']);
  const line = (/** @type {number} */ calls) => {
    const costs = names.map((name) => charged(PRICES[name], units[name] * calls));
    const together = costs.reduce((sum, cost) => sum + cost, SUBSCRIPTION);
    return `| ${(calls / 1e6).toLocaleString('en-US')} million | ${costs.map(dollars).join(' | ')} | about ${dollars(together)} | ${dollars(charged(SETTLEMENT, calls))} |`;
  };
  const marginal = names.reduce((sum, name) => sum + PRICES[name].dollars * units[name] * 1e6, 0);
  const { rows, bytes } = measured;
  return [
    `A paid call is two requests (402, paid), about ${CPU_MS} ms CPU, ${measured.calls} object calls and ${units.rows} rows written: ${Math.max(rows.after, rows.before)} by the`,
    `call ([counted](design.md#what-one-request-costs)), ${rows.response} when its response goes and ${rows.payment} when its payment does. Its row takes ${bytes.settled} bytes on the disk, kept`,
    `for 400 days; a response takes its own bytes for a day. Beyond what is included, a million paid calls cost ${dollars(marginal)}. Storage is that of a`,
    'ledger that is 400 days old.',
    '',
    "| paid calls a month | requests | CPU | objects | rows | duration | storage | together | Coinbase's facilitator |",
    '|---|---|---|---|---|---|---|---|---|',
    ...CALLS.map(line),
    '',
    `\`${measured.command}\` has measured rows, calls and bytes (${measured.machine}).`,
    '`node scripts/costs.mjs` has made this table of them.',
    '',
  ].join('\n');
}

/**
 * The sentence about the free plan.
 *
 * @param {Measured} measured
 */
export function freePlan(measured) {
  const calls = Math.floor(FREE_ROWS_A_DAY / unitsOf(measured).rows / 100) * 100;
  return `about ${calls.toLocaleString('en-US')}\npaid calls a day`;
}

/**
 * @param {Price} price
 * @param {number} units
 */
function charged({ included, dollars }, units) {
  return Math.max(0, units - included) * dollars;
}

/**
 * @param {number} amount
 */
function dollars(amount) {
  if (amount < 0.005) return '0';
  return amount < 10 ? `$${amount.toFixed(2)}` : `$${Math.round(amount).toLocaleString('en-US')}`;
}

/** Writes the part between its first words and the next one. */
function rewrite() {
  const page = join(root, 'docs/deploy.md');
  const text = readFileSync(page, 'utf8');
  const measured = measuredCosts();
  const [start, end] = [text.indexOf('A paid call is two requests'), text.indexOf('A request that is paid by voucher')];
  const free = /about [\d,]+\npaid calls a day/;
  if (start < 0 || end < start || !free.test(text)) throw new Error('docs/deploy.md has no such part');
  writeFileSync(page, `${text.slice(0, start)}${costSection(measured)}\n${text.slice(end)}`.replace(free, freePlan(measured)));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) rewrite();
