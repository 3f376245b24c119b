/**
 * What was recorded of credentials, read by the running gate.
 *
 * The edit that a case makes to a good credential is made to one that answers a challenge of ours; see `mpp-servers.test.ts`.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import type { CredentialMessage } from '../support/mpp-payer.ts';
import { credential, credentialIn, type JsonObject } from '../support/mpp-wire.ts';
import { payAsOkx } from '../support/okx-payer.ts';
import { challengeIn, expectMppPaid, expectMppRefused, mppFor, type Paid, sendMpp } from './support/mpp.ts';
import { type Otherwise, refused, vectors } from './support/mpp-plays.ts';
import { freshPayer } from './support/payer.ts';
import { callsOf, expectProblem, jsonOf, openWorld, type World } from './support/world.ts';

type ParseCase = { readonly name: string; readonly header: string; readonly ok: boolean; readonly error?: string };
type ExtractCase = { readonly name: string; readonly header: string; readonly extracted: string | null };

let world: World;
before(async () => {
  world = await openWorld();
});
after(() => world.stop());

describe('a credential as it stands in its field', () => {
  const cases = vectors<ParseCase>('credentials-parse');
  type Respell = (payment: Paid) => string;
  const edited =
    (edit: (message: CredentialMessage) => unknown): Respell =>
    ({ message }) => {
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
      edited(({ challenge }) => ({ challenge })),
      refused('the shape is checked at once', 'invalid-payload', 'malformed-credential'),
    ],
    'challenge.request is an object': [inChallenge({ request: { amount: '1' } })],
    'challenge.request not base64': [inChallenge({ request: '%%%' }), refused(readable, 'malformed-credential', 'invalid-challenge')],
    'challenge.id empty': [inChallenge({ id: '' })],
    'challenge.id missing': [edited(({ challenge }) => void delete challenge['id'])],
    'challenge.realm missing': [edited(({ challenge }) => void delete challenge['realm'])],
    'expires null (as the OKX CLI emits when absent)': [inChallenge({ expires: null }), refused(readable, 'invalid-challenge')],
    'expires not a timestamp': [inChallenge({ expires: 'tomorrow' }), refused(readable, 'malformed-credential', 'invalid-challenge')],
    'expires with offset': [inChallenge({ expires: '2035-01-01T01:00:00+01:00' }), refused(readable, 'invalid-challenge')],
    'digest with wrong algorithm': [inChallenge({ digest: 'md5=abc' }), refused(readable, 'malformed-credential', 'invalid-challenge')],
    'opaque as object (legacy, accepted)': [inChallenge({ opaque: { k: 'v' } }), refused(readable, 'invalid-challenge')],
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
    ...vectors<{ name: string; authorization: string }>('okx-credentials').map(
      ({ name, authorization }) => [`OKX: ${name}`, authorization] as const,
    ),
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

describe("OKX's charges", () => {
  const cases = vectors<{ name: string; credential: { challenge: JsonObject; payload: JsonObject } }>('okx-credentials').filter(
    ({ name }) => name.startsWith('charge'),
  );
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
      const sent = JSON.parse(world.facilitator.of('settle', payer.address)[0]?.body.toString('utf8') ?? '') as {
        paymentPayload: { payload: unknown };
      };
      assert.deepEqual(sent.paymentPayload.payload, { authorization, signature });
    });
  }
  it('are all played', () => assert.deepEqual(cases.map(({ name }) => name).sort(), Object.keys(outcomes).sort()));
});
