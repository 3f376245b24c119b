/** Payments that a facilitator settles later (OKX's `aggr_deferred`): one delivery each, whatever is killed, and rows that stay. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import type { Reply } from './support/facilitator.ts';
import { ask, loseAlarms, PURGE_NOW, plant, rowsOf } from './support/operator.ts';
import { type JsonObject, type Payment, settlementOf } from './support/payer.ts';
import { begin, eventually, expectProblem, jsonOf, openWorld, payFor, send, type World } from './support/world.ts';

const NEVER = (2n ** 256n - 1n).toString();
const CERTIFICATE = 'eyJrZXkiOiJzZXNzaW9uIn0=';
/** As OKX's facilitator answers: it owes the money. */
const PENDING: Reply = { kind: 'good', fields: { status: 'pending', transaction: '' } };
const DELIVERED = { status: 409, code: 'payment_already_delivered' } as const;
const ROUTES = [{ path: '/later/*', price: '$0.01', aggr_deferred: true, max_timeout_secs: 60, origin_timeout_secs: 2 }];

/** A payment by a session key, which the gate cannot read. */
async function deferred(world: World, path: string): Promise<Payment> {
  const tamper = (payload: JsonObject): void => {
    const { primaryType: _, ...extra } = (payload['accepted'] as JsonObject)['extra'] as JsonObject;
    payload['accepted'] = {
      ...(payload['accepted'] as JsonObject),
      scheme: 'aggr_deferred',
      extra: { ...extra, sessionCert: CERTIFICATE },
    };
    (payload['payload'] as JsonObject)['signature'] = Buffer.alloc(64, 7).toString('base64');
  };
  const payment = await payFor(world, path, { signed: { validBefore: NEVER }, tamper });
  world.facilitator.script(payment.payer, { settle: PENDING });
  return payment;
}

async function within(work: (world: World) => Promise<void>): Promise<void> {
  const persist = mkdtempSync(join(tmpdir(), 'farebox-deferred-'));
  const world = await openWorld({ probe: true, routes: ROUTES, persist, vars: { LEDGER_SHARDS: 1 } });
  try {
    await work(world);
  } finally {
    await world.stop();
    rmSync(persist, { recursive: true, force: true });
  }
}

