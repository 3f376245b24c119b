// The gate's world as one value for a client that knows it only from outside, and the controls that break it.

import { FAILING } from './gate.mjs';
import { lineOf, startGateWorld } from './gate-world.mjs';

/** Short, so that a client sees a payment recovered. */
const RECOVERY = { settle_secs: 2, resend_secs: [1, 2, 4], chain_secs: [1, 2], refund_secs: 5, manual_secs: 600, breaker_secs: 1 };

/** Starts the gate before its origin, with short timings; `line` is what a client needs. */
export async function gateLine() {
  const world = await startGateWorld([FAILING], { RECOVERY });
  return lineOf(world, { world: 'gate', routes: world.routes.map(({ path, price }) => ({ path, price })) });
}
