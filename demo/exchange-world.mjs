// Everything that a compute exchange needs to be tried: a chain, the reference facilitator, the gate with the till, the treasury with the
// escrow wallet, and the market with two profiles, one for money and one that pretends. Each Worker is a process of its own.

import { createSign, generateKeyPairSync, randomUUID } from 'node:crypto';
import { join } from 'node:path';

import { privateKeyToAccount } from 'viem/accounts';

import { startWithClock } from '../scripts/clock.mjs';
import { startMarket } from '../scripts/market.mjs';
import { GATE } from '../scripts/miniflare.mjs';
import { MARKET_PAGES } from '../scripts/pages.mjs';
import { startTreasury } from '../scripts/treasury.mjs';
import { drawKey, drawToken, storage } from './beginning.mjs';
import { NETWORK, startChain } from './chain.mjs';
import { deployEscrow } from './compute-escrow.mjs';
import { startFacilitator } from './facilitator.mjs';
import { parts } from './parts.mjs';
import { freePort, serve } from './server.mjs';
import { fund, sellerOf } from './skills-world.mjs';
import { startSwitch } from './switch.mjs';

/**
 * @typedef {Awaited<ReturnType<typeof startExchangeWorld>>} ExchangeWorld
 * @typedef {import('./skills-world.mjs').Seller} Wallet
 * @typedef {{status: number, headers: Headers, text: string, json: any}} Answer
 * @typedef {'live-testnet' | 'demo-testnet'} ProfileName
 * @typedef {{wallet: Wallet, agent: string, profile: ProfileName, token: string}} OnlineSeller
 */

/** The profile whose money moves on the chain, and the one that pretends. */
export const LIVE = 'live-testnet';
export const MOCK = 'demo-testnet';

/**
 * Starts all parts on free ports, with short timings. `url` is where buyers and sellers go: the market. `gate.url` has the till.
 * With `entrusted` an escrow contract has the money, and the escrow wallet is its gateway. With `pages` the market has its desk.
 *
 * @param {{build?: string, entrusted?: boolean, pages?: boolean, vars?: Record<string, unknown>, gateVars?: Record<string, unknown>, treasuryVars?: Record<string, unknown>, services?: Record<string, string>, profiles?: (parts: {escrow: string, bonds: string}) => object[]}} [options]
 */
