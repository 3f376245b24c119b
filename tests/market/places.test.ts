/** Who has a place in the built market's catalogue when it is full: those for whom money moved. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';

import { Seller } from './support/seller.ts';
import { type Answer, forwarded, Market, newOwner } from './support/worker.ts';

const LIMIT = { timeout: 120_000 };
/** Of which some 50 fill the table. */
const WIDE = 80;
const OUTPUT = { text: 'x'.repeat(3_900) };

let market: Market;
let seller: Seller;
before(async () => {
  seller = await Seller.start();
  market = await Market.start();
});
after(async () => {
  await market.stop();
  await seller.stop();
});

const wide = (owner: ReturnType<typeof newOwner>, id: string): Promise<Answer> =>
  market.publish(owner, { skillId: id, name: id, callUrl: `${seller.url}/${id}`, price: '$0.25', settle: 'before', output: OUTPUT });
/** The seller fails, so that the gate charges nothing unless it has settled before. */
async function sell(id: string, transaction: string): Promise<void> {
  seller.scripts.set(`/${id}`, (_request, response) => {
    response.writeHead(500).end();
  });
  const told = { amount: '250000', payment: `payment of ${id}`, transaction };
  const { status } = await market.ask('POST', `/s/${id}`, { body: '{}', headers: forwarded('POST', `/s/${id}`, told) });
  assert.equal(status, 500);
}
const listed = async (): Promise<string[]> =>
  (await market.ask('GET', '/api/marketplace/skills')).json.skills.map(({ id }: { id: string }) => id);

//
it('a payment that was shown and not settled keeps no place, and one that was settled does', LIMIT, async () => {
  assert.equal((await wide(newOwner(), 'honest')).status, 201);
  await sell('honest', `0x${'1'.repeat(64)}`);
  const owners = Array.from({ length: Math.ceil(WIDE / 3) }, newOwner);
  for (let index = 0; index < WIDE; index += 1) {
    const { status, text } = await wide(owners[Math.floor(index / 3)] ?? assert.fail(), `shown-${index}`);
    assert.equal(status, 201, text);
    await sell(`shown-${index}`, '');
  }
  assert.equal((await wide(newOwner(), 'newcomer')).status, 201);
  const ids = await listed();
  assert.ok(ids.includes('honest') && ids.includes('newcomer') && !ids.includes('shown-0'), ids.join());
  // What made room comes back at once, and for its owner alone.
  assert.equal((await wide(newOwner(), 'shown-0')).status, 409);
  assert.equal((await wide(owners[0] ?? assert.fail(), 'shown-0')).status, 201);
  assert.ok((await listed()).includes('shown-0'));
});
