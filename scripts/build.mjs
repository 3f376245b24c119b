// Builds a Worker: build/index.js and build/index_bg.wasm are the gate, build/treasury/ the treasury, build/market/ the market.
//
//   node scripts/build.mjs [--worker treasury|market] [--planted] [--out build/dir]
//
// `--planted` builds one with the defects of tests/defects, for tests, which belongs in its own folder. cargo and esbuild
// decide what is up to date; this script skips nothing.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

import { plantDefects } from './defects.mjs';
import { MUTANTS } from './mutants.mjs';
import { root, run, runMain, StepFailed, step } from './steps.mjs';
import { buildXtask, keepsFeatures, runXtask, targetFolder, withoutPlaces } from './xtask.mjs';

/**
 * The Workers: the folder of each in src/ is also the name of its feature.
 *
 * @type {Record<string, string>}
 */
const FOLDERS = { worker: 'build', treasury: 'build/treasury', market: 'build/market' };

// 128 kB less for the stack put what is constant below 2^20: each instruction that names it is a byte shorter.
const BELOW_A_MEGABYTE = ['-C', 'link-arg=-zstack-size=917504'];

/**
 * @typedef {object} Build
 * @property {string} [worker] which one, by its folder in src/ [`worker`, the gate]
 * @property {boolean} [planted] whether it panics, or goes on with a guard broken, when a request asks it to
 * @property {string} [out] folder, relative to the repository
 * @property {boolean} [named] whether wasm and glue keep the names of their functions, for a profile
 */

/**
 * Compiles and bundles.
 *
 * @param {Build} [build]
 */
export async function buildWorker(build = {}) {
  await compileWorker(build);
  await bundleWorker(build);
}

/**
 * The part that needs Rust alone: the wasm and its glue, in target/glue.
 *
 * @param {Build} [build]
 */
export async function compileWorker({ worker = 'worker', planted = false, out = FOLDERS[worker] ?? 'build', named = false } = {}) {
  const options = await withoutPlaces();
  const cwd = planted ? await plantDefects() : root;
  const target = planted ? join(cwd, 'target') : targetFolder();
  // The two write to different folders of target/, so cargo lets them run side by side.
  await Promise.all([
    buildXtask(),
    run(
      'Worker (Rust)',
      'cargo',
      [
        'rustc',
        '--locked',
        '--release',
        '-p',
        'farebox',
        '--target',
        'wasm32-unknown-unknown',
        '--target-dir',
        target,
        '--features',
        worker,
        ...options,
        '--',
        ...BELOW_A_MEGABYTE,
      ],
      { cwd, env: keepsFeatures },
    ),
  ]);
  const wasm = join(target, 'wasm32-unknown-unknown', 'release', 'farebox.wasm');
  await runXtask('wasm-bindgen', ['bindgen', wasm, glueFolder(out), '--target', named ? 'named-worker' : 'worker']);
}

/**
 * The part that needs npm packages: one module of the entry and the glue, beside the wasm.
 *
 * The entry imports the glue as `#glue`.
 *
 * @param {Build} [build]
 */
export async function bundleWorker({ worker = 'worker', planted = false, out = FOLDERS[worker] ?? 'build', named = false } = {}) {
  const glue = glueFolder(out);
  const [folder, made] = [resolve(root, out), join(glue, 'bundle')];
  const files = ['index_bg.wasm', 'index.js'];
  const [wasm, script] = /** @type {[string, string]} */ (files.map((name) => join(made, name)));
  await step('bundle', async () => {
    const esbuild = await import('esbuild');
    mkdirSync(made, { recursive: true });
    copyFileSync(join(glue, 'index_bg.wasm'), wasm);
    await esbuild.build({
      absWorkingDir: root,
      entryPoints: [`src/${worker}/entry.mjs`],
      outfile: script,
      bundle: true,
      format: 'esm',
      target: 'es2022',
      // Names stay, so that a stack in the log can be read.
      minifyWhitespace: true,
      minifySyntax: true,
      conditions: ['workerd', 'worker'],
      external: ['cloudflare:*'],
      inject: ['src/platform/microtask.mjs'],
      legalComments: 'none',
      logLevel: 'warning',
      plugins: [glueOf(glue, named, esbuild.transform), ...(planted ? [mutants()] : [])],
    });
  });
  await runXtask('trim', ['trim', wasm, script]);
  // Others may start the Worker from that folder at any moment: a file there is the earlier one or the new one, and whole.
  mkdirSync(folder, { recursive: true });
  for (const name of files) {
    const beside = join(folder, `${name}.new`);
    copyFileSync(join(made, name), beside);
    renameSync(beside, join(folder, name));
  }
  const packed = [wasm, script].map((file) => gzipSync(readFileSync(file)).length).reduce((sum, bytes) => sum + bytes);
  const [wasmKb, scriptKb, packedKb] = [statSync(wasm).size, statSync(script).size, packed].map((size) => Math.ceil(size / 1000));
  console.log(`  ${out}: wasm ${wasmKb} kB, script ${scriptKb} kB, together ${packedKb} kB gzip`);
}

