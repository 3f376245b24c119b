/**
 * Buys one job at a compute exchange. The decisions are those of the compiled part; here its steps are
 * carried out, each after it was kept.
 */
import * as wasm from '#jobs-wasm';

import { fetchOf } from '../../request.js';
import { addressOf, asSigner, type Signer } from '../../signer.js';
import type { Store } from '../../store.js';
import { storeOf } from '../signer-store.js';
import { aborted, factsOf, failureOf, IN_DOUBT, keyTaken, timedOut } from './buyer/failure.js';
import { type BoughtJob, type BuyJobOptions, checkOptions } from './buyer/options.js';
import { OrderPayment } from './buyer/payment.js';
import { OrderRecord, type Outcome } from './buyer/record.js';
import { Signing } from './buyer/signing.js';
import { originOf, pause, replyTo } from './call.js';
import { JobError, type JobErrorFacts, type JobMoney } from './job-error.js';
import { News } from './news.js';
import type { Stored } from './order-row.js';

export type { BoughtJob, BuyJobOptions } from './buyer/options.js';

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
type Turn = Outcome & { readonly step: Step };
const MINE = 'job ';
/** Milliseconds for one answer; a request that waits for its work takes longer. */
const ANSWER_MS = 30_000;
const WORK_MS = 180_000;
/** Milliseconds between two looks at a job whose feed is open. */
const LIVE_MS = 10_000;
/** Where the money of an order that is over may be. */
const FINAL: ReadonlySet<JobMoney> = new Set(['refunded', 'paid']);
/** The default for the whole order: three sellers with a minute to begin and two to deliver, and some time beside. */
const ORDER_MS = 900_000;

/** An order under way in this process: who orders the same again waits for the same. */
type Flight = { readonly asks: string; readonly ends: Promise<BoughtJob> };
const flights = new WeakMap<Store, Map<string, Flight>>();

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
  const all = flights.get(order.store) ?? new Map<string, Flight>();
  flights.set(order.store, all);
  for (;;) {
    const known = all.get(order.name);
    if (known === undefined) break;
    const job = await order.waitFor(known);
    if (job !== undefined) return job;
  }
  const ends = order.run().finally(() => all.delete(order.name));
  all.set(order.name, { asks: order.asks, ends });
  return ends;
}

class Order {
  readonly store: Store;
  readonly name: string;
  /** Digest of capability and prompt. */
  readonly asks: string;
  readonly #options: BuyJobOptions;
  readonly #origin: string;
  readonly #fetch: typeof fetch;
  readonly #now: () => number;
  readonly #until: number;
  readonly #record: OrderRecord;
  readonly #signing: Signing;
  #money: JobMoney = 'not_moved';
  #news: News | undefined;

