/**
 * Purchases of one wrapped `fetch` that ended without a receipt: the next call for the same request goes on with them. No status
 * says whether money moved, so only a delivery with its receipt ends a purchase, or time, which {@link endedByTime} is about.
 */
import type { Exchange } from '#wasm';

import { isBodiless } from './body.js';
import { FareboxError, type SentPayment, told } from './error.js';
import { oldestOfFullest } from './fullest.js';
import type { Opens } from './keeping.js';
import { delivered, endedByTime, KeysUnderWay, type Named, nameOf, refuseOther } from './named.js';
import { noted } from './noted.js';
import type { Proposal } from './options.js';
import { isUnended } from './sent.js';
import { isBeside, type Placed } from './slots.js';

/** A purchase, and what may be charged for it. */
type Purchase = Placed & {
  readonly exchange: Exchange;
  readonly url: string;
  /** What its key stands for. */
  readonly content: string | undefined;
  /** Unix seconds after which nothing that was signed for it can be charged. */
  readonly ends: number;
  /** Whether an answer of success was read to its end, without a receipt. */
  isAnswered: boolean;
};

/** What a call under a key is paying. */
type UnderWay = Pick<Purchase, keyof Placed | 'ends' | 'content'> & {
  readonly name: string;
  /** Whether its hook, its wallet or its server has not answered: it is under way whatever the clock says. */
  readonly asks: boolean;
};

/** What was delivered last under a key: a call that began earlier knows nothing of that. */
type Bought = Pick<Purchase, keyof Placed | 'content'> & { readonly turn: number };

/** Calls under a key that go on, and what was delivered last under it. */
type Going = { readonly all: Set<object>; delivered: Bought | undefined };

/** How many are remembered that have ended; the oldest of the host that has most gives way. Those that may be charged stay. */
const MOST_ENDED = 256;

