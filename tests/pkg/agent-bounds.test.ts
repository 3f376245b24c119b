// Answers without an end, in bytes or in time: what was paid stays known, with its receipt, and nothing waits for ever.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';

import {
  AgentHarness,
  createLocalAgentClient,
  createPaymentDesk,
  type FetchPaidError,
  type LocalAgentOptions,
  type PaymentOutcome,
  type PaymentQuote,
  sdkReceiptSchema,
} from '../../pkg/dist/agent/index.js';
import { readWithin } from '../../pkg/dist/beginning.js';
import { memoryStore } from '../../pkg/dist/index.js';
import { ask, base64, open, paymentOf, type Shop, serve, settlement, TRANSACTION, watchedSigner } from './shop.ts';

let shop: Shop;
let answers: (response: ServerResponse) => void;
before(async () => {
  shop = await open((request, response) => (paymentOf(request) === undefined ? ask(response) : answers(response)));
});
beforeEach(() => {
  shop.requests.length = 0;
});
after(() => shop?.stop());

const SETTLED = { 'payment-response': base64(JSON.stringify(settlement())) };
/** Goes on as long as anybody reads. */
function pour(response: ServerResponse): void {
  const write = (): void => {
    while (!response.destroyed && response.write('a'.repeat(10_000)));
    if (!response.destroyed) response.once('drain', write);
  };
  write();
}
/** Begins, and goes on too slowly. */
function drip(response: ServerResponse): void {
  response.write('a');
}
function local(change: Partial<LocalAgentOptions> = {}) {
  const signer = watchedSigner();
  return {
    signer,
    client: createLocalAgentClient({
      signer,
      store: memoryStore(),
      ...change,
      policy: { hosts: [new URL(shop.url).host], ...change.policy },
    }),
  };
}
const buy = async (harness: AgentHarness) => {
  const { preparedId } = await harness.preparePaidRequest({ url: `${shop.url}/report` });
  const result = await harness.executePreparedRequest({ preparedId });
  assert.ok(result.harnessDisposition === 'executed');
  return result;
};
const payments = (): number => new Set(shop.requests.map(paymentOf).filter((it) => it !== undefined)).size;

const deskBuys = async (client: ReturnType<typeof local>['client']) => {
  const desk = createPaymentDesk({ client });
  const { paymentId } = (await desk.quote({ url: `${shop.url}/report` })) as PaymentQuote;
  await desk.card({ paymentId });
  const { confirmation } = await desk.confirm({ paymentId, answer: 'yes' });
  const { response } = (await desk.pay({ paymentId, confirmation: confirmation ?? '' })) as PaymentOutcome;
  return response;
};
const decided = async (client: ReturnType<typeof local>['client']) => {
  const error = await client.fetchPaid(`${shop.url}/report`, undefined, {}).catch((thrown: unknown) => thrown as FetchPaidError);
  assert.ok('decision' in error && 'merchantResponse' in error.decision);
  return error.decision.merchantResponse;
};

/** Valid, but for its last character, which is cut where the answer is longer than its bound. */
const CUT = Buffer.concat([Buffer.from('\ufeff{"rain":"'), Buffer.alloc(987, 'a'), Buffer.from('€'), Buffer.alloc(100, 'a')]);
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0xfe, 0, 0x80]);
for (const [what, bytes, told, encoding] of [
  ['text as it is', Buffer.from('\ufeffzwölf €'), Buffer.from('\ufeffzwölf €'), undefined],
  ['text that is cut within a character as the text before it', CUT, CUT.subarray(0, 999), undefined],
  ['what is no text in base64', PNG, PNG, 'base64'],
] as const) {
  //
  test(`an outcome has ${what}, and a field that says so is no merchant's`, async () => {
    const isCut = bytes.length > told.length;
    for (const [status, writes] of [
      [200, async (client: ReturnType<typeof local>['client']) => (await buy(new AgentHarness({ client }))).merchantResponse],
      [200, deskBuys],
      [isCut ? 200 : 404, decided],
    ] as const) {
      answers = (response) => response.writeHead(status, { ...SETTLED, 'x-farebox-encoding': 'base64' }).end(bytes);
      const { headers, body } = await writes(local({ maxAnswerBytes: 1_000 }).client);
      assert.deepEqual([headers['x-farebox-encoding'], Buffer.from(body, encoding ?? 'utf8')], [encoding, told]);
    }
  });
}

test('a paid answer that is longer than the bound is its beginning, with the receipt and the word that it was paid', async () => {
  answers = (response) => pour(response.writeHead(200, SETTLED));
  const { client, signer } = local({ maxAnswerBytes: 1_000 });
  const result = await buy(new AgentHarness({ client }));
  assert.deepEqual([result.sdkOutcomeKind, result.status, result.merchantResponse.body.length], ['paid_fulfillment_failed', 200, 1_000]);
  assert.equal(result.reason, 'Paid 0.01 USDC (10000), and the answer is longer than 1000 bytes: this is its beginning.');
  const { receipt } = await client.lookupReceipt(result.receiptId ?? '');
  assert.deepEqual(
    [sdkReceiptSchema.parse(receipt).paymentReference, receipt.reconciliationStatus, signer.asked.length],
    [TRANSACTION, 'required', 1],
  );
});

