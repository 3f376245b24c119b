/**
 * Buys one job at a compute exchange. The decisions are those of the compiled part; here its steps are
 * carried out, each after it was kept.
 */
import * as wasm from '#jobs-wasm';
import { Exchange } from '#wasm';

import { endpointOf } from '../../endpoints.js';
import { FareboxError, type Told, told } from '../../error.js';
import type { Policy, Proposal } from '../../options.js';
import { askPerson } from '../../person.js';
import { fetchOf } from '../../request.js';
import { sentIn, withoutSent, withSent } from '../../sent.js';
import { type AnySigner, addressOf, asSigner, type Signer, type TypedData } from '../../signer.js';
import { isStore, memoryStore, type Store, update } from '../../store.js';
import { originOf, pause, replyTo } from './call.js';
import { JobError, type JobErrorFacts, type JobMoney } from './job-error.js';
import { News } from './news.js';
import {
  isFurther,
  isInDoubt,
  isOf,
  isOpen,
  isRefunded,
  isSame,
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
} from './order-row.js';

export type BuyJobOptions = {
  /** The exchange's origin, such as `https://exchange.example.com`. */
  readonly url: string;
  /**
   * The origin of the exchange's gate, if it is another one [the exchange's]. A payment whose quote is gone is asked for at its
   * `/till/`, and nowhere else, wherever a quote points.
   */
  readonly till?: string;
  /** `live-mainnet`, `live-testnet` or `demo-testnet` ['live-mainnet']. */
  readonly profile?: string;
  /** The capability that is bought, exactly as sellers name it. */
  readonly capability: string;
  /** The text for the seller: at most 64 KiB, and at most what the exchange takes. */
  readonly prompt: string;
  /** Most that the job may cost, decimal text in whole tokens. A quote above it is not signed. */
  readonly maxAmount: string;
  /** The token's symbol; a quote in another one is not signed [the exchange's]. */
  readonly currency?: string;
  /** Signs, and pays: the refund of a job that failed comes to its address. */
  readonly signer: AnySigner | undefined;
  /** The payer's limits, beside `maxAmount` [those of `payingFetch`]. */
  readonly policy?: Policy;
  /** Keeps the budget and the order, so that another process goes on where this one was killed [this process]. */
  readonly store?: Store;
  /**
   * Names the order: the same key is the same job for ever, in this store. Without one an order that is open is
   * gone on with, and one that ended is ordered again. With or without one, what is signed after a payment was refused
   * has the same nonce, until a job was delivered.
   */
  readonly idempotencyKey?: string;
  /** Asked before the signature; anything but true signs nothing. */
  readonly confirm?: (proposal: Proposal) => boolean | Promise<boolean>;
  /** Ends waiting. What was sent stays sent: `error.money` says where it is. */
  readonly signal?: AbortSignal;
  /** How long to wait for the result, milliseconds [900000]. */
  readonly timeoutMs?: number;
  /** Whether news of the job are awaited by an event stream; otherwise it is asked for each second [true]. */
  readonly feed?: boolean;
  /** The `fetch` that asks the exchange [the platform's]. */
  readonly fetch?: typeof fetch;
  /** Unix seconds [the clock]. */
  readonly now?: () => number;
};

/** A job that was done. */
export type BoughtJob = {
  readonly jobId: string;
  readonly paymentId: string;
  readonly sellerId: string;
  /** The price, decimal text in whole tokens. */
  readonly amount: string;
  readonly currency: string;
  /** The settlement's transaction, if there is one and it was told. */
  readonly transaction?: string;
  readonly money: JobMoney;
  /** The seller's delivery: sellers of this package give `{text, meta}`. It is data, whatever it says. */
  readonly result: unknown;
  /** SHA-256 of the result's JSON, hex, in the place of one of an earlier call that was too long to be kept. */
  readonly resultDigest?: string;
};

type Step =
  | {
      readonly do: 'request';
      readonly method: string;
      readonly path: string;
      readonly headers: readonly (readonly [string, string])[];
      readonly body?: string;
      readonly waitMs: number;
    }
  | { readonly do: 'sign' }
  | { readonly do: 'return'; readonly outcome: BoughtJob }
  | { readonly do: 'fail'; readonly error: JobErrorFacts };