/** Keeps them in this process. */
export const inMemory: Opens = (_, now, policy, { pin, confirm }) => {
  let open: (readonly [name: string, purchase: Purchase])[] = [];
  const paying = new Map<object, UnderWay>();
  const going = new Map<string, Going>();
  /** Keys that were delivered, the latest last. */
  const bought = new Map<string, Bought>();
  const keys = new KeysUnderWay();
  /** How many deliveries there were. */
  let turn = 0;
  const hasEnded = ({ ends }: Pick<Purchase, 'ends'>): boolean => !isUnended(ends, now());

  /**
   * Notes what a call is about to pay under its key. One nonce is taken once; with another one it is charged beside all else that is under
   * way or open, and beside what has ended, of which a call that goes on with nothing was told nothing.
   */
  const begin = (call: object, mine: UnderWay, goesOn: boolean, began: number): void => {
    // An answer that nobody reads has no other end.
    for (const [other, it] of paying) if (!it.asks && hasEnded(it)) paying.delete(other);
    const isMine = (name: string, it: Placed): boolean => name === mine.name && isBeside(mine, it);
    const isUnderWay = [...paying].some(([other, it]) => other !== call && isMine(it.name, it));
    const last = going.get(mine.name)?.delivered;
    if (last !== undefined && isBeside(mine, last)) throw last.turn > began ? unresolved() : delivered();
    if (isUnderWay || open.some(([name, it]) => isMine(name, it) && !(goesOn && hasEnded(it)))) throw unresolved();
    paying.set(call, mine);
  };

  /** Notes that what a call pays under its key was delivered, whether anybody reads it or not. */
  const deliver = (call: object, mine: UnderWay): void => {
    turn += 1;
    const calls = going.get(mine.name);
    if (calls !== undefined) calls.delivered = { slot: mine.slot, payer: mine.payer, content: mine.content, turn };
    paying.set(call, { ...mine, asks: false });
  };

  /** Notes that what was delivered under a key was lost before it was read. */
  const lose = (name: string): void => {
    bought.delete(name);
    const calls = going.get(name);
    if (calls !== undefined) calls.delivered = undefined;
  };

  /** Notes that no call of a key goes on. */
  const rest = (name: string, { delivered: last }: Going): void => {
    going.delete(name);
    if (last === undefined) return;
    bought.delete(name);
    bought.set(name, last);
    const [oldest] = bought.keys();
    if (bought.size > MOST_ENDED && oldest !== undefined) bought.delete(oldest);
  };

  const leave = (name: string, purchase: Purchase): void => {
    for (;;) {
      const ended = open.filter(([, it]) => hasEnded(it));
      const gone = ended.length > MOST_ENDED ? oldestOfFullest(ended, ([, it]) => it.url) : undefined;
      if (gone === undefined) break;
      gone[1].exchange.free();
      open = open.filter((it) => it !== gone);
    }
    open.push([name, purchase]);
  };

  /** The oldest for this request that goes on. From here on it is under way. */
  const take = ({ name, content }: Named): { purchase: Purchase; step: string } | undefined => {
    for (;;) {
      const at = open.findIndex(([known]) => known === name);
      const [[, purchase] = []] = at < 0 ? [] : open.splice(at, 1);
      if (purchase === undefined) return undefined;
      const isDead = hasEnded(purchase);
      const goesOn = !endedByTime(purchase.isAnswered, isDead, content);
      const step = goesOn ? told(() => purchase.exchange.goOn(policy, pin, isDead, confirm !== undefined, now())) : undefined;
      if (step !== undefined) return { purchase, step };
      if (!isDead) {
        leave(name, purchase);
        throw unresolved();
      }
      purchase.exchange.free();
    }
  };

  return async (request) => {
    const named = await nameOf(request);
    const { name, content } = named;
    const key = content === undefined ? undefined : name;
    if (key !== undefined) {
      for (const [known, it] of open) if (known === key) refuseOther(it.content, content);
      refuseOther((going.get(key)?.delivered ?? bought.get(key))?.content, content);
    }
    if (key !== undefined) keys.begin(named);
    let taken: ReturnType<typeof take>;
    try {
      taken = take(named);
    } catch (error) {
      if (key !== undefined) keys.end(named);
      throw error;
    }
    const began = turn;
    let purchase = taken?.purchase;
    const call = {};
    if (key !== undefined) {
      const calls: Going = going.get(key) ?? { all: new Set(), delivered: bought.get(key) };
      calls.all.add(call);
      going.set(key, calls);
      // Of what has ended a person is asked whether to go on, and other calls know nothing of that.
      if (purchase !== undefined && hasEnded(purchase))
        paying.set(call, { name: key, slot: purchase.slot, payer: purchase.payer, content, ends: purchase.ends, asks: true });
    }
    /** Takes its place under its key, until then, and tells where its nonce is taken. */
    const enter = (exchange: Exchange, ends: number): Placed => {
      const { slot, payer } = JSON.parse(exchange.proposal() ?? '{}') as Partial<Proposal>;
      if (key !== undefined) begin(call, { name: key, slot, payer, content, ends, asks: true }, taken !== undefined, began);
      return { slot, payer };
    };
    /** Notes what is about to be sent, which is valid until then, or what a hook is about to be asked for. */
    const pays = async (exchange: Exchange, url: string, ends = endOf(exchange, now())): Promise<void> => {
      const placed = enter(exchange, ends);
      // What was signed before may end later.
      purchase = { exchange, url, ...placed, content, ends: Math.max(ends, purchase?.ends ?? 0), isAnswered: false };
    };
    const ended = async (): Promise<void> => {
      if (purchase !== undefined) leave(name, purchase);
      paying.delete(call);
    };
    return {
      left: taken === undefined ? undefined : { exchange: taken.purchase.exchange, step: taken.step, url: taken.purchase.url },
      owns: (exchange) => purchase?.exchange === exchange,
      // Before it is signed: what is held back afterwards would stand for what was sent.
      prepared: (exchange) => void enter(exchange, endOf(exchange, now())),
      sending: pays,
      sends: (exchange, url) => pays(exchange, url, (JSON.parse(exchange.payment() ?? '{}') as SentPayment).validBefore),
      settled: async (response, receipt) => {
        const it = purchase;
        if (it === undefined) return response;
        if (response.ok && receipt !== null) {
          // Known before: the next call may come at once.
          const mine = paying.get(call);
          if (mine !== undefined) deliver(call, mine);
          return whenRead(response, {
            read: () => {
              paying.delete(call);
              it.exchange.free();
            },
            lost: () => {
              paying.delete(call);
              lose(name);
              leave(name, it);
            },
            signal: request.rest.signal,
          });
        }
        await ended();
        return response.ok
          ? whenRead(response, {
              read: () => {
                it.isAnswered = true;
              },
            })
          : response;
      },
      ended,
      over: () => {
        if (key === undefined) return;
        keys.end(named);
        const calls = going.get(key);
        calls?.all.delete(call);
        if (calls?.all.size === 0) rest(key, calls);
      },
    };
  };
};

