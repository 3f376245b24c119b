// Everything that must hold before a change lands: setup, then every suite below.
//
//   node scripts/test.mjs [--all] [--times] [--house] [lint] [core] [worker] [e2e] [pkg] [treasury] [market] [browser] [crash [moments [seed]]] [deploy]
//
// Without a name it runs all suites, and without `--all` leaves out what is deep (see below), which takes as long again; a
// suite that is named is run whole. `crash` kills workerd at every step and at that many random moments [20]; `deploy` compares configuration,
// check and documents, and asks wrangler whether it would accept each environment. `--times` writes how long each file took
// to tests/times.json, by which files are begun, the longest first. `--house` prints the shape of the tree in numbers, and runs nothing.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';

import { keepFailures, runFailuresAgain } from './again.mjs';
import { buildWorker } from './build.mjs';
import { plantDefects } from './defects.mjs';
import { compareSome, prepareDifferential } from './differential.mjs';
import { FUZZ, lookFor } from './fuzz.mjs';
import { printHouse } from './house.mjs';
import { preparePrograms } from './interop.mjs';
import { buildMcp } from './mcp.mjs';
import { buildCheck, buildPayer, finishPackage } from './pkg.mjs';
import { setup } from './setup.mjs';
import { attempt, elapsed, root, run, runMain, StepFailed } from './steps.mjs';
import { keepFilesInMemory } from './temporary.mjs';

/**
 * The parts of a suite.
 *
 * @typedef {object} Suite
 * @property {() => Promise<void>} before what it does, or what its files need
 * @property {() => Promise<void>} [beside] what it does meanwhile, with the processor time that the others leave
 * @property {string[]} [folders] where its `*.test.ts` are
 * @property {string[]} [deep] those of them that only `--all` runs
 * @property {string[]} [always] those of them that run without it, too, although they take as long as what is deep
 * @property {string[]} [waiting] those of them that wait most of the time, and take little of the processor's
 * @property {string[]} [alone] those of them that no other file runs beside, one after the other and before all others
 * @property {Lane} [together] whether all of its files run by themselves, before those of others
 * @property {() => Promise<void>} [meanwhile] what it does beside the files of others, once those have run
 *
 * @typedef {object} Lane
 * @property {number} atOnce
 * @property {number} timeoutMs
 */

/** How long a test may hang before it fails; the runner counts a file as one, and a busy machine may take three times as long. */
const TIMEOUT_MS = 600_000;
/** A warning of wrangler or of its bundler, in whatever colour. */
const WARNING = /\bWARNING\b|▲/;
/** The time of a random kill with its share of a drain. */
const MOMENT_MS = 6_000;
/** What clippy refuses. Money is no float, and nothing else needs to be one. */
const REFUSED = ['--', '-D', 'warnings', '-D', 'clippy::float_arithmetic'];
/** The features that each part is compiled with for wasm. */
const WASM = { Worker: 'worker', treasury: 'treasury', market: 'market', package: 'bindings,agent,cards,jobs,channels', check: 'rules' };

