/**
 * All systems under a mixed load, with faults, jumps of the clock and kills: for FAREBOX_SOAK_SECS seconds, by FAREBOX_SEED. In the end
 * buyers, books and chain agree, nothing is open, and memory and disk are as told.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { inspectWorkers } from '../../scripts/miniflare.mjs';
import { type Department, soak } from './department.ts';
import { Exchange } from './exchange.ts';
import { Shop } from './shop.ts';
import { Skills } from './skills.ts';

const SECS = Number(process.env['FAREBOX_SOAK_SECS'] ?? 120);
const SEED = Number(process.env['FAREBOX_SEED'] ?? 1);
/** What starts, and what is open at the end, may take as long as this, and a part of the whole: there is more to read of what took longer. */
const MARGIN_MS = 950_000 + SECS * 200;

const departments: Department[] = [];
before(
  async () => {
    inspectWorkers();
    for (const start of [Shop.start, Skills.start, Exchange.start]) departments.push(await start());
  },
  { timeout: 180_000 },
);
after(() => Promise.all(departments.map((one) => one.stop())));

test(`seed ${SEED}, ${SECS} s: books and chain agree, nothing is stuck, and nothing grows`, {
  timeout: SECS * 1000 + MARGIN_MS,
}, async (t) => {
  assert.ok(Number.isSafeInteger(SECS) && SECS >= 20, 'the seconds are a whole number from 20');
  const lines = await Promise.all(departments.map((one, index) => soak(one, SECS, SEED + index)));
  for (const line of lines) t.diagnostic(line);
});
