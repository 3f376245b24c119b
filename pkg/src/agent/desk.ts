/**
 * Two-phase payments for hosts of agents: a quote is shown on one card, a person answers it once, and only their yes pays it, once.
 */
import * as cards from '#cards-wasm';

import { beginning } from '../beginning.js';
import { drawn } from '../hex.js';
import { checkNames } from '../names.js';
import { headWithin, paidUrl } from '../request.js';
import { memoryStore } from '../store.js';
import { type CardContext, type PaymentCard, type PaymentTerms, parameterPlan, paymentOffers } from './cards.js';
import type { PaidRequestHttpRequest } from './contracts.js';
import { failed, Payments } from './desk/payments.js';
import { type Kept, Quotes } from './desk/quotes.js';
import { parsed, termsOf, withParams } from './desk/terms.js';
import {
  type FreeAnswer,
  PaymentDeskError,
  type PaymentDeskOptions,
  type PaymentOutcome,
  type PaymentPreview,
  type PaymentQuote,
  type PaymentRef,
  type QuoteInput,
} from './desk/told.js';
import { fieldsOf, linesOf } from './heads.js';
import { requireKept } from './keeping.js';
import { initOf, LOCAL, requestOf } from './request.js';

/** How long a payment that this desk did not begin counts as that of another desk, milliseconds. */
const LEASE_MS = 120_000;

const OPTIONS: readonly (keyof PaymentDeskOptions)[] = [
  'client',
  'fetch',
  'store',
  'now',
  'createPaymentId',
  'timeoutMs',
  'brand',
  'tokens',
  'signs',
  'intent',
];

export class PaymentDesk {
  readonly #options: PaymentDeskOptions;
  readonly #quotes: Quotes;
  readonly #payments: Payments;
  readonly #now: () => number;
  /** Payments under way here. */
  readonly #paying = new Set<string>();

  constructor(options: PaymentDeskOptions) {
    checkNames(options, OPTIONS);
    requireKept(options.client, options.store, 'PaymentDesk');
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#quotes = new Quotes(options.store ?? memoryStore(), this.#now);
    this.#payments = new Payments(options.client, this.#quotes, this.#now);
  }

