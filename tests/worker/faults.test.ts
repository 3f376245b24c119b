/** A facilitator that is slow, broken or lies: the payer is neither asked twice nor served for nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { type Reply, refusedSettle, refusedVerify } from './support/facilitator.ts';
import { settlementOf } from './support/payer.ts';
import {
  eventually,
  expectCalls,
  expectFreshTerms,
  expectNextGoodRequest,
  expectPaid,
  expectProblem,
  jsonOf,
  MODES,
  type Mode,
  NO_CALLS,
  openWorld,
  ordinaryCalls,
  payFor,
  send,
  type World,
} from './support/world.ts';

const UNKNOWN = { status: 503, code: 'settlement_unknown', retryAfter: 5 } as const;
const UNAVAILABLE = { status: 503, code: 'facilitator_unavailable', retryAfter: 10 } as const;
const SECRET = [['Idempotency-Key', 'f'.repeat(30)]] as const;
const TX = `0x${'ab'.repeat(32)}`;
const JSON_TYPE = { 'Content-Type': 'application/json' };
const settledText = `{"success":true,"transaction":"${TX}","network":"eip155:84532"}`;
const validText = '{"isValid":true}';

/** Broken in the same way for verify and settle; `text` is what a good answer would have been. */
function brokenTransport(text: string): Readonly<Record<string, Reply>> {
  const padded = text.replace('}', `,"filler":"${'a'.repeat(70_000)}"}`);
  return {
    'no answer': { kind: 'hang' },
    'a destroyed socket': { kind: 'destroy' },
    '500 with a good body': { kind: 'raw', status: 500, headers: JSON_TYPE, body: text },
    '502 HTML': { kind: 'raw', status: 502, headers: { 'Content-Type': 'text/html' }, body: '<h1>Bad Gateway</h1>' },
    '200 HTML': { kind: 'raw', status: 200, headers: { 'Content-Type': 'text/html' }, body: '<h1>Welcome</h1>' },
    'JSON called HTML': { kind: 'raw', status: 200, headers: { 'Content-Type': 'text/html' }, body: text },
    'an empty 200': { kind: 'raw', status: 200, headers: JSON_TYPE, body: '' },
    'a redirect': { kind: 'raw', status: 307, headers: { Location: '/elsewhere' }, body: '' },
    'a huge body': { kind: 'raw', status: 200, headers: JSON_TYPE, body: padded },
    'one byte at a time': { kind: 'drip', text, everyMs: 400 },
    'a cut body': { kind: 'cut', text },
    garbage: { kind: 'raw', status: 200, headers: JSON_TYPE, body: `${text}}` },
  };
}

/** What is read in bytes that arrived is tested in `crates/wire/src/facilitator/outcome.rs`. */
const unknownSettles: Readonly<Record<string, Reply>> = {
  ...brokenTransport(settledText),
  'a repeated key': { kind: 'raw', status: 200, headers: JSON_TYPE, body: settledText.replace('{', '{"success":false,') },
  'another network': { kind: 'good', fields: { network: 'eip155:8453' } },
  settlement_pending: refusedSettle('settlement_pending', { transaction: TX }),
};

/** After these faults the facilitator comes back, and what was promised is kept. */
const healing = ['no answer', 'a destroyed socket', '502 HTML', 'a redirect', 'settlement_pending'];

