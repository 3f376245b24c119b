// Checks a deployment for every known error before it is made.
//
//   node scripts/check.mjs [--help]

import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { setup } from './setup.mjs';
import { root } from './steps.mjs';

const args = process.argv.slice(2);
// A report as JSON is all that goes to stdout.
const { log } = console;
if (args.includes('--json')) console.log = console.error;
if (!existsSync(join(root, 'node_modules', 'toml-eslint-parser'))) await setup();
console.log = log;
const { main } = await import('./check/command.mjs');
process.exitCode = await main(args, 'npm run check --');
