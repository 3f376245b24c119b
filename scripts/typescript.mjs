// Lets Node 20 run TypeScript tests: `node --import ./scripts/typescript.mjs --test some.test.ts`.
//
// Types are removed, not checked; `npm run lint` checks them. Imports name the `.ts` file. Each file
// of tests is a process of its own, so what all of them load is kept ready in `node_modules/.cache`:
// each source without its types, and viem, which is hundreds of files, in a few.

import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

/** The libraries in one piece, by the name under which tests import them. */
const BUNDLED = new Map([['viem', 'viem.js'], ['viem/accounts', 'accounts.js']]);
const CACHE = new URL('../node_modules/.cache/farebox-tests/', import.meta.url);

// Node loads this file twice: in the main thread, where it registers itself, and as the hooks' thread.
if (isMainThread) register(import.meta.url);

/** @type {import('node:module').ResolveHook} */
export async function resolve(name, context, next) {
  const file = BUNDLED.get(name);
  // Libraries that use viem themselves keep their own.
  if (file === undefined || !context.parentURL?.endsWith('.ts')) return next(name, context);
  return { url: new URL(file, await bundles()).href, format: 'module', shortCircuit: true };
}

/** @type {import('node:module').LoadHook} */
export async function load(url, context, next) {
  if (!url.startsWith('file:') || !/\.ts$/.test(url)) return next(url, context);
  const path = fileURLToPath(url);
  return { format: 'module', source: await withoutTypes(path, await readFile(path, 'utf8')), shortCircuit: true };
}

/**
 * @param {string} path
 * @param {string} source
 * @returns {Promise<string>}
 */
async function withoutTypes(path, source) {
  const hash = createHash('sha256').update(`${versionOf('esbuild')}\n${path}\n${source}`).digest('hex');
  const kept = new URL(`${hash}.js`, CACHE);
  if (existsSync(kept)) return readFile(kept, 'utf8');
  const { transform } = await import('esbuild');
  const { code } = await transform(source, {
    loader: 'ts',
    format: 'esm',
    target: 'node20',
    sourcefile: path,
    sourcemap: 'inline',
  });
  await mkdir(CACHE, { recursive: true });
  await inOneStep(kept, (draft) => writeFile(draft, code));
  return code;
}

/** @returns {Promise<URL>} the folder of the libraries */
async function bundles() {
  const folder = new URL(`viem-${versionOf('viem')}-${versionOf('esbuild')}/`, CACHE);
  if (existsSync(folder)) return folder;
  const { build } = await import('esbuild');
  await mkdir(CACHE, { recursive: true });
  await inOneStep(folder, (draft) =>
    build({
      entryPoints: [...BUNDLED].map(([name, file]) => ({ in: name, out: file.replace(/\.js$/, '') })),
      absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
      outdir: fileURLToPath(draft),
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      logLevel: 'error',
    }));
  return folder;
}

/**
 * Other processes see all of it or nothing; who comes second leaves the first one's.
 *
 * @param {URL} place
 * @param {(draft: URL) => Promise<unknown>} make
 */
async function inOneStep(place, make) {
  const draft = new URL(place.href.replace(/\/?$/, `.${randomUUID()}`));
  await make(draft);
  await rename(draft, place).catch((error) => {
    if (!existsSync(place)) throw error;
  });
  // What is left of a draft does no harm.
  await rm(draft, { recursive: true, force: true }).catch(() => undefined);
}

/**
 * @param {string} name of a package
 * @returns {string}
 */
function versionOf(name) {
  return String(JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version);
}
