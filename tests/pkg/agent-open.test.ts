// While it is not known what became of a payment, the same request is never paid for again: not by a model that prepares it anew, not
// by a process that follows, not by a person who confirms another quote.

import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import { setImmediate as aTurn } from 'node:timers/promises';

import {
  AgentHarness,
  type AgentHarnessClient,
  type AgentHarnessExecutedResult,
  createAgentPayClient,
  createLocalAgentClient,
  createPaymentDesk,
  type LocalAgentOptions,
  type PaymentDesk,
  type PaymentOutcome,
} from '../../pkg/dist/agent/index.js';
import { memoryStore, type Proposal, type Store } from '../../pkg/dist/index.js';
import { askFor, challenge, credentialOf, deliver, inSeconds } from './charges.ts';
import { EXPIRED, saying } from './diagnosing.ts';
import { ask, GOODS, honest, OFFER, ON_BASE, paymentOf, serve, settlement, sharedShop, storeOf, terms, watchedSigner } from './shop.ts';

const shop = sharedShop(breakOff);

/** Takes the payment, and its answer breaks off: it is not known whether it counts. */
function breakOff(request: IncomingMessage, response: ServerResponse): void {
  if (paymentOf(request) === undefined) {
    ask(response);
    return;
  }
  response.writeHead(200, { 'payment-response': Buffer.from(JSON.stringify(settlement())).toString('base64'), 'content-length': '1000' });
  response.write('half', () => response.destroy());
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
const buy = async (harness: AgentHarness, path = '/report') => {
  const summary = await harness.preparePaidRequest({ url: `${shop.url}${path}` });
  const result = await harness.executePreparedRequest({ preparedId: summary.preparedId });
  assert.equal(result.harnessDisposition, 'executed');
  return { summary, result: result as AgentHarnessExecutedResult };
};
/** Agrees to a payment that is the first one for its request. */
const first = (again: boolean): boolean => !again;
const RESUMES =
  'Costs 0.010000 USDC on Base Sepolia (exact). A payment for this request was sent before, and its outcome is open: executing without an idempotencyKey goes on with that payment; with one it may be paid a second time.';

test('prepared requests that are kept with a client that forgets its payments are refused, and the error says what to pass', () => {
  const forgets = createLocalAgentClient({ signer: watchedSigner() });
  for (const made of [
    () => new AgentHarness({ client: forgets, store: memoryStore() }),
    () => createPaymentDesk({ client: forgets, store: memoryStore() }),
  ]) {
    assert.throws(made, { name: 'FareboxError', code: 'invalid_options', remedy: /store \(or sent\) to createLocalAgentClient/ });
  }
  for (const keeps of [{ store: memoryStore() }, { sent: memoryStore() }]) {
    assert.ok(new AgentHarness({ client: createLocalAgentClient({ signer: watchedSigner(), ...keeps }), store: memoryStore() }));
  }
  assert.ok(new AgentHarness({ client: forgets }), 'both end with the process');
});

test('a request whose payment is open and that is prepared anew resumes it, says so, and afterwards it can be bought again', async () => {
  const { client, signer } = local();
  const harness = new AgentHarness({ client });
  const first = await buy(harness);
  assert.deepEqual([first.result.sdkOutcomeKind, first.summary.costSummary], ['execution_inconclusive', RESUMES.slice(0, 44)]);
  shop.answers = honest;
  const second = await buy(harness);
  assert.deepEqual(
    [second.summary.nextAction, second.summary.costSummary, second.result.sdkOutcomeKind, second.result.merchantResponse.body],
    ['execute', RESUMES, 'success', GOODS],
  );
  assert.deepEqual([signer.asked.length, new Set(shop.payments()).size], [1, 1]);
  const third = await buy(harness);
  assert.deepEqual(
    [third.summary.costSummary, third.result.sdkOutcomeKind, signer.asked.length, new Set(shop.payments()).size],
    [RESUMES.slice(0, 44), 'success', 2, 2],
  );
});

test('a question that failed has sent nothing: the same request is prepared without a word of a payment, and bought under another key', async () => {
  let isBroken = true;
  const confirm = (): boolean => {
    if (isBroken) throw new Error('the host is gone');
    return true;
  };
  const { client, signer } = local({ confirm });
  shop.answers = honest;
  const harness = new AgentHarness({ client });
  const { preparedId } = await harness.preparePaidRequest({ url: `${shop.url}/report` });
  await assert.rejects(harness.executePreparedRequest({ preparedId }), { message: 'the host is gone' });
  assert.deepEqual([signer.asked.length, shop.payments().length, harness.getExecutionResult(preparedId).state], [0, 0, 'active']);
  isBroken = false;
  const executionContext = { idempotencyKey: 'another' };
  const again = await harness.executePreparedRequest({ preparedId, executionContext });
  assert.equal((again as AgentHarnessExecutedResult).sdkOutcomeKind, 'success');
  assert.equal((await client.openPayment({ method: 'GET', url: `${shop.url}/report` })) ?? 'none', 'none');
  isBroken = true;
  const broken = await harness.preparePaidRequest({ url: `${shop.url}/report` });
  await assert.rejects(harness.executePreparedRequest({ preparedId: broken.preparedId }), { message: 'the host is gone' });
  isBroken = false;
  const { summary, result } = await buy(harness);
  assert.deepEqual([summary.costSummary, result.sdkOutcomeKind, signer.asked.length], [RESUMES.slice(0, 44), 'success', 2]);
});

test('a process that ended while it asked its person leaves nothing that was sent, and one that had signed does', async () => {
  for (const [answers, said] of [
    [() => new Promise<boolean>(() => undefined), RESUMES.slice(0, 44)],
    [async () => true, RESUMES],
  ] as const) {
    const [store, prepared] = [memoryStore(), memoryStore()];
    let isReached = (): void => undefined;
    const reached = new Promise<void>((resolve) => {
      isReached = resolve;
    });
    shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : isReached());
    const confirm = (): Promise<boolean> => {
      if (said !== RESUMES) isReached();
      return answers();
    };
    const asking = local({ store, confirm });
    const first = new AgentHarness({ client: asking.client, store: prepared });
    const { preparedId } = await first.preparePaidRequest({ url: `${shop.url}/report` });
    void first.executePreparedRequest({ preparedId }).catch(() => undefined);
    await reached;
    // What the next process finds.
    const copied = async (from: Store): Promise<Store> => {
      const to = memoryStore();
      await to.replace((await to.read()).version, (await from.read()).record ?? '');
      return to;
    };
    const next = new AgentHarness({ client: local({ store: await copied(store) }).client, store: await copied(prepared) });
    await next.restore();
    assert.equal((await next.preparePaidRequest({ url: `${shop.url}/report` })).costSummary, said);
  }
});

