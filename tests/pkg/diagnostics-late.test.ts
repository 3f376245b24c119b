// A payment that came too late, and a wallet that was short: what is signed again, what is counted, and who is asked.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FareboxError, memoryStore, type Proposal } from '../../pkg/dist/index.js';
import { type Answer, demand, EXPIRED, failsWith, NOW, payerOf, pays, sell, shopOf, tell } from './diagnosing.ts';
import { ask, OFFER, OTHER, paymentOf, spentIn, terms, watchedSigner } from './shop.ts';

test('a wallet that is empty after paying: one event with what was paid, and no other request', async (t) => {
  const problem =
    (status: number): Answer =>
    (response) => {
      const body = {
        code: 'settlement_unknown',
        retryable: true,
        correlation_id: 'req_8432',
        extensions: { diagnostic: { info: { code: 'WALLET_INSUFFICIENT_FUNDS' } } },
      };
      response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body));
    };
  for (const [status, code] of [
    [402, 'payment_refused'],
    [503, 'payment_unresolved'],
    [409, 'payment_conflict'],
  ] as const) {
    const shop = await shopOf(t, [demand], [problem(status)]);
    const { fetch, events, store } = payerOf();
    const error = await failsWith(code, fetch(shop.url));
    assert.deepEqual([error.signed, error.payment?.url, error.diagnostic?.code], [true, `${shop.url}/`, 'WALLET_INSUFFICIENT_FUNDS']);
    assert.deepEqual(
      events.map(({ correlation_id, amount_atomic }) => [correlation_id, amount_atomic]),
      [['req_8432', '10000']],
    );
    // Something new is not signed there; what was signed may be sent again, once the wallet was topped up.
    await failsWith('endpoint_blocked', fetch(`${shop.url}?other`));
    assert.deepEqual([shop.requests.length, (await spentIn(store)).entries.length], [2, 1]);
  }
});

test('a payment that came too late is signed once more under its nonce, and counted once', async (t) => {
  const shop = await shopOf(t, [demand], [tell(EXPIRED), sell]);
  let now = NOW;
  const { fetch, store, signer, events } = payerOf({ now: () => (now += 10) });
  await pays(fetch(shop.url));
  assert.deepEqual(
    shop.requests.map((it) => paymentOf(it) !== undefined),
    [false, true, false, true],
  );
  const [first, second] = shop
    .payments()
    .map(
      ({ payload, extensions }) => ({ ...payload.authorization, id: extensions['payment-identifier'].info.id }) as Record<string, string>,
    );
  assert.ok(first !== undefined && second !== undefined);
  assert.ok(Number(second['validBefore']) > Number(first['validBefore']));
  assert.deepEqual({ ...second, validBefore: '' }, { ...first, validBefore: '' });
  assert.deepEqual(
    signer.asked.map(({ message }) => message['nonce']),
    [first['nonce'], first['nonce']],
  );
  const record = await spentIn(store);
  assert.deepEqual([record.entries.length, events], [1, []]);
  // A success ended it: the next one that comes too late has its turn again.
  shop.seen.paid = 0;
  await pays(fetch(shop.url));
  assert.equal(shop.requests.length, 8);
  assert.deepEqual(await fetch.endpoints.pending(), []);
});

test('a second one that came too late needs an operator: no third attempt, and no call until then', async (t) => {
  const shop = await shopOf(t, [demand], [tell(EXPIRED), tell(EXPIRED), sell]);
  const { fetch, signer, store, events } = payerOf();
  const error = await failsWith('payment_refused', fetch(shop.url));
  assert.deepEqual([error.signed, error.diagnostic?.code, shop.requests.length, signer.asked.length], [true, 'INVOICE_EXPIRED', 4, 2]);
  assert.equal(error.payment?.header[1], paymentOf(shop.requests.at(-1) ?? assert.fail()), 'the payment is the latest');
  await failsWith('approval_needed', fetch(shop.url));
  assert.deepEqual([shop.requests.length, (await spentIn(store)).entries.length, events], [4, 1, []]);
  assert.equal(await fetch.endpoints.approve(shop.url), true);
  await pays(fetch(shop.url));
});

