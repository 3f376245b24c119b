// One key is one charge, in each back end: whether it is given beside the request or in its header, and however its calls come.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { AgentHarness, type AgentHarnessClient, createAgentPayClient, createLocalAgentClient } from '../../pkg/dist/agent/index.js';
import { memoryStore, type Store, wrapFetch } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { honest, paymentOf, sharedShop, watchedSigner } from './shop.ts';

let breaks = false;
const shop = sharedShop();
let plane: ControlPlane;
before(async () => {
  plane = await startControlPlane();
});
after(() => plane.stop());
beforeEach(() => {
  breaks = false;
  shop.answers = (request, response) => (breaks && paymentOf(request) !== undefined ? void response.destroy() : honest(request, response));
});

/** A call under a key, in the header or beside the request; whether it was delivered. */
type Buys = (key: string, isGiven?: boolean) => Promise<boolean>;
type Client = Pick<ReturnType<typeof createLocalAgentClient>, 'fetchPaid'> & AgentHarnessClient;

const headersOf = (key: string, isGiven: boolean): Record<string, string> => (isGiven ? {} : { 'idempotency-key': key });
const contextOf = (key: string, isGiven: boolean) => (isGiven ? { idempotencyKey: key } : {});
const delivered = (bought: Promise<{ kind: string }>): Promise<boolean> =>
  bought.then(
    ({ kind }) => kind === 'success',
    () => false,
  );

const atClient =
  (client: Client): Buys =>
  (key, isGiven = false) =>
    delivered(client.fetchPaid(`${shop.url}/report`, { headers: headersOf(key, isGiven) }, contextOf(key, isGiven)));
/** A harness for each call, as several agents of one wallet have them. */
const atHarness =
  (client: Client): Buys =>
  async (key, isGiven = false) => {
    const harness = new AgentHarness({ client });
    const { preparedId } = await harness.preparePaidRequest({ url: `${shop.url}/report`, headers: headersOf(key, isGiven) });
    const done = await harness.executePreparedRequest({ preparedId, executionContext: contextOf(key, isGiven) }).catch(() => undefined);
    return done?.harnessDisposition === 'executed' && done.sdkOutcomeKind === 'success';
  };

const limits = () => ({ signer: watchedSigner(), policy: { perDay: '5', deadlineSecs: 1, hosts: [shop.host] } });
const local = (store: Store | undefined) => createLocalAgentClient({ ...limits(), ...(store === undefined ? {} : { store }) });
const planned = (): Client =>
  createAgentPayClient({
    controlPlaneBaseUrl: plane.url,
    auth: { type: 'runtimeToken', runtimeToken: 't' },
    organization: 'acme',
    agent: 'buyer',
  });
const nonces = (): number =>
  new Set(
    shop.payments().map((it) => (JSON.parse(atob(it)) as { payload: { authorization: { nonce: string } } }).payload.authorization.nonce),
  ).size;

/** A process with this store, if it has one. */
const BACK_ENDS: Record<string, (store: Store | undefined) => Buys> = {
  fetch: (store) => {
    const pay = wrapFetch(fetch, { ...limits(), ...(store === undefined ? {} : { store, resume }) });
    return (key) =>
      pay(`${shop.url}/report`, { headers: headersOf(key, false) }).then(
        async (it) => it.ok && (await it.text()) !== '',
        () => false,
      );
  },
  'a local agent': (store) => atClient(local(store)),
  'a harness of a local agent': (store) => atHarness(local(store)),
  "a treasury's client": () => atClient(planned()),
  'a harness at a treasury': () => atHarness(planned()),
};

let keys = 0;
const nextKey = (length: number): string => {
  keys += 1;
  return `order-${keys}`.padEnd(length, '.');
};

type Play = (opens: () => Buys, key: string) => Promise<readonly boolean[]>;
const PLAYS: Record<string, Play> = {
  'at once': async (opens, key) => {
    const buys = opens();
    return Promise.all([buys(key), buys(key)]);
  },
  'one after the other': async (opens, key) => {
    const buys = opens();
    return [await buys(key), await buys(key)];
  },
  'after a lost answer': async (opens, key) => {
    const buys = opens();
    [breaks, plane.loses] = [true, 1];
    assert.equal(await buys(key), false);
    [breaks, plane.loses] = [false, 0];
    return [await buys(key)];
  },
  'in two processes': async (opens, key) => [await opens()(key), await opens()(key)],
  'in two processes at once': async (opens, key) => Promise.all([opens()(key), opens()(key)]),
};

//
for (const [name, opens] of Object.entries(BACK_ENDS))
  for (const [way, play] of Object.entries(PLAYS))
    test(`${name}: two calls under one key, ${way}, are one charge`, async () => {
      for (const length of [9, 128, 129])
        for (const keeps of [true, false]) {
          const store = keeps ? memoryStore() : undefined;
          const [before, paid] = [nonces(), plane.payments()];
          const ends = await play(() => opens(store), nextKey(length));
          const charges = nonces() - before + (plane.payments() - paid);
          assert.deepEqual([charges, ends.includes(true)], [1, true], `${length} ${keeps}`);
        }
    });

//
for (const [name, opens] of Object.entries(BACK_ENDS).slice(1))
  for (const keeps of [true, false])
    test(`${name}, ${keeps ? 'with' : 'without'} a store: a key beside the request is that of its header`, async () => {
      const buys = opens(keeps ? memoryStore() : undefined);
      const [before, paid] = [nonces(), plane.payments()];
      const [key, ends] = [nextKey(9), [] as boolean[]];
      for (const isGiven of [true, false, true]) ends.push(await buys(key, isGiven));
      assert.deepEqual([nonces() - before + (plane.payments() - paid), ends], [1, [true, true, true]]);
    });
