// Several people and one wallet: while a payment of one is open, no other one gets its answer, their own order is made, and nobody's headers
// are sent for them. A repeat of the same purchase goes on with it, in each process.

import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { beforeEach, test } from 'node:test';

import {
  AgentHarness,
  type AgentHarnessClient,
  type AgentHarnessExecutedResult,
  createLocalAgentClient,
  createPaymentDesk,
  type PaymentDesk,
  type PaymentOutcome,
} from '../../pkg/dist/agent/index.js';
import { memoryStore, type Store } from '../../pkg/dist/index.js';
import { ask, paymentOf, recordIn, settlement, sharedShop, storeOf, watchedSigner } from './shop.ts';

/** Orders by their payment: the same payment has the same answer, as at a gate. */
const orders = new Map<string, string>();
let breaks = true;
beforeEach(() => {
  orders.clear();
  breaks = true;
});
const shop = sharedShop((request: IncomingMessage, response: ServerResponse) => {
  const payment = paymentOf(request);
  if (payment === undefined) return ask(response);
  const answer = orders.get(payment) ?? `report for ${request.headers['x-user']}`;
  orders.set(payment, answer);
  const head = { 'payment-response': Buffer.from(JSON.stringify(settlement())).toString('base64') };
  if (!breaks) return void response.writeHead(200, head).end(answer);
  response.writeHead(200, { ...head, 'content-length': '1000' });
  response.write('half', () => response.destroy());
});

/** What one person asks for: the name stands in a header that names no purchase. */
type Call = { readonly user: string; readonly headers?: Record<string, string>; readonly owner?: string; readonly key?: string };
type Told = { readonly isOpen: boolean; readonly body: string };
type Buys = (call: Call) => Promise<Told>;
/** A wallet with this store, as a process has it. */
const wallet = (store: Store) => {
  const signer = watchedSigner();
  return { signer, client: createLocalAgentClient({ signer, store, policy: { deadlineSecs: 1, hosts: [shop.host] } }) };
};
type Client = ReturnType<typeof wallet>['client'];
const headersOf = ({ user, headers }: Call): Record<string, string> => ({ ...headers, 'x-user': user });
const atDesk =
  (desk: PaymentDesk): Buys =>
  async (call) => {
    const of = call.owner === undefined ? {} : { owner: call.owner };
    const quote = await desk.quote({ url: `${shop.url}/me`, headers: headersOf(call), ...of });
    assert.ok(quote.needsConfirm);
    const { paymentId } = quote;
    await desk.card({ paymentId, ...of });
    const { confirmation = '' } = await desk.confirm({ paymentId, answer: 'yes', ...of });
    const { status, response } = (await desk.pay({ paymentId, confirmation, ...of })) as PaymentOutcome;
    return { isOpen: status === 'pending', body: response.body };
  };
const atHarness =
  (harness: AgentHarness): Buys =>
  async (call) => {
    const { preparedId } = await harness.preparePaidRequest({ url: `${shop.url}/me`, headers: headersOf(call) });
    const executionContext = call.key === undefined ? {} : { idempotencyKey: call.key };
    const result = await harness.executePreparedRequest({ preparedId, executionContext });
    const { sdkOutcomeKind, merchantResponse } = result as AgentHarnessExecutedResult;
    return { isOpen: sdkOutcomeKind === 'execution_inconclusive', body: merchantResponse.body };
  };
const ENTRIES: Record<string, (client: Client, store?: Store) => Buys> = {
  'a desk': (client, store) => atDesk(createPaymentDesk({ client, ...(store === undefined ? {} : { store }) })),
  'a harness': (client, store) => atHarness(new AgentHarness({ client, ...(store === undefined ? {} : { store }) })),
};

const CREDENTIALS = [{ headers: { authorization: 'Bearer alice' } }, { headers: { authorization: 'Bearer bob' } }] as const;
const KEYS = [{ headers: { 'idempotency-key': 'one' } }, { headers: { 'idempotency-key': 'two' } }] as const;
//
for (const [entry, what, [one, other]] of [
  ['a desk', 'owners', [{ owner: 'alice' }, { owner: 'bob' }]],
  ['a desk', 'an owner and none', [{ owner: 'alice' }, {}]],
  ['a desk', 'credentials of one owner', CREDENTIALS],
  ['a desk', 'keys in the header', KEYS],
  ['a harness', 'keys', [{ key: 'one' }, { key: 'two' }]],
  ['a harness', 'a key and none', [{ key: 'one' }, {}]],
  ['a harness', 'none and a key', [{}, { key: 'two' }]],
  ['a harness', 'credentials', CREDENTIALS],
  ['a harness', 'keys in the header', KEYS],
] as const satisfies readonly (readonly [string, string, readonly [Omit<Call, 'user'>, Omit<Call, 'user'>]])[])
  for (const shares of [true, false])
    test(`${entry} keeps two purchases apart by ${what}, ${shares ? 'in one process' : 'a process each'}`, async () => {
      const store = memoryStore();
      const signers: ReturnType<typeof wallet>['signer'][] = [];
      const opens = (): Buys => {
        const { signer, client } = wallet(store);
        signers.push(signer);
        return (ENTRIES[entry] as (client: Client) => Buys)(client);
      };
      const first = opens();
      const buys = (): Buys => (shares ? first : opens());
      const [alice, bob] = [
        { user: 'alice', ...one },
        { user: 'bob', ...other },
      ] as const;
      assert.ok((await first(alice)).isOpen);
      breaks = false;
      assert.deepEqual(await buys()(bob), { isOpen: false, body: 'report for bob' });
      assert.deepEqual(await buys()(alice), { isOpen: false, body: 'report for alice' });
      assert.deepEqual([signers.flatMap(({ asked }) => asked).length, [...orders.values()]], [2, ['report for alice', 'report for bob']]);
    });

