// The tools in Rust that builds run, from `xtask/`.

import { execFile } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

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

/** @type {Promise<string[]> | undefined} */
let unplaced;

/**
 * Options of a build whose bytes leave this machine. A panic names the file of a crate: without them that is a path of
 * whoever built it, and the same sources make other bytes on each machine.
 */
export function withoutPlaces() {
  return (unplaced ??= askFolders().then((folders) => {
    const flags = folders.map((folder) => `--remap-path-prefix=${folder}=crates`);
    return ['--config', `target.wasm32-unknown-unknown.rustflags=${JSON.stringify(flags)}`];
  }));
}

/** The folders in which cargo keeps the sources of other people's crates. */
async function askFolders() {
  const { stdout } = await promisify(execFile)('cargo', ['metadata', '--locked', '--format-version', '1'], {
    cwd: root,
    maxBuffer: 2 ** 28,
  });
  /** @type {{ packages: { source: string | null, manifest_path: string }[] }} */
  const { packages } = JSON.parse(stdout);
  const others = packages.filter(({ source }) => source !== null);
  return [...new Set(others.map(({ manifest_path }) => dirname(dirname(manifest_path))))].sort();
}

/** @returns {string} where cargo puts what it makes */
export function targetFolder() {
  return process.env.CARGO_TARGET_DIR ? resolve(root, process.env.CARGO_TARGET_DIR) : join(root, 'target');
}
