// `farebox/channels` at the published server of x402 `batch-settlement`, on a chain: one deposit, vouchers, a refund, and whatever may
// happen to answers, records and processes in between.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import type { Chain } from '../../demo/chain.mjs';
import { type ChannelOptions, type ChannelProposal, channelFetch, channelReceiptOf } from '../../pkg/dist/channels.js';
import { memoryStore } from '../../pkg/dist/store.js';
import { PRICE, startChannelSeller } from '../e2e/channel-seller.ts';
import { sharedWorld } from '../support/suite.ts';
import { failing, rowsIn } from './failing.ts';
import { base64, GOODS, OFFER, settlement, terms } from './shop.ts';

const world = sharedWorld(startChannelSeller);

let next = 0;
/** A funded wallet that no other test uses. */
function payer(): Chain['accounts']['payer'] {
  const { payer: first, payers } = world.chain.accounts;
  const account = [first, ...payers][next];
  next += 1;
  assert.ok(account);
  return account;
}

const optionsOf = (signer: Chain['accounts']['payer'], more: Partial<ChannelOptions> = {}): ChannelOptions => ({
  signer,
  policy: { perDay: '5' },
  store: memoryStore(),
  ...more,
});

test('one deposit pays for many requests, and the rest comes back', async () => {
  const account = payer();
  const funds = await world.chain.balanceOf(account.address);
  const pay = channelFetch(fetch, optionsOf(account, { deposit: '0.25' }));
  const first = await pay(world.url);
  assert.equal(first.status, 200);
  assert.equal(await world.chain.balanceOf(account.address), funds - 250_000n);
  const receipt = channelReceiptOf(first);
  assert.match(receipt?.transaction ?? '', /^0x[0-9a-f]{64}$/);
  const counts = { ...world.facilitator.counts };
  for (let request = 1; request < 20; request += 1) {
    const answer = await pay(world.url);
    assert.equal(answer.status, 200);
    assert.deepEqual([channelReceiptOf(answer)?.charged, channelReceiptOf(answer)?.transaction], [String(PRICE), '']);
  }
  assert.equal(world.facilitator.counts.settle, counts.settle, 'no voucher is settled');
  const [channel] = await pay.channels();
  assert.deepEqual(
    [channel?.deposit, channel?.spent, channel?.signed, channel?.pending],
    ['250000', String(20n * PRICE), String(20n * PRICE), null],
  );
  const refunded = await pay.refund(world.url);
  assert.equal(refunded.refunded, String(250_000n - 20n * PRICE));
  assert.equal(await world.chain.balanceOf(account.address), funds - 20n * PRICE);
  const [left] = await pay.channels();
  assert.deepEqual([left?.deposit, left?.spent], [String(20n * PRICE), String(20n * PRICE)]);
  // After that it goes on with another deposit.
  for (let request = 0; request < 2; request += 1) assert.equal((await pay(world.url)).status, 200);
  const [again] = await pay.channels();
  assert.deepEqual([again?.spent, again?.pending], [String(22n * PRICE), null]);
  assert.equal(await world.chain.balanceOf(account.address), funds - 20n * PRICE - 250_000n);
});

test('a caller who gives up leaves the channel to the next request', async () => {
  const account = privateKeyToAccount(generatePrivateKey()) as Chain['accounts']['payer'];
  const gone = new AbortController();
  const slow: typeof fetch = async (input, init) => {
    if (!new Headers(init?.headers).has('payment-signature')) return fetch(input, init);
    gone.abort();
    throw gone.signal.reason;
  };
  const store = memoryStore();
  await assert.rejects(channelFetch(slow, optionsOf(account, { store }))(world.url, { signal: gone.signal }), {
    code: 'aborted',
    signed: true,
  });
  const began = Date.now();
  // The wallet holds nothing, so its deposit is refused; what counts is that it is tried at once.
  await assert.rejects(channelFetch(fetch, optionsOf(account, { store, policy: { perDay: '5', deadlineSecs: 20 } }))(world.url), {
    code: 'payment_refused',
  });
  assert.ok(Date.now() - began < 15_000, `${Date.now() - began} ms`);
});

