// Runs the built market in workerd, as scripts/miniflare.mjs runs the gate, with a clock that can be set ahead.

import { randomBytes } from 'node:crypto';

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
      secrets: () => ({ MARKET_SECRET: randomBytes(32).toString('hex'), OPERATOR_TOKEN: randomBytes(16).toString('hex') }),
    },
    options,
  );
}
