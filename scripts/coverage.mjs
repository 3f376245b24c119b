// Which lines of the crates that move money no test on the host reaches: see docs/proof.md.
//
//   npm run coverage [-- crate...]           a table of the files, and the lines that are not reached
//   npm run coverage -- --again [crate...]   the same of the last run, without tests
//
// Crates are those of money [evm, channel, ledger, gate, payer], or these. The compiler counts; `llvm-profdata` and `llvm-cov`
// read what it counted. They are taken from the toolchain (`rustup component add llvm-tools`), or else from Debian's packages.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { prepareProgram } from './debian.mjs';
import { root, run, runMain, StepFailed } from './steps.mjs';

/** Those whose mistakes cost money. */
const CRATES = ['evm', 'channel', 'ledger', 'gate', 'payer'];
const OUT = join(root, 'target', 'coverage');
const RAW = join(OUT, 'raw');
const MERGED = join(OUT, 'all.profdata');
/** The programs of the tests that were run. */
const PROGRAMS = join(OUT, 'programs.json');
/** The tests of the host, without those that read documents and sources alone. */
const TESTS = ['test', '--locked', '--workspace', '--exclude', 'xtask', '--lib', '--tests', '--target-dir', OUT];
/** Programs add what they count to a few files, of which each has eight. */
const COUNTED = { ...process.env, RUSTFLAGS: '-C instrument-coverage', LLVM_PROFILE_FILE: join(RAW, '%8m.profraw') };

/**
 * What a file has of a kind, and what of it is reached.
 *
 * @typedef {{count: number, covered: number}} Reached
 * @typedef {{filename: string, summary: {lines: Reached, regions: Reached, functions: Reached}, segments: [number, number, number, boolean, boolean, boolean][]}} CoveredFile
 */

/** Where the tools are, and what they need. */
async function findTools() {
  const lib = execFileSync('rustc', ['--print', 'target-libdir'], { cwd: root, encoding: 'utf8' }).trim();
  const own = join(dirname(lib), 'bin');
  if (existsSync(join(own, 'llvm-cov'))) return { folder: own, env: process.env };
  const found = await prepareProgram('llvm-cov');
  if ('leftOut' in found)
    throw new StepFailed(
      `coverage needs llvm-profdata and llvm-cov: \`rustup component add llvm-tools\`, or Debian's packages: ${found.leftOut}`,
    );
  return { folder: dirname(found.command), env: { ...process.env, ...found.env } };
}

/** Compiles the tests so that they count, and runs them. */
async function count() {
  rmSync(RAW, { recursive: true, force: true });
  mkdirSync(RAW, { recursive: true });
  // What macros of the compiler run counts, too.
  await run('coverage: compile', 'cargo', [...TESTS, '--no-run'], { env: COUNTED });
  writeFileSync(PROGRAMS, JSON.stringify(programs()));
  rmSync(RAW, { recursive: true, force: true });
  // One that reads the tree may fail where others write; what was counted stays.
  await run('coverage: test', 'cargo', [...TESTS, '--no-fail-fast'], { env: COUNTED });
}

/**
 * The programs of the tests.
 *
 * @returns {string[]}
 */
function programs() {
  const told = execFileSync('cargo', [...TESTS, '--no-run', '--message-format=json'], {
    cwd: root,
    encoding: 'utf8',
    env: COUNTED,
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const messages = told.split('\n').filter((line) => line.startsWith('{'));
  return messages.map((line) => JSON.parse(line).executable).filter((path) => typeof path === 'string');
}

/**
 * Lines that have code, none of which was run.
 *
 * @param {CoveredFile} file
 */
function missedLines({ segments }) {
  /** @type {Map<number, number>} */
  const most = new Map();
  for (const [at, [line, , count, hasCount, , isGap]] of segments.entries()) {
    if (!hasCount || isGap) continue;
    const end = segments[at + 1]?.[0] ?? line;
    for (let each = line; each <= end; each += 1) most.set(each, Math.max(most.get(each) ?? 0, count));
  }
  return [...most].filter(([, count]) => count === 0).map(([line]) => line);
}

/** @param {Reached} reached */
function share({ count, covered }) {
  return count === 0 ? '–' : `${((100 * covered) / count).toFixed(1)} %`;
}

/**
 * @param {string} crate
 * @param {CoveredFile[]} files
 */
function printCrate(crate, files) {
  const sum = (/** @type {'lines' | 'regions' | 'functions'} */ kind) => ({
    count: files.reduce((total, { summary }) => total + summary[kind].count, 0),
    covered: files.reduce((total, { summary }) => total + summary[kind].covered, 0),
  });
  console.log(`\n| ${crate} | lines | reached | regions reached | lines that are not |\n|---|---|---|---|---|`);
  console.log(`| all | ${sum('lines').count} | ${share(sum('lines'))} | ${share(sum('regions'))} | |`);
  for (const file of files) {
    const { lines, regions } = file.summary;
    const name = file.filename.slice(join(root, 'crates', crate, 'src').length + 1);
    console.log(`| \`${name}\` | ${lines.count} | ${share(lines)} | ${share(regions)} | ${missedLines(file).join(' ')} |`);
  }
}

await runMain(async () => {
  const words = process.argv.slice(2);
  const asked = words.filter((word) => word !== '--again');
  const crates = asked.length > 0 ? asked : CRATES;
  for (const crate of crates) if (!existsSync(join(root, 'crates', crate))) throw new StepFailed(`no crate is called ${crate}`);
  const { folder, env } = await findTools();
  if (!words.includes('--again')) await count();
  const raw = readdirSync(RAW).map((name) => join(RAW, name));
  await run('coverage: merge', join(folder, 'llvm-profdata'), ['merge', '-sparse', '-o', MERGED, ...raw], { env });
  const [first = '', ...others] = JSON.parse(readFileSync(PROGRAMS, 'utf8'));
  const objects = [first, ...others.flatMap((/** @type {string} */ path) => ['--object', path])];
  const sources = crates.map((crate) => join(root, 'crates', crate, 'src'));
  const told = execFileSync(
    join(folder, 'llvm-cov'),
    ['export', '-instr-profile', MERGED, ...objects, '--skip-expansions', '--skip-functions', '--sources', ...sources],
    { env, encoding: 'utf8', maxBuffer: 2 ** 30 },
  );
  /** @type {CoveredFile[]} */
  const files = JSON.parse(told).data[0].files;
  for (const crate of crates) {
    const own = files.filter(({ filename }) => filename.startsWith(join(root, 'crates', crate, 'src')));
    printCrate(crate, own);
  }
});
