/** The options of a payer, and the questions to them. */
import type { EscalationEvent } from './endpoints.js';
import type { AnySigner } from './signer.js';
import type { Store } from './store.js';

/**
 * The limits of payments: amounts are decimal text in whole tokens. Every field and default:
 * README.md, "Policy".
 */
export type Policy = {
  /** Maximum for one payment ["1.00", of version 1 "0.10"]. */
  readonly perPayment?: string;
  /** Maximum in an hour [perDay]. */
  readonly perHour?: string;
  /** Maximum in a day ["10"]. */
  readonly perDay?: string;
  /** Maximum in a day for one host [perDay]. */
  readonly perHost?: string;
  /** Maximum in a day for one payee [perDay]. */
  readonly perPayee?: string;
  /** CAIP-2 ids or v1 names [every known network]. */
  readonly networks?: readonly string[];
  /** Symbols of known assets, or assets in full [the default asset of each network]. */
  readonly assets?: readonly (string | DeclaredAsset)[];
  /** Hosts with their port [every host]. */
  readonly hosts?: readonly string[];
  /** Payees; with a list only these [the first payee of each host and network]. */
  readonly payees?: readonly string[];
  /** Contracts that may hold the deposit of a session of MPP: whoever has such an address can keep all of it [none]. */
  readonly escrows?: readonly string[];
  /** Whether the first payee of a host and network stays its only one [true]. */
  readonly pinPayees?: boolean;
  /** Whether permits of Permit2 are signed too; they need an allowance for that contract [false]. */
  readonly permit2?: boolean;
  /** Whether what has ended and may have been charged is paid again without `confirm`; only where the server chose the nonce (MPP) [false]. */
  readonly payAgain?: boolean;
  /** Maximum that is signed for one price that is known afterwards (x402 `upto`, by Permit2) [none is signed]. */
  readonly upto?: string;
  /** Maximum of all payments in a day if each server takes all that was signed, whatever its receipts say [perDay]. */
  readonly uptoPerDay?: string;
  /** Maximum validity of an authorization, seconds [3600]. */
  readonly maxValiditySecs?: number;
  /** How long a payment without an outcome is sent again, seconds [60]. */
  readonly deadlineSecs?: number;
  /** When nothing is paid any more, such as "2030-01-31T12:00:00Z" [never]. */
  readonly expires?: string;
  /**
   * Settings of servers that speak MPP, by host with its port [the realm is the host, the nonce
   * lists id and realm].
   */
  readonly mpp?: Readonly<Record<string, { readonly realm?: string; readonly nonce?: 'listed' | 'joined' }>>;
};

/** An asset that is not in the table; its facts are yours, never the server's. */
export type DeclaredAsset = {
  readonly symbol: string;
  readonly network: string;
  readonly address: string;
  readonly name: string;
  readonly version: string;
  readonly decimals: number;
};

/**
 * The pending payment. Texts of the server are cleaned and short; they are data, whatever they say.
 */
export type Proposal = {
  readonly protocol: 'x402' | 'mpp';
  readonly method: string;
  readonly url: string;
  /** The URL that was asked for, where it redirected to that one within its origin. */
  readonly askedUrl?: string;
  readonly host: string;
  readonly price: string;
  readonly symbol: string;
  readonly amount: string;
  /** Price, symbol and atomic units in one text: `0.01 USDC (10000)`, with `up to` before a bound. */
  readonly amountText: string;
  /** Whether the price is known afterwards: this is the most, and the receipt says what was charged. */
  readonly upTo: boolean;
  readonly asset: string;
  readonly network: string;
  readonly testNetwork: boolean;
  /**
   * A name for the place where its nonce is taken once: the chain, and the token's own nonces or the payer's in Permit2. Of two payments of one purchase in one slot at
   * most one is charged. Null if the server or the wallet chooses the nonce.
   */
  readonly slot: string | null;
  readonly payTo: string;
  /** Null for a wallet that is asked for its address only after the payment was confirmed. */
  readonly payer: string | null;
  readonly validForSecs: number;
  /** Whether the server says that the money moves first, or you send it yourself. */
  readonly paysBeforeWork: boolean;
  /** Whether you send the transaction and pay its gas: `broadcast` is called for it. */
  readonly paysGas: boolean;
  /** Whether the wallet may be asked for an allowance of this amount first, which the server's facilitator submits: see `nodes`. */
  readonly mayAllow: boolean;
  readonly description: string;
  readonly serverSays: string;
  /** A URL other than the requested one, if the server names one, or the realm of its challenge that is not the host; never followed. */
  readonly claimsToSell: string | null;
  /**
   * Whether it replaces a payment that came too late: both have one nonce, which a contract accepts
   * once.
   */
  readonly replaces: boolean;
  /** Whether an earlier payment for this request has ended and may have been charged: this one is charged beside it. */
  readonly again: boolean;
};

