// Runs the built market in workerd, as scripts/miniflare.mjs runs the gate, with a clock that can be set ahead.

import { drawToken } from '../demo/beginning.mjs';
import { startWithClock } from './clock.mjs';

/**
 * @typedef {Awaited<ReturnType<typeof startMarket>>} Market
 */

/**
 * @param {import('./miniflare.mjs').WorkerOptions} [options]
 */
export function startMarket(options) {
  return startWithClock(
    {
      name: 'farebox-market',
      build: 'build/market',
      objects: { SKILLS: 'Skills', EXCHANGE: 'Exchange' },
      secrets: () => ({ MARKET_SECRET: drawToken(32), OPERATOR_TOKEN: drawToken(16) }),
    },
    options,
  );
}
