// A gate that sells by session: chain, the published facilitator, an origin, and the built gate, which can be killed.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startGate } from '../scripts/miniflare.mjs';
import { startChain } from './chain.mjs';
import { startFacilitator } from './facilitator.mjs';
import { gateVars } from './gate.mjs';
import { startOrigin } from './origin.mjs';
import { parts } from './parts.mjs';
import { startSwitch } from './switch.mjs';

/** What is sold: a request for a tenth of a cent, alone or by session. */
export const ROUTE = { path: '/report/live', methods: ['GET'], price: '$0.001', session_delay_secs: 900, description: 'One measurement' };
/** Its price in atomic units. */
export const UNIT = 1_000n;

/** @typedef {Awaited<ReturnType<typeof startSessionsWorld>>} SessionsWorld */

/** Starts all of it; `stop()` ends it. */
export async function startSessionsWorld() {
  const { keep, stop } = parts();
  try {
    const secrets = { OPERATOR_TOKEN: randomBytes(16).toString('hex'), ORIGIN_SECRET: randomBytes(32).toString('hex') };
    const chain = keep(await startChain());
    const facilitator = keep(await startFacilitator({ chain }));
    const origin = keep(await startOrigin({ secret: secrets.ORIGIN_SECRET }));
    const switches = { facilitator: keep(await startSwitch(facilitator.url)), node: keep(await startSwitch(chain.url)), origin: keep(await startSwitch(origin.url)) };
    const persist = mkdtempSync(join(tmpdir(), 'farebox-sessions-'));
    keep({ stop: async () => rmSync(persist, { recursive: true, force: true }) });
    const vars = gateVars({ chain, facilitator: switches.facilitator, origin: switches.origin });
    const gate = keep(await startGate({
      build: process.env.FAREBOX_BUILD ?? 'build', persist, secrets,
      vars: { ...vars, ROUTES: [...vars.ROUTES, ROUTE], RPC_URL: switches.node.url },
    }));
    return { chain, facilitator, origin, gate, switches, secrets, url: `${gate.url}${ROUTE.path}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
