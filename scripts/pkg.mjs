// Builds the npm packages of pkg/: the payer, the compiled part with one glue and an entry for each of its parts; the gate with its commands;
// the treasury; the market.
//
//   node scripts/pkg.mjs
//
// What it writes is not committed: the folders that the `files` of each package.json name, and copies of the licences.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { buildWorker } from './build.mjs';
import { PACKAGES } from './packages.mjs';
import { buildPages } from './pages.mjs';
import { setup } from './setup.mjs';
import { root, run, runMain, StepFailed, step } from './steps.mjs';
import { keepsFeatures, runXtask, targetFolder, withoutPlaces } from './xtask.mjs';

const PKG = join(root, 'pkg');

/** The packages, ready to be packed; build/ has the Workers afterwards. */
export async function buildPackage() {
  await buildWorker();
  await buildWorker({ worker: 'treasury' });
  await buildWorker({ worker: 'market' });
  await buildPayer();
  await buildCheck();
  await finishPackage();
}

/** The parts of the packages beside the payer, once the Workers are built. */
export async function finishPackage() {
  await step('Workers in their packages', async () => {
    copyWorker('gate', join(root, 'build'));
    for (const name of ['treasury', 'market']) copyWorker(name, join(root, 'build', name));
  });
  writeSchemas();
  await step('package local', bundleLocal);
  for (const licence of ['LICENSE-APACHE', 'LICENSE-MIT']) {
    for (const folder of PACKAGES) copyFileSync(join(root, licence), join(root, folder, licence));
  }
}

