/** Prices that a bound Worker names: right and wrong, quoted and paid, changed meanwhile. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';

import { rowsOf } from './support/operator.ts';
import { encode, freshPayer, type JsonObject, type PaymentRequired, type PayOptions, pay } from './support/payer.ts';
import { type Price, Pricer } from './support/pricer.ts';
import type { Answer } from './support/raw.ts';
import {
  eventually,
  expectCalls,
  expectFreshTerms,
  expectPaid,
  expectProblem,
  jsonOf,
  NO_CALLS,
  openWorld,
  ordinaryCalls,
  routes,
  send,
  type World,
} from './support/world.ts';

const IDENTIFIER = 'pay_0123456789abcdef0123456789abcdef';
const price = { from: 'PRICER', max: '$1.00' };
const common = { max_timeout_secs: 60, origin_timeout_secs: 2 };
const ROUTES = routes([
  { path: '/quoted/*', price, settle: 'after', ...common },
  { path: '/early/*', price, settle: 'before', ...common },
]);
const PATHS = ['/quoted', '/early'] as const;
const UNAVAILABLE = { status: 503, code: 'price_unavailable', retryAfter: 5 };

const amountOf = (required: PaymentRequired) => required.accepts[0]?.amount;
const quoteOf = (required: PaymentRequired) => (required.accepts[0]?.extra as unknown as JsonObject)['quote'] as string;

describe('prices of a bound Worker', { concurrency: 3 }, () => {
  for (const path of PATHS) {
    // A world each: prices are said one after the other.
    describe(path, { concurrency: 1 }, () => {
      let world: World;
      let pricer: Pricer;
      before(async () => {
        pricer = await Pricer.start();
        world = await openWorld({ probe: true, routes: ROUTES, prices: pricer.url, beside: {} });
      });
      after(async () => {
        await world.stop();
        await pricer.stop();
      });
      beforeEach(() => {
        pricer.questions.length = 0;
      });

      /** Asks in one isolate, and pays what was asked. */
      async function sign(path: string, options: PayOptions = {}): ReturnType<typeof pay> {
        const { required } = expectFreshTerms(await world.gate.raw('GET', path), 'payment_required');
        return pay(freshPayer(), required, options);
      }

      /** Sends to the second isolate, which has quoted nothing. */
      function elsewhere(path: string, payment: Awaited<ReturnType<typeof pay>>): Promise<Answer> {
        return send(world, path, payment, { at: world.gate.besideUrl });
      }

      it(`the price that was named is asked, paid and settled, with one question (${path})`, async () => {
        pricer.asks('$0.03', '$0.90');
        const asked = await world.gate.raw('GET', `${path}/right?q=1`, [
          ['Authorization', 'Bearer x'],
          ['Cookie', 'a=1'],
          ['Accept', 'text/csv'],
        ]);
        const { required, body } = expectFreshTerms(asked, 'payment_required');
        assert.equal(amountOf(required), '30000');
        assert.equal((body['accepts'] as JsonObject[])[0]?.['maxAmountRequired'], '30000');
        assert.match(quoteOf(required), /^\d{10}\.[0-9a-f]{32}$/);
        const payment = await pay(freshPayer(), required);
        const paying = { at: world.gate.besideUrl, headers: [['Accept', 'text/csv']] } as const;
        expectPaid(await send(world, `${path}/right?q=1`, payment, paying), payment);
        expectCalls(world, payment.payer, `${path}/right`, ordinaryCalls(path === '/quoted' ? 'after' : 'before'));
        assert.equal((await rowsOf(world, payment.payer))[0]?.['amount'], '30000');
        const [question, more] = pricer.questions;
        assert.equal(more, undefined, 'nobody is asked about a payment with a quote');
        assert.deepEqual([question?.method, question?.url], ['POST', 'https://pricer/price']);
        assert.deepEqual(
          question?.headers.filter((name) => !['accept', 'content-type', 'content-length'].includes(name)),
          [],
        );
        const { url, ...rest } = question?.asked ?? {};
        assert.deepEqual(rest, { method: 'GET', headers: { accept: 'text/csv' } });
        assert.ok(String(url).endsWith(`${path}/right?q=1`), String(url));
      });

      it(`what is wrong, late or broken is 503, and nothing is charged (${path})`, async () => {
        pricer.asks('$0.03');
        const payment = await sign(`${path}/broken`, { version: 1 });
        const wrong: readonly Price[] = [
          { kind: 'throws' },
          { kind: 'hangs' },
          { kind: 'drips' },
          { kind: 'text', body: 'no price' },
          { kind: 'text', body: '' },
          { kind: 'text', status: 500, body: '{"price":"$0.03"}' },
          { kind: 'text', status: 404, body: '{"price":"free"}' },
          { kind: 'text', status: 201, body: '{"price":"free"}' },
          { kind: 'text', status: 302, body: '', headers: { Location: 'https://pricer/other' } },
          { kind: 'text', body: `{"price":"$0.03"${' '.repeat(4096)}}` },
          { kind: 'text', body: '{"price":"$0.03","price":"free"}' },
          { kind: 'json', body: { price: '$1.000001' } },
          { kind: 'json', body: { price: { amount: '1000001' } } },
          { kind: 'json', body: { price: '0' } },
          { kind: 'json', body: { price: '$0.03', valid_secs: 4 } },
        ];
        for (const answer of wrong) {
          pricer.says(answer);
          const unpaid = expectProblem(await world.gate.raw('GET', `${path}/broken`), UNAVAILABLE);
          assert.equal(unpaid['retryable'], true, JSON.stringify(answer));
          expectProblem(await elsewhere(`${path}/broken`, payment), UNAVAILABLE);
        }
        expectCalls(world, payment.payer, `${path}/broken`, NO_CALLS);
        assert.deepEqual(await rowsOf(world, payment.payer), []);
        await eventually('the log names it', () => world.gate.printed.includes('farebox: PRICER returned no price'));
        pricer.asks('$0.03');
        expectPaid(await elsewhere(`${path}/broken`, payment), payment);
      });

      it(`a price that changes between terms and payment does not change what was quoted (${path})`, async () => {
        pricer.asks('$0.03', '$0.04');
        const two = await sign(`${path}/changed`);
        expectPaid(await elsewhere(`${path}/changed`, two), two);
        pricer.asks('$0.03', '$0.04');
        const one = await sign(`${path}/changed`, { version: 1 });
        const { required } = expectFreshTerms(await elsewhere(`${path}/changed`, one), 'amount_mismatch');
        assert.equal(amountOf(required), '40000', 'another isolate knows the present price alone');
        assert.deepEqual(await rowsOf(world, one.payer), []);
        expectPaid(await send(world, `${path}/changed`, one), one);
      });

      //
      it(`a quote for less buys no more: other bytes of body, another range, another kind (${path})`, async () => {
        const questions = [
          { what: 'a longer body', method: 'POST', asked: { body: '7 bytes' }, other: { body: 'x'.repeat(60_000) } },
          { what: 'the whole file', method: 'GET', asked: { headers: [['Range', 'bytes=0-0']] }, other: {} },
          {
            what: 'another kind',
            method: 'GET',
            asked: { headers: [['Accept', 'text/csv']] },
            other: { headers: [['Accept', 'video/mp4']] },
          },
        ] as const;
        for (const { what, method, asked, other } of questions) {
          for (const version of [1, 2] as const) {
            const target = `${path}/less/${what.replaceAll(' ', '-')}/${version}`;
            pricer.asks('$0.03', '$0.90');
            const unpaid = await send(world, target, undefined, { method, ...asked });
            const payment = await pay(freshPayer(), expectFreshTerms(unpaid, 'payment_required').required, { version });
            const dearer = await send(world, target, payment, { method, ...other });
            assert.equal(amountOf(expectFreshTerms(dearer, 'amount_mismatch').required), '900000', what);
            expectCalls(world, payment.payer, target, NO_CALLS);
            assert.deepEqual(await rowsOf(world, payment.payer), [], what);
            expectPaid(await send(world, target, payment, { method, ...asked }), payment);
            expectCalls(world, payment.payer, target, ordinaryCalls(path === '/quoted' ? 'after' : 'before'));
          }
        }
      });

      it(`a quote that has ended, or is changed, is none (${path})`, async () => {
        pricer.says({ kind: 'json', body: { price: '$0.03', valid_secs: 5 } }, { kind: 'json', body: { price: '$0.50' } });
        const ended = await sign(`${path}/ended`);
        await new Promise((resolve) => setTimeout(resolve, 6_000));
        for (const answer of [await send(world, `${path}/ended`, ended), await elsewhere(`${path}/ended`, ended)]) {
          assert.equal(amountOf(expectFreshTerms(answer, 'amount_mismatch').required), '500000');
        }
        expectCalls(world, ended.payer, `${path}/ended`, NO_CALLS);
        // The second isolate has quoted nothing for this path.
        const { required } = expectFreshTerms(await world.gate.raw('GET', `${path}/forged`));
        const [end, mac] = quoteOf(required).split('.') as [string, string];
        const cheaper = { ...required, accepts: required.accepts.map((terms) => ({ ...terms, amount: '1' })) };
        const longer = JSON.parse(JSON.stringify(required).replace(end, String(Number(end) + 600))) as PaymentRequired;
        const other = JSON.parse(JSON.stringify(required).replace(mac, mac.split('').reverse().join(''))) as PaymentRequired;
        pricer.asks('$0.60');
        for (const changed of [cheaper, longer, other]) {
          const payment = await pay(freshPayer(), changed);
          const answer = await elsewhere(`${path}/forged`, payment);
          assert.equal(amountOf(expectFreshTerms(answer, 'amount_mismatch').required), '600000');
          expectCalls(world, payment.payer, `${path}/forged`, NO_CALLS);
        }
      });

      it(`what was paid is given again whatever the price is by now (${path})`, async () => {
        pricer.says({ kind: 'json', body: { price: '$0.03', valid_secs: 5 } });
        const payment = await sign(`${path}/again`, { identifier: IDENTIFIER });
        const first = await send(world, `${path}/again`, payment);
        expectPaid(first, payment);
        await new Promise((resolve) => setTimeout(resolve, 6_000));
        for (const now of [
          { kind: 'json', body: { price: '$0.90' } },
          { kind: 'json', body: { price: 'free' } },
          { kind: 'throws' },
        ] as const) {
          pricer.says(now);
          const again = await elsewhere(`${path}/again`, payment);
          expectPaid(again, payment);
          assert.equal(again.headers['payment-replayed'], 'true', JSON.stringify(now));
          assert.equal(again.text, first.text);
        }
        expectCalls(world, payment.payer, `${path}/again`, ordinaryCalls(path === '/quoted' ? 'after' : 'before'));
      });

      it(`free passes, with the manners of a priced route (${path})`, async () => {
        pricer.asks('free');
        const answer = await world.gate.raw('POST', `${path}/free`, [['Content-Type', 'text/plain']], 'a body');
        assert.deepEqual([answer.status, answer.headers['cache-control']], [200, 'private, no-store']);
        assert.equal(pricer.questions[0]?.asked['body_bytes'], 6);
        assert.equal(world.origin.of(`${path}/free`)[0]?.bodyBytes, 6);
      });

      it(`free passes with its body where a payment came along, which is not charged (${path})`, async () => {
        for (const bytes of [6, 100_000]) {
          const target = `${path}/free-${bytes}`;
          pricer.asks('$0.03', 'free');
          const payment = await sign(target);
          const answer = await send(world, target, payment, { method: 'POST', body: 'b'.repeat(bytes) });
          assert.equal(answer.status, 200, answer.text);
          assert.deepEqual(
            world.origin.of(target).map(({ bodyBytes }) => bodyBytes),
            [bytes],
          );
          expectCalls(world, payment.payer, target, { verify: 0, settle: 0, origin: 1 });
          assert.deepEqual(await rowsOf(world, payment.payer), []);
        }
      });

      it(`the stock terms echo is enough: accepted goes back as it came (${path})`, async () => {
        pricer.asks('$0.03');
        const { required } = expectFreshTerms(await world.gate.raw('GET', `${path}/echo`));
        const payment = await pay(freshPayer(), required);
        const payload = JSON.parse(payment.json) as JsonObject;
        assert.deepEqual(payload['accepted'], JSON.parse(JSON.stringify(required.accepts[0])));
        pricer.says({ kind: 'throws' });
        const row = encode(JSON.stringify(payload));
        const connection = await world.gate.connect(world.gate.besideUrl);
        const answer = await connection.send({ method: 'GET', target: `${path}/echo`, headers: [row] });
        connection.close();
        expectPaid(answer, payment);
        const shown = [...world.facilitator.of('verify', payment.payer), ...world.facilitator.of('settle', payment.payer)];
        const terms = shown.map(({ body }) => (JSON.parse(String(body)) as JsonObject)['paymentRequirements']);
        assert.deepEqual(
          terms,
          shown.map(() => payload['accepted']),
          'the facilitator is shown the same',
        );
      });
    });
  }

  it('a gate whose pricer is not bound is not configured', async () => {
    const other = await openWorld({ routes: ROUTES });
    try {
      expectProblem(await other.gate.raw('GET', '/quoted/x'), { status: 503, code: 'not_configured', retryAfter: 60 });
      await eventually('the log names it', () => /ROUTES\[\d\]\.price: PRICER is not a service binding/.test(other.gate.printed));
      assert.equal(jsonOf(await other.gate.raw('GET', '/_farebox/health'))['ok'], false);
    } finally {
      await other.stop();
    }
  });
});
