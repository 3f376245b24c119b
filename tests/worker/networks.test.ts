/** Several networks at one gate: what each route asks on which, and payments on chains that the gate does not read. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { PaymentRequirementsSchema } from 'x402/types';

import type { Reply } from './support/facilitator.ts';
import { encode, freshPayer, type Json, type PaymentRequired, pay, requiredBy, settlementOf } from './support/payer.ts';
import type { Answer, HeaderRow } from './support/raw.ts';
import {
  begin,
  eventually,
  expectFreshTerms,
  expectProblem,
  jsonOf,
  nextNumber,
  openWorld,
  PAY_TO,
  send,
  type World,
} from './support/world.ts';

const SOLANA = 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1';
const PAYEE = '7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU';
const MINT = '4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU';
const FEE_PAYER = 'EwWqGE4ZFKLofuestmU4LDdK7XM1N4ALgdZccwYugwGd';
const APTOS = 'aptos:2';
const APTOS_PAYEE = `0x${'42'.repeat(32)}`;
const AMOY_PAYEE = '0x209693Bc6afc0C5328bA36FaF03C514EF312287C';
const SIGNATURE = '5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW';
const SECRET = [['Idempotency-Key', 's'.repeat(30)]] as const;
const TOKEN = [['Authorization', 'Bearer operator-token-of-the-test-suite-0123456789']] as const;

let world: World;

before(async () => {
  // In full it is the same as what is known.
  const asset = { address: MINT, decimals: 6, symbol: 'USDC' };
  const common = { max_timeout_secs: 60, origin_timeout_secs: 2 };
  world = await openWorld({
    beside: {},
    vars: {
      NETWORK: ['eip155:84532', 'polygon-amoy', SOLANA, APTOS],
      PAY_TO: { 'base-sepolia': PAY_TO, 'eip155:80002': AMOY_PAYEE, [SOLANA]: PAYEE, [APTOS]: APTOS_PAYEE },
    },
    withFacilitator: (url) => ({ FACILITATOR_URL: [{ url, extra: { [SOLANA]: { feePayer: FEE_PAYER } } }] }),
    routes: [
      { path: '/amoy/*', network: 'polygon-amoy', price: '$0.02', ...common },
      { path: '/test/*', network: 'base-sepolia', price: '$0.01', ...common },
      { path: '/sol/after/*', network: SOLANA, price: '$0.01', ...common },
      { path: '/sol/before/*', network: SOLANA, price: { amount: '10000', asset }, settle: 'before', ...common },
      {
        path: '/aptos/*',
        network: APTOS,
        price: { amount: '10000', asset: { address: `0x${'69'.repeat(32)}`, decimals: 6, symbol: 'USDC' } },
        ...common,
      },
    ],
  });
});
after(() => world.stop());

describe('networks that the published clients of version 1 do not know', () => {
  let wide: World;
  const known = ['base', 'polygon', 'avalanche'];
  const unread = ['ethereum', 'monad', 'flare', 'stable'];
  before(async () => {
    wide = await openWorld({
      beside: {},
      vars: { NETWORK: [...known, ...unread], PAY_TO },
      routes: [
        { path: '/all', price: '$0.01' },
        { path: '/monad', network: 'monad', price: '$0.01' },
      ],
    });
  });
  after(() => wide.stop());

  it('are offered by version 2 alone, so that no client refuses the whole list', async () => {
    const answer = await wide.gate.raw('GET', '/all');
    assert.equal(answer.status, 402, answer.text);
    const { accepts } = jsonOf(answer) as { accepts: { network: string }[] };
    assert.deepEqual(accepts.map(({ network }) => network).sort(), [...known].sort());
    // What `x402-fetch` does with the list.
    for (const offer of accepts) PaymentRequirementsSchema.parse(offer);
    assert.equal(requiredBy(answer).accepts.length, known.length + unread.length);
    assert.deepEqual((jsonOf(await wide.gate.raw('GET', '/monad')) as { accepts: unknown[] }).accepts, []);
    assert.equal(requiredBy(await wide.gate.raw('GET', '/monad')).accepts[0]?.network, 'eip155:143');
  });
});

describe('routes of several networks', () => {
  it('asks each route on its own network, for the payee of that network', async () => {
    const asked = async (path: string) => {
      const { network, payTo, amount } = requiredBy(await world.gate.raw('GET', path)).accepts[0] ?? assert.fail();
      return { network, payTo, amount };
    };
    assert.deepEqual(await asked('/amoy/a'), { network: 'eip155:80002', payTo: AMOY_PAYEE, amount: '20000' });
    assert.deepEqual(await asked('/test/a'), { network: 'eip155:84532', payTo: PAY_TO, amount: '10000' });
    assert.deepEqual(await asked('/sol/after/a'), { network: SOLANA, payTo: PAYEE, amount: '10000' });
  });

  for (const version of [1, 2] as const) {
    it(`takes a payment of version ${version} on each, and not on the other`, async () => {
      for (const path of [`/amoy/v${version}`, `/test/v${version}`]) {
        const payer = freshPayer();
        const payment = await pay(payer, requiredBy(await world.gate.raw('GET', path)), { version });
        const answer = await send(world, path, payment);
        assert.equal(answer.status, 200, answer.text);
        const [call] = world.facilitator.of('settle', payer.address);
        assert.equal(
          call?.network,
          version === 1
            ? path.startsWith('/amoy')
              ? 'polygon-amoy'
              : 'base-sepolia'
            : path.startsWith('/amoy')
              ? 'eip155:80002'
              : 'eip155:84532',
        );
        const other = path.replace('amoy', 'x').replace('test', 'amoy').replace('x', 'test');
        const foreign = await pay(freshPayer(), requiredBy(await world.gate.raw('GET', path)), { version });
        expectFreshTerms(await send(world, other, foreign), 'terms_mismatch');
      }
    });
  }
});

describe('a payment with junk beside it', () => {
  it('is handed to the facilitator without the junk, in at most 2 KiB', async () => {
    const payer = freshPayer();
    const path = `/test/junk-${nextNumber()}`;
    let plain: Json = null;
    const junk = 'j'.repeat(9_000);
    const payment = await pay(payer, requiredBy(await world.gate.raw('GET', path)), {
      tamper: (message) => {
        plain = structuredClone(message);
        Object.assign(message, { junk, extensions: { bazaar: { info: 'mine' }, junk: {} } });
        for (const inner of ['payload', 'accepted', 'resource'])
          Object.assign((inner === 'accepted' ? (message[inner] as { extra: Json }).extra : message[inner]) as object, { junk: 'x' });
      },
    });
    assert.ok(payment.row[1].length > 12_000);
    assert.equal((await send(world, path, payment)).status, 200);
    for (const operation of ['verify', 'settle'] as const) {
      const [call] = world.facilitator.of(operation, payer.address);
      assert.deepEqual((JSON.parse(call?.body.toString() ?? '') as { paymentPayload: Json }).paymentPayload, plain, operation);
      assert.ok((call?.body.length ?? 0) <= 2_048, operation);
    }
  });
});

describe('a route that is offered on every network', () => {
  let both: World;

  before(async () => {
    both = await openWorld({
      vars: {
        NETWORK: ['base-sepolia', 'polygon-amoy', SOLANA],
        PAY_TO: { 'base-sepolia': PAY_TO, 'polygon-amoy': AMOY_PAYEE, 'solana-devnet': PAYEE },
      },
    });
  });
  after(() => both.stop());

  it('lists them in its order, in both versions, and takes a payment on any', async () => {
    const asked = await both.gate.raw('GET', '/after/both');
    const { required, body } = expectFreshTerms(asked);
    assert.deepEqual(
      required.accepts.map((terms) => [terms.network, terms.payTo]),
      [
        ['eip155:84532', PAY_TO],
        ['eip155:80002', AMOY_PAYEE],
        [SOLANA, PAYEE],
      ],
    );
    const one = body['accepts'] as { network: string; payTo: string; resource: string }[];
    assert.deepEqual(
      one.map((terms) => [terms.network, terms.payTo]),
      [
        ['base-sepolia', PAY_TO],
        ['polygon-amoy', AMOY_PAYEE],
        ['solana-devnet', PAYEE],
      ],
    );
    for (const terms of required.accepts.slice(0, 2)) {
      const version = terms.network === 'eip155:80002' ? 1 : 2;
      const payer = freshPayer();
      const payment = await pay(payer, { ...required, accepts: [terms] }, { version });
      const answer = await send(both, '/after/both', payment);
      assert.equal(answer.status, 200, answer.text);
      const items = jsonOf(await both.gate.raw('GET', `/_farebox/payments?payer=${payer.address}`, TOKEN))['items'];
      const [item] = items as { network: string; amount: string }[];
      assert.equal(item?.network, terms.network);
    }
    const page = await both.gate.raw('GET', '/after/both', [
      ['Accept', 'text/html'],
      ['User-Agent', 'Mozilla/5.0'],
    ]);
    assert.match(page.text, /eip155:84532[\s\S]*eip155:80002[\s\S]*solana:/);
  });
});

/** A transaction of Solana: two signatures, the first one still missing, and a message of version 0 of its own. */
function transaction(number: number): Buffer {
  const memo = Buffer.from(`message ${number}, signed once`);
  const keys = [1, 2, 3].map((key) => Buffer.alloc(32, key));
  const message = [
    Buffer.of(0x80, 2, 1, 1, keys.length),
    ...keys,
    Buffer.alloc(32, 4),
    Buffer.of(1, 2, 1, 1, memo.length),
    memo,
    Buffer.of(0),
  ];
  return Buffer.concat([Buffer.of(2), Buffer.alloc(64), Buffer.alloc(64, 7), ...message]);
}

