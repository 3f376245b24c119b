// Streams by x402 on a chain: the published client of `batch-settlement`, unchanged, buys each with one voucher up to its
// price. What flowed is charged in steps, the rest is not, and the rest of the deposit comes back.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';

import { type Chain, startChain } from '../../demo/chain.mjs';
import { type Facilitator, startFacilitator } from '../../demo/facilitator.mjs';
import { gateVars } from '../../demo/gate.mjs';
import { type Gate, startGate } from '../../scripts/miniflare.mjs';
import { readWithStall, type Streams, startStreams } from './stream-origin.ts';

/** Of an event, in atomic units. */
const UNIT = 100n;
const DEPOSIT = 100_000n;
let [chain, facilitator, gate, origin]: [Chain, Facilitator, Gate, Streams] = [] as never;
const ends: { stop(): unknown }[] = [];
function keep<T extends { stop(): unknown }>(part: T): T {
  ends.unshift(part);
  return part;
}

before(async () => {
  chain = keep(await startChain());
  origin = keep(await startStreams());
  facilitator = keep(await startFacilitator({ chain }));
  const sold = (path: string, price: string) => ({
    path,
    methods: ['GET'],
    price,
    session_delay_secs: 900,
    session_unit: 'event',
    session_unit_price: '$0.0001',
    session_step: 3,
  });
  gate = keep(
    await startGate({
      build: process.env.FAREBOX_BUILD ?? 'build',
      vars: {
        ...gateVars({ chain, facilitator, origin }),
        ROUTES: [
          sold('/held', '$0.001'),
          sold('/events', '$0.002'),
          { ...sold('/feed', '$0.0013'), session_unit: 'second', session_step: 1 },
        ],
      },
    }),
  );
});
after(async () => {
  for (const part of ends) await part.stop();
});

interface Settlement {
  success: boolean;
  extra: { chargedAmount: string; channelState: { chargedCumulativeAmount: string } };
}

/** Reads a stream to its end: events, and the settlement in the last one. */
async function read(answer: Response) {
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  const begun = JSON.parse(Buffer.from(answer.headers.get('payment-response') ?? '', 'base64').toString('utf8')) as Settlement;
  const [, last] = /event: payment-receipt\ndata: (.*)\n\n$/.exec(text) ?? [];
  return { begun, events: text.match(/^data: event/gm)?.length ?? 0, ended: JSON.parse(last ?? 'null') as Settlement };
}

test('the published client buys streams up to their price, and pays for what flowed', async () => {
  const payer = chain.accounts.payers[0];
  assert.ok(payer);
  const { readContract } = chain.publicClient;
  const scheme = new BatchSettlementEvmScheme({ ...payer, readContract } as never, { depositStrategy: () => DEPOSIT });
  const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client: scheme }] });
  const [funds, earlier] = [await chain.balanceOf(payer.address), await chain.balanceOf(chain.accounts.payee.address)];
  // Of an origin that does not end: a price of ten events has three steps of three.
  const first = await read(await pay(`${gate.url}/held`));
  assert.deepEqual(
    [first.begun.extra.chargedAmount, first.events, first.ended.extra.chargedAmount],
    [String(3n * UNIT), 9, String(9n * UNIT)],
  );
  const counts = { ...facilitator.counts };
  // Its answer was charged on after its head: the client goes on from the state that the gate tells.
  const second = await read(await pay(`${gate.url}/held`));
  assert.deepEqual([second.events, second.ended.extra.channelState.chargedCumulativeAmount], [9, String(18n * UNIT)]);
  // One that ends before its price is used up costs less.
  const third = await read(await pay(`${gate.url}/events`));
  assert.deepEqual([third.events, third.ended.success, third.ended.extra.chargedAmount], [12, true, String(12n * UNIT)]);
  assert.deepEqual([facilitator.counts, origin.sent.asked], [counts, 3]);
  const refunded = await scheme.refund(`${gate.url}/events`);
  assert.equal(refunded.amount, String(DEPOSIT - 30n * UNIT));
  assert.equal(await chain.balanceOf(payer.address), funds - 30n * UNIT);
  const paid = async () => (await chain.balanceOf(chain.accounts.payee.address)) - earlier;
  for (let waits = 0; waits < 300 && (await paid()) !== 30n * UNIT; waits += 1) await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(await paid(), 30n * UNIT);
});

//
test('who stops reading for a while has used up a price by the second', async () => {
  const payer = chain.accounts.payers[1];
  assert.ok(payer);
  const scheme = new BatchSettlementEvmScheme({ ...payer, readContract: chain.publicClient.readContract } as never, {
    depositStrategy: () => DEPOSIT,
  });
  const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client: scheme }] });
  const answer = await pay(`${gate.url}/feed`);
  assert.equal(answer.status, 200);
  // Thirteen seconds were paid, and thirteen and a half have passed when it reads on.
  const seconds = await readWithStall(answer, 30_000);
  assert.ok(seconds < 16, `it flowed for ${seconds} seconds`);
  const refunded = await scheme.refund(`${gate.url}/events`);
  assert.equal(refunded.amount, String(DEPOSIT - 13n * UNIT));
});
