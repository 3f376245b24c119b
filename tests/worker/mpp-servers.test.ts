/**
 * What servers of MPP were recorded to answer, against the running gate.
 *
 * The vectors answer challenges of their own server, with its key and its time. A case is played with a challenge of ours: the
 * edit that it makes to a good credential is made to a good credential for the gate. Where the gate is to do otherwise than the
 * package that the vectors were recorded from, the case is named with the reason.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { asX402 } from '../support/mpp-payer.ts';
import { challengesIn, type JsonObject, requestOf, requestText } from '../support/mpp-wire.ts';
import { challengeIn, expectMppPaid, mppFor, sendMpp, signed } from './support/mpp.ts';
import {
  bringing,
  editing,
  judge,
  type Otherwise,
  type Play,
  type Plays,
  paid,
  paying,
  problem,
  type Recorded,
  refused,
  vectors,
} from './support/mpp-plays.ts';
import { encode, requiredBy, settlementOf } from './support/payer.ts';
import type { Answer, HeaderRow } from './support/raw.ts';
import { openWorld, payFor, send, type World } from './support/world.ts';

type HttpCase = { readonly name: string; readonly response: Recorded };
type DualCase = HttpCase & { readonly facilitatorCalls: readonly (string | { readonly settle: JsonObject })[] };

const NOW = (): number => Math.floor(Date.now() / 1000);
const OTHER = '0x209693Bc6afc0C5328bA36FaF03C514EF312287C';
const BEARER: HeaderRow = ['Authorization', 'Bearer abc'];

/** Plays each case at a path of its own: answered as it was recorded, unless there is a reason to answer otherwise. */
function playEach(place: string, cases: readonly HttpCase[], plays: Plays, further: (answer: Answer) => void = () => undefined): void {
  it('has a play for every case', () => {
    assert.deepEqual(Object.keys(plays).sort(), cases.map(({ name }) => name).sort());
  });

  for (const [index, { name, response }] of cases.entries()) {
    const [play, otherwise] = plays[name] ?? [];
    it(`${name}: ${otherwise?.because ?? response.status}`, async () => {
      assert.ok(play);
      const answer = await play(world, `/after/${place}-${index}`);
      if (otherwise !== undefined) return otherwise.check(answer);
      judge(answer, response);
      further(answer);
    });
  }
}

let world: World;
before(async () => {
  world = await openWorld({ probe: true });
});
after(() => world.stop());

