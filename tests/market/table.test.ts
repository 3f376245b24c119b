/** The route table that the market writes for the gate: whole, in order, whoever publishes and however the store behaves. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { eventually } from '../support/eventually.ts';
import { type Kv, Market, newOwner, signed } from './support/worker.ts';

const skill = (id: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  skillId: id,
  name: id,
  callUrl: 'http://127.0.0.1:9/x',
  price: '$0.01',
  ...more,
});
const path = (id: string): string => `/s/${id}`;

describe('the table of a market', () => {
  let market: Market;
  let kv: Kv;
  const owner = newOwner();
  before(async () => {
    market = await Market.start();
    kv = market.kv;
  });
  after(() => market.stop());

  const written = (id: string): Promise<boolean> => eventually(`${id} is written`, () => kv.paths().includes(path(id)));
  const live = (id: string): Promise<unknown> => eventually(`${id} is live`, () => isLive(id));
  const isLive = async (id: string): Promise<boolean> => (await market.ask('GET', `/skills/${id}`)).text.includes('schema.org/InStock');

  it('has a skill with its price and payee once it is published, and its page says so', async () => {
    assert.equal((await market.publish(owner, skill('first'))).status, 201);
    await written('first');
    const route = kv.routes.find((one) => one.path === path('first'));
    assert.deepEqual([route?.pay_to, route?.price], [owner.address, '0.01']);
    await live('first');
  });

  it('has what several owners publish at once, in few writes', async () => {
    const before = kv.written.length;
    const ids = Array.from({ length: 12 }, (_, index) => `crowd-${index}`);
    const answers = await Promise.all(ids.map((id) => market.publish(newOwner(), skill(id))));
    assert.deepEqual(
      answers.map(({ status }) => status),
      ids.map(() => 201),
    );
    await Promise.all(ids.map(written));
    assert.ok(kv.written.length - before <= 6, `${kv.written.length - before} writes`);
    // Whatever readers saw in between was a table with all that came before.
    for (const text of kv.written.slice(before)) assert.ok(text.includes('"/s/first"'), text);
  });

  it('leaves out a skill whose route the gate refuses, which blocks no other', async () => {
    const refused = await market.publish(owner, skill('refused', { inputSchema: { $ref: 'https://elsewhere.example/schema' } }));
    assert.equal(refused.status, 201, refused.text);
    assert.equal((await market.publish(newOwner(), skill('fine'))).status, 201);
    await written('fine');
    await live('fine');
    assert.ok(!kv.paths().includes(path('refused')));
    assert.equal(await isLive('refused'), false);
  });

  //
  it('never has more values than the gate reads, and sells whoever comes after many of another network', async () => {
    // 900 values each; the gate reads 16,384 in all.
    const many = { input: { list: Array.from({ length: 500 }, () => 0) }, output: { list: Array.from({ length: 380 }, () => 0) } };
    const owners = Array.from({ length: 24 }, newOwner);
    for (const [index, wide] of owners.entries()) {
      const answer = await market.publish(wide, skill(`wide-${index}`, many), { 'cf-connecting-ip': '192.0.2.7' });
      assert.equal(answer.status, 201, answer.text);
    }
    assert.equal((await market.publish(newOwner(), skill('narrow'))).status, 201);
    await written('narrow');
    await live('narrow');
    assert.ok(kv.paths().includes(path('first')) && kv.paths().includes(path('wide-23')) && !kv.paths().includes(path('wide-0')));
    const values = (value: unknown): number =>
      typeof value === 'object' && value !== null ? 1 + Object.values(value).reduce((sum: number, inner) => sum + values(inner), 0) : 1;
    for (const text of kv.written) assert.ok(values(JSON.parse(text)) <= 16_384, `${values(JSON.parse(text))} values`);
    for (const [index, wide] of owners.entries()) {
      const body = await signed('deactivate', wide, {}, `wide-${index}`);
      await market.ask('DELETE', `/api/marketplace/skills/wide-${index}`, { body });
    }
  });

  it('loses the route of a skill that is taken back', async () => {
    assert.equal((await market.publish(owner, skill('gone'))).status, 201);
    await written('gone');
    const body = await signed('deactivate', owner, {}, 'gone');
    const answer = await market.ask('DELETE', '/api/marketplace/skills/gone', { body });
    assert.equal(answer.status, 200, answer.text);
    await eventually('it is gone', () => !kv.paths().includes(path('gone')));
    assert.ok(kv.paths().includes(path('first')));
  });

  it('is written when the store is there again, with all that was published meanwhile', async () => {
    kv.isDown = true;
    const tried = kv.attempts;
    for (const id of ['down-1', 'down-2']) assert.equal((await market.publish(newOwner(), skill(id))).status, 201);
    await eventually('it was tried twice', () => kv.attempts >= tried + 2);
    assert.equal(await isLive('down-1'), false);
    kv.isDown = false;
    for (const id of ['down-1', 'down-2']) await written(id);
    await live('down-2');
  });

  it('never is without a route, and every version of it is one that the gate takes', () => {
    for (const text of kv.written) assert.ok(JSON.parse(text).length > 0);
  });
});
