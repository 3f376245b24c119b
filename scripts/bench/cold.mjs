// A runtime that has just started: what its first request costs.

import { compared, expect, measure } from './rounds.mjs';
import { startSide } from './sides.mjs';

/** @typedef {import('./scenarios.mjs').Stage} Stage */
/** @typedef {import('./scenarios.mjs').Line} Line */

/**
 * The first request of a new isolate, a 402: processor time, waiting time, and the time from the start of the runtime
 * to the answer.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
export async function cold({ backend, choice, rounds }) {
  backend.delay(0, 0);
  const names = /** @type {const} */ (['farebox', '@x402/hono']);
  /** @type {Record<string, {cpuUs: number, wallMs: number, startMs: number}[]>} */
  const all = { [names[0]]: [], [names[1]]: [] };
  for (let round = -1; round < rounds; round += 1) {
    for (const turn of [0, 1]) {
      const name = names[(turn + round + 2) % 2] ?? names[0];
      const start = performance.now();
      const side = await startSide(name, backend, choice);
      const { cpuUs, wallMs, answers } = await measure(side, [{ path: '/after', headers: {} }], 1);
      const startMs = performance.now() - start;
      await side.stop();
      for (const { status, text } of answers) expect(status === 402, `cold: ${name} answered ${status}: ${text.slice(0, 200)}`);
      // In the first round the scripts are bundled.
      if (round >= 0) all[name]?.push({ cpuUs, wallMs, startMs });
    }
  }
  return (/** @type {const} */ ([['cpuUs', 'processor', 'µs', ''], ['wallMs', 'time', 'ms', '≤ 1.0× its time'], ['startMs', 'start to first 402', 'ms', '≤ 1.0× its time']])).map(
    ([key, what, unit, goal]) => {
      const [ours, theirs] = names.map((name) => (all[name] ?? []).map((measured) => measured[key]));
      const figures = compared(ours ?? [], theirs ?? []);
      return { scenario: `cold, ${what}`, unit, peer: names[1], ...figures, goal, met: goal === '' ? null : figures.ratio.median <= 1 };
    },
  );
}
