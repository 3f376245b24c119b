/** Payments that were sent, kept in the record of the budget: what is sent again are the same bytes. */
import { unusable } from './error.js';

/** The key that it is for, unix seconds of its last change, whether its fate is not known yet, and the text that is kept of it. */
export type SentRow = readonly [key: string, at: number, open: boolean, text: string];

/** Seconds after the end of a payment in which it may still be charged: clocks differ. */
export const LATE_SECS = 60;
/** How many are kept whose fate is known or that have ended, and characters of all rows together. */
const MOST_KNOWN = 256;
const MAX_TEXT = 4 * 1024 * 1024;
/** Characters of what is open at one host: what it answers is kept, and must leave room for the others. */
const MAX_HOST_TEXT = MAX_TEXT / 8;

/** The rows of a record, in the order in which they were written. */
export function sentIn(record: string | undefined): readonly SentRow[] {
  return (read(record)['sent'] ?? []) as SentRow[];
}

/** The record with this row in the place of an earlier one of its key; the oldest whose fate is known, or that have ended, go first. */
export function withSent(record: string | undefined, row: SentRow): string {
  const others = sentIn(record).filter(([key]) => key !== row[0]);
  const [, at, isOpen, own] = row;
  const length = others.reduce((sum, [, , , text]) => sum + text.length, own.length);
  if (isOpen && length > MAX_HOST_TEXT) {
    const { host, size } = placeOf(own);
    const here = others
      .filter(([, , open]) => open)
      .map(([, , , text]) => placeOf(text))
      .filter((it) => it.host === host && isUnended(it.ends, at));
    if (host !== undefined && here.reduce((sum, it) => sum + it.size, size) > MAX_HOST_TEXT) {
      throw unusable(
        'budget_exhausted',
        `too many payments were sent to ${host} whose outcome is not known`,
        'send them again, or wait until they have ended',
      );
    }
  }
  return withRows(record, [...others, row], at);
}

/** The host of what a row is about, which those of channels do not name, its size there, and its end. */
function placeOf(text: string): { readonly host: string | undefined; readonly size: number; readonly ends: number | undefined } {
  const { url, ends } = JSON.parse(text) as { url?: unknown; ends?: number };
  return { host: typeof url === 'string' && URL.canParse(url) ? new URL(url).host : undefined, size: text.length, ends };
}

/** The record without the row of this key. */
export function withoutSent(record: string | undefined, key: string): string {
  return withRows(
    record,
    sentIn(record).filter(([known]) => known !== key),
  );
}

/** Whether a payment may still be charged, as far as its row says when it ends: those of channels do not. */
export function isUnended(ends: number | undefined, now: number): boolean {
  return now <= (ends ?? Infinity) + LATE_SECS;
}

function withRows(record: string | undefined, rows: readonly SentRow[], now = 0): string {
  let length = rows.reduce((sum, [key, , , text]) => sum + key.length + text.length, 0);
  const isFull = rows.length > MOST_KNOWN || length > MAX_TEXT;
  // What is open is read only where there is too much of it.
  const waits = ([, , open, text]: SentRow): boolean => open && (!isFull || isUnended((JSON.parse(text) as { ends?: number }).ends, now));
  const waiting = new Set(rows.filter(waits));
  let known = rows.length - waiting.size;
  const kept = rows.filter((row, at) => {
    const [key, , , text] = row;
    const stays = waiting.has(row) || at === rows.length - 1 || (known <= MOST_KNOWN && length <= MAX_TEXT);
    if (!stays) [known, length] = [known - 1, length - key.length - text.length];
    return stays;
  });
  // Those that are open and may be charged are never dropped: the next payment waits for them.
  if (length > MAX_TEXT)
    throw unusable(
      'budget_exhausted',
      'too many payments were sent whose outcome is not known',
      'send them again, or wait until they have ended',
    );
  return JSON.stringify({ ...read(record), v: 2, sent: kept });
}

function read(record: string | undefined): Record<string, unknown> {
  if (record === undefined) return { v: 2, entries: [], pins: [] };
  try {
    const value: unknown = JSON.parse(record);
    if (typeof value === 'object' && value !== null && Array.isArray((value as { entries?: unknown }).entries))
      return value as Record<string, unknown>;
  } catch {
    // As any other record that is none.
  }
  throw unusable(
    'budget_unreadable',
    'the record of what was spent cannot be read',
    'check the store: without a record of what was spent, nothing is signed',
  );
}
