/** Payments that were sent, by the key of their request: what is sent again are the same bytes. */
import { OF_AGENT } from '../bought.js';
import { oldestOfFullest } from '../fullest.js';
import type { Proposal, Receipt } from '../options.js';
import { unresolved } from '../purchases.js';
import { freeRoom, holdRoom } from '../room.js';
import { type Began, beganIn, hasDropped, isUnended, type SentRow, sentIn, stands, withSent } from '../sent.js';
import { type Store, update } from '../store.js';
import type { Trace } from '../trace.js';
import type { SdkReceipt } from './contracts.js';

/** What a key stands for. */
export type Asked = {
  /** SHA-256 of method, URL and body. */
  readonly request: string;
  /** The name of the purchase. A payment without one is found by its key alone: of those of earlier versions it is not known whose they were. */
  readonly purchase?: string;
};
/** A payment that left. */
export type Sent = Asked & {
  readonly url: string;
  readonly payment: Readonly<Record<string, string>>;
  readonly proposal: Proposal;
  /** From which its exchange goes on; there is none before its hash is known. */
  readonly trace?: Trace | undefined;
  /** Unix seconds after which it cannot be charged. */
  readonly ends?: number;
  /** Names a transaction of the payer's own that may have been sent, and whose hash is not known: there is no payment. */
  readonly sending?: string;
  /** Whether its content came, without a receipt: then time ends it. */
  readonly answered?: true;
  /** Its name, as in `SentPayment`. */
  readonly key?: string | undefined;
  /** What its seller has proven, or told. */
  readonly receipt?: SdkReceipt | undefined;
  /** The settlement that it tells, as that was checked. Rows that were kept before have none. */
  readonly settled?: Receipt | undefined;
};
/** `open` while its fate is not known. */
type Entry = readonly [key: string, sent: Sent, open?: boolean];
/** The payment under a key. */
type Standing = { readonly sent: Sent; readonly open: boolean };

/** A payment as text, by which two of them are told apart. */
export const signedIn = ({ payment, sending = '' }: Sent): string => `${JSON.stringify(payment)}${sending}`;

/** How many are kept in this process; the oldest of the host that has most goes first, and those that are open and may be charged stay. A store has the bounds of its record. */
const MOST = 1000;

/** Where a journal is. */
export type JournalStores = {
  /** A store of its own. */
  readonly sent?: Store | undefined;
  /** Or else that of the budget. */
  readonly store?: Store | undefined;
  /** Unix seconds [the clock]. */
  readonly now?: (() => number) | undefined;
};

export class Journal {
  readonly #store: Store | undefined;
  readonly #now: () => number;
  readonly #known = new Map<string, Standing>();

  constructor({ sent, store, now = () => Date.now() / 1000 }: JournalStores) {
    this.#now = now;
    this.#store = sent ?? store;
  }

