// A runtime that has just started: what its first request costs.

import { channel } from 'node:diagnostics_channel';

import { compared, expect, measure } from './rounds.mjs';
import { startSide } from './sides.mjs';

/** @typedef {import('./scenarios.mjs').Stage} Stage */
/** @typedef {import('./scenarios.mjs').Line} Line */

/** When a process was started last: what the harness does before that, such as writing a compiled module into its configuration, is not the runtime's. */
let started = 0;
channel('child_process').subscribe(() => {
  started = performance.now();
});

/**
 * The first request of a new isolate, a 402: processor time, waiting time, and the time from the start of the runtime
 * to the answer. Each side is the only Worker of its runtime, and sells by the same routes. The last peer is the floor: a script of a hundred lines, with an object class as the gate has.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
export async function cold({ backend, choice, rounds }) {
  backend.delay(0, 0);
  const names = /** @type {const} */ (['farebox', '@x402/hono', 'three calls']);
  /** @type {Record<string, {cpuUs: number, wallMs: number, startMs: number}[]>} */
  const all = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = -1; round < rounds; round += 1) {
    for (const turn of names.keys()) {
      const name = names[(turn + round + names.length) % names.length] ?? names[0];
      const side = await startSide(name, backend, { ...choice, alone: true }, undefined, SOLD);
      const { cpuUs, wallMs, answers } = await measure(side, [{ path: '/after', headers: {} }], 1);
      const startMs = performance.now() - started;
      await side.stop();
      for (const { status, text } of answers) expect(status === 402, `cold: ${name} answered ${status}: ${text.slice(0, 200)}`);
      // In the first round the scripts are bundled.
      if (round >= 0) all[name]?.push({ cpuUs, wallMs, startMs });
    }
  }
  return names.slice(1).flatMap((peer) =>
    /** @type {const} */ ([
      ['cpuUs', 'processor', 'µs', 0],
      ['wallMs', 'time', 'ms', 1],
      ['startMs', 'start to first 402', 'ms', 1.05],
    ]).map(([key, what, unit, most]) => {
      const [ours, theirs] = [names[0], peer].map((name) => (all[name] ?? []).map((measured) => measured[key]));
      const figures = compared(ours ?? [], theirs ?? []);
      const hasGoal = peer === names[1] && most > 0;
      return {
        scenario: `cold, ${what}`,
        unit,
        peer,
        ...figures,
        goal: hasGoal ? `≤ ${most}× its time` : '',
        met: hasGoal ? figures.ratio.median <= most : null,
      };
    }),
  );
}

const SOLD = {
  ROUTES: [
    { path: '/after', methods: ['GET'], price: '$0.01', description: 'Paid after the answer' },
    { path: '/before', methods: ['GET'], price: '$0.01', settle: 'before', description: 'Paid before the answer' },
  ],
};
