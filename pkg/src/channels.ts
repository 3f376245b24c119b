/** `fetch` that pays by channel: a deposit once, and then a voucher for each request. Spec: x402 `batch-settlement`; MPP, intent `session`. */
import { ChannelPurchase, forgetChannel, listChannels, noteReceived, type SessionStream } from '#channels-wasm';

import { beginning } from './beginning.js';
import { notReplayable } from './body.js';
import { refusal, type Voucher } from './bought.js';
import { endpointOf } from './endpoints.js';
import { FareboxError, type Told, told, unusable } from './error.js';
import { checkNames, wrapFetch } from './fetch.js';
import { drawn } from './hex.js';
import { noted } from './noted.js';
import type { PayOptions } from './options.js';
import { askPerson } from './person.js';
import { headerLines, type Plain, paidUrl, pause, plain, requestOf } from './request.js';
import { type AnySigner, addressOf, asSigner, type Signer, type TypedData } from './signer.js';
import { isStore, memoryStore, type Store, update } from './store.js';
import { flowing, type Raise } from './stream.js';
import { type Call, LooksAgain, Ways } from './ways.js';

export { chunksOf } from './stream.js';

/** A deposit that is about to be signed, or a voucher; amounts in whole tokens. */
export type ChannelProposal = {
  readonly channel: string;
  /** The amount to deposit; null for a voucher. */
  readonly deposit: string | null;
  /** The most that this request costs. */
  readonly price: string;
  readonly symbol: string;
  readonly asset: string;
  readonly network: string;
  readonly testNetwork: boolean;
  readonly payTo: string;
  readonly payer: string;
  readonly host: string;
  /** Seconds after which the payer can take the rest back without the payee; null where the contract alone says so. */
  readonly withdrawDelaySecs: number | null;
  readonly description: string;
  readonly serverSays: string;
  /** The realm of the server's challenge, of a session of MPP, if that is not the host. */
  readonly claimsToSell: string | null;
  /** The unit of the price, of a session of MPP. */
  readonly unit?: 'request' | 'second' | 'byte' | 'event';
  /** The contract that holds the deposit of a session of MPP. */
  readonly escrow?: string;
  /** The calls of a payer who pays the gas: an allowance for this deposit alone, then the deposit. */
  readonly calls?: readonly { readonly to: string; readonly data: string }[] | null;
};

/** The server's receipt of a request that was paid by channel, or of a refund; amounts in atomic units. */
export type ChannelReceipt = {
  readonly channel: string;
  /** That of a deposit or a refund; empty for a voucher. */
  readonly transaction: string;
  readonly network: string;
  readonly payer: string;
  readonly payTo: string;
  readonly asset: string;
  readonly symbol: string;
  /** The cost of this request. */
  readonly charged: string | null;
  /** The cost of all requests of the channel. */
  readonly spent: string | null;
  readonly refunded: string | null;
};

/** A channel, as the store has it; amounts in atomic units. */
export type Channel = {
  readonly id: string;
  readonly host: string;
  readonly network: string;
  readonly asset: string;
  readonly payer: string;
  readonly payTo: string;
  readonly deposit: string;
  /** The amount that was charged of it, as far as the payer knows. */
  readonly spent: string;
  /** The highest voucher: more than this can never be claimed. */
  readonly signed: string;
  /** A deposit that was signed and not seen yet. */
  readonly pending: string | null;
};