  async read(key: string): Promise<Sent | undefined> {
    return (await this.#standing(key))?.sent;
  }

  /** The payment under a key when a call begins, and what there is beside it at the host of this URL. */
  async begin(key: string, url: string): Promise<{ readonly before: Sent | undefined; readonly began: Began }> {
    const rows = await this.#rows();
    return { before: (standingIn(entriesIn(rows), key) ?? this.#known.get(key))?.sent, began: beganIn(rows, url) };
  }

  /** Whether the fate of its payment is not known. */
  async isOpen(key: string): Promise<boolean> {
    return (await this.#standing(key))?.open ?? false;
  }

  /** The key of the latest payment for the purchase of this name whose fate is not known, unless `skips` says that it is looked after. */
  async openFor(purchase: string, skips: (key: string) => boolean): Promise<string | undefined> {
    return [...(await this.#all())].filter(([key, { sent, open }]) => open && sent.purchase === purchase && !skips(key)).at(-1)?.[0];
  }

  /** Refuses what there is no room to keep, before it is signed: it would be counted, and never leave. It has that room until {@link freeRoom}. */
  async hasRoom(owner: object, key: string, sent: Sent): Promise<void> {
    if (this.#store === undefined) return;
    await holdRoom(this.#store, owner, this.#rowOf([key, sent, true]));
  }

  freeRoom(owner: object): void {
    if (this.#store !== undefined) freeRoom(this.#store, owner);
  }

  /**
   * Keeps it, durably where there is a store, before it returns. Where another process was first
   * under this key, or has ended it, its payment is returned and stands; this one must not leave. `before` is what it goes on with.
   * It throws where what another one has done since the call began may have been dropped.
   */
  async claim(key: string, sent: Sent, began: Began | undefined, before = sent): Promise<Sent | undefined> {
    const mine = [this.#known.get(key)?.sent ?? sent, before, sent].map(signedIn);
    const stays = ({ sent: first, open: isOpen }: Standing): boolean => {
      const signed = signedIn(first);
      // Also of what has ended and may have been charged: a call that has not read it was asked for nothing beside it.
      return stands({ isOpen, signed }, { isOpen: true, signed: mine.find((it) => it === signed) });
    };
    const standing = await this.#keep(key, { sent, open: true }, stays, began);
    while (this.#known.size > MOST) {
      const ended = [...this.#known].filter(([, it]) => !it.open || !isUnended(it.sent.ends, this.#now()));
      const gone = oldestOfFullest(ended, ([, it]) => it.sent.url);
      if (gone === undefined) break;
      this.#known.delete(gone[0]);
    }
    return standing?.sent;
  }

  /** A receipt that it has, of this process or of another one with its store. */
  async receipt(receiptId: string): Promise<SdkReceipt | undefined> {
    return [...(await this.#all()).values()].find(({ sent: { receipt } }) => receipt?.receiptId === receiptId)?.sent.receipt;
  }

  /**
   * Notes what became of a payment; one that is no more `open` makes room for a new one. False if another one under its key is open: it
   * stands, whether it has ended or not, as what was signed later may have been charged.
   */
  async note(key: string, own: Sent, open: boolean): Promise<boolean> {
    const other = await this.#keep(key, { sent: own, open }, (it) =>
      stands({ isOpen: it.open, signed: signedIn(it.sent) }, { isOpen: true, signed: signedIn(own) }),
    );
    return other?.open !== true;
  }

  /** Writes this under a key, unless what is stored there stands, which is returned then. */
  async #keep(key: string, { sent, open }: Standing, stays: (stored: Standing) => boolean, began?: Began): Promise<Standing | undefined> {
    let other: Standing | undefined;
    let mine = sent;
    await this.#change((rows) => {
      const stored = standingIn(entriesIn(rows), key);
      if (stored === undefined && began !== undefined && hasDropped(rows, sent.url, began)) throw unresolved();
      other = stored !== undefined && stays(stored) ? stored : undefined;
      // What was signed before, also by another process, may end later.
      mine = { ...sent, ends: Math.max(endOf(sent), endOf((stored ?? this.#known.get(key))?.sent ?? sent)) };
      return other === undefined ? [key, mine, open] : undefined;
    });
    this.#known.set(key, other ?? { sent: mine, open });
    return other;
  }

  /** What the store has: another process may have ended it. Memory is for what has left the store, or has none. */
  async #standing(key: string): Promise<Standing | undefined> {
    return standingIn(await this.#stored(), key) ?? this.#known.get(key);
  }

  /** What the store has, and beside it what this process knows. */
  async #all(): Promise<Map<string, Standing>> {
    const all = new Map(this.#known);
    for (const [key, sent, open = false] of await this.#stored()) all.set(key, { sent, open });
    return all;
  }

  async #stored(): Promise<readonly Entry[]> {
    return entriesIn(await this.#rows());
  }

  async #rows(): Promise<readonly SentRow[]> {
    return this.#store === undefined ? [] : sentIn(this.#readable((await this.#store.read()).record));
  }

  /** Writes one entry in the place of an earlier one of its key, or nothing. */
  async #change(change: (rows: readonly SentRow[]) => Entry | undefined): Promise<void> {
    if (this.#store === undefined) return void change([]);
    await update(this.#store, (record) => {
      const next = change(sentIn(this.#readable(record)));
      return next && withSent(this.#readable(record), this.#rowOf(next));
    });
  }

  #rowOf([key, sent, open = false]: Entry): SentRow {
    return [`${OF_AGENT}${key}`, Math.floor(this.#now()), open, JSON.stringify(sent)];
  }

  /** A record in the form of the budget's: a store of its own had a list of entries. */
  #readable(record: string | undefined): string | undefined {
    if (record?.startsWith('[') !== true) return record;
    const sent = (JSON.parse(record) as Entry[]).map((entry) => this.#rowOf(entry));
    return JSON.stringify({ v: 2, entries: [], pins: [], sent });
  }
}

const entriesIn = (rows: readonly SentRow[]): readonly Entry[] =>
  rows
    .filter(([key]) => key.startsWith(OF_AGENT))
    .map(([key, , open, text]) => [key.slice(OF_AGENT.length), JSON.parse(text) as Sent, open]);

const endOf = ({ ends }: Sent): number => ends ?? Infinity;

function standingIn(entries: readonly Entry[], key: string): Standing | undefined {
  const [, sent, open = false] = entries.find(([known]) => known === key) ?? [];
  return sent && { sent, open };
}
