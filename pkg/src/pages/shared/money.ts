/** Sums of money as integers of atomic units, and what people read of them. */

import type { Members } from '../../members.js';
import { textOf } from '../../operator/client.js';

/** Atomic units of a text; zero for what is none. */
export function unitsOf(text: string): bigint {
  return /^\d{1,78}$/.test(text) ? BigInt(text) : 0n;
}

/** Whole tokens as text: `1.05`. */
export function inTokens(units: bigint, decimals: number): string {
  const digits = units.toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const rest = digits.slice(digits.length - decimals).replace(/0+$/, '');
  return rest === '' ? whole : `${whole}.${rest}`;
}

/** What an asset's units are called: its symbol, or its address where the Worker does not know it. */
export interface Coin {
  readonly network: string;
  readonly asset: string;
  readonly symbol: string;
  /** `undefined` for an asset that is not known: then amounts are atomic units. */
  readonly decimals: number | undefined;
}

export function coinOf(members: Members): Coin {
  const { decimals } = members;
  return {
    network: textOf(members, 'network'),
    asset: textOf(members, 'asset'),
    symbol: textOf(members, 'symbol'),
    decimals: typeof decimals === 'number' && Number.isInteger(decimals) && decimals >= 0 && decimals <= 36 ? decimals : undefined,
  };
}

/** An amount with its unit. */
export function inWords(units: bigint, coin: Coin): string {
  return coin.decimals === undefined ? `${units} units of ${short(coin.asset)}` : `${inTokens(units, coin.decimals)} ${coin.symbol}`;
}

/** The ends of a long name: `0x3c44…93bc`. */
export function short(name: string): string {
  return name.length > 20 ? `${name.slice(0, 8)}…${name.slice(-6)}` : name;
}
