// A gate that sells by session besides what every gate of these worlds sells.

import { startGateWorld } from './gate-world.mjs';

/** What is sold: a request for a tenth of a cent, alone or by session. */
export const ROUTE = { path: '/report/live', methods: ['GET'], price: '$0.001', session_delay_secs: 900, description: 'One measurement' };
/** Its price in atomic units. */
export const UNIT = 1_000n;

/** @typedef {Awaited<ReturnType<typeof startSessionsWorld>>} SessionsWorld */

/** Starts all of it; `stop()` ends it. */
export async function startSessionsWorld() {
  const world = await startGateWorld([ROUTE]);
  return { ...world, url: `${world.gate.url}${ROUTE.path}` };
}
