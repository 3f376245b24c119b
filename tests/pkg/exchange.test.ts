// A buyer and a seller at a scripted exchange: what is signed, sent, kept and told where answers are lost, lie, or never come.

import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';

import { buyJob, JobError, SellerError, type SellerEvent, sellJobs } from '../../pkg/dist/agent/index.js';
import { localSigner, memoryStore, type Store, type TypedData } from '../../pkg/dist/index.js';
import { type SentRow, sentIn } from '../../pkg/dist/sent.js';
import { base64, OTHER, PAYEE, PAYER, PAYER_KEY, spentIn, TRANSACTION, USDC } from './shop.ts';

type Asked = {
  readonly path: string;
  readonly body: any;
  readonly payment: string | undefined;
  readonly authorization: string | undefined;
};
type Script = (asked: Asked, response: ServerResponse) => boolean | undefined;

const asked: Asked[] = [];
let script: Script = () => undefined;
let url = '';
const server = createServer(async (request, response) => {
  let text = '';
  for await (const piece of request) text += piece;
  const { pathname } = new URL(request.url ?? '', 'http://exchange');
  const one = {
    path: pathname,
    body: text === '' ? undefined : JSON.parse(text),
    payment: request.headers['payment-signature'] as string | undefined,
    authorization: request.headers.authorization,
  };
  asked.push(one);
  if (script(one, response) !== true) standard(one, response);
});
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => server.close());
beforeEach(() => {
  asked.length = 0;
  script = () => undefined;
});

const ID = 'a1'.repeat(32);
const say = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): true => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  return true;
};
const quote = (change: Record<string, unknown> = {}): Record<string, unknown> => ({
  error: 'Payment Required',
  code: 'PAYMENT_REQUIRED',
  payment_id: ID,
  fingerprint: 'b2'.repeat(32),
  payment_mode: 'x402-escrow',
  network_profile: 'live-testnet',
  pay_to: PAYEE,
  amount: '0.005',
  amount_atomic: '5000',
  currency: 'USDC',
  network: 'eip155:84532',
  chain_id: 84532,
  payment_asset: USDC,
  seller_id: OTHER.toLowerCase(),
  expires_in_seconds: 300,
  accepts: [
    {
      scheme: 'exact',
      network: 'base-sepolia',
      maxAmountRequired: '5000',
      resource: `${url}/api/v1/jobs/verify`,
      payTo: PAYEE,
      asset: USDC,
      extra: { payment_id: ID },
    },
  ],
  x402Version: 1,
  ...change,
});
const required = (payTo = PAYEE): string =>
  base64(
    JSON.stringify({
      x402Version: 2,
      resource: { url: `${url}/till/${ID}` },
      accepts: [
        {
          scheme: 'exact',
          network: 'eip155:84532',
          amount: '5000',
          asset: USDC,
          payTo,
          maxTimeoutSeconds: 300,
          extra: { name: 'USDC', version: '2' },
        },
      ],
    }),
  );
const job = { job_id: 'job-1', job_token: 't'.repeat(43), status: 'paid', settlement_tx_hash: TRANSACTION };

function standard({ path }: Asked, response: ServerResponse): void {
  if (path.endsWith('/capabilities'))
    say(response, 200, {
      network_profile: 'live-testnet',
      network: 'eip155:84532',
      currency: 'USDC',
      capabilities: [{ capability: 'llm', available_count: 1, min_price: '0.005' }],
    });
  else if (path.endsWith('/quote')) say(response, 402, quote(), { 'payment-required': required() });
  else if (path.endsWith('/verify') || path.startsWith('/till/')) say(response, 200, job);
  else say(response, 200, { job_id: 'job-1', status: 'done', result: { text: 'done' } });
}

let signed: TypedData[] = [];
const signer = {
  address: async () => PAYER,
  sign: async (typedData: TypedData) => {
    signed.push(typedData);
    return localSigner(PAYER_KEY).sign(typedData);
  },
};
const order = (more: Partial<Parameters<typeof buyJob>[0]> = {}): Parameters<typeof buyJob>[0] => ({
  url,
  profile: 'live-testnet',
  capability: 'llm',
  prompt: 'hello',
  maxAmount: '0.01',
  signer,
  feed: false,
  ...more,
});
const payments = (): string[] => asked.map(({ payment }) => payment).filter((payment) => payment !== undefined);
const failure = async (bought: Promise<unknown>): Promise<JobError> => {
  const error = await bought.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof JobError, String(error));
  return error;
};
beforeEach(() => {
  signed = [];
});