test("a request that was prepared before the other one's outcome stayed open resumes it as well, and another request does not", async () => {
  const { client, signer } = local();
  const harness = new AgentHarness({ client });
  const ready = (path: string) => harness.preparePaidRequest({ url: `${shop.url}${path}` });
  const one = await ready('/report');
  const paying = harness.executePreparedRequest({ preparedId: one.preparedId });
  const two = await ready('/report');
  await paying;
  shop.answers = honest;
  await harness.executePreparedRequest({ preparedId: two.preparedId });
  assert.deepEqual([signer.asked.length, new Set(shop.payments()).size], [1, 1]);
  assert.equal(harness.getExecutionResult(one.preparedId).executionResult?.harnessDisposition, 'executed');
  await buy(harness, '/report?of=another');
  assert.equal(signer.asked.length, 2);
});

for (const [name, status, settled] of [
  ['a settlement that is not over', 402, settlement({ success: false, errorReason: 'settlement_pending' })],
  ['a failure of the server', 502, undefined],
] as const) {
  test(`${name} leaves the payment open: the same request sends it again, and pays nothing more`, async () => {
    const { client, signer } = local({ policy: { deadlineSecs: 1 } });
    const harness = new AgentHarness({ client });
    const headers = settled === undefined ? {} : { 'payment-response': Buffer.from(JSON.stringify(settled)).toString('base64') };
    shop.answers = (request, response) =>
      paymentOf(request) === undefined ? ask(response) : void response.writeHead(status, headers).end();
    for (let call = 0; call < 2; call += 1) assert.equal((await buy(harness)).result.sdkOutcomeKind, 'execution_inconclusive');
    shop.answers = honest;
    assert.equal((await buy(harness)).result.merchantResponse.body, GOODS);
    assert.deepEqual([signer.asked.length, new Set(shop.payments()).size], [1, 1]);
  });
}

for (const [name, stores] of [
  ['its budget', () => ({ store: memoryStore() })],
  ['a store of its own', () => ({ store: memoryStore(), sent: memoryStore() })],
] as const) {
  test(`a process that knows no prepared request finds the open payment beside ${name}`, async () => {
    const kept = stores();
    const [one, two] = [local(kept), local(kept)];
    await buy(new AgentHarness({ client: one.client }));
    shop.answers = honest;
    const { summary, result } = await buy(new AgentHarness({ client: two.client }));
    assert.deepEqual([summary.costSummary, result.sdkOutcomeKind, result.merchantResponse.body], [RESUMES, 'success', GOODS]);
    assert.deepEqual([two.signer.asked.length, new Set(shop.payments()).size], [0, 1]);
    const next = await buy(new AgentHarness({ client: two.client }));
    assert.deepEqual([next.result.sdkOutcomeKind, two.signer.asked.length], ['success', 1], 'its fate is known: it is bought again');
  });
}

test('without a key of the caller the client resumes too, and with one it pays for another purchase', async () => {
  const { client, signer } = local();
  const fetchPaid = (idempotencyKey?: string) =>
    client.fetchPaid(`${shop.url}/report`, undefined, idempotencyKey === undefined ? {} : { idempotencyKey });
  await assert.rejects(fetchPaid(), { kind: 'execution_inconclusive' });
  shop.answers = honest;
  assert.equal((await fetchPaid('mine')).kind, 'success');
  assert.equal(signer.asked.length, 2);
  assert.equal((await fetchPaid()).kind, 'success');
  assert.deepEqual([signer.asked.length, new Set(shop.payments()).size], [2, 2]);
});

test('a payment that the merchant goes on refusing is open until it can no longer be charged', async () => {
  let seconds = Date.now() / 1000;
  const store = memoryStore();
  const before = local({ store, now: () => seconds });
  await buy(new AgentHarness({ client: before.client }));
  shop.answers = (_, response) => ask(response);
  assert.equal((await buy(new AgentHarness({ client: before.client }))).result.sdkOutcomeKind, 'execution_inconclusive');
  seconds += 4_000;
  const { client, signer } = local({ store, now: () => seconds });
  const harness = new AgentHarness({ client });
  // It is signed again, with its nonce: what was charged before cannot be charged again.
  assert.equal((await buy(harness)).result.sdkOutcomeKind, 'execution_failed');
  shop.answers = honest;
  assert.equal((await buy(harness)).result.sdkOutcomeKind, 'success');
  const nonces = [before.signer, signer].flatMap(({ asked }) => asked.map(({ message }) => (message as { nonce: string }).nonce));
  assert.deepEqual([nonces.length, new Set(nonces).size], [2, 1]);
  assert.equal((await buy(harness)).result.sdkOutcomeKind, 'success');
  assert.equal(signer.asked.length, 2, 'a delivered one is over');
});

//
for (const [elsewhere, asks, chain] of [
  ['on another chain', (response: ServerResponse) => ask(response, terms([ON_BASE])), 8453],
  ['by a challenge of MPP', (response: ServerResponse) => askFor(response, [challenge({ expires: inSeconds(4_300) })]), 84532],
] as const)
  for (const [who, change, signs] of [
    ['nobody is asked', {}, 0],
    ['the policy says so', { policy: { payAgain: true } }, 1],
    ['a person says so', { confirm: () => true }, 1],
    ['a person says no', { confirm: ({ again }: Proposal) => first(again) }, 0],
  ] as const)
    test(`what has ended is paid ${elsewhere} beside it only by a word: ${who}`, async () => {
      let seconds = Date.now() / 1000;
      const store = memoryStore();
      const before = local({ store, now: () => seconds });
      await buy(new AgentHarness({ client: before.client }));
      seconds += 4_000;
      const { client, signer } = local({ store, now: () => seconds, ...change });
      shop.answers = (request, response) => {
        if (paymentOf(request) === undefined) asks(response);
        else response.writeHead(504).end();
      };
      const { result } = await buy(new AgentHarness({ client }));
      const chains = signer.asked.map(({ domain }) => Number(domain?.chainId));
      assert.deepEqual(chains, [chain].slice(0, signs));
      if (signs === 0) assert.notEqual(result.sdkOutcomeKind, 'success');
      const reason = who === 'nobody is asked' ? /only the chain tells whether it was charged/ : /./;
      assert.match(JSON.stringify(result), reason);
    });

