// Answers that are paid by session arrive whole, however long they are and however slowly they come; and what the origin
// asks for is no answer.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';

import { startChain } from '../../demo/chain.mjs';
import { startFacilitator } from '../../demo/facilitator.mjs';
import { gateVars } from '../../demo/gate.mjs';
import { startGate } from '../../scripts/miniflare.mjs';

const TOKEN = 'operator-token-of-this-test-0123456789';
const PRICE = 10_000n;
const LONG = Buffer.alloc(3_000_000, 'a long answer, byte by byte. ');
const LINES = Array.from({ length: 5 }, (_, line) => `{"line":${line}}\n`);

const server = createServer((request, response) => {
  const path = request.url ?? '';
  if (path === '/data/asks')
    return void response.writeHead(402, { 'content-type': 'application/json' }).end('{"x402Version":1,"accepts":[{"payTo":"another"}]}');
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  if (path !== '/data/slow') return void response.end(path === '/data/long' ? LONG : 'taken');
  const write = ([line, ...rest]: string[]): void => {
    if (line === undefined) return void response.end();
    response.write(line);
    setTimeout(write, 800, rest);
  };
  write(LINES);
});

let end = async (): Promise<void> => {};
let url = '';
let pay: typeof fetch;
let sign: (url: string) => Promise<string>;
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  const chain = await startChain();
  const facilitator = await startFacilitator({ chain });
  const routes = [{ path: '/data/*', methods: ['GET', 'POST'], price: '$0.01', session_delay_secs: 900, origin_timeout_secs: 2 }];
  const gate = await startGate({
    build: 'build',
    vars: { ...gateVars({ chain, facilitator, origin } as never), ROUTES: routes },
    secrets: { OPERATOR_TOKEN: TOKEN },
  } as never);
  url = gate.url;
  const [payer] = chain.accounts.payers;
  assert.ok(payer);
  const scheme = new BatchSettlementEvmScheme({ ...payer, readContract: chain.publicClient.readContract } as never, {
    depositStrategy: () => 100n * PRICE,
  });
  const schemes = [{ network: 'eip155:*' as const, client: scheme }];
  pay = wrapFetchWithPaymentFromConfig(fetch, { schemes }) as typeof fetch;
  sign = async (target) => {
    let payment: string | null = null;
    const take = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
      const request = new Request(input, init);
      payment = request.headers.get('payment-signature');
      return payment === null ? fetch(request) : new Response(null, { status: 500 });
    };
    await wrapFetchWithPaymentFromConfig(take as typeof fetch, { schemes })(target);
    return payment ?? '';
  };
  end = async () => {
    await gate.stop();
    await facilitator.stop();
    await chain.stop();
  };
});
after(async () => {
  await end();
  server.closeAllConnections();
  server.close();
});

const charged = (answer: Response): unknown =>
  JSON.parse(Buffer.from(answer.headers.get('payment-response') ?? '', 'base64').toString()).extra.chargedAmount;

test('an answer of three megabytes whose length is not announced', async () => {
  const answer = await pay(`${url}/data/long`);
  assert.deepEqual([answer.status, charged(answer)], [200, String(PRICE)]);
  assert.ok(Buffer.from(await answer.arrayBuffer()).equals(LONG));
});

test('an answer that takes longer than it is collected for', async () => {
  const answer = await pay(`${url}/data/slow`);
  assert.deepEqual([answer.status, charged(answer)], [200, String(PRICE)]);
  assert.equal(await answer.text(), LINES.join(''));
});

//
test('terms of the origin are no answer, and cost nothing', async () => {
  const answer = await pay(`${url}/data/asks`);
  assert.equal(answer.status, 502);
  const text = await answer.text();
  assert.match(text, /origin_failed/);
  assert.doesNotMatch(text, /another/);
  // The voucher of it buys the next.
  assert.equal(charged(await pay(`${url}/data/after`)), String(PRICE));
});

//
test('a long body that breaks off while the origin answers slowly costs nothing', async () => {
  const total = async (target: string): Promise<number> => {
    const settlement = JSON.parse(Buffer.from((await pay(target)).headers.get('payment-response') ?? '', 'base64').toString());
    return Number(settlement.extra.channelState.chargedCumulativeAmount);
  };
  const before = await total(`${url}/data/before`);
  const payment = await sign(`${url}/data/slow`);
  assert.notEqual(payment, '');
  const { hostname, port, host } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.write(
    `POST /data/slow HTTP/1.1\r\nHost: ${host}\r\nPAYMENT-SIGNATURE: ${payment}\r\nContent-Length: 300000\r\n\r\n${'b'.repeat(100_000)}`,
  );
  await pause(3_000);
  socket.destroy();
  await pause(4_000);
  assert.equal(await total(`${url}/data/later`), before + Number(PRICE));
});