const FLAGS = ['--all', '--times', '--house'];
/** Those of the gate that need the Worker with defects. */
const OF_DRILLS = ['mutants', 'config-table', 'panic', 'panic-recovery'];
/** How long files took when they were last timed, seconds. */
const TIMES = join(root, 'tests', 'times.json');
/** What takes as long is deep, seconds, unless its suite always runs it. */
const DEEP_SECS = 12;
/** @type {Record<string, number>} */
const measured = existsSync(TIMES) ? JSON.parse(readFileSync(TIMES, 'utf8')) : {};
/** @type {Record<string, number>} */
const timed = {};
/** Files of tests that run at once: they wait for leases, processes and deadlines half of the time. */
const AT_ONCE = Math.min(availableParallelism() + 2, 5);
/** And those beside them that do nothing else. */
const WAITING_AT_ONCE = 2;
/** Seconds for which all targets of tests/fuzz look for an input that breaks their property. */
const FUZZ_SECS = 60;
/** All but the doctests. */
const HOST_TESTS = ['--workspace', '--lib', '--bins', '--tests'];
/** The behaviours where defects are planted. */
const DEFECTS = ['test', '--locked', '-p', 'farebox', '--test', 'behaviour', '--features', 'planted', '--target-dir', 'target'];
/** Behaviours that play everything that may happen, or many thousand histories of it, where shorter ones stand beside them. */
const DEEP_BEHAVIOURS = [
  'channel_payer::walk::no_history_of_a_payer_by_channel_breaks_a_rule',
  'client::budget::thousands_of_payments_in_five_minutes_are_counted_in_a_short_record',
  'compute::life::histories::ten_thousand_histories_break_no_rule',
  'ledger::arrivals::no_order_of_signed_payments_is_delivered_unpaid_or_paid_and_forgotten',
  'ledger::arrivals::no_order_of_transactions_is_delivered_unpaid_or_paid_and_forgotten',
  'ledger::explore::no_interleaving_of_a_payment_that_is_signed_again_breaks_a_rule',
  'ledger::explore::no_interleaving_of_a_request_paid_after_serving_breaks_a_rule',
  'ledger::explore::no_interleaving_of_a_request_whose_payment_is_settled_later_breaks_a_rule',
  'ledger::lookups::a_look_writes_nothing_and_what_is_not_known_is_told_so_whatever_else_the_payer_owes',
  'ledger::lookups::what_is_resumed_has_a_row_and_makes_none',
  'ledger::lookups::whoever_shows_neither_the_recorded_bytes_nor_a_proof_of_their_own_is_not_let_on',
  'ledger::traces::no_history_of_a_prepaid_request_breaks_a_rule',
  'ledger::traces::no_history_without_a_chain_breaks_a_rule',
  'skills::life::ten_thousand_histories_break_no_rule',
  'treasury::explore::no_history_of_charges_breaks_a_rule',
  'treasury::links::claims::one_authorization_pays_one_link_in_every_order_of_two_organizations',
  'treasury::random::ten_thousand_histories_break_no_rule',
];
/** The seeded histories of the ledger that run without `--all`, of ten thousand. */
const FEW_HISTORIES = '1000';
/** They run for less than it takes to optimise them, and have larger frames so. */
const UNOPTIMISED = { ...process.env, CARGO_PROFILE_TEST_OPT_LEVEL: '0', RUST_MIN_STACK: String(2 ** 27) };
/** The crates without the edges. */
const LIBRARIES = ['--workspace', '--exclude', 'farebox', '--exclude', 'xtask'];
/** The edge in memory. */
const EXAMPLE = ['-p', 'farebox-core', '--example', 'edge_in_memory'];
/** Lets wrangler's build command leave alone what is newer than all sources: other files read it. */
const BUILT = { FAREBOX_DEV: '1' };
/** Other implementations beside this one; their cargo settings must not reach the workspace. */
const AGREEMENT = 'tests/agreement/Cargo.toml';

// Suites prepare themselves side by side. Shared parts are built once, and in turn where two would write the same file.
const compilers = { host: inTurn(), worker: inTurn() };
const drill = once(() => compilers.worker(() => buildWorker({ planted: true, out: 'build/panic-drill' })));
const gate = once(() => compilers.worker(() => buildWorker()));
const treasury = once(() => compilers.worker(() => buildWorker({ worker: 'treasury' })));
const treasuryDrill = once(() => compilers.worker(() => buildWorker({ worker: 'treasury', planted: true, out: 'build/treasury-drill' })));
const market = once(() => compilers.worker(() => buildWorker({ worker: 'market' })));
const marketDrill = once(() => compilers.worker(() => buildWorker({ worker: 'market', planted: true, out: 'build/market-drill' })));
const payer = once(() => buildPayer());
const mcp = once(async () => {
  await payer();
  await buildMcp();
});
const whole = once(async () => {
  await mcp();
  await buildCheck();
  await gate();
  await treasury();
  await market();
  await finishPackage();
});
/** Whether what is deep runs too: a suite that is named is run whole. */
const isAll = process.argv.slice(2).some((word) => word === '--all' || !FLAGS.includes(word));
const moments = Number(process.argv.slice(2).find(isNumber) ?? process.env.FAREBOX_CRASH_MOMENTS ?? 0);

