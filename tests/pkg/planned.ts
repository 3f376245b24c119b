// A control plane, a merchant whose answers a test may set, and a client between them.

import assert from 'node:assert/strict';
import { after, before, beforeEach } from 'node:test';

import {
  AgentPayClient,
  type AgentPayClientOptions,
  FetchPaidError,
  type SdkPreparedPaidRequestReady,
} from '../../pkg/dist/agent/index.js';
import { type Answer, type ControlPlane, startControlPlane } from './control-plane.ts';
import { base64, type Json, open, type Shop, USDC } from './shop.ts';

export let plane: ControlPlane;
export let shop: Shop;
/** How the merchant answers; a test may set it. */
export const its: { answer: (response: import('node:http').ServerResponse) => void } = { answer: () => undefined };
before(async () => {
  plane = await startControlPlane();
  shop = await open((_, response) => its.answer(response));
});
beforeEach(() => {
  plane.calls.length = 0;
  plane.answers = [];
  shop.requests.length = 0;
  its.answer = asks(TERMS);
});
after(async () => {
  await Promise.all([plane?.stop(), shop?.stop()]);
});

export const ACCEPT = {
  scheme: 'exact',
  network: 'eip155:84532',
  amount: '1000000',
  asset: USDC,
  payTo: '0xmerchant',
  extra: { precision: 6 },
};
export const TERMS = { x402Version: 2, resource: { url: 'https://merchant.example.com/v1', description: 'A report' }, accepts: [ACCEPT] };
export const asks =
  (terms: Json, headers: Readonly<Record<string, string>> = {}) =>
  (response: import('node:http').ServerResponse): void => {
    response
      .writeHead(402, { 'payment-required': base64(JSON.stringify(terms)), 'content-type': 'application/json', ...headers })
      .end('{}');
  };
export const says =
  (status: number, headers: Readonly<Record<string, string>>, body = '') =>
  (response: import('node:http').ServerResponse): void => {
    response.writeHead(status, headers).end(body);
  };
export const client = (change: Partial<AgentPayClientOptions> = {}): AgentPayClient =>
  new AgentPayClient({
    controlPlaneBaseUrl: `${plane.url}/`,
    auth: { type: 'runtimeToken', runtimeToken: 'runtime-token' },
    organization: 'acme',
    agent: 'buyer',
    ...change,
  });
export const prepared = async (
  init?: RequestInit,
  options?: Parameters<AgentPayClient['preparePaidRequest']>[2],
): Promise<SdkPreparedPaidRequestReady> => {
  const it = await client().preparePaidRequest(`${shop.url}/v1/generate`, init, options);
  assert.equal(it.kind, 'ready');
  return it as SdkPreparedPaidRequestReady;
};
export const CHALLENGE = { protocol: 'x402', headers: {} } as const;
export const JSON_POST = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"prompt":"hello"}' };
/** What is thrown when a decision ends so. */
export async function failure(given: Answer): Promise<FetchPaidError> {
  plane.answers = [given];
  const error = await client()
    .fetchPaid(`${shop.url}/v1`, undefined, { challenge: CHALLENGE })
    .catch((it: unknown) => it);
  assert.ok(error instanceof FetchPaidError);
  return error;
}
export const field = (name: string, more: Json = {}) => ({ name, required: true, ...more });
