// The world of sessions as one value for a client that knows it only from outside, and the controls that break it.

import { BATCH_SETTLEMENT, NETWORK } from './chain.mjs';
import { startControls } from './controls.mjs';
import { ROUTE, startSessionsWorld } from './sessions-world.mjs';

/** Starts the world; `line` is what a client needs. */
export async function sessionsLine() {
  const { chain, facilitator, origin, gate, switches, secrets, url, stop } = await startSessionsWorld();
  try {
    const controls = await startControls({
      facilitator: (fault) => switches.facilitator.set(fault.mode === undefined ? undefined : fault),
      node: (fault) => switches.node.set(fault.mode === undefined ? undefined : fault),
      origin: (fault) => switches.origin.set(fault.mode === undefined ? undefined : fault),
      kill: () => gate.kill(),
      restart: () => gate.restart(),
      mine: ({ blocks = 1 }) => chain.rpc('anvil_mine', [`0x${Number(blocks).toString(16)}`]),
      wait: ({ secs = 1 }) => chain.rpc('evm_increaseTime', [Number(secs)]),
    });
    const { payer, payers, payee } = chain.accounts;
    return {
      stop: async () => {
        await controls.stop();
        await stop();
      },
      line: {
        world: 'sessions',
        gate: gate.url,
        url,
        price: ROUTE.price,
        withdrawDelaySecs: ROUTE.session_delay_secs,
        operatorToken: secrets.OPERATOR_TOKEN,
        origin: origin.url,
        chain: { url: chain.url, network: NETWORK, token: chain.token.address, payee: payee.address, contract: BATCH_SETTLEMENT },
        facilitator: facilitator.url,
        funded: [payer, ...payers].map(({ address, privateKey }) => ({ address, privateKey })),
        controls: controls.urls,
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
