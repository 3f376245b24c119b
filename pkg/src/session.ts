/** A session key of a page: a key of its own with limits, so that the wallet is not asked for each payment. */
import { FareboxError, unusable } from './error.js';
import { hexOf } from './hex.js';
import { indexedDbStore, tableOf } from './indexeddb.js';
import type { Policy } from './options.js';
import { localSigner, type Signer } from './signer.js';
import type { Store } from './store.js';

export type SessionOptions = {
  /** Names the session; its database is `farebox-session-<name>` ['default']. */
  readonly name?: string;
  /** The rules of what it may spend, and where: a session that exists keeps its own. */
  readonly policy: Policy;
  /** For how long it signs, in seconds. */
  readonly lifetimeSecs: number;
  /** Unix seconds [the clock]. */
  readonly now?: () => number;
};

/** The options that `payingFetch` and `createLocalAgentClient` need: `payingFetch({ ...session })`. */
export type Session = {
  readonly signer: Signer;
  readonly policy: Policy;
  readonly store: Store;
  /** Where its money is. */
  readonly address: string;
  /** Unix seconds from which it signs nothing. */
  readonly expires: number;
  /** Lets it sign for so many seconds from now. Ask the person first. */
  renew(lifetimeSecs: number): Promise<Session>;
  /** Deletes the key, and no other one that was made since. What is left at its address is lost: move it first. */
  forget(): Promise<void>;
};

/** The record that the browser keeps: the key, sealed under one that cannot be exported. */
type Kept = {
  readonly wrapping: CryptoKey;
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly sealed: ArrayBuffer;
  readonly policy: Policy;
  readonly expires: number;
};

/**
 * Opens the session of this name, or makes it with a new key. The key is kept across reloads, for
 * every tab of the page's origin, encrypted under a `CryptoKey` that is not extractable, and is
 * decrypted to sign: browsers do not sign on this curve by themselves. A copy of the database is
 * worth nothing elsewhere; a script that runs in the page's origin can decrypt the key.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { name = 'default', policy, lifetimeSecs, now = () => Date.now() / 1000 } = options ?? {};
  if (typeof name !== 'string' || name === '') throw unusable('invalid_argument', 'the name of openSession is not text');
  if (typeof policy !== 'object' || policy === null) throw unusable('invalid_argument', 'openSession has no policy');
  const table = tableOf(`farebox-session-${name}`);
  const lasting = (secs: number): number => {
    if (!Number.isFinite(secs) || secs <= 0) throw unusable('invalid_argument', 'lifetimeSecs is no number of seconds');
    return Math.ceil(now() + secs);
  };
  const made = await newlyKept(policy, lasting(lifetimeSecs));
  // Of two tabs that make one at once, both get the first one.
  const kept = await table<Kept>('readwrite', (rows, done) => {
    const got = rows.get(KEY);
    got.onsuccess = () => {
      if (got.result === undefined) rows.put(made, KEY);
      done((got.result as Kept | undefined) ?? made);
    };
  });
  const key = localSigner(hex(new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: kept.iv }, kept.wrapping, kept.sealed))));
  const address = await key.address();
  const store = indexedDbStore(`farebox-session-${name}-budget`);
  /** Changes this key's own record, and says whether it was there: another tab may have forgotten it, and made another one. */
  const change = (write: (rows: IDBObjectStore) => void): Promise<boolean> =>
    table<boolean>('readwrite', (rows, done) => {
      const got = rows.get(KEY);
      got.onsuccess = () => {
        const current = got.result as Kept | undefined;
        const isOurs =
          current !== undefined && same(current.iv, kept.iv) && same(new Uint8Array(current.sealed), new Uint8Array(kept.sealed));
        if (isOurs) write(rows);
        done(isOurs);
      };
    });
  const at = (expires: number): Session => ({
    signer: {
      address: async () => address,
      sign: async (typedData) => {
        if (now() >= expires) throw expired();
        return key.sign(typedData);
      },
    },
    policy: kept.policy,
    store,
    address,
    expires,
    renew: async (secs) => {
      const later = lasting(secs);
      const renewed = await change((rows) => rows.put({ ...kept, expires: later } satisfies Kept, KEY));
      if (!renewed) throw expired();
      return at(later);
    },
    forget: async () => {
      await change((rows) => rows.delete(KEY));
      key.forget();
    },
  });
  // Kept by an earlier version it may have a fraction.
  return at(Math.ceil(kept.expires));
}

async function newlyKept(policy: Policy, expires: number): Promise<Kept> {
  const wrapping = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, wrapping, secret);
  secret.fill(0);
  return { wrapping, iv, sealed, policy, expires };
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

function hex(bytes: Uint8Array): string {
  const text = `0x${hexOf(bytes)}`;
  bytes.fill(0);
  return text;
}

function expired(): FareboxError {
  return new FareboxError({
    code: 'session_expired',
    message: 'the session key has expired; nothing was signed',
    remedy: 'ask the person whether to go on, then call renew',
  });
}

const KEY = 'key';
