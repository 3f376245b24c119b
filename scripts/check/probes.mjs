// What can only be seen by asking: each question is named before it is asked, and takes 5 seconds at most.

import { askFacilitators, asking, get, isRedirect } from './supported.mjs';
import { structured } from './worker.mjs';

/**
 * @typedef {import('./supported.mjs').Probe} Probe
 * @typedef {import('./source.mjs').Table} Table
 * @typedef {import('./deployment.mjs').Notes} Notes
 * @typedef {import('./rules.mjs').Judgement['networks']} Networks
 */

/**
 * @param {import('./worker.mjs').Worker} worker
 * @param {Networks} networks
 * @param {Notes} notes
 * @param {(line: string) => void} say
 * @returns {Promise<Probe[]>}
 */
export async function probe({ vars, secrets }, networks, notes, say) {
  /** @type {Probe[]} */
  const probes = [];
  const ask = asking(say, probes);
  const funded = await askFacilitators(vars, networks, notes, { ask, say, probes });
  for (const { id } of sellsBySession(vars) ? networks.filter(({ id }) => id.startsWith('eip155:') && !funded.has(id)) : []) {
    notes.warning(
      'ROUTES',
      `sell by session (session_delay_secs), and no facilitator lists batch-settlement on ${id}: nobody could deposit there; add one that does, or leave session_delay_secs out`,
      ['vars', 'ROUTES'],
    );
  }
  const target = paidTarget(vars);
  if (target !== undefined) await ask(target, `GET ${target}, sent directly, around the gate`, () => bypass(target, vars, notes));
  const rpc = vars.RPC_URL ?? secrets.RPC_URL;
  for (const { id, name } of networks) {
    const node = ofNetwork(rpc, id, name);
    const payee = ofNetwork(vars.PAY_TO, id, name);
    if (node === undefined || payee === undefined || !/^0x[0-9a-f]{40}$/i.test(payee) || !id.startsWith('eip155:') || !URL.canParse(node))
      continue;
    const { origin } = new URL(node);
    // The rest of the URL often is a key.
    await ask(origin, `${origin} whether ${payee} has code on ${id}`, () => code(node, id, payee, notes));
  }
  return probes;
}

/**
 * @param {string} target
 * @param {Table} vars
 * @param {Notes} notes
 */
async function bypass(target, vars, notes) {
  const { status, text, location } = await get(target);
  if (isRedirect(status) && location !== null && URL.canParse(location, target)) {
    const to = new URL(location, target);
    const path = withoutBase(to, vars.ORIGIN_URL);
    const remedy = redirected(withoutBase(new URL(target), vars.ORIGIN_URL) ?? '/', path ?? to.origin, vars);
    if (remedy !== undefined) notes.warning('ROUTES', remedy, ['vars', 'ROUTES']);
    return `redirects to ${path ?? to.origin}`;
  }
  if (status < 200 || status > 299 || text === '') return `answers ${status}`;
  const remedy = `serves ${new URL(target).pathname} without the gate; set ORIGIN_SECRET and have the origin check Farebox-Signature, or close it by network`;
  notes.warning('ORIGIN_URL', remedy, ['vars', 'ORIGIN_URL']);
  return `answers ${status} with a body: it can be fetched without paying`;
}

/**
 * Says what is wrong with a redirect of a priced path.
 *
 * @param {string} from
 * @param {string} to
 * @param {Table} vars
 * @returns {string | undefined}
 */
function redirected(from, to, vars) {
  const { path: pattern = '', redirects } = paidRoute(vars) ?? {};
  if (redirects === true) {
    return isPriced(to, vars)
      ? `${from} is priced and redirects to ${to}, which is priced too: a client pays twice; make one of them free, or list the path that answers`
      : undefined;
  }
  const isSlash = from.replace(/\/$/, '') === to.replace(/\/$/, '');
  // Such a pattern has both.
  if (isSlash && String(pattern).endsWith('/*')) return undefined;
  const remedy = isSlash
    ? `write the path as "${to}"`
    : 'list the path that answers, or set `redirects = true` if it is the address that is sold';
  return `${from} is priced and redirects to ${to}, and redirects are not sold: nobody gets what they pay for; ${remedy}`;
}

