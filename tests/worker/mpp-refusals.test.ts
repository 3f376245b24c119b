/** Credentials that must not pay: changed, used up, taken elsewhere, too late, two at once. Nothing is called for any of them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { asX402, type CredentialMessage, payMpp } from '../support/mpp-payer.ts';
import { type Challenge, credential, idOf, type JsonObject, requestOf, requestText } from '../support/mpp-wire.ts';
import { okxHash, payAsOkx } from '../support/okx-payer.ts';
import { challengeFor, challengeIn, expectMppPaid, expectMppRefused, mppFor, type Paid, sendMpp, signed } from './support/mpp.ts';
import { freshPayer, requiredBy } from './support/payer.ts';
import type { Answer, HeaderRow } from './support/raw.ts';
import {
  callsOf,
  eventually,
  expectCalls,
  expectNextGoodRequest,
  expectPaid,
  expectProblem,
  MODES,
  NO_CALLS,
  openWorld,
  ordinaryCalls,
  payFor,
  SECRETS,
  send,
  type World,
} from './support/world.ts';

const SECRET: HeaderRow = ['Idempotency-Key', 's'.repeat(30)];
const OTHER = '0x209693Bc6afc0C5328bA36FaF03C514EF312287C';
const NOW = (): number => Math.floor(Date.now() / 1000);

type Edit = (message: CredentialMessage) => void;
const inChallenge =
  (change: JsonObject): Edit =>
  ({ challenge }) =>
    void Object.assign(challenge, change);
const without =
  (name: string): Edit =>
  ({ challenge }) =>
    void delete challenge[name];
const inPayload =
  (change: JsonObject): Edit =>
  ({ payload }) =>
    void Object.assign(payload, change);

describe('a challenge', () => {
  let world: World;
  before(async () => {
    world = await openWorld({ probe: true });
  });
  after(() => world.stop());

  const edits: readonly (readonly [what: string, edit: Edit, problem?: string])[] = [
    ['another id', inChallenge({ id: 'A'.repeat(43) })],
    ['another realm', inChallenge({ realm: 'other.example' })],
    ['another method', inChallenge({ method: 'tempo' })],
    ['another intent', inChallenge({ intent: 'session' })],
    ['a later end', inChallenge({ expires: '2035-01-01T00:00:00Z' })],
    ['the same end in other words', ({ challenge }) => void (challenge['expires'] = String(challenge['expires']).replace('Z', '.000Z'))],
    ['no end', without('expires')],
    ['null as its end', inChallenge({ expires: null })],
    ['a digest that was not asked for', inChallenge({ digest: 'sha-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' })],
    ['a header that was not named', inChallenge({ header: 'Payment-Authorization' })],
    ['an opaque that was not there', inChallenge({ opaque: 'eyJrIjoidiJ9' })],
    ['a smaller amount', ({ challenge }) => void (challenge['request'] = changed(challenge, { amount: '1' }))],
    ['another recipient', ({ challenge }) => void (challenge['request'] = changed(challenge, { recipient: OTHER }))],
    ['another currency', ({ challenge }) => void (challenge['request'] = changed(challenge, { currency: OTHER }))],
    ['another external id', ({ challenge }) => void (challenge['request'] = changed(challenge, { externalId: 'A'.repeat(32) }))],
    ['a request that says more', ({ challenge }) => void (challenge['request'] = changed(challenge, { description: 'x' }))],
    ['its request padded', ({ challenge }) => void (challenge['request'] = `${String(challenge['request'])}=`)],
  ];
  for (const [what, edit, problem = 'invalid-challenge'] of edits) {
    //
    it(`with ${what} was not issued here`, async () => {
      const path = `/after/edited-${edits.findIndex(([name]) => name === what)}`;
      const connection = await world.gate.connect();
      const payment = await mppFor(world, path, { tamper: edit });
      const answer = await sendMpp(world, path, payment, { connection });
      const { type } = expectProblemOneOf(answer, [problem, 'malformed-credential'], payment.challenge);
      if (!/padded/.test(what)) assert.match(String(type), /invalid-challenge$/);
      assert.deepEqual(callsOf(world, payment.payer, path), NO_CALLS);
      await expectNextGoodRequest(world, connection);
      connection.close();
    });
  }

  it('may lose what nobody signs: its description, and members that nobody knows are left alone', async () => {
    for (const edit of [without('description'), inChallenge({ description: 'changed' }), inChallenge({ foo: 'bar' })]) {
      const payment = await mppFor(world, '/after/unsigned', { tamper: edit });
      expectMppPaid(await sendMpp(world, '/after/unsigned', payment), payment);
    }
  });

  it('of somebody who knows neither key is refused, also if he takes the secret itself for the key', async () => {
    const real = await challengeFor(world, '/after/forged');
    for (const key of [SECRETS['GATE_SECRET'] ?? '', '', 'x'.repeat(32)]) {
      const forged: Challenge = { ...real, id: idOf(key, real) };
      assert.notEqual(forged.id, real.id);
      expectMppRefused(await sendMpp(world, '/after/forged', await signed(forged)), 'invalid-challenge', real);
    }
  });

  //
  it('that has run out is answered with a fresh one, and its payer may sign that', async () => {
    const path = '/after/late';
    const payer = freshPayer();
    // Valid for longer than the challenge, as OKX signs, so that the challenge alone is late.
    const late = await mppFor(world, path, { payer, signed: { validBefore: String(NOW() + 600) } });
    await world.gate.ahead(61);
    try {
      const answer = await sendMpp(world, path, late);
      expectMppRefused(answer, 'payment-expired', late.challenge);
      assert.deepEqual(callsOf(world, payer.address, path), NO_CALLS);
      const again = await signed(challengeIn(answer), { payer });
      expectMppPaid(await sendMpp(world, path, again), again);
    } finally {
      await world.gate.ahead(-61);
    }
  });

  it('that has run out hides nothing that the ledger knows of its payment, and brings no new terms for it', async () => {
    const known: { path: string; payment: Paid; answer: (answer: Answer) => unknown }[] = [];
    for (const mode of MODES) {
      const told = await mppFor(world, `/${mode}/told-late`);
      expectMppPaid(await sendMpp(world, `/${mode}/told-late`, told, { headers: [SECRET] }), told);
      known.push({ path: `/${mode}/told-late`, payment: told, answer: (answer) => expectMppPaid(answer, told) });
      const lost = await mppFor(world, `/${mode}/lost-late`);
      world.facilitator.script(lost.payer, { settle: { kind: 'destroy' } });
      const unknown = { status: 503, code: 'settlement_unknown', retryAfter: 5 } as const;
      expectProblem(await sendMpp(world, `/${mode}/lost-late`, lost, { headers: [SECRET] }), unknown);
      known.push({ path: `/${mode}/lost-late`, payment: lost, answer: (answer) => expectProblem(answer, unknown) });
    }
    await world.gate.ahead(62);
    try {
      for (const { path, payment, answer } of known) answer(await sendMpp(world, path, payment, { headers: [SECRET] }));
    } finally {
      await world.gate.ahead(-62);
    }
  });

  for (const mode of MODES) {
    it(`serves only where it was issued (${mode})`, async () => {
      const path = `/${mode}/here`;
      const sibling = mode === 'after' ? '/twin/here' : '/after/here';
      const other: Readonly<Record<string, { target?: string; method?: string; headers?: readonly HeaderRow[]; body?: string }>> = {
        'other target': { target: `/${mode}/there` },
        'other query': { target: `${path}?free=1` },
        'other route of the same price': { target: sibling },
        'other price': { target: '/dear/here' },
        'other method': { method: 'POST', body: 'x' },
        'other host': { headers: [['Host', 'other.example']] },
      };
      const payment = await mppFor(world, path);
      for (const [what, { target = path, method = 'GET', headers = [], body }] of Object.entries(other)) {
        const answer = await sendMpp(world, target, payment, { method, headers, ...(body === undefined ? {} : { body }) });
        expectMppRefused(answer, 'invalid-challenge', payment.challenge);
        assert.equal(callsOf(world, payment.payer, path).settle, 0, what);
      }
      assert.deepEqual(callsOf(world, payment.payer, path), NO_CALLS);
      expectMppPaid(await sendMpp(world, path, payment), payment);
      expectCalls(world, payment.payer, path, ordinaryCalls(mode));
    });

    //
    it(`that was paid cannot be paid with again, and neither can its authorization (${mode})`, async () => {
      const path = `/${mode}/once`;
      const payer = freshPayer();
      const payment = await mppFor(world, path, { payer });
      expectMppPaid(await sendMpp(world, path, payment), payment);
      const used = { status: 409, code: 'payment_already_used' } as const;
      const delivered = { status: 409, code: 'payment_already_delivered' } as const;
      const again = await challengeFor(world, path);
      const moved = await payMpp(payer.account, again, {
        tamper: (message) => void Object.assign(message.payload, payment.message.payload),
      });
      // Its nonce names the first challenge; new terms would have it paid twice, so that what the ledger knows is told.
      expectProblem(await sendMpp(world, path, moved), delivered);
      // In OKX's shape it names no challenge.
      const { authorization, signature } = payment;
      const shaped = {
        challenge: { ...again },
        payload: { type: 'transaction', authorization: { type: 'eip-3009', ...authorization, signature } },
      };
      const answer = await sendMpp(world, path, { value: credential(shaped) });
      expectProblem(answer, delivered);
      const there = await challengeFor(world, `${path}?there`);
      const elsewhere = await sendMpp(world, `${path}?there`, { value: credential({ ...shaped, challenge: { ...there } }) });
      expectProblem(elsewhere, used);
      expectCalls(world, payment.payer, path, ordinaryCalls(mode));
    });
  }
});

describe('a credential', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world.stop());

  const bad: readonly (readonly [
    what: string,
    payment: (path: string) => Promise<{ value: string; payer?: string; challenge?: Challenge }>,
    problem: string,
  ])[] = [
    ['a value below the price', (path) => mppFor(world, path, { signed: { value: '9999' } }), 'verification-failed'],
    ['a value above the price', (path) => mppFor(world, path, { signed: { value: '10001' } }), 'verification-failed'],
    ['another recipient', (path) => mppFor(world, path, { signed: { to: OTHER } }), 'verification-failed'],
    ['a nonce of its own', (path) => mppFor(world, path, { signed: { nonce: `0x${'01'.repeat(32)}` } }), 'verification-failed'],
    ['a validity that is over', (path) => mppFor(world, path, { signed: { validBefore: '1000' } }), 'verification-failed'],
    ['a validity that comes later', (path) => mppFor(world, path, { signed: { validAfter: String(NOW() + 50) } }), 'verification-failed'],
    ['a validity for a day', (path) => mppFor(world, path, { signed: { validBefore: String(NOW() + 86_400) } }), 'verification-failed'],
    ['the domain of another token', (path) => mppFor(world, path, { domain: { name: 'USD Coin', version: '2' } }), 'verification-failed'],
    [
      'a signature of nobody',
      (path) => mppFor(world, path, { tamper: inPayload({ signature: `0x${'11'.repeat(65)}` }) }),
      'verification-failed',
    ],
    ['somebody else as its payer', (path) => mppFor(world, path, { tamper: inPayload({ from: OTHER }) }), 'verification-failed'],
    ['another source', (path) => mppFor(world, path, { source: `did:pkh:eip155:84532:${OTHER}` }), 'verification-failed'],
    [
      'a source on another chain',
      async (path) => {
        const payer = freshPayer();
        return mppFor(world, path, { payer, source: `did:pkh:eip155:1:${payer.address}` });
      },
      'verification-failed',
    ],
    ['a type that is not offered', (path) => mppFor(world, path, { tamper: inPayload({ type: 'permit2' }) }), 'invalid-payload'],
    ['no type', (path) => mppFor(world, path, { tamper: ({ payload }) => void delete payload['type'] }), 'invalid-payload'],
    ['an amount that is a number', (path) => mppFor(world, path, { tamper: inPayload({ value: 10_000 }) }), 'invalid-payload'],
    ['a nonce that is too short', (path) => mppFor(world, path, { tamper: inPayload({ nonce: '0x01' }) }), 'invalid-payload'],
    ['an empty payload', (path) => mppFor(world, path, { tamper: (message) => void (message.payload = {}) }), 'invalid-payload'],
    ['a transaction hash', okx((value) => okxHash(value, freshPayer(), `0x${'ab'.repeat(32)}`)), 'invalid-payload'],
    ['split payments', okx((value) => payAsOkx(value, freshPayer().account, { splits: [{ value: '1' }] })), 'invalid-payload'],
    [
      "OKX's shape of another type",
      okx(async (value) => reshaped((await payAsOkx(value, freshPayer().account)).value, { type: 'eip-712' })),
      'invalid-payload',
    ],
    ['bytes that are no base64', async () => ({ value: 'Payment !!!' }), 'malformed-credential'],
    ['text that is no JSON', async () => ({ value: 'Payment aGVsbG8' }), 'malformed-credential'],
    ['a list', async () => ({ value: 'Payment W10' }), 'malformed-credential'],
    ['no challenge', async () => ({ value: credential({ payload: {} }) }), 'malformed-credential'],
    [
      'a request that is an object',
      (path) => mppFor(world, path, { tamper: inChallenge({ request: { amount: '1' } }) }),
      'malformed-credential',
    ],
    ['one member twice', async (path) => ({ value: doubled(await mppFor(world, path)) }), 'malformed-credential'],
  ];
  for (const [what, make, problem] of bad) {
    it(`with ${what} is ${problem}`, async () => {
      const path = `/after/bad-${bad.findIndex(([name]) => name === what)}`;
      const connection = await world.gate.connect();
      const payment = await make(path);
      const before = world.facilitator.calls.length;
      expectMppRefused(await sendMpp(world, path, payment, { connection }), problem, payment.challenge);
      assert.equal(world.facilitator.calls.length, before, 'nobody is asked');
      assert.equal(world.origin.of(path).length, 0);
      await expectNextGoodRequest(world, connection);
      connection.close();
    });
  }

  it('says its source or does not: both are paid', async () => {
    for (const source of [null, '', undefined]) {
      const payment = await mppFor(world, '/after/source', { ...(source === undefined ? {} : { source }) });
      expectMppPaid(await sendMpp(world, '/after/source', payment), payment);
    }
  });

  //
  it('with a high s is refused like any other wrong signature', async () => {
    const payment = await mppFor(world, '/after/high');
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const [r, s, v] = [payment.signature.slice(2, 66), BigInt(`0x${payment.signature.slice(66, 130)}`), payment.signature.slice(130)];
    const twin = `0x${r}${(order - s).toString(16).padStart(64, '0')}${v === '1b' ? '1c' : '1b'}`;
    const message = { ...payment.message, payload: { ...payment.message.payload, signature: twin } };
    expectMppRefused(await sendMpp(world, '/after/high', { value: credential(message) }), 'verification-failed', payment.challenge);
    expectMppPaid(await sendMpp(world, '/after/high', payment), payment);
  });

  it('of more than 16 KiB is 431, and one that is nearly as long is read', async () => {
    const payment = await mppFor(world, '/after/long', { tamper: ({ challenge }) => void (challenge['filler'] = 'x'.repeat(11_000)) });
    assert.ok(payment.value.length < 16 * 1024);
    expectMppPaid(await sendMpp(world, '/after/long', payment), payment);
    const longer = await mppFor(world, '/after/longer', { tamper: ({ challenge }) => void (challenge['filler'] = 'x'.repeat(13_000)) });
    assert.ok(longer.value.length > 16 * 1024);
    const answer = await sendMpp(world, '/after/longer', longer);
    assert.equal(answer.status, 431, answer.text.slice(0, 200));
    assert.equal(world.origin.of('/after/longer').length, 0);
  });

  //
  it('beside a payment of the other protocol, or another credential, is ambiguous: nothing is settled, both stay good', async () => {
    const ambiguous = { status: 400, code: 'ambiguous_payment' } as const;
    for (const mode of MODES) {
      const path = `/${mode}/both`;
      const payer = freshPayer();
      const asked = await world.gate.raw('GET', path);
      const [one, two] = [await signed(challengeIn(asked), { payer }), await mppFor(world, path, { payer })];
      const x402 = await payFor(world, path, { payer });
      const v1 = await payFor(world, path, { payer, version: 1 });
      const twin: HeaderRow = ['PAYMENT-SIGNATURE', asX402(one, requiredBy(asked))];
      const combinations: readonly (readonly HeaderRow[])[] = [
        [['Authorization', one.value], x402.row],
        [['Authorization', one.value], twin],
        [['Authorization', one.value], v1.row],
        [['Payment-Authorization', one.value], x402.row],
        [
          ['Authorization', one.value],
          ['PAYMENT-SIGNATURE', '!!!'],
        ],
        [['Authorization', 'Payment !!!'], x402.row],
        [
          ['Authorization', one.value],
          ['Authorization', two.value],
        ],
        [['Authorization', `${one.value}, ${two.value}`]],
        [
          ['Authorization', one.value],
          ['Payment-Authorization', two.value],
        ],
      ];
      for (const headers of combinations) {
        const answer = await send(world, path, undefined, { headers });
        expectProblem(answer, ambiguous);
        assert.equal(answer.headers['www-authenticate'], undefined);
      }
      assert.deepEqual(callsOf(world, payer.address, path), NO_CALLS);
      expectMppPaid(
        await send(world, path, undefined, {
          headers: [
            ['Authorization', one.value],
            ['Authorization', one.value],
          ],
        }),
        one,
      );
      expectPaid(await send(world, path, x402), x402);
      expectMppPaid(await sendMpp(world, path, two), two);
    }
  });

  it('whose settlement is refused is told so with the reason, and whose settlement nobody knows is told to come again', async () => {
    for (const mode of MODES) {
      const poor = await mppFor(world, `/${mode}/poor`);
      world.facilitator.script(poor.payer, {
        settle: { kind: 'json', body: { success: false, errorReason: 'insufficient_funds', transaction: '', network: 'eip155:84532' } },
      });
      const refused = await sendMpp(world, `/${mode}/poor`, poor);
      assert.equal(refused.status, 402, refused.text.slice(0, 300));
      const body = JSON.parse(refused.text) as JsonObject;
      assert.equal(body['code'], 'settlement_refused');
      assert.equal(refused.headers['payment-receipt'], undefined);
      assert.ok(!refused.text.includes('the paid content'));
      const lost = await mppFor(world, `/${mode}/lost`);
      world.facilitator.script(lost.payer, { settle: { kind: 'destroy' } });
      const unknown = { status: 503, code: 'settlement_unknown', retryAfter: 5 } as const;
      expectProblem(await sendMpp(world, `/${mode}/lost`, lost, { headers: [SECRET] }), unknown);
      world.facilitator.script(lost.payer, {});
      await eventually('it is found out', async () => {
        const answer = await sendMpp(world, `/${mode}/lost`, lost, { headers: [SECRET] });
        if (answer.status === 200) expectMppPaid(answer, lost);
        return answer.status === 200;
      });
      assert.equal(world.origin.of(`/${mode}/lost`).length, 1);
      assert.ok(world.facilitator.settled.has(`${lost.payer.toLowerCase()}/${lost.nonce}`));
    }
  });

  it('which the facilitator does not verify is refused with fresh terms', async () => {
    const payment = await mppFor(world, '/after/unverified');
    world.facilitator.script(payment.payer, { verify: { kind: 'json', body: { isValid: false, invalidReason: 'insufficient_funds' } } });
    const body = expectMppRefused(await sendMpp(world, '/after/unverified', payment), 'verification-failed', payment.challenge);
    assert.equal(body['code'], 'verify_refused');
    assert.deepEqual(callsOf(world, payment.payer, '/after/unverified'), { verify: 1, settle: 0, origin: 0 });
  });

  type Made = { value: string; challenge?: Challenge };

  function okx(make: (header: string) => Made | Promise<Made>): (path: string) => Promise<Made> {
    return async (path) => {
      const asked = await world.gate.raw('GET', path);
      return { value: (await make(asked.headers['www-authenticate'] ?? '')).value, challenge: challengeIn(asked) };
    };
  }
});

function expectProblemOneOf(answer: Parameters<typeof expectMppRefused>[0], problems: readonly string[], old: Challenge): JsonObject {
  const type = String((JSON.parse(answer.text) as JsonObject)['type']);
  const found = problems.find((problem) => type.endsWith(problem));
  return expectMppRefused(answer, found ?? problems[0] ?? '', old);
}

function changed(challenge: JsonObject, change: JsonObject): string {
  return requestText({ ...requestOf(challenge as unknown as Challenge), ...change });
}

/** OKX's credential with members of its authorization changed. */
function reshaped(value: string, change: JsonObject): { value: string } {
  const message = JSON.parse(Buffer.from(value.slice(8), 'base64url').toString('utf8')) as { payload: { authorization: JsonObject } };
  Object.assign(message.payload.authorization, change);
  return { value: credential(message) };
}

/** The amount twice: some parsers take the first, some the last. */
function doubled({ message }: Paid): string {
  const text = JSON.stringify(message).replace('"value":"10000"', '"value":"1","value":"10000"');
  return `Payment ${Buffer.from(text).toString('base64url')}`;
}
