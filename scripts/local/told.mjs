// What a person reads once their gate runs here: where it is, whom it pays, and a line that buys each of its own routes.

import { structured } from '../check/worker.mjs';

/** How many routes have a line of their own. */
const SHOWN = 8;

/**
 * @typedef {object} Purchase a request that is paid for
 * @property {string} url
 * @property {string} method
 * @property {string | undefined} body
 * @property {string | undefined} type its media type
 * @property {string | undefined} max the most that it costs, if that is more than payers allow unasked
 * @property {string | undefined} upto the most of a price that is known afterwards
 * @property {string} says the route and its price
 */

/**
 * The line that buys, of the npm package.
 *
 * @param {Purchase} purchase
 * @param {string} [store] where spending is counted
 * @returns {string}
 */
export function payLine({ url, method, body, type, max, upto }, store = '.wrangler/budget') {
  const words = [
    ...(method === 'GET' ? [] : ['-X', method]),
    ...(type === undefined ? [] : ['-H', quoted(`Content-Type: ${type}`)]),
    ...(body === undefined ? [] : ['-d', quoted(body)]),
    ...(max === undefined ? [] : ['--max', max]),
    ...(upto === undefined ? [] : ['--policy', '-']),
  ];
  const policy = upto === undefined ? '' : `echo ${quoted(JSON.stringify({ upto }))} | `;
  return `${policy}npx farebox pay --yes --store ${/^[\w./-]+$/.test(store) ? store : quoted(store)} ${[...words, quoted(url)].join(' ')}`;
}

/**
 * Every priced route as a request that buys it.
 *
 * @param {string} origin of the gate
 * @param {unknown} routes
 * @returns {Purchase[]}
 */
export function purchases(origin, routes) {
  const list = structured(routes);
  return (Array.isArray(list) ? list : [])
    .map((route) => ({ ...route, path: route?.path ?? route?.pattern }))
    .filter(({ path, price }) => typeof path === 'string' && price !== 'free')
    .slice(0, SHOWN)
    .map((route) => purchase(origin, route));
}

/**
 * @param {string} origin
 * @param {import('../check/source.mjs').Table} route
 * @returns {Purchase}
 */
function purchase(origin, { path, methods, price, unit_price, session_unit, session_unit_price, bazaar }) {
  const listed = Array.isArray(methods) ? methods.map(String) : ['GET'];
  const needsBody = bazaar?.body !== undefined;
  const method =
    (needsBody ? listed.find((name) => name !== 'GET' && name !== 'HEAD') : undefined) ??
    (listed.includes('GET') ? 'GET' : (listed[0] ?? 'GET'));
  const hasBody = ['POST', 'PUT', 'PATCH'].includes(method);
  const { body, type } = hasBody ? bodyOf(bazaar) : { body: undefined, type: undefined };
  const query = hasBody || bazaar?.input === undefined ? '' : `?${new URLSearchParams(textsOf(bazaar.input))}`;
  const place = path.replace(/\/\*$/, '/').replace(/\[[^\]/]*\]/g, '1');
  const dollars = typeof price === 'string' ? price.replace('$', '') : undefined;
  const most = dollars !== undefined && Number(dollars) > 1 ? dollars : undefined;
  const unit = unit_price === undefined ? '' : `, by what it served: ${unit_price} a unit`;
  const flows = session_unit === undefined ? '' : `; by session ${session_unit_price} a ${session_unit}`;
  return {
    url: `${origin}${place}${query}`,
    method,
    body,
    type,
    max: most,
    upto: unit_price === undefined ? undefined : dollars,
    says: `${method} ${path}  ${unit === '' ? '' : 'up to '}${priceText(price)}${unit}${flows}`,
  };
}

/**
 * The body of the route's own description, else an empty object.
 *
 * @param {import('../check/source.mjs').Table | undefined} bazaar
 */
function bodyOf(bazaar) {
  const { body = 'json', input = {} } = bazaar ?? {};
  if (body === 'form-data') return { body: String(new URLSearchParams(textsOf(input))), type: 'application/x-www-form-urlencoded' };
  if (body === 'text') return { body: typeof input === 'string' ? input : JSON.stringify(input), type: 'text/plain' };
  return { body: JSON.stringify(input), type: 'application/json' };
}

/**
 * @param {unknown} input
 * @returns {Record<string, string>}
 */
function textsOf(input) {
  const members = typeof input === 'object' && input !== null ? Object.entries(input) : [];
  return Object.fromEntries(members.map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]));
}

/**
 * @param {unknown} price
 */
function priceText(price) {
  if (typeof price === 'string') return price;
  const { amount, asset, from, max } = /** @type {Record<string, unknown>} */ (price ?? {});
  if (from !== undefined) return `as ${from} says, at most ${max}`;
  return `${amount} atomic units of ${typeof asset === 'string' ? asset : 'its asset'}`;
}

/**
 * A text as one word of a shell.
 *
 * @param {string} text
 * @returns {string}
 */
export function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * How a person gets the key with local money.
 *
 * @param {string} key
 * @returns {string[]}
 */
