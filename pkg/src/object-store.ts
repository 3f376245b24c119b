/** A record in a Durable Object, shared by every isolate that uses it. */
import { memberOf, unusable } from './error.js';
import type { Store } from './store.js';

/** The used part of the platform's types, so that its type package is not needed. */
type Stub = { fetch(url: string, init?: RequestInit): Promise<Response> };
type ObjectState = { readonly storage: { get<T>(key: string): Promise<T | undefined>; put(key: string, value: unknown): Promise<void> } };
type State = { readonly version: number; readonly record: string };

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
    const kept = await this.#state.storage.get<State>('budget');
    const version = kept?.version ?? 0;
    if (asked === undefined) return Response.json({ version, record: kept?.record ?? null });
    if (asked.version !== version) return new Response(null, { status: 409 });
    await this.#state.storage.put('budget', { version: version + 1, record: asked.record });
    return new Response(null, { status: 204 });
  }
}