//
for (const [elsewhere, asks] of [
  ['on another chain', (response: ServerResponse) => ask(response, terms([ON_BASE]))],
  [
    'by a challenge of MPP',
    (response: ServerResponse, later: number) => askFor(response, [challenge({ expires: inSeconds(later + 300) })]),
  ],
] as const)
  for (const [keeps, stores] of [
    ['the budget', () => ({ store: memoryStore() })],
    ['a store of its own', () => ({ store: memoryStore(), sent: memoryStore() })],
  ] as const)
    test(`what is signed again for a shorter time ends no earlier than what was signed before, kept with ${keeps}: ${elsewhere}`, async () => {
      const began = Math.floor(Date.now() / 1000);
      let seconds = began;
      const told: boolean[] = [];
      const confirm = ({ again }: Proposal) => {
        told.push(again);
        return true;
      };
      const { client, signer } = local({ ...stores(), now: () => seconds, confirm, policy: { deadlineSecs: 1 } });
      shop.answers = (request, response) => {
        const sent = shop.payments().length;
        if (paymentOf(request) === undefined) ask(response, terms([{ ...OFFER, maxTimeoutSeconds: sent === 0 ? 3_600 : 1 }]));
        else if (sent === 1) ask(response, saying(EXPIRED));
        else response.writeHead(504).end();
      };
      assert.equal((await buy(new AgentHarness({ client }))).result.sdkOutcomeKind, 'execution_inconclusive');
      const until = signer.asked.map(({ message }) => Number(message['validBefore']) - began);
      assert.deepEqual(until, [3_600, 2], 'signed once more, for a shorter time');
      shop.answers = (request, response) => {
        if ((paymentOf(request) ?? credentialOf(request)) === undefined) asks(response, seconds - began);
        else response.writeHead(504).end();
      };
      for (const [later, signatures, isDoubted] of [
        [70, 2, false],
        [3_600, 2, false],
        [3_700, 3, true],
      ] as const) {
        seconds = began + later;
        await buy(new AgentHarness({ client }));
        assert.deepEqual([later, signer.asked.length, told.includes(true)], [later, signatures, isDoubted]);
      }
    });

const PROBLEM = JSON.stringify({
  type: 'urn:farebox:problem:payment_already_delivered',
  code: 'payment_already_delivered',
  status: 409,
  retryable: false,
});
//
for (const [protocol, asks, delivers, more] of [
  ['MPP', (response: ServerResponse) => askFor(response, [challenge()]), deliver, {}],
  ['x402 without an identifier', (response: ServerResponse) => ask(response), serve, { identifier: false }],
] as const)
  for (const buyer of ['client', 'harness', 'desk', 'process that follows'] as const)
    test(`an agent signs for the answer that a gate holds: ${buyer}, by ${protocol}`, async () => {
      const store = memoryStore();
      const { client, signer } = local({ store, ...more });
      const sent = new Set<string>();
      shop.answers = (request, response) => {
        const payment = paymentOf(request) ?? credentialOf(request);
        if (payment === undefined) return asks(response);
        sent.add(payment);
        const statement = request.headers['farebox-redelivery'];
        if (statement !== undefined) return delivers(response);
        if (signer.asked.length === 1 && !isLost) {
          isLost = true;
          return void response.writeHead(200, { 'content-length': '1000' }).write('half', () => response.destroy());
        }
        response.writeHead(409, { 'content-type': 'application/problem+json' }).end(PROBLEM);
      };
      let isLost = false;
      const url = `${shop.url}/report`;
      const desk = createPaymentDesk({ client });
      const next = local({ store, ...more });
      const goods = async (turn: number): Promise<string> => {
        if (buyer === 'harness') return (await buy(new AgentHarness({ client }))).result.merchantResponse.body;
        if (buyer === 'desk') return ((await desk.pay(await confirmed(desk))) as PaymentOutcome).response.body;
        const by = buyer === 'client' || turn === 0 ? client : next.client;
        const outcome = await by.fetchPaid(url, undefined, {}).catch(() => undefined);
        return outcome === undefined ? 'nothing' : outcome.response.text();
      };
      assert.notEqual(await goods(0), GOODS);
      assert.equal(await goods(1), GOODS);
      const asked = [...signer.asked, ...next.signer.asked].map(({ primaryType }) => primaryType);
      assert.deepEqual([asked, sent.size], [['TransferWithAuthorization', 'Redelivery'], 1]);
    });

//
test('an agent signs for no answer that somebody else holds, and a wallet that does not sign leaves the payment as it is', async () => {
  for (const [type, signs] of [
    ['about:blank', true],
    ['urn:farebox:problem:payment_already_delivered', false],
  ] as const) {
    const signer = watchedSigner();
    const sign: typeof signer.sign = async (data, signal) => {
      const signature = await signer.sign(data, signal);
      if (data.primaryType === 'Redelivery') assert.ok(signs, 'the wallet is locked');
      return signature;
    };
    const { client } = local({ signer: { ...signer, sign }, identifier: false });
    let came = 0;
    shop.answers = (request, response) => {
      if (paymentOf(request) === undefined) return ask(response);
      came += 1;
      if (came === 1) return breakOff(request, response);
      response.writeHead(409, { 'content-type': 'application/json' }).end(JSON.stringify({ ...JSON.parse(PROBLEM), type }));
    };
    for (let turn = 0; turn < 2; turn += 1)
      await assert.rejects(client.fetchPaid(`${shop.url}/report`, undefined, {}), { kind: 'execution_inconclusive' });
    const asked = signer.asked.map(({ primaryType }) => primaryType);
    assert.deepEqual([asked.includes('Redelivery'), came, new Set(shop.payments().slice(-2)).size], [!signs, 2, 1]);
  }
});

//
test('an agent sends a payment no more to an endpoint that asked to stop, until a person has looked', async () => {
  const { client, signer } = local();
  const url = `${shop.url}/report`;
  await assert.rejects(client.fetchPaid(url, undefined, {}), { kind: 'execution_inconclusive' });
  // Another purchase at the same endpoint is told to stop.
  const stop = { code: 'OPERATOR_ALERT', message: 'stop', escalate: true, suggestion: 'look' };
  shop.answers = (request, response) => ask(response, paymentOf(request) === undefined ? terms() : saying(stop));
  await client.fetchPaid(`${url}?of=another`, undefined, {}).catch(() => undefined);
  assert.equal((await client.endpoints.blocked()).length, 1);
  shop.answers = honest;
  const before = shop.payments().length;
  await assert.rejects(client.fetchPaid(url, undefined, {}), { kind: 'execution_inconclusive', reason: /^endpoint_blocked: / });
  assert.deepEqual([shop.payments().length, signer.asked.length], [before, 2]);
  await client.endpoints.reenable(url);
  assert.equal((await client.fetchPaid(url, undefined, {})).kind, 'success');
  assert.equal(signer.asked.length, 2);
});

