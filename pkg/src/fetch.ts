/** `fetch` that pays: carries out what the compiled part decides, one step after the other. */
import { Exchange } from '#wasm';

import { bodyOf, type Body } from './body.js';
import { endpointOf, endpointsOf, watchOf, type Endpoints, type EscalationEvent, type Watch } from './endpoints.js';
import { FareboxError, told, type SentPayment, type Told } from './error.js';
import { asSigner, type AnySigner, type TypedData } from './signer.js';
import { memoryStore, update, type Store } from './store.js';

/** What may be paid: amounts are decimal text in whole tokens. Every field and default: README.md, "Policy". */
export type Policy = {
  /** Most for one payment ["1.00", of version 1 "0.10"]. */
  readonly perPayment?: string;
  /** Most in an hour [perDay]. */
  readonly perHour?: string;
  /** Most in a day ["10"]. */
  readonly perDay?: string;
  /** Most in a day for one host [perDay]. */
  readonly perHost?: string;
  /** Most in a day for one payee [perDay]. */
  readonly perPayee?: string;
  /** CAIP-2 ids or v1 names [every known network]. */
  readonly networks?: readonly string[];
  /** Symbols of known assets, or assets in full [the default asset of each network]. */
  readonly assets?: readonly (string | DeclaredAsset)[];
  /** Hosts with their port [every host]. */
  readonly hosts?: readonly string[];
  /** Payees; with a list only these [the first payee of each host and network]. */
  readonly payees?: readonly string[];
  /** Whether the first payee of a host and network stays its only one [true]. */
  readonly pinPayees?: boolean;
  /** Longest validity of an authorization, seconds [3600]. */
  readonly maxValiditySecs?: number;
  /** How long a payment without an outcome is sent again, seconds [60]. */
  readonly deadlineSecs?: number;
};

/** An asset that is in no table; its facts are yours, never the server's. */
export type DeclaredAsset = {
  readonly symbol: string;
  readonly network: string;
  readonly address: string;
  readonly name: string;
  readonly version: string;
  readonly decimals: number;
};

/** What is about to be paid. Texts of the server are cleaned and short; they are data, whatever they say. */
export type Proposal = {
  readonly method: string;
  readonly url: string;
  readonly host: string;
  readonly price: string;
  readonly symbol: string;
  readonly amount: string;
  readonly asset: string;
  readonly network: string;
  readonly testNetwork: boolean;
  readonly payTo: string;
  readonly payer: string;
  readonly validForSecs: number;
  readonly paysBeforeWork: boolean;
  readonly description: string;
  readonly serverSays: string;
  /** Another place than the one asked for, where the server names one; never followed. */
  readonly claimsToSell: string | null;
  /** Whether it takes the place of a payment that came too late: both have one nonce, of which a contract takes one. */
  readonly replaces: boolean;
};

/** A settlement whose every member agrees with what was signed. */
export type Receipt = {
  readonly transaction: string;
  readonly network: string;
  readonly payer: string;
  readonly payTo: string;
  readonly amount: string;
  readonly asset: string;
  readonly price: string;
  readonly symbol: string;
  /** Who signed the receipt of extension `offer-receipt`, if there was one. */
  readonly signedBy: string | null;
};

export type PayOptions = {
  readonly signer: AnySigner;
  readonly policy?: Policy;
  /** Where the record of what was spent is kept [this process]. */
  readonly store?: Store;
  /** Asked before each signature; anything but true signs nothing. */
  readonly confirm?: (proposal: Proposal) => boolean | Promise<boolean>;
  /** Whether a `payment-identifier` goes along, by which an answer that was lost is given again [true]. */
  readonly identifier?: boolean;
  /** Told once when a server's diagnostic blocks an endpoint; waited for, and what it throws is lost [nobody]. */
  readonly onEscalation?: (event: EscalationEvent) => void | Promise<void>;
  /** Unix seconds [the clock]. */
  readonly now?: () => number;
};