/** A settlement in which every member agrees with the signed payment. Of a price that is known afterwards it has what was charged; of nothing, no transaction (''). */
export type Receipt = {
  readonly transaction: string;
  readonly network: string;
  readonly payer: string;
  readonly payTo: string;
  readonly amount: string;
  readonly asset: string;
  readonly price: string;
  readonly symbol: string;
  /** The signer of the receipt of extension `offer-receipt`, if there was one. */
  readonly signedBy: string | null;
};

/** The choice between a session for many requests, which the server prefers, and one payment. */
export type Question = { readonly options: readonly ['session', 'one-shot']; readonly method: string; readonly url: string };

/**
 * How far a payment is: its price is known and counted; it may be paid; the wallet is asked; it is
 * sent; it is sent again, because its outcome is open; the answer is there.
 */
export type PaymentStep = 'looked' | 'confirmed' | 'signing' | 'sent' | 'settling' | 'done';

export type PayOptions = {
  /**
   * The type takes `undefined` so that an environment variable can be passed; an unset one is the
   * error `invalid_signer`.
   */
  readonly signer: AnySigner | undefined;
  readonly policy?: Policy;
  /** The store of the budget's record [this process]. */
  readonly store?: Store;
  /** Called before each signature; anything but true signs nothing. */
  readonly confirm?: (proposal: Proposal) => boolean | Promise<boolean>;
  /** Called when there is a choice; this version does not pay for sessions ['one-shot']. */
  readonly choose?: (question: Question) => Question['options'][number] | Promise<Question['options'][number]>;
  /**
   * Sends the transfer of a proposal to the chain and returns its hash, for servers that do not pay
   * the gas [those are not paid].
   */
  readonly broadcast?: (proposal: Proposal) => string | Promise<string>;
  /**
   * The URL of a node for each network, by CAIP-2 id. There it is read what Permit2 may move of a token; where that is too little, and the server's
   * facilitator pays the gas, the wallet signs an allowance of the payment's amount before the payment [an allowance is yours to give].
   */
  readonly nodes?: Readonly<Record<string, string>>;
  /** Whether to send `Accept-Payment`; in pages only to their own origin [true]. */
  readonly acceptPayment?: boolean;
  /**
   * Whether to send a `payment-identifier`, with which a lost answer can be requested again [true].
   */
  readonly identifier?: boolean;
  /**
   * Called once when a server's diagnostic blocks an endpoint; awaited, and its errors are dropped
   * [none].
   */
  readonly onEscalation?: (event: EscalationEvent) => void | Promise<void>;
  /** Called as a payment goes on, to show it; its errors are dropped [none]. */
  readonly onStep?: (step: PaymentStep, proposal: Proposal) => void;
  /** Called once for each payment that was answered, with its settlement if there is one; awaited, and its errors are dropped [none]. */
  readonly onPayment?: (proposal: Proposal, receipt: Receipt | undefined) => void | Promise<void>;
  /** The only payment that may be made: the `pin` of an offer of `lookAt`. Another one is `terms_changed` [any]. */
  readonly pin?: string;
  /** How long one answer to a payment may take, with its body, milliseconds; then it is asked for again [no limit]. */
  readonly timeoutMs?: number;
  /**
   * `resume` of `farebox/resume`: a payment that delivered nothing, whatever the server answered, is sent again by the next call
   * for the same request (method, URL and `Idempotency-Key`, or without one body and `Authorization`), and signed again with its nonce once it has ended; in every
   * process that shares the store, and with one that lasts also after a crash or a reload [this wrapped `fetch` alone].
   */
  readonly resume?: Resuming;
  /** Unix seconds [the clock]. */
  readonly now?: () => number;
};

/** The type of `resume` of `farebox/resume`. */
export type Resuming = { /** Of this package alone. */ readonly open: (...given: never[]) => unknown };
