// Virtual environments of Python: with its published clients and servers, for the end-to-end tests, or with another list of packages.
//
// They are below target/, one for each list of packages and each Python. If one cannot be made, the
// tests leave those programs out and say why; this is not a failure.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { startProcess } from './processes.mjs';
import { root, step } from './steps.mjs';

/**
 * The interpreter that has the packages, or the reason why there is none.
 *
 * @typedef {{python: string} | {leftOut: string}} Python
 */

/**
 * Finds the environment, if it was made.
 *
 * @param {string} [requirements] the list of packages, from the root
 * @returns {Promise<Python>}
 */
export async function findPython(requirements = CLIENTS) {
  const folder = await placeOf(requirements);
  if (folder === undefined) return { leftOut: `there is no ${PYTHON}` };
  if (!existsSync(join(folder, STAMP))) return { leftOut: '`npm run test:e2e` has not installed them' };
  return { python: interpreterIn(folder) };
}

/**
 * Makes the environment, unless it is there.
 *
 * @param {string} [requirements] the list of packages, from the root
 * @returns {Promise<Python>}
 */
export async function preparePython(requirements = CLIENTS) {
  const folder = await placeOf(requirements);
  const found = await findPython(requirements);
  if (folder === undefined || 'python' in found) return found;
  return step('programs of Python', async () => {
    rmSync(folder, { recursive: true, force: true });
    for (const words of [
      [PYTHON, '-m', 'venv', folder],
      [
        interpreterIn(folder),
        '-m',
        'pip',
        'install',
        '--disable-pip-version-check',
        '--no-input',
        '--only-binary',
        ':all:',
        '-r',
        requirements,
      ],
    ]) {
      const { code, output } = await ran(words, INSTALL_MS);
      const last = output.trimEnd().split('\n').at(-1);
      if (code !== 0) return { leftOut: `\`${words.slice(1, 3).join(' ')}\` ended with ${code}: ${last}` };
    }
    writeFileSync(join(folder, STAMP), '');
    return { python: interpreterIn(folder) };
  });
}

/**
 * Where the environment belongs; undefined without a Python.
 *
 * @param {string} requirements
 * @returns {Promise<string | undefined>}
 */
async function placeOf(requirements) {
  const { code, output } = await ran([PYTHON, '-c', 'import sys; print(sys.version, sys.platform, sys.base_prefix)'], LOOK_MS);
  if (code !== 0) return undefined;
  const hash = createHash('sha256')
    .update(output)
    .update(readFileSync(join(root, requirements)))
    .digest('hex');
  return join(root, 'target', `python-${hash.slice(0, 16)}`);
}

/**
 * Runs a program to its end, or to a time limit.
 *
 * @param {string[]} words
 * @param {number} limitMs
 */
async function ran([command = '', ...args], limitMs) {
  const child = startProcess(command, args, { cwd: root });
  const timer = setTimeout(() => void child.stop(), limitMs);
  const code = await child.exited;
  clearTimeout(timer);
  return { code, output: child.output() };
}

/**
 * @param {string} folder
 */
function interpreterIn(folder) {
  return join(folder, 'bin', 'python');
}

const PYTHON = 'python3';
const CLIENTS = 'tests/interop/python/requirements.txt';
/** Written when everything is installed. */
const STAMP = 'farebox-installed';
const LOOK_MS = 10_000;
const INSTALL_MS = 240_000;
