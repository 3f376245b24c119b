// Test files that failed run once more, alone, when all others have ended. One that passes then is flaky: both of its outputs are
// printed, tests/flaky.md gets a line with its cause, and the run goes on.

import { attempt, StepFailed } from './steps.mjs';

/** So many failures are no accident. */
const MOST = 5;
/** Where the runner of tests begins to repeat what failed. */
const FAILURES = '✖ failing tests:';

/** @type {{file: string, output: string}[]} */
const failures = [];

/**
 * Keeps what failed in a run of `files.mjs` for later. Returns the files, none if the run itself failed.
 *
 * @param {string} output
 * @returns {string[]}
 */
export function keepFailures(output) {
  const files = [...output.matchAll(/^ℹ failed: (\S+)$/gm)].map(([, file = '']) => file);
  failures.push(...files.map((file) => ({ file, output: output.slice(Math.max(0, output.lastIndexOf(FAILURES))) })));
  return files;
}

/**
 * Runs what failed once more.
 *
 * @param {string} program
 * @param {string[]} args those before the file
 */
export async function runFailuresAgain(program, args) {
  if (failures.length > MOST) throw new StepFailed(`${failures.length} files failed: ${failures.map(({ file }) => file).join(', ')}`);
  /** @type {string[]} */
  const twice = [];
  for (const { file, output: first } of failures) {
    const { code, output } = await attempt(`once more, alone: ${file}`, program, [...args, file]);
    const head = code === 0 ? `FLAKY ${file}: it failed beside others and passed alone` : `${file}: it failed beside others and alone`;
    console.log(`\n${head}. First:\n${first.trimEnd()}\n\nThen:\n${output.trimEnd()}\n`);
    if (code !== 0) twice.push(file);
  }
  if (twice.length > 0) throw new StepFailed(`failed twice: ${twice.join(', ')}`);
}