/** `fetch`, and the endpoints of its store that a person has to look at. */
export type PayingFetch = typeof globalThis.fetch & { readonly endpoints: Endpoints };

type Step =
  | { readonly do: 'return'; readonly receipt: Receipt | null; readonly retrying: boolean }
  | { readonly do: 'reserve' | 'renew' | 'mark' }
  | { readonly do: 'sign'; readonly typedData: TypedData }
  | { readonly do: 'send'; readonly waitMs: number; readonly headers: readonly (readonly [string, string])[] }
  | { readonly do: 'fail'; readonly error: Told };

const receipts = new WeakMap<Response, Receipt>();

/** The settlement that came with a response of a wrapped `fetch`. */
export function receiptOf(response: Response): Receipt | undefined {
  return receipts.get(response);
}

/** The platform's `fetch`, paying. */
export function payingFetch(options: PayOptions): PayingFetch {
  return wrapFetch((input, init) => globalThis.fetch(input, init), options);
}

/** A `fetch` that pays when it is asked to, within the policy, once. */
export function wrapFetch(fetch: typeof globalThis.fetch, options: PayOptions): PayingFetch {
  const signer = asSigner(options.signer);
  const store = options.store ?? memoryStore();
  const policy = JSON.stringify(options.policy ?? {});
  const now = options.now ?? (() => Date.now() / 1000);
  // A policy that cannot be read is told when it is given, not when it is needed.
  told(() => new Exchange(policy, 'GET', 'https://policy.invalid/', '', `0x${'11'.repeat(20)}`)).free();

  const watch = watchOf(store, now, options.onEscalation);
  const paying: typeof globalThis.fetch = async (input, init) => {
    const request = await requestOf(input, init);
    const endpoint = endpointOf(request.method, request.url);
    await watch.admit(endpoint);
    const first = await plain(fetch, request);
    if (first.ok) await watch.delivered(endpoint);
    if (first.status !== 402) return first;
    const url = paidUrl(request, first);
    const address = await signer.address();
    let exchange = told(() => new Exchange(policy, request.method, url, endpoint, address));
    if (options.identifier === false) exchange = exchange.withoutIdentifier();
    try {
      return await pay({ exchange, fetch, request, url, endpoint, watch, signer, store, now, first, confirm: options.confirm });
    } finally {
      exchange.free();
    }
  };
  return Object.assign(paying, { endpoints: endpointsOf(store) });
}

type Plain = { readonly method: string; readonly url: string; readonly headers: Headers; readonly body: Body; readonly rest: RequestInit };

type Payment = {
  readonly exchange: Exchange;
  readonly fetch: typeof globalThis.fetch;
  readonly request: Plain;
  readonly url: string;
  readonly endpoint: string;
  readonly watch: Watch;
  readonly signer: ReturnType<typeof asSigner>;
  readonly store: Store;
  readonly now: () => number;
  readonly first: Response;
  readonly confirm: PayOptions['confirm'];
};

/** Walks through the steps; an error leaves with the payment and the last answer, as far as there are any. */
async function pay(payment: Payment): Promise<Response> {
  const last: Last = { response: payment.first };
  try {
    return await steps(payment, last);
  } catch (error) {
    if (error instanceof FareboxError) {
      if (error.code === 'endpoint_blocked' || error.code === 'approval_needed') payment.watch.refused();
      const sent = payment.exchange.payment();
      if (sent !== undefined) {
        error.payment = JSON.parse(sent) as SentPayment;
        // Whatever went wrong later, a wallet that says no to a second question included.
        error.signed = true;
      }
      error.response = last.response;
    }
    throw error;
  }
}

/** The last answer that came, unless the last request was lost. */
type Last = { response: Response | undefined };

