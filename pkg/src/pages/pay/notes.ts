// What pages here note of deposits. It stands in IndexedDB, as deposits and vouchers do: a site that clears its smaller store loses neither.

import { drawn } from '../../hex.js';
import { indexedDbStore } from '../../indexeddb.js';
import { membersIn, membersOf } from '../../members.js';
import { update } from '../../store.js';

const store = indexedDbStore('farebox-pages');

/** The purchase of a page: its key, and the price that its person has agreed to. The voucher is the same one until it is delivered. */
export type Purchase = {
  readonly key: string;
  readonly price: string;
  /** Its events have begun: they are given once. */
  readonly live?: true;
};

type Notes = {
  /** The deposits that were made in pages here, by channel, with the terms that only it fits. */
  readonly made: Readonly<Record<string, string>>;
  /** The purchases that are not delivered, by URL. */
  readonly open: Readonly<Record<string, Purchase>>;
};

function notesIn(record = ''): Notes {
  const { made, open } = membersIn(record);
  return { made: membersOf(made), open: membersOf(open) } as Notes;
}

/** What is noted. */
export async function notes(): Promise<Notes> {
  return notesIn((await store.read()).record);
}

/** Notes the terms of a channel for which a deposit is about to be signed. */
export async function noteDeposit(channel: string, terms: string): Promise<void> {
  await update(store, (record) => {
    const { made, open } = notesIn(record);
    return JSON.stringify({ made: { ...made, [channel]: terms }, open });
  });
}

/** What is kept for a purchase that goes on, or begins at this price. */
export async function openPurchase(url: string, price: string, goesOn: boolean): Promise<Purchase> {
  let kept: Purchase = { key: drawn(), price };
  await update(store, (record) => {
    const { made, open } = notesIn(record);
    const known = open[url];
    kept = known === undefined ? kept : goesOn ? known : { key: known.key, price };
    return JSON.stringify({ made, open: { ...open, [url]: kept } });
  });
  return kept;
}

/** Notes that the events of a purchase have begun. */
export async function beginEvents(url: string): Promise<void> {
  await update(store, (record) => {
    const { made, open } = notesIn(record);
    const known = open[url];
    return known === undefined ? undefined : JSON.stringify({ made, open: { ...open, [url]: { ...known, live: true } } });
  });
}

/** Lets a purchase go: the next one for the page is another one. */
export async function closePurchase(url: string, key?: string): Promise<void> {
  await update(store, (record) => {
    const { made, open } = notesIn(record);
    const { [url]: known, ...others } = open;
    // Another tab may have begun the next one.
    return known === undefined || (key ?? known.key) !== known.key ? undefined : JSON.stringify({ made, open: others });
  });
}