test('requests of several processes with one store take turns: each is charged once', async () => {
  const account = payer();
  const store = memoryStore();
  const fetches = [0, 1, 2].map(() => channelFetch(fetch, optionsOf(account, { store, deposit: '0.2' })));
  const before = world.served();
  const funds = await world.chain.balanceOf(account.address);
  const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => fetches[index % 3]?.(world.url)));
  assert.deepEqual(
    answers.map((answer) => answer?.status),
    Array(12).fill(200),
  );
  assert.equal(world.served(), before + 12);
  const [channel, ...others] = await (fetches[0] as NonNullable<(typeof fetches)[0]>).channels();
  assert.deepEqual([channel?.spent, channel?.deposit, others.length], [String(12n * PRICE), '200000', 0]);
  assert.equal(await world.chain.balanceOf(account.address), funds - 200_000n);
});

test('a deposit that is used up is made again before the request that needs it', async () => {
  const account = payer();
  const funds = await world.chain.balanceOf(account.address);
  const asked: ChannelProposal[] = [];
  const confirm = (proposal: ChannelProposal) => {
    asked.push(proposal);
    return true;
  };
  // The server takes no deposit below ten requests.
  const pay = channelFetch(fetch, optionsOf(account, { deposit: '0.1', confirm }));
  for (let request = 0; request < 11; request += 1) assert.equal((await pay(world.url)).status, 200);
  assert.deepEqual(
    asked.map(({ deposit, price, payTo }) => [deposit, price, payTo]),
    Array(2).fill(['0.1', '0.01', world.chain.accounts.payee.address]),
  );
  const [channel] = await pay.channels();
  assert.deepEqual([channel?.deposit, channel?.spent], ['200000', '110000']);
  assert.equal(await world.chain.balanceOf(account.address), funds - 200_000n);
});

test('an answer that is lost after the charge is an error that says so, and the next request is charged once', async () => {
  const account = payer();
  let loses = false;
  const flaky: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    if (!loses || !new Headers(init?.headers).has('payment-signature')) return answer;
    loses = false;
    throw new TypeError('the connection is gone');
  };
  const pay = channelFetch(flaky, optionsOf(account));
  assert.equal((await pay(world.url)).status, 200);
  loses = true;
  await assert.rejects(pay(world.url), { code: 'payment_conflict', signed: true });
  const served = world.served();
  assert.equal((await pay(world.url)).status, 200);
  assert.equal(world.served(), served + 1);
  const [channel] = await pay.channels();
  assert.deepEqual([channel?.spent, channel?.signed], [String(3n * PRICE), String(3n * PRICE)]);
});

/** Settles what is paid by `exact`, and counts it; loses or refuses each voucher, and asks for `exact` alone once it is told to. */
function hostile(account: Chain['accounts']['payer'], answers: 'loses' | 'refuses') {
  const it = { once: 0, vouchers: 0, asksOnce: false };
  const offer = { ...OFFER, payTo: world.chain.accounts.payee.address };
  const asks = (): Response => new Response('{}', { status: 402, headers: { 'payment-required': base64(JSON.stringify(terms([offer]))) } });
  const seller: typeof fetch = async (input, init) => {
    const payment = new Headers(init?.headers).get('payment-signature');
    if (payment === null) return it.asksOnce ? asks() : fetch(input, init);
    const { accepted } = JSON.parse(atob(payment)) as { accepted: { scheme: string } };
    if (accepted.scheme === 'exact') {
      it.once += 1;
      return new Response(GOODS, { headers: { 'payment-response': base64(JSON.stringify(settlement({ payer: account.address }))) } });
    }
    it.vouchers += 1;
    if (answers === 'refuses') return asks();
    throw new TypeError('the connection is gone');
  };
  return Object.assign(it, { seller });
}

