/** `fetch` that pays by channel: a deposit once, and then a voucher for each request. Spec: x402 `batch-settlement`; MPP, intent `session`. */
import { forgetChannel, listChannels } from '#channels-wasm';

import { notReplayable } from './body.js';
import { type Open, openIn, refusal, type Voucher, withoutEnded } from './bought.js';
import { type Channel, type ChannelFetch, type ChannelOptions, type ChannelProposal, checkedOptions } from './channel-options.js';
import { type Answered, type Parts, purchase, TERMS } from './channel-purchase.js';
import { endpointOf } from './endpoints.js';
import { FareboxError, type Told, told, unusable } from './error.js';
import { wrapFetch } from './fetch.js';
import { drawn } from './hex.js';
import { nameOf } from './named.js';
import { noted } from './noted.js';
import type { Proposal } from './options.js';
import { unresolved } from './purchases.js';
import { type Plain, plain, requestOf } from './request.js';
import { asSigner } from './signer.js';
import { memoryStore, update } from './store.js';
import { type Call, Ways } from './ways.js';

export type { Channel, ChannelFetch, ChannelOptions, ChannelProposal, ChannelReceipt } from './channel-options.js';
export { channelReceiptOf } from './channel-purchase.js';
export { chunksOf } from './stream.js';

/** A `fetch` that pays by channel where the server sells so, within the policy. */
export function channelFetch(fetch: typeof globalThis.fetch, given: ChannelOptions): ChannelFetch {
  const options = checkedOptions(fetch, given);
  const signer = asSigner(options.signer);
  const { acceptPayment, confirm, resume, policy = {}, store = memoryStore(), now = () => Date.now() / 1000 } = options;
  const once =
    options.once ??
    wrapFetch(fetch, {
      signer,
      policy,
      store,
      now,
      ...(acceptPayment === undefined ? {} : { acceptPayment }),
      ...(resume === undefined ? {} : { resume }),
      ...(confirm === undefined ? {} : { confirm: (it) => confirm(withoutChannel(it, policy.payAgain === true)) }),
    });
  const vouchers = options.voucherSigner === undefined ? signer : asSigner(options.voucherSigner);
  const parts: Parts = { fetch, signer, vouchers, store, now, policy: JSON.stringify(policy), options, open: new Map() };
  /** Endpoints that were seen not to sell by channel: a second request for their terms is saved. */
  const others = new Set<string>();
  const terms = new KnownTerms(now);
  const ways = new Ways(store, now);
  const openOf = async (request: Plain): Promise<Open> =>
    resume === undefined ? 'nothing' : openIn((await store.read()).record, (await nameOf(request)).name, now());
  /** Goes on with what was paid by itself without a key: nothing is paid beside it. Nothing where it has ended, and may be paid in another way. */
  const goneOn = async (open: Open, paysOnce: () => Promise<Response>): Promise<Response | undefined> => {
    if (open === 'nothing') return undefined;
    try {
      if (options.choose !== 'session') return await paysOnce();
    } catch (error) {
      // Once it has ended, what cannot be paid by itself may be paid by channel.
      const isOver = open === 'ended' && policy.payAgain === true && isUnpayable(error);
      if (!isOver && !isUnsold(error)) throw error;
    }
    if (open === 'unended') throw unresolved();
    if (policy.payAgain !== true) throw new FareboxError(AGAIN);
    return undefined;
  };
  const paying: typeof globalThis.fetch = async (input, init) => {
    const request = await requestOf(input, init, acceptPayment !== false, ACCEPTED);
    const endpoint = endpointOf(request.method, request.url);
    const call = await ways.begin(request, drawn());
    try {
      return await bought(request, endpoint, call, () => ways.once(call, () => once(input, init)));
    } finally {
      if (call !== undefined) ways.end(call);
    }
  };
  const bought = async (request: Plain, endpoint: string, call: Call | undefined, paysOnce: () => Promise<Response>): Promise<Response> => {
    if (ways.isOnce(call) && options.choose === 'session') throw refusal(call.known ?? {});
    if (options.choose === 'once' || others.has(endpoint) || ways.isOnce(call)) return paysOnce();
    // A request that costs nothing needs no store: what cannot be read now is read again before anything is paid.
    const read = call !== undefined ? 'nothing' : await openOf(request).catch(() => undefined);
    // Where only a session may pay, what is open stands in the way of what costs something alone.
    const open = options.choose === 'session' && read !== 'nothing' ? undefined : read;
    const gone = open === undefined ? undefined : await goneOn(open, paysOnce);
    if (gone !== undefined) return gone;
    /** The voucher that has left without a key: a second look at the terms shows the same one. */
    let left: Voucher | undefined;
    const mine: Parts =
      call === undefined
        ? {
            ...parts,
            looks: async () => left,
            leaves: async (_, voucher) => {
              left = voucher ?? left;
            },
          }
        : {
            ...parts,
            looks: async () => (await ways.look(call))?.voucher,
            begins: (channel) => ways.begins(call, channel),
            leaves: (channel, voucher) => ways.leaves(call, channel, voucher),
          };
    const served = async ({ response, receipt, voucher }: Answered): Promise<Response> => {
      const isServed = response.ok && receipt !== null;
      if (isServed && voucher !== undefined) await ways.served(call, voucher);
      // It was paid again.
      if (isServed && open !== 'nothing') {
        const { name } = await nameOf(request);
        await noted(() => update(store, (record) => withoutEnded(record, name, now())));
      }
      return response;
    };
    // The price may depend on a body: terms for another one are not those of this.
    const before = open !== undefined && request.single === undefined && request.body === undefined ? terms.of(request) : undefined;
    if (before !== undefined) {
      const done = await purchase(mine, request, before).catch((error: unknown) => {
        // The terms are others by now: they are asked for again.
        if (error instanceof FareboxError && error.code === 'payment_refused') return undefined;
        throw error;
      });
      if (done !== undefined && 'response' in done) return served(done);
      terms.drop(request);
    }
    const first = await plain(fetch, request);
    if (first.status !== 402) return first;
    if (request.single !== undefined) throw notReplayable(request.single, first);
    const late = open === undefined ? await goneOn(await openOf(request), paysOnce) : undefined;
    if (late !== undefined) return late;
    const done = await purchase(mine, request, first);
    if (!('otherwise' in done)) {
      if (done.receipt !== null) terms.keep(request, first);
      return served(done);
    }
    const why = done.otherwise;
    if (options.choose === 'session') throw new FareboxError(why ?? NO_SESSION);
    if (why === null) {
      if (others.size < MAX_OTHERS) others.add(endpoint);
      return paysOnce();
    }
    try {
      return await paysOnce();
    } catch (error) {
      // The server has no other way to pay.
      throw isUnsold(error) ? new FareboxError(why) : error;
    }
  };
  const recorded = async (): Promise<string | undefined> => (await store.read()).record;
  return Object.assign(paying, {
    channels: async () => {
      const record = await recorded();
      return JSON.parse(told(() => listChannels(record))) as Channel[];
    },
    refund: async (url: string, { amount }: { readonly amount?: string } = {}) => {
      let request = await requestOf(url, undefined, false);
      let first = await plain(fetch, request);
      // What is sold to other methods alone is paid back to them.
      const method = first.status === 405 ? otherMethod(first.headers.get('allow') ?? '') : undefined;
      if (method !== undefined) {
        request = await requestOf(url, { method }, false);
        first = await plain(fetch, request);
      }
      const done = await purchase(parts, request, first, amount ?? true);
      if ('otherwise' in done || done.receipt === null)
        throw unusable('terms_changed', 'the server pays nothing back there', 'ask for a URL that is sold by channel');
      return done.receipt;
    },
    forget: (id: string) => update(store, (record) => told(() => forgetChannel(record, id))),
  });
}

