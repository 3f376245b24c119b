// The ways to pay that the 402 names, as its document tells them.

/** A way to pay. */
export type Way = {
  readonly terms: {
    readonly scheme: string;
    readonly network: string;
    /** Atomic units. */
    readonly amount: string;
    readonly asset: string;
    readonly payTo: string;
    readonly extra: { readonly name?: string; readonly version?: string; readonly assetTransferMethod?: string };
  };
  /** In whole tokens. */
  readonly price: string;
  readonly symbol: string;
  readonly decimals: number;
  /** The network's name. */
  readonly title: string;
  readonly test: boolean;
  /** Where people look at transactions; empty if none is known, as the two below. */
  readonly explorer: string;
  readonly node: string;
  readonly coin: string;
  /** The terms of deposits, where it is sold so too. Spec: x402 `batch-settlement`. */
  readonly session?: {
    readonly extra: { readonly withdrawDelay?: number; readonly receiverAuthorizer?: string; readonly minDeposit?: string };
  };
  /** The way of one page, of a deposit that pays for many: price and amount are those of the deposit. */
  readonly single?: Way;
};

/** The ways that a wallet of a browser can pay: one signature of the token, and no allowance. */
export function payableWays(): readonly Way[] {
  const ways = JSON.parse(document.querySelector('#ways')?.textContent ?? '[]') as Way[];
  return ways.filter(
    ({ terms }) => terms.scheme === 'exact' && terms.network.startsWith('eip155:') && terms.extra.assetTransferMethod !== 'permit2',
  );
}

/** The price with its token. */
export function priceOf({ price, symbol }: Way): string {
  return `${price} ${symbol}`;
}

/** The chain's number, as wallets write it. */
export function chainIdOf({ terms }: Way): string {
  return `0x${BigInt(terms.network.slice('eip155:'.length)).toString(16)}`;
}
