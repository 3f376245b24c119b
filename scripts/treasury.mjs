// Runs the built treasury in workerd, as scripts/miniflare.mjs runs the gate, with a clock that can be set ahead.

import { drawToken } from '../demo/beginning.mjs';
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
      secrets: () => ({ TREASURY_SECRET: drawToken(32), OPERATOR_TOKEN: drawToken(16) }),
    },
    options,
  );
}
