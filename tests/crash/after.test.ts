import { after, before, test } from 'node:test';

import { Campaign } from './campaign.ts';
import { pointsOf } from './points.ts';
import { drain, judge } from './verdict.ts';
import { startWorld, type World } from './world.ts';

let world: World;
let campaign: Campaign;
before(async () => {
  world = await startWorld();
  campaign = new Campaign(world);
});
after(() => world?.stop());

for (const point of pointsOf('after')) {
  test(`settling after the origin, killed ${point.name}: eight rows are where they must be`, () => campaign.killAt('after', point));
}

// I-05
test('when all of it has drained, each payment was charged and served once or is owed or was never charged', async (t) => {
  await drain(campaign);
  t.diagnostic(`ends: after, ${await judge(campaign)}`);
});
