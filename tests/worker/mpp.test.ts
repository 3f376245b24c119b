/** Payments of MPP through the running gate: the challenge, the answer that was paid for, and what lies between. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Challenge as Reference } from 'mppx';
import { challengesIn, credential, requestOf, requestText } from '../support/mpp-wire.ts';
import { receiptOf, strictlyRead } from '../support/mppx-client.ts';
import { payAsOkx, readOkxChallenge } from '../support/okx-payer.ts';
import { transactionOf } from './support/facilitator.ts';
import { challengeFor, challengeIn, expectMppPaid, expectMppRefused, mppFor, sendMpp, signed } from './support/mpp.ts';
import { freshPayer, requiredBy, settlementOf } from './support/payer.ts';
import type { HeaderRow } from './support/raw.ts';
import { signStatement } from './support/statement.ts';
import {
  ASSET,
  callsOf,
  expectCalls,
  expectFreshTerms,
  expectNextGoodRequest,
  expectProblem,
  jsonOf,
  MODES,
  nextNumber,
  openWorld,
  ordinaryCalls,
  PAY_TO,
  routes,
  SECRETS,
  send,
  type World,
} from './support/world.ts';

const DELIVERED = { status: 409, code: 'payment_already_delivered' } as const;
const MOZILLA: readonly HeaderRow[] = [
  ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0'],
  ['Accept', 'text/html,*/*;q=0.8'],
];
const digesting = { path: '/digest/*', price: '$0.01', digest: true, max_timeout_secs: 60, origin_timeout_secs: 2 };

