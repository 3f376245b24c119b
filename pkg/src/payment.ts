/** One payment under way, and what others are told of it. */
import type { Exchange } from '#wasm';

import type { Watch } from './endpoints.js';
import { FareboxError, type SentPayment, type Told, told } from './error.js';
import type { Keeping } from './keeping.js';
import type { Call } from './node.js';
import type { PaymentStep, PayOptions, Proposal, Question, Receipt } from './options.js';
import { askPerson } from './person.js';
import type { Plain } from './request.js';
import { addressOf, type asSigner, type TypedData } from './signer.js';
import type { Store } from './store.js';

/** What the compiled part decides. */
export type Step =
  | { readonly do: 'return'; readonly receipt: Receipt | null; readonly retrying: boolean; readonly settles: boolean }
  | { readonly do: 'reserve' | 'renew' | 'recount' | 'mark' | 'afresh' | 'broadcast' | 'prepare' }
  | { readonly do: 'read'; readonly network: string; readonly calls: readonly [Call, Call] }
  | { readonly do: 'choose'; readonly options: Question['options'] }
  | { readonly do: 'sign'; readonly typedData: TypedData }
  | { readonly do: 'send'; readonly waitMs: number; readonly headers: readonly (readonly [string, string])[] }
  | { readonly do: 'fail'; readonly error: Told };

/** A payment under way. */
export type Payment = {
  readonly exchange: Exchange;
  readonly fetch: typeof globalThis.fetch;
  readonly request: Plain;
  readonly url: string;
  /** The URL that was asked for, wherever that redirected. */
  readonly askedUrl: string;
  readonly endpoint: string;
  readonly watch: Watch;
  readonly signer: ReturnType<typeof asSigner>;
  readonly store: Store;
  readonly now: () => number;
  /** The answer that asks for the payment; of one that was sent before there is none. */
  readonly first: Response | undefined;
  readonly options: PayOptions;
  /** Where the payment is kept while its fate is open. */
  readonly kept: Keeping | undefined;
  /** Sees what was signed before it leaves. */
  readonly signed: ((exchange: Exchange) => void) | undefined;
  /** Whether no other payment of this process signs an allowance of its token until this one is answered. */
  readonly allowsAlone?: true;
};

/** The payment as it is sent, if there is one. */
export function sentOf(payment: Payment): SentPayment | undefined {
  return withAsked<SentPayment>(payment, payment.exchange.payment());
}

/** What the compiled part tells of a payment, and the URL that was asked for where it is another one. */
function withAsked<T>({ url, askedUrl }: Payment, text: string | undefined): T | undefined {
  return text === undefined ? undefined : { ...(JSON.parse(text) as T), ...(url === askedUrl ? {} : { askedUrl }) };
}

/**
 * Asks the hook; without a yes nothing is signed, and nothing counted unless something was signed
 * before.
 */
export async function agree(payment: Payment): Promise<void> {
  const { options, request } = payment;
  const proposal = proposalOf(payment);
  if (proposal === undefined || (await askPerson(request.rest.signal, () => options.confirm?.(proposal))) !== true) throw declined();
}

/** Tells the hook how far it is; what the hook throws changes nothing. */
export function tell(payment: Payment, step: PaymentStep): void {
  const { onStep } = payment.options;
  try {
    const proposal = onStep && proposalOf(payment);
    if (proposal) onStep(step, proposal);
  } catch {
    // A display that fails is no reason to lose a payment.
  }
}

/** Tells the hook of a payment; what the hook does is no reason to lose the answer. */
export async function toldOf(payment: Payment, receipt: Receipt | null): Promise<void> {
  const proposal = proposalOf(payment);
  try {
    if (proposal !== undefined) await payment.options.onPayment?.(proposal, receipt ?? undefined);
  } catch {
    // Its errors are its own.
  }
}

/** Asks the wallet for its address. */
export async function named({ exchange, request, signer }: Payment): Promise<void> {
  const address = await askPerson(request.rest.signal, () => addressOf(signer));
  told(() => {
    exchange.paysFrom(address);
  });
}

export function declined(): FareboxError {
  return new FareboxError({
    code: 'declined',
    message: 'the payment was not confirmed',
    remedy: 'confirm it, or do not make this request',
  });
}

export function proposalOf(payment: Payment): Proposal | undefined {
  return withAsked<Proposal>(payment, payment.exchange.proposal());
}
