// A control plane as `@402flow/sdk` expects it, over HTTP: tokens, decisions that are the same for the same key, receipts.

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Json = { readonly [name: string]: unknown };
export type Call = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Json | undefined;
};
/** What it answers to a decision request. */
export type Answer = { readonly status?: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> };

export const ID = (last: number): string => `00000000-0000-4000-8000-${String(last).padStart(12, '0')}`;
export const MONEY = { asset: 'USDC', amount: '1.000000', amountMinor: '1000000', precision: 6, unit: 'minor' } as const;
export const RECEIPT = {
  receiptId: ID(1),
  paidRequestId: ID(2),
  paymentAttemptId: ID(3),
  organizationId: ID(4),
  agentId: ID(5),
  merchantId: ID(6),
  protocol: 'x402',
  money: MONEY,
  authorizationOutcome: 'allowed',
  status: 'confirmed',
  reconciliationStatus: 'none',
  requestUrl: 'https://merchant.example.com/v1/generate',
  requestMethod: 'POST',
  createdAt: '2026-03-10T00:00:00.000Z',
} as const;
const IDS = { paidRequestId: ID(2), paymentAttemptId: ID(3) };
export const ALLOW = {
  outcome: 'allow',
  ...IDS,
  reasonCode: 'policy_allow',
  reason: 'Allowed by policy.',
  merchantResponse: { status: 200, headers: { 'content-type': 'application/json' }, body: '{"ok":true}' },
  receipt: RECEIPT,
};
export const DENY = { outcome: 'deny', paidRequestId: ID(2), reasonCode: 'policy_denied', reason: 'Denied.' };
export const EXECUTING = { outcome: 'executing', ...IDS, reasonCode: 'payment_execution_in_progress', reason: 'Under way.' };
export const INCONCLUSIVE = {
  outcome: 'inconclusive',
  ...IDS,
  reasonCode: 'merchant_transport_lost',
  reason: 'The merchant transport was lost before a final paid outcome was confirmed.',
};
export const PREFLIGHT_FAILED = {
  outcome: 'preflight_failed',
  ...IDS,
  reasonCode: 'preflight_incompatible',
  reason: 'No compatible payment rail is configured for Base Sepolia USDC.',
};
export const EXECUTION_FAILED = {
  outcome: 'execution_failed',
  ...IDS,
  reasonCode: 'merchant_rejected',
  reason: 'The merchant rejected the paid request after execution started.',
  merchantResponse: { status: 402, headers: { 'content-type': 'application/json' }, body: '{"error":"rejected"}' },
};
export const PAID_FULFILLMENT_FAILED = {
  outcome: 'paid_fulfillment_failed',
  ...IDS,
  reasonCode: 'merchant_execution_failed',
  reason: 'The merchant failed after payment.',
  settlementEvidenceClass: 'merchant_verifiable_success',
  fulfillmentStatus: 'failed',
  receipt: { ...RECEIPT, status: 'provisional', reconciliationStatus: 'required' },
  merchantResponse: { status: 502, headers: { 'content-type': 'application/json' }, body: '{"error":"upstream unavailable"}' },
};

export type ControlPlane = {
  readonly url: string;
  readonly calls: Call[];
  /** How often it paid: once for each new key, and for each request without one. */
  readonly payments: () => number;
  /** The next answers, in turn; the last one stays. */
  answers: Answer[];
  /** Whether the next decision is made, and its answer lost. */
  loses: number;
  /** Held until it resolves. */
  hold: Promise<void> | undefined;
  stop(): Promise<void>;
};

export async function startControlPlane(): Promise<ControlPlane> {
  const calls: Call[] = [];
  const decided = new Map<string, Answer>();
  let payments = 0;
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    const path = request.url ?? '';
    calls.push({
      method: request.method ?? '',
      path,
      headers: request.headers,
      body: text === '' ? undefined : (JSON.parse(text) as Json),
    });
    const answer = ({ status = 201, body, headers = {} }: Answer): void => {
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(typeof body === 'string' ? body : JSON.stringify(body));
    };
    if (path === '/api/sdk/runtime-tokens') {
      const body = {
        token: `runtime-token-${calls.filter((call) => call.path === path).length}`,
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      };
      return answer({ body });
    }
    if (path.startsWith('/api/sdk/receipts/')) return answer({ status: 200, body: { receipt: RECEIPT } });
    const key = (calls.at(-1)?.body as { idempotencyKey?: string }).idempotencyKey;
    const known = key === undefined ? undefined : decided.get(key);
    const given = known ?? (plane.answers.length > 1 ? plane.answers.shift() : plane.answers[0]) ?? { body: ALLOW };
    if (known === undefined) payments += 1;
    if (key !== undefined) decided.set(key, given);
    await plane.hold;
    if (plane.loses > 0) {
      plane.loses -= 1;
      return response.destroy();
    }
    return answer(given);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const plane: ControlPlane = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    payments: () => payments,
    answers: [],
    loses: 0,
    hold: undefined,
    stop: async () => {
      const closed = new Promise((resolve) => {
        server.close(resolve);
      });
      server.closeAllConnections();
      await closed;
    },
  };
  return plane;
}

export const decisionsOf = (plane: ControlPlane): Call[] => plane.calls.filter(({ path }) => path === '/api/sdk/payment-decisions');
