// The front of `farebox serve` against clients that write bytes of their own: no byte of one is read as another's, and nobody says who they are.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';

import { payingFetch, wrapFetch } from '../../pkg/dist/index.js';
import { memoryStore } from '../../pkg/dist/store.js';
import { openFront } from '../../pkg/gate/dist/serve/front.js';
import { eventually } from '../support/eventually.ts';
import { dripping } from '../worker/support/broken.ts';
import { heard, OFFER, PLAIN } from './front.ts';
import { openingWebSocket, type Served, type ServeWorld, startServeWorld } from './serve-world.ts';

/** A request as it reached the origin. */
interface Seen {
  line: string;
  from: string;
  proto: string;
  body: string;
}
const seen: Seen[] = [];
let origin: Server;
let world: ServeWorld;
let served: Served;

before(async () => {
  origin = createServer((asked, answer) => {
    let body = '';
    asked.setEncoding('latin1').on('data', (part: string) => {
      body += part;
    });
    asked.on('end', () => {
      const { method, url = '', headers } = asked;
      seen.push({ line: `${method} ${url}`, from: said(headers['x-forwarded-for']), proto: said(headers['x-forwarded-proto']), body });
      const { searchParams } = new URL(url, 'http://origin');
      const long = Number(searchParams.get('long') ?? 0);
      const end = (): unknown => answer.writeHead(200, long === 0 ? {} : { 'x-long': 'l'.repeat(long) }).end(`the answer to ${url}`);
      setTimeout(end, Number(searchParams.get('ms') ?? 0));
    });
  });
  origin.on('upgrade', (asked: IncomingMessage, socket) => {
    seen.push({ line: `UPGRADE ${asked.url}`, from: said(asked.headers['x-forwarded-for']), proto: '', body: '' });
    socket.on('error', () => socket.destroy());
    socket.write(openingWebSocket(asked.headers['sec-websocket-key']));
    // One text frame, unmasked as those of servers are.
    socket.write(Buffer.from([0x81, 2, 0x68, 0x69]));
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  world = await startServeWorld(`http://127.0.0.1:${(origin.address() as AddressInfo).port}`, ['/report', '/long']);
  served = await world.serving();
});
after(async () => {
  await world?.stop();
  origin?.closeAllConnections();
  origin?.close();
});

const said = (value: string | string[] | undefined): string => String(value ?? '');

/** Writes bytes, and returns what comes until the connection ends or for so long. */
function raw(bytes: string, milliseconds = 1_000): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(Number(new URL(served.url).port), '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
    });
    socket.on('error', () => socket.destroy());
    socket.once('close', () => resolve(text));
    setTimeout(() => socket.destroy(), milliseconds);
  });
}
const linesSince = (count: number): string[] => seen.slice(count).map(({ line }) => line);
const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: x\r\nCF-Connecting-IP: 203.0.113.7\r\nX-Farebox-Proto: https\r\n\r\n';

// A-64, A-222
for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST'])
  test(`${method}: a body is a body, however many fields stand before its length`, async () => {
    const count = seen.length;
    for (const fields of [0, 150, 250, 2_001]) {
      const head = `${method} /free HTTP/1.1\r\nHost: x\r\n${'a:\r\n'.repeat(fields)}Content-Length: ${HIDDEN.length}\r\n\r\n`;
      const answer = await raw(head + HIDDEN, 400);
      assert.match(answer, fields > 200 ? /^HTTP\/1.1 431 / : /^HTTP\/1.1 200 /);
    }
    const chunked = `${method} /free HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`;
    assert.match(await raw(chunked, 400), /^HTTP\/1.1 200 /);
    assert.deepEqual(linesSince(count), Array(3).fill(`${method} /free`));
    assert.deepEqual(
      seen.slice(count).map(({ body }) => body),
      method === 'POST' || method === 'DELETE' || method === 'OPTIONS'
        ? [HIDDEN, HIDDEN, 'hello']
        : seen.slice(count).map(({ body }) => body),
    );
    const paid = await payingFetch({ signer: world.chain.accounts.payers[1]!.privateKey, store: memoryStore() })(
      `${served.url}/report?${method}`,
    );
    assert.equal(await paid.text(), `the answer to /report?${method}`);
  });