//
test('an answer to what an agent sends again stops its endpoint, as one to a new payment does', async () => {
  const events: string[] = [];
  const { client, signer } = local({ onEscalation: ({ diagnostic }) => void events.push(diagnostic.code) });
  const url = `${shop.url}/report`;
  await assert.rejects(client.fetchPaid(url, undefined, {}), { kind: 'execution_inconclusive' });
  const stop = { code: 'OPERATOR_ALERT', message: 'stop', escalate: true, suggestion: 'look' };
  shop.answers = (request, response) => ask(response, paymentOf(request) === undefined ? terms() : saying(stop));
  await assert.rejects(client.fetchPaid(url, undefined, {}), { kind: 'execution_inconclusive' });
  assert.deepEqual(
    [(await client.endpoints.blocked()).map(({ diagnostic }) => diagnostic.code), events],
    [['OPERATOR_ALERT'], ['OPERATOR_ALERT']],
  );
  shop.answers = honest;
  await assert.rejects(client.fetchPaid(url, undefined, {}), { kind: 'execution_inconclusive', reason: /^endpoint_blocked: / });
  assert.deepEqual([shop.payments().length, new Set(shop.payments()).size, signer.asked.length], [2, 1, 1]);
});

//
test('an agent that signs again after an end takes a receipt of what it signed before', async () => {
  let seconds = Date.now() / 1000;
  const { client, signer } = local({ now: () => seconds });
  let amount = '20000';
  // The first one is charged, and its answer is lost.
  shop.answers = (request, response) =>
    paymentOf(request) === undefined ? ask(response, terms([{ ...OFFER, amount }])) : breakOff(request, response);
  const fetchPaid = () => client.fetchPaid(`${shop.url}/report`, undefined, {});
  await assert.rejects(fetchPaid(), { kind: 'execution_inconclusive' });
  [seconds, amount] = [seconds + 4_000, '10000'];
  // The seller knows it again by its nonce.
  shop.answers = (request, response) =>
    paymentOf(request) === undefined ? ask(response, terms([{ ...OFFER, amount }])) : serve(response, settlement({ amount: '20000' }));
  const { response } = await fetchPaid();
  assert.equal(await response.text(), GOODS);
  const signed = signer.asked.map(({ message }) => [message['value'], message['nonce']]);
  assert.deepEqual([signed.map(([value]) => value), new Set(signed.map(([, nonce]) => nonce)).size], [['20000', '10000'], 1]);
});

//
for (const [what, shows, kind] of [
  ['that were shown', true, 'success'],
  ['that nobody was shown', false, 'execution_inconclusive'],
] as const)
  test(`an agent whose payment is refused for other terms signs those ${what} ${shows ? 'in its place, under its nonce' : 'no more than before'}`, async () => {
    const { client, signer } = local();
    const url = `${shop.url}/report`;
    const earlier = await client.preparePaidRequest(url);
    assert.ok(earlier.kind === 'ready');
    const executed = (prepared: Awaited<ReturnType<typeof client.preparePaidRequest>>) =>
      client.executePreparedRequest(prepared as typeof earlier).then(
        (it) => it.kind,
        (error: { kind: string }) => error.kind,
      );
    assert.equal(await executed(earlier), 'execution_inconclusive');
    const cheaper = terms([{ ...OFFER, amount: '9000' }]);
    shop.answers = (request, response) => {
      const payment = paymentOf(request);
      const amount = payment === undefined ? '' : (JSON.parse(atob(payment)) as { accepted: { amount: string } }).accepted.amount;
      if (amount === '9000') serve(response, settlement({ amount }));
      else ask(response, cheaper);
    };
    assert.equal(await executed(shows ? await client.preparePaidRequest(url) : earlier), kind);
    const signed = signer.asked.map(({ message }) => message['nonce']);
    assert.deepEqual([signed.length, new Set(signed).size], [shows ? 2 : 1, 1]);
  });

test('what has ended is signed again where its terms stand beside cheaper ones', async () => {
  let seconds = Date.now() / 1000;
  const store = memoryStore();
  const before = local({ store, now: () => seconds });
  await buy(new AgentHarness({ client: before.client }));
  seconds += 4_000;
  const { client, signer } = local({ store, now: () => seconds });
  shop.answers = (request, response) => {
    if (paymentOf(request) !== undefined) return honest(request, response);
    return askFor(response, [challenge({ expires: inSeconds(4_300), request: { amount: '9000' } })], terms().accepts as never);
  };
  const { result } = await buy(new AgentHarness({ client }));
  assert.equal(result.sdkOutcomeKind, 'success');
  const nonces = [before.signer, signer].flatMap(({ asked }) => asked.map(({ message }) => (message as { nonce: string }).nonce));
  assert.deepEqual([nonces.length, new Set(nonces).size], [2, 1]);
});

test('content without a receipt is over once it can no longer be charged, and can be bought again', async () => {
  let seconds = Date.now() / 1000;
  const { client, signer } = local({ now: () => seconds });
  const harness = new AgentHarness({ client });
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : void response.end(GOODS));
  for (let turn = 0; turn < 2; turn += 1) assert.equal((await buy(harness)).result.sdkOutcomeKind, 'success');
  assert.equal(signer.asked.length, 1);
  seconds += 4_000;
  for (let turn = 0; turn < 2; turn += 1) assert.equal((await buy(harness)).result.sdkOutcomeKind, 'success');
  const nonces = signer.asked.map(({ message }) => (message as { nonce: string }).nonce);
  assert.deepEqual([nonces.length, new Set(nonces).size], [2, 2]);
});

test('one key is one charge in every process, also without a store', async () => {
  const nonces = new Set<unknown>();
  for (let process = 0; process < 3; process += 1) {
    const { client, signer } = local({ store: undefined as never });
    await client.fetchPaid(`${shop.url}/report`, undefined, { idempotencyKey: 'order-7' }).catch(() => undefined);
    assert.equal(signer.asked.length, 1);
    nonces.add((signer.asked[0]?.message as { nonce: string }).nonce);
  }
  assert.equal(nonces.size, 1);
});

for (const payAgain of [false, true])
  test(`a payment whose nonce is the challenge’s, and which has ended, is ${payAgain ? 'over where the policy says so' : 'not made again unasked'}`, async () => {
    let seconds = Date.now() / 1000;
    const { client, signer } = local({ now: () => seconds, policy: { deadlineSecs: 1, payAgain } });
    const harness = new AgentHarness({ client });
    shop.answers = (request, response) => {
      if (credentialOf(request) === undefined) askFor(response, [challenge({ expires: new Date((seconds + 300) * 1000).toISOString() })]);
      else response.writeHead(504).end();
    };
    assert.equal((await buy(harness)).result.sdkOutcomeKind, 'execution_inconclusive');
    assert.equal((await buy(harness)).result.sdkOutcomeKind, 'execution_inconclusive');
    assert.equal(signer.asked.length, 1);
    seconds += 4_000;
    if (!payAgain) {
      for (let turn = 0; turn < 3; turn += 1) assert.equal((await buy(harness)).result.sdkOutcomeKind, 'execution_inconclusive');
      assert.equal(signer.asked.length, 1);
      return;
    }
    assert.equal((await buy(harness)).result.sdkOutcomeKind, 'execution_failed');
    assert.equal(signer.asked.length, 1, 'it was sent once more');
    await buy(harness);
    assert.equal(signer.asked.length, 2);
  });