export function keyLines(key) {
  return ['Buy, with a key that has 1,000 USDC of test money on the local chain alone', `  export FAREBOX_PRIVATE_KEY=${key}`];
}

/**
 * A line that buys each priced route.
 *
 * @param {{url: string, routes: unknown, buy: (purchase: Purchase) => string}} gate
 * @returns {string[]}
 */
export function buyLines({ url, routes, buy }) {
  return purchases(url, routes).flatMap((one) => [`  # ${one.says}`, `  ${buy(one)}`]);
}

/**
 * The line with which the first agent of a treasury gets its key.
 *
 * @param {{name: string, url: string, vars: import('../check/source.mjs').Table, token: string | undefined}} treasury
 * @returns {string}
 */
export function toldTreasury({ name, url, vars, token }) {
  const [organization] = /** @type {any[]} */ (structured(vars.ORGANIZATIONS) ?? []);
  const agent = organization?.agents?.[0]?.name ?? 'buyer';
  const place = `${url}/api/organizations/${organization?.name ?? 'acme'}/agents/${agent}/bootstrap-keys`;
  return [
    '',
    `${name} is at ${url}, and its desk at ${url}/desk/`,
    '',
    `Make a key for the agent ${agent}, and give it to createAgentPayClient as bootstrapKey`,
    `  curl -X POST -H ${quoted(`Authorization: Bearer ${token ?? '…'}`)} ${quoted(place)}`,
  ].join('\n');
}

/**
 * The line that publishes a skill.
 *
 * @param {{name: string, url: string, vars: import('../check/source.mjs').Table}} market
 * @returns {string}
 */
export function toldMarket({ name, url, vars }) {
  // What a seller signs names the gate's address: at its own the market asks for another signature.
  const gate = typeof vars.MARKET_URL === 'string' ? vars.MARKET_URL : url;
  return [
    '',
    `${name} is at ${url}; people and agents reach it through its gate, at ${gate}`,
    '',
    'Publish a skill once that gate runs, with the key of the wallet that is paid in FAREBOX_PRIVATE_KEY:',
    '  echo \'{"name":"Counts words","description":"Counts words","price":"$0.05","callUrl":"https://words.example.net/count"}\' > skill.json',
    `  npx farebox skill publish skill.json --market ${gate}`,
  ].join('\n');
}

/**
 * What a person reads of a Worker that serves nothing, because a variable or a secret is missing or wrong.
 *
 * @param {{name: string, url: string, file: string}} worker
 * @returns {string}
 */
export function toldUnconfigured({ name, url, file }) {
  return [
    '',
    `${name} is at ${url} and answers 503: it is not configured. The log above names each variable and secret that is missing or wrong`,
    `  variables  in ${file}`,
    '  secrets    in .dev.vars beside it, such as NAME=value',
  ].join('\n');
}

/**
 * The last line of each: which change counts when.
 *
 * @param {string} file
 * @returns {string}
 */
export function toldLast(file) {
  return `\nA change of ${file} counts at once, and one of .dev.vars once you end this and start it again`;
}

/**
 * @typedef {object} Told
 * @property {string} file
 * @property {string} url
 * @property {import('../check/source.mjs').Table} vars as the file has them
 * @property {import('./money.mjs').Money | {missing: string} | undefined} money
 * @property {string | undefined} token of the operator
 * @property {(purchase: Purchase) => string} buy the line that buys
 */

/**
 * All of it.
 *
 * @param {Told} parts
 * @returns {string}
 */
export function told({ file, url, vars, money, token, buy }) {
  const isLocal = money !== undefined && 'vars' in money;
  const lines = [
    '',
    `Your gate, as in ${file}`,
    `  gate         ${url}`,
    `  origin       ${vars.ORIGIN_URL ?? 'bound, or the zone'}`,
    `  paid to      ${typeof vars.PAY_TO === 'string' ? vars.PAY_TO : JSON.stringify(vars.PAY_TO)}`,
    ...Object.entries(isLocal ? money.vars : {}).map(
      ([name, value]) => `  ${name.padEnd(12)} ${value} (local, in the place of the file's)`,
    ),
  ];
  if (isLocal) {
    lines.push('', ...keyLines(money.chain.accounts.payer.privateKey));
  } else {
    const why = money === undefined ? '' : `; to pay with local money instead: ${money.missing}`;
    lines.push('', `Payments go to the facilitator of the file${why}`, 'Buy, with a key in FAREBOX_PRIVATE_KEY; it asks before it signs');
  }
  // Money of others is not paid without a question.
  const asks = (/** @type {Purchase} */ one) => (isLocal ? buy(one) : buy(one).replace(' --yes', ''));
  lines.push(...buyLines({ url, routes: vars.ROUTES ?? vars.PROTECTED_PATTERNS, buy: asks }));
  if (token !== undefined)
    lines.push(
      '',
      "The operator's side",
      `  curl -s -H 'Authorization: Bearer ${token}' ${url}/_farebox/payments`,
      `  ${url}/_farebox/desk/`,
    );
  return lines.join('\n');
}
