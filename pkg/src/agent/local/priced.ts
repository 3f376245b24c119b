/** Prices in the forms of the contracts: decimal text and minor units of one source. */
import * as wasm from '#agent-wasm';

import type { Proposal } from '../../options.js';
import type { SdkPreparedPaymentRequirement, SdkReceipt } from '../contracts.js';

/** The price that is shown of a payment which would be made. */
export function requirementOf(
  { network, asset, amount, price, payTo, upTo }: Proposal,
  shown: SdkPreparedPaymentRequirement | undefined,
): SdkPreparedPaymentRequirement {
  return {
    protocol: 'x402',
    asset,
    ...paddedOf(amount, price),
    amountMinor: amount,
    network,
    payee: payTo,
    amountType: upTo ? 'max' : 'exact',
    ...(shown?.description === undefined ? {} : { description: shown.description }),
    provenance: { source: 'merchant_challenge', authority: 'authoritative' },
  };
}

/** The money of a receipt: of a settlement, or else of what was signed. */
export function moneyOf({ asset, symbol, amount, price }: Pick<Proposal, 'asset' | 'symbol' | 'amount' | 'price'>): SdkReceipt['money'] {
  const { amount: padded = price, precision = 6 } = paddedOf(amount, price);
  return { asset: asset ?? symbol, amount: padded, amountMinor: amount, precision, unit: 'minor' };
}

/** The price with all fraction digits of its token; nothing where both forms do not agree. */
function paddedOf(amount: string, price: string): { readonly amount?: string; readonly precision?: number } {
  const padded = wasm.paddedPrice(amount, price);
  return padded === undefined ? {} : (JSON.parse(padded) as { amount: string; precision: number });
}
