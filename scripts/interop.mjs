// Plays with clients and servers of others: Python, npm and Rust.
//
//   npm run test:interop
//
// `npm run test:e2e` plays with those of Python and npm; the Rust ones, which compile for minutes,
// are played here alone. All are in docs/protocols.md, with the versions of their lock files.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { buildWorker } from './build.mjs';
import { ORIGINS, prepareProgram } from './debian.mjs';
import { buildPayer } from './pkg.mjs';
import { startProcess } from './processes.mjs';
import { preparePython } from './python.mjs';
import { setup } from './setup.mjs';
import { root, run, runMain, step } from './steps.mjs';
import { targetFolder } from './xtask.mjs';

const NODE = join(root, 'tests/interop/node');
/** Longest wait for npm: whoever tests the gate should not wait longer for the programs of others. */
const INSTALL_MS = 300_000;

/**
 * Installs the npm programs, unless they are there. Returns why they are left out, if they are.
 *
 * @returns {Promise<string | undefined>}
 */
export async function prepareNode() {
  const stamp = join(NODE, 'node_modules', '.farebox-lock');
  const hash = createHash('sha256')
    .update(readFileSync(join(NODE, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return undefined;
  return step('programs of npm', async () => {
    const child = startProcess('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: NODE });
    const timer = setTimeout(() => void child.stop(), INSTALL_MS);
    const code = await child.exited;
    clearTimeout(timer);
    if (code !== 0) return `\`npm ci\` ended with ${code}: ${child.output().trimEnd().split('\n').at(-1)}`;
    writeFileSync(stamp, hash);
    return undefined;
  });
}

/** Says which of the programs are left out, and why. */
export async function preparePrograms() {
  const python = await preparePython();
  if ('leftOut' in python) console.log(`  left out: the programs of Python, ${python.leftOut}`);
  const node = await prepareNode();
  if (node !== undefined) console.log(`  left out: the programs of npm, ${node}`);
  for (const name of ORIGINS) {
    const program = await prepareProgram(name);
    if ('leftOut' in program) console.log(`  left out: ${name}, ${program.leftOut}`);
  }
}

async function main() {
  await setup();
  await Promise.all([buildWorker().then(() => buildPayer()), preparePrograms()]);
  await run('programs of Rust', 'cargo', [
    'build',
    '--locked',
    '--release',
    '--manifest-path',
    'tests/interop/rust/Cargo.toml',
    '--target-dir',
    join(targetFolder(), 'interop'),
  ]);
  const test = startProcess(
    process.execPath,
    ['--import', './scripts/typescript.mjs', '--test', '--test-reporter', 'spec', 'tests/interop/interop.test.ts'],
    { cwd: root, show: true },
  );
  process.exitCode = await test.exited;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await runMain(main);
