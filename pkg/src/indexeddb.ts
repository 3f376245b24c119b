/** A record in IndexedDB, shared by every tab and worker of a page's origin; survives a reload. */
import { unusable } from './error.js';
import type { Store } from './store.js';

type State = { readonly version: number; readonly record: string };

/**
 * Keeps the record in the database of this name. A transaction that reads and writes is alone with
 * the database, in every tab: of two writers that replace the same state one loses.
 */
export function indexedDbStore(name = 'farebox'): Store {
  if (typeof name !== 'string' || name === '') throw unusable('invalid_argument', 'the name of indexedDbStore is not text');
  const table = tableOf(name);
  return {
    read: async () => {
      const state = await table<State | undefined>('readonly', (rows, done) => {
        const got = rows.get(STATE);
        got.onsuccess = () => done(got.result as State | undefined);
      });
      return { record: state?.record, version: state?.version ?? 0 };
    },
    replace: (version, record) =>
      table<boolean>('readwrite', (rows, done) => {
        const got = rows.get(STATE);
        got.onsuccess = () => {
          const current = (got.result as State | undefined)?.version ?? 0;
          if (current !== version) return done(false);
          rows.put({ version: current + 1, record } satisfies State, STATE);
          done(true);
        };
      }),
  };
}

/** Runs a transaction on the only table of a database. What `done` was given is returned once the transaction is on the disk. */
export type Table = <T>(mode: IDBTransactionMode, work: (rows: IDBObjectStore, done: (result: T) => void) => void) => Promise<T>;

/** The database is opened at the first use, and again after the browser closed it. */
export function tableOf(name: string): Table {
  let opened: Promise<IDBDatabase> | undefined;
  const open = (): Promise<IDBDatabase> => {
    if (opened !== undefined) return opened;
    const opening = new Promise<IDBDatabase>((resolve, reject) => {
      const asked = indexedDB.open(name, 1);
      asked.onupgradeneeded = () => {
        asked.result.createObjectStore(ROWS);
      };
      asked.onerror = () => reject(asked.error ?? new Error(`IndexedDB does not open ${name}`));
      asked.onsuccess = () => {
        const database = asked.result;
        const forget = (): void => {
          if (opened === opening) opened = undefined;
        };
        database.onclose = forget;
        // Another tab deletes the database: it waits for this.
        database.onversionchange = () => {
          database.close();
          forget();
        };
        resolve(database);
      };
    });
    opened = opening;
    opening.catch(() => {
      if (opened === opening) opened = undefined;
    });
    return opening;
  };
  return async (mode, work) => {
    const database = await open();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(ROWS, mode, { durability: 'strict' });
      let result: { readonly it: Parameters<typeof resolve>[0] } | undefined;
      transaction.oncomplete = () =>
        result === undefined ? reject(new Error(`a transaction of ${name} had no result`)) : resolve(result.it);
      transaction.onabort = () => reject(transaction.error ?? new Error(`a transaction of ${name} was aborted`));
      work(transaction.objectStore(ROWS), (it) => {
        result = { it };
      });
    });
  };
}

const ROWS = 'rows';
const STATE = 'state';
