// Builds the pages that people see: the static files beside the gate, the treasury and the market, `PAGES` in the wrangler.toml of each.
//
//   node scripts/pages.mjs         once the payer is built; scripts/build-pages.mjs builds its part too
//
// Writes pkg/gate/pages/, which is not committed: `_headers` for the platform, and `_farebox/` with scripts, styles, documents and the compiled
// payer, each script under its own name and its parts under names that change with their content. pkg/treasury/pages/ and
// pkg/market/pages/ are the same for the treasury and the market, with `desk/`.

import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { root, runMain, step } from './steps.mjs';

/** The sources. */
const SOURCES = join(root, 'pkg', 'src', 'pages');
/** What is deployed beside the gate. */
export const PAGES = join(root, 'pkg', 'gate', 'pages');
/** What `farebox serve` knows of them. */
const SERVED = join(root, 'pkg', 'gate', 'serve');
/** And beside the treasury. */
export const TREASURY_PAGES = join(root, 'pkg', 'treasury', 'pages');
/** And beside the market. */
export const MARKET_PAGES = join(root, 'pkg', 'market', 'pages');
/** Desks that are static files of a Worker of their own: where each is deployed, by its folder in the sources. */
const DESKS = new Map([
  ['treasury', TREASURY_PAGES],
  ['market', MARKET_PAGES],
]);
/** The look that all pages share. */
const LOOK = join(root, 'crates', 'base', 'src', 'page');
const STYLE = join(LOOK, 'style.css');
/** The icon of the desks; other pages have it in them. */
const ICON = join(LOOK, 'icon.svg');

/** Bundles the pages; the payer is built. */
export async function buildPages() {
  await step('pages', async () => {
    rmSync(PAGES, { recursive: true, force: true });
    const out = join(PAGES, '_farebox');
    mkdirSync(out, { recursive: true });
    copyFileSync(join(SOURCES, '_headers'), join(PAGES, '_headers'));
    // For `farebox serve`, which serves the files by itself.
    mkdirSync(SERVED, { recursive: true });
    writeFileSync(join(SERVED, 'headers.json'), JSON.stringify(headerRules(readFileSync(join(SOURCES, '_headers'), 'utf8'))));
    copyFileSync(STYLE, join(out, 'style.css'));
    const folders = readdirSync(SOURCES, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !DESKS.has(entry.name));
    for (const { name } of folders) await buildFolder(name, join(out, name));
    copyFileSync(ICON, join(out, 'desk', 'icon.svg'));
  });
  for (const name of DESKS.keys()) await buildDesk(name);
}

/**
 * Bundles the desk of the treasury or of the market, which needs nothing that is built.
 *
 * @param {string} name
 */
export async function buildDesk(name) {
  const out = DESKS.get(name);
  if (out === undefined) throw new Error(`there is no desk of the ${name}`);
  await step(`pages of the ${name}`, async () => {
    rmSync(out, { recursive: true, force: true });
    const desk = join(out, 'desk');
    await buildFolder(name, desk);
    copyFileSync(join(SOURCES, name, '_headers'), join(out, '_headers'));
    copyFileSync(STYLE, join(desk, 'style.css'));
    copyFileSync(join(SOURCES, 'desk', 'desk.css'), join(desk, 'desk.css'));
    copyFileSync(ICON, join(desk, 'icon.svg'));
  });
}

/**
 * One folder of the sources, unless it has only parts of others.
 *
 * @param {string} name
 * @param {string} out
 */
async function buildFolder(name, out) {
  const files = readdirSync(join(SOURCES, name));
  const entries = files.filter((file) => ENTRY.test(file)).map((file) => join(SOURCES, name, file));
  if (entries.length === 0) return;
  mkdirSync(out, { recursive: true });
  for (const file of files.filter((file) => /\.(css|html)$/.test(file))) copyFileSync(join(SOURCES, name, file), join(out, file));
  await bundle(entries, out);
}

/** A script that a document loads; the others are its parts. */
const ENTRY = /^(?:index|pay|view)\.ts$/;

/**
 * @param {string[]} entryPoints
 * @param {string} outdir
 */
async function bundle(entryPoints, outdir) {
  const esbuild = await import('esbuild');
  await esbuild.build({
    absWorkingDir: root,
    entryPoints,
    outdir,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    chunkNames: 'part-[hash]',
    // The entry that imports its bytes as a module: here the browser compiles them while they come.
    conditions: ['workerd', 'module'],
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [
      {
        name: 'wasm',
        setup(build) {
          build.onLoad({ filter: /\.wasm$/ }, ({ path }) => {
            const bytes = readFileSync(path);
            const name = `${basename(path, '.wasm')}-${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}.wasm`;
            writeFileSync(join(outdir, name), bytes);
            return {
              contents: `export default await WebAssembly.compileStreaming(fetch(new URL('./${name}', import.meta.url)));`,
              loader: 'js',
            };
          });
        },
      },
    ],
  });
}

/**
 * The rules of a `_headers` file, as the platform reads them.
 *
 * @param {string} text
 * @returns {Record<string, {set: Record<string, string>}>}
 */
export function headerRules(text) {
  /** @type {Record<string, {set: Record<string, string>}>} */
  const rules = {};
  let fields = /** @type {Record<string, string>} */ ({});
  for (const line of text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))) {
    if (line.startsWith('/')) {
      fields = {};
      rules[line.trim()] = { set: fields };
    } else {
      const at = line.indexOf(':');
      fields[line.slice(0, at).trim().toLowerCase()] = line.slice(at + 1).trim();
    }
  }
  return rules;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await runMain(buildPages);
