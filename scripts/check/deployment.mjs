// What wrangler.toml says around the variables: bindings, migrations, dates, routes.

import { spawnSync } from 'node:child_process';
import { basename, dirname } from 'node:path';

import { BINDINGS, distance, nearMiss } from './names.mjs';
import { stepBetween } from './shards.mjs';
import { parseSource } from './source.mjs';
import { Unusable } from './unusable.mjs';
import { structured } from './worker.mjs';

/**
 * @typedef {import('./worker.mjs').Worker} Worker
 * @typedef {import('./source.mjs').Source} Source
 * @typedef {import('./source.mjs').Table} Table
 */

/**
 * @typedef {object} Notes who takes what was found
 * @property {(variable: string, remedy: string, path?: import('./source.mjs').Path) => void} error
 * @property {(variable: string, remedy: string, path?: import('./source.mjs').Path) => void} warning
 */

/** The first date of the platform that the Worker is tested with. */
const OLDEST_DATE = '2026-04-01';

/**
 * @param {Worker} worker
 * @param {string | undefined} env
 * @param {Notes} notes
 */
export function checkDeployment(worker, env, notes) {
  checkObjects(worker.config, env, { binding: 'LEDGER', className: 'Ledger', what: 'the ledger' }, notes);
  if (bindsChannels(worker.config))
    checkObjects(worker.config, env, { binding: 'CHANNEL', className: 'Channel', what: 'a channel' }, notes);
  checkPlatform(worker.config, notes);
  checkBindings(worker, notes);
  checkPayee(worker, notes);
}

/**
 * Whether it binds the objects that routes which sell by session need.
 *
 * @param {Table} config
 */
function bindsChannels({ durable_objects }) {
  return durable_objects.bindings.some((/** @type {Table} */ { name, class_name }) => name === 'CHANNEL' || class_name === 'Channel');
}

/**
 * The same around a treasury.
 *
 * @param {Worker} worker
 * @param {string | undefined} env
 * @param {Notes} notes
 */
export function checkTreasuryDeployment({ config }, env, notes) {
  checkObjects(config, env, { binding: 'TREASURY', className: 'Treasury', what: 'the treasury' }, notes);
  checkDate(config, notes);
}

/**
 * Whether it is a treasury that a configuration describes: its objects say so, or its name.
 *
 * @param {Table} config
 */
export function isTreasury({ name, durable_objects }) {
  return (
    durable_objects.bindings.some((/** @type {Table} */ binding) => binding.name === 'TREASURY' || binding.class_name === 'Treasury') ||
    (durable_objects.bindings.length === 0 && /treasury/.test(name ?? ''))
  );
}

/**
 * The same around a market: it is nothing without a gate whose routes it writes.
 *
 * @param {Worker} worker
 * @param {string | undefined} env
 * @param {Notes} notes
 */
export function checkMarketDeployment({ config }, env, notes) {
  checkObjects(config, env, { binding: 'SKILLS', className: 'Skills', what: 'the market' }, notes);
  checkDate(config, notes);
  const again = env === undefined ? '' : `; bindings are not inherited, so write them for ${env} too`;
  const bound = (/** @type {string} */ key, /** @type {string} */ binding) =>
    (config[key] ?? []).find((/** @type {Table} */ one) => one.binding === binding);
  const namespace = bound('kv_namespaces', 'CONFIG');
  if (namespace === undefined)
    notes.error('kv_namespaces', `has no CONFIG, the gate's own, in which the market writes what is sold${again}`, ['kv_namespaces']);
  else if (/^0*$/.test(namespace.id ?? ''))
    notes.warning('kv_namespaces', "CONFIG has a placeholder as its id; write the one of the gate's namespace", ['kv_namespaces']);
  if (bound('services', 'GATE') === undefined)
    notes.error('services', `has no GATE, the gate in front of the market${again}`, ['services']);
  for (const { binding = '' } of config['r2_buckets'] ?? []) {
    if (binding !== 'ARCHIVE')
      notes.warning('r2_buckets', `${binding} is not read; the bucket of the ledger's old rows is ARCHIVE`, ['r2_buckets']);
  }
  if (bound('services', 'TREASURY') === undefined)
    notes.warning('services', `has no TREASURY: agents without a wallet cannot invoke skills${again}`, ['services']);
}

/**
 * Whether it is a market that a configuration describes: its objects say so, or its name.
 *
 * @param {Table} config
 */
export function isMarket({ name, durable_objects }) {
  return (
    durable_objects.bindings.some((/** @type {Table} */ binding) => binding.name === 'SKILLS' || binding.class_name === 'Skills') ||
    (durable_objects.bindings.length === 0 && /market/.test(name ?? ''))
  );
}

/**
 * @param {Table} config
 * @param {string | undefined} env
 * @param {{binding: string, className: string, what: string}} objects
 * @param {Notes} notes
 */
function checkObjects(config, env, { binding, className, what }, notes) {
  const [bound] = config.durable_objects.bindings.filter((/** @type {Table} */ { name }) => name === binding);
  const again = env === undefined ? '' : `; bindings are not inherited, so write [[env.${env}.durable_objects.bindings]]`;
  const path = ['durable_objects', 'bindings'];
  if (bound === undefined) {
    const [other] = config.durable_objects.bindings;
    const slip = other !== undefined && nearMiss(other.name, [binding]) ? ` (${other.name} is not read)` : '';
    notes.error(binding, `is missing${slip}; bind the class ${className} under this name${again}`, path);
  } else if (bound.class_name !== className) {
    notes.error(binding, `binds the class ${bound.class_name}; the Worker has ${className}`, path);
  } else if (bound.script_name === undefined) {
    const has = (/** @type {string} */ key) => config.migrations.some((/** @type {Table} */ step) => step[key]?.includes(className));
    if (has('new_classes')) {
      notes.error('migrations', `make ${className} with new_classes; it needs SQLite: write new_sqlite_classes = ["${className}"]`, [
        'migrations',
      ]);
    } else if (!has('new_sqlite_classes')) {
      notes.error('migrations', `have no new_sqlite_classes = ["${className}"]; without it ${what} has no storage`, ['migrations']);
    }
  }
}

