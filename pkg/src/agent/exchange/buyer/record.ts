/** The row of one order: in the store, which other processes may share, and as this one knows it. */
import * as wasm from '#jobs-wasm';

import { sentIn, withoutSent, withSent } from '../../../sent.js';
import { type Store, update } from '../../../store.js';
import { JobError, type JobMoney } from '../job-error.js';
import {
  isFurther,
  isInDoubt,
  isOf,
  isOpen,
  isRefunded,
  leftBy,
  type OldPurchase,
  OVER,
  PAID,
  type Purchase,
  packed,
  type Row,
  SIGNED,
  type Stored,
  type Trail,
} from '../order-row.js';
import { ended, keyTaken } from './failure.js';
import type { OrderFacts, OrderPayment } from './payment.js';

/** What came of an event: the purchase, how far it is, and where the money is. */
export type Outcome = { readonly purchase: Purchase; readonly rank: number; readonly money: JobMoney };

export type RecordFacts = OrderFacts & {
  readonly store: Store;
  /** What is ordered, as the compiled part reads it: its limits are those of this call. */
  readonly wanted: string;
  /** Digest of capability and prompt. */
  readonly asks: string;
  /** Whether an order whose money is said to come back may be paid again. */
  readonly mayPayAgain: boolean;
  /** Unix seconds. */
  readonly now: () => number;
};

/** Seconds for which an exchange keeps a job. */
const KEPT_SECS = 30 * 86_400;

export class OrderRecord {
  readonly #facts: RecordFacts;
  readonly #payment: OrderPayment;
  #row: Row | undefined;
  /** The trail of what may have been signed for an earlier quote of the order. */
  #before: Trail | undefined;
  /** How an earlier order of the same ended, whose money is said to come back. */
  #refunded: Row | undefined;
  /** When what was signed last ends, unix seconds: until then the store drops nothing of it. */
  #ends: number | undefined;
  /** Its text in the store, as this process read or wrote it last. */
  #text: string | undefined;

  /** Whether what is signed is charged beside an earlier payment, if the money of that did not come back. */
  get paysAgain(): boolean {
    return this.#refunded !== undefined;
  }

  constructor(facts: RecordFacts, payment: OrderPayment) {
    this.#facts = facts;
    this.#payment = payment;
  }

  get row(): Row | undefined {
    return this.#row;
  }

  /** The trail of what may have been signed for an earlier quote of the order. */
  get before(): Trail | undefined {
    return this.#before;
  }

  /** The purchase as the compiled part reads it, or what is wanted. */
  get purchase(): string {
    return this.#row === undefined ? this.#facts.wanted : JSON.stringify(this.#row.purchase);
  }

  /** Reads what an earlier call has left, and goes on with it where it is open. */
  async open(): Promise<void> {
    const kept = this.#kept((await this.#facts.store.read()).record);
    const known = kept?.row;
    const row = kept?.isOpen === true || this.#facts.hasKey ? known : undefined;
    this.#text = kept?.text;
    this.#admits(kept);
    // What ended in doubt is ordered again, under the nonce of what was signed.
    if (row !== undefined && !isInDoubt(row)) this.#row = row;
    this.#before = leftBy(known);
    this.#ends = known?.ends;
  }

  /** Goes on from the row of another process. */
  take(standing: Stored): void {
    this.#admits(standing);
    this.#stands(standing.row, standing.text);
  }

