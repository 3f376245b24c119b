// Payments whose outcome is open are sent again by the next call for the same request: after a crash, an error, or an answer that broke off.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { fileStore } from '../../pkg/dist/file-store.js';
import { memoryStore, type PayOptions, type Proposal, payingFetch, receiptOf, type Store } from '../../pkg/dist/index.js';
import { nameOf } from '../../pkg/dist/named.js';
import { requestOf } from '../../pkg/dist/request.js';
import { closeEnded, openPaymentsOf, resume, sentPayments } from '../../pkg/dist/resume.js';
import { askFor, challenge, credentialOf, inSeconds } from './charges.ts';
import {
  ask,
  GOODS,
  honest,
  OFFER,
  OFFER_V1,
  ON_BASE,
  open,
  PAYER_KEY,
  paymentOf,
  serve,
  settlement,
  sharedShop,
  spentIn,
  storeOf,
  TRANSACTION,
  terms,
  watchedSigner,
} from './shop.ts';
import { temporaryFolder } from './tarball.ts';

const shop = sharedShop();
const folder = temporaryFolder();
after(() => folder.remove());

/** Asks for the payment, takes it, and does not answer. */
const loses = (request: IncomingMessage, response: ServerResponse): void =>
  paymentOf(request) === undefined ? ask(response) : void response.destroy();
const neverAsked = { address: async () => assert.fail('asked for the address'), sign: async () => assert.fail('asked to sign') };
function payer(store: Store, change: Partial<PayOptions> = {}) {
  const signer = watchedSigner();
  return { signer, fetch: payingFetch({ signer, store, resume, policy: { deadlineSecs: 1 }, ...change }) };
}
const stateOf = async (store: Store): Promise<(string | boolean | undefined)[][]> =>
  (await sentPayments(store)).map(({ method, url, open: isOpen, receipt }) => [method, url, isOpen, receipt?.transaction]);

/** What persons were told of payments beside another one. */
const told: boolean[] = [];
/** What a server of the published library answers while a settlement that was sent is not over. */
const PENDING = Buffer.from(JSON.stringify(settlement({ success: false, errorReason: 'settlement_pending' }))).toString('base64');

test('kill -9 between the signature and the answer: the next process sends the same bytes, one debit, and the content arrives', async () => {
  const path = join(folder.path, 'budget');
  const program = `
    import { payingFetch } from ${JSON.stringify(new URL('../../pkg/dist/index.js', import.meta.url).href)};
    import { resume } from ${JSON.stringify(new URL('../../pkg/dist/resume.js', import.meta.url).href)};
    import { fileStore } from ${JSON.stringify(new URL('../../pkg/dist/file-store.js', import.meta.url).href)};
    await payingFetch({ signer: '${PAYER_KEY}', store: fileStore(${JSON.stringify(path)}), resume })('${shop.url}/report', { method: 'POST', body: 'order 7' });
  `;
  const paid = new Promise<void>((resolve) => {
    shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : resolve());
  });
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  await Promise.race([paid, ended.then(() => assert.fail('it ended by itself'))]);
  child.kill('SIGKILL');
  await ended;

  shop.answers = honest;
  const store = fileStore(path);
  assert.deepEqual(await stateOf(store), [['POST', `${shop.url}/report`, true, undefined]]);
  const fetch = payingFetch({ signer: neverAsked, store, resume });
  const response = await fetch(`${shop.url}/report`, { method: 'POST', body: 'order 7' });
  assert.deepEqual([receiptOf(response)?.transaction, await response.text()], [TRANSACTION, GOODS]);
  assert.deepEqual([shop.payments().length, new Set(shop.payments()).size, (await spentIn(store)).entries.length], [2, 1, 1]);
  assert.deepEqual(await stateOf(store), [['POST', `${shop.url}/report`, false, TRANSACTION]]);
  await assert.rejects(
    fetch(`${shop.url}/report`, { method: 'POST', body: 'order 8' }),
    /asked for the address/,
    'another body is another request',
  );
});

test('a call that failed without an outcome is resumed by the next one, and the one after that buys again', async () => {
  const store = memoryStore();
  const { fetch, signer } = payer(store);
  shop.answers = loses;
  await assert.rejects(fetch(`${shop.url}/report`), { code: 'payment_unresolved' });
  shop.answers = honest;
  assert.equal(await (await fetch(`${shop.url}/report`)).text(), GOODS);
  assert.deepEqual([signer.asked.length, new Set(shop.payments()).size, (await spentIn(store)).entries.length], [1, 1, 1]);
  await (await fetch(`${shop.url}/report`)).text();
  assert.deepEqual([signer.asked.length, new Set(shop.payments()).size], [2, 2]);
});

