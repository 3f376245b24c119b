// A whole system on this machine, for a client that knows it only from outside.
//
//   npm run world -- treasury|gate|skills|exchange|sessions
//
// Starts everything on free ports with short timings and prints one line of JSON to stdout: all URLs, keys, addresses and
// tokens, and `controls`, local URLs that break parts, kill Workers, make agents and sellers (docs/treasury.md, docs/skills.md, docs/exchange.md, docs/sessions.md). It stays until its
// standard input ends or it gets SIGTERM, and leaves no process.

import { buildWorker } from './build.mjs';
import { endAll, onEnd } from './processes.mjs';
import { setup } from './setup.mjs';
import { runMain, StepFailed } from './steps.mjs';

/** @type {Record<string, () => Promise<{line: object, stop: () => Promise<void>}>>} */
const WORLDS = {
  treasury: async () => (await import('../demo/treasury-line.mjs')).treasuryLine(),
  gate: async () => (await import('../demo/gate-line.mjs')).gateLine(),
  skills: async () => (await import('../demo/skills-line.mjs')).skillsLine(),
  exchange: async () => (await import('../demo/exchange-line.mjs')).exchangeLine(),
  sessions: async () => (await import('../demo/sessions-line.mjs')).sessionsLine(),
};

await runMain(async () => {
  const name = process.argv[2] ?? '';
  const start = WORLDS[name];
  if (start === undefined) throw new StepFailed(`a world has one of these names: ${Object.keys(WORLDS).join(', ')}`);
  // Only the one line goes to stdout.
  const { log } = console;
  console.log = console.error;
  if (process.env.FAREBOX_BUILD === undefined) {
    await setup();
    await buildWorker();
    if (name !== 'gate' && name !== 'sessions') await buildWorker({ worker: 'treasury' });
    if (name === 'skills' || name === 'exchange') await buildWorker({ worker: 'market' });
  }
  const world = await start();
  onEnd(world.stop);
  log(JSON.stringify(world.line));
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once('end', resolve).once('error', resolve));
  await endAll();
});
