// Long bodies of whoever has the key of a pack, or a token, take turns: the market's one object parses them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Seller } from './support/seller.ts';
import { FakeTreasury, tokenOf } from './support/treasury.ts';
import { forwarded, Market, newOwner } from './support/worker.ts';

/** More at once than may wait, each of some milliseconds' work. */
const AT_ONCE = 150;
const LENGTH = 250_000;

let seller: Seller;
let market: Market;
before(async () => {
  seller = await Seller.start();
  market = await Market.start({ treasury: new FakeTreasury().bound });
});
after(async () => {
  await market?.stop();
  await seller?.stop();
});

//
test('long bodies with the key of a pack take turns, and refuse nothing of an agent or of who sends a short one', async () => {
  const skill = { skillId: 'mine', name: 'Mine', callUrl: `${seller.url}/mine`, price: '$0.0001', packs: { starter: '$0.01' } };
  assert.equal((await market.publish(newOwner(), skill)).status, 201);
  const paid = forwarded('POST', '/packs/mine/starter', { payment: 'payment-p', amount: '10000', transaction: `0x${'ab'.repeat(32)}` });
  const sold = await market.ask('POST', '/packs/mine/starter', { body: '{}', headers: { ...paid, 'content-type': 'application/json' } });
  const { key } = (sold.json as { pack: { key: string } }).pack;
  const send = async (token: string, length: number): Promise<number> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ agentId: '', payload: 'x'.repeat(length) });
    return (await market.ask('POST', '/api/marketplace/skills/mine/invoke', { body, headers })).status;
  };
  const senders = Promise.all(Array.from({ length: AT_ONCE }, () => send(key, LENGTH)));
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.deepEqual(await Promise.all([send(tokenOf('agent-1'), LENGTH), send(key, 1_000)]), [400, 400]);
  const statuses = await senders;
  // None has an agent's name. Who found no place was told so at once.
  assert.deepEqual([...new Set(statuses)].sort(), [400, 429]);
});
