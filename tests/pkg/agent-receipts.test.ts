// Receipts of the local agent: they tell what the checked settlement says was charged, not what was last shown or signed.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';

import {
  AgentHarness,
  createLocalAgentClient,
  type LocalAgentOptions,
  type SdkReceipt,
  sdkReceiptSchema,
} from '../../pkg/dist/agent/index.js';
import { memoryStore, type Store } from '../../pkg/dist/index.js';
import { sentPayments } from '../../pkg/dist/resume.js';
import { ask, OFFER, OTHER, PAYEE, paymentOf, serve, settlement, sharedShop, TRANSACTION, terms, USDC, watchedSigner } from './shop.ts';

const shop = sharedShop();
const OPEN = { kind: 'execution_inconclusive' };

function local(change: Partial<LocalAgentOptions> = {}) {
  const [signer, store] = [watchedSigner(), memoryStore()];
  const policy = { hosts: [shop.host], ...change.policy };
  return { signer, store, client: createLocalAgentClient({ signer, store, ...change, policy }) };
}

/** Asks for this offer, and gives each payment to `pays`. */
const asksFor = (offer: object, pays: (response: ServerResponse) => void): void => {
  shop.answers = (request, response) =>
    paymentOf(request) === undefined ? ask(response, terms([{ ...OFFER, ...offer }])) : pays(response);
};
/** Takes the payment, and its answer breaks off. */
const loses = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-length': '1000' });
  response.write('half', () => response.destroy());
};

/** What the store tells of its one payment. */
const keptIn = async (store: Store): Promise<readonly unknown[]> => {
  const [kept, ...more] = await sentPayments(store);
  assert.deepEqual([kept?.open, more], [false, []]);
  const { transaction, payTo, amount, price } = kept?.receipt ?? {};
  return [transaction, payTo?.toLowerCase(), amount, price];
};
const moneyOf = (amount: string, amountMinor: string, precision = 6): object => ({
  asset: USDC,
  amount,
  amountMinor,
  precision,
  unit: 'minor',
});

//
test('a receipt of what was signed before has the amount and the payee of that, and a model is told of the other price', async () => {
  let seconds = Date.now() / 1000;
  const { client, store, signer } = local({ now: () => seconds, policy: { pinPayees: false } });
  asksFor({ amount: '20000', payTo: OTHER }, loses);
  const url = `${shop.url}/report`;
  await assert.rejects(client.fetchPaid(url, undefined, {}), OPEN);
  seconds += 4_000;
  // The seller knows it again by its nonce.
  asksFor({ amount: '10000' }, (response) => serve(response, settlement({ amount: '20000' })));
  const harness = new AgentHarness({ client });
  const { preparedId, paymentRequirement } = await harness.preparePaidRequest({ url });
  assert.deepEqual([paymentRequirement?.amountMinor, paymentRequirement?.payee], ['10000', PAYEE]);
  const result = await harness.executePreparedRequest({ preparedId });
  assert.ok(result.harnessDisposition === 'executed' && result.sdkOutcomeKind === 'success');
  assert.equal(result.reason, `The receipt names another price than was shown: 0.020000 of ${USDC}.`);
  const { receipt } = await client.lookupReceipt(result.receiptId ?? '');
  assert.deepEqual([sdkReceiptSchema.parse(receipt).money, receipt.paymentReference], [moneyOf('0.020000', '20000'), TRANSACTION]);
  assert.deepEqual(await keptIn(store), [TRANSACTION, OTHER.toLowerCase(), '20000', '0.02']);
  assert.deepEqual(
    signer.asked.map(({ message }) => message['value']),
    ['20000', '10000'],
  );
});

//
test('a payment that is sent again at another price has a receipt that agrees with itself', async () => {
  const { client, store, signer } = local();
  asksFor({}, loses);
  const url = `${shop.url}/report`;
  await assert.rejects(client.fetchPaid(url, undefined, {}), OPEN);
  asksFor({ amount: '20000' }, (response) => serve(response));
  const outcome = await client.fetchPaid(url, undefined, {});
  assert.ok(outcome.kind === 'success');
  assert.deepEqual(sdkReceiptSchema.parse(outcome.receipt).money, moneyOf('0.010000', '10000'));
  assert.deepEqual([await keptIn(store), signer.asked.length], [[TRANSACTION, PAYEE.toLowerCase(), '10000', '0.01'], 1]);
});