type Turn = { readonly purchase: Purchase; readonly rank: number; readonly money: JobMoney; readonly step: Step };
const MINE = 'job ';
/** Seconds for which an exchange keeps a job. */
const KEPT_SECS = 30 * 86_400;
/** Milliseconds for one answer; a request that waits for its work takes longer. */
const ANSWER_MS = 30_000;
const WORK_MS = 180_000;
/** Milliseconds between two looks at a job whose feed is open. */
const LIVE_MS = 10_000;
/** The default for the whole order: three sellers with a minute to begin and two to deliver, and some time beside. */
const ORDER_MS = 900_000;

const IN_DOUBT = 'order the same again, never in another way: the token charges one of its payments at most';

/** Orders under way in this process: who orders the same again waits for the same. */
const flights = new WeakMap<Store, Map<string, Promise<BoughtJob>>>();

/**
 * Orders a job, pays for it once, and waits for its result.
 *
 * It asks what can be bought, holds a seat by a quote, checks that the quote is for what was ordered and says the
 * same everywhere, pays it by x402, and waits. Whatever happens to this process, the next call with the same order
 * and store goes on: a quote is signed under one nonce, and what was sent is sent again byte for byte.
 *
 * @throws {JobError} with `code`, and with `money`, which says whether anything moved.
 */
export async function buyJob(options: BuyJobOptions): Promise<BoughtJob> {
  const order = await Order.of(options);
  const all = flights.get(order.store) ?? new Map<string, Promise<BoughtJob>>();
  flights.set(order.store, all);
  const known = all.get(order.name);
  if (known !== undefined) return known;
  const ends = order.run().finally(() => all.delete(order.name));
  all.set(order.name, ends);
  return ends;
}

class Order {
  readonly store: Store;
  readonly name: string;
  readonly #options: BuyJobOptions;
  readonly #origin: string;
  readonly #buyer: string;
  readonly #signer: Signer;
  readonly #fetch: typeof fetch;
  readonly #now: () => number;
  readonly #until: number;
  readonly #wanted: string;
  readonly #asks: string;
  #row: Row | undefined;
  /** The trail of what may have been signed for an earlier quote of the order. */
  #before: Trail | undefined;
  /** How an earlier order of the same ended, whose money is said to come back. */
  #refunded: Row | undefined;
  /** When what was signed last ends, unix seconds: until then the store drops nothing of it. */
  #ends: number | undefined;
  /** Its text in the store, as this process read or wrote it last. */
  #text: string | undefined;
  #money: JobMoney = 'not_moved';
  #news: News | undefined;

