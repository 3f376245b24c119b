/** Payments that were sent, by the key of their request: what is sent again are the same bytes. */
import type { Proposal } from '../options.js';
import { isUnended, sentIn, stands, withSent } from '../sent.js';
import { type Store, update } from '../store.js';

/** A payment that left. */
export type Sent = {
  /** The request that the key stands for. */ readonly request: string;
  readonly url: string;
  readonly payment: Readonly<Record<string, string>>;
  readonly proposal: Proposal;
  /** Unix seconds after which it cannot be charged. */
  readonly ends?: number;
  /** Whether its content came, without a receipt: then time ends it. */
  readonly answered?: true;
};
/** `open` while its fate is not known. */
type Entry = readonly [key: string, sent: Sent, open?: boolean];

/** How many are kept in this process, and in a store of their own; the oldest go first, and those that are open and may be charged stay. */
const MOST = 1000;
/** Begins the keys of a journal in the record of the budget. */
const MINE = 'agent ';

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
  readonly #own: Store | undefined;
  readonly #store: Store | undefined;
  readonly #now: () => number;
  readonly #known = new Map<string, { readonly sent: Sent; readonly open: boolean }>();

  constructor({ sent, store, now = () => Date.now() / 1000 }: JournalStores) {
    this.#now = now;
    this.#own = sent;
    this.#store = sent ?? store;
  }

  async read(key: string): Promise<Sent | undefined> {
    return this.#known.get(key)?.sent ?? (await this.#stored()).find(([known]) => known === key)?.[1];
  }

  /** Whether the fate of its payment is not known. */
  async isOpen(key: string): Promise<boolean> {
    return this.#known.get(key)?.open ?? (await this.#stored()).find(([known]) => known === key)?.[2] ?? false;
  }

  /** The key of the latest payment for this request whose fate is not known, unless `skips` says that it is looked after. */
  async openFor(request: string, skips: (key: string) => boolean): Promise<string | undefined> {
    const known = [...this.#known].map(([key, { sent, open }]): Entry => [key, sent, open]);
    const all = [...(await this.#stored()), ...known];
    const closed = new Set(known.filter(([, , open]) => open !== true).map(([key]) => key));
    return all.filter(([key, sent, open]) => open === true && sent.request === request && !closed.has(key) && !skips(key)).at(-1)?.[0];
  }

  /**
   * Keeps it, durably where there is a store, before it returns. Where another process was first
   * under this key, or has ended it, its payment is returned and stands; this one must not leave.
   */
  async claim(key: string, sent: Sent): Promise<Sent> {
    const own = this.#known.get(key)?.sent ?? sent;
    let standing = { sent, open: true };
    await this.#change((entries) => {
      const [, first, isOpen = false] = entries.find(([known]) => known === key) ?? [];
      if (first !== undefined && this.#stands(first, isOpen, [own, sent])) standing = { sent: first, open: isOpen };
      return standing.sent === sent ? [key, sent, true] : undefined;
    });
    this.#known.set(key, standing);
    for (const [oldest, it] of this.#known) {
      if (this.#known.size <= MOST) break;
      if (!it.open || !isUnended(it.sent.ends, this.#now())) this.#known.delete(oldest);
    }
    return standing.sent;
  }

  /** Whether what is stored stands against what this process has signed. What is open and has ended gives way. */
  #stands(first: Sent, isOpen: boolean, mine: readonly Sent[]): boolean {
    const signed = JSON.stringify(first.payment);
    const isMine = mine.some(({ payment }) => JSON.stringify(payment) === signed);
    const gives = isOpen && !isUnended(first.ends, this.#now());
    return stands({ isOpen, signed: gives ? undefined : signed }, { isOpen: true, signed: isMine ? signed : undefined });
  }

  /** Notes that its content came without a receipt. */
  async answered(key: string, own: Sent): Promise<void> {
    await this.#note(key, own, { sent: { ...own, answered: true }, open: true });
  }

  /** Notes that its fate is known: the next payment for the same request is a new one. False if another one under its key is open. */
  async close(key: string, own: Sent): Promise<boolean> {
    return this.#note(key, own, { sent: own, open: false });
  }

  /** Notes what became of a payment; false if another process has signed or ended another one under its key, which stands. */
  async #note(key: string, own: Sent, now: { readonly sent: Sent; readonly open: boolean }): Promise<boolean> {
    let standing = now;
    await this.#change((entries) => {
      const [, stored, isOpen = false] = entries.find(([it]) => it === key) ?? [];
      // Whether it has ended or not: what was signed later may have been charged.
      const isOther = stored !== undefined && (!isOpen || JSON.stringify(stored.payment) !== JSON.stringify(own.payment));
      standing = isOther ? { sent: stored, open: isOpen } : now;
      return isOther ? undefined : [key, now.sent, now.open];
    });
    this.#known.set(key, standing);
    return !standing.open;
  }

  async #stored(): Promise<readonly Entry[]> {
    return this.#store === undefined ? [] : this.#entriesOf((await this.#store.read()).record);
  }

  /** Writes one entry in the place of an earlier one of its key, or nothing. */
  async #change(change: (entries: readonly Entry[]) => Entry | undefined): Promise<void> {
    if (this.#store === undefined) return void change([]);
    await update(this.#store, (record) => {
      const entries = this.#entriesOf(record);
      const next = change(entries);
      if (next === undefined) return undefined;
      const [key, sent, open = false] = next;
      if (this.#own === undefined) return withSent(record, [`${MINE}${key}`, Math.floor(this.#now()), open, JSON.stringify(sent)]);
      const all = [...entries.filter(([known]) => known !== key), next];
      let drops = all.length - MOST;
      const waits = ([, it, isOpen]: Entry): boolean => isOpen === true && isUnended(it.ends, this.#now());
      return JSON.stringify(all.filter((entry) => waits(entry) || (drops -= 1) < 0));
    });
  }

  #entriesOf(record: string | undefined): readonly Entry[] {
    if (this.#own !== undefined) return record === undefined ? [] : (JSON.parse(record) as Entry[]);
    return sentIn(record)
      .filter(([key]) => key.startsWith(MINE))
      .map(([key, , open, text]) => [key.slice(MINE.length), JSON.parse(text) as Sent, open]);
  }
}
