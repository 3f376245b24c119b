// Proxies in front of `farebox serve`: what each may have left out is told once, and nginx as docs/serve.md has it leaves out nothing.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, request, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';

import { freePort } from '../../demo/server.mjs';
import { openFront } from '../../pkg/gate/dist/serve/front.js';
import { findProgram } from '../../scripts/debian.mjs';
import { startProcess } from '../../scripts/processes.mjs';
import { root } from '../../scripts/steps.mjs';
import { eventually } from '../support/eventually.ts';
import { PLAIN } from './front.ts';
import { openingWebSocket } from './serve-world.ts';

/** Asks as a proxy does: for a host, and on behalf of a client if one is named. */
async function askAs(url: string, host: string, client?: string): Promise<void> {
  const headers = { host, ...(client === undefined ? {} : { 'x-forwarded-for': client }) };
  const asked = request(url, { headers, agent: false }).end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  await once(answer.resume(), 'end');
}

//
test('a proxy that is not trusted is told of once', async (t) => {
  const told: string[] = [];
  const options = { ...PLAIN, pages: { serve: () => false }, log: (text: string) => void told.push(text) };
  const [plain, trusts] = [await openFront(options), await openFront({ ...options, trustsProxy: true })];
  t.after(() => Promise.all([plain.close(0), trusts.close(0)]));
  const headers = { 'x-forwarded-for': '203.0.113.9' };
  await askAs(trusts.url, 'api.example.com', '203.0.113.9');
  await fetch(plain.url);
  assert.deepEqual(told, []);
  await fetch(plain.url, { headers });
  await fetch(plain.url, { headers });
  assert.equal(told.length, 1);
  assert.match(told[0]!, /^a request of 127\.0\.0\.1 has X-Forwarded-For: .*--trust-proxy/);
});

/** What is told of these requests, in this order, by a front that trusts its proxy; a network has three numbers. */
async function toldOf(t: TestContext, asked: readonly (readonly [host: string, client: string | undefined])[]): Promise<string[]> {
  const told: string[] = [];
  const pages = { serve: (_: IncomingMessage, answer: ServerResponse) => answer.end('x') !== undefined };
  const networkOf = (address: string): string => address.split('.').slice(0, 3).join('.');
  const front = await openFront({ ...PLAIN, pages, networkOf, trustsProxy: true, log: (text) => void told.push(text) });
  t.after(() => front.close(0));
  for (const [host, client] of asked) await askAs(front.url, host, client);
  return told;
}
const STRANGERS = ['203.0.113.9', '198.51.100.7', '192.0.2.5'] as const;

test('a trusted proxy that names this machine as the host is told of once', async (t) => {
  for (const host of ['127.0.0.1:8402', 'localhost', '[::1]:8402', '192.168.1.5:8402', '10.0.0.7', 'gate:8402', 'farebox_upstream']) {
    const told = await toldOf(
      t,
      [undefined, ...STRANGERS, ...STRANGERS].map((client) => [host, client]),
    );
    assert.equal(told.length, 1, host);
    assert.ok(told[0]!.startsWith(`WARNING: the proxy asks for the host ${host}: `), told[0]);
    assert.match(told[0]!, /buyers .* refuse the receipt\..* proxy_set_header Host \$http_host;\n$/);
  }
  // The first purchase through a proxy is often made on the machine itself.
  assert.equal((await toldOf(t, [['127.0.0.1:8402', '127.0.0.1']])).length, 1);
  // A name of a private network is right for those who are in it.
  assert.deepEqual(await toldOf(t, [...NEAR, ...NEAR, ['127.0.0.1:8402', undefined]]), []);
  const hosts = ['api.example.com', '203.0.113.7', '[2001:db8::1]:8402'];
  assert.deepEqual(
    await toldOf(
      t,
      STRANGERS.flatMap((client) => hosts.map((host) => [host, client] as const)),
    ),
    [],
  );
});
const NEAR = [
  ['192.168.1.5', '192.168.1.9'],
  ['gate', '10.0.0.9'],
  ['gate', '172.16.0.9'],
] as const;

