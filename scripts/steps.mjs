// Progress for a person while commands run: one line when a step starts to matter, a heartbeat on
// long ones, one line with its time when it is done.

import { fileURLToPath } from 'node:url';

import { endAll, isEnding, startProcess } from './processes.mjs';

/** A step failed; its output has been printed. */
export class StepFailed extends Error {}

const began = Date.now();

/**
 * Runs a piece of work under a name and returns its result.
 *
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work
 * @param {() => string} [doing] what it does at the moment, after lines that a person should see at once
 * @returns {Promise<T>}
 */
export async function step(name, work, doing = () => '') {
  const start = Date.now();
  console.log(`… ${name}`);
  const heart = setInterval(() => {
    const lines = doing().split('\n');
    const now = lines.pop() || 'still at it';
    for (const line of [...lines, `… ${name}, ${seconds(start)}: ${now}`]) console.log(line);
  }, HEARTBEAT_MS);
  try {
    const result = await work();
    console.log(`✓ ${name}, ${seconds(start)}`);
    return result;
  } catch (error) {
    console.log(`✗ ${name}, ${seconds(start)}`);
    throw error;
  } finally {
    clearInterval(heart);
  }
}

/**
 * Runs a program as a step: quiet when it succeeds, all its output when it fails. Returns the output.
 *
 * @param {string} name
 * @param {string} command
 * @param {string[]} args
 * @param {Options} [options]
 * @returns {Promise<string>}
 */
export function run(name, command, args, options = {}) {
  return start(name, command, args, options, ({ code, output }) => {
    if (code === 0) return output;
    console.log(output.trimEnd());
    throw new StepFailed(`${name} failed: \`${[command, ...args].join(' ')}\` ended with ${code}`);
  });
}

/**
 * Runs a program as a step that may fail: the caller judges how it ended.
 *
 * @param {string} name
 * @param {string} command
 * @param {string[]} args
 * @param {Options} [options]
 * @returns {Promise<Ended>}
 */
export function attempt(name, command, args, options = {}) {
  return start(name, command, args, options, (ended) => ended);
}

/**
 * @typedef {{cwd?: string, env?: NodeJS.ProcessEnv, aside?: boolean}} Options
 * @typedef {{code: number, output: string}} Ended
 */

/**
 * @template T
 * @param {string} name
 * @param {string} command
 * @param {string[]} args
 * @param {Options} options
 * @param {(ended: Ended) => T} judge
 * @returns {Promise<T>}
 */
function start(name, command, args, options, judge) {
  /** @type {import('./processes.mjs').Child | undefined} */
  let child;
  const work = async () => {
    child = startProcess(command, args, { cwd: root, ...options });
    const code = await child.exited;
    if (isEnding()) await new Promise(() => {});
    return judge({ code, output: child.output() });
  };
  let seen = 0;
  return step(name, work, () => {
    const output = child?.output() ?? '';
    const end = output.lastIndexOf('\n') + 1;
    const failures = output.slice(seen, end).match(FAILURE) ?? [];
    seen = Math.max(seen, end);
    return [...failures, lastLine(output)].join('\n');
  });
}

/** A test that has failed: whoever ends the run early should have seen it. */
const FAILURE = /^ *✖ .*\(\d.*$/gm;

/** @param {string} output */
function lastLine(output) {
  return output.trimEnd().split('\n').at(-1)?.trim().slice(0, LINE_LETTERS) ?? '';
}

/**
 * Runs a command's main function: its failure becomes one sentence and exit code 1, and at once
 * ends the processes running beside it.
 *
 * @param {() => Promise<unknown>} main
 */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof StepFailed ? `\n${error.message}` : error);
    await endAll();
    process.exit(1);
  }
}

/** @returns {string} the time since this process began, as `12.3 s` */
export function elapsed() {
  return seconds(began);
}

/**
 * @param {number} start
 */
function seconds(start) {
  return `${((Date.now() - start) / 1000).toFixed(1)} s`;
}

/** The folder of the repository, without a trailing slash. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '');

const HEARTBEAT_MS = 10_000;
const LINE_LETTERS = 80;
