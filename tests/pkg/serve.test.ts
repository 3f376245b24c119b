// `farebox serve` as a program of its own: a gate on this machine, in front of an origin, with a real facilitator and chain behind it.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';

import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { payingFetch, receiptOf, wrapFetch } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { memoryStore } from '../../pkg/dist/store.js';
import { variables } from '../../pkg/gate/dist/serve/settings.js';
import { root } from '../../scripts/steps.mjs';
import { eventually } from '../support/eventually.ts';
import { PROGRAM, type ServeWorld, startServeWorld } from './serve-world.ts';

const PRICE = 10_000n;

let origin: Origin;
let world: ServeWorld;
before(async () => {
  origin = await startOrigin();
  world = await startServeWorld(origin.url, ['/report', '/slow', '/big', '/echo']);
  ({ chain, state, serving, auditOf } = world);
});
after(async () => {
  await world?.stop();
  await origin?.stop();
});
let { chain, state, serving, auditOf } = {} as ServeWorld;

const payer = () => chain.accounts.payers[2]!;
/** A payer that goes on with what was not delivered. */
const fetchOf = (store = memoryStore()) =>
  payingFetch({ signer: payer().privateKey, policy: { perDay: '5', deadlineSecs: 120 }, store, resume });

/** Marks of processes that serve the folder; one that is being written has another name for a moment. */
const marks = (): string[] => readdirSync(state).filter((name) => name.startsWith('served-by-') && !name.endsWith('.new'));

test('a paid request, a free one, the pages, and who asked', async () => {
  const { url, child, ended, wrote } = await serving();
  await eventually('free paths beside priced ones are listed', () => /^4 paths are priced, .*\/report\.json.*: free$/m.test(wrote()));
  const before = await chain.balanceOf(chain.accounts.payee.address);
  const response = await fetchOf()(`${url}/report`);
  assert.equal(((await response.json()) as { report: string }).report, 'Rainfall, Tuesday');
  assert.match(receiptOf(response)?.transaction ?? '', /^0x[0-9a-f]{64}$/);
  assert.equal((await chain.balanceOf(chain.accounts.payee.address)) - before, PRICE);

  assert.equal(await (await fetch(`${url}/about`)).text(), 'An origin that knows nothing of payments.\n');
  const desk = await fetch(`${url}/_farebox/desk/`);
  assert.deepEqual([desk.status, desk.headers.get('content-type')], [200, 'text/html; charset=utf-8']);
  const without = await fetch(`${url}/_farebox/desk?x=1`, { redirect: 'manual' });
  assert.deepEqual([without.status, without.headers.get('location')], [307, '/_farebox/desk/?x=1']);
  assert.match(desk.headers.get('content-security-policy') ?? '', /^default-src 'none'/);
  assert.equal((await fetch(`${url}/_farebox/desk/icon.svg`)).headers.get('content-type'), 'image/svg+xml');
  assert.equal((await fetch(`${url}/_farebox/desk/../../../package.json`)).status, 404);

  const asked = { headers: { 'CF-Connecting-IP': '203.0.113.9', 'X-Forwarded-For': '203.0.113.9' } };
  const { headers } = (await (await fetchOf()(`${url}/echo`, asked)).json()) as { headers: Record<string, string> };
  assert.equal(headers['x-forwarded-for'], '127.0.0.1');

  const big = await fetchOf()(`${url}/big`);
  assert.equal((await big.arrayBuffer()).byteLength, 5 * 1024 * 1024);
  assert.deepEqual(await auditOf(url), ['0']);
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
});

//
test('one process serves a folder; a request under way ends before it does', async () => {
  const { url, child, ended } = await serving();
  const second = await serving();
  assert.equal(await second.ended, 75);
  assert.match(second.wrote(), new RegExp(`process ${child.pid} serves ${state} already`));
  const slow = fetchOf()(`${url}/slow?ms=2000`);
  await new Promise((done) => setTimeout(done, 1_000));
  child.kill('SIGTERM');
  assert.deepEqual(await (await slow).json(), { slow: true });
  assert.equal(await ended, 0);
});

