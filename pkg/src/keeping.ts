/** How `fetch` has its purchases kept while their fate is open; apart, so that what only pays does not load all of it. */
import type { Exchange } from '#wasm';

import type { PayOptions, Receipt } from './options.js';
import type { Plain } from './request.js';
import type { Store } from './store.js';

/** Opens the record of one request of a wrapped `fetch`. */
export type Opens = (
  store: Store,
  now: () => number,
  policy: string,
  options: Pick<PayOptions, 'identifier' | 'broadcast' | 'pin' | 'confirm'>,
) => (request: Plain, endpoint: string) => Promise<Keeping>;

/** The record of one request, as it goes on. */
export type Keeping = {
  /** A purchase of an earlier call, where this one goes on with it, and its first step. */
  readonly left: { readonly exchange: Exchange; readonly step: string; readonly url: string } | undefined;
  /** Whether it frees the exchange, once the purchase is over. */
  owns(exchange: Exchange): boolean;
  /** Returns once it may be signed: there is room to keep it, and nothing else of its key is charged beside it. */
  prepared?(exchange: Exchange, url: string): Promise<void> | void;
  proved?(proof: string, isHash: boolean): void;
  /** Returns once it is kept that the payer's own transaction may have been sent: only then is it asked for. */
  sending(exchange: Exchange, url: string): Promise<void>;
  /** Returns once it is kept: only then may it leave. */
  sends(exchange: Exchange, url: string): Promise<void>;
  /** Takes the answer to a payment; one with a checked receipt ends the purchase once it was read. */
  settled(response: Response, receipt: Receipt | null): Promise<Response>;
  ended(): Promise<void>;
  /** Takes the end of the call, whatever became of it. */
  over?(): void;
};
