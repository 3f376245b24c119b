// The whole check of one environment of a wrangler.toml, in the order in which a person would want to know.

import { basename, relative } from 'node:path';

import { checkAssets, checkBehind } from './bypass.mjs';
import {
  bindings,
  checkDeployment,
  checkMarketDeployment,
  checkShards,
  checkTreasuryDeployment,
  isMarket,
  isTreasury,
} from './deployment.mjs';
import { checkFacilitators } from './facilitators.mjs';
import { MARKET, nearMiss, SECRETS, TREASURY, variables } from './names.mjs';
import { probe } from './probes.mjs';
import { judge as judgeGate, judgeMarket, judgeTreasury } from './rules.mjs';
import { checkLeastPrices, checkLocal, checkPlaces, checkSlips, whereNotJson } from './slips.mjs';
import { readSource } from './source.mjs';
import { readWorker, structured } from './worker.mjs';

/**
 * @typedef {object} Finding
 * @property {string} variable the variable, binding or key, and where in it
 * @property {string} remedy
 * @property {string} file
 * @property {number} line
 * @property {number} column
 *
 * @typedef {object} Report
 * @property {boolean} ok whether there are no errors
 * @property {Finding[]} errors
 * @property {Finding[]} warnings
 * @property {Finding[]} notes what this machine cannot know
 * @property {import('./supported.mjs').Probe[]} probes
 *
 * @typedef {object} Options
 * @property {string} file
 * @property {string} [env]
 * @property {boolean} [secrets] whether a secret that is not in .dev.vars is an error
 * @property {boolean} [offline] whether nobody is asked
 * @property {boolean} [deploys] whether it is deployed next, as `production` is whenever
 * @property {readonly string[]} [known] warnings that the operator knows of: `siblings`
 * @property {(line: string) => void} [say] told of each question before it is asked
 */

/**
 * @param {Options} options
 * @returns {Promise<Report>}
 */