test('a control plane whose outcome is open is asked again under the same key, and then under another', async () => {
  const keys: (string | undefined)[] = [];
  const asks = createAgentPayClient({
    controlPlaneBaseUrl: 'https://plane.invalid',
    auth: { type: 'runtimeToken', runtimeToken: 't' },
    organization: 'acme',
    agent: 'buyer',
  });
  const client: AgentHarnessClient = {
    preparePaidRequest: (url, init) => asks.preparePaidRequest(url, init),
    executePreparedRequest: async (_, context) => {
      keys.push(context?.idempotencyKey);
      const response = new Response('{}', { status: 202 });
      if (keys.length > 2) return { kind: 'success', protocol: 'x402', response } as never;
      throw Object.assign(new Error('open'), {
        name: 'FetchPaidError',
        details: { kind: keys.length === 1 ? 'execution_pending' : 'execution_inconclusive', protocol: 'x402', response, reason: 'open' },
      });
    },
  };
  const harness = new AgentHarness({ client });
  for (let turn = 0; turn < 4; turn += 1) await buy(harness);
  const [one, two, three, four] = keys;
  assert.deepEqual([two, three, four === one], [one, one, false]);
});

/** A control plane that answers so, and the keys under which it was asked. */
function answeringPlane(outcomes: readonly object[]) {
  const keys: (string | undefined)[] = [];
  const asks = createAgentPayClient({
    controlPlaneBaseUrl: 'https://plane.invalid',
    auth: { type: 'runtimeToken', runtimeToken: 't' },
    organization: 'acme',
    agent: 'buyer',
  });
  const client: AgentHarnessClient = {
    preparePaidRequest: (url, init, options) => asks.preparePaidRequest(url, init, options),
    executePreparedRequest: async (_, context) => {
      keys.push(context?.idempotencyKey);
      const outcome = await outcomes[keys.length - 1];
      if (outcome instanceof Error) throw outcome;
      const details = { protocol: 'x402', response: new Response(GOODS), reason: 'none', ...outcome };
      if ('receipt' in details) return details as never;
      throw Object.assign(new Error('no delivery'), { name: 'FetchPaidError', details });
    },
  };
  return { client, keys };
}
const DELIVERED = (settlementEvidenceClass: string) => ({
  kind: 'success',
  receiptId: 'r',
  receipt: { receiptId: 'r', status: 'provisional', settlementEvidenceClass },
});
const UNPROVEN = [
  { kind: 'execution_failed' },
  { kind: 'request_failed', decision: { outcome: 'request_failed', status: 502, message: 'down' } },
  DELIVERED('none'),
  DELIVERED('inconclusive'),
  DELIVERED('settled'),
  DELIVERED('settled'),
];

test('behind a control plane, what delivered nothing, or without a receipt, keeps its key until it has a receipt', async () => {
  const { client, keys } = answeringPlane(UNPROVEN);
  const harness = new AgentHarness({ client });
  for (const _ of UNPROVEN) await buy(harness);
  assert.deepEqual(
    keys.map((key) => key === keys[0]),
    [true, true, true, true, true, false],
  );
});

//
test('behind a control plane the key stays for as long as a merchant may have an authorization signed, and is another one then', async () => {
  const { client, keys } = answeringPlane([0, 1, 2, 3].map(() => ({ kind: 'execution_failed' })));
  let minutes = 0;
  const harness = new AgentHarness({ client, now: () => new Date(Date.now() + minutes * 60_000) });
  // Each one from the attempt before it.
  for (const later of [0, 11, 60, 62]) {
    minutes += later;
    await buy(harness);
  }
  assert.deepEqual(
    keys.map((key) => key === keys[0]),
    [true, true, true, false],
  );
});

//
test('one attempt of a control plane is open until its first end, however often it is asked for', async () => {
  shop.answers = (_, response) => ask(response);
  const failed = (paymentAttemptId: string) => ({ kind: 'execution_failed', paymentAttemptId });
  // Each of the second four was signed anew.
  for (const [attempts, isLast] of [['aaaa', false] as const, ['abcd', true] as const]) {
    for (const buyer of ['harness', 'desk']) {
      const { client, keys } = answeringPlane([...attempts].map(failed));
      let minutes = 0;
      const now = () => Date.now() + minutes * 60_000;
      const [harness, desk] = [new AgentHarness({ client, now: () => new Date(now()) }), createPaymentDesk({ client, now })];
      for (const _ of attempts) {
        await (buyer === 'harness' ? buy(harness) : desk.pay(await confirmed(desk)));
        minutes += 25;
      }
      assert.deepEqual(
        keys.map((key) => key === keys[0]),
        [true, true, true, isLast],
        `${buyer} ${attempts}`,
      );
    }
  }
});

test('a desk behind a control plane keeps the key as well, and says so of a plane that failed', async () => {
  shop.answers = (_, response) => ask(response);
  const { client, keys } = answeringPlane(UNPROVEN);
  const desk = createPaymentDesk({ client });
  const told: string[] = [];
  for (const _ of UNPROVEN) told.push(((await desk.pay(await confirmed(desk))) as PaymentOutcome).text);
  assert.deepEqual(
    keys.map((key) => key === keys[0]),
    [true, true, true, true, true, false],
  );
  assert.match(told[1] ?? '', /^It is not known whether a payment of /);
});

const undecided = (status: number, body?: unknown) => ({
  kind: 'request_failed',
  decision: { outcome: 'request_failed', status, message: 'none', body },
});
const REFUSED = undecided(429, { message: 'Too many payments are open.', code: 'too_many_open_payments' });

