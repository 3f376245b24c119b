/** What has left for a purchase under a key, by channel or by itself, as the record of the budget tells it: all that pay from one store read it here. */
import type { FareboxError } from './error.js';
import { delivered } from './named.js';
import { unresolved } from './purchases.js';
import { isUnended, type SentRow, sentIn, withoutSent } from './sent.js';
import type { Placed } from './slots.js';

/** What the names of rows begin with: of payments that `resume` keeps, of those of an agent, and of the way by which a purchase under a key is paid. */
export const KEPT = 'fetch ';
export const OF_AGENT = 'agent ';
export const WAY = 'key ';

/** A voucher: its amount, the amount up to which nothing can have been charged for the same purchase, and whether it pays for nothing else. */
export type Voucher = { readonly channel: string; readonly amount: string; readonly before: string; readonly alone: boolean };

/** What has left for a purchase under a key: by channel the voucher, if there is one, and the last call that it was for. */
export type Left = {
  readonly channel?: string;
  readonly call?: string;
  readonly content?: string;
  readonly voucher?: Voucher;
  /** Of what is paid by itself: the calls that go on, and whether one ended without a receipt. */
  readonly itself?: { readonly calls: readonly string[]; readonly isOpen: boolean };
  /** Whether its answer came with a receipt. */
  readonly delivered?: true;
};

/** What is known to have left for the purchase of this name. What was paid without a channel at hand is known from what `resume` keeps. */
export function leftIn(record: string | undefined, name: string): Left | undefined {
  const rows = sentIn(record);
  const known = wayIn(rows, name);
  if (known !== undefined) return known;
  const [first, ...more] = keptIn(rows, name);
  if (first === undefined) return undefined;
  const isOpen = [first, ...more].some((it) => it.isOpen);
  const { content } = first;
  return { ...(content === undefined ? {} : { content }), itself: { calls: [], isOpen }, ...(isOpen ? {} : { delivered: true }) };
}

/** Of what was paid by itself without a key: whether nothing is open, or what is open can still be charged, or all of it has ended. */
export type Open = 'nothing' | 'unended' | 'ended';

/** What `resume` keeps open for it. */
export function openIn(record: string | undefined, name: string, now: number): Open {
  const open = openRowsOf(record, name);
  if (open.some((row) => !hasEnded(row, now))) return 'unended';
  // What was answered is over with its end.
  return open.some(([, , , text]) => (JSON.parse(text) as { readonly answered?: true }).answered !== true) ? 'ended' : 'nothing';
}

/** The record without what was paid by itself for it and has ended; nothing where there is none. */
export function withoutEnded(record: string | undefined, name: string, now: number): string | undefined {
  const ended = openRowsOf(record, name).filter((row) => hasEnded(row, now));
  return ended.reduce<string | undefined>((next, [key]) => withoutSent(next ?? record, key), undefined);
}

/** The rows of what is open of a request, by its name. */
export const openRowsOf = (record: string | undefined, name: string): readonly SentRow[] =>
  sentIn(record).filter(([key, , isOpen]) => isOpen && key.startsWith(openRow(name)));

const hasEnded = ([, , , text]: SentRow, now: number): boolean => !isUnended((JSON.parse(text) as { readonly ends?: number }).ends, now);

/** The way that is noted for it. */
export function wayIn(rows: readonly SentRow[], name: string): Left | undefined {
  const [, , , text] = rows.find(([known]) => known === `${WAY}${name}`) ?? [];
  return text === undefined ? undefined : (JSON.parse(text) as Left);
}

/** What was paid by itself, as far as it is open or was delivered: what it is for, and where its nonce is taken once. */
type Kept = Placed & { readonly content?: string; readonly isOpen: boolean };

/** What `resume` keeps for it. */
export function keptIn(rows: readonly SentRow[], name: string): Kept[] {
  const [open, purchase] = [openRow(name), `${KEPT}${name}`];
  // Texts are read only where they name it.
  const mine = rows.filter(([key, , , text]) => key.startsWith(open) || (key.startsWith(KEPT) && text.includes(purchase)));
  return mine.flatMap(([key, , isOpen, text]) => {
    const it = JSON.parse(text) as Omit<Kept, 'isOpen'> & { readonly purchase?: string };
    return key.startsWith(open) || it.purchase === purchase ? [{ ...it, isOpen }] : [];
  });
}

/** The name of the row of a payment for it whose fate is open; without the payment's key what such names begin with. */
export function openRow(name: string, key = ''): string {
  return `${KEPT}${name} ${key}`;
}

/** Why nothing else is paid for what has left one way. */
export function refusal(left: Left): FareboxError {
  return left.delivered === true ? delivered() : unresolved();
}