test('a job is bought in one call, for one signature of the quoted payment', async () => {
  const store = memoryStore();
  const bought = await buyJob(order({ store }));
  assert.deepEqual(bought, {
    jobId: 'job-1',
    paymentId: ID,
    sellerId: OTHER.toLowerCase(),
    amount: '0.005',
    currency: 'USDC',
    transaction: TRANSACTION,
    money: 'paid',
    result: { text: 'done' },
  });
  assert.deepEqual(
    asked.map(({ path }) => path),
    ['/api/v1/buyers/capabilities', '/api/v1/jobs/quote', '/api/v1/jobs/verify', '/api/v1/jobs/job-1'],
  );
  assert.deepEqual(
    signed.map(({ message: { to, value } }) => [to?.toLowerCase(), value]),
    [[PAYEE.toLowerCase(), '5000']],
  );
  assert.equal(asked.at(-1)?.authorization, `Bearer ${job.job_token}`);
  assert.equal((await spentIn(store)).entries.length, 1);
});

test('with a key the same order is the same job for ever, and without one it is a new one', async () => {
  const store = memoryStore();
  const first = await buyJob(order({ store, idempotencyKey: 'one' }));
  const requests = asked.length;
  assert.deepEqual(await buyJob(order({ store, idempotencyKey: 'one' })), first);
  assert.equal(asked.length, requests);
  assert.equal((await failure(buyJob(order({ store, idempotencyKey: 'one', prompt: 'another' })))).code, 'key_taken');
  await buyJob(order({ store }));
  await buyJob(order({ store }));
  assert.equal(signed.length, 3);
});

test('orders at the same time are one order', async () => {
  const store = memoryStore();
  const all = await Promise.all([buyJob(order({ store })), buyJob(order({ store })), buyJob(order({ store }))]);
  assert.equal(new Set(all.map(({ jobId }) => jobId)).size, 1);
  assert.equal(signed.length, 1);
});

test('an answer that is lost is asked for with the same bytes, by this call and by the next', async () => {
  const store = memoryStore();
  script = ({ path }, response) => {
    if (!path.endsWith('/verify')) return false;
    response.destroy();
    return true;
  };
  const lost = await failure(buyJob(order({ store, timeoutMs: 2_000 })));
  assert.deepEqual([lost.code, lost.money, lost.paymentId], ['timed_out', 'unknown', ID]);
  script = () => undefined;
  assert.equal((await buyJob(order({ store }))).money, 'paid');
  assert.ok(payments().length > 2);
  assert.deepEqual([new Set(payments()).size, signed.length, (await spentIn(store)).entries.length], [1, 1, 1]);
});

test('what is asked for at the till is what was quoted, or nothing is signed and nothing counted', async () => {
  const store = memoryStore();
  script = ({ path }, response) => path.endsWith('/quote') && say(response, 402, quote(), { 'payment-required': required(OTHER) });
  const error = await failure(buyJob(order({ store })));
  assert.deepEqual([error.code, error.money, signed.length], ['terms_changed', 'not_moved', 0]);
  assert.equal((await spentIn(store)).entries.length, 0);
});

test('a quote above the limit, the policy or a person is not signed', async () => {
  for (const [more, code] of [
    [{ maxAmount: '0.004' }, 'price_above_limit'],
    [{ policy: { perPayment: '0.001' } }, 'policy_amount'],
    [{ confirm: () => false }, 'declined'],
    [
      {
        signer: {
          address: async () => PAYER,
          sign: async () => {
            throw new Error('no');
          },
        },
      },
      'wallet_failed',
    ],
  ] as const) {
    const store = memoryStore();
    const error = await failure(buyJob(order({ store, ...more })));
    assert.deepEqual([error.code, error.money], [code, 'not_moved']);
    assert.equal(payments().length, 0);
    assert.equal((await spentIn(store)).entries?.length ?? 0, 0);
    // And nothing of it stays: the next order is a new one.
    assert.equal((await buyJob(order({ store }))).jobId, 'job-1');
    asked.length = 0;
  }
});

test('an abort says where the money is, and the same order goes on', async () => {
  const store = memoryStore();
  const stop = new AbortController();
  script = ({ path }, response) => {
    if (!path.endsWith('/job-1')) return false;
    stop.abort();
    return say(response, 200, { job_id: 'job-1', status: 'running', result: null });
  };
  const error = await failure(buyJob(order({ store, signal: stop.signal })));
  assert.deepEqual([error.code, error.money, error.jobId], ['aborted', 'held', 'job-1']);
  script = () => undefined;
  assert.equal((await buyJob(order({ store }))).jobId, 'job-1');
  assert.equal(payments().length, 1);
  const never = await failure(buyJob(order({ store, signal: AbortSignal.abort() })));
  assert.deepEqual([never.code, never.money], ['aborted', 'not_moved']);
});