test('without the option the wrapped fetch goes on with what it has signed, and nothing is kept for another process', async () => {
  const store = memoryStore();
  const { fetch, signer } = payer(store, { resume: undefined as never });
  shop.answers = loses;
  await assert.rejects(fetch(`${shop.url}/report`), { code: 'payment_unresolved' });
  assert.deepEqual(await sentPayments(store), []);
  const other = payer(store, { resume: undefined as never });
  shop.answers = honest;
  assert.equal(await (await fetch(`${shop.url}/report`)).text(), GOODS);
  assert.deepEqual([signer.asked.length, new Set(shop.payments()).size], [1, 1]);
  await other.fetch(`${shop.url}/report`);
  assert.deepEqual([other.signer.asked.length, new Set(shop.payments()).size], [1, 2], 'another one knows nothing of it');
});

test('what has ended is signed again with its nonce, at the price of today, by whichever process', async () => {
  let seconds = Date.now() / 1000;
  const store = memoryStore();
  const now = () => seconds;
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : void response.writeHead(504).end());
  const first = payer(store, { now });
  assert.equal((await first.fetch(`${shop.url}/report`)).status, 504);
  for (const turn of [1, 2]) {
    seconds += 400;
    const amount = String(10_000 + turn * 1_000);
    shop.answers = (request, response) =>
      paymentOf(request) === undefined ? ask(response, terms([{ ...OFFER, amount }])) : void response.writeHead(504).end();
    const { fetch, signer } = payer(store, { now });
    assert.equal((await fetch(`${shop.url}/report`)).status, 504);
    assert.equal(signer.asked.length, 1);
  }
  // The one that was charged may be any of them; its receipt is one.
  shop.answers = (request, response) =>
    paymentOf(request) === undefined ? ask(response) : serve(response, settlement({ amount: '11000' }));
  const last = payer(store, { now });
  const response = await last.fetch(`${shop.url}/report`);
  assert.deepEqual([await response.text(), receiptOf(response)?.amount, last.signer.asked.length], [GOODS, '11000', 0]);
  const signed = [...new Set(shop.payments())].map(
    (it) =>
      (JSON.parse(Buffer.from(it, 'base64').toString()) as { payload: { authorization: { nonce: string; value: string } } }).payload
        .authorization,
  );
  assert.deepEqual([signed.map(({ value }) => value), new Set(signed.map(({ nonce }) => nonce)).size], [['10000', '11000', '12000'], 1]);
  const { entries } = await spentIn(store);
  assert.deepEqual(
    entries.map(([, , , , worth]) => worth),
    ['12000000000000000'],
    'counted once, at the highest',
  );
});

test('another token is signed for only once nothing that was signed before can be charged, the longest of them', async () => {
  for (const change of [{}, { resume: undefined as never }]) {
    let seconds = Date.now() / 1000;
    const { fetch, signer } = payer(memoryStore(), { now: () => seconds, ...change });
    let offered = { ...OFFER, maxTimeoutSeconds: 600 };
    shop.answers = (_, response) => ask(response, terms([offered]));
    await assert.rejects(fetch(`${shop.url}/report`), { code: 'payment_refused' });
    offered = { ...OFFER, amount: '20000', maxTimeoutSeconds: 10 };
    await assert.rejects(fetch(`${shop.url}/report`), { code: 'payment_refused' });
    offered = { ...ON_BASE, maxTimeoutSeconds: 10 };
    seconds += 300;
    await assert.rejects(fetch(`${shop.url}/report`), { code: 'payment_refused' });
    assert.deepEqual(
      signer.asked.map(({ message }) => (message as { value: string }).value),
      ['10000', '20000'],
      'the first may be charged',
    );
    seconds += 400;
    await assert.rejects(fetch(`${shop.url}/report`), { code: 'payment_unresolved' }, 'it may have been charged, and nobody is asked');
    assert.equal(signer.asked.length, 2);
    offered = { ...OFFER, maxTimeoutSeconds: 10 };
    await assert.rejects(fetch(`${shop.url}/report`), { code: 'payment_refused' }, 'its own token takes its nonce once');
    assert.equal(signer.asked.length, 3);
  }
});

