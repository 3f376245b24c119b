/** How a Worker of the tests starts: what cannot start leaves nothing behind that would keep a file of tests alive. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

import { serve } from '../../demo/server.mjs';
import { root } from '../../scripts/steps.mjs';

/** What such a program takes at most: it has workerd start once. */
const ENDS_MS = 60_000;

test('a program whose Worker finds its port taken ends by itself', async () => {
  const other = await serve(() => {});
  try {
    const program = `
      import { GATE, startWorker } from ${JSON.stringify(pathToFileURL(join(root, 'scripts/miniflare.mjs')).href)};
      await startWorker(GATE, { port: ${new URL(other.url).port} }).catch(({ code }) => console.log(code));`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const late = setTimeout(() => child.kill('SIGKILL'), ENDS_MS);
    const [code] = await once(child, 'close');
    clearTimeout(late);
    assert.deepEqual({ code, output: output.trim() }, { code: 0, output: 'ERR_ADDRESS_IN_USE' });
  } finally {
    await other.stop();
  }
});
