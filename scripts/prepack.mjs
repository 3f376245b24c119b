// Refuses to pack a package that was not built, or whose sources are newer than what was built from them.
//
//   npm pack, in the folder of a package

import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * What is wrong with a package's folder; empty if it can be packed.
 *
 * @param {string} folder
 * @returns {string[]}
 */
export function unbuilt(folder) {
  const { bin, exports, imports, files } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const missing = [...new Set([...targets([bin, exports, imports]), ...files])].filter((file) => !existsSync(join(folder, file)));
  const source = join(folder, 'src');
  const sources = (existsSync(source) ? readdirSync(source, { recursive: true }) : [])
    .map(String)
    // The pages are bundled into folders of their own.
    .filter((file) => file.endsWith('.ts') && !file.startsWith('pages'));
  const old = sources.filter((file) => {
    // Its types: a package may bundle its scripts.
    const built = join(folder, 'dist', file.replace(/ts$/, 'd.ts'));
    return !existsSync(built) || statSync(built).mtimeMs < statSync(join(source, file)).mtimeMs;
  });
  return [...missing.map((file) => `${file} is missing`), ...old.map((file) => `dist is older than src/${file}`)];
}

/**
 * Every path in such maps.
 *
 * @param {unknown} map
 * @returns {string[]}
 */
function targets(map) {
  if (typeof map === 'string') return [map.replace(/^\.\//, '')];
  return Object.values(map ?? {}).flatMap(targets);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const wrong = unbuilt('.');
  if (wrong.length > 0) {
    console.error(`the package is not built:\n  ${wrong.join('\n  ')}\nrun \`npm run build:pkg\` first`);
    process.exitCode = 1;
  }
}
