// What OKX's contract for agents that pay demands of this package: its acceptance cases, by their numbers.

import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { describe, type TestContext, test } from 'node:test';

import {
  FareboxError,
  formatAmount,
  memoryStore,
  type PayOptions,
  type Proposal,
  payingFetch,
  paymentAuthorization,
  type Question,
  receiptOf,
  sellerError,
} from '../../pkg/dist/index.js';
import { type Asked, askFor, challenge, credentialIn, credentialOf, deliver, inSeconds } from './charges.ts';
import { GOODS, type Json, OFFER, OTHER, open, paymentOf, serve, settlement, spentIn, TRANSACTION, USDC, watchedSigner } from './shop.ts';

const USDC_MAIN = '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913';
/** On the main network. */
const MAIN = { network: 'eip155:8453', asset: USDC_MAIN, extra: { name: 'USD Coin', version: '2' } };

/** One request to a shop, and what became of it. */
async function buy(t: TestContext, handler: RequestListener, options: Partial<PayOptions> = {}, init?: RequestInit) {
  const shop = await open(handler);
  t.after(shop.stop);
  const [signer, store] = [watchedSigner(), memoryStore()];
  const proposals: Proposal[] = [];
  const confirm = (proposal: Proposal): boolean => proposals.push(proposal) > 0;
  const fetch = payingFetch({ signer, store, confirm, ...options });
  const outcome = await fetch(`${shop.url}/report`, init).then(
    (response) => ({ response }),
    (error: unknown) => ({ error }),
  );
  return { ...outcome, shop, asked: signer.asked, proposals, spent: await spentIn(store) };
}

type Bought = Awaited<ReturnType<typeof buy>>;

/** Nothing was signed, sent or counted. */
function refused(bought: Bought, code: string): FareboxError {
  const error = 'error' in bought ? bought.error : undefined;
  assert.ok(error instanceof FareboxError, String(error));
  assert.equal(error.code, code, error.message);
  assert.deepEqual([error.signed, bought.asked.length, bought.spent.entries.length], [false, 0, 0]);
  assert.ok(bought.shop.requests.every((request) => credentialOf(request) === undefined && paymentOf(request) === undefined));
  return error;
}

/** Asks by these until it is paid in either way. */
const shopOf =
  (rows: readonly string[], accepts?: readonly Json[]): RequestListener =>
  (request, response) => {
    if (credentialOf(request) !== undefined) deliver(response);
    else if (paymentOf(request) !== undefined)
      serve(response, settlement({ network: undefined, amount: undefined, ...networkOf(accepts) }));
    else askFor(response, rows, accepts);
  };

const networkOf = (accepts: readonly Json[] | undefined): Json => ({ network: accepts?.[0]?.['network'] });

async function delivered(bought: Bought): Promise<Response> {
  assert.ok('response' in bought, String('error' in bought && bought.error));
  assert.equal(await bought.response.text(), GOODS);
  return bought.response;
}

describe('4: exact on a main network before a charge on a test network', () => {
  test('at one price', async (t) => {
    const bought = await buy(t, shopOf([challenge({ request: { amount: '1000' } })], [{ ...OFFER, ...MAIN, amount: '1000' }]));
    await delivered(bought);
    assert.deepEqual(
      bought.proposals.map(({ protocol, network, amountText }) => [protocol, network, amountText]),
      [['x402', 'eip155:8453', '0.001 USDC (1000)']],
    );
  });
});

