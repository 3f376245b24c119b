/** How `fetch` has its payments kept while their fate is open; apart, so that what only pays does not load it. */
import type { Exchange } from '#wasm';

import type { PayOptions, Receipt } from './options.js';
import type { Plain } from './request.js';
import type { Store } from './store.js';

/** What is kept by one wrapped `fetch`, of each of its requests. */
export type Opens = (store: Store, now: () => number, policy: string, options: Pick<PayOptions, 'identifier' | 'broadcast'>) => (request: Plain, endpoint: string) => Promise<Keeping>;

/** What is kept of one request, as it goes on. */
export type Keeping = {
  /** A payment that was sent before, where it is about to be sent again. */
  left(): { readonly exchange: Exchange; readonly step: string; readonly url: string } | undefined;
  asked(lines: string, body: Uint8Array): void;
  prepared(at: number): void;
  proved(proof: string, isHash: boolean): void;
  /** Returns once it is kept: only then may it leave. */
  sends(exchange: Exchange, url: string): Promise<void>;
  settled(response: Response, receipt: Receipt | null): Promise<Response>;
  ended(): Promise<void>;
};
