/**
 * The published situations of MPP, against the running gate.
 *
 * The vectors answer challenges of their own server, with its key and its time. A case is played with a challenge of ours: the
 * edit that it makes to a good credential is made to a good credential for the gate. Where the gate is to do otherwise than the
 * package that the vectors were recorded from, the case is named with the reason.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { asX402, type CredentialMessage, type Deviations } from '../support/mpp-payer.ts';
import { challengesIn, credential, credentialIn, requestOf, requestText, type JsonObject } from '../support/mpp-wire.ts';
import { payAsOkx } from '../support/okx-payer.ts';
import { challengeIn, expectMppPaid, expectMppRefused, mppFor, sendMpp, signed, PROBLEMS, type Paid } from './support/mpp.ts';
import { encode, freshPayer, requiredBy, settlementOf } from './support/payer.ts';
import type { Answer, HeaderRow } from './support/raw.ts';
import { callsOf, expectProblem, jsonOf, openWorld, payFor, send, type World } from './support/world.ts';

type Body = { readonly type?: string; readonly title?: string; readonly status?: number };
type HttpCase = {
  readonly name: string;
  readonly request?: { readonly headers?: Readonly<Record<string, string>> } & Readonly<Record<string, unknown>>;
  readonly response: { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Body | string };
};
type DualCase = HttpCase & { readonly facilitatorCalls: readonly (string | { readonly settle: JsonObject })[] };
type ParseCase = { readonly name: string; readonly header: string; readonly ok: boolean; readonly error?: string };
type ExtractCase = { readonly name: string; readonly header: string; readonly extracted: string | null };

const NOW = (): number => Math.floor(Date.now() / 1000);
const OTHER = '0x209693Bc6afc0C5328bA36FaF03C514EF312287C';
const BEARER: HeaderRow = ['Authorization', 'Bearer abc'];

let world: World;
before(async () => { world = await openWorld({ probe: true }); });
after(() => world.stop());

/** What a case does here: the request, and what the answer is if not what the package gave. */
type Play = (path: string) => Promise<Answer>;
const paying = (deviations: Deviations = {}, rows: (value: string) => readonly HeaderRow[] = (value) => [['Authorization', value]]): Play =>
  async (path) => send(world, path, undefined, { headers: rows((await mppFor(world, path, deviations)).value) });
const bringing = (...headers: readonly HeaderRow[]): Play => (path) => send(world, path, undefined, { headers });
const editing = (edit: (message: CredentialMessage) => void): Play => paying({ tamper: edit });

/** An outcome that is not the package's: the check, and why. */
type Otherwise = { readonly because: string; readonly check: (answer: Answer) => void };
const paid = (because: string): Otherwise => ({ because, check: (answer) => assert.equal(answer.status, 200, answer.text.slice(0, 300)) });
const refused = (problem: string, because: string): Otherwise => ({ because, check: (answer) => void expectMppRefused(answer, problem) });
const problem = (status: number, code: string, because: string): Otherwise => ({
  because,
  check: (answer) => assert.deepEqual([answer.status, jsonOf(answer)['code']], [status, code], answer.text.slice(0, 300)),
});