describe('6: one pool', () => {
  const charge = (amount: string): string => challenge({ request: { amount } });
  for (const [exact, asked, protocol] of [
    ['1000', '400', 'mpp'],
    ['400', '1000', 'x402'],
    ['400', '400', 'x402'],
  ] as const) {
    test(`exact for ${exact} and a charge for ${asked}: ${protocol}, and nobody is asked which`, async (t) => {
      const choose = (): never => assert.fail('asked');
      const bought = await buy(t, shopOf([charge(asked)], [{ ...OFFER, amount: exact }]), { choose });
      const receipt = receiptOf(await delivered(bought));
      assert.deepEqual(
        [bought.proposals.map((it) => it.protocol), receipt?.amount, receipt?.transaction],
        [[protocol], '400', TRANSACTION],
      );
      assert.equal(bought.spent.entries.length, 1);
    });
  }

  const session = challenge({
    intent: 'session',
    request: { amount: '5', suggestedDeposit: '500' },
    details: { chainId: 84532, escrowContract: OTHER },
  });
  test('a session beside accepts is one question with two options, and the second uses accepts', async (t) => {
    const questions: Question[] = [];
    const bought = await buy(t, shopOf([session], [OFFER]), {
      choose: (question) => {
        questions.push(question);
        return 'one-shot';
      },
    });
    await delivered(bought);
    assert.deepEqual(questions, [{ options: ['session', 'one-shot'], method: 'GET', url: `${bought.shop.url}/report` }]);
    assert.equal(bought.proposals[0]?.protocol, 'x402');
  });
  test('without a hook the session is dropped', async (t) => {
    await delivered(await buy(t, shopOf([session], [OFFER])));
    await delivered(await buy(t, shopOf([session, challenge()])));
  });
  test('choosing the session is an error: this version does not pay for sessions', async (t) => {
    refused(await buy(t, shopOf([session], [OFFER]), { choose: () => 'session' }), 'unsupported_intent');
  });
  test('an answer other than the two choices declines', async (t) => {
    refused(await buy(t, shopOf([session], [OFFER]), { choose: () => 'both' as never }), 'declined');
  });
  test('a session alone is not paid', async (t) => {
    refused(await buy(t, shopOf([session]), { choose: () => assert.fail('asked') }), 'unsupported_intent');
  });
});

describe('10: a method that is not evm', () => {
  for (const method of ['tempo', 'stripe', 'svm']) {
    test(`${method} alone is told to be unsupported, and nothing is signed`, async (t) => {
      const error = refused(await buy(t, shopOf([challenge({ method })])), 'unsupported_method');
      assert.equal(error.message, `method must be evm: "${method}" is not supported`);
    });
    test(`${method} beside evm is passed over, in rows of their own or joined`, async (t) => {
      await delivered(await buy(t, shopOf([challenge({ method }), challenge()])));
      await delivered(await buy(t, shopOf([[challenge({ method }), challenge()].join(', ')])));
    });
  }
});

describe('11: a challenge that has ended', () => {
  test('the original request goes out again, and the fresh one is signed', async (t) => {
    const bodies: string[] = [];
    const bought = await buy(
      t,
      (request, response) => {
        request
          .setEncoding('utf8')
          .on('data', (text: string) => bodies.push(text))
          .on('end', () => {
            if (credentialOf(request) !== undefined) deliver(response);
            else askFor(response, [challenge({ expires: inSeconds(bodies.length === 1 ? -1 : 300) })]);
          });
      },
      {},
      { method: 'POST', body: 'Tuesday', headers: { 'content-type': 'text/plain', 'x-mine': 'yes' } },
    );
    await delivered(bought);
    assert.deepEqual(bodies, ['Tuesday', 'Tuesday', 'Tuesday']);
    assert.deepEqual(
      bought.shop.requests.map(({ method, headers }) => [method, headers['x-mine'], headers['content-type'], headers['accept-payment']]),
      new Array(3).fill(['POST', 'yes', 'text/plain', 'evm/charge']),
    );
    assert.equal(bought.asked.length, 1);
  });
  test('is asked for again twice, then told', async (t) => {
    const bought = await buy(t, shopOf([challenge({ expires: inSeconds(-1) })]));
    refused(bought, 'challenge_expired');
    assert.equal(bought.shop.requests.length, 3);
  });
  test('while somebody is asked to confirm: nothing is signed for it, and the count is taken back', async (t) => {
    let now = Date.now() / 1000;
    let confirmations = 0;
    const bought = await buy(t, shopOf([challenge()]), {
      now: () => now,
      confirm: () => {
        confirmations += 1;
        now += 301;
        return true;
      },
    });
    refused(bought, 'challenge_expired');
    assert.deepEqual([confirmations, bought.shop.requests.length], [1, 3]);
  });
});