export type ChannelOptions = Pick<PayOptions, 'signer' | 'policy' | 'store' | 'acceptPayment' | 'now'> & {
  /**
   * The way to pay: a channel and nothing else (`session`), or each request by itself (`once`) [a channel where the server sells so and
   * one can be opened, otherwise each request by itself].
   */
  readonly choose?: 'session' | 'once';
  /** The amount to deposit at once, in whole tokens [what the server asks for, or a hundred requests; at most `maxDeposit`]. */
  readonly deposit?: string;
  /** The most to deposit at once, in whole tokens ['1']. */
  readonly maxDeposit?: string;
  /** The longest that a withdrawal may be delayed by, in seconds; what is sold with a longer one is paid for by itself [a day]. */
  readonly maxWithdrawDelaySecs?: number;
  /** Signs vouchers in the place of `signer`, so that a wallet is asked for deposits alone [`signer`]. */
  readonly voucherSigner?: AnySigner;
  /** Tells apart the channels of one wallet at one payee; one process, or one store, for each name ['']. */
  readonly name?: string;
  /** Called before each deposit; anything but true signs nothing [no question]. */
  readonly confirm?: (proposal: ChannelProposal) => boolean | Promise<boolean>;
  /** For sessions of MPP whose seller pays no gas: sends the `calls` of the proposal in order. Returns the hash of the last call, or nothing if none was sent [none]. */
  readonly broadcast?: (proposal: ChannelProposal) => string | null | undefined | Promise<string | null | undefined>;
  /** Called with the state of a session in one line, after each deposit and voucher, and before it is closed [none]. */
  readonly onState?: (line: string) => void;
  /** For requests of servers that do not sell by channel [they are paid by `payingFetch` with the same signer, policy and store]. */
  readonly once?: typeof globalThis.fetch;
};

/** `fetch` that pays by channel, and what concerns its channels. */
export type ChannelFetch = typeof globalThis.fetch & {
  /** The channels of the store. */
  channels(): Promise<Channel[]>;
  /** Asks the payee that sells at this URL to pay back the rest of the deposit, or so many atomic units of it; a session of MPP is closed. */
  refund(url: string, options?: { readonly amount?: string }): Promise<ChannelReceipt>;
  /** Drops a channel whose rest the payer has withdrawn from the contract. Whether the store had it. */
  forget(id: string): Promise<boolean>;
};

type Step =
  | { readonly do: 'update' }
  | { readonly do: 'once'; readonly why: Told | null }
  | { readonly do: 'wait'; readonly waitMs: number }
  | { readonly do: 'ask' | 'broadcast' }
  | { readonly do: 'sign'; readonly deposit: TypedData | null; readonly voucher: TypedData | null }
  | { readonly do: 'send'; readonly waitMs: number; readonly field: string; readonly payment: string }
  | { readonly do: 'return'; readonly receipt: ChannelReceipt | null }
  | { readonly do: 'fail'; readonly error: Told };

const receipts = new WeakMap<Response, ChannelReceipt>();

/** The server's receipt of a request that was paid by channel. */
export function channelReceiptOf(response: Response): ChannelReceipt | undefined {
  return receipts.get(response);
}

