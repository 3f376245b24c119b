// What a payer may look at, pin and be told, and what a wallet is asked for and when.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AgentHarness, createLocalAgentClient, createPaymentDesk } from '../../pkg/dist/agent/index.js';
import { channelFetch } from '../../pkg/dist/channels.js';
import {
  type Eip1193Provider,
  FareboxError,
  type FareboxErrorCode,
  localSigner,
  lookAt,
  memoryStore,
  type Proposal,
  payingFetch,
  type Receipt,
  readChallenges,
  spent,
  walletSigner,
  writeChallenge,
} from '../../pkg/dist/index.js';
import {
  ask,
  GOODS,
  OFFER,
  OTHER,
  PAYEE,
  PAYER,
  PAYER_KEY,
  paymentOf,
  serve,
  settlement,
  sharedShop,
  spentIn,
  TRANSACTION,
  terms,
  USDC,
  watchedSigner,
} from './shop.ts';

const shop = sharedShop();

const codeOf = async (paying: Promise<unknown>): Promise<FareboxErrorCode> => {
  const error = await paying.catch((it: unknown) => it);
  assert.ok(error instanceof FareboxError, String(error));
  return error.code;
};
/** A page's wallet that counts what it is asked. */
function wallet(): { readonly provider: Eip1193Provider; readonly asked: string[] } {
  const [asked, key] = [[] as string[], localSigner(PAYER_KEY)];
  const request: Eip1193Provider['request'] = async ({ method, params }) => {
    asked.push(method);
    if (method === 'eth_requestAccounts') return [PAYER];
    if (method === 'eth_chainId') return '0x14a34';
    return key.sign(JSON.parse(String(params?.[1])) as never);
  };
  return { provider: { request }, asked };
}

test('a wallet is asked for nothing before the payment is confirmed, and then for its address and one signature', async () => {
  const { provider, asked } = wallet();
  const seen: (string | null)[] = [];
  const paying = (yes: boolean) =>
    payingFetch({
      signer: walletSigner(provider),
      confirm: ({ payer }) => {
        seen.push(payer);
        assert.deepEqual(asked, []);
        return yes;
      },
    });
  assert.equal(await codeOf(paying(false)(shop.url)), 'declined');
  assert.deepEqual([asked, seen], [[], [null]]);
  assert.equal(await codeOf(payingFetch({ signer: walletSigner(provider), policy: { perPayment: '0.001' } })(shop.url)), 'policy_amount');
  assert.deepEqual(asked, []);
  assert.equal(await (await paying(true)(shop.url)).text(), GOODS);
  assert.deepEqual(asked, ['eth_requestAccounts', 'eth_chainId', 'eth_signTypedData_v4']);
});

test('a wallet that gives no address signs nothing, and nothing stays counted', async () => {
  const store = memoryStore();
  const provider: Eip1193Provider = {
    request: async () => {
      throw Object.assign(new Error('no'), { code: 4001 });
    },
  };
  assert.equal(await codeOf(payingFetch({ signer: provider, store, confirm: () => true })(shop.url)), 'wallet_rejected');
  assert.equal((await spentIn(store)).entries.length, 0);
});

test('an address that is known without asking is in the proposal', async () => {
  const seen: (string | null)[] = [];
  await payingFetch({
    signer: PAYER_KEY,
    confirm: ({ payer }) => {
      seen.push(payer);
      return true;
    },
  })(shop.url);
  assert.deepEqual(seen, [PAYER]);
});

