// Lets Node 20 run TypeScript tests: `node --import ./scripts/typescript.mjs --test some.test.ts`.
//
// Types are removed, not checked; `npm run lint` checks them. Imports name the `.ts` file. Each file
// of tests is a process of its own, so what all of them load is kept ready in `node_modules/.cache`:
// each source without its types, and viem with the libraries around it, which are hundreds of files, in a few.

import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

/** The libraries in one piece, by the names under which tests and what they start import them. */
const BUNDLED = new Set([
  'viem',
  'viem/accounts',
  '@x402/core/facilitator',
  '@x402/evm',
  '@x402/evm/batch-settlement/client',
  '@x402/evm/batch-settlement/facilitator',
  '@x402/evm/exact/client',
  '@x402/evm/exact/facilitator',
  '@x402/evm/exact/v1/facilitator',
  '@x402/evm/upto/facilitator',
  'mppx',
  'mppx/client',
  'mppx/evm',
  'mppx/hono',
  'x402-fetch',
  'x402-hono',
]);
/** What they are made for and need as it is loaded elsewhere. */
const BESIDE = ['hono', '@hono/*'];
/** CommonJS packages inside ask for Node's own modules. */
const REQUIRES = "import { createRequire as requiredByBundle } from 'node:module'; const require = requiredByBundle(import.meta.url);";
const CACHE = new URL('../node_modules/.cache/farebox-tests/', import.meta.url);

// Node loads this file twice: in the main thread, where it registers itself, and as the hooks' thread.
if (isMainThread) register(import.meta.url);

/** @type {import('node:module').ResolveHook} */
export async function resolve(name, context, next) {
  // Other libraries that use one of them keep their own.
  if (!BUNDLED.has(name) || context.parentURL?.includes('/node_modules/') !== false) return next(name, context);
  return { url: new URL(`${fileOf(name)}.js`, await bundles()).href, format: 'module', shortCircuit: true };
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
  const hash = createHash('sha256')
    .update(`${versionOf('esbuild')}\n${path}\n${source}`)
    .digest('hex');
  const kept = new URL(`${hash}.js`, CACHE);
  if (existsSync(kept)) return readFile(kept, 'utf8');
  const { transform } = await import('esbuild');
  const { code } = await transform(source, { loader: 'ts', format: 'esm', target: 'node20', sourcefile: path, sourcemap: 'inline' });
  await mkdir(CACHE, { recursive: true });
  await inOneStep(kept, (draft) => writeFile(draft, code));
  return code;
}

/** @returns {Promise<URL>} the folder of the libraries */
async function bundles() {
  const made = createHash('sha256').update(
    JSON.stringify([
      [...BUNDLED],
      BESIDE,
      REQUIRES,
      ['esbuild', 'viem', '@x402/core', '@x402/evm', 'mppx', 'x402-fetch', 'x402-hono'].map(versionOf),
    ]),
  );
  const folder = new URL(`libraries-${made.digest('hex').slice(0, 16)}/`, CACHE);
  if (existsSync(folder)) return folder;
  const { build } = await import('esbuild');
  await mkdir(CACHE, { recursive: true });
  await inOneStep(folder, (draft) =>
    build({
      entryPoints: [...BUNDLED].map((name) => ({ in: name, out: fileOf(name) })),
      external: BESIDE,
      banner: { js: REQUIRES },
      absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
      outdir: fileURLToPath(draft),
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      logLevel: 'error',
    }),
  );
  return folder;
}

/** @param {string} name of a library's entry */
function fileOf(name) {
  return name.replaceAll('/', '-');
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