/** The schemas that programs and editors read; those of a configuration stand beside wrangler's own, on which they build. */
export function writeSchemas() {
  const [payer, gate] = [join(PKG, 'schemas'), join(PKG, 'gate', 'schemas')];
  for (const folder of [payer, gate]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
  copyFileSync(join(root, 'crates', 'wire', 'src', 'x402', 'extension', 'diagnostic.json'), join(payer, 'diagnostic.json'));
  for (const name of ['wrangler.schema.json', 'market.schema.json']) {
    const text = readFileSync(join(root, 'docs', name), 'utf8');
    const placed = text.replace('"../node_modules/wrangler/', '"../../wrangler/');
    if (placed === text) throw new StepFailed(`docs/${name} does not build on wrangler's any more`);
    writeFileSync(join(gate, name), placed);
  }
}

/** The payer and its types. */
export async function buildPayer() {
  await compilePart('bindings', 'wasm');
  // Apart, so that a page that only pays does not load it.
  await compilePart('agent', 'agent-wasm');
  // Apart again: a page whose agent shows no cards drops it.
  await compilePart('cards', 'cards-wasm');
  // And one whose agent trades no jobs.
  await compilePart('jobs', 'jobs-wasm');
  // And one that pays for each request by itself.
  await compilePart('channels', 'channels-wasm');
  await writeScripts('.');
  // After the payer's, on which they build.
  await writeScripts('gate');
  await buildPages();
}

/** The pages, and the one part of the payer that they need. */
export async function buildPagesAlone() {
  await compilePart('bindings', 'wasm');
  await buildPages();
}

/**
 * The scripts and types of a package.
 *
 * @param {string} name its folder in `pkg`
 */
async function writeScripts(name) {
  rmSync(join(PKG, name, 'dist'), { recursive: true, force: true });
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await run(`package types (${name})`, process.execPath, [compiler, '-p', join('pkg', name, 'tsconfig.json')]);
}

/**
 * A compiled part and its entries.
 *
 * @param {string} feature
 * @param {string} folder in `pkg`
 */
async function compilePart(feature, folder) {
  const web = join(targetFolder(), 'page');
  await run(
    `package (Rust, ${feature})`,
    'cargo',
    [
      'build',
      '--locked',
      '--profile',
      'page',
      '-p',
      'farebox',
      '--features',
      feature,
      '--target',
      'wasm32-unknown-unknown',
      '--target-dir',
      web,
      ...SMALL_SHA2,
      ...(await withoutPlaces()),
    ],
    { env: keepsFeatures },
  );
  const glue = join(web, feature === 'bindings' ? 'glue' : `glue-${feature}`);
  await runXtask(`package glue (${feature})`, [
    'bindgen',
    join(web, 'wasm32-unknown-unknown', 'page', 'farebox.wasm'),
    glue,
    '--target',
    'web',
  ]);
  await step(`package entries (${feature})`, () => writeEntries(glue, join(PKG, folder)));
}

/** The check of the command line: one script, and the gate's rules beside it. */
export async function buildCheck() {
  const web = join(targetFolder(), 'page');
  await run(
    'check (Rust)',
    'cargo',
    [
      'build',
      '--locked',
      '--profile',
      'page',
      '-p',
      'farebox',
      '--features',
      'rules',
      '--target',
      'wasm32-unknown-unknown',
      '--target-dir',
      web,
      ...SMALL_SHA2,
      ...(await withoutPlaces()),
    ],
    { env: keepsFeatures },
  );
  const glue = join(web, 'rules');
  await runXtask('check glue', ['bindgen', join(web, 'wasm32-unknown-unknown', 'page', 'farebox.wasm'), glue, '--target', 'web']);
  await step('check', () => bundleCheck(glue));
}

/**
 * @param {string} glue
 */
export async function bundleCheck(glue) {
  const esbuild = await import('esbuild');
  const folder = join(PKG, 'gate', 'check');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: ['scripts/check/package.mjs'],
    outfile: join(folder, 'index.js'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [
      schemaPart,
      {
        name: 'package',
        setup(build) {
          build.onResolve({ filter: /^\.\/rules\.mjs$/ }, () => ({ path: join(root, 'scripts', 'check', 'rules-wasm.mjs') }));
          build.onResolve({ filter: /^#rules$/ }, () => ({ path: join(glue, 'index.js') }));
        },
      },
    ],
  });
  copyFileSync(join(glue, 'index_bg.wasm'), join(folder, 'rules.wasm'));
}

/** The part that runs a project on this machine, with the local money beside it: its libraries are those of the project. */
export async function bundleLocal() {
  const esbuild = await import('esbuild');
  const folder = join(PKG, 'gate', 'local');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'token'), { recursive: true });
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: { index: 'scripts/local/package.mjs', money: 'scripts/local/served.mjs' },
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['viem', 'viem/*', '@x402/*'],
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [schemaPart],
  });
  for (const name of readdirSync(join(root, 'demo', 'token')).filter((file) => file.endsWith('.json')))
    copyFileSync(join(root, 'demo', 'token', name), join(folder, 'token', name));
}

/** How `names.mjs` reads the schema, which the package carries only in part. */
const SCHEMA = /JSON\.parse\(readFileSync\(new URL\([^)]*\), 'utf8'\)\)/;

/**
 * Carries the names of the variables in the place of the schema.
 *
 * @type {import('esbuild').Plugin}
 */
const schemaPart = {
  name: 'schema',
  setup(build) {
    const { properties } = JSON.parse(readFileSync(join(root, 'docs', 'wrangler.schema.json'), 'utf8')).definitions.vars;
    build.onLoad({ filter: /\/check\/names\.mjs$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const contents = text.replace(SCHEMA, () => JSON.stringify({ definitions: { vars: { properties } } }));
      if (contents === text) throw new StepFailed('scripts/check/names.mjs does not read the schema any more');
      return { contents, loader: 'js' };
    });
  },
};

/** SHA-256 serves one signature per payment here: its crate's small code is enough. */
const SMALL_SHA2 = ['--config', 'target.wasm32-unknown-unknown.rustflags=["--cfg", "sha2_backend_soft=\\"compact\\""]'];

