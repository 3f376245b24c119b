/** `fetch` that pays: carries out the decisions of the compiled part, one step after the other. */
import { Exchange } from '#wasm';

import { turnOf } from './alone.js';
import { beginning } from './beginning.js';
import { notReplayable } from './body.js';
import { type Endpoints, endpointOf, endpointsOf, isShort, type Watch, watchOf } from './endpoints.js';
import { FareboxError, memberOf, notBroadcast, quietly, type SentPayment, type Told, told, unusable } from './error.js';
import type { Keeping, Opens } from './keeping.js';
import { isObject } from './members.js';
import { checkNames } from './names.js';
import { type Call, called } from './node.js';
import { noted } from './noted.js';
import type { PaymentStep, PayOptions, Proposal, Question, Receipt } from './options.js';
import { askPerson } from './person.js';
import { inMemory } from './purchases.js';
import { endsIn, fetchOf, headerLines, keyOf, type Plain, paidUrl, pause, plain, requestOf } from './request.js';
import { addressOf, asSigner, type TypedData } from './signer.js';
import { isStore, memoryStore, type Store, update } from './store.js';
import { timerMs } from './timer.js';

/** `fetch`, and the endpoints of its store that the payer has to look at. */
export type PayingFetch = typeof globalThis.fetch & { readonly endpoints: Endpoints };

type Step =
  | { readonly do: 'return'; readonly receipt: Receipt | null; readonly retrying: boolean; readonly settles: boolean }
  | { readonly do: 'reserve' | 'renew' | 'recount' | 'mark' | 'afresh' | 'broadcast' | 'prepare' }
  | { readonly do: 'read'; readonly network: string; readonly calls: readonly [Call, Call] }
  | { readonly do: 'choose'; readonly options: Question['options'] }
  | { readonly do: 'sign'; readonly typedData: TypedData }
  | { readonly do: 'send'; readonly waitMs: number; readonly headers: readonly (readonly [string, string])[] }
  | { readonly do: 'fail'; readonly error: Told };

const receipts = new WeakMap<Response, Receipt>();

/** The settlement that came with a response of a wrapped `fetch`. */
export function receiptOf(response: Response): Receipt | undefined {
  return receipts.get(response);
}

const payments = new WeakMap<Response, SentPayment>();

/** The payment that a response of a wrapped `fetch` answers, if one was sent. */
export function paymentOf(response: Response): SentPayment | undefined {
  return payments.get(response);
}

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
  /** The slot of one that has ended, and whether a person is asked before another slot is used. */
  readonly after?: { readonly slot: string; readonly asks: boolean };
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
    const left = kept?.left;
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
    const common = { fetch, request, askedUrl, endpoint, watch, signer, store, now, options, kept };
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
    if (purchase?.after !== undefined) exchange = exchange.after(purchase.after.slot, purchase.after.asks);
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

/** The options, read once; those of the wrong type are reported when they are given, by name. */
function checked(fetch: unknown, given: unknown): PayOptions {
  const wrong = (what: string): FareboxError => unusable('invalid_options', what, 'correct that option');
  if (typeof fetch !== 'function') throw wrong('fetch is not a function');
  if (typeof given !== 'object' || given === null) throw wrong('the options are no object with a signer');
  checkNames(given, OPTIONS);
  const options: Record<string, unknown> = {};
  for (const name of OPTIONS) {
    const value = quietly(
      () => (given as Readonly<Record<string, unknown>>)[name],
      () => wrong(`${name} cannot be read`),
    );
    if (value !== undefined) options[name] = value;
  }
  for (const name of ['confirm', 'choose', 'broadcast', 'onEscalation', 'onPayment', 'onStep', 'now']) {
    if (options[name] !== undefined && typeof options[name] !== 'function') throw wrong(`${name} is not a function`);
  }
  for (const name of ['identifier', 'acceptPayment']) {
    if (options[name] !== undefined && typeof options[name] !== 'boolean') throw wrong(`${name} is neither true nor false`);
  }
  if (options['resume'] !== undefined && typeof memberOf(options['resume'], 'open') !== 'function')
    throw wrong('resume is not that of farebox/resume');
  const nodes = options['nodes'];
  if (nodes !== undefined && !(isObject(nodes) && Object.entries(nodes).every(isNode)))
    throw wrong("nodes is not an object of a node's URL for each network, such as eip155:8453");
  if (options['pin'] !== undefined && typeof options['pin'] !== 'string') throw wrong('pin is not text');
  if (options['timeoutMs'] !== undefined && !(Number(options['timeoutMs']) > 0)) throw wrong('timeoutMs is no number of milliseconds');
  if (options['store'] === null) delete options['store'];
  if (options['store'] !== undefined && !isStore(options['store'])) throw wrong('store has no read and replace');
  return options as PayOptions;
}

