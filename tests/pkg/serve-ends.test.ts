// How `farebox serve` ends by signals: requests under way end first, and no signal leaves a runtime with the rows.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { eventually } from '../support/eventually.ts';
import { type ServeWorld, startServeWorld } from './serve-world.ts';

let origin: Origin;
let world: ServeWorld;
before(async () => {
  origin = await startOrigin();
  world = await startServeWorld(origin.url, ['/report']);
});
after(async () => {
  await world?.stop();
  await origin?.stop();
});

const runtimes = (): string => spawnSync('pgrep', ['-f', join(world.state, 'runtime')]).stdout.toString();

/** Asks for what takes a second, and sends these signals once the server works on it. */
async function signalled(send: (pid: number) => void): Promise<string> {
  const { url, child, ended } = await world.serving();
  const count = origin.requests.length;
  const slow = fetch(`${url}/slow?ms=1000`).then(
    (response) => response.text(),
    () => 'cut',
  );
  await eventually('the server works', () => origin.requests.length > count);
  send(child.pid!);
  assert.equal(await ended, 0);
  assert.equal(runtimes(), '', 'no runtime is left on the rows');
  return slow;
}

//
test('a terminal that closes ends it as Ctrl-C does', async () => {
  assert.match(await signalled((pid) => process.kill(-pid, 'SIGHUP')), /slow/);
});

test('a signal ends a start that waits for its server', async () => {
  // It takes connections, and answers none.
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const asked = once(silent, 'connection');
  const starting = world.serving(['--origin', `http://127.0.0.1:${(silent.address() as AddressInfo).port}`]);
  await asked;
  const mark = readdirSync(world.state).find((name) => name.startsWith('served-by-')) ?? '';
  const from = performance.now();
  process.kill(Number(mark.split('-')[2]), 'SIGINT');
  const { ended, wrote } = await starting;
  assert.equal(await ended, 0);
  assert.ok(performance.now() - from < 3_000, wrote());
  assert.equal(runtimes(), '');
  silent.close();
});

//
test('as many signals as anybody sends end it, and its runtime with it', async () => {
  const send = (pid: number): void => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.kill(pid, signal);
  };
  assert.match(await signalled(send), /cut|gate_unavailable/);
});
