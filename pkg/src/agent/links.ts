/** Payments by link: made at a treasury, and paid once from this wallet, within its policy. */
import * as wasm from '#agent-wasm';

import { FareboxError, unusable } from '../error.js';
import { receiptOf, wrapFetch } from '../fetch.js';
import type { PayOptions, Proposal, Receipt } from '../options.js';
import { resume, sentPayments } from '../resume.js';
import { type CheckedLink, checkPaymentLink, type ExpectedLink, followPaymentLink, type PaymentLinkState, paymentLinkIn } from './cards.js';
import { objectIn, originOf, replyTo } from './exchange/call.js';
import { storeOf } from './signer-store.js';

/** What a link asks for. */
export type PaymentLinkDraft = {
  /** Decimal, in whole tokens. */
  readonly amount: string;
  readonly symbol: string;
  readonly recipient: string;
  /** CAIP-2; may be left out if all of the organization's wallets have one. */
  readonly network?: string;
  /** May be left out if the treasury has one. */
  readonly organization?: string;
  readonly description?: string;
  readonly externalId?: string;
  readonly realm?: string;
  /** Seconds, 30 to 604800 [1800]. */
  readonly expiresIn?: number;
};
export type MadePaymentLink = { readonly paymentId: string; readonly url: string | undefined; readonly expires: string | undefined };
export type PaidPaymentLink = PaymentLinkState & {
  readonly paymentId: string;
  /** The state, in a sentence. */
  readonly text: string;
  /** Whether the state stays. */
  readonly final: boolean;
  readonly receipt: Receipt | undefined;
};
type Asking = { readonly fetch?: typeof globalThis.fetch; readonly timeoutMs?: number; readonly signal?: AbortSignal };

/** Makes a link at a treasury, as its operator. Nothing is paid. */
export async function createPaymentLink(
  draft: PaymentLinkDraft,
  { treasury, operatorToken, ...asking }: Asking & { readonly treasury: string; readonly operatorToken: string },
): Promise<MadePaymentLink> {
  const origin = originOf(treasury, 'treasury');
  const headers = [['authorization', `Bearer ${operatorToken}`]] as const;
  const body = JSON.stringify({ type: 'charge', ...draft });
  const { status, said, data } = await asked(origin, { method: 'POST', path: '/payment/create', headers, body }, asking);
  const { paymentId, deliveries, expires } = data as { paymentId?: unknown; deliveries?: { url?: unknown }; expires?: unknown };
  if (status !== 201 || typeof paymentId !== 'string') throw refused(status, said);
  return { paymentId, url: textOf(deliveries?.url), expires: textOf(expires) };
}

/** What a link asks for, by the treasury's word. */
export async function readPaymentLink(url: string, asking: Asking = {}): Promise<unknown> {
  const { origin, id } = partsOf(url);
  const { status, said, data } = await asked(origin, { method: 'GET', path: `/p/${id}` }, asking);
  if (status !== 200) throw refused(status, said);
  return data;
}

/**
 * Pays a link once, if it asks for what is expected, and follows it to its end or for a minute. `options` are those of `wrapFetch`:
 * its policy and budget hold, and `confirm` is asked. The next call goes on with a payment whose fate is open: in every process with
 * this `store`, or without one in this process, for this `signer`.
 */
