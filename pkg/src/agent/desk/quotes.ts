/** The quotes of a desk, in its store: each changes in one step, and together they stay within bounds. */
import * as cards from '#cards-wasm';

import type { Store } from '../../store.js';
import type { CardContext, PaymentTerms } from '../cards.js';
import type { PaidRequestHttpRequest } from '../contracts.js';
import { having } from '../having.js';
import { firstEnd, type Left } from '../outcome.js';
import { nameOf, purchasedOf } from '../request.js';
import { type Change, Rows } from '../rows.js';
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
  /** The other quote whose payment it stands for: one that was open when this one was to be paid. */
  readonly standsFor?: string;
  /** Until when its payment is open, unix milliseconds [until it has an outcome]. */
  readonly openUntil?: number;
  /** By which attempt of a control plane it is. */
  readonly attempt?: string;
  /** What became of its payment. */
  readonly outcome?: PaymentOutcome;
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
  /** The next thing to do; with `other`, to ask for the open payment that it stands for from here on. */
  readonly do?: 'begin' | 'pending' | 'known' | 'other';
  readonly index?: number;
  /** Until when an earlier attempt has left its payment open. */
  readonly openUntil?: number;
  readonly outcome?: PaymentOutcome;
};

/** How many quotes are kept; the oldest that are not under way go first. */
const MOST = 1000;

export class Quotes {
  readonly #store: Store;
  readonly #rows: Rows<Kept>;
  readonly #now: () => number;

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#rows = new Rows<Kept>(store, {
      written: (kept) => [kept.quote.paymentId, kept],
      read: (entry: [string, Kept]) => entry,
      most: MOST,
      turn: (kept) => (isUnderWay(kept, now()) ? -1 : 0),
    });
    this.#now = now;
  }

  /** All of them, the oldest first. */
  async all(): Promise<Kept[]> {
    return [...this.#rows.read((await this.#store.read()).record).values()];
  }

  async kept(paymentId: string): Promise<Kept> {
    const kept = this.#rows.read((await this.#store.read()).record).get(paymentId);
    if (kept === undefined) throw refused('quote_expired_or_missing');
    return kept;
  }

  change(change: Change<Kept>): Promise<void> {
    return this.#rows.change(change);
  }

  /** Takes a step of a quote. */
  async step(
    paymentId: string,
    event: 'show' | 'agree' | 'decline' | 'pay' | 'lose',
    owner: string,
    index: number,
    confirmation: string,
  ): Promise<Step> {
    let step: Step = {};
    await this.change((quotes) => {
      step = this.#moved(quotes, paymentId, event, owner, index, confirmation);
    });
    if (step.refusal !== undefined) throw refused(step.refusal);
    return step;
  }

  /** Notes what became of a payment: its outcome, which does not go through the compiled part, or until when it is open. */
  note(paymentId: string, outcome: PaymentOutcome | undefined, { attempt, openUntil }: Left = {}): Promise<void> {
    return this.#rows.note((quotes) => {
      const asked = quotes.get(paymentId);
      if (asked?.quote.stage !== 'paying') return;
      const keyOf = (it: Kept): string => it.key ?? it.quote.paymentId;
      const until = firstEnd(
        openUntil,
        attempt,
        [...quotes.values()].filter((it) => keyOf(it) === keyOf(asked)),
      );
      this.#moved(quotes, paymentId, outcome === undefined ? 'lose' : 'finish', '', -1, '');
      const kept = quotes.get(paymentId) ?? asked;
      // What is done grows old from here on.
      if (outcome !== undefined) quotes.delete(paymentId);
      quotes.set(paymentId, { ...kept, ...having({ outcome, attempt, openUntil: Number.isFinite(until) ? until : undefined }) });
    });
  }

  /** Lets a quote be paid by itself once its other one has ended as a failure. */
  release(paymentId: string, other: string): Promise<void> {
    return this.#rows.note((quotes) => {
      const [kept, known] = [quotes.get(paymentId), quotes.get(other)];
      if (kept?.standsFor !== other || known === undefined || !hasFailed(known, this.#now())) return;
      const { standsFor: _, ...own } = kept;
      quotes.set(paymentId, own);
    });
  }

  /** Moves a quote on; what follows. */
  #moved(quotes: Map<string, Kept>, paymentId: string, event: string, owner: string, index: number, confirmation: string): Step {
    const kept = quotes.get(paymentId);
    const step = JSON.parse(
      cards.quoted(JSON.stringify(kept?.quote ?? null), event, owner, JSON.stringify(termsOf(kept)), index, confirmation, this.#now()),
    ) as Step;
    // What was sent before for the same purchase comes to an end first, and is what was confirmed.
    const isFirst = kept?.quote.stage === 'confirmed' && step.do === 'begin';
    const standsFor = isFirst ? (kept.standsFor ?? openLike(kept, quotes.values(), this.#now())) : undefined;
    if (kept !== undefined && standsFor !== undefined) {
      quotes.set(paymentId, { ...kept, standsFor });
      return { do: 'other' };
    }
    if (kept !== undefined && step.quote !== undefined) {
      const { openUntil: _, ...known } = kept;
      // An end of before is no end of what was answered, or lost, since.
      const hasEnd = kept.quote.stage !== 'paying' || step.quote.stage === 'paying';
      quotes.set(paymentId, { ...(hasEnd ? kept : known), quote: step.quote, ...(step.do === 'begin' ? { since: this.#now() } : {}) });
    }
    const openUntil = kept?.since === undefined ? undefined : (kept.openUntil ?? Infinity);
    return { ...step, ...having({ openUntil }), ...(step.do === 'known' ? having({ outcome: kept?.outcome }) : {}) };
  }
}

/** Whether its payment is under way, or has no outcome. */
function isUnderWay({ quote: { stage }, openUntil = Infinity }: Kept, now: number): boolean {
  // What is asked for again may be signed only now.
  return stage === 'paying' || (stage === 'unresolved' && now < openUntil);
}

/** Whether its payment has ended as a failure. What a call is told of one that is open is no end, and what was paid and delivered has not failed, whatever the merchant says. */
function hasFailed(kept: Kept, now: number): boolean {
  const { status, kind } = kept.outcome ?? { status: 'failed' };
  return !isUnderWay(kept, now) && status === 'failed' && kind !== 'success';
}

/** Another quote of its owner for the same purchase whose payment is under way or has no outcome. */
function openLike(kept: Kept, quotes: Iterable<Kept>, now: number): string | undefined {
  const { paymentId, owner } = kept.quote;
  const name = nameOf(purchasedOf(kept), { owner });
  for (const other of quotes) {
    const { quote } = other;
    if (quote.paymentId === paymentId || quote.owner !== owner || !isUnderWay(other, now)) continue;
    if (nameOf(purchasedOf(other), { owner }) === name) return quote.paymentId;
  }
  return undefined;
}

function refused(code: PaymentDeskErrorCode): PaymentDeskError {
  return new PaymentDeskError(code, MESSAGES[code]);
}
