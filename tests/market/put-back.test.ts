/** A market whose rows are put back to a backup, while the gate's table, which is in KV, is not. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { eventually } from '../support/eventually.ts';
import { type Kv, Market, newOwner, signed } from './support/worker.ts';

const skill = (id: string, price: string): Record<string, unknown> => ({ skillId: id, name: id, callUrl: 'http://127.0.0.1:9/x', price });

describe('a market that is put back to a backup', () => {
  let market: Market;
  let kv: Kv;
  const copy = mkdtempSync(join(tmpdir(), 'farebox-backup-'));
  const owner = newOwner();
  const priceOf = (id: string): unknown => kv.routes.find(({ path }) => path === `/s/${id}`)?.price;
  const written = (id: string, price: string): Promise<unknown> => eventually(`${id} costs ${price}`, () => priceOf(id) === price);
  /** Waits until the market has noted itself what it wrote: otherwise it writes it again in any case. */
  const noted = (id: string): Promise<unknown> =>
    eventually(`${id} is sold`, async () => (await market.ask('GET', `/skills/${id}`)).text.includes('schema.org/InStock'));
  const backUp = (): Promise<void> => market.kill((folder) => cpSync(folder, copy, { recursive: true }));
  const putBack = (): Promise<void> =>
    market.kill((folder) => {
      rmSync(folder, { recursive: true });
      cpSync(copy, folder, { recursive: true });
    });
  const listed = async (): Promise<string[]> =>
    (await market.ask('GET', '/api/marketplace/skills')).json.skills.map(({ id }: { id: string }) => id).sort();

  before(async () => {
    market = await Market.start();
    kv = market.kv;
    assert.equal((await market.publish(owner, skill('kept', '$0.01'))).status, 201);
    assert.equal((await market.publish(newOwner(), skill('withdrawn', '$0.01'))).status, 201);
    await noted('withdrawn');
    await backUp();
  });
  after(async () => {
    await market?.stop();
    rmSync(copy, { recursive: true, force: true });
  });

  //
  it('has the gate sell what it delivers, at its own prices, once it is asked for anything', async () => {
    const again = await signed(
      'version',
      owner,
      { description: 'x', payTo: owner.address, agentId: 'seller', ...skill('kept', '$7.00'), version: '2.0.0' },
      'kept',
    );
    const answer = await market.ask('POST', '/api/marketplace/skills/kept/versions', { body: again });
    assert.equal(answer.status, 201, answer.text);
    assert.equal((await market.publish(newOwner(), skill('lost', '$0.01'))).status, 201);
    await written('kept', '7');
    await written('lost', '0.01');
    const { number } = kv;
    await putBack();
    assert.deepEqual(await listed(), ['kept', 'withdrawn']);
    await written('kept', '0.01');
    assert.deepEqual([priceOf('lost'), priceOf('withdrawn')], [undefined, '0.01']);
    assert.ok(kv.number > number, `${kv.number} after ${number}`);
  });

  //
  it('has it do so also where something is published first', async () => {
    assert.equal((await market.publish(newOwner(), skill('lost-too', '$0.01'))).status, 201);
    await written('lost-too', '0.01');
    const { number } = kv;
    await putBack();
    assert.equal((await market.publish(newOwner(), skill('since', '$0.01'))).status, 201);
    await written('since', '0.01');
    assert.deepEqual([priceOf('lost-too'), priceOf('kept')], [undefined, '0.01']);
    assert.ok(kv.number > number, `${kv.number} after ${number}`);
  });

  it('writes nothing where it finds the table that it wrote', async () => {
    await noted('since');
    const { length } = kv.written;
    const reads = kv.reads;
    await market.kill();
    await listed();
    await eventually('it has looked', () => kv.reads > reads);
    assert.equal((await market.publish(newOwner(), skill('later', '$0.01'))).status, 201);
    await written('later', '0.01');
    assert.equal(kv.written.length, length + 1);
  });

  it('waits for a store that cannot be read, and goes on once it can', async () => {
    kv.isMute = true;
    const reads = kv.reads;
    await putBack();
    await listed();
    await eventually('it was asked twice', () => kv.reads >= reads + 2);
    assert.equal(priceOf('later'), '0.01');
    kv.isMute = false;
    await eventually('the lost one has gone', () => priceOf('later') === undefined);
    assert.equal(priceOf('kept'), '0.01');
  });

  //
  it('leaves the ids of the lost time to who was paid for them', async () => {
    const [seller, stranger] = [newOwner(), newOwner()];
    assert.equal((await market.publish(seller, skill('taken', '$0.01'))).status, 201);
    await written('taken', '0.01');
    await putBack();
    await listed();
    await eventually('the table is of the books', () => priceOf('taken') === undefined);
    assert.equal((await market.publish(stranger, skill('taken', '$0.02'))).status, 409);
    assert.equal((await market.publish(seller, skill('taken', '$0.03'))).status, 201);
    await written('taken', '0.03');
  });
});
