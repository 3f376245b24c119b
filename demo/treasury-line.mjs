// The treasury's world as one value for a client that knows it only from outside, and the controls that break it.

import { acme } from './acme.mjs';
import { chainControls, startControls, switched } from './controls.mjs';
import { startTreasuryWorld } from './treasury-world.mjs';

/** Starts the world of `acme`; `line` is what a client needs. */
export async function treasuryLine() {
  const world = await startTreasuryWorld({ organizations: acme });
  const { chain, facilitator, switches, merchants, treasury, operate, operatorToken } = world;
  const controls = await startControls({
    facilitator: switched(switches.facilitator),
    node: switched(switches.node),
    kill: () => treasury.kill(),
    restart: () => treasury.restart(),
    clock: ({ secs }) => world.wait(Number(secs)),
    ...chainControls(chain),
    transfers: async () => Object.fromEntries(await world.transfers()),
    merchant: () => ({ requests: merchants.scripted.requests }),
    agents: ({ organization, agent, policy = {} }) => madeAgent(operate, organization, agent, policy),
    budget: ({ organization, agent, policy }) =>
      set(operate, `organizations/${organization}${agent === undefined ? '' : `/agents/${agent}`}/policy`, policy),
  });
  const urls = Object.fromEntries(
    Object.entries(merchants)
      .filter(([name]) => name !== 'origin')
      .map(([name, { url }]) => [name, url]),
  );
  const { main, second } = world.wallets;
  return {
    stop: async () => {
      await controls.stop();
      await world.stop();
    },
    line: {
      world: 'treasury',
      treasury: treasury.url,
      operatorToken,
      agents: world.agents,
      merchants: urls,
      chain: { url: chain.url, network: 'eip155:84532', token: chain.token.address, payee: chain.accounts.payee.address },
      facilitator: facilitator.url,
      wallets: {
        main: { address: main, privateKey: chain.accounts.payer.privateKey },
        second: { address: second, privateKey: chain.accounts.payers[0]?.privateKey },
      },
      // Nothing in the world uses these.
      funded: chain.accounts.payers.slice(1).map(({ address, privateKey }) => ({ address, privateKey })),
      controls: controls.urls,
    },
  };
}

/**
 * @typedef {import('./treasury-world.mjs').TreasuryWorld['operate']} Operate
 */

/**
 * A new agent, with its key.
 *
 * @param {Operate} operate
 * @param {string} organization
 * @param {string} agent
 * @param {object} policy
 */
async function madeAgent(operate, organization, agent, policy) {
  const place = `organizations/${organization}/agents/${agent}`;
  await set(operate, place, {});
  await set(operate, `${place}/policy`, policy);
  const { bootstrapKey } = await told(operate('POST', `${place}/bootstrap-keys`, {}));
  return { organization, agent, bootstrapKey };
}

/**
 * @param {Operate} operate
 * @param {string} path
 * @param {unknown} value
 */
function set(operate, path, value) {
  return told(operate('PUT', path, value));
}

/** @param {ReturnType<Operate>} asked */
async function told(asked) {
  const { status, text, json } = await asked;
  if (status >= 300) throw new Error(`${status}: ${text}`);
  return json;
}
