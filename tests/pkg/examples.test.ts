// The examples that sell, as a reader plays them: each sells its own path, once for one payment, and to nobody without.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { DEAD, developed, type Examples, filesOf, NOBODY, prepareExamples, served, soldOnce } from './examples.ts';

let examples: Examples;
before(async () => {
  examples = await prepareExamples(['workerd', 'viem', '@x402/core', '@x402/evm', 'wrangler']);
});
after(() => examples?.remove());

test('each example stands alone, is in the index, and is played', () => {
  const index = readFileSync('examples/README.md', 'utf8');
  const tests = ['examples', 'examples-more'].map((name) => readFileSync(`tests/pkg/${name}.test.ts`, 'utf8')).join('');
  const names = readdirSync('examples', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.ok(names.length >= 9);
  for (const { name } of names) {
    assert.ok(index.includes(`[${name}](${name}/README.md)`), `${name} is not in the index`);
    assert.ok(tests.includes(`play(context, '${name}', `), `${name} is not played`);
    for (const file of filesOf(join('examples', name))) assert.doesNotMatch(readFileSync(file, 'utf8'), /\.\.\/|\bdocs\/|\bdemo\//, file);
  }
});

//
test('no program of an example starts a program by npx beside a key', () => {
  const read = (file: string): [string, string] => [file, readFileSync(file, 'utf8')];
  const beside = filesOf('examples')
    .filter((file) => !file.endsWith('.md'))
    .map(read)
    .filter(([, text]) => /FAREBOX_PRIVATE_KEY|mcpServers/.test(text));
  assert.ok(beside.some(([file]) => file.endsWith('agent.py')));
  for (const [file, text] of beside) assert.doesNotMatch(text, /['"]npx\b/, file);
});

test('express: an app behind the gate', (context) =>
  examples.play(context, 'express', (played) => soldOnce(played, { path: '/report', payee: NOBODY, token: served(played.folder) })));

test('hono: the gate in the Worker of the app', (context) =>
  examples.play(context, 'hono', (played) => soldOnce(played, { path: '/report', payee: DEAD, token: developed(played.folder) })));

test('static: files behind the gate', (context) =>
  examples.play(context, 'static', async (played) => {
    await soldOnce(played, { path: '/articles/rain', payee: DEAD, token: developed(played.folder) });
    // No other name of the file gives it away.
    const others = ['/articles/rain.html', '/articles/rain/', '/public/articles/rain.html', '/worker.js'];
    const answers = await Promise.all(others.map((path) => fetch(`${played.gate}${path}`, { redirect: 'manual' })));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [404, 400, 404, 404],
    );
  }));

test('static-serve: a server of files behind the gate, on any machine', (context) =>
  examples.play(context, 'static-serve', async (played) => {
    await soldOnce(played, { path: '/articles/rain', route: '/articles/*', payee: NOBODY, token: served(played.folder) });
    // The list of pages is free, and no other name of a page gives it away.
    assert.match(await (await fetch(`${played.gate}/`)).text(), /Rain until Thursday<\/a>, one cent/);
    const others = ['/articles/rain.html', '/articles/rain/', '/ARTICLES/rain', '/articl%65s/rain', '//articles/rain', '/articles%2Frain'];
    const answers = await Promise.all(others.map((path) => fetch(`${played.gate}${path}`, { redirect: 'manual' })));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [402, 402, 400, 400, 400, 400],
    );
  }));

test('pricing: a Worker beside the gate names the price of each request', (context) =>
  examples.play(context, 'pricing', async (played) => {
    const { gate, folder } = played;
    await soldOnce(played, { path: '/rainfall?days=3', route: '/rainfall', payee: DEAD, token: developed(folder), price: 30_000n });
    const asked = async (query: string): Promise<readonly [number, string | undefined]> => {
      const answer = await fetch(`${gate}/rainfall${query}`);
      const { accepts } = (answer.status === 402 ? await answer.json() : {}) as { accepts?: { maxAmountRequired: string }[] };
      return [answer.status, accepts?.[0]?.maxAmountRequired];
    };
    // What the shop refuses is free, and says so.
    assert.deepEqual(await Promise.all(['', '?days=30', '?days=31', '?days=2&days=30', '?days=0'].map(asked)), [
      [402, '10000'],
      [402, '300000'],
      [400, undefined],
      [402, '20000'],
      [400, undefined],
    ]);
    // Neither its prices nor what it sells has another address.
    assert.equal((await fetch(`${gate}/price`, { method: 'POST' })).status, 404);
  }));

test('mcp-server: a tool behind the gate, and one that is free', (context) =>
  examples.play(context, 'mcp-server', (played) =>
    soldOnce(played, { path: '/tools/forecast', method: 'POST', payee: NOBODY, token: served(played.folder) }),
  ));
