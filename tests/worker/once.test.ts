/** One payment: one delivery, however often, however spelled and wherever it is sent. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { encode, type Json, type JsonObject, type Payment, settlementOf } from './support/payer.ts';
import type { Answer, HeaderRow } from './support/raw.ts';
import {
  eventually,
  expectCalls,
  expectNextGoodRequest,
  expectPaid,
  expectProblem,
  jsonOf,
  MODES,
  type Mode,
  openWorld,
  ordinaryCalls,
  payFor,
  send,
  type World,
} from './support/world.ts';

const SECRET_ID = 'pay_0123456789abcdef0123456789abcdef';
const DELIVERED = { status: 409, code: 'payment_already_delivered' } as const;
const USED = { status: 409, code: 'payment_already_used' } as const;
const withoutResource = (payload: JsonObject): void => void delete payload['resource'];

describe('once', () => {
  let world: World;
  before(async () => {
    world = await openWorld({ probe: true });
  });
  after(() => world.stop());

  for (const mode of MODES) {
    //
    it(`a hundred parallel copies are one delivery (${mode})`, async () => {
      const path = `/${mode}/hundred`;
      const payment = await payFor(world, path);
      world.origin.script(path, { delayMs: 300 });
      await world.gate.ledger('ok');
      const answers = await Promise.all(Array.from({ length: 100 }, () => send(world, path, payment)));
      expectOneDelivery(answers, payment);
      assert.equal((await world.gate.ledger()).objects, 1, 'all copies meet in one object');
      expectProblem(await send(world, path, payment), DELIVERED);
      expectCalls(world, payment.payer, path, ordinaryCalls(mode));
      assert.equal(world.facilitator.settled.has(`${payment.payer.toLowerCase()}/${payment.nonce}`), true);
    });

    //
    it(`two routes and one payment are one delivery (${mode})`, async () => {
      const one = `/${mode}/shared`;
      const two = mode === 'after' ? '/twin/shared' : '/before/shared-sibling';
      const payment = await payFor(world, one, { tamper: withoutResource });
      world.origin.script(one, { delayMs: 200 });
      world.origin.script(two, { delayMs: 200 });
      const targets = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? one : two));
      const answers = await Promise.all(targets.map((target) => send(world, target, payment)));
      const winner = targets[answers.findIndex((answer) => answer.status === 200)];
      assert.equal(answers.filter((answer) => answer.status === 200).length, 1);
      for (const [i, answer] of answers.entries()) {
        if (answer.status === 200) expectPaid(answer, payment);
        else if (targets[i] === winner) assert.equal(answer.status, 409);
        else expectProblem(answer, USED);
      }
      assert.equal(world.origin.of(one).length + world.origin.of(two).length, 1);
      assert.equal(world.facilitator.of('settle', payment.payer).length, 1);
    });

    //
    it(`re-spelled copies are the same payment (${mode})`, async () => {
      const path = `/${mode}/spelled`;
      const payment = await payFor(world, path);
      const copies = spellings(payment);
      world.origin.script(path, { delayMs: 200 });
      const rows: readonly HeaderRow[] = [payment.row, ...Object.values(copies)];
      const answers = await Promise.all(rows.map((row) => world.gate.raw('GET', path, [row])));
      assert.equal(answers.filter((answer) => answer.status === 200).length, 1);
      for (const [what, row] of Object.entries(copies)) {
        const connection = await world.gate.connect();
        const answer = await connection.send({ method: 'GET', target: path, headers: [row] });
        if (OPTIONAL_SPELLINGS.includes(what) && answer.status === 400) expectProblem(answer, { status: 400, code: 'malformed_payment' });
        else assert.equal(jsonOf(answer)['code'], 'payment_already_delivered', `${what}: ${answer.text}`);
        if (connection.ended) continue;
        assert.equal((await connection.send({ method: 'GET', target: '/free' })).status, 200, 'the connection goes on');
        connection.close();
      }
      assert.equal(world.origin.of(path).length, 1);
      assert.equal(world.facilitator.of('settle', payment.payer).length, 1);
    });

    type Secret = readonly [what: string, id: string | undefined, rows: readonly HeaderRow[]];
    const secrets: readonly Secret[] = [
      ['payment-identifier', SECRET_ID, []],
      ['Idempotency-Key', undefined, [['Idempotency-Key', 'k'.repeat(22)]]],
    ];
    for (const [what, identifier, rows] of secrets) {
      //
      it(`a repeat with its ${what} gets the stored response without any call (${mode})`, async () => {
        const path = `/${mode}/stored-${what.toLowerCase()}`;
        const payment = await payFor(world, path, identifier === undefined ? {} : { identifier });
        world.origin.script(path, { status: 201, headers: { 'X-Origin': 'yes', 'Content-Type': 'text/plain' }, body: 'stored text' });
        const first = await send(world, path, payment, { headers: rows });
        expectPaid(first, payment, 201);
        assert.equal(first.headers['payment-replayed'], undefined);
        for (let i = 0; i < 3; i += 1) {
          const connection = await world.gate.connect();
          const again = await send(world, path, payment, { headers: rows, connection });
          expectPaid(again, payment, 201);
          assert.equal(again.headers['payment-replayed'], 'true');
          assert.equal(again.text, 'stored text');
          assert.equal(again.headers['x-origin'], 'yes');
          assert.equal(again.headers['content-type'], first.headers['content-type']);
          assert.deepEqual(settlementOf(again), settlementOf(first));
          expectCalls(world, payment.payer, path, ordinaryCalls(mode));
          await expectNextGoodRequest(world, connection, mode);
          connection.close();
        }
      });
    }

    //
    it(`without the first request's secret nothing stored is given out (${mode})`, async () => {
      const path = `/${mode}/not-stored-for-you`;
      const key = (value: string): HeaderRow => ['Idempotency-Key', value];
      const cases: readonly (readonly [first: readonly HeaderRow[], repeat: readonly HeaderRow[]])[] = [
        [[], []],
        [[], [key('n'.repeat(30))]],
        [[key('a'.repeat(30))], []],
        [[key('a'.repeat(30))], [key('b'.repeat(30))]],
        [[key('s'.repeat(21))], [key('s'.repeat(21))]],
        [[key('l'.repeat(129))], [key('l'.repeat(129))]],
      ];
      for (const [i, [first, repeat]] of cases.entries()) {
        const target = `${path}?case=${i}`;
        const payment = await payFor(world, target);
        expectPaid(await send(world, target, payment, { headers: first }), payment);
        const answer = await send(world, target, payment, { headers: repeat });
        expectProblem(answer, DELIVERED);
        assert.ok(!answer.text.includes('the paid content'));
        assert.equal(world.facilitator.of('settle', payment.payer).length, 1);
      }
      assert.equal(world.origin.of(path).length, cases.length);
    });

    //
    it(`the secret opens only the same request (${mode})`, async () => {
      const path = `/${mode}/bound`;
      const secret: HeaderRow = ['Idempotency-Key', 'b'.repeat(30)];
      const payment = await payFor(world, path, { tamper: withoutResource, method: 'POST' });
      const first = { method: 'POST', headers: [secret], body: 'one' };
      expectPaid(await send(world, path, payment, first), payment);
      const others = [
        { ...first, body: 'two' },
        { ...first, method: 'PUT' },
        { ...first, headers: [secret, ['Range', 'bytes=0-1'] as const] },
        { ...first, headers: [secret, ['Host', 'other.example'] as const] },
      ];
      for (const other of others) expectProblem(await send(world, path, payment, other), USED);
      expectProblem(await send(world, `${path}?x`, payment, first), USED);
      assert.equal((await send(world, path, payment, first)).headers['payment-replayed'], 'true');
      expectCalls(world, payment.payer, path, ordinaryCalls(mode));
    });

    for (const how of ['dispose', 'kill'] as const) {
      //
      it(`what was delivered stays delivered after a restart (${mode}, ${how})`, async () => {
        await survives(mode, how);
      });
    }
  }

  it('with no hours to keep responses a repeat is told that it was delivered', async () => {
    const forgetful = await openWorld({ vars: { KEEP_RESPONSES_HOURS: 0 } });
    try {
      const payment = await payFor(forgetful, '/after/forgotten', { identifier: SECRET_ID });
      expectPaid(await send(forgetful, '/after/forgotten', payment), payment);
      expectProblem(await send(forgetful, '/after/forgotten', payment), DELIVERED);
      assert.equal(forgetful.origin.of('/after/forgotten').length, 1);
    } finally {
      await forgetful.stop();
    }
  });

  async function survives(mode: Mode, how: 'dispose' | 'kill'): Promise<void> {
    const mortal = await openWorld();
    try {
      const [plain, secret] = [`/${mode}/restart`, `/${mode}/restart-secret`];
      const one = await payFor(mortal, plain);
      const two = await payFor(mortal, secret, { identifier: SECRET_ID });
      expectPaid(await send(mortal, plain, one), one);
      const first = await send(mortal, secret, two);
      expectPaid(first, two);
      await mortal.gate.restart(how);
      expectProblem(await send(mortal, plain, one), DELIVERED);
      const again = await send(mortal, secret, two);
      expectPaid(again, two);
      assert.equal(again.text, first.text);
      assert.equal(again.headers['payment-replayed'], 'true');
      expectCalls(mortal, one.payer, plain, ordinaryCalls(mode));
      expectCalls(mortal, two.payer, secret, ordinaryCalls(mode));
      await eventually('a new payment works', async () => {
        const next = await payFor(mortal, `/${mode}/after-restart`);
        return (await send(mortal, `/${mode}/after-restart`, next)).status === 200;
      });
    } finally {
      await mortal.stop();
    }
  }
});

/** Exactly one 200 with the settlement; everybody else is told that it is going on or done. */
function expectOneDelivery(answers: readonly Answer[], payment: Payment): void {
  const delivered = answers.filter((answer) => answer.status === 200);
  assert.equal(delivered.length, 1, answers.map((answer) => answer.status).join(' '));
  for (const answer of answers) {
    if (answer.status === 200) expectPaid(answer, payment);
    else if (jsonOf(answer)['code'] === DELIVERED.code) expectProblem(answer, DELIVERED);
    else expectProblem(answer, { status: 409, code: 'payment_in_progress', retryAfter: 2 });
  }
}