// A-64
test('two lengths, or a length beside chunks, are refused', async () => {
  const count = seen.length;
  for (const lines of [
    'Content-Length: 5\r\nContent-Length: 6',
    'Content-Length: 5\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: xchunked',
  ])
    assert.match(await raw(`POST /free HTTP/1.1\r\nHost: x\r\n${lines}\r\n\r\n${HIDDEN}`, 400), /^HTTP\/1.1 400 /, lines);
  assert.deepEqual(linesSince(count), []);
});

// A-223
test('after an offer of another protocol nobody says who they are, and a body stays a body', async () => {
  const count = seen.length;
  await raw(`GET /one HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n${HIDDEN}`);
  assert.match(await raw(`GET /report HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n${OFFER}\r\n${HIDDEN}`), /^HTTP\/1.1 4\d\d /);
  const h2c = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n';
  await raw(`POST /two HTTP/1.1\r\nHost: x\r\n${h2c}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`);
  await raw(`POST /three HTTP/1.1\r\nHost: x\r\n${h2c}Content-Length: 5\r\n\r\nhello${HIDDEN}`);
  assert.deepEqual(
    seen.slice(count).map(({ line, from, proto, body }) => [line, from, proto, body]),
    [
      ['GET /one', '127.0.0.1', 'http', ''],
      ['GET /hidden', '127.0.0.1', 'http', ''],
      ['POST /two', '127.0.0.1', 'http', 'hello'],
      ['POST /three', '127.0.0.1', 'http', 'hello'],
      ['GET /hidden', '127.0.0.1', 'http', ''],
    ],
  );
});

// A-430
for (const [what, lines] of [
  ['a WebSocket', OFFER],
  ['h2c', 'Upgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n'],
] as const)
  test(`whoever offers ${what} before their requests are answered ends that connection alone`, async () => {
    const slow = 'GET /free?ms=1500 HTTP/1.1\r\nHost: x\r\n\r\n';
    for (const path of ['/report', '/long', '/free', '/_farebox/desk/'])
      for (const before of [slow, slow + slow, `${slow}GET /report HTTP/1.1\r\nHost: x\r\n\r\n`])
        assert.equal(await raw(`${before}GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n${lines}\r\n`, 2_000), '');
    assert.equal((await fetch(`${served.url}/report`)).status, 402);
    // One that waits for its answers is not held to be such.
    const first = 'GET /report HTTP/1.1\r\nHost: x\r\n\r\n';
    const socket = connect(Number(new URL(served.url).port), '127.0.0.1', () => socket.write(first));
    const [answer] = (await once(socket.setEncoding('latin1'), 'data')) as [string];
    assert.match(answer, /^HTTP\/1.1 402 /);
    socket.write(`GET /free HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n${lines}\r\n`);
    const [later] = (await once(socket, 'data')) as [string];
    assert.match(later, what === 'h2c' ? /^HTTP\/1.1 200 / : /^HTTP\/1.1 101 /);
    socket.destroy();
  });

