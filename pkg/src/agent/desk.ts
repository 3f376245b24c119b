/**
 * Two-phase payments for hosts of agents: a quote is shown on one card, a person answers it once, and only their yes pays it, once.
 */
import * as cards from '#cards-wasm';

import { beginning, readWithin } from '../beginning.js';
import { decodeHeader, encodeHeader } from '../codec.js';
import { membersOf } from '../members.js';
import { paidUrl } from '../request.js';
import { memoryStore, type Store, update } from '../store.js';
import {
  bodyText,
  type CardContext,
  type ParameterPlan,
  type PaymentCandidate,
  type PaymentCard,
  type PaymentTerms,
  parameterPlan,
  paymentOffers,
} from './cards.js';
import type { AgentPayClient } from './client.js';
import type { PaidRequestHttpRequest, SdkExternalMetadata, SdkReceipt } from './contracts.js';
import { having } from './having.js';
import { fieldsOf, linesOf } from './heads.js';
import { requireKept } from './keeping.js';
import { type FetchPaidFailureResponse, isFetchPaidError, openUntil, type PaidResponse } from './outcome.js';
import { initOf, LOCAL, nameOf, purchasedOf, requestOf } from './request.js';

export type PaymentDeskErrorCode =
  | 'quote_expired_or_missing'
  | 'cross_user_payment_id'
  | 'invalid_input'
  | 'unsupported'
  | 'endpoint_unreachable'
  | 'auth_required'
  | 'endpoint_server_error'
  | 'confirmation_required'
  | 'declined'
  | 'terms_changed';

