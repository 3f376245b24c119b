// The local back end: this wallet and policy behind the same methods. What was prepared is paid once, or not at all.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';

import {
  AgentHarness,
  createLocalAgentClient,
  FetchPaidError,
  type LocalAgentOptions,
  type SdkPreparedPaidRequestReady,
  type SdkReceipt,
  sdkReceiptSchema,
} from '../../pkg/dist/agent/index.js';
import { memoryStore } from '../../pkg/dist/index.js';
import { sentPayments } from '../../pkg/dist/resume.js';
import {
  ask,
  GOODS,
  honest,
  OFFER,
  OTHER,
  open,
  PAYEE,
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

const EURC = { symbol: 'EURC', network: OFFER.network, address: `0x${'12'.repeat(20)}`, name: 'EURC', version: '2', decimals: 6 };
function local(change: Partial<LocalAgentOptions> = {}) {
  const [signer, store] = [watchedSigner(), memoryStore()];
  return {
    signer,
    store,
    client: createLocalAgentClient({ signer, store, ...change, policy: { hosts: [new URL(shop.url).host], ...change.policy } }),
  };
}
const ready = async (client: ReturnType<typeof local>['client'], path = '/report'): Promise<SdkPreparedPaidRequestReady> => {
  const prepared = await client.preparePaidRequest(`${shop.url}${path}`);
  assert.equal(prepared.kind, 'ready');
  return prepared as SdkPreparedPaidRequestReady;
};
const failed = async (paying: Promise<unknown>): Promise<FetchPaidError> => {
  const error = await paying.catch((it: unknown) => it);
  assert.ok(error instanceof FetchPaidError, String(error));
  return error;
};

test('prepare looks at all offers with what the policy says of each, and neither counts nor signs', async () => {
  const offers = [{ ...OFFER, amount: '2000000' }, OFFER, { ...OFFER, scheme: 'other' }];
  shop.answers = (_, response) => ask(response, terms(offers));
  const { client, signer, store } = local({ confirm: () => assert.fail('asked') });
  const prepared = await ready(client);
  assert.deepEqual(
    [
      prepared.paymentRequirement?.amountMinor,
      prepared.paymentRequirement?.amount,
      prepared.paymentRequirement?.payee,
      prepared.nextAction,
    ],
    ['10000', '0.010000', PAYEE, 'execute'],
  );
  const looked = await client.offersOf(prepared);
  assert.deepEqual(
    looked.map(({ offer, allowed, refusal }) => [offer?.amount, allowed, refusal?.code]),
    [
      [undefined, false, 'policy_amount'],
      ['10000', true, undefined],
      [undefined, false, 'unsupported_scheme'],
    ],
  );
  assert.deepEqual([signer.asked.length, (await store.read()).record, shop.requests.length], [0, undefined, 1]);
});

test('execute pays what was shown once, without asking for the terms again, and the receipt has its facts', async () => {
  const { client, signer, store } = local();
  const prepared = await ready(client);
  const outcome = await client.executePreparedRequest(prepared);
  assert.ok(outcome.kind === 'success');
  assert.deepEqual([outcome.response.status, await outcome.response.text(), shop.requests.length], [200, GOODS, 2]);
  const receipt = sdkReceiptSchema.parse(outcome.receipt);
  assert.deepEqual(
    [receipt.money, receipt.paymentReference, receipt.status, receipt.fulfillmentStatus],
    [{ asset: USDC, amount: '0.010000', amountMinor: '10000', precision: 6, unit: 'minor' }, TRANSACTION, 'provisional', 'succeeded'],
  );
  assert.deepEqual([signer.asked.length, (await spentIn(store)).entries.length], [1, 1]);
  assert.deepEqual((await client.lookupReceipt(outcome.receiptId)).receipt, outcome.receipt);
  const again = await client.executePreparedRequest(prepared);
  assert.ok(again.kind === 'success');
  assert.deepEqual(
    [again.receiptId, await again.response.text(), shop.requests.length, signer.asked.length],
    [outcome.receiptId, GOODS, 2, 1],
    'prepared once, paid once',
  );
});

//
test('without a store the caps and the payee of a host hold for all payments of one client', async () => {
  const signer = watchedSigner();
  const client = createLocalAgentClient({ signer, policy: { hosts: [new URL(shop.url).host], perDay: '0.02' } });
  await client.executePreparedRequest(await ready(client, '/1'));
  const [more, other] = [await ready(client, '/3'), await ready(client, '/4')];
  shop.answers = (request, response) =>
    paymentOf(request) === undefined ? ask(response, terms([{ ...OFFER, payTo: OTHER }])) : serve(response);
  assert.match(String((await failed(client.executePreparedRequest(await ready(client, '/5')))).reason), /^payee_changed/);
  shop.answers = honest;
  await client.executePreparedRequest(await ready(client, '/2'));
  for (const next of [more, other, await ready(client, '/6')]) {
    assert.match(String((await failed(client.executePreparedRequest(next))).reason), /^budget_exhausted/);
  }
  assert.equal(signer.asked.length, 2);
});

test('without a store a person sees which endpoint its server has stopped, and opens it again', async () => {
  const diagnostic = { info: { code: 'OPERATOR_ALERT', escalate: true }, schema: { type: 'object' } };
  shop.answers = (request, response) =>
    paymentOf(request) === undefined ? ask(response) : ask(response, terms([OFFER], { error: 'sold out', extensions: { diagnostic } }));
  const client = createLocalAgentClient({ signer: watchedSigner(), policy: {} });
  await failed(client.executePreparedRequest(await ready(client, '/stopped')));
  assert.deepEqual(
    (await client.endpoints.blocked()).map((it) => [it.method, it.endpoint]),
    [['GET', `${shop.url}/stopped`]],
  );
  assert.equal(await client.endpoints.reenable(`${shop.url}/stopped`), true);
  assert.deepEqual(await client.endpoints.blocked(), []);
});

test('two executions of one prepared request at once sign once', async () => {
  const { client, signer } = local();
  const prepared = await ready(client);
  const [one, two] = await Promise.all([client.executePreparedRequest(prepared), client.executePreparedRequest(prepared)]);
  assert.deepEqual(
    [await one.response.text(), await two.response.text(), signer.asked.length, shop.payments().length],
    [GOODS, GOODS, 1, 1],
  );
  const keyed = await ready(client);
  const context = { idempotencyKey: 'one' };
  await Promise.all([client.executePreparedRequest(keyed, context), client.executePreparedRequest(structuredClone(keyed), context)]);
  assert.deepEqual([signer.asked.length, shop.payments().length], [2, 2]);
});

//
test('a model looks at the hosts of the policy alone, and a look ends at the redirect to another', async () => {
  const [signer, asked] = [watchedSigner(), [] as string[]];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    asked.push(`${init?.method} ${String(input)} ${init?.redirect}`);
    const { pathname, origin } = new URL(String(input));
    const to = { '/away': 'http://169.254.169.254/latest', '/moved': `${origin}/free`, '/round': `${origin}/round` }[pathname];
    return to === undefined ? new Response('free') : new Response(null, { status: 307, headers: { location: to } });
  };
  const harness = (policy: LocalAgentOptions['policy']) =>
    new AgentHarness({ client: createLocalAgentClient({ signer, fetch, ...(policy === undefined ? {} : { policy }) }) });
  const open = harness(undefined);
  for (const [url, method] of [
    ['http://127.0.0.1:9/x', 'GET'],
    ['http://localhost/x', 'GET'],
    ['http://10.0.0.1/', 'GET'],
    ['http://127.0.0.1:9\\@shop.example/x', 'GET'],
    ['http:\\\\127.0.0.1\\.shop.example', 'GET'],
    ['https://shop.example/x', 'POST'],
    ['https://shop.example/x', 'DELETE'],
  ] as const) {
    await assert.rejects(open.preparePaidRequest({ url, method }), { name: 'FareboxError', code: 'policy_host' }, url);
  }
  await assert.rejects(harness({ hosts: ['other.example'] }).preparePaidRequest({ url: 'https://shop.example/x' }), {
    code: 'policy_host',
  });
  await assert.rejects(
    harness({ hosts: ['shop.example'] }).preparePaidRequest({ url: 'http://127.0.0.1:9\\@shop.example/x', method: 'POST', body: '{}' }),
    { code: 'policy_host' },
  );
  assert.equal(asked.length, 0, 'nothing was sent');
  const named = harness({ hosts: ['127.0.0.1:9', 'shop.example'] });
  assert.equal((await named.preparePaidRequest({ url: 'http://127.0.0.1:9/x', method: 'POST', body: '{}' })).kind, 'passthrough');
  assert.equal((await named.preparePaidRequest({ url: 'https://shop.example/moved' })).kind, 'passthrough');
  for (const path of ['away', 'round'])
    await assert.rejects(named.preparePaidRequest({ url: `https://shop.example/${path}` }), { code: 'redirected' }, path);
  await assert.rejects(named.preparePaidRequest({ url: 'https://shop.example/moved', method: 'POST' }), { code: 'redirected' });
  assert.ok(
    asked.every((line) => !line.includes('169.254') && line.endsWith(' manual')),
    asked.join('\n'),
  );
});

