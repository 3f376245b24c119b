// `npm run bench:serve`: `farebox serve` on this machine, beside a Worker in a bare workerd that passes requests on, and `@x402/express` in Node.
//
//   --rounds N    rounds [12]
//   --json        the lines as JSON
//   --write       puts them into docs/serve.md: on a machine that does nothing else
//
// All three stand in front of one origin, and ask one facilitator that answers at once. Each round measures all sides, and the one that goes first
// changes. A ratio is the median of the quotients of the rounds, ours by theirs, with their range. `serve` keeps its rows on the disk.
// Memory is what its processes have resident after the load.

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { arch, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { endAll, onEnd } from '../processes.mjs';
import { elapsed, root, runMain, StepFailed, step } from '../steps.mjs';
import { startBackend } from './backend.mjs';
import { Client, networkOf } from './load.mjs';
import { FORGER, NETWORK, PAY_TO, termsOf, x402Payments } from './payments.mjs';
import { Processor } from './processor.mjs';
import { median, playRounds, quotients } from './rounds.mjs';
import { PAGE, servedTable, withTable } from './served.mjs';
import { startSide } from './sides.mjs';

/**
 * @typedef {object} Server
 * @property {string} name
 * @property {Client} client
 * @property {() => number} residentBytes
 */

/** Requests of a round, and how many at once. */
const SHOTS = 300;
const AT_ONCE = 16;
const START_MS = 30_000;

/**
 * Starts a program that says where it listens.
 *
 * @param {string} name
 * @param {string[]} words of Node
 * @param {RegExp} says
 * @returns {Promise<{client: Client, pid: number}>}
 */
async function start(name, words, says) {
  const child = spawn(process.execPath, words, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  onEnd(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  let wrote = '';
  const url = await Promise.race([
    new Promise((resolve) => {
      for (const stream of [child.stdout, child.stderr])
        createInterface({ input: stream }).on('line', (line) => {
          wrote += `${line}\n`;
          const [, found] = says.exec(line) ?? [];
          if (found !== undefined) resolve(found);
        });
    }),
    ended,
    new Promise((resolve) => setTimeout(resolve, START_MS).unref()),
  ]);
  if (typeof url !== 'string' || child.pid === undefined) throw new StepFailed(`${name} does not start:\n${wrote}`);
  return { client: new Client(name, url), pid: child.pid };
}

/**
 * @param {import('./backend.mjs').Backend} backend
 * @returns {Promise<[ours: Server, bare: Server, express: Server]>}
 */
async function startAll(backend) {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-bench-serve-'));
  onEnd(async () => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'gate.json');
  const settings = { ORIGIN_URL: backend.originUrl, PAY_TO, NETWORK, DEFAULT: 'free', ROUTES: [{ path: '/after', price: '$0.01' }] };
  writeFileSync(config, JSON.stringify({ ...settings, FACILITATOR_URL: backend.facilitatorUrl }));
  const state = join(folder, 'state');
  const words = ['serve', '--config', config, '--state', state, '--port', '0', '--trust-proxy'];
  const ours = await start('farebox serve', [join(root, 'pkg/dist/cli/main.js'), ...words], /(http:\/\/127\.0\.0\.1:\d+) asks for payment/);
  const express = await start(
    '@x402/express',
    [join(root, 'scripts/bench/peers/express.mjs'), backend.originUrl, backend.facilitatorUrl, NETWORK, PAY_TO],
    /^(http:\S+)$/,
  );
  const bare = await startSide('a plain proxy', backend, { build: '', ledger: 'disk', alone: true });
  onEnd(() => bare.stop());
  const mark = readdirSync(state).find((name) => name.startsWith('served-by-')) ?? '';
  const { pid } = JSON.parse(readFileSync(join(state, mark), 'utf8'));
  const memoryOf = (/** @type {number[]} */ ...pids) => pids.reduce((sum, each) => sum + new Processor(each).residentBytes(), 0);
  return [
    { name: 'farebox serve', client: ours.client, residentBytes: () => memoryOf(ours.pid, pid) },
    { name: 'workerd', client: bare.client, residentBytes: () => bare.processor.residentBytes() },
    { name: '@x402/express', client: express.client, residentBytes: () => memoryOf(express.pid) },
  ];
}

/**
 * Requests for a path, each from a network of its own; with payments if they are to be served.
 *
 * @param {Server} side
 * @param {'free' | 'asked' | 'paid'} kind
 * @returns {Promise<import('./load.mjs').Shot[]>}
 */
async function shotsOf({ client }, kind) {
  const from = () => ({ 'x-forwarded-for': networkOf(Math.floor(Math.random() * 131_072)) });
  const path = kind === 'free' ? '/free' : '/after';
  if (kind !== 'paid') return Array.from({ length: SHOTS }, () => ({ path, headers: from() }));
  const { headers } = await client.send({ path, headers: from() });
  const payments = await x402Payments(termsOf(headers['payment-required']), SHOTS, 'genuine');
  return payments.map((payment) => ({ path, headers: { ...payment, ...from() } }));
}

/**
 * @param {Server} side
 * @param {'free' | 'asked' | 'paid'} kind
 * @returns {Promise<number>} requests a second
 */
async function perSecond(side, kind) {
  const shots = await shotsOf(side, kind);
  const status = kind === 'asked' ? 402 : 200;
  const began = performance.now();
  const answers = await side.client.all(shots, AT_ONCE);
  const seconds = (performance.now() - began) / 1000;
  const other = answers.find((answer) => answer.status !== status);
  if (other !== undefined) throw new StepFailed(`${side.name}: ${other.status} and not ${status}: ${other.text}`);
  return shots.length / seconds;
}

await runMain(async () => {
  const flag = /** @type {const} */ ({ type: 'boolean', default: false });
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '12' }, json: flag, write: flag } });
  try {
    const backend = await startBackend({ forger: FORGER, network: NETWORK });
    const [ours, bare, express] = await step('farebox serve, workerd and @x402/express', () => startAll(backend));
    /** @type {import('./served.mjs').Line[]} */
    const lines = [];
    for (const [kind, peers] of /** @type {const} */ ([
      ['free', [bare, express]],
      ['asked', [express]],
      ['paid', [express]],
    ])) {
      const sides = [ours, ...peers];
      for (const side of sides) await perSecond(side, kind);
      const [mine = [], ...others] = await playRounds(sides, Number(values.rounds), (side) => perSecond(side, kind));
      for (const [at, peer] of peers.entries()) {
        const theirs = others[at] ?? [];
        lines.push({
          what: kind,
          unit: 'requests/s',
          ours: median(mine),
          peer: peer.name,
          theirs: median(theirs),
          ratio: quotients(mine, theirs),
        });
      }
    }
    const memory = (/** @type {Server} */ side) => side.residentBytes() / 1_000_000;
    for (const peer of [bare, express])
      lines.push({ what: 'memory', unit: 'MB', ours: memory(ours), peer: peer.name, theirs: memory(peer) });
    if (values.json) console.log(lines.map((line) => JSON.stringify(line)).join('\n'));
    else print(lines);
    if (values.write) {
      const page = join(root, PAGE);
      writeFileSync(page, withTable(readFileSync(page, 'utf8'), servedTable(lines, machine())));
    }
    await backend.stop();
  } finally {
    await endAll();
  }
});

function machine() {
  return `${cpus().length} × ${cpus()[0]?.model.trim()} (${arch()}), Node ${process.version}`;
}

/** @param {import('./served.mjs').Line[]} lines */
function print(lines) {
  console.log(`${machine()}, ${elapsed()}`);
  for (const { what, unit, ours, peer, theirs, ratio } of lines) {
    const quotient = ratio === undefined ? '' : `  ${ratio.median.toFixed(2)}× (${ratio.least.toFixed(2)}–${ratio.greatest.toFixed(2)})`;
    console.log(
      `${what.padEnd(8)} ${unit.padEnd(11)} serve ${ours.toFixed(0).padStart(6)}  ${peer.padEnd(14)} ${theirs.toFixed(0).padStart(6)}${quotient}`,
    );
  }
}
