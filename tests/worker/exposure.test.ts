/** What is not risked twice: a network that sends too much, empty wallets, credit while settlements fail, lost alarms. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { loseAlarms, rowsOf } from './support/operator.ts';
import { freshPayer } from './support/payer.ts';
import {
  eventually,
  expectCalls,
  expectFreshTerms,
  expectPaid,
  expectProblem,
  NO_CALLS,
  openWorld,
  payFor,
  QUICK,
  send,
} from './support/world.ts';

const NO_FUNDS = { isValid: false, invalidReason: 'insufficient_funds' };

describe('exposure', () => {
  //
  it('a rate limit is asked before the ledger, by the network of the client, and forgeries do not count', async () => {
    const world = await openWorld({ perMinute: 3, probe: true });
    try {
      const from = (address: string) => [['CF-Connecting-IP', address]] as const;
      const paid = async (address: string, n: number) => {
        const payment = await payFor(world, `/after/limited-${n}`);
        return { payment, answer: await send(world, `/after/limited-${n}`, payment, { headers: [...from(address)] }) };
      };
      for (let n = 0; n < 5; n += 1) {
        assert.equal((await world.gate.raw('GET', '/after/unpaid', [...from('192.0.2.1')])).status, 402);
        const forged = await payFor(world, '/after/forged', { payer: freshPayer() });
        const [name, value] = forged.row;
        const message = JSON.parse(Buffer.from(value, 'base64').toString('utf8')) as { payload: { signature: string } };
        message.payload.signature = `0x${'11'.repeat(64)}1b`;
        const row = [name, Buffer.from(JSON.stringify(message)).toString('base64')] as const;
        expectFreshTerms(await world.gate.raw('GET', '/after/forged', [row, ...from('192.0.2.1')]));
      }
      for (let n = 0; n < 3; n += 1) {
        const { payment, answer } = await paid('192.0.2.1', n);
        expectPaid(answer, payment);
      }
      await world.gate.ledger('ok');
      const { payment, answer } = await paid('192.0.2.1', 3);
      expectProblem(answer, { status: 429, code: 'rate_limited', retryAfter: 10 });
      assert.equal((await world.gate.ledger()).calls, 0, 'no object was asked');
      expectCalls(world, payment.payer, '/after/limited-3', NO_CALLS);
      const other = await paid('192.0.2.2', 4);
      expectPaid(other.answer, other.payment);
      const again = await send(world, '/after/limited-3', payment, { headers: [...from('192.0.2.3')] });
      expectPaid(again, payment);
      // The operator's own Workers have no address: one agent of a treasury does not use up what all have.
      for (let n = 5; n < 10; n += 1) {
        const own = await payFor(world, `/after/limited-${n}`);
        expectPaid(await send(world, `/after/limited-${n}`, own), own);
      }
    } finally {
      await world.stop();
    }
  });

  it('an empty wallet is asked for once, and what it has paid for is still its own', async () => {
    const world = await openWorld();
    try {
      const payer = freshPayer();
      const secret = [['Idempotency-Key', 'e'.repeat(30)]] as const;
      const served = await payFor(world, '/after/before-it-was-empty', { payer });
      expectPaid(await send(world, '/after/before-it-was-empty', served, { headers: [...secret] }), served);
      world.facilitator.script(payer.address, { verify: { kind: 'json', body: NO_FUNDS } });
      for (let n = 0; n < 4; n += 1) {
        const payment = await payFor(world, `/after/empty-${n}`, { payer });
        const { body } = expectFreshTerms(await send(world, `/after/empty-${n}`, payment), 'verify_refused');
        assert.equal(body['error'], 'insufficient_funds');
      }
      assert.equal(world.facilitator.of('verify', payer.address).length, 2, 'one for what was served, one for the first refusal');
      const before = await payFor(world, '/before/empty', { payer });
      expectFreshTerms(await send(world, '/before/empty', before), 'verify_refused');
      assert.equal(world.facilitator.of('settle', payer.address).length, 1, 'nothing was settled in advance either');
      const again = await send(world, '/after/before-it-was-empty', served, { headers: [...secret] });
      expectPaid(again, served);
      assert.equal(again.headers['payment-replayed'], 'true');
      const other = await payFor(world, '/after/not-empty');
      expectPaid(await send(world, '/after/not-empty', other), other);
    } finally {
      await world.stop();
    }
  });

  //
  it('one payer whose settlements fail is served nothing on credit, and another one as before', async () => {
    const world = await openWorld({ vars: { RECOVERY: { ...QUICK, breaker_secs: 1 } } });
    try {
      const payer = freshPayer();
      world.facilitator.script(payer.address, { settle: { kind: 'json', status: 500, body: {} } });
      for (let n = 0; n < 6; n += 1) {
        const path = `/after/theirs-${n}`;
        const payment = await payFor(world, path, { payer });
        expectProblem(await send(world, path, payment), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
        assert.equal(world.origin.of(path).length, n === 0 ? 1 : 0, path);
      }
      world.origin.script('/after/mine', { status: 500 });
      const mine = await payFor(world, '/after/mine');
      assert.equal((await send(world, '/after/mine', mine)).status, 500);
      assert.equal(world.facilitator.of('settle', mine.payer).length, 0, 'nothing was charged for it');
    } finally {
      await world.stop();
    }
  });

  //
  it('while settlements of ten payers fail, a route that settles after the origin settles before it, until one comes out', async () => {
    const world = await openWorld({ vars: { RECOVERY: { ...QUICK, breaker_secs: 1 } } });
    try {
      // Whatever verify says between them.
      let n = 0;
      const fails = async (path: string): Promise<boolean> => {
        const payment = await payFor(world, path);
        world.facilitator.script(payment.payer, { settle: { kind: 'destroy' } });
        expectProblem(await send(world, path, payment), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
        return world.origin.of(path).length === 0;
      };
      const first = await Promise.all(Array.from({ length: 9 }, () => fails(`/after/fails-${(n += 1)}`)));
      assert.deepEqual(new Set(first), new Set([false]), 'at first work is done on credit');
      await eventually('the facilitator is strained', () => fails(`/after/fails-${(n += 1)}`), 60_000);
      // The alarm's re-sends of those that are unknown still fail and may open the breaker, which lets one through.
      const path = '/after/comes-out';
      const payment = await payFor(world, path);
      await eventually(
        'a settlement that comes out',
        async () => {
          const answer = await send(world, path, payment);
          if (answer.status === 200) return true;
          expectProblem(answer, { status: 503, code: 'facilitator_unavailable', retryAfter: 10 });
          return false;
        },
        60_000,
      );
      assert.deepEqual(
        [world.facilitator.of('verify', payment.payer).length, world.origin.of(path).length],
        [0, 1],
        'settled first, so nothing was verified',
      );
    } finally {
      await world.stop();
    }
  });

  // I-10
  it('a payment whose alarm was lost goes on with the sweep, and without it only when somebody asks', async () => {
    const persist = mkdtempSync(join(tmpdir(), 'farebox-sweep-'));
    const world = await openWorld({ persist });
    try {
      const payments = await Promise.all(
        Array.from({ length: 6 }, async (_, n) => {
          const payment = await payFor(world, `/after/swept-${n}`);
          world.facilitator.script(payment.payer, { settle: [{ kind: 'destroy' }, { kind: 'destroy' }, { kind: 'good' }] });
          return payment;
        }),
      );
      const answers = await Promise.all(payments.map((payment, n) => send(world, `/after/swept-${n}`, payment)));
      for (const answer of answers) expectProblem(answer, { status: 503, code: 'settlement_unknown', retryAfter: 5 });
      await world.gate.stop();
      assert.ok(loseAlarms(world.gate) > 0, 'there were alarms');
      for (const payment of payments) world.facilitator.script(payment.payer, {});
      const calls = world.facilitator.calls.length;
      await world.gate.restart();
      // A free request touches no object; three times the next re-send's time passes.
      for (let second = 0; second < 3; second += 1) {
        assert.equal((await world.gate.raw('GET', '/free')).status, 200);
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
      assert.equal(world.facilitator.calls.length, calls, 'the alarms are lost');
      assert.equal(await world.gate.scheduled(), 'ok');
      await eventually('every payment is settled', () =>
        payments.every(({ payer, nonce }) => world.facilitator.settled.has(`${payer.toLowerCase()}/${nonce}`)),
      );
      for (const { payer } of payments) {
        await eventually('the row says so', async () => (await rowsOf(world, payer))[0]?.['state'] === 'delivered');
      }
    } finally {
      await world.stop();
      rmSync(persist, { recursive: true, force: true });
    }
  });
});