/**
 * One glue, and an entry for each way to load the bytes synchronously: Workers import a module,
 * Node reads a file, all others carry them as text.
 *
 * @param {string} glue
 * @param {string} folder
 */
async function writeEntries(glue, folder) {
  const esbuild = await import('esbuild');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const types = readFileSync(join(glue, 'index.d.ts'), 'utf8');
  const names = [...types.matchAll(/^export (?:class|function) (\w+)/gm)]
    .map((match) => match[1] ?? '')
    .filter((name) => !name.startsWith('_') && name !== 'initSync');
  // The glue's own loading, by a URL beside it, would make bundlers ship the bytes twice.
  await esbuild.build({
    absWorkingDir: root,
    stdin: { contents: `export { initSync, ${names.join(', ')} } from ${JSON.stringify(join(glue, 'index.js'))};`, resolveDir: root },
    outfile: join(folder, 'farebox.js'),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    logLevel: 'warning',
  });
  copyFileSync(join(glue, 'index_bg.wasm'), join(folder, 'farebox.wasm'));
  const bytes = readFileSync(join(folder, 'farebox.wasm'));
  // Not re-exported by name: a bundler that assumes no side effects would then drop the entry.
  const again = `export const { ${names.join(', ')} } = glue;\n`;
  const entries = {
    'workerd.js': `import * as glue from './farebox.js';\nimport module from './farebox.wasm';\nglue.initSync({ module });\n${again}`,
    'node.js': `import { readFileSync } from 'node:fs';\nimport * as glue from './farebox.js';\nglue.initSync({ module: readFileSync(new URL('./farebox.wasm', import.meta.url)) });\n${again}`,
    'inline.js': `import * as glue from './farebox.js';\n${inText(bytes)}glue.initSync({ module: bytes });\n${again}`,
    'farebox.d.ts': types.replace(/\nexport type InitInput[\s\S]*$/, '\n'),
  };
  for (const [name, contents] of Object.entries(entries)) writeFileSync(join(folder, name), contents);
}

/**
 * A script with these bytes in `bytes`. Each of the most common ones is one letter, each other one
 * a mark and a letter: compressed with gzip that is as small as the bytes themselves, while base64
 * adds a third.
 *
 * @param {Buffer} bytes
 */
function inText(bytes) {
  /** @type {number[]} */
  const counts = new Array(256).fill(0);
  for (const byte of bytes) counts[byte] = (counts[byte] ?? 0) + 1;
  const order = [...counts.keys()].sort((a, b) => (counts[b] ?? 0) - (counts[a] ?? 0) || a - b);
  const letters = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).filter(
    (letter) => !'\\"\'`$<'.includes(letter),
  );
  const marks = letters.splice(-2);
  /** @param {number} rank */
  const spell = (rank) => {
    const mark = Math.floor(rank / letters.length);
    return (mark === 0 ? '' : marks[mark - 1]) + (letters[rank % letters.length] ?? '');
  };
  const spelling = new Map(order.map((byte, rank) => [byte, spell(rank)]));
  let text = '';
  for (const byte of bytes) text += spelling.get(byte);
  return `const text = "${text}";
const order = [${order.join(',')}];
const letters = "${letters.join('')}";
const bytes = new Uint8Array(${bytes.length});
for (let at = 0, from = 0; at < bytes.length; at += 1) {
  const mark = "${marks.join('')}".indexOf(text[from]) + 1;
  if (mark > 0) from += 1;
  bytes[at] = order[mark * letters.length + letters.indexOf(text[from])];
  from += 1;
}
`;
}

/**
 * A built Worker in its package, for deployments without Rust.
 *
 * @param {string} name
 * @param {string} build
 */
function copyWorker(name, build) {
  const folder = join(PKG, name, 'worker');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of ['index.js', 'index_bg.wasm']) copyFileSync(join(build, file), join(folder, file));
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    await setup();
    await buildPackage();
    const { buildMcp } = await import('./mcp.mjs');
    await buildMcp();
  });
}