  private constructor(options: BuyJobOptions, origin: string, signer: Signer, buyer: string) {
    const { fetch, profile = 'live-mainnet', capability, prompt, maxAmount, currency, till } = options;
    this.#options = options;
    this.#origin = origin;
    this.#signer = signer;
    this.#buyer = buyer;
    this.store = options.store ?? memoryStore();
    this.#fetch = fetchOf(fetch);
    this.#now = options.now ?? (() => Date.now() / 1000);
    this.#until = Date.now() + (options.timeoutMs ?? ORDER_MS);
    this.#wanted = JSON.stringify({
      url: origin,
      profile,
      buyer,
      capability,
      prompt,
      most: maxAmount,
      ...(currency === undefined ? {} : { currency }),
      ...(till === undefined ? {} : { till: originOf(till) }),
    });
    this.#asks = wasm.orderDigest(JSON.stringify([capability, prompt]));
    const key = options.idempotencyKey === undefined ? ['order', capability, prompt] : ['key', options.idempotencyKey];
    this.name = `${MINE}${wasm.orderDigest(JSON.stringify([origin, profile, buyer, ...key]))}`;
  }

  static async of(options: BuyJobOptions): Promise<Order> {
    const wrong = (what: string): JobError =>
      new JobError({ code: 'invalid_options', message: what, remedy: 'correct that option', money: 'not_moved' });
    if (typeof options !== 'object' || options === null) throw wrong('the options are no object');
    for (const name of ['capability', 'prompt', 'maxAmount'] as const) {
      if (typeof options[name] !== 'string' || options[name].trim() === '') throw wrong(`${name} is no text`);
    }
    if (!/^\d+(\.\d+)?$/.test(options.maxAmount)) throw wrong('maxAmount is no amount in whole tokens, such as "0.05"');
    for (const name of ['profile', 'currency', 'idempotencyKey'] as const) {
      if (options[name] !== undefined && (typeof options[name] !== 'string' || options[name] === '')) throw wrong(`${name} is no text`);
    }
    if (options.timeoutMs !== undefined && !(options.timeoutMs > 0)) throw wrong('timeoutMs is no number of milliseconds');
    if (options.store !== undefined && !isStore(options.store)) throw wrong('store has no read and replace');
    try {
      const signer = asSigner(options.signer);
      return new Order(options, originOf(options.url), signer, (await addressOf(signer)).toLowerCase());
    } catch (error) {
      throw failureOf(error, 'not_moved');
    }
  }

  async run(): Promise<BoughtJob> {
    try {
      return await this.#steps();
    } catch (error) {
      const failure =
        this.#options.signal?.aborted === true && !(error instanceof JobError) ? aborted(error, this.#money, this.#facts()) : error;
      throw this.#doubted(failureOf(failure, this.#money, this.#facts()));
    } finally {
      this.#news?.end();
    }
  }

  /** Adds to a failure that the payment for an earlier quote of the order may be charged, whatever becomes of this one. */
  #doubted(failure: unknown): unknown {
    if (!(failure instanceof JobError) || failure.money !== 'not_moved' || this.#before === undefined) return failure;
    return new JobError(
      { ...this.#facts(), code: failure.code, message: failure.message, remedy: `${failure.remedy}; ${IN_DOUBT}`, money: 'unknown' },
      failure,
    );
  }

  #facts(): Facts {
    const { terms, job } = this.#row?.purchase.stage ?? {};
    return { ...(terms === undefined ? {} : { paymentId: terms.paymentId }), ...(job === undefined ? {} : { jobId: job }) };
  }

  async #steps(): Promise<BoughtJob> {
    const { record } = await this.store.read();
    const kept = this.#kept(record);
    const known = kept?.row;
    const row = kept?.isOpen === true || this.#options.idempotencyKey !== undefined ? known : undefined;
    this.#text = kept?.text;
    this.#admits(kept);
    // What ended in doubt is ordered again, under the nonce of what was signed.
    if (row !== undefined && !isInDoubt(row)) this.#row = row;
    this.#before = leftBy(known);
    this.#ends = known?.ends;
    let turn = await this.#next({ type: 'resumed' });
    for (;;) {
      const { step } = turn;
      switch (step.do) {
        case 'return':
          return step.outcome;
        case 'fail':
          throw new JobError(step.error);
        case 'sign':
          turn = await this.#signed();
          break;
        case 'request':
          turn = await this.#next(await this.#asked(step));
      }
    }
  }

  /** Ends an order whose money is said to come back, unless it goes on or the caller lets it be paid again. */
  #admits(kept: Stored | undefined): void {
    const row = kept?.row;
    this.#refunded = isRefunded(row) ? row : undefined;
    const { idempotencyKey, confirm, policy } = this.#options;
    const says = idempotencyKey !== undefined || confirm !== undefined || policy?.payAgain === true;
    const goesOn = kept?.isOpen === true && kept.row.rank < OVER;
    if (says || goesOn || this.#refunded === undefined) return;
    throw new JobError({
      code: 'payment_unresolved',
      message: 'the exchange says that what was paid for this order comes back, and only the chain shows it',
      remedy: 'look at the wallet, then pass confirm, set policy.payAgain, or order under another idempotencyKey',
      money: 'refunded',
    });
  }

  /** Takes an event, and keeps what comes of it before it is carried out. */
  async #next(event: Readonly<Record<string, unknown>>): Promise<Turn> {
    const kept = this.#row === undefined ? this.#wanted : JSON.stringify(this.#row.purchase);
    const text = wasm.purchaseNext(kept, JSON.stringify(event), this.#now());
    if (text === undefined)
      throw new JobError({
        code: 'budget_unreadable',
        message: 'the order that was kept cannot be read',
        remedy: 'check the store',
        money: 'unknown',
      });
    const turn = JSON.parse(text) as Turn;
    const { purchase, rank } = turn;
    const trail = this.#row?.trail;
    // A quote that was not paid in time. What another process may have signed of it stays counted, and its nonce is the next quote's.
    const drops = rank < 2 ? trail : undefined;
    if (drops?.shared === true) this.#before ??= drops;
    const mine = (): Row => {
      const row: Row = {
        purchase,
        rank,
        url: this.#origin,
        asks: this.#asks,
        ...(trail === undefined || drops !== undefined ? {} : { trail }),
        ...(this.#before === undefined ? {} : { before: this.#before }),
      };
      const isStill = isRefunded(row) || (this.#refunded !== undefined && turn.money !== 'paid');
      const guards = isStill ? (this.#refunded?.ends ?? Math.floor(this.#now()) + KEPT_SECS) : undefined;
      const ends = this.#endOf(row) ?? guards;
      return { ...row, ...(ends === undefined ? {} : { ends }), ...(isStill ? { refunded: true } : {}) };
    };
    let row = mine();
    let standing: Stored | undefined;
    const isKept = drops === undefined && event['type'] !== 'signed' && packed(row) === this.#text;
    if (!isKept)
      await update(this.store, (record) => {
        const kept = this.#kept(record);
        standing = this.#later(kept, row);
        if (standing !== undefined) return undefined;
        if (event['type'] === 'signed' && !isOf(kept?.row, trail)) throw ended(kept?.row, trail);
        this.#before ??= leftBy(kept?.row);
        row = mine();
        const freed = drops === undefined || this.#before !== undefined ? record : this.#released(record, drops);
        return withSent(freed, [this.name, Math.floor(this.#now()), isOpen(row), packed(row)]);
      });
    // Another process was further: what it wrote stands.
    if (standing !== undefined) return this.#goesOn(standing);
    this.#stands(row);
    this.#money = turn.money;
    return turn;
  }

  /** When the store may drop it; `undefined` before it is signed, and once it is over. */
  #endOf(row: Row): number | undefined {
    if (row.rank === PAID) return this.#row?.rank === PAID ? this.#row.ends : Math.floor(this.#now()) + KEPT_SECS;
    return row.rank === SIGNED || isInDoubt(row) ? (row.purchase.stage.ends ?? this.#ends) : undefined;
  }

  /** Goes on from the row of another process. */
  async #goesOn(standing: Stored): Promise<Turn> {
    this.#admits(standing);
    this.#stands(standing.row, standing.text);
    return this.#next({ type: 'resumed' });
  }

  #stands(row: Row, text = packed(row)): void {
    this.#row = row;
    this.#before ??= row.before;
    this.#ends = row.purchase.stage.ends ?? this.#ends;
    this.#text = text;
  }

  /** What the record has of the order. */
  #kept(record: string | undefined): Stored | undefined {
    const [, , isOpen = false, text] = sentIn(record).find(([name]) => name === this.name) ?? [];
    return text === undefined ? undefined : { text, isOpen, row: this.#read(text) };
  }

  /** A row as it was kept, with the order of this call: its limits hold from now on. */
  #read(text: string): Row {
    const { purchase, ...row } = JSON.parse(text) as Omit<Row, 'purchase'> & { readonly purchase: OldPurchase };
    const { order, stage } = purchase;
    const asks = row.asks ?? wasm.orderDigest(JSON.stringify([order?.capability, order?.prompt]));
    if (asks !== this.#asks) {
      throw new JobError({
        code: 'key_taken',
        message: 'another order has this idempotencyKey',
        remedy: 'use a key of its own for each order',
        money: 'not_moved',
      });
    }
    return { ...row, asks, purchase: { order: JSON.parse(this.#wanted) as object, stage } };
  }

  /**
   * The row of another process for the same order, if that stands: it is further, it may be signed under a nonce that
   * this one does not have, or what was signed for it has ended meanwhile.
   */
  #later(kept: Stored | undefined, mine: Row): Stored | undefined {
    if (kept === undefined || kept.text === this.#text) return undefined;
    return isFurther(kept, mine, this.#options.idempotencyKey !== undefined) ? kept : undefined;
  }

  /** Whether its nonce follows from its key: then it is one charge in every process, also without a store. */
  #derives(left: Trail | undefined): boolean {
    return left === undefined ? this.#options.idempotencyKey !== undefined : left.derives === true;
  }

  #exchange(left?: Trail): Exchange {
    const policy: Policy = this.#options.policy ?? {};
    // A job that is charged on delivery is paid to its seller, who is another one each time.
    const isDirect = this.#row?.purchase.stage.terms?.mode === 'x402-completion';
    const url = `${this.#origin}/api/v1/jobs/verify`;
    const text = JSON.stringify(isDirect ? { ...policy, pinPayees: false } : policy);
    const exchange = told(
      () =>
        new Exchange(text, 'POST', url, endpointOf('POST', url), this.#buyer, left === undefined ? undefined : Uint8Array.from(left.seed)),
    );
    return this.#derives(left) ? exchange.forPurchase(this.name, url) : exchange;
  }

  #released(record: string | undefined, left: Trail): string {
    const exchange = this.#exchange(left);
    try {
      // A row without a name was counted under its nonce.
      exchange.countAs(left.counted ?? left.seed.slice(0, 32).reduce((text, byte) => text + byte.toString(16).padStart(2, '0'), ''));
      return told(() => exchange.release(record));
    } finally {
      exchange.free();
    }
  }

  /** Counts the payment and keeps its nonce in one write, then has it signed. */
  async #signed(): Promise<Turn> {
    const row = this.#row;
    const asked = row?.purchase.stage.asked;
    if (row === undefined || asked === undefined) throw new TypeError('there is no quote');
    this.#options.signal?.throwIfAborted();
    const left = row.trail;
    const before = left ?? this.#before;
    // What is signed again ends later than what was signed before.
    const at = left?.at ?? Math.max(Math.floor(this.#now()), (this.#before?.at ?? 0) + 1);
    const exchange = this.#exchange(before);
    try {
      let step = JSON.parse(exchange.answered(402, asked.headers, new TextEncoder().encode(asked.body), at)) as {
        do: string;
        error?: Told;
      };
      if (step.do === 'choose') step = JSON.parse(exchange.chose('one-shot')) as typeof step;
      if (step.error !== undefined) throw new FareboxError(step.error);
      if (step.do !== 'reserve')
        throw new FareboxError({
          code: 'malformed_challenge',
          message: 'the quote asks for no payment that can be made here',
          remedy: "report this to the exchange's operator",
        });
      let trail: Trail = {
        seed: [...exchange.seed()],
        at,
        ...(this.#derives(before) ? { derives: true } : {}),
        ...(left === undefined ? {} : { shared: true }),
      };
      let other: Stored | undefined;
      await update(this.store, (record) => {
        const kept = this.#kept(record);
        other = this.#later(kept, row);
        if (other !== undefined) return undefined;
        if (left !== undefined && !isOf(kept?.row, left)) throw ended(kept?.row, left);
        const missed = before === undefined ? leftBy(kept?.row) : undefined;
        if (missed !== undefined) {
          // Another process was refused meanwhile: its nonce is the order's.
          const next = { ...row, before: missed };
          other = { text: packed(next), isOpen: true, row: next };
          return undefined;
        }
        // It is counted already: in a record of its own nothing else is.
        const counted = told(() => exchange.reserve(left === undefined ? record : undefined, at));
        if (!wasm.quoteAgrees(JSON.stringify(row.purchase), exchange.proposal() ?? '')) {
          throw new FareboxError({
            code: 'terms_changed',
            message: 'the payment that is asked for is not the quoted one',
            remedy: "report this to the exchange's operator; nothing was signed",
          });
        }
        if (before?.counted !== undefined && exchange.counted() !== before.counted) {
          throw new FareboxError({
            code: 'terms_changed',
            message: 'another token is asked for than the one that was signed for this order before',
            remedy: 'order under another idempotencyKey, if the wallet shows that nothing was paid',
          });
        }
        trail = { ...trail, counted: exchange.counted() };
        return withSent(left === undefined ? counted : record, [this.name, at, true, packed({ ...row, trail })]);
      });
      if (other !== undefined) return await this.#goesOn(other);
      this.#stands({ ...row, trail });
      const payment = await this.#signature(exchange, trail);
      return await this.#next(payment);
    } finally {
      exchange.free();
    }
  }

  async #signature(exchange: Exchange, trail: Trail): Promise<Readonly<Record<string, unknown>>> {
    try {
      const proposal = JSON.parse(exchange.proposal() ?? 'null') as Proposal;
      const { confirm, signal } = this.#options;
      if ((await askPerson(signal, () => confirm === undefined || confirm(proposal))) !== true) {
        throw new JobError({
          code: 'declined',
          message: 'the payment was not confirmed',
          remedy: 'confirm it, or do not order',
          money: 'not_moved',
        });
      }
      const asked = JSON.parse(exchange.prepare(trail.at)) as { do: string; typedData?: TypedData; error?: Told };
      if (asked.error !== undefined) throw new FareboxError(asked.error);
      if (asked.typedData === undefined)
        throw new FareboxError({
          code: 'malformed_challenge',
          message: 'the quote asks for no signature',
          remedy: "report this to the exchange's operator",
        });
      const signature: unknown = await this.#signer.sign(asked.typedData, signal);
      const sends = JSON.parse(exchange.signed(typeof signature === 'string' ? signature : '', trail.at)) as {
        headers?: unknown;
        error?: Told;
      };
      if (sends.error !== undefined) throw new FareboxError(sends.error);
      const { validBefore } = JSON.parse(exchange.payment() ?? '{}') as { validBefore?: number };
      return { type: 'signed', payment: sends.headers, ends: validBefore ?? trail.at };
    } catch (error) {
      // What was not signed, or did not leave, is not counted. Another process may have signed it meanwhile, or still sign it.
      await update(this.store, (record) => {
        const stored = this.#kept(record)?.row;
        if (!isOf(stored, trail) || this.#before !== undefined) return undefined;
        if (stored.rank < SIGNED && stored.trail.shared !== true) {
          const freed = this.#released(record, trail);
          const before = this.#refunded;
          return before === undefined
            ? withoutSent(freed, this.name)
            : withSent(freed, [this.name, Math.floor(this.#now()), false, packed(before)]);
        }
        this.#before = trail;
        return undefined;
      });
      if (error instanceof FareboxError || error instanceof JobError || this.#options.signal?.aborted === true) throw error;
      throw new JobError(
        {
          code: 'wallet_failed',
          message: 'the wallet did not sign',
          remedy: "read error.cause, which is the wallet's own error",
          money: 'not_moved',
          ...this.#facts(),
        },
        error,
      );
    }
  }

  /** Waits as told, sends a request, and returns its answer as an event. */
  async #asked(step: Step & { readonly do: 'request' }): Promise<Readonly<Record<string, unknown>>> {
    const { signal, feed = true } = this.#options;
    const { job, token } = this.#row?.purchase.stage ?? {};
    const left = this.#until - Date.now();
    const isLate = step.waitMs >= left;
    const waitMs = Math.min(step.waitMs, Math.max(0, left));
    if (feed && job !== undefined && waitMs > 0) {
      this.#news ??= new News(this.#fetch, `${this.#origin}/api/v1/jobs/${job}/feed`, () => ({ authorization: `Bearer ${token}` }));
      await this.#news.wait(waitMs, Math.min(LIVE_MS, Math.max(0, left)), signal);
    } else {
      await pause(waitMs, signal);
    }
    signal?.throwIfAborted();
    if (isLate) {
      const remedy =
        this.#money === 'not_moved' ? 'order again if you like' : 'call again with the same order to go on: nothing is paid a second time';
      throw new JobError({ code: 'timed_out', message: 'the order did not end in time', remedy, money: this.#money, ...this.#facts() });
    }
    const timeoutMs = /\/verify$|\/till\//.test(step.path) ? WORK_MS : ANSWER_MS;
    const reply = await replyTo(this.#fetch, this.#origin, {
      ...step,
      timeoutMs: Math.min(timeoutMs, Math.max(1, this.#until - Date.now())),
      signal,
    });
    signal?.throwIfAborted();
    return reply === undefined ? { type: 'lost' } : { type: 'answered', ...reply };
  }
}

/** Thrown where another process ended the order while this one waited for its wallet. */
function ended(row: Row | undefined, trail: Trail | undefined): JobError {
  const money = isSame(row?.trail ?? row?.before, trail) ? 'unknown' : 'not_moved';
  return new JobError({
    code: 'aborted',
    message: 'another process ended this order',
    remedy: money === 'unknown' ? IN_DOUBT : 'order again if you like',
    money,
  });
}

type Facts = { readonly paymentId?: string; readonly jobId?: string };

/** The thrown value as an error that says where the money is. */
function failureOf(error: unknown, money: JobMoney, facts: Facts = {}): unknown {
  if (!(error instanceof FareboxError)) return error;
  return new JobError({ code: error.code, message: error.message, remedy: error.remedy, money, ...facts }, error);
}

function aborted(cause: unknown, money: JobMoney, facts: Facts): JobError {
  const remedy = money === 'not_moved' ? 'nothing was paid' : 'call again with the same order to go on: nothing is paid a second time';
  return new JobError({ code: 'aborted', message: 'the order was aborted', remedy, money, ...facts }, cause);
}
