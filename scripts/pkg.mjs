// Builds the npm package: the compiled part with one glue and three entries, the TypeScript around it, and the gate.
//
//   node scripts/pkg.mjs
//
// Writes pkg/wasm/, pkg/agent-wasm/, pkg/cards-wasm/, pkg/jobs-wasm/, pkg/channels-wasm/, pkg/dist/, pkg/check/, pkg/local/, pkg/pages/, pkg/treasury-pages/, pkg/market-pages/, pkg/gate/, pkg/treasury/, pkg/market/, pkg/schemas/ and copies of the licences, none of which
// is committed.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { buildWorker } from './build.mjs';
import { buildPages } from './pages.mjs';
import { setup } from './setup.mjs';
import { root, run, runMain, StepFailed, step } from './steps.mjs';
import { keepsFeatures, runXtask, targetFolder, withoutPlaces } from './xtask.mjs';

/** The package, ready to be packed; build/ has the Workers afterwards. */
export async function buildPackage() {
  await buildWorker();
  await buildWorker({ worker: 'treasury' });
  await buildWorker({ worker: 'market' });
  await buildPayer();
  await buildCheck();
  await finishPackage();
}

/** The parts of the package beside the payer, once the Workers are built. */
export async function finishPackage() {
  await step('package gate', async () => writeWorker('gate', join(root, 'build'), GATE_TYPES, 'Ledger', 'Channel'));
  await step('package treasury', async () => writeWorker('treasury', join(root, 'build', 'treasury'), TREASURY_TYPES, 'Treasury'));
  await step('package market', async () => writeWorker('market', join(root, 'build', 'market'), MARKET_TYPES, 'Skills', 'Exchange'));
  writeSchemas();
  await step('package local', bundleLocal);
  for (const licence of ['LICENSE-APACHE', 'LICENSE-MIT']) {
    for (const folder of ['pkg', 'create']) copyFileSync(join(root, licence), join(root, folder, licence));
  }
}

/** The schemas that programs and editors read; those of a configuration stand beside wrangler's own, on which they build. */
export function writeSchemas() {
  const folder = join(root, 'pkg', 'schemas');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(root, 'crates', 'wire', 'src', 'x402', 'extension', 'diagnostic.json'), join(folder, 'diagnostic.json'));
  for (const name of ['wrangler.schema.json', 'market.schema.json']) {
    const text = readFileSync(join(root, 'docs', name), 'utf8');
    const placed = text.replace('"../node_modules/wrangler/', '"../../wrangler/');
    if (placed === text) throw new StepFailed(`docs/${name} does not build on wrangler's any more`);
    writeFileSync(join(folder, name), placed);
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
  await writeTypes();
  await buildPages();
}

/** The pages, and the one part of the payer that they need. */
export async function buildPagesAlone() {
  await compilePart('bindings', 'wasm');
  await buildPages();
}

async function writeTypes() {
  rmSync(join(root, 'pkg', 'dist'), { recursive: true, force: true });
  await run('package types', process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'pkg/tsconfig.json']);
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
  await step(`package entries (${feature})`, () => writeEntries(glue, join(root, 'pkg', folder)));
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
  const folder = join(root, 'pkg', 'check');
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
  const folder = join(root, 'pkg', 'local');
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
 * A built Worker as a module of the package, for deployments without Rust.
 *
 * @param {string} name
 * @param {string} build
 * @param {string} types
 * @param {string[]} objects the classes of its objects
 */
function writeWorker(name, build, types, ...objects) {
  const folder = join(root, 'pkg', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of ['index.js', 'index_bg.wasm']) copyFileSync(join(build, file), join(folder, file));
  writeFileSync(join(folder, 'index.d.ts'), types);
  writeFileSync(join(folder, 'elsewhere.js'), elsewhere(name, objects));
}

/** Without the platform's types, which the package does not include. */
const GATE_TYPES = `/** The gate: a Worker's module. Its variables and secrets are in \`env\`, \`LEDGER\`, the namespace of {@link Ledger}, and \`CHANNEL\`, that of {@link Channel}. */
declare const gate: {
  fetch(request: Request, env: Record<string, unknown>, context: { waitUntil(promise: Promise<unknown>): void }): Promise<Response>;
  /** Wakes the ledger's objects, so that one whose alarm was lost goes on. */
  scheduled(controller: unknown, env: Record<string, unknown>): Promise<void>;
};
export default gate;

/** The class of the ledger's objects, with SQLite. */
export declare class Ledger {
  constructor(state: unknown, env: Record<string, unknown>);
  ask(command: string, body: Uint8Array | null): Promise<unknown>;
  fetch(request: Request): Promise<Response>;
  alarm(): Promise<void>;
}

/** The class of the channels' objects, with SQLite: for routes that sell by session. */
export declare class Channel extends Ledger {
  awaited(command: string, milliseconds: number): Promise<unknown>;
}
`;

const TREASURY_TYPES = `/** The treasury: a Worker's module. Its variables and secrets are in \`env\`, and \`TREASURY\`, the namespace of {@link Treasury}. */
declare const treasury: {
  fetch(request: Request, env: Record<string, unknown>, context: { waitUntil(promise: Promise<unknown>): void }): Promise<Response>;
};
export default treasury;

/** The class of the organizations' objects, with SQLite. */
export declare class Treasury {
  constructor(state: unknown, env: Record<string, unknown>);
  ask(organization: string, command: string): Promise<unknown>;
  alarm(): Promise<void>;
}
`;

const MARKET_TYPES = `/** The market of skills: a Worker's module. Its variables and secrets are in \`env\`, \`SKILLS\`, the namespace of {@link Skills}, \`EXCHANGE\`, that of {@link Exchange}, and \`ARCHIVE\`, an R2 bucket for old invocations, if there is one. */
declare const market: {
  fetch(request: Request, env: Record<string, unknown>, context: { waitUntil(promise: Promise<unknown>): void }): Promise<Response>;
  /** Wakes the object, so that one whose alarm was lost goes on. */
  scheduled(controller: unknown, env: Record<string, unknown>): Promise<void>;
};
export default market;

/** The class of the one object, with SQLite. */
export declare class Skills {
  constructor(state: unknown, env: Record<string, unknown>);
  ask(name: string, command: string): Promise<unknown>;
  alarm(): Promise<void>;
}

/** The class of the objects of the compute exchange, one for each network profile, with SQLite. */
export declare class Exchange {
  constructor(state: unknown, env: Record<string, unknown>);
  ask(profile: string, command: string): Promise<unknown>;
  alarm(): Promise<void>;
}
`;

/**
 * The names are exported so that an import shows this message.
 *
 * @param {string} name
 * @param {string[]} objects
 */
function elsewhere(name, objects) {
  return `export default undefined;
${objects.map((object) => `export const ${object} = undefined;\n`).join('')}throw new Error('farebox/${name} runs on Cloudflare Workers only: bundle it with wrangler, or with the conditions workerd and worker');
`;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    await setup();
    await buildPackage();
    const { buildMcp } = await import('./mcp.mjs');
    await buildMcp();
  });
}
