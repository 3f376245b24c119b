// A buyer at a scripted exchange: what is signed, sent and told where answers are lost, lie, or never come.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { buyJob, publishSkill, rotateSkillSecret } from '../../pkg/dist/agent/index.js';
import { memoryStore, type Policy, type Store } from '../../pkg/dist/index.js';
import { startProgram } from './programs.ts';
import { asked, failure, ID, its, job, order, payments, quote, required, say, signer } from './scripted-exchange.ts';
import { OTHER, PAYEE, PAYER, PAYER_KEY, spentIn, TRANSACTION } from './shop.ts';

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
    its.signed.map(({ message: { to, value } }) => [to?.toLowerCase(), value]),
    [[PAYEE.toLowerCase(), '5000']],
  );
  assert.equal(asked.at(-1)?.authorization, `Bearer ${job.job_token}`);
  assert.equal((await spentIn(store)).entries.length, 1);
});

test('the program of docs/exchange.md buys one job as it stands', async () => {
  // What is on offer there is called so.
  const names = { 'https://exchange.example.com': its.url, "'summarize'": "'llm'" };
  const { code, out, err } = await startProgram('docs/exchange.md', 'buyJob', { names, key: PAYER_KEY }).ended;
  assert.deepEqual([code, out, err], [0, `{ text: 'done' } 0.005 ${TRANSACTION}\n`, '']);
  assert.equal(payments().length, 1);
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
  assert.equal(its.signed.length, 3);
});

test('orders at the same time are one order', async () => {
  const store = memoryStore();
  const all = await Promise.all([buyJob(order({ store })), buyJob(order({ store })), buyJob(order({ store }))]);
  assert.equal(new Set(all.map(({ jobId }) => jobId)).size, 1);
  assert.equal(its.signed.length, 1);
});

test('an answer that is lost is asked for with the same bytes, by this call and by the next', async () => {
  const store = memoryStore();
  its.script = ({ path }, response) => {
    if (!path.endsWith('/verify')) return false;
    response.destroy();
    return true;
  };
  const lost = await failure(buyJob(order({ store, timeoutMs: 2_000 })));
  assert.deepEqual([lost.code, lost.money, lost.paymentId], ['timed_out', 'unknown', ID]);
  its.script = () => undefined;
  assert.equal((await buyJob(order({ store }))).money, 'paid');
  assert.ok(payments().length > 2);
  assert.deepEqual([new Set(payments()).size, its.signed.length, (await spentIn(store)).entries.length], [1, 1, 1]);
});

test('an exchange that fails is asked ever more slowly, and a new call asks at once', async () => {
  const store = memoryStore();
  its.script = ({ path }, response) => path.endsWith('/verify') && say(response, 503, { code: 'x', error: 'x' });
  await failure(buyJob(order({ store, timeoutMs: 2_000 })));
  assert.equal(payments().length, 3, 'at once, after 0.25 s, and after another second');
  its.script = () => undefined;
  const began = Date.now();
  await buyJob(order({ store }));
  assert.ok(Date.now() - began < 900);
});

test('what is asked for at the till is what was quoted, or nothing is signed and nothing counted', async () => {
  const store = memoryStore();
  its.script = ({ path }, response) => path.endsWith('/quote') && say(response, 402, quote(), { 'payment-required': required(OTHER) });
  const error = await failure(buyJob(order({ store })));
  assert.deepEqual([error.code, error.money, its.signed.length], ['terms_changed', 'not_moved', 0]);
  assert.equal((await spentIn(store)).entries.length, 0);
});

