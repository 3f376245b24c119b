/** The two ways to pay for a purchase under a key, by channel and by itself: what leaves one way is charged beside what leaves the other. */
import { FareboxError } from './error.js';
import { paymentOf, receiptOf } from './fetch.js';
import { noted } from './noted.js';
import { nameOf, unresolved } from './purchases.js';
import { keyOf, type Plain } from './request.js';
import { sentIn, withoutSent, withSent } from './sent.js';
import { type Store, update } from './store.js';

const MINE = 'key ';

export class Ways {
  readonly #store: Store;
  readonly #now: () => number;
  /** Purchases that are being paid by themselves here, or were without a receipt. */
  readonly #once = new Set<string>();

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** The name of the purchase that a request is for; without a key of its caller it has none. */
  async of(request: Plain): Promise<string | undefined> {
    return keyOf(request.headers) === undefined ? undefined : `${MINE}${await nameOf(request)}`;
  }

  /** Whether no channel may pay for it. */
  isOnce(name: string | undefined): boolean {
    return name !== undefined && this.#once.has(name);
  }

  /** Pays by itself, unless a voucher has left for it: that may be claimed, whatever was answered to it. */
  async once(name: string | undefined, pays: () => Promise<Response>): Promise<Response> {
    if (name === undefined) return pays();
    const wasOpen = this.#once.has(name);
    // First of all, so that of two calls at once one sees the other.
    this.#once.add(name);
    let isOpen = wasOpen;
    try {
      if (sentIn((await this.#store.read()).record).some(([known]) => known === name)) throw unresolved();
      isOpen = true;
      const response = await pays();
      const isOver = response.ok && receiptOf(response) !== undefined;
      isOpen = !isOver && (wasOpen || paymentOf(response) !== undefined);
      return response;
    } catch (error) {
      if (error instanceof FareboxError && !error.signed) isOpen = wasOpen;
      throw error;
    } finally {
      if (!isOpen) this.#once.delete(name);
    }
  }

  /** Notes that a voucher leaves for it, before it does. */
  async leaves(name: string, { url }: Plain): Promise<void> {
    // Of those that are known to a store the oldest give way, so that no seller fills it.
    await update(this.#store, (record) => withSent(record, [name, Math.floor(this.#now()), false, JSON.stringify({ url })]));
    if (!this.isOnce(name)) return;
    await this.read(name);
    throw unresolved();
  }

  /** Notes that what a voucher paid for was read: its key is free for another purchase. */
  async read(name: string): Promise<void> {
    await noted(() => update(this.#store, (record) => withoutSent(record, name)));
  }
}
