/** Payments by link: made at a treasury, and paid once from this wallet, within its policy. */

import * as wasm from '#agent-wasm';
import { alone } from '../alone.js';
import { FareboxError, type SentPayment, unusable } from '../error.js';
import { wrapFetch } from '../fetch.js';
import { type Members, membersIn, membersOf } from '../members.js';
import { takesTokens } from '../operator/client.js';
import type { PayOptions, Proposal, Receipt } from '../options.js';
import { paymentOf, receiptOf } from '../receipts.js';
import { endsIn, leadsOn } from '../request.js';
import { type KeptPayment, resume, resumedPayments } from '../resume.js';
import type { Store } from '../store.js';
import { type CheckedLink, checkPaymentLink, type ExpectedLink, followPaymentLink, type PaymentLinkState, paymentLinkIn } from './cards.js';
import { originOf, pause, replyTo } from './exchange/call.js';
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
  if (!takesTokens(origin))
    throw unusable('invalid_options', 'a token goes over https, or http to this machine', 'pass the https origin of the treasury');
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
 * its policy and budget hold, and `confirm` is asked. A link is one purchase: calls at the same time pay one after the other, its
 * nonces follow from it wherever they are the payer's, and the next call goes on with a payment whose fate is open, in every process
 * with this `store`, or without one in this process, for this `signer`. What has ended without a receipt is paid again only if
 * `confirm` or `policy.payAgain` says so. Each answer ends after `timeoutMs`, and all of it with `signal`.
 */
export async function payPaymentLink(url: string, expected: ExpectedLink, options: PayOptions & Asking): Promise<PaidPaymentLink> {
  const { origin, id } = partsOf(url);
  const { fetch = globalThis.fetch, timeoutMs = ANSWER_MS, signal, store = storeOf(options.signer), ...paying } = options;
  const asking: Asking = { fetch, timeoutMs, ...(signal === undefined ? {} : { signal }) };
  const checked: CheckedLink = checkPaymentLink(await readPaymentLink(url, asking), expected);
  if (!checked.ok) throw otherwise(checked.text);
  const place = `${origin}/a2a/${id}`;
  let isOther = false;
  const confirm = async (proposal: Proposal): Promise<boolean> => {
    isOther = !isExpected(proposal, expected);
    if (isOther) return false;
    const again = proposal.again || (await answeredFor(place, store)).length > 0;
    if (options.confirm !== undefined) return (await options.confirm({ ...proposal, again })) === true;
    // What is asked of a person without one is asked of the policy.
    if (again && options.policy?.payAgain !== true) throw unresolved();
    return true;
  };
  // The 402 has an end too, which is not an answer to a payment.
  const ending: typeof fetch = (input, init) => fetch(input, { ...init, signal: endsIn(timeoutMs, init?.signal) });
  const paysOnce = wrapFetch(ending, { ...paying, timeoutMs, store, resume, confirm });
  const sent = await alone(
    place,
    store,
    signal,
    async (): Promise<{ receipt?: Receipt | undefined; payment?: SentPayment | undefined }> => {
      // What this store has paid, with its receipt, is not paid again while its treasury has not noticed.
      const paid = (await answeredFor(place, store)).find((it) => it.receipt !== undefined);
      if (paid !== undefined) return paid;
      // The key makes the nonces of two processes one.
      const init = { headers: { 'idempotency-key': id }, redirect: 'manual', ...(signal === undefined ? {} : { signal }) } as const;
      const response = await paysOnce(place, init).catch((error: unknown) => {
        throw isOther ? changed(error) : error;
      });
      await response.body?.cancel().catch(() => undefined);
      const payment = paymentOf(response);
      if (payment === undefined && leadsOn(response)) throw otherwise('The link leads to another address.');
      return { receipt: receiptOf(response), payment };
    },
  );
  const status = (): Promise<PaymentLinkState> => stateOf(origin, id, asking);
  const state = await followPaymentLink({
    paymentId: id,
    pay: () => status().catch(() => ({})),
    status,
    wait: async (milliseconds) => {
      await pause(milliseconds, signal);
      if (signal?.aborted === true) throw Object.assign(givenUp(), { payment: sent.payment });
    },
  });
  return { ...state, paymentId: id, receipt: sent.receipt };
}

/** How long an answer may take, milliseconds. */
const ANSWER_MS = 30_000;

/** The payments that a store has of a link and that were answered, with a receipt or without one, or were let go. */
const answeredFor = async (place: string, store: Store): Promise<KeptPayment[]> =>
  (await resumedPayments(store)).filter((it) => it.url === place && (!it.open || it.answered === true));

async function stateOf(origin: string, id: string, asking: Asking): Promise<PaymentLinkState> {
  const { status, said, data } = await asked(origin, { method: 'GET', path: `/p/${id}/status` }, asking);
  if (status !== 200) throw refused(status, said);
  const { success } = data;
  const texts = Object.fromEntries(['status', 'reason', 'errorReason'].flatMap((name) => textIn(data, name)));
  return typeof success === 'boolean' ? { ...texts, success } : texts;
}

const textIn = (data: Members, name: string): [string, string][] => {
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

type Told = { readonly status: number; readonly said: Members; readonly data: Members };

async function asked(
  origin: string,
  { path, ...request }: Omit<Parameters<typeof replyTo>[2], 'timeoutMs'>,
  { fetch = globalThis.fetch, timeoutMs = ANSWER_MS, signal }: Asking,
): Promise<Told> {
  const reply = await replyTo(fetch, origin, { ...request, path: `/api/v6/pay/a2a${path}`, timeoutMs, signal });
  signal?.throwIfAborted();
  if (reply === undefined) throw new TypeError(`no complete answer came from ${origin}`);
  const said = membersIn(reply.body);
  return { status: reply.status, said, data: membersOf(said['data']) };
}

function refused(status: number, { msg }: Members): FareboxError {
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

/** The error of an abort once the link was paid, which its next call follows. */
const givenUp = (): FareboxError =>
  new FareboxError({
    code: 'aborted',
    message: 'the call was aborted after the payment of this link was signed',
    remedy: 'pay the link again: that sends nothing else, and asks for its state',
    signed: true,
  });

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