function payment(required: PaymentRequired, text: string, change: (payload: Record<string, Json>) => unknown = (it) => it): HeaderRow {
  const accepted = required.accepts[0] as unknown as Json;
  return encode(JSON.stringify(change({ x402Version: 2, payload: { transaction: text }, accepted })), 2);
}

async function ask(path: string): Promise<PaymentRequired> {
  return requiredBy(await world.gate.raw('GET', path));
}

/** Settles in a transaction of its own: one that is recorded for another payment proves nothing. */
function settlesAs(number: number): { signature: string; settle: Reply } {
  const signature = `${SIGNATURE.slice(0, -5)}${String(number).replaceAll('0', 'a').padStart(5, 'z')}`;
  return { signature, settle: { kind: 'json', body: { success: true, transaction: signature, network: SOLANA, payer: FEE_PAYER } } };
}

/** How often the facilitator was asked about the payment with this message. */
function callsFor(message: Buffer): { verify: number; settle: number } {
  const about = ({ body }: { body: Buffer }) => {
    const { paymentPayload } = JSON.parse(body.toString()) as { paymentPayload: { payload: { transaction?: string } } };
    return Buffer.from(paymentPayload.payload.transaction ?? '', 'base64')
      .subarray(129)
      .equals(message.subarray(129));
  };
  return { verify: world.facilitator.of('verify').filter(about).length, settle: world.facilitator.of('settle').filter(about).length };
}

