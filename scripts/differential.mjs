// Compares values with what other libraries make of them, one by one: see docs/proof.md.
//
//   npm run differential [-- count] [--only kind] [--seed number] [--from number]
//
// Without `--only` all kinds, each with that many values [10000]. The program of tests/fuzz writes them; alloy is asked in
// Rust, viem and ethers in Node, eth-account and its libraries in Python. A value that differs is printed with the command
// that compares it again.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { buildFuzz, builtProgram } from './fuzz.mjs';
import { startProcess } from './processes.mjs';
import { findPython, preparePython } from './python.mjs';
import { setup } from './setup.mjs';
import { root, runMain, StepFailed, step } from './steps.mjs';

/** Values of each kind, unless asked. */
const COUNT = 10_000;
/** Values that one process of each library compares: a number of a failure is known after as many at most. */
const PIECE = 50_000;
const HERE = join('tests', 'fuzz', 'differential');
/** The packages of Python. */
const REQUIREMENTS = join(HERE, 'requirements.txt');
const PROGRAM = builtProgram('differential');

/**
 * The values that are compared.
 *
 * @typedef {{count: number, from: number, seed: number, only?: string}} Chosen
 */

/** Compiles the program, and installs the libraries of Python. */
export async function prepareDifferential() {
  await buildFuzz();
  const python = await preparePython(REQUIREMENTS);
  if ('leftOut' in python) console.log(`  without the libraries of Python: ${python.leftOut}`);
}

/**
 * Compares values of each kind.
 *
 * @param {Chosen} chosen
 * @param {{aside?: boolean}} [options] with `aside` in the processor time that others leave
 */
export async function compareValues({ count, from, seed, only }, { aside = false } = {}) {
  const listed = await ended(PROGRAM, ['--list'], aside);
  const kinds = listed.output
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
  if (only !== undefined && !kinds.includes(only)) throw new StepFailed(`no kind is called ${only}: there are ${kinds.join(', ')}`);
  for (const kind of kinds.filter((name) => only === undefined || name === only)) {
    let done = 0;
    /** @type {Set<string>} */
    const asked = new Set();
    const compare = async () => {
      for (; done < count; done += PIECE) {
        const piece = [kind, seed, from + done, Math.min(PIECE, count - done)].map(String);
        for (const library of await comparePiece(piece, aside)) asked.add(library);
      }
    };
    await step(`differential: ${kind}, ${count} values of seed ${seed}`, compare, () => `${done} compared`);
    console.log(`  ${kind}: ${count} values as ${[...asked].join(', ')} have them`);
  }
}

/**
 * Compares a piece with all libraries at once; their names.
 *
 * @param {string[]} piece kind, seed, first number and count
 * @param {boolean} aside
 */
async function comparePiece(piece, aside) {
  const python = await findPython(REQUIREMENTS);
  const programs = [
    [PROGRAM, '--ask', ...piece],
    [process.execPath, '--no-warnings', '--import', './scripts/typescript.mjs', join(HERE, 'javascript.ts'), PROGRAM, ...piece],
    ...('python' in python ? [[python.python, join(HERE, 'answers.py'), PROGRAM, ...piece]] : []),
  ];
  const results = await Promise.all(programs.map(([command = '', ...args]) => ended(command, args, aside)));
  for (const { code, output } of results) {
    if (code === 0) continue;
    const number = /^DIFFERS (\d+)$/m.exec(output)?.[1];
    const [kind, seed] = piece;
    const again = number === undefined ? '' : `\nagain: npm run differential -- 1 --only ${kind} --seed ${seed} --from ${number}`;
    throw new StepFailed(`${output.trimEnd()}${again}`);
  }
  return results.flatMap(
    ({ output }) =>
      /^ASKED (.*)$/m
        .exec(output)?.[1]
        ?.split(' ')
        .filter((name) => name !== '') ?? [],
  );
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {boolean} aside
 */
async function ended(command, args, aside) {
  const child = startProcess(command, args, { cwd: root, aside });
  return { code: await child.exited, output: child.output() };
}

/**
 * @param {string[]} words
 * @returns {Chosen}
 */
function chosenBy(words) {
  const chosen = { count: COUNT, from: 0, seed: 1, only: /** @type {string | undefined} */ (undefined) };
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    const name = /^--(only|seed|from)$/.exec(word)?.[1] ?? 'count';
    const value = name === 'count' ? word : (words[(at += 1)] ?? '');
    if (name === 'only') chosen.only = value;
    else if (/^\d{1,15}$/.test(value)) Object.assign(chosen, { [name]: Number(value) });
    else
      throw new StepFailed(
        `usage: npm run differential -- [count] [--only kind] [--seed number] [--from number]; ${word} is none of these`,
      );
  }
  return chosen;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runMain(async () => {
    const chosen = chosenBy(process.argv.slice(2));
    await setup();
    await prepareDifferential();
    await compareValues(chosen);
  });
}
