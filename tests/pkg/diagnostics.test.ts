// A payer that knows when to stop: what a server's diagnostic does to its calls, and all that it does not.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { privateKeyToAccount } from 'viem/accounts';

import { fileStore } from '../../pkg/dist/file-store.js';
import { endpointsOf, FareboxError, memoryStore, type Store, wrapFetch } from '../../pkg/dist/index.js';
import type { Answers, Question } from './asker.ts';
import { demand, EXCEEDED, EXPIRED, failsWith, payerOf, pays, sell, shopOf, tell } from './diagnosing.ts';
import { OFFER, PAYER_KEY, spentIn, USDC, watchedSigner } from './shop.ts';

test('a client that reads nothing of it pays, whatever it says', async (t) => {
  for (const info of [EXCEEDED, EXPIRED, { code: 'FOO', attempts: '12' }, 'nothing']) {
    const shop = await shopOf(t, [tell(info)]);
    const fetch = wrapFetchWithPaymentFromConfig(globalThis.fetch, {
      schemes: [{ network: OFFER.network as `${string}:${string}`, client: new ExactEvmScheme(privateKeyToAccount(PAYER_KEY)) }],
    });
    await pays(fetch(shop.url));
  }
});

test('what says nothing against it is paid: first contact, an unknown code, an expired invoice that is asked anew', async (t) => {
  for (const info of [{ code: 'PAYMENT_REQUIRED' }, { code: 'FOO' }, EXPIRED]) {
    const shop = await shopOf(t, [tell(info)]);
    const { fetch, store, events } = payerOf();
    await pays(fetch(shop.url));
    assert.deepEqual([shop.requests.length, events, await fetch.endpoints.blocked(), await fetch.endpoints.pending()], [2, [], [], []]);
    assert.equal((await spentIn(store)).entries.length, 1);
  }
});

//
test('what a server says before it saw a payment ends that call, blocks nothing, and the next one goes out', async (t) => {
  for (const info of [EXCEEDED, { code: 'OPERATOR_ALERT' }, { code: 'PAYMENT_REQUIRED', escalate: true }, { code: 'PAYMENT_UNVERIFIED' }]) {
    const shop = await shopOf(t, [tell(info), tell(info), demand]);
    const { fetch, store, events, signer } = payerOf();
    for (const _ of [1, 2]) {
      const error = await failsWith(info.code === 'PAYMENT_UNVERIFIED' ? 'approval_needed' : 'endpoint_blocked', fetch(shop.url));
      assert.deepEqual([error.signed, error.payment, error.diagnostic?.code], [false, undefined, info.code]);
      assert.deepEqual(
        [await fetch.endpoints.blocked(), await fetch.endpoints.pending(), (await store.read()).record],
        [[], [], undefined],
      );
    }
    await pays(fetch(shop.url));
    assert.deepEqual([shop.seen.unpaid, signer.asked.length, events], [3, 1, []]);
  }
});

