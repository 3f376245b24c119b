// The rules of gate, treasury and market: the same code that stops a misconfigured Worker, compiled for this machine.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { root } from '../steps.mjs';
import { targetFolder } from '../xtask.mjs';
import { Unusable } from './unusable.mjs';

/**
 * @typedef {object} Judgement
 * @property {{variable: string, remedy: string}[]} errors
 * @property {{id: string, name: string | null, main: boolean}[]} networks those of `NETWORK` that are networks
 * @property {{priced: string, free: string[]}[]} siblings free paths that many servers answer like a priced one; none where there are errors
 */

let isBuilt = false;

/**
 * @param {import('./source.mjs').Table} variables variables and secrets together
 * @returns {Judgement}
 */
export function judge(variables) {
  return ruled(['check'], variables);
}

/**
 * @param {import('./source.mjs').Table} variables of a treasury
 * @returns {Pick<Judgement, 'errors'>}
 */
export function judgeTreasury(variables) {
  return ruled(['check', 'treasury'], variables);
}

/**
 * @param {import('./source.mjs').Table} variables of a market
 * @returns {Pick<Judgement, 'errors'>}
 */
export function judgeMarket(variables) {
  return ruled(['check', 'market'], variables);
}

/**
 * @param {string} url of a facilitator
 * @param {string} location
 * @returns {string | undefined} where the gate follows its redirect to
 */
export function redirectTarget(url, location) {
  return asked(['redirect', url, location], '').trim() || undefined;
}

/**
 * @param {string[]} words
 * @param {import('./source.mjs').Table} variables
 */
function ruled(words, variables) {
  return JSON.parse(asked(words, JSON.stringify(variables)));
}

/**
 * @param {string[]} words
 * @param {string} input
 */
function asked(words, input) {
  if (!isBuilt) {
    run('cargo', ['build', '--locked', '--quiet', '-p', 'xtask'], '');
    isBuilt = true;
  }
  return run(join(targetFolder(), 'debug', 'xtask'), words, input);
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} input
 * @returns {string} what it wrote
 */
function run(command, args, input) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, input, encoding: 'utf8' });
  if (error !== undefined || status !== 0) throw new Unusable(`the rules did not run: ${error?.message ?? stderr}`);
  return stdout;
}
