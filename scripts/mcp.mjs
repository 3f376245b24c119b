// Builds the package farebox-mcp: its own code and the MCP SDK in a script for each entry, and types.
//
//   node scripts/mcp.mjs
//
// The SDK is bundled, so that a program that holds a key installs two packages and not a hundred; the
// versions are those of package-lock.json, and LICENSES.txt has the notices. Needs `npm run build:pkg`.

import { existsSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { root, run, runMain, StepFailed, step } from './steps.mjs';

const FOLDER = join(root, 'mcp');

export async function buildMcp() {
  const out = join(FOLDER, 'dist');
  rmSync(out, { recursive: true, force: true });
  await run('farebox-mcp types', process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'mcp/tsconfig.json']);
  await step('farebox-mcp', async () => {
    const esbuild = await import('esbuild');
    const { metafile } = await esbuild.build({
      absWorkingDir: FOLDER,
      entryPoints: ['src/main.ts', 'src/index.ts'],
      outdir: out,
      bundle: true,
      splitting: true,
      metafile: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      external: ['farebox', 'farebox/*'],
      legalComments: 'none',
      logLevel: 'warning',
      // CommonJS packages inside ask for Node's own modules.
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    });
    writeFileSync(join(out, 'LICENSES.txt'), noticesOf(Object.keys(metafile.inputs)));
  });
}

/**
 * The licences of what is bundled, package by package.
 *
 * @param {string[]} inputs paths, seen from the package
 */
function noticesOf(inputs) {
  const folders = new Set(
    inputs.map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter((path) => path !== undefined),
  );
  const notices = [...folders]
    .map((folder) => join(FOLDER, folder))
    .map((path) => {
      const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
      const file = readdirSync(path).find((candidate) => /^licen[cs]e/i.test(candidate));
      if (file === undefined && license === undefined) throw new StepFailed(`${name} names no licence`);
      return {
        name,
        text: `${name} ${version} (${license})\n\n${file === undefined ? '' : readFileSync(join(path, file), 'utf8').trim()}\n`,
      };
    });
  return notices
    .sort((one, other) => one.name.localeCompare(other.name))
    .map(({ text }) => text)
    .join(`\n${'-'.repeat(80)}\n\n`);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    if (!existsSync(join(root, 'pkg', 'dist', 'index.js'))) {
      const { buildPayer } = await import('./pkg.mjs');
      await buildPayer();
    }
    await buildMcp();
  });
}
