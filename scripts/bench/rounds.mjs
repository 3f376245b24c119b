// Rounds: every side does the same in turn, the one that goes first changes, and what counts is the quotient within a round.

/** @typedef {import('./sides.mjs').Runner} Runner */

/**
 * @typedef {object} Measured one side in one round
 * @property {number} cpuUs processor time of the Worker per request
 * @property {number} wallMs median time of an answer
 * @property {number} perSecond requests per second
 * @property {import('./load.mjs').Answer[]} answers
 */

/**
 * Sends the shots and measures the Worker meanwhile.
 *
 * @param {Runner} side
 * @param {import('./load.mjs').Shot[]} shots
 * @param {number} atOnce
 * @returns {Promise<Measured>}
 */
export async function measure(side, shots, atOnce) {
  const before = side.processor.nanoseconds();
  const start = performance.now();
  const answers = await side.client.all(shots, atOnce);
  const perSecond = (shots.length * 1000) / (performance.now() - start);
  // What goes on behind the last answer belongs to it.
  await new Promise((resolve) => setTimeout(resolve, TRAILING_MS));
  const cpuUs = (side.processor.nanoseconds() - before) / 1000 / shots.length;
  return { cpuUs, wallMs: median(answers.map(({ totalMs }) => totalMs)), perSecond, answers };
}

const TRAILING_MS = 25;

/**
 * Plays rounds; the result has one list per side, in the order of the rounds.
 *
 * @template T
 * @template Side
 * @param {Side[]} sides
 * @param {number} rounds
 * @param {(side: Side) => Promise<T>} play
 * @returns {Promise<T[][]>}
 */
export async function playRounds(sides, rounds, play) {
  /** @type {T[][]} */
  const results = sides.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < sides.length; turn += 1) {
      const index = (turn + round) % sides.length;
      const side = sides[index];
      if (side !== undefined) results[index]?.push(await play(side));
    }
  }
  return results;
}

/**
 * @param {number[]} values at least one
 * @returns {number}
 */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/**
 * The quotients of two lists, round by round: their median and their range.
 *
 * @param {number[]} dividends
 * @param {number[]} divisors
 * @returns {{median: number, least: number, greatest: number}}
 */
export function quotients(dividends, divisors) {
  const all = dividends.map((dividend, round) => dividend / (divisors[round] ?? Number.NaN));
  return { median: median(all), least: Math.min(...all), greatest: Math.max(...all) };
}

/**
 * The middle half of a list: its quartiles.
 *
 * @param {number[]} values at least one
 * @returns {[number, number]}
 */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (/** @type {number} */ part) => sorted[Math.round((sorted.length - 1) * part)] ?? Number.NaN;
  return [at(0.25), at(0.75)];
}

/**
 * The figures of two sides, each with its spread: the medians of two lists, and their quotients.
 *
 * @param {number[]} ours
 * @param {number[]} theirs
 * @param {{inverse?: boolean}} [options] whether theirs are divided by ours, so that more is better
 */
export function compared(ours, theirs, { inverse = false } = {}) {
  return {
    ours: median(ours),
    ourSpread: spread(ours),
    theirs: median(theirs),
    theirSpread: spread(theirs),
    ratio: inverse ? quotients(theirs, ours) : quotients(ours, theirs),
  };
}

/**
 * @param {boolean} holds
 * @param {string} otherwise
 */
export function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}
