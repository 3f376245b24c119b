/** workerd is killed with SIGKILL while skills are published; what the catalogue and the gate's table hold afterwards. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { eventually } from '../support/eventually.ts';
import { Kv, Market, newOwner, signed } from './support/worker.ts';

/** Holds writes while it is told to; those are lost with who made them. */
class HoldingKv extends Kv {
  holds = false;
  held = 0;
  #released: (() => void)[] = [];

  override async put(text: string, number: number): Promise<Response> {
    if (!this.holds) return super.put(text, number);
    this.held += 1;
    await new Promise<void>((resolve) => {
      this.#released.push(resolve);
    });
    return new Response(null, { status: 503 });
  }

  release(): void {
    this.holds = false;
    this.held = 0;
    for (const resolve of this.#released.splice(0)) resolve();
  }
}

const skill = (id: string): Record<string, unknown> => ({ skillId: id, name: id, callUrl: 'http://127.0.0.1:9/x', price: '$0.01' });

describe('a market that is killed', () => {
  let market: Market;
  const kv = new HoldingKv();
  const owner = newOwner();
  let body: Record<string, unknown>;
  before(async () => {
    market = await Market.start({ kv });
    body = await signed('publish', owner, { description: 'x', payTo: owner.address, agentId: 'seller', ...skill('told') });
  });
  after(async () => {
    kv.release();
    await market?.stop();
  });

  const ids = async (): Promise<string[]> =>
    (await market.ask('GET', '/api/marketplace/skills')).json.skills.map(({ id }: { id: string }) => id).sort();

  it('right after it said that a skill is published still has it, and writes the table without a request', async () => {
    kv.holds = true;
    assert.equal((await market.ask('POST', '/api/marketplace/skills', { body })).status, 201);
    await market.kill();
    kv.release();
    await eventually('it is written', () => kv.paths().includes('/s/told'));
    assert.deepEqual(await ids(), ['told']);
  });

  it('still knows which signatures were used', async () => {
    const again = await market.ask('POST', '/api/marketplace/skills', { body });
    assert.ok([401, 409].includes(again.status), again.text);
    assert.deepEqual(await ids(), ['told']);
  });

  it('while it writes the table writes it again', async () => {
    kv.holds = true;
    assert.equal((await market.publish(owner, skill('held'))).status, 201);
    await eventually('a write is under way', () => kv.held > 0);
    await market.kill();
    kv.release();
    await eventually('both are written', () => ['/s/told', '/s/held'].every((path) => kv.paths().includes(path)));
  });

  it('has each skill of a crowd that it said it has, and no other half', async () => {
    const crowd = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `crowd-${name}`);
    const asked = crowd.map(
      async (id) =>
        [
          id,
          await market.publish(newOwner(), skill(id)).then(
            ({ status }) => status,
            () => 0,
          ),
        ] as const,
    );
    await Promise.race(asked);
    await market.kill();
    const told = (await Promise.all(asked)).filter(([, status]) => status === 201).map(([id]) => id);
    const there = await ids();
    assert.deepEqual(
      told.filter((id) => !there.includes(id)),
      [],
    );
    await eventually('the table has what is listed', () => there.every((id) => kv.paths().includes(`/s/${id}`)));
    assert.deepEqual(
      kv
        .paths()
        .filter((path) => path.startsWith('/s/'))
        .sort(),
      there.map((id) => `/s/${id}`),
    );
  });
});
