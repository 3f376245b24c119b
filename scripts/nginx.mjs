// nginx with its module njs from the packages of Debian, for the test of docs/origin.md.
//
// It is unpacked below target/, not installed. If that cannot be done, the test leaves it out and
// says why; this is not a failure.

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { startProcess } from './processes.mjs';
import { root, step } from './steps.mjs';

/**
 * The program, the folder of its modules and of its libraries, or the reason why there is none.
 *
 * @typedef {{nginx: string, modules: string, libraries: string} | {leftOut: string}} Nginx
 */

/**
 * Finds nginx, if it was unpacked.
 *
 * @returns {Nginx}
 */
export function findNginx() {
  if (!existsSync(join(FOLDER, STAMP))) return { leftOut: '`npm run test:e2e` has not fetched nginx from the packages of Debian' };
  const libraries = readdirSync(join(FOLDER, 'usr/lib')).filter((name) => name.endsWith('-linux-gnu')).map((name) => join(FOLDER, 'usr/lib', name));
  return { nginx: join(FOLDER, 'usr/sbin/nginx'), modules: join(FOLDER, 'usr/lib/nginx/modules'), libraries: libraries.join(':') };
}

/**
 * Fetches and unpacks it, unless it is there.
 *
 * @returns {Promise<Nginx>}
 */
export async function prepareNginx() {
  const found = findNginx();
  if ('nginx' in found) return found;
  return step('nginx', async () => {
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    const fetched = await ran('apt-get', ['download', '-q', ...PACKAGES]);
    if (fetched.code !== 0) return { leftOut: `\`apt-get download ${PACKAGES.join(' ')}\` ended with ${fetched.code}: ${lastOf(fetched.output)}` };
    for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.deb'))) {
      const { code, output } = await ran('dpkg-deb', ['-x', file, '.']);
      if (code !== 0) return { leftOut: `\`dpkg-deb -x ${file}\` ended with ${code}: ${lastOf(output)}` };
    }
    writeFileSync(join(FOLDER, STAMP), '');
    const { nginx, libraries } = /** @type {{nginx: string, libraries: string}} */ (findNginx());
    const { code, output } = await ran(nginx, ['-v'], { ...process.env, LD_LIBRARY_PATH: libraries });
    if (code === 0) return findNginx();
    rmSync(join(FOLDER, STAMP));
    return { leftOut: `\`nginx -v\` ended with ${code}: ${lastOf(output)}` };
  });
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
async function ran(command, args, env = process.env) {
  const child = startProcess(command, args, { cwd: FOLDER, env });
  const timer = setTimeout(() => void child.stop(), LIMIT_MS);
  const code = await child.exited;
  clearTimeout(timer);
  return { code, output: child.output() };
}

/** @param {string} output */
function lastOf(output) {
  return output.trimEnd().split('\n').at(-1);
}

/** What Debian 12 and its children call them, with the libraries that a small system lacks. */
const PACKAGES = ['nginx', 'libnginx-mod-http-js', 'libpcre2-8-0', 'libxml2', 'libedit2', 'libbsd0', 'libmd0'];
const FOLDER = join(root, 'target', 'nginx');
/** Written when everything is unpacked. */
const STAMP = 'farebox-unpacked';
const LIMIT_MS = 60_000;
