/**
 * A panic anywhere in the compiled market, or an exception that comes through it: whoever waits is told at once, no request hangs, the next one works,
 * and nothing that the object was writing is kept. Runs a build that panics on request.
 */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';

import { eventually } from '../support/eventually.ts';
import { DRILL, Market, newOwner } from './support/worker.ts';

const SKILLS = '/api/marketplace/skills';

describe('a panic of the market', () => {
  let market: Market;
  const owner = newOwner();
  before(async () => {
    market = await Market.start({ build: DRILL });
    assert.equal(
      (await market.publish(owner, { skillId: 'first', name: 'first', callUrl: 'http://127.0.0.1:9/x', price: '$0.01' })).status,
      201,
    );
  });
  after(() => market.stop());

  /** A request whose body does not come to its end: it waits in the instance. */
  function neighbour(name: string): Promise<number> {
    return new Promise<number>((resolve, reject) => {
      const asked = request(
        `${market.url}${SKILLS}`,
        { method: 'POST', headers: { 'transfer-encoding': 'chunked', 'x-waits': name } },
        (response) => {
          response.resume();
          asked.destroy();
          resolve(response.statusCode ?? 0);
        },
      );
      asked.on('error', reject);
      asked.write('{');
    });
  }

  const ids = async (): Promise<string[]> => (await market.ask('GET', SKILLS)).json.skills.map(({ id }: { id: string }) => id);

  for (const [what, header] of [
    ['a panic', 'x-panic'],
    ['an exception of JavaScript', 'x-throw'],
  ] as const) {
    //
    it(`${what} at the edge is answered 500, for it and for those that wait`, async () => {
      const waits = neighbour(header);
      // One that came too late for the instance would wait for ever.
      await eventually('the neighbour waits', () => market.logs.includes(`drill: waits ${header}`));
      const lost = await market.ask('GET', SKILLS, { headers: { [header]: 'edge' } });
      assert.deepEqual([lost.status, lost.json.ok, lost.headers.get('cache-control')], [500, false, 'no-store']);
      assert.equal(await waits, 500);
      assert.deepEqual(await ids(), ['first']);
    });
  }

  it('in the object is told to who asked, and the next request is answered', async () => {
    const lost = await market.ask('GET', `${SKILLS}/drill-here`);
    assert.ok(lost.status === 500 || lost.status === 503, lost.text);
    assert.deepEqual(await ids(), ['first']);
  });

  it('in the object after its writes takes these back', async () => {
    const tables = market.kv.written.length;
    const lost = await market.publish(owner, { skillId: 'drill-late', name: 'late', callUrl: 'http://127.0.0.1:9/x', price: '$0.01' });
    assert.ok(lost.status === 500 || lost.status === 503, lost.text);
    assert.deepEqual(await ids(), ['first']);
    assert.equal(
      (await market.publish(owner, { skillId: 'second', name: 'second', callUrl: 'http://127.0.0.1:9/x', price: '$0.01' })).status,
      201,
    );
    await eventually('the next is written', () => market.kv.paths().includes('/s/second'));
    assert.ok(market.kv.written.slice(tables).every((text) => !text.includes('drill-late')));
  });

  it('cannot be asked for where a market is deployed', async () => {
    const deployed = await Market.start();
    try {
      for (const header of ['x-panic', 'x-throw'])
        assert.equal((await deployed.ask('GET', SKILLS, { headers: { [header]: 'edge' } })).status, 200);
      assert.equal((await deployed.ask('GET', `${SKILLS}/drill-here`)).status, 404);
    } finally {
      await deployed.stop();
    }
  });
});