test('Ctrl-C in a terminal, which reaches the whole group, lets what is under way end', async () => {
  const { url, child, ended, wrote } = await serving();
  const slow = fetchOf()(`${url}/slow?ms=2000`);
  await new Promise((done) => setTimeout(done, 1_000));
  process.kill(-child.pid!, 'SIGINT');
  assert.deepEqual(await (await slow).json(), { slow: true });
  assert.equal(await ended, 0);
  assert.doesNotMatch(wrote(), /starts again/);
});

test('a signal while it starts ends it, and its runtime with it', async () => {
  const starting = serving();
  while (!marks().some((name) => readFileSync(join(state, name), 'utf8') !== '')) await new Promise((done) => setTimeout(done, 5));
  const [mark = ''] = marks();
  process.kill(-Number(mark.split('-')[2]), 'SIGINT');
  const { ended } = await starting;
  assert.equal(await ended, 0);
  assert.deepEqual(marks(), []);
  assert.equal(spawnSync('pgrep', ['-f', join(state, 'runtime')]).stdout.toString(), '', 'no runtime is left on the rows');
});

test('a reader of its log who leaves ends nothing', async () => {
  const { url, child, ended } = await serving();
  child.stderr!.destroy();
  for (const [path, status] of [
    ['/report', 402],
    ['/about', 200],
    ['/report', 402],
  ] as const)
    assert.equal((await fetch(`${url}${path}`)).status, status, path);
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
});

//
test('a port that is taken ends the program, and its runtime with it', async () => {
  const taken = createServer();
  const port = await new Promise<number>((resolve) => {
    taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port));
  });
  const { ended, wrote } = await serving(['--port', String(port)]);
  assert.equal(await ended, 75);
  assert.match(wrote(), /--port \d+: .*EADDRINUSE/);
  assert.deepEqual(marks(), []);
  assert.equal(spawnSync('pgrep', ['-f', join(state, 'runtime')]).stdout.toString(), '', 'no runtime is left on the rows');
  taken.close();
});

test('a mark that was cut is told, because a runtime may still read the rows', async () => {
  const mark = join(state, 'served-by-4194303-00ff');
  writeFileSync(mark, '{"pid":12');
  const { ended, wrote } = await serving();
  assert.equal(await ended, 2);
  assert.match(wrote(), /served-by-4194303-00ff cannot be read: end the workerd/);
  assert.deepEqual(marks(), ['served-by-4194303-00ff']);
  rmSync(mark);
});

