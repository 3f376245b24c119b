// A store that fails as what became of an agent's payment is noted: the answer comes, and the next call for it is no other purchase.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';

import {
  AgentHarness,
  createLocalAgentClient,
  createPaymentDesk,
  type LocalAgentClient,
  type PaymentOutcome,
  type PaymentQuote,
} from '../../pkg/dist/agent/index.js';
import { memoryStore } from '../../pkg/dist/index.js';
import { failing, rowsIn } from './failing.ts';
import { ask, base64, GOODS, type Json, OFFER, open, paymentOf, serve, settlement, sharedShop, terms, watchedSigner } from './shop.ts';

const shop = sharedShop();

/** Whether a payment is closed there. */
const isClosed = (record: string): boolean => rowsIn(record).some(([, isOpen]) => !isOpen);
const noncesOf = (signer: ReturnType<typeof watchedSigner>): number => new Set(signer.asked.map(({ message }) => message['nonce'])).size;

type Buys = () => Promise<string>;
const harnessOf =
  (harness: AgentHarness, url: string): Buys =>
  async () => {
    const { preparedId } = await harness.preparePaidRequest({ url });
    const result = await harness.executePreparedRequest({ preparedId });
    return result.harnessDisposition === 'executed' ? result.merchantResponse.body : result.message;
  };
const quoteAt = async (desk: ReturnType<typeof createPaymentDesk>, url: string): Promise<{ paymentId: string; confirmation: string }> => {
  const { paymentId } = (await desk.quote({ url })) as PaymentQuote;
  await desk.card({ paymentId });
  return { paymentId, confirmation: '', ...(await desk.confirm({ paymentId, answer: 'yes' })) };
};
const deskOf =
  (desk: ReturnType<typeof createPaymentDesk>, url: string): Buys =>
  async () =>
    ((await desk.pay(await quoteAt(desk, url))) as PaymentOutcome).response.body;

const WAYS: readonly (readonly [name: string, buys: (client: LocalAgentClient, url: string) => Buys])[] = [
  ['fetchPaid', (client, url) => async () => (await client.fetchPaid(url, undefined, {})).response.text()],
  [
    'fetchPaid with a key',
    (client, url) => async () => (await client.fetchPaid(url, undefined, { idempotencyKey: 'order-7' })).response.text(),
  ],
  ['a harness', (client, url) => harnessOf(new AgentHarness({ client }), url)],
  ['a desk', (client, url) => deskOf(createPaymentDesk({ client }), url)],
];
for (const [name, buys] of WAYS) {
  //
  test(`${name}: the answer comes though the store fails as its delivery is noted, and the next call shows the same payment`, async () => {
    const [store, signer] = [failing(isClosed), watchedSigner()];
    const buy = buys(createLocalAgentClient({ signer, store, policy: { hosts: [shop.host] } }), `${shop.url}/report`);
    assert.deepEqual([await buy(), store.failed], [GOODS, 1]);
    assert.deepEqual([await buy(), noncesOf(signer), new Set(shop.payments()).size], [GOODS, 1, 1]);
    assert.ok(isClosed((await store.read()).record ?? ''));
  });

  //
  test(`${name}: the answer comes though that of the store is lost once it has kept the delivery`, async () => {
    const [store, signer] = [failing(isClosed, { isKept: true }), watchedSigner()];
    const buy = buys(createLocalAgentClient({ signer, store, policy: { hosts: [shop.host] } }), `${shop.url}/report`);
    assert.deepEqual([await buy(), store.failed, noncesOf(signer)], [GOODS, 1, 1]);
  });
}

//
test('content without a receipt comes though the store fails as that is noted', async () => {
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : response.writeHead(200).end(GOODS));
  const [store, signer] = [failing((record) => record.includes('\\"answered\\":true')), watchedSigner()];
  const client = createLocalAgentClient({ signer, store, policy: { hosts: [shop.host] } });
  const buy = async (): Promise<string> => (await client.fetchPaid(`${shop.url}/report`, undefined, {})).response.text();
  assert.deepEqual([await buy(), store.failed], [GOODS, 1]);
  assert.deepEqual([await buy(), noncesOf(signer)], [GOODS, 1]);
});

