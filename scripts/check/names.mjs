// What the gate reads by name, and what was probably meant to be one of those names.

import { readFileSync } from 'node:fs';

import { GATE_SECRETS } from '../../pkg/gate/src/serve/secret-names.js';

export { GATE_SECRETS as SECRETS };

/** What the treasury reads: secrets under these names, and variables. */
export const TREASURY = /** @type {const} */ ({
  secrets: ['TREASURY_SECRET', 'OPERATOR_TOKEN', 'LOOKUP_TOKEN', 'WEBHOOK_SECRET'],
  variables: [
    'ORGANIZATIONS',
    'WALLETS',
    'RPC_URL',
    'FACILITATOR_URL',
    'WEBHOOK_URL',
    'CONFIRMATIONS',
    'TOKEN_SECS',
    'REVIEW_SECS',
    'SEND_SECS',
    'READ_SECS',
    'KEEP_DAYS',
    'MERCHANT_BINDINGS',
    'PAYOUT_TOKENS',
    'ESCROWS',
    'TEST_NETWORKS_ONLY',
    'ALLOW_LOCAL_MERCHANTS',
  ],
});

/** What the market reads: secrets under these names, and variables. */
export const MARKET = /** @type {const} */ ({
  secrets: [
    'MARKET_SECRET',
    'OPERATOR_TOKEN',
    'ORIGIN_SECRET',
    'LOOKUP_TOKEN',
    'EXCHANGE_SECRET',
    'EXCHANGE_SECRET_PREVIOUS',
    'PAYOUT_TOKEN',
    'REFUND_TOKEN',
    'WEBHOOK_SECRET',
  ],
  variables: [
    'MARKET_URL',
    'NETWORK',
    'PAY_TO',
    'OWN_ROUTES',
    'LISTING_FEE',
    'AGENT_DAILY_CAP',
    'LEDGER_ROWS',
    'XLM_USD',
    'COMPATIBILITY',
    'MOCK',
    'RPC_URL',
    'TEST_NETWORKS_ONLY',
    'ALLOW_LOCAL_SELLERS',
    'EXCHANGE_PROFILES',
    'EXCHANGE_URL',
    'IDENTITY',
  ],
});

/** Bindings, by the key of wrangler.toml that holds them. */
export const BINDINGS = /** @type {const} */ ({
  kv_namespaces: ['CONFIG'],
  services: ['ORIGIN', 'TREASURY'],
  ratelimits: ['RATE_LIMITER'],
});

/** @returns {string[]} the variables that the schema describes */
export function variables() {
  const schema = JSON.parse(readFileSync(new URL('../../docs/wrangler.schema.json', import.meta.url), 'utf8'));
  return Object.keys(schema.definitions.vars.properties);
}

/**
 * The names that no gate reads, with the one that is meant, if one is near.
 *
 * @param {readonly string[]} names
 * @returns {{ name: string, meant: string | undefined }[]}
 */
export function unread(names) {
  const known = [...variables(), ...GATE_SECRETS];
  return names.filter((name) => !known.includes(name)).map((name) => ({ name, meant: nearMiss(name, known) }));
}

/**
 * The known name that `name` is a slip of, if it is one.
 *
 * @param {string} name
 * @param {readonly string[]} known
 * @returns {string | undefined}
 */
export function nearMiss(name, known) {
  if (known.includes(name)) return undefined;
  return known.find((candidate) => distance(name.toUpperCase(), candidate) <= 2);
}

/**
 * How many letters have to be put in, taken out or replaced.
 *
 * @param {string} from
 * @param {string} to
 * @returns {number}
 */
export function distance(from, to) {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
