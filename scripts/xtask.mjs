// The tools in Rust that builds run, from `xtask/`.

import { join, resolve } from 'node:path';

import { root, run } from './steps.mjs';

/** @type {Promise<string> | undefined} */
let built;

/** Compiles them, once in this process. */
export function buildXtask() {
  return (built ??= run('xtask', 'cargo', ['build', '--locked', '-p', 'xtask']));
}

/**
 * Runs one by its file: `cargo run` would wait for whatever else is compiled meanwhile.
 *
 * @param {string} name of the step
 * @param {string[]} args
 */
export async function runXtask(name, args) {
  await buildXtask();
  await run(name, join(targetFolder(), 'debug', 'xtask'), args);
}

/**
 * The environment of a build whose features are not those of the build before: cargo keeps both. Without it,
 * a `cdylib` has one place and one fingerprint for all of its features, and each build compiles it again.
 */
export const keepsFeatures = { ...process.env, __CARGO_DEFAULT_LIB_METADATA: 'farebox' };

/** @returns {string} where cargo puts what it makes */
export function targetFolder() {
  return process.env.CARGO_TARGET_DIR ? resolve(root, process.env.CARGO_TARGET_DIR) : join(root, 'target');
}
