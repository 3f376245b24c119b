/**
 * Endpoints where payment stops until a person has looked: servers' `diagnostic` extensions about
 * payments, kept beside the budget.
 */
import { admitEndpoint, endpointName, listEndpoints, reopenEndpoint } from '#wasm';

import { type Diagnostic, FareboxError, given, told, unusable } from './error.js';
import { noted } from './noted.js';
import type { Proposal } from './options.js';
import { isStore, type Store, update } from './store.js';

/** An endpoint that a person has to look at. */
export type Entry = {
  /** The URL without its query. */
  readonly endpoint: string;
  readonly method: string;
  /** ISO 8601. */
  readonly since: string;
  readonly diagnostic: Diagnostic;
};

/** The endpoints of a store. Name one by its URL, for all methods, or by method and URL. */
export type Endpoints = {
  /** Endpoints whose server asked clients to stop. */
  blocked(): Promise<Entry[]>;
  /** Endpoints whose server said that payments prove nothing, or let one expire twice. */
  pending(): Promise<Entry[]>;
  /** Allows calls to a blocked endpoint again. Returns whether it was blocked. */
  reenable(endpoint: string): Promise<boolean>;
  /** Allows calls to an endpoint that waits for approval. Returns whether it was waiting. */
  approve(endpoint: string): Promise<boolean>;
};

/** The argument of `onEscalation`, which is called once for each block. */
export type EscalationEvent = {
  readonly type: 'x402_escalation';
  /** As requested, without its query. */
  readonly endpoint: string;
  readonly method: string;
  /** The amount as a number, for display; `amount_text` and `amount_atomic` are exact. */
  readonly amount?: number;
  readonly amount_text?: string;
  readonly amount_atomic?: string;
  readonly currency?: string;
  readonly network?: string;
  readonly asset?: string;
  readonly correlation_id: string;
  readonly diagnostic: Omit<Diagnostic, 'correlationId'>;
  /** ISO 8601. */
  readonly timestamp: string;
};

type State = 'retrying' | 'pending' | 'blocked';
type Listed = Omit<Entry, 'since'> & { readonly state: State; readonly since: number };

/** The name of method and URL, without its query. */
export function endpointOf(method: string, url: string): string {
  const { origin, pathname } = new URL(url);
  return endpointName(method, origin + pathname);
}

/** The endpoints of a store, also for a process other than the one that pays. */
export function endpointsOf(store: Store): Endpoints {
  if (!isStore(store)) throw unusable('invalid_argument', 'the store of endpointsOf has no read and replace');
  const list = (state: State) => async (): Promise<Entry[]> =>
    listed((await store.read()).record)
      .filter((it) => it.state === state)
      .map(({ state: _, since, ...entry }) => ({ ...entry, since: isoOf(since) }));
  const open =
    (state: State) =>
    async (endpoint: string): Promise<boolean> => {
      const name = given(state === 'blocked' ? 'reenable' : 'approve', () => {
        const [url = '', method = ''] = endpoint.split(' ').reverse();
        return endpointOf(method.toUpperCase(), url);
      });
      return reopen(store, name, state);
    };
  return { blocked: list('blocked'), pending: list('pending'), reenable: open('blocked'), approve: open('pending') };
}

/** Reopens an endpoint that is in this state. */
function reopen(store: Store, name: string, state: State): Promise<boolean> {
  return update(store, (record) => told(() => reopenEndpoint(record, name, state)));
}

/** The endpoints in a record. An unreadable record is reported as such, and never quoted. */
function listed(record: string | undefined): readonly Listed[] {
  return JSON.parse(told(() => listEndpoints(record))) as Listed[];
}

const isoOf = (secs: number): string => new Date(secs * 1000).toISOString();

/** One process's copy of a store's endpoints, so that the store is not read for each call. */
export type Watch = ReturnType<typeof watchOf>;

export function watchOf(store: Store, now: () => number, onEscalation: ((event: EscalationEvent) => void | Promise<void>) | undefined) {
  let known: Map<string, Listed> | undefined;
  const learn = (record: string | undefined): void => {
    known = new Map(listed(record).map((it) => [endpointName(it.method, it.endpoint), it]));
  };
  const isStopped = (endpoint: string): boolean => ['blocked', 'pending'].includes(known?.get(endpoint)?.state ?? '');
  return {
    /** Throws if the payer has to look at an endpoint first. */
    async admit(endpoint: string): Promise<void> {
      if (known !== undefined && !isStopped(endpoint)) return;
      let record: string | undefined;
      try {
        ({ record } = await store.read());
        learn(record);
      } catch {
        // Free requests need no store; without it nothing is paid.
        return;
      }
      if (isStopped(endpoint)) told(() => admitEndpoint(record, endpoint));
    },

    /** Drops the copy, after a refusal or before a payment: the next call to `admit` reads the record. */
    stale(): void {
      known = undefined;
    },

    /**
     * Replaces the record with the result of `mark`; a call that blocks the endpoint reports it,
     * with the price of `proposal`.
     */
    async hold(endpoint: string, mark: (record: string | undefined) => string | undefined, proposal: Proposal | undefined): Promise<void> {
      try {
        let latest: string | undefined;
        const changed = await update(store, (record) => {
          const next = mark(record);
          latest = next ?? record;
          return next;
        });
        // Only after the write: meanwhile other calls may learn something else.
        learn(latest);
        const held = known?.get(endpoint);
        if (!changed || held?.state !== 'blocked') return;
        const { correlationId, ...diagnostic } = held.diagnostic;
        await onEscalation?.({
          type: 'x402_escalation',
          endpoint: held.endpoint,
          method: held.method,
          ...(proposal && priceOf(proposal)),
          correlation_id: correlationId,
          diagnostic,
          timestamp: isoOf(now()),
        });
      } catch {
        // A failure of the store or of the hook does not affect this call.
      }
    },

    /** Records a success of an endpoint: a known expired payment is forgotten, and a wallet that has paid is short no more. */
    async delivered(endpoint: string, isRetrying = known?.get(endpoint)?.state === 'retrying', isPaid = false): Promise<void> {
      const held = known?.get(endpoint);
      const isOpened = isPaid && held?.state === 'blocked' && held.diagnostic.code === SHORT;
      if (!isRetrying && !isOpened) return;
      known?.delete(endpoint);
      await noted(() => reopen(store, endpoint, isOpened ? 'blocked' : 'retrying'));
    },
  };
}

/** Spec: x402 extension "Diagnostic". */
const SHORT = 'WALLET_INSUFFICIENT_FUNDS';

/** Whether an endpoint is blocked because the wallet was short. */
export function isShort(error: unknown): boolean {
  return error instanceof FareboxError && error.code === 'endpoint_blocked' && error.diagnostic?.code === SHORT;
}

function priceOf({ price, amount, symbol, network, asset }: Proposal) {
  return { amount: Number(price), amount_text: price, amount_atomic: amount, currency: symbol, network, asset };
}
