// Ways around the gate: files that the platform serves before it is asked, and a Worker behind it that everyone can reach.

import { existsSync, readdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

import { besideOf } from './project.mjs';
import { readSource } from './source.mjs';

/**
 * @typedef {import('./worker.mjs').Worker} Worker
 * @typedef {import('./source.mjs').Table} Table
 * @typedef {import('./deployment.mjs').Notes} Notes
 */

/** What the folder of the pages has. */
const PAGES = ['_farebox', '_headers', '_redirects'];

/**
 * Static files are served in front of the gate: a priced one among them would be free.
 *
 * @param {Table} config
 * @param {Notes} notes
 */
export function checkAssets({ assets, configPath = '.' }, notes) {
  if (typeof assets?.directory !== 'string' || asksGate(assets.run_worker_first)) return;
  const folder = resolve(dirname(configPath), assets.directory);
  const others = existsSync(folder) ? readdirSync(folder).filter((name) => !PAGES.includes(name)) : [];
  if (others.length === 0) return;
  const shown = others.slice(0, 3).join(', ');
  notes.warning(
    'assets',
    `serves ${shown} in front of the gate, without a payment; set run_worker_first = true, or keep the pages alone there`,
    ['assets'],
  );
}

/**
 * Whether every file but the pages is asked for at the gate.
 *
 * @param {unknown} first `run_worker_first`: a yes, or patterns, of which `!` excepts some
 */
function asksGate(first) {
  if (!Array.isArray(first)) return first === true;
  return first.includes('/*') && first.every((pattern) => !String(pattern).startsWith('!') || String(pattern).startsWith('!/_farebox/'));
}

/**
 * A Worker behind the gate that has an address of its own gives away what the gate sells.
 *
 * @param {Worker} worker
 * @param {string} file
 * @param {string | undefined} env
 * @param {Notes} notes
 */
export function checkBehind({ config }, file, env, notes) {
  const origin = (config.services ?? []).find((/** @type {Table} */ { binding }) => binding === 'ORIGIN');
  for (const beside of origin === undefined ? [] : besideOf(file, { name: config.name, services: [origin] })) {
    const { raw } = readSource(beside);
    const own = env === undefined ? undefined : raw.env?.[env];
    const at = (/** @type {string} */ key) => own?.[key] ?? raw[key];
    if (at('workers_dev') === false && at('preview_urls') !== true) continue;
    notes.warning(
      'ORIGIN',
      `${beside} lets everyone reach the Worker behind the gate at workers.dev, without a payment; set workers_dev = false there`,
      ['services'],
    );
  }
}
