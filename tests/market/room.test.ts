// All sellers of a market have its origin: one that fails leaves its buyers their room for the others.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedWorld } from '../support/suite.ts';
import { plainSkill, startSkillsWorld, untilSold } from './market.ts';

/** As long as a payload may be, so that few of them fill a payee's room. */
const LENGTH = 950_000;
const MOST = 12;

const world = sharedWorld(startSkillsWorld);

//
test('an agent whose calls fail at one seller of a market is refused there in the end, and buys of another one', {
  timeout: 120_000,
}, async () => {
  const bad = await plainSkill(world, 'status/500', { price: '$0.000001', settle: 'before' });
  world.sellers.ways.set(bad.path, '/status/500');
  const good = await plainSkill(world, 'deliver', { price: '$0.000001' });
  for (const { id } of [bad, good]) await untilSold(world, id);
  const calls = async (id: string, n: number, payload: string): Promise<string> => {
    const { status, text } = await world.invoke('agent-1', id, { payload: { n, payload } });
    return status === 200 ? 'bought' : text.includes('Too many payments of this agent') ? 'full' : 'failed';
  };
  const told: string[] = [];
  while (told.at(-1) !== 'full' && told.length < MOST) told.push(await calls(bad.id, told.length, 'x'.repeat(LENGTH)));
  assert.deepEqual([...new Set(told)], ['failed', 'full']);
  assert.equal(await calls(good.id, 0, 'x'), 'bought');
  assert.equal(await calls(good.id, 1, 'x'.repeat(LENGTH)), 'bought');
});
