// A merchant that takes a payment and answers whatever it likes: the same request, asked again, is charged once. What is delivered is over.

import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';

import { AgentHarness, createLocalAgentClient, createPaymentDesk, type PaymentDesk } from '../../pkg/dist/agent/index.js';
import { memoryStore, payingFetch, type PayOptions, type Store } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { askFor, challenge, credentialIn, credentialOf } from './charges.ts';
import { ask, OFFER, OTHER, paymentOf, settlement, serve, sharedShop, terms, watchedSigner } from './shop.ts';

const shop = sharedShop();
const LIMIT = { timeout: 120_000 };
const PROBLEM = JSON.stringify({ type: 'urn:farebox:problem:insufficient_funds', status: 402, code: 'insufficient_funds' });
const settled = (change = {}): string => Buffer.from(JSON.stringify(settlement(change))).toString('base64');

/** Cheaper, and on a main network: a purchase that begins would take it. */
const ELSEWHERE = { ...OFFER, network: 'eip155:8453', amount: '9000', asset: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913', extra: { name: 'USD Coin', version: '2' } };

type Answer = (response: ServerResponse) => void;
const status = (code: number, headers: Record<string, string> = {}, body = 'no'): [string, Answer] => [`${code} ${JSON.stringify(headers)} ${body}`, (response) => void response.writeHead(code, headers).end(body)];
const ANSWERS: readonly (readonly [string, Answer])[] = [
  ...[301, 302, 303, 307, 308].map((code) => status(code, { location: '/elsewhere' })),
  ...[400, 401, 403, 404, 405, 408, 409, 410, 422, 424, 429, 451, 500, 501, 502, 503, 504, 520, 524].map((code) => status(code)),
  status(402, { 'content-type': 'application/problem+json' }, PROBLEM),
  status(500, { 'payment-response': settled() }), status(404, { 'payment-response': settled() }), status(402, { 'payment-response': settled({ success: false, errorReason: 'insufficient_funds' }) }),
  status(200), status(204, {}, ''),
  ['fresh terms', (response) => ask(response)],
  ['fresh terms at another price', (response) => ask(response, terms([{ ...OFFER, amount: '20000' }]))],
  ['fresh terms for another payee', (response) => ask(response, terms([{ ...OFFER, payTo: OTHER }]))],
  ['fresh terms on another network', (response) => ask(response, terms([ELSEWHERE]))],
  ['fresh terms by Permit2', (response) => ask(response, terms([{ ...OFFER, extra: { ...OFFER.extra, assetTransferMethod: 'permit2' } }]))],
  ['fresh terms of MPP', (response) => askFor(response, [challenge()])],
  ['fresh terms of each kind', (response) => askFor(response, [challenge()], [ELSEWHERE, { ...OFFER, amount: '20000' }])],
  ['cut', (response) => { response.writeHead(200, { 'payment-response': settled(), 'content-length': '1000' }); response.write('half', () => response.destroy()); }],
  ['lost', (response) => void response.destroy()],
  ['hang', () => undefined],
  ['pending', (response) => void response.writeHead(402, { 'payment-response': settled({ success: false, errorReason: 'settlement_pending', transaction: '' }) }).end()],
  ['garbage', (response) => void response.socket?.end('what?\r\n\r\n')],
];

/** What a token or Permit2 takes once each, whatever else is signed. */
function nonces(requests: readonly IncomingMessage[]): Set<string> {
  type Payload = { readonly authorization?: { readonly nonce: string }; readonly permit2Authorization?: { readonly nonce: string } };
  const nonce = (request: IncomingMessage): readonly string[] => {
    if (credentialOf(request) !== undefined) return [JSON.stringify(credentialIn(request).payload)];
    const payment = paymentOf(request);
    if (payment === undefined) return [];
    const { accepted: { network, asset }, payload } = JSON.parse(Buffer.from(payment, 'base64').toString()) as { accepted: { network: string; asset: string }; payload: Payload };
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
const fetcher = (store: Store, change: Partial<PayOptions> = { resume }) => payingFetch({ signer: signer(), policy: { deadlineSecs: 1, permit2: true }, store, timeoutMs: 2_000, ...change });
const agent = (store: Store) => createLocalAgentClient({ signer: signer(), store, timeoutMs: 2_000, policy: { deadlineSecs: 1, hosts: [new URL(shop.url).host] } });
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
  'payingFetch': () => { let pay: ReturnType<typeof fetcher> | undefined; return async (store, path) => (await (pay ??= fetcher(store, {}))(`${shop.url}${path}`)).text(); },
  'payingFetch without a store and with a key, a process each': () => async (_, path) => (await fetcher(memoryStore(), {})(`${shop.url}${path}`, { headers: { 'idempotency-key': 'k' } })).text(),
  'payingFetch with resume': () => { let pay: ReturnType<typeof fetcher> | undefined; return async (store, path) => (await (pay ??= fetcher(store))(`${shop.url}${path}`)).text(); },
  'payingFetch with resume, a process each': () => async (store, path) => (await fetcher(store)(`${shop.url}${path}`)).text(),
  'payingFetch with resume and a key': () => async (store, path) => (await fetcher(store)(`${shop.url}${path}`, { headers: { 'idempotency-key': 'k' } })).text(),
  'a local agent': () => { let client: ReturnType<typeof agent> | undefined; return async (store, path) => (client ??= agent(store)).fetchPaid(`${shop.url}${path}`, undefined, {}); },
  'a local agent, a process each': () => async (store, path) => agent(store).fetchPaid(`${shop.url}${path}`, undefined, {}),
  'a harness': () => { let harness: AgentHarness | undefined; return async (store, path) => harnessed(harness ??= new AgentHarness({ client: agent(store) }), path); },
  'a desk': () => { let desk: PaymentDesk | undefined; return async (store, path) => confirmed(desk ??= desks(store), path); },
  'a desk, a process each': () => async (store, path) => confirmed(desks(store), path),
  'a harness, a process each': () => async (store, path) => harnessed(new AgentHarness({ client: agent(store) }), path),
};

for (const [entry, begins] of Object.entries(ENTRIES)) {
  test(`${entry}: whatever is answered, one request is charged once, and a delivered one is over`, LIMIT, async () => {
    const delivers = new Set<string>();
    shop.answers = (request, response) => {
      const path = request.url ?? '';
      if (paymentOf(request) === undefined) ask(response);
      else if (delivers.has(path)) serve(response);
      else ANSWERS[Number(path.split('-')[1])]?.[1](response);
    };
    const ends = await Promise.allSettled(ANSWERS.map(async ([name], index) => {
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
    }));
    assert.deepEqual(ends.flatMap((it) => (it.status === 'rejected' ? [String(it.reason)] : [])), []);
  });
}

test('twenty equal requests at once are twenty charges', async () => {
  const pay = fetcher(memoryStore());
  await Promise.all(Array.from({ length: 20 }, async () => (await pay(`${shop.url}/twenty`)).text()));
  assert.equal(nonces(shop.requests).size, 20);
});
