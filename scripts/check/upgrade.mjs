// `farebox upgrade`: what this version of the package wants otherwise in a configuration that an earlier one was content with.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { print } from './command.mjs';
import { isMarket, isTreasury } from './deployment.mjs';
import { check } from './index.mjs';
import { MARKET, nearMiss, SECRETS, TREASURY, variables } from './names.mjs';
import { configFile } from './project.mjs';
import { readSource } from './source.mjs';
import { runCommand, say } from './words.mjs';
import { readWorker } from './worker.mjs';

const OPTIONS = /** @type {const} */ ({
  env: { type: 'string' },
  config: { type: 'string' },
  help: { type: 'boolean', default: false, short: 'h' },
});

/** The objects of each Worker, as this version has them. */
const OBJECTS = /** @type {const} */ ({
  gate: {
    LEDGER: { className: 'Ledger', why: 'keeps the payments' },
    CHANNEL: { className: 'Channel', why: 'routes that sell by session need it' },
  },
  treasury: { TREASURY: { className: 'Treasury', why: 'keeps the books' } },
  market: {
    SKILLS: { className: 'Skills', why: 'keeps the catalogue' },
    EXCHANGE: { className: 'Exchange', why: 'the compute exchange needs it' },
  },
});

/**
 * @param {string} usage
 */
const helpOf = (usage) => `Says what this version of farebox changes for the configuration of a project. It changes nothing itself.

  ${usage}

  --env NAME     the environment; without it, the top level of the file
  --config FILE  wrangler.toml, wrangler.json or wrangler.jsonc [the one that is here]

\`npx --package FAREBOX.tgz --package FAREBOX-GATE.tgz farebox upgrade\` says it of a version before it is installed. Exits with 0, with 1 if
this version refuses the configuration, and with 2 if there is none.`;

/**
 * Compares, prints, and resolves to the exit code.
 *
 * @param {string[]} args
 * @param {{begin: string, version: string}} program how it is called, and which version it is
 * @returns {Promise<number>}
 */
export async function upgrade(args, { begin, version }) {
  const usage = `${begin} [--env NAME] [--config FILE]`;
  return runCommand({ args, options: OPTIONS, usage, help: helpOf }, ({ config, env }) =>
    compared(configFile(config), env || undefined, version),
  );
}

/**
 * @param {string} file
 * @param {string | undefined} env
 * @param {string} version
 */
async function compared(file, env, version) {
  const report = await check({ file, offline: true, ...(env === undefined ? {} : { env }) });
  const { config, vars } = await readWorker(readSource(file), env);
  const kind = isTreasury(config) ? 'treasury' : isMarket(config) ? 'market' : 'gate';
  const installed = installedAt(file);
  say(
    installed === version
      ? `farebox ${version}, which is installed, says of ${file}:`
      : `farebox ${version} says of ${file} (${installed ?? 'none'} is installed; the file of the newer version changes that):`,
  );
  for (const line of [...unread(kind, vars), ...objects(kind, config), ...(kind === 'gate' ? beside(config) : [])]) say(line);
  print({ ...report, notes: [] }, file, env);
  return report.ok ? 0 : 1;
}

/**
 * The version that the project has.
 *
 * @param {string} file
 * @returns {string | undefined}
 */
function installedAt(file) {
  for (let folder = resolve(dirname(file)); ; folder = dirname(folder)) {
    const manifest = join(folder, 'node_modules', 'farebox-gate', 'package.json');
    if (existsSync(manifest)) return JSON.parse(readFileSync(manifest, 'utf8')).version;
    if (folder === dirname(folder)) return undefined;
  }
}

/**
 * Variables that this version does not read; those that are slips are told by the check.
 *
 * @param {keyof typeof OBJECTS} kind
 * @param {import('./source.mjs').Table} vars
 */
function unread(kind, vars) {
  const { variables: read, secrets } = { gate: { variables: variables(), secrets: SECRETS }, treasury: TREASURY, market: MARKET }[kind];
  const known = [...read, ...secrets];
  return Object.keys(vars)
    .filter((name) => !known.includes(name) && nearMiss(name, known) === undefined)
    .map((name) => `${name}: this version does not read it; remove it, if no code of yours does`);
}

/**
 * Classes that this version has and the configuration does not bind, or makes no storage for, with the lines that do.
 *
 * @param {keyof typeof OBJECTS} kind
 * @param {import('./source.mjs').Table} config
 */
function objects(kind, { durable_objects, migrations = [] }) {
  const made = migrations.flatMap((/** @type {import('./source.mjs').Table} */ step) => step.new_sqlite_classes ?? []);
  const next =
    1 + Math.max(0, ...migrations.map((/** @type {import('./source.mjs').Table} */ { tag }) => Number(/^v(\d+)$/.exec(tag)?.[1] ?? 0)));
  const lines = Object.entries(OBJECTS[kind]).map(([binding, { className, why }]) => {
    const bound = durable_objects.bindings.find((/** @type {import('./source.mjs').Table} */ { name }) => name === binding);
    const isElsewhere = bound?.script_name !== undefined;
    const parts = [
      ...(bound === undefined ? [`[[durable_objects.bindings]]\nname = "${binding}"\nclass_name = "${className}"`] : []),
      ...(made.includes(className) || isElsewhere ? [] : [`[[migrations]]\ntag = "v${next}"\nnew_sqlite_classes = ["${className}"]`]),
    ];
    const needs = bound === undefined ? `is not bound: ${why}` : 'has no storage';
    return parts.length === 0
      ? ''
      : `${className} ${needs}. Add, and export it from the Worker's module:\n\n${indented(parts.join('\n\n'))}\n`;
  });
  return lines.filter((line) => line !== '');
}

/**
 * Bindings that a gate can do without, and why it should not.
 *
 * @param {import('./source.mjs').Table} config
 */
function beside({ assets, ratelimits = [] }) {
  const lines = [];
  if (assets?.binding !== 'PAGES') {
    const text = '[assets]\ndirectory = "node_modules/farebox-gate/pages"\nbinding = "PAGES"';
    lines.push(`The pages in which people pay are not there. Add:\n\n${indented(text)}\n`);
  }
  if (!ratelimits.some((/** @type {import('./source.mjs').Table} */ { name }) => name === 'RATE_LIMITER')) {
    const text = '[[ratelimits]]\nname = "RATE_LIMITER"\nnamespace_id = "4024"\nsimple = { limit = 600, period = 60 }';
    lines.push(
      `Payments of one client are not counted before the ledger is asked. Add, with a number that no other Worker has:\n\n${indented(text)}\n`,
    );
  }
  return lines;
}

/**
 * @param {string} text
 */
function indented(text) {
  return text.replace(/^(?=.)/gm, '  ');
}
