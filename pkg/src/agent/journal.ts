/** Payments that were sent, by the key of their request: what is sent again are the same bytes. */
import { update, type Store } from '../store.js';
import type { Proposal } from '../options.js';

/** A payment that left. */
export type Sent = { /** What the key stands for. */ readonly request: string; readonly url: string; readonly payment: Readonly<Record<string, string>>; readonly proposal: Proposal };
type Entry = readonly [key: string, sent: Sent];

/** How many are kept in a store; the oldest go first, long after they could be charged. */
const MOST = 1000;

export class Journal {
  readonly #store: Store | undefined;
  readonly #known = new Map<string, Sent>();

  constructor(store: Store | undefined) {
    this.#store = store;
  }

  async read(key: string): Promise<Sent | undefined> {
    return this.#known.get(key) ?? (this.#store === undefined ? undefined : new Map(entriesOf((await this.#store.read()).record)).get(key));
  }

  /**
   * Keeps it, durably where there is a store, before it returns. Where another process was first
   * under this key, its payment is returned and stands; this one must not leave.
   */
  async claim(key: string, sent: Sent): Promise<Sent> {
    const own = this.#known.get(key) ?? sent;
    let standing = sent;
    if (this.#store !== undefined) {
      await update(this.#store, (record) => {
        const first = new Map(entriesOf(record)).get(key);
        const isOwn = first === undefined || [own, sent].some(({ payment }) => JSON.stringify(payment) === JSON.stringify(first.payment));
        standing = isOwn ? sent : first;
        return JSON.stringify([...entriesOf(record).filter(([known]) => known !== key), [key, standing] satisfies Entry].slice(-MOST));
      });
    }
    if (standing !== sent) return standing;
    this.#known.set(key, sent);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST) break;
      this.#known.delete(oldest);
    }
    return sent;
  }
}

function entriesOf(record: string | undefined): readonly Entry[] {
  return record === undefined ? [] : JSON.parse(record) as Entry[];
}