test('through the harness the same: one payment, the second is rejected', async () => {
  const { client, signer } = local();
  const harness = new AgentHarness({ client, createPreparedId: () => 'prepared-1' });
  const { costSummary } = await harness.preparePaidRequest({ url: `${shop.url}/report` });
  assert.equal(costSummary, 'Costs 0.010000 USDC on Base Sepolia (exact).');
  const [one, two] = await Promise.all([
    harness.executePreparedRequest({ preparedId: 'prepared-1' }),
    harness.executePreparedRequest({ preparedId: 'prepared-1' }),
  ]);
  assert.deepEqual([one.harnessDisposition, two.harnessDisposition, signer.asked.length], ['executed', 'rejected', 1]);
});

test('an answer that is lost is asked for with the bytes that were signed, also by another process', async () => {
  const [sent, lost] = [memoryStore(), { loses: true }];
  shop.answers = (request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    if (lost.loses) return response.destroy();
    return serve(response);
  };
  const { client, signer, store } = local({ sent, policy: { deadlineSecs: 1 } });
  const prepared = await ready(client);
  const context = { idempotencyKey: 'one' };
  const error = await failed(client.executePreparedRequest(prepared, context));
  assert.deepEqual([error.kind, error.response.status], ['execution_inconclusive', 202]);
  lost.loses = false;
  const next = createLocalAgentClient({ signer, store, sent });
  const outcome = await next.executePreparedRequest(structuredClone(prepared), context);
  assert.ok(outcome.kind === 'success');
  assert.deepEqual(
    [await outcome.response.text(), signer.asked.length, new Set(shop.payments()).size, (await spentIn(store)).entries.length],
    [GOODS, 1, 1, 1],
  );
});

