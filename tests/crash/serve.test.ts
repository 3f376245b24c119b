// The same moments at which the gate of `farebox serve` is killed, program and runtime at once.
import { test } from 'node:test';

import { sharedWorld } from '../support/suite.ts';
import { Campaign } from './campaign.ts';
import { pointsOf } from './points.ts';
import { startServeGate } from './serve-gate.ts';
import { drain, judge } from './verdict.ts';
import { startWorld } from './world.ts';

const world = sharedWorld(() => startWorld(startServeGate));

for (const mode of ['after', 'before'] as const) {
  let campaign: Campaign | undefined;
  const started = (): Campaign => (campaign ??= new Campaign(world));
  for (const point of pointsOf(mode)) {
    test(`serve, settling ${mode} the origin, killed ${point.name}: eight rows are where they must be`, () =>
      started().killAt(mode, point));
  }

  // I-05
  test(`serve, settling ${mode} the origin: each payment was charged and served once or is owed or was never charged`, async (t) => {
    await drain(started());
    t.diagnostic(`ends: serve, ${mode}, ${await judge(started())}`);
  });
}