/** A `fetch` that pays by channel where the server sells so, within the policy. */
export function channelFetch(fetch: typeof globalThis.fetch, given: ChannelOptions): ChannelFetch {
  const options = checked(fetch, given);
  const signer = asSigner(options.signer);
  const { acceptPayment, policy = {}, store = memoryStore(), now = () => Date.now() / 1000 } = options;
  const once = options.once ?? wrapFetch(fetch, { signer, policy, store, now, ...(acceptPayment === undefined ? {} : { acceptPayment }) });
  const vouchers = options.voucherSigner === undefined ? signer : asSigner(options.voucherSigner);
  const parts: Parts = { fetch, signer, vouchers, store, now, policy: JSON.stringify(policy), options, open: new Map() };
  /** Endpoints that were seen not to sell by channel: a second request for their terms is saved. */
  const others = new Set<string>();
  const terms = new KnownTerms(now);
  const ways = new Ways(store, now);
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
    const mine: Parts =
      call === undefined
        ? parts
        : {
            ...parts,
            looks: async () => (await ways.look(call))?.voucher,
            begins: (channel) => ways.begins(call, channel),
            leaves: (channel, voucher) => ways.leaves(call, channel, voucher),
          };
    const served = async ({ response, receipt, voucher }: Answered): Promise<Response> => {
      if (response.ok && receipt !== null && voucher !== undefined) await ways.served(call, voucher);
      return response;
    };
    const before = request.single === undefined ? terms.of(request) : undefined;
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
      throw error instanceof FareboxError && (error.code === 'unsupported_scheme' || error.code === 'unsupported_intent')
        ? new FareboxError(why)
        : error;
    }
  };
  const recorded = async (): Promise<string | undefined> => (await store.read()).record;
  return Object.assign(paying, {
    channels: async () => {
      const record = await recorded();
      return JSON.parse(told(() => listChannels(record))) as Channel[];
    },
    refund: async (url: string, { amount }: { readonly amount?: string } = {}) => {
      const request = await requestOf(url, undefined, false);
      const done = await purchase(parts, request, await plain(fetch, request), amount ?? true);
      if ('otherwise' in done || done.receipt === null)
        throw unusable('terms_changed', 'the server pays nothing back there', 'ask for a URL that is sold by channel');
      return done.receipt;
    },
    forget: (id: string) => update(store, (record) => told(() => forgetChannel(record, id))),
  });
}

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
const TERMS = 'payment-required';
/** The preferred intents of MPP. */
const ACCEPTED = 'evm/session, evm/charge;q=0.5';
const TEXTS = ['deposit', 'maxDeposit', 'name'] as const;
const OPTIONS = [
  'signer',
  'policy',
  'store',
  'acceptPayment',
  'now',
  'choose',
  'deposit',
  'maxDeposit',
  'maxWithdrawDelaySecs',
  'voucherSigner',
  'name',
  'confirm',
  'broadcast',
  'onState',
  'once',
] as const;

/** The options, read once; those of the wrong type are reported when they are given, by name. */
function checked(fetch: unknown, given: ChannelOptions): ChannelOptions {
  const wrong = (what: string): FareboxError => unusable('invalid_options', what, 'correct that option');
  if (typeof fetch !== 'function') throw wrong('fetch is not a function');
  if (typeof given !== 'object' || given === null) throw wrong('the options are no object with a signer');
  checkNames(given, OPTIONS);
  const options = { ...given };
  for (const name of TEXTS) if (options[name] !== undefined && typeof options[name] !== 'string') throw wrong(`${name} is not text`);
  const delay = options.maxWithdrawDelaySecs;
  if (delay !== undefined && !(Number.isSafeInteger(delay) && delay >= 0))
    throw wrong('maxWithdrawDelaySecs is no whole number of seconds');
  for (const name of ['confirm', 'once', 'now', 'broadcast', 'onState'] as const)
    if (options[name] !== undefined && typeof options[name] !== 'function') throw wrong(`${name} is not a function`);
  if (options.choose !== undefined && options.choose !== 'session' && options.choose !== 'once')
    throw wrong('choose is neither "session" nor "once"');
  if (options.store !== undefined && !isStore(options.store)) throw wrong('store has no read and replace');
  return options;
}

type Parts = {
  readonly fetch: typeof globalThis.fetch;
  readonly signer: Signer;
  readonly vouchers: Signer;
  readonly store: Store;
  readonly now: () => number;
  readonly policy: string;
  readonly options: ChannelOptions;
  /** Streams that are being read, and those that ended beside them. */
  readonly open: Map<SessionStream, 'flows' | 'ended'>;
  /** Returns the voucher that has left for a purchase under a key. */
  readonly looks?: (() => Promise<Voucher | undefined>) | undefined;
  /** Returns where this channel may be begun for it. */
  readonly begins?: ((channel: string) => Promise<void>) | undefined;
  /** Returns once it is noted that this voucher of a channel leaves for it, or a deposit alone. */
  readonly leaves?: ((channel: string, voucher: Voucher | undefined) => Promise<void>) | undefined;
};

/** The answer to a paid request, or to a refund; or why it has to be paid otherwise, if the server sells by channel at all. */
type Purchased = Answered | { readonly otherwise: Told | null };
type Answered = { readonly response: Response; readonly receipt: ChannelReceipt | null; readonly voucher?: Voucher | undefined };

