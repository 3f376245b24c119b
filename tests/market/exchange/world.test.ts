/** The exchange's world as a client from outside has it: one line of JSON, controls, a Worker that is killed with a job, and nothing left behind. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

import { root } from '../../../scripts/steps.mjs';
import { eventually } from '../market.ts';

const LIMIT = { timeout: 120_000 };
type Line = {
  readonly url: string; readonly gate: string; readonly escrow: string; readonly profiles: { readonly money: string; readonly mock: string };
  readonly controls: Readonly<Record<string, string>>;
};

let world: ChildProcess;
let exited: Promise<unknown>;
let line: Line;
before(async () => {
  world = spawn(process.execPath, ['scripts/world.mjs', 'exchange'], { cwd: root, env: { ...process.env, FAREBOX_BUILD: process.env['FAREBOX_BUILD'] ?? 'build' }, stdio: ['pipe', 'pipe', 'inherit'] });
  exited = new Promise((resolve) => { world.once('exit', resolve); });
  for await (const text of createInterface({ input: world.stdout ?? assert.fail() })) {
    line = JSON.parse(text) as Line;
    break;
  }
}, LIMIT);
after(() => world?.kill('SIGKILL'));

const control = async (name: string, given: object = {}): Promise<any> => {
  const response = await fetch(line.controls[name] ?? assert.fail(name), { method: 'POST', body: JSON.stringify(given) });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
};
const ask = async (path: string, body?: unknown, token = ''): Promise<{ status: number; body: any }> => {
  const response = await fetch(`${line.url}/api/v1/${path}`, {
    method: body === undefined ? 'GET' : 'POST', headers: { 'content-type': 'application/json', ...(token === '' ? {} : { authorization: `Bearer ${token}` }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
};

test('a seller and a buyer from outside, and a Worker that is killed between them', LIMIT, async () => {
  const profile = line.profiles.mock;
  const seller = await control('seller', { profile, capability: 'llm' });
  const order = { buyer_id: `0x${'33'.repeat(20)}`, capability: 'llm', prompt: 'hello', network_profile: profile };
  const quote = await ask('jobs/quote', order);
  assert.equal(quote.status, 402);
  const paid = await ask('jobs/verify', { fingerprint: quote.body.fingerprint, tx_hash: '0xabc123', payload: order });
  assert.equal(paid.status, 200, JSON.stringify(paid.body));
  await control('kill', { worker: 'market' });
  await assert.rejects(ask(`jobs/${paid.body.job_id}`));
  await control('restart', { worker: 'market' });
  const own = { seller_id: seller.address, network_profile: profile };
  assert.equal((await ask(`jobs/${paid.body.job_id}/start`, own, seller.token)).status, 200);
  // Its time runs on while it is dead, and the money of a job that no one does goes back.
  await control('kill', { worker: 'market' });
  await control('restart', { worker: 'market' });
  await control('clock', { secs: 121 });
  const read = async () => (await ask(`jobs/${paid.body.job_id}`, undefined, paid.body.job_token)).body;
  const failed = await eventually('the job is over', read, ({ status }) => status === 'failed');
  assert.deepEqual(failed.result, { error: 'The seller did not deliver in time.' });
});

test('it ends with its standard input and leaves no process', LIMIT, async () => {
  world.stdin?.end();
  assert.equal(await exited, 0);
  await assert.rejects(fetch(line.url));
});