  /** Asks the merchant what a request costs. Nothing is signed, counted or shown; a free answer is handed over. */
  async quote(input: QuoteInput): Promise<PaymentQuote | FreeAnswer> {
    const { url, owner = LOCAL, params = {}, externalMetadata, balances, ...init } = input;
    const given = requestOf(url, init as RequestInit);
    if (typeof params !== 'object' || params === null || Array.isArray(params))
      throw new PaymentDeskError('invalid_input', 'params are no object of values by name');
    const { client, brand, tokens, signs = client.signs } = this.#options;
    const context: CardContext = {
      ...(brand === undefined ? {} : { brand }),
      ...(tokens === undefined ? {} : { tokens }),
      ...(signs === undefined ? {} : { signs }),
      ...(Array.isArray(balances) ? { balances } : {}),
    };
    for (let turn = 0; ; turn += 1) {
      const response = await this.#asked(given);
      if (response.status !== 402) return { needsConfirm: false, result: response };
      // The URL whose 402 was read is the one that is paid.
      const asked = { ...given, url: paidUrl(given, response) };
      const text = new TextDecoder().decode(await beginning(response));
      response.body?.cancel().catch(() => undefined);
      const headers = fieldsOf(response.headers);
      delete headers['set-cookie'];
      const terms: PaymentTerms = { headers, ...(parsed(text) === undefined ? {} : { body: parsed(text) }) };
      const now = this.#now();
      const offers = paymentOffers(terms, context, now);
      // A challenge that has ended is never signed: the request is sent once more.
      if (offers.expired && turn === 0) continue;
      if (offers.candidates.length === 0) throw new PaymentDeskError('unsupported', unsupported(offers));
      const plan = parameterPlan(asked, terms, params);
      const request = withParams(asked, plan);
      const { url: askedUrl } = withParams(given, plan);
      const paymentId = (this.#options.createPaymentId ?? uuid)();
      const quote = JSON.parse(cards.newQuote(paymentId, owner, linesOf(headers), now)) as Kept['quote'];
      const kept: Kept = {
        quote,
        request,
        ...(askedUrl === request.url ? {} : { askedUrl }),
        terms,
        context,
        params: Object.fromEntries(plan.params.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))),
      };
      await this.#quotes.change((quotes) => {
        if (quotes.has(paymentId)) throw new PaymentDeskError('invalid_input', `the id ${paymentId} is taken`);
        quotes.set(paymentId, kept);
      });
      const chosen = offers.candidates.filter(({ recommended }) => recommended);
      const [first = offers.candidates[0]] = chosen;
      const { params: listed, missingParams, question } = plan;
      return {
        paymentId,
        needsConfirm: true,
        summary: first === undefined ? '' : `${first.amountText} on ${first.networkName} to ${first.payTo}`,
        candidates: chosen.length === 0 ? offers.candidates : chosen,
        alternatives: chosen.length === 0 ? [] : offers.candidates.filter(({ recommended }) => !recommended),
        params: listed,
        missingParams,
        ...(question === undefined ? {} : { question }),
        merchantBody: text,
        ...(Array.isArray(balances)
          ? {}
          : { walletError: balances === 'login_required' ? ('login_required' as const) : ('balance_unavailable' as const) }),
        expiresAt: new Date(quote.expiresMs).toISOString(),
      };
    }
  }

  /**
   * Puts up a card: of the recommended way (or the list, if none is), with `selectedIndex` the confirmation of that way, with
   * `others` the list. Only the card that is up can be answered.
   */
  async card(input: PaymentRef & { readonly others?: boolean }): Promise<PaymentCard> {
    const { paymentId, owner = LOCAL, selectedIndex = -1, others = false } = input;
    const kept = await this.#quotes.kept(paymentId);
    const at = (index: number): PaymentCard | undefined => {
      const card = cards.card(...termsOf(kept), 0, index, JSON.stringify(kept.params));
      return card === undefined ? undefined : (JSON.parse(card) as PaymentCard);
    };
    const card = others ? at(-2) : selectedIndex === -1 ? (at(-1) ?? at(-2)) : at(selectedIndex);
    if (card === undefined) throw new PaymentDeskError('invalid_input', `there is no way to pay with the number ${selectedIndex}`);
    await this.#quotes.step(paymentId, 'show', owner, card.selectedIndex ?? -1, '');
    return card;
  }

  /**
   * Takes the person's answer to the card that is up. A yes gives the confirmation, a token for this payment, payee and amount
   * that is used up by one payment; a no ends the quote.
   */
  async confirm(input: PaymentRef & { readonly answer: 'yes' | 'no' }): Promise<{ readonly confirmation?: string }> {
    const { paymentId, owner = LOCAL, answer } = input;
    const kept = await this.#quotes.kept(paymentId);
    if (answer !== 'yes') {
      await this.#quotes.step(paymentId, 'decline', owner, -1, '');
      return {};
    }
    const confirmation = uuid();
    await this.#quotes.step(paymentId, 'agree', owner, input.selectedIndex ?? kept.quote.shown ?? -1, confirmation);
    return { confirmation };
  }

  /**
   * Pays what was confirmed, once; without a confirmation it gives the card. The merchant is not asked for its terms again. A
   * known outcome is given again, and one that is open is asked for with the bytes that were signed. Where another quote's payment
   * for the same purchase is open, this one stands for it unless that ends as a failure.
   */
  async pay(input: PaymentRef & { readonly confirmation?: string }): Promise<PaymentOutcome | PaymentPreview> {
    const { paymentId, owner = LOCAL, confirmation = '' } = input;
    const kept = await this.#quotes.kept(paymentId);
    const { standsFor, quote } = kept;
    if (standsFor !== undefined) {
      const told = await this.pay({ paymentId: standsFor, owner });
      // What was confirmed may still be paid once that has failed.
      await this.#quotes.release(paymentId, standsFor);
      return told;
    }
    const { stage, shown } = quote;
    const selectedIndex = input.selectedIndex ?? shown ?? -1;
    if (confirmation === '' && ['quoted', 'shown', 'confirmed'].includes(stage)) {
      return {
        paymentId,
        status: 'confirming',
        card: await this.card({ paymentId, owner, ...(input.selectedIndex === undefined ? {} : { selectedIndex }) }),
      };
    }
    if (stage === 'paying' && !this.#paying.has(paymentId) && this.#now() >= (kept.since ?? 0) + LEASE_MS)
      await this.#quotes.step(paymentId, 'lose', owner, selectedIndex, '');
    // Taken before anything is awaited that could let a second payment in.
    const { do: what, outcome, index = -1, openUntil } = await this.#quotes.step(paymentId, 'pay', owner, selectedIndex, confirmation);
    if (what === 'other') return this.pay(input);
    if (what === 'known' && outcome !== undefined) return structuredClone(outcome);
    if (what !== 'begin') return { ...NOTHING_YET, paymentId };
    this.#paying.add(paymentId);
    try {
      const { until, attempt, ...paid } = await this.#payments.pay(kept, index, [{ openUntil }]);
      await this.#quotes.note(paymentId, until === undefined ? structuredClone(paid) : undefined, { attempt, openUntil: until });
      return paid;
    } catch (error) {
      await this.#quotes.note(paymentId, error instanceof PaymentDeskError ? failed(paymentId, error) : undefined);
      throw error;
    } finally {
      this.#paying.delete(paymentId);
    }
  }

  /**
   * Takes over the payments of a desk that has ended, once, before anything else: `pay` asks for them with the bytes that were
   * signed. Without it that happens two minutes after they began. No other desk may use the store meanwhile. Returns their ids.
   */
  async restore(): Promise<string[]> {
    const left = (await this.#quotes.all()).filter(({ quote: { paymentId, stage } }) => stage === 'paying' && !this.#paying.has(paymentId));
    for (const {
      quote: { paymentId, owner },
    } of left)
      await this.#quotes.step(paymentId, 'lose', owner, -1, '');
    return left.map(({ quote: { paymentId } }) => paymentId);
  }

  /** The answer to the plain request; what is no answer has a code. */
  async #asked(request: PaidRequestHttpRequest): Promise<Response> {
    const fetch = this.#options.fetch ?? globalThis.fetch;
    let response: Response;
    try {
      response = await headWithin(fetch, this.#options.timeoutMs ?? 10_000, request.url, initOf(request));
    } catch (error) {
      throw new PaymentDeskError('endpoint_unreachable', 'The endpoint did not answer.', error);
    }
    const { status } = response;
    if (status === 401 || status === 403) throw new PaymentDeskError('auth_required', `The endpoint wants a login: HTTP ${status}.`);
    if (status === 405) {
      const takesPost = /\bPOST\b/i.test(response.headers.get('allow') ?? 'POST');
      throw new PaymentDeskError('unsupported', `The endpoint does not take ${request.method}${takesPost ? ': retry with POST' : ''}.`);
    }
    if (status >= 500) throw new PaymentDeskError('endpoint_server_error', `The endpoint failed: HTTP ${status}.`);
    return response;
  }
}

/** A desk that quotes, shows and pays. */
export function createPaymentDesk(options: PaymentDeskOptions): PaymentDesk {
  return new PaymentDesk(options);
}

const NOTHING_YET = {
  status: 'pending',
  kind: 'execution_pending',
  text: 'The payment is under way.',
  response: { status: 202, headers: {}, body: '' },
} as const;

function unsupported({
  unsupportedMethods: [method],
  expired,
  sessions,
}: {
  readonly unsupportedMethods: readonly string[];
  readonly expired: boolean;
  readonly sessions: readonly unknown[];
}): string {
  if (expired) return "The seller's terms have ended, also when they were asked for again.";
  if (method !== undefined) return `The seller takes payments by ${method}, which is not supported.`;
  return sessions.length > 0 ? 'The seller only sells sessions, which are not supported here.' : "The seller's terms cannot be read.";
}

const uuid = (): string => `pay-${drawn()}`;
