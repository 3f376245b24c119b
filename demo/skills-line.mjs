// The market's world as one value for a client that knows it only from outside, and the controls that break it.

import { chainControls, startControls, switched } from './controls.mjs';
import { sellerOf, startSkillsWorld } from './skills-world.mjs';

/** Starts the world; `line` is what a client needs. */
export async function skillsLine() {
  const world = await startSkillsWorld();
  const { chain, switches, kv, gate, market, treasury, sellers, charging, mpp, tokens } = world;
  const workers = { gate, market, treasury };
  const workerOf = (/** @type {string} */ name = 'market') => {
    if (!Object.hasOwn(workers, name)) throw new Error(`there are ${Object.keys(workers).join(', ')}`);
    return workers[/** @type {keyof typeof workers} */ (name)];
  };
  const controls = await startControls({
    facilitator: switched(switches.facilitator),
    node: switched(switches.node),
    treasury: switched(switches.treasury),
    kv: ({ mode }) => kv.set(mode),
    kill: ({ worker }) => workerOf(worker).kill(),
    restart: ({ worker }) => workerOf(worker).restart(),
    sweep: () => market.sweep(),
    clock: ({ secs }) => world.wait(Number(secs)),
    ...chainControls(chain),
    seller: async () => {
      const { address, privateKey } = await world.seller();
      return { address, privateKey };
    },
    publish: async ({ privateKey, skill }) => {
      const { status, json, text } = await world.publish(sellerOf(privateKey), skill);
      return { status, body: json ?? text };
    },
    price: ({ path, amount }) => void charging.prices.set(path, String(amount)),
    way: ({ path, way }) => void sellers.ways.set(path, way),
    requests: () => ({ plain: sellers.requests, charging: charging.requests }),
    agents: async ({ agent, policy }) => {
      const made = await world.agent(agent, policy);
      return { ...made, token: await world.tokenOf(agent) };
    },
    token: async ({ agent }) => ({ token: await world.tokenOf(agent) }),
  });
  return {
    stop: async () => {
      await controls.stop();
      await world.stop();
    },
    line: {
      world: 'skills',
      url: world.url,
      market: market.url,
      treasury: treasury.url,
      operatorToken: tokens.operator,
      lookupToken: tokens.lookup,
      originSecret: tokens.origin,
      agents: await Promise.all(world.agents.map(async (one) => ({ ...one, token: await world.tokenOf(one.agent) }))),
      sellers: {
        plain: sellers.url,
        charging: charging.url,
        mpp: mpp.url,
        mppSeller: { address: mpp.seller.address, privateKey: mpp.seller.privateKey },
      },
      chain: { url: chain.url, network: 'eip155:84532', token: chain.token.address, payee: chain.accounts.payee.address },
      facilitator: world.facilitator.url,
      wallet: { address: world.wallet.address, privateKey: world.wallet.privateKey },
      // Nothing in the world uses these.
      funded: chain.accounts.payers.map(({ address, privateKey }) => ({ address, privateKey })),
      controls: controls.urls,
    },
  };
}
