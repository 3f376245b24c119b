// A caller who gives up while a person is asked, and a person who says yes all the same: nothing is signed, whoever was called, nothing
// stays counted, and the same call pays afterwards.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { aiTools, askThrough, callTool, createAgentServer } from '../../mcp/dist/index.js';
import {
  AgentHarness,
  buyJob,
  createAgentPayClient,
  createLocalAgentClient,
  type LocalAgentClient,
  type McpCallResult,
  payMcpTool,
  type SdkPreparedPaidRequestReady,
} from '../../pkg/dist/agent/index.js';
import { memoryStore, type Policy, type Proposal, payingFetch, wrapFetch } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { askFor, challenge, credentialOf } from './charges.ts';
import { order, payments } from './scripted-exchange.ts';
import { ask, GOODS, OFFER, PAYER, paymentOf, settlement, sharedShop, spentIn, terms, watchedSigner } from './shop.ts';

const shop = sharedShop();

/** A person who is asked once while the caller gives up, and agrees; and what pays for them. */
function person() {
  const [stop, signer, store] = [new AbortController(), watchedSigner(), memoryStore()];
  const asked: Proposal[] = [];
  const confirm = async (proposal: Proposal): Promise<boolean> => {
    asked.push(proposal);
    await new Promise((resolve) => setTimeout(resolve, 1));
    stop.abort();
    return true;
  };
  const policy: Policy = { hosts: [new URL(shop.url).host] };
  return { stop, signal: stop.signal, asked, signer, store, options: { signer, store, confirm, policy } };
}
type Person = ReturnType<typeof person>;
const isAbort = { name: 'AbortError' };

/** Nobody was paid, and nothing is counted. */
async function assertNothing({ asked, signer, store }: Person): Promise<void> {
  assert.deepEqual([asked.length, signer.asked.length, shop.payments().length], [1, 0, 0]);
  assert.equal((await spentIn(store)).entries.length, 0);
}

//
test('payingFetch: an abort while a person is asked signs nothing', async () => {
  const it = person();
  const fetch = payingFetch(it.options);
  await assert.rejects(fetch(shop.url, { signal: it.signal }), isAbort);
  await assertNothing(it);
  assert.equal((await fetch(shop.url)).status, 200);
});

test('payingFetch: a wallet that is asked for its account or its network while the caller gives up is not asked to sign', async () => {
  for (const when of ['eth_requestAccounts', 'wallet_switchEthereumChain']) {
    const [stop, store, methods] = [new AbortController(), memoryStore(), [] as string[]];
    const signer = {
      request: async ({ method }: { method: string }) => {
        methods.push(method);
        if (method === when) stop.abort();
        return method === 'eth_requestAccounts' ? [PAYER] : '0x1';
      },
    };
    await assert.rejects(payingFetch({ signer, store })(shop.url, { signal: stop.signal }), isAbort);
    assert.deepEqual([methods.at(-1), shop.payments().length, (await spentIn(store)).entries.length], [when, 0, 0]);
  }
});

test('payingFetch: a payment that was signed while the caller gave up does not leave, also where the fetch does not listen', async () => {
  const [stop, store, signer] = [new AbortController(), memoryStore(), watchedSigner()];
  const sign: typeof signer.sign = async (typedData) => {
    stop.abort();
    return signer.sign(typedData);
  };
  const deaf: typeof fetch = (input, { signal: _, ...init } = {}) => fetch(input, init);
  const error = await wrapFetch(deaf, { signer: { ...signer, sign }, store })(shop.url, { signal: stop.signal }).catch((it) => it);
  assert.deepEqual([error.code, error.signed, shop.payments().length], ['aborted', true, 0]);
});

test('resume: an abort while a person is asked to pay again signs nothing again', async () => {
  let seconds = Date.now() / 1000;
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : response.writeHead(504).end());
  const it = person();
  const options = { ...it.options, policy: { deadlineSecs: 1 }, resume, now: () => seconds };
  assert.equal((await payingFetch({ ...options, confirm: () => true })(shop.url)).status, 504);
  seconds += 4_000;
  await assert.rejects(payingFetch(options)(shop.url, { signal: it.signal }), isAbort);
  assert.deepEqual([it.asked.length, it.signer.asked.length, (await spentIn(it.store)).entries.length], [1, 1, 1]);
});