/** @type {Record<string, Suite>} */
const suites = {
  lint: { before: lint },
  core: { before: () => compilers.host(compileCore), beside: core },
  worker: {
    before: async () => {
      // A second Worker that panics on request or goes on with a guard broken.
      if (isAll) await drill();
      await gate();
    },
    folders: ['tests/worker', 'tests/simulate'],
    always: ['vectors', 'faults', 'operator'].map((name) => asTest(`tests/worker/${name}`)),
    deep: [
      'tests/simulate/random',
      'tests/simulate/late-elsewhere',
      ...['recovery-load', 'resize', 'rollout', ...OF_DRILLS].map((name) => `tests/worker/${name}`),
    ].map(asTest),
    waiting: ['subrequests', 'webhook', 'onchain-calls', 'migration', 'failover', 'networks', 'streams', 'panic-recovery'].map(
      (name) => `tests/worker/${name}.test.ts`,
    ),
    // One counts milliseconds; in the other a seed should give the same history as far as possible.
    alone: ['tests/worker/panic.test.ts', 'tests/simulate/random.test.ts'],
  },
  e2e: {
    before: async () => {
      // One of the payers is the package.
      await payer();
      // Further payers, and servers for the package, are programs of others.
      await preparePrograms();
      await gate();
    },
    folders: ['tests/e2e', 'tests/interop'],
    always: ['demo', 'mpp-sessions'].map((name) => asTest(`tests/e2e/${name}`)),
    deep: ['tests/interop/interop', ...['sessions-demo', 'stranger', 'liars', 'operators-hour'].map((name) => `tests/e2e/${name}`)].map(
      asTest,
    ),
    waiting: ['mpp-sender', 'session-streams', 'mpp-gas', 'liars', 'onchain', 'operators-hour'].map((name) => `tests/e2e/${name}.test.ts`),
  },
  pkg: {
    before: whole,
    folders: ['tests/pkg'],
    always: ['serve', 'resume', 'session-gate', 'channels', 'mcp', 'market'].map((name) => asTest(`tests/pkg/${name}`)),
    // They install much from the registries, or kill for minutes.
    deep: ['create-run', 'documents', 'examples-more', 'serve-kills'].map((name) => asTest(`tests/pkg/${name}`)),
    waiting: ['tests/pkg/faults.test.ts'],
  },
  treasury: {
    before: async () => {
      if (isAll) await treasuryDrill();
      await treasury();
      // Agents pay with the package, and some merchants are the gate.
      await whole();
    },
    folders: ['tests/treasury'],
    always: ['tests/treasury/acceptance.test.ts'],
    deep: ['fuzz', 'crowd', 'killed', 'demo', 'panic'].map((name) => asTest(`tests/treasury/${name}`)),
    waiting: ['tests/treasury/killed.test.ts', 'tests/treasury/panic.test.ts'],
  },
  market: {
    before: async () => {
      if (isAll) await marketDrill();
      await market();
      // Agents pay by the treasury, and the gate stands in front.
      await whole();
    },
    folders: ['tests/market', 'tests/market/exchange', 'tests/soak'],
    always: ['tests/market/acceptance.test.ts'],
    deep: [
      ...['archive', 'fuzz', 'killed', 'stranger', 'demo', 'panic'].map((name) => asTest(`tests/market/${name}`)),
      ...['fuzz', 'killed', 'strangers', 'demo', 'loops'].map((name) => asTest(`tests/market/exchange/${name}`)),
      'tests/soak/soak.test.ts',
    ],
    waiting: [
      'tests/market/exchange/loops.test.ts',
      'tests/market/acceptance.test.ts',
      'tests/market/exchange/killed.test.ts',
      'tests/market/exchange/faults.test.ts',
    ],
  },
  browser: { before: whole, folders: ['tests/browser'], always: ['tests/browser/pay.test.ts'], deep: ['tests/browser/pages.test.ts'] },
  crash: {
    before: async () => {
      await gate();
      // `farebox serve` is killed, too.
      if (isAll) await whole();
    },
    folders: ['tests/crash'],
    deep: ['random', 'serve', 'mpp-sessions', 'sessions'].map((name) => asTest(`tests/crash/${name}`)),
    // Eight payments have to be in their places before the first of them has ended.
    together: { atOnce: 4, timeoutMs: TIMEOUT_MS + moments * MOMENT_MS },
  },
  deploy: {
    before: async () => {
      await market();
      await treasury();
      await gate();
    },
    folders: ['tests/configuration'],
    // It lets wrangler build the Worker again, which others read.
    alone: ['tests/configuration/deploy.test.ts'],
    meanwhile: () => (isAll ? deploy() : Promise.resolve()),
  },
};

