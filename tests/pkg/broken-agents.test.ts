// Agents that cannot pay, each for a reason of its own, against the gate of the demo: each is told why, stops by itself, and the
// operator sees who it is. Whoever knows nothing of that pays as before.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { generatePrivateKey } from 'viem/accounts';

import type { Chain } from '../../demo/chain.mjs';
import {
  type Diagnostic,
  decodeHeader,
  type EscalationEvent,
  encodeHeader,
  FareboxError,
  localSigner,
  wrapFetch,
} from '../../pkg/dist/index.js';
import type { Gate } from '../../scripts/miniflare.mjs';
import { payingFetch } from '../e2e/clients.ts';
import { startWorld, type World } from '../e2e/world.ts';
import { diagnosticIn } from '../support/diagnostic.ts';
import { eventually } from '../support/eventually.ts';

const TOKEN = 'operator-token-of-the-broken-agents';
/** How often an agent tries that does not know better. */
const TRIES = 30;

let world: World;
let chain: Chain;
let gate: Gate;
before(async () => {
  world = await startWorld({ readsChain: true, secrets: { OPERATOR_TOKEN: TOKEN } });
  ({ chain, gate } = world);
});
after(() => world?.stop());

type Payment = { accepted: { network: string }; resource?: unknown; payload: { signature: string; authorization: { from: string } } };
type Agent = {
  readonly what: string;
  readonly key: () => `0x${string}`;
  /** Seconds by which its clock is wrong. */
  readonly clock?: number;
  /** What its transport makes of a payment. */
  readonly breaks?: (payment: Payment, count: number) => Payment;
  /** Calls that succeed first. */
  readonly good?: number;
  readonly code: string;
  readonly cause: string;
  readonly reason: string;
  /** Whether the operator sees a proven payer, or a network and whom it claims to be. */
  readonly proven: boolean;
  readonly stops: 'blocked' | 'pending';
  /** Requests that reach the gate, at most. */
  readonly most: number;
};

let kept: Payment | undefined;
const AGENTS: readonly Agent[] = [
  {
    what: 'a bad key',
    key: generatePrivateKey,
    proven: false,
    stops: 'blocked',
    most: 2,
    breaks: (payment) => ({
      ...payment,
      payload: { ...payment.payload, authorization: { ...payment.payload.authorization, from: chain.accounts.payee.address } },
    }),
    code: 'PAYMENT_UNVERIFIED',
    cause: 'signature',
    reason: 'signature_invalid',
  },
  {
    what: 'an empty wallet',
    key: generatePrivateKey,
    proven: true,
    stops: 'blocked',
    most: 2,
    code: 'WALLET_INSUFFICIENT_FUNDS',
    cause: 'funds',
    reason: 'invalid_exact_evm_insufficient_balance',
  },
  {
    what: 'a clock that is 20 minutes late',
    key: generatePrivateKey,
    clock: -1_200,
    proven: true,
    stops: 'blocked',
    most: 4,
    code: 'INVOICE_EXPIRED',
    cause: 'expired',
    reason: 'expired',
  },
  {
    what: 'the wrong network',
    key: generatePrivateKey,
    proven: false,
    stops: 'pending',
    most: 2,
    breaks: (payment) => ({ ...payment, accepted: { ...payment.accepted, network: 'eip155:8453' } }),
    code: 'PAYMENT_UNVERIFIED',
    cause: 'terms',
    reason: 'terms_mismatch',
  },
  {
    what: 'a nonce that was used',
    key: () => chain.accounts.payer.privateKey,
    good: 1,
    proven: false,
    stops: 'pending',
    most: 4,
    breaks: ({ resource: _resource, ...payment }) => (kept ??= payment),
    code: 'PAYMENT_UNVERIFIED',
    cause: 'replayed',
    reason: 'payment_already_used',
  },
];

