// Agents of the treasury, as `farebox/agent` makes them, and what a purchase of theirs moved on the chain.

import { startTreasuryWorld, type TreasuryWorld } from '../../demo/treasury-world.mjs';
import { AgentHarness, AgentPayClient, type FetchPaidRequest, isFetchPaidError } from '../../pkg/dist/agent/index.js';

export { startTreasuryWorld, type TreasuryWorld };

export type Sent = { readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly body: any };

/** A `fetch` that notes what went to the treasury, and may change it. */
export function noting(
  world: TreasuryWorld,
  change: (init: RequestInit) => RequestInit = (init) => init,
): { readonly sent: Sent[]; readonly fetch: typeof fetch } {
  const sent: Sent[] = [];
  return {
    sent,
    fetch: async (input, init = {}) => {
      const url = String(input);
      if (!url.startsWith(world.treasury.url)) return fetch(input, init);
      const changed = change(init);
      const text = changed.body;
      sent.push({
        url: url.slice(world.treasury.url.length),
        headers: changed.headers as Record<string, string>,
        body: typeof text === 'string' ? JSON.parse(text) : undefined,
      });
      return fetch(input, changed);
    },
  };
}

/** The client of an agent that the seeds have. */
export function clientOf(
  world: TreasuryWorld,
  organization: string,
  agent: string,
  more: { fetch?: typeof fetch; as?: string; bootstrapKey?: string } = {},
): AgentPayClient {
  const bootstrapKey = more.bootstrapKey ?? world.keyOf(organization, agent);
  return new AgentPayClient({
    controlPlaneBaseUrl: world.treasury.url,
    organization,
    agent: more.as ?? agent,
    auth: { type: 'bootstrapKey', bootstrapKey },
    ...(more.fetch === undefined ? {} : { fetch: more.fetch }),
  });
}

export function harnessOf(world: TreasuryWorld, organization: string, agent: string, more: { fetch?: typeof fetch } = {}): AgentHarness {
  return new AgentHarness({ client: clientOf(world, organization, agent, more) });
}

/** An outcome of either kind, flat. */
export type Told = {
  readonly kind: string;
  readonly reason: string | undefined;
  readonly reasonCode: string | undefined;
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
  readonly receipt: any;
  readonly paidRequestId: string | undefined;
  readonly policyReviewEventId: string | undefined;
  readonly decision: any;
};

/** Buys, and tells what became of it, whether it was returned or thrown. */
export async function buy(client: AgentPayClient, url: string, init?: RequestInit, request: FetchPaidRequest = {}): Promise<Told> {
  return toldOf(client.fetchPaid(url, init, request));
}

export async function toldOf(outcome: Promise<any>): Promise<Told> {
  const it = await outcome.catch((error: unknown) => {
    if (isFetchPaidError(error)) return error.details as any;
    throw error;
  });
  const { kind, reason, response, receipt, paidRequestId, policyReviewEventId, decision } = it;
  return {
    kind,
    reason,
    reasonCode: decision?.reasonCode,
    status: response.status,
    headers: response.headers,
    body: await response.text(),
    receipt,
    paidRequestId,
    policyReviewEventId,
    decision,
  };
}

/** Runs `work`, and says what the wallets paid meanwhile and in how many transfers. */
export async function during<T>(world: TreasuryWorld, work: () => Promise<T>): Promise<{ result: T; paid: bigint; count: number }> {
  const read = async () => {
    const all = [...(await world.transfers()).values()];
    return { count: all.length, sum: all.reduce((sum, { value }) => sum + value, 0n) };
  };
  const before = await read();
  const result = await work();
  const after = await read();
  return { result, paid: after.sum - before.sum, count: after.count - before.count };
}
