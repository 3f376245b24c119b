// A local chain that claims to be Base Sepolia: anvil, with the demo token in place of USDC.
//
// Stock x402 clients pay only with assets they know, so the token's code is placed at the canonical
// address of USDC on that network. Accounts come from anvil's published development phrase: their keys
// are public and worth nothing anywhere else.

import { pbkdf2Sync } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';

import { createPublicClient, createWalletClient, defineChain, http, toHex } from 'viem';
import { HDKey, privateKeyToAccount } from 'viem/accounts';

import { ANVIL } from '../scripts/local/anvil.mjs';
import { startProcess } from '../scripts/processes.mjs';
import { chainState } from './beginning.mjs';
import { freePort } from './server.mjs';

/** CAIP-2 id and x402 v1 name of the chain. */
export const NETWORK = 'eip155:84532';
export const NETWORK_V1 = 'base-sepolia';
/** Address of USDC on Base Sepolia, and of the demo token here. */
export const USDC = /** @type {const} */ ('0x036CbD53842c5426634e7929541eC2318f3dCF7e');
/** The contract of x402 `batch-settlement`, and its collector of deposits by EIP-3009, at the same addresses on every chain. */
export const BATCH_SETTLEMENT = /** @type {const} */ ('0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003');
export const DEPOSIT_COLLECTOR = /** @type {const} */ ('0x4020806089470a89826cB9fB1f4059150b550004');
/** The escrow contract of MPP's sessions; it has no address of its own on other chains. */
export const PAYMENT_CHANNEL = /** @type {const} */ ('0x9d50000000000000000000000000000000000001');
/** Addresses of Permit2 and of x402's proxies for the schemes `exact` and `upto`, the same on every chain. */
export const PERMIT2 = /** @type {const} */ ('0x000000000022D473030F116dDEE9F6B43aC78BA3');
export const EXACT_PROXY = /** @type {const} */ ('0x402085c248EeA27D92E8b30b2C58ed07f9E20001');
export const UPTO_PROXY = /** @type {const} */ ('0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002');
/** Funds of each payer, in atomic units: 1,000 USDC. */
export const PAYER_FUNDS = 1_000_000_000n;
/** Accounts of the development phrase by their use; the empty one is never funded. */
const FACILITATOR = 0;
export const PAYEE = 1;
export const PAYER = 2;
export const EMPTY = 50;

/**
 * @typedef {Awaited<ReturnType<typeof startChain>>} Chain
 */

/**
 * Starts anvil and waits until the token is there and the payers have funds.
 *
 * `payers` are eight further funded accounts, for tests that must not share a balance. With `idle` it
 * makes a block now and then, as a real chain does: some clients sign payments that begin a minute
 * ago, and a node judges them by the time of its last block.
 *
 * @param {{port?: number, idle?: boolean, log?: (line: string) => void}} [options]
 */
