/** One purchase by channel: what is signed, what leaves, and what comes of it. */
import { ChannelPurchase, noteReceived, type SessionStream } from '#channels-wasm';

import { beginning } from './beginning.js';
import type { Voucher } from './bought.js';
import type { ChannelOptions, ChannelProposal, ChannelReceipt } from './channel-options.js';
import { endpointOf } from './endpoints.js';
import { FareboxError, notBroadcast, type Told, told, unusable } from './error.js';
import { noted } from './noted.js';
import { askPerson } from './person.js';
import { headerLines, type Plain, paidUrl, pause, plain } from './request.js';
import { addressOf, type Signer, type TypedData } from './signer.js';
import { type Store, update } from './store.js';
import { flowing, type Raise } from './stream.js';
import { LooksAgain } from './ways.js';

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

/** The field in which a 402 of x402 has its terms. */
export const TERMS = 'payment-required';

/** What all purchases of one `fetch` share, and the place of one under a key. */
export type Parts = {
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
export type Answered = { readonly response: Response; readonly receipt: ChannelReceipt | null; readonly voucher?: Voucher | undefined };

/** Pays, and looks again where another call under the same key has paid meanwhile: then the voucher of that one is shown. */
export async function purchase(parts: Parts, request: Plain, first: Response, refund?: string | true, raise?: Raise): Promise<Purchased> {
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
  const { store, now, open } = parts;
  const note = async (one: SessionStream): Promise<void> => {
    const [channel, received] = [one.channel(), one.received(now() * 1000)];
    if (received !== '0') await update(store, (record) => told(() => noteReceived(record, channel, received, now())));
  };
  open.set(stream, 'flows');
  return flowing(response, stream, {
    raise: async ({ channel, required }) => {
      const sharing = [...open.keys()].filter((one) => one.channel() === channel);
      for (const one of sharing) await note(one);
      const ahead = sharing.reduce((sum, one) => sum + BigInt(one.step()), 0n);
      const raise = { channel, required, ahead: String(ahead) };
      await brought({ ...parts, looks: undefined, begins: undefined, leaves: undefined }, request, raise);
    },
    ended: async (isCut) => {
      stream.ends(now() * 1000, isCut);
      await noted(() => note(stream));
      open.set(stream, 'ended');
      // The step that it ended in may be charged: it counts until the streams beside it have ended too.
      const beside = [...open].filter(([one]) => one.channel() === stream.channel());
      if (beside.every(([, state]) => state === 'ended')) for (const [one] of beside) open.delete(one);
    },
  });
}

/** Brings the next voucher of a stream beside it. What brought none is no end of the answer: its reader hears of it. */
async function brought(parts: Parts, request: Plain, raise: Raise): Promise<void> {
  let beside: Plain = { ...request, method: 'HEAD', body: undefined };
  let status = 0;
  for (const waitMs of [0, ...RAISE_MS]) {
    await pause(waitMs, request.rest.signal);
    let first = await plain(parts.fetch, beside);
    // Where there is a query, a request without a body would be another purchase.
    if (first.status === 405 && request.method === 'POST' && beside.method === 'HEAD' && !request.url.includes('?')) {
      beside = { ...beside, method: 'POST' };
      first = await plain(parts.fetch, beside);
    }
    const done = await purchase(parts, beside, first, undefined, raise);
    if ('otherwise' in done)
      throw done.otherwise === null
        ? unusable('terms_changed', 'the server sells by session no more', 'ask for a URL that is sold by channel')
        : new FareboxError(done.otherwise);
    await done.response.body?.cancel().catch(() => undefined);
    status = done.response.status;
    // Terms that ask for nothing more, or a voucher that was taken.
    if (done.receipt !== null || status === 402) return;
    if (status < 500 && status !== 429) break;
  }
  throw new FareboxError({
    code: 'payment_refused',
    message: `the answer stops here: the server was asked to take the voucher for the rest of it, and said ${status}`,
    remedy: 'what came was paid for; ask again for the rest, if the server has a way to go on',
    signed: true,
  });
}

/** Milliseconds before a voucher is brought again that a busy server has not looked at: within the minute for which a gate waits. */
const RAISE_MS = [500, 2_000, 5_000];

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
    throw notBroadcast(error);
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