//
test('a stranger who names this machine as the host writes no warning about the proxy, and uses none up', async (t) => {
  const [first, second, third] = STRANGERS;
  const lie = ['localhost', first] as const;
  assert.deepEqual(await toldOf(t, Array(20).fill(lie)), [], 'one network alone');
  assert.deepEqual(
    await toldOf(t, [lie, ['localhost', second], ['api.example.com', third], lie, ['localhost', third]]),
    [],
    'not in a row',
  );
  // What names no sender is refused, and no network.
  assert.deepEqual(await toldOf(t, [lie, ['localhost', 'unknown'], ['localhost', 'nobody'], ['localhost', '']]), [], 'no sender');
  const slip = STRANGERS.map((client) => ['127.0.0.1:8402', client] as const);
  const told = await toldOf(t, [lie, ['api.example.com', second], ...slip]);
  assert.equal(told.length, 1);
  assert.match(told[0]!, /the host 127\.0\.0\.1:8402/);
});

/** The block of docs/serve.md, but for its certificate, its port and its gate. */
function blockFor(port: number, gate: string): string {
  const block = /^```nginx\n(.*?)^```/ms.exec(readFileSync(join(root, 'docs/serve.md'), 'utf8'))?.[1] ?? '';
  return [
    ['listen 443 ssl;', `listen 127.0.0.1:${port};`],
    [/^ +ssl_certificate.*\n/gm, ''],
    ['http://127.0.0.1:8402', gate],
  ].reduce((all, [from, to]) => {
    const put = all.replaceAll(from as string, to as string);
    assert.notEqual(put, all, String(from));
    return put;
  }, block);
}

const nginx = findProgram('nginx');

test('nginx as the page has it passes host, client, long heads and WebSockets on', {
  skip: 'leftOut' in nginx && nginx.leftOut,
}, async (t) => {
  assert.ok('command' in nginx);
  const folder = mkdtempSync(join(tmpdir(), 'farebox-nginx-'));
  const [socket, told] = [join(folder, 'requests'), [] as string[]];
  /** The gate: says what came, in a head as long as that of a 402 may be. */
  const gate = createServer({ maxHeaderSize: 65_536 }, ({ headers }, answer) => {
    const { host, upgrade, connection, 'cf-connecting-ip': client, 'x-farebox-proto': proto, 'payment-signature': payment = '' } = headers;
    answer.setHeader('payment-required', 'p'.repeat(20_000));
    answer.end(JSON.stringify({ host, upgrade, connection, client, proto, payment: payment.length }));
  });
  gate.on('upgrade', ({ headers }, stream) => stream.end(openingWebSocket(headers['sec-websocket-key'])));
  await new Promise<void>((resolve) => gate.listen(socket, resolve));
  const front = await openFront({
    ...PLAIN,
    socket,
    pages: { serve: () => false },
    trustsProxy: true,
    log: (line) => void told.push(line),
  });
  const port = await freePort();
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ');
  const conf = `daemon off; pid ${folder}/pid; error_log stderr;\nevents {}\nhttp { access_log off; ${places}\n${blockFor(port, front.url)}}\n`;
  writeFileSync(join(folder, 'nginx.conf'), conf);
  const words = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'];
  const proxy = startProcess(nginx.command, words, { cwd: folder, env: { ...process.env, ...nginx.env } });
  t.after(async () => {
    await proxy.stop();
    await front.close(0);
    gate.close();
    rmSync(folder, { recursive: true });
  });
  const ask = async (headers: OutgoingHttpHeaders): Promise<IncomingMessage> => {
    const asked = request({
      port,
      path: '/',
      headers: { host: 'api.example.com:8443', ...headers },
      agent: false,
      maxHeaderSize: 65_536,
    }).end();
    const opened = once(asked, 'upgrade').then(([answer, stream]) => {
      (stream as Socket).destroy();
      return answer as IncomingMessage;
    });
    return Promise.race([once(asked, 'response').then(([answer]) => answer as IncomingMessage), opened]);
  };
  // A payment has at most 16 KiB, and a client writes what it likes.
  const answer = await eventually(
    'nginx answers',
    () => ask({ 'payment-signature': 's'.repeat(16_384), 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' }),
    () => true,
    10,
  );
  assert.equal(answer.statusCode, 200);
  const seen = { host: 'api.example.com:8443', connection: 'close', client: '127.0.0.1', proto: 'http', payment: 16_384 };
  assert.deepEqual(JSON.parse(await text(answer)), seen);
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  const offer = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': key };
  assert.equal((await ask(offer)).statusCode, 101);
  assert.deepEqual(told, []);
});
