// The gate's world as a client from outside has it: one line of JSON, stock payments, broken parts, and nothing left behind.

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

import { root } from '../../scripts/steps.mjs';
import { stockClients, type Payer } from './clients.ts';

const LIMIT_MS = 120_000;

type Line = {
  readonly gate: string; readonly operatorToken: string; readonly origin: string; readonly facilitator: string;
  readonly chain: { readonly url: string }; readonly funded: readonly Payer[]; readonly controls: Readonly<Record<string, string>>;
};

let world: ChildProcess;
let exited: Promise<unknown>;
let line: Line;
before(async () => {
  world = spawn(process.execPath, ['scripts/world.mjs', 'gate'], { cwd: root, env: { ...process.env, FAREBOX_BUILD: process.env.FAREBOX_BUILD ?? 'build' }, stdio: ['pipe', 'pipe', 'inherit'] });
  exited = new Promise((resolve) => { world.once('exit', resolve); });
  line = JSON.parse(await firstLine(world)) as Line;
}, { timeout: LIMIT_MS });
after(() => world?.kill('SIGKILL'));

const [client] = stockClients;
const buy = async (payer: number) => client!.get(`${line.gate}/report`, line.funded[payer]!);
const set = async (control: string, given: object): Promise<number> =>
  (await fetch(line.controls[control] ?? '', { method: 'POST', body: JSON.stringify(given) })).status;

test('a stock client buys with a key of the line', { timeout: LIMIT_MS }, async () => {
  const { status, text } = await buy(0);
  assert.equal(status, 200, text);
  assert.match(text, /Rainfall, Tuesday/);
});

test('the facilitator can be cut off, and comes back', { timeout: LIMIT_MS }, async () => {
  assert.equal(await set('facilitator', { mode: 'cut' }), 200);
  const { status } = await buy(1);
  assert.equal(await set('facilitator', {}), 200);
  assert.equal(status, 503);
  const again = await fetch(`${line.gate}/report`);
  assert.equal(again.status, 402);
});

test('a part can be answered for', { timeout: LIMIT_MS }, async () => {
  await set('origin', { mode: 'answer', status: 418, body: { short: true }, path: '/about' });
  const { status } = await fetch(`${line.gate}/about`);
  await set('origin', {});
  assert.deepEqual([status, (await fetch(`${line.gate}/about`)).status], [418, 200]);
});

test('the gate is killed and keeps its books', { timeout: LIMIT_MS }, async () => {
  const audit = async (): Promise<string> => (await fetch(`${line.gate}/_farebox/payments`, { headers: { authorization: `Bearer ${line.operatorToken}` } })).text();
  const before = await audit();
  assert.match(before, /"state":"delivered"/);
  await set('kill', {});
  await assert.rejects(fetch(`${line.gate}/report`));
  await set('restart', {});
  assert.equal((JSON.parse(await audit()) as { items: unknown[] }).items.length, (JSON.parse(before) as { items: unknown[] }).items.length);
});

test('a control that is not there names those that are', { timeout: LIMIT_MS }, async () => {
  const response = await fetch((line.controls.kill ?? '').replace('kill', 'burn'), { method: 'POST' });
  assert.equal(response.status, 404);
  assert.match(await response.text(), /kill, restart/);
});

test('it ends with its standard input, and nothing of it goes on', { timeout: LIMIT_MS }, async () => {
  world.stdin?.end();
  assert.equal(await exited, 0);
  for (const url of [line.gate, line.origin, line.facilitator, line.chain.url]) await assert.rejects(fetch(url), /fetch failed/);
});

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: stdout! })) return line;
  throw new Error('it said nothing');
}