test('each failure says whether money moved', async () => {
  for (const [status, body, code, money] of [
    [400, { code: 'FACILITATOR_RESPONSE_INVALID', error: 'refused' }, 'payment_refused', 'unknown'],
    [502, { code: 'JOB_FAILED', error: 'x' }, 'job_failed', 'unknown'],
    [409, { code: 'PAYMENT_VERIFY_FAILED', error: 'x', details: { gate: 'refund_due' } }, 'refund_due', 'refunded'],
  ] as const) {
    script = ({ path }, response) => path.endsWith('/verify') && say(response, status, body);
    const error = await failure(buyJob(order()));
    assert.deepEqual([error.code, error.money], [code, money]);
  }
  script = ({ path }, response) => path.endsWith('/job-1') && say(response, 200, { status: 'failed', result: { error: 'no quota' } });
  const error = await failure(buyJob(order()));
  assert.deepEqual([error.code, error.money, error.message], ['job_failed', 'refunded', 'no quota']);
  script = ({ path }, response) => path.endsWith('/quote') && say(response, 503, { code: 'NO_SELLER_AVAILABLE', error: 'none' });
  assert.deepEqual((await failure(buyJob(order()))).code, 'capability_unavailable');
});

/** The nonces that were sent, each of which the token charges once, and the quote's id of a turn. */
const nonces = (): Set<string> =>
  new Set(payments().map((payment) => JSON.parse(Buffer.from(payment, 'base64').toString()).payload.authorization.nonce));
const idOf = (turn: number): string => `${'a1'.repeat(31)}${String(turn).padStart(2, '0')}`;
/** A quote of its own each time: the next one at another price, or in another token. */
const quotedAs = (
  turn: number,
  { amount = '0.005', units = '5000', asset = USDC }: { amount?: string; units?: string; asset?: string } = {},
  response: ServerResponse,
): true => {
  const id = idOf(turn);
  const [accepted] = quote()['accepts'] as [Record<string, unknown>];
  const entry = {
    scheme: 'exact',
    network: 'eip155:84532',
    amount: units,
    asset,
    payTo: PAYEE,
    maxTimeoutSeconds: 300,
    extra: { name: 'USDC', version: '2' },
  };
  const terms = base64(JSON.stringify({ x402Version: 2, resource: { url: `${url}/till/${id}` }, accepts: [entry] }));
  return say(
    response,
    402,
    quote({
      payment_id: id,
      amount,
      amount_atomic: units,
      payment_asset: asset,
      accepts: [{ ...accepted, maxAmountRequired: units, asset, extra: { payment_id: id } }],
    }),
    { 'payment-required': terms },
  );
};

/** What was signed for each nonce, by the order in which it was sent. */
const ends = (): number[] =>
  [...new Set(payments())].map((payment) =>
    Number(JSON.parse(Buffer.from(payment, 'base64').toString()).payload.authorization.validBefore),
  );

for (const idempotencyKey of [undefined, 'order-1']) {
  for (const [status, body] of [
    [400, { code: 'FACILITATOR_RESPONSE_INVALID', error: 'insufficient_funds' }],
    [400, { code: 'INVALID_X_PAYMENT_HEADER', error: 'x' }],
    [403, { code: 'FINGERPRINT_INVALID', error: 'x' }],
    [409, { code: 'PAYMENT_ALREADY_VERIFIED', error: 'x' }],
    [409, { code: 'PAYMENT_VERIFY_FAILED', error: 'x', details: { gate: 'payment_already_used' } }],
    [502, { code: 'JOB_FAILED', error: 'x' }],
  ] as const) {
    test(`an order that was refused with ${status} ${body.code} is ordered again under its nonce${idempotencyKey === undefined ? '' : ', with a key'}`, async () => {
      const store = memoryStore();
      const policy = { perDay: '0.005' };
      let quotes = 0;
      let refuses = true;
      script = ({ path }, response) =>
        (path.endsWith('/quote') && quotedAs((quotes += 1), {}, response)) ||
        (refuses && path.endsWith('/verify') && say(response, status, body));
      const again = (more = {}): ReturnType<typeof buyJob> =>
        buyJob(order({ store: apart(store), policy, ...(idempotencyKey === undefined ? {} : { idempotencyKey }), ...more }));
      for (let turn = 0; turn < 10; turn += 1) assert.equal((await failure(again())).money, 'unknown');
      assert.deepEqual([nonces().size, quotes, (await spentIn(store)).entries.length], [1, 10, 1]);
      const [[, , open, text]] = sentIn((await store.read()).record) as [SentRow];
      assert.deepEqual([open, JSON.parse(text).ends], [true, ends().at(-1)]);
      // Each ends later than the one before, so that a gate can tell them from what it has sent on.
      assert.deepEqual(
        ends(),
        [...new Set(ends())].sort((one, other) => one - other),
      );
      assert.equal(ends().length, 10);
      refuses = false;
      assert.equal((await again()).money, 'paid');
      assert.deepEqual([nonces().size, (await spentIn(store)).entries.length], [1, 1]);
      // What was delivered is over.
      if (idempotencyKey !== undefined) assert.equal((await again()).jobId, 'job-1');
      else await again({ policy: { perDay: '0.01' } });
      assert.equal(nonces().size, idempotencyKey === undefined ? 2 : 1);
    });
  }
}