for (const answers of ['loses', 'refuses'] as const) {
  //
  test(`a seller that ${answers} a voucher is not paid otherwise under its key`, async () => {
    const account = privateKeyToAccount(generatePrivateKey()) as Chain['accounts']['payer'];
    const it = hostile(account, answers);
    const store = memoryStore();
    const options = optionsOf(account, { store, policy: { perDay: '5', deadlineSecs: 1 } });
    const pay = channelFetch(it.seller, options);
    const key = (name: string) => ({ headers: { 'idempotency-key': name } });
    await assert.rejects(pay(world.url, key('order-7')), { signed: true });
    it.asksOnce = true;
    const { vouchers } = it;
    // Neither here nor in another process with this store, nor where each request is to be paid by itself.
    for (const again of [pay, channelFetch(it.seller, options), channelFetch(it.seller, { ...options, choose: 'once' })])
      await assert.rejects(again(world.url, key('order-7')), { code: 'payment_unresolved', signed: true });
    assert.deepEqual([vouchers > 0, it.vouchers, it.once], [true, vouchers, 0]);
    assert.equal(await (await pay(world.url, key('order-8'))).text(), GOODS);
    assert.equal(it.once, 1);
  });
}

//
test('a voucher that is refused where the terms have changed is not paid otherwise in the same call, under a key', async () => {
  const { payer: account } = world.chain.accounts;
  const it = hostile(account, 'refuses');
  let isHostile = false;
  const pay = channelFetch((input, init) => (isHostile ? it.seller : fetch)(input, init), optionsOf(account, { name: 'refused' }));
  const key = (name: string) => ({ headers: { 'idempotency-key': name } });
  for (const name of ['order-6', 'order-7']) assert.equal(await (await pay(world.url, key(name))).json().then(() => 'read'), 'read');
  [isHostile, it.asksOnce] = [true, true];
  await assert.rejects(pay(world.url, key('order-8')), { code: 'payment_unresolved', signed: true });
  assert.deepEqual([it.vouchers, it.once], [1, 0]);
});

//
for (const isBetween of [false, true])
  test(`a key whose answer was lost is not charged again by a seller that repeats none${isBetween ? ', also after another order' : ''}`, async () => {
    const { payer: account } = world.chain.accounts;
    let loses = false;
    const vouchers = new Set<string>();
    const flaky: typeof fetch = async (input, init) => {
      const payment = new Headers(init?.headers).get('payment-signature');
      const answer = await fetch(input, init);
      if (payment === null) return answer;
      const { payload } = JSON.parse(atob(payment)) as { payload: { voucher: { maxClaimableAmount: string } } };
      vouchers.add(payload.voucher.maxClaimableAmount);
      if (!loses) return answer;
      throw new TypeError('the connection is gone');
    };
    const options = optionsOf(account, { name: `again ${isBetween}`, policy: { perDay: '5', deadlineSecs: 1 } });
    const pay = channelFetch(flaky, options);
    const call = (name: string) => pay(world.url, { headers: { 'idempotency-key': name } });
    const served = world.served();
    assert.equal((await call('order-1')).status, 200);
    loses = true;
    await assert.rejects(call('order-7'), { signed: true });
    loses = false;
    if (isBetween) assert.equal((await call('order-8')).status, 200);
    const signed = [...vouchers];
    const orders = isBetween ? 3 : 2;
    // Another process with this store knows as much.
    for (const again of [call, (name: string) => channelFetch(flaky, options)(world.url, { headers: { 'idempotency-key': name } })])
      await assert.rejects(again('order-7'), { code: 'payment_conflict', signed: true, message: /another Idempotency-Key/ });
    assert.deepEqual([world.served() - served, [...vouchers]], [orders, signed]);
    // What was delivered is not charged again either.
    await assert.rejects(call('order-1'), { code: 'payment_conflict' });
    assert.equal((await call('order-9')).status, 200);
    assert.deepEqual([world.served() - served, vouchers.size], [orders + 1, orders + 1]);
  });