describe('payments that are settled later', () => {
  it('five copies at once are one delivery, told and recorded as settling', () =>
    within(async (world) => {
      const payment = await deferred(world, '/later/five');
      world.origin.script('/later/five', { delayMs: 300 });
      const answers = await Promise.all(Array.from({ length: 5 }, () => send(world, '/later/five', payment)));
      const [served, ...more] = answers.filter(({ status }) => status === 200);
      assert.ok(served !== undefined && more.length === 0, answers.map(({ text }) => text).join('\n'));
      assert.ok(answers.every(({ headers }) => headers['payment-required'] === undefined));
      const { success, status, transaction, payer } = settlementOf(served) as Record<string, unknown>;
      assert.deepEqual([success, status, transaction, payer], [true, 'pending', '', payment.payer]);
      const [settle, ...others] = world.facilitator.of('settle', payment.payer);
      assert.equal(others.length, 0);
      const handed = JSON.parse(settle?.body.toString() ?? '') as Record<string, Record<string, JsonObject>>;
      assert.equal((handed['paymentPayload']?.['accepted']?.['extra'] as JsonObject)['sessionCert'], CERTIFICATE);
      assert.equal(handed['paymentRequirements']?.['scheme'], 'aggr_deferred');
      const [row] = await rowsOf(world, payment.payer);
      assert.deepEqual([row?.['state'], row?.['transaction']], ['delivered', 'pending']);
      const exported = await ask(world, 'export?format=csv');
      assert.match(exported.text, /,10000,pending,/);
      const audit = jsonOf(await ask(world, 'audit'));
      assert.match(JSON.stringify(audit), /"settled":"10000"/);
      assert.match(JSON.stringify(audit), /"difference":"0"/);
      expectProblem(await send(world, '/later/five', payment), DELIVERED);
      assert.equal(world.origin.of('/later/five').length, 1);
    }));

  for (const silent of ['verify', 'settle'] as const) {
    it(`a gate that is killed while the facilitator thinks (${silent}) serves once, when it is asked again`, () =>
      within(async (world) => {
        const path = `/later/killed-${silent}`;
        const payment = await deferred(world, path);
        const good: Reply = { kind: 'good' };
        const script =
          silent === 'verify'
            ? { verify: [{ kind: 'hang' } as Reply, good], settle: PENDING }
            : { settle: [{ kind: 'hang' } as Reply, PENDING] };
        world.facilitator.script(payment.payer, script);
        const lost = begin(send(world, path, payment).catch(() => undefined));
        await eventually('it is asked', () => world.facilitator.of(silent, payment.payer).length > 0);
        await world.gate.restart('kill');
        await lost;
        const told: string[] = [];
        await eventually('it is served', async () => {
          const answer = await send(world, path, payment);
          told.push(`${answer.status} ${answer.headers['payment-required'] === undefined}`);
          return answer.status === 200;
        });
        assert.ok(
          told.every((line) => line.endsWith('true')),
          told.join(', '),
        );
        expectProblem(await send(world, path, payment), DELIVERED);
        assert.equal(world.origin.of(path).length, 1);
        const bodies = new Set(world.facilitator.of('settle', payment.payer).map(({ body }) => body.toString()));
        assert.equal(bodies.size, 1, 'the same bytes each time');
      }));
  }

  it('a gate that is killed before its answer owes nothing twice', () =>
    within(async (world) => {
      const path = '/later/killed-answer';
      const payment = await deferred(world, path);
      world.origin.script(path, { delayMs: 3_000 });
      const lost = begin(send(world, path, payment).catch(() => undefined));
      await eventually('the origin works', () => world.origin.of(path).length > 0);
      await world.gate.restart('kill');
      await lost;
      await eventually('it is owed', async () => {
        const answer = await send(world, path, payment);
        assert.equal(answer.headers['payment-required'], undefined, answer.text);
        return jsonOf(answer)['code'] === 'refund_due';
      });
      assert.equal(world.origin.of(path).length, 1);
      assert.equal(world.facilitator.of('settle', payment.payer).length, 1);
      const [row] = await rowsOf(world, payment.payer);
      const paidBack = (transaction: string) => ask(world, `payments/${String(row?.['id'])}/refunded`, { transaction });
      assert.equal((await paidBack('pending')).status, 400, 'a refund is in a transaction');
      assert.equal(jsonOf(await paidBack(`0x${'ab'.repeat(32)}`))['state'], 'refunded');
    }));

  it('its row stays when others go, and buys nothing more', () =>
    within(async (world) => {
      const path = '/later/kept';
      const [payment, usual] = [await deferred(world, path), await payFor(world, path)];
      for (const one of [payment, usual]) assert.equal((await send(world, path, one)).status, 200);
      await world.gate.stop();
      assert.equal(plant(world.gate, 'UPDATE payments SET updated = 1'), 2);
      assert.equal(
        plant(
          world.gate,
          'UPDATE payments SET valid_before = 1 WHERE key IN (SELECT key FROM payments WHERE payer = ?)',
          usual.payer.toLowerCase(),
        ),
        1,
      );
      assert.equal(plant(world.gate, PURGE_NOW), 1);
      loseAlarms(world.gate);
      await world.gate.restart();
      await eventually('the other one is gone', async () => {
        await world.gate.scheduled();
        return (await rowsOf(world, usual.payer)).length === 0;
      });
      assert.deepEqual(
        (await rowsOf(world, payment.payer)).map(({ state }) => state),
        ['delivered'],
      );
      expectProblem(await send(world, path, payment), DELIVERED);
      assert.equal(world.origin.of(path).length, 2);
    }));
});
