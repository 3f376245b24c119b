// Changes the code of a crate in one place after the other, and tells which changes no test notices: see docs/proof.md.
//
//   npm run mutate -- PART [PIECE/OF]   all changes of a part, or one of so many pieces, counted from 0
//   npm run mutate -- --list            the parts, and how many changes each has
//
// It needs cargo-mutants: `cargo install cargo-mutants --locked --version 27.1.0`. Each change takes a build of all that
// depends on it and the tests of the host: a minute or two. `.cargo/mutants.toml` says what is left out.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { startProcess } from './processes.mjs';
import { root, runMain, StepFailed } from './steps.mjs';

/** Parts that take or give money: a crate, or a folder of one. */
const PARTS = {
  evm: { crate: 'evm', folder: '' },
  ledger: { crate: 'ledger', folder: '' },
  channel: { crate: 'channel', folder: '' },
  gate: { crate: 'gate', folder: '' },
  purchase: { crate: 'payer', folder: '' },
  treasury: { crate: 'treasury', folder: '' },
  skills: { crate: 'market', folder: 'skills/' },
  compute: { crate: 'market', folder: 'compute/' },
  x402: { crate: 'wire', folder: 'x402/' },
  mpp: { crate: 'wire', folder: 'mpp/' },
};
/** The tests that have to notice: vectors, and behaviours; those of the crate itself come first. */
const TESTERS = ['farebox-core', 'farebox'];
const OUT = join(root, 'target', 'mutants');

/** @typedef {keyof typeof PARTS} Part */

/**
 * The words of cargo for a part.
 *
 * @param {Part} part
 */
function chosen(part) {
  const { crate, folder } = PARTS[part];
  return ['mutants', '--package', `farebox-${crate}`, '--file', `crates/${crate}/src/${folder}**/*.rs`];
}

/**
 * @param {Part} part
 * @param {string} piece
 */
async function mutate(part, piece) {
  const folder = join(OUT, `${part}-${piece.replace('/', '-of-')}`);
  mkdirSync(folder, { recursive: true });
  const testers = [`farebox-${PARTS[part].crate}`, ...TESTERS].flatMap((name) => ['--test-package', name]);
  const words = [
    ...chosen(part),
    ...testers,
    ...['--shard', piece, '--sharding', 'round-robin', '--output', folder, '--no-times', '--colors', 'never'],
    // Kept from one piece to the next: only what is changed is compiled again.
    ...['--cargo-arg', `--target-dir=${join(OUT, 'build')}`],
    ...['--', '--lib', '--tests'],
  ];
  // Names of lines are all that a failing test needs.
  const env = { ...process.env, CARGO_PROFILE_TEST_DEBUG: '0', CARGO_PROFILE_DEV_DEBUG: '0' };
  const code = await startProcess('cargo', words, { cwd: root, show: true, env }).exited;
  const outcomes = join(folder, 'mutants.out', 'outcomes.json');
  // 2 and 3 say that changes were missed, or took too long.
  if (![0, 2, 3].includes(code) || !existsSync(outcomes)) throw new StepFailed(`cargo mutants ended with ${code}`);
  const { caught, timeout, missed, unviable } = JSON.parse(readFileSync(outcomes, 'utf8'));
  const noticed = caught + timeout;
  const share = noticed + missed === 0 ? '–' : `${((100 * noticed) / (noticed + missed)).toFixed(1)} %`;
  console.log(`| part | piece | noticed | missed | do not compile | share |\n|---|---|---|---|---|---|`);
  console.log(`| ${part} | ${piece} | ${noticed} | ${missed} | ${unviable} | ${share} |`);
}

function list() {
  for (const part of /** @type {Part[]} */ (Object.keys(PARTS))) {
    const changes = execFileSync('cargo', [...chosen(part), '--list'], { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
    console.log(`${part.padEnd(10)} ${changes.trim().split('\n').length}`);
  }
}

await runMain(async () => {
  const [part = '', piece = '0/1', ...more] = process.argv.slice(2);
  const isPart = Object.hasOwn(PARTS, part);
  const [at = 0, of = 0] = /^\d+\/\d+$/.test(piece) ? piece.split('/').map(Number) : [];
  if (more.length > 0 || (!isPart && part !== '--list') || at >= of)
    throw new StepFailed(`usage: npm run mutate -- PART [PIECE/OF], or --list; parts are ${Object.keys(PARTS).join(', ')}`);
  if ((await startProcess('cargo', ['mutants', '--version'], { cwd: root }).exited) !== 0)
    throw new StepFailed('there is no cargo-mutants: `cargo install cargo-mutants --locked --version 27.1.0`');
  if (!isPart) return list();
  await mutate(/** @type {Part} */ (part), piece);
});
