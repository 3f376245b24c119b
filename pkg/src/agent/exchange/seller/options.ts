/** What a seller of work is given, asked and told. */
import type { Store } from '../../../store.js';

/** A job that is worked on. */
export type SellerJob = {
  readonly jobId: string;
  readonly paymentId: string;
  readonly buyerId: string;
  readonly capability: string;
  readonly prompt: string;
  /** The amount that it brings, decimal text in whole tokens. */
  readonly amount: string;
  readonly currency: string;
  /** Unix milliseconds until which the result has to be delivered. */
  readonly deadline: number;
  /** Ends the work: its time is over, or the seller stops for good. */
  readonly signal: AbortSignal;
};

/** A handler's delivery: its text, and anything else to tell. */
export type Delivery = string | { readonly text: string; readonly meta?: unknown };

/** A bond as the exchange asks for it; the transfer proves the wallet. */
export type BondAsked = {
  readonly challengeId: string;
  readonly network: string;
  readonly to: string;
  readonly asset: string;
  /** Whole tokens, and atomic units. */
  readonly amount: string;
  readonly amountAtomic: string;
  /** ISO 8601. */
  readonly expiresAt: string;
  /** Whether it was asked for before, by a process that may have made the transfer: look for it first. */
  readonly again: boolean;
  /** How many other bonds this store's sellers were asked to transfer before. */
  readonly former: number;
};

export type SellerEvent = {
  readonly type: 'registered' | 'session' | 'online' | 'started' | 'completed' | 'failed' | 'dropped' | 'trouble' | 'offline';
  readonly jobId?: string;
  /** The fault, for the operator. */
  readonly message?: string;
};

export type SellJobsOptions = {
  /** The exchange's origin. */
  readonly url: string;
  /** `live-mainnet`, `live-testnet` or `demo-testnet` ['live-mainnet']. */
  readonly profile?: string;
  /** The wallet that is paid. */
  readonly sellerId: string;
  /** The agent that sells in its name: of the identity token, or any name with a bond. */
  readonly agentId: string;
  readonly capability: string;
  /** Decimal text in whole tokens. */
  readonly price: string;
  /** Jobs at once, 1 to 100 [1]. */
  readonly capacity?: number;
  /** Does the work. What it throws is the reason that the buyer is given: one line, at most 300 characters. */
  readonly handler: (prompt: string, job: SellerJob) => Delivery | Promise<Delivery>;
  /** An identity token (RS256) of the seller, fresh each time. */
  readonly identity?: () => string | Promise<string>;
  /**
   * Transfers a bond, and returns the transaction's hash; what it throws ends the seller. Asked once: later sessions use the token
   * that it brought, and no other bond is transferred because the exchange refuses that, unless `bonds` says so.
   */
  readonly bond?: (bond: BondAsked) => string | Promise<string>;
  /** Most bonds that are transferred, counted in `store` [1]. */
  readonly bonds?: number;
  /** Most that a bond may be, decimal text in whole tokens ['1']. */
  readonly maxBond?: string;
  /** Signs the text that asks for a bond with the wallet (EIP-191, or ERC-1271): strangers then cannot use up its bonds. */
  readonly sign?: (text: string) => string | Promise<string>;
  /** Keeps the token, and the jobs, so that another process does none twice. A store of its own, not the budget's [this process]. */
  readonly store?: Store;
  /** Signals of the process after which it goes offline and ends ['SIGINT', 'SIGTERM'; none where there are no processes]. */
  readonly endsOn?: readonly string[];
  /** Ends it, like `stop`. */
  readonly signal?: AbortSignal;
  /** Milliseconds between two heartbeats [20000]; after 60 s without one no job is given. */
  readonly heartbeatMs?: number;
  /** Milliseconds between two looks for jobs [5000]; news of the feed end the pause. */
  readonly pollMs?: number;
  /** Whether news are awaited by an event stream [true]. */
  readonly feed?: boolean;
  /** Milliseconds for one job, at most what the exchange gives [115000]. */
  readonly taskMs?: number;
  /** Milliseconds that jobs may still take after the end was asked for [taskMs]. */
  readonly graceMs?: number;
  /** Called as it goes on; its errors are dropped. */
  readonly onEvent?: (event: SellerEvent) => void;
  /** The `fetch` that asks the exchange [the platform's]. */
  readonly fetch?: typeof fetch;
};

/** A seller that is at work. */
export type Selling = {
  /** Takes no more jobs, says so, finishes those it has, and ends. */
  stop(): Promise<void>;
  /** Ends when it has stopped; rejects with a {@link SellerError} if it cannot go on. */
  readonly ended: Promise<void>;
};