test('one key is one request: another one under it is refused, and gets nothing of the first', async () => {
  const { client, signer } = local();
  const context = { idempotencyKey: 'one' };
  const first = await ready(client);
  await client.executePreparedRequest(first, context);
  const error = await failed(client.executePreparedRequest(await ready(client, '/other'), context));
  assert.deepEqual([error.kind, error.response.status, signer.asked.length], ['request_failed', 409, 1]);
});

for (const [name, change] of Object.entries({
  'another payee': { payTo: OTHER },
  'another amount': { amount: '20000' },
  'another token': { asset: EURC.address, extra: { name: 'EURC', version: '2' } },
})) {
  //
  test(`${name} than was shown is refused before a signature`, async () => {
    const { client, signer } = local({ policy: { assets: ['USDC', EURC] } });
    const prepared = await ready(client);
    shop.answers = (_, response) => ask(response, terms([{ ...OFFER, ...change }]));
    const fresh = await ready(client);
    const error = await failed(client.executePreparedRequest({ ...fresh, paymentRequirement: prepared.paymentRequirement }));
    assert.deepEqual(
      [error.kind, error.reason.split(':')[0], signer.asked.length, shop.payments().length],
      ['denied', 'terms_changed', 0, 0],
    );
  });
}

for (const [kind, code, options, offer] of [
  ['denied', 'policy_amount', { policy: { perPayment: '0.001' } }, OFFER],
  ['denied', 'declined', { confirm: () => false }, OFFER],
  ['denied', 'policy_payee', { policy: { payees: [OTHER] } }, OFFER],
  ['preflight_failed', 'unsupported_scheme', {}, { ...OFFER, scheme: 'other' }],
  ['preflight_failed', 'unsupported_network', {}, { ...OFFER, network: 'eip155:999999' }],
] as const) {
  test(`${code} is ${kind}, and nothing is signed or stays counted`, async () => {
    shop.answers = (_, response) => ask(response, terms([offer]));
    const { client, signer, store } = local(options);
    const error = await failed(client.executePreparedRequest(await ready(client)));
    assert.deepEqual([error.kind, error.reason.split(':')[0], signer.asked.length], [kind, code, 0]);
    assert.equal((await spentIn(store)).entries.length, 0);
  });
}