//
test('a harness gives its outcome while its own store fails, and writes it with the next change', async () => {
  const [store, signer] = [failing((record) => record.includes('"executed"'), { times: 3 }), watchedSigner()];
  const client = createLocalAgentClient({ signer, store: memoryStore(), policy: { hosts: [shop.host] } });
  const harness = new AgentHarness({ client, store });
  const { preparedId } = await harness.preparePaidRequest({ url: `${shop.url}/report` });
  const result = await harness.executePreparedRequest({ preparedId });
  assert.ok(result.harnessDisposition === 'executed' && result.merchantResponse.body === GOODS);
  assert.deepEqual([harness.getExecutionResult(preparedId).executionResult, store.failed], [result, 1]);
  // Nothing else is begun meanwhile.
  for (const failed of [2, 3]) {
    await assert.rejects(harness.preparePaidRequest({ url: `${shop.url}/other` }), { message: 'ENOSPC' });
    assert.deepEqual([store.failed, harness.getExecutionResult(preparedId).state], [failed, 'consumed']);
  }
  await harness.preparePaidRequest({ url: `${shop.url}/other` });
  const later = new AgentHarness({ client, store });
  await later.restore();
  assert.deepEqual([later.getExecutionResult(preparedId).executionResult, signer.asked.length], [result, 1]);
});

//
test('a desk gives its outcome while its own store fails, and again in the next process', async () => {
  const [store, signer] = [failing((record) => record.includes('"outcome"'), { times: 2 }), watchedSigner()];
  const client = createLocalAgentClient({ signer, store: memoryStore(), policy: { hosts: [shop.host] } });
  const desk = createPaymentDesk({ client, store });
  const { paymentId, confirmation } = await quoteAt(desk, `${shop.url}/report`);
  const outcome = (await desk.pay({ paymentId, confirmation })) as PaymentOutcome;
  assert.deepEqual([outcome.response.body, store.failed], [GOODS, 1]);
  await assert.rejects(desk.pay({ paymentId }), { message: 'ENOSPC' });
  assert.deepEqual(await desk.pay({ paymentId }), outcome);
  assert.deepEqual([await createPaymentDesk({ client, store }).pay({ paymentId }), signer.asked.length], [outcome, 1]);
});

//
test('what no client could begin is told as it was, though the store of its desk fails', async () => {
  const isPaying = (record: string): boolean => record.includes('"stage":"unresolved"');
  const store = failing(isPaying);
  const client = createLocalAgentClient({
    signer: watchedSigner(),
    fetch: async () => {
      throw new TypeError('no route');
    },
    store: memoryStore(),
    policy: { hosts: [shop.host], deadlineSecs: 1 },
  });
  const wrong = { ...client, signs: client.signs, preparePaidRequest: async () => Promise.reject(new TypeError('no plan')) };
  const desk = createPaymentDesk({ client: wrong as never, store });
  await assert.rejects(desk.pay(await quoteAt(desk, `${shop.url}/report`)), { message: 'no plan' });
  assert.equal(store.failed, 1);
});

//
for (const [name, body] of [
  ['1 MiB', 'x'.repeat(1024 * 1024)],
  ['350 KiB that are no text', Buffer.alloc(350 * 1024, 0xff)],
  ['8 MiB', 'y'.repeat(8 * 1024 * 1024)],
] as const) {
  test(`a desk gives an outcome of ${name} again, in its own process and in the next one`, async () => {
    shop.answers = (request, response) =>
      paymentOf(request) === undefined
        ? ask(response)
        : response.writeHead(200, { 'payment-response': base64(JSON.stringify(settlement())) }).end(body);
    const [store, signer] = [memoryStore(), watchedSigner()];
    const client = createLocalAgentClient({ signer, store: memoryStore(), policy: { hosts: [shop.host] } });
    const desk = createPaymentDesk({ client, store });
    const { paymentId, confirmation } = await quoteAt(desk, `${shop.url}/report`);
    const outcome = (await desk.pay({ paymentId, confirmation })) as PaymentOutcome;
    assert.ok(outcome.response.body === (typeof body === 'string' ? body : body.toString('base64')));
    for (const it of [desk, createPaymentDesk({ client, store })])
      assert.ok(JSON.stringify(await it.pay({ paymentId })) === JSON.stringify(outcome));
    assert.deepEqual([signer.asked.length, shop.payments().length], [1, 1]);
  });
}