/** When what is proposed ends, unix seconds: then the payer's own transaction counts as one that has ended. */
export function endOf(exchange: Exchange, now: number): number {
  const { validForSecs = 0 } = JSON.parse(exchange.proposal() ?? '{}') as Partial<Proposal>;
  return Math.ceil(now) + validForSecs;
}

/** Thrown while what was signed for a request, or sent by its payer, is under way, or is open and cannot be sent again. */
export function unresolved(): FareboxError {
  return new FareboxError({
    code: 'payment_unresolved',
    message: 'what was signed for this request before is under way, or it cannot be read or found; a call after its end goes on',
    remedy:
      'send error.payment again later, or, if there is none, make the same call again with its Idempotency-Key; sign no new payment for it',
    signed: true,
  });
}

/** The ends of an answer that is read: `read` once it was read to the end, or is not wanted; `lost` if it breaks off, or its request is aborted. */
type Ends = {
  readonly read: () => Promise<void> | void;
  readonly lost?: () => Promise<void> | void;
  readonly signal?: AbortSignal | null | undefined;
};

/**
 * Whether what ended a reader says that it wants no more: nothing or words, for each of its copies, or that it is gone, as `head` is once it has
 * enough. Any other error says that it could not take what came, as a disk that is full.
 */
function isUnwanted(reason: unknown): boolean {
  // A copy may have been copied again.
  const reasons: unknown[] = [reason].flat(Infinity);
  return reasons.every((it) => typeof it !== 'object' || it === null || (it as { code?: unknown }).code === 'EPIPE');
}

/** The same answer, with these ends, of which one comes. */
export async function whenRead(response: Response, { read, lost, signal }: Ends): Promise<Response> {
  const over = new AbortController();
  const ends = async (end: Ends['lost']): Promise<void> => {
    if (over.signal.aborted) return;
    over.abort();
    await noted(() => end?.());
  };
  // Browsers give an answer that has no body one, and refuse it again.
  if (response.body === null || isBodiless(response.status)) {
    await ends(read);
    return response;
  }
  // Nobody may ever read what was given up.
  if (lost !== undefined) {
    signal?.addEventListener('abort', () => void ends(lost), { signal: over.signal });
    if (signal?.aborted === true) await ends(lost);
  }
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read().catch(async (error: unknown) => {
          await ends(lost);
          throw error;
        });
        if (!done) return controller.enqueue(value);
        await ends(read);
        controller.close();
      },
      async cancel(reason: unknown) {
        await ends(isUnwanted(reason) ? read : lost);
        // Not awaited: it is the server's, and what was read is over.
        reader.cancel(reason).catch(() => undefined);
      },
    },
    { highWaterMark: 0 },
  );
  const { status, statusText, headers, url, redirected, type } = response;
  const same = new Response(body, { status, statusText, headers });
  for (const [name, value] of Object.entries({ url, redirected, type })) Object.defineProperty(same, name, { value });
  return same;
}
