// A payment by link whose answer is lost: the next call goes on with it, and nothing is signed again unasked.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { payPaymentLink } from '../../pkg/dist/agent/index.js';
import { FareboxError, memoryStore, type PayOptions, type Signer } from '../../pkg/dist/index.js';
import { challenge } from './charges.ts';
import { base64, OFFER, PAYEE, settlement, terms, USDC, watchedSigner } from './shop.ts';

const URL_OF_LINK = 'https://treasury.example/a2a/a2a_payee_1';
const EXPECTED = { amount: '10000', token: USDC, recipient: PAYEE, network: 'eip155:84532' };

/** A treasury whose first answer to a payment is lost, and a clock that the test moves. */
function treasury(kind: 'x402' | 'mpp'): {
  readonly fetch: typeof fetch;
  readonly sent: Set<string>;
  amount: string;
  now: number;
  loses: boolean;
  /** Whether it says of a link that was paid that it was. */
  notices: boolean;
} {
  const it = {
    sent: new Set<string>(),
    amount: '10000',
    now: Date.now() / 1000,
    loses: true,
    notices: true,
    fetch: (async () => undefined) as never as typeof fetch,
  };
  let isPaid = false;
  const details = { chainId: 84532, credentialTypes: ['authorization'], decimals: 6 };
  it.fetch = (async (input: RequestInfo | URL, init?: RequestInit) => {
    // Each answer takes a while, so that a deadline passes.
    it.now += 0.3;
    if (String(input instanceof Request ? input.url : input).includes('/api/')) {
      const request = {
        amount: '10000',
        currency: USDC,
        recipient: PAYEE,
        methodDetails: { chainId: 84532, authorizationType: 'eip-3009' },
      };
      const status = isPaid && it.notices ? 'completed' : 'pending';
      const terms = { intent: 'charge', expires: new Date((it.now + 86_400) * 1000).toISOString(), request };
      return Response.json({ code: 0, data: { challenge: { data: terms }, status } });
    }
    const headers = new Headers(init?.headers);
    const payment = headers.get('payment-signature') ?? headers.get('authorization');
    if (payment !== null) {
      it.sent.add(payment);
      if (it.loses) throw new TypeError('the connection is lost');
      isPaid ||= it.amount === '10000';
      if (isPaid) return Response.json({}, { headers: { 'payment-response': base64(JSON.stringify(settlement())) } });
    }
    if (kind === 'x402')
      return Response.json(
        {},
        { status: 402, headers: { 'payment-required': base64(JSON.stringify(terms([{ ...OFFER, amount: it.amount }]))) } },
      );
    const expires = new Date((it.now + 200) * 1000).toISOString();
    const asks = challenge({ realm: 'treasury.example', expires, request: { amount: it.amount }, details });
    return new Response('{}', { status: 402, headers: { 'www-authenticate': asks } });
  }) as typeof fetch;
  return it;
}

type Shop = ReturnType<typeof treasury>;
const pays = (shop: Shop, signer: Signer, more: Partial<PayOptions> = {}) =>
  payPaymentLink(URL_OF_LINK, EXPECTED, {
    signer,
    fetch: shop.fetch,
    now: () => shop.now,
    ...more,
    policy: { perPayment: '1', perDay: '1', deadlineSecs: 1, ...more.policy },
  });
const fails = async (shop: Shop, signer: Signer, more: Partial<PayOptions> = {}): Promise<FareboxError> => {
  const error = await pays(shop, signer, more).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof FareboxError, String(error));
  return error;
};

for (const store of [undefined, memoryStore()]) {
  test(`the next call sends the same payment${store ? ', with a store' : ', without a store'}`, async () => {
    const [shop, signer] = [treasury('x402'), watchedSigner()];
    const more = store === undefined ? {} : { store };
    assert.deepEqual([(await fails(shop, signer, more)).code, signer.asked.length], ['payment_unresolved', 1]);
    shop.loses = false;
    const state = await pays(shop, signer, more);
    assert.deepEqual([state.status, state.receipt?.amount, signer.asked.length, shop.sent.size], ['completed', '10000', 1, 1]);
  });
}

test('what has ended and may have been charged is paid again only if a person or the policy says so', async () => {
  const [shop, signer] = [treasury('mpp'), watchedSigner()];
  const store = memoryStore();
  await fails(shop, signer, { store });
  shop.now += 1_000;
  const second = await fails(shop, signer, { store });
  assert.deepEqual([second.code, second.signed, signer.asked.length], ['payment_unresolved', true, 1]);
  const asked: boolean[] = [];
  const refuses = ({ again }: { again: boolean }): boolean => asked.push(again) < 0;
  assert.equal((await fails(shop, signer, { store, confirm: refuses })).code, 'declined');
  assert.deepEqual([asked, signer.asked.length], [[true], 1]);
  shop.loses = false;
  assert.equal((await pays(shop, signer, { store, policy: { payAgain: true } })).status, 'completed');
  assert.equal(signer.asked.length, 2);
});

test('a state of another form says nothing, and what was paid with its receipt is not paid again while its treasury says pending', async () => {
  for (const state of [{ status: 7 }, { status: {} }, { reason: 5 }, { success: false, errorReason: 9 }, { status: 'pending' }]) {
    const [shop, signer] = [treasury('x402'), watchedSigner()];
    const store = memoryStore();
    Object.assign(shop, { loses: false, notices: false });
    const fetching = (async (input: RequestInfo | URL, init?: RequestInit) =>
      !shop.notices && String(input instanceof Request ? input.url : input).endsWith('/status')
        ? Response.json({ code: 0, data: state })
        : shop.fetch(input, init)) as typeof fetch;
    for (let turn = 0; turn < 2; turn += 1) {
      const following = pays({ ...shop, fetch: fetching }, signer, { store });
      const paid = await Promise.race([following, new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 300))]);
      if (paid !== undefined) assert.equal(paid.receipt?.amount, '10000', JSON.stringify(state));
    }
    assert.equal(signer.asked.length, 1, JSON.stringify(state));
    // What still follows it ends.
    shop.notices = true;
  }
});

test('a link that asks for more after it was paid is told with the payment that was signed', async () => {
  const [shop, signer] = [treasury('x402'), watchedSigner()];
  await fails(shop, signer);
  Object.assign(shop, { loses: false, amount: '20000' });
  const error = await fails(shop, signer);
  assert.deepEqual([error.code, error.signed, error.payment !== undefined, signer.asked.length], ['terms_changed', true, true, 1]);
});
