// Checks a deployment for every known error before it is made.
//
//   node scripts/check.mjs [--env NAME] [--config FILE] [--json] [--offline] [--secrets]
//
// Exits with 0 without errors, 1 with some, 2 when there is nothing to check. `--offline` makes no
// requests; `--secrets` makes a secret that is not in .dev.vars an error; `--json` prints only the
// report.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Unusable } from './check/unusable.mjs';
import { setup } from './setup.mjs';
import { root, StepFailed } from './steps.mjs';

const OPTIONS = /** @type {const} */ ({
  env: { type: 'string' },
  config: { type: 'string' },
  json: { type: 'boolean', default: false },
  offline: { type: 'boolean', default: false },
  secrets: { type: 'boolean', default: false },
});

process.exitCode = await main();

async function main() {
  let values;
  try {
    ({ values } = parseArgs({ options: OPTIONS }));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\nusage: npm run check -- [--env NAME] [--config FILE] [--json] [--offline] [--secrets]`);
    return 2;
  }
  // All other output goes to stderr.
  if (values.json) console.log = console.error;
  try {
    if (!existsSync(join(root, 'node_modules', 'toml-eslint-parser'))) await setup();
    const { check } = await import('./check/index.mjs');
    const { env, json, offline, secrets } = values;
    const file = values.config ?? 'wrangler.toml';
    const report = await check({ file, offline, secrets, say: (line) => console.log(line), ...(env === undefined ? {} : { env }) });
    if (json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else print(report, file, env);
    return report.ok ? 0 : 1;
  } catch (error) {
    console.error(error instanceof StepFailed || error instanceof Unusable ? error.message : error);
    return 2;
  }
}

/**
 * @param {import('./check/index.mjs').Report} report
 * @param {string} file
 * @param {string | undefined} env
 */
function print({ errors, warnings, notes }, file, env) {
  const lines = (/** @type {import('./check/index.mjs').Finding[]} */ list, /** @type {string} */ kind) => {
    for (const { file, line, column, variable, remedy } of list) console.log(`${file}:${line}:${column} ${kind}${variable}: ${remedy}`);
  };
  lines(errors, '');
  lines(warnings, 'warning: ');
  for (const { variable, remedy } of notes) console.log(`note: ${variable} ${remedy}`);
  const count = (/** @type {unknown[]} */ { length }, /** @type {string} */ noun) => `${length} ${noun}${length === 1 ? '' : 's'}`;
  console.log(`${file}${env === undefined ? '' : ` (${env})`}: ${count(errors, 'error')}, ${count(warnings, 'warning')}`);
}
