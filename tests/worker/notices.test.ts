/** A node that hangs while many payments are looked up there holds up no notice to the operator. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, it } from 'node:test';

import { Listener } from './support/operator.ts';
import { freshPayer } from './support/payer.ts';
import { eventually, jsonOf, openWorld, payFor, send, type World } from './support/world.ts';

/** As many as a payer may have at once: more than one alarm reads. */
const REFUSED = 16;

let world: World;
let listener: Listener;
let hangs = false;
let hanging = 0;
const node = createServer((asked, answer) => {
  asked.resume();
  if (hangs) hanging += 1;
  else answer.writeHead(500).end();
});

before(async () => {
  await new Promise<void>((resolve) => node.listen(0, '127.0.0.1', resolve));
  listener = await Listener.start(() => [204, '']);
  world = await openWorld({
    vars: {
      LEDGER_SHARDS: 1,
      RPC_URL: `http://127.0.0.1:${(node.address() as AddressInfo).port}`,
      WEBHOOK_URL: `${listener.url}/hook`,
      // What was refused is looked up so often that some of it is due whenever the node is asked.
      RECOVERY: { settle_secs: 2, resend_secs: [1], chain_secs: [2, 200], refund_secs: 5, manual_secs: 2000 },
    },
    secrets: { WEBHOOK_SECRET: 'webhook-secret-of-the-test-suite-0123' },
  });
});
after(async () => {
  await world.stop();
  await listener.stop();
  node.close();
  node.closeAllConnections();
});

//
it('a node that hangs while refused payments are looked up there holds up no notice', async () => {
  const payer = freshPayer();
  const refusal = { success: false, errorReason: 'insufficient_funds', transaction: '', network: 'eip155:84532', payer: payer.address };
  world.facilitator.script(payer.address, { settle: { kind: 'json', status: 200, body: refusal } });
  const targets = Array.from({ length: REFUSED }, (_, number) => `/before/refused-${number}`);
  const payments = await Promise.all(targets.map((target) => payFor(world, target, { payer })));
  await Promise.all(payments.map((payment, number) => send(world, String(targets[number]), payment)));
  hangs = true;
  await eventually('the node is asked, and hangs', () => hanging >= 3);
  const target = '/before/owed';
  world.origin.script(target, { status: 500 });
  const answer = await send(world, target, await payFor(world, target));
  assert.equal(jsonOf(answer)['code'], 'refund_due', answer.text);
  const id = String(jsonOf(answer)['payment']);
  await eventually('the notice', () => listener.taken.some(({ text }) => text.includes(id)), 15_000);
});
