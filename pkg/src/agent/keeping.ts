/** Records that outlive a process have to outlive it together. */
import { unusable } from '../error.js';
import type { Store } from '../store.js';

/** Refuses what would pay again after a crash: prepared requests that are kept, and payments that are not. */
export function requireKept(client: { readonly keepsPayments?: boolean }, store: Store | undefined, name: string): void {
  if (store === undefined || client.keepsPayments !== false) return;
  throw unusable(
    'invalid_options',
    `${name} has a store, and its client forgets what it has sent: after a crash the same request would be paid again`,
    'pass store (or sent) to createLocalAgentClient as well, such as fileStore or indexedDbStore',
  );
}
