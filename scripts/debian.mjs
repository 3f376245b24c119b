// Programs from the packages of Debian: nginx with its module njs and Ruby, for the test of docs/origin.md, and what reads coverage.
//
// They are unpacked below target/, not installed. If that cannot be done, the test leaves them out
// and says why; this is not a failure.

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { startProcess } from './processes.mjs';
import { root, step } from './steps.mjs';

/**
 * What starts the program and where it is unpacked, or the reason why there is none.
 *
 * @typedef {{command: string, env: Record<string, string>, folder: string} | {leftOut: string}} Program
 *
 * @typedef {keyof typeof PROGRAMS} Name
 */

/** Packages as Debian 12 and its children call them, with the libraries that a small system lacks. */
const PROGRAMS = {
  nginx: {
    packages: ['nginx', 'libnginx-mod-http-js', 'libpcre2-8-0', 'libxml2', 'libedit2', 'libbsd0', 'libmd0'],
    command: 'usr/sbin/nginx',
    trial: ['-v'],
  },
  ruby: {
    packages: ['ruby3.1', 'libruby3.1', 'libyaml-0-2', 'libffi8', 'libgmp10'],
    command: 'usr/bin/ruby3.1',
    trial: ['--disable-gems', '-ropenssl', '-e', '1'],
  },
  // The newest in Debian 12 and 13; it reads what the pinned compiler writes.
  'llvm-cov': {
    packages: ['llvm-19', 'libllvm19', 'libz3-4', 'libedit2', 'libbsd0', 'libmd0', 'libxml2', 'libffi8'],
    command: 'usr/lib/llvm-19/bin/llvm-cov',
    trial: ['--version'],
  },
};

/** The origins of the documents. */
export const ORIGINS = /** @type {Name[]} */ (['nginx', 'ruby']);

/**
 * Finds a program, if it was unpacked.
 *
 * @param {Name} name
 * @returns {Program}
 */
export function findProgram(name) {
  const folder = folderOf(name);
  if (!existsSync(join(folder, STAMP))) return { leftOut: `\`npm run test:e2e\` has not fetched ${name} from the packages of Debian` };
  return unpacked(name);
}

/**
 * Fetches and unpacks a program, unless it is there.
 *
 * @param {Name} name
 * @returns {Promise<Program>}
 */
export async function prepareProgram(name) {
  const folder = folderOf(name);
  const { packages, trial } = PROGRAMS[name];
  if (existsSync(join(folder, STAMP))) return unpacked(name);
  return step(name, async () => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const fetched = await ran(folder, 'apt-get', ['download', '-q', ...packages]);
    if (fetched.code !== 0)
      return { leftOut: `\`apt-get download ${packages.join(' ')}\` ended with ${fetched.code}: ${lastOf(fetched.output)}` };
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.deb'))) {
      const { code, output } = await ran(folder, 'dpkg-deb', ['-x', file, '.']);
      if (code !== 0) return { leftOut: `\`dpkg-deb -x ${file}\` ended with ${code}: ${lastOf(output)}` };
    }
    const program = unpacked(name);
    const { code, output } = await ran(folder, program.command, trial, { ...process.env, ...program.env });
    if (code !== 0) return { leftOut: `\`${name} ${trial.join(' ')}\` ended with ${code}: ${lastOf(output)}` };
    writeFileSync(join(folder, STAMP), '');
    return program;
  });
}

/**
 * @param {Name} name
 */
function unpacked(name) {
  const folder = folderOf(name);
  const systems = existsSync(join(folder, 'usr/lib'))
    ? readdirSync(join(folder, 'usr/lib')).filter((name) => name.endsWith('-linux-gnu'))
    : [];
  const libraries = systems.map((system) => join(folder, 'usr/lib', system));
  const scripts = [join(folder, 'usr/lib'), ...libraries].map((place) => join(place, 'ruby/3.1.0'));
  return {
    command: join(folder, PROGRAMS[name].command),
    env: { LD_LIBRARY_PATH: libraries.join(':'), RUBYLIB: scripts.join(':') },
    folder,
  };
}

/**
 * @param {string} folder
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
async function ran(folder, command, args, env = process.env) {
  const child = startProcess(command, args, { cwd: folder, env });
  const timer = setTimeout(() => void child.stop(), LIMIT_MS);
  const code = await child.exited;
  clearTimeout(timer);
  return { code, output: child.output() };
}

/** @param {string} output */
function lastOf(output) {
  return output.trimEnd().split('\n').at(-1);
}

/** @param {Name} name */
function folderOf(name) {
  return join(root, 'target', 'debian', name);
}

/** Written when everything is unpacked and runs. */
const STAMP = 'farebox-unpacked';
const LIMIT_MS = 60_000;