const OPTIONS = [
  'signer',
  'policy',
  'store',
  'confirm',
  'choose',
  'broadcast',
  'onEscalation',
  'onPayment',
  'onStep',
  'now',
  'pin',
  'timeoutMs',
  'nodes',
  'identifier',
  'acceptPayment',
  'resume',
] as const;

/** Whether this names a network and the URL of a node; one with a user's name would never be asked. */
function isNode([network, url]: [string, unknown]): boolean {
  if (!/^eip155:[1-9]\d*$/.test(network) || typeof url !== 'string' || !URL.canParse(url)) return false;
  const { protocol, username, password } = new URL(url);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

/** A policy as text; one that is not plain data is reported like one that is not an object. */
function policyText(policy: unknown): string {
  try {
    return (
      JSON.stringify(policy ?? {}, (_, value: unknown) => {
        // Omitting it would remove a cap that the caller meant to set.
        if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError('no data');
        return value;
      }) ?? ''
    );
  } catch {
    return '';
  }
}

type Payment = {
  readonly exchange: Exchange;
  readonly fetch: typeof globalThis.fetch;
  readonly request: Plain;
  readonly url: string;
  /** The URL that was asked for, wherever that redirected. */
  readonly askedUrl: string;
  readonly endpoint: string;
  readonly watch: Watch;
  readonly signer: ReturnType<typeof asSigner>;
  readonly store: Store;
  readonly now: () => number;
  /** The answer that asks for the payment; of one that was sent before there is none. */
  readonly first: Response | undefined;
  readonly options: PayOptions;
  /** Where the payment is kept while its fate is open. */
  readonly kept: Keeping | undefined;
  /** Whether no other payment of this process signs an allowance of its token until this one is answered. */
  readonly allowsAlone?: true;
};

/** Runs the steps; an error carries the payment and the last answer, if there are any. */
async function pay(payment: Payment, begins?: Step): Promise<Response> {
  const goesOn = begins?.do === 'send';
  // What has ended is asked for again, and signed with the nonce that it had.
  const last: Last = { response: payment.first, sent: goesOn ? sentOf(payment) : undefined, reserved: goesOn, hasLeft: goesOn };
  try {
    return await steps(payment, last, begins);
  } catch (thrown) {
    // Read first: once it is left, another call may go on with it.
    const isSigned = payment.exchange.payment() !== undefined;
    await payment.kept?.ended();
    const { signal } = payment.request.rest;
    const isAbort = signal?.aborted === true && thrown === signal.reason;
    const error = isAbort && isSigned ? new FareboxError(ABORTED, thrown) : thrown;
    if (error instanceof FareboxError) {
      if (error.code === 'endpoint_blocked' || error.code === 'approval_needed') payment.watch.refused();
      // What was held back is not to be sent by anyone.
      error.payment = last.sent;
      // Signed counts whatever fails later, including a wallet that refuses a second request.
      error.signed ||= isSigned;
      error.response = last.response;
    }
    throw error;
  }
}

/** The payment as it is sent, if there is one. */
function sentOf(payment: Payment): SentPayment | undefined {
  return withAsked<SentPayment>(payment, payment.exchange.payment());
}

/** What the compiled part tells of a payment, and the URL that was asked for where it is another one. */
function withAsked<T>({ url, askedUrl }: Payment, text: string | undefined): T | undefined {
  return text === undefined ? undefined : { ...(JSON.parse(text) as T), ...(url === askedUrl ? {} : { askedUrl }) };
}

/**
 * The last answer, unless the last request was lost, and the payment that left last; whether it is counted, and whether something that can be charged has left
 * this process, or may have.
 */
type Last = { response: Response | undefined; sent: SentPayment | undefined; reserved: boolean; hasLeft: boolean; turn?: Turn };

/** A turn in which no other payment of this process signs an allowance of the same token: given back with the answer, or some time after the payment has left. */
type Turn = { readonly leave: () => void; readonly ends: () => void };
/** How long a server that does not answer keeps it, seconds, unless the policy says how long a payment is sent again. */
const TURN_SECS = 60;

async function steps(payment: Payment, last: Last, begins: Step | undefined): Promise<Response> {
  const { exchange, request, signer, store, now, endpoint, watch, kept } = payment;
  const { signal } = request.rest;
  exchange.readOn(Object.keys(payment.options.nodes ?? {}).join(' '));
  if (begins?.do === 'afresh' && signer.known !== undefined)
    told(() => {
      exchange.paysFrom(signer.known ?? '');
    });
  let step = begins ?? (await answered(payment, payment.first, now));
  for (;;) {
    switch (step.do) {
      case 'return': {
        if (last.response === undefined) throw new TypeError('there is no response');
        if (last.response.ok) await watch.delivered(endpoint, step.retrying, step.receipt !== null);
        // What was signed stays counted if the store fails.
        if (step.settles) await noted(() => update(store, (record) => told(() => exchange.settle(record))));
        if (last.reserved) tell(payment, 'done');
        const sent = sentOf(payment);
        if (sent === undefined) {
          await kept?.ended();
          return last.response;
        }
        last.turn?.leave();
        await toldOf(payment, step.receipt);
        const response = kept === undefined ? last.response : await kept.settled(last.response, step.receipt);
        payments.set(response, sent);
        if (step.receipt !== null) receipts.set(response, step.receipt);
        return response;
      }
      case 'fail':
        if (last.reserved && step.error.signed !== true) await unsigned(payment);
        throw new FareboxError(step.error);
      case 'choose': {
        const { options } = step;
        const question = { options, method: request.method, url: payment.url };
        const option = (await askPerson(signal, () => payment.options.choose?.(question))) ?? 'one-shot';
        if (!options.includes(option)) throw declined();
        step = JSON.parse(exchange.chose(option)) as Step;
        break;
      }
      case 'afresh':
        if (last.reserved) await release(payment);
        last.reserved = false;
        signal?.throwIfAborted();
        // A loss here is like that of the first request: nothing is signed.
        last.response = await paid(payment, []);
        step = await answered(payment, last.response, now);
        break;
      case 'reserve':
        signal?.throwIfAborted();
        await update(store, (record) => told(() => exchange.reserve(record, now())));
        last.reserved = true;
        tell(payment, 'looked');
      // falls through
      case 'renew':
        try {
          if (payment.options.confirm !== undefined) await agree(payment);
          tell(payment, 'confirmed');
          if (signer.known === undefined && exchange.payment() === undefined) await named(payment);
          step = await prepared(payment);
        } catch (error) {
          // Neither a person who says no nor a wallet without an address has signed anything.
          await unsigned(payment);
          throw error;
        }
        break;
      case 'read': {
        const reading = step;
        const next = async (): Promise<Step> => JSON.parse(exchange.read(...(await allowanceOf(payment, reading)))) as Step;
        step = await next();
        if (step.do !== 'sign' || payment.allowsAlone) break;
        // A token takes its permits one after the other: another one before it is answered would have the same number.
        const name = `${proposalOf(payment)?.payer} ${reading.network} ${reading.calls[0].to}`;
        const leave = await turnOf(name, store, signal).catch(async (error: unknown) => {
          // Nothing was signed.
          await unsigned(payment);
          throw error;
        });
        let timer: ReturnType<typeof setTimeout> | undefined;
        const most = (payment.options.policy?.deadlineSecs ?? TURN_SECS) * 1000;
        const ends = (): void => {
          timer ??= setTimeout(leave, timerMs(most));
        };
        last.turn = { leave, ends };
        try {
          return await steps({ ...payment, allowsAlone: true }, last, await next());
        } finally {
          clearTimeout(timer);
          leave();
        }
      }
      case 'prepare':
        try {
          step = await prepared(payment);
        } catch (error) {
          // The wallet has signed nothing that moves money.
          await unsigned(payment);
          throw error;
        }
        break;
      case 'mark':
        await watch.hold(endpoint, (record) => told(() => exchange.mark(record, now())), proposalOf(payment));
        step = JSON.parse(exchange.marked()) as Step;
        break;
      case 'sign': {
        const { typedData } = step;
        let signature: string;
        try {
          signal?.throwIfAborted();
          tell(payment, 'signing');
          signature = await signer.sign(typedData, signal);
        } catch (error) {
          // A wallet that returns nothing has signed nothing.
          await unsigned(payment);
          throw error;
        }
        // A value that is not text is not a signature either.
        step = JSON.parse(exchange.signed(typeof signature === 'string' ? signature : '', now())) as Step;
        if (step.do !== 'prepare') kept?.proved?.(exchange.proof() ?? '', false);
        break;
      }
      case 'broadcast': {
        if (signal?.aborted === true) {
          await release(payment);
          throw signal.reason;
        }
        try {
          await kept?.sending(exchange, payment.url);
        } catch (error) {
          // Nothing was asked for yet.
          await unsigned(payment);
          throw error;
        }
        last.hasLeft = true;
        const hash = await sentTransaction(payment);
        kept?.proved?.(hash, true);
        step = JSON.parse(exchange.broadcast(hash, now())) as Step;
        break;
      }
      case 'send': {
        tell(payment, last.sent === undefined ? 'sent' : 'settling');
        try {
          await kept?.sends(exchange, payment.url);
        } catch (error) {
          // Another one took the room meanwhile: it is not kept, and a signature that nobody has seen is not counted.
          if (!last.hasLeft && memberOf(error, 'code') === 'budget_exhausted') await release(payment);
          throw error;
        }
        last.hasLeft = true;
        last.turn?.ends();
        await pause(step.waitMs, signal);
        signal?.throwIfAborted();
        last.sent = sentOf(payment);
        last.response = await paid(payment, step.headers).catch(() => undefined);
        if (last.response === undefined) signal?.throwIfAborted();
        step = last.response === undefined ? (JSON.parse(exchange.lost(now())) as Step) : await answered(payment, last.response, now);
        break;
      }
    }
  }
}

/** What a node tells of an allowance, and of the number of the next one. One that fails is asked once more. */
async function allowanceOf(
  { options, request }: Payment,
  { network, calls }: Extract<Step, { readonly do: 'read' }>,
): Promise<[string | undefined, string | undefined]> {
  const node = options.nodes?.[network] ?? '';
  const { signal } = request.rest;
  const ask = async (call: Call): Promise<string | undefined> => (await called(node, call, signal)) ?? called(node, call, signal);
  const allowance = await ask(calls[0]);
  return [allowance, allowance === undefined ? undefined : await ask(calls[1])];
}

/** The step that asks the wallet to sign. What a person took long to confirm is counted anew first. */
async function prepared({ exchange, kept, now, store, url }: Payment): Promise<Step> {
  const prepare = (): Step => JSON.parse(exchange.prepare(now())) as Step;
  let step = prepare();
  while (step.do === 'recount') {
    await update(store, (record) => told(() => exchange.recount(record, now())));
    step = prepare();
  }
  await kept?.prepared?.(exchange, url);
  return step;
}

/** An abort after a signature. */
const ABORTED: Told = {
  code: 'aborted',
  message: 'the request was aborted after the payment was signed',
  remedy: 'send error.payment again, or, if there is none, make the same call again; do not sign a new payment for the same request',
  signed: true,
};

/**
 * The hash of the transaction that the hook sends. Its work before a failure is unknown, so the
 * payment stays counted.
 */
async function sentTransaction(payment: Payment): Promise<string> {
  try {
    const proposal = proposalOf(payment);
    return String(proposal && (await payment.options.broadcast?.(proposal)));
  } catch (error) {
    throw notBroadcast(error);
  }
}

/**
 * Asks the hook; without a yes nothing is signed, and nothing counted unless something was signed
 * before.
 */
async function agree(payment: Payment): Promise<void> {
  const { options, request } = payment;
  const proposal = proposalOf(payment);
  if (proposal === undefined || (await askPerson(request.rest.signal, () => options.confirm?.(proposal))) !== true) throw declined();
}

/** Tells the hook how far it is; what the hook throws changes nothing. */
function tell(payment: Payment, step: PaymentStep): void {
  const { onStep } = payment.options;
  try {
    const proposal = onStep && proposalOf(payment);
    if (proposal) onStep(step, proposal);
  } catch {
    // A display that fails is no reason to lose a payment.
  }
}

/** Tells the hook of a payment; what the hook does is no reason to lose the answer. */
async function toldOf(payment: Payment, receipt: Receipt | null): Promise<void> {
  const proposal = proposalOf(payment);
  try {
    if (proposal !== undefined) await payment.options.onPayment?.(proposal, receipt ?? undefined);
  } catch {
    // Its errors are its own.
  }
}

/** Asks the wallet for its address. */
async function named({ exchange, request, signer }: Payment): Promise<void> {
  const address = await askPerson(request.rest.signal, () => addressOf(signer));
  told(() => {
    exchange.paysFrom(address);
  });
}

function declined(): FareboxError {
  return new FareboxError({
    code: 'declined',
    message: 'the payment was not confirmed',
    remedy: 'confirm it, or do not make this request',
  });
}

function proposalOf(payment: Payment): Proposal | undefined {
  return withAsked<Proposal>(payment, payment.exchange.proposal());
}

/** Counts it no more, unless something was signed for it before. */
async function unsigned(payment: Payment): Promise<void> {
  if (payment.exchange.payment() === undefined) await release(payment);
}

async function release({ exchange, store }: Payment): Promise<void> {
  await update(store, (record) => told(() => exchange.release(record)));
}

/** Passes an answer to the compiled part; bodies only of refusals, up to its limit. */
async function answered({ exchange }: Payment, response: Response | undefined, now: () => number): Promise<Step> {
  if (response === undefined) throw new TypeError('there is no response');
  const lines = headerLines(response.headers);
  const tells = response.status >= 400 && /json/i.test(response.headers.get('content-type') ?? '');
  const body = tells || response.status === 402 ? await beginning(response) : new Uint8Array();
  return JSON.parse(exchange.answered(response.status, lines, body, now())) as Step;
}

/**
 * The same request with the payment; a redirect is an answer, so that a payment goes only where it
 * was requested.
 */
function paid({ fetch, request, url, options }: Payment, payment: readonly (readonly [string, string])[]): Promise<Response> {
  const headers = new Headers(request.headers);
  for (const [name, value] of payment) headers.set(name, value);
  const { body, method, rest } = request;
  return fetch(url, {
    ...rest,
    method,
    headers,
    redirect: 'manual',
    ...(options.timeoutMs === undefined ? {} : { signal: endsIn(options.timeoutMs, rest.signal) }),
    ...(body === undefined ? {} : { body }),
  });
}
