/** Payments that were sent, kept in the record of the budget: what is sent again are the same bytes. */
import { unusable } from './error.js';

/** The key that it is for, unix seconds of its last change, whether its fate is not known yet, and the text that is kept of it. */
export type SentRow = readonly [key: string, at: number, open: boolean, text: string];

/** Seconds after the end of a payment in which it may still be charged: clocks differ. */
export const LATE_SECS = 60;
/** How many are kept whose fate is known or that have ended, of one host and of all, and characters of all rows together. */
const MOST_KNOWN = 256;
/** Well below the 2,000 that the compiled part keeps: payments and channels that are open have to find room. */
const MOST_ROWS = 4 * MOST_KNOWN;
/** Those whose fate is known have room of their own, however many are open: they tell what is not paid for again. */
const LEAST_KNOWN = 2 * MOST_KNOWN;
const MAX_TEXT = 4 * 1024 * 1024;
/** Characters of the rows of one host: what it answers is kept, and must leave room for the others. */
const MAX_HOST_TEXT = MAX_TEXT / 8;
type Measure = 'size' | 'count';
/** Names the row that counts by host what was dropped: open and without an end, it stays itself. */
const DROPPED = 'dropped';
const LIMITS: readonly (readonly [measure: Measure, most: number])[] = [
  ['size', MAX_TEXT],
  ['count', MOST_ROWS],
];

/** What decides which of two rows of one purchase stands. */
export type Claim = {
  /** Whether its fate is not known yet. */
  readonly isOpen: boolean;
  /** Names what was signed under it, or may be: another signature of the same name charges nothing more. */
  readonly signed?: string | undefined;
  /** How far it is, where that is counted. */
  readonly rank?: number;
};

/**
 * Whether a stored row stands against that of a process which has not read it. What may be signed gives way only to
 * a row that holds the same, what has ended is not reopened, and no row to one that is less far.
 */
export function stands(stored: Claim, mine: Claim): boolean {
  if (stored.signed !== undefined && (!stored.isOpen || stored.signed !== mine.signed)) return true;
  return (stored.rank ?? 0) > (mine.rank ?? 0);
}

/** The rows of a record, in the order in which they were written. */
export function sentIn(record: string | undefined): readonly SentRow[] {
  return rowsOf(read(record));
}

/**
 * The record with this row in the place of an earlier one of its key; the oldest whose fate is known, or that have ended, go first:
 * those of its host where its share is full, and those of the host that has most where the store is.
 */
export function withSent(record: string | undefined, row: SentRow): string {
  const value = read(record);
  const rows = [...rowsOf(value).filter(([key]) => key !== row[0]), row];
  return JSON.stringify({ ...value, v: 2, sent: within(rows, row[1]) });
}

/** Refuses, as {@link withSent}, where the record has no room for all of these rows, of which the last one is asked about. */
export function admitSent(record: string | undefined, rows: readonly SentRow[]): void {
  const keys = new Set(rows.map(([key]) => key));
  within([...sentIn(record).filter(([key]) => !keys.has(key)), ...rows], rows.at(-1)?.[1] ?? 0);
}

/** The record without the row of this key. */
export function withoutSent(record: string | undefined, key: string): string {
  const value = read(record);
  return JSON.stringify({ ...value, v: 2, sent: rowsOf(value).filter(([known]) => known !== key) });
}

/** Whether a payment may still be charged, as far as its row says when it ends: those of channels do not. */
export function isUnended(ends: number | undefined, now: number): boolean {
  return now <= (ends ?? Infinity) + LATE_SECS;
}

/** State of a record when a call begins: the marks of all rows, and how many of its host were dropped before. */
export type Began = { readonly marks: ReadonlySet<string>; readonly dropped: number };

/** The same of a call for a URL, with more marks. */
export function beganIn(rows: readonly SentRow[], url: string, more: readonly string[] = []): Began {
  return { marks: new Set([...rows.map(markOf), ...more]), dropped: droppedOf(rows, new URL(url).host) };
}

/** The mark by which a row is told from a later one of its key. */
export const markOf = ([key, at, isOpen, text]: SentRow): string => `${key} ${at} ${isOpen} ${text.length}`;

/**
 * Whether a row of its host may have come since a call began and is gone: what the call does not find may have been paid. The oldest
 * go first, so nothing has where one is left that could go before. Counted, and not timed: clocks differ.
 */
export function hasDropped(rows: readonly SentRow[], url: string, { marks, dropped }: Began): boolean {
  const { host } = new URL(url);
  if (droppedOf(rows, host) === dropped) return false;
  return !rows.some((row) => {
    if (!marks.has(markOf(row))) return false;
    // At a time at which nothing has ended: until then what is open stays where others go, and so does a refund.
    const it = placed(row, 0);
    return it.isKnown && it.host === host;
  });
}