describe('a server with one charge', () => {
  const cases = vectors<HttpCase>('server-http-evm');
  const plays: Plays = {
    'no credential': [bringing()],
    'valid credential': [paying()],
    'same credential again (no replay store in mppx evm: relies on settlement)': [
      async (world, path) => {
        const payment = await mppFor(world, path);
        expectMppPaid(await sendMpp(world, path, payment), payment);
        return sendMpp(world, path, payment);
      },
      problem(409, 'payment_already_delivered', 'one payment is one delivery'),
    ],
    'wrong amount signed': [paying({ signed: { value: '1' } })],
    'wrong recipient': [paying({ signed: { to: OTHER } })],
    'nonce not derived from challenge': [paying({ signed: { nonce: `0x${'01'.repeat(32)}` } })],
    'authorization expired': [paying({ signed: { validBefore: '1000' } })],
    'authorization not yet valid': [paying({ signed: { validAfter: String(NOW() + 1_000) } })],
    'bad signature': [
      editing(({ payload }) => void (payload['signature'] = `0x${'11'.repeat(65)}`)),
      refused('a signature that is no curve point is no fault of the server', 'verification-failed'),
    ],
    'source mismatch': [paying({ source: `did:pkh:eip155:84532:${OTHER}` })],
    'source omitted': [paying({ source: null })],
    'tampered challenge amount (HMAC fails)': [
      editing(({ challenge }) => {
        challenge['request'] = requestText({ ...requestOf(challenge as never), amount: '1' });
      }),
    ],
    'foreign id': [editing(({ challenge }) => void (challenge['id'] = 'AAAA'))],
    'payload schema invalid': [editing(({ payload }) => void (payload['type'] = 'permit2'))],
    'malformed credential': [bringing(['Authorization', 'Payment !!!'])],
    'Bearer only': [bringing(BEARER)],
    'Bearer plus valid Payment in one value': [paying({}, (value) => [['Authorization', `Bearer abc, ${value}`]])],
    'credential from another price on same secret': [async (world, path) => sendMpp(world, path, await mppFor(world, '/dear/other'))],
    'expired challenge': [
      async (world, path) => {
        const payment = await mppFor(world, path);
        await world.gate.ahead(100);
        try {
          return await sendMpp(world, path, payment);
        } finally {
          await world.gate.ahead(-100);
        }
      },
    ],
    'challenge issued without expires': [
      bringing(),
      { because: 'every challenge of ours ends', check: (answer) => assert.ok(challengeIn(answer).expires) },
    ],
    'credential for a challenge without expires (fail closed)': [editing(({ challenge }) => void delete challenge['expires'])],
    'challenge with scope (opaque carries _mppx_scope)': [
      bringing(),
      {
        because: 'the scope is in the request, because OKX drops opaque',
        check: (answer) => assert.ok(requestOf(challengeIn(answer)).externalId),
      },
    ],
    'scoped credential on unscoped route': [async (world, path) => sendMpp(world, path, await mppFor(world, `${path}?scope`))],
    'scoped credential on same scope': [async (world, path) => sendMpp(world, `${path}?scope`, await mppFor(world, `${path}?scope`))],
    'unscoped credential on scoped route': [async (world, path) => sendMpp(world, `${path}?scope`, await mppFor(world, path))],
    'description option': [
      bringing(),
      { because: 'the words are of the route', check: (answer) => assert.equal(challengeIn(answer).description, 'after') },
    ],
    'requiresAuth: challenge advertises header': [
      bringing(BEARER),
      {
        because: 'named to who brings a credential of his own',
        check: (answer) => assert.equal(challengeIn(answer).header, 'Payment-Authorization'),
      },
    ],
    'requiresAuth with the evm method: credential in Authorization (observed: accepted)': [
      async (world, path) => sendMpp(world, path, await mppFor(world, path, { headers: [BEARER] })),
    ],
    'requiresAuth with the evm method: credential in Payment-Authorization (observed: not read, although the challenge advertises it)': [
      async (world, path) => {
        const { value } = await mppFor(world, path, { headers: [BEARER] });
        return send(world, path, undefined, { headers: [BEARER, ['Payment-Authorization', value]] });
      },
      paid('what a challenge names is read'),
    ],
    'settlement throws a non-payment error': [
      settling({ kind: 'raw', status: 500, headers: {}, body: 'oops' }),
      problem(503, 'settlement_unknown', 'money may have moved'),
    ],
    'settlement refuses': [
      settling({ kind: 'json', body: { success: false, errorReason: 'insufficient_funds', transaction: '', network: 'eip155:84532' } }),
      problem(402, 'settlement_refused', 'the row is watched until the authorization has ended'),
    ],
  };

  playEach('http', cases, plays);

  function settling(settle: Parameters<World['facilitator']['script']>[1]['settle']): Play {
    return async (world, path) => {
      const payment = await mppFor(world, path);
      world.facilitator.script(payment.payer, { settle: settle ?? { kind: 'good' } });
      return sendMpp(world, path, payment);
    };
  }
});

