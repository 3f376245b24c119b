// What is signed for this page and open: by which account and way, and whether it can still be charged.

import { indexedDbStore } from '../../indexeddb.js';
import type { KeptPayment } from '../../resume.js';
import { BUDGET, channelOfPurchase, depositWays, wayOfChannel } from './deposit.js';
import { type Held, heldOf, wayOf } from './held.js';
import { loading, nameHere, URL_HERE } from './purchase.js';
import { payableWays, type Way } from './terms.js';
import type { Failure } from './words.js';

/** The ways to pay for this page by itself, and by a deposit. */
export const ways = payableWays();
export const deposits = depositWays(ways);
/** What `whoSigned` has found last. */
export const signed: {
  /** The way of what can still be charged: no other can be chosen meanwhile. */
  onlyWay: Way | undefined;
  /** Whether what was signed for this page has ended: it goes on with the same nonce, unless its person pays anew. */
  hasEnded: boolean;
} = { onlyWay: undefined, hasEnded: false };

/**
 * Who has signed, and by what; whether it can no more be charged, whether an answer without a receipt has come for it, after which it is
 * not signed again under its nonce, and whether it is a deposit's.
 */
export type Signed = Held & { readonly hasEnded: boolean; readonly isAnswered: boolean; readonly isDeposit: boolean };

/** The deposit that has paid for this page, or may have, while it is not delivered. */
const depositOfPurchase = () => read(() => channelOfPurchase(URL_HERE));

/** Who has signed for this page, while that is open, and whether it can no more be charged. */
export async function whoSigned(): Promise<Signed | undefined> {
  const deposit = await depositOfPurchase();
  if (deposit !== undefined) {
    signed.onlyWay = await read(() => wayOfChannel(deposit, deposits));
    signed.hasEnded = false;
    return { account: deposit.payer, network: deposit.network, asset: deposit.asset, hasEnded: false, isAnswered: false, isDeposit: true };
  }
  const open = await openPayments();
  const held = heldOf(URL_HERE, open);
  if (held === undefined) {
    Object.assign(signed, { onlyWay: undefined, hasEnded: false });
    return undefined;
  }
  const { isUnended } = await loading;
  const hasEnded = !open.some(({ ends }) => isUnended(ends, Date.now() / 1000));
  Object.assign(signed, { onlyWay: hasEnded ? undefined : wayOf(held, ways), hasEnded });
  return { ...held, hasEnded, isAnswered: open.every(({ answered }) => answered === true), isDeposit: false };
}

/** Whether a payment for this page is signed and open. */
export async function isSigned(): Promise<boolean> {
  return (await depositOfPurchase()) !== undefined || (await openPayments()).length > 0;
}

/** Whether the record names this page at all. It is read without the payer, so that whoever comes first need not wait for that. */
async function mayBeSigned(): Promise<boolean> {
  const { record = '' } = await read(() => indexedDbStore(BUDGET).read());
  // Whatever is written otherwise in the record than in the URL is looked for by the payer.
  return URL_HERE.includes('\\') || record.includes(URL_HERE);
}

/** Reads what is kept: a store that fails does not tell that nothing is. */
function read<T>(work: () => Promise<T>): Promise<T> {
  return work().catch((error: Failure) => {
    throw error.code === 'unloaded' ? error : Object.assign(new Error(String(error.message)), { code: 'unread' });
  });
}

/** What is signed for this page and open. */
async function openPayments(): Promise<KeptPayment[]> {
  if (!(await mayBeSigned())) return [];
  const { openPaymentsOf } = await loading;
  const name = await nameHere();
  return read(() => openPaymentsOf(indexedDbStore(BUDGET), name));
}
