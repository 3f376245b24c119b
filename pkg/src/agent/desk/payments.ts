/** The payment of a quote that was confirmed, by the client of the desk. */
import * as cards from '#cards-wasm';

import { readWithin } from '../../beginning.js';
import { paymentOffers } from '../cards.js';
import type { SdkReceipt } from '../contracts.js';
import { having } from '../having.js';
import { linesOf } from '../heads.js';
import { type FetchPaidFailureResponse, isFetchPaidError, type Left, openUntil, type PaidResponse, writtenOf } from '../outcome.js';
import { initOf, nameOf, purchasedOf } from '../request.js';
import type { Kept, Quotes } from './quotes.js';
import { pinned, termsOf } from './terms.js';
import { PaymentDeskError, type PaymentDeskOptions, type PaymentOutcome } from './told.js';

/** Bounds of an answer that is passed on. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const MAX_ANSWER_MS = 120_000;

export class Payments {
  readonly #client: PaymentDeskOptions['client'];
  readonly #quotes: Quotes;
  readonly #now: () => number;

  constructor(client: PaymentDeskOptions['client'], quotes: Quotes, now: () => number) {
    this.#client = client;
    this.#quotes = quotes;
    this.#now = now;
  }

  /** Pays this way of a quote, or asks for what was signed for it before, as `earlier` attempts left it. `until` is there where that leaves its payment open, by the `attempt`. */
  async pay(
    kept: Kept,
    index: number,
    earlier: readonly Left[],
  ): Promise<PaymentOutcome & { readonly until: number | undefined; readonly attempt: string | undefined }> {
    const client = this.#client;
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
    const read = await readWithin(response.clone(), MAX_ANSWER_BYTES, MAX_ANSWER_MS);
    const answer = writtenOf(response, read);
    const { receipt, paymentAttemptId: attempt } = outcome as { receipt?: SdkReceipt; paymentAttemptId?: string };
    const until = openUntil(outcome, client.openPayment !== undefined, this.#now(), earlier);
    const common = { paymentId, kind, response: answer, until, attempt, ...(receipt === undefined ? {} : { receipt }) };
    switch (kind) {
      case 'success':
      case 'passthrough':
      case 'paid_fulfillment_failed': {
        const told = cards.settled(response.status, linesOf(answer.headers), JSON.stringify(termsOf(kept)), index);
        return { ...common, ...(JSON.parse(told ?? '{}') as Pick<PaymentOutcome, 'status' | 'text'>) };
      }
      case 'execution_failed':
        return { ...common, status: 'failed', text: cards.sellerSays(response.status, read.bytes) };
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
    const found = key ?? (await this.#client.openPayment?.(purchasedOf(asked), owner)) ?? paymentId;
    // Kept first: the same quote stays the same payment, whatever becomes of the other one.
    if (found !== key && found !== paymentId) {
      await this.#quotes.change((quotes) => {
        const kept = quotes.get(paymentId);
        if (kept !== undefined) quotes.set(paymentId, { ...kept, key: found });
      });
    }
    return found;
  }
}

/** The outcome of a payment that could not begin. */
export function failed(paymentId: string, { message }: PaymentDeskError): PaymentOutcome {
  const text = `Nothing was paid: ${message}`;
  return { paymentId, status: 'failed', kind: 'denied', text, response: { status: 403, headers: {}, body: '' } };
}
