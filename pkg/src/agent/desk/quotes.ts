/** The quotes of a desk, in its store: each changes in one step, and together they stay within bounds. */
import * as cards from '#cards-wasm';

import { type Store, update } from '../../store.js';
import type { CardContext, PaymentTerms } from '../cards.js';
import type { PaidRequestHttpRequest } from '../contracts.js';
import { termsOf } from './terms.js';
import { MESSAGES, PaymentDeskError, type PaymentDeskErrorCode, type PaymentOutcome } from './told.js';

/** A quote as it is kept. */
export type Kept = {
  readonly quote: {
    readonly paymentId: string;
    readonly owner: string;
    readonly expiresMs: number;
    readonly stage: string;
    readonly shown?: number;
  };
  /** Unix milliseconds at which its payment began. */
  readonly since?: number;
  /** The key of its payment, where that of an earlier one for the same purchase is gone on with [its id]. */
  readonly key?: string;
  /** Until when its payment is open, unix milliseconds [until it has an outcome]. */
  readonly openUntil?: number;
  readonly request: PaidRequestHttpRequest;
  /** The URL that was asked for, where that redirected to the one that is paid: it names the purchase. */
  readonly askedUrl?: string;
  readonly terms: PaymentTerms;
  readonly context: CardContext;
  readonly params: Readonly<Record<string, unknown>>;
};
type Step = {
  readonly quote?: Kept['quote'];
  readonly refusal?: PaymentDeskErrorCode;
  readonly do?: 'begin' | 'pending' | 'known';
  readonly index?: number;
  readonly outcome?: PaymentOutcome;
};

/** How many quotes are kept, and their characters together: the oldest that are not under way go first. */
const MOST = 1000;
const MAX_TEXT = 64 * 1024 * 1024;

export class Quotes {
  readonly #store: Store;
  readonly #now: () => number;

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** All of them, in the order in which they were made. */
  async all(): Promise<Kept[]> {
    return [...quotesOf((await this.#store.read()).record).values()];
  }

  async kept(paymentId: string): Promise<Kept> {
    const { record } = await this.#store.read();
    const kept = quotesOf(record).get(paymentId);
    if (kept === undefined) throw new PaymentDeskError('quote_expired_or_missing', MESSAGES.quote_expired_or_missing);
    return kept;
  }

  async step(
    paymentId: string,
    event: 'show' | 'agree' | 'decline' | 'pay' | 'finish' | 'lose',
    owner: string,
    index: number,
    told: string,
    until = Infinity,
  ): Promise<Step> {
    let step: Step = {};
    await this.change((quotes) => {
      const kept = quotes.get(paymentId);
      step = JSON.parse(
        cards.quoted(JSON.stringify(kept?.quote ?? null), event, owner, JSON.stringify(termsOf(kept)), index, told, this.#now()),
      ) as Step;
      if (kept !== undefined && step.quote !== undefined)
        quotes.set(paymentId, {
          ...kept,
          quote: step.quote,
          ...(step.do === 'begin' ? { since: this.#now() } : {}),
          ...(Number.isFinite(until) ? { openUntil: until } : {}),
        });
    });
    if (step.refusal !== undefined) throw new PaymentDeskError(step.refusal, MESSAGES[step.refusal]);
    return step;
  }

  async change(change: (quotes: Map<string, Kept>) => void): Promise<void> {
    await update(this.#store, (record) => {
      const quotes = quotesOf(record);
      change(quotes);
      const texts = new Map([...quotes].map((entry) => [entry[0], JSON.stringify(entry)]));
      let size = [...texts.values()].reduce((sum, { length }) => sum + length, 0);
      const newest = [...quotes.keys()].at(-1);
      for (const [paymentId, { quote, openUntil: until = Infinity }] of quotes) {
        if ((texts.size <= MOST && size <= MAX_TEXT) || paymentId === newest) break;
        if (['paying', 'unresolved'].includes(quote.stage) && this.#now() < until) continue;
        size -= texts.get(paymentId)?.length ?? 0;
        texts.delete(paymentId);
      }
      return `[${[...texts.values()].join()}]`;
    });
  }
}

function quotesOf(record: string | undefined): Map<string, Kept> {
  return new Map(record === undefined ? [] : (JSON.parse(record) as [string, Kept][]));
}