test('no payment is sent to a place that a quote names', async (t) => {
  const elsewhere: string[] = [];
  const inner = createServer((request, response) => {
    elsewhere.push(`${request.method} ${request.url}`);
    response.end();
  });
  await new Promise<void>((resolve) => inner.listen(0, '127.0.0.1', resolve));
  t.after(() => inner.close());
  const named = `http://127.0.0.1:${(inner.address() as AddressInfo).port}`;
  for (const till of [undefined, `${url}/`]) {
    asked.length = 0;
    let shown = 0;
    script = ({ path }, response) => {
      if (path.endsWith('/quote')) {
        const terms = JSON.parse(Buffer.from(required(), 'base64').toString());
        return say(response, 402, quote(), {
          'payment-required': base64(JSON.stringify({ ...terms, resource: { url: `${named}/admin/delete?confirm=yes&x=/till/${ID}` } })),
        });
      }
      // Lost at first: then only the gate knows whether it arrived.
      if (path.endsWith('/verify'))
        return (shown += 1) === 1 ? say(response, 500, {}) : say(response, 409, { code: 'QUOTE_EXPIRED', error: 'x' });
      return false;
    };
    assert.equal((await buyJob(order(till === undefined ? {} : { till }))).money, 'paid');
    assert.deepEqual(
      asked.filter(({ path }) => path.startsWith('/till/')).map(({ path }) => path),
      [`/till/${ID}`],
    );
  }
  assert.deepEqual(elsewhere, []);
});

test('what an exchange says is kept within bounds, and takes no room from others', async () => {
  const store = memoryStore();
  script = ({ path }, response) => path.endsWith('/verify') && say(response, 200, { ...job, job_token: 't'.repeat(900_000) });
  const long = await failure(buyJob(order({ store, timeoutMs: 600 })));
  assert.deepEqual([long.code, long.money], ['timed_out', 'unknown']);
  assert.ok(((await store.read()).record ?? '').length < 12_000);
  // Orders that it leaves open fill its own share, whatever their callers wrote.
  script = ({ path }, response) =>
    path.endsWith('/quote') && say(response, 402, { ...quote(), more: 'x'.repeat(28_000) }, { 'payment-required': required() });
  const held = { address: signer.address, sign: () => new Promise<string>(() => undefined) };
  for (let turn = 0; turn < 30; turn += 1)
    await Promise.race([
      buyJob(order({ store: apart(store), signer: held, prompt: `${turn}${'p'.repeat(60_000)}` })).catch(() => undefined),
      new Promise((resolve) => setTimeout(resolve, 40)),
    ]);
  const rows = sentIn((await store.read()).record);
  const theirs = rows.filter(([, , open]) => open).reduce((sum, [, , , text]) => sum + text.length, 0);
  assert.ok(rows.length > 8 && theirs > 256 * 1024 && theirs <= 512 * 1024, `${rows.length} rows, ${theirs} characters`);
});

test('orders for which nothing was signed take no room from others', async () => {
  const store = memoryStore();
  script = ({ path }, response) => path.endsWith('/quote') && say(response, 503, {});
  for (let turn = 0; turn < 100; turn += 1)
    assert.equal(
      (await failure(buyJob(order({ store: apart(store), prompt: `${turn}${'p'.repeat(60_000)}`, timeoutMs: 20 })))).code,
      'timed_out',
    );
  const { record = '' } = await store.read();
  assert.ok(record.length < 200_000 && sentIn(record).every(([, , open]) => !open), String(record.length));
  script = () => undefined;
  assert.equal((await buyJob(order({ store }))).money, 'paid');
});