test('a server that says stop of a payment is told of once, and then no call goes out', async (t) => {
  const shop = await shopOf(t, [demand], [tell(EXCEEDED, { resource: { url: 'https://elsewhere.example/other' } })]);
  const { fetch, store, events, signer } = payerOf();
  const error = await failsWith('payment_refused', fetch(`${shop.url}/resource?key=secret`));
  assert.deepEqual([error.signed, error.payment?.method, error.response?.status, error.diagnostic?.attempts], [true, 'GET', 402, 8432]);
  assert.equal(events.length, 1);
  const [{ correlation_id, ...event } = assert.fail()] = events;
  assert.match(correlation_id, /^req_[0-9a-f]{16}$/);
  assert.deepEqual(event, {
    type: 'x402_escalation',
    endpoint: `${shop.url}/resource`,
    method: 'GET',
    amount: 0.01,
    amount_text: '0.01',
    amount_atomic: '10000',
    currency: 'USDC',
    network: OFFER.network,
    asset: USDC,
    diagnostic: EXCEEDED,
    timestamp: '2025-11-20T00:53:20.000Z',
  });
  for (const query of ['', '?key=secret', '?other']) {
    const again = await failsWith('endpoint_blocked', fetch(`${shop.url}/resource${query}`));
    assert.match(again.remedy, /endpoints\.reenable\(/);
    assert.deepEqual([again.signed, again.diagnostic], [false, { ...EXCEEDED, correlationId: correlation_id }]);
  }
  assert.deepEqual([shop.requests.length, events.length, signer.asked.length], [2, 1, 1]);
  assert.deepEqual(await fetch.endpoints.blocked(), [
    {
      endpoint: `${shop.url}/resource`,
      method: 'GET',
      since: '2025-11-20T00:53:20.000Z',
      diagnostic: { ...EXCEEDED, correlationId: correlation_id },
    },
  ]);
  assert.equal((await spentIn(store)).entries.length, 1, 'what was signed stays counted');
});

test('another method, path or origin is not stopped', async (t) => {
  const other = await shopOf(t, [tell({ code: 'PAYMENT_REQUIRED' })]);
  const shop = await shopOf(t, [demand], [tell(EXCEEDED, { resource: { url: `${other.url}/resource` } }), sell]);
  const { fetch } = payerOf();
  await failsWith('payment_refused', fetch(`${shop.url}/resource`));
  await pays(fetch(`${shop.url}/resource`, { method: 'POST', body: 'x' }));
  await pays(fetch(`${shop.url}/resource/`));
  await pays(fetch(`${other.url}/resource`));
  await failsWith('endpoint_blocked', fetch(`${shop.url}/resource#part`));
  assert.deepEqual(
    (await fetch.endpoints.blocked()).map(({ endpoint }) => endpoint),
    [`${shop.url}/resource`],
  );
});

test('an operator lets calls out again, by URL or by method and URL, also from elsewhere', async (t) => {
  const shop = await shopOf(t, [demand], [tell(EXCEEDED), tell(EXCEEDED), tell(EXCEEDED), sell]);
  const { fetch, store, events } = payerOf();
  const url = `${shop.url}/resource`;
  for (const [name, endpoints] of [
    [`${url}?any=query`, fetch.endpoints],
    [`get ${url}`, fetch.endpoints],
    [url, endpointsOf(store)],
  ] as const) {
    await failsWith('payment_refused', fetch(url));
    await failsWith('endpoint_blocked', fetch(url));
    for (const wrong of [`POST ${url}`, `${url}/more`, shop.url]) assert.equal(await endpoints.reenable(wrong), false, wrong);
    assert.equal(await endpoints.approve(name), false);
    assert.deepEqual([await endpoints.reenable(name), await endpoints.reenable(name)], [true, false]);
  }
  await pays(fetch(url));
  // What was signed first is sent each time.
  assert.deepEqual(
    [
      events.length,
      shop.seen.unpaid,
      new Set(shop.payments().map(({ payload }) => payload.authorization['nonce'])).size,
      await fetch.endpoints.blocked(),
    ],
    [3, 1, 1, []],
  );
});

test('a place with a long name is stopped and opened like any other', async (t) => {
  const shop = await shopOf(t, [demand], [tell(EXCEEDED)]);
  const { fetch } = payerOf();
  const url = `${shop.url}/${'x'.repeat(2_000)}`;
  for (const name of [url, `GET ${url}`]) {
    for (const code of ['payment_refused', 'endpoint_blocked']) await failsWith(code, fetch(url));
    assert.equal(await fetch.endpoints.reenable(name), true);
  }
  assert.equal(shop.requests.length, 3, 'terms, a payment, and the same payment');
});

test('the flag wins over the code, and a payer without a hook stops as well', async (t) => {
  for (const code of ['PAYMENT_REQUIRED', 'INVOICE_EXPIRED', 'PAYMENT_UNVERIFIED', 'FOO']) {
    const shop = await shopOf(t, [demand], [tell({ code, escalate: true })]);
    const fetch = wrapFetch(globalThis.fetch, { signer: watchedSigner() });
    for (const error of ['payment_refused', 'endpoint_blocked']) await failsWith(error, fetch(shop.url));
    assert.equal(shop.requests.length, 2, code);
  }
});

test('a hook that throws, at once or later, changes nothing', async (t) => {
  for (const onEscalation of [
    () => {
      throw new Error('hook');
    },
    () => Promise.reject(new Error('hook')),
  ]) {
    const shop = await shopOf(t, [demand], [tell(EXCEEDED)]);
    const { fetch } = payerOf({ onEscalation });
    for (const code of ['payment_refused', 'endpoint_blocked']) await failsWith(code, fetch(shop.url));
    assert.equal((await fetch.endpoints.blocked()).length, 1);
  }
});

test('fifty calls at once are told of once', async (t) => {
  const shop = await shopOf(t, [demand], [tell(EXCEEDED)]);
  const { fetch, events } = payerOf();
  const codes = await Promise.all(Array.from({ length: 50 }, () => fetch(shop.url).then(String, (error: FareboxError) => error.code)));
  assert.deepEqual(
    [...new Set(codes)].filter((code) => code !== 'endpoint_blocked' && code !== 'payment_refused'),
    [],
  );
  assert.deepEqual([events.length, (await fetch.endpoints.blocked()).length], [1, 1]);
});

test('a call that reads the record while another one writes it takes nothing from its event', async (t) => {
  let second: Promise<unknown> | undefined;
  let asked = (): void => {};
  const kept = memoryStore();
  const store: Store = {
    read: kept.read,
    replace: async (version, record) => {
      if (second === undefined && record.includes('"endpoints"')) {
        const arrived = new Promise<void>((resolve) => {
          asked = resolve;
        });
        second = fetch(shop.url).catch((error: unknown) => error);
        await arrived;
      }
      return kept.replace(version, record);
    },
  };
  const shop = await shopOf(
    t,
    [
      demand,
      (response, request) => {
        asked();
        demand(response, request);
      },
    ],
    [tell(EXCEEDED)],
  );
  const { fetch, events } = payerOf({ store });
  await failsWith('payment_refused', fetch(shop.url));
  assert.ok((await second) instanceof FareboxError);
  const [entry] = await fetch.endpoints.blocked();
  assert.deepEqual(
    events.map((event) => event.correlation_id),
    [entry?.diagnostic.correlationId],
  );
});

/** Runs the same question in processes of their own. */
async function inProcesses(count: number, question: Question): Promise<readonly Answers[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const child = fork(fileURLToPath(new URL('asker.ts', import.meta.url)), { execArgv: ['--import', './scripts/typescript.mjs'] });
      child.send(question);
      const [[answers]] = await Promise.all([once(child, 'message'), once(child, 'exit')]);
      return answers as Answers;
    }),
  );
}

