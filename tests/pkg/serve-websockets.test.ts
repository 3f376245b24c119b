// WebSockets through the front of `farebox serve`: one that is dead gives its place back, and what is said last arrives.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

import { type Front, openFront } from '../../pkg/gate/dist/serve/front.js';
import { eventually } from '../support/eventually.ts';
import { heard, OFFER, PLAIN } from './front.ts';
import { openingWebSocket } from './serve-world.ts';

/** A front that has one place for a client's requests, the offers of WebSockets that reach what is behind it, and a client that makes one and keeps its side. */
async function offering(
  t: TestContext,
  staleTimeout = 60_000,
): Promise<{ front: Front; offers: Socket[]; open: (more?: string) => Socket }> {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-front-'));
  const [offers, all]: [Socket[], Socket[]] = [[], []];
  const inner = createServer().on('upgrade', (_, socket: Socket) => {
    offers.push(socket.on('error', () => socket.destroy()));
    all.push(socket);
  });
  await new Promise<void>((resolve) => inner.listen(join(folder, 'requests'), resolve));
  const room = { requests: 2, connections: 10 };
  const front = await openFront({ ...PLAIN, room, socket: join(folder, 'requests'), pages: { serve: () => false }, staleTimeout });
  t.after(async () => {
    await front.close(0);
    for (const socket of all) socket.destroy();
    inner.close();
    rmSync(folder, { recursive: true });
  });
  const open = (more = ''): Socket => {
    const bytes = `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n${OFFER}\r\n${more}`;
    const client = connect({ port: Number(new URL(front.url).port), host: '127.0.0.1', allowHalfOpen: true }, () => client.write(bytes));
    all.push(client);
    return client.on('error', () => client.destroy());
  };
  return { front, offers, open };
}
const isGone = (front: Front): Promise<unknown> =>
  eventually(
    'the server has closed it',
    () => front.connections(),
    (count) => count === 0,
    3,
  );
const isAskedNoLonger = (socket: Socket): Promise<unknown> =>
  eventually(
    'it is asked no longer',
    () => socket.resume().readableEnded,
    () => true,
    1,
  );
/** All that comes after the head of the answer. */
const behindHead = async (all: Promise<string>): Promise<string | undefined> => (await all).split('\r\n\r\n')[1];

//
for (const how of ['closes its side', 'breaks off'])
  for (const early of [0, 100, 100_000])
    test(`an offer of a WebSocket that nobody answers ends with its client: one that ${how}, with ${early} bytes behind it`, async (t) => {
      const { front, offers, open } = await offering(t);
      for (let round = 0; round < 3; round += 1) {
        const client = open();
        const socket = await eventually(
          'there is a place, and it is asked',
          () => offers[round],
          () => true,
          3,
        );
        client.write('e'.repeat(early));
        // What was written before is read by then.
        await new Promise((resolve) => setTimeout(resolve, 50));
        if (how === 'breaks off') client.resetAndDestroy();
        else client.end();
        await isGone(front);
        await isAskedNoLonger(socket);
      }
    });

test('an offer of a WebSocket whose client stays and is never answered is refused in time', async (t) => {
  const { front, offers, open } = await offering(t, 1_000);
  const start = performance.now();
  const client = open();
  const answer = heard(client);
  await isGone(front);
  assert.match(await answer, /^HTTP\/1.1 503 .*\r\nretry-after: 2\r\n.*"code":"gate_unavailable"/s);
  assert.ok(performance.now() - start >= 1_000);
  await isAskedNoLonger(offers[0]!);
});

test('what a client of a WebSocket sends before its answer arrives behind it, and more than a little ends it', async (t) => {
  const { front, offers, open } = await offering(t);
  const client = open('behind the head, ');
  const socket = await eventually('it is asked', () => offers[0]);
  client.write('later, ');
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.write(openingWebSocket(''));
  assert.match(String((await once(client, 'data'))[0]), /^HTTP\/1.1 101 /);
  client.end('and once it is open');
  assert.equal(await heard(socket), 'behind the head, later, and once it is open');
  socket.end();
  await isGone(front);
  const sends = open();
  const asked = await eventually('it is asked', () => offers[1]);
  sends.write('e'.repeat(20_000));
  await isGone(front);
  await isAskedNoLonger(asked);
});

