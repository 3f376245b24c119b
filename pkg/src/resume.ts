/** Purchases of `fetch` whose fate is not known: kept in the record of the budget, sent again byte for byte, and signed again with their nonce. */
import type { Exchange } from '#wasm';

import type { Sent } from './agent/journal.js';
import { KEPT, keptIn, OF_AGENT, openRow, openRowsOf, refusal, wayIn } from './bought.js';
import { FareboxError, type SentPayment, unusable } from './error.js';
import { hexOf } from './hex.js';
import type { Keeping, Opens } from './keeping.js';
import { delivered, endedByTime, KeysUnderWay, type Named, nameOf, refuseOther } from './named.js';
import type { Proposal, Receipt, Resuming } from './options.js';
import { endOf, unresolved, whenRead } from './purchases.js';
import { type Gone, goneOn, traceOf } from './restored.js';
import { freeRoom, holdRoom } from './room.js';
import { type Began, beganIn, hasDropped, isUnended, markOf, type SentRow, sentIn, withoutSent, withSent } from './sent.js';
import { isBeside, type Placed } from './slots.js';
import { type Store, update } from './store.js';
import type { Trace } from './trace.js';

/** A payment that was sent, as the store has it. */
export type KeptPayment = {
  readonly method: string;
  readonly url: string;
  /** As in `SentPayment`; of one that is open. */
  readonly askedUrl?: string;
  /** 0x and 64 hex digits, as in `SentPayment`. */
  readonly key: string;
  /** Unix seconds. */
  readonly at: number;
  /** Whether it is not known yet what became of it: the same request sends it again. */
  readonly open: boolean;
  /** Unix seconds after which nothing that was signed for it can be charged; of one that is open. */
  readonly ends?: number;
  /** The account that signed it; of one that is open. */
  readonly payer?: string;
  /** Whether an answer of success came for it without a receipt; of one that is open. Once it has ended, the same request is another purchase, unless it has a key or calls a tool. */
  readonly answered?: true;
  readonly receipt?: Receipt;
};

/** What is kept of a payment. */
type Trail = Trace & {
  /** The URL that was asked for, where it redirected to the one that is paid. */
  readonly askedUrl?: string;
  /** What its key stands for. */
  readonly content?: string;
  /** Whether an answer of success was read to its end, without a receipt. */
  readonly answered?: true;
  /** Where its nonce is taken once; null if it is not the payer's. */
  readonly slot?: string | null;
  readonly key: string;
  /** Unix seconds after which nothing that was signed for it can be charged. */
  readonly ends: number;
};
type Facts = Pick<Trail, 'policy' | 'method' | 'endpoint' | 'identifier' | 'broadcasts' | 'authorization' | 'derives' | 'content'>;
/** A signature, and what is kept with it. */
type Signed = Pick<Trail, 'at' | 'proof' | 'isHash' | 'url' | 'key' | 'ends'>;
type Row = { readonly name: string; readonly trail: Trail };
/** A request, by its name, and what gives it up. */
type Requested = {
  readonly name: string;
  readonly over: () => void;
  readonly url: string;
  readonly signal: AbortSignal | null | undefined;
  readonly isGivenOnce: Given;
};
/** Whether an answer is given to nobody again. */
type Given = (response: Response) => boolean;
type Left = Gone & { readonly row: Row };
/** A purchase of an earlier call, and what there was when this one began: among the marks the names of rows that were delivered and not read. */
type Taken = { readonly left: Left | undefined; readonly began: Began };

/**
 * Keeps purchases as `resume` does; one whose receipt came with an answer that is given once is over at once, whatever becomes of the rest. Those of tools end
 * by their receipt alone.
 */
export const resuming = (isGivenOnce: Given, areTools = false): Resuming => ({
  open: ((store, now, policy, options) => {
    const payments = new OpenPayments(store, now, areTools);
    return async (request, endpoint) => {
      const named = await nameOf(request);
      const { name, content } = named;
      payments.begin(named);
      const over = (): void => payments.end(named);
      let taken: Taken;
      try {
        taken = await payments.take(named, request.url, policy, options);
      } catch (error) {
        over();
        throw error;
      }
      const { left } = taken;
      return new Kept(
        payments,
        { name, over, url: request.url, signal: request.rest.signal, isGivenOnce },
        {
          policy,
          method: request.method,
          endpoint,
          identifier: options.identifier !== false,
          broadcasts: options.broadcast !== undefined,
          authorization: !request.headers.has('authorization'),
          ...((left === undefined ? content !== undefined : left.row.trail.derives === true) ? { derives: true } : {}),
          ...(content === undefined ? {} : { content }),
        },
        taken,
      );
    };
  }) satisfies Opens,
});