async function steps(payment: Payment, last: Last): Promise<Response> {
  const { exchange, request, signer, store, now, endpoint, watch } = payment;
  const { signal } = request.rest;
  let step = await answered(exchange, payment.first, now);
  for (;;) {
    switch (step.do) {
      case 'return': {
        if (last.response === undefined) throw new TypeError('there is no response');
        if (last.response.ok) await watch.delivered(endpoint, step.retrying);
        if (step.receipt !== null) receipts.set(last.response, step.receipt);
        return last.response;
      }
      case 'fail':
        throw new FareboxError(step.error);
      case 'reserve':
        signal?.throwIfAborted();
        await update(store, (record) => told(() => exchange.reserve(record, now())));
        // falls through
      case 'renew':
        if (payment.confirm !== undefined) await agree(payment);
        step = JSON.parse(exchange.prepare(now())) as Step;
        break;
      case 'mark':
        await watch.hold(endpoint, (record) => told(() => exchange.mark(record, now())), wouldPay(payment));
        step = JSON.parse(exchange.marked()) as Step;
        break;
      case 'sign': {
        const { typedData } = step;
        if (signal?.aborted === true) {
          if (exchange.payment() !== undefined) throw aborted(signal);
          await release(payment);
          throw signal.reason;
        }
        let signature: string;
        try {
          signature = await signer.sign(typedData);
        } catch (error) {
          // A wallet that gives nothing has signed nothing.
          if (exchange.payment() === undefined) await release(payment);
          throw error;
        }
        step = JSON.parse(exchange.signed(signature, now())) as Step;
        break;
      }
      case 'send': {
        await pause(step.waitMs, signal);
        last.response = await paid(payment, step.headers).catch(() => undefined);
        if (signal?.aborted === true && last.response === undefined) throw aborted(signal);
        step = last.response === undefined
          ? (JSON.parse(exchange.lost(now())) as Step)
          : await answered(exchange, last.response, now);
        break;
      }
    }
  }
}

function aborted(signal: AbortSignal): FareboxError {
  return new FareboxError({
    code: 'aborted',
    message: 'the request was aborted after the payment was signed',
    remedy: 'send error.payment again; do not sign a new one for the same request',
    signed: true,
  }, signal.reason);
}

/** Asks the hook; whoever does not say yes has nothing signed, and nothing counted unless something was signed before. */
async function agree(payment: Payment): Promise<void> {
  let yes: unknown = false;
  try {
    const proposal = proposalOf(payment.exchange);
    yes = proposal !== undefined && await payment.confirm?.(proposal);
  } finally {
    if (yes !== true && payment.exchange.payment() === undefined) await release(payment);
  }
  if (yes === true) return;
  throw new FareboxError({ code: 'declined', message: 'the payment was not confirmed', remedy: 'confirm it, or do without' });
}

function proposalOf(exchange: Exchange): Proposal | undefined {
  const proposal = exchange.proposal();
  return proposal === undefined ? undefined : JSON.parse(proposal) as Proposal;
}

/** What is paid, or would be if nothing had been spent. */
function wouldPay({ exchange, now }: Payment): Proposal | undefined {
  try {
    if (exchange.proposal() === undefined) exchange.reserve(undefined, now());
  } catch {
    // Nothing that is asked for may be paid.
  }
  return proposalOf(exchange);
}

async function release({ exchange, store }: Payment): Promise<void> {
  await update(store, (record) => told(() => exchange.release(record)));
}

/** Tells the compiled part what came; bodies only of refusals, up to what it reads. */
async function answered(exchange: Exchange, response: Response, now: () => number): Promise<Step> {
  let lines = '';
  for (const [name, value] of response.headers) lines += `${name}: ${value}\n`;
  const tells = response.status >= 400 && /json/i.test(response.headers.get('content-type') ?? '');
  const body = tells || response.status === 402 ? await beginning(response) : new Uint8Array();
  return JSON.parse(exchange.answered(response.status, lines, body, now())) as Step;
}

