// A ledger that moves to another gate by the operator API, and one that is restored: what was paid is answered from its rows,
// nothing is charged or sold twice, and the books are the same.

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';

import { CLOSED, Copying, SECRETS } from './copying.ts';

let world: Copying;
/** What an operator reads of the ledger that moves. */
let moved: Readonly<Record<string, string>>;
before(async () => {
  world = await Copying.start();
});
after(() => world?.stop());

/** The client of a session, with one deposit for all of its requests. */
function session(): (url: string) => Promise<Response> {
  const [, payer] = world.chain.accounts.payers;
  assert.ok(payer);
  const { readContract } = world.chain.publicClient;
  const client = new BatchSettlementEvmScheme({ ...payer, readContract } as never, { depositStrategy: () => 100_000n });
  return wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client }] });
}

async function until(is: () => Promise<boolean>): Promise<void> {
  for (let looks = 0; looks < 150; looks += 1) {
    if (await is()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail('it did not come');
}

//
test('a ledger moves: what was paid is answered from its rows, and channels go on', { timeout: 240_000 }, async () => {
  await world.gate('first', world.withSessions());
  const sold = [await world.pay('/report'), await world.pay('/report-before')];
  const owed = [await world.pay('/fail/503'), await world.pay('/fail/500'), await world.pay('/fail/502')];
  assert.deepEqual(
    [...sold, ...owed].map(({ status }) => status),
    [200, 200, 502, 502, 502],
  );
  const due = JSON.parse(await world.ask('payments?state=refund_due')).items as { id: string }[];
  await world.ask(`payments/${due[0]?.id}/waived`, { method: 'POST', body: '{"reason":"settled by hand"}', headers: world.operator });
  await world.ask(`payments/${due[1]?.id}/refunding`, { method: 'POST', body: '{"key":"a-program"}', headers: world.operator });
  const live = session();
  for (let request = 0; request < 3; request += 1) assert.equal((await live(`${world.url}/report/live`)).status, 200);
  await until(async () => JSON.parse(await world.ask('channels')).items.length === 1);
  await world.show('/report', 'bm8gcGF5bWVudA==');

  // The gate stops selling first.
  await world.gate('first', CLOSED);
  const answers = async () => [
    await world.show('/report', sold[0]?.payment ?? ''),
    await world.show('/report-before', sold[1]?.payment ?? ''),
    await world.show('/fail/503', owed[0]?.payment ?? ''),
  ];
  await world.gate('first', world.withSessions());
  const before = await answers();
  await world.gate('first', CLOSED);
  moved = await world.books();
  const copied = await world.run(['backup', world.at('moved')]);
  assert.equal(copied.code, 0, copied.err);
  assert.match(copied.err, /sold nothing meanwhile/);
  const inside = join(world.at('moved'), '.farebox-gate');
  const text = readFileSync(join(inside, 'ledger.jsonl'), 'utf8') + readFileSync(join(inside, 'ledger.json'), 'utf8');
  for (const secret of Object.values(SECRETS)) assert.equal(text.includes(secret), false, 'no secret is in a copy');
  assert.equal(statSync(join(inside, 'ledger.jsonl')).mode & 0o777, 0o600);

  await world.gate('second', CLOSED);
  const restored = await world.run(['restore', world.at('moved')]);
  assert.equal(restored.code, 0, restored.err);
  assert.deepEqual(await world.books(), moved);
  const again = await world.run(['restore', world.at('moved')]);
  assert.equal(again.code, 0, 'it is all there');
  await world.gate('second', world.withSessions());
  const { settle } = world.facilitator.counts;
  assert.deepEqual(await answers(), before);
  for (let request = 0; request < 2; request += 1) assert.equal((await live(`${world.url}/report/live`)).status, 200);
  assert.equal(world.facilitator.counts.settle, settle, 'nothing was charged again');
  assert.equal((await world.pay('/report')).status, 200);
  const audit = JSON.parse(await world.ask('audit')) as { items: { difference: string }[] };
  assert.deepEqual(
    audit.items.map(({ difference }) => difference),
    ['0'],
  );
  // Somebody may have paid back where it was copied, since then.
  assert.match(restored.err, /--restored/);
  const begin = (body: string) =>
    fetch(`${world.url}/_farebox/payments/${due[2]?.id}/refunding`, { method: 'POST', body, headers: world.operator });
  const blind = await begin('{"key":"a-program"}');
  assert.deepEqual([blind.status, ((await blind.json()) as { code: string }).code], [409, 'refund_restored']);
  assert.equal((await begin('{"key":"a-program","restored":true}')).status, 200);
});

//
test('a restore that was killed once its channels were let go goes on to the end', { timeout: 240_000 }, async () => {
  await world.gate('let-go', CLOSED);
  await world.killed(world.at('moved'), 'end', 1);
  const books = await fetch(`${world.url}/_farebox/totals`, { headers: world.operator });
  assert.equal(books.status, 503, 'all other objects are held');
  const whole = await world.run(['restore', world.at('moved')]);
  assert.equal(whole.code, 0, whole.err);
  assert.deepEqual(await world.books(), moved);
});

//
test('what was paid since a copy of a gate that sells buys nothing at the one that is restored', { timeout: 240_000 }, async () => {
  await world.gate('third');
  const known = await world.pay('/report');
  const copied = await world.run(['backup', world.at('sells')]);
  assert.equal(copied.code, 0, copied.err);
  assert.match(copied.err, /may be missing/);
  const lost = await world.pay('/report');
  assert.deepEqual([known.status, lost.status], [200, 200]);
  const answer = await world.show('/report', known.payment);

  await world.gate('fourth');
  const without = await world.run(['restore', world.at('sells')]);
  assert.equal(without.code, 1);
  assert.match(without.err, /nothing was changed.*LEDGER_CLOSED_BEFORE/);
  await world.gate('fourth', { LEDGER_CLOSED_BEFORE: Math.floor(Date.now() / 1000) + 1 });
  const restored = await world.run(['restore', world.at('sells')]);
  assert.equal(restored.code, 0, restored.err);
  const { settle } = world.facilitator.counts;
  assert.deepEqual(await world.show('/report', known.payment), answer);
  assert.deepEqual(await world.show('/report', lost.payment), [503, 'settlement_unknown']);
  assert.equal(world.facilitator.counts.settle, settle);
});