//
test('what sellers answer fills no store of a harness: what is done goes first, the oldest of it, and what is being bought stays', async () => {
  const [store, signer] = [memoryStore(), watchedSigner()];
  const client = createLocalAgentClient({ signer, store: memoryStore(), policy: { hosts: [shop.host], perDay: '1000' } });
  const seed = new AgentHarness({ client, store });
  const { preparedId: first } = await seed.preparePaidRequest({ url: `${shop.url}/first` });
  await seed.executePreparedRequest({ preparedId: first });
  await seed.preparePaidRequest({ url: `${shop.url}/waits` });
  const { record = '', version } = await store.read();
  const [done, waits] = JSON.parse(record) as [{ readonly executionResult: { readonly merchantResponse: Json } }, Json];
  const [size, most] = [6 * 1024 * 1024, 64 * 1024 * 1024];
  // Six characters each, once they are written.
  const merchantResponse = { ...done.executionResult.merchantResponse, body: '\u0001'.repeat(size / 6) };
  const rows = Array.from({ length: 20 }, (_, at) => ({
    ...done,
    preparedId: `done-${at}`,
    executionResult: { ...done.executionResult, merchantResponse },
  }));
  const long = { ...waits, state: 'executing', preparedId: 'executing' };
  await store.replace(version, JSON.stringify([long, done, ...rows, waits]));
  const harness = new AgentHarness({ client, store });
  const { preparedId } = await harness.preparePaidRequest({ url: `${shop.url}/last` });
  await harness.executePreparedRequest({ preparedId });
  const kept = (await store.read()).record ?? '';
  assert.ok(kept.length <= most && kept.length > most - 2 * size, String(kept.length));
  const ids = (JSON.parse(kept) as { preparedId: string }[]).map((it) => it.preparedId);
  assert.deepEqual(
    [ids[0], ids[1], ids.at(-3), ids.at(-2), ids.at(-1), ids.includes(first)],
    ['executing', 'done-10', 'done-19', waits['preparedId'], preparedId, false],
  );
});

/** A seller of an answer that takes most of a store, and a client that buys there. */
async function longSeller(t: TestContext) {
  const body = '\u0001'.repeat(12 * 1024 * 1024);
  const seller = await open((request, response) =>
    paymentOf(request) === undefined
      ? ask(response)
      : response.writeHead(200, { 'payment-response': base64(JSON.stringify(settlement())) }).end(body),
  );
  t.after(() => seller.stop());
  const signer = watchedSigner();
  const client = createLocalAgentClient({ signer, store: memoryStore(), policy: { hosts: [seller.host], perDay: '1000' } });
  return { body, seller, signer, client, store: memoryStore() };
}

//
test('what was just bought stays in the store of a harness, though it was prepared before all else', async (t) => {
  const { seller, client, store } = await longSeller(t);
  const harness = new AgentHarness({ client, store });
  const { preparedId } = await harness.preparePaidRequest({ url: `${seller.url}/first` });
  await harness.preparePaidRequest({ url: `${seller.url}/later` });
  const bought = await harness.executePreparedRequest({ preparedId });
  const later = new AgentHarness({ client, store });
  await later.restore();
  assert.ok(JSON.stringify(later.getExecutionResult(preparedId).executionResult) === JSON.stringify(bought));
});

//
test('what was just bought stays in the store of a desk, though it was quoted before all else', async (t) => {
  const { body, seller, signer, client, store } = await longSeller(t);
  const desk = createPaymentDesk({ client, store });
  const first = await quoteAt(desk, `${seller.url}/first`);
  const { paymentId: later } = (await desk.quote({ url: `${seller.url}/later` })) as PaymentQuote;
  const bought = (await desk.pay(first)) as PaymentOutcome;
  assert.ok(JSON.stringify(await createPaymentDesk({ client, store }).pay(first)) === JSON.stringify(bought));
  assert.deepEqual([signer.asked.length, bought.response.body.length], [1, body.length]);
  await assert.rejects(desk.card({ paymentId: later }), { code: 'quote_expired_or_missing' });
});

//
test("a seller's terms stand in the store of a harness once, and with what is bound to them where that is asked for", async () => {
  const wanted = terms([OFFER], { extensions: { note: 'once' } });
  const header = base64(JSON.stringify(wanted));
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response, wanted) : serve(response));
  const store = memoryStore();
  const client = createLocalAgentClient({ signer: watchedSigner(), store: memoryStore(), policy: { hosts: [shop.host] } });
  const harness = new AgentHarness({ client, store });
  const { preparedId } = await harness.preparePaidRequest({ url: `${shop.url}/report` });
  assert.equal(((await store.read()).record ?? '').split(header).length - 1, 1);
  const { executionBinding, prepared } = harness.getPreparedRecord(preparedId);
  assert.deepEqual(
    [executionBinding.challenge, executionBinding.url, executionBinding.merchantOrigin],
    [prepared.kind === 'ready' ? prepared.challenge : undefined, `${shop.url}/report`, shop.url],
  );
});