  /** Keeps what came of an event before it is carried out. A row of another process that is further stands, and is returned. */
  async keep(outcome: Outcome, isSigned: boolean): Promise<Stored | undefined> {
    const trail = this.#row?.trail;
    // A quote that was not paid in time. What another process may have signed of it stays counted, and its nonce is the next quote's.
    const drops = outcome.rank < 2 ? trail : undefined;
    if (drops?.shared === true) this.#before ??= drops;
    const mine = (): Row => this.#rowOf(outcome, drops === undefined ? trail : undefined);
    let row = mine();
    let standing: Stored | undefined;
    const isKept = drops === undefined && !isSigned && packed(row) === this.#text;
    if (!isKept)
      await update(this.#facts.store, (record) => {
        const kept = this.#kept(record);
        standing = this.#later(kept, row);
        if (standing !== undefined) return undefined;
        if (isSigned && !isOf(kept?.row, trail)) throw ended(kept?.row, trail);
        this.#before ??= leftBy(kept?.row);
        row = mine();
        const freed = drops === undefined || this.#before !== undefined ? record : this.#released(record, drops);
        return withSent(freed, [this.#facts.name, Math.floor(this.#facts.now()), isOpen(row), packed(row)]);
      });
    if (standing === undefined) this.#stands(row);
    return standing;
  }

  /**
   * Counts a payment and keeps its trail, in one write, before it is signed; `count` gives the record with it and its name there. The
   * row of another process that has to be gone on with is returned.
   */
  async claim(
    row: Row,
    trail: Trail,
    count: (record: string | undefined) => { readonly record: string; readonly counted: string },
  ): Promise<Stored | undefined> {
    const left = row.trail;
    const before = left ?? this.#before;
    let claimed: Row = { ...row, trail };
    let other: Stored | undefined;
    await update(this.#facts.store, (record) => {
      const kept = this.#kept(record);
      other = this.#later(kept, row);
      if (other !== undefined) return undefined;
      if (left !== undefined && !isOf(kept?.row, left)) throw ended(kept?.row, left);
      const missed = before === undefined ? leftBy(kept?.row) : undefined;
      if (missed !== undefined) {
        // Another process was refused meanwhile: its nonce is the order's.
        const goesOn = { ...row, before: missed };
        other = { text: packed(goesOn), isOpen: true, row: goesOn };
        return undefined;
      }
      // It is counted already: in a record of its own nothing else is.
      const { record: next, counted } = count(left === undefined ? record : undefined);
      claimed = { ...row, trail: { ...trail, counted } };
      return withSent(left === undefined ? next : record, [this.#facts.name, trail.at, true, packed(claimed)]);
    });
    if (other === undefined) this.#stands(claimed);
    return other;
  }

  /** Counts anew what was claimed; `count` gives the record with it. */
  async recount(count: (record: string | undefined) => string): Promise<void> {
    const trail = this.#row?.trail;
    await update(this.#facts.store, (record) => {
      const stored = this.#kept(record)?.row;
      if (!isOf(stored, trail)) throw ended(stored, trail);
      return count(record);
    });
  }

  /** Takes back what was claimed and not signed, or did not leave. Another process may have signed it meanwhile, or still sign it. */
  async giveUp(trail: Trail | undefined): Promise<void> {
    await update(this.#facts.store, (record) => {
      const stored = this.#kept(record)?.row;
      if (!isOf(stored, trail) || this.#before !== undefined) return undefined;
      if (stored.rank < SIGNED && stored.trail.shared !== true) {
        const freed = this.#released(record, stored.trail);
        const { name, now } = this.#facts;
        return this.#refunded === undefined
          ? withoutSent(freed, name)
          : withSent(freed, [name, Math.floor(now()), false, packed(this.#refunded)]);
      }
      this.#before = trail;
      return undefined;
    });
  }

  #rowOf({ purchase, rank, money }: Outcome, trail: Trail | undefined): Row {
    const { origin, asks, now } = this.#facts;
    const row: Row = {
      purchase,
      rank,
      url: origin,
      asks,
      ...(trail === undefined ? {} : { trail }),
      ...(this.#before === undefined ? {} : { before: this.#before }),
    };
    const isStill = isRefunded(row) || (this.#refunded !== undefined && money !== 'paid');
    const guards = isStill ? (this.#refunded?.ends ?? Math.floor(now()) + KEPT_SECS) : undefined;
    const ends = this.#endOf(row) ?? guards;
    return { ...row, ...(ends === undefined ? {} : { ends }), ...(isStill ? { refunded: true } : {}) };
  }

  /** When the store may drop it; `undefined` before it is signed, and once it is over. */
  #endOf(row: Row): number | undefined {
    if (row.rank === PAID) return this.#row?.rank === PAID ? this.#row.ends : Math.floor(this.#facts.now()) + KEPT_SECS;
    return row.rank === SIGNED || isInDoubt(row) ? (row.purchase.stage.ends ?? this.#ends) : undefined;
  }

  #released(record: string | undefined, left: Trail): string {
    return this.#payment.released(record, left, this.#row?.purchase.stage.terms?.mode);
  }

  /** Ends an order whose money is said to come back, unless it goes on or the caller lets it be paid again. */
  #admits(kept: Stored | undefined): void {
    const row = kept?.row;
    this.#refunded = isRefunded(row) ? row : undefined;
    const goesOn = kept?.isOpen === true && kept.row.rank < OVER;
    if (this.#facts.mayPayAgain || goesOn || this.#refunded === undefined) return;
    throw new JobError({
      code: 'payment_unresolved',
      message: 'the exchange says that what was paid for this order comes back, or went to its seller; only the chain shows it',
      remedy: 'look at the wallet, then pass confirm, set policy.payAgain, or order under another idempotencyKey',
      money: 'refunded',
    });
  }

  #stands(row: Row, text = packed(row)): void {
    this.#row = row;
    this.#before ??= row.before;
    this.#ends = row.purchase.stage.ends ?? this.#ends;
    this.#text = text;
  }

  /** What the record has of the order. */
  #kept(record: string | undefined): Stored | undefined {
    const [, , isOpen = false, text] = sentIn(record).find(([name]) => name === this.#facts.name) ?? [];
    return text === undefined ? undefined : { text, isOpen, row: this.#read(text) };
  }

  /** A row as it was kept, with the order of this call: its limits hold from now on. */
  #read(text: string): Row {
    const { purchase, ...row } = JSON.parse(text) as Omit<Row, 'purchase'> & { readonly purchase: OldPurchase };
    const { order, stage } = purchase;
    const asks = row.asks ?? wasm.orderDigest(JSON.stringify([order?.capability, order?.prompt]));
    if (asks !== this.#facts.asks) {
      throw keyTaken();
    }
    return { ...row, asks, purchase: { order: JSON.parse(this.#facts.wanted) as object, stage } };
  }

  /**
   * The row of another process for the same order, if that stands: it is further, it may be signed under a nonce that
   * this one does not have, or what was signed for it has ended meanwhile.
   */
  #later(kept: Stored | undefined, mine: Row): Stored | undefined {
    if (kept === undefined || kept.text === this.#text) return undefined;
    return isFurther(kept, mine, this.#facts.hasKey) ? kept : undefined;
  }
}
