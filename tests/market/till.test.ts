/** Skills and an exchange behind one gate: the table that the market writes for skills has the till of the exchange. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { NETWORK } from '../../demo/chain.mjs';
import { TILL } from '../../demo/exchange-world.mjs';
import { sharedWorld } from '../support/suite.ts';
import { plainSkill, type SkillsWorld, startSkillsWorld, untilSold } from './market.ts';

/** The till, at a gate whose one Worker is the market. */
const ROUTE = { ...TILL, price: { ...TILL.price, from: 'ORIGIN' } };
const FREE = { path: '/api/marketplace/*', price: 'free' };

const start = (own: object): Promise<SkillsWorld> =>
  startSkillsWorld({
    gateVars: { ROUTES: [ROUTE, FREE] },
    vars: {
      EXCHANGE_PROFILES: [{ profile: 'live-testnet', network: NETWORK, hold: 'completion', bonds: `0x${'66'.repeat(20)}` }],
      EXCHANGE_SECRET: 'e'.repeat(32),
      ...own,
    },
  });

/** What the till says about a quote that there is not. */
const asked = async (world: SkillsWorld): Promise<readonly [number, string]> => {
  const { status, json } = await world.ask('POST', `/till/${'0'.repeat(64)}`);
  return [status, json.code];
};

describe('an exchange whose till is among OWN_ROUTES', () => {
  const world = sharedWorld(() => start({ OWN_ROUTES: [ROUTE] }));

  //
  it('keeps it when someone publishes a skill', async () => {
    assert.deepEqual(await asked(world), [503, 'price_unavailable']);
    const skill = await plainSkill(world, 'deliver');
    await untilSold(world, skill.id);
    assert.deepEqual(await asked(world), [503, 'price_unavailable']);
  });
});

describe('an exchange whose till is not', () => {
  const world = sharedWorld(() => start({}));

  //
  it('keeps it, because no skill is sold', async () => {
    const published = await world.publish(await world.seller(), {
      skillId: 'x',
      name: 'x',
      callUrl: 'https://seller.example.com/x',
      price: '$1',
    });
    assert.deepEqual([published.status, world.kv.counts.puts], [503, 0], published.text);
    assert.deepEqual(await asked(world), [503, 'price_unavailable']);
    assert.match(world.market.logs(), /farebox-market is not configured: OWN_ROUTES: has no route for the till/);
  });

  //
  it('says so in its health', async () => {
    const health = await world.ask('GET', '/_market/health', { base: world.market.url });
    assert.deepEqual([health.status, health.json], [503, { ok: false, not_configured: ['skills'] }]);
  });
});