/** These may also be refused as malformed; they must never be a second payment. */
const OPTIONAL_SPELLINGS = ['unpadded', 'base64url'];

function spellings(payment: Payment): Record<string, HeaderRow> {
  const base = JSON.parse(payment.json) as JsonObject;
  const changed = (change: (authorization: JsonObject, inner: JsonObject) => void): HeaderRow => {
    const copy = JSON.parse(payment.json) as JsonObject;
    const inner = copy['payload'] as JsonObject;
    change(inner['authorization'] as JsonObject, inner);
    return encode(JSON.stringify(copy));
  };
  const upper = (text: Json | undefined): string => `0x${String(text).slice(2).toUpperCase()}`;
  const lower = (text: Json | undefined): string => String(text).toLowerCase();
  const filled = encode(JSON.stringify({ ...base, filler: '~~~???' }));
  return {
    'key order': encode(JSON.stringify(reversed(base))),
    'white space': encode(JSON.stringify(base, null, 2)),
    escapes: encode(payment.json.replace('"payload"', '"p\\u0061yload"').replaceAll('/', '\\/')),
    'unknown member': filled,
    'upper-case nonce': changed((a) => void (a['nonce'] = upper(a['nonce']))),
    'upper-case signature': changed((_, inner) => void (inner['signature'] = upper(inner['signature']))),
    'lower-case payer': changed((a) => void (a['from'] = lower(a['from']))),
    'upper-case payer': changed((a) => void (a['from'] = upper(a['from']))),
    'lower-case recipient': changed((a) => void (a['to'] = lower(a['to']))),
    'version 1': encode(JSON.stringify({ x402Version: 1, scheme: 'exact', network: 'base-sepolia', payload: base['payload'] }), 1),
    unpadded: [payment.row[0], encode(`${payment.json} `)[1].replace(/=+$/, '')],
    base64url: [filled[0], filled[1].replaceAll('+', '-').replaceAll('/', '_')],
  };
}

function reversed(value: Json): Json {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reversed(inner as Json)]),
  );
}
