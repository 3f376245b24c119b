// The gate's own rules: the same code that stops a misconfigured Worker, compiled for this machine.

import { spawnSync } from 'node:child_process';

import { root, StepFailed } from '../steps.mjs';

/**
 * @typedef {object} Judgement
 * @property {{variable: string, remedy: string}[]} errors
 * @property {{id: string, name: string | null, main: boolean}[]} networks those of `NETWORK` that are networks
 */

/**
 * @param {import('./source.mjs').Table} variables variables and secrets together
 * @returns {Judgement}
 */
export function judge(variables) {
  const { status, stdout, stderr, error } = spawnSync('cargo', ['run', '--locked', '--quiet', '-p', 'xtask', '--', 'check'], {
    cwd: root,
    input: JSON.stringify(variables),
    encoding: 'utf8',
  });
  if (error !== undefined || status !== 0) throw new StepFailed(`the gate's rules did not run: ${error?.message ?? stderr}`);
  return JSON.parse(stdout);
}