//
test('what has ended is paid on another chain, beside it, if a person agrees to that or the policy says so', async () => {
  for (const change of [{ confirm: ({ again }: Proposal) => told.push(again) > 0 }, { policy: { deadlineSecs: 1, payAgain: true } }]) {
    let seconds = Date.now() / 1000;
    const store = memoryStore();
    const now = () => seconds;
    shop.answers = loses;
    await assert.rejects(payer(store, { now, policy: { deadlineSecs: 1 } }).fetch(`${shop.url}/report`));
    seconds += 4_000;
    shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response, terms([ON_BASE])) : void response.destroy());
    const { fetch, signer } = payer(store, { now, ...change });
    await assert.rejects(fetch(`${shop.url}/report`));
    assert.deepEqual(
      signer.asked.map(({ domain }) => Number(domain.chainId)),
      [8453],
    );
  }
  assert.deepEqual(told, [true]);
});

test('terms without an answer of their own are kept with what is signed again at them', async () => {
  const store = memoryStore();
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : void response.writeHead(504).end());
  await payer(store).fetch(`${shop.url}/report`);
  // A gate says that these bytes were charged nothing: they are signed again at the terms that they had.
  const failed = JSON.stringify({ type: 'urn:farebox:problem:origin_failed', status: 409, code: 'origin_failed', retryable: false });
  const first = shop.payments()[0];
  shop.answers = (request, response) =>
    paymentOf(request) === first
      ? void response.writeHead(409, { 'content-type': 'application/problem+json' }).end(failed)
      : void response.writeHead(504).end();
  await payer(store).fetch(`${shop.url}/report`);
  shop.answers = (request, response) => (paymentOf(request) === undefined ? assert.fail('it asks for terms') : serve(response));
  const last = payer(store);
  assert.equal(await (await last.fetch(`${shop.url}/report`)).text(), GOODS);
  const nonces = shop
    .payments()
    .map(
      (it) =>
        (JSON.parse(Buffer.from(it, 'base64').toString()) as { payload: { authorization: { nonce: string } } }).payload.authorization.nonce,
    );
  assert.deepEqual([new Set(shop.payments()).size, new Set(nonces).size, last.signer.asked.length], [2, 1, 0]);
});

//
test('a purchase that cannot be read is not bought anew, and has its nonce once it has ended and its payer says so', async () => {
  let seconds = Date.now() / 1000;
  const first = memoryStore();
  shop.answers = loses;
  const before = payer(first, { now: () => seconds });
  await assert.rejects(before.fetch(`${shop.url}/report`), { code: 'payment_unresolved' });
  const record = JSON.parse((await first.read()).record ?? '') as { sent: [string, number, boolean, string][] };
  const sent = record.sent.map(([name, at, open, text]) => [
    name,
    at,
    open,
    JSON.stringify({ ...(JSON.parse(text) as object), lines: '', body: '' }),
  ]);
  const store = await storeOf(JSON.stringify({ ...record, sent }));
  const { fetch, signer } = payer(store, { now: () => seconds });
  shop.answers = honest;
  for (let call = 0; call < 2; call += 1)
    await assert.rejects(fetch(`${shop.url}/report`), { code: 'payment_unresolved', message: /cannot be read/ });
  assert.equal(signer.asked.length, 0);
  seconds += 400;
  // The nonce of a charge is the challenge's, and nobody can read which it was.
  await assert.rejects(fetch(`${shop.url}/report`), { code: 'payment_unresolved', message: /payAgain/ });
  assert.equal(signer.asked.length, 0);
  const asked: unknown[] = [];
  const confirm = (proposal: Proposal): boolean => asked.push(proposal.again) > 0;
  const again = payer(store, { now: () => seconds, confirm });
  assert.equal(await (await again.fetch(`${shop.url}/report`)).text(), GOODS);
  assert.deepEqual(asked, [true]);
  const nonces = [before.signer, again.signer].map(({ asked }) => (asked[0]?.message as { nonce: string }).nonce);
  assert.deepEqual([again.signer.asked.length, new Set(nonces).size], [1, 1]);
});