test('work that is charged on delivery is not believed to have begun, and its failure not to be free', async () => {
  const store = memoryStore();
  let quotes = 0;
  const completion = { payment_mode: 'x402-completion', seller_id: PAYEE };
  script = ({ path }, response) => {
    if (path.endsWith('/quote')) {
      const id = idOf((quotes += 1));
      const [accepted] = quote()['accepts'] as [Record<string, unknown>];
      const terms = base64(
        JSON.stringify({
          x402Version: 2,
          resource: { url: `${url}/till/${id}` },
          accepts: [
            {
              scheme: 'exact',
              network: 'eip155:84532',
              amount: '5000',
              asset: USDC,
              payTo: PAYEE,
              maxTimeoutSeconds: 300,
              extra: { name: 'USDC', version: '2' },
            },
          ],
        }),
      );
      return say(response, 402, quote({ ...completion, payment_id: id, accepts: [{ ...accepted, extra: { payment_id: id } }] }), {
        'payment-required': terms,
      });
    }
    if (path.endsWith('/verify')) return say(response, 200, job);
    return path.endsWith('/job-1') && say(response, 200, { status: 'failed', result: { error: 'no' } });
  };
  for (let turn = 0; turn < 3; turn += 1) {
    const error = await failure(buyJob(order({ store, timeoutMs: 600 })));
    assert.deepEqual([error.code, error.money], ['timed_out', 'unknown']);
  }
  assert.deepEqual([nonces().size, (await spentIn(store)).entries.length], [1, 1]);
});

test('a job whose row has left ends its order, and the next one is another payment', async () => {
  const store = memoryStore();
  let ahead = 0;
  const now = (): number => Date.now() / 1000 + ahead;
  script = ({ path }, response) => path.endsWith('/job-1') && say(response, 404, { error: 'Job not found.' });
  assert.deepEqual(
    [(await failure(buyJob(order({ store, now })))).code, (await failure(buyJob(order({ store, now })))).money],
    ['job_unreadable', 'held'],
  );
  ahead = 31 * 86_400;
  const gone = await failure(buyJob(order({ store, now })));
  assert.deepEqual([gone.code, gone.money, nonces().size], ['job_gone', 'unknown', 1]);
  script = () => undefined;
  assert.equal((await buyJob(order({ store, now }))).money, 'paid');
  assert.equal(nonces().size, 2);
});

test('a refund that an exchange tells of pays nothing again unasked', async () => {
  const store = memoryStore();
  script = ({ path }, response) =>
    path.endsWith('/verify') && say(response, 409, { code: 'PAYMENT_VERIFY_FAILED', error: 'x', details: { gate: 'refund_due' } });
  assert.deepEqual([(await failure(buyJob(order({ store })))).code], ['refund_due']);
  for (let turn = 0; turn < 3; turn += 1)
    assert.deepEqual([(await failure(buyJob(order({ store })))).code, nonces().size], ['payment_unresolved', 1]);
  assert.equal((await failure(buyJob(order({ store, confirm: () => false })))).code, 'declined');
  assert.equal((await failure(buyJob(order({ store })))).code, 'payment_unresolved');
  script = () => undefined;
  assert.equal((await buyJob(order({ store, policy: { payAgain: true } }))).money, 'paid');
  assert.equal(nonces().size, 2);
});

test('an order that was refused says that its money is unknown, whatever ends the next one', async () => {
  const store = memoryStore();
  script = ({ path }, response) => path.endsWith('/verify') && say(response, 400, { code: 'FACILITATOR_RESPONSE_INVALID', error: 'x' });
  await failure(buyJob(order({ store })));
  script = ({ path }, response) => path.endsWith('/quote') && say(response, 503, { code: 'NO_SELLER_AVAILABLE', error: 'none' });
  const next = await failure(buyJob(order({ store })));
  assert.deepEqual([next.code, next.money], ['capability_unavailable', 'unknown']);
  script = () => undefined;
  assert.equal((await buyJob(order({ store }))).money, 'paid');
  assert.equal(nonces().size, 1);
});

/** Another process: the same record behind a store of its own. */
const apart = (store: Store): Store => ({ read: () => store.read(), replace: (version, text) => store.replace(version, text) });
/** A promise that is kept from outside. */
const latch = <T>(): { readonly comes: Promise<T>; readonly opens: (value: T) => void } => {
  let opens: (value: T) => void = () => undefined;
  const comes = new Promise<T>((resolve) => {
    opens = resolve;
  });
  return { comes, opens };
};
/** A wallet that signs once it is let. */
const waiting = (): { readonly asks: Promise<void>; readonly go: () => void; readonly wallet: typeof signer } => {
  const [asks, lets] = [latch<void>(), latch<void>()];
  const sign = async (typedData: TypedData): Promise<string> => {
    asks.opens();
    await lets.comes;
    return signer.sign(typedData);
  };
  return { asks: asks.comes, go: () => lets.opens(), wallet: { address: signer.address, sign } };
};

