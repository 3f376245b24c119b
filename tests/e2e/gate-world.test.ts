// The gate's world as a client from outside has it: one line of JSON, stock payments, broken parts, and nothing left behind.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startLine, type WorldLine } from '../support/world-line.ts';
import { type Payer, stockClients } from './clients.ts';

const LIMIT_MS = 120_000;

type Line = {
  readonly gate: string;
  readonly operatorToken: string;
  readonly origin: string;
  readonly facilitator: string;
  readonly chain: { readonly url: string };
  readonly funded: readonly Payer[];
  readonly controls: Readonly<Record<string, string>>;
};

let world: WorldLine<Line>;
let line: Line;
before(
  async () => {
    world = await startLine<Line>('gate');
    ({ line } = world);
  },
  { timeout: LIMIT_MS },
);
after(() => world?.kill());

const [client] = stockClients;
const buy = async (payer: number) => client!.get(`${line.gate}/report`, line.funded[payer]!);

test('a stock client buys with a key of the line', { timeout: LIMIT_MS }, async () => {
  const { status, text } = await buy(0);
  assert.equal(status, 200, text);
  assert.match(text, /Rainfall, Tuesday/);
});

test('the facilitator can be cut off, and comes back', { timeout: LIMIT_MS }, async () => {
  await world.control('facilitator', { mode: 'cut' });
  const { status } = await buy(1);
  await world.control('facilitator');
  assert.equal(status, 503);
  const again = await fetch(`${line.gate}/report`);
  assert.equal(again.status, 402);
});

test('a part can be answered for', { timeout: LIMIT_MS }, async () => {
  await world.control('origin', { mode: 'answer', status: 418, body: { short: true }, path: '/about' });
  const { status } = await fetch(`${line.gate}/about`);
  await world.control('origin');
  assert.deepEqual([status, (await fetch(`${line.gate}/about`)).status], [418, 200]);
});

test('the gate is killed and keeps its books', { timeout: LIMIT_MS }, async () => {
  const audit = async (): Promise<string> =>
    (await fetch(`${line.gate}/_farebox/payments`, { headers: { authorization: `Bearer ${line.operatorToken}` } })).text();
  const before = await audit();
  assert.match(before, /"state":"delivered"/);
  await world.control('kill');
  await assert.rejects(fetch(`${line.gate}/report`));
  await world.control('restart');
  assert.equal((JSON.parse(await audit()) as { items: unknown[] }).items.length, (JSON.parse(before) as { items: unknown[] }).items.length);
});

test('a control that is not there names those that are', { timeout: LIMIT_MS }, async () => {
  const response = await fetch((line.controls.kill ?? '').replace('kill', 'burn'), { method: 'POST' });
  assert.equal(response.status, 404);
  assert.match(await response.text(), /kill, restart/);
});

test('its clock moves what a quote of the gate is worth, and the chain with it', { timeout: LIMIT_MS }, async () => {
  const [before] = await times();
  await world.control('clock', { secs: 3600 });
  const [gate, chain] = await times();
  assert.ok(gate! - before! >= 3600 && Math.abs(gate! - chain!) < 60, `${before} ${gate} ${chain}`);
});

test('it ends with its standard input, and nothing of it goes on', { timeout: LIMIT_MS }, () =>
  world.end([line.gate, line.origin, line.facilitator, line.chain.url]),
);

/** The time at the gate, by when its challenge ends, and that of the chain's last block; Unix seconds. */
async function times(): Promise<number[]> {
  const { headers } = await fetch(`${line.gate}/report`);
  const ends = /expires="([^"]+)"/.exec(headers.get('www-authenticate') ?? '')?.[1] ?? assert.fail('no challenge');
  const block = await fetch(line.chain.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_getBlockByNumber', params: ['latest', false] }),
  });
  const { result } = (await block.json()) as { result: { timestamp: string } };
  return [Date.parse(ends) / 1000 - 300, Number(result.timestamp)];
}
