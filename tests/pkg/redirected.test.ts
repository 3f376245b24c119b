// A shop that redirects within its origin to the URL that is priced, as for a slash that is missing: what is paid is the URL that asked.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';

import {
  AgentHarness,
  createAgentPayClient,
  createLocalAgentClient,
  createPaymentDesk,
  type PaymentOutcome,
  type PaymentQuote,
  type SdkPaymentDecisionRequest,
  type SdkPreparedPaidRequestReady,
} from '../../pkg/dist/agent/index.js';
import { type FareboxError, memoryStore, type Proposal, payingFetch } from '../../pkg/dist/index.js';
import { resume, sentPayments } from '../../pkg/dist/resume.js';
import { ask, GOODS, open, paymentOf, type Shop, serve, spentIn, watchedSigner } from './shop.ts';

async function shopOf(t: TestContext): Promise<Shop> {
  const shop = await open((request, response) => {
    if (request.url === '/report') return void response.writeHead(301, { location: '/report/' }).end();
    return paymentOf(request) === undefined ? ask(response) : serve(response);
  });
  t.after(() => shop.stop());
  return shop;
}

type Client = ReturnType<typeof createLocalAgentClient>;
const WAYS: readonly (readonly [name: string, buys: (client: Client, url: string) => Promise<string>])[] = [
  [
    'a harness',
    async (client, url) => {
      const harness = new AgentHarness({ client });
      const { preparedId } = await harness.preparePaidRequest({ url });
      const result = await harness.executePreparedRequest({ preparedId });
      return result.harnessDisposition === 'executed' ? result.merchantResponse.body : result.message;
    },
  ],
  ['fetchPaid', async (client, url) => (await client.fetchPaid(url, undefined, {})).response.text()],
  [
    'a desk',
    async (client, url) => {
      const desk = createPaymentDesk({ client });
      const { paymentId } = (await desk.quote({ url })) as PaymentQuote;
      await desk.card({ paymentId });
      const { confirmation = '' } = await desk.confirm({ paymentId, answer: 'yes' });
      return ((await desk.pay({ paymentId, confirmation })) as PaymentOutcome).response.body;
    },
  ],
];
for (const [name, buys] of WAYS) {
  //
  test(`${name} pays the URL to which it was redirected, once, and gets what it paid for`, async (t) => {
    const shop = await shopOf(t);
    const [store, signer] = [memoryStore(), watchedSigner()];
    const agreed: (string | undefined)[][] = [];
    const confirm = (it: Proposal): boolean => agreed.push([it.url, it.askedUrl]) > 0;
    const client = createLocalAgentClient({ signer, store, confirm, policy: { hosts: [shop.host], deadlineSecs: 1 } });
    assert.equal(await buys(client, `${shop.url}/report`), GOODS);
    assert.deepEqual(agreed, [[`${shop.url}/report/`, `${shop.url}/report`]]);
    const paid = shop.requests.filter((request) => paymentOf(request) !== undefined).map((request) => request.url);
    assert.deepEqual([paid, signer.asked.length, (await spentIn(store)).entries.length], [['/report/'], 1, 1]);
  });
}

for (const [name, buys] of [
  ...WAYS,
  ['fetchPaid with a key', async (client, url) => (await client.fetchPaid(url, undefined, { idempotencyKey: 'order-7' })).response.text()],
] satisfies typeof WAYS) {
  //
  test(`${name} is charged once where its answer was lost, though each call is redirected elsewhere`, async (t) => {
    let [calls, answers] = [0, false];
    const shop = await open((request, response) => {
      if (request.url === '/report') return void response.writeHead(302, { location: `/report/${(calls += 1)}` }).end();
      if (paymentOf(request) === undefined) return ask(response);
      return answers ? serve(response) : void response.destroy();
    });
    t.after(() => shop.stop());
    const [store, signer] = [memoryStore(), watchedSigner()];
    const policy = { hosts: [shop.host], deadlineSecs: 1 };
    const buy = (): Promise<string> => buys(createLocalAgentClient({ signer, store, policy }), `${shop.url}/report`);
    assert.notEqual(await buy().catch(String), GOODS);
    answers = true;
    // Another process, whose request is redirected to another URL.
    assert.equal(await buy(), GOODS);
    const nonces = new Set(signer.asked.map(({ message }) => message['nonce']));
    assert.deepEqual([calls >= 2, nonces.size, (await spentIn(store)).entries.length], [true, 1, 1]);
  });
}