// Beside each other: what the operator sees comes some seconds later.
describe('broken agents', { concurrency: AGENTS.length }, () => {
  for (const [index, agent] of AGENTS.entries())
    it(`an agent with ${agent.what} is told so, stops by itself, and is seen`, async () => {
      const signer = localSigner(agent.key());
      const address = await signer.address();
      const events: EscalationEvent[] = [];
      let requests = 0;
      let paid = 0;
      const told: (Diagnostic | undefined)[] = [];
      const transport: typeof globalThis.fetch = async (input, init) => {
        requests += 1;
        const headers = new Headers(init?.headers);
        // As the platform would have it: each agent asks from a place of its own.
        headers.set('CF-Connecting-IP', `203.0.113.${index + 1}`);
        const header = headers.get('payment-signature');
        if (header !== null && agent.breaks !== undefined) {
          headers.set('payment-signature', encodeHeader(agent.breaks(decodeHeader(header) as Payment, paid)));
        }
        if (header !== null) paid += 1;
        const response = await globalThis.fetch(input, { ...init, headers });
        if (response.status >= 400) {
          const seen = { headers: Object.fromEntries(response.headers), text: await response.clone().text() };
          told.push(diagnosticIn(seen) as Diagnostic | undefined);
        }
        return response;
      };
      const fetch = wrapFetch(transport, {
        signer,
        onEscalation: (event) => {
          events.push(event);
        },
        ...(agent.clock === undefined ? {} : { now: () => Date.now() / 1000 + (agent.clock ?? 0) }),
      });
      const outcomes: string[] = [];
      for (let turn = 0; turn < TRIES; turn += 1) {
        // It asks for another thing each time, at the same place.
        const call = fetch(`${gate.url}/report?turn=${turn}`);
        outcomes.push(
          await call.then(
            ({ status }) => String(status),
            (error: unknown) => {
              assert.ok(error instanceof FareboxError, String(error));
              return error.code;
            },
          ),
        );
      }
      const good = agent.good ?? 0;
      assert.ok(requests <= agent.most, `${requests} requests: ${outcomes.join()}`);
      assert.deepEqual(new Set(outcomes.slice(good + 1)), new Set([agent.stops === 'blocked' ? 'endpoint_blocked' : 'approval_needed']));
      assert.equal(outcomes.filter((outcome) => outcome === '200').length, good);
      assert.equal(told.at(-1)?.code, agent.code);
      assert.equal(told.at(-1)?.reason, agent.reason);
      assert.deepEqual(
        events.map(({ diagnostic, endpoint, method }) => [diagnostic.code, endpoint, method]),
        agent.stops === 'blocked' ? [[agent.code, `${gate.url}/report`, 'GET']] : [],
      );
      const waiting = await fetch.endpoints[agent.stops]();
      assert.deepEqual(
        waiting.map(({ endpoint, diagnostic }) => [endpoint, diagnostic.code]),
        [[`${gate.url}/report`, agent.code]],
      );

      const claimed = agent.cause === 'signature' ? chain.accounts.payee.address : address;
      const item = await eventually('the failure is listed', async () =>
        (await failures()).find(
          (it) =>
            it['cause'] === agent.cause && (agent.proven ? it['client'] === address.toLowerCase() : it['claims'] === claimed.toLowerCase()),
        ),
      );
      assert.deepEqual([item['code'], item['reason'], item['route']], [agent.code, agent.reason, '/report']);
      assert.equal(/^0x/.test(String(item['client'])), agent.proven);

      // Once it is mended and somebody says so, it goes on.
      assert.equal(await fetch.endpoints[agent.stops === 'blocked' ? 'reenable' : 'approve'](`GET ${gate.url}/report`), true);
      const before = requests;
      await fetch(`${gate.url}/report?turn=again`).catch(() => undefined);
      assert.ok(requests > before, 'the next call goes out');
    });

  it('a stock client beside them pays as before', async () => {
    const fetch = payingFetch(globalThis.fetch, chain.accounts.payer);
    const response = await fetch(`${gate.url}/report`);
    assert.equal(response.status, 200, await response.text());
  });
});

async function failures(): Promise<Record<string, unknown>[]> {
  const response = await fetch(`${gate.url}/_farebox/failures`, { headers: { authorization: `Bearer ${TOKEN}` } });
  return ((await response.json()) as { items: Record<string, unknown>[] }).items;
}