await runMain(async () => {
  if (process.argv.includes('--house')) return printHouse();
  const words = process.argv.slice(2).filter((word) => !FLAGS.includes(word));
  const [given, seed] = words.filter(isNumber);
  if (given !== undefined) process.env.FAREBOX_CRASH_MOMENTS = given;
  if (seed !== undefined) process.env.FAREBOX_CRASH_SEED = seed;
  const asked = words.filter((word) => !isNumber(word));
  const unknown = asked.find((name) => !(name in suites));
  if (unknown) throw new StepFailed(`no suite is called ${unknown}: there are ${Object.keys(suites).join(', ')}`);
  const forgotten = foldersOfTests().filter((folder) => !Object.values(suites).some(({ folders = [] }) => folders.includes(folder)));
  if (forgotten.length > 0) throw new StepFailed(`no suite has the tests of ${forgotten.join(', ')}`);
  await setup();
  keepFilesInMemory();
  const chosen = Object.entries(suites).filter(([name]) => asked.length === 0 || asked.includes(name));
  const files = filesOf(chosen);
  const ready = chosen.map(([, suite]) => suite.before());
  await Promise.all([
    Promise.all(ready).then(() => runInTurn(chosen, files)),
    ...chosen.map(async ([, suite], index) => {
      await ready[index];
      await suite.beside?.();
    }),
  ]);
  if (process.argv.includes('--times')) writeTimes();
  await runFailuresAgain(process.execPath, runner(1, 2 * TIMEOUT_MS));
  if (!isAll) console.log('\nWhat is deep was left out: `npm test -- --all` runs it too.');
  console.log(`\nall passed, ${elapsed()}`);
});