/** The first method of an `Allow` field that is not GET, nor asks for less than that. */
function otherMethod(allow: string): string | undefined {
  return allow
    .split(',')
    .map((name) => name.trim())
    .find((name) => ['POST', 'PUT', 'PATCH', 'DELETE'].includes(name));
}

/** Whether a server sells nothing that is paid by itself. */
const isUnsold = (error: unknown): boolean =>
  error instanceof FareboxError && (error.code === 'unsupported_scheme' || error.code === 'unsupported_intent');

/** Whether nothing that a server sells by itself can be paid, or the policy allows none of it. */
const isUnpayable = (error: unknown): boolean => error instanceof FareboxError && /^(?:unsupported|policy)_/.test(error.code);

/** A payment by itself, as the hook of a channel is asked for it. */
function withoutChannel(it: Proposal, paysAgain: boolean): ChannelProposal {
  // That hook cannot be told that it would be charged beside another one, and so agrees to none.
  if (it.again && !paysAgain) throw new FareboxError(AGAIN);
  const { price, symbol, asset, network, testNetwork, payTo, payer, host, description, serverSays, claimsToSell } = it;
  const shown = { price, symbol, asset, network, testNetwork, payTo, host, description, serverSays, claimsToSell };
  return { ...shown, channel: '', deposit: null, payer: payer ?? '', withdrawDelaySecs: null };
}

/** Where a payment has ended of which only the chain tells whether it was charged. */
const AGAIN: Told = {
  code: 'payment_unresolved',
  message: 'a payment for this request has ended, and only the chain tells whether it was charged',
  remedy: 'look there; then pay once more with policy.payAgain, or, where it is paid by itself, with an option once that asks',
  signed: true,
};

/** Where nothing but a channel may pay. */
const NO_SESSION: Told = {
  code: 'unsupported_intent',
  message: 'the server does not sell this by session',
  remedy: 'leave out the option choose, or choose "once"',
};

/** How many endpoints without a channel are remembered, and how many URLs with their terms. */
const MAX_OTHERS = 1_000;
/** For how long the terms of a URL are not asked for again, seconds. */
const TERMS_SECS = 300;

/** Terms by which a request was paid: the next one for the same URL brings its voucher at once. */
class KnownTerms {
  readonly #now: () => number;
  readonly #known = new Map<string, { readonly terms: string; readonly until: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The 402 of before. */
  of({ method, url }: Plain): Response | undefined {
    const known = this.#known.get(`${method} ${url}`);
    if (known === undefined || known.until < this.#now()) return undefined;
    return new Response(null, { status: 402, headers: { [TERMS]: known.terms } });
  }

  keep({ method, url }: Plain, { headers, redirected }: Response): void {
    const terms = headers.get(TERMS);
    if (terms === null || redirected) return;
    if (this.#known.size >= MAX_OTHERS) this.#known.clear();
    this.#known.set(`${method} ${url}`, { terms, until: this.#now() + TERMS_SECS });
  }

  drop({ method, url }: Plain): void {
    this.#known.delete(`${method} ${url}`);
  }
}
/** The preferred intents of MPP. */
const ACCEPTED = 'evm/session, evm/charge;q=0.5';
