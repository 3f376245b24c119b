// What the gate's rules cannot see: values that were never replaced, variables outside their table, an origin that is the gate.

import { facilitators } from './facilitators.mjs';
import { NotJson, parseJson } from './jsonc.mjs';
import { SECRETS, variables } from './names.mjs';
import { structured } from './worker.mjs';

/**
 * @typedef {import('./worker.mjs').Worker} Worker
 * @typedef {import('./source.mjs').Source} Source
 * @typedef {import('./source.mjs').Table} Table
 * @typedef {import('./deployment.mjs').Notes} Notes
 * @typedef {import('./rules.mjs').Judgement['networks']} Networks
 */

/** Names that stand for others in documents. Spec: RFC 2606. */
const PLACEHOLDER = /(?:^|\.)example\.(?:com|net|org)$|^your-|\.your-/i;

/** Facilitators that take no request without a key, and the `auth` for them. */
const KEYED = [
  { host: 'api.cdp.coinbase.com', auth: 'cdp' },
  { host: 'web3.okx.com', auth: 'okx' },
  { host: 'www.okx.com', auth: 'okx' },
];

/**
 * The `auth` for a facilitator, if it takes no request without a key.
 *
 * @param {string} url
 */
export function keyed(url) {
  return KEYED.find(({ host }) => host === hostOf(url))?.auth;
}

/** This machine. The gate's own rules let it be tried; other private addresses they refuse. */
const LOCAL = /^(?:(?:.+\.)?localhost|127(?:\.\d+){3}|\[::1?\])$/i;
/** A price for one request that is looked at twice, dollars. */
const DEAR = 100;

/**
 * @param {Worker} worker
 * @param {Networks} networks
 * @param {Notes} notes
 */
export function checkSlips({ config, vars }, networks, notes) {
  const isMain = networks.some(({ main }) => main);
  const tell = isMain ? notes.error : notes.warning;
  const host = hostOf(vars.ORIGIN_URL);
  checkPrices(vars, notes);
  if (host !== undefined && PLACEHOLDER.test(host)) tell('ORIGIN_URL', `${host} is a placeholder; put your own origin`);
  const own = routeHosts(config).find((pattern) => host !== undefined && covers(pattern, host));
  if (own !== undefined) {
    notes.error(
      'ORIGIN_URL',
      `is the host of the gate's own route ${own}: requests would come back; name the server behind it, or remove ORIGIN_URL to ask the zone's own server`,
    );
  }
  for (const { url, auth, path } of facilitators(vars)) {
    const { hostname } = new URL(url);
    if (PLACEHOLDER.test(hostname)) tell('FACILITATOR_URL', `${hostname} is a placeholder; name a facilitator`, path);
    const needed = keyed(url);
    if (needed !== undefined && auth === 'none') {
      notes.error(
        'FACILITATOR_URL',
        `${hostname} takes no request without a key; write [{ url = "${url}", auth = "${needed}" }] and set its secrets`,
        path,
      );
    }
  }
}

/**
 * Profiles of an exchange whose jobs cost the operator gas, and that leave the least price to its default.
 *
 * @param {Worker} worker
 * @param {Notes} notes
 */
export function checkLeastPrices({ vars }, notes) {
  const profiles = structured(vars.EXCHANGE_PROFILES);
  if (!Array.isArray(profiles)) return;
  for (const [index, profile] of profiles.entries()) {
    if (profile?.hold !== 'contract' || profile.min_price !== undefined) continue;
    const variable = `EXCHANGE_PROFILES[${index}].min_price`;
    notes.warning(variable, 'is not set: each job costs you some 263,000 gas, and is sold from 0.001 on; set it, and per_day', [
      'vars',
      'EXCHANGE_PROFILES',
      index,
    ]);
  }
}

/** Variables that let a Worker ask this machine. */
const LETS_ASK_HERE = ['ALLOW_LOCAL_MERCHANTS', 'ALLOW_LOCAL_SELLERS'];

/**
 * What is on this machine: it may be tried, and no deployed Worker reaches it.
 *
 * @param {Worker} worker
 * @param {boolean} isDeployed whether this is to be deployed: then it is an error
 * @param {Notes} notes
 */