async function lint() {
  await Promise.all([
    // Whether each defect still fits the file that it stands in.
    plantDefects(),
    // Tests import both packages, whose types are made of the compiled part's.
    mcp().then(() => run('lint: types', process.execPath, ['node_modules/typescript/bin/tsc', '--noEmit'])),
    run('lint: format', 'cargo', ['fmt', '--all', '--check']),
    run('lint: scripts', process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings']),
    compilers.host(lintRust),
  ]);
}

async function lintRust() {
  await run('lint: clippy', 'cargo', ['clippy', '--locked', '--workspace', '--all-targets', ...REFUSED]);
  for (const [part, features] of Object.entries(WASM)) {
    const chosen = ['-p', 'farebox', '--features', features, '--target', 'wasm32-unknown-unknown'];
    await run(`lint: clippy, ${part}`, 'cargo', ['clippy', '--locked', ...chosen, ...REFUSED]);
  }
  await run('lint: documentation', 'cargo', ['doc', '--locked', '--no-deps', ...LIBRARIES], {
    env: { ...process.env, RUSTDOCFLAGS: '-D warnings' },
  });
  await run('lint: agreement', 'cargo', ['fmt', '--check', '--manifest-path', AGREEMENT]);
  await run('lint: fuzz', 'cargo', ['fmt', '--check', '--manifest-path', FUZZ]);
  if (!isAll) return;
  await run('lint: clippy, agreement', 'cargo', [
    'clippy',
    '--locked',
    '--manifest-path',
    AGREEMENT,
    '--target-dir',
    'target/agreement',
    '--all-targets',
    '--',
    '-D',
    'warnings',
  ]);
}

async function compileCore() {
  // A target without std: code that compiles for it cannot reach a clock, a network or randomness.
  await run('test:core: no std', 'cargo', ['check', '--locked', '-p', 'farebox-core', '--target', 'wasm32v1-none']);
  await run('test:core: compile', 'cargo', ['test', '--locked', ...HOST_TESTS, '--no-run']);
  await run('test:core: compile example', 'cargo', ['build', '--locked', ...EXAMPLE]);
  if (!isAll) return;
  await run('test:core: compile agreement', 'cargo', [
    'test',
    '--locked',
    '--manifest-path',
    AGREEMENT,
    '--target-dir',
    'target/agreement',
    '--no-run',
  ]);
  await run('test:core: compile defects', 'cargo', [...DEFECTS, '--no-run'], { cwd: await plantDefects(), env: UNOPTIMISED });
  await prepareDifferential();
}

/** They have no deadlines, so whatever has goes first. */
async function core() {
  const aside = { aside: true };
  let output = await runBehaviours(aside);
  await run('test:core: example', 'cargo', ['run', '--locked', ...EXAMPLE], aside);
  if (isAll) {
    // With what the example is compiled with: no features of tests, with which examples that must not compile would.
    output += await run('test:core: doctests', 'cargo', ['test', '--locked', '--profile', 'dev', ...LIBRARIES, '--doc'], aside);
    await run(
      'test:core: agreement',
      'cargo',
      ['test', '--locked', '--manifest-path', AGREEMENT, '--target-dir', 'target/agreement'],
      aside,
    );
    await findDefects();
    show(await lookFor(FUZZ_SECS), /executions in/);
    await compareSome();
  }
  // The coverage of the ledger's behaviour is part of the result.
  show(output, /^ +Doc-tests|^test result:|^(After|Before)\b.*: \d+ states|^arrivals, .* with everything|histories from seed/);
}

/**
 * Runs all tests of Rust but the doctests: without `--all` not those that are deep.
 *
 * @param {import('./steps.mjs').Options} options
 */
async function runBehaviours(options) {
  const words = ['test', '--locked', ...HOST_TESTS, '--', '--show-output'];
  if (isAll) return run('test:core', 'cargo', words, options);
  const env = { ...process.env, FAREBOX_HISTORIES: process.env.FAREBOX_HISTORIES ?? FEW_HISTORIES };
  const skipped = DEEP_BEHAVIOURS.flatMap((name) => ['--skip', name]);
  const output = await run('test:core', 'cargo', [...words, '--exact', ...skipped], { ...options, env });
  const left = [...output.matchAll(/(\d+) filtered out/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  if (left !== DEEP_BEHAVIOURS.length)
    throw new StepFailed(`${left} of ${DEEP_BEHAVIOURS.length} deep behaviours were found: correct their list`);
  return output;
}

/** Each test that plants a defect: what the behaviours have in the copy, and not in the code that ships. */
async function findDefects() {
  const names = async (/** @type {string[]} */ words, /** @type {import('./steps.mjs').Options} */ options) => {
    const listed = await run('test:core: list', 'cargo', [...words, '--', '--list'], options);
    return listed.split('\n').flatMap((line) => /^(\S+): test$/.exec(line)?.[1] ?? []);
  };
  const copy = { cwd: await plantDefects(), env: UNOPTIMISED };
  // As they were compiled for the run above: with the features that all packages want together.
  const plain = await names(['test', '--locked', ...HOST_TESTS], {});
  const found = (await names(DEFECTS, copy)).filter((name) => !plain.includes(name));
  if (found.length === 0) throw new StepFailed('no test plants a defect');
  await run('test:core: defects', 'cargo', [...DEFECTS, '--', '--exact', ...found], { aside: true, ...copy });
}

async function deploy() {
  for (const env of ['', 'preview', 'production']) await dryRun(env && `: ${env}`, ['--env', env]);
  for (const worker of ['treasury', 'market']) {
    for (const env of ['', 'production'])
      await dryRun(`: ${worker}${env && `, ${env}`}`, ['--env', env, '--config', `src/${worker}/wrangler.toml`]);
  }
}

/**
 * Asks wrangler whether it would accept an environment.
 *
 * @param {string} name
 * @param {string[]} environment
 */
async function dryRun(name, environment) {
  const output = await run(
    `check:deploy${name}`,
    process.execPath,
    ['node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', ...environment, '--outdir', join(root, '.wrangler/dry-run')],
    { aside: true, env: { ...process.env, ...BUILT, CI: '1', WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' } },
  );
  show(output, /^Total Upload|^--dry-run/);
  const warned = output.split('\n').findIndex((line) => WARNING.test(line));
  if (warned >= 0)
    throw new StepFailed(
      `wrangler warns:\n${output
        .split('\n')
        .slice(warned, warned + 12)
        .join('\n')}`,
    );
}

/**
 * @typedef {object} Files
 * @property {string} name of their suite
 * @property {string[]} others
 * @property {string[]} waiting
 * @property {string[]} alone
 * @property {Lane} [together]
 */

/**
 * @param {[string, Suite][]} chosen
 * @returns {Files[]}
 */
function filesOf(chosen) {
  return chosen
    .map(([name, { folders = [], deep = [], always = [], waiting = [], alone = [], together }]) => {
      const files = folders.flatMap((folder) => filesIn(name, folder));
      const gone = [...deep, ...always, ...waiting, ...alone].filter((file) => !files.includes(file));
      if (gone.length > 0) throw new StepFailed(`test:${name}: there is no ${gone.join(', no ')}`);
      const isLong = (/** @type {string} */ file) => (measured[file] ?? 0) >= DEEP_SECS && !always.includes(file) && together === undefined;
      const left = (/** @type {string} */ file) => isAll || !(deep.includes(file) || isLong(file));
      const others = files.filter((file) => ![...waiting, ...alone].includes(file) && left(file));
      return { name, others: longestFirst(others), waiting: longestFirst(waiting.filter(left)), alone: alone.filter(left), together };
    })
    .filter(({ others, waiting, alone }) => others.length + waiting.length + alone.length > 0);
}

/**
 * First the files that run alone or with those of their suite, which leave much of the processor's time to what has no
 * deadlines; then all others.
 *
 * @param {[string, Suite][]} chosen
 * @param {Files[]} files
 */
async function runInTurn(chosen, files) {
  await runAlone(files);
  for (const { name, others, together } of files) if (together !== undefined) await runTests(name, others, together);
  await Promise.all([runFiles(files.filter(({ together }) => together === undefined)), ...chosen.map(([, suite]) => suite.meanwhile?.())]);
}

/**
 * Runs the files of suites with Node's own test runner: in parallel where a suite allows it.
 *
 * @param {Files[]} parts
 */
async function runFiles(parts) {
  const names = parts.map(({ name }) => name).join(', ');
  await Promise.all([
    runTests(names, longestFirst(parts.flatMap(({ others }) => others))),
    runTests(`${names}: what waits`, longestFirst(parts.flatMap(({ waiting }) => waiting)), {
      atOnce: WAITING_AT_ONCE,
      timeoutMs: TIMEOUT_MS,
    }),
  ]);
}

/** @param {Files[]} parts */
async function runAlone(parts) {
  for (const { name, alone } of parts) {
    for (const file of alone) await runTests(`${name}: ${basename(file)}`, [file], { atOnce: 1, timeoutMs: 2 * TIMEOUT_MS });
  }
}

/** @returns {string[]} where tests are */
function foldersOfTests() {
  const files = readdirSync(join(root, 'tests'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.test.ts') && !file.includes('node_modules'),
  );
  return [...new Set(files.map((file) => dirname(join('tests', file))))];
}

/**
 * @param {string} name
 * @param {string} folder
 */
function filesIn(name, folder) {
  const files = existsSync(join(root, folder))
    ? readdirSync(join(root, folder))
        .filter((file) => file.endsWith('.test.ts'))
        .sort()
    : [];
  if (files.length === 0) throw new StepFailed(`test:${name}: there are no tests in ${folder}`);
  return files.map((file) => `${folder}/${file}`);
}

/**
 * @param {string} name
 * @param {string[]} files in the order in which they begin
 * @param {Lane} [how]
 */
async function runTests(name, files, { atOnce, timeoutMs } = { atOnce: AT_ONCE, timeoutMs: TIMEOUT_MS }) {
  if (files.length === 0) return;
  const { code, output } = await attempt(`test:${name}`, process.execPath, [...runner(atOnce, timeoutMs), ...files]);
  show(output, /^ℹ (tests|pass|fail|cancelled|skipped|duration_ms|ends:|left out:|secs:|failed:)/);
  Object.assign(timed, JSON.parse(/^ℹ times: (.*)$/m.exec(output)?.[1] ?? '{}'));
  if (code === 0 || keepFailures(output).length > 0) return;
  console.log(output.trimEnd());
  throw new StepFailed(`test:${name} ended with ${code}`);
}

/**
 * The arguments of Node for test files, which follow.
 *
 * @param {number} atOnce
 * @param {number} timeoutMs
 */
function runner(atOnce, timeoutMs) {
  return ['--import', './scripts/typescript.mjs', 'scripts/files.mjs', String(atOnce), String(timeoutMs)];
}

/** @param {string} name */
function asTest(name) {
  return `${name}.test.ts`;
}

/**
 * Files in the order in which they begin; those that were never timed go first.
 *
 * @param {string[]} files
 * @returns {string[]}
 */
function longestFirst(files) {
  const secs = (/** @type {string} */ file) => measured[file] ?? Infinity;
  return [...files].sort((one, other) => (secs(one) === secs(other) ? 0 : secs(other) - secs(one)));
}

/** Keeps the times of files that take more than a moment. */
function writeTimes() {
  const kept = Object.entries({ ...measured, ...timed }).filter(([file]) => existsSync(join(root, file)));
  kept.sort(([, one], [, other]) => other - one);
  writeFileSync(TIMES, `${JSON.stringify(Object.fromEntries(kept), null, 2)}\n`);
}

/**
 * Does work at the first request only, and shares the result.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @returns {() => Promise<T>}
 */
function once(work) {
  /** @type {Promise<T> | undefined} */
  let done;
  return () => (done ??= work());
}

/**
 * Does one work after the other, and none after one that fails.
 *
 * @returns {(work: () => Promise<void>) => Promise<void>}
 */
function inTurn() {
  let last = Promise.resolve();
  return (work) => (last = last.then(work));
}

/**
 * @param {string} word
 * @returns {boolean}
 */
function isNumber(word) {
  return /^\d+$/.test(word);
}

/**
 * Prints the final lines of a test runner.
 *
 * @param {string} output
 * @param {RegExp} closing
 */
function show(output, closing) {
  for (const line of output.split('\n')) {
    if (closing.test(line)) console.log(`  ${line}`);
  }
}