for (const [name, buys] of [
  ...WAYS,
  ['fetchPaid with a key', async (client, url) => (await client.fetchPaid(url, undefined, { idempotencyKey: 'order-7' })).response.text()],
] satisfies typeof WAYS) {
  //
  test(`${name} signs again with the nonce of its purchase, wherever that is redirected once its payment has ended`, async (t) => {
    let [calls, answers, later] = [0, false, 0];
    const shop = await open((request, response) => {
      if (request.url === '/report') return void response.writeHead(302, { location: `/report/${(calls += 1)}` }).end();
      if (paymentOf(request) === undefined) return ask(response);
      return answers ? serve(response) : void response.destroy();
    });
    t.after(() => shop.stop());
    const [store, signer] = [memoryStore(), watchedSigner()];
    const policy = { hosts: [shop.host], deadlineSecs: 1 };
    const now = (): number => Date.now() / 1000 + later;
    // Another spelling of a URL is no other purchase.
    const buy = (part: string): Promise<string> =>
      buys(createLocalAgentClient({ signer, store, policy, now }), `${shop.url}/report${part}`);
    await buy('').catch(String);
    later = 600;
    answers = true;
    assert.equal(await buy('#part'), GOODS);
    const nonces = new Set(signer.asked.map(({ message }) => message['nonce']));
    assert.deepEqual([calls >= 2, signer.asked.length, nonces.size], [true, 2, 1]);
    // The terms of the latest URL were shown, and it is the one that is paid.
    const [paid] = shop.requests.filter((request) => paymentOf(request) !== undefined).slice(-1);
    assert.equal(paid?.url, `/report/${calls}`);
  });
}

//
test('a key is one charge in every process, also without a store, wherever each is redirected', async (t) => {
  let calls = 0;
  const shop = await open((request, response) => {
    if (request.url === '/report') return void response.writeHead(302, { location: `/report/${(calls += 1)}` }).end();
    if (paymentOf(request) === undefined) return ask(response);
    response.destroy();
  });
  t.after(() => shop.stop());
  const signer = watchedSigner();
  for (let process = 0; process < 2; process += 1) {
    const client = createLocalAgentClient({ signer, policy: { hosts: [shop.host], deadlineSecs: 1 } });
    await client.fetchPaid(`${shop.url}/report`, undefined, { idempotencyKey: 'order-7' }).catch(() => undefined);
  }
  const nonces = new Set(signer.asked.map(({ message }) => message['nonce']));
  assert.deepEqual([calls, signer.asked.length, nonces.size], [2, 2, 1]);
});

//
test('a harness and a desk of one process go on with it, too', async (t) => {
  let [calls, answers] = [0, false];
  const shop = await open((request, response) => {
    if (request.url?.startsWith('/report?') === true)
      return void response.writeHead(302, { location: `/report/${(calls += 1)}?${request.url.split('?')[1]}` }).end();
    if (paymentOf(request) === undefined) return ask(response);
    return answers ? serve(response) : void response.destroy();
  });
  t.after(() => shop.stop());
  const signer = watchedSigner();
  const client = createLocalAgentClient({ signer, policy: { hosts: [shop.host], deadlineSecs: 1 } });
  const harness = new AgentHarness({ client });
  const desk = createPaymentDesk({ client });
  const ways = {
    harness: async () => {
      const { preparedId } = await harness.preparePaidRequest({ url: `${shop.url}/report?by=harness` });
      const result = await harness.executePreparedRequest({ preparedId });
      return result.harnessDisposition === 'executed' ? result.merchantResponse.body : result.message;
    },
    desk: async () => {
      const { paymentId } = (await desk.quote({ url: `${shop.url}/report?by=desk` })) as PaymentQuote;
      await desk.card({ paymentId });
      const { confirmation = '' } = await desk.confirm({ paymentId, answer: 'yes' });
      return ((await desk.pay({ paymentId, confirmation })) as PaymentOutcome).response.body;
    },
  };
  for (const buys of Object.values(ways)) assert.notEqual(await buys().catch(String), GOODS);
  answers = true;
  for (const buys of Object.values(ways)) assert.equal(await buys(), GOODS);
  assert.equal(new Set(signer.asked.map(({ message }) => message['nonce'])).size, 2);
});

