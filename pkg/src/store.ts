/** Stores for the record of past payments. */
import { memberOf } from './error.js';

/** A record, and a version that identifies this state of it. */
export type Kept = { readonly record: string | undefined; readonly version: unknown };

/**
 * Keeps one record. `replace` stores a new one only if no other writer did since `version` was
 * read, in one step that survives a crash of this process; everything else relies on that.
 */
export type Store = {
  read(): Promise<Kept>;
  /** Whether it was replaced. */
  replace(version: unknown, record: string): Promise<boolean>;
};

/** Whether it has what a store needs. */
export function isStore(value: unknown): value is Store {
  return typeof memberOf(value, 'read') === 'function' && typeof memberOf(value, 'replace') === 'function';
}

/** A record in this process: caps hold here, and are forgotten with it. */
export function memoryStore(): Store {
  let record: string | undefined;
  let version = 0;
  return {
    read: async () => ({ record, version }),
    replace: async (known, next) => {
      if (known !== version) return false;
      [record, version] = [next, version + 1];
      return true;
    },
  };
}

/**
 * Reads, changes and replaces until no other writer interferes. If `change` throws or returns
 * nothing, nothing is replaced. Returns whether the record was replaced.
 */
export async function update(store: Store, change: (record: string | undefined) => string | undefined): Promise<boolean> {
  for (let turn = 0; ; turn += 1) {
    const { record, version } = await store.read();
    const next = change(record);
    if (next === undefined) return false;
    if (await store.replace(version, next)) return true;
    // The other writer finishes; the wait is random so that many writers do not collide again.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(50, 2 + turn)));
  }
}