//
test('what is kept is what was signed, whatever else was asked for beside and afterwards', async () => {
  const permit = { ...OFFER, extra: { ...OFFER.extra, assetTransferMethod: 'permit2' } };
  const asks: Record<string, (response: ServerResponse) => void> = {
    ways: (response) => ask(response, terms([permit, OFFER])),
    charges: (response) => askFor(response, [challenge(), challenge({ expires: inSeconds(299) })]),
  };
  for (const [name, asked] of Object.entries(asks)) {
    const store = memoryStore();
    const signers = [];
    for (let process = 0; process < 4; process += 1) {
      shop.answers = (request, response) =>
        paymentOf(request) === undefined && credentialOf(request) === undefined ? asked(response) : void response.writeHead(500).end();
      const { fetch, signer } = payer(store, { policy: { deadlineSecs: 1, permit2: true } });
      signers.push(signer);
      await fetch(`${shop.url}/${name}`);
    }
    assert.deepEqual(
      signers.map(({ asked: signed }) => signed.length),
      [1, 0, 0, 0],
      name,
    );
  }
  // Terms beside a settlement that is pending are not those that are signed.
  const store = memoryStore();
  const failed = JSON.stringify({ type: 'urn:farebox:problem:origin_failed', status: 409, code: 'origin_failed', retryable: false });
  const others = Buffer.from(JSON.stringify(terms([{ ...OFFER, amount: '10001' }]))).toString('base64');
  const turns: ((response: ServerResponse) => void)[] = [
    (response) => void response.writeHead(500).end(),
    (response) => void response.writeHead(402, { 'payment-required': others, 'payment-response': PENDING }).end(),
    (response) => void response.writeHead(409, { 'content-type': 'application/problem+json' }).end(failed),
  ];
  shop.answers = (request, response) =>
    paymentOf(request) === undefined ? ask(response) : (turns.shift() ?? ((it) => void it.writeHead(500).end()))(response);
  const before = shop.payments().length;
  for (let process = 0; process < 4; process += 1)
    assert.equal((await payer(store, { policy: { deadlineSecs: 3 } }).fetch(`${shop.url}/pending`)).status, 500);
  const nonces = shop
    .payments()
    .slice(before)
    .map(
      (it) =>
        (JSON.parse(Buffer.from(it, 'base64').toString()) as { payload: { authorization: { nonce: string } } }).payload.authorization.nonce,
    );
  assert.equal(new Set(nonces).size, 1);
});

//
test('rows without a text, as channels have left them, keep nobody from buying', async () => {
  const now = Math.floor(Date.now() / 1000);
  const rows = Array.from({ length: 256 }, (_, at) => [`beside ${at}`, now, false, '']);
  const store = memoryStore();
  const { version } = await store.read();
  assert.ok(await store.replace(version, JSON.stringify({ v: 2, entries: [], pins: [], sent: rows })));
  const { fetch } = payer(store);
  for (const path of ['/one', '/two']) assert.equal(await (await fetch(`${shop.url}${path}`)).text(), GOODS);
});

//
test('one host fills no more than its share of what is kept', async () => {
  const other = await open(honest);
  try {
    const store = memoryStore();
    const { fetch } = payer(store);
    const long = JSON.stringify({ x402Version: 1, error: 'x'.repeat(30_000), accepts: [OFFER_V1] });
    shop.answers = (request, response) =>
      paymentOf(request) === undefined
        ? void response.writeHead(402, { 'content-type': 'application/json' }).end(long)
        : void response.writeHead(500).end();
    let full = 0;
    for (let call = 0; call < 26; call += 1)
      await fetch(`${shop.url}/${call}`).catch((error: unknown) => {
        full += Number((error as { code?: string }).code === 'budget_exhausted');
      });
    assert.ok(full > 5 && full < 15, String(full));
    assert.equal(await (await fetch(`${other.url}/report`)).text(), GOODS);
    assert.equal((await fetch(`${shop.url}/1`)).status, 500, 'what was signed is sent again');
  } finally {
    await other.stop();
  }
});

test('a payment that a server calls used is paid and not delivered, and no other one is signed', async () => {
  let seconds = Date.now() / 1000;
  const store = memoryStore();
  const { fetch, signer } = payer(store, { now: () => seconds });
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : void response.writeHead(504).end());
  await fetch(`${shop.url}/report`);
  seconds += 4_000;
  shop.answers = (request, response) => {
    ask(response, paymentOf(request) === undefined ? terms() : terms([OFFER], { error: 'invalid_exact_evm_nonce_already_used' }));
  };
  for (const asked of [2, 2, 2]) {
    await assert.rejects(fetch(`${shop.url}/report`), { code: 'payment_conflict', message: /paid, not delivered/ });
    assert.equal(signer.asked.length, asked);
  }
  // Another key is another purchase, which is how a person buys it anew.
  shop.answers = honest;
  assert.equal(await (await fetch(`${shop.url}/report`, { headers: { 'idempotency-key': 'anew' } })).text(), GOODS);
});

