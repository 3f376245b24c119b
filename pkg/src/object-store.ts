/** A record in a Durable Object, shared by every isolate that uses it. */
import { memberOf, unusable } from './error.js';
import type { Store } from './store.js';

/** The used part of the platform's types, so that its type package is not needed. */
type Stub = { fetch(url: string, init?: RequestInit): Promise<Response> };
type ObjectState = {
  readonly storage: {
    get<T>(key: string): Promise<T | undefined>;
    get<T>(keys: string[]): Promise<Map<string, T>>;
    put(entries: Readonly<Record<string, unknown>>): Promise<void>;
    delete(keys: string[]): Promise<number>;
  };
};
type State = { readonly version: number; readonly record: string };
/** The state as it is kept: the record's first piece, and how many follow under keys of their own. */
type Stored = State & { readonly more?: number };

/** Characters of a piece: in two bytes each, half of what one value of the platform may have. */
const PIECE = 500_000;
/** Keys that the platform takes in one call. */
const AT_ONCE = 128;
/** Calls one after the other, without a wait between them: the platform takes them as one. */
const inCalls = <Item, Result>(items: readonly Item[], call: (some: Item[]) => Promise<Result>): Promise<Result[]> =>
  Promise.all(Array.from({ length: Math.ceil(items.length / AT_ONCE) }, (_, at) => call(items.slice(at * AT_ONCE, (at + 1) * AT_ONCE))));
/** The keys of so many pieces after the first. */
const keysOf = (more: number): string[] => Array.from({ length: more }, (_, at) => `budget-${at + 1}`);

/** `objectStore(env.BUDGET.get(env.BUDGET.idFromName('agent')))`. */
export function objectStore(stub: Stub): Store {
  if (typeof memberOf(stub, 'fetch') !== 'function') throw unusable('invalid_argument', 'the stub of objectStore has no fetch');
  return {
    read: async () => {
      const response = await stub.fetch('https://budget/');
      if (!response.ok) throw new Error(`the budget's object answers ${response.status}`);
      const { version, record } = (await response.json()) as { version: number; record: string | null };
      return { version, record: record ?? undefined };
    },
    replace: async (version, record) => {
      const response = await stub.fetch('https://budget/', { method: 'PUT', body: JSON.stringify({ version, record }) });
      if (response.status === 409) return false;
      if (!response.ok) throw new Error(`the budget's object answers ${response.status}`);
      return true;
    },
  };
}

/** The class of the object: export it from the Worker and bind it, with SQLite. */
export class Budget {
  readonly #state: ObjectState;

  constructor(state: ObjectState) {
    this.#state = state;
  }

  async fetch(request: Request): Promise<Response> {
    const asked = request.method === 'PUT' ? ((await request.json()) as State) : undefined;
    // The platform runs no other event between the two: an object's reads and writes are awaited.
    const { storage } = this.#state;
    const kept = await storage.get<Stored>('budget');
    const [version, before] = [kept?.version ?? 0, kept?.more ?? 0];
    if (asked === undefined) {
      const read = await inCalls(keysOf(before), (keys) => storage.get<string>(keys));
      const pieces = new Map(read.flatMap((some) => [...some]));
      const record = kept && [kept.record, ...keysOf(before).map((key) => pieces.get(key) ?? '')].join('');
      return Response.json({ version, record: record ?? null });
    }
    if (asked.version !== version) return new Response(null, { status: 409 });
    const more = Math.max(0, Math.ceil(asked.record.length / PIECE) - 1);
    const pieces = keysOf(more).map((key, at) => [key, asked.record.slice((at + 1) * PIECE, (at + 2) * PIECE)]);
    const first: Stored = { version: version + 1, record: asked.record.slice(0, PIECE), ...(more === 0 ? {} : { more }) };
    // All at once: a record is never half of another one.
    const put = [['budget', first], ...pieces];
    await inCalls(put, (some) => storage.put(Object.fromEntries(some)));
    await inCalls(keysOf(before).slice(more), (keys) => storage.delete(keys));
    return new Response(null, { status: 204 });
  }
}