/**
 * Resolves `#glue`, leaves wasm modules to the runtime, and turns `import source x from` into the
 * form that the runtime's module rule understands.
 *
 * @param {string} folder
 * @param {boolean} named
 * @param {typeof import('esbuild').transform} transform
 * @returns {import('esbuild').Plugin}
 */
function glueOf(folder, named, transform) {
  return {
    name: 'glue',
    setup(build) {
      build.onResolve({ filter: /^#glue$/ }, () => ({ path: join(folder, 'index.js') }));
      // wasm-bindgen copies single files: their sources are the same, and may import others.
      build.onResolve({ filter: /\/snippets\/farebox-\w+\// }, ({ path }) => ({
        path: join(root, path.replace(/^.*\/snippets\/farebox-\w+\//, '')),
      }));
      build.onResolve({ filter: /\.wasm$/ }, ({ path }) => ({ path: `./${basename(path)}`, external: true }));
      build.onLoad({ filter: /\.js$/ }, async ({ path }) => {
        if (dirname(path) !== folder) return undefined;
        const contents = readFileSync(path, 'utf8')
          .replace(/^import source (\w+) from/gm, 'import $1 from')
          // Unused classes of the platform's crate go with all they call, unless something at the top touches them.
          .replace(/^if \(Symbol\.dispose\) .*$/gm, '')
          .replace(/: new FinalizationRegistry\(/g, ': /* @__PURE__ */ new FinalizationRegistry(')
          // The glue lists a module once per import of it.
          .replace(/^ +("\.\/snippets\/[^"]+": )import\d+,\n(?=[^]*^ +\1)/gm, '');
        // Its names mean little to who reads a stack; those of the project's own modules stay.
        const { code } = await transform(contents, { format: 'esm', minifyIdentifiers: !named });
        return { contents: code, loader: 'js' };
      });
    },
  };
}

/**
 * Breaks guards of the Worker's own modules when a request of the drill asks for it. If a mutant's
 * guard is missing, the build ends.
 *
 * @returns {import('esbuild').Plugin}
 */
function mutants() {
  return {
    name: 'mutants',
    setup(build) {
      build.onLoad({ filter: /\/src\/(worker|platform)\/\w+\.mjs$/ }, ({ path }) => {
        let contents = readFileSync(path, 'utf8');
        for (const { name, file, guard, broken } of MUTANTS.filter(({ file }) => file === basename(path))) {
          if (contents.split(guard).length !== 2) throw new StepFailed(`${name}: ${file} has no single ${guard}`);
          contents = contents.replace(guard, () => broken(`globalThis.mutants?.includes('${name}')`));
        }
        return { contents, loader: 'js' };
      });
    },
  };
}

/**
 * @param {string} out
 */
function glueFolder(out) {
  return join(targetFolder(), 'glue', out.replace(/[^\w-]+/g, '-'));
}

/**
 * Whether what was built is newer than all sources.
 *
 * @param {string} [out]
 */
export function isNewest(out = 'build') {
  const file = join(root, out, 'index.js');
  if (!existsSync(file)) return false;
  const sources = ['src', 'crates'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((name) => join(root, folder, String(name))),
  );
  const { mtimeMs } = statSync(file);
  return [...sources, join(root, 'Cargo.lock')].every((source) => statSync(source).mtimeMs < mtimeMs);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { worker: { type: 'string' }, planted: { type: 'boolean' }, out: { type: 'string' } } });
  await runMain(async () => {
    const worker = values.worker ?? 'worker';
    if (!(worker in FOLDERS)) throw new StepFailed(`no Worker is called ${worker}: there are ${Object.keys(FOLDERS).join(', ')}`);
    if (process.env.FAREBOX_DEV !== undefined && isNewest(values.out ?? FOLDERS[worker])) return;
    await buildWorker({ worker, planted: values.planted, out: values.out });
  });
}