test('a merchant that refuses the payment is an execution that failed, with its answer', async () => {
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : ask(response, terms([OFFER], { error: 'no' })));
  const { client, signer } = local();
  const prepared = await ready(client);
  const error = await failed(client.executePreparedRequest(prepared));
  assert.deepEqual([error.kind, error.response.status, signer.asked.length], ['execution_failed', 402, 1]);
  // No status says whether money moved: the same payment is sent again, and delivers once the merchant takes it.
  assert.equal((await failed(client.executePreparedRequest(prepared))).kind, 'execution_inconclusive');
  shop.answers = honest;
  assert.equal((await client.executePreparedRequest(prepared)).kind, 'success');
  assert.deepEqual([signer.asked.length, new Set(shop.payments()).size], [1, 1]);
});

test('what was settled and not delivered has a receipt', async () => {
  shop.answers = (request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    const written = { writeHead: (_: number, headers: never) => response.writeHead(424, headers) } as unknown as ServerResponse;
    return serve(written);
  };
  const { client } = local();
  const error = await failed(client.executePreparedRequest(await ready(client)));
  assert.deepEqual([error.kind, error.response.status, error.receipt?.reconciliationStatus], ['paid_fulfillment_failed', 424, 'required']);
  assert.deepEqual((await client.lookupReceipt(error.receipt?.receiptId ?? '')).receipt, error.receipt);
});

test('receipts outlive the process with the store, delivered or not, and sentPayments tells them with what is open', async () => {
  const [store, sent] = [memoryStore(), memoryStore()];
  const receipts: SdkReceipt[] = [];
  for (const status of [200, 424]) {
    shop.answers = (request, response) => {
      if (paymentOf(request) === undefined) return ask(response);
      return serve({ writeHead: (_: number, headers: never) => response.writeHead(status, headers) } as unknown as ServerResponse);
    };
    const { client } = local({ store, sent });
    const outcome = await client
      .executePreparedRequest(await ready(client), { idempotencyKey: `order-${status}` })
      .catch((it: unknown) => it);
    receipts.push((outcome as { receipt: SdkReceipt }).receipt);
  }
  const next = local({ store, sent }).client;
  for (const receipt of receipts) assert.deepEqual((await next.lookupReceipt(receipt.receiptId)).receipt, receipt);
  await assert.rejects(next.lookupReceipt('another'), { message: /404/ });
  const [delivered, owed, ...more] = await sentPayments(sent);
  assert.deepEqual([delivered?.open, owed?.open, more, await sentPayments(store)], [false, true, [], []]);
  for (const it of [delivered, owed]) {
    assert.deepEqual(
      [it?.method, it?.url, it?.receipt?.transaction, it?.receipt?.amount],
      ['GET', `${shop.url}/report`, TRANSACTION, '10000'],
    );
    assert.match(it?.key ?? '', /^0x[0-9a-f]{64}$/);
  }
  assert.ok((owed?.ends ?? 0) > Date.now() / 1000 && owed?.payer !== undefined);
});

