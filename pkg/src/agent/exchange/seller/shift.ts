/** A seller's shift: what it sells, where, and until when. */
import { takesTokens } from '../../../operator/client.js';
import { fetchOf } from '../../../request.js';
import { isStore, memoryStore } from '../../../store.js';
import { originOf } from '../call.js';
import { ShiftLog } from '../shift-log.js';
import { SellerError, stopped } from './error.js';
import type { SellerEvent, SellJobsOptions } from './options.js';

export class Shift {
  readonly options: SellJobsOptions;
  readonly origin: string;
  readonly fetch: typeof fetch;
  readonly log: ShiftLog;
  /** In each request. */
  readonly frame: Readonly<Record<'seller_id' | 'network_profile', string>>;
  /** Exchange, profile and seller: whose bond is in the log. */
  readonly name: string;
  /** Jobs that are worked on, by id. */
  readonly working = new Map<string, Promise<void>>();
  readonly #ends = new AbortController();
  readonly #quits = new AbortController();

  constructor(options: SellJobsOptions) {
    const wrong = (what: string): SellerError => new SellerError('invalid_options', what);
    if (typeof options !== 'object' || options === null) throw wrong('the options are no object');
    for (const name of ['sellerId', 'agentId', 'capability', 'price'] as const) {
      if (typeof options[name] !== 'string' || options[name].trim() === '') throw wrong(`${name} is no text`);
    }
    if (typeof options.handler !== 'function') throw wrong('handler is not a function');
    if (options.identity === undefined && options.bond === undefined)
      throw wrong('there is neither identity nor bond: nothing proves the wallet');
    const { bonds = 1, capacity = 1, fetch, profile = 'live-mainnet', store } = options;
    if (!Number.isInteger(bonds) || bonds < 0) throw wrong('bonds is no number of bonds');
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > 100) throw wrong('capacity is no whole number from 1 to 100');
    if (store !== undefined && !isStore(store)) throw wrong('store has no read and replace');
    this.options = options;
    this.origin = originOf(options.url);
    if (!takesTokens(this.origin)) throw wrong('a token goes over https, or http to this machine');
    this.fetch = fetchOf(fetch);
    this.log = new ShiftLog(store ?? memoryStore());
    this.frame = { seller_id: options.sellerId, network_profile: profile };
    this.name = [this.origin, profile, options.sellerId.trim().toLowerCase()].join(' ');
  }

  /** Aborted once it was asked to end: nothing new is taken. */
  get ends(): AbortSignal {
    return this.#ends.signal;
  }

  /** Aborted once jobs have to end, too. */
  get quits(): AbortSignal {
    return this.#quits.signal;
  }

  /** Milliseconds for one job. */
  get taskMs(): number {
    return this.options.taskMs ?? 115_000;
  }

  /** The offer. */
  get terms(): { readonly capability: string; readonly price_per_task: string; readonly capacity: number } {
    const { capability, price, capacity = 1 } = this.options;
    return { capability, price_per_task: price, capacity };
  }

  end(): void {
    this.#ends.abort(stopped());
  }

  quit(): void {
    this.#quits.abort(new Error('the seller stops'));
  }

  tell(event: SellerEvent): void {
    try {
      this.options.onEvent?.(event);
    } catch {
      // A display that fails is no reason to lose a job.
    }
  }
}