//
test('a key that was paid by itself without an answer is not paid by channel beside it', async () => {
  const account = privateKeyToAccount(generatePrivateKey()) as Chain['accounts']['payer'];
  const it = hostile(account, 'loses');
  it.asksOnce = true;
  let isLost = true;
  const flaky: typeof fetch = async (input, init) => {
    const answer = await it.seller(input, init);
    if (new Headers(init?.headers).has('payment-signature')) return isLost ? new Response(null, { status: 504 }) : answer;
    // Beside a channel that nobody can use.
    const sells = JSON.parse(atob(answer.headers.get('payment-required') ?? '')) as { accepts: object[] };
    const required = base64(
      JSON.stringify(it.asksOnce ? { ...sells, accepts: [...sells.accepts, { ...OFFER, scheme: 'batch-settlement' }] } : sells),
    );
    return new Response('{}', { status: 402, headers: { 'payment-required': required } });
  };
  const pay = channelFetch(flaky, optionsOf(account, { policy: { perDay: '5', deadlineSecs: 1 } }));
  const keyed = { headers: { 'idempotency-key': 'order-7' } };
  assert.equal((await pay(world.url, keyed)).status, 504);
  [it.asksOnce, isLost] = [false, false];
  assert.equal(await (await pay(world.url, keyed)).text(), GOODS);
  assert.deepEqual([it.vouchers, it.once], [0, 2]);
});

//
test("an answer by channel is its buyer's though the store fails as its voucher is noted, and the next request goes on", async () => {
  const isCharged = (record: string): boolean => rowsIn(record).some(([, , { charged }]) => charged === String(2n * PRICE));
  const store = failing(isCharged);
  const { payer: account } = world.chain.accounts;
  const pay = channelFetch(fetch, optionsOf(account, { store, name: 'noted', policy: { perDay: '5', deadlineSecs: 2 } }));
  const served = world.served();
  for (let request = 1; request <= 3; request += 1) {
    const answer = await pay(world.url);
    assert.deepEqual([answer.status, channelReceiptOf(answer)?.charged, world.served()], [200, String(PRICE), served + request]);
  }
  const [channel, ...others] = await pay.channels();
  assert.deepEqual([store.failed, channel?.spent, others.length], [1, String(3n * PRICE), 0]);
});

//
test('a fault of the store before anything was answered is told, and nothing is sent', async () => {
  const store = failing((record) => rowsIn(record).some(([, , { pending }]) => pending !== undefined && pending !== null));
  const served = world.served();
  const asked: boolean[] = [];
  const watched: typeof fetch = (input, init) => {
    asked.push(new Headers(init?.headers).has('payment-signature'));
    return fetch(input, init);
  };
  const account = privateKeyToAccount(generatePrivateKey()) as Chain['accounts']['payer'];
  await assert.rejects(channelFetch(watched, optionsOf(account, { store }))(world.url), { message: 'ENOSPC' });
  assert.deepEqual([store.failed, asked, world.served()], [1, [false], served]);
});

test('the second request brings its voucher at once, and asks again where the terms have changed', async () => {
  const account = payer();
  const asked: string[] = [];
  let changed = false;
  const watched: typeof fetch = async (input, init) => {
    const isPaid = new Headers(init?.headers).has('payment-signature');
    asked.push(isPaid ? 'paid' : 'plain');
    // The seller sells what is got.
    if (!changed || !isPaid) return fetch(input, { ...init, method: 'GET', body: null });
    changed = false;
    return new Response('{}', {
      status: 402,
      headers: { 'payment-required': btoa(JSON.stringify({ x402Version: 2, error: 'other terms', accepts: [] })) },
    });
  };
  const pay = channelFetch(watched, optionsOf(account));
  for (let request = 0; request < 3; request += 1) assert.equal((await pay(world.url)).status, 200);
  assert.deepEqual(asked.splice(0), ['plain', 'paid', 'paid', 'paid']);
  changed = true;
  assert.equal((await pay(world.url)).status, 200);
  assert.deepEqual(asked.splice(0), ['paid', 'plain', 'paid']);
  // The price may depend on a body, so that its terms are asked for each time.
  assert.equal((await pay(world.url, { method: 'POST', body: 'one' })).status, 200);
  assert.equal((await pay(world.url, { method: 'POST', body: 'another' })).status, 200);
  assert.deepEqual(asked, ['plain', 'paid', 'plain', 'paid']);
  const [channel] = await pay.channels();
  assert.equal(channel?.spent, String(6n * PRICE));
});

