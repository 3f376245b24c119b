// Plays random steps of many clients, an adversary among them, against the built Worker in workerd, and judges by the chain.
//
//   node scripts/simulate-worker.mjs [steps [seed]]
//
// A failure prints what was asked and answered; the same steps and seed play it again.

import process from 'node:process';

import { buildWorker } from './build.mjs';
import { startProcess } from './processes.mjs';
import { setup } from './setup.mjs';
import { root, runMain, StepFailed } from './steps.mjs';

/** Time limit of a step, including its share of a drain. */
const STEP_MS = 500;
const DRAIN_MS = 120_000;

await runMain(async () => {
  const [steps = '500', seed = '1'] = process.argv.slice(2);
  for (const number of [steps, seed]) {
    if (!/^[0-9]{1,9}$/.test(number)) throw new StepFailed(`usage: node scripts/simulate-worker.mjs [steps [seed]]; ${number} is not a number`);
  }
  await setup();
  await buildWorker();
  const child = startProcess(process.execPath, [
    '--import', './scripts/typescript.mjs', '--test', '--test-reporter', 'spec', '--test-timeout', String(Number(steps) * STEP_MS + DRAIN_MS),
    'tests/simulate/random.test.ts',
  ], { cwd: root, show: true, env: { ...process.env, FAREBOX_STEPS: steps, FAREBOX_SEED: seed } });
  const code = await child.exited;
  if (code !== 0) throw new StepFailed(`steps ${steps}, seed ${seed}: failed`);
});