for (const [name, more] of [
  ['a wrapped fetch', {}],
  ['a store with resume', { resume }],
] as const) {
  //
  test(`${name}: an error names the URL that was asked for, with which the purchase goes on`, async (t) => {
    let answers = false;
    const shop = await open((request, response) => {
      if (request.url === '/report') return void response.writeHead(301, { location: '/report/' }).end();
      if (paymentOf(request) === undefined) return ask(response);
      return answers ? serve(response) : void response.destroy();
    });
    t.after(() => shop.stop());
    const [store, signer] = [memoryStore(), watchedSigner()];
    const pay = payingFetch({ signer, store, policy: { deadlineSecs: 1 }, ...more });
    const { payment } = await pay(`${shop.url}/report`).then(
      () => assert.fail('answered'),
      (error: FareboxError) => error,
    );
    const urls = [`${shop.url}/report/`, `${shop.url}/report`] as const;
    assert.deepEqual([payment?.url, payment?.askedUrl], urls);
    const kept = (await sentPayments(store)).map((it) => [it.url, it.askedUrl, (it.ends ?? 0) >= (payment?.validBefore ?? NaN)]);
    assert.deepEqual(kept, 'resume' in more ? [[...urls, true]] : []);
    answers = true;
    const { askedUrl = '' } = payment ?? {};
    assert.deepEqual([await (await pay(askedUrl)).text(), signer.asked.length], [GOODS, 1]);
  });
}

/** A client of a control plane that pays nothing, and what that is asked. */
function deniedPlane() {
  const asked: SdkPaymentDecisionRequest[] = [];
  const client = createAgentPayClient({
    controlPlaneBaseUrl: 'https://plane.example',
    auth: { type: 'runtimeToken', runtimeToken: 'token' },
    organization: 'org',
    agent: 'agent',
    fetch: async (input, init) => {
      if (!String(input).startsWith('https://plane.example')) return fetch(input, init);
      asked.push(JSON.parse(String(init?.body)) as SdkPaymentDecisionRequest);
      return Response.json({ outcome: 'deny', reasonCode: 'policy_denied', reason: 'no' });
    },
  });
  return { client, asked };
}

//
test('a control plane is told by which URL a purchase is known, wherever each call for it is redirected', async (t) => {
  let calls = 0;
  const shop = await open((request, response) => {
    if (request.url === '/report') return void response.writeHead(302, { location: `/report/${(calls += 1)}` }).end();
    ask(response);
  });
  t.after(() => shop.stop());
  const { client, asked } = deniedPlane();
  for (const part of ['', '#part']) {
    await assert.rejects(client.fetchPaid(`${shop.url}/report${part}`, undefined, {}), { kind: 'denied' });
    const prepared = await client.preparePaidRequest(`${shop.url}/report${part}`);
    await assert.rejects(client.executePreparedRequest(prepared as SdkPreparedPaidRequestReady), { kind: 'denied' });
  }
  await assert.rejects(client.fetchPaid(`${shop.url}/other`, undefined, {}), { kind: 'denied' });
  await assert.rejects(client.fetchPaid(`${shop.url.toUpperCase()}/other#part`, undefined, {}), { kind: 'denied' });
  assert.deepEqual(
    asked.map(({ request }) => [request.url, request.askedUrl]),
    [
      ...[1, 2, 3, 4].map((call) => [`${shop.url}/report/${call}`, `${shop.url}/report`]),
      [`${shop.url}/other`, undefined],
      [`${shop.url.toUpperCase()}/other#part`, `${shop.url}/other`],
    ],
  );
});

test('a control plane is asked to pay the URL to which the request was redirected', async (t) => {
  const shop = await shopOf(t);
  const { client, asked } = deniedPlane();
  await assert.rejects(client.fetchPaid(`${shop.url}/report`, undefined, {}));
  const prepared = await client.preparePaidRequest(`${shop.url}/report`);
  assert.deepEqual([asked[0]?.request.url, prepared.request.url], [`${shop.url}/report/`, `${shop.url}/report/`]);
});