//
for (const lies of [true, false])
  test(`a second look at the terms signs nothing beside the voucher that has left, at a server that lies: ${lies}`, async () => {
    const account = world.chain.accounts.payer;
    const shown: bigint[] = [];
    let attempts: number | undefined;
    const watched: typeof fetch = async (input, init) => {
      const payment = new Headers(init?.headers).get('payment-signature');
      if (payment === null) return fetch(input, init);
      const { payload, accepted } = JSON.parse(atob(payment));
      const { channelId, maxClaimableAmount } = payload.voucher;
      shown.push(BigInt(maxClaimableAmount));
      if (attempts === undefined) return fetch(input, init);
      attempts += 1;
      const refuses = (extra: object): Response => {
        const terms = { x402Version: 2, error: 'other terms', accepts: [{ ...accepted, extra: { ...accepted.extra, ...extra } }] };
        return new Response('{}', { status: 402, headers: { 'payment-required': btoa(JSON.stringify(terms)) } });
      };
      if (lies && attempts === 1) return refuses({});
      const state = { channelId, balance: '200000', totalClaimed: '0', chargedCumulativeAmount: maxClaimableAmount };
      if (lies && attempts === 2) return refuses({ channelState: state });
      // The answer of an honest one is lost, and the copy meets another process.
      if (!lies && attempts === 1) {
        assert.equal((await fetch(input, init)).status, 200);
        throw new TypeError('the connection is gone');
      }
      return !lies && attempts === 2 ? refuses({}) : fetch(input, init);
    };
    const pay = channelFetch(watched, optionsOf(account, { deposit: '0.2', name: `lies: ${lies}` }));
    for (let request = 0; request < 2; request += 1) assert.equal((await pay(world.url)).status, 200);
    const served = world.served();
    attempts = 0;
    await assert.rejects(pay(world.url), { code: 'payment_conflict', signed: true });
    assert.equal(world.served() - served, lies ? 0 : 1);
    assert.deepEqual(new Set(shown), new Set([PRICE, 2n * PRICE, 3n * PRICE]));
  });

test('a request that never arrives is sent again with the same voucher', async () => {
  const account = payer();
  const shown: string[] = [];
  let fails = 0;
  const flaky: typeof fetch = async (input, init) => {
    const payment = new Headers(init?.headers).get('payment-signature');
    if (payment !== null) shown.push(payment);
    if (payment !== null && fails > 0) {
      fails -= 1;
      throw new TypeError('no route');
    }
    return fetch(input, init);
  };
  const pay = channelFetch(flaky, optionsOf(account));
  fails = 2;
  assert.equal((await pay(world.url)).status, 200);
  assert.equal(shown.length, 3);
  assert.equal(new Set(shown).size, 1);
  const [channel] = await pay.channels();
  assert.equal(channel?.spent, String(PRICE));
});

test('a lost record finds its channel by the highest voucher that the server shows, without another deposit', async () => {
  const account = payer();
  const earlier = channelFetch(fetch, optionsOf(account, { deposit: '0.2' }));
  for (let request = 0; request < 3; request += 1) assert.equal((await earlier(world.url)).status, 200);
  const funds = await world.chain.balanceOf(account.address);
  const later = channelFetch(fetch, optionsOf(account, { deposit: '0.2' }));
  assert.equal((await later(world.url)).status, 200);
  assert.equal(await world.chain.balanceOf(account.address), funds);
  const [channel] = await later.channels();
  assert.deepEqual([channel?.deposit, channel?.spent], ['200000', String(4n * PRICE)]);
});

test('vouchers may be signed by a key that holds no money: the wallet signs deposits alone', async () => {
  const wallet = payer();
  let asked = 0;
  const signer = {
    address: async () => wallet.address as string,
    sign: async (typedData: { domain: object; types: object; primaryType: string; message: object }) => {
      asked += 1;
      const { EIP712Domain: _, ...types } = typedData.types as Record<string, never>;
      return wallet.signTypedData({ ...typedData, types } as never);
    },
  };
  const pay = channelFetch(fetch, { signer, voucherSigner: generatePrivateKey(), policy: { perDay: '5' }, deposit: '0.2' });
  for (let request = 0; request < 5; request += 1) assert.equal((await pay(world.url)).status, 200);
  assert.equal(asked, 1);
  const refunded = await pay.refund(world.url);
  assert.equal(refunded.refunded, String(200_000n - 5n * PRICE));
  assert.equal(asked, 1);
});

