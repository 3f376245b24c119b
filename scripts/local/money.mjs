// Local money: a chain of its own in the place of Base Sepolia, its facilitator, and a key with test money. The libraries are those of the
// project that this runs for.

import { ANVIL } from './anvil.mjs';

/** Names of the one network that the local chain can be. */
const LOCAL = ['eip155:84532', 'base-sepolia'];

/** What a project does to have it. */
export const INSTALL = `npm install --save-dev viem @x402/core @x402/evm ${ANVIL}`;

/**
 * Whether these networks are the one that the local chain can be.
 *
 * @param {unknown} network
 */
export function canBeLocal(network) {
  const networks = [network].flat();
  return networks.length === 1 && LOCAL.includes(String(networks[0]));
}

/**
 * @typedef {object} Money
 * @property {Awaited<ReturnType<typeof import('../../demo/chain.mjs').startChain>>} chain
 * @property {Awaited<ReturnType<typeof import('../../demo/facilitator.mjs').startFacilitator>>} facilitator
 * @property {Record<string, string>} vars variables of the gate in the place of its own
 */

/**
 * Starts chain and facilitator.
 *
 * @param {unknown} routes of the gate
 * @returns {Promise<Money | {missing: string}>} or the command that installs what is missing
 */
export async function startMoney(routes) {
  let parts;
  try {
    parts = await Promise.all([import('../../demo/chain.mjs'), import('../../demo/facilitator.mjs')]);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return { missing: INSTALL };
  }
  const [{ findAnvil, startChain, NETWORK, PERMIT2 }, { startFacilitator }] = parts;
  try {
    findAnvil();
  } catch {
    return { missing: `npm install --save-dev ${ANVIL}` };
  }
  const chain = await startChain({ idle: true });
  const facilitator = await startFacilitator({ chain });
  const isMetered = Array.isArray(routes) && routes.some((route) => route?.unit_price !== undefined);
  if (isMetered) await allowPermits(chain, PERMIT2);
  // What payers sign for a price that is known afterwards names the facilitator.
  const extra = { [NETWORK]: { facilitatorAddress: chain.accounts.facilitator.address } };
  const named = isMetered ? JSON.stringify([{ url: facilitator.url, extra }]) : facilitator.url;
  return { chain, facilitator, vars: { FACILITATOR_URL: named, RPC_URL: chain.url } };
}

/**
 * Lets Permit2 take the payer's tokens, as a wallet does once.
 *
 * @param {Money['chain']} chain
 * @param {`0x${string}`} permit2
 */
async function allowPermits({ rpc, accounts, token, publicClient }, permit2) {
  const word = (/** @type {string} */ hex) => hex.replace(/^0x/, '').toLowerCase().padStart(64, '0');
  const data = `0x095ea7b3${word(permit2)}${'f'.repeat(64)}`;
  const hash = await rpc('eth_sendTransaction', [{ from: accounts.payer.address, to: token.address, data }]);
  await publicClient.waitForTransactionReceipt({ hash: /** @type {`0x${string}`} */ (hash) });
}
