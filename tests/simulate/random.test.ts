import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { randomOf } from '../pkg/random.ts';
import { judge } from './judge.ts';
import { personOf } from './people.ts';
import { drain } from './rows.ts';
import { Steps } from './steps.ts';
import { World } from './world.ts';

const STEPS = Number(process.env['FAREBOX_STEPS'] ?? 500);
const SEED = Number(process.env['FAREBOX_SEED'] ?? 1);
/** Steps that begin at once, and how many of them have ended when the next begin. */
const AT_ONCE = 20;
const MOST = 16;

const denied = [personOf(SEED, 'denied 0', 150), personOf(SEED, 'denied 1', 151)];
let world: World;
before(async () => {
  world = await World.start(denied.map(({ payer }) => payer.address));
});
after(() => world?.stop());

// I-03
test(`seed ${SEED}: what ${STEPS} random steps were paid was delivered or is owed, and nothing else was`, async (t) => {
  assert.ok(Number.isSafeInteger(STEPS) && STEPS > 0, 'the number of steps is a whole number');
  const steps = new Steps(world, SEED, denied);
  const all: Promise<void>[] = [];
  for (let first = 0; first < STEPS; first += AT_ONCE) {
    const random = randomOf(SEED * 7_919 + first);
    const [what, delayMs] = [random.below(10), random.below(700)];
    const upheaval = (work: () => Promise<void>): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs)).then(work);
    const begun = Array.from({ length: Math.min(AT_ONCE, STEPS - first) }, (_, index) => steps.run(first + index));
    all.push(...begun);
    await Promise.all([
      ended(MOST, begun),
      ...(what === 0 ? [upheaval(() => world.kill())] : []),
      ...(what === 1 ? [upheaval(() => world.swap())] : []),
    ]);
  }
  await Promise.all(all);
  await drain(world);
  await steps.repeatAll();
  t.diagnostic(`ends: seed ${SEED}, ${STEPS} steps, ${world.exchanges.length} requests: ${await judge(world, steps)}`);
});

/** Waits until so many steps have ended, or all if there are fewer. */
function ended(most: number, steps: readonly Promise<void>[]): Promise<void> {
  let left = Math.min(most, steps.length);
  return new Promise((resolve, reject) => {
    for (const step of steps)
      step.then(() => {
        if (--left === 0) resolve();
      }, reject);
  });
}
