// What is publicly known of facilitators: what a settlement costs, and which of them move test money only.

import { structured } from './worker.mjs';

/**
 * What each settlement costs the payee, in millionths of a dollar, as the facilitators' own pages said in November 2026. A monthly
 * allowance is not counted: it ends. Nothing in `/supported` says so yet.
 *
 * @type {Record<string, bigint>}
 */
const FEES = {
  // docs.cdp.coinbase.com/x402/seller/facilitator: 1,000 a month are free.
  'api.cdp.coinbase.com': 1_000n,
  // docs.0xmeta.ai/faq
  'facilitator.0xmeta.ai': 10_000n,
  // fretchen.eu/x402
  'facilitator.fretchen.eu': 10_000n,
};

/** Facilitators that serve test networks only. */
const TEST_ONLY = ['x402.org', 'www.x402.org'];

/**
 * @typedef {object} Facilitator
 * @property {string} url
 * @property {string[]} networks
 * @property {unknown} auth
 * @property {import('./source.mjs').Path} path
 */

/**
 * @param {import('./source.mjs').Table} vars
 * @returns {Facilitator[]} those whose URL can be read
 */
export function facilitators(vars) {
  const value = structured(vars.FACILITATOR_URL);
  const list = Array.isArray(value) ? value : [{ url: value }];
  return list.flatMap((entry, index) => {
    if (typeof entry?.url !== 'string' || !URL.canParse(entry.url)) return [];
    const path = ['vars', 'FACILITATOR_URL', ...(Array.isArray(value) ? [index] : [])];
    return [{ url: entry.url, networks: entry.networks ?? ['*'], auth: entry.auth ?? 'none', path }];
  });
}

/**
 * @param {Pick<import('./worker.mjs').Worker, 'vars'>} worker
 * @param {import('./rules.mjs').Judgement['networks']} networks
 * @param {import('./deployment.mjs').Notes} notes
 */
export function checkFacilitators({ vars }, networks, notes) {
  for (const { url, path, ...facilitator } of facilitators(vars)) {
    const { hostname } = new URL(url);
    const main = networks.find(({ id, name, main }) => main && serves(facilitator.networks, id, name));
    if (TEST_ONLY.includes(hostname) && main !== undefined) {
      notes.error('FACILITATOR_URL', `${hostname} serves test networks only, not ${main.id}; name a facilitator of that network`, path);
    }
    const fee = FEES[hostname];
    if (fee !== undefined && networks.some(({ main }) => main)) checkPrices(vars, hostname, fee, notes);
  }
}

/**
 * @param {string[]} patterns
 * @param {string} id
 * @param {string | null} name
 */
export function serves(patterns, id, name) {
  return patterns.some((pattern) => pattern === id || pattern === name || (pattern.endsWith('*') && id.startsWith(pattern.slice(0, -1))));
}

/**
 * @param {import('./source.mjs').Table} vars
 * @param {string} hostname
 * @param {bigint} fee
 * @param {import('./deployment.mjs').Notes} notes
 */
function checkPrices(vars, hostname, fee, notes) {
  for (const name of ['ROUTES', 'PROTECTED_PATTERNS']) {
    const routes = structured(vars[name]);
    for (const [index, route] of (Array.isArray(routes) ? routes : []).entries()) {
      const price = millionths(route);
      if (price !== undefined && price < fee) {
        notes.warning(
          `${name}[${index}].price`,
          `is below what ${hostname} asks for a settlement ($${dollars(fee)}); you pay more than you receive`,
          ['vars', name, index, 'price'],
        );
      }
    }
  }
}

/**
 * A price in dollars as whole millionths, as far as it can be known here.
 *
 * @param {any} route
 * @returns {bigint | undefined}
 */
function millionths(route) {
  if (route?.price?.asset === 'USDC' && /^\d{1,78}$/.test(route.price.amount)) return BigInt(route.price.amount);
  const [, whole, part = ''] = /^\$?(\d+)(?:\.(\d+))?$/.exec(typeof route?.price === 'string' ? route.price : '') ?? [];
  const isDollars = route?.asset === undefined || route.asset === 'USDC';
  return whole === undefined || !isDollars ? undefined : BigInt(whole + part.slice(0, 6).padEnd(6, '0'));
}

/**
 * @param {bigint} amount millionths
 */
function dollars(amount) {
  return `${amount / 1_000_000n}.${String(amount % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '')}`;
}