export async function startChain({ port, idle = false, log = () => {} } = {}) {
  const token = readArtefact('Token');
  const state = chainState();
  const chosen = port ?? (await freePort());
  const url = `http://127.0.0.1:${chosen}`;
  const child = startProcess(findAnvil(), [
    '--host',
    '127.0.0.1',
    // No page of the machine's browser talks to it.
    '--no-cors',
    '--port',
    String(chosen),
    '--chain-id',
    '84532',
    '--slots-in-an-epoch',
    '1',
    // Else each block leaves its state in the user's home, for ever.
    '--max-persisted-states',
    '100',
    '--mnemonic',
    PHRASE,
    '--accounts',
    String(ACCOUNTS),
    ...(state === undefined ? [] : ['--timestamp', String(Math.floor(Date.now() / 1000))]),
    '--silent',
  ]);
  const chain = defineChain({
    id: 84532,
    name: 'Base Sepolia (local)',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [url] } },
    // With it viem skips a block that comes while it searches for a replacement, and then waits for a
    // next one, which a chain without other traffic never makes.
    supportsTransactionReplacementDetection: false,
  });
  const transport = http(url, { retryCount: 0 });
  const publicClient = createPublicClient({ chain, transport, pollingInterval: POLL_MS, cacheTime: 0 });

  try {
    await untilAnswering(publicClient, child);
    log(`chain 84532 at ${url}`);
    /** @type {(method: string, params: unknown[]) => Promise<unknown>} */
    const rpc = (method, params) => publicClient.request(/** @type {any} */ ({ method, params }));

    const [facilitator, payee, payer] = [account(FACILITATOR), account(PAYEE), account(PAYER)];
    const payers = Array.from({ length: ACCOUNTS - PAYER - 1 }, (_, index) => account(PAYER + 1 + index));
    const wallet = createWalletClient({ account: facilitator, chain, transport });
    const funded = [payer, ...payers];
    if (state !== undefined) await rpc('anvil_loadState', [state]);
    else {
      await rpc('anvil_setCode', [USDC, token.runtime]);
      await rpc('anvil_setCode', [MULTICALL3, readArtefact('Multicall').runtime]);
      await rpc('anvil_setCode', [BATCH_SETTLEMENT, readArtefact('BatchSettlement').runtime]);
      await rpc('anvil_setCode', [DEPOSIT_COLLECTOR, readArtefact('DepositCollector').runtime]);
      await rpc('anvil_setCode', [PAYMENT_CHANNEL, readArtefact('PaymentChannel').runtime]);
      await rpc('anvil_setCode', [PERMIT2, readArtefact('Permit2').runtime]);
      await rpc('anvil_setCode', [EXACT_PROXY, readArtefact('ExactPermit2Proxy').runtime]);
      await rpc('anvil_setCode', [UPTO_PROXY, readArtefact('UptoPermit2Proxy').runtime]);
      /** @type {`0x${string}`[]} */
      const minted = [];
      for (const { address } of funded) {
        minted.push(await wallet.writeContract({ address: USDC, abi: token.abi, functionName: 'mint', args: [address, PAYER_FUNDS] }));
      }
      await Promise.all(minted.map((hash) => publicClient.waitForTransactionReceipt({ hash })));
      log(`token at ${USDC}, ${funded.length} payers funded`);
    }

    const ticking = idle ? setInterval(() => rpc('evm_mine', []).catch(() => {}), IDLE_MS).unref() : undefined;

    return {
      url,
      pid: child.pid,
      chain,
      publicClient,
      rpc,
      token: { address: USDC, abi: token.abi },
      accounts: { facilitator, payee, payer, payers },
      /**
       * Tokens of an address, in atomic units.
       *
       * @param {`0x${string}`} address
       * @returns {Promise<bigint>}
       */
      balanceOf: async (address) =>
        /** @type {bigint} */ (
          await publicClient.readContract({ address: USDC, abi: token.abi, functionName: 'balanceOf', args: [address] })
        ),
      stop: () => {
        clearInterval(ticking);
        return child.stop();
      },
    };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

/**
 * The path of the anvil binary: the npm package's own file, because its launcher would orphan it.
 *
 * @returns {string}
 */
export function findAnvil() {
  try {
    const manifest = createRequire(import.meta.url).resolve(`${ANVIL}/package.json`);
    return join(dirname(manifest), 'bin', 'anvil');
  } catch {
    // The package for this platform is not installed: anvil comes from PATH.
  }
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = join(folder, 'anvil');
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not in this folder.
    }
  }
  throw new Error(`anvil is missing: install ${ANVIL} from npm, or Foundry so that \`anvil\` is on PATH`);
}

/**
 * An account of the development phrase, with its key, as a signer that stock clients accept.
 *
 * @param {number} index
 */
export function account(index) {
  const key = developmentKeys().deriveChild(index).privateKey;
  if (!key) throw new Error(`account ${index} has no key`);
  const privateKey = toHex(key);
  return { ...privateKeyToAccount(privateKey), privateKey };
}

/** @type {HDKey | undefined} */
let derived;

/** The key above all accounts (BIP-39, BIP-44), derived once: viem stretches the phrase for each account, in JavaScript. */
function developmentKeys() {
  derived ??= HDKey.fromMasterSeed(pbkdf2Sync(PHRASE, 'mnemonic', 2048, 64, 'sha512')).derive("m/44'/60'/0'/0");
  return derived;
}

/**
 * @param {import('viem').PublicClient<any, any>} client
 * @param {import('../scripts/processes.mjs').Child} child
 */
async function untilAnswering(client, child) {
  let gone = false;
  child.exited.then(() => {
    gone = true;
  });
  const deadline = Date.now() + START_MS;
  for (;;) {
    try {
      const id = await client.getChainId();
      if (id !== 84532) throw new Error(`chain id ${id}`);
      return;
    } catch (error) {
      if (gone) throw new Error(`anvil ended at once: ${child.output().trim() || 'no output'}`);
      if (Date.now() > deadline) throw new Error(`anvil does not answer after ${START_MS / 1000} s`, { cause: error });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * @param {'Token' | 'Multicall' | 'Wallet' | 'WalletFactory' | 'BatchSettlement' | 'DepositCollector' | 'PaymentChannel' | 'Permit2' | 'ExactPermit2Proxy' | 'UptoPermit2Proxy'} name
 * @returns {{abi: import('viem').Abi, bytecode: `0x${string}`, runtime: `0x${string}`}}
 */
export function readArtefact(name) {
  return JSON.parse(readFileSync(new URL(`token/${name}.json`, import.meta.url), 'utf8'));
}

/** Address of Multicall3 on nearly every chain; facilitators look for it there. */
const MULTICALL3 = '0xcA11bde05977b3631167028862bE2a173976CA11';
const PHRASE = 'test test test test test test test test test test test junk';
const ACCOUNTS = 11;
const START_MS = 20_000;
const POLL_MS = 20;
const IDLE_MS = 10_000;
