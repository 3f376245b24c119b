// Brings a fresh clone to where everything runs: Node and Rust checked, wasm targets, npm packages.
//
//   node scripts/setup.mjs
//
// Uses only Node, because it runs before anything is installed. Repeats nothing: npm packages are
// installed again only when package-lock.json differs from the one last installed.

import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { startProcess } from './processes.mjs';
import { root, run, runMain, StepFailed } from './steps.mjs';

/** Everything, the independent parts side by side. */
export async function setup() {
  checkNode();
  await Promise.all([installPackages(), installRust()]);
}

/** Refuses a Node that is too old for the tools. */
export function checkNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20) throw new StepFailed(`Node 20 or later is needed, this is ${process.versions.node}`);
}

/** `npm ci`, unless the stamp in node_modules names this lock file. */
export async function installPackages() {
  const stamp = join(root, 'node_modules', '.farebox-lock');
  const hash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink())
    throw new StepFailed('node_modules is a link, and npm would empty what it leads to: remove the link, then run this again');
  await run('npm packages', 'npm', ['ci', '--no-audit', '--no-fund']);
  writeFileSync(stamp, hash);
}

/** The toolchain of rust-toolchain.toml with its components and wasm targets. */
export async function installRust() {
  const { channel, components, targets } = readToolchain();
  if (!(await succeeds('cargo', ['--version']))) {
    if (!(await succeeds('rustup', ['--version']))) {
      throw new StepFailed('Rust is missing: install rustup (https://rustup.rs), then run this again');
    }
    await run(`Rust ${channel}`, 'rustup', ['toolchain', 'install', channel, '--profile', 'minimal', '--component', components.join(',')]);
  }
  const missing = [];
  for (const target of targets) {
    const folder = await outputOf('rustc', ['--print', 'target-libdir', '--target', target]);
    if (!folder || !existsSync(folder)) missing.push(target);
  }
  if (missing.length > 0) {
    await need('rustup', `the Rust targets ${missing.join(' and ')}`);
    await run(`Rust targets ${missing.join(', ')}`, 'rustup', ['target', 'add', '--toolchain', channel, ...missing]);
  }
  for (const component of components) {
    const program = component === 'clippy' ? 'cargo-clippy' : component;
    if (await succeeds(program, ['--version'])) continue;
    await need('rustup', component);
    await run(component, 'rustup', ['component', 'add', '--toolchain', channel, component]);
  }
}

/**
 * The three values of rust-toolchain.toml, which is written one to a line.
 *
 * @returns {{channel: string, components: string[], targets: string[]}}
 */
function readToolchain() {
  const text = readFileSync(join(root, 'rust-toolchain.toml'), 'utf8');
  /** @type {(name: string) => string[]} */
  const strings = (name) => {
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} =`)) ?? '';
    return [...line.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? '');
  };
  const [channel] = strings('channel');
  if (!channel) throw new StepFailed('rust-toolchain.toml names no channel');
  return { channel, components: strings('components'), targets: strings('targets') };
}

/**
 * @param {string} program
 * @param {string} purpose
 */
async function need(program, purpose) {
  if (await succeeds(program, ['--version'])) return;
  throw new StepFailed(`${program} is missing, and with it ${purpose}: install rustup (https://rustup.rs)`);
}

/**
 * @param {string} command
 * @param {string[]} args
 */
async function succeeds(command, args) {
  return (await startProcess(command, args, { cwd: root }).exited) === 0;
}

/**
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<string | undefined>}
 */
async function outputOf(command, args) {
  const child = startProcess(command, args, { cwd: root });
  return (await child.exited) === 0 ? child.output().trim() : undefined;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await runMain(setup);
}
