// The gate's log for people: each line of JSON as one short line, all else as it is.
//
//   npx wrangler tail --format pretty | node scripts/pretty.mjs

import { realpathSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The log line in what a program printed, perhaps after wrangler's word. */
const LINE = /^\s*(?:\(log\)\s+)?(\{.*\})\s*$/;

/**
 * A line of the log as people read it: several for requests that were written together.
 *
 * @param {string} text
 * @returns {string}
 */
export function pretty(text) {
  const json = LINE.exec(text)?.[1];
  /** @type {any} */
  let line;
  try {
    line = json === undefined ? undefined : JSON.parse(json);
  } catch {
    return text;
  }
  const lines = line?.unpaid ?? [line];
  if (!Array.isArray(lines) || !lines.every((one) => typeof one?.at === 'string')) return text;
  return lines.map((one) => ('to' in one ? step(one) : request(one))).join('\n');
}

/**
 * @param {Record<string, any>} line
 */
function request({
  at,
  correlation_id,
  method,
  path,
  status,
  outcome,
  code,
  diagnosis,
  payment,
  key8,
  amount_decimal,
  symbol,
  amount,
  total_ms,
  ...times
}) {
  const price = amount_decimal ? `${amount_decimal} ${symbol}` : amount && `${amount} atomic units`;
  const parts = /** @type {const} */ (['facilitator', 'origin', 'object']).map((part) => `${part} ${times[`${part}_ms`]}`);
  return words(
    clock(at),
    `${status} ${method} ${path}`,
    outcome === 'refused' ? `refused: ${code}` : outcome,
    diagnosis && `told ${diagnosis}`,
    price,
    key8 && payment,
    total_ms === undefined ? undefined : `${total_ms} ms (${parts.join(', ')})`,
    `[${correlation_id}]`,
  );
}

/**
 * @param {Record<string, any>} line
 */
function step({ at, payment, from, to, why }) {
  return words(clock(at), `${from} → ${to}`, why, payment);
}

/**
 * @param {string} at
 */
function clock(at) {
  return at.slice(11, 19);
}

/**
 * @param {...(string | undefined)} parts
 */
function words(...parts) {
  return parts.filter(Boolean).join('  ');
}

/**
 * Passes text on line by line, as people read it.
 *
 * @param {(text: string) => void} write
 * @returns {(chunk: string) => void}
 */
export function prettyStream(write) {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) write(`${pretty(line)}\n`);
  };
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  for await (const line of createInterface({ input: process.stdin })) console.log(pretty(line));
}