describe('the challenge', () => {
  let world: World;
  before(async () => {
    world = await openWorld({ routes: routes([digesting]) });
  });
  after(() => world.stop());

  it('asks for exactly what the other protocol asks for, on one line', async () => {
    const earliest = Math.floor(Date.now() / 1000) + 60;
    const answer = await world.gate.raw('GET', '/after/asked?q=1');
    const latest = Math.floor(Date.now() / 1000) + 60;
    const { body } = expectFreshTerms(answer, 'payment_required');
    assert.equal((body['accepts'] as unknown[]).length, 1, 'the terms of version 1 stay');
    const challenge = challengeIn(answer);
    assert.deepEqual(
      [body['type'], body['status'], body['challengeId']],
      ['https://paymentauth.org/problems/payment-required', 402, challenge.id],
    );
    for (const member of ['title', 'detail', 'reason', 'code', 'error'])
      assert.ok(typeof body[member] === 'string' && body[member] !== '', member);
    assert.deepEqual(Object.keys(challenge), ['id', 'realm', 'method', 'intent', 'request', 'expires', 'description']);
    assert.match(challenge.id, /^[A-Za-z0-9_-]{43}$/);
    assert.deepEqual(
      [challenge.realm, challenge.method, challenge.intent, challenge.description],
      ['shop.example', 'evm', 'charge', 'after'],
    );
    assert.match(challenge.expires ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const expires = Date.parse(challenge.expires ?? '') / 1000;
    assert.ok(earliest <= expires && expires <= latest, challenge.expires);
    const { externalId, ...request } = requestOf(challenge);
    assert.match(externalId ?? '', /^[A-Za-z0-9_-]{70}$/);
    assert.deepEqual(request, {
      amount: '10000',
      currency: ASSET,
      recipient: PAY_TO,
      methodDetails: { chainId: 84_532, credentialTypes: ['authorization'], decimals: 6, feePayer: true },
    });
    assert.equal(challenge.request, requestText(requestOf(challenge)), 'canonical');
    const [terms] = requiredBy(answer).accepts;
    assert.deepEqual([terms?.amount, terms?.asset, terms?.payTo], ['10000', ASSET, PAY_TO]);
  });

  it('is one that the strict reader of the reference and the payer of OKX both take', async () => {
    const answer = await world.gate.raw('GET', '/after/for-both');
    const value = answer.headers['www-authenticate'] ?? '';
    const [read, ...others] = strictlyRead(new Response(null, { status: 402, headers: { 'WWW-Authenticate': value } }));
    assert.equal(others.length, 0);
    assert.equal(read?.challenge.id, challengeIn(answer).id);
    assert.deepEqual({ ...readOkxChallenge(value) }, { ...challengeIn(answer) });
    assert.match(value, /^Payment id="/);
    assert.match(value, /^[\x20-\x7e]+$/);
    assert.equal(Reference.deserialize(value).id, challengeIn(answer).id);
  });

  it('is never the same twice, also within one second', async () => {
    const asked = await Promise.all(Array.from({ length: 20 }, () => challengeFor(world, '/after/again')));
    assert.equal(new Set(asked.map(({ id }) => id)).size, 20);
    assert.equal(new Set(asked.map(({ request }) => request)).size, 20);
  });

  it('names the other header only to who brings a credential of his own, and a digest only where the route does', async () => {
    const plain = await challengeFor(world, '/after/plain');
    assert.deepEqual([plain.header, plain.digest, plain.opaque], [undefined, undefined, undefined]);
    for (const own of ['Bearer abc', 'Basic dXNlcjpwYXNz', 'Digest username="Payment"']) {
      const busy = await challengeFor(world, '/after/busy', { headers: [['Authorization', own]] });
      assert.equal(busy.header, 'Payment-Authorization', own);
    }
    const bound = await challengeFor(world, '/digest/x', { method: 'POST', body: 'hello' });
    assert.equal(bound.digest, 'sha-256=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=');
    assert.equal((await challengeFor(world, '/digest/x')).digest, undefined, 'there is no body');
  });

  it('is beside the page that a browser gets', async () => {
    const answer = await world.gate.raw('GET', '/after/page', MOZILLA);
    assert.equal(answer.status, 402);
    assert.match(answer.headers['content-type'] ?? '', /^text\/html\b/);
    assert.equal(requestOf(challengeIn(answer)).amount, requiredBy(answer).accepts[0]?.amount);
  });

  it('fits: the block of headers stays within 8 KiB for every target, or the target is too long', async () => {
    let longest = 0;
    for (let bytes = 1_000; bytes <= 2_060; bytes += 53) {
      const target = `/after/${'x'.repeat(bytes - 7)}`;
      const answer = await world.gate.raw('GET', target);
      if (bytes > 2_048) {
        expectProblem(answer, { status: 414, code: 'target_too_long' });
        continue;
      }
      if (answer.status === 414) continue;
      const size = answer.rawHeaders.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
      assert.ok(size <= 8_192, `${size} bytes for ${bytes}`);
      longest = Math.max(longest, bytes);
      challengeIn(answer);
    }
    assert.ok(longest >= 1_500, `${longest}`);
  });

  it('comes with HEAD, and there is one of each network for who asks for them', async () => {
    const head = await world.gate.raw('HEAD', '/after/head-asked');
    assert.equal(head.status, 402);
    assert.equal(requestOf(challengeIn(head)).amount, '10000');
    const several = await openWorld({ vars: { NETWORK: ['eip155:84532', 'eip155:80002'] } });
    try {
      const one = await several.gate.raw('GET', '/after/networks');
      assert.equal(challengesIn(one.headers['www-authenticate'] ?? '').length, 1);
      const two = await several.gate.raw('GET', '/after/networks', [['Accept-Payment', 'evm/charge']]);
      const chains = challengesIn(two.headers['www-authenticate'] ?? '').map((challenge) => requestOf(challenge).methodDetails.chainId);
      assert.deepEqual(chains, [84_532, 80_002]);
      assert.equal(requiredBy(two).accepts.length, 2);
    } finally {
      await several.stop();
    }
  });
});

describe('a payment by MPP', () => {
  let world: World;
  before(async () => {
    world = await openWorld({ routes: routes([digesting]) });
  });
  after(() => world.stop());

  for (const framing of ['listed', 'joined'] as const) {
    it(`may be bound to its challenge by a nonce of either framing (${framing}), and to no other challenge`, async () => {
      const path = `/after/framing-${framing}`;
      const payment = await mppFor(world, path, { framing });
      const fresh = await challengeFor(world, path);
      const elsewhere = credential({ ...payment.message, challenge: fresh });
      const refused = await sendMpp(world, path, { value: elsewhere });
      assert.equal(expectMppRefused(refused, 'verification-failed', fresh)['code'], 'nonce_mismatch');
      expectMppPaid(await sendMpp(world, path, payment), payment);
      expectCalls(world, payment.payer, path, ordinaryCalls('after'));
    });
  }

  for (const mode of MODES) {
    it(`is settled by the facilitator as the authorization that it is, and delivered once (${mode})`, async () => {
      const path = `/${mode}/paid`;
      const payment = await mppFor(world, path);
      const connection = await world.gate.connect();
      const answer = await sendMpp(world, path, payment, { connection });
      const receipt = expectMppPaid(answer, payment);
      assert.ok(Math.abs(Date.parse(receipt.timestamp) - Date.now()) < 30_000);
      const read = receiptOf(new Response(null, { headers: { 'Payment-Receipt': answer.headers['payment-receipt'] ?? '' } }));
      assert.equal(read.reference, payment.transaction);
      expectCalls(world, payment.payer, path, ordinaryCalls(mode));
      const sent = JSON.parse(world.facilitator.of('settle', payment.payer)[0]?.body.toString('utf8') ?? '');
      const { authorization, signature } = payment;
      assert.deepEqual([sent.x402Version, sent.paymentPayload.x402Version], [2, 2]);
      assert.deepEqual(sent.paymentPayload.payload, { authorization, signature });
      assert.deepEqual(sent.paymentPayload.accepted, sent.paymentRequirements);
      assert.deepEqual(sent.paymentRequirements, requiredBy(await world.gate.raw('GET', path)).accepts[0]);
      expectProblem(await sendMpp(world, path, payment), DELIVERED);
      expectCalls(world, payment.payer, path, ordinaryCalls(mode));
      await expectNextGoodRequest(world, connection, mode);
      connection.close();
    });

    it(`of OKX's shape is settled in the same way (${mode})`, async () => {
      const path = `/${mode}/okx`;
      const payer = freshPayer();
      const asked = await world.gate.raw('GET', path);
      const payment = await payAsOkx(asked.headers['www-authenticate'] ?? '', payer.account);
      const answer = await sendMpp(world, path, payment);
      assert.ok(payment.authorization);
      const transaction = transactionOf(payer.address, payment.authorization.nonce);
      expectMppPaid(answer, { transaction, challenge: challengeIn(asked) });
      expectCalls(world, payer.address, path, ordinaryCalls(mode));
      const sent = JSON.parse(world.facilitator.of('settle', payer.address)[0]?.body.toString('utf8') ?? '');
      assert.deepEqual(sent.paymentPayload.payload, { authorization: payment.authorization, signature: payment.signature });
      expectProblem(await sendMpp(world, path, payment), DELIVERED);
    });

    it(`is given out again to who knows the secret of the first request, with the same receipt (${mode})`, async () => {
      const path = `/${mode}/stored`;
      const secret: HeaderRow = ['Idempotency-Key', `mpp-${'k'.repeat(24)}-${nextNumber()}`];
      const payment = await mppFor(world, path);
      const first = await sendMpp(world, path, payment, { headers: [secret] });
      expectMppPaid(first, payment);
      const again = await sendMpp(world, path, payment, { headers: [secret] });
      expectMppPaid(again, payment);
      assert.equal(again.headers['payment-replayed'], 'true');
      assert.deepEqual([again.text, again.headers['payment-receipt']], [first.text, first.headers['payment-receipt']]);
      expectProblem(await sendMpp(world, path, payment), DELIVERED);
      expectCalls(world, payment.payer, path, ordinaryCalls(mode));
    });

    it(`is given out again to who proves that he is the payer (${mode})`, async () => {
      const path = `/${mode}/proved`;
      const payer = freshPayer();
      const payment = await mppFor(world, path, { payer });
      const first = await sendMpp(world, path, payment);
      expectMppPaid(first, payment);
      const url = `http://shop.example${path}`;
      const statement = await signStatement(payer.account, { payment, asset: ASSET, method: 'GET', url });
      const again = await sendMpp(world, path, payment, { headers: [statement] });
      expectMppPaid(again, payment);
      assert.deepEqual([again.headers['payment-replayed'], again.text], ['true', first.text]);
      const stranger = await signStatement(freshPayer().account, { payment, asset: ASSET, method: 'GET', url });
      expectProblem(await sendMpp(world, path, payment, { headers: [stranger] }), DELIVERED);
      expectCalls(world, payment.payer, path, ordinaryCalls(mode));
    });

    it(`brings no receipt where nothing was delivered (${mode})`, async () => {
      const path = `/${mode}/broken-origin`;
      const payment = await mppFor(world, path);
      world.origin.script(path, { status: 500, body: 'broken' });
      const answer = await sendMpp(world, path, payment);
      assert.equal(answer.status, mode === 'after' ? 500 : 502, answer.text.slice(0, 200));
      if (mode === 'before') assert.equal(jsonOf(answer)['code'], 'refund_due');
      assert.equal(answer.headers['payment-receipt'], undefined);
      assert.equal(settlementOf(answer), undefined);
    });

    it(`of HEAD costs what GET costs, and a challenge for one serves the other (${mode})`, async () => {
      for (const [asked, sent] of [
        ['HEAD', 'GET'],
        ['GET', 'HEAD'],
      ] as const) {
        const path = `/${mode}/head-${asked}`;
        const payment = await mppFor(world, path, { method: asked });
        expectMppPaid(await sendMpp(world, path, payment, { method: sent }), payment);
        assert.equal(world.origin.of(path)[0]?.method, sent);
      }
    });
  }

  //
  it('reaches the origin without its credential, and with everything else that came in the field', async () => {
    const table: readonly (readonly [what: string, rows: (value: string) => readonly HeaderRow[], kept: string | undefined])[] = [
      ['alone', (value) => [['Authorization', value]], undefined],
      ['after-bearer', (value) => [['Authorization', `Bearer abc, ${value}`]], 'Bearer abc'],
      ['before-basic', (value) => [['Authorization', `${value}, Basic dXNlcg==`]], 'Basic dXNlcg=='],
      [
        'own-rows',
        (value) => [
          ['Authorization', 'Bearer abc'],
          ['Authorization', value],
        ],
        'Bearer abc',
      ],
      [
        'beside',
        (value) => [
          ['Authorization', 'Bearer abc'],
          ['Payment-Authorization', value],
        ],
        'Bearer abc',
      ],
    ];
    for (const [what, rows, kept] of table) {
      const path = `/after/forwarded-${what}`;
      const payment = await mppFor(world, path, { headers: what === 'beside' ? [['Authorization', 'Bearer abc']] : [] });
      assert.equal(payment.challenge.header, what === 'beside' ? 'Payment-Authorization' : undefined);
      expectMppPaid(await send(world, path, undefined, { headers: rows(payment.value) }), payment);
      const seen = world.origin.of(path)[0];
      assert.equal(seen?.headers['authorization'], kept, what);
      const text = JSON.stringify(seen?.rows);
      for (const secret of [payment.value.slice(8), payment.signature]) assert.ok(!text.includes(secret), what);
      assert.deepEqual(
        Object.keys(seen?.headers ?? {}).filter((name) => name === 'payment-authorization' || name === 'accept-payment'),
        [],
      );
    }
    const free = await mppFor(world, '/after/for-free');
    await send(world, '/free-forwarded', undefined, {
      headers: [
        ['Authorization', `Bearer abc, ${free.value}`],
        ['Payment-Authorization', free.value],
      ],
    });
    assert.equal(world.origin.of('/free-forwarded')[0]?.headers['authorization'], 'Bearer abc');
    assert.equal(world.origin.of('/free-forwarded')[0]?.headers['payment-authorization'], undefined);
  });

  //
  it('is never written into a log', async () => {
    const payment = await mppFor(world, '/after/logged');
    expectMppPaid(await sendMpp(world, '/after/logged', payment), payment);
    const elsewhere = await mppFor(world, '/after/logged');
    expectMppRefused(await sendMpp(world, '/after/logged?x', elsewhere), 'invalid-challenge');
    for (const secret of [
      payment.value.slice(8, 80),
      payment.signature,
      payment.signature.slice(2),
      payment.challenge.id,
      elsewhere.signature,
    ]) {
      assert.ok(!world.gate.printed.includes(secret));
    }
  });

  //
  it('covers the body where the route says so, in either spelling of the digest', async () => {
    const options = { method: 'POST', body: '{"q":"latest"}' };
    const payment = await mppFor(world, '/digest/body', options);
    assert.equal(payment.challenge.digest, 'sha-256=QhuFkHLmxo7gEcVi3GOwJI/3YqSwuQ20ifYWfJkrRYw=');
    for (const body of ['{"q":"everything"}', '', undefined]) {
      const refused = await sendMpp(world, '/digest/body', payment, { method: 'POST', ...(body === undefined ? {} : { body }) });
      expectMppRefused(refused, 'invalid-challenge', payment.challenge);
    }
    assert.deepEqual(callsOf(world, payment.payer, '/digest/body'), { verify: 0, settle: 0, origin: 0 });
    expectMppPaid(await sendMpp(world, '/digest/body', payment, options), payment);
    const dropped = await mppFor(world, '/digest/dropped', { ...options, tamper: ({ challenge }) => void delete challenge['digest'] });
    expectMppRefused(await sendMpp(world, '/digest/dropped', dropped, options), 'invalid-challenge');
  });

  //
  it('may be presented while the secret changes, and not after', async () => {
    const mortal = await openWorld();
    try {
      // The port changes with each start; a payer's name for the host does not.
      const headers: readonly HeaderRow[] = [['Host', 'shop.example']];
      const [soon, late] = await Promise.all(['/after/soon', '/after/late'].map((path) => challengeFor(mortal, path, { headers })));
      assert.ok(soon && late);
      const fresh = 'gate-secret-that-came-later-0123456789abcdef';
      await mortal.gate.restart('dispose', { secrets: { GATE_SECRET: fresh, GATE_SECRET_PREVIOUS: SECRETS['GATE_SECRET'] ?? '' } });
      const payment = await signed(soon);
      expectMppPaid(await sendMpp(mortal, '/after/soon', payment, { headers }), payment);
      const later = await challengeFor(mortal, '/after/later', { headers });
      await mortal.gate.restart('dispose', {
        secrets: { GATE_SECRET: fresh, GATE_SECRET_PREVIOUS: 'another-secret-of-nobody-0123456789abcdef' },
      });
      expectMppRefused(await sendMpp(mortal, '/after/late', await signed(late), { headers }), 'invalid-challenge', late);
      const last = await signed(later);
      expectMppPaid(await sendMpp(mortal, '/after/later', last, { headers }), last);
    } finally {
      await mortal.stop();
    }
  });
});

describe('the other protocol', () => {
  it('is not spoken where the configuration leaves it out', async () => {
    const route = (protocols: readonly string[]) => ({
      path: `/only-${protocols[0]}/*`,
      price: '$0.01',
      protocols,
      max_timeout_secs: 60,
      origin_timeout_secs: 2,
    });
    const world = await openWorld({ routes: routes([route(['x402']), route(['mpp'])]) });
    try {
      const x402 = await world.gate.raw('GET', '/only-x402/a');
      assert.deepEqual([x402.status, x402.headers['www-authenticate']], [402, undefined]);
      assert.equal(requiredBy(x402).accepts.length, 1);
      const mpp = await world.gate.raw('GET', '/only-mpp/a');
      assert.deepEqual([mpp.status, mpp.headers['payment-required'], jsonOf(mpp)['accepts']], [402, undefined, undefined]);
      assert.equal(jsonOf(mpp)['type'], 'https://paymentauth.org/problems/payment-required');
      const payment = await signed(challengeIn(mpp));
      expectMppPaid(await sendMpp(world, '/only-mpp/a', payment), payment);
      const other = await mppFor(world, '/after/other');
      const refused = await sendMpp(world, '/only-x402/a', other);
      assert.equal(refused.status, 402);
      assert.equal(world.origin.of('/only-x402/a').length, 0);
      assert.equal(world.facilitator.of('settle', other.payer).length, 0);
    } finally {
      await world.stop();
    }
  });
});