test('without a settlement a receipt has what was signed, in both forms', async () => {
  const { client } = local();
  asksFor({}, loses);
  const url = `${shop.url}/report`;
  await assert.rejects(client.fetchPaid(url, undefined, {}), OPEN);
  asksFor({ amount: '20000' }, (response) => void response.end('delivered'));
  const outcome = await client.fetchPaid(url, undefined, {});
  assert.ok(outcome.kind === 'success');
  const { money, settlementEvidenceClass } = sdkReceiptSchema.parse(outcome.receipt);
  assert.deepEqual([money, settlementEvidenceClass], [moneyOf('0.010000', '10000'), 'inconclusive']);
});

const BOUND = { scheme: 'upto', amount: '1000000', extra: { ...OFFER.extra, facilitatorAddress: OTHER } };
//
for (const [what, settled, money, kept] of [
  ['less than', settlement({ amount: '200000' }), moneyOf('0.200000', '200000'), [TRANSACTION, PAYEE.toLowerCase(), '200000', '0.2']],
  ['nothing of', settlement({ amount: '0', transaction: '' }), moneyOf('0', '0', 0), ['', PAYEE.toLowerCase(), '0', '0']],
] as const)
  test(`where ${what} a bound was charged, a receipt says so, and the bound is shown as one`, async () => {
    const { client, store } = local({ policy: { upto: '1' } });
    asksFor(BOUND, (response) => serve(response, settled));
    const harness = new AgentHarness({ client });
    const { preparedId, costSummary, paymentRequirement } = await harness.preparePaidRequest({ url: `${shop.url}/report` });
    assert.deepEqual([costSummary, paymentRequirement?.amountType], ['Costs 1.000000 USDC on Base Sepolia (up to).', 'max']);
    const result = await harness.executePreparedRequest({ preparedId });
    assert.ok(result.harnessDisposition === 'executed');
    assert.deepEqual([result.sdkOutcomeKind, result.reason], ['success', undefined]);
    const receipt: SdkReceipt = sdkReceiptSchema.parse((await client.lookupReceipt(result.receiptId ?? '')).receipt);
    assert.deepEqual([receipt.money, receipt.paymentReference ?? ''], [money, settled['transaction']]);
    assert.deepEqual(await keptIn(store), kept);
  });

//
test('a bound is not paid where one price was shown, nor one price where a bound was', async () => {
  for (const [shown, asked] of [
    [{ amount: '1000000' }, BOUND],
    [BOUND, { amount: '1000000' }],
  ]) {
    const { client, signer } = local({ policy: { upto: '1' } });
    asksFor(shown!, (response) => serve(response));
    const before = await client.preparePaidRequest(`${shop.url}/report`);
    asksFor(asked!, (response) => serve(response));
    const now = await client.preparePaidRequest(`${shop.url}/report`);
    assert.ok(before.kind === 'ready' && now.kind === 'ready');
    const changed = { ...before, challenge: now.challenge };
    await assert.rejects(client.executePreparedRequest(changed), { kind: 'denied', reason: /^terms_changed: / });
    assert.equal(signer.asked.length, 0);
  }
});

test('a row that was kept before settlements were has what was signed', async () => {
  const { client, store } = local();
  asksFor({}, (response) => serve(response));
  await client.fetchPaid(`${shop.url}/report`, undefined, {});
  const { record = '' } = await store.read();
  const earlier = JSON.parse(record) as { sent: [string, number, boolean, string][] };
  for (const row of earlier.sent) {
    const { settled, ...rest } = JSON.parse(row[3]) as { settled?: unknown };
    assert.ok(settled !== undefined);
    row[3] = JSON.stringify(rest);
  }
  const read = { read: async () => ({ record: JSON.stringify(earlier) }) } as unknown as Store;
  assert.deepEqual(await keptIn(read), [TRANSACTION, PAYEE.toLowerCase(), '10000', '0.01']);
});
