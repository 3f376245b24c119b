/** Stores of callers who give none: what was signed for a purchase is known to the next call for it in this process. */
import type { PayOptions } from '../options.js';
import { localSigner } from '../signer.js';
import { memoryStore, type Store } from '../store.js';

const stores = new WeakMap<object, Store>();
/** In the place of private keys, which are no objects, by address: a key is not kept. */
const accounts = new Map<string, object>();

/** The store of a signer's purchases in this process. */
export function storeOf(signer: PayOptions['signer']): Store {
  const owner = typeof signer === 'string' ? accountOf(signer) : (signer ?? {});
  const store = stores.get(owner) ?? memoryStore();
  stores.set(owner, store);
  return store;
}

function accountOf(privateKey: string): object {
  const signer = localSigner(privateKey);
  const address = signer.known ?? '';
  signer.forget();
  const account = accounts.get(address) ?? {};
  accounts.set(address, account);
  return account;
}
