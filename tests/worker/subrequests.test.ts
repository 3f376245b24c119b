/**
 * What one request costs the platform: calls of ledger objects and fetches, counted at the isolate. Plans allow 50 for
 * a request; an ordinary payment makes at most 8, and no way through the gate more than 32.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import type { Value } from './support/gate.ts';
import { ChainNode } from './support/node.ts';
import { freshPayer } from './support/payer.ts';
import type { Answer } from './support/raw.ts';
import {
  begin,
  eventually,
  expectPaid,
  expectProblem,
  MODES,
  type Mode,
  openWorld,
  payFor,
  routes,
  send,
  type World,
} from './support/world.ts';

const ORDINARY = 8;
const ANY = 32;
const IDENTIFIER = 'pay_0123456789abcdef0123456789abcdef';
/** Only the request itself calls anybody: alarms come long after the test. */
const UNHURRIED: Value = { settle_secs: 2, resend_secs: [600], chain_secs: [600, 600], refund_secs: 600 };
const common = { price: '$0.01', max_timeout_secs: 90, origin_timeout_secs: 5 };
const ROUTES = routes([
  { path: '/chain-after/*', settle: 'after', confirm: 'chain', ...common },
  { path: '/chain-before/*', settle: 'before', confirm: 'chain', ...common },
]);

type Counted = { readonly answer: Answer; readonly objects: number; readonly fetched: readonly string[]; readonly all: number };

/** What one request called until it was answered. */
async function counted(world: World, request: () => Promise<Answer>): Promise<Counted> {
  await world.gate.ledger('ok');
  const answer = await request();
  const { calls, fetched } = await world.gate.ledger();
  return { answer, objects: calls, fetched, all: calls + fetched.length };
}

describe('calls of one request', () => {
  let plain: World;
  let chained: World;
  let node: ChainNode;
  before(async () => {
    node = await ChainNode.start();
    plain = await openWorld({ probe: true, vars: { RECOVERY: UNHURRIED } });
    chained = await openWorld({ probe: true, routes: ROUTES, vars: { RECOVERY: UNHURRIED, RPC_URL: node.url } });
    node.facilitator = chained.facilitator;
  });
  after(() => Promise.all([plain.stop(), chained.stop(), node.stop()]));

  // A-129
  it('what is not paid for asks no object', async () => {
    for (const world of [plain, chained]) {
      assert.equal((await counted(world, () => world.gate.raw('GET', '/after/unpaid'))).all, 0);
      assert.equal((await counted(world, () => world.gate.raw('GET', '/free'))).all, 1);
    }
  });

  // Claim, verify, origin, seal, settle, outcome; `before` needs no verify. The chain adds a look at its height beside the
  // claim, and `confirm = "chain"` one at the transaction.
  const ordinary: readonly (readonly [what: string, world: () => World, prefix: string, calls: Readonly<Record<Mode, number>>])[] = [
    ['without a chain', () => plain, '', { after: 6, before: 5 }],
    ['with a chain to read', () => chained, '', { after: 7, before: 6 }],
    ['confirmed by the chain', () => chained, 'chain-', { after: 8, before: 7 }],
  ];
  for (const [what, of, prefix, calls] of ordinary) {
    for (const mode of MODES) {
      it(`a payment ${what} makes ${calls[mode]} (${mode})`, async () => {
        const path = `/${prefix}${mode}/ordinary`;
        const payment = await payFor(of(), path, { identifier: IDENTIFIER });
        const { answer, all } = await counted(of(), () => send(of(), path, payment));
        expectPaid(answer, payment);
        assert.equal(all, calls[mode]);
        assert.ok(all <= ORDINARY);
        const again = await counted(of(), () => send(of(), path, payment));
        assert.equal(again.answer.headers['payment-replayed'], 'true');
        assert.ok(again.all <= 2, `${again.all} for a repeat`);
      });

      it(`a payment ${what} whose outcome stays unknown makes few more, and so does each repeat (${mode})`, async () => {
        const path = `/${prefix}${mode}/unknown`;
        const payment = await payFor(of(), path);
        of().facilitator.script(payment.payer, { settle: { kind: 'destroy' } });
        for (const most of [11, 8]) {
          const { answer, all } = await counted(of(), () => send(of(), path, payment));
          expectProblem(answer, { status: 503, code: 'settlement_unknown', retryAfter: 5 });
          assert.ok(all <= most, `${all}`);
        }
      });
    }
  }

  // A-156
  it('a receipt is looked for in the object that its id names, and in those of its payer where they are named', async () => {
    const asked = async (shards: string, known: boolean): Promise<Counted> => {
      await plain.gate.restart('dispose', { vars: { LEDGER_SHARDS: shards } });
      const path = `/after/receipt-${shards}-${known}`;
      const payment = await payFor(plain, path, { identifier: IDENTIFIER });
      expectPaid(await send(plain, path, payment), payment);
      const id = String(plain.origin.of(path)[0]?.headers['farebox-payment']);
      const target = `/_farebox/receipts/${id}${known ? `?payer=${payment.payer}` : ''}`;
      return counted(plain, () => plain.gate.raw('GET', target, [['Idempotency-Key', IDENTIFIER]]));
    };
    const cases = [
      ['16', false, 200, 1],
      ['33', false, 200, 1],
      ['4096', false, 200, 4],
      ['64,16', true, 200, 2],
    ] as const;
    for (const [shards, known, status, calls] of cases) {
      const { answer, all } = await asked(shards, known);
      assert.deepEqual([answer.status, all], [status, calls], `${shards}, ${known ? 'with' : 'without'} the payer`);
    }
  });
});

describe('the longest way of a request', { concurrency: 2 }, () => {
  for (const mode of MODES) {
    // A-134
    it(`makes at most 32 calls: a change of the objects, a wait, a doubtful confirmation and a long search (${mode})`, async () => {
      const node = await ChainNode.start();
      const vars = { RECOVERY: UNHURRIED, RPC_URL: node.url, LEDGER_SHARDS: '64,16', MAX_IN_FLIGHT_PER_PAYER: 1 };
      const world = await openWorld({ probe: true, routes: ROUTES, vars });
      node.facilitator = world.facilitator;
      try {
        const payer = freshPayer();
        const held = '/before/in-flight';
        world.origin.script(held, { delayMs: 700 });
        const first = await payFor(world, held, { payer });
        const path = `/chain-${mode}/longest`;
        const payment = await payFor(world, path, { payer });
        const other = begin(send(world, held, first));
        await eventually('the first one is in flight', () => world.origin.of(held).length === 1);

        // The transfer is where only the third search for logs looks.
        node.finds = 'logs';
        node.delayBlocks = 25_000;
        node.batches.length = 0;
        const { answer, all, objects } = await counted(world, () => send(world, path, payment, { timeoutMs: 90_000 }));
        expectPaid(await other, first);
        expectPaid(answer, payment);
        const methods = node.batches.map((batch) => batch.join());
        assert.equal(methods.filter((batch) => batch === 'eth_chainId,eth_blockNumber').length, 1, 'first sight is read once');
        assert.equal(methods.filter((batch) => batch.includes('eth_getLogs')).length, 3);
        // Everything that is told an object but the claims: seal, two outcomes, what the chain says; and the first one's seal.
        const claims = objects - 5;
        const most = all - 1 + (MOST_CLAIMS - claims);
        assert.ok(most <= ANY, `${all} calls with ${claims} claims: ${methods.join(' ')}`);
      } finally {
        await world.stop();
        await node.stop();
      }
    });
  }
});

/** One under the old number, one under the new one, and four tries more. */
const MOST_CLAIMS = 6;