for (const mode of ['after', 'before']) {
  describe(`a payment on Solana, ${mode}`, () => {
    const sendRow = (path: string, row: HeaderRow, headers: readonly HeaderRow[] = SECRET): Promise<Answer> =>
      world.gate.raw('GET', path, [row, ...headers]);

    it('is delivered once, in whatever spelling it comes', async () => {
      const path = `/sol/${mode}/spelled-${nextNumber()}`;
      const required = await ask(path);
      assert.deepEqual(required.accepts[0]?.extra['feePayer'], FEE_PAYER);
      const { signature, settle } = settlesAs(nextNumber());
      world.facilitator.script('', { settle });
      const bytes = transaction(nextNumber());
      const first = payment(required, bytes.toString('base64'));
      const answer = await sendRow(path, first);
      assert.equal(answer.status, 200, answer.text);
      const settlement = settlementOf(answer);
      assert.deepEqual(
        [settlement?.['success'], settlement?.['transaction'], settlement?.['network'], settlement?.['payer']],
        [true, signature, SOLANA, undefined],
      );
      assert.deepEqual(callsFor(bytes), { verify: 1, settle: 1 });
      const sent = JSON.parse(world.facilitator.of('settle').at(-1)?.body.toString() ?? '') as { paymentPayload: Json };
      assert.deepEqual(sent.paymentPayload, JSON.parse(Buffer.from(first[1], 'base64').toString()), 'as it came');
      assert.equal(world.origin.of(path).length, 1);
      assert.equal(world.origin.of(path)[0]?.headers['farebox-payer'], undefined);

      const other = Buffer.from(bytes);
      other.fill(9, 1, 65);
      const spellings = {
        'another placeholder for the missing signature': payment(required, other.toString('base64')),
        'another order, and members more': payment(required, bytes.toString('base64'), ({ payload, accepted }) => ({
          accepted,
          payload: { memo: 'x', ...(payload as object) },
          x402Version: 2,
        })),
      };
      for (const [name, row] of Object.entries(spellings)) {
        const again = await sendRow(path, row);
        assert.equal(again.status, 200, `${name}: ${again.text}`);
        assert.equal(again.headers['payment-replayed'], 'true', name);
        assert.equal(again.text, answer.text);
        const stranger = await sendRow(path, row, []);
        expectProblem(stranger, { status: 409, code: 'payment_already_delivered' });
        expectProblem(await sendRow(`${path}-other`, row), { status: 409, code: 'payment_already_used' });
      }
      assert.deepEqual(callsFor(bytes), { verify: 1, settle: 1 }, 'nobody was asked again');
      assert.equal(world.origin.of(path).length, 1, 'one delivery');
    });

    it("has a receipt, and a place in the operator's lists", async () => {
      const path = `/sol/${mode}/receipt-${nextNumber()}`;
      const { signature, settle } = settlesAs(nextNumber());
      world.facilitator.script('', { settle });
      const row = payment(await ask(path), transaction(nextNumber()).toString('base64'));
      assert.equal((await sendRow(path, row)).status, 200);
      const id = String(world.origin.of(path)[0]?.headers['farebox-payment']);
      const receipt = await world.gate.raw('GET', `/_farebox/receipts/${id}`, SECRET);
      assert.equal(receipt.status, 200, receipt.text);
      const { transaction: named, network, asset, amount, pay_to: payTo } = jsonOf(receipt);
      assert.deepEqual([named, network, asset, amount, payTo], [signature, SOLANA, MINT, '10000', PAYEE]);
      assert.equal((await world.gate.raw('GET', `/_farebox/receipts/${id}`, [['Idempotency-Key', 'x'.repeat(30)]])).status, 404);
      const item = jsonOf(await world.gate.raw('GET', `/_farebox/payments/${id}`, TOKEN));
      assert.deepEqual([item['state'], item['transaction'], item['network']], ['delivered', signature, SOLANA]);
      assert.match(String(item['payer']), /^[0-9a-f]{64}$/, 'kept under the payment, because nobody knows the payer');
    });

    it('is delivered once of fifty at a time', async () => {
      const path = `/sol/${mode}/race-${nextNumber()}`;
      const required = await ask(path);
      world.facilitator.script('', { settle: settlesAs(nextNumber()).settle });
      const bytes = transaction(nextNumber());
      const row = payment(required, bytes.toString('base64'));
      const answers = await Promise.all(Array.from({ length: 50 }, () => sendRow(path, row)));
      const served = answers.filter(({ status }) => status === 200);
      assert.ok(served.length >= 1);
      assert.equal(served.filter(({ headers }) => headers['payment-replayed'] === undefined).length, 1);
      for (const { status, text } of answers) assert.ok([200, 409, 429].includes(status), text);
      assert.equal(callsFor(bytes).settle, 1);
      assert.equal(world.origin.of(path).length, 1);
    });

    it('is told what a copy at another Worker bought, where it is refused because that one was settled', async () => {
      const path = `/sol/${mode}/copies-${nextNumber()}`;
      const used = { isValid: false, invalidReason: 'invalid_exact_svm_payload_transaction_simulation_failed' };
      for (const [secret, status] of mode === 'after' ? [[SECRET, 200] as const] : [[[], 409] as const]) {
        world.facilitator.script('', {
          verify: [{ kind: 'json', body: used, delayMs: 1_500 }, { kind: 'good' }],
          settle: settlesAs(nextNumber()).settle,
        });
        const verified = world.facilitator.of('verify').length;
        const [target, own, headers] = [`${path}-${status}`, transaction(nextNumber()), [...secret]];
        const copy = payment(await ask(target), own.toString('base64'));
        const late = begin(send(world, target, undefined, { at: world.gate.besideUrl, headers: [copy, ...headers] }));
        await eventually('the copy is verified', () => world.facilitator.of('verify').length === verified + 1);
        assert.equal((await sendRow(target, copy)).status, 200);
        const answer = await late;
        assert.equal(answer.status, status, answer.text);
        assert.equal(answer.headers['payment-required'], undefined, 'nothing to pay again');
        assert.deepEqual(callsFor(own), { verify: 2, settle: 1 });
        assert.equal(world.origin.of(target).length, 1);
      }
    });

    it('leaves nothing behind when the facilitator refuses it', async () => {
      const path = `/sol/${mode}/refused-${nextNumber()}`;
      const required = await ask(path);
      const text = transaction(nextNumber()).toString('base64');
      world.facilitator.script('', {
        verify: { kind: 'json', body: { isValid: false, invalidReason: 'invalid_exact_svm_payload_transaction' } },
      });
      const rows = async () => (jsonOf(await world.gate.raw('GET', '/_farebox/payments?limit=200', TOKEN))['items'] as Json[]).length;
      const known = await rows();
      expectFreshTerms(await sendRow(path, payment(required, text)), 'verify_refused');
      assert.equal(await rows(), known);
      assert.equal(world.origin.of(path).length, 0);
      world.facilitator.script('', { settle: settlesAs(nextNumber()).settle });
      assert.equal((await sendRow(path, payment(required, text))).status, 200, 'good later');
    });

    it('is not served on a word that names no transaction', async () => {
      const path = `/sol/${mode}/words-${nextNumber()}`;
      const required = await ask(path);
      const row = payment(required, transaction(nextNumber()).toString('base64'));
      world.facilitator.script('', { settle: { kind: 'json', body: { success: true, transaction: 'pending', network: SOLANA } } });
      expectProblem(await sendRow(path, row), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
      // A good word later, so that no re-send of it comes between other cases; each time another one, because what an alarm
      // has asked for another payment meanwhile may have taken the last.
      await eventually(
        'it is found out',
        async () => {
          world.facilitator.script('', { settle: settlesAs(nextNumber()).settle });
          return (await sendRow(path, row)).status === 200;
        },
        60_000,
      );
    });
  });
}

describe('one transaction that a facilitator names for several payments', () => {
  for (const mode of ['after', 'before'] as const) {
    //
    it(`counts for one of them, whatever objects keep them (${mode})`, async () => {
      const path = `/sol/${mode}/same`;
      const { settle } = settlesAs(nextNumber());
      // A ledger of its own: what stays unknown here is sent again, and must not be answered for other cases.
      const alone = await openWorld({
        vars: { NETWORK: [SOLANA], PAY_TO: { [SOLANA]: PAYEE } },
        withFacilitator: (url) => ({ FACILITATOR_URL: [{ url, extra: { [SOLANA]: { feePayer: FEE_PAYER } } }] }),
        routes: [{ path, price: '$0.01', settle: mode, max_timeout_secs: 90, origin_timeout_secs: 2 }],
      });
      try {
        alone.facilitator.script('', { settle });
        const required = requiredBy(await alone.gate.raw('GET', path));
        const statuses: number[] = [];
        for (let n = 0; n < 6; n += 1) {
          const row = payment(required, transaction(nextNumber()).toString('base64'));
          statuses.push((await alone.gate.raw('GET', path, [row])).status);
        }
        assert.deepEqual(statuses, [200, 503, 503, 503, 503, 503]);
      } finally {
        await alone.stop();
      }
    });
  }
});

describe('a payment on Aptos', () => {
  //
  it('is delivered once, in twelve spellings at once', async () => {
    const file = new URL('../vectors/x402/other-chains.json', import.meta.url);
    const { payments } = JSON.parse(readFileSync(file, 'utf8')) as { payments: { name: string; payload: { transaction: string } }[] };
    const text = payments.find(({ name }) => name === 'Aptos')?.payload.transaction ?? assert.fail();
    const own = Buffer.from(text, 'base64').toString();
    const path = `/aptos/spelled-${nextNumber()}`;
    const required = await ask(path);
    world.facilitator.script('', {
      settle: { kind: 'json', body: { success: true, transaction: `0x${'ab'.repeat(32)}`, network: APTOS } },
    });
    const settled = world.facilitator.of('settle').length;
    const spellings = Array.from({ length: 12 }, (_, number) => own.replace('{', `{${' '.repeat(number)}`));
    const answers = await Promise.all(
      spellings.map((json) => world.gate.raw('GET', path, [payment(required, Buffer.from(json).toString('base64'))])),
    );
    assert.equal(
      answers.filter(({ status }) => status === 200).length,
      1,
      answers.map(({ status, text }) => `${status} ${text}`).join('\n'),
    );
    assert.equal(world.origin.of(path).length, 1);
    assert.equal(world.facilitator.of('settle').length, settled + 1);
  });
});

describe('a payment on Solana that is not delivered', () => {
  it("is owed when the origin fails after it was paid, and refunded in the chain's own words", async () => {
    const path = `/sol/before/owed-${nextNumber()}`;
    const { settle } = settlesAs(nextNumber());
    world.facilitator.script('', { settle });
    world.origin.script(path, { status: 500 });
    const row = payment(await ask(path), transaction(nextNumber()).toString('base64'));
    expectProblem(await world.gate.raw('GET', path, [row]), { status: 502, code: 'refund_due' });
    const id = String(world.origin.of(path)[0]?.headers['farebox-payment']);
    const refund = (text: string) =>
      world.gate.raw(
        'POST',
        `/_farebox/payments/${id}/refunded`,
        [...TOKEN, ['Content-Type', 'application/json']],
        JSON.stringify({ transaction: text }),
      );
    assert.equal((await refund('pending')).status, 400);
    const back = settlesAs(nextNumber()).signature;
    assert.equal((await refund(back)).status, 200);
    assert.equal((await refund(back)).status, 200, 'the same again');
    expectProblem(await world.gate.raw('GET', path, [row]), { status: 409, code: 'refunded' });
  });
});

describe('what is no payment on Solana', () => {
  const good = transaction(0);
  const forms = {
    'no transaction': Buffer.of(200, 1),
    'no message': Buffer.alloc(65, 1),
    'a byte behind it': Buffer.concat([good, Buffer.of(0)]),
    'a signature more': Buffer.concat([Buffer.of(3), Buffer.alloc(64), good.subarray(1)]),
    'a count of two bytes': Buffer.concat([Buffer.of(0x82, 0), good.subarray(1)]),
  };
  const texts = Object.entries(forms).map(([name, bytes]) => [name, bytes.toString('base64')] as const);
  for (const [name, text] of [
    ...texts,
    ['no base64', '%%%'] as const,
    ['base64 without padding', good.toString('base64').replace(/=+$/, '')] as const,
  ]) {
    it(`is malformed: ${name}`, async () => {
      const path = `/sol/after/malformed-${nextNumber()}`;
      const required = await ask(path);
      const before = world.facilitator.of('verify').length;
      expectProblem(await world.gate.raw('GET', path, [payment(required, text)]), { status: 400, code: 'malformed_payment' });
      assert.equal(world.facilitator.of('verify').length, before, 'which only requests cause');
    });
  }

  it('is refused with other terms than ours', async () => {
    const path = `/sol/after/terms-${nextNumber()}`;
    const required = await ask(path);
    const bytes = transaction(nextNumber());
    for (const change of [{ payTo: MINT }, { asset: PAYEE }, { amount: '9999' }, { extra: {} }, { extra: { feePayer: MINT } }]) {
      const row = payment(required, bytes.toString('base64'), (payload) => ({
        ...payload,
        accepted: { ...(payload['accepted'] as object), ...change },
      }));
      expectFreshTerms(await world.gate.raw('GET', path, [row]), 'terms_mismatch');
    }
    assert.deepEqual(callsFor(bytes), { verify: 0, settle: 0 });
  });
});
