/** Every answer of the table of refusals: status, code, headers, calls, and the connection afterwards. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { refusedSettle, refusedVerify } from './support/facilitator.ts';
import { authorizationIn, encode, freshPayer, type JsonObject, type PayOptions, pay, requiredBy, settlementOf } from './support/payer.ts';
import type { Answer, HeaderRow } from './support/raw.ts';
import {
  ASSET,
  begin,
  eventually,
  expectCalls,
  expectFreshTerms,
  expectNextGoodRequest,
  expectPaid,
  expectProblem,
  jsonOf,
  MODES,
  NO_CALLS,
  openWorld,
  ordinaryCalls,
  PAY_TO,
  payFor,
  send,
  type World,
} from './support/world.ts';

const NOW = (): number => Math.floor(Date.now() / 1000);

describe('answers', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world.stop());

  for (const mode of MODES) {
    it(`an unpaid request is asked for payment in both protocol versions (${mode})`, async () => {
      const target = `/${mode}/terms?q=a%20b&q=2`;
      const connection = await world.gate.connect();
      const answer = await connection.send({ method: 'GET', target });
      const { body, required } = expectFreshTerms(answer, 'payment_required');
      const url = `http://shop.example${target}`;
      const shared = { scheme: 'exact', asset: ASSET, payTo: PAY_TO, maxTimeoutSeconds: 60 };
      const domain = { name: 'USDC', version: '2' };
      assert.equal(required.resource.url, url);
      assert.deepEqual(required.accepts, [
        {
          ...shared,
          network: 'eip155:84532',
          amount: '10000',
          extra: { ...domain, primaryType: 'TransferWithAuthorization', ...(mode === 'before' ? { paymentFlow: 'upfront' } : {}) },
        },
      ]);
      assert.deepEqual(body['accepts'], [
        {
          ...shared,
          network: 'base-sepolia',
          maxAmountRequired: '10000',
          resource: url,
          description: mode,
          mimeType: 'application/json',
          extra: domain,
        },
      ]);
      assert.match(answer.headers['content-type'] ?? '', /^application\/json\b/);
      assert.match(answer.headers['x-correlation-id'] ?? '', /^[A-Za-z0-9_-]{8,64}$/);
      assert.equal(answer.headers['retry-after'], undefined);
      assert.equal(world.origin.of(`/${mode}/terms`).length, 0);
      await expectNextGoodRequest(world, connection, mode);
      connection.close();
    });

    for (const version of [1, 2] as const) {
      it(`a version ${version} payment buys one answer (${mode})`, async () => {
        const path = `/${mode}/paid-v${version}`;
        const payment = await payFor(world, path, { version });
        const answer = await send(world, path, payment);
        expectPaid(answer, payment);
        assert.equal(jsonOf(answer)['path'], path);
        expectCalls(world, payment.payer, path, ordinaryCalls(mode));
        const sent = world.facilitator.of('settle', payment.payer)[0]?.body.toString('utf8') ?? '';
        const { payload } = (JSON.parse(sent) as { paymentPayload: JsonObject }).paymentPayload;
        assert.deepEqual(payload, (JSON.parse(payment.json) as JsonObject)['payload'], 'the facilitator gets what was signed, as it came');
        const requirements = (JSON.parse(sent) as JsonObject)['paymentRequirements'] as JsonObject;
        assert.equal(requirements['network'], version === 1 ? 'base-sepolia' : 'eip155:84532');
        assert.equal(requirements[version === 1 ? 'maxAmountRequired' : 'amount'], '10000');
      });
    }
  }

  const malformed: readonly (readonly [string, HeaderRow])[] = [
    ['is not base64', ['PAYMENT-SIGNATURE', '*not base64*']],
    ['is not JSON', encode('{"x402Version":2,')],
    ['is an array', encode('[]')],
    ['lacks its payload', encode('{"x402Version":2,"accepted":{}}')],
    ['repeats a key', encode('{"x402Version":2,"x402Version":2,"payload":{},"accepted":{}}')],
    ['is not JSON (version 1)', encode('{', 1)],
    ['lacks its payload (version 1)', encode('{"x402Version":1,"scheme":"exact","network":"base-sepolia"}', 1)],
  ];
  for (const [what, row] of malformed) {
    it(`a payment header that ${what} is malformed_payment`, async () => {
      await refuses('/after/malformed', [row], (answer) => expectProblem(answer, { status: 400, code: 'malformed_payment' }));
    });
  }

  //
  it('two different proofs are ambiguous_payment, two identical copies count once', async () => {
    const path = '/after/two-proofs';
    const one = await payFor(world, path);
    const two = await payFor(world, path);
    const old = await payFor(world, path, { version: 1 });
    const mpp: HeaderRow = ['Authorization', 'Payment eyJjaGFsbGVuZ2UiOnt9fQ'];
    for (const rows of [
      [one.row, two.row],
      [one.row, old.row],
      [one.row, mpp],
    ]) {
      await refuses(path, rows, (answer) => expectProblem(answer, { status: 400, code: 'ambiguous_payment' }));
    }
    expectPaid(await send(world, path, one, { headers: [one.row] }), one);
    expectCalls(world, one.payer, path, ordinaryCalls('after'));
  });

  //
  it('a payment header over 16 KiB is 431', async () => {
    const row = encode(JSON.stringify({ x402Version: 2, filler: 'a'.repeat(16 * 1024) }));
    await refuses('/after/too-large', [row], (answer) => {
      assert.equal(answer.status, 431, answer.text.slice(0, 200));
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.match(String(jsonOf(answer)['code']), /^[a-z0-9_]+$/);
    });
  });

  it('a target that servers may read in two ways is ambiguous_target, also beside the paid paths', async () => {
    for (const target of ['/free/%2e%2e/after/x', '//after/x', '/AFTER/x', '/%61fter/x', '/free/..%2fafter/x', '/after%00']) {
      await refuses(target, [], (answer) => expectProblem(answer, { status: 400, code: 'ambiguous_target' }));
    }
  });

  it('a path with what stands for bytes that are no UTF-8 is ambiguous_target', async () => {
    for (const target of ['/after/%EF%BF%BD', '/after/a%ef%bf%bdb', '/free/%EF%bf%BD', '/Free%EF%BF%BD', '/after/%EF%BF%BD/x?q=1']) {
      await refuses(target, [], (answer) => expectProblem(answer, { status: 400, code: 'ambiguous_target' }));
    }
    assert.equal((await world.gate.raw('GET', '/Free/%EF%BF%BC?q=%EF%BF%BD')).status, 200);
  });

  it('an upgrade on a paid route is refused', async () => {
    const rows: HeaderRow[] = [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Version', '13'],
      ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ];
    await refuses('/after/upgrade', rows, (answer) => expectProblem(answer, { status: 400, code: 'upgrade_not_supported' }));
  });

  //
  it('a body of GET or HEAD on a paid route is refused, and an empty one is none', async () => {
    const chunked: HeaderRow[] = [['Transfer-Encoding', 'chunked']];
    for (const [headers, body] of [
      [[], 'a body'],
      [chunked, '6\r\na body\r\n0\r\n\r\n'],
    ] as const) {
      const payment = await payFor(world, '/after/body-of-get');
      const framed = headers.length === 0;
      expectProblem(await send(world, '/after/body-of-get', payment, { headers, body, framed }), { status: 400, code: 'unexpected_body' });
      assert.equal((await send(world, '/after/body-of-get', payment, { method: 'HEAD', headers, body, framed })).status, 400);
      expectCalls(world, payment.payer, '/after/body-of-get', NO_CALLS);
    }
    const payment = await payFor(world, '/after/empty-body-of-get');
    expectPaid(await send(world, '/after/empty-body-of-get', payment, { body: '' }), payment);
  });

  it('a paid target over 2 KiB is target_too_long, a free one is not', async () => {
    const query = `?q=${'a'.repeat(2100)}`;
    await refuses(`/after/long${query}`, [], (answer) => expectProblem(answer, { status: 414, code: 'target_too_long' }));
    assert.equal((await world.gate.raw('GET', `/free-long${query}`)).status, 200);
  });

  type Local = readonly [what: string, options: PayOptions, error: RegExp | undefined, code?: string];
  const other = '0xFD553Ae3Fc2976Db40d673CAe1eadB3B6Bc6F1BC';
  const local: readonly Local[] = [
    ['pays one unit too much', { signed: { value: '10001' } }, /value/],
    ['pays one unit too little', { signed: { value: '9999' } }, /value/],
    ['pays somebody else', { signed: { to: other } }, /recipient/],
    ['is expired', { validForSecs: -1 }, /valid_before/],
    ['expires before the work could end', { validForSecs: 5 }, /valid_before/],
    ['is valid for longer than the gate allows', { validForSecs: 4000 }, undefined],
    ['is not valid yet', { validAfter: String(NOW() + 900), validForSecs: 1500 }, /valid_after/],
    ['was changed after signing', { tamper: (p) => void (authorizationIn(p)['nonce'] = `0x${'7'.repeat(64)}`) }, /signature/],
    ['claims another payer', { tamper: (p) => void (authorizationIn(p)['from'] = other) }, /signature/],
    ['echoes other terms', { tamper: (p) => void ((p['accepted'] as JsonObject)['amount'] = '1') }, undefined],
    [
      'names another path',
      { tamper: (p) => void ((p['resource'] as JsonObject)['url'] = 'http://shop.example/after/x') },
      undefined,
      'resource_mismatch',
    ],
    ['names another query', { tamper: (p) => void ((p['resource'] as JsonObject)['url'] += '?a=1') }, undefined, 'resource_mismatch'],
  ];
  for (const mode of MODES) {
    for (const [what, options, error, code] of local) {
      //
      it(`a payment that ${what} gets fresh terms and no call is made (${mode})`, async () => {
        const path = `/${mode}/refused-locally`;
        const payment = await payFor(world, path, options);
        await refuses(path, [payment.row], (answer) => {
          const { body, required } = expectFreshTerms(answer, code);
          assert.notEqual(body['code'], 'payment_required');
          assert.equal(required.error, body['error']);
          if (error !== undefined) assert.match(String(body['error']), error);
        });
        expectCalls(world, payment.payer, path, NO_CALLS);
      });
    }
  }

  //
  it('a payment for the cheap route does not buy the expensive one', async () => {
    const cheap = requiredBy(await world.gate.raw('GET', '/after/cheap'));
    const payer = freshPayer();
    const payment = await pay(payer, cheap, { tamper: (payload) => void delete payload['resource'] });
    await refuses('/dear/x', [payment.row], (answer) => expectFreshTerms(answer));
    expectCalls(world, payer.address, '/dear/x', NO_CALLS);
  });

  it('what verify refuses gets fresh terms with the reason of the facilitator, at any status below 500', async () => {
    for (const status of [200, 400, 412]) {
      const path = `/after/verify-refused-${status}`;
      const payment = await payFor(world, path);
      world.facilitator.script(payment.payer, {
        verify: { kind: 'json', status, body: { isValid: false, invalidReason: 'insufficient_funds', payer: '' } },
      });
      await refuses(path, [payment.row], (answer) => {
        const { body, required } = expectFreshTerms(answer);
        assert.equal(body['error'], 'insufficient_funds');
        assert.equal(required.error, 'insufficient_funds');
      });
      expectCalls(world, payment.payer, path, { verify: 1, settle: 0, origin: 0 });
    }
  });

  for (const mode of MODES) {
    it(`a settlement that is refused for certain is settlement_refused without new terms (${mode})`, async () => {
      const path = `/${mode}/settle-refused`;
      const payment = await payFor(world, path);
      world.facilitator.script(payment.payer, { settle: refusedSettle('insufficient_funds') });
      for (const settle of [1, 2]) {
        await refuses(path, [payment.row], (answer) => {
          assert.equal(answer.status, 402, answer.text.slice(0, 200));
          assert.equal(jsonOf(answer)['code'], 'settlement_refused');
          assert.equal(jsonOf(answer)['accepts'], undefined);
          assert.equal(answer.headers['payment-required'], undefined);
          assert.equal(answer.headers['cache-control'], 'no-store');
          assert.equal(settlementOf(answer)?.['success'], false);
          assert.equal(settlementOf(answer)?.['errorReason'], 'insufficient_funds');
        });
        assert.equal(world.facilitator.of('settle', payment.payer).length, settle, 'a repeat re-sends once');
      }
      assert.equal(world.origin.of(path).length, mode === 'after' ? 1 : 0);
    });

    it(`the same payment while its work goes on is payment_in_progress (${mode})`, async () => {
      const path = `/${mode}/in-progress`;
      const payment = await payFor(world, path);
      world.origin.script(path, { delayMs: 1200 });
      const first = begin(send(world, path, payment));
      await eventually('the origin is asked', () => world.origin.of(path).length === 1);
      await refuses(path, [payment.row], (answer) => expectProblem(answer, { status: 409, code: 'payment_in_progress', retryAfter: 2 }));
      expectPaid(await first, payment);
      expectCalls(world, payment.payer, path, ordinaryCalls(mode));
    });

    //
    it(`a delivered payment is payment_already_used elsewhere and payment_already_delivered here (${mode})`, async () => {
      const path = `/${mode}/delivered`;
      const payment = await payFor(world, path, { tamper: (payload) => void delete payload['resource'] });
      expectPaid(await send(world, path, payment), payment);
      for (const target of [`/${mode}/delivered-other`, `${path}?x=1`]) {
        await refuses(target, [payment.row], (answer) => expectProblem(answer, { status: 409, code: 'payment_already_used' }));
      }
      await refuses(path, [payment.row], (answer) => {
        const problem = expectProblem(answer, { status: 409, code: 'payment_already_delivered' });
        assert.match(String(problem['detail']), /Idempotency-Key|payment-identifier|Farebox-Redelivery/i);
      });
      assert.equal(world.origin.of(`/${mode}/delivered-other`).length, 0);
      expectCalls(world, payment.payer, path, ordinaryCalls(mode));
    });
  }

  it('a facilitator that is away before anything was submitted is facilitator_unavailable, and the payment stays good', async () => {
    const path = '/after/facilitator-away';
    const payment = await payFor(world, path);
    world.facilitator.script(payment.payer, { verify: { kind: 'destroy' } });
    await refuses(path, [payment.row], (answer) => expectProblem(answer, { status: 503, code: 'facilitator_unavailable', retryAfter: 10 }));
    assert.equal(world.origin.of(path).length, 0);
    world.facilitator.script(payment.payer, {});
    expectPaid(await send(world, path, payment), payment);
    assert.equal(world.facilitator.of('settle', payment.payer).length, 1);
  });

  //
  it('a listed path with an unlisted method is 405', async () => {
    await refuses('/get/x', [], (answer) => assert.equal(answer.status, 405), 'POST');
  });

  //
  it('a successful verify that names another payer does not count', async () => {
    const path = '/after/verify-other-payer';
    const payment = await payFor(world, path);
    world.facilitator.script(payment.payer, { verify: { kind: 'good', fields: { payer: other } } });
    const answer = await send(world, path, payment);
    assert.ok(answer.status === 402 || answer.status === 503, `${answer.status}`);
    expectCalls(world, payment.payer, path, { verify: 1, settle: 0, origin: 0 });
    world.facilitator.script(payment.payer, { verify: refusedVerify('invalid_payload') });
  });

  /** Sends, checks the refusal, and sees that neither the origin nor the connection suffered. */
  async function refuses(target: string, rows: readonly HeaderRow[], check: (answer: Answer) => unknown, method = 'GET'): Promise<void> {
    const connection = await world.gate.connect();
    const asked = world.origin.calls.length;
    const refusal = await connection.send({ method, target, headers: rows });
    if (refusal.status === 400 || refusal.status === 414) assert.equal(world.origin.calls.length, asked);
    check(refusal);
    await expectNextGoodRequest(world, connection);
    connection.close();
  }
});