test('a WebSocket may be silent, and once one side has ended the other one has its time and no longer', async (t) => {
  const { front, offers, open } = await offering(t, 2_000);
  const joining = async (): Promise<{ client: Socket; socket: Socket; reads: Promise<string>; hears: Promise<string> }> => {
    const client = open();
    const reads = heard(client);
    const socket = await eventually('it is asked', () => offers.pop());
    socket.write(openingWebSocket(''));
    return { client, socket, reads, hears: heard(socket) };
  };
  const first = await joining();
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  first.client.end('to the gate');
  assert.equal(await first.hears, 'to the gate');
  first.socket.end('to the client');
  assert.equal(await behindHead(first.reads), 'to the client');
  await isGone(front);
  const second = await joining();
  second.socket.end('to the client');
  assert.equal(await behindHead(second.reads), 'to the client');
  await isGone(front);
  const third = await joining();
  third.client.end('to the gate');
  assert.equal(await third.hears, 'to the gate');
  await isGone(front);
  assert.equal(await behindHead(third.reads), '');
});

test('what one side of a WebSocket has said last reaches the other one, also where that is behind', async (t) => {
  const { offers, open } = await offering(t);
  // Where the end comes while something waits depends on how much the system takes at once.
  for (let length = 4_000_000; length < 7_000_000; length += 250_000) {
    const client = open();
    const socket = await eventually('it is asked', () => offers.pop());
    socket.write(openingWebSocket(''));
    await once(client, 'data');
    client.pause();
    socket.write(Buffer.alloc(length));
    socket.end('the last words');
    await new Promise((resolve) => setTimeout(resolve, 100));
    let [count, last] = [0, ''];
    for await (const part of client as AsyncIterable<Buffer>) {
      count += part.length;
      last = `${last}${part.toString('latin1').replaceAll('\0', '')}`;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.deepEqual([count, last], [length + 14, 'the last words']);
  }
});

test('an offer of a WebSocket that is finished once the front is ending opens nothing', async (t) => {
  const { front, offers } = await offering(t);
  const client = connect(Number(new URL(front.url).port), '127.0.0.1', () =>
    client.write(`GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n${OFFER}`),
  );
  const answer = heard(client.on('error', () => client.destroy()));
  await new Promise((resolve) => setTimeout(resolve, 100));
  const ending = front.close(60_000);
  client.write('\r\n');
  assert.match(await answer, /^HTTP\/1.1 503 .*"code":"gate_unavailable"/s);
  await ending;
  assert.deepEqual(offers, []);
});

test('a client that reads nothing of a WebSocket ends, and so does a gate that reads nothing of it', async (t) => {
  const { front, offers, open } = await offering(t, 1_000);
  for (const reader of ['client', 'gate']) {
    const client = open();
    const socket = await eventually('it is asked', () => offers.pop());
    socket.write(openingWebSocket(''));
    await once(client, 'data');
    (reader === 'client' ? client : socket).pause();
    (reader === 'client' ? socket : client).write(Buffer.alloc(32_000_000));
    // Behind what waits nobody would see it.
    client.end();
    await isGone(front);
  }
});

test('a client that has vanished is looked for each minute, also behind an offer', { skip: process.platform !== 'linux' }, async (t) => {
  const { front, offers, open } = await offering(t);
  const port = Number(new URL(front.url).port);
  const clients = [open(), connect(port, '127.0.0.1')];
  await eventually('it is asked', () => offers[0]);
  await eventually(
    'both are open',
    () => front.connections(),
    (count) => count === 2,
  );
  // Of connections on this port that are open: which timer runs, and when it ends, in hundredths of a second. 2 is that of keep-alive.
  const row = new RegExp(`^ *\\d+: \\w+:${port.toString(16).toUpperCase().padStart(4, '0')} \\w+:\\w+ 01 \\S+ (\\w+):(\\w+) `, 'gm');
  const timers = [...readFileSync('/proc/net/tcp', 'latin1').matchAll(row)].map(([, timer, when]) => [timer, Number.parseInt(when!, 16)]);
  assert.equal(timers.length, 2);
  for (const [timer, when] of timers) assert.ok(timer === '02' && Number(when) > 5_000 && Number(when) <= 6_000, `${timer} ${when}`);
  clients[1]!.destroy();
});
