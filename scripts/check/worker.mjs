// The Worker that one environment of a wrangler.toml describes: wrangler itself says what is inherited.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { wranglerOf } from './project.mjs';
import { message } from './source.mjs';
import { Unusable } from './unusable.mjs';

/**
 * @typedef {import('./source.mjs').Source} Source
 * @typedef {import('./source.mjs').Table} Table
 */

/**
 * @typedef {object} Worker
 * @property {Table} config the environment's, as wrangler takes it
 * @property {Table} vars
 * @property {Record<string, string>} secrets those of `.dev.vars`
 * @property {string | undefined} secretsFile
 */

/**
 * @param {Source} source
 * @param {string | undefined} env
 * @returns {Promise<Worker>}
 */
export async function readWorker(source, env) {
  if (env !== undefined && source.raw.env?.[env] === undefined) {
    const there = Object.keys(source.raw.env ?? {});
    throw new Unusable(`${source.file} has no environment ${env}; it has ${there.join(', ') || 'none'}`);
  }
  const readConfig = await wranglersReader(source.file);
  let config;
  try {
    config = /** @type {Table} */ (readConfig({ config: source.file, ...(env === undefined ? {} : { env }) }, { hideWarnings: true }));
  } catch (error) {
    const said = message(error)
      .replace(/\u001b\[[\d;]*m/g, '')
      .trim();
    throw new Unusable(`wrangler does not take ${source.file}: ${said}`);
  }
  const secretsFile = [`.dev.vars.${env}`, '.dev.vars'].map((name) => join(dirname(source.file), name)).find((file) => existsSync(file));
  const kept = secretsFile === undefined ? {} : parseSecrets(readFileSync(secretsFile, 'utf8'));
  // `wrangler dev` lets .dev.vars win over [vars]; what is deployed has the variables of the file.
  const secrets = Object.fromEntries(Object.entries(kept).filter(([name]) => !(name in config.vars)));
  return { config, vars: config.vars, secrets, secretsFile };
}

/**
 * wrangler's own reader of its file.
 *
 * @param {string} file
 */
async function wranglersReader(file) {
  const found = /** @type {Partial<typeof import('wrangler')>} */ (await import(pathToFileURL(wranglerOf(file)).href));
  const reader = found.unstable_readConfig;
  if (reader === undefined)
    throw new Unusable('this wrangler cannot read its file for other programs: run `npm install --save-dev wrangler@4`, then this again');
  return reader;
}

/**
 * `NAME=value` lines; quotes around a value are taken off.
 *
 * @param {string} text
 * @returns {Record<string, string>}
 */
export function parseSecrets(text) {
  /** @type {Record<string, string>} */
  const secrets = {};
  for (const line of text.split(/\r?\n/)) {
    const [, name, value] = /^\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) secrets[name] = value.replace(/^(["'])(.*)\1$/, '$2');
  }
  return secrets;
}

/**
 * A structured variable: its value, or that of its JSON text.
 *
 * @param {unknown} value
 * @returns {unknown}
 */
export function structured(value) {
  if (typeof value !== 'string' || !/^\s*[[{"]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    // The gate's own rules say what is wrong with it.
    return undefined;
  }
}
