/** The view of a payment for a person: its ways, and the card of one. Pure: nothing is asked, counted or signed. */
import * as cards from '#cards-wasm';

import { linesOf } from './heads.js';

/** A 402: its header fields, and its body if that is JSON. */
export type PaymentTerms = { readonly headers: Readonly<Record<string, string>>; readonly body?: unknown };
/** A token that you know beside the known ones. */
export type KnownToken = { readonly network: string; readonly address: string; readonly symbol: string; readonly decimals: number };
/** A wallet's balance of a token, atomic units. */
export type TokenBalance = { readonly network: string; readonly asset: string; readonly amount: string };
export type CardContext = {
  /** The name on cards ['Farebox']. */
  readonly brand?: string;
  readonly tokens?: readonly KnownToken[];
  /** The wallet's balances [not known: nothing is left out for it]. */
  readonly balances?: readonly TokenBalance[];
  /** The schemes that can be signed here; others are shown and never recommended [all]. */
  readonly signs?: readonly string[];
  /** The person's wish; a scheme of subscriptions is recommended for `subscription` alone. */
  readonly intent?: 'subscription';
};
/** A way to pay, as it is shown. */
export type PaymentCandidate = {
  /** Its number: the index in `accepts`, and after those the challenges in their order. */
  readonly acceptsIndex: number;
  readonly kind: 'accepts' | 'charge' | 'session';
  readonly scheme: string;
  readonly network: string;
  readonly networkName: string;
  readonly asset: string;
  readonly symbol?: string;
  readonly decimals?: number;
  /** Atomic units. */
  readonly amount: string;
  /** `0.0004 USDC (400)`, or `up to …` for a bound. */
  readonly amountText: string;
  readonly payTo: string;
  readonly testNetwork: boolean;
  /** SHA-256 of network, token, payee, amount and scheme. */
  readonly digest: string;
  readonly recommended: boolean;
  readonly signable: boolean;
  /** Absent if the balance is not known. */
  readonly affordable?: boolean;
};
export type PaymentOffers = {
  /** In the order in which they are shown; the first is recommended if any is. */
  readonly candidates: readonly PaymentCandidate[];
  readonly sessions: readonly Omit<PaymentCandidate, 'recommended' | 'signable' | 'affordable'>[];
  readonly unsupportedMethods: readonly string[];
  /** Whether nothing is left because the challenges have ended. */
  readonly expired: boolean;
  /** Unix seconds of the earliest end of a challenge. */
  readonly endsAt?: number;
};
export type PaymentCard = {
  readonly kind: 'recommendation' | 'confirmation' | 'list';
  readonly brand: string;
  readonly selectedIndex?: number;
  readonly lines: readonly { readonly label: string; readonly value: string }[];
  readonly rows?: readonly string[];
  readonly note?: string;
  readonly question: string;
  readonly answers: readonly string[];
  /** All of it, as Markdown. */
  readonly text: string;
};
export type ParameterPlan = {
  readonly params: readonly {
    readonly name: string;
    readonly type?: string;
    readonly value?: unknown;
    readonly carrier: 'query' | 'body' | 'header' | 'path';
    readonly required: boolean;
    readonly source: 'prompt' | 'context';
  }[];
  readonly missingParams: readonly string[];
  /** One question for all that is missing. */
  readonly question?: string;
};

/** The ways to pay of a 402, ranked: what can be paid first, the best first. */
export function paymentOffers(terms: PaymentTerms, context: CardContext = {}, now: number = Date.now()): PaymentOffers {
  return JSON.parse(cards.offers(linesOf(terms.headers), bodyText(terms.body), JSON.stringify(context), now)) as PaymentOffers;
}

/**
 * A card: of the recommended way, or with `selectedIndex` the confirmation of that way, or with `others` the list of all. None if
 * there is nothing to recommend: then the list is shown.
 */