// A-430, A-463, A-466
for (const [how, request] of [
  ['by an offer', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['by its client', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['by its client', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na'],
] as const)
  test(`what a connection had asked for is asked no longer when it is ended ${how}: ${request.slice(0, 4)}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'farebox-front-'));
    const asked = new Set<IncomingMessage>();
    const inner = createServer((it) => asked.add(it.resume()));
    await new Promise<void>((resolve) => inner.listen(join(folder, 'requests'), resolve));
    const pages = { serve: () => false };
    // One place more than it takes.
    const room = { requests: 6, connections: 10 };
    const front = await openFront({ ...PLAIN, room, socket: join(folder, 'requests'), pages });
    for (let round = 0; round < 3; round += 1) {
      asked.clear();
      const socket = connect(Number(new URL(front.url).port), '127.0.0.1', () => socket.write(request.repeat(3)));
      socket.on('error', () => {});
      await eventually(
        'all three are asked',
        () => asked.size,
        (count) => count === 3,
      );
      const closed = [...asked].map((it) => once(it.socket, 'close'));
      if (how === 'by its client') socket.resetAndDestroy();
      else socket.write(`GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n${OFFER}\r\n`);
      await Promise.all(closed);
    }
    await front.close(0);
    inner.close();
    rmSync(folder, { recursive: true });
  });

// A-445
test('a connection without a request ends, and so does one whose offer of a WebSocket was refused', async () => {
  const pages = { serve: () => false };
  const front = await openFront({ ...PLAIN, pages, headersTimeout: 500 });
  const open = (bytes: string): Promise<unknown> => {
    // It keeps its own side, whatever comes.
    const socket = connect({ port: Number(new URL(front.url).port), host: '127.0.0.1', allowHalfOpen: true }, () => socket.write(bytes));
    socket.on('error', () => socket.destroy()).resume();
    return once(socket, 'end');
  };
  await Promise.all([open(''), open('GET / HTTP/1.1\r\nHo'), open(`GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n${OFFER}\r\n`)]);
  await eventually(
    'the server has closed all of them',
    () => front.connections(),
    (count) => count === 0,
    5,
  );
  await front.close(0);
});

// A-447
test('a connection whose client reads nothing of its answer ends, and one whose client reads slowly or waits does not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-front-'));
  const inner = createServer((it, answer) => {
    const bytes = Number(new URL(it.url ?? '', 'http://inner').searchParams.get('bytes'));
    if (bytes > 0) answer.end(Buffer.alloc(bytes));
    else setTimeout(() => answer.end('late'), 3_000);
  });
  await new Promise<void>((resolve) => inner.listen(join(folder, 'requests'), resolve));
  const pages = { serve: () => false };
  const front = await openFront({ ...PLAIN, socket: join(folder, 'requests'), pages, staleTimeout: 1_000 });
  const port = Number(new URL(front.url).port);
  const open = (path: string, lines = ''): Socket => {
    const client = connect(port, '127.0.0.1', () => client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${lines}\r\n`));
    return client.on('error', () => client.destroy()).pause();
  };
  const waiting = text(open('/', 'Connection: close\r\n').resume());
  const refused = text(open('/?bytes=4000000', `Connection: Upgrade\r\n${OFFER}`).resume());
  const slow = open('/?bytes=4000000', 'Connection: close\r\n');
  let read = 0;
  slow.on('data', (part: Buffer) => {
    read += part.length;
    slow.pause();
    setTimeout(() => slow.resume(), 30);
  });
  slow.resume();
  const silent = ['', 'Connection: close\r\n', `Connection: Upgrade\r\n${OFFER}`].map((lines) => open('/?bytes=32000000', lines));
  await once(slow, 'close');
  assert.ok(read > 4_000_000, `${read}`);
  assert.match(await waiting, /late/);
  assert.ok((await refused).length > 4_000_000);
  await eventually(
    'those that read nothing are ended, also towards the gate',
    async () => [await front.connections(), await new Promise((resolve) => inner.getConnections((_, count) => resolve(count)))],
    (counts) => counts.every((count) => count === 0),
    10,
  );
  for (const client of silent) client.destroy();
  await front.close(0);
  inner.close();
  rmSync(folder, { recursive: true });
});

// A-448, A-464
for (const [status, lines] of [
  [200, ''],
  [200, 'Expect: 100-continue\r\n'],
  [417, 'Expect: something else\r\n'],
] as const)
  test(`a body that goes on behind its answer ends with its connection: ${status} ${lines.trim()}`, async () => {
    const pages = { serve: (_: IncomingMessage, answer: ServerResponse) => answer.end('a page') !== undefined };
    const front = await openFront({ ...PLAIN, pages, staleTimeout: 1_000 });
    const head = `POST / HTTP/1.1\r\nHost: x\r\n${lines}Content-Length: 100000\r\n\r\n`;
    // It keeps its own side, and a byte comes before the connection would rest.
    const client = connect({ port: Number(new URL(front.url).port), host: '127.0.0.1', allowHalfOpen: true }, () => client.write(head));
    client.setEncoding('latin1').on('error', () => client.destroy());
    let answer = '';
    client.on('data', (part: string) => {
      answer += part;
    });
    await eventually('it is answered', () => answer.includes(`HTTP/1.1 ${status} `));
    await dripping(client, { piece: 'a', everyMs: 200 }, () =>
      eventually(
        'the server has closed it',
        () => front.connections(),
        (count) => count === 0,
        10,
      ),
    );
    assert.equal(answer.includes('"code":"expectation_failed"'), status === 417);
    await front.close(0);
  });