test('processes that share a folder are told of once, one that starts later stops at once, and one that opens it opens it for all', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-diagnostics-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const shop = await shopOf(t, [demand], [tell(EXCEEDED)]);
  const here = payerOf({ store: fileStore(folder) });
  await pays(here.fetch(`${(await shopOf(t, [demand])).url}/other`));
  const both = await inProcesses(2, { url: shop.url, folder, calls: 5 });
  const codes = both.flatMap((one) => one.codes);
  assert.deepEqual([codes.length, codes.filter((code) => code !== 'endpoint_blocked' && code !== 'payment_refused')], [10, []]);
  assert.equal(both.flatMap(({ events }) => events).length, 1);

  const before = shop.requests.length;
  const [late] = await inProcesses(1, { url: shop.url, folder, calls: 3 });
  assert.deepEqual(
    [late?.codes, late?.events, shop.requests.length],
    [['endpoint_blocked', 'endpoint_blocked', 'endpoint_blocked'], [], before],
  );
  // Whoever read the record before learns it when he would pay, and then asks no more.
  await failsWith('endpoint_blocked', here.fetch(shop.url));
  await failsWith('endpoint_blocked', here.fetch(shop.url));
  assert.deepEqual([shop.requests.length, here.events, here.signer.asked.length], [before + 1, [], 1]);

  assert.equal(await endpointsOf(fileStore(folder)).reenable(shop.url), true);
  await failsWith('payment_refused', here.fetch(shop.url));
  assert.deepEqual([shop.requests.length, here.events.length], [before + 3, 1]);
});

test('a process that took an endpoint for open pays nothing where another one blocked it', async (t) => {
  const shop = await shopOf(t, [demand], [tell(EXCEEDED)]);
  const store = memoryStore();
  const [first, second] = [payerOf({ store }), payerOf({ store })];
  await assert.rejects(second.fetch('http://127.0.0.1:9/'), TypeError);
  await failsWith('payment_refused', first.fetch(shop.url));
  const error = await failsWith('endpoint_blocked', second.fetch(shop.url));
  assert.deepEqual([error.diagnostic?.code, second.signer.asked.length, second.events.length], [EXCEEDED.code, 0, 0]);
  await failsWith('endpoint_blocked', second.fetch(shop.url));
  assert.equal(shop.requests.length, 3);
});

test('an unverified payment waits for approval, and is no block', async (t) => {
  const shop = await shopOf(t, [demand], [tell({ code: 'PAYMENT_UNVERIFIED' }), sell]);
  const { fetch, events, signer } = payerOf();
  const error = await failsWith('payment_refused', fetch(shop.url));
  assert.deepEqual([error.signed, error.payment !== undefined, error.diagnostic?.code], [true, true, 'PAYMENT_UNVERIFIED']);
  const waits = await failsWith('approval_needed', fetch(shop.url));
  assert.match(waits.remedy, /endpoints\.approve\(/);
  assert.deepEqual([shop.requests.length, signer.asked.length, events, await fetch.endpoints.blocked()], [2, 1, [], []]);
  const [{ endpoint, method } = assert.fail()] = await fetch.endpoints.pending();
  assert.deepEqual([endpoint, method, await fetch.endpoints.reenable(endpoint)], [`${shop.url}/`, 'GET', false]);
  assert.equal(await fetch.endpoints.approve(endpoint), true);
  await pays(fetch(shop.url));
});

test('a store is read for the first call, and for no other one that is free', async (t) => {
  const shop = await shopOf(t, [
    (response) => {
      response.end('free');
    },
  ]);
  const store = memoryStore();
  let reads = 0;
  const { fetch } = payerOf({
    store: {
      ...store,
      read: () => {
        reads += 1;
        return store.read();
      },
    },
  });
  for (const _ of [1, 2, 3]) await fetch(shop.url);
  assert.equal(reads, 1);
});
