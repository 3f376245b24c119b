// The Workers that are compared: each in a workerd of its own, of one version, reached without a proxy in between.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import * as esbuild from 'esbuild';
import { Miniflare } from 'miniflare';

import { randomSecrets } from '../scripts/miniflare.mjs';
import { onEnd } from '../scripts/processes.mjs';
import { root, StepFailed } from '../scripts/steps.mjs';
import { Client } from './load.mjs';
import { ASSET, CHAIN_ID, mppxPayments, NETWORK, PAY_TO, termsOf, x402Payments } from './payments.mjs';
import { Processor } from './processor.mjs';

/**
 * @typedef {object} Side
 * @property {'farebox' | '@x402/hono' | 'mppx'} name
 * @property {Client} client
 * @property {Processor} processor
 * @property {(path: string, count: number, kind?: 'genuine' | 'forged') => Promise<import('./load.mjs').Shot[]>} paid
 *   signs requests for a path
 */

/**
 * @typedef {object} GateChoice
 * @property {string} build folder of the built gate
 * @property {'memory' | 'disk'} ledger where its rows are kept
 */

/**
 * Starts a side.
 *
 * @param {Side['name']} name
 * @param {import('./backend.mjs').Backend} backend
 * @param {GateChoice} choice
 * @returns {Promise<Side>}
 */
export async function startSide(name, { originUrl, facilitatorUrl }, { build, ledger }) {
  const options = name === 'farebox'
    ? gateOptions(build, originUrl, facilitatorUrl)
    : {
        modules: [{ type: 'ESModule', path: 'index.js', contents: await bundle(PEERS[name]) }],
        compatibilityFlags: ['nodejs_compat'],
        bindings: { ORIGIN_URL: originUrl, FACILITATOR_URL: facilitatorUrl, NETWORK, PAY_TO, ASSET, CHAIN_ID },
      };
  const { url, pid } = await startWorkerd(options, ledger);
  const client = new Client(url);
  return { name, client, processor: new Processor(pid), paid: payerOf(name, client) };
}

/** @type {Record<'@x402/hono' | 'mppx', string>} */
const PEERS = { '@x402/hono': 'bench/peers/hono.mjs', mppx: 'bench/peers/mppx.mjs' };

/**
 * @param {string} folder
 * @param {string} originUrl
 * @param {string} facilitatorUrl
 */
function gateOptions(folder, originUrl, facilitatorUrl) {
  const at = resolve(root, folder);
  if (!existsSync(join(at, 'index.js'))) throw new StepFailed(`there is no built Worker in ${at}: run \`npm run build\` first`);
  const route = (/** @type {string} */ path, /** @type {object} */ more = {}) => ({ path, methods: ['GET'], price: '$0.01', ...more });
  return {
    modules: [
      { type: 'ESModule', path: 'index.js', contents: readFileSync(join(at, 'index.js'), 'utf8') },
      { type: 'CompiledWasm', path: 'index_bg.wasm', contents: readFileSync(join(at, 'index_bg.wasm')) },
    ],
    durableObjects: { LEDGER: { className: 'Ledger', useSQLite: true } },
    bindings: {
      ...randomSecrets(),
      NETWORK,
      PAY_TO,
      ORIGIN_URL: originUrl,
      FACILITATOR_URL: facilitatorUrl,
      ROUTES: [
        route('/after', { description: 'Paid after the answer' }),
        route('/before', { settle: 'before', description: 'Paid before the answer' }),
        route('/big', { mime_type: 'application/octet-stream', description: 'Five megabytes' }),
      ],
    },
  };
}

/**
 * @param {string} entry
 * @returns {Promise<string>}
 */
async function bundle(entry) {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker', 'browser'],
    // The latter two are loaded on occasions that do not arise here.
    external: ['node:*', 'cloudflare:*', '@x402/paywall', '@modelcontextprotocol/sdk/*'],
    // The runtime has Node's modules under their full names only.
    alias: Object.fromEntries(NODE_MODULES.map((name) => [name, `node:${name}`])),
    legalComments: 'none',
    logLevel: 'error',
  });
  const text = outputFiles[0]?.text;
  if (text === undefined) throw new Error(`${entry} gave no bundle`);
  return text;
}

const NODE_MODULES = ['async_hooks', 'buffer', 'crypto', 'events', 'http', 'https', 'net', 'os', 'path', 'stream', 'tls', 'url', 'util', 'zlib'];

/** Where the rows are in memory: a file system of the kernel's that has no disk. */
const MEMORY = '/dev/shm';

/**
 * @param {object} options of the one Worker
 * @param {GateChoice['ledger']} ledger
 * @returns {Promise<{url: string, pid: number}>}
 */
async function startWorkerd(options, ledger) {
  if (ledger === 'memory' && !existsSync(MEMORY)) throw new StepFailed(`there is no ${MEMORY}: use --ledger disk`);
  const rows = mkdtempSync(join(ledger === 'memory' ? MEMORY : tmpdir(), 'farebox-bench-'));
  const before = workerdPids();
  const name = `bench-${randomBytes(4).toString('hex')}`;
  const miniflare = new Miniflare(/** @type {any} */ ({
    cf: false,
    host: '127.0.0.1',
    port: 0,
    handleRuntimeStdio: drain,
    defaultPersistRoot: rows,
    workers: [{ name, compatibilityDate: '2026-04-01', ...options, unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }] }],
  }));
  onEnd(async () => {
    await miniflare.dispose();
    rmSync(rows, { recursive: true, force: true });
  });
  await miniflare.ready;
  const pid = workerdPids().find((candidate) => !before.includes(candidate));
  if (pid === undefined) throw new Error('workerd cannot be found among the children: is `pgrep` there?');
  return { url: (await miniflare.unsafeGetDirectURL(name)).origin, pid };
}

/**
 * Reads what the Workers write, and keeps it for nobody.
 *
 * @param {import('node:stream').Readable[]} streams
 */
function drain(...streams) {
  for (const stream of streams) stream.resume();
}

/** @returns {number[]} */
function workerdPids() {
  try {
    return execFileSync('pgrep', ['-P', String(process.pid), 'workerd'], { encoding: 'utf8' }).trim().split('\n').map(Number);
  } catch {
    return [];
  }
}

/**
 * @param {Side['name']} name
 * @param {Client} client
 * @returns {Side['paid']}
 */
function payerOf(name, client) {
  return async (path, count, kind = 'genuine') => {
    const asked = await client.all(Array.from({ length: name === 'mppx' ? count : 1 }, () => ({ path, headers: {} })), 8);
    const payments = name === 'mppx'
      ? await mppxPayments(asked.map(({ headers }) => String(headers['www-authenticate'])))
      : await x402Payments(termsOf(asked[0]?.headers['payment-required']), count, kind);
    return payments.map((headers) => ({ path, headers }));
  };
}
