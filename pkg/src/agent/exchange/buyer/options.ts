/** What a buyer of a job is given, and gives. */
import { checkNames } from '../../../names.js';
import { takesTokens } from '../../../operator/client.js';
import type { Policy, Proposal } from '../../../options.js';
import type { AnySigner } from '../../../signer.js';
import { isStore, type Store } from '../../../store.js';
import { originOf } from '../call.js';
import { JobError, type JobMoney } from '../job-error.js';

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

const OPTIONS: readonly (keyof BuyJobOptions)[] = [
  'url',
  'till',
  'profile',
  'capability',
  'prompt',
  'maxAmount',
  'currency',
  'signer',
  'policy',
  'store',
  'idempotencyKey',
  'confirm',
  'signal',
  'timeoutMs',
  'feed',
  'fetch',
  'now',
];

/** Refuses options of another name or of the wrong type, and addresses to which no token goes. */
export function checkOptions(options: BuyJobOptions): void {
  const wrong = (what: string): JobError =>
    new JobError({ code: 'invalid_options', message: what, remedy: 'correct that option', money: 'not_moved' });
  if (typeof options !== 'object' || options === null) throw wrong('the options are no object');
  checkNames(options, OPTIONS);
  for (const name of ['capability', 'prompt', 'maxAmount'] as const) {
    if (typeof options[name] !== 'string' || options[name].trim() === '') throw wrong(`${name} is no text`);
  }
  if (!/^\d+(\.\d+)?$/.test(options.maxAmount)) throw wrong('maxAmount is no amount in whole tokens, such as "0.05"');
  for (const name of ['profile', 'currency', 'idempotencyKey'] as const) {
    if (options[name] !== undefined && (typeof options[name] !== 'string' || options[name] === '')) throw wrong(`${name} is no text`);
  }
  if (options.timeoutMs !== undefined && !(options.timeoutMs > 0)) throw wrong('timeoutMs is no number of milliseconds');
  if (options.store !== undefined && !isStore(options.store)) throw wrong('store has no read and replace');
  for (const [address, of] of [
    [options.url, 'exchange'],
    ...(options.till === undefined ? [] : [[options.till, 'till'] as const]),
  ] as const) {
    // The job's token, with which its result is read.
    if (!takesTokens(originOf(address))) throw wrong(`the token of a job goes over https, or http to this machine: the ${of} is neither`);
  }
}