export async function payPaymentLink(
  url: string,
  expected: ExpectedLink,
  options: PayOptions & Pick<Asking, 'fetch' | 'timeoutMs'>,
): Promise<PaidPaymentLink> {
  const { origin, id } = partsOf(url);
  const { fetch = globalThis.fetch, timeoutMs, store = storeOf(options.signer), ...paying } = options;
  const limit = timeoutMs === undefined ? {} : { timeoutMs };
  const asking: Asking = { fetch, ...limit };
  const checked: CheckedLink = checkPaymentLink(await readPaymentLink(url, asking), expected);
  if (!checked.ok) throw otherwise(checked.text);
  let isOther = false;
  const confirm = async (proposal: Proposal): Promise<boolean> => {
    isOther = !isExpected(proposal, expected);
    if (isOther || options.confirm !== undefined) return !isOther && (await options.confirm?.(proposal)) === true;
    // What is asked of a person without one is asked of the policy.
    if (proposal.again && options.policy?.payAgain !== true) throw unresolved();
    return true;
  };
  const place = `${origin}/a2a/${id}`;
  // What this store has paid, with its receipt, is not paid again while its treasury has not noticed.
  const paid = (await sentPayments(store)).find((it) => !it.open && it.url === place && it.receipt !== undefined);
  let receipt: Receipt | undefined = paid?.receipt;
  const state = await followPaymentLink({
    paymentId: id,
    pay: async () => {
      if (paid !== undefined) return stateOf(origin, id, asking).catch(() => ({}));
      const response = await wrapFetch(fetch, { ...paying, ...limit, store, resume, confirm })(place).catch((error: unknown) => {
        throw isOther ? changed(error) : error;
      });
      receipt = receiptOf(response) ?? undefined;
      await response.body?.cancel().catch(() => undefined);
      return stateOf(origin, id, asking).catch(() => ({}));
    },
    status: () => stateOf(origin, id, asking),
  });
  return { ...state, paymentId: id, receipt };
}

async function stateOf(origin: string, id: string, asking: Asking): Promise<PaymentLinkState> {
  const { status, said, data } = await asked(origin, { method: 'GET', path: `/p/${id}/status` }, asking);
  if (status !== 200) throw refused(status, said);
  const { success } = data;
  const texts = Object.fromEntries(['status', 'reason', 'errorReason'].flatMap((name) => textIn(data, name)));
  return typeof success === 'boolean' ? { ...texts, success } : texts;
}

const textIn = (data: Readonly<Record<string, unknown>>, name: string): [string, string][] => {
  const text = textOf(data[name]);
  return text === undefined ? [] : [[name, text]];
};

const isExpected = ({ amount, asset, payTo, network }: Proposal, expected: ExpectedLink): boolean =>
  [amount, asset.toLowerCase(), payTo.toLowerCase(), network].join() ===
  [expected.amount, expected.token.toLowerCase(), expected.recipient.toLowerCase(), expected.network].join();

/** The treasury and the id of a link. */
function partsOf(url: string): { origin: string; id: string } {
  const origin = originOf(url, 'treasury');
  const id = /^\/a2a\/([\w.~-]+)$/.exec(new URL(url).pathname)?.[1];
  if (id === undefined || !('paymentId' in paymentLinkIn(id)))
    throw unusable('invalid_argument', 'the URL is no link of a treasury: pass the deliveries.url of one');
  return { origin, id };
}

type Told = { readonly status: number; readonly said: Readonly<Record<string, unknown>>; readonly data: Readonly<Record<string, unknown>> };

async function asked(
  origin: string,
  { path, ...request }: Omit<Parameters<typeof replyTo>[2], 'timeoutMs'>,
  { fetch = globalThis.fetch, timeoutMs = 30_000, signal }: Asking,
): Promise<Told> {
  const reply = await replyTo(fetch, origin, { ...request, path: `/api/v6/pay/a2a${path}`, timeoutMs, signal });
  signal?.throwIfAborted();
  if (reply === undefined) throw new TypeError(`no complete answer came from ${origin}`);
  const said = objectIn(reply.body);
  const { data } = said;
  return { status: reply.status, said, data: typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {} };
}

function refused(status: number, { msg }: Readonly<Record<string, unknown>>): FareboxError {
  const why = typeof msg === 'string' && msg !== '' ? `: ${wasm.boundedText(msg, 400)}` : '';
  return unusable('invalid_request', `the treasury answers ${status}${why}`, 'correct the request');
}

const otherwise = (message: string): FareboxError =>
  new FareboxError({ code: 'terms_changed', message, remedy: "look at the server's terms again, and pin what you accept" });

/** The error of a link that asks for something else than it said. What was signed for it before stands. */
function changed(error: unknown): FareboxError {
  const { signed, payment } = error as FareboxError;
  return Object.assign(otherwise('The link asks for something else than it said.'), { signed: signed === true, payment });
}

const unresolved = (): FareboxError =>
  new FareboxError({
    code: 'payment_unresolved',
    message: 'a payment for this link has ended, and may have been charged',
    remedy: 'look at the wallet, then pass confirm, or set policy.payAgain',
    signed: true,
  });

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