test('an order that a second process signs stays counted when the first one is declined', async () => {
  const store = memoryStore();
  const policy = { perDay: '0.005' };
  let quotes = 0;
  script = ({ path }, response) => path.endsWith('/quote') && quotedAs((quotes += 1), {}, response);
  const [asks, answer] = [latch<void>(), latch<boolean>()];
  const confirm = (): Promise<boolean> => {
    asks.opens();
    return answer.comes;
  };
  const first = failure(buyJob(order({ store: apart(store), policy, confirm })));
  await asks.comes;
  const { asks: waits, go, wallet } = waiting();
  const second = buyJob(order({ store: apart(store), policy, signer: wallet }));
  await waits;
  answer.opens(false);
  // The second one may pay: that is what the first one says.
  assert.deepEqual([(await first).code, (await first).money], ['declined', 'unknown']);
  assert.equal((await spentIn(store)).entries.length, 1);
  // The first one orders again, and goes on with the same nonce.
  const third = await buyJob(order({ store: apart(store), policy }));
  assert.equal(third.money, 'paid');
  go();
  await second.catch(() => undefined);
  assert.deepEqual([nonces().size, (await spentIn(store)).entries.length], [1, 1]);
});

test('a signature that comes after its order was ended or given up is not sent', async () => {
  const store = memoryStore();
  let quotes = 0;
  script = ({ path }, response) => path.endsWith('/quote') && quotedAs((quotes += 1), {}, response);
  const { asks, go, wallet } = waiting();
  const first = failure(buyJob(order({ store: apart(store), signer: wallet })));
  await asks;
  const { record, version } = await store.read();
  const { sent, entries, ...rest } = JSON.parse(record ?? '');
  assert.deepEqual([sent.length, entries.length], [1, 1]);
  // As an earlier version of this package does that shares the record: the order is declined there.
  assert.ok(await store.replace(version, JSON.stringify({ ...rest, sent: [], entries: [] })));
  go();
  assert.deepEqual([(await first).code, (await first).money, payments().length], ['aborted', 'not_moved', 0]);
});

test('a quote that lapses while two processes hold it stays counted, and gives the next one its nonce', async () => {
  const store = memoryStore();
  let quotes = 0;
  script = ({ path }, response) => path.endsWith('/quote') && quotedAs((quotes += 1), {}, response);
  const [one, two] = [waiting(), waiting()];
  const first = failure(buyJob(order({ store: apart(store), signer: one.wallet })));
  await one.asks;
  const second = failure(buyJob(order({ store: apart(store), signer: two.wallet })));
  await two.asks;
  const later = (): number => Date.now() / 1000 + 400;
  const third = await buyJob(order({ store: apart(store), now: later }));
  assert.deepEqual([third.money, quotes, (await spentIn(store)).entries.length], ['paid', 2, 1]);
  one.go();
  two.go();
  assert.deepEqual([(await first).code, (await second).code], ['aborted', 'aborted']);
  assert.deepEqual([payments().length, new Set(signed.map(({ message }) => message['nonce'])).size], [1, 1]);
});

test('pretended money needs no signature', async () => {
  script = ({ path }, response) =>
    path.endsWith('/quote') && say(response, 402, quote({ payment_mode: 'mock', network_profile: 'demo-testnet' }));
  const bought = await buyJob(order({ profile: 'demo-testnet' }));
  assert.deepEqual(
    [bought.money, signed.length, asked.find(({ path }) => path.endsWith('verify'))?.body.tx_hash],
    ['not_moved', 0, `0x${ID}`],
  );
});

test('options that cannot be used are named before anything is asked', async () => {
  for (const more of [
    { maxAmount: '1e3' },
    { capability: ' ' },
    { url: 'exchange' },
    { timeoutMs: 0 },
    { store: {} as Store },
    { signer: undefined },
    { idempotencyKey: '' },
  ]) {
    const error = await failure(buyJob(order(more)));
    assert.ok(['invalid_options', 'invalid_signer'].includes(error.code), JSON.stringify(more));
    assert.equal(error.money, 'not_moved');
  }
  assert.equal(asked.length, 0);
});

// The seller.

