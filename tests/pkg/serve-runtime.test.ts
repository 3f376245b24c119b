// The runtime of `farebox serve` where no process can be made, or none can be noted: another one comes, and none is left with the rows.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { Later } from '../../pkg/dist/cli/words.js';
import { type Runtime, startRuntime } from '../../pkg/gate/dist/serve/runtime.js';
import { eventually } from '../support/eventually.ts';

const place = mkdtempSync(join(tmpdir(), 'farebox-runtimes-'));
const runtimes = new Set<Runtime>();
after(async () => {
  for (const runtime of runtimes) await runtime.stop(0);
  rmSync(place, { recursive: true, force: true });
});

/** Answers as a runtime does. */
const PROGRAM = `#!${process.execPath}
const [, socket] = /unix:([^"]*requests)/.exec(require('fs').readFileSync(process.argv[4], 'utf8'));
require('http').createServer((_, answer) => answer.end('ok')).listen(socket);
`;

/** A runtime, the processes that were noted, and what it wrote. */
type World = { readonly began: number[]; readonly wrote: () => string; readonly runtime: Runtime; readonly program: string };

/** Starts a program in the place of workerd; `notes` is called for each process. */
function starts(name: string, notes: () => void = () => {}, patience?: number): World {
  const folder = join(place, name);
  mkdirSync(join(folder, 'gate'), { recursive: true });
  for (const file of ['index.js', 'index_bg.wasm']) writeFileSync(join(folder, 'gate', file), '');
  const program = join(folder, 'program.cjs');
  writeFileSync(program, PROGRAM, { mode: 0o755 });
  const began: number[] = [];
  let text = '';
  const runtime = startRuntime({
    gate: join(folder, 'gate'),
    pages: folder,
    rows: folder,
    files: join(folder, 'runtime'),
    vars: {},
    began: (pid) => {
      began.push(pid);
      notes();
    },
    log: (part) => {
      text += part;
    },
    program,
    ...(patience === undefined ? {} : { patience }),
  });
  runtimes.add(runtime);
  return { began, wrote: () => text, runtime, program };
}

const isThere = (pid: number | undefined): boolean => {
  try {
    return process.kill(pid!, 0);
  } catch {
    return false;
  }
};

/** What a full disk says. */
const full = (): never => {
  throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
};

//
test('a process that cannot be made is tried again, until it can', async () => {
  const { began, wrote, runtime, program } = starts('tried');
  await runtime.answers();
  chmodSync(program, 0o644);
  process.kill(began[0]!, 'SIGKILL');
  await eventually('it does not start', () => /does not start: .*EACCES/.test(wrote()));
  chmodSync(program, 0o755);
  await eventually('it is started again', () => began.length > 1);
  await runtime.answers();
  await runtime.stop(0);
  assert.ok(!began.some(isThere));
});

//
test('a process that cannot be noted does not go on, and the next one is noted', async () => {
  let isFull = true;
  const { began, runtime } = starts('noted', () => isFull && full());
  const [first] = await eventually(
    'two were begun',
    () => began,
    (all) => all.length > 1,
  );
  assert.ok(!isThere(first));
  isFull = false;
  await runtime.answers();
  assert.deepEqual(began.filter(isThere), [began.at(-1)]);
  // The same while it serves.
  isFull = true;
  process.kill(began.at(-1)!, 'SIGKILL');
  const count = began.length;
  await eventually('another one was begun', () => began.length > count + 1);
  isFull = false;
  await eventually('one is left', () => isThere(began.at(-1)));
  await runtime.answers();
  assert.equal(began.filter(isThere).length, 1);
  await runtime.stop(0);
  assert.ok(!began.some(isThere));
});

//
test('a disk that has no room for what it is started with ends nothing', async () => {
  const { began, wrote, runtime } = starts('written');
  await runtime.answers();
  const before = tmpdir();
  process.env['TMPDIR'] = join(place, 'none');
  process.kill(began[0]!, 'SIGKILL');
  await eventually('it does not start', () => /does not start: ENOENT/.test(wrote()));
  process.env['TMPDIR'] = before;
  await eventually('it is started again', () => began.length > 1);
  await runtime.stop(0);
});

test('what is started again is the gate of the first start, whatever is installed meanwhile', async () => {
  const { began, runtime, program } = starts('same');
  await runtime.answers();
  const folder = join(program, '..');
  writeFileSync(join(folder, 'gate', 'index.js'), 'of another version');
  rmSync(join(folder, 'gate', 'index_bg.wasm'));
  process.kill(began[0]!, 'SIGKILL');
  await eventually('it is started again', () => began.length > 1);
  assert.equal(readFileSync(join(folder, 'runtime', 'index.js'), 'utf8'), '');
  await runtime.stop(0);
});

/** A gate whose work goes on behind its answer, as that of a stream that has just been read. */
const GATE = `export class Ledger {}
export class Channel {}
export default {
  async fetch(request, { SINK }, context) {
    if (new URL(request.url).pathname === '/sold') context.waitUntil(new Promise((done) => setTimeout(done, 500)).then(() => fetch(SINK + '/booked')));
    return new Response('sold');
  },
};
`;

//
test('work behind an answer ends before the runtime does', async () => {
  const folder = join(place, 'behind');
  mkdirSync(join(folder, 'gate'), { recursive: true });
  mkdirSync(join(folder, 'rows'));
  writeFileSync(join(folder, 'gate', 'index.js'), GATE);
  writeFileSync(join(folder, 'gate', 'index_bg.wasm'), Buffer.from('0061736d01000000', 'hex'));
  const booked: string[] = [];
  const sink = createServer((asked, answer) => {
    booked.push(asked.url ?? '');
    answer.end();
  }).listen(0, '127.0.0.1');
  await once(sink, 'listening');
  const runtime = startRuntime({
    gate: join(folder, 'gate'),
    pages: folder,
    rows: join(folder, 'rows'),
    files: join(folder, 'runtime'),
    vars: { SINK: `http://127.0.0.1:${(sink.address() as AddressInfo).port}` },
    began: () => {},
    log: () => {},
  });
  runtimes.add(runtime);
  await runtime.answers();
  const [answer] = (await once(request({ socketPath: runtime.socket(), path: '/sold' }).end(), 'response')) as [IncomingMessage];
  await once(answer.resume(), 'end');
  await runtime.rests(10_000);
  await runtime.stop(0);
  sink.close();
  assert.deepEqual(booked, ['/booked']);
});

//
test('who has had no runtime for too long is told so, by a code of its own', async () => {
  const { runtime } = starts('lost', full, 500);
  await assert.rejects(runtime.lost, (error) => error instanceof Later && /has not run for \d+ seconds/.test(error.message));
});
