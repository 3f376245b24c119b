// A merchant that settles and answers badly: the same request, asked again by an agent of the treasury, moves money once on the chain.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { buy, clientOf, during, harnessOf, startTreasuryWorld, type TreasuryWorld } from './buyers.ts';

let world: TreasuryWorld;
before(async () => {
  world = await startTreasuryWorld({ stock: false, organizations: ({ scripted }) => [
    { name: 'acme', policy: { allowedOrigins: [scripted.url], perMonth: { USDC: '50' } }, agents: [{ name: 'buyer' }] },
    { name: 'careful', policy: { allowedOrigins: [scripted.url], reviewAbove: { USDC: '0.005' } }, agents: [{ name: 'buyer' }] },
  ] });
}, { timeout: 120_000 });
after(() => world?.stop());

const LIMIT = { timeout: 240_000 };
const WAYS = [...[301, 307, 400, 402, 403, 404, 409, 410, 429, 451, 500, 502, 504].map((status) => `mute/${status}`), 'fail/402', 'fail/404', 'fail/429', 'fail/500', 'fail/504', 'lost', 'cut'];
const url = (way: string, who: string): string => `${world.merchants.scripted.url}/${way}${way.includes('/') ? '/' : '/x/'}${who}`;

type Tries = (url: string, way: string) => Promise<unknown>;
const ENTRIES: Record<string, () => Tries> = {
  'without a key': () => (at) => buy(clientOf(world, 'acme', 'buyer'), at),
  'with a key': () => (at, way) => buy(clientOf(world, 'acme', 'buyer'), at, undefined, { idempotencyKey: `key ${way}` }),
  'by a harness': () => {
    const harness = harnessOf(world, 'acme', 'buyer');
    return async (at) => harness.executePreparedRequest({ preparedId: (await harness.preparePaidRequest({ url: at })).preparedId });
  },
};

for (const [entry, begins] of Object.entries(ENTRIES)) {
  test(`${entry}: what is settled and answered badly is charged once, asked three times`, LIMIT, async () => {
    const tries = begins();
    const counts: [string, number][] = [];
    for (const way of WAYS) {
      const at = url(way, entry.replaceAll(' ', '-'));
      const { count } = await during(world, async () => {
        for (let turn = 0; turn < 3; turn += 1) await tries(at, way).catch(() => undefined);
      });
      counts.push([way, count]);
    }
    assert.deepEqual(counts, WAYS.map((way) => [way, 1]));
  });
}

test('two purchases one after the other are two charges, and what nothing settled is none', async () => {
  const client = clientOf(world, 'acme', 'buyer');
  const two = await during(world, async () => [await buy(client, url('honest', 'twice')), await buy(client, url('honest', 'twice'))]);
  assert.deepEqual([two.result.map(({ kind }) => kind), two.count], [['success', 'success'], 2]);
  const none = await during(world, async () => [await buy(client, url('reject/404', 'never')), await buy(client, url('reject/404', 'never'))]);
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
