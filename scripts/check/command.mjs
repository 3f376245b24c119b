// The check as a command: its options, what it prints and what it exits with. Shared by `npm run check` and the package's
// command line.

import { jsonText } from '../../pkg/src/visible.js';
import { check } from './index.mjs';
import { configFile } from './project.mjs';
import { Unusable } from './unusable.mjs';
import { runCommand, say } from './words.mjs';

const OPTIONS = /** @type {const} */ ({
  env: { type: 'string' },
  config: { type: 'string' },
  json: { type: 'boolean', default: false },
  offline: { type: 'boolean', default: false },
  secrets: { type: 'boolean', default: false },
  known: { type: 'string', multiple: true },
  help: { type: 'boolean', default: false, short: 'h' },
});

/**
 * @param {string} usage
 */
const helpOf = (usage) => `Checks a deployment for every known error before it is made.

  ${usage}

  --env NAME     the environment to check; without it, or with "", the top level of the file
  --config FILE  wrangler.toml, wrangler.json or wrangler.jsonc [the one that is here]
  --json         prints the report as one JSON document, and nothing else
  --offline      asks neither the facilitator nor the origin nor the node
  --secrets      a secret that is not in .dev.vars is an error
  --known NAME   leaves out a warning that you know of: siblings, free paths beside priced ones

Exits with 0 without errors, with 1 if there are some, and with 2 if there is nothing to check.`;

/**
 * Checks, prints, and resolves to the exit code.
 *
 * @param {string[]} args
 * @param {string} begin how the command is called
 * @returns {Promise<number>}
 */
export async function main(args, begin) {
  const usage = `${begin} [--env NAME] [--config FILE] [--json] [--offline] [--secrets] [--known siblings]`;
  return runCommand({ args, options: OPTIONS, usage, help: helpOf }, async ({ json, offline, secrets, known = [], config, env: named }) => {
    const unknown = known.find((/** @type {string} */ name) => name !== 'siblings');
    if (unknown !== undefined) throw new Unusable(`--known takes siblings, not ${unknown}`);
    // All other output goes to stderr.
    if (json) console.log = console.error;
    const env = named || undefined;
    const file = configFile(config);
    const report = await check({ file, offline, secrets, known, say, ...(env === undefined ? {} : { env }) });
    if (json) process.stdout.write(`${jsonText(report, 2)}\n`);
    else print(report, file, env);
    return report.ok ? 0 : 1;
  });
}

/**
 * Prints what was found, and how much of it.
 *
 * @param {import('./index.mjs').Report} report
 * @param {string} file
 * @param {string | undefined} env
 */
export function print({ errors, warnings, notes }, file, env) {
  const lines = (/** @type {import('./index.mjs').Finding[]} */ list, /** @type {string} */ kind) => {
    for (const { file, line, column, variable, remedy } of list) say(`${file}:${line}:${column} ${kind}${variable}: ${remedy}`);
  };
  lines(errors, '');
  lines(warnings, 'warning: ');
  for (const { variable, remedy } of notes) say(`note: ${variable} ${remedy}`);
  const count = (/** @type {unknown[]} */ { length }, /** @type {string} */ noun) => `${length} ${noun}${length === 1 ? '' : 's'}`;
  say(`${file}${env === undefined ? '' : ` (${env})`}: ${count(errors, 'error')}, ${count(warnings, 'warning')}`);
}
