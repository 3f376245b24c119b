// Runs the built treasury in workerd, as scripts/miniflare.mjs runs the gate, with a clock that can be set ahead.

import { randomBytes } from 'node:crypto';

import { startWithClock } from './clock.mjs';

/**
 * @typedef {Awaited<ReturnType<typeof startTreasury>>} Treasury
 */

/**
 * @param {import('./miniflare.mjs').WorkerOptions} [options]
 */
export function startTreasury(options) {
  return startWithClock(
    {
      name: 'farebox-treasury',
      build: 'build/treasury',
      objects: { TREASURY: 'Treasury' },
      secrets: () => ({ TREASURY_SECRET: randomBytes(32).toString('hex'), OPERATOR_TOKEN: randomBytes(16).toString('hex') }),
    },
    options,
  );
}