export function checkLocal({ vars }, isDeployed, notes) {
  const tell = isDeployed ? notes.error : notes.warning;
  const origin = hostOf(vars.ORIGIN_URL);
  if (isDeployed && origin !== undefined && (LOCAL.test(origin) || vars.ORIGIN_NETWORK === 'private')) {
    notes.error(
      'ORIGIN_URL',
      `${origin} cannot be reached by a deployed Worker; name the server's public address, or bind it as a service (ORIGIN)`,
    );
  }
  const nodes = structured(vars.RPC_URL);
  const node = [nodes, ...Object.values(typeof nodes === 'object' && nodes !== null ? nodes : {})].find(isHere);
  if (node !== undefined) tell('RPC_URL', `names ${hostOf(node)}, which a deployed Worker cannot reach; name a public node of the network`);
  const lets = LETS_ASK_HERE.filter((name) => String(vars[name] ?? false) === 'true');
  for (const name of lets) tell(name, 'is for tests on this machine; remove it before you deploy');
  const organizations = structured(vars.ORGANIZATIONS);
  for (const [index, organization] of (Array.isArray(organizations) ? organizations : []).entries()) {
    const agents = Array.isArray(organization?.agents) ? organization.agents : [];
    const local = [organization, ...agents].flatMap((one) => one?.policy?.allowedOrigins ?? []).find(isHere);
    if (local === undefined) continue;
    const why = lets.includes('ALLOW_LOCAL_MERCHANTS')
      ? 'a deployed treasury cannot reach it; name merchants by their public addresses'
      : 'it is paid only with ALLOW_LOCAL_MERCHANTS = true, and by no deployed treasury';
    tell(`ORGANIZATIONS[${index}].policy`, `names ${local}, which is this machine: ${why}`, ['vars', 'ORGANIZATIONS', index]);
  }
}

/**
 * @param {unknown} url
 */
function isHere(url) {
  return LOCAL.test(hostOf(url) ?? '');
}

/**
 * Prices that may have lost their point.
 *
 * @param {Worker['vars']} vars
 * @param {Notes} notes
 */
function checkPrices(vars, notes) {
  const routes = structured(vars.ROUTES);
  if (!Array.isArray(routes)) return;
  for (const [index, route] of routes.entries()) {
    const dollars = typeof route?.price === 'string' ? /^\$(\d+)(?:\.\d+)?$/.exec(route.price)?.[1] : undefined;
    if (dollars !== undefined && Number(dollars) >= DEAR) {
      notes.warning(`ROUTES[${index}].price`, `asks ${route.price} for one request of ${route.path}; is that right?`, [
        'vars',
        'ROUTES',
        index,
        'price',
      ]);
    }
  }
}

/**
 * Variables of the gate above the line `[vars]`, or in the table that stands before them.
 *
 * @param {Source} source
 * @param {string | undefined} env
 * @param {Notes} notes
 */
export function checkPlaces(source, env, notes) {
  const known = new Set([...variables(), ...SECRETS]);
  const table = env === undefined ? 'vars' : `env.${env}.vars`;
  /** @type {(value: unknown, path: import('./source.mjs').Path) => void} */
  const look = (value, path) => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      const here = [...path, Array.isArray(value) ? Number(key) : key];
      if (key === 'vars' || (path.length === 0 && key === 'env')) continue;
      if (!Array.isArray(value) && known.has(key)) {
        const where =
          path.length === 0 ? 'stands above all tables' : `stands in [${path.filter((part) => typeof part === 'string').join('.')}]`;
        const remedy = source.opensTable(here)
          ? `write [[${table}.${key}]] for [[${here.join('.')}]]`
          : `write the line [${table}] above it`;
        notes.error(key, `${where}, where it is not read; ${remedy}`, here);
      } else {
        look(inner, here);
      }
    }
  };
  look(env === undefined ? source.raw : source.raw.env?.[env], []);
}

/**
 * Where a structured variable's text stops being JSON, and why.
 *
 * @param {unknown} value
 * @returns {string | undefined}
 */
export function whereNotJson(value) {
  if (typeof value !== 'string') return undefined;
  try {
    parseJson(value);
  } catch (error) {
    if (error instanceof NotJson) return `${error.message}, at line ${error.place.line}, column ${error.place.column} of the text`;
    throw error;
  }
  return undefined;
}

/**
 * @param {unknown} url
 */
function hostOf(url) {
  return typeof url === 'string' && URL.canParse(url) ? new URL(url).hostname : undefined;
}

/**
 * @param {Table} config
 * @returns {string[]} the hosts of its routes, with stars
 */
function routeHosts({ route, routes = [] }) {
  const all = [...(route === undefined ? [] : [route]), ...routes];
  return all.map((one) =>
    String(typeof one === 'string' ? one : (one?.pattern ?? ''))
      .replace(/^https?:\/\//, '')
      .replace(/\/.*$/, ''),
  );
}

/**
 * @param {string} pattern
 * @param {string} host
 */
function covers(pattern, host) {
  const [begin = '', ...ends] = pattern.toLowerCase().split('*');
  const name = host.toLowerCase();
  return ends.length === 0 ? name === begin : name.startsWith(begin) && name.endsWith(ends.at(-1) ?? '') && name.length >= begin.length;
}