// A-466
test('a connection holds neither what was answered before its body came, nor a refusal that waits', async () => {
  const warnings: string[] = [];
  const warned = ({ name }: Error): unknown => warnings.push(name);
  process.on('warning', warned);
  const pages = { serve: (_: IncomingMessage, answer: ServerResponse) => answer.end('a page') !== undefined };
  const front = await openFront({ ...PLAIN, pages });
  const client = connect(Number(new URL(front.url).port), '127.0.0.1');
  for (let turn = 0; turn < 20; turn += 1) {
    client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n');
    assert.match(String((await once(client, 'data'))[0]), /a page/);
    client.write('a');
  }
  // Listeners that pile up are warned of.
  assert.deepEqual(warnings, []);
  process.off('warning', warned);
  client.destroy();
  await front.close(0);
  const count = seen.length;
  const refused = `GET /free HTTP/1.1\r\nHost: x\r\n${'a:\r\n'.repeat(15_000)}\r\n`;
  assert.equal(await raw(`GET /free?ms=1000 HTTP/1.1\r\nHost: x\r\n\r\n${refused}`, 3_000), '');
  assert.match(await raw(refused), /^HTTP\/1.1 431 /);
  assert.ok(seen.length <= count + 1);
});

// A-595
test('a target or a host that the runtime cannot read reaches neither it nor the log', async () => {
  const wrote = served.wrote().length;
  const count = seen.length;
  for (const [target, host, status] of [
    ['http://shop.test/report?token=SECRET', 'Host: other.test', 402],
    ['HTTP://shop.test:8080/report?token=SECRET', 'Host: shop.test', 402],
    ['http://u:SECRET@shop.test/report', 'Host: shop.test', 400],
    ['http://a b/report?token=SECRET', 'Host: shop.test', 400],
    ['ftp://shop.test/report?token=SECRET', 'Host: shop.test', 400],
    ['*', 'Host: shop.test', 400],
    ['/report?token=SECRET', 'Host: shop.test:80', 402],
    ['/report?token=SECRET', 'Host: [::1]:8402', 402],
    ['/report?token=SECRET', 'Host: a b', 400],
    ['/report?token=SECRET', 'Host: a/x', 400],
    ['/report?token=SECRET', 'Host: u@a', 400],
    ['/report?token=SECRET', 'Host: a:99999', 400],
    ['/report?token=SECRET', 'Host: 256.1.1.1', 400],
    ['/report?token=SECRET', 'Host:', 400],
    ['/report?token=SECRET', 'Host: a\r\nHost: b', 400],
    ['/report?token=SECRET', 'Host: a\r\nHOST: a', 400],
  ] as const) {
    const said = await raw(`GET ${target} HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`);
    assert.match(said, new RegExp(`^HTTP/1.1 ${status} `), `${target} ${host}`);
    assert.doesNotMatch(said, /SECRET/.test(target) && status === 402 ? /other\.test/ : /SECRET/, `${target} ${host}`);
  }
  assert.match(await raw('OPTIONS * HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n'), /"target_unreadable"/);
  assert.deepEqual([seen.length, served.wrote().slice(wrote)], [count, '']);
});

// A-596
test('nobody says in the name of a platform who they are or where', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-front-'));
  const inner = createServer((asked, answer) => answer.end(JSON.stringify(asked.rawHeaders)));
  await new Promise<void>((resolve) => inner.listen(join(folder, 'requests'), resolve));
  const front = await openFront({ ...PLAIN, socket: join(folder, 'requests'), pages: { serve: () => false } });
  const names = [
    'X-Real-IP',
    'x_real_ip',
    'True-Client-IP',
    'CF_Connecting_IP',
    'CF-Connecting-IP',
    'CF-IPCountry',
    'cf-worker',
    'X.Real.IP',
    'CF~Connecting.IP',
  ];
  const client = connect(Number(new URL(front.url).port), '127.0.0.1');
  client.write(
    `GET / HTTP/1.1\r\nHost: x\r\n${names.map((name) => `${name}: 203.0.113.9\r\n`).join('')}X-Own: 1\r\nConnection: close\r\n\r\n`,
  );
  const said = await text(client);
  assert.doesNotMatch(said, /203\.0\.113\.9/);
  assert.match(said, /"host","x","cf-connecting-ip","127\.0\.0\.1"/);
  assert.match(said, /"X-Own","1"/);
  await front.close(0);
  inner.close();
  rmSync(folder, { recursive: true });
});