test('what the policy would refuse is said with the price, and once that is lifted it is not', async () => {
  const told = async (policy: LocalAgentOptions['policy']) =>
    (await new AgentHarness({ client: local({ policy }).client }).preparePaidRequest({ url: `${shop.url}/report` })).costSummary;
  const cost = 'Costs 0.010000 USDC on Base Sepolia (exact).';
  assert.equal(
    await told({ perPayment: '0.005' }),
    `${cost} A new payment would be refused: policy_amount: the price is 0.01 USDC, and perPayment is 0.005.`,
  );
  assert.equal(await told({ perPayment: '0.01' }), cost);
});

test('the offers of a prepared request are told by its id', async () => {
  const { client } = local();
  const harness = new AgentHarness({ client });
  const { preparedId } = await harness.preparePaidRequest({ url: `${shop.url}/report` });
  const offers = await harness.offersOf(preparedId);
  assert.deepEqual(offers, await client.offersOf(await ready(client)));
  assert.deepEqual([offers[0]?.allowed, offers[0]?.offer?.amount], [true, '10000']);
  await assert.rejects(harness.offersOf('another'), { code: 'unknown_prepared_id' });
});

test('bytes arrive as they were bought', async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  shop.answers = (request, response) =>
    paymentOf(request) === undefined ? ask(response) : response.writeHead(200, { 'content-type': 'image/png' }).end(bytes);
  const { client } = local();
  const outcome = await client.fetchPaid(`${shop.url}/image`, undefined, {});
  assert.ok(outcome.kind === 'success');
  assert.deepEqual([...new Uint8Array(await outcome.response.arrayBuffer())], [...bytes]);
  assert.deepEqual(
    [outcome.receipt.settlementEvidenceClass, outcome.receipt.reconciliationStatus],
    ['inconclusive', 'required'],
    'without a settlement',
  );
});

test('a free answer is passed on unread, and an error of the transport is thrown', async () => {
  shop.answers = (_, response) => response.end('ok');
  const { client, signer } = local();
  const outcome = await client.fetchPaid(`${shop.url}/free`, undefined, {});
  assert.deepEqual([outcome.kind, await outcome.response.text(), signer.asked.length], ['passthrough', 'ok', 0]);
  await assert.rejects(
    local({
      fetch: async () => {
        throw new TypeError('fetch failed');
      },
    }).client.preparePaidRequest(shop.url),
    { message: 'fetch failed' },
  );
  assert.throws(() => createLocalAgentClient({ signer, policy: { perPayment: 1 as never } }), { name: 'FareboxError' });
});

test('a payment that is sent again has the receipt of its settlement, and one that contradicts it is not believed', async () => {
  for (const [settled, kind, evidence] of [
    [settlement(), 'success', 'merchant_verifiable_success'],
    [settlement({ amount: '1' }), 'execution_inconclusive', undefined],
    [settlement({ network: 'eip155:1' }), 'execution_inconclusive', undefined],
    [settlement({ payer: OTHER }), 'execution_inconclusive', undefined],
    [settlement({ transaction: '' }), 'execution_inconclusive', undefined],
    [settlement({ success: false }), 'execution_inconclusive', undefined],
  ] as const) {
    let loses = true;
    shop.answers = (request, response) => {
      if (paymentOf(request) === undefined) return ask(response);
      return loses ? response.destroy() : serve(response, settled);
    };
    const { client, signer } = local({ policy: { deadlineSecs: 1 } });
    const prepared = await ready(client);
    assert.equal((await failed(client.executePreparedRequest(prepared))).kind, 'execution_inconclusive');
    loses = false;
    const outcome = await client.executePreparedRequest(prepared).catch((error: FetchPaidError) => error.details);
    const { receipt } = outcome as {
      receipt?: { settlementEvidenceClass: string; paymentReference?: string; reconciliationStatus: string };
    };
    assert.deepEqual([outcome.kind, receipt?.settlementEvidenceClass, signer.asked.length], [kind, evidence, 1], JSON.stringify(settled));
    assert.deepEqual(
      [receipt?.paymentReference, receipt?.reconciliationStatus],
      kind === 'success' ? [TRANSACTION, 'none'] : [undefined, undefined],
    );
  }
});

