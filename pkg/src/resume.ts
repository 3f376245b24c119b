/** Payments of `fetch` that were sent and whose fate is not known: kept in the record of the budget, and sent again byte for byte. */
import { Exchange } from '#wasm';

import type { Body } from './body.js';
import { told, type SentPayment } from './error.js';
import type { Keeping, Opens } from './keeping.js';
import type { Receipt, Resuming } from './options.js';
import type { Plain } from './request.js';
import { isUnended, sentIn, withoutSent, withSent } from './sent.js';
import { update, type Store } from './store.js';

/** A payment that was sent, as the store has it. */
export type KeptPayment = {
  readonly method: string;
  readonly url: string;
  /** 0x and 64 hex digits, as in `SentPayment`. */
  readonly key: string;
  /** Unix seconds. */
  readonly at: number;
  /** Whether it is not known yet what became of it: the same request sends it again. */
  readonly open: boolean;
  readonly receipt?: Receipt;
};

/** All from which the same exchange is made again, up to the signature. */
type Trail = {
  readonly policy: string;
  readonly method: string;
  readonly url: string;
  readonly endpoint: string;
  readonly payer: string;
  readonly seed: readonly number[];
  readonly pin: string;
  readonly identifier: boolean;
  readonly broadcasts: boolean;
  readonly authorization: boolean;
  /** The terms, and when they were answered. */
  readonly lines: string;
  readonly body: string;
  readonly at: number;
  /** The signature, or the hash of the payer's own transaction. */
  readonly proof: string;
  readonly isHash: boolean;
  readonly key: string;
  /** Unix seconds after which it cannot be charged. */
  readonly ends: number;
};
type Facts = Pick<Trail, 'policy' | 'method' | 'endpoint' | 'identifier' | 'broadcasts' | 'authorization'>;
type Row = { readonly name: string; readonly trail: Trail };

const MINE = 'fetch ';
/**
 * The option `resume`: a payment whose outcome is open is sent again by the next call for the same request, after a crash, a
 * reload or an error.
 */
export const resume: Resuming = {
  open: ((store, now, policy, options) => {
    const payments = new OpenPayments(store, now);
    return async (request, endpoint) => {
      const name = await nameOf(request);
      const left = await payments.take(name);
      return new Kept(payments, name, {
        policy, method: request.method, endpoint, identifier: options.identifier !== false, broadcasts: options.broadcast !== undefined,
        authorization: !request.headers.has('authorization'),
      }, left, now);
    };
  }) satisfies Opens,
};

/** What a request is: method, URL, body, and the `Idempotency-Key` by which the caller tells two apart. */
async function nameOf({ method, url, headers, body }: Plain): Promise<string> {
  const facts = new TextEncoder().encode(JSON.stringify([method, url, headers.get('idempotency-key')]));
  const content = await bytesOf(body);
  // The first ends with a bracket, and no other one begins where it ends.
  const all = new Uint8Array(facts.length + content.length);
  all.set(facts);
  all.set(content, facts.length);
  // A page without a secure context has no hash: then it is named in full.
  const digest = globalThis.crypto?.subtle === undefined ? all : new Uint8Array(await crypto.subtle.digest('SHA-256', all));
  return `${MINE}${digest.reduce((text, byte) => text + byte.toString(16).padStart(2, '0'), '')}`;
}

/** What this process is paying, for each store. */
const paying = new WeakMap<Store, Set<string>>();

/** The payments of the requests that go through wrapped `fetch`es with one store. */
class OpenPayments {
  readonly #store: Store;
  readonly #now: () => number;
  /** Names of those that this process is paying: they are no remains of a crash. */
  readonly #mine: Set<string>;

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
    this.#mine = paying.get(store) ?? new Set();
    paying.set(store, this.#mine);
  }