// A-594
test('what is under way when the time is over is cut only once the runtime has ended', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-front-'));
  let left = false;
  const inner = createServer((asked, answer) => {
    asked.socket.once('close', () => {
      left = true;
    });
    answer.write('a part');
  });
  await new Promise<void>((resolve) => inner.listen(join(folder, 'requests'), resolve));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const milliseconds of [0, 50]) {
    left = false;
    const front = await openFront({ ...PLAIN, socket: join(folder, 'requests'), pages: { serve: () => false } });
    const client = connect(Number(new URL(front.url).port), '127.0.0.1').on('error', () => {});
    client.write('GET /long HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(client, 'data');
    let leftFirst: boolean | undefined;
    await front.close(milliseconds, async () => {
      await new Promise((done) => setTimeout(done, 50));
      leftFirst = left;
    });
    assert.equal(leftFirst, false);
    await eventually('the connection to the runtime has ended', () => left);
    client.destroy();
  }
  inner.close();
});

// A-622
test('an answer that breaks off looks so to a client of HTTP/1.0 as well', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-front-'));
  const inner = createServer((asked, answer) => {
    answer.write('a part');
    if (asked.url === '/whole') answer.end(' and the rest');
    if (asked.url === '/cut') setTimeout(() => asked.socket.destroy(), 50);
  });
  await new Promise<void>((resolve) => inner.listen(join(folder, 'requests'), resolve));
  const front = await openFront({ ...PLAIN, socket: join(folder, 'requests'), pages: { serve: () => false } });
  t.after(() => {
    inner.close();
    inner.closeAllConnections();
    rmSync(folder, { recursive: true });
  });
  /** How the connection of a request ends. */
  const endOf = async (path: string, during: () => Promise<void> = async () => {}): Promise<string> => {
    const client = connect(Number(new URL(front.url).port), '127.0.0.1');
    const ended = new Promise<string>((resolve) => {
      client.once('error', ({ message }) => resolve(message));
      client.once('end', () => resolve('ended'));
    });
    client.write(`GET ${path} HTTP/1.0\r\nHost: x\r\n\r\n`);
    await once(client, 'data');
    await during();
    return ended;
  };
  assert.equal(await endOf('/whole'), 'ended');
  assert.match(await endOf('/cut'), /ECONNRESET/);
  assert.match(await endOf('/long', () => front.close(0)), /ECONNRESET/);
});

test('a connection that the system does not take ends nothing', async (t) => {
  const pages = {
    serve: (asked: IncomingMessage, answer: ServerResponse) => {
      const { server } = asked.socket as Socket & { server: Server };
      answer.end(String(server.emit('error', new Error('accept ENFILE'))));
      return true;
    },
  };
  const front = await openFront({ ...PLAIN, pages });
  t.after(() => front.close(0));
  for (const time of ['first', 'second', 'third']) assert.equal(await (await fetch(front.url)).text(), 'true', time);
});

test('a connection of a proxy waits for its next request longer than proxies do, but not while it ends', async (t) => {
  const answers: ServerResponse[] = [];
  const pages = {
    serve: (asked: IncomingMessage, answer: ServerResponse) => {
      if (asked.url === '/held') answers.push(answer);
      else answer.end('x');
      return true;
    },
  };
  const [plain, proxied] = [await openFront({ ...PLAIN, pages }), await openFront({ ...PLAIN, pages, trustsProxy: true })];
  t.after(() => Promise.all([plain.close(0), proxied.close(0)]));
  const keptBy = async (url: string): Promise<string | null> => (await fetch(url)).headers.get('keep-alive');
  assert.deepEqual([await keptBy(plain.url), await keptBy(proxied.url)], ['timeout=5', 'timeout=130']);
  const client = connect(Number(new URL(proxied.url).port), '127.0.0.1');
  client.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\n');
  const [answer] = await eventually(
    'it is asked',
    () => answers,
    (all) => all.length > 0,
  );
  const began = performance.now();
  const closed = proxied.close(60_000);
  answer!.end('held');
  client.resume();
  await closed;
  assert.ok(performance.now() - began < 4_000, 'it does not wait for another request');
});