const droppedOf = (rows: readonly SentRow[], host: string): number => {
  const counts = droppedIn(rows);
  return (counts.get(host) ?? 0) + (counts.get('') ?? 0);
};

/** How many were dropped of each host, and together of those that are not counted by themselves. */
const droppedIn = (rows: readonly SentRow[]): Map<string, number> =>
  new Map(JSON.parse(rows.find(([key]) => key === DROPPED)?.[3] ?? '[]') as [string, number][]);

/** These rows with the count of what was dropped of these hosts; of too many hosts all is counted together. */
function counting(rows: readonly SentRow[], hosts: readonly string[], now: number): readonly SentRow[] {
  if (hosts.length === 0) return rows;
  const counts = droppedIn(rows);
  for (const host of hosts) counts.set(host, (counts.get(host) ?? 0) + 1);
  const all = [...counts];
  const few = all.length > MOST_KNOWN ? [['', all.reduce((sum, [, count]) => sum + count, 0)]] : all;
  return [[DROPPED, now, true, JSON.stringify(few)], ...rows.filter(([key]) => key !== DROPPED)];
}

function rowsOf(value: Record<string, unknown>): readonly SentRow[] {
  return (value['sent'] ?? []) as SentRow[];
}

/** A row, its place, and whether its fate is known, or it has ended: then it may be dropped. */
type Placed = { readonly row: SentRow; readonly host: string; readonly size: number; readonly isKnown: boolean };

/** The rows of one host. */
class Share {
  readonly #gives: Placed[] = [];
  known = 0;
  count = 0;
  size = 0;

  get gives(): boolean {
    return this.#gives.length > 0;
  }

  add(it: Placed, isNew: boolean): void {
    if (it.isKnown && !isNew) this.#gives.push(it);
    this.known += it.isKnown ? 1 : 0;
    this.count += 1;
    this.size += it.size;
  }

  /** Drops the oldest that may go, into `gone`; whether there was one. */
  drops(gone: Map<SentRow, string>): boolean {
    const it = this.#gives.shift();
    if (it === undefined) return false;
    gone.set(it.row, it.host);
    this.known -= 1;
    this.count -= 1;
    this.size -= it.size;
    return true;
  }
}

/** These rows within bounds; the last one is new. */
function within(rows: readonly SentRow[], now: number): readonly SentRow[] {
  // What the texts say is read only where there may be too much of it.
  if (rows.length <= MOST_KNOWN && rows.reduce((sum, row) => sum + sizeOf(row), 0) <= MAX_HOST_TEXT) return rows;
  const gone = new Map<SentRow, string>();
  const shares = new Map<string, Share>();
  let own: Placed | undefined;
  for (const [at, row] of rows.entries()) {
    const it = placed(row, now);
    const share = shares.get(it.host) ?? new Share();
    share.add(it, at === rows.length - 1);
    shares.set(it.host, share);
    own = it;
  }
  for (const [host, share] of shares) {
    while ((share.known > MOST_KNOWN || share.size > MAX_HOST_TEXT) && share.drops(gone)) {
      // The oldest goes.
    }
    // Those that are open and may be charged are never dropped: the next payment waits for them.
    if (host !== '' && host === own?.host && own.row[2] && share.size > MAX_HOST_TEXT) throw full(` to ${host}`);
  }
  const all = [...shares.values()];
  const sum = (measure: Measure | 'known'): number => all.reduce((total, share) => total + share[measure], 0);
  const isOver = (measure: Measure, most: number): boolean => sum(measure) > most && (measure === 'size' || sum('known') > LEAST_KNOWN);
  const fullest = (measure: Measure): Share | undefined =>
    all.filter(({ gives }) => gives).sort((one, other) => other[measure] - one[measure])[0];
  for (const [measure, most] of LIMITS) {
    while (isOver(measure, most) && fullest(measure)?.drops(gone) === true) {
      // That of the host that has most.
    }
  }
  if (sum('size') > MAX_TEXT) throw full('');
  const left = rows.filter((row) => !gone.has(row));
  return counting(left, [...gone.values()], now);
}

/** A row with what its text says: its host, which those of channels do not name, and whether it has to stay. */
function placed(row: SentRow, now: number): Placed {
  const [, , isOpen, text] = row;
  // Some rows have no text.
  const { url, ends, refunded } = JSON.parse(text || '{}') as { url?: unknown; ends?: number; refunded?: unknown };
  const host = typeof url === 'string' && URL.canParse(url) ? new URL(url).host : '';
  // A refund that was told of keeps its order from being paid unasked.
  const waits = (isOpen || refunded === true) && isUnended(ends, now);
  return { row, host, size: sizeOf(row), isKnown: !waits };
}

function sizeOf([key, , , text]: SentRow): number {
  return key.length + text.length;
}

function full(where: string): Error {
  return unusable(
    'budget_exhausted',
    `too many payments were sent${where} whose outcome is not known`,
    'send them again, or wait until they have ended',
  );
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