//
test('what came for a payment is handed over each time though its receipt is no proof, and the same payment is sent again', async () => {
  const other = { 'payment-response': base64(JSON.stringify(settlement({ payer: `0x${'ab'.repeat(20)}` }))) };
  answers = (response) => response.writeHead(200, other).end('sunny');
  const { client, signer } = local();
  const harness = new AgentHarness({ client });
  for (let turn = 0; turn < 2; turn++) {
    const { sdkOutcomeKind, reason = '', merchantResponse } = await buy(harness);
    assert.equal(sdkOutcomeKind, 'execution_inconclusive');
    assert.match(reason, /^receipt_mismatch: /);
    const { evidence } = JSON.parse(merchantResponse.body) as { evidence: { merchantResponse: { status: number; body: string } } };
    assert.deepEqual([evidence.merchantResponse.status, evidence.merchantResponse.body], [200, 'sunny']);
  }
  answers = (response) => serve(response);
  assert.deepEqual([(await buy(harness)).sdkOutcomeKind, signer.asked.length, payments()], ['success', 1, 1]);
});

test('a paid answer that does not end in time names its transaction, and is asked for again with the same payment', async () => {
  answers = (response) => drip(response.writeHead(200, SETTLED));
  const { client, signer } = local({ answerTimeoutMs: 200 });
  const harness = new AgentHarness({ client });
  const result = await buy(harness);
  assert.deepEqual(
    [result.sdkOutcomeKind, result.reason],
    [
      'execution_inconclusive',
      `The answer to a payment of 0.01 USDC (10000) took too long. The merchant names the transaction ${TRANSACTION}.`,
    ],
  );
  answers = (response) => serve(response);
  assert.deepEqual([(await buy(harness)).sdkOutcomeKind, signer.asked.length, payments()], ['success', 1, 1]);
});

//
test('a paid answer that begins in time may take its own time to arrive, also where it is asked for again', async () => {
  const slow = (response: ServerResponse): void => {
    response.writeHead(200, SETTLED).write('first ');
    setTimeout(() => response.end('last'), 700);
  };
  answers = slow;
  const { client, signer } = local({ timeoutMs: 300 });
  assert.equal((await buy(new AgentHarness({ client }))).merchantResponse.body, 'first last');
  answers = (response) => response.writeHead(200, SETTLED).write('a', () => response.destroy());
  const harness = new AgentHarness({ client });
  assert.equal((await buy(harness)).sdkOutcomeKind, 'execution_inconclusive');
  answers = slow;
  assert.equal((await buy(harness)).merchantResponse.body, 'first last');
  assert.equal(signer.asked.length, 2);
});

test('a refusal without an end is a refusal', async () => {
  answers = (response) => pour(response.writeHead(402, { 'content-type': 'application/json' }));
  const { client, signer } = local({ maxAnswerBytes: 1_000 });
  const result = await buy(new AgentHarness({ client }));
  assert.deepEqual(
    [result.sdkOutcomeKind, result.status, result.merchantResponse.body.length, signer.asked.length],
    ['execution_failed', 402, 1_000, 1],
  );
});

test('an answer without a head in time is asked for again, and what is sent again has that limit too', async () => {
  answers = () => undefined;
  const { client, signer } = local({ timeoutMs: 100, policy: { deadlineSecs: 1 } });
  const prepared = await client.preparePaidRequest(`${shop.url}/report`);
  assert.ok(prepared.kind === 'ready');
  const context = { idempotencyKey: 'one' };
  await assert.rejects(client.executePreparedRequest(prepared, context), { kind: 'execution_inconclusive' });
  await assert.rejects(client.executePreparedRequest(prepared, context), {
    kind: 'execution_inconclusive',
    reason: /^payment_unresolved: /,
  });
  answers = (response) => serve(response);
  assert.deepEqual([(await client.executePreparedRequest(prepared, context)).kind, signer.asked.length, payments()], ['success', 1, 1]);
});

test('a desk passes on the beginning of a long answer and says that it was paid', async () => {
  answers = (response) => pour(response.writeHead(200, SETTLED));
  const desk = createPaymentDesk({ client: local({ maxAnswerBytes: 1_000 }).client });
  const quote = await desk.quote({ url: `${shop.url}/report` });
  assert.ok(quote.needsConfirm);
  await desk.card(quote);
  const { confirmation = '' } = await desk.confirm({ ...quote, answer: 'yes' });
  const outcome = (await desk.pay({ ...quote, confirmation })) as PaymentOutcome;
  assert.deepEqual(
    [outcome.kind, outcome.transaction, outcome.response.body.length, outcome.receipt?.paymentReference],
    ['paid_fulfillment_failed', TRANSACTION, 1_000, TRANSACTION],
  );
});

test('reading ends at its bounds, whatever the body does', async () => {
  const endless = (every: (controller: ReadableStreamDefaultController<Uint8Array>) => void) =>
    new Response(new ReadableStream<Uint8Array>({ pull: every }));
  const told = async (response: Response, most: number, milliseconds: number) => {
    const { bytes, end } = await readWithin(response, most, milliseconds);
    return [bytes.length, end];
  };
  assert.deepEqual(
    await told(
      endless((it) => it.enqueue(new Uint8Array(7))),
      10,
      60_000,
    ),
    [10, 'longer'],
  );
  assert.deepEqual(
    await told(
      endless(() => undefined),
      10,
      50,
    ),
    [0, 'late'],
  );
  assert.deepEqual(
    await told(
      endless((it) => it.error(new Error('broken'))),
      10,
      60_000,
    ),
    [0, 'broken'],
  );
  assert.deepEqual(await told(new Response('0123456789'), 10, 60_000), [10, 'whole']);
  assert.deepEqual(await told(new Response(null), 10, 60_000), [0, 'whole']);
});

test('a long answer without a receipt closes nothing: the same payment is asked for again', async () => {
  answers = (response) => {
    response.writeHead(200).end('a'.repeat(100));
  };
  const { client, signer } = local({ maxAnswerBytes: 10 });
  for (let turn = 0; turn < 3; turn += 1) await buy(new AgentHarness({ client }));
  assert.equal(signer.asked.length, 1);
});
