// All that must hold before a change lands: setup, then every suite below.
//
//   node scripts/test.mjs [lint] [core] [worker] [e2e] [pkg] [crash [moments [seed]]] [deploy]
//
// Without a name it runs all. `crash` kills workerd at every step and at that many random moments [20];
// `deploy` holds configuration, check and documents against each other, and asks wrangler whether it would take each environment.

import { readdirSync, existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { buildWorker } from './build.mjs';
import { buildPackage, buildPayer } from './pkg.mjs';
import { preparePython } from './python.mjs';
import { setup } from './setup.mjs';
import { elapsed, root, run, runMain, StepFailed } from './steps.mjs';

/** @type {Record<string, () => Promise<void>>} */
const suites = { lint, core, worker, e2e, pkg, crash, deploy };

/** How long a test may hang before it fails; the runner counts a file as one, and a busy machine may take three times as long. */
const TIMEOUT_MS = 300_000;
/** What a random kill and its share of a drain may take. */
const MOMENT_MS = 6_000;
/** Files of tests that run at once, where it is not said. */
const SPARE_CORES = Math.max(availableParallelism() - 1, 1);
/** Other implementations beside ours; what they ask of cargo must not reach the workspace. */
const AGREEMENT = 'tests/agreement/Cargo.toml';

await runMain(async () => {
  const words = process.argv.slice(2);
  const [moments, seed] = words.filter(isNumber);
  if (moments !== undefined) process.env.FAREBOX_CRASH_MOMENTS = moments;
  if (seed !== undefined) process.env.FAREBOX_CRASH_SEED = seed;
  const asked = words.filter((word) => !isNumber(word));
  const unknown = asked.find((name) => !(name in suites));
  if (unknown) throw new StepFailed(`no suite is called ${unknown}: there are ${Object.keys(suites).join(', ')}`);
  await setup();
  for (const name of asked.length > 0 ? asked : Object.keys(suites)) {
    await suites[name]?.();
  }
  console.log(`\nall passed, ${elapsed()}`);
});

async function lint() {
  // Its tests import the package, whose types are made of the compiled part's.
  await buildPayer();
  await Promise.all([
    run('lint: types', process.execPath, ['node_modules/typescript/bin/tsc', '--noEmit']),
    run('lint: format', 'cargo', ['fmt', '--all', '--check']),
    lintRust(),
  ]);
}

async function lintRust() {
  await run('lint: clippy', 'cargo', [
    'clippy', '--locked', '--workspace', '--all-targets', '--', '-D', 'warnings',
  ]);
  await run('lint: clippy, Worker', 'cargo', [
    'clippy', '--locked', '-p', 'farebox', '--features', 'worker', '--target', 'wasm32-unknown-unknown',
    '--', '-D', 'warnings',
  ]);
  await run('lint: clippy, package', 'cargo', [
    'clippy', '--locked', '-p', 'farebox', '--features', 'bindings', '--target', 'wasm32-unknown-unknown',
    '--', '-D', 'warnings',
  ]);
  await run('lint: documentation', 'cargo', ['doc', '--locked', '--no-deps', '-p', 'farebox-core'], {
    env: { ...process.env, RUSTDOCFLAGS: '-D warnings' },
  });
  await run('lint: agreement', 'cargo', ['fmt', '--check', '--manifest-path', AGREEMENT]);
  await run('lint: clippy, agreement', 'cargo', [
    'clippy', '--locked', '--manifest-path', AGREEMENT, '--target-dir', 'target/agreement', '--all-targets',
    '--', '-D', 'warnings',
  ]);
}

async function core() {
  // A target without std: what compiles there has no clock, no network and no randomness to reach for.
  await run('test:core: no std', 'cargo', ['build', '--locked', '-p', 'farebox-core', '--target', 'wasm32v1-none']);
  const output = await run('test:core', 'cargo', ['test', '--locked', '--workspace', '--', '--show-output']);
  await run('test:core: example', 'cargo', ['run', '--locked', '-p', 'farebox-core', '--example', 'edge_in_memory']);
  await run('test:core: agreement', 'cargo', [
    'test', '--locked', '--manifest-path', AGREEMENT, '--target-dir', 'target/agreement',
  ]);
  // How much of the ledger's behaviour was visited belongs to the result.
  show(output, /^ +Doc-tests|^test result:|^(After|Before)\b.*: \d+ states|^arrivals, .* with everything|histories from seed/);
}

async function worker() {
  // A second Worker that panics on request or goes on with a guard broken; the first is built last and stays.
  await buildWorker({ features: ['panic-drill'], out: 'build/panic-drill' });
  await buildWorker();
  // The files wait for leases and deadlines most of the time, these the longest; one counts milliseconds.
  const first = ['faults', 'diagnostics-counts', 'webhook', 'streams', 'unproven', 'exposure', 'limits'];
  await runTests('test:worker', 'tests/worker', {
    atOnce: 3, alone: ['panic.test.ts'], first: first.map((name) => `${name}.test.ts`),
  });
  // Has the machine to itself, so that a seed is the same history as nearly as may be.
  await runTests('test:worker: simulation', 'tests/simulate', { timeoutMs: 3 * TIMEOUT_MS });
}

async function e2e() {
  await buildWorker();
  // One of the payers is the package.
  await buildPayer();
  // Some more are Python's, where there is one.
  const python = await preparePython();
  if ('leftOut' in python) console.log(`  left out: the clients of Python, ${python.leftOut}`);
  await runTests('test:e2e', 'tests/e2e', { atOnce: 2 });
}

async function pkg() {
  await buildPackage();
  // The files wait for processes, bundlers and hand-overs most of the time.
  await runTests('test:pkg', 'tests/pkg', { atOnce: 2 });
}

async function crash() {
  await buildWorker();
  // The files wait for leases and deadlines most of the time, so they run beside each other.
  const moments = Number(process.env.FAREBOX_CRASH_MOMENTS ?? 0);
  await runTests('test:crash', 'tests/crash', { atOnce: 4, timeoutMs: TIMEOUT_MS + moments * MOMENT_MS });
}

async function deploy() {
  await buildWorker();
  // One of them lets wrangler build twice.
  await runTests('test:configuration', 'tests/configuration', { atOnce: 2, timeoutMs: 2 * TIMEOUT_MS });
  for (const env of ['', 'preview', 'production']) {
    const output = await run(`check:deploy${env && `: ${env}`}`, process.execPath, [
      'node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--env', env, '--outdir', '.wrangler/dry-run',
    ], { env: { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' } });
    show(output, /^Total Upload|^--dry-run/);
  }
}

/**
 * Runs every `*.test.ts` of a folder with Node's own test runner.
 *
 * @param {string} name
 * @param {string} folder
 * @param {{atOnce?: number, alone?: string[], first?: string[], timeoutMs?: number}} [options] `atOnce`: how many files,
 *   if not as many as there are spare cores; `alone`: files that have the machine to themselves, before the others;
 *   `first`: files that take longest, so that none of them is still running when all others are done
 */
async function runTests(name, folder, { atOnce = SPARE_CORES, alone = [], first = [], timeoutMs = TIMEOUT_MS } = {}) {
  const files = existsSync(join(root, folder))
    ? readdirSync(join(root, folder)).filter((file) => file.endsWith('.test.ts')).sort()
    : [];
  if (files.length === 0) throw new StepFailed(`${name}: there are no tests in ${folder}`);
  const gone = [...alone, ...first].filter((file) => !files.includes(file));
  if (gone.length > 0) throw new StepFailed(`${name}: there is no ${gone.join(', no ')} in ${folder}`);
  const others = files.filter((file) => !alone.includes(file) && !first.includes(file));
  for (const group of [...alone.map((file) => [file]), [...first, ...others]]) {
    const output = await run(group.length === 1 ? `${name}: ${group[0]}` : name, process.execPath, [
      '--import', './scripts/typescript.mjs', 'scripts/files.mjs', String(atOnce), String(timeoutMs),
      ...group.map((file) => join(folder, file)),
    ]);
    show(output, /^ℹ (tests|pass|fail|cancelled|skipped|duration_ms|ends:|left out:)/);
  }
}

/**
 * @param {string} word
 * @returns {boolean}
 */
function isNumber(word) {
  return /^\d+$/.test(word);
}

/**
 * Prints the lines with which a test runner closes.
 *
 * @param {string} output
 * @param {RegExp} closing
 */
function show(output, closing) {
  for (const line of output.split('\n')) {
    if (closing.test(line)) console.log(`  ${line}`);
  }
}