/**
 * @param {string} node
 * @param {string} network
 * @param {string} payee
 * @param {Notes} notes
 */
async function code(node, network, payee, notes) {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_getCode', params: [payee, 'latest'] });
  const { status, text } = await get(node, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { result } = JSON.parse(text);
  if (typeof result !== 'string') return `answers ${status} without a result`;
  if (result === '0x') return 'it has none';
  notes.warning('PAY_TO', `is a contract on ${network}; make sure that you own it there and that it can transfer the token`, [
    'vars',
    'PAY_TO',
  ]);
  return 'it has';
}

/**
 * The first paid path behind `ORIGIN_URL`, with something in the place of what is free in it.
 *
 * @param {Table} vars
 * @returns {string | undefined}
 */
function paidTarget(vars) {
  const paid = paidRoute(vars);
  const path = paid?.path ?? paid?.pattern;
  if (typeof path !== 'string' || typeof vars.ORIGIN_URL !== 'string' || !URL.canParse(vars.ORIGIN_URL)) return undefined;
  return vars.ORIGIN_URL.replace(/\/+$/, '') + path.replace(/\/\*$/, '/').replace(/\[[^\]/]*\]/g, '1');
}

/**
 * The first route with a price that a GET finds.
 *
 * @param {Table} vars
 * @returns {Table | undefined}
 */
function paidRoute(vars) {
  const routes = structured(vars.ROUTES ?? vars.PROTECTED_PATTERNS);
  return (Array.isArray(routes) ? routes : []).find(
    (route) => route?.price !== 'free' && (!Array.isArray(route?.methods) || route.methods.includes('GET')),
  );
}

/** @param {Table} vars */
function sellsBySession(vars) {
  const routes = structured(vars.ROUTES);
  return Array.isArray(routes) && routes.some((route) => route?.session_delay_secs !== undefined);
}

/**
 * @param {URL} url
 * @param {string} base `ORIGIN_URL`
 * @returns {string | undefined} the path as a client asks for it; undefined elsewhere
 */
function withoutBase({ origin, pathname }, base) {
  const { origin: own, pathname: prefix } = new URL(base);
  const kept = prefix.replace(/\/+$/, '');
  return origin === own && pathname.startsWith(kept) ? pathname.slice(kept.length) || '/' : undefined;
}

/**
 * Whether a route with a price is for this path, as far as can be said without the gate.
 *
 * @param {string} path
 * @param {Table} vars
 */
function isPriced(path, vars) {
  const routes = structured(vars.ROUTES ?? vars.PROTECTED_PATTERNS);
  const plain = path.replace(/\/+$/, '').toLowerCase();
  const found = (Array.isArray(routes) ? routes : []).filter(({ path: pattern = '' }) => {
    const parts = String(pattern).toLowerCase().replace(/\/\*$/, '').split('/');
    const own = plain.split('/');
    const fits = parts.every((part, index) => part === own[index] || (/^\[.*\]$/.test(part) && own[index]));
    return fits && (own.length === parts.length || String(pattern).endsWith('/*'));
  });
  return found.length > 0 && found.every(({ price }) => price !== 'free');
}

/**
 * @param {unknown} value one text for all networks, or one each
 * @param {string} id
 * @param {string | null} name
 * @returns {string | undefined}
 */
function ofNetwork(value, id, name) {
  const known = structured(value);
  if (typeof known === 'string') return known;
  const table = /** @type {Table} */ (known ?? {});
  const found = table[id] ?? table[name ?? ''];
  return typeof found === 'string' ? found : undefined;
}
