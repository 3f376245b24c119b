// The front of `farebox serve` against crowds: what one network asks for at once takes nothing from the others, and ends no runtime.

import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { wrapFetch } from '../../pkg/dist/index.js';
import { memoryStore } from '../../pkg/dist/store.js';
import { checkProgram } from '../../pkg/gate/dist/create/rules.js';
import { placesOf, roomHere } from '../../pkg/gate/dist/serve/places.js';
import { eventually } from '../support/eventually.ts';
import { openingWebSocket, type Served, type ServeWorld, startServeWorld } from './serve-world.ts';

/** Files that the program and its runtime may each open, and the places that it has with them. */
const FILES = 1_024;
const REQUESTS = FILES / 8;
const CONNECTIONS = FILES / 2;
/** Networks of documentation. Spec: RFC 5737. */
const [CROWD, OTHER] = ['203.0.113.7', '198.51.100.7'];

/** Requests that the origin has not answered. */
const held = new Set<() => void>();
const sockets = new Set<Socket>();
let origin: Server;
let world: ServeWorld;
let served: Served;

before(async () => {
  origin = createServer((asked, answer) => {
    const end = (): void => {
      answer.end('done');
    };
    if (!asked.url?.startsWith('/held')) return end();
    held.add(end);
    answer.once('close', () => held.delete(end));
  });
  origin.on('upgrade', (asked, socket) => {
    socket.on('error', () => socket.destroy());
    socket.write(openingWebSocket(asked.headers['sec-websocket-key']));
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  world = await startServeWorld(`http://127.0.0.1:${(origin.address() as AddressInfo).port}`, ['/report', '/held/report']);
  served = await world.serving(['--trust-proxy'], {}, FILES);
});
after(async () => {
  for (const socket of sockets) socket.destroy();
  await world?.stop();
  origin?.closeAllConnections();
  origin?.close();
});

/** Opens a connection that writes this, and gathers what comes. */
function open(bytes: string): { readonly socket: Socket; text: string } {
  const socket = connect(Number(new URL(served.url).port), '127.0.0.1', () => socket.write(bytes, 'latin1'));
  const opened = { socket, text: '' };
  sockets.add(socket);
  socket.on('error', () => socket.destroy()).once('close', () => sockets.delete(socket));
  socket.setEncoding('latin1').on('data', (part: string) => {
    opened.text += part;
  });
  return opened;
}
const asking = (path: string, from: string, lines = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${from}\r\n${lines}\r\n`;
const OFFER = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const statuses = (text: string): string[] => [...text.matchAll(/HTTP\/1.1 (\d+) /g)].map(([, status]) => status ?? '');

test('a place is one of those that are left: half for the first network, and one for whoever comes next', () => {
  const { take } = placesOf(8);
  const leaves = Array.from({ length: 4 }, () => take('a'));
  assert.ok(leaves.every((leave) => leave !== undefined));
  assert.equal(take('a'), undefined);
  assert.ok(take('b') && take('b'));
  assert.equal(take('b'), undefined);
  assert.ok(take('c'));
  assert.equal(take('c'), undefined);
  // The last one: nobody new finds none before all are taken.
  assert.ok(take('d'));
  assert.equal(take('e'), undefined);
  // It is given back once, however often it is said.
  leaves[0]!();
  leaves[0]!();
  assert.ok(take('e'));
  assert.equal(take('f'), undefined);
  for (const most of [0, 1]) assert.equal(placesOf(most).take('a') === undefined, most === 0);
});

test('there is room on this machine, and no more than its runtime may open files for', () => {
  const { requests, connections } = roomHere();
  assert.ok(requests >= 1 && requests <= 2_000 && connections >= requests && connections <= 4_000);
});

test('a network is what the gate counts as one', async () => {
  const { clientNetwork } = await checkProgram();
  assert.deepEqual(['192.0.2.7', '::ffff:192.0.2.7', '2001:db8:1:2ff::1', '2001:db8:1:200::2', '2001:db8:1:300::', ''].map(clientNetwork), [
    '192.0.2.7',
    '192.0.2.7',
    '2001:db8:1:200/56',
    '2001:db8:1:200/56',
    '2001:db8:1:300/56',
    'unknown',
  ]);
});

//
test('whoever asks for more than one network may have at once is told so, and a payment of another one goes on', async () => {
  const signer = world.chain.accounts.payers[1]!.privateKey;
  const from = (it: string): typeof fetch => {
    return (input, init) => {
      const request = new Request(input, init);
      request.headers.set('x-forwarded-for', it);
      return fetch(request);
    };
  };
  const paying = wrapFetch(from(OTHER), { signer, store: memoryStore() });
  const paid = paying(`${served.url}/held/report`);
  await eventually('the origin has the request that was paid for', () => held.size === 1);

  const crowd = Array.from({ length: 200 }, () => open(asking('/held', CROWD)));
  await eventually(
    'the places of one network are taken',
    () => held.size,
    (count) => count === 1 + REQUESTS / 2,
    20,
  );
  const refused = await fetch(`${served.url}/free`, { headers: { 'x-forwarded-for': CROWD } });
  const problem = (await refused.json()) as { code: string; retryable: boolean };
  assert.deepEqual([refused.status, problem.code, problem.retryable, refused.headers.get('retry-after')], [503, 'gate_busy', true, '1']);
  const offered = open(asking('/live', CROWD, OFFER));
  await eventually('nor is a WebSocket of theirs opened', () => statuses(offered.text)[0] === '503');
  // Another network is served as before, and gets a WebSocket.
  const other = await fetch(`${served.url}/free`, { headers: { 'x-forwarded-for': OTHER } });
  assert.deepEqual([other.status, await other.text()], [200, 'done']);
  const live = open(asking('/live', OTHER, OFFER));
  await eventually('a WebSocket opens', () => statuses(live.text)[0] === '101');
  live.socket.destroy();
  for (const end of held) end();
  const answer = await paid;
  assert.deepEqual([answer.status, await answer.text()], [200, 'done']);
  // Each request of the crowd has one answer.
  await eventually('the crowd is answered', () => crowd.every(({ text }) => statuses(text).length === 1), Boolean, 20);
  const all = crowd.flatMap(({ text }) => statuses(text));
  assert.deepEqual(
    ['200', '503'].map((wanted) => all.filter((status) => status === wanted).length),
    [REQUESTS / 2, 200 - REQUESTS / 2],
  );
  assert.deepEqual([served.child.exitCode, served.wrote().includes('workerd ended')], [null, false]);
  // All places are free again.
  await eventually(
    'as many as before are taken',
    async () => (await fetch(`${served.url}/free`, { headers: { 'x-forwarded-for': CROWD } })).status,
    (status) => status === 200,
  );
  assert.deepEqual(await world.auditOf(served.url), ['0']);
});

//
test('a connection with ten thousand requests under way ends alone', async () => {
  const { socket } = open(asking('/held', CROWD).repeat(10_000));
  await new Promise((resolve) => socket.once('close', resolve));
  await eventually(
    'what it had asked for is asked no longer',
    () => held.size,
    (count) => count === 0,
  );
  assert.equal((await fetch(`${served.url}/report`, { headers: { 'x-forwarded-for': CROWD } })).status, 402);
  assert.equal(served.wrote().includes('workerd ended'), false);
});

//
test('a network has at most half of the connections, and those that end make room', async () => {
  const before = sockets.size;
  const crowd = Array.from({ length: FILES }, () => open(''));
  await eventually(
    'the rest is ended',
    () => sockets.size - before,
    (count) => count <= CONNECTIONS / 2,
    10,
  );
  // The proxy itself is one network: what it has left is what others get.
  for (const { socket } of crowd) socket.destroy();
  await eventually(
    'there is room again',
    () =>
      fetch(`${served.url}/report`, { headers: { 'x-forwarded-for': OTHER } })
        .then(({ status }) => status)
        .catch(() => 0),
    (status) => status === 402,
  );
  assert.equal(served.wrote().includes('workerd ended'), false);
});