export async function check({ file, env, secrets = false, offline = false, deploys = false, known = [], say = () => {} }) {
  const source = readSource(file);
  const worker = await readWorker(source, env);
  /** @type {Report} */
  const report = { ok: true, errors: [], warnings: [], notes: [], probes: [] };
  /** @type {(into: Finding[]) => (variable: string, remedy: string, path?: import('./source.mjs').Path) => void} */
  const into =
    (list) =>
    (variable, remedy, path = ['vars', ...pathOf(variable)]) => {
      if (list.some((known) => known.variable === variable && known.remedy === remedy)) return;
      list.push({ variable, remedy, file, ...placeOf(source, env, path) });
    };
  const isWrong = (/** @type {string} */ variable) => report.errors.some((error) => error.variable === variable);
  const [error, warning] = [into(report.errors), into(report.warnings)];
  // What the gate has said of a variable is said once.
  const notes = {
    /** @type {typeof error} */ error: (variable, ...rest) => void (isWrong(variable) || error(variable, ...rest)),
    /** @type {typeof warning} */ warning: (variable, ...rest) => void (isWrong(variable) || warning(variable, ...rest)),
  };
  const note = into(report.notes);

  // The names of bindings as the Worker tells them to the gate.
  const bound = bindings(worker.config);
  const treasury = isTreasury(worker.config);
  const market = isMarket(worker.config);
  const judge = (/** @type {import('./source.mjs').Table} */ vars) => {
    if (treasury) return { networks: [], siblings: [], ...judgeTreasury(vars) };
    return market ? { networks: [], siblings: [], ...judgeMarket(vars) } : judgeGate(vars);
  };
  const judgement = judge({ ...worker.secrets, ...worker.vars, bindings: bound });
  checkPlaces(source, env, notes);
  for (const { variable, remedy: said } of judgement.errors) {
    const isAbsent = said.startsWith('is missing; ');
    // It is there, in another table.
    if (isAbsent && isWrong(variable)) continue;
    const remedy = inPlaces(said, variable, worker.vars, (path) => placeOf(source, env, path));
    if (isAbsent && remedy.includes('`wrangler secret put ') && !secrets) {
      note(variable, `is a secret; \`${put(variable, file, env)}\` if it is not there yet`);
    } else if (said.startsWith('the secret ') && said.includes(' is not set; ') && !secrets) {
      // One that an agent of a treasury names; told below, with those of its wallets.
    } else if (isAbsent && variable === 'ROUTES' && bound.includes('CONFIG')) {
      note(variable, 'are in the KV namespace CONFIG, which is not read here');
    } else {
      error(variable, remedy);
    }
  }
  // What is in .dev.vars is right here, and says nothing about the Worker that is deployed.
  for (const { variable, remedy } of judge({ ...worker.vars, bindings: bound }).errors) {
    const isAbsent = remedy.startsWith('is missing; ') && remedy.includes('`wrangler secret put ');
    if (isAbsent && variable in worker.secrets) {
      note(
        variable,
        `is in ${basename(worker.secretsFile ?? '.dev.vars')}, which is not deployed; \`${put(variable, file, env)}\` if it is not there yet`,
      );
    }
  }
  checkLocal(worker, deploys || env === 'production', notes);
  if (treasury) {
    for (const name of secretsNamed(worker.vars)) {
      if (name in worker.vars || (name in worker.secrets && secrets)) continue;
      const place = name in worker.secrets ? `is in ${basename(worker.secretsFile ?? '.dev.vars')}, which is not deployed` : 'is a secret';
      note(name, `${place}; \`${put(name, file, env)}\` if it is not there yet`);
    }
    checkNames(worker, TREASURY.variables, [...TREASURY.secrets, ...secretsNamed(worker.vars)], notes);
    checkTreasuryDeployment(worker, env, notes);
  } else if (market) {
    for (const [name, without] of /** @type {const} */ ([
      ['ORIGIN_SECRET', "the gate's, without which nothing is sold directly"],
      ['LOOKUP_TOKEN', "the treasury's, without which an interrupted payment stays open"],
    ])) {
      if (!(name in worker.vars) && !(name in worker.secrets && secrets))
        note(name, `is a secret, ${without}; \`${put(name, file, env)}\` if it is not there yet`);
    }
    checkNames(worker, MARKET.variables, MARKET.secrets, notes);
    checkMarketDeployment(worker, env, notes);
    checkLeastPrices(worker, notes);
    checkTill(worker, 'OWN_ROUTES', notes);
  } else {
    checkNames(worker, variables(), SECRETS, notes);
    checkSlips(worker, judgement.networks, notes);
    if (!known.includes('siblings')) checkSiblings(worker, judgement.siblings, notes);
    checkTill(worker, 'ROUTES', notes);
    checkDeployment(worker, env, notes);
    checkAssets(worker.config, notes);
    checkBehind(worker, file, env, notes);
    checkShards(worker, file, env, notes);
    checkFacilitators(worker, judgement.networks, notes);
    if (!offline) report.probes = await probe(worker, judgement.networks, notes, say);
  }

  for (const list of [report.errors, report.warnings]) list.sort((a, b) => a.line - b.line || a.column - b.column);
  return { ...report, ok: report.errors.length === 0 };
}

/**
 * The command for a secret. Without its file wrangler sets it at the Worker of this folder, in the place of that one's own.
 *
 * @param {string} secret
 * @param {string} file
 * @param {string | undefined} env
 */
function put(secret, file, env) {
  const place = relative('.', file);
  const config = /^wrangler\.(?:toml|jsonc?)$/.test(place) ? '' : ` --config ${place}`;
  return `wrangler secret put ${secret}${config}${env === undefined ? '' : ` --env ${env}`}`;
}

/**
 * A sentence of the gate with the lines of the routes that it names, and the place in a text that is not JSON.
 *
 * @param {string} remedy
 * @param {string} variable
 * @param {import('./source.mjs').Table} vars
 * @param {(path: import('./source.mjs').Path) => import('./source.mjs').Place} place
 */
function inPlaces(remedy, variable, vars, place) {
  const where = remedy.startsWith('is not valid JSON') ? whereNotJson(vars[variable]) : undefined;
  if (where !== undefined) return `is not valid JSON: ${where}`;
  return remedy.replace(/\b(?:ROUTES|PROTECTED_PATTERNS)\[\d+\]/g, (route) => `${route} (line ${place(['vars', ...pathOf(route)]).line})`);
}

/**
 * @param {import('./worker.mjs').Worker} worker
 * @param {readonly string[]} read variables
 * @param {readonly string[]} secrets
 * @param {import('./deployment.mjs').Notes} notes
 */