test('the head of a request goes on before its body comes, which may take its time', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-front-'));
  const heads: (string | undefined)[] = [];
  const inner = createServer((asked, answer) => {
    heads.push(asked.url);
    asked.pipe(answer);
  });
  await new Promise<void>((resolve) => inner.listen(join(folder, 'requests'), resolve));
  const front = await openFront({ ...PLAIN, socket: join(folder, 'requests'), pages: { serve: () => false } });
  t.after(async () => {
    await front.close(0);
    inner.close();
    rmSync(folder, { recursive: true });
  });
  for (const [path, length] of [
    ['/sized', 'Content-Length: 4'],
    ['/chunks', 'Transfer-Encoding: chunked'],
  ] as const) {
    const client = connect(Number(new URL(front.url).port), '127.0.0.1');
    const answer = heard(client);
    client.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${length}\r\n\r\n`);
    await eventually('its head is there', () => heads.includes(path) || undefined);
    client.write(path === '/sized' ? 'body' : '4\r\nbody\r\n0\r\n\r\n');
    assert.match(await answer, /^HTTP\/1.1 200 .*body/s);
  }
});

// A-449
test('an offer of a WebSocket has no more fields than another request', async () => {
  const count = seen.length;
  const offer = (fields: number): string =>
    `GET /free HTTP/1.1\r\nHost: x\r\n${'a:\r\n'.repeat(fields)}Connection: Upgrade\r\n${OFFER}\r\n`;
  assert.match(await raw(offer(250)), /^HTTP\/1.1 431 .*"too_many_fields"/s);
  assert.deepEqual(linesSince(count), []);
  assert.match(await raw(offer(150)), /^HTTP\/1.1 101 /);
});

// A-224
test('an answer with long header fields arrives, also one that is paid for', async () => {
  for (const path of ['/free', '/long']) {
    const answer = await raw(`GET ${path}?long=60000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 3_000);
    assert.match(answer, path === '/free' ? /\r\nx-long: l{60000}\r\n/i : /^HTTP\/1.1 402 /);
  }
  const signer = world.chain.accounts.payers[1]!.privateKey;
  const paying = wrapFetch(roomy, { signer, store: memoryStore(), policy: { deadlineSecs: 5 } });
  const paid = await paying(`${served.url}/long?long=60000`);
  assert.deepEqual([paid.status, paid.headers.get('x-long')?.length], [200, 60_000]);
  assert.deepEqual(await world.auditOf(served.url), ['0']);
});

/** As `fetch`, which reads 16 KiB of header fields alone. */
async function roomy(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const { method, url, headers } = new Request(input, init);
  const [answer] = (await once(
    request(url, { method, headers: Object.fromEntries(headers), maxHeaderSize: 200_000 }).end(),
    'response',
  )) as [IncomingMessage];
  const fields = Object.entries(answer.headersDistinct).flatMap(([name, values]) =>
    values!.map((value): [string, string] => [name, value]),
  );
  return new Response(await text(answer), { status: answer.statusCode!, headers: fields });
}

test('a WebSocket through a free path is one, and does not keep the program from ending', async () => {
  const offer = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const [answer, socket, head] = (await once(request(`${served.url}/live`, { headers: offer }).end(), 'upgrade')) as [
    IncomingMessage,
    Socket,
    Buffer,
  ];
  assert.deepEqual([answer.statusCode, answer.headers['sec-websocket-accept']], [101, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=']);
  const frame = head.length > 0 ? head : ((await once(socket, 'data')) as [Buffer])[0];
  assert.equal(frame.subarray(2).toString(), 'hi');
  const closed = once(socket.resume(), 'close');
  served.child.kill('SIGTERM');
  assert.equal(await served.ended, 0);
  await closed;
});