describe('a server with one charge', () => {
  const cases = vectors<HttpCase>('server-http-evm');
  const plays: Readonly<Record<string, readonly [Play, Otherwise?]>> = {
    'no credential': [bringing()],
    'valid credential': [paying()],
    'same credential again (no replay store in mppx evm: relies on settlement)': [
      async (path) => {
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
      refused('verification-failed', 'a signature that is no curve point is no fault of the server'),
    ],
    'source mismatch': [paying({ source: `did:pkh:eip155:84532:${OTHER}` })],
    'source omitted': [paying({ source: null })],
    'tampered challenge amount (HMAC fails)': [editing(({ challenge }) => {
      challenge['request'] = requestText({ ...requestOf(challenge as never), amount: '1' });
    })],
    'foreign id': [editing(({ challenge }) => void (challenge['id'] = 'AAAA'))],
    'payload schema invalid': [editing(({ payload }) => void (payload['type'] = 'permit2'))],
    'malformed credential': [bringing(['Authorization', 'Payment !!!'])],
    'Bearer only': [bringing(BEARER)],
    'Bearer plus valid Payment in one value': [paying({}, (value) => [['Authorization', `Bearer abc, ${value}`]])],
    'credential from another price on same secret': [async (path) => sendMpp(world, path, await mppFor(world, '/dear/other'))],
    'expired challenge': [async (path) => {
      const payment = await mppFor(world, path);
      await world.gate.ahead(100);
      try { return await sendMpp(world, path, payment); } finally { await world.gate.ahead(-100); }
    }],
    'challenge issued without expires': [
      bringing(),
      { because: 'every challenge of ours ends', check: (answer) => assert.ok(challengeIn(answer).expires) },
    ],
    'credential for a challenge without expires (fail closed)': [
      editing(({ challenge }) => void delete challenge['expires']),
    ],
    'challenge with scope (opaque carries _mppx_scope)': [
      bringing(),
      { because: 'the scope is in the request, because OKX drops opaque', check: (answer) => assert.ok(requestOf(challengeIn(answer)).externalId) },
    ],
    'scoped credential on unscoped route': [async (path) => sendMpp(world, path, await mppFor(world, `${path}?scope`))],
    'scoped credential on same scope': [async (path) => sendMpp(world, `${path}?scope`, await mppFor(world, `${path}?scope`))],
    'unscoped credential on scoped route': [async (path) => sendMpp(world, `${path}?scope`, await mppFor(world, path))],
    'description option': [
      bringing(),
      { because: 'the words are of the route', check: (answer) => assert.equal(challengeIn(answer).description, 'after') },
    ],
    'requiresAuth: challenge advertises header': [
      bringing(BEARER),
      { because: 'named to who brings a credential of his own', check: (answer) => assert.equal(challengeIn(answer).header, 'Payment-Authorization') },
    ],
    'requiresAuth with the evm method: credential in Authorization (observed: accepted)': [
      async (path) => sendMpp(world, path, await mppFor(world, path, { headers: [BEARER] })),
    ],
    'requiresAuth with the evm method: credential in Payment-Authorization (observed: not read, although the challenge advertises it)': [
      async (path) => {
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

  it('has a play for every case', () => {
    assert.deepEqual(Object.keys(plays).sort(), cases.map(({ name }) => name).sort());
  });

  for (const [index, { name, response }] of cases.entries()) {
    const [play, otherwise] = plays[name] ?? [];
    it(`${name}: ${otherwise?.because ?? response.status}`, async () => {
      assert.ok(play);
      const answer = await play(`/after/http-${index}`);
      if (otherwise !== undefined) return otherwise.check(answer);
      judge(answer, response);
    });
  }

  function settling(settle: Parameters<World['facilitator']['script']>[1]['settle']): Play {
    return async (path) => {
      const payment = await mppFor(world, path);
      world.facilitator.script(payment.payer, { settle: settle ?? { kind: 'good' } });
      return sendMpp(world, path, payment);
    };
  }
});

describe('a server of both protocols', () => {
  const cases = vectors<DualCase>('server-http-dual');
  const x402 = (change: (message: JsonObject) => void = () => {}, version: 1 | 2 = 2): Play => async (path) => {
    const payment = await payFor(world, path, { tamper: change });
    return send(world, path, { ...payment, row: encode(payment.json, version) });
  };
  const plays: Readonly<Record<string, readonly [Play, Otherwise?]>> = {
    'x402 payment, random nonce, no extension echoed': [x402()],
    'x402 payment bound through the mppx extension': [x402((message) => void (message['extensions'] = { mppx: { info: { method: 'GET' } } }))],
    'x402 payment with extension but unbound nonce': [
      x402((message) => void (message['extensions'] = { mppx: { info: { method: 'GET' } } })),
      paid('the extension is not offered here, so it binds nothing'),
    ],
    'x402 payment, wrong accepted amount': [x402(({ accepted }) => void ((accepted as JsonObject)['amount'] = '1')), problem(402, 'terms_mismatch', 'the codes of x402')],
    'x402 payment, other resource url': [x402((message) => void (message['resource'] = { url: 'https://evil.example/' })), problem(402, 'resource_mismatch', 'the codes of x402')],
    'x402 header not decodable': [bringing(['PAYMENT-SIGNATURE', '!!!']), problem(400, 'malformed_payment', 'an unreadable header is no fault of the server')],
    'x402 v1 header X-PAYMENT (not read by this method)': [x402(undefined, 1), problem(402, 'unsupported_version', 'version 1 is read here, and this is none')],
    'MPP credential with facilitator settlement': [paying()],
    'both MPP credential and x402 header (observed: MPP used, both receipts emitted)': [
      async (path) => {
        const [payment, other] = [await mppFor(world, path), await payFor(world, path)];
        return send(world, path, other, { headers: [['Authorization', payment.value]] });
      },
      problem(400, 'ambiguous_payment', 'the only answer that cannot charge twice'),
    ],
    'same EIP-3009 authorization presented as x402 after MPP (no shared claim)': [
      async (path) => {
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
      const answer = await play(path);
      if (otherwise !== undefined) return otherwise.check(answer);
      assert.equal(answer.status, response.status, answer.text.slice(0, 300));
      // One receipt, of the protocol that was paid with.
      const mpp = name.startsWith('MPP');
      assert.deepEqual([answer.headers['payment-receipt'] !== undefined, settlementOf(answer) !== undefined], [mpp, !mpp]);
      const calls = world.facilitator.calls.slice(first).filter(({ operation }) => operation !== 'supported');
      assert.deepEqual(calls.map(({ operation }) => operation), facilitatorCalls.map((call) => (typeof call === 'string' ? call : 'settle')));
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
  const plays: Readonly<Record<string, readonly [Play, Otherwise?]>> = {
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

  it('has a play for every case', () => {
    assert.deepEqual(Object.keys(plays).sort(), cases.map(({ name }) => name).sort());
  });

  for (const [index, { name, response }] of cases.entries()) {
    const [play, otherwise] = plays[name] ?? [];
    it(`${name}: ${otherwise?.because ?? response.status}`, async () => {
      assert.ok(play);
      const answer = await play(`/after/compose-${index}`);
      if (otherwise !== undefined) return otherwise.check(answer);
      judge(answer, response);
      assert.equal(challengesIn(answer.headers['www-authenticate'] ?? '').length, 1, one);
    });
  }
});

describe('a credential as it stands in its field', () => {
  const cases = vectors<ParseCase>('credentials-parse');
  type Respell = (payment: Paid) => string;
  const edited = (edit: (message: CredentialMessage) => unknown): Respell => ({ message }) => {
    const copy = structuredClone(message);
    return credential((edit(copy) as object | undefined) ?? copy);
  };
  const inChallenge = (change: JsonObject): Respell => edited(({ challenge }) => void Object.assign(challenge, change));
  const token = ({ value }: Paid): string => value.slice('Payment '.length);
  const readable = 'it can be read, and it was not issued here';
  /** The value, and the problem if it is read and refused all the same. */
  const plays: Readonly<Record<string, readonly [Respell, Otherwise?]>> = {
    'lowercase scheme': [(payment) => `payment ${token(payment)}`],
    'double space': [(payment) => `Payment   ${token(payment)}`],
    'tab separator': [(payment) => `Payment\t${token(payment)}`],
    'no token': [() => 'Payment '],
    'no scheme': [token],
    Bearer: [() => 'Bearer abc'],
    'standard padded base64': [({ message }) => `Payment ${Buffer.from(JSON.stringify(message)).toString('base64')}`],
    'not base64': [() => 'Payment !!!!'],
    'not json': [() => 'Payment aGVsbG8'],
    'json array': [() => 'Payment W10'],
    'json null': [() => 'Payment bnVsbA'],
    'missing challenge': [edited(({ payload }) => ({ payload }))],
    'missing payload (accepted here; schema check later)': [
      edited(({ challenge }) => ({ challenge })), { because: 'the shape is checked at once', check: (answer) => oneOf(answer, ['invalid-payload', 'malformed-credential']) },
    ],
    'challenge.request is an object': [inChallenge({ request: { amount: '1' } })],
    'challenge.request not base64': [inChallenge({ request: '%%%' }), { because: readable, check: (answer) => oneOf(answer, ['malformed-credential', 'invalid-challenge']) }],
    'challenge.id empty': [inChallenge({ id: '' })],
    'challenge.id missing': [edited(({ challenge }) => void delete challenge['id'])],
    'challenge.realm missing': [edited(({ challenge }) => void delete challenge['realm'])],
    'expires null (as the OKX CLI emits when absent)': [inChallenge({ expires: null }), refused('invalid-challenge', readable)],
    'expires not a timestamp': [inChallenge({ expires: 'tomorrow' }), { because: readable, check: (answer) => oneOf(answer, ['malformed-credential', 'invalid-challenge']) }],
    'expires with offset': [inChallenge({ expires: '2035-01-01T01:00:00+01:00' }), refused('invalid-challenge', readable)],
    'digest with wrong algorithm': [inChallenge({ digest: 'md5=abc' }), { because: readable, check: (answer) => oneOf(answer, ['malformed-credential', 'invalid-challenge']) }],
    'opaque as object (legacy, accepted)': [inChallenge({ opaque: { k: 'v' } }), refused('invalid-challenge', readable)],
    'opaque as object with non-string value': [inChallenge({ opaque: { k: 1 } })],
    'unknown challenge field ignored': [inChallenge({ foo: 'bar' })],
    'source empty string dropped': [edited((message) => void (message.source = ''))],
  };

  it('has a play for every case', () => {
    assert.deepEqual(Object.keys(plays).sort(), cases.map(({ name }) => name).sort());
  });

  for (const [index, { name, ok, error }] of cases.entries()) {
    const [respell, otherwise] = plays[name] ?? [];
    it(`${name}: ${otherwise?.because ?? (ok ? 'paid' : error)}`, async () => {
      assert.ok(respell);
      const path = `/after/parse-${index}`;
      const payment = await mppFor(world, path);
      const answer = await sendMpp(world, path, { value: respell(payment) });
      const calls = callsOf(world, payment.payer, path);
      if (otherwise !== undefined) otherwise.check(answer);
      else if (ok) expectMppPaid(answer, payment);
      else if (error === 'MissingPaymentSchemeError') assert.deepEqual([answer.status, jsonOf(answer)['code']], [402, 'payment_required']);
      else expectMppRefused(answer, 'malformed-credential', payment.challenge);
      assert.deepEqual(calls, otherwise === undefined && ok ? { verify: 1, settle: 1, origin: 1 } : { verify: 0, settle: 0, origin: 0 });
    });
  }
});

describe('the part of the field that is the credential', () => {
  const cases = vectors<ExtractCase>('authorization-extract');
  for (const [index, { name, header, extracted }] of cases.entries()) {
    it(name, async () => {
      const path = `/after/extract-${index}`;
      const payment = await mppFor(world, path);
      const theirs = /Payment (ey[A-Za-z0-9_-]+)/.exec(header)?.[1];
      const value = theirs === undefined ? header : header.replaceAll(theirs, payment.value.slice('Payment '.length));
      const answer = await sendMpp(world, path, { value });
      if (name === 'two Payment credentials: first wins') return void expectProblem(answer, { status: 400, code: 'ambiguous_payment' });
      if (extracted === null) return assert.deepEqual([answer.status, jsonOf(answer)['code']], [402, 'payment_required']);
      if (theirs === undefined) return void expectMppRefused(answer, 'malformed-credential');
      expectMppPaid(answer, payment);
    });
  }
});

describe('credentials for other servers', () => {
  const headers = [
    ...vectors<{ name: string; header: string }>('credentials').map(({ name, header }) => [name, header] as const),
    ...vectors<{ name: string; authorization: string }>('okx-credentials').map(({ name, authorization }) => [`OKX: ${name}`, authorization] as const),
  ];
  for (const [name, value] of headers) {
    it(`${name}: read, and not issued here`, async () => {
      credentialIn(value);
      const calls = world.facilitator.calls.length;
      expectMppRefused(await sendMpp(world, '/after/foreign', { value }), 'invalid-challenge');
      assert.equal(world.facilitator.calls.length, calls);
    });
  }
});

describe('OKX\'s charges', () => {
  const cases = vectors<{ name: string; credential: { challenge: JsonObject; payload: JsonObject } }>('okx-credentials').filter(({ name }) => name.startsWith('charge'));
  const outcomes: Readonly<Record<string, 'paid' | string>> = {
    'charge transaction': 'paid',
    // N transfers of one token are not one payment: none of them is taken.
    'charge transaction with one split': 'invalid-payload',
    // Only where the route takes transactions that are there already.
    'charge hash': 'invalid-payload',
    'charge for a challenge without expires: echo carries "expires": null': 'invalid-challenge',
  };
  for (const [index, { name, credential: recorded }] of cases.entries()) {
    it(`${name}: ${outcomes[name]}`, async () => {
      const path = `/after/okx-${index}`;
      const asked = await world.gate.raw('GET', path);
      const payer = freshPayer();
      const { value, authorization, signature } = await payAsOkx(asked.headers['www-authenticate'] ?? '', payer.account);
      const ours = credentialIn(value) as { challenge: JsonObject; payload: JsonObject; source: string };
      assert.deepEqual(Object.keys(ours.challenge).sort(), Object.keys(recorded.challenge).sort());
      const message = structuredClone(ours);
      const inner = recorded.payload['authorization'] as JsonObject | undefined;
      if (inner === undefined) message.payload = recorded.payload;
      else if (inner['splits'] !== undefined) (message.payload['authorization'] as JsonObject)['splits'] = inner['splits'];
      else assert.deepEqual(Object.keys(message.payload['authorization'] as JsonObject).sort(), Object.keys(inner).sort());
      if (recorded.challenge['expires'] === null) message.challenge['expires'] = null;
      const answer = await sendMpp(world, path, { value: credential(message) });
      if (outcomes[name] !== 'paid') return void expectMppRefused(answer, outcomes[name] ?? '', challengeIn(asked));
      assert.equal(answer.status, 200, answer.text.slice(0, 300));
      const sent = JSON.parse(world.facilitator.of('settle', payer.address)[0]?.body.toString('utf8') ?? '') as { paymentPayload: { payload: unknown } };
      assert.deepEqual(sent.paymentPayload.payload, { authorization, signature });
    });
  }
  it('are all played', () => assert.deepEqual(cases.map(({ name }) => name).sort(), Object.keys(outcomes).sort()));
});

/** As the package answered: paid, or the same problem with the same status, and a challenge with every 402. */
function judge(answer: Answer, { status, body }: HttpCase['response']): void {
  assert.equal(answer.status, status, answer.text.slice(0, 300));
  if (typeof body === 'string') return assert.ok(answer.headers['payment-receipt'], 'a receipt');
  const suffix = String(body.type).slice(PROBLEMS.length);
  if (suffix !== 'payment-required') return assert.equal(expectMppRefused(answer, suffix)['title'], body.title);
  assert.equal(jsonOf(answer)['code'], 'payment_required');
  challengeIn(answer);
}

function oneOf(answer: Answer, problems: readonly string[]): void {
  const found = problems.find((suffix) => jsonOf(answer)['type'] === `${PROBLEMS}${suffix}`);
  expectMppRefused(answer, found ?? problems.join(' or '));
}

/** Names of members, and what kind each is. */
function shapeOf(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return typeof value;
  return Object.fromEntries(Object.entries(value).sort().map(([name, inner]) => [name, shapeOf(inner)]));
}

function vectors<T>(name: string): readonly T[] {
  return (JSON.parse(readFileSync(new URL(`../vectors/mpp/${name}.json`, import.meta.url), 'utf8')) as { vectors: readonly T[] }).vectors;
}