//
for (const [left, before] of [
  ['pending', { kind: 'execution_pending', paymentAttemptId: 'a' }],
  ['inconclusive', { kind: 'execution_inconclusive', paymentAttemptId: 'a' }],
  ['failed', { kind: 'execution_failed', paymentAttemptId: 'a' }],
  ['lost', new TypeError('fetch failed')],
] as const)
  for (const [name, answer] of [
    ['a token that has ended', undecided(401)],
    ['a wall', undecided(403, '<p>Forbidden')],
    ['a proxy that knows no such path', undecided(404, { message: 'none' })],
    ['a rate limit', undecided(429)],
    ['a page with 200', undecided(200, '<p>Log in')],
    ['a failure', undecided(502)],
    ['a refusal of its own', REFUSED],
  ] as const)
    test(`behind a control plane a payment that is ${left} is not ended by ${name}, and nobody is told that nothing was paid`, async () => {
      shop.answers = (_, response) => ask(response);
      for (const buyer of ['harness', 'desk']) {
        const { client, keys } = answeringPlane([before, answer, DELIVERED('settled'), DELIVERED('settled')]);
        const [harness, desk] = [new AgentHarness({ client }), createPaymentDesk({ client })];
        const told: unknown[] = [];
        for (let turn = 0; turn < 4; turn += 1) {
          const pays = buyer === 'harness' ? buy(harness) : desk.pay(await confirmed(desk));
          told.push(await pays.then((it) => ('text' in it ? it.text : 'summary' in it && it.summary.costSummary), String));
        }
        assert.deepEqual(
          keys.map((key) => key === keys[0]),
          [true, true, true, false],
          buyer,
        );
        if (buyer === 'desk') assert.match(String(told[1]), /^It is not known whether a payment of /);
        else assert.deepEqual(told.slice(1), [RESUMES, RESUMES, RESUMES.slice(0, 44)]);
      }
    });

//
test('an id whose answer was lost and that is executed again keeps its key after what is no decision', async () => {
  shop.answers = (_, response) => ask(response);
  const { client, keys } = answeringPlane([new TypeError('cut'), REFUSED, DELIVERED('settled'), DELIVERED('settled')]);
  const harness = new AgentHarness({ client });
  const { preparedId } = await harness.preparePaidRequest({ url: `${shop.url}/report` });
  await assert.rejects(harness.executePreparedRequest({ preparedId }), /cut/);
  await harness.executePreparedRequest({ preparedId });
  for (let turn = 0; turn < 2; turn += 1) await buy(harness);
  assert.deepEqual(
    keys.map((key) => key === keys[0]),
    [true, true, true, false],
  );
});

/** Which of the purchases that a buyer makes at these minutes have the key of the first one, where a control plane answers so. */
async function areFirst(
  buyer: 'harness' | 'desk',
  outcomes: Parameters<typeof answeringPlane>[0],
  times: readonly number[],
): Promise<boolean[]> {
  shop.answers = (_, response) => ask(response);
  let minutes = 0;
  const now = () => Date.now() + minutes * 60_000;
  const { client, keys } = answeringPlane(outcomes);
  const [harness, desk] = [new AgentHarness({ client, now: () => new Date(now()) }), createPaymentDesk({ client, now })];
  for (const time of times) {
    minutes = time;
    await (buyer === 'harness' ? buy(harness) : desk.pay(await confirmed(desk))).catch(() => undefined);
  }
  return keys.map((key) => key === keys[0]);
}

//
test('a refusal leaves a payment open for as long as it was, and what else is no decision never for less', async () => {
  for (const [outcomes, times, same] of [
    // A day later the outcome of the first one is still not known.
    [
      [new TypeError('cut'), undecided(401), DELIVERED('settled')],
      [0, 1, 1_440],
      [true, true, true],
    ],
    [
      [{ kind: 'execution_failed' }, REFUSED, DELIVERED('settled')],
      [0, 30, 62],
      [true, true, false],
    ],
  ] as const)
    for (const buyer of ['harness', 'desk'] as const) {
      assert.deepEqual(await areFirst(buyer, outcomes, times), same, buyer);
    }
});

//
test('what is no decision and no refusal may hide a payment that was signed only then: it is open until that one has ended', async () => {
  for (const first of [undecided(502), { kind: 'execution_failed', paymentAttemptId: 'a' }])
    for (const hides of [undecided(502), undecided(401), undecided(404, '<p>Not found'), undecided(200, '<p>Log in')])
      for (const [last, isSame] of [
        [62, true],
        [110, true],
        [112, false],
      ] as const)
        for (const buyer of ['harness', 'desk'] as const) {
          const same = await areFirst(buyer, [first, hides, DELIVERED('settled')], [0, 50, last]);
          assert.deepEqual(same, [true, true, isSame], `${buyer} ${JSON.stringify([first, hides, last])}`);
        }
});

//
test('an end that a control plane tells is one of the key, and none of what is pending or lost after it', async () => {
  const failed = { kind: 'execution_failed', paymentAttemptId: 'a' };
  const cut = new TypeError('cut');
  for (const [buyer, outcomes, times, same] of [
    ['harness', [{ kind: 'execution_inconclusive', paymentAttemptId: 'a' }, failed, failed], [0, 1, 70], [true, true, false]],
    ['harness', [cut, failed, failed], [0, 1, 70], [true, true, false]],
    ['desk', [undecided(502), { kind: 'execution_pending', paymentAttemptId: 'a' }, failed], [0, 50, 62], [true, true, true]],
    ['desk', [undecided(403, '<p>'), { kind: 'execution_inconclusive' }, failed], [0, 50, 62], [true, true, true]],
    ['desk', [undecided(502), cut, failed], [0, 50, 62], [true, true, true]],
    ['harness', [undecided(502), cut, failed], [0, 50, 62], [true, true, true]],
  ] as const) {
    assert.deepEqual(await areFirst(buyer, outcomes, times), same, `${buyer} ${JSON.stringify(outcomes)}`);
  }
});

/** A desk that has asked for one payment at minutes 0 and 50, and waits for the second answer; `at` sets the minute, `another` is a desk on its store. */
async function askingAgain(later: readonly object[]) {
  shop.answers = (_, response) => ask(response);
  let minutes = 0;
  const at = (minute: number) => {
    minutes = minute;
  };
  const now = () => Date.now() + minutes * 60_000;
  const { client, keys } = answeringPlane([undecided(502), new Promise<never>(() => {}), ...later]);
  const options = { client, store: memoryStore(), now };
  const desk = createPaymentDesk(options);
  const { paymentId } = await confirmed(desk).then((payment) => desk.pay(payment));
  at(50);
  desk.pay({ paymentId }).catch(() => undefined);
  while (keys.length < 2) await aTurn();
  return { at, desk, another: () => createPaymentDesk(options), paymentId, areFirst: () => keys.map((key) => key === keys[0]) };
}

//
for (const restores of [true, false])
  test(`a desk that was killed while it asked again has no end of before: ${restores ? 'restore is called' : 'two minutes are over'}`, async () => {
    const { at, another, paymentId, areFirst } = await askingAgain([DELIVERED('settled')]);
    const desk = another();
    if (restores) assert.deepEqual(await desk.restore(), [paymentId]);
    at(62);
    const outcome = await desk.pay(await confirmed(desk));
    assert.deepEqual([outcome.paymentId, outcome.status, areFirst()], [paymentId, 'success', [true, true, true]]);
  });

