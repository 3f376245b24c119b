// The world of sessions as one value for a client that knows it only from outside, and the controls that break it.

import { lineOf } from './gate-world.mjs';
import { ROUTE, STREAM, startSessionsWorld } from './sessions-world.mjs';

/** Starts the world; `line` is what a client needs. */
export async function sessionsLine() {
  const world = await startSessionsWorld();
  return lineOf(world, {
    world: 'sessions',
    url: world.url,
    price: ROUTE.price,
    stream: world.stream,
    secondPrice: STREAM.session_unit_price,
    withdrawDelaySecs: ROUTE.session_delay_secs,
  });
}