describe('17: charges', () => {
  const byPayer: Asked = { details: { chainId: 84532, feePayer: false } };
  test('the credential echoes the challenge and names the payer', async (t) => {
    const row = challenge();
    const bought = await buy(t, shopOf([row]));
    const receipt = receiptOf(await delivered(bought));
    const { challenge: echoed, payload, source } = credentialIn(bought.shop.requests[1] ?? assert.fail());
    assert.ok(row.includes(`id="${String(echoed['id'])}"`));
    const message = bought.asked[0]?.message ?? assert.fail();
    assert.deepEqual({ ...payload, signature: '' }, { type: 'authorization', ...message, signature: '' });
    assert.deepEqual([source, message['validAfter'], receipt?.payTo], [`did:pkh:eip155:84532:${message['from']}`, '0', message['to']]);
  });
  test('a server of OKX gets its own form', async (t) => {
    const expires = inSeconds(300);
    const bought = await buy(t, shopOf([challenge({ expires, details: { chainId: 84532, feePayer: true } })]));
    await delivered(bought);
    const { payload } = credentialIn(bought.shop.requests[1] ?? assert.fail());
    const message = bought.asked[0]?.message ?? assert.fail();
    assert.deepEqual({ ...(payload['authorization'] as Json), signature: '' }, { type: 'eip-3009', ...message, signature: '' });
    assert.equal(payload['type'], 'transaction');
    assert.equal(message['validBefore'], String(Math.floor(Date.parse(expires) / 1000) + 60));
  });
  test('hash mode without the option broadcast is an error', async (t) => {
    refused(await buy(t, shopOf([challenge(byPayer)])), 'broadcast_missing');
  });
  test('hash mode sends the hash from broadcast, once', async (t) => {
    const sent: Proposal[] = [];
    const bought = await buy(t, shopOf([challenge(byPayer)]), {
      broadcast: async (proposal) => {
        sent.push(proposal);
        return TRANSACTION;
      },
    });
    assert.equal(receiptOf(await delivered(bought))?.transaction, TRANSACTION);
    assert.deepEqual(credentialIn(bought.shop.requests[1] ?? assert.fail()).payload, { type: 'hash', hash: TRANSACTION });
    assert.deepEqual(
      sent.map(({ asset, amount, paysGas }) => [asset, amount, paysGas]),
      [[USDC, '10000', true]],
    );
    assert.deepEqual([bought.asked.length, bought.spent.entries.length], [0, 1]);
  });
  for (const [hash, why] of [
    [`0x${'ab'.repeat(32)}a`, '65 digits'],
    [`0x${'ab'.repeat(31)}a`, '63 digits'],
    ['ab'.repeat(32), 'no 0x'],
    ['', 'nothing'],
  ] as const) {
    test(`hash mode refuses ${why}, and what may have been sent stays counted`, async (t) => {
      const bought = await buy(t, shopOf([challenge(byPayer)]), { broadcast: () => hash });
      assert.ok('error' in bought && bought.error instanceof FareboxError);
      assert.deepEqual(
        [bought.error.code, bought.error.signed, bought.shop.requests.length, bought.spent.entries.length],
        ['wrong_transaction', true, 1, 1],
      );
    });
  }
  test('a hook that fails is told, and what it may have sent stays counted', async (t) => {
    const cause = new Error('no gas');
    const bought = await buy(t, shopOf([challenge(byPayer)]), { broadcast: () => Promise.reject(cause) });
    assert.ok('error' in bought && bought.error instanceof FareboxError);
    assert.deepEqual(
      [bought.error.code, bought.error.signed, bought.error.cause, bought.spent.entries.length],
      ['broadcast_failed', true, cause, 1],
    );
  });
  for (const count of [1, 10, 11])
    test(`splits are refused: ${count}`, async (t) => {
      const splits = Array.from({ length: count }, () => ({ amount: '1', recipient: OTHER }));
      refused(await buy(t, shopOf([challenge({ details: { chainId: 84532, feePayer: true, splits } })])), 'unsupported_scheme');
    });
  test('the scheme stands before a token once, however often the caller writes it', async (t) => {
    const bought = await buy(t, shopOf([challenge()]));
    await delivered(bought);
    const value = credentialOf(bought.shop.requests[1] ?? assert.fail()) ?? assert.fail();
    const token = value.slice('Payment '.length);
    for (const given of [token, value, `payment ${value}`, `  Payment   Payment ${token} `])
      assert.equal(paymentAuthorization(given), value);
    for (const given of ['', 'Payment', 'Payment %%%', 'Bearer x', `Basic ${token}`]) {
      assert.throws(
        () => paymentAuthorization(given),
        (error) => error instanceof FareboxError && error.code === 'invalid_header',
        given,
      );
    }
  });
});

