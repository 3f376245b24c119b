// A merchant that settles and answers badly: the same request, asked again by an agent of the treasury, moves money once on the chain.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../support/eventually.ts';
import { sharedWorld } from '../support/suite.ts';
import { buy, clientOf, during, harnessOf, startTreasuryWorld, type Told } from './buyers.ts';

const world = sharedWorld(() =>
  startTreasuryWorld({
    stock: false,
    organizations: ({ scripted }) => [
      { name: 'acme', policy: { allowedOrigins: [scripted.url], perMonth: { USDC: '50' } }, agents: [{ name: 'buyer' }] },
      { name: 'careful', policy: { allowedOrigins: [scripted.url], reviewAbove: { USDC: '0.005' } }, agents: [{ name: 'buyer' }] },
    ],
  }),
);

const LIMIT = { timeout: 240_000 };
const WAYS = [
  ...[301, 307, 400, 402, 403, 404, 409, 410, 429, 451, 500, 502, 504].map((status) => `mute/${status}`),
  'fail/402',
  'fail/404',
  'fail/429',
  'fail/500',
  'fail/504',
  'lost',
  'cut',
];
/** Content without a receipt, or with one of another payment: no word of a server closes a purchase. */
const DELIVERED = ['mute/200', 'mute/204', 'lie/200'];
const url = (way: string, who: string): string => `${world.merchants.scripted.url}/${way}${way.includes('/') ? '/' : '/x/'}${who}`;

type Tries = (url: string, way: string) => Promise<unknown>;
const AGENTS: Record<string, () => Tries> = {
  'without a key': () => (at) => buy(clientOf(world, 'acme', 'buyer'), at),
  'with a key': () => (at, way) => buy(clientOf(world, 'acme', 'buyer'), at, undefined, { idempotencyKey: `key ${way}` }),
};
const ENTRIES: Record<string, () => Tries> = {
  ...AGENTS,
  'by a harness': () => {
    const harness = harnessOf(world, 'acme', 'buyer');
    return async (at) => harness.executePreparedRequest({ preparedId: (await harness.preparePaidRequest({ url: at })).preparedId });
  },
};

for (const [entry, begins] of Object.entries(ENTRIES)) {
  // I-23
  test(`${entry}: what is settled and answered badly is charged once, asked three times`, LIMIT, async () => {
    const tries = begins();
    const counts: [string, number][] = [];
    const ways = [...WAYS, ...DELIVERED];
    for (const way of ways) {
      const at = url(way, entry.replaceAll(' ', '-'));
      const { count } = await during(world, async () => {
        for (let turn = 0; turn < 3; turn += 1) await tries(at, way).catch(() => undefined);
      });
      counts.push([way, count]);
    }
    assert.deepEqual(
      counts,
      ways.map((way) => [way, 1]),
    );
  });
}

for (const [entry, begins] of Object.entries(AGENTS)) {
  test(
    `${entry}: what is settled and delivered without its receipt is charged once, asked before and after a crash of the treasury`,
    LIMIT,
    async () => {
      const tries = begins();
      const ask = (way: string) => tries(url(way, `crash-${entry.replaceAll(' ', '-')}`), `crash ${way}`) as Promise<Told>;
      const counts: [string, string[], number][] = [];
      const first: Told[] = [];
      const { count } = await during(world, async () => {
        for (const way of DELIVERED) first.push(await ask(way));
      });
      assert.deepEqual([first.map(({ kind }) => kind), count], [DELIVERED.map(() => 'success'), DELIVERED.length]);
      await world.crash();
      for (const way of DELIVERED) {
        const { count, result } = await during(world, async () => [await ask(way), await ask(way)]);
        counts.push([way, result.map(({ kind, receipt }) => `${kind} ${receipt?.settlementEvidenceClass}`), count]);
      }
      assert.deepEqual(
        counts.map(([way, , count]) => [way, count]),
        DELIVERED.map((way) => [way, 0]),
        JSON.stringify(counts),
      );
    },
  );
}

test('content without a receipt is a purchase that is over once the chain has confirmed it', async () => {
  const client = clientOf(world, 'acme', 'buyer');
  const at = url('mute/200', 'confirmed');
  const { result: first, count } = await during(world, () => buy(client, at));
  assert.deepEqual([first.kind, first.receipt.settlementEvidenceClass, count], ['success', 'none', 1]);
  await world.mine(13);
  const receipt = await eventually(
    'the receipt is confirmed',
    async () => (await client.lookupReceipt(first.receipt.receiptId)).receipt,
    ({ status }) => status === 'confirmed',
  );
  assert.match(receipt.settlementIdentifier ?? '', /^0x[0-9a-f]{64}$/);
  const next = await during(world, () => buy(client, at));
  assert.deepEqual([next.result.kind, next.count], ['success', 1]);
  assert.notEqual(next.result.paidRequestId, first.paidRequestId);
});

test('two purchases one after the other are two charges, and what nothing settled is none', async () => {
  const client = clientOf(world, 'acme', 'buyer');
  const two = await during(world, async () => [await buy(client, url('honest', 'twice')), await buy(client, url('honest', 'twice'))]);
  assert.deepEqual([two.result.map(({ kind }) => kind), two.count], [['success', 'success'], 2]);
  const none = await during(world, async () => [
    await buy(client, url('reject/404', 'never')),
    await buy(client, url('reject/404', 'never')),
  ]);
  assert.equal(none.count, 0);
});

test('what a person approved is bought by the next attempt of the harness, under a key of its own', async () => {
  const harness = harnessOf(world, 'careful', 'buyer');
  const attempt = async () => {
    const { preparedId } = await harness.preparePaidRequest({ url: url('honest', 'reviewed') });
    const result = await harness.executePreparedRequest({ preparedId });
    return result.harnessDisposition === 'executed' ? result : assert.fail(result.message);
  };
  const { policyReviewEventId } = await attempt();
  assert.equal((await world.operate('POST', `organizations/careful/reviews/${policyReviewEventId}/approve`, {})).status, 200);
  const { result, count } = await during(world, attempt);
  assert.deepEqual([result.sdkOutcomeKind, count], ['success', 1], result.reason);
  assert.equal((await attempt()).sdkOutcomeKind, 'denied', 'another purchase is another review');
});