test('an answer that breaks off is asked for again with the same payment', async () => {
  const store = memoryStore();
  const { fetch, signer } = payer(store);
  shop.answers = (request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    response.writeHead(200, { 'payment-response': Buffer.from(JSON.stringify(settlement())).toString('base64'), 'content-length': '1000' });
    response.write('half', () => response.destroy());
  };
  const broken = await fetch(`${shop.url}/report`);
  await assert.rejects(broken.text());
  shop.answers = honest;
  const whole = await payer(store).fetch(`${shop.url}/report`);
  assert.deepEqual([await whole.text(), signer.asked.length, new Set(shop.payments()).size], [GOODS, 1, 1]);
});

test('two calls at once in one process are two purchases, and an Idempotency-Key makes another request', async () => {
  const store = memoryStore();
  const { fetch, signer } = payer(store);
  const texts = await Promise.all([1, 2].map(async () => (await fetch(`${shop.url}/report`)).text()));
  assert.deepEqual([texts, signer.asked.length, new Set(shop.payments()).size], [[GOODS, GOODS], 2, 2]);
  const held: ServerResponse[] = [];
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : void held.push(response));
  const arrived = async (count: number): Promise<void> => {
    while (held.length < count)
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
  };
  const first = fetch(`${shop.url}/report`);
  await arrived(1);
  const second = fetch(`${shop.url}/report`);
  await arrived(2);
  for (const response of held) serve(response);
  await Promise.all([first, second].map(async (response) => (await response).text()));
  assert.deepEqual([signer.asked.length, new Set(shop.payments()).size], [4, 4], 'the second began while the first was under way');
  shop.answers = loses;
  await assert.rejects(fetch(`${shop.url}/report`, { headers: { 'idempotency-key': 'one' } }));
  shop.answers = honest;
  await (await fetch(`${shop.url}/report`, { headers: { 'idempotency-key': 'two' } })).text();
  assert.equal(signer.asked.length, 6);
  await (await fetch(`${shop.url}/report`, { headers: { 'idempotency-key': 'one' } })).text();
  assert.deepEqual([signer.asked.length, (await sentPayments(store)).every(({ open: isOpen }) => !isOpen)], [6, true]);
});

test('the receipt of a resumed payment is checked, and one that contradicts it ends it with an error', async () => {
  const store = memoryStore();
  const { fetch } = payer(store);
  shop.answers = loses;
  await assert.rejects(fetch(`${shop.url}/report`));
  shop.answers = (_, response) => serve(response, settlement({ amount: '1' }));
  await assert.rejects(fetch(`${shop.url}/report`), { code: 'receipt_mismatch', signed: true });
  assert.deepEqual(
    (await stateOf(store)).map(([, , isOpen]) => isOpen),
    [true],
    'its word proves nothing',
  );
});

test('a refusal and an error of the server leave it open until it can no longer be charged', async () => {
  let seconds = Date.now() / 1000;
  const store = memoryStore();
  const { fetch, signer } = payer(store, { now: () => seconds });
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : ask(response, terms([OFFER], { error: 'no' })));
  await assert.rejects(fetch(`${shop.url}/report`), { code: 'payment_refused' });
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : void response.writeHead(500).end());
  const failed = async () => (await fetch(`${shop.url}/report`)).status;
  assert.deepEqual([await failed(), await failed(), signer.asked.length], [500, 500, 1]);
  seconds += 4_000;
  assert.deepEqual([await failed(), await failed(), signer.asked.length], [500, 500, 2]);
});

