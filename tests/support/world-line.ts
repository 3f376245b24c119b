// A world as a client from outside has it: the one line of JSON that `npm run world` prints, its controls, and its end.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { root } from '../../scripts/steps.mjs';

/** What every line has. */
type Line = { readonly controls: Readonly<Record<string, string>> };

export type WorldLine<L extends Line> = Awaited<ReturnType<typeof startLine<L>>>;

/** Starts the world of this name as a process of its own, with the Workers that are built. */
export async function startLine<L extends Line>(name: string) {
  const env = { ...process.env, FAREBOX_BUILD: process.env['FAREBOX_BUILD'] ?? 'build' };
  const world = spawn(process.execPath, ['scripts/world.mjs', name], { cwd: root, env, stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(world, 'exit');
  const line = JSON.parse(await firstOf(createInterface({ input: world.stdout }))) as L;
  return {
    line,
    /** Does what the control says, and gives its answer. */
    async control(name: string, given: object = {}): Promise<any> {
      const response = await fetch(line.controls[name] ?? assert.fail(`no control is called ${name}`), {
        method: 'POST',
        body: JSON.stringify(given),
      });
      assert.equal(response.status, 200, await response.clone().text());
      return response.json();
    },
    /** Closes its standard input: it ends by itself, and nothing answers at these URLs any more. */
    async end(urls: readonly string[]): Promise<void> {
      world.stdin.end();
      assert.deepEqual(await exited, [0, null]);
      for (const url of urls) await assert.rejects(fetch(url), /fetch failed/, url);
    },
    kill: () => world.kill('SIGKILL'),
  };
}

async function firstOf(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) return line;
  throw new Error('the world said nothing');
}
