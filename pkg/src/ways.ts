/** The ways to pay for a purchase under a key, by each channel and by itself: what leaves one way is charged beside what leaves another. */
import { type Left, leftIn, refusal, type Voucher, WAY } from './bought.js';
import { FareboxError } from './error.js';
import { KeysUnderWay, type Named, nameOf, refuseOther } from './named.js';
import { noted } from './noted.js';
import { unresolved } from './purchases.js';
import { paymentOf, receiptOf } from './receipts.js';
import type { Plain } from './request.js';
import { type Began, beganIn, hasDropped, sentIn, withoutSent, withSent } from './sent.js';
import { type Store, update } from './store.js';

/** Thrown where another call has paid for the purchase since this one looked: it looks again, and shows the same voucher. */
export class LooksAgain extends Error {}

/** A call of a purchase under a key, what there was when it began, and what it knows to have left for it. */
export type Call = Named & { readonly id: string; readonly url: string; readonly began: Began; known?: Left | undefined };

export class Ways {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #keys = new KeysUnderWay();

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Begins a call for the purchase that a request is for; without a key of its caller it has none. Another request under its key is refused. */
  async begin(request: Plain, id: string): Promise<Call | undefined> {
    const named = await nameOf(request);
    if (named.content === undefined) return undefined;
    const { url } = request;
    const { record } = await this.#store.read();
    const call: Call = { ...named, id, url, began: beganIn(sentIn(record), url), known: leftIn(record, named.name) };
    this.#keys.begin(call);
    try {
      refuseOther(call.known?.content, call.content);
    } catch (error) {
      this.#keys.end(call);
      throw error;
    }
    return call;
  }

  end(call: Call): void {
    this.#keys.end(call);
  }

  /** Whether no channel may pay for it: it is paid by itself. */
  isOnce(call: Call | undefined): call is Call {
    return call?.known?.itself !== undefined;
  }

  /** Pays by itself, unless a voucher has left for it: that may be claimed, whatever was answered to it. */
  async once(call: Call | undefined, pays: () => Promise<Response>): Promise<Response> {
    if (call === undefined) return pays();
    // Known to all that share the store before anything leaves, so that of two calls at once one sees the other.
    await update(this.#store, (record) => {
      const left = leftNow(record, call);
      if (left !== undefined && left.itself === undefined) throw refusal(left);
      const { calls = [], isOpen = false } = left?.itself ?? {};
      return this.#noted(record, call, { ...left, itself: { calls: [...calls, call.id], isOpen } });
    });
    let [isOver, isOpen] = [false, false];
    try {
      const response = await pays();
      isOver = response.ok && receiptOf(response) !== undefined;
      isOpen = !isOver && paymentOf(response) !== undefined;
      return response;
    } catch (error) {
      isOpen = !(error instanceof FareboxError && !error.signed);
      throw error;
    } finally {
      await noted(() => update(this.#store, (record) => this.#paid(record, call, isOver, isOpen)));
    }
  }

  /** The record once a call has paid by itself, or has paid nothing. */
  #paid(record: string | undefined, call: Call, isOver: boolean, isOpen: boolean): string | undefined {
    const left = leftIn(record, call.name);
    if (left?.itself === undefined) return undefined;
    const calls = left.itself.calls.filter((id) => id !== call.id);
    const isBought = isOver || left.delivered === true;
    const itself = { calls, isOpen: !isOver && (isOpen || left.itself.isOpen) };
    if (calls.length === 0 && !itself.isOpen && !isBought) return withoutSent(record, `${WAY}${call.name}`);
    return this.#noted(record, call, { ...left, itself, ...(isBought ? { delivered: true } : {}) });
  }

  /** The record with what has left for a call. Of such rows the oldest give way, so that no seller fills a store. */
  #noted(record: string | undefined, { name, content, url }: Call, left: Left): string {
    const text = JSON.stringify({ url, ...(content === undefined ? {} : { content }), ...left });
    return withSent(record, [`${WAY}${name}`, Math.floor(this.#now()), false, text]);
  }

  /** Looks at what has left for it. */
  async look(call: Call): Promise<Left | undefined> {
    call.known = leftIn((await this.#store.read()).record, call.name);
    return call.known;
  }

  /** Refuses to begin a channel for it where it is paid otherwise: both may be charged. */
  async begins(call: Call, channel: string): Promise<void> {
    refuseBeside(call, leftNow((await this.#store.read()).record, call), channel);
  }

  /** Notes that a channel's voucher leaves for it, or its deposit, before it does. */
  async leaves(call: Call, channel: string, voucher: Voucher | undefined): Promise<void> {
    const { content } = call;
    const leaving: Left = {
      channel,
      call: call.id,
      ...(content === undefined ? {} : { content }),
      ...(call.known?.delivered === true ? { delivered: true } : {}),
    };
    let left = leaving;
    await update(this.#store, (record) => {
      const before = leftNow(record, call);
      refuseBeside(call, before, channel);
      // A deposit is no voucher: the one of before may be claimed as well.
      const kept = voucher ?? (before?.channel === channel ? before.voucher : undefined);
      left = { ...leaving, ...(kept === undefined ? {} : { voucher: kept }) };
      return this.#noted(record, call, left);
    });
    call.known = left;
  }

  /**
   * Notes that a voucher was served. The key that it was for keeps it: a later call shows the same one. Others that have shown it got nothing
   * for it, if this request has used it up from where they began.
   */
  async served(call: Call | undefined, { channel, amount, before, alone }: Voucher): Promise<void> {
    // A voucher of x402 that is shown again has no room of its own, and pays for one request whoever shows it.
    const isShownAgain = BigInt(before) >= BigInt(amount);
    await noted(() =>
      update(this.#store, (record) => {
        const rows = sentIn(record).filter(([name]) => name.startsWith(WAY));
        let next = record;
        for (const [name, at, isOpen, text] of rows) {
          const left = JSON.parse(text) as Left;
          if (left.delivered === true || left.voucher?.channel !== channel || left.voucher.amount !== amount) continue;
          if (call !== undefined && name === `${WAY}${call.name}`)
            next = withSent(next, [name, at, isOpen, JSON.stringify({ ...left, delivered: true })]);
          else if (alone && (isShownAgain || BigInt(left.voucher.before) >= BigInt(before))) next = withoutSent(next, name);
        }
        return next === record ? undefined : next;
      }),
    );
  }
}

/** Reads what has left for a call by now; throws where what has left since it began may have been dropped. */
function leftNow(record: string | undefined, call: Call): Left | undefined {
  const left = leftIn(record, call.name);
  if (left === undefined && hasDropped(sentIn(record), call.url, call.began)) throw unresolved();
  return left;
}

function refuseBeside({ known }: Call, left: Left | undefined, channel: string): void {
  if (left === undefined) return;
  if (left.channel !== channel) throw refusal(left);
  if (left.call !== known?.call || left.voucher?.amount !== known?.voucher?.amount) throw new LooksAgain();
}
