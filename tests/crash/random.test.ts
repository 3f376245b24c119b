import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedWorld } from '../support/suite.ts';
import { Campaign } from './campaign.ts';
import { drain, judge } from './verdict.ts';
import { startWorld } from './world.ts';

const MOMENTS = Number(process.env.FAREBOX_CRASH_MOMENTS ?? 20);
const SEED = Number(process.env.FAREBOX_CRASH_SEED ?? 1);
/** Kills between two drains. */
const BATCH = 20;
/** Eight payments, four of each mode, exchange at least this many messages, each seen before and after. */
const MESSAGES = 120;

const world = sharedWorld(startWorld);

const random = mulberry32(SEED);
assert.ok(Number.isSafeInteger(MOMENTS) && MOMENTS > 0, 'the number of moments is a whole number');
const campaigns: Campaign[] = [];
for (let first = 0; first < MOMENTS; first += BATCH) {
  let campaign: Campaign;
  for (let number = first; number < Math.min(first + BATCH, MOMENTS); number += 1) {
    const count = 1 + Math.floor(random() * MESSAGES);
    const verdict = random() < 0.5 ? 'pass' : 'drop';
    test(`seed ${SEED}, moment ${number}: killed at message ${count}, which ${verdict === 'pass' ? 'arrives' : 'is lost'}`, async () => {
      if (number === first) campaigns.push((campaign = new Campaign(world)));
      await campaign.killAmid(count, verdict);
    });
  }
  // I-13
  test(`seed ${SEED}, after moment ${Math.min(first + BATCH, MOMENTS) - 1}: the books balance`, async (t) => {
    await drain(campaign);
    t.diagnostic(`ends: random, ${await judge(campaign)}`);
  });
}

/** A generator of numbers in [0, 1) that a seed repeats. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
