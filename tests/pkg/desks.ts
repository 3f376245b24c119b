// A desk with a wallet that holds the money, at a shop.

import assert from 'node:assert/strict';

import {
  createLocalAgentClient,
  createPaymentDesk,
  type LocalAgentOptions,
  PaymentDeskError,
  type PaymentDeskOptions,
  type PaymentOutcome,
  type PaymentQuote,
  type PaymentTerms,
} from '../../pkg/dist/agent/index.js';
import { memoryStore } from '../../pkg/dist/index.js';
import { base64, type Json, OFFER, sharedShop, terms, USDC, watchedSigner } from './shop.ts';

export const shop = sharedShop();

export const MAIN_USDC = '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913';
export const BALANCES = [
  { network: OFFER.network, asset: USDC, amount: '1000000' },
  { network: 'eip155:8453', asset: MAIN_USDC, amount: '1000000' },
];
export const header = (accepts: readonly unknown[]): PaymentTerms => ({
  headers: { 'payment-required': base64(JSON.stringify(terms(accepts))) },
});
export const DEFERRED = { ...OFFER, scheme: 'aggr_deferred' };

export function desk(change: Partial<PaymentDeskOptions> = {}, local: Partial<LocalAgentOptions> = {}) {
  const [signer, store] = [watchedSigner(), memoryStore()];
  const client = createLocalAgentClient({ signer, store, ...local });
  return { signer, store, client, desk: createPaymentDesk({ client, ...change }) };
}
export async function quoted(it: ReturnType<typeof desk>['desk'], change: Json = {}): Promise<PaymentQuote> {
  const quote = await it.quote({ url: `${shop.url}/report`, balances: BALANCES, ...change });
  assert.ok(quote.needsConfirm);
  return quote;
}
export const refused = async (asked: Promise<unknown>): Promise<string> => {
  const error = await asked.then(
    () => undefined,
    (it: unknown) => it,
  );
  assert.ok(error instanceof PaymentDeskError, String(error));
  return error.code;
};
export const paid = (outcome: unknown): PaymentOutcome => outcome as PaymentOutcome;