describe('the field that carries a credential', () => {
  const other = challenge({ header: 'Payment-Authorization' });
  test("is the alternative where the challenge names it, and the caller's Authorization stays", async (t) => {
    const init = { headers: { authorization: 'Bearer mine' } };
    const bought = await buy(t, shopOf([other]), {}, init);
    await delivered(bought);
    for (const { headers } of bought.shop.requests) assert.equal(headers.authorization, 'Bearer mine');
    assert.match(String(bought.shop.requests[1]?.headers['payment-authorization']), /^Payment \S+$/);
    refused(await buy(t, shopOf([challenge()]), {}, init), 'authorization_taken');
    await delivered(await buy(t, shopOf([challenge(), other]), {}, init));
    await delivered(await buy(t, shopOf([challenge()], [OFFER]), {}, init));
  });
  test('a challenge that wants the credential in another header is refused', async (t) => {
    refused(await buy(t, shopOf([challenge({ header: 'Cookie' })])), 'unsupported_scheme');
  });
  test('is left alone where the caller pays', async (t) => {
    for (const [name, value] of [
      ['authorization', 'Payment e30'],
      ['authorization', 'Basic x, payment e30'],
      ['payment-authorization', 'Payment e30'],
    ] as const) {
      const bought = await buy(t, shopOf([challenge()]), {}, { headers: { [name]: value } });
      assert.ok('error' in bought && bought.error instanceof FareboxError && bought.error.code === 'already_paying');
      assert.equal(bought.shop.requests.length, 0);
    }
  });
  test('does not follow a redirect to another origin', async (t) => {
    const thief = await open((_, response) => response.end('thanks'));
    t.after(thief.stop);
    const bought = await buy(t, (request, response) => {
      if (credentialOf(request) === undefined) askFor(response, [challenge()]);
      else response.writeHead(307, { location: `${thief.url}/take` }).end();
    });
    assert.ok('response' in bought && bought.response.status === 307);
    assert.equal(thief.requests.length, 0);
    const moved = await buy(t, (_, response) => {
      response.writeHead(307, { location: `${thief.url}/ask` }).end();
    });
    assert.ok('response' in moved && moved.asked.length === 0);
    assert.ok(thief.requests.every((request) => credentialOf(request) === undefined));
  });
});

describe('Accept-Payment', () => {
  const first = async (t: TestContext, options: Partial<PayOptions>, init?: RequestInit): Promise<unknown> =>
    (await buy(t, (_, response) => response.end(GOODS), options, init)).shop.requests[0]?.headers['accept-payment'];
  test('goes along unless it is switched off, or the caller has one', async (t) => {
    assert.equal(await first(t, {}), 'evm/charge');
    assert.equal(await first(t, { acceptPayment: false }), undefined);
    assert.equal(await first(t, {}, { headers: { 'accept-payment': 'tempo/*' } }), 'tempo/*');
  });
  test('goes from a page to its own origin alone', async (t) => {
    const shop = await open((_, response) => response.end(GOODS));
    t.after(shop.stop);
    t.after(() => {
      Reflect.deleteProperty(globalThis, 'location');
    });
    for (const [href, sent] of [
      [`${shop.url}/page`, 'evm/charge'],
      ['https://elsewhere.example/page', undefined],
    ] as const) {
      Object.defineProperty(globalThis, 'location', { value: { href }, configurable: true });
      await payingFetch({ signer: watchedSigner() })(`${shop.url}/report`);
      assert.equal(shop.requests.at(-1)?.headers['accept-payment'], sent, href);
    }
  });
});

