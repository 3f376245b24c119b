// The folder of a gate's secrets where the server behind it hands out files: it is found before anybody else finds it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { openFront } from '../../pkg/dist/serve/front.js';
import { openTo } from '../../pkg/dist/serve/open.js';
import { lookFor } from '../../pkg/dist/serve/shown.js';
import { PLAIN } from './front.ts';
import { PROGRAM } from './serve-world.ts';
import { PAYEE } from './shop.ts';

const place = mkdtempSync(join(tmpdir(), 'farebox-shown-'));
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
  rmSync(place, { recursive: true, force: true });
});

/** A server for the files of a folder, hidden ones too, as many are. */
async function filesOf(folder: string, port = 0): Promise<string> {
  const server = createServer((asked, answer) => {
    const file = join(folder, decodeURIComponent(new URL(asked.url ?? '/', 'http://files.test').pathname));
    if (existsSync(file)) answer.end(readFileSync(file));
    else answer.writeHead(404).end('<html>no such file</html>');
  });
  server.listen(port, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const gate = join(place, 'site', 'own', '.farebox-gate');
mkdirSync(gate, { recursive: true });

//
test('a folder that the server behind it hands out is found, at whatever path', async () => {
  for (const [root, path] of [
    [join(place, 'site', 'own'), '/.farebox-gate/'],
    [join(place, 'site'), '/own/.farebox-gate/'],
    [gate, '/'],
  ] as const) {
    const origin = await filesOf(root);
    const look = lookFor(origin, gate);
    await assert.rejects(look.shown, ({ message }: Error) => message.includes(`to everybody, at ${path}: move it out`));
    look.stop();
  }
  assert.deepEqual(readdirSync(gate), [], 'nothing stays in the folder');
});

test('a folder that it does not hand out is looked for until the server answers, and no longer', async () => {
  const elsewhere = join(place, 'elsewhere');
  mkdirSync(elsewhere);
  const look = lookFor(await filesOf(elsewhere), gate);
  await look.first;
  assert.equal(await Promise.race([look.shown, Promise.resolve('not shown')]), 'not shown');
  look.stop();
  // A server that begins later is asked then.
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  await new Promise((done) => free.close(done));
  const late = lookFor(`http://127.0.0.1:${port}`, gate);
  await late.first;
  await filesOf(join(place, 'site'), port);
  await assert.rejects(late.shown, /own\/\.farebox-gate/);
});

test('the command ends where its folder is shown', async () => {
  const site = join(place, 'site');
  const words = ['serve', '--origin', await filesOf(site), '--price', '/report=$0.01', '--pay-to', PAYEE, '--port', '0'];
  const child = spawn(process.execPath, [PROGRAM, ...words], { cwd: site, stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (piece) => (text += String(piece)));
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 2, text);
  assert.match(text, /shows the folder of the secrets to everybody, at \/\.farebox-gate\//);
  assert.doesNotMatch(text, /asks for payment/);
});

//
test('a server on this machine whose port is open to others is found', async () => {
  const origin = await filesOf(join(place, 'site'));
  const { port } = new URL(origin);
  // An address of its own stands for one by which others reach it.
  for (const host of ['127.0.0.1', 'localhost'])
    assert.equal(await openTo(`http://${host}:${port}`, ['127.0.0.2', '127.0.0.1']), `http://127.0.0.1:${port}`, host);
  assert.equal(await openTo(origin, ['127.0.0.2']), undefined);
  assert.equal(await openTo(origin, []), undefined);
  assert.equal(await openTo(`http://app:${port}`, ['127.0.0.1']), undefined);
});

test('no path with the name of such a folder is asked of the server', async (t) => {
  const front = await openFront({ ...PLAIN, folder: '/srv/data', pages: { serve: () => false } });
  t.after(() => front.close(0));
  const codeOf = async (path: string): Promise<unknown> => ((await (await fetch(front.url + path)).json()) as { code: unknown }).code;
  for (const path of [
    '/.farebox-gate/secrets.json',
    '/own/.farebox-gate',
    '/%2Efarebox-gate/rows/',
    '/%252efarebox%2dgate%2Fsecrets.json',
    '/a%5C.farebox-gate%5Csecrets.json',
    '/.FAREBOX-LOCAL/secrets.json?x',
    '/files/data/secrets.json',
    '/data/rows/',
  ])
    assert.equal(await codeOf(path), 'not_served', path);
  for (const path of ['/farebox-gate', '/?/.farebox-gate/', '/.farebox-gates', '/data/', '/data/rain.csv', '/%zz'])
    assert.equal(await codeOf(path), 'gate_unavailable', path);
});
