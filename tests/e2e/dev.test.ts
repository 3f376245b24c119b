/** `npm run dev`: the gate of wrangler.toml with local money, and nothing of it left when npm is ended. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { decodePaymentRequiredHeader } from '@x402/core/http';

import { freePort } from '../../demo/server.mjs';
import { root } from '../../scripts/steps.mjs';

const LIMIT_MS = 300_000;
const POLL_MS = 100;

let npm: ChildProcess;
let port: number;
let output = '';
let ended: Promise<unknown>;

before(
  async () => {
    port = await freePort();
    npm = spawn('npm', ['run', 'dev', '--', '--port', String(port)], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    ended = new Promise((resolve) => npm.once('exit', resolve));
    for (const stream of [npm.stdout, npm.stderr])
      stream?.on('data', (chunk) => {
        output += String(chunk);
      });
    await until(() => output.includes('/_farebox/payments'));
  },
  { timeout: LIMIT_MS },
);
after(() => void npm.kill('SIGTERM'));

test('the gate is that of the committed file, but for the facilitator and the node', { timeout: LIMIT_MS }, async () => {
  const answer = await fetch(`http://127.0.0.1:${port}/report`);
  assert.equal(answer.status, 402);
  const { accepts } = decodePaymentRequiredHeader(answer.headers.get('payment-required') ?? '');
  assert.deepEqual(
    accepts.map(({ payTo, amount }) => [payTo, amount]),
    [['0x000000000000000000000000000000000000dEaD', '10000']],
  );
  assert.match(output, /^ {2}origin +https:\/\/example\.com$/m);
  assert.match(output, /^ {2}export FAREBOX_PRIVATE_KEY=0x[0-9a-f]{64}$/m);
  const [, operator = ''] = /^ {2}(curl -s -H .*\/_farebox\/payments)$/m.exec(output) ?? [];
  await until(() => /^\d\d:\d\d:\d\d {2}402 GET \/report {2}terms /m.test(output));
  const { stdout } = await promisify(execFile)('sh', ['-c', operator], { cwd: root });
  assert.match(stdout, /"items":\[/);
});

test('it is compiled at most once', () => {
  assert.ok((output.match(/✓ bundle/g) ?? []).length <= 1, output);
});

test('when npm is ended, nothing of it goes on', { timeout: LIMIT_MS }, async () => {
  const urls = [...new Set(output.match(/http:\/\/127\.0\.0\.1:\d+/g))];
  assert.ok(urls.length >= 3, output);
  npm.kill('SIGTERM');
  await ended;
  for (const url of urls)
    await until(() =>
      fetch(url).then(
        () => false,
        () => true,
      ),
    );
});

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
