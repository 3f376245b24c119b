// What viem and ethers make of values, compared line by line with what this project makes of them.
//
//   node --import ./scripts/typescript.mjs tests/fuzz/differential/javascript.ts PROGRAM KIND SEED FROM COUNT
//
// PROGRAM writes the values. A value that differs is printed, with its number, and ends this.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { canonical } from './canonical.ts';
import * as ethersAnswers from './ethers.ts';
import * as viemAnswers from './viem.ts';

type Answer = (input: any) => unknown;

/** The answers of each library, by kind. */
const LIBRARIES: Record<string, Record<string, Answer>> = {
  viem: viemAnswers.answers,
  ethers: ethersAnswers.answers,
  // Canonical JSON is defined by what ECMAScript writes.
  JSON: { json: canonical },
};

const [program = '', kind = '', ...numbers] = process.argv.slice(2);
const asked = Object.entries(LIBRARIES).filter(([, answers]) => kind in answers);
const child = spawn(program, ['--lines', kind, ...numbers], { stdio: ['ignore', 'pipe', 'inherit'] });
const exited = new Promise<number | null>((resolve) => void child.on('exit', resolve));
let values = 0;
for await (const line of createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
  const { number, input, ours } = JSON.parse(line);
  values += 1;
  for (const [library, answers] of asked) {
    const theirs = await answers[kind]!(input);
    if (isDeepStrictEqual(theirs, ours)) continue;
    console.log(`${library} says ${JSON.stringify(theirs)}\nDIFFERS ${number}\n${line}`);
    process.exit(1);
  }
}
const code = await exited;
if (code !== 0 || values !== Number(numbers[2])) {
  console.log(`${program} wrote ${values} values and ended with ${code}`);
  process.exit(1);
}
console.log(`ASKED ${asked.map(([library]) => library).join(' ')}`);
