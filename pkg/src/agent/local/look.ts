/** Looks: what a merchant asks for, and what the policy says of it. Nothing is counted or signed, and no wallet is asked. */
import { Exchange } from '#wasm';

import { decodeHeader, encodeHeader } from '../../codec.js';
import { endpointOf } from '../../endpoints.js';
import { FareboxError, type Told, told } from '../../error.js';
import { forModel } from '../../for-model.js';
import type { Proposal } from '../../options.js';
import type { PaidRequestHttpRequest } from '../contracts.js';
import type { DetectedChallenge } from '../detection.js';
import { linesOf } from '../heads.js';
import { spelled } from '../request.js';
import type { LocalAgentOptions, LookedOffer } from './options.js';

export class Look {
  readonly #options: LocalAgentOptions;

  constructor(options: LocalAgentOptions) {
    this.#options = options;
  }

  /** The proposal of a payment now; after one for the same request that has ended, if a slot is named. */
  async offered(request: PaidRequestHttpRequest, challenge: DetectedChallenge, after?: string | null): Promise<LookedOffer> {
    const { policy = {}, store, broadcast, now = () => Date.now() / 1000 } = this.#options;
    const record = store === undefined ? undefined : (await store.read()).record;
    const { method, headers } = request;
    const url = spelled(request.url);
    try {
      let exchange = told(() => new Exchange(JSON.stringify(policy), method, url, endpointOf(method, url), NOBODY));
      // Where it would be charged beside that, paying asks.
      if (typeof after === 'string') exchange = exchange.after(after, true);
      if (broadcast !== undefined) exchange = exchange.withBroadcast();
      if (headers?.['authorization'] !== undefined) exchange = exchange.withoutAuthorization();
      try {
        const body = new TextEncoder().encode(bodyText(challenge.body));
        let step = JSON.parse(exchange.answered(402, linesOf(challenge.headers), body, now())) as { do: string; error?: Told };
        if (step.do === 'choose') step = JSON.parse(exchange.chose('one-shot')) as typeof step;
        if (step.error !== undefined) throw new FareboxError(step.error);
        // The new record, with this payment counted, is dropped.
        told(() => exchange.reserve(record, now()));
        const offer = exchange.proposal();
        return { allowed: true, ...(offer === undefined ? {} : { offer: JSON.parse(offer) as Proposal }) };
      } finally {
        exchange.free();
      }
    } catch (error) {
      if (!(error instanceof FareboxError)) throw error;
      const { code, remedy } = error;
      return { allowed: false, refusal: { code, remedy, ...forModel(error) } };
    }
  }
}

/** The same challenge with one of its ways to pay. */
export function withOnly(challenge: DetectedChallenge, at: number): DetectedChallenge {
  const only = (terms: unknown): unknown => {
    const { accepts } = (terms ?? {}) as { accepts?: unknown };
    return Array.isArray(accepts)
      ? { ...(terms as object), accepts: accepts.filter((it) => typeof it === 'object' && it !== null).slice(at, at + 1) }
      : terms;
  };
  const { 'payment-required': header, 'www-authenticate': _, ...headers } = challenge.headers;
  if (header === undefined) return { ...challenge, headers, body: only(challenge.body) };
  return { ...challenge, headers: { ...headers, 'payment-required': encodeHeader(only(decodeHeader(header))) } };
}

/** The body of a challenge as text. */
export function bodyText(body: unknown): string {
  return body === undefined ? '' : (JSON.stringify(body) ?? '');
}

/** The address in the place of the payer's, who is not asked yet. */
const NOBODY = `0x${'11'.repeat(20)}`;
