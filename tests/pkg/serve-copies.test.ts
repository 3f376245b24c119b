// The ledger of `farebox serve` moves to a Worker and back, by the commands of docs/serve.md: what was paid is answered from its rows,
// and the books are the same at each place.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';

import { gateVars } from '../../demo/gate.mjs';
import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { freePort } from '../../demo/server.mjs';
import { startGate } from '../../scripts/miniflare.mjs';
import { payingFetch } from '../e2e/clients.ts';
import { PROGRAM, type Served, type ServeWorld, startServe, startServeWorld } from './serve-world.ts';

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

async function ended({ child, ended: exit }: Served): Promise<void> {
  child.kill('SIGTERM');
  await exit;
}

test('rows move from a machine to a Worker and back', { timeout: 240_000 }, async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const folder = dirname(world.state);
  const first = await world.serving(['--port', `${port}`]);
  let payment = '';
  const noting = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    payment = request.headers.get('payment-signature') ?? payment;
    return fetch(request);
  };
  const pay = async (): Promise<number> => (await payingFetch(noting as typeof fetch, world.chain.accounts.payer)(`${url}/report`)).status;
  assert.equal(await pay(), 200);
  const paid = payment;
  const show = async (): Promise<string> => {
    const answer = await fetch(`${url}/report`, { headers: { 'payment-signature': paid } });
    return `${answer.status} ${/"code":"\w+"/.exec(await answer.text())?.[0]}`;
  };
  const known = await show();
  await ended(first);

  const secrets = JSON.parse(readFileSync(join(world.state, 'secrets.json'), 'utf8')) as Record<string, string>;
  const token = { FAREBOX_OPERATOR_TOKEN: secrets['OPERATOR_TOKEN'] ?? '' };
  const run = (...words: string[]): void => {
    const { status, stderr } = spawnSync(process.execPath, [PROGRAM, ...words, '--at', url], {
      env: { ...process.env, ...token },
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  };
  const books = async (): Promise<string> => {
    const asked = ['export?format=csv', 'audit', 'payments'].map(async (path) => {
      const headers = { authorization: `Bearer ${token.FAREBOX_OPERATOR_TOKEN}` };
      return (await fetch(`${url}/_farebox/${path}`, { headers })).text();
    });
    return (await Promise.all(asked)).join('\n');
  };

  // It stops selling by the file that docs/serve.md names.
  const facilitator = world.facilitatorUrl;
  const closed = join(folder, 'closed.json');
  const parts = { ORIGIN_URL: origin.url, PAY_TO: world.chain.accounts.payee.address, FACILITATOR_URL: facilitator };
  writeFileSync(closed, JSON.stringify({ ...parts, ROUTES: [{ path: '/closed', price: 'free' }], DEFAULT: 'deny' }));
  const words = (state: string): string[] => ['--config', closed, '--state', state, '--port', `${port}`];
  const stopped = await startServe(words(world.state));
  assert.equal(stopped.url, url, stopped.wrote());
  const before = await books();
  assert.match(before, /delivered/);
  run('backup', join(folder, 'away'));
  await ended(stopped);

  const vars = { ...gateVars({ chain: world.chain, facilitator: { url: facilitator }, origin }) };
  const worker = await startGate({ build: 'build', port, vars, secrets });
  run('restore', join(folder, 'away'));
  assert.equal(await books(), before);
  assert.equal(await show(), known);
  assert.equal(await pay(), 200);
  const there = await books();
  run('backup', join(folder, 'back'));
  await worker.stop();

  const home = join(folder, 'home');
  writeFileSync(
    closed,
    JSON.stringify({
      ...parts,
      ROUTES: [{ path: '/closed', price: 'free' }],
      DEFAULT: 'deny',
      LEDGER_CLOSED_BEFORE: Math.floor(Date.now() / 1000) + 1,
    }),
  );
  const again = await startServe(words(home), { env: secrets });
  assert.equal(again.url, url, again.wrote());
  run('restore', join(folder, 'back'));
  assert.equal(await books(), there);
  await ended(again);
  const sells = await startServe(
    [
      '--origin',
      origin.url,
      '--pay-to',
      parts.PAY_TO,
      '--facilitator',
      facilitator,
      '--price',
      '/report=$0.01',
      '--state',
      home,
      '--port',
      `${port}`,
    ],
    { env: secrets },
  );
  assert.equal(await show(), known);
  await ended(sells);
});