/** Pays, and looks again where another call under the same key has paid meanwhile: then the voucher of that one is shown. */
async function purchase(parts: Parts, request: Plain, first: Response, refund?: string | true, raise?: Raise): Promise<Purchased> {
  for (;;) {
    try {
      return await purchased(parts, request, first, refund, raise);
    } catch (error) {
      if (!(error instanceof LooksAgain)) throw error;
    }
  }
}

async function purchased(parts: Parts, request: Plain, first: Response, refund?: string | true, raise?: Raise): Promise<Purchased> {
  const {
    signer,
    vouchers,
    policy,
    options: { deposit, maxDeposit, maxWithdrawDelaySecs, name, broadcast },
  } = parts;
  const url = paidUrl(request, first);
  const [payer, voucherSigner] = [await addressOf(signer), await addressOf(vouchers)];
  const authorizationTaken = request.headers.has('authorization');
  const terms = JSON.stringify({
    payer,
    voucherSigner,
    name,
    deposit,
    maxDeposit,
    maxWithdrawDelaySecs,
    refund,
    raise,
    broadcasts: broadcast !== undefined,
    authorizationTaken,
    left: await parts.looks?.(),
  });
  const of = (kind: 'channel' | 'session'): ChannelPurchase =>
    told(() => new ChannelPurchase(kind, policy, url, endpointOf(request.method, request.url), terms));
  // A server may sell by both; what its 402 does not have is seen without a request.
  const sellsSessions = SESSION.test(first.headers.get('www-authenticate') ?? '');
  if (!sellsSessions && raise === undefined) return run(parts, request, url, of('channel'), first);
  if (first.headers.has(TERMS) && raise === undefined) {
    const done = await run(parts, request, url, of('channel'), first).catch((error: unknown) => {
      // What concerns a session says so itself.
      if (refund !== undefined && error instanceof FareboxError && (error.code === 'terms_changed' || error.code === 'unsupported_scheme'))
        return { otherwise: null };
      throw error;
    });
    if (!('otherwise' in done)) return done;
  }
  return run(parts, request, url, of('session'), first);
}

/** A hint only: the compiled part reads the challenge. */
const SESSION = /\bsession\b/i;

async function run(parts: Parts, request: Plain, url: string, exchange: ChannelPurchase, first: Response): Promise<Purchased> {
  const last: { response: Response | undefined } = { response: first };
  try {
    return await steps(parts, request, url, exchange, last);
  } catch (error) {
    if (request.rest.signal?.aborted === true) {
      exchange.abandoned();
      await update(parts.store, (record) => told(() => exchange.update(record, parts.now()))).catch(() => undefined);
    }
    // Nothing of this left, and the channel is free for another look.
    if (error instanceof LooksAgain) await update(parts.store, (record) => told(() => exchange.release(record, parts.now())));
    if (error instanceof FareboxError) error.response = last.response;
    throw error;
  } finally {
    exchange.free();
  }
}