  private constructor(options: BuyJobOptions, origin: string, signer: Signer, buyer: string) {
    const {
      fetch,
      profile = 'live-mainnet',
      capability,
      prompt,
      maxAmount,
      currency,
      till,
      idempotencyKey,
      confirm,
      policy = {},
    } = options;
    this.#options = options;
    this.#origin = origin;
    this.store = options.store ?? storeOf(options.signer);
    this.#fetch = fetchOf(fetch);
    this.#now = options.now ?? (() => Date.now() / 1000);
    this.#until = Date.now() + (options.timeoutMs ?? ORDER_MS);
    // What is ordered, as the compiled part reads it.
    const wanted = JSON.stringify({
      url: origin,
      profile,
      buyer,
      capability,
      prompt,
      most: maxAmount,
      ...(currency === undefined ? {} : { currency }),
      ...(till === undefined ? {} : { till: originOf(till) }),
    });
    this.asks = wasm.orderDigest(JSON.stringify([capability, prompt]));
    const hasKey = idempotencyKey !== undefined;
    const key = hasKey ? ['key', idempotencyKey] : ['order', capability, prompt];
    this.name = `${MINE}${wasm.orderDigest(JSON.stringify([origin, profile, buyer, ...key]))}`;
    const facts = { name: this.name, origin, buyer, policy, hasKey };
    const payment = new OrderPayment(facts);
    this.#record = new OrderRecord(
      {
        ...facts,
        store: this.store,
        wanted,
        asks: this.asks,
        mayPayAgain: hasKey || confirm !== undefined || policy.payAgain === true,
        now: this.#now,
      },
      payment,
    );
    this.#signing = new Signing(this.#record, payment, signer, { ...options, now: this.#now });
  }

  static async of(options: BuyJobOptions): Promise<Order> {
    try {
      checkOptions(options);
      const signer = asSigner(options.signer);
      return new Order(options, originOf(options.url), signer, (await addressOf(signer)).toLowerCase());
    } catch (error) {
      throw failureOf(error, 'not_moved');
    }
  }

  /**
   * The job of another call for the same order, within this call's own time. Nothing comes back if that one ended before the order
   * did, by its own time, signal, person or limits: then this one goes on from what was kept.
   */
  async waitFor({ asks, ends }: Flight): Promise<BoughtJob | undefined> {
    if (asks !== this.asks) throw keyTaken();
    const { signal } = this.#options;
    const own = new AbortController();
    const given = pause(Math.max(1, this.#until - Date.now()), signal, own.signal).then(
      (): undefined => undefined,
      (): undefined => undefined,
    );
    const other = ends.then(
      (job) => ({ job }),
      (error: unknown) => ({ error }),
    );
    const ended = await Promise.race([other, given]);
    own.abort();
    if (signal?.aborted === true) throw aborted(signal.reason, 'unknown');
    if (ended === undefined) throw timedOut('unknown');
    if ('job' in ended) return ended.job;
    if (ended.error instanceof JobError && FINAL.has(ended.error.money)) throw ended.error;
    return undefined;
  }

  async run(): Promise<BoughtJob> {
    try {
      await this.#record.open();
      return await this.#steps();
    } catch (error) {
      const facts = factsOf(this.#record.row);
      const isAbort = this.#options.signal?.aborted === true && !(error instanceof JobError);
      throw this.#doubted(failureOf(isAbort ? aborted(error, this.#money, facts) : error, this.#money, facts));
    } finally {
      this.#news?.end();
    }
  }

  /** Adds to a failure that the payment for an earlier quote of the order may be charged, whatever becomes of this one. */
  #doubted(failure: unknown): unknown {
    if (!(failure instanceof JobError) || failure.money !== 'not_moved' || this.#record.before === undefined) return failure;
    const { code, message, remedy } = failure;
    return new JobError({ ...factsOf(this.#record.row), code, message, remedy: `${remedy}; ${IN_DOUBT}`, money: 'unknown' }, failure);
  }

  async #steps(): Promise<BoughtJob> {
    let turn = await this.#next({ type: 'resumed' });
    for (;;) {
      const { step } = turn;
      switch (step.do) {
        case 'return':
          return step.outcome;
        case 'fail':
          throw new JobError(step.error);
        case 'sign': {
          const signed = await this.#signing.sign();
          turn = 'type' in signed ? await this.#next(signed) : await this.#goesOn(signed);
          break;
        }
        case 'request':
          turn = await this.#next(await this.#asked(step));
      }
    }
  }

  /** Takes an event, and keeps what comes of it before it is carried out. */
  async #next(event: { readonly type: string }): Promise<Turn> {
    const text = wasm.purchaseNext(this.#record.purchase, JSON.stringify(event), this.#now());
    if (text === undefined)
      throw new JobError({
        code: 'budget_unreadable',
        message: 'the order that was kept cannot be read',
        remedy: 'check the store',
        money: 'unknown',
      });
    const turn = JSON.parse(text) as Turn;
    const standing = await this.#record.keep(turn, event.type === 'signed');
    // Another process was further: what it wrote stands.
    if (standing !== undefined) return this.#goesOn(standing);
    this.#money = turn.money;
    return turn;
  }

  /** Goes on from the row of another process. */
  async #goesOn(standing: Stored): Promise<Turn> {
    this.#record.take(standing);
    return this.#next({ type: 'resumed' });
  }

  /** Waits as told, sends a request, and returns its answer as an event. */
  async #asked(step: Step & { readonly do: 'request' }): Promise<{ readonly type: string }> {
    const { signal, feed = true } = this.#options;
    const { job, token } = this.#record.row?.purchase.stage ?? {};
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
    if (isLate) throw timedOut(this.#money, factsOf(this.#record.row));
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
