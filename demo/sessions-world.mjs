// A gate that sells by session besides what every gate of these worlds sells.

import { account, PAYEE, PAYMENT_CHANNEL } from './chain.mjs';
import { startGateWorld } from './gate-world.mjs';

/** What is sold: a request for a tenth of a cent, alone or by session. */
export const ROUTE = { path: '/report/live', methods: ['GET'], price: '$0.001', session_delay_secs: 900, description: 'One measurement' };
/** What is sold by session of MPP: events, by the second. */
export const STREAM = {
  path: '/events/live',
  methods: ['GET'],
  price: '$0.01',
  mime_type: 'text/event-stream',
  description: 'Live events',
  session_escrow: PAYMENT_CHANNEL,
  session_unit: 'second',
  session_unit_price: '$0.001',
  session_step: 1,
};
/** The price of a request, and of a second, in atomic units. */
export const UNIT = 1_000n;

/** @typedef {Awaited<ReturnType<typeof startSessionsWorld>>} SessionsWorld */

/** Starts all of it; `stop()` ends it. */
export async function startSessionsWorld() {
  const world = await startGateWorld([ROUTE, STREAM], { PAYEE_KEY: account(PAYEE).privateKey });
  return { ...world, url: `${world.gate.url}${ROUTE.path}`, stream: `${world.gate.url}${STREAM.path}` };
}
