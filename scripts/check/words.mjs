// What every command of the check does with its words, before its own work and after it.

import { inspect, parseArgs } from 'node:util';

import { visibleLines } from '../../pkg/src/visible.js';
import { Unusable } from './unusable.mjs';

/**
 * Prints text that may hold what others wrote: no character of it moves the cursor.
 *
 * @param {string} text
 */
export const say = (text) => console.log(visibleLines(text));

/**
 * Prints it to standard error.
 *
 * @param {string} text
 */
export const complain = (text) => console.error(visibleLines(text));

/**
 * Reads the words, prints the help, or works; resolves to the exit code. What cannot be used is 2.
 *
 * @template {import('node:util').ParseArgsConfig['options']} O
 * @param {{args: string[], options: O, usage: string, help: (usage: string) => string}} said
 * @param {(values: any) => Promise<number>} work is given the values of the options
 * @returns {Promise<number>}
 */
export async function runCommand({ args, options, usage, help }, work) {
  /** @type {any} */
  let values;
  try {
    ({ values } = parseArgs({ args, options }));
  } catch (error) {
    complain(`${error instanceof Error ? error.message : error}\nusage: ${usage}`);
    return 2;
  }
  if (values.help) {
    console.log(help(usage));
    return 0;
  }
  try {
    return await work(values);
  } catch (error) {
    complain(error instanceof Unusable ? error.message : inspect(error));
    return 2;
  }
}