test('too late in one call and in the next, of another process: no second retry', async (t) => {
  const busy: Answer = (response) => {
    response.writeHead(503).end();
  };
  const shop = await shopOf(t, [demand, busy, demand], [tell(EXPIRED)]);
  const store = memoryStore();
  const first = await failsWith('payment_refused', payerOf({ store }).fetch(shop.url));
  assert.deepEqual([first.response?.status, first.signed], [503, true]);
  const second = payerOf({ store });
  await failsWith('payment_refused', second.fetch(shop.url));
  assert.deepEqual([shop.requests.length, second.signer.asked.length, (await second.fetch.endpoints.pending()).length], [5, 1, 1]);
});

test('a free answer ends the turn of an expired payment as well, and reads the store only then', async (t) => {
  const free: Answer = (response) => {
    response.end('free');
  };
  const shop = await shopOf(
    t,
    [demand, demand, free, free, demand],
    [
      tell(EXPIRED),
      (response) => {
        response.writeHead(500).end();
      },
      tell(EXPIRED),
      sell,
    ],
  );
  const store = memoryStore();
  let reads = 0;
  assert.equal((await payerOf({ store }).fetch(shop.url)).status, 500);
  // Another process, which does not go on with that payment, and reads the store for its first call as well.
  const { fetch } = payerOf({
    store: {
      ...store,
      read: () => {
        reads += 1;
        return store.read();
      },
    },
  });
  for (const expected of [2, 0]) {
    reads = 0;
    assert.equal(await (await fetch(shop.url)).text(), 'free');
    assert.equal(reads, expected);
  }
  await pays(fetch(shop.url));
});

for (const [name, change] of Object.entries({
  dearer: { amount: '10001' },
  cheaper: { amount: '9999' },
  'another payee': { payTo: OTHER },
})) {
  test(`fresh terms that are ${name}: payment_refused, and nothing more is signed`, async (t) => {
    const shop = await shopOf(t, [demand, (response) => ask(response, terms([{ ...OFFER, ...change }]))], [tell(EXPIRED)]);
    const { fetch, signer } = payerOf();
    const error = await failsWith('payment_refused', fetch(shop.url));
    assert.match(error.message, /terms changed/);
    assert.deepEqual([shop.requests.length, signer.asked.length, error.signed], [3, 1, true]);
  });
}

test('whoever is asked before each signature is asked again, and told that it replaces one', async (t) => {
  const shop = await shopOf(t, [demand], [tell(EXPIRED)]);
  const asked: Proposal[] = [];
  const { fetch, signer, store } = payerOf({ confirm: (proposal) => asked.push(proposal) === 1 });
  const error = await failsWith('declined', fetch(shop.url));
  assert.deepEqual(
    asked.map(({ replaces, price }) => [replaces, price]),
    [
      [false, '0.01'],
      [true, '0.01'],
    ],
  );
  assert.deepEqual([error.signed, error.payment?.header[1]], [true, paymentOf(shop.requests[1] ?? assert.fail())]);
  assert.deepEqual([signer.asked.length, (await spentIn(store)).entries.length], [1, 1], 'what was signed stays counted');
});

test('a wallet that signs no second time leaves the first counted', async (t) => {
  const shop = await shopOf(t, [demand], [tell(EXPIRED)]);
  const signer = watchedSigner();
  const { fetch, store } = payerOf({
    signer: {
      address: signer.address,
      sign: (typedData) => {
        if (signer.asked.length > 0)
          throw new FareboxError({ code: 'wallet_rejected', message: 'the owner said no', remedy: 'ask again only if the user wants to' });
        return signer.sign(typedData);
      },
    },
  });
  const error = await failsWith('wallet_rejected', fetch(shop.url));
  assert.deepEqual([error.signed, (await spentIn(store)).entries.length], [true, 1]);
});
