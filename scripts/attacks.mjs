// The tests of each attack and invariant: fills the last column of docs/security/attacks.md from the marks in the tests.
//
//   node scripts/attacks.mjs
//
// A mark is a comment of ids alone in the line above a test, in Rust as in TypeScript: `// A-34, I-14`. Where no test can show a row, its
// last cell says why, and begins with "None:".

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { root, runMain, StepFailed } from './steps.mjs';

/**
 * A test that an id stands above.
 *
 * @typedef {object} Mark
 * @property {string} id
 * @property {string} file from the root
 * @property {string} test its name; parts that vary are `…`
 */

export const PAGE = 'docs/security/attacks.md';
/** Where tests are. */
const FOLDERS = ['crates', 'tests'];
const FOREIGN = ['node_modules', 'target', 'dist', 'build', 'vectors', 'corpus'];
const MARK = /^\s*\/\/ ((?:[AI]-\d+(?:, |,?$))+)$/;
const ROW = /^\| ([AI]-\d+) \|.* \| (.*) \|$/;
const ATTRIBUTE = /^\s*(?:#\[|\/\/)/;
const RUST_TEST = /^\s*(?:pub )?fn (\w+)\(/;
const LOOP = /^\s*for \(/;
const TEST = /^\s*(?:it|test|describe)(?:\.\w+)?\(/;
const SCRIPT_TEST = /^\s*(?:it|test|describe)(?:\.\w+)?\(\s*(['"`])(.*)/;

/**
 * @param {string} file from the root
 * @param {string} text
 * @returns {Mark[]}
 */
export function marksOf(file, text) {
  const lines = text.split('\n');
  return lines.flatMap((line, at) => {
    const ids = MARK.exec(line)?.[1];
    if (ids === undefined) return [];
    const test = nameOf(file, lines.slice(at + 1));
    if (test === undefined) throw new StepFailed(`${file}:${at + 1}: no test stands below ${ids}`);
    return ids.split(/, ?/).flatMap((id) => (id === '' ? [] : [{ id, file, test }]));
  });
}

/**
 * The name of the test that begins there, behind attributes, further comments and a loop without braces.
 *
 * @param {string} file
 * @param {readonly string[]} lines
 */
function nameOf(file, lines) {
  const next = lines.findIndex((line) => !ATTRIBUTE.test(line));
  if (file.endsWith('.rs')) return RUST_TEST.exec(lines[next] ?? '')?.[1];
  const first = LOOP.test(lines[next] ?? '') ? lines.findIndex((line) => TEST.test(line)) : next;
  return first < 0 ? undefined : titleOf(lines.slice(first).join(' '));
}

/** @param {string} text that begins with a test */
function titleOf(text) {
  const [, quote, rest] = SCRIPT_TEST.exec(text) ?? [];
  if (quote === undefined || rest === undefined) return undefined;
  const parts = rest.replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…').split(quote);
  const end = parts.findIndex((part) => !part.endsWith('\\'));
  return parts
    .slice(0, end + 1)
    .map((part) => part.replace(/\\$/, ''))
    .join(quote)
    .replaceAll('`', '');
}

/** @returns {Mark[]} those of the repository */
export function readMarks() {
  return FOLDERS.flatMap(filesBelow).flatMap((file) => marksOf(file, readFileSync(join(root, file), 'utf8')));
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesBelow(folder) {
  const entries = readdirSync(join(root, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return FOREIGN.includes(entry.name) ? [] : filesBelow(path);
    return /\.(rs|ts)$/.test(entry.name) ? [path] : [];
  });
}

/**
 * The page with the tests of each row.
 *
 * @param {string} page
 * @param {readonly Mark[]} marks
 */
export function fillPage(page, marks) {
  const rows = page.split('\n').map((line) => ROW.exec(line)?.[1]);
  const unknown = marks.filter(({ id }) => !rows.includes(id));
  if (unknown.length > 0) throw new StepFailed(`${PAGE} has no ${unknown.map(({ id, file }) => `${id} of ${file}`).join(', ')}`);
  const twice = rows.filter((id, at) => id !== undefined && rows.indexOf(id) !== at);
  if (twice.length > 0) throw new StepFailed(`${PAGE} has more than one ${twice.join(', ')}`);
  return page
    .split('\n')
    .map((line) => {
      const [, id, cell = ''] = ROW.exec(line) ?? [];
      if (id === undefined) return line;
      const tests = marks.filter((mark) => mark.id === id).map(({ file, test }) => `[\`${test}\`](../../${file})`);
      if (tests.length > 0) return `${line.slice(0, -cell.length - 2)}${tests.join('<br>')} |`;
      if (!cell.startsWith('None: ')) throw new StepFailed(`${id} has no test: mark one, or say "None: " and why in ${PAGE}`);
      return line;
    })
    .join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runMain(async () => {
    const path = join(root, PAGE);
    writeFileSync(path, fillPage(readFileSync(path, 'utf8'), readMarks()));
  });
}