/** Why there is no quote, no card or no payment. Nothing was signed. */
export class PaymentDeskError extends Error {
  override readonly name = 'PaymentDeskError';
  readonly code: PaymentDeskErrorCode;
  constructor(code: PaymentDeskErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

export type PaymentDeskOptions = Omit<CardContext, 'balances'> & {
  /** The client that pays: {@link createLocalAgentClient}, or a control plane. */
  readonly client: Pick<AgentPayClient, 'preparePaidRequest' | 'executePreparedRequest'> & {
    readonly signs?: readonly string[];
    readonly keepsPayments?: boolean;
    /** The idempotency key of a payment for this owner's purchase whose outcome is open, if it knows one. */
    openPayment?(request: Pick<PaidRequestHttpRequest, 'method' | 'url' | 'headers' | 'body'>, owner: string): Promise<string | undefined>;
  };
  /** The `fetch` that asks merchants for quotes [the platform's]. */
  readonly fetch?: typeof fetch;
  /** Where quotes are kept, so that they outlive this process [its memory]. */
  readonly store?: Store;
  /** Unix milliseconds [the clock]. */
  readonly now?: () => number;
  readonly createPaymentId?: () => string;
  /** How long a merchant may take to answer a quote, milliseconds [10000]. */
  readonly timeoutMs?: number;
};
export type QuoteInput = {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The owner of the quote ['local']. */
  readonly owner?: string;
  /** Values of parameters, by name. */
  readonly params?: Readonly<Record<string, unknown>>;
  readonly externalMetadata?: SdkExternalMetadata;
  /** The wallet's balances: a list, an error of the wallet, or nothing [not known]. */
  readonly balances?: CardContext['balances'] | 'login_required';
};
export type PaymentQuote = {
  readonly paymentId: string;
  readonly needsConfirm: true;
  readonly summary: string;
  /** The recommended way, or the only ones if none is. */
  readonly candidates: readonly PaymentCandidate[];
  readonly alternatives: readonly PaymentCandidate[];
  readonly params: ParameterPlan['params'];
  readonly missingParams: readonly string[];
  /** The one question for what is missing. */
  readonly question?: string;
  /** The merchant's statements with its 402, as data. */
  readonly merchantBody: string;
  readonly walletError?: 'login_required' | 'balance_unavailable';
  readonly expiresAt: string;
};
/** Nothing has to be paid: the answer, unread. */
export type FreeAnswer = { readonly needsConfirm: false; readonly result: Response };
export type PaymentRef = { readonly paymentId: string; readonly owner?: string; readonly selectedIndex?: number };
export type PaymentOutcome = {
  readonly paymentId: string;
  readonly status: 'success' | 'pending' | 'failed';
  /** The sentence for a person. */
  readonly text: string;
  readonly transaction?: string;
  readonly amount?: string;
  readonly kind: PaidResponse['kind'] | FetchPaidFailureResponse['kind'];
  readonly response: { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string };
  readonly receipt?: SdkReceipt;
};
/** The answer to a call without a confirmation: the card that has to be answered. */
export type PaymentPreview = { readonly paymentId: string; readonly status: 'confirming'; readonly card: PaymentCard };

/** A quote as it is kept. */
type Kept = {
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

/** Bounds of an answer that is passed on. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const MAX_ANSWER_MS = 120_000;
/** How long a payment that this desk did not begin counts as that of another desk, milliseconds. */
const LEASE_MS = 120_000;
/** How many quotes are kept, and their characters together: the oldest that are not under way go first. */
const MOST = 1000;
const MAX_TEXT = 64 * 1024 * 1024;

export class PaymentDesk {
  readonly #options: PaymentDeskOptions;
  readonly #store: Store;
  readonly #now: () => number;
  /** Payments under way here. */
  readonly #paying = new Set<string>();

  constructor(options: PaymentDeskOptions) {
    requireKept(options.client, options.store, 'PaymentDesk');
    this.#options = options;
    this.#store = options.store ?? memoryStore();
    this.#now = options.now ?? Date.now;
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
      await this.#change((quotes) => {
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
    const kept = await this.#kept(paymentId);
    const at = (index: number): PaymentCard | undefined => {
      const card = cards.card(...termsOf(kept), 0, index, JSON.stringify(kept.params));
      return card === undefined ? undefined : (JSON.parse(card) as PaymentCard);
    };
    const card = others ? at(-2) : selectedIndex === -1 ? (at(-1) ?? at(-2)) : at(selectedIndex);
    if (card === undefined) throw new PaymentDeskError('invalid_input', `there is no way to pay with the number ${selectedIndex}`);
    await this.#step(paymentId, 'show', owner, card.selectedIndex ?? -1, '');
    return card;
  }

  /**
   * Takes the person's answer to the card that is up. A yes gives the confirmation, a token for this payment, payee and amount
   * that is used up by one payment; a no ends the quote.
   */
  async confirm(input: PaymentRef & { readonly answer: 'yes' | 'no' }): Promise<{ readonly confirmation?: string }> {
    const { paymentId, owner = LOCAL, answer } = input;
    const kept = await this.#kept(paymentId);
    if (answer !== 'yes') {
      await this.#step(paymentId, 'decline', owner, -1, '');
      return {};
    }
    const confirmation = uuid();
    await this.#step(paymentId, 'agree', owner, input.selectedIndex ?? kept.quote.shown ?? -1, confirmation);
    return { confirmation };
  }

  /**
   * Pays what was confirmed, once; without a confirmation it gives the card. The merchant is not asked for its terms again. A
   * known outcome is given again, and one that is open is asked for with the bytes that were signed.
   */
  async pay(input: PaymentRef & { readonly confirmation?: string }): Promise<PaymentOutcome | PaymentPreview> {
    const { paymentId, owner = LOCAL, confirmation = '' } = input;
    const kept = await this.#kept(paymentId);
    const { stage, shown } = kept.quote;
    const selectedIndex = input.selectedIndex ?? shown ?? -1;
    if (confirmation === '' && ['quoted', 'shown', 'confirmed'].includes(stage)) {
      return {
        paymentId,
        status: 'confirming',
        card: await this.card({ paymentId, owner, ...(input.selectedIndex === undefined ? {} : { selectedIndex }) }),
      };
    }
    if (stage === 'confirmed') {
      // What was sent before for the same request comes to an end first.
      const open = await this.#openLike(kept, owner);
      if (open !== undefined) return this.pay({ paymentId: open, owner });
    }
    if (stage === 'paying' && !this.#paying.has(paymentId) && this.#now() >= (kept.since ?? 0) + LEASE_MS)
      await this.#step(paymentId, 'lose', owner, selectedIndex, '');
    // Taken before anything is awaited that could let a second payment in.
    const { do: what, outcome, index = -1 } = await this.#step(paymentId, 'pay', owner, selectedIndex, confirmation);
    if (what === 'known' && outcome !== undefined) return outcome;
    if (what !== 'begin') return { ...NOTHING_YET, paymentId };
    this.#paying.add(paymentId);
    try {
      const { until, ...paid } = await this.#paid(kept, index);
      await this.#step(paymentId, until === undefined ? 'finish' : 'lose', owner, index, JSON.stringify(paid), until);
      return paid;
    } catch (error) {
      await this.#step(
        paymentId,
        error instanceof PaymentDeskError ? 'finish' : 'lose',
        owner,
        index,
        JSON.stringify(failed(paymentId, error)),
      );
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
    const { record } = await this.#store.read();
    const left = [...quotesOf(record).values()].filter(
      ({ quote: { paymentId, stage } }) => stage === 'paying' && !this.#paying.has(paymentId),
    );
    for (const {
      quote: { paymentId, owner },
    } of left)
      await this.#step(paymentId, 'lose', owner, -1, '');
    return left.map(({ quote: { paymentId } }) => paymentId);
  }

  /** Another quote of this owner for the same purchase whose payment is under way or has no outcome. */
  async #openLike(kept: Kept, owner: string): Promise<string | undefined> {
    const { record } = await this.#store.read();
    const name = nameOf(purchasedOf(kept), { owner });
    const open = [...quotesOf(record).values()].find(
      (other) =>
        other.quote.paymentId !== kept.quote.paymentId &&
        other.quote.owner === owner &&
        ['paying', 'unresolved'].includes(other.quote.stage) &&
        nameOf(purchasedOf(other), { owner }) === name &&
        this.#now() < (other.openUntil ?? Infinity),
    );
    return open?.quote.paymentId;
  }

  async #paid(kept: Kept, index: number): Promise<PaymentOutcome & { readonly until: number | undefined }> {
    const { client } = this.#options;
    const { paymentId, owner } = kept.quote;
    const candidate = paymentOffers(kept.terms, kept.context, 0).candidates.find(({ acceptsIndex }) => acceptsIndex === index);
    if (candidate === undefined) throw new PaymentDeskError('invalid_input', `there is no way to pay with the number ${index}`);
    if (!candidate.signable) throw new PaymentDeskError('unsupported', `This wallet cannot pay by ${candidate.scheme}.`);
    const { request, askedUrl } = kept;
    const challenge = { protocol: 'x402' as const, ...pinned(kept.terms, index) };
    const prepared = await client.preparePaidRequest(request.url, initOf(request), { challenge });
    if (prepared.kind !== 'ready') throw new PaymentDeskError('terms_changed', 'the request asks for no payment any more');
    const { amountMinor, payee, asset } = prepared.paymentRequirement ?? {};
    const same = (one: string | undefined, other: string): boolean =>
      one === other || (/^0x/.test(other) && one?.toLowerCase() === other.toLowerCase());
    if (amountMinor !== undefined && !(amountMinor === candidate.amount && same(payee, candidate.payTo) && same(asset, candidate.asset))) {
      throw new PaymentDeskError('terms_changed', 'another payment would be made than was confirmed');
    }
    let outcome: PaidResponse | FetchPaidFailureResponse;
    try {
      const purchase = nameOf(purchasedOf(kept), { owner });
      const idempotencyKey = await this.#keyOf(kept);
      outcome = await client.executePreparedRequest({ ...prepared, ...having({ askedUrl }) }, { idempotencyKey, purchase });
    } catch (error) {
      if (!isFetchPaidError(error)) throw error;
      outcome = error.details;
    }
    const { kind, response } = outcome;
    const { bytes } = await readWithin(response.clone(), MAX_ANSWER_BYTES, MAX_ANSWER_MS);
    const answer = { status: response.status, headers: fieldsOf(response.headers), body: new TextDecoder().decode(bytes) };
    const { receipt } = outcome as { receipt?: SdkReceipt };
    const until = openUntil(outcome, client.openPayment !== undefined, this.#now());
    const common = { paymentId, kind, response: answer, until, ...(receipt === undefined ? {} : { receipt }) };
    switch (kind) {
      case 'success':
      case 'passthrough':
      case 'paid_fulfillment_failed': {
        const told = cards.settled(response.status, linesOf(answer.headers), JSON.stringify(termsOf(kept)), index);
        return { ...common, ...(JSON.parse(told ?? '{}') as Pick<PaymentOutcome, 'status' | 'text'>) };
      }
      case 'execution_failed':
        return { ...common, status: 'failed', text: cards.sellerSays(response.status, bytes) };
      case 'execution_pending':
      case 'execution_inconclusive':
        return {
          ...common,
          status: 'pending',
          text: `The payment of ${candidate.amountText} was sent, and its outcome is not known yet. Nothing else was paid.`,
        };
      case 'request_failed':
        if (until !== undefined)
          return {
            ...common,
            status: 'pending',
            text: `It is not known whether a payment of ${candidate.amountText} was sent: ${outcome.reason}`,
          };
      // falls through
      case 'denied':
      case 'preflight_failed':
        return { ...common, status: 'failed', text: `Nothing was paid: ${outcome.reason}` };
    }
  }

  /** The key of its payment: that of an earlier one for the same purchase, where the client knows one whose outcome is open. */
  async #keyOf({ quote: { paymentId, owner }, key, ...asked }: Kept): Promise<string> {
    const found = key ?? (await this.#options.client.openPayment?.(purchasedOf(asked), owner)) ?? paymentId;
    // Kept first: the same quote stays the same payment, whatever becomes of the other one.
    if (found !== key && found !== paymentId) {
      await this.#change((quotes) => {
        const kept = quotes.get(paymentId);
        if (kept !== undefined) quotes.set(paymentId, { ...kept, key: found });
      });
    }
    return found;
  }

  /** The answer to the plain request; what is no answer has a code. */
  async #asked(request: PaidRequestHttpRequest): Promise<Response> {
    const fetch = this.#options.fetch ?? globalThis.fetch;
    let response: Response;
    // For the head alone: a free answer may take its time.
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), this.#options.timeoutMs ?? 10_000);
    try {
      response = await fetch(request.url, { ...initOf(request), signal: late.signal });
    } catch (error) {
      throw new PaymentDeskError('endpoint_unreachable', 'The endpoint did not answer.', error);
    } finally {
      clearTimeout(timer);
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

  async #kept(paymentId: string): Promise<Kept> {
    const { record } = await this.#store.read();
    const kept = quotesOf(record).get(paymentId);
    if (kept === undefined) throw new PaymentDeskError('quote_expired_or_missing', MESSAGES.quote_expired_or_missing);
    return kept;
  }

