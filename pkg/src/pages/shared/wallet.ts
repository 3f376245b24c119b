/** The wallet that the browser injects, for one transaction that a person signs. Spec: EIP-1193, EIP-3326. */

import { membersOf } from '../../members.js';
import type { Eip1193Provider } from '../../signer.js';

/** An unsigned transaction, as `eth_sendTransaction` takes it without `from`; `chainId` is hexadecimal. */
export interface Unsigned {
  readonly chainId: string;
  readonly to: string;
  readonly value: string;
  readonly data: string;
}

/** Whether a person said no, so that nothing was signed. */
export function isRejection(error: unknown): boolean {
  return codeOf(error) === 4001;
}

/** The code of a wallet's error; some wallets wrap it. */
function codeOf(error: unknown): unknown {
  const { code, data } = (error ?? {}) as { code?: unknown; data?: { originalError?: { code?: unknown } } };
  return data?.originalError?.code ?? code;
}

/** The wallet of this browser. */
export function injectedWallet(): Eip1193Provider | undefined {
  const { ethereum } = globalThis as { ethereum?: Partial<Eip1193Provider> };
  return typeof ethereum?.request === 'function' ? (ethereum as Eip1193Provider) : undefined;
}

/** Asks the person for their accounts, and gives the one that is `wanted` in the spelling of the wallet. */
export async function accountOf(wallet: Eip1193Provider, wanted: string): Promise<string | undefined> {
  const accounts = await wallet.request({ method: 'eth_requestAccounts' });
  const same = (account: unknown): account is string => typeof account === 'string' && account.toLowerCase() === wanted.toLowerCase();
  return Array.isArray(accounts) ? accounts.find(same) : undefined;
}

/** What a wallet needs to know a network. Spec: EIP-3085. */
export interface NetworkFacts {
  readonly chainName: string;
  readonly nativeCurrency: { readonly name: string; readonly symbol: string; readonly decimals: number };
  readonly rpcUrls: readonly string[];
  readonly blockExplorerUrls: readonly string[];
}

/** The code of a wallet that does not know a network. Spec: EIP-3326. */
const UNKNOWN_CHAIN = 4902;

/** Leads the wallet to a network, which it is told of if it does not know it, and throws if it stays elsewhere. */
export async function leadTo(wallet: Eip1193Provider, chainId: string, facts?: NetworkFacts): Promise<void> {
  const current = () => wallet.request({ method: 'eth_chainId' });
  const change = () => wallet.request({ method: 'wallet_switchEthereumChain', params: [{ chainId }] });
  if (isSame(await current(), chainId)) return;
  try {
    await change();
  } catch (error) {
    if (codeOf(error) !== UNKNOWN_CHAIN || facts === undefined) throw error;
    await wallet.request({ method: 'wallet_addEthereumChain', params: [{ chainId, ...facts }] });
    if (!isSame(await current(), chainId)) await change();
  }
  if (!isSame(await current(), chainId))
    throw Object.assign(new Error(`The wallet stays on another network than eip155:${BigInt(chainId)}.`), { code: 'wallet_failed' });
}

function isSame(one: unknown, other: string): boolean {
  return typeof one === 'string' && /^0x[0-9a-f]{1,16}$/i.test(one) && BigInt(one) === BigInt(other);
}

/** Has it signed and sent on its network alone, and gives its hash. */
export async function sendFrom(wallet: Eip1193Provider, from: string, { chainId, to, value, data }: Unsigned): Promise<string> {
  // A person may change the network while they are asked: the wallet refuses then.
  const hash = await wallet.request({ method: 'eth_sendTransaction', params: [{ from, chainId, to, value, data }] });
  if (typeof hash !== 'string' || !/^0x[0-9a-fA-F]{64}$/.test(hash))
    throw new Error('The wallet named no transaction: look into its history.');
  return hash;
}

/** What became of a transaction; `unread` where the wallet reads no chain, `unsure` where its node could not be asked. */
export type Outcome = 'succeeded' | 'failed' | 'pending' | 'unread' | 'unsure';

/** The codes of a wallet that does not know a method. Spec: EIP-1193, EIP-1474. */
const NO_METHOD: readonly unknown[] = [4200, -32601, -32004];

/** The outcome of a transaction of a network by the wallet's own node, which has this long; `pending` where it is in no block yet. */
export function outcomeOf(wallet: Eip1193Provider, hash: string, chainId: string, withinMs: number): Promise<Outcome> {
  // A wallet may never answer.
  const late = new Promise<Outcome>((done) => setTimeout(() => done('unsure'), withinMs));
  return Promise.race([late, outcomeNow(wallet, hash, chainId)]);
}

async function outcomeNow(wallet: Eip1193Provider, hash: string, chainId: string): Promise<Outcome> {
  try {
    // The node of another network finds nothing, which says nothing.
    if (!isSame(await wallet.request({ method: 'eth_chainId' }), chainId)) return 'unsure';
    const { status, blockNumber } = membersOf(await wallet.request({ method: 'eth_getTransactionReceipt', params: [hash] }));
    if (status === '0x1') return 'succeeded';
    if (status === '0x0') return 'failed';
    // A receipt of a block that is written in another way says nothing either.
    return blockNumber === undefined || blockNumber === null ? 'pending' : 'unsure';
  } catch (error) {
    return NO_METHOD.includes(codeOf(error)) ? 'unread' : 'unsure';
  }
}