describe('a facilitator', { concurrency: 3 }, () => {
  describe('unknown settlements', { concurrency: 5 }, () => {
    for (const mode of MODES) {
      for (const [what, reply] of Object.entries(unknownSettles)) {
        //
        it(`settle answered with ${what} is unknown: never a fresh 402, never delivered (${mode})`, () => stays(mode, what, reply));
      }
    }

    async function stays(mode: Mode, what: string, reply: Reply): Promise<void> {
      const world = await openWorld();
      try {
        const path = `/${mode}/unknown`;
        const payment = await payFor(world, path);
        world.facilitator.script(payment.payer, { settle: reply });
        const connection = await world.gate.connect();
        for (let turn = 0; turn < 2; turn += 1) {
          const answer = await send(world, path, payment, { headers: SECRET, connection });
          const problem = expectProblem(answer, UNKNOWN);
          assert.match(String(problem['detail']), /same payment/i);
          assert.ok(!answer.text.includes('the paid content'));
          assert.notEqual(settlementOf(answer)?.['success'], true);
          assert.ok(answer.timings.lastByteMs < 20_000, 'ten seconds and the first deadline at most');
        }
        assert.equal(world.origin.of(path).length, mode === 'after' ? 1 : 0);
        const sent = world.facilitator.of('settle', payment.payer);
        assert.ok(sent.length >= 2, 'the same payment is sent again');
        assert.equal(new Set(sent.map((call) => call.body.toString('latin1'))).size, 1, 'with the same bytes');
        const elsewhere = world.facilitator.calls.filter((call) => call.operation === 'other');
        assert.equal(elsewhere.length > 0, what === 'a redirect', 'a redirect on the same host is followed');
        for (const call of elsewhere) assert.deepEqual(call.body, sent[0]?.body);
        await expectNextGoodRequest(world, connection, mode);
        connection.close();
        if (healing.includes(what)) {
          world.facilitator.script(payment.payer, {});
          await eventually('the promised answer', async () => {
            const answer = await send(world, path, payment, { headers: SECRET });
            assert.notEqual(answer.status, 402);
            if (answer.status !== 200) return false;
            expectPaid(answer, payment);
            return true;
          });
          assert.equal(world.origin.of(path).length, 1);
        }
      } finally {
        await world.stop();
      }
    }
  });

  describe('facilitator faults with a certain outcome', { concurrency: 1 }, () => {
    let world: World;
    before(async () => {
      world = await openWorld();
    });
    after(() => world.stop());

    const definite = [
      'insufficient_funds',
      'invalid_exact_evm_insufficient_balance',
      'invalid_exact_evm_payload_signature',
      'invalid_exact_evm_signature',
      'invalid_exact_evm_payload_authorization_valid_before',
    ];
    for (const mode of MODES) {
      for (const [i, reason] of definite.entries()) {
        it(`settle refused with ${reason} is certain (${mode})`, async () => {
          const path = `/${mode}/definite-${i}`;
          const payment = await payFor(world, path);
          const status = [200, 400, 402, 412, 200][i] ?? 200;
          world.facilitator.script(payment.payer, { settle: { ...refusedSettle(reason), status } as Reply });
          const connection = await world.gate.connect();
          const answer = await send(world, path, payment, { connection });
          assert.equal(answer.status, 402, answer.text.slice(0, 200));
          assert.equal(jsonOf(answer)['code'], 'settlement_refused');
          assert.equal(settlementOf(answer)?.['errorReason'], reason);
          assert.equal(answer.headers['payment-required'], undefined);
          expectCalls(world, payment.payer, path, { verify: mode === 'after' ? 1 : 0, settle: 1, origin: mode === 'after' ? 1 : 0 });
          await expectNextGoodRequest(world, connection, mode);
          connection.close();
        });
      }
    }

    const unreachable: Readonly<Record<string, Reply>> = {
      ...brokenTransport(validText),
      'a repeated key': { kind: 'raw', status: 200, headers: JSON_TYPE, body: '{"isValid":false,"isValid":true}' },
    };
    for (const [what, reply] of Object.entries(unreachable)) {
      it(`verify answered with ${what} is facilitator_unavailable, and the payment stays good`, async () => {
        const path = `/after/verify-${Object.keys(unreachable).indexOf(what)}`;
        const payment = await payFor(world, path);
        world.facilitator.script(payment.payer, { verify: reply });
        const connection = await world.gate.connect();
        const answer = await send(world, path, payment, { connection });
        expectProblem(answer, UNAVAILABLE);
        assert.ok(answer.timings.headMs < 10_000, 'the deadline of verify is 5 s');
        const verifies = world.facilitator.of('verify', payment.payer).length;
        // A redirect is followed, and where it led is forgotten, because that address fails too.
        const elsewhere = world.facilitator.calls.filter((call) => call.target === '/elsewhere' && call.body.includes(path));
        assert.equal(elsewhere.length, what === 'a redirect' ? verifies : 0);
        expectCalls(world, payment.payer, path, { ...NO_CALLS, verify: verifies });
        await expectNextGoodRequest(world, connection);
        connection.close();
        world.facilitator.script(payment.payer, {});
        expectPaid(await send(world, path, payment), payment);
        assert.deepEqual([world.facilitator.of('settle', payment.payer).length, world.origin.of(path).length], [1, 1]);
      });
    }

    it('a verify that says no is final for this payment now, without settle or origin', async () => {
      for (const reason of ['insufficient_funds', 'invalid_exact_evm_signature', 'a_new_reason']) {
        const path = `/after/verify-no-${reason}`;
        const payment = await payFor(world, path);
        world.facilitator.script(payment.payer, { verify: refusedVerify(reason, { payer: '' }) });
        assert.equal(expectFreshTerms(await send(world, path, payment)).body['error'], reason);
        expectCalls(world, payment.payer, path, { verify: 1, settle: 0, origin: 0 });
      }
    });

    it('a slow but good facilitator is waited for', async () => {
      for (const mode of MODES) {
        const path = `/${mode}/slow-settle`;
        const payment = await payFor(world, path);
        world.facilitator.script(payment.payer, { settle: { kind: 'good', delayMs: 1500 } });
        expectPaid(await send(world, path, payment), payment);
        expectCalls(world, payment.payer, path, ordinaryCalls(mode));
      }
    });
  });

  describe('the breaker', () => {
    it('opens after ten failures in a row, lets nothing through, and closes again', async () => {
      const recovery = { settle_secs: 2, resend_secs: [1, 1, 1], breaker_secs: 5 };
      const world = await openWorld({ vars: { RECOVERY: recovery } });
      try {
        // Signed before, so that they come while it is open.
        const early = await Promise.all(
          MODES.map(async (mode) => [`/${mode}/breaker-open`, await payFor(world, `/${mode}/breaker-open`)] as const),
        );
        for (let i = 0; i < 10; i += 1) {
          const payment = await payFor(world, `/after/breaker-${i}`);
          world.facilitator.script(payment.payer, { verify: { kind: 'destroy' } });
          expectProblem(await send(world, `/after/breaker-${i}`, payment), UNAVAILABLE);
        }
        for (const [path, payment] of early) {
          expectProblem(await send(world, path, payment), UNAVAILABLE);
          expectCalls(world, payment.payer, path, NO_CALLS);
        }
        await eventually('the breaker closes', async () => {
          const payment = await payFor(world, '/after/breaker-closed');
          return (await send(world, '/after/breaker-closed', payment)).status === 200;
        });
        const payment = await payFor(world, '/before/breaker-closed');
        expectPaid(await send(world, '/before/breaker-closed', payment), payment);
      } finally {
        await world.stop();
      }
    });
  });
});