test('a 402 with MPP alone is prepared with its price and paid', async () => {
  const request = Buffer.from(
    JSON.stringify({
      amount: '10000',
      currency: USDC,
      methodDetails: { chainId: 84532, credentialTypes: ['authorization'] },
      recipient: PAYEE,
    }),
  ).toString('base64url');
  const receipt = Buffer.from(
    JSON.stringify({ method: 'evm', reference: TRANSACTION, status: 'success', timestamp: '2026-01-01T00:00:00Z' }),
  ).toString('base64url');
  shop.answers = (asked, response) =>
    asked.headers.authorization === undefined
      ? response
          .writeHead(402, { 'www-authenticate': `Payment id="a", realm="127.0.0.1", method="evm", intent="charge", request="${request}"` })
          .end()
      : response.writeHead(200, { 'payment-receipt': receipt }).end(GOODS);
  const { client, signer } = local();
  const harness = new AgentHarness({ client, createPreparedId: () => 'prepared-1' });
  const { costSummary, nextAction, paymentRequirement } = await harness.preparePaidRequest({ url: `${shop.url}/report` });
  assert.deepEqual(
    [costSummary, nextAction, paymentRequirement?.payee],
    ['Costs 0.010000 USDC on Base Sepolia (exact).', 'execute', PAYEE],
  );
  const result = await harness.executePreparedRequest({ preparedId: 'prepared-1' });
  assert.ok(result.harnessDisposition === 'executed');
  assert.deepEqual([result.sdkOutcomeKind, result.merchantResponse.body, signer.asked.length], ['success', GOODS, 1]);
});

test('two processes that pay under one key at once send one payment, and both get what it bought', async () => {
  const [store, sent] = [memoryStore(), memoryStore()];
  shop.answers = (request, response) => {
    if (paymentOf(request) === undefined) ask(response);
    else setTimeout(() => serve(response), 100);
  };
  const clients = [local({ store, sent }), local({ store, sent })].map(({ client }) => client);
  const prepared = await Promise.all(clients.map((client) => ready(client)));
  const outcomes = await Promise.all(
    clients.map((client, at) => client.executePreparedRequest(prepared[at] as SdkPreparedPaidRequestReady, { idempotencyKey: 'order-1' })),
  );
  assert.deepEqual(await Promise.all(outcomes.map(async (outcome) => outcome.kind === 'success' && outcome.response.text())), [
    GOODS,
    GOODS,
  ]);
  assert.deepEqual([shop.payments().length, new Set(shop.payments()).size], [2, 1]);
});

//
test('terms that came from another host by a redirect are not taken for those of the host that was asked', async () => {
  const other = await open((_, response) => ask(response));
  try {
    shop.answers = (_, response) => {
      response.writeHead(302, { location: `${other.url}/terms` }).end();
    };
    const { client, signer } = local();
    for (const asking of [client.preparePaidRequest(`${shop.url}/report`), client.fetchPaid(`${shop.url}/report`, undefined, {})]) {
      await assert.rejects(asking, { code: 'redirected' });
    }
    assert.equal(signer.asked.length, 0);
  } finally {
    await other.stop();
  }
});

test('an answer that breaks off is asked for again with the same payment', async () => {
  let breaks = true;
  shop.answers = (request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    if (!breaks) return serve(response);
    breaks = false;
    response.writeHead(200, { 'payment-response': Buffer.from(JSON.stringify(settlement())).toString('base64'), 'content-length': '1000' });
    response.write('half', () => response.destroy());
  };
  const { client } = local();
  const prepared = await ready(client);
  const error = await failed(client.executePreparedRequest(prepared, { idempotencyKey: 'order-2' }));
  assert.equal(error.details.kind, 'execution_inconclusive');
  const outcome = await client.executePreparedRequest(prepared, { idempotencyKey: 'order-2' });
  assert.deepEqual(
    [outcome.kind, outcome.kind === 'success' && (await outcome.response.text()), new Set(shop.payments()).size],
    ['success', GOODS, 1],
  );
});
