// A proxy that answers badly in front of a stock server that charges on a real chain: the same request, asked ten times, is charged once.

import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';

import { serve } from '@hono/node-server';
import { HTTPFacilitatorClient } from '@x402/core/server';
import { ExactEvmScheme } from '@x402/evm/exact/server';
import { paymentMiddleware, x402ResourceServer } from '@x402/hono';
import { Hono } from 'hono';
import { privateKeyToAccount } from 'viem/accounts';

import { type Chain, NETWORK, startChain } from '../../demo/chain.mjs';
import { type Facilitator, startFacilitator } from '../../demo/facilitator.mjs';
import { createLocalAgentClient } from '../../pkg/dist/agent/index.js';
import { memoryStore, type PayOptions, payingFetch, receiptOf, type Store } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { ANSWERS, type Answer } from './bad-answers.ts';
import { GOODS } from './shop.ts';

const PRICE = 10_000n;
const TRIES = 10;

let chain: Chain;
let facilitator: Facilitator;
let seller: Server;
let proxy: Server;
/** What the proxy does with the answer to a payment, by path; others pass. */
const spoils = new Map<string, Answer>();

const listening = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    const told = (): void => resolve((server.address() as AddressInfo).port);
    if (server.listening) told();
    else server.once('listening', told);
  });

before(async () => {
  chain = await startChain();
  facilitator = await startFacilitator({ chain });
  const app = new Hono();
  const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitator.url })).register(NETWORK, new ExactEvmScheme());
  app.use(
    paymentMiddleware(
      {
        'GET /*': {
          accepts: { scheme: 'exact', network: NETWORK, payTo: chain.accounts.payee.address, price: '$0.01' },
          description: 'One weather report',
        },
      },
      server,
    ),
  );
  app.get('*', (c) => c.text(GOODS));
  seller = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }) as Server;
  const behind = `http://127.0.0.1:${await listening(seller)}`;
  const passes: RequestListener = async (request, response) => {
    const { host: _, connection: __, ...headers } = request.headers;
    const answer = await fetch(`${behind}${request.url}`, { headers: headers as Record<string, string> });
    const body = Buffer.from(await answer.arrayBuffer());
    const spoil = 'payment-signature' in headers ? spoils.get(request.url ?? '') : undefined;
    if (spoil !== undefined) return spoil(response);
    const kept = [...answer.headers].filter(([name]) => !['content-encoding', 'content-length', 'transfer-encoding'].includes(name));
    response.writeHead(answer.status, Object.fromEntries(kept)).end(body);
  };
  proxy = createServer((request, response) => void passes(request, response)).listen(0, '127.0.0.1');
  await listening(proxy);
});
after(async () => {
  for (const server of [proxy, seller]) {
    server?.close();
    server?.closeAllConnections();
  }
  for (const part of [facilitator, chain]) await part?.stop();
});

type Buys = (url: string, now: () => number) => Promise<unknown>;
const payer = () => privateKeyToAccount(chain.accounts.payer.privateKey);
const fetcher = (change: Partial<PayOptions>) => payingFetch({ signer: payer(), policy: { deadlineSecs: 1 }, timeoutMs: 2_000, ...change });
const agent = (store: Store, now: () => number) =>
  createLocalAgentClient({
    signer: payer(),
    store,
    now,
    timeoutMs: 2_000,
    policy: { deadlineSecs: 1, hosts: [`127.0.0.1:${(proxy.address() as AddressInfo).port}`] },
  });
/** Those that live on, and those of which each try is another process. */
const ENTRIES: Record<string, () => Buys> = {
  payingFetch: () => {
    let pay: ReturnType<typeof fetcher> | undefined;
    return async (url, now) => (await (pay ??= fetcher({ now }))(url)).text();
  },
  'payingFetch with a key and no store, a process each': () => async (url, now) =>
    (await fetcher({ now })(url, { headers: { 'idempotency-key': url } })).text(),
  'payingFetch with resume, a process each': () => {
    const store = memoryStore();
    return async (url, now) => (await fetcher({ now, store, resume })(url)).text();
  },
  'a local agent, a process each': () => {
    const store = memoryStore();
    return async (url, now) => agent(store, now).fetchPaid(url, undefined, {});
  },
};

for (const [entry, begins] of Object.entries(ENTRIES)) {
  // I-23
  test(`${entry}: one request is charged once on the chain, whatever is answered and however late it is asked again`, {
    timeout: 480_000,
  }, async () => {
    let later = 0;
    const now = (): number => Date.now() / 1000 + later;
    const had = await chain.balanceOf(chain.accounts.payer.address);
    const tries = ANSWERS.map(([name, spoil], index) => {
      const path = `/${encodeURIComponent(entry)}/${index}`;
      spoils.set(path, spoil);
      return { isOver: /^20\d/.test(name), url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${path}`, buys: begins() };
    });
    for (let turn = 0; turn < TRIES; turn += 1) {
      // Half of the tries come after all that was signed has ended, so that it is signed again. Content that came without a receipt is over by then, unless it has a key.
      later = turn < TRIES / 2 ? 0 : (turn - TRIES / 2 + 1) * 400;
      const asked = turn < TRIES / 2 ? tries : tries.filter(({ isOver }) => !isOver || entry.includes('with a key'));
      await Promise.allSettled(asked.map(({ url, buys }) => buys(url, now)));
    }
    assert.equal(had - (await chain.balanceOf(chain.accounts.payer.address)), PRICE * BigInt(tries.length));
  });
}

test('controls: twenty requests at once are twenty charges, two purchases are two, and one that nothing settles is none', async () => {
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const had = await chain.balanceOf(chain.accounts.payer.address);
  // Twenty at once may take a while.
  const pay = fetcher({ policy: { deadlineSecs: 60 }, timeoutMs: 60_000 });
  const responses = await Promise.all(Array.from({ length: 20 }, () => pay(`${url}/twenty`)));
  await Promise.all(responses.map((response) => response.text()));
  assert.equal(new Set(responses.map((response) => receiptOf(response)?.transaction)).size, 20);
  for (let purchase = 0; purchase < 2; purchase += 1) await (await pay(`${url}/two`)).text();
  const dead = createServer((_, response) => {
    response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  const port = await listening(dead);
  await (await pay(`http://127.0.0.1:${port}/none`)).text();
  dead.close();
  assert.equal(had - (await chain.balanceOf(chain.accounts.payer.address)), 22n * PRICE);
});
