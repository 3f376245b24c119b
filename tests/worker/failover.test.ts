/** Two facilitators: the second is asked only while nothing can have been submitted to the first. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Facilitator, type Reply, type Script } from './support/facilitator.ts';
import { freshPayer } from './support/payer.ts';
import {
  eventually,
  expectCalls,
  expectFreshTerms,
  expectPaid,
  expectProblem,
  jsonOf,
  MODES,
  type Mode,
  nextNumber,
  openWorld,
  payFor,
  send,
  type World,
} from './support/world.ts';

const HANG: Reply = { kind: 'hang' };
const SECRET = [['Idempotency-Key', 'f'.repeat(30)]] as const;

let world: World;
let second: Facilitator;

before(async () => {
  second = await Facilitator.start();
  world = await openWorld({ probe: true, withFacilitator: (url) => ({ FACILITATOR_URL: [{ url }, { url: second.url }] }) });
});
after(async () => {
  await world.stop();
  await Promise.all([world.facilitator.stop(), second.stop()]);
});

/** Pays with the first facilitator scripted. */
async function paid(mode: Mode, script: Script, others: Script = {}) {
  const path = `/${mode}/failover-${nextNumber()}`;
  const payer = freshPayer();
  world.facilitator.script(payer.address, script);
  second.script(payer.address, others);
  const payment = await payFor(world, path, { payer });
  const answer = await send(world, path, payment, { headers: SECRET });
  return { path, payment, answer };
}

function calls(payer: string) {
  const of = (facilitator: Facilitator) => `${facilitator.of('verify', payer).length}/${facilitator.of('settle', payer).length}`;
  return `${of(world.facilitator)} ${of(second)}`;
}

async function facilitatorOf(payer: string): Promise<string> {
  const headers = [['Authorization', 'Bearer operator-token-of-the-test-suite-0123456789']] as const;
  const answer = await world.gate.raw('GET', `/_farebox/payments?payer=${payer}`, headers);
  const [item] = jsonOf(answer)['items'] as { facilitator: string }[];
  return item?.facilitator ?? 'no row';
}

for (const mode of MODES) {
  describe(`${mode}: two facilitators`, { concurrency: true }, () => {
    it('asks the first alone while it answers', async () => {
      const { payment, answer } = await paid(mode, {});
      expectPaid(answer, payment);
      assert.equal(calls(payment.payer), '1/1 0/0');
      assert.equal(await facilitatorOf(payment.payer), world.facilitator.url);
    });

    for (const [name, verify] of Object.entries({
      'does not answer verify': HANG,
      'cuts the connection': { kind: 'destroy' },
      'answers verify with 500': { kind: 'json', status: 500, body: { error: 'boom' } },
      'answers verify with HTML': { kind: 'raw', status: 200, headers: { 'Content-Type': 'text/html' }, body: '<p>hello' },
    } satisfies Record<string, Reply>)) {
      it(`settles with the second when the first ${name}`, async () => {
        const { path, payment, answer } = await paid(mode, { verify });
        expectPaid(answer, payment);
        assert.equal(calls(payment.payer), '1/0 1/1', 'the first never saw a settle call');
        assert.equal(world.origin.of(path).length, 1);
        assert.equal(await facilitatorOf(payment.payer), second.url);
        const again = await send(world, path, payment, { headers: SECRET });
        expectPaid(again, payment);
        assert.equal(calls(payment.payer), '1/0 1/1', 'a repeat asks nobody');
      });
    }

    it('believes a refusal of the first', async () => {
      const refused: Reply = { kind: 'json', body: { isValid: false, invalidReason: 'insufficient_funds' } };
      const { payment, answer } = await paid(mode, { verify: refused });
      expectFreshTerms(answer, 'verify_refused');
      assert.equal(calls(payment.payer), '1/0 0/0');
    });

    it('does not turn to the second once a settle call was sent', async () => {
      const { path, payment, answer } = await paid(mode, { settle: [HANG, HANG, { kind: 'good' }] });
      expectProblem(answer, { status: 503, code: 'settlement_unknown', retryAfter: 5 });
      assert.equal(second.of('verify', payment.payer).length + second.of('settle', payment.payer).length, 0);
      await eventually(
        'the first settles what it was sent',
        async () => {
          const repeat = await send(world, path, payment, { headers: SECRET });
          return repeat.status === 200;
        },
        60_000,
      );
      assert.equal(calls(payment.payer).split(' ')[1], '0/0');
      assert.equal(world.origin.of(path).length, 1);
    });

    it('answers 503 when neither answers, charges nobody, and lets the same payment through later', async () => {
      const { path, payment, answer } = await paid(mode, { verify: [HANG, { kind: 'good' }] }, { verify: [HANG, HANG] });
      expectProblem(answer, { status: 503, code: 'facilitator_unavailable', retryAfter: 10 });
      assert.equal(calls(payment.payer), '1/0 1/0');
      expectPaid(await send(world, path, payment, { headers: SECRET }), payment);
      assert.equal(calls(payment.payer), '2/1 1/0');
    });
  });
}

describe('a first facilitator that refuses connections', () => {
  it('is left alone after ten failures, and asked again when it is back', async () => {
    const port = Number(new URL(world.facilitator.url).port);
    const lost = world.facilitator;
    await lost.stop();
    for (let round = 0; round < 12; round += 1) {
      const mode = MODES[round % 2] ?? 'after';
      const path = `/${mode}/down-${nextNumber()}`;
      const payment = await payFor(world, path);
      expectPaid(await send(world, path, payment), payment);
      expectCalls({ ...world, facilitator: second }, payment.payer, path, { verify: 1, settle: 1, origin: 1 });
    }
    const counts = [];
    for (let round = 0; round < 4; round += 1) {
      const path = `/after/spared-${nextNumber()}`;
      const payment = await payFor(world, path);
      await world.gate.ledger('ok');
      expectPaid(await send(world, path, payment), payment);
      counts.push((await world.gate.ledger()).calls);
    }
    assert.ok(counts.includes(3), `no call and no ledger call more, but for a try now and then: ${counts.join(' ')}`);
    const back = await Facilitator.start(port);
    Object.assign(world, { facilitator: back });
    await eventually(
      'the first is asked again',
      async () => {
        const path = `/after/back-${nextNumber()}`;
        const payment = await payFor(world, path);
        expectPaid(await send(world, path, payment), payment);
        return back.of('settle').length > 0;
      },
      60_000,
    );
  });
});