test('nothing is signed above the limits, nor without a yes, and nothing of it stays counted', async () => {
  const account = payer();
  const funds = await world.chain.balanceOf(account.address);
  const store = memoryStore();
  const refused = async (more: Partial<ChannelOptions>, code: string) => {
    const pay = channelFetch(fetch, optionsOf(account, { store, ...more }));
    await assert.rejects(pay(world.url), { code, signed: false });
    assert.deepEqual(await pay.channels(), [], code);
  };
  await refused({ maxDeposit: '0.05' }, 'policy_amount');
  await refused({ policy: { perPayment: '0.005' } }, 'policy_amount');
  await refused({ policy: { perDay: '0.09' } }, 'budget_exhausted');
  await refused({ policy: { payees: [generatedAddress()] } }, 'policy_payee');
  await refused({ policy: { hosts: ['elsewhere.example'] } }, 'policy_host');
  await refused({ confirm: () => false }, 'declined');
  const dies = () => {
    throw new Error('the wallet is gone');
  };
  const pay = channelFetch(
    fetch,
    optionsOf(account, { store, signer: { address: async () => account.address as string, sign: async () => dies() } }),
  );
  await assert.rejects(pay(world.url), /the wallet is gone/);
  assert.deepEqual(await pay.channels(), []);
  // What was refused has taken nothing from the cap of a day.
  const able = channelFetch(fetch, optionsOf(account, { store, policy: { perDay: '0.1' }, deposit: '0.1' }));
  assert.equal((await able(world.url)).status, 200);
  assert.equal(await world.chain.balanceOf(account.address), funds - 100_000n);
});

//
test('a server that says more was charged than was signed is not believed', async () => {
  const account = privateKeyToAccount(generatePrivateKey()) as Chain['accounts']['payer'];
  const lying: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    const payment = new Headers(init?.headers).get('payment-signature');
    if (payment === null) return answer;
    const { payload, accepted } = JSON.parse(atob(payment));
    const channelState = { channelId: payload.voucher.channelId, balance: '1000000', totalClaimed: '0', chargedCumulativeAmount: '900000' };
    const terms = {
      x402Version: 2,
      error: 'invalid_batch_settlement_evm_cumulative_amount_mismatch',
      accepts: [{ ...accepted, extra: { ...accepted.extra, channelState } }],
    };
    return new Response('{}', { status: 402, headers: { 'payment-required': btoa(JSON.stringify(terms)) } });
  };
  const pay = channelFetch(lying, optionsOf(account));
  await assert.rejects(pay(world.url), { code: 'receipt_mismatch', signed: true });
  const [channel] = await pay.channels();
  assert.deepEqual([channel?.spent, channel?.signed], ['0', String(PRICE)]);
});

test('a server that does not sell by channel is paid for each request by itself, and so is one if the caller wants it', async () => {
  const account = privateKeyToAccount(generatePrivateKey()) as Chain['accounts']['payer'];
  const asked: string[] = [];
  const once: typeof fetch = async (input) => {
    asked.push(String(input));
    return new Response('paid once');
  };
  const plain: typeof fetch = async () =>
    new Response('{}', { status: 402, headers: { 'payment-required': btoa(JSON.stringify({ x402Version: 2, accepts: [] })) } });
  const pay = channelFetch(plain, optionsOf(account, { once }));
  assert.equal(await (await pay('https://plain.example/a')).text(), 'paid once');
  const chosen = channelFetch(fetch, optionsOf(account, { once, choose: 'once' }));
  assert.equal(await (await chosen(world.url)).text(), 'paid once');
  assert.deepEqual(asked, ['https://plain.example/a', world.url]);
  // Who wants a session and nothing else is told.
  const session = channelFetch(plain, optionsOf(account, { once, choose: 'session' }));
  for (let turn = 0; turn < 2; turn += 1)
    await assert.rejects(session('https://plain.example/a'), { code: 'unsupported_intent', signed: false });
  assert.equal(asked.length, 2);
});

const generatedAddress = (): string => privateKeyToAccount(generatePrivateKey()).address;