//
test('what is no decision gives no end of before to a payment that a killed desk had asked for again', async () => {
  const { at, another, paymentId, areFirst } = await askingAgain([REFUSED, DELIVERED('settled')]);
  const desk = another();
  at(53);
  assert.equal((await desk.pay({ paymentId })).status, 'pending');
  at(62);
  const outcome = await desk.pay(await confirmed(desk));
  assert.deepEqual([outcome.paymentId, outcome.status, areFirst()], [paymentId, 'success', [true, true, true, true]]);
});

//
test('a desk that still waits for its second answer pays no other quote for the same purchase', async () => {
  const { at, desk, paymentId, areFirst } = await askingAgain([DELIVERED('settled')]);
  at(62);
  const outcome = await desk.pay(await confirmed(desk));
  assert.deepEqual([outcome.paymentId, outcome.status, areFirst()], [paymentId, 'pending', [true, true]]);
});

//
test('after the end of a payment a desk says of it, by what is no decision, neither that nothing was paid nor that it is over', async () => {
  shop.answers = (_, response) => ask(response);
  for (const left of [{ kind: 'execution_failed', paymentAttemptId: 'a' }, undecided(502)]) {
    const { client, keys } = answeringPlane([left, REFUSED, DELIVERED('settled'), DELIVERED('settled')]);
    let minutes = 0;
    const desk = createPaymentDesk({ client, now: () => Date.now() + minutes * 60_000 });
    const payment = await confirmed(desk);
    await desk.pay(payment);
    minutes = 70;
    const refused = (await desk.pay(payment)) as PaymentOutcome;
    assert.deepEqual([refused.status, refused.kind], ['pending', 'request_failed']);
    assert.match(refused.text, /^It is not known whether a payment of /);
    // Its end stays what it was: another quote is a purchase of its own.
    const next = (await desk.pay(await confirmed(desk))) as PaymentOutcome;
    const asked = (await desk.pay(payment)) as PaymentOutcome;
    assert.deepEqual([next.status, asked.status, asked.paymentId], ['success', 'success', payment.paymentId]);
    assert.deepEqual(keys, [payment.paymentId, payment.paymentId, next.paymentId, payment.paymentId]);
  }
});

test('a control plane that refuses a first attempt itself has paid nothing, and anyone else on the way may hide a payment', async () => {
  shop.answers = (_, response) => ask(response);
  for (const [answer, isSame, text] of [
    [REFUSED, false, /^Nothing was paid: none$/],
    [undecided(403, '<p>Forbidden'), true, /^It is not known whether a payment of /],
    [undecided(200, { code: 'ok' }), true, /^It is not known whether a payment of /],
    [undecided(500, { code: 'internal' }), true, /^It is not known whether a payment of /],
  ] as const) {
    const planes = [0, 1].map(() => answeringPlane([answer, DELIVERED('settled')]));
    const [harness, desk] = [new AgentHarness({ client: planes[0]!.client }), createPaymentDesk({ client: planes[1]!.client })];
    const told: string[] = [];
    for (let turn = 0; turn < 2; turn += 1) {
      await buy(harness);
      told.push(((await desk.pay(await confirmed(desk))) as PaymentOutcome).text);
    }
    assert.deepEqual(
      planes.map(({ keys }) => [keys.length, keys[0] === keys[1]]),
      planes.map(() => [2, isSame]),
    );
    assert.match(told[0] ?? '', text);
  }
});

//
test('what a person has approved keeps its key for as long as nothing says that the approval has ended', async () => {
  shop.answers = (_, response) => ask(response);
  const denied = (policyReviewEventId?: string) => ({ kind: 'denied', ...(policyReviewEventId && { policyReviewEventId }) });
  const taken = { ...undecided(409, { message: 'none', code: 'idempotency_key_conflict' }), response: new Response('', { status: 409 }) };
  for (const [put, isKept] of [
    [denied('r'), true],
    [{ kind: 'preflight_failed', policyReviewEventId: 'r' }, true],
    [REFUSED, true],
    [undecided(503), true],
    [taken, false],
    // A person has said no, or the rules.
    [denied(), false],
    [{ kind: 'preflight_failed' }, false],
    [DELIVERED('settled'), false],
  ] as const) {
    const { client, keys } = answeringPlane([denied('r'), put, DELIVERED('settled')]);
    const harness = new AgentHarness({ client });
    for (let turn = 0; turn < 3; turn += 1) await buy(harness);
    assert.deepEqual([keys[1] === keys[0], keys[2] === keys[0]], [true, isKept], JSON.stringify(put));
  }
});

async function confirmed(desk: PaymentDesk, owner = 'local') {
  const quote = await desk.quote({ url: `${shop.url}/report`, owner });
  assert.ok(quote.needsConfirm);
  await desk.card({ ...quote, owner });
  const { confirmation = '' } = await desk.confirm({ ...quote, answer: 'yes', owner });
  return { paymentId: quote.paymentId, confirmation };
}
const copyOf = async (store: Store): Promise<Store> => storeOf((await store.read()).record ?? '');

for (const [name, restores, later] of [
  ['restore is called', true, 0],
  ['two minutes are over', false, 120_000],
] as const) {
  test(`a desk that was killed while it paid goes on once ${name}: the same bytes, and an end`, async () => {
    const [budget, quotes] = [memoryStore(), memoryStore()];
    // It stays at its payment, also when the shop closes: what follows knows only what is in the stores.
    const killed = local({ store: budget, fetch: (...request) => fetch(...request).catch(() => new Promise<never>(() => {})) });
    const desk = createPaymentDesk({ client: killed.client, store: quotes });
    const payment = await confirmed(desk);
    const arrived = new Promise<void>((resolve) => {
      shop.answers = () => resolve();
    });
    desk.pay(payment).catch(() => undefined);
    await arrived;
    const { client, signer } = local({ store: await copyOf(budget) });
    let now = Date.now();
    const next = createPaymentDesk({ client, store: await copyOf(quotes), now: () => now });
    shop.answers = honest;
    assert.equal((await next.pay(payment)).status, 'pending', 'another desk may be paying');
    now += later;
    assert.deepEqual(restores && (await next.restore()), restores && [payment.paymentId]);
    const outcome = (await next.pay({ paymentId: payment.paymentId })) as PaymentOutcome;
    assert.deepEqual([outcome.status, outcome.response.body, signer.asked.length, new Set(shop.payments()).size], ['success', GOODS, 0, 1]);
  });
}

