// Plays random histories against built Workers in workerd.
//
//   node scripts/simulate-worker.mjs [gate] [steps [seed]]
//   node scripts/simulate-worker.mjs treasury | market | exchange [requests [seed]]
//
// Against the gate: steps of many clients, an adversary among them, judged by the chain. Against the others: requests that are almost right, each of
// which has to be answered, by nothing that nobody may get. A failure prints what was asked and answered; the same numbers play it again.

import process from 'node:process';

import { buildWorker } from './build.mjs';
import { buildPayer } from './pkg.mjs';
import { startProcess } from './processes.mjs';
import { setup } from './setup.mjs';
import { root, runMain, StepFailed } from './steps.mjs';

/** Time limit of a step, including its share of a drain. */
const STEP_MS = 500;
const DRAIN_MS = 120_000;

const gate = () => buildWorker();
const treasury = () => buildWorker({ worker: 'treasury' });
const market = () => buildWorker({ worker: 'market' });

/** @type {Record<string, {parts: (() => Promise<unknown>)[], file: string, count: string, named: string}>} */
const WORKERS = {
  gate: { parts: [gate], file: 'tests/simulate/random.test.ts', count: '500', named: 'FAREBOX_STEPS' },
  // Agents pay with the package.
  treasury: { parts: [treasury, buildPayer], file: 'tests/treasury/fuzz.test.ts', count: '2500', named: 'FAREBOX_REQUESTS' },
  market: { parts: [gate, treasury, market], file: 'tests/market/fuzz.test.ts', count: '2500', named: 'FAREBOX_REQUESTS' },
  exchange: { parts: [gate, treasury, market], file: 'tests/market/exchange/fuzz.test.ts', count: '2500', named: 'FAREBOX_REQUESTS' },
};

await runMain(async () => {
  const words = process.argv.slice(2);
  const name = words[0] !== undefined && words[0] in WORKERS ? (words.shift() ?? '') : 'gate';
  const { parts, file, count, named } = WORKERS[name] ?? { parts: [], file: '', count: '', named: '' };
  const [steps = count, seed = '1'] = words;
  for (const number of [steps, seed]) {
    if (!/^[0-9]{1,9}$/.test(number))
      throw new StepFailed(
        `usage: node scripts/simulate-worker.mjs [${Object.keys(WORKERS).join(' | ')}] [count [seed]]; ${number} is not a number`,
      );
  }
  await setup();
  for (const part of parts) await part();
  const child = startProcess(
    process.execPath,
    [
      '--import',
      './scripts/typescript.mjs',
      '--test',
      '--test-reporter',
      'spec',
      '--test-timeout',
      String(Number(steps) * STEP_MS + DRAIN_MS),
      file,
    ],
    { cwd: root, show: true, env: { ...process.env, [named]: steps, FAREBOX_SEED: seed } },
  );
  const code = await child.exited;
  if (code !== 0) throw new StepFailed(`${name}, ${steps}, seed ${seed}: failed`);
});