//
for (const [entry, call] of [
  ['a desk', { user: 'alice', owner: 'alice', headers: { authorization: 'Bearer alice' } }],
  ['a harness', { user: 'alice', headers: { authorization: 'Bearer alice' } }],
  ['a harness', { user: 'alice', key: 'order-1' }],
] as const satisfies readonly (readonly [string, Call])[])
  test(`${entry} goes on with the purchase of the same caller in each process, by ${Object.keys(call).slice(1).join(' and ')}`, async () => {
    const [store, records] = [memoryStore(), memoryStore()];
    const signers: ReturnType<typeof wallet>['signer'][] = [];
    const buys: Buys = async (asked) => {
      const { signer, client } = wallet(store);
      signers.push(signer);
      return (ENTRIES[entry] as (client: Client, store: Store) => Buys)(client, records)(asked);
    };
    for (let turn = 0; turn < 2; turn += 1) assert.ok((await buys(call)).isOpen);
    breaks = false;
    assert.equal((await buys(call)).body, 'report for alice');
    assert.deepEqual([signers.flatMap(({ asked }) => asked).length, new Set(shop.payments()).size], [1, 1]);
  });

//
test('a harness that goes on with a purchase sends the headers of the call that is executed', async () => {
  const { client, signer } = wallet(memoryStore());
  const buys = atHarness(new AgentHarness({ client }));
  const with1 = (authorization: string): Call => ({ user: authorization, headers: { 'idempotency-key': 'order-1', authorization } });
  assert.ok((await buys(with1('Bearer before'))).isOpen);
  breaks = false;
  await buys(with1('Bearer renewed'));
  const sent = shop.requests.filter((request) => paymentOf(request) !== undefined).map(({ headers }) => headers.authorization);
  assert.deepEqual([sent, signer.asked.length], [['Bearer before', 'Bearer renewed'], 1]);
});

//
test('an answer is not that of another request which was executed under the same key', async () => {
  const { client } = wallet(memoryStore());
  let isLost = true;
  const loses: AgentHarnessClient = {
    preparePaidRequest: (...asked) => client.preparePaidRequest(...asked),
    executePreparedRequest: async (...asked) => {
      if (!isLost) return client.executePreparedRequest(...asked);
      isLost = false;
      throw new TypeError('fetch failed');
    },
  };
  const harness = new AgentHarness({ client: loses });
  const executionContext = { idempotencyKey: 'one' };
  const prepare = (path: string) => harness.preparePaidRequest({ url: `${shop.url}${path}` });
  const { preparedId } = await prepare('/one');
  await assert.rejects(harness.executePreparedRequest({ preparedId, executionContext }), TypeError);
  breaks = false;
  const two = await prepare('/two');
  const result = await harness.executePreparedRequest({ preparedId: two.preparedId, executionContext });
  assert.equal((result as AgentHarnessExecutedResult).sdkOutcomeKind, 'success');
  assert.deepEqual(harness.getExecutionResult(preparedId), { preparedId, state: 'active' });
});

//
test('two desks whose quotes have the same id do not answer for each other', async () => {
  const { client, signer } = wallet(memoryStore());
  const desk = (): Buys => atDesk(createPaymentDesk({ client, createPaymentId: () => 'pay-1' }));
  breaks = false;
  assert.equal((await desk()({ user: 'alice', owner: 'alice' })).body, 'report for alice');
  assert.doesNotMatch((await desk()({ user: 'bob', owner: 'bob' })).body, /alice/);
  assert.equal(signer.asked.length, 1, 'one id is one nonce');
});

//
test('a payment that an earlier version has kept goes on under its own key, and is nobody else’s', async () => {
  const store = memoryStore();
  const before = wallet(store);
  const mine = { idempotencyKey: 'prepared-1' };
  const init = { headers: { 'x-user': 'alice' } };
  await assert.rejects(before.client.fetchPaid(`${shop.url}/me`, init, { ...mine, purchase: 'alice' } as never), {
    kind: 'execution_inconclusive',
  });
  // It had no name then.
  const record = JSON.parse(await recordIn(store)) as { sent: [string, number, boolean, string][] };
  const sent = record.sent.map(([key, at, isOpen, text]) => {
    const { purchase: _, ...row } = JSON.parse(text) as { purchase?: string };
    return [key, at, isOpen, JSON.stringify(row)];
  });
  const kept = await storeOf(JSON.stringify({ ...record, sent }));
  breaks = false;
  const { client, signer } = wallet(kept);
  assert.equal((await atHarness(new AgentHarness({ client }))({ user: 'bob' })).body, 'report for bob');
  assert.equal(signer.asked.length, 1);
  const again = await client.fetchPaid(`${shop.url}/me`, init, { ...mine, purchase: 'alice' } as never);
  assert.deepEqual([await again.response.text(), signer.asked.length], ['report for alice', 1]);
});
