import type { Store } from './store.js';
/**
 * Each state of the record is a file of its own, `budget-<n>.json`, complete before it has that name. A link that exists
 * cannot be made twice, so of two who replace the same state one loses, whenever either is killed; there is no lock.
 */
export declare function fileStore(folder: string): Store;
