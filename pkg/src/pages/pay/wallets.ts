// Wallets of this browser: found, brought to the network of a payment, and asked what they hold.

import type { Eip1193Provider } from '../../signer.js';
import { injectedWallet, leadTo } from '../shared/wallet.js';
import { chainIdOf, type Way } from './terms.js';

/** A wallet that the browser offers. */
export type Wallet = {
  readonly name: string;
  /** A picture as `data:`; empty if there is none. */
  readonly icon: string;
  readonly provider: Eip1193Provider;
};

/** An announcement. Spec: EIP-6963, "EIP6963ProviderDetail". */
type Announced = {
  readonly info: { readonly uuid: string; readonly name: string; readonly icon: string };
  readonly provider: Eip1193Provider;
};

/** Wallets that are shown, and characters of the name of one. */
const MOST_WALLETS = 20;
const MOST_NAME = 100;

/** Calls `found` with the wallets known so far, again whenever there is another one. */
export function watchWallets(found: (wallets: readonly Wallet[]) => void): void {
  const announced = new Map<string, Wallet>();
  const injected = injectedWallet();
  const tell = (): void => {
    const all = [...announced.values()];
    const isKnown = injected === undefined || all.some(({ provider }) => provider === injected);
    found(isKnown || all.length > 0 ? all : [{ name: 'your browser wallet', icon: '', provider: injected }]);
  };
  window.addEventListener('eip6963:announceProvider', (event) => {
    const { info, provider } = (event as CustomEvent<Announced>).detail;
    // The first one keeps its place, and a script that announces without an end has none.
    if (typeof info.name !== 'string' || info.name === '' || announced.has(info.uuid) || announced.size >= MOST_WALLETS) return;
    const icon = /^data:image\//.test(info.icon) ? info.icon : '';
    announced.set(info.uuid, { name: info.name.slice(0, MOST_NAME), icon, provider });
    tell();
  });
  window.dispatchEvent(new Event('eip6963:requestProvider'));
  tell();
}

/** Brings the wallet to the network of this way. */
export function switchTo({ provider }: Wallet, way: Way): Promise<void> {
  const nativeCurrency = { name: way.coin, symbol: way.coin, decimals: 18 };
  const facts = { chainName: way.title, nativeCurrency, rpcUrls: [way.node], blockExplorerUrls: [way.explorer] };
  return leadTo(provider, chainIdOf(way), way.node === '' ? undefined : facts);
}

/** The account that the wallet pays with. */
export async function firstAccount({ provider }: Wallet): Promise<string> {
  const accounts = await provider.request({ method: 'eth_requestAccounts' });
  const [account] = Array.isArray(accounts) ? (accounts as readonly unknown[]) : [];
  if (typeof account !== 'string') throw Object.assign(new Error('The wallet named no account.'), { code: 'wallet_failed' });
  return account;
}

/** `balanceOf(address)`. Spec: ERC-20. */
const BALANCE_OF = '0x70a08231';

/** How long a wallet may take to say what an account holds, milliseconds: without an answer it is asked to sign all the same. */
const MOST_MS = 5_000;

/** Atomic units of the token that an account holds; undefined where the wallet does not say. */
export async function balanceOf({ provider }: Wallet, way: Way, account: string): Promise<bigint | undefined> {
  const data = `${BALANCE_OF}${account.slice(2).toLowerCase().padStart(64, '0')}`;
  try {
    const late = new Promise<undefined>((over) => setTimeout(over, MOST_MS));
    const answer = await Promise.race([provider.request({ method: 'eth_call', params: [{ to: way.terms.asset, data }, 'latest'] }), late]);
    return /^0x[0-9a-f]{1,64}$/i.test(String(answer)) ? BigInt(String(answer)) : undefined;
  } catch {
    return undefined;
  }
}