test('a look tells of each offer what policy and budget say, counts nothing, and its pin is paid and no other', async () => {
  const accepts = [
    { ...OFFER, amount: '2000' },
    { ...OFFER, amount: '30000' },
    { ...OFFER, scheme: 'other' },
  ];
  shop.answers = (request, response) =>
    paymentOf(request) === undefined ? ask(response, terms(accepts)) : serve(response, settlement({ amount: '30000' }));
  const [store, signer, policy] = [memoryStore(), watchedSigner(), { perPayment: '0.05', perDay: '0.04' }];
  const looks = await lookAt(await fetch(`${shop.url}/r`), { policy, store });
  assert.deepEqual(
    looks.map(({ allowed, offer, refusal }) => [allowed, offer?.amountText, refusal?.code]),
    [
      [true, '0.002 USDC (2000)', undefined],
      [true, '0.03 USDC (30000)', undefined],
      [false, undefined, 'unsupported_scheme'],
    ],
  );
  assert.deepEqual([(await store.read()).record, signer.asked.length], [undefined, 0]);
  const pin = looks[1]?.offer?.pin ?? '';
  const response = await payingFetch({ signer, policy, store, pin })(`${shop.url}/r`);
  assert.deepEqual([await response.text(), signer.asked[0]?.message['value']], [GOODS, '30000'], 'although another is cheaper');
  const later = await lookAt(await fetch(`${shop.url}/r`), { policy, store });
  assert.deepEqual(
    later.map(({ allowed, refusal }) => [allowed, refusal?.code]),
    [
      [true, undefined],
      [false, 'budget_exhausted'],
      [false, 'unsupported_scheme'],
    ],
  );
  assert.deepEqual(
    (await spent({ policy, store })).map(({ cap, of, max, spent: used, remaining }) => [cap, of, max, used, remaining]),
    [
      ['perHour', undefined, '0.04', '0.03', '0.01'],
      ['perDay', undefined, '0.04', '0.03', '0.01'],
      ['perHost', shop.host, '0.04', '0.03', '0.01'],
      ['perPayee', PAYEE.toLowerCase(), '0.04', '0.03', '0.01'],
    ],
  );
  for (const change of [{ amount: '30001' }, { payTo: OTHER }]) {
    shop.answers = (_, other) => ask(other, terms([accepts[0], { ...accepts[1], ...change }]));
    assert.equal(await codeOf(payingFetch({ signer, pin })(`${shop.url}/r`)), 'terms_changed');
  }
  assert.equal(signer.asked.length, 1);
  // Receipts for another URL than the one that is asked are refused by both.
  const announced = { 'offer-receipt': { info: { receipt: 'eip712' }, schema: {} } };
  for (const [url, allowed] of [
    [`${shop.url}/r`, true],
    [`${shop.url}/other`, false],
  ] as const) {
    shop.answers = (_, response) => ask(response, terms([OFFER], { resource: { url }, extensions: announced }));
    const [look] = await lookAt(await fetch(`${shop.url}/r#here`), { url: `${shop.url}/r#here` });
    assert.deepEqual([look?.allowed, look?.refusal?.code], [allowed, allowed ? undefined : 'resource_mismatch'], url);
  }
  assert.equal(await codeOf(payingFetch({ signer })(`${shop.url}/r#here`)), 'resource_mismatch');
  await assert.rejects(lookAt(new Response('no terms', { status: 402 }), { url: shop.url }), { code: 'malformed_challenge' });
});

test('nothing is paid after the end of the policy', async () => {
  const signer = watchedSigner();
  const policy = { expires: '2030-01-31T12:00:00Z' };
  const end = Date.parse(policy.expires) / 1000;
  assert.equal(await codeOf(payingFetch({ signer, policy, now: () => end })(shop.url)), 'policy_expired');
  assert.equal(await (await payingFetch({ signer, policy, now: () => end - 1 })(shop.url)).text(), GOODS);
  assert.equal(signer.asked.length, 1);
  assert.throws(() => payingFetch({ signer, policy: { expires: 'soon' } }), { code: 'invalid_policy' });
});