describe('23: what a seller says', () => {
  const table: readonly (readonly [body: unknown, line: string])[] = [
    [{ reason: '', detail: 'voucher exhausted', code: 70015 }, '❌ Seller rejected: voucher exhausted (code 70015, HTTP 402)'],
    [{ title: 'Payment Required' }, '❌ Seller rejected: Payment Required (HTTP 402)'],
    ['no', '❌ Seller rejected: no (HTTP 402)'],
    [{ reason: 'a', detail: 'b', message: 'c', msg: 'd', error: 'e', title: 'f' }, '❌ Seller rejected: a (HTTP 402)'],
    [{ detail: 'b', message: 'c', msg: 'd', error: 'e', title: 'f' }, '❌ Seller rejected: b (HTTP 402)'],
    [{ message: 'c', msg: 'd', error: 'e', title: 'f' }, '❌ Seller rejected: c (HTTP 402)'],
    [{ msg: 'd', error: 'e', title: 'f' }, '❌ Seller rejected: d (HTTP 402)'],
    [{ error: 'e', title: 'f' }, '❌ Seller rejected: e (HTTP 402)'],
  ];
  for (const [body, line] of table) {
    test(line, async (t) => {
      const text = JSON.stringify(body);
      assert.equal(sellerError(402, text).message, line);
      const bought = await buy(t, (request, response) => {
        if (credentialOf(request) === undefined) askFor(response, [challenge()]);
        else response.writeHead(402, { 'content-type': 'application/problem+json' }).end(text);
      });
      assert.ok('error' in bought && bought.error instanceof FareboxError);
      assert.deepEqual([bought.error.code, bought.error.message], ['payment_refused', line]);
    });
  }
  test('a body that is no JSON is told whole, cleaned and cut', () => {
    assert.deepEqual(sellerError(500, 'out of\u202e order\u0000'), {
      text: 'out of order',
      code: null,
      status: 500,
      message: '❌ Seller rejected: out of order (HTTP 500)',
    });
    assert.equal(sellerError(500, new Uint8Array(9999).fill(120)).text.length, 256);
  });
});

describe('24: amounts', () => {
  for (const [amount, token, words] of [
    ['400', 'USDC', '0.0004 USDC (400)'],
    [400n, { network: 'eip155:84532', asset: USDC }, '0.0004 USDC (400)'],
    ['400', { network: 'base', asset: USDC_MAIN, symbol: 'FAKE', decimals: 18 }, '0.0004 USDC (400)'],
    ['400', { network: 'eip155:84532', asset: OTHER, symbol: 'USDC' }, '400 USDC (warning: unknown decimals)'],
    ['400', { symbol: 'GOLD', decimals: 2 }, '4 GOLD (400)'],
    [10n ** 18n, 'ETH', '1 ETH (1000000000000000000)'],
    ['400', 'WHAT', '400 WHAT (warning: unknown decimals)'],
    [2n ** 256n - 1n, 'WHAT', `${2n ** 256n - 1n} WHAT (warning: unknown decimals)`],
  ] as const) {
    test(words, () => assert.equal(formatAmount(amount, token), words));
  }
  for (const amount of ['', '-1', '0.5', '1e3', ' 1', String(2n ** 256n)]) {
    test(`"${amount}" is no amount`, () => {
      assert.throws(
        () => formatAmount(amount, 'USDC'),
        (error) => error instanceof FareboxError && error.code === 'invalid_amount',
      );
    });
  }
});
