// Looks for bytes that break a property of the core: see docs/proof.md.
//
//   npm run fuzz [-- [target...] [seconds]]      all targets for a few seconds each, or these
//   npm run fuzz -- --list                       the targets, and what holds of each
//   npm run fuzz -- target --seed 7              other inputs
//   npm run fuzz -- target --repeat FILE         an input again
//   npm run fuzz -- --coverage target [seconds]  the same target inside libFuzzer, which knows what code an input reached
//
// Seconds are those of work for each target.

import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { plantDefects } from './defects.mjs';
import { startProcess } from './processes.mjs';
import { setup } from './setup.mjs';
import { root, run, runMain, StepFailed } from './steps.mjs';

/** A package of its own: what it is compared with must not reach the workspace. */
export const FUZZ = 'tests/fuzz/Cargo.toml';
/** Where it is compiled, and where inputs that fail are written. */
const OUT = 'target/fuzz';
/** Seconds for a target that is named, unless asked. */
const SECONDS = 10;
/** Tells the compiler to count which edges an input takes; a stable compiler knows how. */
const INSTRUMENTED = [
  '--cfg fuzzing',
  '-Cpasses=sancov-module',
  '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
  '-Cllvm-args=-sanitizer-coverage-pc-table',
  '-Cllvm-args=-sanitizer-coverage-trace-compares',
].join(' ');

/**
 * Compiles the driver, and the program that compares values beside it.
 *
 * @param {boolean} [planted] whether `--plant` can break a guard
 * @returns {Promise<string>} the driver
 */
export async function buildFuzz(planted = false) {
  const build = ['build', '--release', '--locked', '--manifest-path', FUZZ, '--target-dir', OUT, '--bins'];
  if (!planted) {
    await run('fuzz: compile', 'cargo', build);
    return builtProgram('fuzz');
  }
  const cwd = await plantDefects();
  await run('fuzz: compile defects', 'cargo', [...build, '--features', 'planted'], { cwd });
  return join(cwd, OUT, 'release', 'fuzz');
}

/**
 * Where a program of the package is, once it is compiled.
 *
 * @param {string} name
 * @returns {string}
 */
export function builtProgram(name) {
  return join(root, OUT, 'release', name);
}

/**
 * Runs all targets, which share these seconds, with the processor time that others leave.
 *
 * @param {number} secs
 * @returns {Promise<string>} what it printed
 */
export async function lookFor(secs) {
  return run('fuzz', builtProgram('fuzz'), ['--shared', String(secs)], { aside: true });
}

/**
 * Runs a program whose output is shown.
 *
 * @param {string} program
 * @param {string[]} words
 * @param {NodeJS.ProcessEnv} [env]
 */
async function shown(program, words, env) {
  const code = await startProcess(program, words, { cwd: root, show: true, env: { ...process.env, ...env } }).exited;
  if (code !== 0) throw new StepFailed(`${words.join(' ')}: ended with ${code}`);
}

/** @param {string[]} words */
async function fuzz(words) {
  const program = await buildFuzz(words.includes('--plant'));
  const coverage = words.indexOf('--coverage');
  const last = words.at(-1) ?? '';
  const isTime = /^[0-9]+$/.test(last) && !(words.at(-2) ?? '').startsWith('--');
  const secs = isTime ? Number(words.pop()) : undefined;
  if (coverage < 0) {
    const targets = words.some((word) => !word.startsWith('--'));
    return shown(program, [...(secs ? ['--seconds', String(secs)] : targets ? ['--seconds', String(SECONDS)] : []), ...words]);
  }
  const [target, ...more] = words.filter((word) => word !== '--coverage');
  if (target === undefined || more.length > 0) throw new StepFailed('usage: npm run fuzz -- --coverage target [seconds]');
  await withCoverage(program, target, secs ?? SECONDS);
}

/**
 * Runs a target inside libFuzzer, and keeps those of its inputs that met something new.
 *
 * @param {string} program
 * @param {string} target
 * @param {number} secs
 */
async function withCoverage(program, target, secs) {
  const triple = /^host: (.*)$/m.exec(await run('fuzz: which machine', 'rustc', ['-vV']))?.[1] ?? '';
  const build = ['build', '--release', '--locked', '--manifest-path', FUZZ, '--target-dir', `${OUT}/coverage`, '--target', triple];
  // With a target, the flags are not those of what runs while it is compiled.
  await run('fuzz: compile for libFuzzer', 'cargo', [...build, '--features', 'coverage', '--bin', 'any'], {
    env: { ...process.env, RUSTFLAGS: INSTRUMENTED },
  });
  const folder = join(root, OUT, 'found', target);
  const seeds = join(folder, 'seeds');
  const found = join(folder, 'all');
  for (const made of [found, join(root, OUT, 'failures')]) mkdirSync(made, { recursive: true });
  rmSync(seeds, { recursive: true, force: true });
  const words = (await run('fuzz: seeds', program, ['--seeds', seeds, target])).trim();
  const any = join(root, OUT, 'coverage', triple, 'release', 'any');
  const limits = [`-max_total_time=${secs}`, '-max_len=6144', '-timeout=20', '-print_final_stats=1'];
  if (existsSync(words)) limits.push(`-dict=${words}`);
  try {
    await shown(any, [...limits, `-artifact_prefix=${OUT}/failures/${target}-`, found, seeds], { FAREBOX_FUZZ_TARGET: target });
  } catch (failed) {
    console.log(`again: npm run fuzz -- ${target} --repeat FILE, with the file that is named above`);
    throw failed;
  }
  await shown(program, ['--keep', found, target]);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runMain(async () => {
    await setup();
    await fuzz(process.argv.slice(2));
  });
}
