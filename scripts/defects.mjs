// The defects of tests/defects, planted in a copy of the sources: target/planted.
//
//   node scripts/defects.mjs            makes the copy, or says which patch no longer fits its file
//   node scripts/defects.mjs --write    writes the patches anew, from the copy as somebody has edited it
//
// tests/defects mirrors the tree. FILE.diff is what is planted in FILE: each defect is a line that a test switches on by its
// name, where the code that ships has none. What is no patch is a file that the copy alone has: the names of the defects.

import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { root, runMain, StepFailed, step } from './steps.mjs';

/**
 * The copy, a workspace of its own. It needs a folder of its own for what cargo makes of it (`target` in it, unless told
 * otherwise): cargo takes packages at one place of two workspaces for the same.
 */
const COPY = 'target/planted';
const PATCHES = 'tests/defects';
/** What is copied; everything else is the tree's own. Cargo takes a manifest that is a link for the one it leads to. */
const COPIED = ['crates', 'src', 'Cargo.toml', 'Cargo.lock'];
/** What the tree has beside its sources. */
const LEFT = ['.git', '.wrangler', 'build', 'node_modules', 'target'];

/** @type {Promise<string> | undefined} */
let planted;

/**
 * Makes the copy, or brings it up to date, once.
 *
 * @returns {Promise<string>} its folder
 */
export function plantDefects() {
  return (planted ??= makeCopy());
}

/** What stays the same keeps its time, by which cargo knows it. */
function makeCopy() {
  return step('planted defects', async () => {
    const diff = await loadDiff();
    const folder = join(root, COPY);
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(root)) {
      if (!COPIED.includes(name) && !LEFT.includes(name) && !existsSync(join(folder, name)))
        symlinkSync(join(root, name), join(folder, name));
    }
    const unfit = [];
    const files = new Map(COPIED.flatMap((name) => filesOf(name).map((file) => [file, read(root, file)])));
    for (const patch of filesOf(PATCHES)) {
      const file = patch.slice(PATCHES.length + 1);
      const target = file.replace(/\.diff$/, '');
      const plain = files.get(target);
      if (target === file) files.set(file, read(root, patch));
      else if (plain === undefined) unfit.push(`${patch}: there is no ${target}`);
      else {
        const { text, left } = plantIn(diff, plain, read(root, patch));
        files.set(target, text);
        unfit.push(...left.map((hunk) => `${patch} does not fit its file any more:\n${hunk}`));
      }
    }
    for (const [file, text] of files) keep(join(folder, file), text);
    for (const file of COPIED.flatMap((name) => filesOf(name, folder))) if (!files.has(file)) rmSync(join(folder, file));
    if (unfit.length > 0) throw new StepFailed(`${unfit.join('\n')}\nPlant it in ${COPY}, then \`node scripts/defects.mjs --write\`.`);
    return folder;
  });
}

/**
 * Loads what reads and writes patches, when it is needed: `npm test` loads this module before it installs packages.
 */
function loadDiff() {
  return import('diff');
}

/**
 * Plants what fits.
 *
 * @param {typeof import('diff')} diff
 * @param {string} plain
 * @param {string} patch
 * @returns {{ text: string, left: string[] }} the file, and the hunks that do not fit
 */
function plantIn({ applyPatch, parsePatch }, plain, patch) {
  const whole = applyPatch(plain, patch);
  if (whole !== false) return { text: whole, left: [] };
  const left = [];
  let text = plain;
  for (const { hunks, ...names } of parsePatch(patch)) {
    for (const hunk of hunks) {
      const next = applyPatch(text, { ...names, hunks: [hunk] });
      if (next === false) left.push(hunk.lines.join('\n'));
      else text = next;
    }
  }
  return { text, left };
}

/** Writes the patches of the copy as it is. */
async function writePatches() {
  const { createTwoFilesPatch } = await loadDiff();
  const copied = COPIED.flatMap((name) => filesOf(name, join(root, COPY)));
  rmSync(join(root, PATCHES), { recursive: true, force: true });
  for (const file of copied) {
    const planted = read(join(root, COPY), file);
    if (!existsSync(join(root, file))) keep(join(root, PATCHES, file), planted);
    else if (read(root, file) !== planted) {
      const patch = createTwoFilesPatch(file, file, read(root, file), planted, undefined, undefined, { context: 3 });
      keep(join(root, PATCHES, `${file}.diff`), patch.slice(patch.indexOf('--- ')));
    }
  }
}

/**
 * @param {string} folder
 * @param {string} [base]
 * @returns {string[]} the files in it, by their paths from the base
 */
function filesOf(folder, base = root) {
  if (!existsSync(join(base, folder))) return [];
  if (lstatSync(join(base, folder)).isFile()) return [folder];
  const names = readdirSync(join(base, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  return names.filter((name) => lstatSync(join(base, name)).isFile()).sort();
}

/**
 * @param {string} base
 * @param {string} file
 */
function read(base, file) {
  return readFileSync(join(base, file), 'utf8');
}

/**
 * @param {string} file
 * @param {string} text
 */
function keep(file, text) {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runMain(async () => {
    if (process.argv.includes('--write')) await writePatches();
    else await plantDefects();
  });
}