test('a wallet that was short and was topped up gets what it signed for, and its endpoint opens by itself', async () => {
  const diagnostic = { info: { code: 'WALLET_INSUFFICIENT_FUNDS', escalate: true }, schema: { type: 'object' } };
  const store = memoryStore();
  const { fetch, signer } = payer(store);
  shop.answers = (request, response) =>
    paymentOf(request) === undefined
      ? ask(response)
      : ask(response, terms([OFFER], { error: 'insufficient_funds', extensions: { diagnostic } }));
  await assert.rejects(fetch(`${shop.url}/short`), { code: 'insufficient_funds' });
  // Another request to the endpoint would sign something new.
  await assert.rejects(fetch(`${shop.url}/short?other`), { code: 'endpoint_blocked' });
  await assert.rejects(fetch(`${shop.url}/short`), { code: 'insufficient_funds' });
  assert.equal((await fetch.endpoints.blocked()).length, 1);
  shop.answers = honest;
  assert.equal(await (await fetch(`${shop.url}/short`)).text(), GOODS);
  assert.deepEqual([signer.asked.length, await fetch.endpoints.blocked()], [1, []]);
  // Any other reason to stop stays a person's to look at.
  shop.answers = (request, response) =>
    paymentOf(request) === undefined
      ? ask(response)
      : ask(response, terms([OFFER], { extensions: { diagnostic: { ...diagnostic, info: { code: 'OPERATOR_ALERT', escalate: true } } } }));
  await assert.rejects(fetch(`${shop.url}/stop`), { code: 'payment_refused' });
  for (let turn = 0; turn < 2; turn += 1) await assert.rejects(fetch(`${shop.url}/stop`), { code: 'endpoint_blocked' });
});

//
test('what was signed is not sent again to an endpoint that another process has seen blocked', async () => {
  const store = memoryStore();
  const [first, second] = [payer(store), payer(store)];
  const url = `${shop.url}/stopped`;
  shop.answers = (_, response) => void response.end('free');
  assert.equal(await (await first.fetch(url)).text(), 'free', 'it has read the states');
  const diagnostic = { info: { code: 'OPERATOR_ALERT', escalate: true }, schema: { type: 'object' } };
  shop.answers = (request, response) =>
    ask(response, terms([OFFER], paymentOf(request) === undefined ? {} : { extensions: { diagnostic } }));
  await assert.rejects(second.fetch(url), { code: 'payment_refused' });
  await assert.rejects(first.fetch(url), { code: 'endpoint_blocked' });
  assert.equal(shop.payments().length, 1);
  // Once its person has looked, the same bytes go on.
  assert.equal(await first.fetch.endpoints.reenable(url), true);
  shop.answers = honest;
  assert.equal(await (await first.fetch(url)).text(), GOODS);
  assert.deepEqual([shop.payments().length, new Set(shop.payments()).size, first.signer.asked.length], [2, 1, 0]);
});

test('what was refused and has ended gives way, so that a merchant who refuses everything fills no store', async () => {
  let seconds = Date.now() / 1000;
  const store = memoryStore();
  const { fetch, signer } = payer(store, { now: () => seconds });
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : void response.writeHead(404).end());
  for (let call = 0; call < 300; call += 1) {
    assert.equal((await fetch(`${shop.url}/none-${call}`)).status, 404);
    seconds += 10;
  }
  const rows = await sentPayments(store);
  // Those of the last two minutes may still be charged; 256 others are kept.
  assert.ok(rows.length >= 256 && rows.length <= 256 + 13, String(rows.length));
  assert.ok(rows.some(({ url }) => url.endsWith('/none-290')) && !rows.some(({ url }) => url.endsWith('/none-0')));
  const { length } = signer.asked;
  shop.answers = honest;
  assert.equal(await (await fetch(`${shop.url}/none-299`)).text(), GOODS);
  assert.equal(signer.asked.length, length, 'the one that may be charged is sent again');
});

//
test('a settlement that is not over is asked for again with the same payment, also by later calls, until the content comes', async () => {
  const store = memoryStore();
  const { fetch, signer } = payer(store);
  const before = shop.payments().length;
  shop.answers = (request, response) =>
    paymentOf(request) === undefined ? ask(response) : void response.writeHead(402, { 'payment-response': PENDING }).end();
  for (let call = 0; call < 2; call += 1)
    await assert.rejects(fetch(`${shop.url}/report`), { code: 'payment_unresolved', signed: true, message: /settlement_pending/ });
  assert.deepEqual(
    (await stateOf(store)).map(([, , isOpen]) => isOpen),
    [true],
  );
  shop.answers = honest;
  assert.equal(await (await fetch(`${shop.url}/report`)).text(), GOODS);
  const payments = shop.payments().slice(before);
  assert.ok(payments.length >= 4, `${payments.length}`);
  assert.deepEqual([new Set(payments).size, signer.asked.length, (await spentIn(store)).entries.length], [1, 1, 1]);
});