test('a quote above the limit, the policy or a person is not its.signed', async () => {
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
  its.script = ({ path }, response) => {
    if (!path.endsWith('/job-1')) return false;
    stop.abort();
    return say(response, 200, { job_id: 'job-1', status: 'running', result: null });
  };
  const error = await failure(buyJob(order({ store, signal: stop.signal })));
  assert.deepEqual([error.code, error.money, error.jobId], ['aborted', 'held', 'job-1']);
  its.script = () => undefined;
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
    its.script = ({ path }, response) => path.endsWith('/verify') && say(response, status, body);
    const error = await failure(buyJob(order({ store: memoryStore() })));
    assert.deepEqual([error.code, error.money], [code, money]);
  }
  its.script = ({ path }, response) => path.endsWith('/job-1') && say(response, 200, { status: 'failed', result: { error: 'no quota' } });
  const error = await failure(buyJob(order({ store: memoryStore() })));
  assert.deepEqual([error.code, error.money, error.message], ['job_failed', 'refunded', 'no quota']);
  its.script = ({ path }, response) => path.endsWith('/quote') && say(response, 503, { code: 'NO_SELLER_AVAILABLE', error: 'none' });
  assert.deepEqual((await failure(buyJob(order({ store: memoryStore() })))).code, 'capability_unavailable');
});

//
test('without a store the caps hold for all orders of a signer in this process, and the same order at once is one', async () => {
  const mine = { ...signer };
  const orders = (prompt: string) => buyJob(order({ signer: mine, prompt, policy: { perDay: '0.01' } }));
  const both = await Promise.all([orders('one'), orders('one')]);
  assert.deepEqual([new Set(both.map(({ jobId }) => jobId)).size, its.signed.length], [1, 1]);
  await orders('two');
  assert.equal((await failure(orders('three'))).code, 'budget_exhausted');
  assert.equal(its.signed.length, 2);
});

//
test('a yes that comes late is counted as of the signature, or nothing is signed', async () => {
  let now = Math.floor(Date.now() / 1000);
  its.script = ({ path }, response) =>
    path.endsWith('/quote') && say(response, 402, quote({ expires_in_seconds: 3_600 }), { 'payment-required': required() });
  const store = memoryStore();
  const late = (secs: number, prompt: string, policy: Policy = {}) =>
    buyJob(
      order({
        store,
        prompt,
        now: () => now,
        policy: { perHour: '0.005', ...policy },
        confirm: () => {
          now += secs;
          return true;
        },
      }),
    );
  await late(3_480, 'one');
  now += 150;
  assert.equal((await failure(late(0, 'two'))).code, 'budget_exhausted', 'it was signed within the hour');
  now += 3_600;
  const expires = new Date((now + 60) * 1_000).toISOString().replace('.000', '');
  assert.equal((await failure(late(120, 'three', { expires }))).money, 'not_moved');
  assert.equal(its.signed.length, 1);
  assert.equal((await spentIn(store)).entries.length, 1, 'what was not signed is not counted');
  await late(30, 'four');
  assert.equal(its.signed.length, 2);
});

test('pretended money needs no signature', async () => {
  its.script = ({ path }, response) =>
    path.endsWith('/quote') && say(response, 402, quote({ payment_mode: 'mock', network_profile: 'demo-testnet' }));
  const bought = await buyJob(order({ profile: 'demo-testnet' }));
  assert.deepEqual(
    [bought.money, its.signed.length, asked.find(({ path }) => path.endsWith('verify'))?.body.tx_hash],
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
    { polciy: { perDay: '1' } } as never,
    { confrim: () => false } as never,
    { url: 'http://exchange.example.com' },
    { till: 'http://till.example.com' },
  ]) {
    const error = await failure(buyJob(order(more)));
    assert.ok(['invalid_options', 'invalid_signer'].includes(error.code), JSON.stringify(more));
    assert.equal(error.money, 'not_moved');
  }
  assert.equal(asked.length, 0);
});

test('the secret of a skill comes from a market over https, or from this machine', async () => {
  let wasAsked = 0;
  const fetch = (async () => {
    wasAsked += 1;
    return new Response('', { status: 500 });
  }) as typeof globalThis.fetch;
  const draft = { name: 'a', description: 'a', callUrl: 'https://seller.example.com/' };
  for (const [market, code] of [
    ['http://skills.example.com', 'invalid_options'],
    ['https://skills.example.com', 'market_unreadable'],
    ['http://127.0.0.1:8787', 'market_unreadable'],
  ] as const) {
    await assert.rejects(publishSkill(draft, { market, signer, fetch }), { code });
    await assert.rejects(rotateSkillSecret('a', { market, signer, fetch }), { code });
  }
  assert.equal(wasAsked, 4);
});
