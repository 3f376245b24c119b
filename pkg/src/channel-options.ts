/** The options and results of `fetch` that pays by channel. */
import { type FareboxError, unusable } from './error.js';
import { checkNames } from './names.js';
import type { PayOptions } from './options.js';
import type { AnySigner } from './signer.js';
import { isStore } from './store.js';

/** A deposit that is about to be signed, a voucher, or a payment by itself; amounts in whole tokens. */
export type ChannelProposal = {
  /** Empty for a payment by itself, without a channel. */
  readonly channel: string;
  /** The amount to deposit; null for a voucher, and for a payment by itself. */
  readonly deposit: string | null;
  /** The most that this request costs. */
  readonly price: string;
  readonly symbol: string;
  readonly asset: string;
  readonly network: string;
  readonly testNetwork: boolean;
  readonly payTo: string;
  /** Empty for a payment by itself whose wallet is asked for its address only afterwards. */
  readonly payer: string;
  readonly host: string;
  /** Seconds after which the payer can take the rest back without the payee; null where the contract alone says so. */
  readonly withdrawDelaySecs: number | null;
  readonly description: string;
  readonly serverSays: string;
  /** The realm of the server's challenge, of a session of MPP, if that is not the host. */
  readonly claimsToSell: string | null;
  /** The unit of the price, of a session of MPP. */
  readonly unit?: 'request' | 'second' | 'byte' | 'event';
  /** The contract that holds the deposit of a session of MPP. */
  readonly escrow?: string;
  /** The calls of a payer who pays the gas: an allowance for this deposit alone, then the deposit. */
  readonly calls?: readonly { readonly to: string; readonly data: string }[] | null;
};

/** The server's receipt of a request that was paid by channel, or of a refund; amounts in atomic units. */
export type ChannelReceipt = {
  readonly channel: string;
  /** That of a deposit or a refund; empty for a voucher. */
  readonly transaction: string;
  readonly network: string;
  readonly payer: string;
  readonly payTo: string;
  readonly asset: string;
  readonly symbol: string;
  /** The cost of this request. */
  readonly charged: string | null;
  /** The cost of all requests of the channel. */
  readonly spent: string | null;
  readonly refunded: string | null;
};

/** A channel, as the store has it; amounts in atomic units. */
export type Channel = {
  readonly id: string;
  readonly host: string;
  readonly network: string;
  readonly asset: string;
  readonly payer: string;
  readonly payTo: string;
  readonly deposit: string;
  /** The amount that was charged of it, as far as the payer knows. */
  readonly spent: string;
  /** The highest voucher: more than this can never be claimed. */
  readonly signed: string;
  /** A deposit that was signed and not seen yet. */
  readonly pending: string | null;
};

export type ChannelOptions = Pick<PayOptions, 'signer' | 'policy' | 'store' | 'acceptPayment' | 'now' | 'resume'> & {
  /**
   * The way to pay: a channel and nothing else (`session`), or each request by itself (`once`) [a channel where the server sells so and
   * one can be opened, otherwise each request by itself].
   */
  readonly choose?: 'session' | 'once';
  /** The amount to deposit at once, in whole tokens [what the server asks for, or a hundred requests; at most `maxDeposit`]. */
  readonly deposit?: string;
  /** The most to deposit at once, in whole tokens ['1']. */
  readonly maxDeposit?: string;
  /** The longest that a withdrawal may be delayed by, in seconds; what is sold with a longer one is paid for by itself [a day]. */
  readonly maxWithdrawDelaySecs?: number;
  /** Signs vouchers in the place of `signer`, so that a wallet is asked for deposits alone [`signer`]. */
  readonly voucherSigner?: AnySigner;
  /** Tells apart the channels of one wallet at one payee; one process, or one store, for each name ['']. */
  readonly name?: string;
  /** Called before each deposit, and each payment by itself unless `once` makes it; anything but true signs nothing [no question]. */
  readonly confirm?: (proposal: ChannelProposal) => boolean | Promise<boolean>;
  /** For sessions of MPP whose seller pays no gas: sends the `calls` of the proposal in order. Returns the hash of the last call, or nothing if none was sent [none]. */
  readonly broadcast?: (proposal: ChannelProposal) => string | null | undefined | Promise<string | null | undefined>;
  /** Called with the state of a session in one line, after each deposit and voucher, and before it is closed [none]. */
  readonly onState?: (line: string) => void;
  /** For requests of servers that do not sell by channel [they are paid by `payingFetch` with the same signer, policy, store and resume, and `confirm` is asked]. */
  readonly once?: typeof globalThis.fetch;
};

/** `fetch` that pays by channel, and what concerns its channels. */
export type ChannelFetch = typeof globalThis.fetch & {
  /** The channels of the store. */
  channels(): Promise<Channel[]>;
  /** Asks the payee that sells at this URL to pay back the rest of the deposit, or so many atomic units of it; a session of MPP is closed. */
  refund(url: string, options?: { readonly amount?: string }): Promise<ChannelReceipt>;
  /** Drops a channel whose rest the payer has withdrawn from the contract. Whether the store had it. */
  forget(id: string): Promise<boolean>;
};

const TEXTS = ['deposit', 'maxDeposit', 'name'] as const;
const OPTIONS = [
  'signer',
  'policy',
  'store',
  'acceptPayment',
  'now',
  'resume',
  'choose',
  'deposit',
  'maxDeposit',
  'maxWithdrawDelaySecs',
  'voucherSigner',
  'name',
  'confirm',
  'broadcast',
  'onState',
  'once',
] as const;

/** The options, read once; those of the wrong type are reported when they are given, by name. */
export function checkedOptions(fetch: unknown, given: ChannelOptions): ChannelOptions {
  const wrong = (what: string): FareboxError => unusable('invalid_options', what, 'correct that option');
  if (typeof fetch !== 'function') throw wrong('fetch is not a function');
  if (typeof given !== 'object' || given === null) throw wrong('the options are no object with a signer');
  checkNames(given, OPTIONS);
  const options = { ...given };
  for (const name of TEXTS) if (options[name] !== undefined && typeof options[name] !== 'string') throw wrong(`${name} is not text`);
  const delay = options.maxWithdrawDelaySecs;
  if (delay !== undefined && !(Number.isSafeInteger(delay) && delay >= 0))
    throw wrong('maxWithdrawDelaySecs is no whole number of seconds');
  for (const name of ['confirm', 'once', 'now', 'broadcast', 'onState'] as const)
    if (options[name] !== undefined && typeof options[name] !== 'function') throw wrong(`${name} is not a function`);
  if (options.choose !== undefined && options.choose !== 'session' && options.choose !== 'once')
    throw wrong('choose is neither "session" nor "once"');
  if (options.store !== undefined && !isStore(options.store)) throw wrong('store has no read and replace');
  return options;
}