/**
 * The option `resume`: the next call for the same request goes on with a purchase that delivered nothing, also after a crash or
 * a reload.
 */
export const resume: Resuming = resuming(() => false);

/** Characters of the terms of one payment: a seller chooses how long they are, and others need room. */
const MOST_TERMS = 32 * 1024;
/**
 * In the place of a signature that is asked for: its 132 characters, those of an allowance beside it, and those of the amount and payee that a payment
 * signed before adds to `earlier`.
 */
const LONGEST_PROOF = '0'.repeat(132 + 256 + 128);

/** The payments that this process is making, for each store: it asks somebody for an answer, or it has one that nobody has read yet. */
type Making = Map<string, 'asks' | 'delivered'>;
const paying = new WeakMap<Store, Making>();
/** The requests under keys that go on with each store. */
const underWay = new WeakMap<Store, KeysUnderWay>();

/** The payments of the requests that go through wrapped `fetch`es with one store. */
class OpenPayments {
  readonly #store: Store;
  readonly now: () => number;
  readonly #areTools: boolean;
  /** Names of those that this process is paying, or asks somebody to send: they are no remains of a crash. */
  readonly #mine: Making;
  readonly #keys: KeysUnderWay;

  constructor(store: Store, now: () => number, areTools: boolean) {
    this.#store = store;
    this.now = now;
    this.#areTools = areTools;
    this.#mine = paying.get(store) ?? new Map();
    paying.set(store, this.#mine);
    this.#keys = underWay.get(store) ?? new KeysUnderWay();
    underWay.set(store, this.#keys);
  }

  /** Begins a call, unless another request goes on under its key. */
  begin(named: Named): void {
    if (named.content !== undefined) this.#keys.begin(named);
  }

  end(named: Named): void {
    if (named.content !== undefined) this.#keys.end(named);
  }

  /** The oldest payment for this request whose fate is open and which this process is not paying; from here on it is. */
  async take({ name: purchase, content }: Named, url: string, policy: string, options: Parameters<Opens>[3]): Promise<Taken> {
    for (;;) {
      const { record } = await this.#store.read();
      const rows = sentIn(record);
      if (content !== undefined) for (const it of keptIn(rows, purchase)) refuseOther(it.content, content);
      const unread = [...this.#mine].filter(([, state]) => state === 'delivered').map(([name]) => name);
      const began = beganIn(rows, url, unread);
      const found = rows.find(([name, , open]) => open && name.startsWith(openRow(purchase)) && !this.#mine.has(name));
      if (found === undefined) return { left: undefined, began };
      const [name, , , text] = found;
      const row = { name, trail: JSON.parse(text) as Trail };
      // Of what has ended a person is asked whether to go on, and other calls know nothing of that.
      this.#mine.set(name, 'asks');
      try {
        const left = this.#goesOn(row, content, policy, options);
        if (left !== undefined) return { left, began };
      } catch (error) {
        this.leave(row);
        throw error;
      }
      await this.close(row, null);
    }
  }

  /** Refuses to sign what would be charged beside what was delivered under the same key before this call began, or has left by channel. */
  async admits(purchase: string, mine: Placed): Promise<void> {
    const rows = sentIn((await this.#store.read()).record);
    const way = wayIn(rows, purchase);
    if (way?.channel !== undefined) throw refusal(way);
    if (keptIn(rows, purchase).some((it) => !it.isOpen && isBeside(mine, it))) throw delivered();
  }

  /** Refuses to sign what there is no room to keep: it would be counted, and never leave. The room is its owner's until they let go of it. */
  async hasRoom(owner: object, purchase: string, trail: Trail, goneOn: Row | undefined): Promise<void> {
    const row: SentRow = [openRow(purchase, trail.key), Math.floor(this.now()), true, JSON.stringify(trail)];
    await holdRoom(this.#store, owner, row, goneOn?.name);
  }

  freeRoom(owner: object): void {
    freeRoom(this.#store, owner);
  }

  /** The exchange of a kept purchase, and its first step; `undefined` if it is over. */
  #goesOn(row: Row, content: string | undefined, policy: string, { pin, confirm }: Parameters<Opens>[3]): Left | undefined {
    const { trail } = row;
    const now = this.now();
    const isDead = !isUnended(trail.ends, now);
    if (endedByTime(trail.answered === true, isDead, content, this.#areTools)) return undefined;
    const gone = goneOn(trail, { policy, pin, asks: confirm !== undefined, isDead, now });
    if (gone === 'over') return undefined;
    if (gone !== 'unreadable') return { row, ...gone };
    throw unresolved();
  }

  /**
   * Keeps a payment, durably, before it is sent; one of the same exchange gives way to it. What another process has ended
   * since this one began stays as it is, and the payment does not leave.
   */
  async keep(purchase: string, trail: Trail, goneOn: Row | undefined, began: Began): Promise<Row> {
    const name = openRow(purchase, trail.key);
    const before = goneOn?.name;
    let row: Row = { name, trail };
    await update(this.#store, (record) => {
      const rows = sentIn(record);
      // What this process went on with is gone: it has ended, or something else is signed for it.
      const isGone = before !== undefined && !rows.some(([known]) => known === before);
      const isEnded = rows.some((stored) => !began.marks.has(markOf(stored)) && isOf(stored, trail));
      const stands = rows.find(([known]) => known === before)?.[3];
      const isByChannel = goneOn === undefined && trail.content !== undefined && wayIn(rows, purchase)?.channel !== undefined;
      if (
        isGone ||
        isEnded ||
        isByChannel ||
        (goneOn !== undefined && stands !== undefined && hasOther(trail, goneOn.trail, JSON.parse(stands)))
      )
        throw ended();
      // One nonce is taken once; with another one it is charged beside all else of the key.
      const isBesideOpen = ([known, , open, text]: SentRow): boolean => {
        if (!open || known === before || !known.startsWith(openRow(purchase))) return false;
        const other = JSON.parse(text) as Trail;
        const isOther = trail.proof === '' || (known !== name && isBeside(trail, other));
        // Of what has ended a call that goes on with nothing was told nothing. Who is asked here, person or server, has all the time, and so
        // does a delivery that came since.
        const isTold = this.#mine.has(known) ? began.marks.has(known) : before !== undefined;
        return isOther && (isUnended(other.ends, this.now()) || !isTold);
      };
      // What it goes on with is still there.
      const mayMiss = before === undefined && hasDropped(rows, trail.url, began);
      if (trail.derives === true && (mayMiss || rows.some(isBesideOpen))) throw unresolved();
      // What was signed before, or by another process under the same nonce, may end later.
      const others = rows.filter(([known]) => known === name || known === before).map(([, , , text]) => (JSON.parse(text) as Trail).ends);
      const ends = Math.max(trail.ends, ...others);
      row = { name, trail: { ...trail, ends } };
      const kept: SentRow = [name, Math.floor(this.now()), true, JSON.stringify(row.trail)];
      return withSent(before === undefined ? record : withoutSent(record, before), kept);
    });
    if (before !== undefined) this.#mine.delete(before);
    this.#mine.set(name, 'asks');
    return row;
  }

  /** Notes that its answer has come with a receipt. */
  deliver({ name }: Row): void {
    this.#mine.set(name, 'delivered');
  }

  /** Notes what became of it. */
  async close({ name, trail }: Row, receipt: Receipt | null): Promise<void> {
    const { ends } = trail;
    // What cannot be noted stays open, and is no more under way.
    await update(this.#store, (record) => {
      const [, , , text] = sentIn(record).find(([known]) => known === name) ?? [];
      // Without a receipt, what another process has signed again meanwhile stays.
      if (receipt === null && text !== undefined && (JSON.parse(text) as Trail).ends > ends) return undefined;
      return closed(record, { name, trail }, receipt, this.now());
    }).finally(() => this.#mine.delete(name));
  }

  /** Leaves it open: the same request goes on with it. */
  leave({ name }: Row): void {
    this.#mine.delete(name);
  }

  /** Notes that an answer was read to its end, without a receipt. */
  async answered({ name }: Row): Promise<void> {
    await update(this.#store, (record) => {
      const [, , open = false, text = ''] = sentIn(record).find(([known]) => known === name) ?? [];
      return open
        ? withSent(record, [name, Math.floor(this.now()), true, JSON.stringify({ ...(JSON.parse(text) as Trail), answered: true })])
        : undefined;
    });
  }
}

/** One request, and its payment once there is one. */
class Kept implements Keeping {
  readonly #payments: OpenPayments;
  readonly #request: string;
  readonly #askedUrl: string;
  readonly #facts: Facts;
  readonly left: Keeping['left'];
  readonly #began: Began;
  readonly #signal: AbortSignal | null | undefined;
  readonly #over: () => void;
  readonly #isGivenOnce: Given;
  #row: Row | undefined;
  #signed: Pick<Trail, 'at' | 'proof' | 'isHash'> | undefined;

  constructor(payments: OpenPayments, request: Requested, facts: Facts, { left, began }: Taken) {
    this.#payments = payments;
    this.#request = request.name;
    this.#askedUrl = request.url;
    this.#signal = request.signal;
    this.#over = request.over;
    this.#isGivenOnce = request.isGivenOnce;
    this.#facts = facts;
    this.left = left === undefined ? undefined : { ...left, url: left.row.trail.url };
    this.#row = left?.row;
    this.#began = began;
  }

  owns(): boolean {
    return false;
  }

  async prepared(exchange: Exchange, url: string): Promise<void> {
    if (this.#facts.content !== undefined && this.left === undefined) {
      await this.#payments.admits(this.#request, JSON.parse(exchange.proposal() ?? '{}') as Partial<Proposal>);
    }
    const terms = exchange.terms() ?? '';
    if (terms.length > MOST_TERMS)
      throw unusable(
        'malformed_challenge',
        'the terms are too long to be kept',
        "report this to the server's operator; nothing was signed",
      );
    const signed = { at: exchange.preparedAt(), proof: '', isHash: false };
    const kept = {
      ...signed,
      proof: LONGEST_PROOF,
      url,
      key: nameOfSeed([...exchange.seed()]),
      ends: endOf(exchange, this.#payments.now()),
    };
    await this.#payments.hasRoom(this, this.#request, this.#trailOf(exchange, kept), this.#row);
    this.#signed = signed;
  }

  proved(proof: string, isHash: boolean): void {
    // The first after `prepared`; a later signature asks for the answer.
    if (this.#signed?.proof === '') this.#signed = { ...this.#signed, proof, isHash };
  }

  async sending(exchange: Exchange, url: string): Promise<void> {
    if (this.#signed === undefined) return;
    // It has no key before its hash is known.
    const key = nameOfSeed([...exchange.seed()]);
    await this.#keeps(exchange, { ...this.#signed, isHash: true, url, key, ends: endOf(exchange, this.#payments.now()) });
  }

  async sends(exchange: Exchange, url: string): Promise<void> {
    const signed = this.#signed;
    if (signed === undefined) return;
    this.#signed = undefined;
    const { key, validBefore } = JSON.parse(exchange.payment() ?? '{}') as SentPayment;
    await this.#keeps(exchange, { ...signed, url, key, ends: validBefore });
  }

  /** Keeps what was signed, or is about to be sent. */
  async #keeps(exchange: Exchange, what: Signed): Promise<void> {
    this.#row = await this.#payments.keep(this.#request, this.#trailOf(exchange, what), this.#row, this.#began);
    this.#payments.freeRoom(this);
  }

  /** What is kept of it: all from which the exchange is made again. */
  #trailOf(exchange: Exchange, what: Signed): Trail {
    const { slot } = JSON.parse(exchange.proposal() ?? '{}') as Partial<Proposal>;
    return {
      ...this.#facts,
      ...(slot === undefined ? {} : { slot }),
      ...traceOf(exchange),
      ...what,
      ...(what.url === this.#askedUrl ? {} : { askedUrl: this.#askedUrl }),
    };
  }

  async settled(response: Response, receipt: Receipt | null): Promise<Response> {
    const row = this.#row;
    if (row === undefined) return response;
    // Until it was read, a crash or a connection that breaks leaves it to be asked for again.
    if (response.ok && receipt !== null) {
      // Where that cannot be noted, its end ends it.
      const noted = this.#isGivenOnce(response) && this.#payments.close(row, receipt);
      const isOver = noted !== false && (await noted.then(() => true).catch(() => false));
      if (isOver) return response;
      this.#payments.deliver(row);
      return whenRead(response, {
        read: () => this.#payments.close(row, receipt),
        lost: () => this.#payments.leave(row),
        signal: this.#signal,
      });
    }
    // No status says whether money moved.
    this.#payments.leave(row);
    return response.ok ? whenRead(response, { read: () => this.#payments.answered(row) }) : response;
  }

  async ended(): Promise<void> {
    if (this.#row !== undefined) this.#payments.leave(this.#row);
  }

  over(): void {
    this.#payments.freeRoom(this);
    this.#over();
  }
}

/** Whether another process has signed again what this one went on with, so that both could be charged. */
const hasOther = (trail: Trail, goneOn: Trail, stands: Trail): boolean =>
  (stands.proof !== goneOn.proof || stands.at !== goneOn.at) && isBeside(trail, stands);

/** Whether a row is of a purchase that is over. */
const isOver = ([name, , open]: SentRow): boolean => !open && name.startsWith(KEPT);

/** The name of a purchase before its transaction has one: the bytes from which the key of its caller is known, else random ones. */
const nameOfSeed = (seed: readonly number[]): string => `0x${hexOf(seed.slice(0, 32))}`;
/** Whether a row is of this purchase, and over. */
const isOf = (row: SentRow, { key, proof, derives, seed }: Trail): boolean =>
  isOver(row) &&
  (row[0] === `${KEPT}${key}` ||
    ((proof === '' || derives === true) && (JSON.parse(row[3] || '{}') as { readonly sent?: string }).sent === nameOfSeed(seed)));

/** Thrown where another process ended the purchase while this one waited for its wallet. */
function ended(): FareboxError {
  return new FareboxError({
    code: 'payment_conflict',
    message: 'another process goes on with this purchase; what was signed here was not sent',
    remedy: 'call again: if the purchase has ended, that is a new one',
    signed: true,
  });
}

/** The record once it is known what became of a payment, or nobody asks any more. */
function closed(record: string | undefined, { name, trail }: Row, receipt: Receipt | null, now: number): string {
  const { method, url, key, isHash, derives, seed, slot, payer, content } = trail;
  const [kind, purchase] = name.split(' ');
  const kept = JSON.stringify({
    method,
    url,
    key,
    ...(receipt === null ? {} : { receipt }),
    // Another request, or another payment, under its key is told from it.
    ...(receipt === null || content === undefined ? {} : { purchase: `${kind} ${purchase}`, content, slot, payer }),
    ...(isHash || derives === true ? { sent: nameOfSeed(seed) } : {}),
  });
  return withSent(withoutSent(record, name), [`${KEPT}${key}`, Math.floor(now), false, kept]);
}

/**
 * Lets go what was signed for a request, by its name, and has ended, or has the key `given`, whatever became of it: the next one is another
 * purchase. Ask its person first.
 */
export async function closeEnded(store: Store, purchase: string, now: number, given?: string): Promise<void> {
  await update(store, (record) => {
    const rows = openRowsOf(record, purchase).map(([name, , , text]): Row => ({ name, trail: JSON.parse(text) as Trail }));
    const ended = rows.filter(({ trail }) => trail.key === given || !isUnended(trail.ends, now));
    return ended.reduce<string | undefined>((next, row) => closed(next ?? record, row, null, now), undefined);
  });
}

/** The payments that a store has of requests with the option `resume` and of `createLocalAgentClient`, and their receipts: the latest last. */
export async function sentPayments(store: Store): Promise<KeptPayment[]> {
  return sentIn((await store.read()).record).flatMap((row) => {
    if (row[0].startsWith(KEPT)) return [keptOf(row)];
    return row[0].startsWith(OF_AGENT) ? [agentsOf(row)] : [];
  });
}

/** Those of requests with the option `resume` alone, by which the same call goes on. */
export async function resumedPayments(store: Store): Promise<KeptPayment[]> {
  return sentIn((await store.read()).record)
    .filter(([name]) => name.startsWith(KEPT))
    .map(keptOf);
}

/** Those of one request, by its name, that are open. */
export async function openPaymentsOf(store: Store, purchase: string): Promise<KeptPayment[]> {
  return openRowsOf((await store.read()).record, purchase).map(keptOf);
}

function keptOf([, at, open, text]: SentRow): KeptPayment {
  const { method, url, askedUrl, key, ends, payer, answered, receipt } = JSON.parse(text) as Omit<KeptPayment, 'at' | 'open'>;
  const more = Object.entries({ askedUrl, ends, payer, answered, receipt }).filter(([, value]) => value !== undefined);
  return { method, url, key, at, open, ...Object.fromEntries(more) };
}

/** A payment of an agent, as its journal keeps it. */
function agentsOf([, at, open, text]: SentRow): KeptPayment {
  const { url, proposal, key, trace, ends, answered, receipt, settled } = JSON.parse(text) as Sent;
  const { method, askedUrl, payer, network, payTo, amount, asset, price, symbol } = proposal;
  const transaction = receipt?.paymentReference;
  // Of rows that were kept before it is known what was signed alone.
  const signed =
    transaction === undefined ? undefined : { transaction, network, payer, payTo, amount, asset, price, symbol, signedBy: null };
  const ofOpen = open ? { askedUrl, ends, payer, answered } : {};
  const more = Object.entries({ ...ofOpen, receipt: settled ?? signed }).filter(([, value]) => value !== undefined);
  return { method, url, key: key ?? nameOfSeed(trace?.seed ?? []), at, open, ...Object.fromEntries(more) };
}
