// What is left of a deposit here: it pays for pages, and comes back.

import { inTokens } from '../shared/money.js';
import { depositFetch, type Rest, restOf } from './deposit.js';
import * as panel from './panel.js';
import { agreedBeside, loading, nobody, policyOf, URL_HERE } from './purchase.js';
import { deposits, ways } from './signed.js';
import type { Way } from './terms.js';
import { type Failure, isOpen, saidBy, wordsFor } from './words.js';

/** Runs work that buys nothing, while no other tab of this page pays; `back` shows again what is shown beside it. */
export type Alone = (work: () => Promise<void>, back: () => void) => void;

/** The deposit that pays for this page without a wallet. */
let rest: Rest | undefined;

/** Looks for a deposit that has something left. What cannot be read is not offered. */
export async function look(): Promise<void> {
  rest = await restOf(ways).catch(() => undefined);
}

/** What is left of a deposit, and how it comes back; `back` shows again what is shown beside it. */
export function leftOver(back: () => void, alone: Alone): readonly Node[] {
  if (rest === undefined) return [];
  const { channel, way: of, units } = rest;
  const text = `You ${channel.pending === null ? 'have' : 'may have'} ${inTokens(units, of.decimals)} ${of.symbol}`;
  // The seller pays back by no channel that has paid nothing: that costs two transactions.
  const asks = channel.spent === '0' ? undefined : () => alone(() => giveBack(back, alone), back);
  return panel.leftOver(text, asks);
}

/** Has what is left paid back to the account that deposited it. */
async function giveBack(back: () => void, alone: Alone): Promise<void> {
  const { BY_CONTRACT, LATER, UNTOLD } = await loading;
  await look();
  if (rest === undefined) return back();
  const { channel, way: of } = rest;
  try {
    // The gate claims by the last voucher first, and gives no answer to it any more.
    if (!(await agreedBeside(of, channel.payer, 'it does not come once the rest is back', [panel.GIVE_BACK, 'Not now']))) return back();
    panel.show('Asking the seller for the rest of your deposit…');
    const pays = await depositFetch(fetch, nobody(channel.payer), policyOf(of, of.price));
    const { refunded, transaction } = await pays.refund(URL_HERE);
    await look();
    panel.paidBack(`${inTokens(BigInt(refunded ?? 0), of.decimals)} ${of.symbol}`, channel.payer, transaction, of.explorer, back);
  } catch (error) {
    const failure = (error ?? {}) as Failure;
    const refused = rest?.pays === false ? BY_CONTRACT : LATER;
    const words = isOpen(failure) ? UNTOLD : failure.code === 'payment_refused' ? refused : wordsFor(failure);
    // What is on its way is not sent twice: asking again is answered with the same one.
    const again = (): void => alone(() => giveBack(back, alone), back);
    panel.failed({ ...words, again: true }, saidBy(failure), again, panel.button('Go on', back));
  }
}

/** The way by which what is left of a deposit pays for this page, where it is enough, and the account that deposited. */
export function restPays(): { readonly way: Way; readonly payer: string } | undefined {
  if (!rest?.pays || rest.units < BigInt(rest.way.terms.amount)) return undefined;
  const { way: of, channel } = rest;
  const way = deposits.find(({ single }) => single === of);
  return way && { way, payer: channel.payer };
}