for (const [name, begins] of Object.entries<(client: LocalAgentClient, signal?: AbortSignal) => Promise<unknown>>({
  fetchPaid: (client, signal) => client.fetchPaid(shop.url, signal === undefined ? {} : { signal }, {}),
  executePreparedRequest: async (client, signal) => client.executePreparedRequest(await prepared(client), { signal }),
})) {
  test(`a local agent, ${name}: an abort while a person is asked signs nothing`, async () => {
    const it = person();
    const client = createLocalAgentClient(it.options);
    await assert.rejects(begins(client, it.signal), isAbort);
    await assertNothing(it);
    await assert.rejects(begins(client, it.signal), isAbort);
    await begins(client);
    assert.equal(it.signer.asked.length, 1);
  });
}

//
test('a harness: an abort while a person is asked signs nothing, and the same id is executed afterwards', async () => {
  const it = person();
  const harness = new AgentHarness({ client: createLocalAgentClient(it.options) });
  const { preparedId } = await harness.preparePaidRequest({ url: shop.url });
  await assert.rejects(harness.executePreparedRequest({ preparedId, executionContext: { signal: it.signal } }), isAbort);
  await assertNothing(it);
  const result = await harness.executePreparedRequest({ preparedId });
  assert.equal(result.harnessDisposition === 'executed' && result.merchantResponse.body, GOODS);
});

test('an execution that two callers wait for ends with the last of them, and not with the first', async () => {
  for (const both of [false, true]) {
    const it = person();
    const client = createLocalAgentClient(it.options);
    const ready = await prepared(client);
    const context = { idempotencyKey: 'one' };
    const outcomes = await Promise.allSettled([
      client.executePreparedRequest(ready, { ...context, signal: it.signal }),
      client.executePreparedRequest(ready, both ? { ...context, signal: it.signal } : context),
    ]);
    assert.equal(it.signer.asked.length, both ? 0 : 1);
    assert.equal(outcomes[1].status, both ? 'rejected' : 'fulfilled');
  }
});

test('a local agent: an abort while a person is asked to let an ended payment go leaves it open', async () => {
  let seconds = Date.now() / 1000;
  shop.answers = (request, response) => {
    if (credentialOf(request) === undefined) askFor(response, [challenge({ expires: new Date((seconds + 300) * 1000).toISOString() })]);
    else response.writeHead(504).end();
  };
  const it = person();
  const options = { ...it.options, policy: { ...it.options.policy, deadlineSecs: 1 }, now: () => seconds };
  const first = createLocalAgentClient({ ...options, confirm: () => true });
  const ready = await prepared(first);
  await assert.rejects(first.executePreparedRequest(ready), { kind: 'execution_inconclusive' });
  const key = await first.openPayment(ready.request);
  assert.ok(key !== undefined);
  seconds += 4_000;
  const client = createLocalAgentClient(options);
  await assert.rejects(client.executePreparedRequest(ready, { signal: it.signal }), isAbort);
  assert.deepEqual([it.asked.map(({ again }) => again), it.signer.asked.length], [[true], 1]);
  assert.equal(await client.openPayment(ready.request), key);
});

test('a control plane is not asked for a payment by a caller who has given up', async () => {
  const calls: string[] = [];
  const client = createAgentPayClient({
    controlPlaneBaseUrl: 'https://plane.example',
    auth: { type: 'runtimeToken', runtimeToken: 't' },
    organization: 'acme',
    agent: 'buyer',
    fetch: async (input) => {
      calls.push(String(input));
      return new Response('{}', { status: 500 });
    },
  });
  const asks = { protocol: 'x402', headers: {}, body: terms() } as const;
  const signal = AbortSignal.abort();
  await assert.rejects(client.fetchPaid(shop.url, { signal }, { challenge: asks }), isAbort);
  const ready = await client.preparePaidRequest(shop.url, {}, { challenge: asks });
  await assert.rejects(client.executePreparedRequest(ready as SdkPreparedPaidRequestReady, { signal }), isAbort);
  assert.deepEqual(calls, []);
});

