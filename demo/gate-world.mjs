// The gate's worlds: chain, the published facilitator, an origin and the built gate, with switches between them that cut or delay, and a gate that can be killed.

import { startWithClock } from '../scripts/clock.mjs';
import { GATE } from '../scripts/miniflare.mjs';
import { drawToken, storage } from './beginning.mjs';
import { BATCH_SETTLEMENT, NETWORK, startChain } from './chain.mjs';
import { chainControls, startControls, switched } from './controls.mjs';
import { startFacilitator } from './facilitator.mjs';
import { gateVars } from './gate.mjs';
import { startOrigin } from './origin.mjs';
import { parts } from './parts.mjs';
import { startSwitch } from './switch.mjs';

/** @typedef {Awaited<ReturnType<typeof startGateWorld>>} GateWorld */

/**
 * Starts all of it; `stop()` ends it.
 *
 * @param {{path: string, price: string}[]} routes what is sold besides {@link gateVars}
 * @param {object} [vars] further variables of the gate
 */
export async function startGateWorld(routes, vars = {}) {
  const { keep, stop } = parts();
  try {
    const secrets = { OPERATOR_TOKEN: drawToken(16), ORIGIN_SECRET: drawToken(32) };
    const chain = keep(await startChain());
    const facilitator = keep(await startFacilitator({ chain }));
    const origin = keep(await startOrigin({ secret: secrets.ORIGIN_SECRET }));
    const switches = {
      facilitator: keep(await startSwitch(facilitator.url)),
      node: keep(await startSwitch(chain.url)),
      origin: keep(await startSwitch(origin.url)),
    };
    const { folder: persist } = keep(storage('world'));
    const sold = gateVars({ chain, facilitator: switches.facilitator, origin: switches.origin });
    const ROUTES = [...sold.ROUTES, ...routes];
    const gate = keep(
      await startWithClock(GATE, {
        build: process.env.FAREBOX_BUILD ?? 'build',
        persist,
        secrets,
        vars: { ...sold, ROUTES, RPC_URL: switches.node.url, ...vars },
      }),
    );
    return {
      chain,
      facilitator,
      origin,
      gate,
      switches,
      secrets,
      routes: ROUTES,
      stop,
      /**
       * Moves the clock of gate, origin and chain. Clients that sign by the machine's own clock are refused from then on, where a time is signed.
       *
       * @param {number} secs
       */
      async wait(secs) {
        await chain.rpc('evm_increaseTime', [secs]);
        await chain.rpc('evm_mine', []);
        origin.ahead(secs);
        await gate.ahead(secs);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * What a client needs that knows the world only from outside, and the controls that break it.
 *
 * @template {object} M
 * @param {GateWorld} world
 * @param {M} more what this world has besides
 */
export async function lineOf(world, more) {
  const { chain, facilitator, origin, gate, switches, secrets, wait, stop } = world;
  try {
    const controls = await startControls({
      facilitator: switched(switches.facilitator),
      node: switched(switches.node),
      origin: switched(switches.origin),
      kill: () => gate.kill(),
      restart: () => gate.restart(),
      clock: ({ secs }) => wait(Number(secs)),
      ...chainControls(chain),
    });
    const { payer, payers, payee } = chain.accounts;
    return {
      stop: async () => {
        await controls.stop();
        await stop();
      },
      line: {
        gate: gate.url,
        operatorToken: secrets.OPERATOR_TOKEN,
        originSecret: secrets.ORIGIN_SECRET,
        origin: origin.url,
        chain: { url: chain.url, network: NETWORK, token: chain.token.address, payee: payee.address, contract: BATCH_SETTLEMENT },
        facilitator: facilitator.url,
        funded: [payer, ...payers].map(({ address, privateKey }) => ({ address, privateKey })),
        controls: controls.urls,
        ...more,
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