function checkNames({ vars }, read, secrets, notes) {
  const known = [...read, ...secrets];
  for (const name of Object.keys(vars)) {
    const meant = nearMiss(name, known);
    if (meant !== undefined) notes.warning(name, `is not read; did you mean ${meant}?`);
    if (secrets.includes(name)) {
      notes.warning(name, `is a secret in a committed file; remove it and run \`wrangler secret put ${name}\``);
    }
  }
}

/**
 * The secrets that the wallets, agents and payout tokens of a treasury name.
 *
 * @param {import('./source.mjs').Table} vars
 * @returns {string[]}
 */
function secretsNamed({ WALLETS, ORGANIZATIONS, PAYOUT_TOKENS }) {
  const list = (/** @type {unknown} */ value) => /** @type {any[]} */ (Array.isArray(structured(value)) ? structured(value) : []);
  const agents = list(ORGANIZATIONS).flatMap((organization) => list(organization?.agents));
  return [
    ...[...list(WALLETS), ...list(PAYOUT_TOKENS)].map((named) => named?.secret),
    ...agents.map((agent) => agent?.bootstrapKey),
  ].filter((name) => typeof name === 'string');
}

/**
 * The gate forwards them, because it cannot know what its origin makes of them.
 *
 * @param {import('./worker.mjs').Worker} worker
 * @param {import('./rules.mjs').Judgement['siblings']} siblings
 * @param {import('./deployment.mjs').Notes} notes
 */
function checkSiblings({ vars }, siblings, notes) {
  const [first] = siblings;
  if (first === undefined) return;
  const routes = structured(vars.ROUTES);
  const index = Array.isArray(routes) ? routes.findIndex(({ path, price }) => path === first.priced && price !== 'free') : -1;
  const { priced, free } = first;
  const others = siblings.slice(1).map((sibling) => sibling.priced);
  const more =
    others.length === 0 ? '' : ` (as with ${others.slice(0, 3).join(', ')}${others.length > 3 ? ` and ${others.length - 3} more` : ''})`;
  notes.warning(
    index < 0 ? 'ROUTES' : `ROUTES[${index}].path`,
    `${priced} is priced, and many servers serve the same at ${free.join(', ')}, which ${free.length === 1 ? 'is' : 'are'} free${more}; ` +
      'set DEFAULT = "deny", or give each a route: priced, or "free" if it is something else. `--known siblings` says that you know',
  );
}

/**
 * The till of an exchange sells what the money of other buyers would pay for.
 *
 * @param {import('./worker.mjs').Worker} worker
 * @param {'ROUTES' | 'OWN_ROUTES'} variable
 * @param {import('./deployment.mjs').Notes} notes
 */
function checkTill({ vars }, variable, notes) {
  const routes = structured(vars[variable]);
  for (const [index, route] of (Array.isArray(routes) ? routes : []).entries()) {
    const { path, price, settle, confirm } = route ?? {};
    const isTill = typeof path === 'string' && /^\/till\/\[/.test(path) && typeof price?.from === 'string' && settle !== 'after';
    if (isTill && confirm !== 'chain') {
      notes.warning(
        `${variable}[${index}].path`,
        `${path} is the till of an exchange and believes its facilitator: one that says that it has settled, and has not, makes jobs that are paid with the money of other buyers; set confirm = "chain"`,
      );
    }
  }
}

/**
 * @param {string} variable as in `ROUTES[2].price`
 * @returns {import('./source.mjs').Path}
 */
function pathOf(variable) {
  return [...variable.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, name]) => (index === undefined ? (name ?? '') : Number(index)));
}

/** What an environment must say itself, of the keys that are looked at. */
const NOT_INHERITED = ['vars', 'durable_objects', 'kv_namespaces', 'services', 'ratelimits'];

/**
 * In the environment if it has it, else at the top level, where most keys are inherited from.
 *
 * @param {import('./source.mjs').Source} source
 * @param {string | undefined} env
 * @param {import('./source.mjs').Path} path
 */
function placeOf(source, env, path) {
  if (env === undefined) return source.place(path);
  const top = path[0] ?? '';
  const isOwn = NOT_INHERITED.includes(String(top)) || source.raw.env[env][top] !== undefined || source.raw[top] === undefined;
  return source.place(isOwn ? ['env', env, ...path] : path);
}
