// The exchange's world as one value for a client that knows it only from outside, and the controls that break it.

import { chainControls, startControls, switched } from './controls.mjs';
import { LIVE, MOCK, startExchangeWorld } from './exchange-world.mjs';

/** Starts the world; `line` is what a client needs. */
export async function exchangeLine() {
  const world = await startExchangeWorld();
  const { chain, switches, gate, market, treasury, tokens, issuer } = world;
  const workers = { gate, market, treasury };
  const workerOf = (/** @type {string} */ name = 'market') => {
    if (!Object.hasOwn(workers, name)) throw new Error(`there are ${Object.keys(workers).join(', ')}`);
    return workers[/** @type {keyof typeof workers} */ (name)];
  };
  const controls = await startControls({
    facilitator: switched(switches.facilitator),
    node: switched(switches.node),
    treasury: switched(switches.treasury),
    till: switched(switches.gate),
    origin: switched(switches.market),
    kill: ({ worker }) => workerOf(worker).kill(),
    restart: ({ worker }) => workerOf(worker).restart(),
    sweep: () => market.sweep(),
    clock: ({ secs }) => world.wait(Number(secs)),
    ...chainControls(chain),
    wallet: async () => {
      const { address, privateKey } = await world.wallet();
      return { address, privateKey };
    },
    seller: async (given) => {
      const { wallet, agent, profile, token } = await world.seller(given);
      return { address: wallet.address, privateKey: wallet.privateKey, agent, profile, token };
    },
    identity: ({ claims, header }) => ({ token: issuer.token({ exp: world.now() + 600, ...claims }, header) }),
  });
  return {
    stop: async () => {
      await controls.stop();
      await world.stop();
    },
    line: {
      world: 'exchange',
      url: world.url,
      gate: gate.url,
      treasury: treasury.url,
      profiles: { money: LIVE, mock: MOCK },
      operatorToken: tokens.operator,
      originSecret: tokens.origin,
      webhookSecret: tokens.webhook,
      escrow: world.escrow.address,
      bonds: world.bonds.address,
      issuer: { name: issuer.name, jwks: issuer.url },
      chain: { url: chain.url, network: 'eip155:84532', token: chain.token.address },
      facilitator: world.facilitator.url,
      // Nothing in the world uses these.
      funded: [chain.accounts.payer, ...chain.accounts.payers].map(({ address, privateKey }) => ({ address, privateKey })),
      controls: controls.urls,
    },
  };
}