  async #step(
    paymentId: string,
    event: 'show' | 'agree' | 'decline' | 'pay' | 'finish' | 'lose',
    owner: string,
    index: number,
    told: string,
    until = Infinity,
  ): Promise<Step> {
    let step: Step = {};
    await this.#change((quotes) => {
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

  async #change(change: (quotes: Map<string, Kept>) => void): Promise<void> {
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

/** A desk that quotes, shows and pays. */
export function createPaymentDesk(options: PaymentDeskOptions): PaymentDesk {
  return new PaymentDesk(options);
}

const MESSAGES: Readonly<Record<PaymentDeskErrorCode, string>> = {
  quote_expired_or_missing: 'The quote is not known, or its time is over: ask for a new one.',
  cross_user_payment_id: 'The quote belongs to another owner.',
  invalid_input: 'This is not the way to pay on the card that is up.',
  confirmation_required: 'This payment was not confirmed.',
  declined: 'The payment was declined.',
  unsupported: '',
  endpoint_unreachable: '',
  auth_required: '',
  endpoint_server_error: '',
  terms_changed: '',
};
const NOTHING_YET = {
  status: 'pending',
  kind: 'execution_pending',
  text: 'The payment is under way.',
  response: { status: 202, headers: {}, body: '' },
} as const;

function failed(paymentId: string, error: unknown): PaymentOutcome {
  const text = error instanceof PaymentDeskError ? `Nothing was paid: ${error.message}` : '';
  return { paymentId, status: 'failed', kind: 'denied', text, response: { status: 403, headers: {}, body: '' } };
}

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

function termsOf(kept: Kept | undefined): [headers: string, body: string, context: string] {
  return [linesOf(kept?.terms.headers ?? {}), bodyText(kept?.terms.body), JSON.stringify(kept?.context ?? {})];
}

/** The same terms with one way to pay. */
function pinned({ headers: all, body }: PaymentTerms, index: number): { headers: Record<string, string>; body?: unknown } {
  const { 'payment-required': header, 'www-authenticate': challenges, ...headers } = all;
  const decoded = header === undefined ? body : decodeHeader(header);
  const { accepts = [] } = membersOf(decoded);
  const listed = Array.isArray(accepts) ? accepts : [];
  if (index >= listed.length) {
    const challenge = cards.challengeAt(challenges ?? '', index - listed.length);
    return { headers: { ...headers, ...(challenge === undefined ? {} : { 'www-authenticate': challenge }) } };
  }
  const only = { ...(decoded as object), accepts: [listed[index]] };
  return header === undefined
    ? { headers, body: only }
    : { headers: { ...headers, 'payment-required': encodeHeader(only) }, ...(body === undefined ? {} : { body }) };
}

/** The request with the values of its plan where they belong. */
function withParams(request: PaidRequestHttpRequest, { params }: ParameterPlan): PaidRequestHttpRequest {
  const given = params.filter(({ source, value }) => source === 'prompt' && value !== undefined);
  if (given.length === 0) return request;
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  let { url } = request;
  const headers: Record<string, string> = { ...request.headers };
  const fields: Record<string, unknown> = {};
  for (const { name, value, carrier } of given) {
    switch (carrier) {
      case 'query': {
        const next = new URL(url);
        next.searchParams.set(name, text(value));
        url = next.href;
        break;
      }
      case 'path':
        url = url.replace(`{${name}}`, encodeURIComponent(text(value))).replace(`%7B${name}%7D`, encodeURIComponent(text(value)));
        break;
      case 'header':
        headers[name.toLowerCase()] = text(value);
        break;
      case 'body':
        fields[name] = value;
        break;
    }
  }
  let { body } = request;
  if (Object.keys(fields).length > 0) {
    const known = parsed(body ?? '');
    if (body !== undefined && (typeof known !== 'object' || known === null || Array.isArray(known)))
      throw new PaymentDeskError('invalid_input', 'the body is no JSON object that parameters can be put into');
    body = JSON.stringify({ ...(known as object | undefined), ...fields });
    headers['content-type'] ??= 'application/json';
  }
  return requestOf(url, { method: request.method, headers, ...(body === undefined ? {} : { body }) });
}

function quotesOf(record: string | undefined): Map<string, Kept> {
  return new Map(record === undefined ? [] : (JSON.parse(record) as [string, Kept][]));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A random id, 128 bits. */
function uuid(): string {
  return crypto.getRandomValues(new Uint8Array(16)).reduce((text, byte) => text + byte.toString(16).padStart(2, '0'), 'pay-');
}
