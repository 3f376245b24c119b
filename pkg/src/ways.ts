/** The ways to pay for a purchase under a key, by each channel and by itself: what leaves one way is charged beside what leaves another. */
import { FareboxError } from './error.js';
import { paymentOf, receiptOf } from './fetch.js';
import { delivered, KeysUnderWay, type Named, nameOf, refuseOther } from './named.js';
import { noted } from './noted.js';
import { unresolved } from './purchases.js';
import type { Plain } from './request.js';
import { sentIn, withoutSent, withSent } from './sent.js';
import { type Store, update } from './store.js';

const MINE = 'key ';
/** How many are remembered that were paid by themselves and delivered; the oldest gives way. */
const MOST_BOUGHT = 256;

/** A voucher: its amount, the amount up to which nothing can have been charged for the same purchase, and whether it pays for nothing else. */
export type Voucher = { readonly channel: string; readonly amount: string; readonly before: string; readonly alone: boolean };

/** What has left for a purchase under a key by channel: the channel, the voucher if there is one, and the last call that it was for. */
type Left = {
  readonly channel?: string;
  readonly call?: string;
  readonly content?: string;
  readonly voucher?: Voucher;
  /** Whether its answer came with a receipt. */
  readonly delivered?: true;
};

/** Thrown where another call has paid for the purchase since this one looked: it looks again, and shows the same voucher. */
export class LooksAgain extends Error {}

/** A call of a purchase under a key, and what it knows to have left for it. */
export type Call = Named & { readonly id: string; known?: Left | undefined };

type Once = { calls: number; isOpen: boolean; isBought: boolean };

export class Ways {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #keys = new KeysUnderWay();
  /** Purchases that are paid by themselves here: calls that go on, whether one ended without a receipt, and whether one was delivered. */
  readonly #once = new Map<string, Once>();

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Begins a call for the purchase that a request is for; without a key of its caller it has none. Another request under its key is refused. */
  async begin(request: Plain, id: string): Promise<Call | undefined> {
    const { name, content } = await nameOf(request);
    if (content === undefined) return undefined;
    const call: Call = { name: `${MINE}${name}`, content, id };
    this.#keys.begin(call);
    try {
      refuseOther((await this.look(call))?.content, content);
    } catch (error) {
      this.#keys.end(call);
      throw error;
    }
    return call;
  }

  end(call: Call): void {
    this.#keys.end(call);
  }

  /** Whether no channel may pay for it. */
  isOnce(call: Call | undefined): boolean {
    return call !== undefined && this.#once.has(call.name);
  }

  /** Pays by itself, unless a voucher has left for it: that may be claimed, whatever was answered to it. */
  async once(call: Call | undefined, pays: () => Promise<Response>): Promise<Response> {
    if (call === undefined) return pays();
    const { name } = call;
    const it = this.#once.get(name) ?? { calls: 0, isOpen: false, isBought: false };
    // First of all, so that of two calls at once one sees the other.
    this.#once.delete(name);
    this.#once.set(name, it);
    it.calls += 1;
    let isPaying = false;
    try {
      const left = await this.look(call);
      if (left !== undefined) throw left.delivered === true ? delivered() : unresolved();
      isPaying = true;
      const response = await pays();
      const isOver = response.ok && receiptOf(response) !== undefined;
      it.isBought ||= isOver;
      it.isOpen = !isOver && (it.isOpen || paymentOf(response) !== undefined);
      return response;
    } catch (error) {
      it.isOpen ||= isPaying && !(error instanceof FareboxError && !error.signed);
      throw error;
    } finally {
      it.calls -= 1;
      if (it.calls === 0 && !it.isOpen && !it.isBought) this.#once.delete(name);
      this.#forget();
    }
  }

  /** Looks at what has left for it by channel. */
  async look(call: Call): Promise<Left | undefined> {
    call.known = leftIn((await this.#store.read()).record, call.name);
    return call.known;
  }

  /** Refuses to begin a channel for it where a voucher of another one has left: both may be claimed. */
  async begins(call: Call, channel: string): Promise<void> {
    refuseBeside(call, leftIn((await this.#store.read()).record, call.name), channel);
  }

  /** Notes that a channel's voucher leaves for it, or its deposit, before it does. */
  async leaves(call: Call, { url }: Plain, channel: string, voucher: Voucher | undefined): Promise<void> {
    const { name, content } = call;
    const before = call.known;
    const left: Left = {
      channel,
      call: call.id,
      ...(content === undefined ? {} : { content }),
      ...(voucher === undefined ? {} : { voucher }),
      ...(before?.delivered === true ? { delivered: true } : {}),
    };
    await update(this.#store, (record) => {
      refuseBeside(call, leftIn(record, name), channel);
      // Of those that are known to a store the oldest give way, so that no seller fills it.
      return withSent(record, [name, Math.floor(this.#now()), false, JSON.stringify({ url, ...left })]);
    });
    call.known = left;
    if (!this.isOnce(call)) return;
    // What has left before stays known.
    if (before === undefined)
      await noted(() => update(this.#store, (record) => (leftIn(record, name)?.call === call.id ? withoutSent(record, name) : undefined)));
    throw unresolved();
  }

  /**
   * Notes that a voucher was served. The key that it was for keeps it: a later call shows the same one. Others that have shown it got nothing
   * for it, if it pays for one request alone.
   */
  async served(call: Call | undefined, { channel, amount, alone }: Voucher): Promise<void> {
    await noted(() =>
      update(this.#store, (record) => {
        const rows = sentIn(record).filter(([name]) => name.startsWith(MINE));
        let next = record;
        for (const [name, at, isOpen, text] of rows) {
          const left = JSON.parse(text) as Left;
          if (left.delivered === true || left.voucher?.channel !== channel || left.voucher.amount !== amount) continue;
          if (name === call?.name) next = withSent(next, [name, at, isOpen, JSON.stringify({ ...left, delivered: true })]);
          else if (alone) next = withoutSent(next, name);
        }
        return next === record ? undefined : next;
      }),
    );
  }

  /** Forgets the oldest that were delivered. */
  #forget(): void {
    const rest = [...this.#once].filter(([, { calls, isOpen }]) => calls === 0 && !isOpen);
    for (const [name] of rest.slice(0, Math.max(0, rest.length - MOST_BOUGHT))) this.#once.delete(name);
  }
}

function leftIn(record: string | undefined, name: string): Left | undefined {
  const [, , , text] = sentIn(record).find(([known]) => known === name) ?? [];
  return text === undefined ? undefined : (JSON.parse(text) as Left);
}

function refuseBeside({ known }: Call, left: Left | undefined, channel: string): void {
  if (left === undefined) return;
  if (left.channel !== channel) throw left.delivered === true ? delivered() : unresolved();
  if (left.call !== known?.call || left.voucher?.amount !== known?.voucher?.amount) throw new LooksAgain();
}
