// A whole system on this machine, for a client that knows it only from outside.
//
//   npm run world -- treasury|gate
//
// Starts everything on free ports with short timings and prints one line of JSON to stdout: all URLs, keys, addresses and
// tokens, and `controls`, local URLs that break parts, kill Workers and make agents (docs/treasury.md). It stays until its
// standard input ends or it gets SIGTERM, and leaves no process.

import { buildWorker } from './build.mjs';
import { endAll, onEnd } from './processes.mjs';
import { setup } from './setup.mjs';
import { runMain, StepFailed } from './steps.mjs';

const WORLDS = ['treasury', 'gate'];

await runMain(async () => {
  const name = process.argv[2] ?? '';
  if (!WORLDS.includes(name)) throw new StepFailed(`a world has one of these names: ${WORLDS.join(', ')}`);
  // Only the one line goes to stdout.
  const { log } = console;
  console.log = console.error;
  if (process.env.FAREBOX_BUILD === undefined) {
    await setup();
    await buildWorker();
  }
  const world = name === 'treasury' ? await (await import('../demo/treasury-line.mjs')).treasuryLine() : await (await import('../demo/gate-line.mjs')).gateLine();
  onEnd(world.stop);
  log(JSON.stringify(world.line));
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once('end', resolve).once('error', resolve));
  await endAll();
});