/**
 * @param {Table} config
 * @param {Notes} notes
 */
function checkDate(config, notes) {
  if (config.compatibility_date === undefined || config.compatibility_date < OLDEST_DATE) {
    notes.error('compatibility_date', `must be ${OLDEST_DATE} or later`, ['compatibility_date']);
  }
}

/**
 * @param {Table} config
 * @param {Notes} notes
 */
function checkPlatform(config, notes) {
  checkDate(config, notes);
  if (!config.triggers?.crons?.length) {
    notes.warning('triggers', 'have no cron, so a ledger object whose alarm was lost is never woken; set crons = ["*/15 * * * *"]', [
      'triggers',
    ]);
  }
  if (config.cache?.enabled === true) {
    notes.warning('cache.enabled', 'answers before the gate does; remove it', ['cache', 'enabled']);
  }
  if (isRouted(config) && config.workers_dev !== false) {
    notes.warning(
      'workers_dev',
      'is on although routes are set: the gate also answers at workers.dev, where the rules of your zone do not apply; set workers_dev = false',
      ['workers_dev'],
    );
  }
  if (isRouted(config) && config.preview_urls === true) {
    notes.warning('preview_urls', 'are on although routes are set: each version also answers at workers.dev; set preview_urls = false', [
      'preview_urls',
    ]);
  }
}

/**
 * @param {Worker} worker
 * @param {Notes} notes
 */
function checkBindings({ config, vars }, notes) {
  const services = names(config.services);
  for (const [key, known] of Object.entries(BINDINGS)) {
    for (const [index, name] of names(config[key]).entries()) {
      const meant = nearMiss(name, known);
      if (meant !== undefined) notes.warning(name, `is not read; did you mean ${meant}?`, [key, index]);
    }
  }
  for (const [index, { service, entrypoint }] of (config.services ?? []).entries()) {
    // An entrypoint of the gate's own script is bound by the gate's own name.
    const isSlip = entrypoint !== undefined && service !== config.name && distance(String(service), String(config.name)) <= 2;
    if (isSlip)
      notes.warning('services', `binds ${service}, and this Worker is ${config.name}; did you mean that?`, ['services', index, 'service']);
  }
  const hasOrigin = services.includes('ORIGIN');
  if (hasOrigin && vars.ORIGIN_URL) notes.error('ORIGIN_URL', 'is set besides the service binding ORIGIN; keep one of the two');
  if (!hasOrigin && !vars.ORIGIN_URL && !isRouted(config)) {
    notes.error(
      'ORIGIN_URL',
      'is missing, and there is no service binding ORIGIN and no zone route with an origin server; set one of them',
    );
  }
}

/**
 * On a main network the gate refuses it.
 *
 * @param {Worker} worker
 * @param {Notes} notes
 */
function checkPayee({ vars }, notes) {
  const payees = structured(vars.PAY_TO);
  const all = typeof payees === 'object' && payees !== null ? Object.values(payees) : [payees];
  if (all.some((payee) => /^0x0{36}dead$/i.test(String(payee)))) {
    notes.warning('PAY_TO', 'is not an address with an owner; money paid to it is lost');
  }
}

/**
 * A number of ledger objects that changes at once would let a payment of before be claimed again.
 *
 * @param {Worker} worker
 * @param {string} file
 * @param {string | undefined} env
 * @param {Notes} notes
 */
export function checkShards({ vars }, file, env, notes) {
  const before = committed(file);
  const old = env === undefined ? before : before?.env?.[env];
  if (old === undefined) return;
  const step = stepBetween(old.vars?.LEDGER_SHARDS, vars.LEDGER_SHARDS);
  if (step !== undefined) notes.error('LEDGER_SHARDS', `was ${step.was} in the last commit; ${step.next}`, ['vars', 'LEDGER_SHARDS']);
}

/**
 * The file as it was last committed, if there is a repository that knows it.
 *
 * @param {string} file
 * @returns {Table | undefined}
 */
function committed(file) {
  const shown = spawnSync('git', ['show', `HEAD:./${basename(file)}`], { cwd: dirname(file), encoding: 'utf8' });
  if (shown.status !== 0) return undefined;
  try {
    return parseSource(file, shown.stdout).raw;
  } catch (error) {
    if (error instanceof Unusable) return undefined;
    throw error;
  }
}

/**
 * @param {Table} config
 * @returns {string[]} the names of what the platform binds
 */
export function bindings({ durable_objects, kv_namespaces, services, ratelimits, r2_buckets }) {
  return [durable_objects.bindings, kv_namespaces, services, ratelimits, r2_buckets].flatMap(names).sort();
}

/**
 * @param {Table} config
 */
function isRouted({ route, routes = [] }) {
  return route !== undefined || routes.length > 0;
}

/**
 * @param {Table[] | undefined} list
 * @returns {string[]}
 */
function names(list) {
  return (list ?? []).map((binding) => String(binding.binding ?? binding.name));
}
