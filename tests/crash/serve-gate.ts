// `farebox serve` as the gate of a campaign: the program and its runtime die together, as when their machine is lost.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { lives } from '../../pkg/gate/dist/serve/left.js';
import { runtimeOf, startServe } from '../pkg/serve-world.ts';
import type { GateOptions, Killable } from './world.ts';

export async function startServeGate({ vars, secrets, persist }: GateOptions): Promise<Killable> {
  const [config, state] = [join(persist, 'gate.json'), join(persist, 'state')];
  writeFileSync(config, JSON.stringify(vars));
  const start = async (port: string) => {
    const served = await startServe(['--config', config, '--state', state, '--port', port], { env: secrets });
    if (served.url === '') throw new Error(`farebox serve does not start:\n${served.wrote()}`);
    return { served, pid: runtimeOf(state) };
  };
  let running = await start('0');
  const { url } = running.served;
  return {
    url,
    stored: join(state, 'rows'),
    get pid() {
      return running.pid;
    },
    kill() {
      // The program first: it would start another runtime.
      running.served.child.kill('SIGKILL');
      process.kill(running.pid, 'SIGKILL');
    },
    isAlive: () => lives(running.pid),
    async restart() {
      await running.served.ended;
      running = await start(new URL(url).port);
    },
    async stop() {
      running.served.child.kill('SIGTERM');
      await running.served.ended;
    },
  };
}