describe('a server of both protocols', () => {
  const cases = vectors<DualCase>('server-http-dual');
  const x402 =
    (change: (message: JsonObject) => void = () => {}, version: 1 | 2 = 2): Play =>
    async (world, path) => {
      const payment = await payFor(world, path, { tamper: change });
      return send(world, path, { ...payment, row: encode(payment.json, version) });
    };
  const plays: Plays = {
    'x402 payment, random nonce, no extension echoed': [x402()],
    'x402 payment bound through the mppx extension': [
      x402((message) => void (message['extensions'] = { mppx: { info: { method: 'GET' } } })),
    ],
    'x402 payment with extension but unbound nonce': [
      x402((message) => void (message['extensions'] = { mppx: { info: { method: 'GET' } } })),
      paid('the extension is not offered here, so it binds nothing'),
    ],
    'x402 payment, wrong accepted amount': [
      x402(({ accepted }) => void ((accepted as JsonObject)['amount'] = '1')),
      problem(402, 'terms_mismatch', 'the codes of x402'),
    ],
    'x402 payment, other resource url': [
      x402((message) => void (message['resource'] = { url: 'https://evil.example/' })),
      problem(402, 'resource_mismatch', 'the codes of x402'),
    ],
    'x402 header not decodable': [
      bringing(['PAYMENT-SIGNATURE', '!!!']),
      problem(400, 'malformed_payment', 'an unreadable header is no fault of the server'),
    ],
    'x402 v1 header X-PAYMENT (not read by this method)': [
      x402(undefined, 1),
      problem(402, 'unsupported_version', 'version 1 is read here, and this is none'),
    ],
    'MPP credential with facilitator settlement': [paying()],
    'both MPP credential and x402 header (observed: MPP used, both receipts emitted)': [
      async (world, path) => {
        const [payment, other] = [await mppFor(world, path), await payFor(world, path)];
        return send(world, path, other, { headers: [['Authorization', payment.value]] });
      },
      problem(400, 'ambiguous_payment', 'the only answer that cannot charge twice'),
    ],
    'same EIP-3009 authorization presented as x402 after MPP (no shared claim)': [
      async (world, path) => {
        const asked = await world.gate.raw('GET', path);
        const payment = await signed(challengeIn(asked));
        expectMppPaid(await sendMpp(world, path, payment), payment);
        return send(world, path, undefined, { headers: [['PAYMENT-SIGNATURE', asX402(payment, requiredBy(asked))]] });
      },
      problem(409, 'payment_already_delivered', 'one authorization is one payment in whatever words'),
    ],
  };

  it('has a play for every case', () => {
    assert.deepEqual(Object.keys(plays).sort(), cases.map(({ name }) => name).sort());
  });

  for (const [index, { name, response, facilitatorCalls }] of cases.entries()) {
    const [play, otherwise] = plays[name] ?? [];
    it(`${name}: ${otherwise?.because ?? response.status}`, async () => {
      assert.ok(play);
      const path = `/after/dual-${index}`;
      const first = world.facilitator.calls.length;
      const answer = await play(world, path);
      if (otherwise !== undefined) return otherwise.check(answer);
      assert.equal(answer.status, response.status, answer.text.slice(0, 300));
      // One receipt, of the protocol that was paid with.
      const mpp = name.startsWith('MPP');
      assert.deepEqual([answer.headers['payment-receipt'] !== undefined, settlementOf(answer) !== undefined], [mpp, !mpp]);
      // Alarms go on with what earlier cases left unknown: the payer of this one is who is verified.
      const since = world.facilitator.calls.slice(first);
      const payer = since.find(({ operation }) => operation === 'verify')?.payer;
      const calls = since.filter((call) => call.payer === payer);
      assert.deepEqual(
        calls.map(({ operation }) => operation),
        facilitatorCalls.map((call) => (typeof call === 'string' ? call : 'settle')),
      );
      const recorded = facilitatorCalls.find((call) => typeof call !== 'string');
      assert.ok(recorded);
      const sent = JSON.parse(calls.at(-1)?.body.toString('utf8') ?? '') as { paymentPayload: JsonObject };
      if (mpp) {
        const [ours, theirs] = [sent.paymentPayload, recorded.settle['paymentPayload'] as JsonObject];
        assert.deepEqual(shapeOf(ours['payload']), shapeOf(theirs['payload']), 'what is settled has the shape that the package sends');
        assert.equal(ours['x402Version'], theirs['x402Version']);
      }
    });
  }
});

describe('a server of several offers', () => {
  const cases = vectors<HttpCase>('server-http-compose');
  const preferring = (value: string): Play => bringing(['Accept-Payment', value]);
  const one = 'the route has one offer';
  const asks: Otherwise['check'] = (answer) => assert.equal(challengeIn(answer).method, 'evm');
  const plays: Plays = {
    'no preference': [bringing()],
    'Accept-Payment demo only': [preferring('demo/charge'), { because: `${one}, and it is not left out for that`, check: asks }],
    'Accept-Payment prefers demo': [preferring('evm/charge;q=0.2, demo/charge'), { because: one, check: asks }],
    'Accept-Payment matches nothing': [preferring('solana/charge')],
    'Accept-Payment malformed': [preferring('%%%')],
    'Bearer credential only': [bringing(['Authorization', 'Bearer x'])],
    'malformed Payment credential': [bringing(['Authorization', 'Payment !!!'])],
    'credential for the second offer': [paying(), { because: one, check: (answer) => assert.equal(answer.status, 200) }],
    'credential for a method not offered': [editing(({ challenge }) => void (challenge['method'] = 'demo'))],
  };

  playEach('compose', cases, plays, (answer) => assert.equal(challengesIn(answer.headers['www-authenticate'] ?? '').length, 1, one));
});

/** Names of members, and what kind each is. */
function shapeOf(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .sort()
      .map(([name, inner]) => [name, shapeOf(inner)]),
  );
}