//
//
test("an answer is its buyer's though the store fails as it is noted, and the next call pays nothing anew", async () => {
  for (const headers of [[], [['idempotency-key', 'order']]] as [string, string][][]) {
    const inner = memoryStore();
    let failures = 0;
    const store: Store = {
      read: () => inner.read(),
      replace: async (version, record) => {
        const closes = (JSON.parse(record) as { sent: [string, number, boolean, string][] }).sent.some(([, , isOpen]) => !isOpen);
        if (closes && failures === 0) {
          failures += 1;
          throw new Error('ENOSPC');
        }
        return inner.replace(version, record);
      },
    };
    const signer = watchedSigner();
    shop.answers = honest;
    const buy = async (): Promise<string> =>
      (await payingFetch({ signer, store, resume, policy: {} })(`${shop.url}/report`, { headers })).text();
    assert.deepEqual([await buy(), failures], [GOODS, 1]);
    assert.deepEqual([await buy(), signer.asked.length], [GOODS, 1], 'the same payment is shown again');
    assert.deepEqual(
      (await sentPayments(store)).map(({ open }) => open),
      [false],
    );
  }
});

test('users with an empty key are told apart by their credentials', async () => {
  const { fetch, signer } = payer(memoryStore());
  const as = (user: string) => fetch(`${shop.url}/report`, { headers: { 'idempotency-key': '', authorization: `Bearer ${user}` } });
  shop.answers = (request, response) =>
    paymentOf(request) === undefined ? ask(response) : void response.writeHead(402, { 'payment-response': PENDING }).end();
  await assert.rejects(as('alice'), { code: 'payment_unresolved' });
  shop.answers = honest;
  for (const user of ['bob', 'alice']) assert.equal(await (await as(user)).text(), GOODS);
  assert.equal(signer.asked.length, 2, 'each is asked once');
});

test('a server that asks for nothing leaves nothing, and what was not signed is not kept', async () => {
  const store = memoryStore();
  const { fetch } = payer(store, { confirm: () => false });
  await assert.rejects(fetch(`${shop.url}/report`), { code: 'declined' });
  shop.answers = (_, response) => void response.end('free');
  assert.deepEqual([await (await fetch(`${shop.url}/report`)).text(), await sentPayments(store)], ['free', []]);
});

test('a record of version 1 is read, and what it counts goes on counting', async () => {
  const at = Math.floor(Date.now() / 1000);
  const entry = ['aa', at, shop.host, `0x${'11'.repeat(20)}`, '10000000000000000'];
  const store = await storeOf(JSON.stringify({ v: 1, entries: [entry], pins: [] }));
  const { fetch } = payer(store, { policy: { perDay: '0.02' } });
  await (await fetch(`${shop.url}/report`)).text();
  await assert.rejects(fetch(`${shop.url}/report`), { code: 'budget_exhausted' });
  assert.deepEqual([(await spentIn(store)).v, (await sentPayments(store)).length], [2, 1]);
});

test('what has ended of one request is let go without that of another to the same address', async () => {
  shop.answers = loses;
  const store = memoryStore();
  const { fetch } = payer(store);
  const others: [string, RequestInit][] = [
    ['POST', { method: 'POST', body: '{}' }],
    ['GET', { headers: { 'idempotency-key': 'k' } }],
    ['GET', { headers: { authorization: 'Bearer x' } }],
  ];
  for (const init of [{}, ...others.map(([, it]) => it)])
    await assert.rejects(fetch(`${shop.url}/report`, init), { code: 'payment_unresolved' });
  const { name } = await nameOf(await requestOf(`${shop.url}/report`, undefined, false));
  assert.deepEqual(
    (await openPaymentsOf(store, name)).map(({ method }) => method),
    ['GET'],
  );
  // Of what has not ended, the payment that is named goes alone.
  await closeEnded(store, name, Date.now() / 1000);
  await closeEnded(store, name, Date.now() / 1000, 'another');
  const [open] = await openPaymentsOf(store, name);
  await closeEnded(store, name, Date.now() / 1000, open?.key);
  assert.deepEqual(await openPaymentsOf(store, name), []);
  const left = (await sentPayments(store)).filter((it) => it.open).map(({ method }) => method);
  assert.deepEqual(
    left,
    others.map(([method]) => method),
  );
});
