// Builds all npm packages and packs them into one folder, build/npm, for whoever installs them before they are on npm.
//
//   node scripts/pack.mjs [--no-build]
//
// Says in the end which of the files each kind of reader installs.

import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { buildMcp } from './mcp.mjs';
import { manifestOf, PACKAGES } from './packages.mjs';
import { buildPackage } from './pkg.mjs';
import { setup } from './setup.mjs';
import { root, runMain, step } from './steps.mjs';

const OUT = join(root, 'build', 'npm');
/**
 * What each kind of reader installs: packages of ours, and then those of others.
 *
 * @type {readonly [string, readonly string[], string?][]}
 */
const READERS = [
  ['to pay from a program', ['farebox']],
  ['to let a model pay', ['farebox', 'farebox-mcp']],
  ['to sell on a machine of yours', ['farebox', 'farebox-gate'], 'workerd'],
  ['in a gate for Cloudflare that `npm run farebox -- init` made', ['farebox', 'farebox-gate']],
  ['in such a treasury', ['farebox', 'farebox-gate', 'farebox-treasury']],
  ['in such a market', ['farebox', 'farebox-gate', 'farebox-market']],
];

await runMain(async () => {
  if (!process.argv.includes('--no-build')) {
    await setup();
    await buildPackage();
    await buildMcp();
  }
  await step('npm packages', async () => {
    rmSync(OUT, { recursive: true, force: true });
    mkdirSync(OUT, { recursive: true });
    for (const folder of PACKAGES) execFileSync('npm', ['pack', '--silent', '--pack-destination', OUT], { cwd: join(root, folder) });
  });
  const { version } = manifestOf('pkg');
  console.log('\nInstall these files in a folder of your own, all that you need in one command:');
  for (const [who, names, others = ''] of READERS) {
    const files = names.map((name) => join(OUT, `${name}-${version}.tgz`));
    console.log(`\n  ${who}\n    npm install ${[...files, others].join(' ').trimEnd()}`);
  }
});
