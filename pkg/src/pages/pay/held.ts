// Who has signed for a page, and what: an open payment goes on with both, also after a reload and in another tab.

import type { Proposal } from '../../options.js';
import type { KeptPayment } from '../../resume.js';
import type { Way } from './terms.js';

/** What is signed and open. */
export type Held = { readonly account: string; readonly network: string; readonly asset: string };

const nameOf = (url: string): string => `farebox-signed ${url}`;

/** Notes what leaves. */
export function hold(url: string, { payer, network, asset }: Proposal): void {
  localStorage.setItem(nameOf(url), JSON.stringify({ account: payer ?? '', network, asset } satisfies Held));
}

/** What is held; nothing once no payment for the page is open. The record knows by whom it was signed, also where the note was lost. */
export function heldOf(url: string, [open]: readonly KeptPayment[]): Held | undefined {
  const text = localStorage.getItem(nameOf(url)) ?? '{}';
  if (open === undefined) {
    localStorage.removeItem(nameOf(url));
    return undefined;
  }
  const noted = read(text);
  return { ...noted, account: open.payer || noted.account };
}

function read(text: string): Held {
  try {
    const { account = '', network = '', asset = '' } = JSON.parse(text) as Partial<Held>;
    return { account: String(account), network: String(network), asset: String(asset) };
  } catch {
    // Nobody wrote that who may.
    return { account: '', network: '', asset: '' };
  }
}

/** Whether this browser keeps anything for the page: what is signed could not be continued otherwise. */
export function canHold(): boolean {
  try {
    return localStorage.length >= 0;
  } catch {
    return false;
  }
}

/** The way by which it was signed. */
export function wayOf(held: Pick<Held, 'network' | 'asset'> | undefined, ways: readonly Way[]): Way | undefined {
  return held && ways.find(({ terms }) => terms.network === held.network && terms.asset.toLowerCase() === held.asset.toLowerCase());
}
