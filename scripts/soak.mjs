// Lets all systems work under a mixed load, while parts of them are broken and killed and the clock jumps.
//
//   node scripts/soak.mjs [seconds [seed]]
//
// An hour, if it is not said. In the end buyers, books and chain have to agree, nothing may be open, and memory and disk are as told.

import process from 'node:process';

import { buildWorker } from './build.mjs';
import { buildPayer } from './pkg.mjs';
import { startProcess } from './processes.mjs';
import { setup } from './setup.mjs';
import { root, runMain, StepFailed } from './steps.mjs';

/** What starts, and what is open at the end, may take as long as this. */
const MARGIN_MS = 600_000;

await runMain(async () => {
  const [secs = '3600', seed = '1'] = process.argv.slice(2);
  for (const number of [secs, seed]) {
    if (!/^[0-9]{1,6}$/.test(number)) throw new StepFailed(`usage: node scripts/soak.mjs [seconds [seed]]; ${number} is not a number`);
  }
  await setup();
  await buildWorker();
  await buildWorker({ worker: 'treasury' });
  await buildWorker({ worker: 'market' });
  await buildPayer();
  const words = ['--import', './scripts/typescript.mjs', '--test', '--test-reporter', 'spec'];
  const child = startProcess(
    process.execPath,
    [...words, '--test-timeout', String(Number(secs) * 1000 + MARGIN_MS), 'tests/soak/soak.test.ts'],
    { cwd: root, show: true, env: { ...process.env, FAREBOX_SOAK_SECS: secs, FAREBOX_SEED: seed } },
  );
  if ((await child.exited) !== 0) throw new StepFailed(`${secs} seconds, seed ${seed}: failed`);
});
