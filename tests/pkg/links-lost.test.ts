// A payment by link whose answer is lost: the next call goes on with it, and nothing is signed again unasked.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { payPaymentLink } from '../../pkg/dist/agent/index.js';
import { FareboxError, memoryStore, type Signer, type Store } from '../../pkg/dist/index.js';
import { eventually } from '../support/eventually.ts';
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
  /** The status without a receipt with which it answers a payment. */
  without: number | undefined;
} {
  const it = {
    sent: new Set<string>(),
    amount: '10000',
    now: Date.now() / 1000,
    loses: true,
    notices: true,
    without: undefined as number | undefined,
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
      if (isPaid && it.without !== undefined) return new Response(it.without === 204 ? null : '{}', { status: it.without });
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
type More = Partial<Parameters<typeof payPaymentLink>[2]>;
const pays = (shop: Pick<Shop, 'fetch' | 'now'>, signer: Signer, more: More = {}) =>
  payPaymentLink(URL_OF_LINK, EXPECTED, {
    signer,
    fetch: shop.fetch,
    now: () => shop.now,
    ...more,
    policy: { perPayment: '1', perDay: '1', deadlineSecs: 1, ...more.policy },
  });
const fails = async (shop: Shop, signer: Signer, more: More = {}): Promise<FareboxError> => {
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

//
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

for (const kind of ['x402', 'mpp'] as const) {
  test(`calls at the same time are one payment, ${kind}`, async () => {
    const together = async (store?: Store): Promise<void> => {
      const [shop, signer] = [treasury(kind), watchedSigner()];
      Object.assign(shop, { loses: false, notices: false });
      const more = store === undefined ? {} : { store };
      // The treasury notices once all of them have paid, or would have.
      const following = Promise.all([1, 2, 3].map(() => pays(shop, signer, more)));
      await new Promise((resolve) => setTimeout(resolve, 300));
      shop.notices = true;
      const states = await following;
      assert.deepEqual([states.map(({ status }) => status), signer.asked.length, shop.sent.size], [Array(3).fill('completed'), 1, 1]);
    };
    await Promise.all([together(), together(memoryStore())]);
  });

  test(`what was answered without a receipt is not paid again unasked, ${kind}`, async () => {
    const later = async (without: number): Promise<void> => {
      const [shop, signer] = [treasury(kind), watchedSigner()];
      const store = memoryStore();
      Object.assign(shop, { loses: false, without });
      assert.equal((await pays(shop, signer, { store })).receipt, undefined);
      shop.notices = false;
      // The treasury goes on to say that it was not paid, and asks for it.
      for (let turn = 0; turn < 2; turn += 1) {
        shop.now += 4_000;
        const { code, signed } = await fails(shop, signer, { store, signal: AbortSignal.timeout(2_000) });
        assert.deepEqual([code, signed, signer.asked.length], ['payment_unresolved', true, 1], String(without));
      }
      const asked: boolean[] = [];
      const refuses = ({ again }: { again: boolean }): boolean => asked.push(again) < 0;
      assert.equal((await fails(shop, signer, { store, confirm: refuses })).code, 'declined');
      assert.deepEqual([asked, signer.asked.length], [[true], 1]);
      shop.without = undefined;
      const following = pays(shop, signer, { store, policy: { payAgain: true } });
      await eventually('it is signed again', () => signer.asked.length === 2);
      shop.notices = true;
      assert.equal((await following).status, 'completed');
    };
    await Promise.all([200, 202, 204].map(later));
  });
}

//
test('two processes that pay one link sign one nonce', async () => {
  const [shop, signer] = [treasury('x402'), watchedSigner()];
  shop.loses = false;
  await Promise.all([pays(shop, signer, { store: memoryStore() }), pays(shop, signer, { store: memoryStore() })]);
  const nonces = signer.asked.map(({ message }) => message['nonce']);
  assert.deepEqual([nonces.length, new Set(nonces).size], [2, 1]);
});

/** A fetch of which one request never ends, except by its signal. */
const hangsAt = (shop: Shop, hangs: (path: string, isPaid: boolean) => boolean): typeof fetch =>
  (async (input: RequestInfo | URL, init?: RequestInit) => {
    const { pathname } = new URL(String(input instanceof Request ? input.url : input));
    if (!hangs(pathname, new Headers(init?.headers).has('payment-signature'))) return shop.fetch(input, init);
    return new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)));
  }) as typeof fetch;
async function soon(work: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve('hangs'), 5_000);
  });
  return Promise.race([work, late])
    .catch((error: unknown) => error)
    .finally(() => clearTimeout(timer));
}

test('the 402 of a link has an end in time, and every step one by a signal', async () => {
  const [shop, signer] = [treasury('x402'), watchedSigner()];
  Object.assign(shop, { loses: false, notices: false });
  const store = memoryStore();
  const held = { ...shop, fetch: hangsAt(shop, (path, isPaid) => path.startsWith('/a2a/') && !isPaid) };
  const late = await soon(pays(held, signer, { store, timeoutMs: 100 }));
  assert.equal((late as Error).name, 'TimeoutError');
  const reason = new Error('enough');
  const givesUp = (): AbortSignal => {
    const given = new AbortController();
    setTimeout(() => given.abort(reason), 300);
    return given.signal;
  };
  // The second one waits for the first.
  const signal = givesUp();
  assert.deepEqual(await Promise.all([1, 2].map(() => soon(pays(held, signer, { store, signal })))), [reason, reason]);
  assert.equal(signer.asked.length, 0);
  const error = (await soon(pays(shop, signer, { store, signal: givesUp() }))) as FareboxError;
  assert.deepEqual([error.code, error.signed, error.payment !== undefined, signer.asked.length], ['aborted', true, true, 1]);
});

test('an answer that nobody can cancel does not hold up the link that it paid', async () => {
  const [shop, signer] = [treasury('x402'), watchedSigner()];
  shop.loses = false;
  const fetch = (async (input: RequestInfo | URL, init?: RequestInit) => {
    const response = await shop.fetch(input, init);
    if (!new Headers(init?.headers).has('payment-signature')) return response;
    const never = new ReadableStream({ pull: () => new Promise(() => undefined), cancel: () => new Promise(() => undefined) });
    return new Response(never, response);
  }) as typeof globalThis.fetch;
  const paid = await soon(pays({ ...shop, fetch }, signer, { store: memoryStore() }));
  assert.equal((paid as { status?: string }).status, 'completed', String(paid));
});

test('a link that leads elsewhere is not paid, asked in words that Workers know', async () => {
  const [shop, signer] = [treasury('x402'), watchedSigner()];
  const asked: string[] = [];
  const fetch = (async (input: RequestInfo | URL, init?: RequestInit) => {
    // workerd knows these two alone, and throws at any other.
    assert.ok([undefined, 'follow', 'manual'].includes(init?.redirect), init?.redirect);
    if (String(input instanceof Request ? input.url : input).includes('/api/')) return shop.fetch(input, init);
    asked.push(String(input instanceof Request ? input.url : input));
    return new Response(null, { status: 302, headers: { location: 'https://elsewhere.example/' } });
  }) as typeof globalThis.fetch;
  const error = await fails({ ...shop, fetch }, signer);
  assert.deepEqual([error.code, error.signed, signer.asked.length, asked], ['terms_changed', false, 0, [URL_OF_LINK]]);
});
