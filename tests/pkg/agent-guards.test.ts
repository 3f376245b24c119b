// Each guard of the agent's TypeScript is needed: without it, the test that is named here fails. Those of the compiled part are in crates/base/src/mutant.rs.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';

import { ABORTS } from './guards/aborts.ts';
import { AGENT } from './guards/agent.ts';
import { ENDS } from './guards/ends.ts';
import type { Guard } from './guards/guard.ts';
import { KEYS } from './guards/keys.ts';
import { PROCESSES } from './guards/processes.ts';
import { STORES } from './guards/stores.ts';

const GUARDS = [...AGENT, ...KEYS, ...ENDS, ...PROCESSES, ...ABORTS, ...STORES];

async function withoutGuard([, file, guard, broken, [tests, name]]: Guard): Promise<string> {
  const child = spawn(
    process.execPath,
    [
      '--no-warnings',
      '--import',
      './scripts/typescript.mjs',
      '--import',
      './tests/pkg/mutant-loader.mjs',
      '--test-reporter=tap',
      '--test-timeout=20000',
      `--test-name-pattern=^${name}`,
      `tests/pkg/${tests}.test.ts`,
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, FAREBOX_GUARD: JSON.stringify({ file, guard, broken }), NODE_TEST_CONTEXT: '' },
    },
  );
  let printed = '';
  child.stdout.on('data', (part: Buffer) => {
    printed += part.toString();
  });
  // A seller without its guard may go on for ever after its test has failed.
  const end = setTimeout(() => child.kill('SIGKILL'), 120_000);
  await once(child, 'close');
  clearTimeout(end);
  return printed;
}

describe('guards', { concurrency: 3 }, () => {
  for (const guard of GUARDS) {
    const [what, file, , , [, name]] = guard;
    it(`${what} (${file})`, async () => {
      const printed = await withoutGuard(guard);
      assert.ok(
        printed.split('\n').some((line) => line.startsWith('not ok') && line.includes(name)),
        printed.slice(-2_000),
      );
      assert.doesNotMatch(printed, /the guard does not stand there once/);
    });
  }
});