type Work = { id: string; status: string; done?: unknown; tries?: number };
const works: Work[] = [];
const session = { status: 'ok', seller_session_token: 's', expires_in_seconds: 900 };
const sellerScript: Script = ({ path, body }, response) => {
  const found = works.find(({ id }) => path.includes(`/jobs/${id}/`));
  if (path.endsWith('/session')) return say(response, 200, session);
  if (path.endsWith('sellers/jobs')) {
    const jobs = works
      .filter(({ status }) => status === 'paid' || status === 'running')
      .map(({ id, status }) => ({ job_id: id, status, payload: { prompt: id }, expires_at: new Date(Date.now() + 60_000).toISOString() }));
    return say(response, 200, { jobs });
  }
  if (found === undefined) return say(response, 200, { status: 'ok' });
  const wanted = path.endsWith('start') ? 'paid' : 'running';
  if (found.status !== wanted) return say(response, 409, { code: 'INVALID_JOB_STATE', error: 'x' });
  if (wanted === 'paid') found.status = 'running';
  else if ((found.tries = (found.tries ?? 0) + 1) < 2 && path.endsWith('complete'))
    return say(response, 500, { code: 'ESCROW_RELEASE_FAILED', error: 'not yet' });
  else Object.assign(found, { status: path.endsWith('fail') ? 'failed' : 'done', done: body.result ?? body.error });
  return say(response, 200, {});
};
beforeEach(() => {
  works.length = 0;
});