export function paymentCard(
  terms: PaymentTerms,
  context: CardContext = {},
  choice: { readonly selectedIndex?: number; readonly others?: boolean; readonly params?: Readonly<Record<string, unknown>> } = {},
  now: number = Date.now(),
): PaymentCard | undefined {
  const { selectedIndex = -1, others = false, params = {} } = choice;
  const card = cards.card(
    linesOf(terms.headers),
    bodyText(terms.body),
    JSON.stringify(context),
    now,
    others ? -2 : selectedIndex,
    JSON.stringify(params),
  );
  return card === undefined ? undefined : (JSON.parse(card) as PaymentCard);
}

/** Which parameters the terms declare, which the request or `given` has, and the one question for the rest. */
export function parameterPlan(
  request: { readonly method: string; readonly url: string; readonly body?: string | undefined },
  terms: PaymentTerms,
  given: Readonly<Record<string, unknown>> = {},
): ParameterPlan {
  const { method, url, body } = request;
  return JSON.parse(
    cards.parameterPlan(method, url, body, linesOf(terms.headers), bodyText(terms.body), JSON.stringify(given)),
  ) as ParameterPlan;
}

/** The request of a person who says that they want to pay: the payment of a link, or a question for its id. */
export function paymentLinkIn(text: string): { readonly paymentId: string } | { readonly ask: 'paymentId'; readonly text: string } {
  return JSON.parse(cards.linkOf(text)) as ReturnType<typeof paymentLinkIn>;
}

/** The allowance that a payment by Permit2 needs. */
export interface AllowanceFacts {
  /** The token contract. */
  readonly token: string;
  /** Atomic units that the payment moves. */
  readonly required: string;
  readonly symbol?: string;
  readonly decimals?: number;
}

/** The question to a person; the first choice is the amount of this payment alone. */
export interface AllowanceQuestion {
  readonly ask: 'allowance';
  readonly choices: readonly string[];
  readonly text: string;
}

/** The step after an answer: to be rejected, confirmed once more, or approved by this transaction. */
export type AllowanceAnswer =
  | { readonly do: 'reject' | 'confirm'; readonly text: string }
  | {
      readonly do: 'approve';
      readonly amount: string;
      readonly text: string;
      readonly transaction: { readonly to: string; readonly data: string };
    };

/** The question for an allowance; `undefined` if `current` atomic units are enough. */
export function allowanceQuestion(facts: AllowanceFacts, current: string): AllowanceQuestion | undefined {
  const question = cards.allowanceAsked(factsText(facts), current);
  return question === undefined ? undefined : (JSON.parse(question) as AllowanceQuestion);
}

/** The step after a person chose this amount, or `max`, and confirmed it so many times. */
export function allowanceAnswer(facts: AllowanceFacts, chosen: string, confirmed: number): AllowanceAnswer {
  return JSON.parse(cards.allowanceNext(factsText(facts), chosen, confirmed)) as AllowanceAnswer;
}

function factsText({ token, required, symbol = '', decimals }: AllowanceFacts): string {
  return JSON.stringify({ token, required, symbol, decimals: decimals?.toString() ?? '' });
}

/** The terms that a payer expects of a link, in atomic units; a contract and an account as addresses, the network as a CAIP-2 id. */
export interface ExpectedLink {
  readonly amount: string;
  readonly token: string;
  readonly recipient: string;
  readonly network: string;
}

/** Whether a link is what was expected; `candidate` is the digest for `x-farebox-candidate`. */
export interface CheckedLink {
  readonly ok: boolean;
  readonly differs: readonly string[];
  readonly text: string;
  readonly candidate?: string;
}

/** Compares what a link tells with what its payer expects. Sign nothing unless it is `ok`. */
export function checkPaymentLink(link: unknown, expected: ExpectedLink, now: number = Date.now()): CheckedLink {
  return JSON.parse(cards.linkChecked(bodyText(link), JSON.stringify(expected), now)) as CheckedLink;
}

/** A subscription as its contract has it. */
export interface KnownSubscription {
  readonly state: number;
  readonly contract: string;
}