  /** The oldest payment for this request whose fate is open and which this process is not paying; from here on it is. */
  async take(request: string): Promise<Row | undefined> {
    const { record } = await this.#store.read();
    const found = sentIn(record).find(([name, , open]) => open && name.startsWith(`${request} `) && !this.#mine.has(name));
    if (found === undefined) return undefined;
    const [name, , , text] = found;
    this.#mine.add(name);
    return { name, trail: JSON.parse(text) as Trail };
  }

  /** Keeps a payment, durably, before it is sent; one of the same exchange gives way to it. */
  async keep(request: string, trail: Trail, before: string | undefined): Promise<string> {
    const name = `${request} ${trail.key}`;
    this.#mine.add(name);
    await update(this.#store, (record) => withSent(before === undefined ? record : withoutSent(record, before), [name, Math.floor(this.#now()), true, JSON.stringify(trail)]));
    return name;
  }

  /** Notes what became of it. */
  async close({ name, trail: { method, url, key } }: Row, receipt: Receipt | null): Promise<void> {
    const kept = JSON.stringify({ method, url, key, ...(receipt === null ? {} : { receipt }) });
    await update(this.#store, (record) => withSent(withoutSent(record, name), [`${MINE}${key}`, Math.floor(this.#now()), false, kept]));
    this.#mine.delete(name);
  }

  /** Leaves it open: the same request sends it again, unless it can no longer be charged. */
  async leave(row: Row): Promise<void> {
    if (!isUnended(row.trail.ends, this.#now())) await this.close(row, null);
    this.#mine.delete(row.name);
  }
}

/** One request, and its payment once there is one. */
class Kept implements Keeping {
  readonly #payments: OpenPayments;
  readonly #request: string;
  readonly #facts: Facts;
  readonly #now: () => number;
  #row: Row | undefined;
  #terms = { lines: '', body: '' };
  #signed: Pick<Trail, 'at' | 'proof' | 'isHash'> | undefined;

  constructor(payments: OpenPayments, request: string, facts: Facts, left: Row | undefined, now: () => number) {
    this.#payments = payments;
    this.#request = request;
    this.#facts = facts;
    this.#row = left;
    this.#now = now;
  }

  left(): ReturnType<Keeping['left']> {
    return this.#row === undefined ? undefined : { ...resumed(this.#row.trail, this.#now()), url: this.#row.trail.url };
  }

  asked(lines: string, body: Uint8Array): void {
    this.#terms = { lines, body: new TextDecoder().decode(body) };
  }

  prepared(at: number): void {
    this.#signed = { at, proof: '', isHash: false };
  }

  proved(proof: string, isHash: boolean): void {
    // The first after `prepared`; a later signature asks for the answer.
    if (this.#signed?.proof === '') this.#signed = { ...this.#signed, proof, isHash };
  }

  async sends(exchange: Exchange, url: string): Promise<void> {
    if (this.#signed === undefined) return;
    const { key, validBefore } = JSON.parse(exchange.payment() ?? '{}') as SentPayment;
    const { payer } = JSON.parse(exchange.proposal() ?? '{}') as { payer?: string };
    const trail = { ...this.#facts, url, payer: payer ?? '', seed: [...exchange.seed()], pin: exchange.pin() ?? '', key, ends: validBefore, ...this.#terms, ...this.#signed };
    this.#signed = undefined;
    this.#row = { name: await this.#payments.keep(this.#request, trail, this.#row?.name), trail };
  }

  async settled(response: Response, receipt: Receipt | null): Promise<Response> {
    const row = this.#row;
    if (row === undefined) return response;
    if (!response.ok || receipt === null) {
      // No status says whether money moved, and content without a receipt does not either.
      await this.#payments.leave(row);
      return response;
    }
    // Until it was read, a crash or a connection that breaks leaves it to be asked for again.
    return whenRead(response, () => this.#payments.close(row, receipt), () => this.#payments.leave(row));
  }

  async ended(): Promise<void> {
    if (this.#row !== undefined) await this.#payments.leave(this.#row);
  }
}

/** The exchange of a kept payment, where it is about to be sent. */
function resumed(trail: Trail, now: number): { readonly exchange: Exchange; readonly step: string } {
  const { policy, method, url, endpoint, payer, seed, pin, identifier, broadcasts, authorization, lines, body, at, proof, isHash } = trail;
  let exchange = told(() => new Exchange(policy, method, url, endpoint, payer, Uint8Array.from(seed))).withPin(pin);
  if (!identifier) exchange = exchange.withoutIdentifier();
  if (broadcasts) exchange = exchange.withBroadcast();
  if (!authorization) exchange = exchange.withoutAuthorization();
  const asked = JSON.parse(exchange.answered(402, lines, new TextEncoder().encode(body), at)) as { do: string };
  if (asked.do === 'choose') exchange.chose('one-shot');
  // It is counted already: in a record of its own nothing else is.
  told(() => exchange.reserve(undefined, at));
  exchange.prepare(at);
  return { exchange, step: isHash ? exchange.broadcast(proof, now) : exchange.signed(proof, now) };
}

/** The same answer; `read` is called once its body was read to the end, or is not wanted, and `lost` if it breaks off. */
export async function whenRead(response: Response, read: () => Promise<void>, lost?: () => Promise<void>): Promise<Response> {
  if (response.body === null) {
    await read();
    return response;
  }
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read().catch(async (error: unknown) => {
        await lost?.();
        throw error;
      });
      if (!done) return controller.enqueue(value);
      await read();
      controller.close();
    },
    async cancel(reason) {
      await read();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
  const { status, statusText, headers, url, redirected, type } = response;
  const same = new Response(body, { status, statusText, headers });
  for (const [name, value] of Object.entries({ url, redirected, type })) Object.defineProperty(same, name, { value });
  return same;
}

/** The payments that a store has of requests with the option `resume`, and their receipts: the latest last. */
export async function sentPayments(store: Store): Promise<KeptPayment[]> {
  const rows = sentIn((await store.read()).record).filter(([name]) => name.startsWith(MINE));
  return rows.map(([, at, open, text]) => {
    const { method, url, key, receipt } = JSON.parse(text) as Omit<KeptPayment, 'at' | 'open'>;
    return { method, url, key, at, open, ...(receipt === undefined ? {} : { receipt }) };
  });
}

async function bytesOf(body: Body): Promise<Uint8Array> {
  if (body === undefined) return new Uint8Array();
  if (typeof body === 'string') return new TextEncoder().encode(body);
  return body instanceof Blob ? new Uint8Array(await body.arrayBuffer()) : body;
}
