// Everything that a market of skills needs to be tried: a chain, the reference facilitator, the gate with the market behind it, the
// treasury with agents, and sellers that do as they are told. Each Worker is a process of its own; the gate's route table is shared.

import { join } from 'node:path';

import { encodeFunctionData } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

import { startWithClock } from '../scripts/clock.mjs';
import { startMarket } from '../scripts/market.mjs';
import { GATE } from '../scripts/miniflare.mjs';
import { startTreasury } from '../scripts/treasury.mjs';
import { drawKey, drawToken, storage } from './beginning.mjs';
import { NETWORK, startChain } from './chain.mjs';
import { startFacilitator } from './facilitator.mjs';
import { startKv } from './kv.mjs';
import { parts } from './parts.mjs';
import { startScriptedMerchant } from './scripted-merchant.mjs';
import { startSellers } from './sellers.mjs';
import { freePort } from './server.mjs';
import { signedSkill } from './skill-proof.mjs';
import { startMppMerchant } from './stock-merchants.mjs';
import { startSwitch } from './switch.mjs';

/**
 * @typedef {Awaited<ReturnType<typeof startSkillsWorld>>} SkillsWorld
 * @typedef {import('viem/accounts').PrivateKeyAccount & {privateKey: `0x${string}`}} Seller
 * @typedef {{status: number, headers: Headers, text: string, json: any}} Answer
 * @typedef {{name: string, policy?: Record<string, unknown>}} AgentSeed
 */

/**
 * Starts all parts on free ports, with short timings. `url` is where people and clients go: the gate.
 *
 * @param {{build?: string, vars?: Record<string, unknown>, gateVars?: Record<string, unknown>, treasuryVars?: Record<string, unknown>, agents?: AgentSeed[]}} [options]
 */