async function steps(
  parts: Parts,
  request: Plain,
  url: string,
  exchange: ChannelPurchase,
  last: { response: Response | undefined },
): Promise<Purchased> {
  const { fetch, now } = parts;
  const { signal } = request.rest;
  /** What has left for this request: the channel, and its voucher. */
  let left: string | undefined;
  let sent = now();
  let step = await answered(exchange, last.response, now());
  for (;;) {
    switch (step.do) {
      case 'once':
        return { otherwise: step.why };
      case 'wait':
        signal?.throwIfAborted();
        await pause(step.waitMs, signal);
      // falls through
      case 'update':
        step = await changed(parts, exchange);
        tell(parts, exchange);
        break;
      case 'ask':
        signal?.throwIfAborted();
        await last.response?.body?.cancel().catch(() => undefined);
        last.response = await plain(fetch, request);
        step = await answered(exchange, last.response, now());
        break;
      case 'sign':
        step = await signed(parts, exchange, step, signal);
        break;
      case 'broadcast':
        step = await broadcasted(parts, exchange, signal);
        break;
      case 'send': {
        await pause(step.waitMs, signal);
        const headers = new Headers(request.headers);
        headers.set(step.field, step.payment);
        const { body, method, rest } = request;
        if (parts.leaves !== undefined) {
          const { channel } = proposalOf(exchange);
          const voucher = exchange.leaving();
          const leaves = `${channel} ${voucher}`;
          if (leaves !== left) await parts.leaves(channel, voucherOf(voucher));
          left = leaves;
        }
        sent = now();
        // A redirect is an answer, so that a payment goes only where it was requested.
        last.response = await fetch(url, { ...rest, method, headers, redirect: 'manual', ...(body === undefined ? {} : { body }) }).catch(
          () => undefined,
        );
        if (last.response === undefined && signal?.aborted === true) throw aborted(signal);
        step = last.response === undefined ? (JSON.parse(exchange.lost(now())) as Step) : await answered(exchange, last.response, now());
        break;
      }
      case 'return': {
        if (last.response === undefined) throw new TypeError('there is no response');
        const flows = last.response.ok && last.response.body !== null;
        const stream = !flows ? undefined : exchange.stream(headerLines(last.response.headers), sent * 1000);
        const response = stream === undefined ? last.response : streamed(parts, request, last.response, stream);
        if (step.receipt !== null) receipts.set(response, step.receipt);
        return { response, receipt: step.receipt, voucher: voucherOf(exchange.leaving()) };
      }
      case 'fail':
        throw new FareboxError(step.error);
    }
  }
}

/** Changes the record. Once the answer is there, a fault of the store is no reason to lose it: the channel is in use until its time is over. */
async function changed({ store, now }: Parts, exchange: ChannelPurchase): Promise<Step> {
  let step: Step | undefined;
  const next = (): Step => {
    step ??= JSON.parse(exchange.updated()) as Step;
    return step;
  };
  await noted(
    () => update(store, (record) => told(() => exchange.update(record, now()))),
    (fault) => {
      if (next().do !== 'return') throw fault;
    },
  );
  return next();
}

/** The answer, whose body goes on with vouchers that other requests bring. What came is in the record before one is signed. */
function streamed(parts: Parts, request: Plain, response: Response, stream: SessionStream): Response {
  const { fetch, store, now, open } = parts;
  const note = async (one: SessionStream): Promise<void> => {
    const [channel, received] = [one.channel(), one.received(now() * 1000)];
    if (received !== '0') await update(store, (record) => told(() => noteReceived(record, channel, received, now())));
  };
  open.set(stream, 'flows');
  return flowing(response, stream, {
    raise: async ({ channel, required }) => {
      const sharing = [...open.keys()].filter((one) => one.channel() === channel);
      for (const one of sharing) await note(one);
      const head: Plain = { ...request, method: 'HEAD', body: undefined };
      const ahead = sharing.reduce((sum, one) => sum + BigInt(one.step()), 0n);
      const raise = { channel, required, ahead: String(ahead) };
      const done = await purchase(
        { ...parts, looks: undefined, begins: undefined, leaves: undefined },
        head,
        await plain(fetch, head),
        undefined,
        raise,
      );
      if ('otherwise' in done)
        throw done.otherwise === null
          ? unusable('terms_changed', 'the server sells by session no more', 'ask for a URL that is sold by channel')
          : new FareboxError(done.otherwise);
      await done.response.body?.cancel().catch(() => undefined);
    },
    ended: async () => {
      stream.ends(now() * 1000);
      await noted(() => note(stream));
      open.set(stream, 'ended');
      // The step that it ended in may be charged: it counts until the streams beside it have ended too.
      const beside = [...open].filter(([one]) => one.channel() === stream.channel());
      if (beside.every(([, state]) => state === 'ended')) for (const [one] of beside) open.delete(one);
    },
  });
}

