// A project on this machine: its configuration, the Workers that lie beside it, and its own wrangler.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

import { readSource } from './source.mjs';
import { Unusable } from './unusable.mjs';

/** The names under which wrangler finds its file. */
const NAMES = ['wrangler.toml', 'wrangler.jsonc', 'wrangler.json'];

/**
 * The file that is meant: the one that was named, else the one that is in this folder.
 *
 * @param {string | undefined} named
 * @returns {string}
 */
export function configFile(named) {
  return named ?? fileIn('.') ?? 'wrangler.toml';
}

/**
 * The Workers that a configuration binds and whose own configuration lies in a folder beside it: `app/wrangler.toml`.
 *
 * @param {string} file
 * @param {import('./source.mjs').Table} config
 * @returns {string[]} their files
 */
export function besideOf(file, { name, services = [] }) {
  const bound = new Set(services.map((/** @type {import('./source.mjs').Table} */ { service }) => service));
  bound.delete(name);
  if (bound.size === 0) return [];
  const folder = dirname(file);
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === 'node_modules' || entry.name.startsWith('.')) continue;
    const other = fileIn(join(folder, entry.name));
    const bears = other === undefined ? undefined : readSource(other).raw.name;
    if (other === undefined || !bound.has(bears)) continue;
    const twin = found.get(bears);
    if (twin !== undefined)
      throw new Unusable(`${twin} and ${other} are both ${bears}: the last one would take its place, so rename one of them`);
    found.set(bears, other);
  }
  return [...found.values()];
}

/**
 * @param {string} folder
 */
function fileIn(folder) {
  const name = NAMES.find((candidate) => existsSync(join(folder, candidate)));
  return name === undefined ? undefined : join(folder, name);
}

/**
 * wrangler's module: that of the project, of the folder that this runs in, or one beside this program.
 *
 * @param {string} file
 * @returns {string}
 */
export function wranglerOf(file) {
  const folders = [dirname(file), '.'].map((folder) => createRequire(join(resolve(folder), 'package.json')));
  for (const near of [...folders, createRequire(import.meta.url)]) {
    try {
      return near.resolve('wrangler');
    } catch {
      // Not there: the next.
    }
  }
  throw new Unusable(
    'wrangler is not installed here, and it alone knows what its file means: run `npm install --save-dev wrangler`, then this again',
  );
}

/**
 * wrangler's program, for Node.
 *
 * @param {string} file
 * @returns {string}
 */
export function wranglerProgram(file) {
  const module = wranglerOf(file);
  for (let folder = dirname(module); folder !== dirname(folder); folder = dirname(folder)) {
    const program = join(folder, 'bin', 'wrangler.js');
    if (existsSync(program)) return program;
  }
  throw new Unusable(`wrangler at ${module} has no program: run \`npm install --save-dev wrangler@4\`, then this again`);
}

/**
 * The words that name a file and an environment to wrangler.
 *
 * @param {string} file
 * @param {string | undefined} env of which a file that has none of that name needs none
 * @returns {string[]}
 */
export function wordsFor(file, env) {
  const known = env !== undefined && readSource(file).raw.env?.[env] !== undefined;
  return ['--config', relative('.', file), '--env', known ? env : ''];
}

/**
 * Runs wrangler at this terminal.
 *
 * @param {string} file
 * @param {string[]} words
 * @returns {Promise<number>} its exit code
 */
export function runWrangler(file, words) {
  const child = spawn(process.execPath, [wranglerProgram(file), ...words], { stdio: 'inherit' });
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('exit', (code) => done(code ?? 1));
  });
}
