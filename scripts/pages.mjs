// Builds the pages that people see: the static files beside the gate, `PAGES` in wrangler.toml.
//
//   node scripts/pages.mjs         once the payer is built; scripts/build-pages.mjs builds its part too
//
// Writes pkg/pages/, which is not committed: `_headers` for the platform, and `_farebox/` with scripts, styles, documents and the compiled
// payer, each script under its own name and its parts under names that change with their content.

import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { root, runMain, step } from './steps.mjs';

/** The sources. */
const SOURCES = join(root, 'pkg', 'src', 'pages');
/** What is deployed. */
export const PAGES = join(root, 'pkg', 'pages');

/** Bundles the pages; the payer is built. */
export async function buildPages() {
  await step('pages', async () => {
    rmSync(PAGES, { recursive: true, force: true });
    const out = join(PAGES, '_farebox');
    mkdirSync(out, { recursive: true });
    copyFileSync(join(SOURCES, '_headers'), join(PAGES, '_headers'));
    copyFileSync(join(root, 'crates', 'base', 'src', 'page', 'style.css'), join(out, 'style.css'));
    const folders = readdirSync(SOURCES, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    for (const { name } of folders) {
      const files = readdirSync(join(SOURCES, name));
      if (!files.some((file) => ENTRY.test(file))) continue;
      mkdirSync(join(out, name));
      for (const file of files.filter((file) => /\.(css|html)$/.test(file))) copyFileSync(join(SOURCES, name, file), join(out, name, file));
      const entries = files.filter((file) => ENTRY.test(file)).map((file) => join(SOURCES, name, file));
      await bundle(entries, join(out, name));
    }
  });
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
