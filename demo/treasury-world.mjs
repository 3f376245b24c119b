// Everything that a treasury needs to be tried: a chain, the reference facilitator, the demo gate with its origin, merchants
// of others, a merchant that fails as told, and the treasury itself. Facilitator and node stand behind switches.

import { join } from 'node:path';

import { parseEventLogs } from 'viem';

import { startGate } from '../scripts/miniflare.mjs';
import { TREASURY_PAGES } from '../scripts/pages.mjs';
import { startTreasury } from '../scripts/treasury.mjs';
import { drawToken, storage } from './beginning.mjs';
import { NETWORK, startChain } from './chain.mjs';
import { startFacilitator } from './facilitator.mjs';
import { gateVars } from './gate.mjs';
import { startOrigin } from './origin.mjs';
import { parts } from './parts.mjs';
import { startScriptedMerchant } from './scripted-merchant.mjs';
import { startFastApiMerchant, startHonoMerchant, startMppMerchant, startVersion1Merchant } from './stock-merchants.mjs';
import { startSwitch } from './switch.mjs';

/**
 * @typedef {Awaited<ReturnType<typeof startTreasuryWorld>>} TreasuryWorld
 * @typedef {Record<string, unknown>} Policy
 * @typedef {{name: string, policy?: Policy}} AgentSeed
 * @typedef {{name: string, environment?: 'test' | 'main', policy: Policy, agents: AgentSeed[]}} OrganizationSeed
 * @typedef {{
 *   scripted: import('./scripted-merchant.mjs').ScriptedMerchant, hono?: import('./stock-merchants.mjs').Merchant, version1?: import('./stock-merchants.mjs').Merchant, mpp?: import('./stock-merchants.mjs').Merchant,
 *   fastapi?: import('./stock-merchants.mjs').Merchant, gate?: import('../scripts/miniflare.mjs').Gate, origin?: import('./origin.mjs').Origin,
 * }} Merchants
 */

/**
 * Starts all parts on free ports, with short timings.
 *
 * `organizations` are the seeds, made when the merchants' URLs are known; the first one's policy has the wallet `main`, and
 * each other one's a wallet of its own, unless it names another. Without `stock` only the scripted merchant is there.
 *
 * @param {{organizations: (merchants: Merchants) => OrganizationSeed[], stock?: boolean, build?: string, vars?: Record<string, unknown>, pages?: boolean}} options
 */