test('behind a proxy the last address that it writes is who asks, and nobody else is', async () => {
  const { url, child, ended } = await serving(['--trust-proxy']);
  for (const [line, from] of [
    ['203.0.113.9, 198.51.100.7', '198.51.100.7'],
    ['198.51.100.7:4711', '198.51.100.7'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['::ffff:198.51.100.7', '198.51.100.7'],
    ['unknown', undefined],
    ['198.51.100.7, ', undefined],
  ] as const) {
    const count = origin.requests.length;
    const response = await fetch(`${url}/about`, { headers: { 'x-forwarded-for': line } });
    assert.equal(response.status, from === undefined ? 400 : 200, line);
    if (from === undefined) assert.equal(((await response.json()) as { code: string }).code, 'sender_unknown');
    else assert.equal(origin.requests.at(-1)?.headers['x-forwarded-for'], from);
    assert.equal(origin.requests.length - count, from === undefined ? 0 : 1);
  }
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
});

test('a second signal ends requests under way too', async () => {
  const { url, child, ended } = await serving();
  const leaves = new AbortController();
  const slow = fetchOf()(`${url}/slow?ms=20000`, { signal: leaves.signal });
  await new Promise((done) => setTimeout(done, 1_000));
  child.kill('SIGTERM');
  await new Promise((done) => setTimeout(done, 300));
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
  leaves.abort();
  await assert.rejects(slow);
});

test('a kill with sales in flight: each is charged once and delivered, and nobody else serves the rows meanwhile', async () => {
  const before = await chain.balanceOf(payer().address);
  let sold = 0n;
  for (let turn = 0; turn < 5; turn += 1) {
    const first = await serving();
    const stores = Array.from({ length: 4 }, () => memoryStore());
    const target = (at: number): string => `/report?turn=${turn}&at=${at}`;
    const lost = stores.map((store, at) =>
      fetchOf(store)(`${first.url}${target(at)}`)
        .then((response) => response.text())
        .catch(() => 'lost'),
    );
    await new Promise((done) => setTimeout(done, 40 + turn * 60));
    first.child.kill('SIGKILL');
    const port = new URL(first.url).port;
    const again = await serving(['--port', port]);
    assert.equal(again.url, first.url);
    const ends = await Promise.all(lost);
    for (const [at, store] of stores.entries()) {
      sold += 1n;
      if (ends[at] !== 'lost') continue;
      const response = await fetchOf(store)(`${again.url}${target(at)}`);
      assert.match(await response.text(), /Rainfall, Tuesday/);
    }
    assert.deepEqual(await auditOf(again.url), ['0']);
    again.child.kill('SIGTERM');
    assert.equal(await again.ended, 0);
  }
  assert.equal(before - (await chain.balanceOf(payer().address)), sold * PRICE);
});

//
test('what was paid for and cut by a kill of the program is not booked as delivered', async () => {
  const states = async (at: string): Promise<string[]> => {
    const { OPERATOR_TOKEN } = JSON.parse(readFileSync(join(state, 'secrets.json'), 'utf8')) as { OPERATOR_TOKEN: string };
    const response = await fetch(`${at}/_farebox/payments?route=/big`, { headers: { authorization: `Bearer ${OPERATOR_TOKEN}` } });
    return ((await response.json()) as { items: { state: string }[] }).items.map((item) => item.state);
  };
  const first = await serving();
  const had = (await states(first.url)).filter((it) => it === 'delivered').length;
  // A client that leaves has what it left.
  const leaves = new AbortController();
  await fetchOf()(`${first.url}/big?hold&leaves`, { signal: leaves.signal });
  leaves.abort();
  origin.release();
  const delivered = async (at: string): Promise<number> => (await states(at)).filter((it) => it === 'delivered').length;
  await eventually(
    'it is delivered',
    () => delivered(first.url),
    (count) => count === had + 1,
  );
  const cut = await fetchOf()(`${first.url}/big?hold&cut`);
  first.child.kill('SIGKILL');
  await first.ended;
  origin.release();
  await assert.rejects(cut.arrayBuffer());
  // The runtime that it has left hears of that.
  await new Promise((done) => setTimeout(done, 1_000));
  const second = await serving();
  assert.equal(await delivered(second.url), had + 1);
  second.child.kill('SIGTERM');
  assert.equal(await second.ended, 0);
});

test('a runtime that crashes is started again, and what was sent meanwhile is told so', async () => {
  const { url, child, ended } = await serving();
  const [mark = ''] = marks();
  const { pid } = JSON.parse(readFileSync(join(state, mark), 'utf8')) as { pid: number };
  // Whoever tidies up may take the files that it was started with.
  rmSync(join(state, 'runtime'), { recursive: true });
  process.kill(pid, 'SIGKILL');
  const statuses = new Set<number>();
  for (let status = 0; status !== 200; ) {
    const response = await fetch(`${url}/_farebox/health`);
    status = response.status;
    statuses.add(status);
    if (status === 503) assert.equal(response.headers.get('retry-after'), '2');
    await response.arrayBuffer();
    await new Promise((done) => setTimeout(done, 20));
  }
  assert.deepEqual([...statuses].sort(), [200, 503]);
  assert.match(await (await fetchOf()(`${url}/report`)).text(), /Rainfall, Tuesday/);
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
});

//
test('a folder for sockets that another user has made again is not that of the runtime', async () => {
  const { url, child, ended } = await serving();
  const runs = (): { pid: number; sockets: string } => JSON.parse(readFileSync(join(state, marks()[0] ?? ''), 'utf8'));
  const statusNow = async (): Promise<number> => (await fetch(`${url}/_farebox/health`)).status;
  const { pid, sockets } = runs();
  rmSync(sockets, { recursive: true });
  mkdirSync(sockets);
  let asked = 0;
  const stranger = createHttpServer((_, answer) => {
    asked += 1;
    answer.end('theirs');
  });
  await new Promise<void>((resolve) => stranger.listen(join(sockets, 'requests'), resolve));
  // No one else may give a folder away.
  if (process.getuid?.() === 0) {
    chownSync(sockets, 65_534, 65_534);
    assert.deepEqual([await statusNow(), asked], [503, 0]);
  }
  writeFileSync(join(sockets, 'theirs'), '');
  process.kill(pid, 'SIGKILL');
  const other = await eventually(
    'it is started again',
    () => runs().sockets,
    (found) => found !== sockets,
  );
  await eventually('it answers again', statusNow, (status) => status === 200);
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
  assert.deepEqual([existsSync(other), existsSync(join(sockets, 'theirs'))], [false, true]);
  stranger.close();
  rmSync(sockets, { recursive: true });
});

//
test('links in the place of what the runtime is started with are not followed', async () => {
  const files = join(state, 'runtime');
  const victim = join(dirname(state), 'victim');
  mkdirSync(victim);
  const names = ['index.js', 'index_bg.wasm', 'entry.js', 'config.capnp'];
  const isKept = (): boolean => names.every((name) => readFileSync(join(victim, name), 'utf8') === 'theirs');
  for (const name of names) writeFileSync(join(victim, name), 'theirs');
  for (const plant of [
    () => symlinkSync(victim, files),
    () => {
      mkdirSync(files);
      for (const name of names) symlinkSync(join(victim, name), join(files, name));
    },
    () => writeFileSync(files, 'a file'),
  ]) {
    rmSync(files, { recursive: true, force: true });
    plant();
    const { url, child, ended } = await serving();
    assert.equal((await fetch(`${url}/report`)).status, 402);
    assert.ok(isKept());
    assert.deepEqual(
      [files, ...names.map((name) => join(files, name))].map((path) => lstatSync(path).isSymbolicLink()),
      Array(5).fill(false),
    );
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
  }
});

test('a copy that is taken while it serves and put back sells nothing twice that was sold since', async () => {
  const copy = join(dirname(state), 'copy');
  const other = join(dirname(state), 'restored');
  const farebox = (...words: string[]) => spawnSync(process.execPath, [PROGRAM, ...words], { encoding: 'utf8' });
  const first = await serving();
  const known = await paidOnce(`${first.url}/echo?known`);
  assert.deepEqual([farebox('backup', copy, '--state', state).status, farebox('backup', copy, '--state', state).status], [0, 2]);
  const since = await paidOnce(`${first.url}/echo?since`);
  first.child.kill('SIGKILL');
  await first.ended;
  assert.equal(farebox('restore', copy, '--state', state).status, 2, 'a folder with rows is left as it is');
  assert.equal(farebox('restore', copy, '--state', other).status, 0);
  const before = await chain.balanceOf(chain.accounts.payee.address);
  const second = await serving(['--state', other, '--port', new URL(first.url).port]);
  const requests = origin.requests.length;
  const repeated = await fetch(`${second.url}/echo?known`, { headers: known });
  assert.ok([200, 409].includes(repeated.status), 'the copy knows it');
  const lost = await fetch(`${second.url}/echo?since`, { headers: since });
  assert.deepEqual([lost.status, ((await lost.json()) as { code: string }).code], [503, 'settlement_unknown']);
  assert.deepEqual([origin.requests.length, await chain.balanceOf(chain.accounts.payee.address)], [requests, before]);
  second.child.kill('SIGTERM');
  assert.equal(await second.ended, 0);
});

/** Buys, and returns the header fields that paid. */
async function paidOnce(url: string): Promise<Headers> {
  let sent = new Headers();
  const watched: typeof fetch = (input, init) => {
    sent = new Headers(init?.headers);
    return fetch(input, init);
  };
  const response = await wrapFetch(watched, { signer: payer().privateKey, store: memoryStore() })(url);
  assert.equal(response.status, 200);
  await response.arrayBuffer();
  return sent;
}

test('every secret of the documents is taken from the environment, and the bearer token that the configuration names', () => {
  const [, table = ''] = /## Secrets\n([^]*?)\n## /.exec(readFileSync(join(root, 'docs/configuration.md'), 'utf8')) ?? [];
  const names = [...table.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name!);
  assert.ok(names.length > 10);
  const config = join(dirname(state), 'config.json');
  writeFileSync(config, JSON.stringify({ FACILITATOR_URL: { url: 'https://x.example', auth: { bearer: 'FACILITATOR_TOKEN' } } }));
  const given = Object.fromEntries([...names, 'RPC_URL', 'FACILITATOR_TOKEN', 'HOME_OF_OTHERS'].map((name) => [name, `of ${name}`]));
  const words = { origin: 'http://x', price: ['/a=$1'], 'pay-to': '0x1', config };
  const taken = Object.entries(variables(words, {}, given)).filter(([name, value]) => value === `of ${name}`);
  assert.deepEqual(taken.map(([name]) => name).sort(), [...names, 'RPC_URL', 'FACILITATOR_TOKEN'].sort());
});

test('prices of words are added to the routes of the file, also if these are JSON in a text', () => {
  const config = join(dirname(state), 'text.json');
  const words = { origin: 'http://x', price: ['/b=$2'], 'pay-to': '0x1', config };
  writeFileSync(config, JSON.stringify({ ROUTES: JSON.stringify([{ path: '/a', price: '$1' }]) }));
  const both = [
    { path: '/a', price: '$1' },
    { path: '/b', price: '$2' },
  ];
  assert.deepEqual(JSON.parse(variables(words, {}, {})['ROUTES']!), both);
  writeFileSync(config, JSON.stringify({ ROUTES: '/a=$1' }));
  assert.throws(() => variables(words, {}, {}), /ROUTES has to be a list/);
});

test('a system without certificates of authorities, such as a small image, runs it too', async () => {
  const none = join(dirname(state), 'no-authorities');
  mkdirSync(none);
  const { url, child, ended } = await serving([], { SSL_CERT_DIR: none, SSL_CERT_FILE: '' });
  assert.equal((await fetch(`${url}/_farebox/health`)).status, 200);
  // Its requests over TLS are judged by what is named here: without it some versions of the runtime do not even start.
  const { pid } = JSON.parse(readFileSync(join(state, marks()[0]!), 'utf8')) as { pid: number };
  const named = /(?:^|\0)SSL_CERT_FILE=([^\0]+)/.exec(readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[1] ?? '';
  const authorities = readFileSync(named, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  assert.ok(authorities.length > 100 && authorities.every((text) => new X509Certificate(text).ca), `${authorities.length}`);
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
});

//
test('--check says what is wrong, or nothing, and makes no folder', async () => {
  const folder = join(dirname(state), 'unmade');
  const checked = (...words: readonly string[]) =>
    spawnSync(process.execPath, [PROGRAM, 'serve', '--check', ...words, '--state', folder], { cwd: root, encoding: 'utf8' });
  const right = ['--origin', origin.url, '--pay-to', chain.accounts.payee.address, '--price', '/report=$0.01'];
  // Nothing listens there: it is asked, and that it does not answer is no fault of the words.
  const [good, bad, local] = [
    checked(...right, '--facilitator', 'http://127.0.0.1:9'),
    checked(...right, '--price', '/a=nothing'),
    checked(...right, '--local'),
  ];
  assert.deepEqual([good.status, good.stdout], [0, ''], good.stderr);
  assert.match(
    good.stderr,
    /^asking GET http:\/\/127\.0\.0\.1:9\/supported\n {2}no answer: .*\nnote: FACILITATOR_URL: .*\nnothing is wrong with the words and the file\n$/,
  );
  assert.deepEqual([bad.status, local.status], [2, 2]);
  assert.match(bad.stderr, /--price: ROUTES\[1\]\.price /);
  assert.match(local.stderr, /leave out --local/);
  const slips = join(dirname(state), 'slips.json');
  writeFileSync(
    slips,
    JSON.stringify({ DEFALT: 'deny', OF_OTHERS: '1', DEFAULT: 'deny', FACILITATOR_B_TOKEN: 'x', RPC_URL: 'https://node.example' }),
  );
  const slipped = checked(...right, '--config', slips);
  assert.equal(slipped.status, 2);
  assert.equal(slipped.stderr, 'farebox: --config has what no gate reads: DEFALT; did you mean DEFAULT?, OF_OTHERS\n');
  const known = join(dirname(state), 'known.json');
  writeFileSync(known, JSON.stringify({ OPERATOR_TOKEN: 'k'.repeat(32), API_KEYS: [], WEBHOOK_URL: '' }));
  const brought = checked(...right, '--config', known);
  assert.equal(brought.status, 2);
  assert.deepEqual(
    brought.stderr.split('\n').map((line) => /^farebox: --config: (\w+) is a secret, .* set it in the environment$/.exec(line)?.[1]),
    ['OPERATOR_TOKEN', 'API_KEYS', undefined],
    brought.stderr,
  );
  // All at once, by what sets each: a word, or the file.
  const wrong = join(dirname(state), 'wrong.json');
  writeFileSync(wrong, JSON.stringify({ PAY_TO: '0x12', ORIGIN_URL: 'ftp://x', DEFALT: 'deny', ROUTES: [{ path: 'b', price: '$1' }] }));
  const all = checked('--config', wrong, '--price', '/a=$1', '--origin-network', 'lan');
  assert.deepEqual(
    all.stderr.split('\n').map((line) => /^farebox: (--[a-z-]+(?: has|: [A-Z_]+[^ ]*)?)/.exec(line)?.[1]),
    ['--config has', '--origin-network', '--config: ORIGIN_URL', '--config: ROUTES[0].path', '--config: PAY_TO', undefined],
    all.stderr,
  );
  assert.equal(all.status, 2);
  const elsewhere = join(dirname(state), 'elsewhere.json');
  writeFileSync(elsewhere, JSON.stringify({ LEDGER_JURISDICTION: 'eu', ORIGIN_URL: 'https://origin.example.com', ORIGIN_HOST: 'client' }));
  const foreign = checked(...right.slice(2), '--config', elsewhere);
  assert.equal(
    foreign.stderr,
    ['LEDGER_JURISDICTION', 'ORIGIN_HOST = "client"'].map((what) => `farebox: --config: ${what} needs Cloudflare: leave it out\n`).join(''),
  );
  const none = checked('--network', 'nowhere');
  assert.deepEqual(
    none.stderr.split('\n').map((line) => /^farebox: (\S+)/.exec(line)?.[1]),
    ['ORIGIN_URL', 'PAY_TO', 'ROUTES', '--network:', undefined],
    none.stderr,
  );
  assert.equal(existsSync(folder), false);
});

test('what is missing is named, with the words that set it', async () => {
  for (const [words, says] of [
    [[], /ORIGIN_URL is not set: --origin/],
    [['--origin', origin.url], /PAY_TO is not set: --pay-to/],
    [['--origin', origin.url, '--pay-to', chain.accounts.payee.address, '--price', 'report'], /--price is not PATH=PRICE/],
    [
      ['--origin', origin.url, '--pay-to', chain.accounts.payee.address, '--price', '/report=bash.01'],
      /--price asks bash\.01 for \/report: put it into single quotes/,
    ],
    [['--nothing'], /--help says what there is/],
    [['--origin', origin.url, '--pay-to', '0xYourAddress', '--price', '/report=$0.01', '--port', '0'], /--pay-to: is not an address/],
    [['--origin', origin.url, '--network', 'base-sepolai'], /--network: .*did you mean "eip155:84532"/],
    [
      ['--origin', 'http://app:3000', '--pay-to', chain.accounts.payee.address, '--price', '/report=$0.01'],
      /--origin: is not public; add --origin-network private/,
    ],
    [
      ['--origin', 'http://app:3000', '--origin-network', 'lan', '--pay-to', chain.accounts.payee.address, '--price', '/report=$0.01'],
      /--origin-network: must be one of: public private/,
    ],
    [
      ['--origin', 'http://shop.example', '--pay-to', chain.accounts.payee.address, '--price', '/report=$0.01'],
      /--origin: must be https; http is for loopback hosts only/,
    ],
    [
      ['--origin', origin.url, '--pay-to', chain.accounts.payee.address, '--price', '/report=nothing'],
      /--price: ROUTES\[0\]\.price .*write a price such as "\$0\.01"/,
    ],
  ] as const) {
    const child = spawn(process.execPath, [PROGRAM, 'serve', ...words, '--state', join(dirname(state), 'other')], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    assert.deepEqual([code, says.test(text)], [2, true], text);
  }
});