test('buyJob: an abort while a person is asked signs nothing, and the same order goes on', async () => {
  const it = person();
  const { signer, store } = it;
  const { confirm } = it.options;
  const error = await buyJob(order({ signer, store, confirm, signal: it.signal })).catch((thrown) => thrown);
  assert.deepEqual([error.code, error.money, payments().length], ['aborted', 'not_moved', 0]);
  await assertNothing(it);
  assert.equal((await buyJob(order({ signer, store }))).money, 'paid');
});

test('payMcpTool: an abort while a person is asked signs nothing, in both forms', async () => {
  const x402: McpCallResult = { isError: true, structuredContent: terms([OFFER]), content: [] };
  const mpp = {
    id: 'c1',
    realm: 'weather.mcp.invalid',
    method: 'evm',
    intent: 'charge',
    request: {
      amount: OFFER.amount,
      currency: OFFER.asset,
      recipient: OFFER.payTo,
      methodDetails: { chainId: 84532, credentialTypes: ['authorization'] },
    },
  };
  for (const asks of [x402, Object.assign(new Error('pay'), { code: -32042, data: { challenges: [mpp] } })]) {
    const { stop, signal, signer, store, options, asked } = person();
    const call = async ({ _meta }: { _meta?: object }): Promise<McpCallResult> => {
      if (_meta !== undefined) return { content: [], _meta: { 'x402/payment-response': settlement() } };
      if (asks instanceof Error) throw asks;
      return asks;
    };
    const paying = payMcpTool(call, { name: 'forecast' }, { ...options, policy: {}, server: 'weather', signal });
    await assert.rejects(paying, isAbort);
    await assertNothing({ stop, signal, signer, store, options, asked });
  }
});

//
test('MCP: a call that the host cancels while its person is asked signs nothing', async () => {
  const it = person();
  let isDecided = (): void => {};
  const decided = new Promise<void>((resolve) => {
    isDecided = resolve;
  });
  const asks = askThrough(() => server);
  const confirm = async (proposal: Proposal): Promise<boolean> => {
    const says = await asks(proposal);
    isDecided();
    return says;
  };
  const harness = new AgentHarness({ client: createLocalAgentClient({ ...it.options, confirm }) });
  const server = createAgentServer({ harness: () => harness });
  const client = new Client({ name: 'host', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, async () => {
    it.asked.push({} as Proposal);
    it.stop.abort();
    // The host's word that it has cancelled the call comes first.
    await new Promise((resolve) => setTimeout(resolve, 20));
    return { action: 'accept', content: { pay: true } };
  });
  const [one, two] = InMemoryTransport.createLinkedPair();
  await Promise.all([server.connect(one), client.connect(two)]);
  const { preparedId } = await harness.preparePaidRequest({ url: shop.url });
  const calling = client.callTool({ name: 'execute_prepared_request', arguments: { preparedId } }, undefined, { signal: it.signal });
  await assert.rejects(calling);
  await decided;
  await new Promise((resolve) => setTimeout(resolve, 100));
  await assertNothing(it);
  await client.close();
});

test('the tools of farebox-mcp in other hosts: an abort while a person is asked signs nothing', async () => {
  for (const calls of [
    (harness: AgentHarness, input: object, abortSignal: AbortSignal) => callTool(harness, 'execute_prepared_request', input, abortSignal),
    (harness: AgentHarness, input: object, abortSignal: AbortSignal) =>
      aiTools(harness).execute_prepared_request.execute(input, { abortSignal }),
  ]) {
    const it = person();
    const harness = new AgentHarness({ client: createLocalAgentClient(it.options) });
    const { preparedId } = await harness.preparePaidRequest({ url: shop.url });
    assert.match(JSON.stringify(await calls(harness, { preparedId }, it.signal)), /tool_execution_failed/);
    await assertNothing(it);
  }
});

async function prepared(client: LocalAgentClient): Promise<SdkPreparedPaidRequestReady> {
  return (await client.preparePaidRequest(shop.url)) as SdkPreparedPaidRequestReady;
}
