// A merchant that takes a payment and answers whatever it likes: the same request, asked again, is charged once. What is delivered is over.

import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';

import { AgentHarness, createLocalAgentClient, createPaymentDesk, type PaymentDesk } from '../../pkg/dist/agent/index.js';
import { memoryStore, type PayOptions, payingFetch, type Store } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { ANSWERS } from './bad-answers.ts';
import { credentialIn, credentialOf } from './charges.ts';
import { ask, paymentOf, serve, sharedShop, watchedSigner } from './shop.ts';

const shop = sharedShop();
const LIMIT = { timeout: 120_000 };
/** What a token or Permit2 takes once each, whatever else is signed. */
function nonces(requests: readonly IncomingMessage[]): Set<string> {
  type Payload = { readonly authorization?: { readonly nonce: string }; readonly permit2Authorization?: { readonly nonce: string } };
  const nonce = (request: IncomingMessage): readonly string[] => {
    if (credentialOf(request) !== undefined) return [JSON.stringify(credentialIn(request).payload)];
    const payment = paymentOf(request);
    if (payment === undefined) return [];
    const {
      accepted: { network, asset },
      payload,
    } = JSON.parse(Buffer.from(payment, 'base64').toString()) as { accepted: { network: string; asset: string }; payload: Payload };
    return [`${network} ${asset} ${payload.authorization?.nonce ?? `permit ${payload.permit2Authorization?.nonce}`}`];
  };
  return new Set(requests.flatMap(nonce));
}

type Buys = (store: Store, path: string) => Promise<unknown>;
const signers: ReturnType<typeof watchedSigner>[] = [];
const signer = () => {
  const made = watchedSigner();
  signers.push(made);
  return made;
};
const fetcher = (store: Store, change: Partial<PayOptions> = { resume }) =>
  payingFetch({ signer: signer(), policy: { deadlineSecs: 1, permit2: true }, store, timeoutMs: 2_000, ...change });
const agent = (store: Store) =>
  createLocalAgentClient({ signer: signer(), store, timeoutMs: 2_000, policy: { deadlineSecs: 1, hosts: [new URL(shop.url).host] } });
const harnessed = async (harness: AgentHarness, path: string): Promise<unknown> => {
  const { preparedId } = await harness.preparePaidRequest({ url: `${shop.url}${path}` });
  return harness.executePreparedRequest({ preparedId });
};
/** A desk keeps its quotes beside the budget. */
const quotes = new WeakMap<Store, Store>();
const desks = (store: Store): PaymentDesk => {
  const kept = quotes.get(store) ?? memoryStore();
  quotes.set(store, kept);
  return createPaymentDesk({ client: agent(store), store: kept });
};
const confirmed = async (desk: PaymentDesk, path: string): Promise<unknown> => {
  const quote = await desk.quote({ url: `${shop.url}${path}` });
  assert.ok(quote.needsConfirm);
  await desk.card(quote);
  const { confirmation = '' } = await desk.confirm({ ...quote, answer: 'yes' });
  return desk.pay({ paymentId: quote.paymentId, confirmation });
};
/** Those that live on, and those of which each try is another process. */
const ENTRIES: Record<string, () => Buys> = {
  payingFetch: () => {
    let pay: ReturnType<typeof fetcher> | undefined;
    return async (store, path) => (await (pay ??= fetcher(store, {}))(`${shop.url}${path}`)).text();
  },
  'payingFetch without a store and with a key, a process each': () => async (_, path) =>
    (await fetcher(memoryStore(), {})(`${shop.url}${path}`, { headers: { 'idempotency-key': 'k' } })).text(),
  'payingFetch with resume': () => {
    let pay: ReturnType<typeof fetcher> | undefined;
    return async (store, path) => (await (pay ??= fetcher(store))(`${shop.url}${path}`)).text();
  },
  'payingFetch with resume, a process each': () => async (store, path) => (await fetcher(store)(`${shop.url}${path}`)).text(),
  'payingFetch with resume and a key': () => async (store, path) =>
    (await fetcher(store)(`${shop.url}${path}`, { headers: { 'idempotency-key': 'k' } })).text(),
  'a local agent': () => {
    let client: ReturnType<typeof agent> | undefined;
    return async (store, path) => (client ??= agent(store)).fetchPaid(`${shop.url}${path}`, undefined, {});
  },
  'a local agent, a process each': () => async (store, path) => agent(store).fetchPaid(`${shop.url}${path}`, undefined, {}),
  'a harness': () => {
    let harness: AgentHarness | undefined;
    return async (store, path) => harnessed((harness ??= new AgentHarness({ client: agent(store) })), path);
  },
  'a desk': () => {
    let desk: PaymentDesk | undefined;
    return async (store, path) => confirmed((desk ??= desks(store)), path);
  },
  'a desk, a process each': () => async (store, path) => confirmed(desks(store), path),
  'a harness, a process each': () => async (store, path) => harnessed(new AgentHarness({ client: agent(store) }), path),
};

for (const [entry, begins] of Object.entries(ENTRIES)) {
  // A-201, A-202, A-203, A-204, I-23
  test(`${entry}: whatever is answered, one request is charged once, and a delivered one is over`, LIMIT, async () => {
    const delivers = new Set<string>();
    shop.answers = (request, response) => {
      const path = request.url ?? '';
      if (paymentOf(request) === undefined) ask(response);
      else if (delivers.has(path)) serve(response);
      else ANSWERS[Number(path.split('-')[1])]?.[1](response);
    };
    const ends = await Promise.allSettled(
      ANSWERS.map(async ([name], index) => {
        const [store, buys, path] = [memoryStore(), begins(), `/${Object.keys(ENTRIES).indexOf(entry)}-${index}`];
        const paid = (): number => nonces(shop.requests.filter(({ url }) => url === path)).size;
        for (let turn = 0; turn < 4; turn += 1) await buys(store, path).catch(() => undefined);
        assert.equal(paid(), 1, name);
        delivers.add(path);
        // A busy machine may lose an answer to the deadline: asked again it is the same payment.
        await buys(store, path).catch(() => buys(store, path));
        assert.equal(paid(), 1, `${name}, then delivered`);
        if (entry.includes('key')) return;
        await buys(store, path);
        assert.equal(paid(), 2, `${name}, then bought again`);
      }),
    );
    assert.deepEqual(
      ends.flatMap((it) => (it.status === 'rejected' ? [String(it.reason)] : [])),
      [],
    );
  });
}

test('twenty equal requests at once are twenty charges', async () => {
  const pay = fetcher(memoryStore());
  await Promise.all(Array.from({ length: 20 }, async () => (await pay(`${shop.url}/twenty`)).text()));
  assert.equal(nonces(shop.requests).size, 20);
});