/** The facts by which an agent decides about a subscription: the wallet's contract, the seller's terms, and its subscriptions there. */
export interface SubscriptionFacts {
  readonly contract: string;
  readonly network: string;
  readonly terms: { readonly contract: string; readonly network: string; readonly periodMode: string; readonly periodSec: number };
  readonly subscriptions?: readonly KnownSubscription[];
}

export type SubscriptionIntent = 'subscribe' | 'access' | 'change' | 'cancel' | 'cancel-pending';

/** The next step; `access` names the header that proves an active subscription, and the domain in which it is signed. */
export interface SubscriptionStep {
  readonly do: SubscriptionIntent | 'wait' | 'stop';
  readonly state?: string;
  readonly code?: 'contract_mismatch' | 'unknown_state' | 'invalid_period' | 'not_possible' | 'unknown_intent';
  readonly text: string;
  readonly access?: {
    readonly header: string;
    readonly domain: { readonly name: string; readonly version: string; readonly chainId?: number; readonly verifyingContract: string };
  };
}

/** An agent's next step with a subscription. */
export function subscriptionStep(intent: SubscriptionIntent, facts: SubscriptionFacts): SubscriptionStep {
  return JSON.parse(cards.subscriptionNext(intent, bodyText(facts))) as SubscriptionStep;
}

/** The state with this code, and whether it is final; `null` for a code that is none. */
export function subscriptionState(code: number): { readonly state: string; readonly final: boolean } | null {
  return JSON.parse(cards.subscriptionState(String(code))) as ReturnType<typeof subscriptionState>;
}

/** The state of a payment by link, as a service says it: `success: false` is final, whatever `status` is. */
export type PaymentLinkState = {
  readonly status?: string;
  readonly reason?: string;
  readonly success?: boolean;
  readonly errorReason?: string;
};

/**
 * Pays a link once, and asks for its state until that is final, or for a minute. `pay` is never called again: a state is asked for
 * instead, also after one that could not be asked for.
 */
export async function followPaymentLink(options: {
  readonly paymentId: string;
  readonly pay: (paymentId: string) => Promise<PaymentLinkState>;
  readonly status: (paymentId: string) => Promise<PaymentLinkState>;
  /** Waits; for tests [the clock]. */
  readonly wait?: (milliseconds: number) => Promise<void>;
  /** Milliseconds of a clock that only rises; for tests. */
  readonly now?: () => number;
}): Promise<PaymentLinkState & { readonly text: string; readonly final: boolean }> {
  const {
    paymentId,
    pay,
    status: asks,
    wait = (milliseconds) =>
      new Promise((resolve) => {
        setTimeout(resolve, milliseconds);
      }),
    now = () => performance.now(),
  } = options;
  let state = await pay(paymentId);
  // An answer may take as long as ten waits: they count as well.
  for (const begun = now(); ; ) {
    const elapsed = Math.round(now() - begun);
    const refused = state.success === false;
    const said = [refused ? state.errorReason : undefined, state.reason, state.errorReason];
    // A state of another form says nothing.
    const reason = said.find((it) => typeof it === 'string') ?? '';
    const status = typeof state.status === 'string' ? state.status : 'pending';
    const next = JSON.parse(cards.linkNext(paymentId, refused ? 'rejected' : status, reason, elapsed)) as {
      do: 'wait' | 'done' | 'later';
      waitMs?: number;
      text?: string;
    };
    if (next.do !== 'wait') return { ...state, text: next.text ?? '', final: next.do === 'done' };
    await wait(next.waitMs ?? 0);
    // The payment was sent: an answer that is lost says nothing of it.
    state = await asks(paymentId).catch(() => state);
  }
}

/** A body of any form as JSON; of one that has none, nothing. */
export function bodyText(body: unknown): string {
  try {
    return body === undefined ? '' : (JSON.stringify(body) ?? '');
  } catch {
    return '';
  }
}