const selling = (more: Partial<Parameters<typeof sellJobs>[0]> = {}): { events: SellerEvent[]; loop: ReturnType<typeof sellJobs> } => {
  const events: SellerEvent[] = [];
  const loop = sellJobs({
    url,
    profile: 'live-testnet',
    sellerId: OTHER,
    agentId: 'a',
    capability: 'llm',
    price: '0.005',
    identity: () => 'jwt',
    handler: (prompt) => `did ${prompt}`,
    endsOn: [],
    heartbeatMs: 40,
    pollMs: 20,
    onEvent: (event) => events.push(event),
    ...more,
  });
  loop.ended.catch(() => undefined);
  return { events, loop };
};
const until = async (holds: () => boolean): Promise<void> => {
  for (let turn = 0; !holds(); turn += 1) {
    assert.ok(turn < 1000, 'it never comes');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

test('a seller does each job once, presses for its money, and goes offline once', async () => {
  script = sellerScript;
  works.push({ id: 'j1', status: 'paid' }, { id: 'j2', status: 'paid' });
  const { events, loop } = selling();
  await until(() => events.filter(({ type }) => type === 'completed').length === 2);
  await loop.stop();
  await loop.ended;
  assert.deepEqual(
    works.map(({ done }) => done),
    [{ text: 'did j1' }, { text: 'did j2' }],
  );
  assert.equal(asked.filter(({ path }) => path.endsWith('/start')).length, 2);
  assert.equal(asked.filter(({ path }) => path.endsWith('/offline')).length, 1);
  assert.equal(asked.at(-1)?.path, '/api/v1/sellers/offline');
  assert.deepEqual([events[0]?.type, events.at(-1)?.type], ['registered', 'offline']);
  assert.ok(asked.filter(({ path }) => path.endsWith('/heartbeat')).length > 1);
});

test('what was worked out is delivered by the next process, and is not worked out again', async () => {
  const store = memoryStore();
  let handled = 0;
  const handler = (prompt: string): string => {
    handled += prompt === 'hello' ? 0 : 1;
    return `did ${prompt}`;
  };
  works.push({ id: 'j1', status: 'paid' });
  // The exchange takes nothing more: as if the process died before it delivered.
  script = (it, response) => (it.path.endsWith('/complete') ? say(response, 503, {}) : sellerScript(it, response));
  const first = selling({ store, handler, graceMs: 50 });
  await until(() => asked.some(({ path }) => path.endsWith('/complete')));
  await first.loop.stop();
  script = sellerScript;
  const second = selling({ store, handler });
  await until(() => works[0]?.status === 'done');
  await second.loop.stop();
  assert.equal(handled, 1);
  assert.deepEqual(works[0]?.done, { text: 'did j1' });
});

test('a handler that fails, is late, or delivers nothing or too much fails its job with one clean line', async () => {
  script = sellerScript;
  works.push(
    { id: 'throws', status: 'paid' },
    { id: 'silent', status: 'paid' },
    { id: 'late', status: 'paid' },
    { id: 'long', status: 'paid' },
  );
  const handler = async (prompt: string): Promise<string> => {
    if (prompt === 'throws') throw new Error('no model\n    at /home/me/secret.js:1');
    if (prompt === 'late') await new Promise(() => undefined);
    if (prompt === 'long') return 'x'.repeat(64 * 1024);
    return prompt === 'hello' ? 'hi' : ' ';
  };
  const { loop } = selling({ handler, capacity: 4, taskMs: 300 });
  await until(() => works.every(({ status }) => status === 'failed'));
  await loop.stop();
  assert.deepEqual(
    works.map(({ done }) => done),
    ['no model', 'the handler delivered no text', 'the work took too long', 'the result is longer than 64 KiB'],
  );
});

test('what is sold is said with the proof, and an exchange that would sell anything else is left', async () => {
  script = (it, response) =>
    it.path.endsWith('/session')
      ? say(response, 200, { ...session, capability: 'llm', price_per_task: '0.005', capacity: 3 })
      : sellerScript(it, response);
  const right = selling({ price: '00.0050', capacity: 3 });
  await until(() => right.events.some(({ type }) => type === 'online'));
  await right.loop.stop();
  await right.loop.ended;
  const { body } = asked.find(({ path }) => path.endsWith('/session')) ?? assert.fail('it opens no session');
  assert.deepEqual([body.capability, body.price_per_task, body.capacity], ['llm', '00.0050', 3]);
  for (const other of [{ price: '0.0051' }, { capability: 'art' }, { capacity: 2 }]) {
    asked.length = 0;
    const wrong = selling({ capacity: 3, ...other });
    await assert.rejects(wrong.loop.ended, (error) => error instanceof SellerError && error.code === 'other_terms');
    assert.ok(!asked.some(({ path }) => path.endsWith('/heartbeat')), 'it is not there');
  }
});

test('no more jobs are worked on at once than the capacity', async () => {
  script = sellerScript;
  works.push(...['a', 'b', 'c', 'd'].map((id) => ({ id, status: 'paid' })));
  let now = 0;
  let most = 0;
  const handler = async (prompt: string): Promise<string> => {
    most = Math.max(most, (now += 1));
    await new Promise((resolve) => setTimeout(resolve, 40));
    now -= 1;
    return prompt;
  };
  const { loop } = selling({ handler, capacity: 2 });
  await until(() => works.every(({ status }) => status === 'done'));
  await loop.stop();
  assert.equal(most, 2);
});

test('a handler that cannot do the least work goes nowhere', async () => {
  const { loop } = selling({ handler: () => '' });
  await assert.rejects(loop.ended, (error) => error instanceof SellerError && error.code === 'self_check_failed');
  assert.equal(asked.length, 0);
});

test('three failures in a row, and a session that is refused, open a new session', async () => {
  let opened = 0;
  let fails = 0;
  script = (it, response) => {
    if (it.path.endsWith('/session')) opened += 1;
    if (it.path.endsWith('/heartbeat') && opened === 1) return say(response, 403, { code: 'SELLER_SESSION_INVALID', error: 'over' });
    if (it.path.endsWith('/heartbeat') && opened === 2 && (fails += 1) <= 3) return say(response, 500, {});
    return sellerScript(it, response);
  };
  const { loop, events } = selling();
  await until(() => events.some(({ type }) => type === 'online'));
  await loop.stop();
  assert.deepEqual([opened, fails], [3, 3]);
});

test('a bond is transferred once, and its token opens all later sessions', async () => {
  const store = memoryStore();
  let transfers = 0;
  script = (it, response) => {
    if (it.path.endsWith('/challenge'))
      return say(response, 200, {
        status: 'ok',
        challenge_id: 'c',
        to: PAYEE,
        asset: USDC,
        amount: '0.010007',
        amount_atomic: '10007',
        network: 'eip155:84532',
        expires_at: 'x',
      });
    if (it.path.endsWith('/session')) {
      if (it.body.tx_hash !== undefined) return say(response, 200, { ...session, seller_renewal_token: 'qdr_1' });
      return it.body.seller_renewal_token === 'qdr_1'
        ? say(response, 200, session)
        : say(response, 403, { code: 'PASSPORT_AUTH_REQUIRED', error: 'x' });
    }
    return sellerScript(it, response);
  };
  const options = {
    store,
    identity: undefined as never,
    bond: ({ amountAtomic, again }: { amountAtomic: string; again: boolean }) => {
      assert.deepEqual([amountAtomic, again], ['10007', false]);
      transfers += 1;
      return TRANSACTION;
    },
  };
  for (let turn = 0; turn < 2; turn += 1) {
    const { loop, events } = selling(options);
    await until(() => events.some(({ type }) => type === 'online'));
    await loop.stop();
  }
  assert.equal(transfers, 1);
});

test("what no asking changes ends the seller with the exchange's code", async () => {
  script = (it, response) =>
    it.path.endsWith('/register') && say(response, 400, { code: 'INVALID_REQUEST', error: 'capability must be a non-empty string.' });
  const { loop } = selling();
  await assert.rejects(loop.ended, (error) => error instanceof SellerError && error.code === 'INVALID_REQUEST' && error.status === 400);
});
