/** `fetch` that pays: carries out the decisions of the compiled part, one step after the other. */
import { Exchange } from '#wasm';
import { notReplayable } from './body.js';
import { checked, policyText } from './checked.js';
import { type Endpoints, endpointOf, endpointsOf, isShort, watchOf } from './endpoints.js';
import { told } from './error.js';
import type { Keeping, Opens } from './keeping.js';
import type { PayOptions } from './options.js';
import type { Step } from './payment.js';
import { inMemory } from './purchases.js';
import { fetchOf, keyOf, type Plain, paidUrl, plain, requestOf } from './request.js';
import { asSigner } from './signer.js';
import { pay } from './steps.js';
import { memoryStore } from './store.js';
import type { Traced } from './trace.js';

/** `fetch`, and the endpoints of its store that the payer has to look at. */
export type PayingFetch = typeof globalThis.fetch & { readonly endpoints: Endpoints };

/** The platform's `fetch`, paying. */
export function payingFetch(options: PayOptions): PayingFetch {
  return wrapFetch(fetchOf(undefined), options);
}

/** A `fetch` that pays on request, within the policy, once. */
export function wrapFetch(fetch: typeof globalThis.fetch, given: PayOptions): PayingFetch {
  return payingThrough(fetch, given);
}

/** A purchase whose payments its caller keeps. */
type Purchase = {
  readonly name: string;
  /** The URL that was asked for: nonces follow from it, wherever it redirects today. */
  readonly url: string;
  /** A payment for it that was sent before, with which this goes on; without its shape, as the types of the compiled part need more than others have. */
  readonly left?: object;
  /** Sees what was signed before it leaves. */
  readonly signed: (exchange: Traced) => void;
};

/** The same; each payment is for this purchase, if there is one. */
export function payingThrough(fetch: typeof globalThis.fetch, given: PayOptions, purchase?: Purchase): PayingFetch {
  const options = checked(fetch, given);
  const signer = asSigner(options.signer);
  const store = options.store ?? memoryStore();
  const policy = policyText(options.policy);
  const now = options.now ?? (() => Date.now() / 1000);
  // Reports an invalid policy when it is given, not when it is needed.
  told(() => new Exchange(policy, 'GET', 'https://policy.invalid/', '', `0x${'11'.repeat(20)}`)).free();

  const watch = watchOf(store, now, options.onEscalation);
  const begins = purchase === undefined ? ((options.resume?.open ?? inMemory) as Opens)(store, now, policy, options) : undefined;
  const paying: typeof globalThis.fetch = async (input, init) => {
    const request = await requestOf(input, init, options.acceptPayment !== false);
    const endpoint = endpointOf(request.method, request.url);
    const kept = request.single === undefined ? await begins?.(request, endpoint) : undefined;
    try {
      return await call(request, endpoint, kept);
    } finally {
      kept?.over?.();
    }
  };
  const call = async (request: Plain, endpoint: string, kept: Keeping | undefined): Promise<Response> => {
    const left = (purchase?.left as Keeping['left']) ?? kept?.left;
    // A payment is about to leave: another process may have been told to stop since this one looked.
    if (left !== undefined) watch.stale();
    try {
      await watch.admit(endpoint);
    } catch (error) {
      // What was signed may be sent again to a server that said that the wallet was short: it may be topped up by now.
      if (left === undefined || !isShort(error)) {
        await kept?.ended();
        if (left !== undefined && kept?.owns(left.exchange) !== true) left.exchange.free();
        throw error;
      }
    }
    const askedUrl = purchase?.url ?? request.url;
    const common = { fetch, request, askedUrl, endpoint, watch, signer, store, now, options, kept, signed: purchase?.signed };
    if (left !== undefined) {
      const { exchange, step, url } = left;
      try {
        return await pay({ ...common, exchange, url, first: undefined }, JSON.parse(step) as Step);
      } finally {
        if (kept?.owns(exchange) !== true) exchange.free();
      }
    }
    const first = await plain(fetch, request);
    if (first.ok) await watch.delivered(endpoint);
    if (first.status !== 402) return first;
    if (request.single !== undefined) throw notReplayable(request.single, first);
    const url = paidUrl(request, first);
    // The wallet is asked for nothing before the payment is confirmed, not even for its address.
    let exchange = told(() => new Exchange(policy, request.method, url, endpoint, signer.known ?? NOBODY));
    const key = keyOf(request.headers, purchase?.name);
    if (key !== undefined) exchange = exchange.forPurchase(key, askedUrl);
    if (options.pin !== undefined) exchange = exchange.withPin(options.pin);
    if (options.identifier === false) exchange = exchange.withoutIdentifier();
    if (options.broadcast !== undefined) exchange = exchange.withBroadcast();
    if (request.headers.has('authorization')) exchange = exchange.withoutAuthorization();
    try {
      return await pay({ ...common, exchange, url, first });
    } finally {
      if (kept?.owns(exchange) !== true) exchange.free();
    }
  };
  return Object.assign(paying, { endpoints: endpointsOf(store) });
}

/** In the place of an address that is not known yet. */
const NOBODY = `0x${'0'.repeat(40)}`;
