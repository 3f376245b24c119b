// `farebox serve` as a program of its own: a gate on this machine, in front of an origin, with a real facilitator and chain behind it.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { type Chain, startChain } from '../../demo/chain.mjs';
import { type Facilitator, startFacilitator } from '../../demo/facilitator.mjs';
import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { payingFetch, receiptOf } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { memoryStore } from '../../pkg/dist/store.js';
import { root } from '../../scripts/steps.mjs';

const PRICE = 10_000n;
const PROGRAM = join(root, 'pkg/dist/cli/main.js');

let chain: Chain;
let facilitator: Facilitator;
let origin: Origin;
const folder = mkdtempSync(join(tmpdir(), 'farebox-serve-'));
const state = join(folder, 'state');
const children = new Set<ChildProcess>();

before(async () => {
  chain = await startChain();
  [facilitator, origin] = await Promise.all([startFacilitator({ chain }), startOrigin()]);
});
after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await Promise.all([origin?.stop(), facilitator?.stop()]);
  await chain?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Served {
  url: string;
  child: ChildProcess;
  ended: Promise<number | null>;
  wrote: () => string;
}

/** Runs the command; `url` is where it listens. */
async function serving(more: string[] = []): Promise<Served> {
  const words = [
    'serve',
    '--origin',
    origin.url,
    '--pay-to',
    chain.accounts.payee.address,
    '--facilitator',
    facilitator.url,
    '--rpc',
    chain.url,
  ];
  const prices = ['/report', '/slow', '/big', '/echo'].flatMap((path) => ['--price', `${path}=$0.01`]);
  const child = spawn(process.execPath, [PROGRAM, ...words, ...prices, '--state', state, '--port', '0', ...more], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  children.add(child);
  let text = '';
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const url = await new Promise<string>((resolve) => {
    child.stderr!.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const found = /(http:\/\/127\.0\.0\.1:\d+) asks for payment/.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
    void ended.then(() => resolve(''));
  });
  return { url, child, ended, wrote: () => text };
}

const payer = () => chain.accounts.payers[2]!;
/** A payer that goes on with what was not delivered. */
const fetchOf = (store = memoryStore()) =>
  payingFetch({ signer: payer().privateKey, policy: { perDay: '5', deadlineSecs: 30 }, store, resume });

async function auditOf(url: string): Promise<string[]> {
  const { OPERATOR_TOKEN } = JSON.parse(readFileSync(join(state, 'secrets.json'), 'utf8')) as { OPERATOR_TOKEN: string };
  const response = await fetch(`${url}/_farebox/audit`, { headers: { authorization: `Bearer ${OPERATOR_TOKEN}` } });
  return [...(await response.text()).matchAll(/"difference":"(-?\d+)"/g)].map(([, difference]) => difference ?? '');
}

test('a paid request, a free one, the pages, and who asked', async () => {
  const { url, child, ended } = await serving();
  const before = await chain.balanceOf(chain.accounts.payee.address);
  const response = await fetchOf()(`${url}/report`);
  assert.equal(((await response.json()) as { report: string }).report, 'Rainfall, Tuesday');
  assert.match(receiptOf(response)?.transaction ?? '', /^0x[0-9a-f]{64}$/);
  assert.equal((await chain.balanceOf(chain.accounts.payee.address)) - before, PRICE);

  assert.equal(await (await fetch(`${url}/about`)).text(), 'An origin that knows nothing of payments.\n');
  const desk = await fetch(`${url}/_farebox/desk/`);
  assert.deepEqual([desk.status, desk.headers.get('content-type')], [200, 'text/html; charset=utf-8']);
  assert.match(desk.headers.get('content-security-policy') ?? '', /^default-src 'none'/);
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

test('one process serves a folder; a request under way ends before it does', async () => {
  const { url, child, ended } = await serving();
  const second = await serving();
  assert.equal(await second.ended, 2);
  assert.match(second.wrote(), new RegExp(`process ${child.pid} serves ${state} already`));
  const slow = fetchOf()(`${url}/slow?ms=2000`);
  await new Promise((done) => setTimeout(done, 1_000));
  child.kill('SIGTERM');
  assert.deepEqual(await (await slow).json(), { slow: true });
  assert.equal(await ended, 0);
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

test('a runtime that crashes is started again, and what was sent meanwhile is told so', async () => {
  const { url, child, ended } = await serving();
  const [mark = ''] = readdirSync(state).filter((name) => name.startsWith('served-by-'));
  const { pid } = JSON.parse(readFileSync(join(state, mark), 'utf8')) as { pid: number };
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

test('what is missing is named, with the words that set it', async () => {
  for (const [words, says] of [
    [[], /ORIGIN_URL is not set: --origin/],
    [['--origin', origin.url], /PAY_TO is not set: --pay-to/],
    [['--origin', origin.url, '--pay-to', chain.accounts.payee.address, '--price', 'report'], /--price is not PATH=PRICE/],
    [['--nothing'], /--help says what there is/],
  ] as const) {
    const child = spawn(process.execPath, [PROGRAM, 'serve', ...words, '--state', join(folder, 'other')], {
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
