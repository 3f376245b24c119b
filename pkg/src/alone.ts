/** Work of one process that follows other work of the same name, with one store. */
import { ending } from './request.js';
import type { Store } from './store.js';

const turns = new WeakMap<Store, Map<string, Promise<void>>>();

/** How long a call that has waited its time waits for each that took the turn meanwhile, milliseconds: most of them settle by then. */
const NEXT_MS = 5_000;

/**
 * Returns once no other call of this process with this store has the turn of that name, with what gives it back. What aborts the wait is thrown. A
 * call that has waited for longer than `most` milliseconds takes the turn from whoever has it; of many that have, one after the other.
 */
export async function turnOf(name: string, store: Store, signal: AbortSignal | null | undefined, most = Infinity): Promise<() => void> {
  const all = turns.get(store) ?? new Map<string, Promise<void>>();
  turns.set(store, all);
  const patient = Date.now() + most;
  for (let other = all.get(name); other !== undefined; other = all.get(name)) {
    const waits = ending(Math.min(most, Math.max(patient - Date.now(), NEXT_MS)), signal);
    await endOr(other, waits.signal);
    const isOver = waits.signal.aborted;
    waits.over();
    signal?.throwIfAborted();
    if (isOver && all.get(name) === other) break;
  }
  let ends = (): void => undefined;
  const mine = new Promise<void>((resolve) => {
    ends = resolve;
  });
  all.set(name, mine);
  return () => {
    if (all.get(name) === mine) all.delete(name);
    ends();
  };
}

/** Works when no other call of this process with this store is at work under that name. */
export async function alone<T>(name: string, store: Store, signal: AbortSignal | null | undefined, works: () => Promise<T>): Promise<T> {
  const leave = await turnOf(name, store, signal);
  try {
    return await works();
  } finally {
    leave();
  }
}

/** Returns once this has ended, or the caller gives up. */
async function endOr(work: Promise<void>, signal: AbortSignal | null | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      signal?.removeEventListener('abort', done);
      resolve();
    };
    signal?.addEventListener('abort', done, { once: true });
    work.then(done, done);
    if (signal?.aborted === true) done();
  });
}
