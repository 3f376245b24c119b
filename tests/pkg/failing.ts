// A store that fails as a test wants it.

import { memoryStore, type Store } from '../../pkg/dist/index.js';

/** Fails as often as is said, where a record is such; the fault may come once it is kept. */
export function failing(isSuch: (record: string) => boolean, { times = 1, isKept = false } = {}): Store & { failed: number } {
  const store = memoryStore();
  const it = {
    failed: 0,
    read: store.read,
    replace: async (version: unknown, record: string): Promise<boolean> => {
      if (it.failed >= times || !isSuch(record)) return store.replace(version, record);
      it.failed += 1;
      if (isKept) await store.replace(version, record);
      throw new Error('ENOSPC');
    },
  };
  return it;
}

/** The rows of payments and channels in a record, as they are read. */
export function rowsIn(record: string): readonly (readonly [name: string, isOpen: boolean, text: Record<string, unknown>])[] {
  const { sent = [] } = JSON.parse(record) as { readonly sent?: readonly (readonly [string, number, boolean, string])[] };
  return sent.map(([name, , isOpen, text]) => [name, isOpen, JSON.parse(text || '{}') as Record<string, unknown>]);
}
