/** The ways to pay for a purchase under a key, by each channel and by itself: what leaves one way is charged beside what leaves another. */
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
  /** Purchases that are paid by themselves here: calls that go on, and whether one ended without a receipt. */
  readonly #once = new Map<string, { calls: number; isOpen: boolean }>();

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
    const it = this.#once.get(name) ?? { calls: 0, isOpen: false };
    // First of all, so that of two calls at once one sees the other.
    this.#once.set(name, it);
    it.calls += 1;
    let isPaying = false;
    try {
      if ((await this.#left(name)) !== undefined) throw unresolved();
      isPaying = true;
      const response = await pays();
      const isOver = response.ok && receiptOf(response) !== undefined;
      it.isOpen = !isOver && (it.isOpen || paymentOf(response) !== undefined);
      return response;
    } catch (error) {
      it.isOpen ||= isPaying && !(error instanceof FareboxError && !error.signed);
      throw error;
    } finally {
      it.calls -= 1;
      if (it.calls === 0 && !it.isOpen) this.#once.delete(name);
    }
  }

  /** Refuses to begin a channel for it where a voucher of another one has left: both may be claimed. */
  async begins(name: string, channel: string): Promise<void> {
    refuseBeside(await this.#left(name), channel);
  }

  /** Notes that a voucher of a channel leaves for it, before it does. */
  async leaves(name: string, { url }: Plain, channel: string, call: string): Promise<void> {
    let before: Left | undefined;
    await update(this.#store, (record) => {
      before = leftIn(record, name);
      refuseBeside(before, channel);
      // Of those that are known to a store the oldest give way, so that no seller fills it.
      return withSent(record, [name, Math.floor(this.#now()), false, JSON.stringify({ url, channel, call })]);
    });
    if (!this.isOnce(name)) return;
    // What has left before stays known.
    if (before === undefined) await this.read(name, call);
    throw unresolved();
  }

  /** Notes that what the voucher of a call paid for was read: its key is free for another purchase, unless a later call has one under it. */
  async read(name: string, call: string): Promise<void> {
    await noted(() => update(this.#store, (record) => (leftIn(record, name)?.call === call ? withoutSent(record, name) : undefined)));
  }

  /** What has left for it by channel. */
  async #left(name: string): Promise<Left | undefined> {
    return leftIn((await this.#store.read()).record, name);
  }
}

/** The channel whose voucher has left, and the last call that it was for. */
type Left = { readonly channel?: string; readonly call?: string };

function leftIn(record: string | undefined, name: string): Left | undefined {
  const [, , , text] = sentIn(record).find(([known]) => known === name) ?? [];
  return text === undefined ? undefined : (JSON.parse(text) as Left);
}

function refuseBeside(left: Left | undefined, channel: string): void {
  if (left !== undefined && left.channel !== channel) throw unresolved();
}