export async function startTreasuryWorld({
  organizations,
  stock = true,
  build = process.env.FAREBOX_BUILD ?? 'build',
  vars = {},
  pages = false,
}) {
  const { keep, stop } = parts();
  try {
    const chain = keep(await startChain());
    const facilitator = keep(await startFacilitator({ chain }));
    const switches = { facilitator: keep(await startSwitch(facilitator.url)), node: keep(await startSwitch(chain.url)) };
    const { folder } = keep(storage('treasury'));
    const merchants = await startMerchants({ chain, facilitator: switches.facilitator, stock, build, keep });
    const seeds = /** @type {OrganizationSeed[]} */ (
      plain(organizations(merchants).map((seed, index) => ({ ...seed, policy: { wallet: walletOf(index), ...seed.policy } })))
    );
    // Two organizations do not pay from one account.
    const own = seeds.slice(1).map((_, index) => ({ name: walletOf(index + 1), account: chain.accounts.payers[index + 1] }));
    const keys = keysOf(seeds);
    const operatorToken = drawToken(16);
    const treasury = keep(
      await startTreasury({
        build: join(build, 'treasury'),
        persist: folder,
        ...(pages ? { pages: TREASURY_PAGES } : {}),
        vars: {
          ORGANIZATIONS: seeds.map(({ agents, environment = 'test', ...seed }) => ({
            ...seed,
            environment,
            agents: agents.map((agent) => ({ ...agent, bootstrapKey: secretName(seed.name, agent.name) })),
          })),
          WALLETS: [
            { name: 'main', networks: [NETWORK], secret: 'WALLET_MAIN' },
            { name: 'second', networks: [NETWORK], secret: 'WALLET_SECOND' },
            { name: 'empty', networks: [NETWORK], secret: 'WALLET_EMPTY' },
            { name: 'locked', networks: [NETWORK], secret: 'WALLET_LOCKED' },
            ...own.map(({ name }) => ({ name, networks: [NETWORK], secret: secretOf(name) })),
            { name: 'elsewhere', networks: ['eip155:80002'], secret: 'WALLET_SECOND' },
          ],
          RPC_URL: switches.node.url,
          FACILITATOR_URL: switches.facilitator.url,
          CONFIRMATIONS: '12',
          SEND_SECS: '6',
          READ_SECS: '1',
          TEST_NETWORKS_ONLY: 'true',
          ALLOW_LOCAL_MERCHANTS: 'true',
          ...vars,
        },
        secrets: {
          OPERATOR_TOKEN: operatorToken,
          WALLET_MAIN: chain.accounts.payer.privateKey,
          WALLET_SECOND: chain.accounts.payers[0]?.privateKey ?? '',
          WALLET_EMPTY: `0x${'77'.repeat(32)}`,
          ...Object.fromEntries(own.map(({ name, account }) => [secretOf(name), account?.privateKey ?? ''])),
          ...Object.fromEntries(keys.map(({ secret, bootstrapKey }) => [secret, bootstrapKey])),
        },
      }),
    );

    /**
     * A call of the operator's.
     *
     * @param {string} method
     * @param {string} path below `/api/`
     * @param {unknown} [body]
     * @returns {Promise<{status: number, text: string, json: any}>}
     */
    const operate = async (method, path, body) => {
      const answer = await fetch(`${treasury.url}/api/${path}`, {
        method,
        headers: { authorization: `Bearer ${operatorToken}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, text, json: parsed(text) };
    };

    return {
      chain,
      facilitator,
      switches,
      merchants,
      treasury,
      /** Where the treasury stores. */
      folder,
      operatorToken,
      wallets: { main: chain.accounts.payer.address, second: chain.accounts.payers[0]?.address },
      operate,
      stop,
      /**
       * The bootstrap key of an agent that the seeds have.
       *
       * @param {string} organization
       * @param {string} agent
       * @returns {string}
       */
      keyOf(organization, agent) {
        const found = keys.find((key) => key.organization === organization && key.agent === agent);
        if (found === undefined) throw new Error(`${organization} has no agent ${agent}`);
        return found.bootstrapKey;
      },
      /** Every agent of the seeds, with its key. */
      agents: keys.map(({ secret: _, ...agent }) => agent),
      /** Ends the treasury as a lost machine would, and starts it again on its storage. */
      async crash() {
        await treasury.kill();
        await treasury.restart();
      },
      /**
       * Moves the clock of the treasury and of the chain.
       *
       * @param {number} secs
       */
      async wait(secs) {
        await chain.rpc('evm_increaseTime', [secs]);
        await chain.rpc('evm_mine', []);
        await treasury.ahead(secs);
      },
      /** @param {number} blocks */
      mine: (blocks) => chain.rpc('anvil_mine', [`0x${blocks.toString(16)}`]),
      /** What the chain moved by authorizations, by their nonces. */
      transfers: () => transfersByNonce(chain),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * @param {{chain: import('./chain.mjs').Chain, facilitator: {url: string}, stock: boolean, build: string, keep: <T extends {stop(): Promise<unknown>}>(part: T) => T}} parts
 * @returns {Promise<Merchants>}
 */
async function startMerchants({ chain, facilitator, stock, build, keep }) {
  const parts = { chain, facilitator };
  const scripted = keep(await startScriptedMerchant(parts));
  if (!stock) return { scripted };
  const [hono, version1, mpp, fastapi] = await Promise.all([
    startHonoMerchant(parts),
    startVersion1Merchant(parts),
    startMppMerchant(parts),
    startFastApiMerchant(parts),
  ]);
  for (const merchant of [hono, version1, mpp, fastapi]) if (merchant !== undefined) keep(merchant);
  const origin = keep(await startOrigin());
  const gate = keep(await startGate({ build, vars: { ...gateVars({ chain, facilitator, origin }), RPC_URL: chain.url } }));
  return { scripted, hono, version1, mpp, gate, origin, ...(fastapi === undefined ? {} : { fastapi }) };
}

/**
 * @param {OrganizationSeed[]} seeds
 */
function keysOf(seeds) {
  return seeds.flatMap(({ name: organization, agents }) =>
    agents.map(({ name: agent }) => {
      const id = drawToken(8);
      const secret = secretName(organization, agent);
      return { organization, agent, secret, bootstrapKey: `fbk_${organization}_${id}_${drawToken(32)}` };
    }),
  );
}

/** @param {number} index of the organization */
function walletOf(index) {
  return index === 0 ? 'main' : `own-${index}`;
}

/** @param {string} wallet */
function secretOf(wallet) {
  return `WALLET_${wallet}`.toUpperCase().replaceAll('-', '_');
}

/**
 * Under which name the Worker has the bootstrap key of a seed.
 *
 * @param {string} organization
 * @param {string} agent
 */
function secretName(organization, agent) {
  return `KEY_${organization}_${agent}`.toUpperCase().replaceAll('-', '_');
}

/**
 * @param {import('./chain.mjs').Chain} chain
 * @returns {Promise<Map<string, {from: string, to: string, value: bigint}>>}
 */
async function transfersByNonce({ publicClient, token }) {
  const logs = await publicClient.getLogs({ address: token.address, fromBlock: 0n });
  /** @type {Map<string, {from: string, to: string, value: bigint}>} */
  const found = new Map();
  const parse = (/** @type {string} */ eventName) => /** @type {any[]} */ (parseEventLogs({ abi: token.abi, eventName, logs }));
  const transfers = parse('Transfer');
  for (const used of parse('AuthorizationUsed')) {
    const moved = transfers.find(({ transactionHash, logIndex }) => transactionHash === used.transactionHash && logIndex > used.logIndex);
    if (moved === undefined) throw new Error(`${used.args.nonce} was used and moved nothing`);
    found.set(used.args.nonce, moved.args);
  }
  return found;
}

/**
 * Without members that are undefined.
 *
 * @param {unknown} value
 */
function plain(value) {
  return JSON.parse(JSON.stringify(value));
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
