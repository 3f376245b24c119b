// What one agent leaves open, a node that hangs and bodies of strangers hold up nothing that others wait for.

import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';

import { eventually } from '../support/eventually.ts';
import { buy, clientOf, startTreasuryWorld, type TreasuryWorld } from './buyers.ts';
import { VERSION } from './support/requests.ts';

/** Open payments: their reads fill each block of the alarm. */
const OPEN = 24;
/** Longer than a read waits for its node. */
const HANGS_MS = 8_000;

let world: TreasuryWorld;
const notices: string[] = [];
const webhook = createServer((asked, response) => {
  let body = '';
  asked.on('data', (part) => {
    body += part;
  });
  asked.on('end', () => {
    notices.push(body);
    response.writeHead(200).end();
  });
});

before(
  async () => {
    await new Promise<void>((resolve) => webhook.listen(0, '127.0.0.1', resolve));
    world = await startTreasuryWorld({
      stock: false,
      vars: { READ_SECS: '5', WEBHOOK_URL: `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/`, WEBHOOK_SECRET: 'x'.repeat(32) },
      organizations: ({ scripted }) => [
        {
          name: 'acme',
          policy: { allowedOrigins: [scripted.url], reviewAbove: { USDC: '0.05' }, perMonth: { USDC: '5.00' } },
          agents: [{ name: 'refused' }, { name: 'waits' }],
        },
      ],
    });
  },
  { timeout: 120_000 },
);
after(async () => {
  await world?.stop();
  webhook.close();
});

//
test('a node that hangs while many payments are open holds up no notice', { timeout: 180_000 }, async () => {
  const url = world.merchants.scripted.url;
  const refused = clientOf(world, 'acme', 'refused');
  for (let index = 0; index < OPEN; index += 1) await buy(refused, `${url}/reject/400?amount=1&n=${index}`);
  world.switches.node.set({ mode: 'delay', ms: HANGS_MS });
  await new Promise((resolve) => setTimeout(resolve, 2 * HANGS_MS));
  await buy(clientOf(world, 'acme', 'waits'), `${url}/honest/dear?amount=60000`);
  await eventually(
    'the review is told',
    async () => notices.filter((notice) => notice.includes('review.created')).length,
    (told) => told === 1,
  );
});

//
test('a long body without a token that counts is answered before it is sent', { timeout: 60_000 }, async () => {
  const body = '/api/sdk/payment-decisions';
  const token = `fbt_acme_${'a'.repeat(16)}_${'b'.repeat(51)}`;
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { ...VERSION, authorization: `Bearer ${token}`, 'content-type': 'application/json', 'content-length': 1_000_000 };
    const asked = request(new URL(body, world.treasury.url), { method: 'POST', headers }, (answer) => {
      resolve(answer.statusCode);
      asked.destroy();
    });
    asked.on('error', reject);
    asked.write('{"a":"');
  });
  assert.equal(status, 401);
});