//
test('a person who confirms another quote for the same request gets the outcome of the open one, and pays once, however often it is paid', async () => {
  const [budget, quotes] = [memoryStore(), memoryStore()];
  const { client, signer } = local({ store: budget });
  const desk = createPaymentDesk({ client, store: quotes });
  const first = await confirmed(desk);
  assert.equal(((await desk.pay(first)) as PaymentOutcome).status, 'pending');
  shop.answers = honest;
  const second = await confirmed(desk);
  const [one, other] = await Promise.all([desk.pay(second), desk.pay(second)]);
  assert.deepEqual([one.paymentId, one.status, other.paymentId, other.status], [first.paymentId, 'success', first.paymentId, 'pending']);
  const later = local({ store: await copyOf(budget) });
  const next = createPaymentDesk({ client: later.client, store: await copyOf(quotes) });
  const { paymentId } = second;
  for (const again of [() => desk.pay(second), () => desk.pay({ paymentId }), () => next.pay(second), () => next.pay({ paymentId })]) {
    const outcome = (await again()) as PaymentOutcome;
    assert.deepEqual([outcome.paymentId, outcome.status, outcome.response.body], [first.paymentId, 'success', GOODS]);
  }
  assert.deepEqual([signer.asked.length, later.signer.asked.length, new Set(shop.payments()).size], [1, 0, 1]);
  // What is wanted once more is asked for once more.
  const third = await confirmed(desk);
  assert.deepEqual([(await desk.pay(third)).paymentId, signer.asked.length], [third.paymentId, 2]);
});

/**
 * A desk with two confirmed quotes for one purchase, of which the first one's payment is pending; a control plane answers `later` then.
 * `slow` is another desk at its store, which gets the next record that it reads once the function that `hold` returns is called.
 */
async function twoQuotes(...later: readonly object[]) {
  shop.answers = (_, response) => ask(response);
  const { client, keys } = answeringPlane([{ kind: 'execution_pending', paymentAttemptId: 'a' }, ...later]);
  const store = memoryStore();
  let held: Promise<void> | undefined;
  const read = async () => {
    const [record, until] = [await store.read(), held];
    held = undefined;
    await until;
    return record;
  };
  const hold = () => {
    let release = () => {};
    held = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  };
  const desk = createPaymentDesk({ client, store });
  const slow = createPaymentDesk({ client, store: { ...store, read } });
  const first = await confirmed(desk);
  await desk.pay(first);
  return { desk, slow, hold, keys, first, second: await confirmed(desk) };
}

//
test('a quote that is paid while an open payment comes to its end is that payment, at whatever moment it is called', async () => {
  let ends = (_: object) => {};
  const end = new Promise<object>((resolve) => {
    ends = resolve;
  });
  const { desk, keys, first, second } = await twoQuotes(end, DELIVERED('settled'));
  const told = [desk.pay(second)];
  while (keys.length < 2) await aTurn();
  ends(DELIVERED('settled'));
  for (let call = 0; call < 200; call += 1) {
    told.push(desk.pay(second));
    await (call % 2 === 0 ? Promise.resolve() : aTurn());
  }
  assert.deepEqual([...new Set((await Promise.all(told)).map(({ paymentId }) => paymentId))], [first.paymentId]);
  assert.deepEqual(keys, [first.paymentId, first.paymentId]);
});

//
test('a desk that has read a quote before it stood for an open payment, and pays it after that was delivered, pays nothing', async () => {
  const { desk, slow, hold, keys, first, second } = await twoQuotes(DELIVERED('settled'), DELIVERED('settled'));
  const read = hold();
  const late = slow.pay(second);
  const outcome = await desk.pay(second);
  read();
  const told = [outcome, await late] as PaymentOutcome[];
  assert.deepEqual(
    told.map(({ paymentId, status }) => [paymentId, status]),
    [0, 1].map(() => [first.paymentId, 'success']),
  );
  assert.deepEqual(keys, [first.paymentId, first.paymentId]);
});

test('an open payment that fails takes nothing from another quote that was confirmed: the next call pays that', async () => {
  const { desk, keys, first, second } = await twoQuotes({ kind: 'preflight_failed' }, DELIVERED('settled'));
  const told = [await desk.pay(second), await desk.pay(second), await desk.pay(second)];
  assert.deepEqual(
    told.map(({ paymentId, status }) => [paymentId, status]),
    [
      [first.paymentId, 'failed'],
      [second.paymentId, 'success'],
      [second.paymentId, 'success'],
    ],
  );
  assert.deepEqual(keys, [first.paymentId, first.paymentId, second.paymentId]);
});

/** A merchant's words beside its goods that it was not paid. */
const FAILED = { 'payment-response': btoa(JSON.stringify({ success: false })) };
for (const [end, answer, statuses] of [
  ['is told as failed and is open', { kind: 'execution_failed', paymentAttemptId: 'a' }, ['failed', 'success', 'success']],
  [
    'is delivered with words of a failure',
    { ...DELIVERED('settled'), response: new Response(GOODS, { headers: FAILED }) },
    ['failed', 'failed', 'failed'],
  ],
  ['ends with goods that cost nothing', { kind: 'passthrough', receipt: undefined }, ['success', 'success', 'success']],
] as const) {
  //
  test(`a quote stands for a payment that ${end}, and pays nothing beside it`, async () => {
    const { desk, keys, first, second } = await twoQuotes(answer, DELIVERED('settled'), DELIVERED('settled'));
    const told = [await desk.pay(second), await desk.pay(first), await desk.pay(second)] as PaymentOutcome[];
    assert.deepEqual(
      told.map(({ paymentId, status }) => [paymentId, status]),
      statuses.map((status) => [first.paymentId, status]),
    );
    assert.deepEqual([...new Set(keys)], [first.paymentId]);
  });
}

//
test('only its owner, with its confirmation, has a quote stand for a payment that is open', async () => {
  shop.answers = (_, response) => ask(response);
  const { client, keys } = answeringPlane([{ kind: 'execution_pending' }, DELIVERED('settled')]);
  const desk = createPaymentDesk({ client });
  const bobs = await confirmed(desk, 'bob');
  await desk.pay({ ...bobs, owner: 'bob' });
  const alices = await confirmed(desk, 'alice');
  await assert.rejects(desk.pay({ ...alices, owner: 'bob' }), { code: 'cross_user_payment_id' });
  const another = await confirmed(desk, 'bob');
  await assert.rejects(desk.pay({ ...another, confirmation: 'none', owner: 'bob' }), { code: 'confirmation_required' });
  assert.equal((await desk.pay({ ...alices, owner: 'alice' })).paymentId, alices.paymentId);
  assert.deepEqual(keys, [bobs.paymentId, alices.paymentId]);
});
