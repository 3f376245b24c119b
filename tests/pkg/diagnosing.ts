// Servers that say why they refuse, and a payer whose signatures, events and record are seen.

import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { inspect } from 'node:util';

import { decodeHeader, type EscalationEvent, FareboxError, memoryStore, type PayOptions, wrapFetch } from '../../pkg/dist/index.js';
import { ask, GOODS, type Json, OFFER, open, paymentOf, serve, terms, watchedSigner } from './shop.ts';

export const NOW = 1_763_600_000;
export const EXCEEDED = {
  code: 'PAYMENT_ATTEMPTS_EXCEEDED',
  message: 'too many',
  attempts: 8432,
  firstAttempt: '2026-03-10T00:00:00Z',
  suggestion: 'look',
  escalate: true,
};
export const EXPIRED = { code: 'INVOICE_EXPIRED' };

export const saying = (info: unknown, more: Json = {}, accepts: readonly unknown[] = [OFFER]): Json =>
  terms(accepts, { extensions: { diagnostic: { info, schema: { type: 'object' } } }, ...more });

export type Answer = (response: ServerResponse, request: IncomingMessage) => void;
export const tell =
  (info: unknown, more?: Json): Answer =>
  (response) =>
    ask(response, saying(info, more));
export const demand: Answer = (response) => ask(response);
export const sell: Answer = (response) => serve(response);

/** A shop that answers plain requests and paid ones from two lists; the last answer of each stays. */
export async function shopOf(t: TestContext, unpaid: readonly Answer[], paid: readonly Answer[] = [sell]) {
  const seen = { unpaid: 0, paid: 0 };
  const shop = await open((request, response) => {
    const kind = paymentOf(request) === undefined ? 'unpaid' : 'paid';
    const answers = kind === 'paid' ? paid : unpaid;
    const answer = answers[Math.min(seen[kind], answers.length - 1)];
    seen[kind] += 1;
    answer?.(response, request);
  });
  t.after(shop.stop);
  const payments = () =>
    shop.requests
      .map(paymentOf)
      .filter((it) => it !== undefined)
      .map((it) => decodeHeader(it) as Payload);
  return { ...shop, seen, payments };
}
export type Payload = {
  readonly payload: { readonly authorization: Record<string, string> };
  readonly extensions: { readonly diagnostic?: unknown; readonly 'payment-identifier': { readonly info: { readonly id: string } } };
};

/** A payer whose signatures, events and record are seen. */
export function payerOf(options: Partial<PayOptions> = {}) {
  const [signer, store] = [watchedSigner(), options.store ?? memoryStore()];
  const events: EscalationEvent[] = [];
  const fetch = wrapFetch((input, init) => globalThis.fetch(input, init), {
    signer,
    now: () => NOW,
    onEscalation: (event) => {
      events.push(event);
    },
    ...options,
    store,
  });
  return { fetch, store, signer, events };
}

export async function failsWith(code: string, call: Promise<unknown>): Promise<FareboxError> {
  const error = await call.then(
    (it) => `answered ${it instanceof Response ? it.status : inspect(it)}`,
    (it: unknown) => it,
  );
  assert.ok(error instanceof FareboxError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

export const pays = async (call: Promise<Response>): Promise<void> => assert.equal(await (await call).text(), GOODS);