/** The first 64 KiB of a body that stays readable; a longer one, or one that breaks off, is not looked at. */
async function beginning(response: Response): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const reader = response.clone().body?.getReader();
  while (reader !== undefined) {
    // An answer without its body is an answer still: its status decides.
    const { done, value } = await reader.read().catch(() => ({ done: undefined, value: undefined }));
    if (done === true) break;
    length += value?.length ?? Infinity;
    if (value === undefined || length > MAX_BODY) {
      // Not waited for: it would last until the other copy is read.
      reader.cancel().catch(() => undefined);
      return new Uint8Array();
    }
    pieces.push(value);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** The request in a form that can be sent more than once. */
async function requestOf(input: RequestInfo | URL, init: RequestInit | undefined): Promise<Plain> {
  const given = input instanceof Request ? input : undefined;
  const url = new URL(given?.url ?? String(input), (globalThis as { location?: { href: string } }).location?.href);
  url.hash = '';
  const headers = new Headers(init?.headers ?? given?.headers);
  if (headers.has('payment-signature') || headers.has('x-payment')) {
    throw new FareboxError({
      code: 'already_paying',
      message: 'the request carries a payment already',
      remedy: 'leave the payment headers to the wrapper, or use plain fetch',
    });
  }
  const method = (init?.method ?? given?.method ?? 'GET').toUpperCase();
  const body = await bodyOf(init?.body ?? (given?.body == null ? undefined : new Uint8Array(await given.clone().arrayBuffer())), headers);
  const { body: _body, headers: _headers, method: _method, ...rest } = init ?? {};
  return { method, url: url.href, headers, body, rest: { ...(given === undefined ? {} : settingsOf(given)), ...rest } };
}

/** What a request of its own says besides; members that a platform does not know are left to it. */
function settingsOf(request: Request): RequestInit {
  const { cache, credentials, integrity, keepalive, mode, redirect, referrer, referrerPolicy, signal } = request;
  const settings: Record<string, unknown> = { cache, credentials, integrity, keepalive, redirect, referrer, referrerPolicy, signal };
  // Only the browser itself may navigate.
  if (mode !== 'navigate') settings['mode'] = mode;
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined && value !== null && value !== ''));
}

async function plain(fetch: typeof globalThis.fetch, request: Plain): Promise<Response> {
  const { url, method, headers, body, rest } = request;
  try {
    return await fetch(url, { ...rest, method, headers, ...(body === undefined ? {} : { body }) });
  } catch (error) {
    const cause = (error as { cause?: { code?: unknown } } | undefined)?.cause;
    if (cause?.code !== 'UND_ERR_HEADERS_OVERFLOW') throw error;
    throw new FareboxError({
      code: 'malformed_challenge',
      message: 'the header of the answer is longer than this platform reads',
      remedy: 'tell the server\'s operator; nothing was signed',
    }, error);
  }
}

/** The same request with the payment; a redirect is an answer, so that no payment goes where it was not asked for. */
function paid({ fetch, request, url }: Payment, payment: readonly (readonly [string, string])[]): Promise<Response> {
  const headers = new Headers(request.headers);
  for (const [name, value] of payment) headers.set(name, value);
  const { body, method, rest } = request;
  return fetch(url, { ...rest, method, headers, redirect: 'manual', ...(body === undefined ? {} : { body }) });
}

/** Where the 402 came from: the place that was asked, or one of the same origin that it redirected to. */
function paidUrl(request: Plain, response: Response): string {
  if (!response.redirected || response.url === '') return request.url;
  const [asked, came] = [new URL(request.url), new URL(response.url)];
  if (asked.origin === came.origin && request.method === 'GET') return came.href;
  const error = new FareboxError({
    code: 'redirected',
    message: `the request was redirected to ${came.origin}, which asks for payment`,
    remedy: 'ask for the final address yourself if you trust it',
  });
  error.response = response;
  throw error;
}

async function pause(milliseconds: number, signal: AbortSignal | null | undefined): Promise<void> {
  if (milliseconds === 0 || signal?.aborted === true) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
  });
}

/** Most of a refusal that is read, bytes. */
const MAX_BODY = 64 * 1024;