test('each payment is told once, with its receipt, and an error of the hook loses no answer', async () => {
  const told: [Proposal, Receipt | undefined][] = [];
  const fetch = payingFetch({
    signer: PAYER_KEY,
    onPayment: (proposal, receipt) => {
      told.push([proposal, receipt]);
      throw new Error('hook');
    },
  });
  assert.equal(await (await fetch(shop.url)).text(), GOODS);
  shop.answers = (_, response) => response.end('free');
  assert.equal(await (await fetch(shop.url)).text(), 'free');
  assert.deepEqual(
    told.map(([proposal, receipt]) => [proposal.amount, receipt?.transaction]),
    [['10000', TRANSACTION]],
  );
});

test('an answer that does not come in time is asked for again with the same payment', async () => {
  let hangs = true;
  shop.answers = (request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    if (hangs) {
      hangs = false;
      return;
    }
    serve(response);
  };
  const signer = watchedSigner();
  assert.equal(await (await payingFetch({ signer, timeoutMs: 300 })(shop.url)).text(), GOODS);
  const sent = shop.requests.map(paymentOf).filter((it) => it !== undefined);
  assert.deepEqual([sent.length, new Set(sent).size, signer.asked.length], [2, 1, 1]);
});

test('challenges of MPP are read and written, with their terms as objects', () => {
  const challenge = {
    id: 'a',
    realm: 'shop.example',
    method: 'evm',
    intent: 'charge',
    expires: '2030-01-01T00:00:00Z',
    description: 'a "report"',
    request: { amount: '10000', currency: USDC, methodDetails: { chainId: 84532 }, recipient: PAYEE },
  };
  const value = writeChallenge(challenge);
  assert.match(value, /^Payment id="a", realm="shop\.example", method="evm", intent="charge", request="[\w-]+"/);
  assert.deepEqual(readChallenges(`Basic realm="x", ${value}, ${value}`), [challenge, challenge]);
  assert.deepEqual(readChallenges('Basic realm="x"'), []);
  for (const wrong of [() => readChallenges('Payment id="a"'), () => writeChallenge({} as never)])
    assert.throws(wrong, { code: 'invalid_header' });
  for (const wrong of [() => readChallenges(1 as never), () => writeChallenge(undefined as never)])
    assert.throws(wrong, { code: 'invalid_argument' });
});

test('an option that does not exist is an error: a misspelt policy would limit nothing', () => {
  const signer = localSigner(PAYER_KEY);
  for (const make of [payingFetch, (options: never) => channelFetch(fetch, options), createLocalAgentClient]) {
    assert.throws(() => make({ signer, polciy: {} } as never), {
      code: 'invalid_options',
      message: 'there is no option polciy',
      remedy: /policy/,
    });
    // A key in the place of a name is not repeated.
    assert.throws(
      () => make({ signer, [PAYER_KEY]: 1 } as never),
      (error: Error) => !error.message.includes(PAYER_KEY),
    );
    make({ signer, policy: {}, store: memoryStore(), expires: 1, address: '0x', renew: 1, forget: 1 } as never);
  }
});

test('a harness and a desk take no option that does not exist: what is kept nowhere would be paid again after a crash', () => {
  const client = createLocalAgentClient({ signer: localSigner(PAYER_KEY) });
  const makes = [(more: object) => new AgentHarness({ client, ...more }), (more: object) => createPaymentDesk({ client, ...more })];
  for (const make of makes) {
    assert.throws(() => make({ sotre: memoryStore() }), { code: 'invalid_options', message: 'there is no option sotre' });
    make({ store: undefined });
  }
  createPaymentDesk({ client, brand: 'Acme', tokens: [], signs: ['exact'], timeoutMs: 1, createPaymentId: () => '1', now: () => 1, fetch });
});

test('an option of the wrong type is named when it is given', () => {
  for (const [name, value] of [
    ['pin', 1],
    ['timeoutMs', 'soon'],
    ['timeoutMs', 0],
    ['onPayment', {}],
  ] as const) {
    assert.throws(() => payingFetch({ signer: PAYER_KEY, [name]: value } as never), { code: 'invalid_options', message: new RegExp(name) });
  }
});
