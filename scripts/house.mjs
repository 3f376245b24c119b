// The shape of the tree in numbers, each beside its goal: what grows when code is added in a hurry.
//
//   npm run lint -- --house

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { root, run } from './steps.mjs';
import { targetFolder } from './xtask.mjs';

/** Longest line of a script that is read without scrolling, characters. */
const WIDE = 140;

/**
 * What xtask counts in Rust.
 *
 * @typedef {{lines: Record<string, number>, functions: number, 'over 60 lines': number, longest: string[], 'with a tuple as parameter': Record<string, number>, 'one-word names': string,
 *   'bare participles': string, 'docs that begin with What or Who': number, 'files with impl of one type': string[], knots: string[], 'pub items': number, 'planted defects': number}} Rust
 */

export async function printHouse() {
  await run('xtask', 'cargo', ['build', '--locked', '-p', 'xtask', '--features', 'house']);
  const rust = /** @type {Rust} */ (
    JSON.parse(execFileSync(join(targetFolder(), 'debug', 'xtask'), ['house', root], { encoding: 'utf8' }))
  );
  const sum = (/** @type {Record<string, number>} */ counts) => Object.values(counts).reduce((total, count) => total + count, 0);
  const each = (/** @type {Record<string, number>} */ counts) =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  const scripts = linesOfScripts();
  const rows = [
    ['files with `impl` of one type', rust['files with impl of one type'].join(', '), '6 at most'],
    ['files in one knot of method calls', rust.knots.join(', '), '6 at most'],
    ['functions with a tuple as parameter', `${sum(rust['with a tuple as parameter'])}: ${each(rust['with a tuple as parameter'])}`, '0'],
    ['functions over 60 lines', `${rust['over 60 lines']} of ${rust.functions}; ${rust.longest.join(', ')}`, 'tables only'],
    ['function names of one word', rust['one-word names'], '40 % at most'],
    ['names that are bare participles', rust['bare participles'], '2 % at most'],
    ['docs that begin with What or Who', String(rust['docs that begin with What or Who']), '0'],
    ['planted defects in product code', String(rust['planted defects']), '0'],
    ['`pub` items', String(rust['pub items']), 'fewer'],
    ['lines of Rust, with comments, without test modules', `${sum(rust.lines)}: ${each(rust.lines)}`, 'fewer'],
    [`lines of scripts over ${WIDE} columns`, `${scripts.wide} of ${scripts.lines}`, '0'],
    ['entries of the root', String(entriesOfRoot().length), '20 at most'],
    ['CHANGELOG.md, bytes', String(statSync(join(root, 'CHANGELOG.md')).size), 'a page'],
  ];
  for (const [point, now, goal] of rows) console.log(`| ${point} | ${now} | ${goal} |`);
}

/** Entries that the repository keeps there. */
function entriesOfRoot() {
  const known = execFileSync('git', ['ls-tree', '--name-only', 'HEAD'], { cwd: root, encoding: 'utf8' });
  return known.split('\n').filter((name) => name !== '');
}

function linesOfScripts() {
  const files = ['pkg/src', 'mcp', 'create', 'demo', 'scripts', 'tests'].flatMap((folder) => filesBelow(join(root, folder)));
  const lines = files.flatMap((file) => readFileSync(file, 'utf8').split('\n'));
  return { lines: lines.length, wide: lines.filter((line) => line.length > WIDE).length };
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ['node_modules', 'dist', 'build'].includes(entry.name) ? [] : filesBelow(path);
    return /\.(mjs|js|ts)$/.test(entry.name) && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}