export async function startExchangeWorld({
  build = process.env.FAREBOX_BUILD ?? 'build',
  entrusted = false,
  pages = false,
  vars = {},
  gateVars = {},
  treasuryVars = {},
  services = {},
  profiles = entrusted ? entrustedProfiles : standardProfiles,
} = {}) {
  const { keep, stop } = parts();
  try {
    const chain = keep(await startChain());
    const facilitator = keep(await startFacilitator({ chain }));
    const switches = { facilitator: keep(await startSwitch(facilitator.url)), node: keep(await startSwitch(chain.url)) };
    const { folder } = keep(storage('exchange'));
    const [escrow, bonds] = [sellerOf(drawKey()), sellerOf(drawKey())];
    const contract = entrusted ? await deployEscrow(chain, escrow) : undefined;
    const holder = contract?.address ?? escrow.address;
    const issuer = keep(await startIssuer());
    const [port, gatePort] = [await freePort(), await freePort()];
    const [url, gateUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${gatePort}`];
    const tokens = {
      operator: drawToken(16),
      origin: drawToken(32),
      webhook: drawToken(32),
      payouts: drawToken(32),
      refunds: drawToken(32),
    };

    const treasury = keep(
      await startTreasury({
        build: join(build, 'treasury'),
        persist: join(folder, 'treasury'),
        vars: {
          ORGANIZATIONS: [
            { name: 'exchange', environment: 'test', policy: { wallet: 'escrow', payoutsPerDay: { USDC: '100000' } }, agents: [] },
          ],
          WALLETS: [{ name: 'escrow', networks: [NETWORK], secret: 'WALLET_ESCROW' }],
          RPC_URL: switches.node.url,
          FACILITATOR_URL: switches.facilitator.url,
          PAYOUT_TOKENS: [{ organization: 'exchange', wallet: 'escrow', secret: 'EXCHANGE_PAYOUTS' }],
          ...(contract === undefined
            ? {}
            : {
                ESCROWS: [
                  { organization: 'exchange', wallet: 'escrow', network: NETWORK, contract: contract.address, asset: 'USDC', bumpSecs: 20 },
                ],
              }),
          CONFIRMATIONS: '2',
          SEND_SECS: '6',
          READ_SECS: '1',
          TEST_NETWORKS_ONLY: 'true',
          ...treasuryVars,
        },
        secrets: { OPERATOR_TOKEN: tokens.operator, WALLET_ESCROW: escrow.privateKey, EXCHANGE_PAYOUTS: tokens.payouts },
      }),
    );
    const treasurySwitch = keep(await startSwitch(treasury.url, { worker: true }));
    const gateSwitch = keep(await startSwitch(gateUrl, { worker: true }));
    const market = keep(
      await startMarket({
        build: join(build, 'market'),
        port,
        persist: join(folder, 'market'),
        ...(pages ? { pages: MARKET_PAGES } : {}),
        vars: {
          MARKET_URL: gateUrl,
          EXCHANGE_URL: url,
          NETWORK,
          RPC_URL: switches.node.url,
          TEST_NETWORKS_ONLY: 'true',
          EXCHANGE_PROFILES: profiles({ escrow: holder, bonds: bonds.address }),
          IDENTITY: { issuer: issuer.name, jwks: issuer.url },
          ...vars,
        },
        secrets: {
          OPERATOR_TOKEN: tokens.operator,
          ORIGIN_SECRET: tokens.origin,
          EXCHANGE_SECRET: drawToken(32),
          PAYOUT_TOKEN: tokens.payouts,
          REFUND_TOKEN: tokens.refunds,
          WEBHOOK_SECRET: tokens.webhook,
        },
        services: { GATE: gateSwitch.url, TREASURY: treasurySwitch.url, ...services },
      }),
    );
    const marketSwitch = keep(await startSwitch(market.url, { worker: true }));
    const gate = keep(
      await startWithClock(GATE, {
        build,
        port: gatePort,
        persist: join(folder, 'gate'),
        vars: {
          NETWORK,
          PAY_TO: holder,
          FACILITATOR_URL: switches.facilitator.url,
          RPC_URL: switches.node.url,
          WEBHOOK_URL: `${market.url}/_market/notices`,
          ROUTES: [TILL],
          DEFAULT: 'free',
          RECOVERY: { settle_secs: 5, resend_secs: [1, 2, 4], chain_secs: [1, 2], refund_secs: 30, manual_secs: 600, breaker_secs: 1 },
          ...gateVars,
        },
        secrets: {
          OPERATOR_TOKEN: tokens.operator,
          REFUND_TOKEN: tokens.refunds,
          ORIGIN_SECRET: tokens.origin,
          WEBHOOK_SECRET: tokens.webhook,
        },
        services: { ORIGIN: marketSwitch.url, MARKET: marketSwitch.url },
      }),
    );

    let aheadSecs = 0;
    let clients = 0;
    let funding = Promise.resolve();
    const now = () => Math.floor(Date.now() / 1000) + aheadSecs;

    /**
     * A request to the exchange.
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

    /**
     * A new wallet with funds.
     *
     * @returns {Promise<Wallet>}
     */
    const wallet = () => {
      const made = sellerOf(drawKey());
      // One after the other: the node gives each the next nonce of one account.
      const funded = funding.then(() => fund(chain, made.address));
      funding = funded;
      return funded.then(() => made);
    };

    /** An address that no other client has: quotes are limited by it. */
    const client = () => {
      clients += 1;
      return { 'cf-connecting-ip': `10.${(clients >> 16) & 255}.${(clients >> 8) & 255}.${clients & 255}` };
    };

    /**
     * A request of a seller, with its session.
     *
     * @param {OnlineSeller} seller
     * @param {string} path below `/api/v1/`
     * @param {Record<string, unknown>} [more]
     */
    const call = (seller, path, more = {}) =>
      ask('POST', `/api/v1/${path}`, {
        body: { seller_id: seller.wallet.address, network_profile: seller.profile, ...more },
        headers: seller.token === '' ? {} : { authorization: `Bearer ${seller.token}` },
      });

    return {
      url,
      chain,
      facilitator,
      switches: { ...switches, treasury: treasurySwitch, gate: gateSwitch, market: marketSwitch },
      gate,
      market,
      treasury,
      issuer,
      escrow,
      contract,
      bonds,
      tokens,
      ask,
      call,
      wallet,
      client,
      stop,
      /** The time of the Workers, unix seconds. */
      now,
      /** What is held, in the escrow wallet or contract. */
      held: () => chain.balanceOf(holder),
      /**
       * A seller with a session by identity, which is there.
       *
       * @param {{profile?: ProfileName, capability?: string, price?: string | number, capacity?: number}} [given]
       */
      async seller({ profile = LIVE, capability = 'llm', price = '0.005', capacity = 1 } = {}) {
        /** @type {OnlineSeller} */
        const seller = { wallet: sellerOf(drawKey()), agent: `agent-${randomUUID()}`, profile, token: '' };
        expect(
          await call(seller, 'sellers/register', { capability, price_per_task: price, capacity, passport_agent_id: seller.agent }),
          200,
        );
        seller.token = await this.session(seller);
        expect(await call(seller, 'sellers/heartbeat'), 200);
        return seller;
      },
      /**
       * The token of a session by identity.
       *
       * @param {OnlineSeller} seller
       */
      async session(seller) {
        const token = issuer.token({
          sub: `sub-${seller.agent}`,
          agent_id: seller.agent,
          wallet_address: seller.wallet.address,
          exp: now() + 600,
        });
        const opened = await call({ ...seller, token }, 'sellers/session', { passport_agent_id: seller.agent });
        return /** @type {string} */ (expect(opened, 200).json.seller_session_token);
      },
      /**
       * Asks for a quote.
       *
       * @param {{address: string}} buyer
       * @param {string} prompt
       * @param {{profile?: ProfileName, capability?: string, headers?: Record<string, string>}} [given]
       */
      quote: (buyer, prompt, { profile = LIVE, capability = 'llm', headers = client() } = {}) =>
        ask('POST', '/api/v1/jobs/quote', { body: { buyer_id: buyer.address, capability, prompt, network_profile: profile }, headers }),
      /**
       * Moves the clock of all Workers and of the chain. Clients that sign by the machine's own clock are refused from then on.
       *
       * @param {number} secs
       */
      async wait(secs) {
        aheadSecs += secs;
        await chain.rpc('evm_increaseTime', [secs]);
        await chain.rpc('evm_mine', []);
        for (const worker of [gate, market, treasury]) await worker.ahead(secs);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The till: its price and seat are the market's, and what is paid is settled before the job is made. */
export const TILL = {
  path: '/till/[quote]',
  methods: ['POST'],
  price: { from: 'MARKET', max: '$100.00' },
  settle: 'before',
  confirm: 'chain',
  idempotent: true,
  description: 'A job of the exchange',
};

/** @param {{escrow: string, bonds: string}} wallets */
export function standardProfiles({ escrow, bonds }) {
  return [
    { profile: LIVE, network: NETWORK, asset: 'USDC', hold: 'escrow', escrow, bonds, organization: 'exchange', wallet: 'escrow' },
    { profile: MOCK, network: NETWORK, asset: 'USDC', hold: 'mock', escrow, bonds },
  ];
}

/** @param {{escrow: string, bonds: string}} wallets */
function entrustedProfiles({ escrow, bonds }) {
  return [
    {
      profile: LIVE,
      network: NETWORK,
      asset: 'USDC',
      hold: 'contract',
      escrow,
      bonds,
      organization: 'exchange',
      wallet: 'escrow',
      min_price: '0.001',
    },
  ];
}

/**
 * Signs what a buyer pays a quote with: the value of `X-PAYMENT`, version 1 of x402.
 *
 * @param {ExchangeWorld} world
 * @param {Wallet} buyer
 * @param {any} quote the body of a 402
 * @param {Partial<{value: string, to: string, validBefore: string, nonce: `0x${string}`}>} [change]
 */
export async function signedPayment(world, buyer, quote, change = {}) {
  const [accepted] = quote.accepts;
  const authorization = {
    from: buyer.address,
    to: accepted.payTo,
    value: accepted.maxAmountRequired,
    validAfter: '0',
    validBefore: String(world.now() + 300),
    nonce: drawKey(),
    ...change,
  };
  const signature = await privateKeyToAccount(buyer.privateKey).signTypedData({
    domain: {
      name: accepted.extra.name,
      version: accepted.extra.version,
      chainId: accepted.extra.chain_id,
      verifyingContract: accepted.asset,
    },
    types: {
      TransferWithAuthorization: [
        { name: 'from', type: 'address' },
        { name: 'to', type: 'address' },
        { name: 'value', type: 'uint256' },
        { name: 'validAfter', type: 'uint256' },
        { name: 'validBefore', type: 'uint256' },
        { name: 'nonce', type: 'bytes32' },
      ],
    },
    primaryType: 'TransferWithAuthorization',
    message: {
      ...authorization,
      to: /** @type {`0x${string}`} */ (authorization.to),
      value: BigInt(authorization.value),
      validAfter: BigInt(authorization.validAfter),
      validBefore: BigInt(authorization.validBefore),
    },
  });
  const payment = { x402Version: 1, scheme: 'exact', network: accepted.network, payload: { signature, authorization } };
  return Buffer.from(JSON.stringify(payment)).toString('base64');
}

/** Who says who sellers are: signs RS256 tokens, and serves its key. */
export async function startIssuer() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const name = 'https://passport.example.com';
  const counts = { keys: 0 };
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'key-1', use: 'sig', alg: 'RS256' };
  const { url, stop } = await serve(async (_, response) => {
    counts.keys += 1;
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: [jwk] }));
  });
  return {
    name,
    url: `${url}/jwks.json`,
    counts,
    stop,
    /**
     * A token with these claims.
     *
     * @param {Record<string, unknown>} claims
     * @param {Record<string, unknown>} [header]
     */
    token(claims, header = {}) {
      const part = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const text = `${part({ alg: 'RS256', typ: 'JWT', kid: 'key-1', ...header })}.${part({ iss: name, ...claims })}`;
      return `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey).toString('base64url')}`;
    },
  };
}

/**
 * @param {Answer} answer
 * @param {number} status
 */
function expect(answer, status) {
  if (answer.status !== status) throw new Error(`${answer.status}: ${answer.text}`);
  return answer;
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