export async function startSkillsWorld({
  build = process.env.FAREBOX_BUILD ?? 'build',
  vars = {},
  gateVars = {},
  treasuryVars = {},
  agents = AGENTS,
} = {}) {
  const { keep, stop } = parts();
  try {
    const chain = keep(await startChain());
    const facilitator = keep(await startFacilitator({ chain }));
    const switches = { facilitator: keep(await startSwitch(facilitator.url)), node: keep(await startSwitch(chain.url)) };
    const { folder } = keep(storage('skills'));
    const mppSeller = sellerOf(drawKey());
    const sellers = keep(await startSellers());
    const charging = keep(await startScriptedMerchant({ chain, facilitator: switches.facilitator }));
    const mpp = keep(await startMppMerchant({ chain, facilitator: switches.facilitator, payTo: mppSeller.address }));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;

    const keys = agents.map(({ name }) => ({
      agent: name,
      secret: `KEY_${name.toUpperCase().replaceAll('-', '_')}`,
      bootstrapKey: `fbk_acme_${drawToken(8)}_${drawToken(32)}`,
    }));
    const tokens = { operator: drawToken(16), lookup: drawToken(16), origin: drawToken(32) };
    const treasury = keep(
      await startTreasury({
        build: join(build, 'treasury'),
        persist: join(folder, 'treasury'),
        vars: {
          ORGANIZATIONS: [
            {
              name: 'acme',
              environment: 'test',
              policy: {
                wallet: 'main',
                allowedOrigins: [url, charging.url, mpp.url],
                mpp: { [new URL(mpp.url).host]: { nonce: 'joined' } },
              },
              agents: agents.map((agent, index) => ({ ...agent, bootstrapKey: keys[index]?.secret })),
            },
          ],
          WALLETS: [
            { name: 'main', networks: [NETWORK], secret: 'WALLET_MAIN' },
            { name: 'empty', networks: [NETWORK], secret: 'WALLET_EMPTY' },
          ],
          RPC_URL: switches.node.url,
          FACILITATOR_URL: switches.facilitator.url,
          CONFIRMATIONS: '12',
          SEND_SECS: '6',
          READ_SECS: '1',
          TEST_NETWORKS_ONLY: 'true',
          ALLOW_LOCAL_MERCHANTS: 'true',
          ...treasuryVars,
        },
        secrets: {
          OPERATOR_TOKEN: tokens.operator,
          LOOKUP_TOKEN: tokens.lookup,
          WALLET_MAIN: chain.accounts.payer.privateKey,
          WALLET_EMPTY: `0x${'77'.repeat(32)}`,
          ...Object.fromEntries(keys.map(({ secret, bootstrapKey }) => [secret, bootstrapKey])),
        },
      }),
    );
    const treasurySwitch = keep(await startSwitch(treasury.url, { worker: true }));
    const gateSwitch = keep(await startSwitch(url, { worker: true }));

    /** @type {Awaited<ReturnType<typeof startWithClock>> | undefined} */
    let gate;
    const kv = keep(await startKv(async () => gate?.reread()));
    const market = keep(
      await startMarket({
        build: join(build, 'market'),
        persist: join(folder, 'market'),
        vars: {
          MARKET_URL: url,
          NETWORK,
          PAY_TO: chain.accounts.payee.address,
          RPC_URL: switches.node.url,
          TEST_NETWORKS_ONLY: 'true',
          ALLOW_LOCAL_SELLERS: 'true',
          ...vars,
        },
        secrets: { OPERATOR_TOKEN: tokens.operator, LOOKUP_TOKEN: tokens.lookup, ORIGIN_SECRET: tokens.origin },
        services: { GATE: gateSwitch.url, TREASURY: treasurySwitch.url },
        kv: { CONFIG: kv.url },
      }),
    );
    const marketSwitch = keep(await startSwitch(market.url, { worker: true }));
    gate = keep(
      await startWithClock(GATE, {
        build,
        port,
        persist: join(folder, 'gate'),
        vars: {
          NETWORK,
          PAY_TO: chain.accounts.payee.address,
          FACILITATOR_URL: switches.facilitator.url,
          RPC_URL: switches.node.url,
          ROUTES: [{ path: '/api/marketplace/*', price: 'free' }],
          DEFAULT: 'free',
          ...gateVars,
        },
        secrets: { OPERATOR_TOKEN: tokens.operator, ORIGIN_SECRET: tokens.origin },
        services: { ORIGIN: marketSwitch.url },
        kv: { CONFIG: kv.url },
      }),
    );

    let aheadSecs = 0;
    let funding = Promise.resolve();
    /** @type {Map<string, string>} */
    const runtimeTokens = new Map();

    /**
     * A request to the market, through the gate.
     *
     * @param {string} method
     * @param {string} path
     * @param {{body?: unknown, headers?: Record<string, string>, base?: string}} [given] `body` is text, or a value for JSON
     * @returns {Promise<Answer>}
     */
    const ask = async (method, path, { body, headers = {}, base = url } = {}) => {
      const answer = await fetch(`${base}${path}`, {
        method,
        redirect: 'manual',
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, headers: answer.headers, text, json: parsed(text) };
    };

    /** @param {string} agent */
    const tokenOf = async (agent) => {
      const known = runtimeTokens.get(agent);
      if (known !== undefined) return known;
      const key = keys.find((one) => one.agent === agent)?.bootstrapKey ?? made.get(agent);
      if (key === undefined) throw new Error(`there is no agent ${agent}`);
      const { status, json, text } = await ask('POST', '/api/sdk/runtime-tokens', {
        base: treasury.url,
        headers: { authorization: `Bearer ${key}`, 'x-402flow-sdk-version': '0.1.0-alpha.22' },
      });
      if (typeof json?.token !== 'string') throw new Error(`${status}: ${text}`);
      runtimeTokens.set(agent, json.token);
      return /** @type {string} */ (json.token);
    };
    /** @type {Map<string, string>} */
    const made = new Map();

    return {
      url,
      chain,
      facilitator,
      switches: { ...switches, treasury: treasurySwitch },
      kv,
      gate,
      market,
      treasury,
      sellers,
      charging,
      mpp: { url: mpp.url, seller: mppSeller },
      tokens,
      agents: keys.map(({ secret: _, ...agent }) => ({ organization: 'acme', ...agent })),
      wallet: chain.accounts.payer,
      ask,
      tokenOf,
      stop,
      /** The time of the Workers, unix seconds. */
      now: () => Math.floor(Date.now() / 1000) + aheadSecs,
      /** A seller with a wallet of its own, with funds. */
      seller() {
        const seller = sellerOf(drawKey());
        // One after the other: the node gives each the next nonce of one account.
        const funded = funding.then(() => fund(chain, seller.address));
        funding = funded;
        return funded.then(() => seller);
      },
      /**
       * A new agent of the treasury, with rules.
       *
       * @param {string} name
       * @param {Record<string, unknown>} [policy]
       */
      async agent(name, policy = {}) {
        const operate = async (/** @type {string} */ method, /** @type {string} */ path, /** @type {unknown} */ body) => {
          const { status, json, text } = await ask(method, `/api/organizations/acme/agents/${name}${path}`, {
            base: treasury.url,
            body,
            headers: { authorization: `Bearer ${tokens.operator}` },
          });
          if (status >= 300) throw new Error(`${status}: ${text}`);
          return json;
        };
        await operate('PUT', '', {});
        await operate('PUT', '/policy', policy);
        const { bootstrapKey } = await operate('POST', '/bootstrap-keys', {});
        made.set(name, bootstrapKey);
        return { organization: 'acme', agent: name, bootstrapKey: /** @type {string} */ (bootstrapKey) };
      },
      /**
       * Publishes a skill, signed by its seller.
       *
       * @param {Seller} seller
       * @param {Record<string, unknown>} skill
       */
      async publish(seller, skill) {
        const body = await signedSkill({
          market: url,
          action: 'publish',
          skill: { description: 'Says what arrived', payTo: seller.address, agentId: 'seller', ...skill },
          account: seller,
          now: Math.floor(Date.now() / 1000) + aheadSecs,
        });
        return ask('POST', '/api/marketplace/skills', { body });
      },
      /**
       * Another version of a skill, or its end, signed by its seller.
       *
       * @param {Seller} seller
       * @param {'version' | 'deactivate' | 'rotate'} action
       * @param {string} id
       * @param {Record<string, unknown>} [change]
       */
      async change(seller, action, id, change = {}) {
        const body = await signedSkill({
          market: url,
          action,
          id,
          skill: { payTo: seller.address, ...change },
          account: seller,
          now: Math.floor(Date.now() / 1000) + aheadSecs,
        });
        const [method, path] = { version: ['POST', '/versions'], deactivate: ['DELETE', ''], rotate: ['POST', '/rotate'] }[action];
        return ask(method ?? '', `/api/marketplace/skills/${id}${path}`, { body });
      },
      /**
       * Invokes a skill as an agent of the treasury does.
       *
       * @param {string} agent
       * @param {string} skill
       * @param {{payload?: unknown, key?: string, query?: string, base?: string, headers?: Record<string, string>}} [given]
       */
      async invoke(agent, skill, { payload, key, query = '', base = url, headers = {} } = {}) {
        return ask('POST', `/api/marketplace/skills/${skill}/invoke${query}`, {
          base,
          body: { agentId: agent, ...(payload === undefined ? {} : { payload }) },
          headers: {
            authorization: `Bearer ${await tokenOf(agent)}`,
            ...(key === undefined ? {} : { 'idempotency-key': key }),
            ...headers,
          },
        });
      },
      /**
       * Moves the clock of all Workers and of the chain. Clients that sign by the machine's own clock are refused from then on.
       *
       * @param {number} secs
       */
      async wait(secs) {
        aheadSecs += secs;
        await chain.rpc('evm_increaseTime', [secs]);
        await chain.rpc('evm_mine', []);
        for (const worker of [gate, market, treasury]) await worker?.ahead(secs);
        runtimeTokens.clear();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Tokens for an address.
 *
 * @param {import('./chain.mjs').Chain} chain
 * @param {`0x${string}`} address
 */
export async function fund(chain, address) {
  const data = encodeFunctionData({ abi: chain.token.abi, functionName: 'mint', args: [address, 100_000_000n] });
  const hash = await chain.rpc('eth_sendTransaction', [{ from: chain.accounts.payee.address, to: chain.token.address, data }]);
  await chain.publicClient.waitForTransactionReceipt({ hash: /** @type {`0x${string}`} */ (hash) });
}

/**
 * @param {`0x${string}`} privateKey
 * @returns {Seller}
 */
export function sellerOf(privateKey) {
  return { ...privateKeyToAccount(privateKey), privateKey };
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Agents without a wallet of their own: the last one has a budget of nearly nothing, and one a wallet without money. */
const AGENTS = [
  { name: 'agent-1' },
  { name: 'agent-2' },
  { name: 'broke', policy: { wallet: 'empty' } },
  { name: 'frugal', policy: { perDay: { USDC: '0.02' } } },
];
