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
/** Kinds that others sign and recover, which takes them a millisecond for each value. */
const SLOW = ['signatures', 'recovery', 'sent', 'read'];
/** So many values of these are compared for each change. */
const COUNT_OF_SLOW = 1_000;
/** Values that one process of each library compares: a number of a failure is known after as many at most. */
const PIECE = 50_000;
const HERE = join('tests', 'fuzz', 'differential');
/** The packages of Python. */
const REQUIREMENTS = join(HERE, 'requirements.txt');
const PROGRAM = builtProgram('differential');

/**
 * Values of a kind: so many of a seed, from a number.
 *
 * @typedef {{kind: string, count: number, from: number, seed: number}} Values
 */

/** Compiles the program, and installs the libraries of Python. */
export async function prepareDifferential() {
  await buildFuzz();
  const python = await preparePython(REQUIREMENTS);
  if ('leftOut' in python) console.log(`  without the libraries of Python: ${python.leftOut}`);
}

/** Compares values of each kind for a change, in the processor time that others leave. */
export async function compareSome() {
  for (const kind of await listKinds())
    await compareValues({ kind, count: SLOW.includes(kind) ? COUNT_OF_SLOW : COUNT, from: 0, seed: 1 }, { aside: true });
}

/** @returns {Promise<string[]>} the names of all kinds */
async function listKinds() {
  const { output } = await ended(PROGRAM, ['--list'], false);
  return output
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
}

/**
 * Compares values of a kind.
 *
 * @param {Values} values
 * @param {{aside?: boolean}} [options]
 */
async function compareValues({ kind, count, from, seed }, { aside = false } = {}) {
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
  for (const [at, { code, output }] of results.entries()) {
    if (code === 0) continue;
    const number = /^DIFFERS (\d+)$/m.exec(output)?.[1];
    const [kind, seed] = piece;
    const again = number === undefined ? '' : `\nagain: npm run differential -- 1 --only ${kind} --seed ${seed} --from ${number}`;
    throw new StepFailed(`${output.trimEnd()}\n${programs[at]?.[0]} ended with ${code}${again}`);
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
 * @returns {Values} of all kinds if it names none
 */
function chosenBy(words) {
  const chosen = { kind: '', count: COUNT, from: 0, seed: 1 };
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    const name = /^--(only|seed|from)$/.exec(word)?.[1] ?? 'count';
    const value = name === 'count' ? word : (words[(at += 1)] ?? '');
    if (name === 'only') chosen.kind = value;
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
    const kinds = await listKinds();
    if (chosen.kind !== '' && !kinds.includes(chosen.kind))
      throw new StepFailed(`no kind is called ${chosen.kind}: there are ${kinds.join(', ')}`);
    for (const kind of chosen.kind === '' ? kinds : [chosen.kind]) await compareValues({ ...chosen, kind });
  });
}
