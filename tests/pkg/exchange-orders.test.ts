// Orders at a scripted exchange that are made again, and by several processes: one nonce, one charge, and a store with room for others.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { buyJob } from '../../pkg/dist/agent/index.js';
import { memoryStore, type Proposal } from '../../pkg/dist/index.js';
import { type SentRow, sentIn } from '../../pkg/dist/sent.js';
import {
  apart,
  asked,
  ends,
  failure,
  ID,
  idOf,
  its,
  job,
  latch,
  nonces,
  order,
  payments,
  quote,
  quotedAs,
  required,
  say,
  signer,
  waiting,
} from './scripted-exchange.ts';
import { base64, PAYEE, spentIn, USDC } from './shop.ts';

for (const idempotencyKey of [undefined, 'order-1']) {
  for (const [status, body] of [
    [400, { code: 'FACILITATOR_RESPONSE_INVALID', error: 'insufficient_funds' }],
    [400, { code: 'INVALID_X_PAYMENT_HEADER', error: 'x' }],
    [403, { code: 'FINGERPRINT_INVALID', error: 'x' }],
    [409, { code: 'PAYMENT_ALREADY_VERIFIED', error: 'x' }],
    [409, { code: 'PAYMENT_VERIFY_FAILED', error: 'x', details: { gate: 'payment_already_used' } }],
    [502, { code: 'JOB_FAILED', error: 'x' }],
  ] as const) {
    //
    test(`an order that was refused with ${status} ${body.code} is ordered again under its nonce${idempotencyKey === undefined ? '' : ', with a key'}`, async () => {
      const store = memoryStore();
      const policy = { perDay: '0.005' };
      let quotes = 0;
      let refuses = true;
      its.script = ({ path }, response) =>
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

//
test('no payment is sent to a place that a quote names', async (t) => {
  const elsewhere: string[] = [];
  const inner = createServer((request, response) => {
    elsewhere.push(`${request.method} ${request.url}`);
    response.end();
  });
  await new Promise<void>((resolve) => inner.listen(0, '127.0.0.1', resolve));
  t.after(() => inner.close());
  const named = `http://127.0.0.1:${(inner.address() as AddressInfo).port}`;
  for (const till of [undefined, `${its.url}/`]) {
    asked.length = 0;
    let shown = 0;
    its.script = ({ path }, response) => {
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
  its.script = ({ path }, response) => path.endsWith('/verify') && say(response, 200, { ...job, job_token: 't'.repeat(900_000) });
  const long = await failure(buyJob(order({ store, timeoutMs: 600 })));
  assert.deepEqual([long.code, long.money], ['timed_out', 'unknown']);
  assert.ok(((await store.read()).record ?? '').length < 12_000);
  // Orders that it leaves open fill its own share, whatever their callers wrote.
  its.script = ({ path }, response) =>
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

//
test('orders for which nothing was its.signed take no room from others', async () => {
  const store = memoryStore();
  its.script = ({ path }, response) => path.endsWith('/quote') && say(response, 503, {});
  for (let turn = 0; turn < 100; turn += 1)
    assert.equal(
      (await failure(buyJob(order({ store: apart(store), prompt: `${turn}${'p'.repeat(60_000)}`, timeoutMs: 20 })))).code,
      'timed_out',
    );
  const { record = '' } = await store.read();
  assert.ok(record.length < 200_000 && sentIn(record).every(([, , open]) => !open), String(record.length));
  its.script = () => undefined;
  assert.equal((await buyJob(order({ store }))).money, 'paid');
});

//
test('work that is charged on delivery is not believed to have begun, and its failure not to be free', async () => {
  const store = memoryStore();
  let quotes = 0;
  const completion = { payment_mode: 'x402-completion', seller_id: PAYEE };
  its.script = ({ path }, response) => {
    if (path.endsWith('/quote')) {
      const id = idOf((quotes += 1));
      const [accepted] = quote()['accepts'] as [Record<string, unknown>];
      const terms = base64(
        JSON.stringify({
          x402Version: 2,
          resource: { url: `${its.url}/till/${id}` },
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

test('a job whose row has left ends its order, and the next one is another payment, which is made unasked by no one', async () => {
  const store = memoryStore();
  let ahead = 0;
  const now = (): number => Date.now() / 1000 + ahead;
  its.script = ({ path }, response) =>
    path.endsWith('/job-1') && say(response, 404, { ok: false, code: 'JOB_NOT_FOUND', error: 'Job not found.' });
  assert.deepEqual(
    [(await failure(buyJob(order({ store, now })))).code, (await failure(buyJob(order({ store, now })))).money],
    ['job_unreadable', 'held'],
  );
  ahead = 31 * 86_400;
  const gone = await failure(buyJob(order({ store, now })));
  assert.deepEqual([gone.code, gone.money, nonces().size], ['job_gone', 'unknown', 1]);
  its.script = () => undefined;
  // Only the chain knows who has the money.
  const again = await failure(buyJob(order({ store, now })));
  assert.deepEqual([again.code, nonces().size], ['payment_unresolved', 1]);
  assert.equal((await buyJob(order({ store, now, policy: { payAgain: true } }))).money, 'paid');
  assert.equal(nonces().size, 2);
});

test('a refund that an exchange tells of pays nothing again unasked', async () => {
  const store = memoryStore();
  its.script = ({ path }, response) =>
    path.endsWith('/verify') && say(response, 409, { code: 'PAYMENT_VERIFY_FAILED', error: 'x', details: { gate: 'refund_due' } });
  assert.deepEqual([(await failure(buyJob(order({ store })))).code], ['refund_due']);
  for (let turn = 0; turn < 3; turn += 1)
    assert.deepEqual([(await failure(buyJob(order({ store })))).code, nonces().size], ['payment_unresolved', 1]);
  const shown: boolean[] = [];
  const confirm = ({ again }: Proposal): boolean => {
    shown.push(again);
    return false;
  };
  assert.equal((await failure(buyJob(order({ store, confirm })))).code, 'declined');
  assert.deepEqual(shown, [true], 'a person hears that it may be the second one');
  assert.equal((await failure(buyJob(order({ store })))).code, 'payment_unresolved');
  its.script = () => undefined;
  assert.equal((await buyJob(order({ store, policy: { payAgain: true } }))).money, 'paid');
  assert.equal(nonces().size, 2);
});

test('an order that was refused says that its money is unknown, whatever ends the next one', async () => {
  const store = memoryStore();
  its.script = ({ path }, response) => path.endsWith('/verify') && say(response, 400, { code: 'FACILITATOR_RESPONSE_INVALID', error: 'x' });
  await failure(buyJob(order({ store })));
  its.script = ({ path }, response) => path.endsWith('/quote') && say(response, 503, { code: 'NO_SELLER_AVAILABLE', error: 'none' });
  const next = await failure(buyJob(order({ store })));
  assert.deepEqual([next.code, next.money], ['capability_unavailable', 'unknown']);
  its.script = () => undefined;
  assert.equal((await buyJob(order({ store }))).money, 'paid');
  assert.equal(nonces().size, 1);
});

test('an order that a second process signs stays counted when the first one is declined', async () => {
  const store = memoryStore();
  const policy = { perDay: '0.005' };
  let quotes = 0;
  its.script = ({ path }, response) => path.endsWith('/quote') && quotedAs((quotes += 1), {}, response);
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
  its.script = ({ path }, response) => path.endsWith('/quote') && quotedAs((quotes += 1), {}, response);
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
  its.script = ({ path }, response) => path.endsWith('/quote') && quotedAs((quotes += 1), {}, response);
  const [one, two] = [waiting(), waiting()];
  const first = buyJob(order({ store: apart(store), signer: one.wallet }));
  await one.asks;
  const second = buyJob(order({ store: apart(store), signer: two.wallet }));
  await two.asks;
  const later = (): number => Date.now() / 1000 + 400;
  const third = await buyJob(order({ store: apart(store), now: later }));
  assert.deepEqual([third.money, quotes, (await spentIn(store)).entries.length], ['paid', 2, 1]);
  one.go();
  two.go();
  // What they had ordered was delivered: what they sign now is not sent.
  assert.deepEqual([(await first).jobId, (await second).jobId], ['job-1', 'job-1']);
  assert.deepEqual([payments().length, new Set(its.signed.map(({ message }) => message['nonce'])).size], [1, 1]);
});

for (const [key, refused] of [
  [undefined, [503, { code: 'NO_SELLER_AVAILABLE', error: 'none' }]],
  ['order-1', [503, { code: 'NO_SELLER_AVAILABLE', error: 'none' }]],
  [undefined, [400, { code: 'INVALID_REQUEST', error: 'none' }]],
  ['order-1', [400, { code: 'INVALID_REQUEST', error: 'none' }]],
] as const) {
  test(`a process that is refused with ${refused[1].code} ends nothing of one that has paid${key === undefined ? '' : ', with a key'}`, async () => {
    const store = memoryStore();
    const [late, sent] = [latch<ServerResponse>(), latch<ServerResponse>()];
    let quotes = 0;
    its.script = ({ path }, response) => {
      if (path.endsWith('/quote')) {
        quotes += 1;
        if (quotes > 1) late.opens(response);
        return quotes > 1 || quotedAs(quotes, {}, response);
      }
      if (!path.endsWith('/verify') || payments().length > 1) return undefined;
      sent.opens(response);
      return true;
    };
    const mine = order({ store: apart(store), ...(key === undefined ? {} : { idempotencyKey: key }) });
    const first = buyJob(mine);
    const second = buyJob({ ...mine, store: apart(store) });
    const answer = await sent.comes;
    say(await late.comes, refused[0], refused[1]);
    // It goes on with the payment of the other one.
    assert.deepEqual([(await second).money, nonces().size], ['paid', 1]);
    say(answer, 200, job);
    assert.deepEqual([(await first).money, nonces().size, (await spentIn(store)).entries.length], ['paid', 1, 1]);
  });
}

const FIVE = { amount: '5', units: '5000000' };
const RICH = { perPayment: '10', perDay: '100' };

//
test('a quote that an earlier call allowed is signed only within the limits of the call that goes on', async () => {
  const store = memoryStore();
  let quotes = 0;
  its.script = ({ path }, response) => path.endsWith('/quote') && quotedAs((quotes += 1), FIVE, response);
  const { asks, wallet } = waiting();
  const killed = order({ store: apart(store), policy: RICH, maxAmount: '5', signer: wallet });
  void buyJob(killed).catch(() => undefined);
  await asks;
  const error = await failure(buyJob(order({ store: apart(store), policy: RICH })));
  assert.deepEqual([error.code, error.money, payments().length], ['price_above_limit', 'not_moved', 0]);
  assert.equal((await buyJob(order({ store: apart(store), policy: RICH, maxAmount: '5' }))).amount, '5');
});

for (const idempotencyKey of [undefined, 'order-1']) {
  //
  test(`an order that goes on has the limit and the token of the call${idempotencyKey === undefined ? '' : ', with a key'}`, async () => {
    const store = memoryStore();
    const mine = order({ policy: RICH, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) });
    its.script = ({ path }, response) =>
      path.endsWith('/verify') && say(response, 400, { code: 'FACILITATOR_RESPONSE_INVALID', error: 'x' });
    assert.equal((await failure(buyJob({ ...mine, store: apart(store), maxAmount: '5' }))).money, 'unknown');
    its.script = ({ path }, response) => path.endsWith('/quote') && say(response, 503, {});
    assert.equal((await failure(buyJob({ ...mine, store: apart(store), maxAmount: '5', timeoutMs: 400 }))).code, 'timed_out');
    let quotes = 0;
    its.script = ({ path }, response) => path.endsWith('/quote') && quotedAs((quotes += 1), FIVE, response);
    assert.equal((await failure(buyJob({ ...mine, store: apart(store) }))).code, 'price_above_limit');
    its.script = () => undefined;
    assert.equal((await failure(buyJob({ ...mine, store: apart(store), currency: 'USDT' }))).code, 'quote_rejected');
    assert.deepEqual([payments().length, ends().length], [1, 1]);
    assert.deepEqual([(await buyJob({ ...mine, store: apart(store) })).amount, nonces().size], ['0.005', 1]);
  });
}

test('of two orders at once under one key, the second is refused, and not paid with the payment of the first', async () => {
  const store = memoryStore();
  const { asks, go, wallet } = waiting();
  const first = buyJob(order({ store: apart(store), idempotencyKey: 'one', signer: wallet }));
  const second = failure(buyJob(order({ store: apart(store), idempotencyKey: 'one', prompt: 'another' })));
  await asks;
  assert.deepEqual([(await second).code, payments().length], ['key_taken', 0]);
  go();
  assert.deepEqual([(await first).money, nonces().size], ['paid', 1]);
});

test('another prompt under the key of an order that is under way is another order, in one process too', async () => {
  const store = memoryStore();
  const first = buyJob(order({ store, idempotencyKey: 'one' }));
  const second = failure(buyJob(order({ store, idempotencyKey: 'one', prompt: 'another' })));
  assert.deepEqual([(await second).code, (await first).money, nonces().size], ['key_taken', 'paid', 1]);
});

test('who orders the same while it is under way waits within their own time, and orders themselves where the other may not', async () => {
  const store = memoryStore();
  const first = failure(buyJob(order({ store, maxAmount: '0.0001' })));
  const second = buyJob(order({ store }));
  const gone = new AbortController();
  const third = failure(buyJob(order({ store, signal: gone.signal })));
  const late = failure(buyJob(order({ store, timeoutMs: 1 })));
  gone.abort();
  assert.deepEqual([(await first).code, (await third).code, (await late).code], ['price_above_limit', 'aborted', 'timed_out']);
  assert.deepEqual([(await second).money, nonces().size], ['paid', 1]);
});

test('a call that waits for another one with the same order is not ended by its time, signal, person or limits', async () => {
  for (const [code, limits] of [
    ['timed_out', () => ({ timeoutMs: 400 })],
    ['aborted', () => ({ signal: AbortSignal.timeout(400) })],
    ['declined', () => ({ confirm: () => false })],
    ['budget_exhausted', () => ({ policy: { perDay: '0.001' } })],
  ] as const) {
    const store = memoryStore();
    const until = Date.now() + 1_200;
    its.signed = [];
    its.script = ({ path }, response) =>
      path.endsWith('/jobs/job-1') && Date.now() < until && say(response, 200, { job_id: 'job-1', status: 'running' });
    const first = failure(buyJob(order({ store, ...limits() })));
    const second = buyJob(order({ store }));
    assert.equal((await first).code, code);
    assert.deepEqual([(await second).money, (await second).jobId], ['paid', 'job-1'], code);
    assert.deepEqual([its.signed.length, (await spentIn(store)).entries.length], [1, 1], code);
  }
});