/** The voucher that is about to leave, or that has left. */
function voucherOf(leaving: string | undefined): Voucher | undefined {
  return leaving === undefined ? undefined : (JSON.parse(leaving) as Voucher);
}

/** What is about to be paid. */
function proposalOf(exchange: ChannelPurchase): ChannelProposal {
  return JSON.parse(exchange.proposal() ?? 'null') as ChannelProposal;
}

/** Has the deposit and the voucher signed. Without both, nothing of it stays counted. */
async function signed(
  { signer, vouchers, store, now, options, begins }: Parts,
  exchange: ChannelPurchase,
  step: Extract<Step, { do: 'sign' }>,
  signal: AbortSignal | null | undefined,
): Promise<Step> {
  let isKept = false;
  try {
    signal?.throwIfAborted();
    const proposal = proposalOf(exchange);
    await begins?.(proposal.channel);
    if (proposal.deposit !== null && options.confirm !== undefined) {
      if ((await askPerson(signal, () => options.confirm?.(proposal))) !== true)
        throw new FareboxError({
          code: 'declined',
          message: 'the deposit was not confirmed',
          remedy: 'confirm it, or do not make this request',
        });
    }
    const deposit = step.deposit === null ? undefined : await signer.sign(step.deposit, signal);
    // From here on a deposit is signed: it stays counted.
    isKept = deposit !== undefined;
    const voucher = step.voucher === null ? undefined : await vouchers.sign(step.voucher, signal);
    const next = JSON.parse(exchange.signed(deposit, voucher)) as Step;
    isKept ||= next.do === 'update' || next.do === 'broadcast';
    return next;
  } finally {
    if (!isKept) await update(store, (record) => told(() => exchange.release(record, now())));
  }
}

/** Has the deposit's transaction sent. If the hook throws, it may have been: then the session waits until a person has looked. */
async function broadcasted(
  { store, now, options }: Parts,
  exchange: ChannelPurchase,
  signal: AbortSignal | null | undefined,
): Promise<Step> {
  const unsent = async (): Promise<void> => {
    exchange.unsent();
    await update(store, (record) => told(() => exchange.release(record, now())));
  };
  if (signal?.aborted === true) {
    await unsent();
    throw signal.reason;
  }
  const proposal = proposalOf(exchange);
  let hash: unknown;
  try {
    hash = await options.broadcast?.(proposal);
  } catch (error) {
    throw new FareboxError(
      {
        code: 'broadcast_failed',
        message: 'the option broadcast returned no transaction',
        remedy: 'before you pay again, read error.cause and check whether your transaction was sent',
        signed: true,
      },
      error,
    );
  }
  if (hash !== undefined && hash !== null) return JSON.parse(exchange.broadcasted(String(hash))) as Step;
  await unsent();
  throw new FareboxError({
    code: 'broadcast_failed',
    message: 'the option broadcast sent nothing',
    remedy: 'call again: nothing was sent, and nothing is counted',
    signed: false,
  });
}

/** Tells people the state of a session. */
function tell({ options }: Parts, exchange: ChannelPurchase): void {
  const line = exchange.echo();
  if (line === undefined) return;
  try {
    options.onState?.(line);
  } catch {
    // What a hook throws ends no purchase.
  }
}

async function answered(exchange: ChannelPurchase, response: Response | undefined, now: number): Promise<Step> {
  if (response === undefined) throw new TypeError('there is no response');
  const body = response.status >= 400 ? await beginning(response) : new Uint8Array();
  return JSON.parse(exchange.answered(response.status, headerLines(response.headers), body, now)) as Step;
}

function aborted(signal: AbortSignal): FareboxError {
  return new FareboxError(
    {
      code: 'aborted',
      message: 'the request was aborted after the payment was signed',
      remedy: 'call again: what was charged is known from the next answer',
      signed: true,
    },
    signal.reason,
  );
}
