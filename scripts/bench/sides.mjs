// The Workers that are compared: each in a workerd of its own, of one version, reached without a proxy in between.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import * as esbuild from 'esbuild';
import { Miniflare } from 'miniflare';

import { startWatched } from '../children.mjs';
import { randomSecrets } from '../miniflare.mjs';
import { onEnd } from '../processes.mjs';
import { root, StepFailed } from '../steps.mjs';
import { startAlone } from './alone.mjs';
import { Client } from './load.mjs';
import { ASSET, CHAIN_ID, mppxPayments, NETWORK, PAY_TO, termsOf, termsOfVersion1, x402Payments } from './payments.mjs';
import { Processor } from './processor.mjs';

/**
 * @typedef {object} Runner a Worker with its client and its process
 * @property {string} name
 * @property {Client} client
 * @property {Processor} processor
 * @property {string | undefined} inspector where its runtime can be profiled
 * @property {() => Promise<void>} stop
 */

/**
 * @typedef {Runner & Signing} Side
 * @typedef {object} Signing
 * @property {(path: string, count: number, kind?: 'genuine' | 'forged') => Promise<import('./load.mjs').Shot[]>} paid
 *   signs requests for a path
 */

/**
 * @typedef {object} GateChoice
 * @property {string} build folder of the built gate
 * @property {'memory' | 'disk'} ledger where its rows are kept
 * @property {boolean} [inspected] whether the runtime lets itself be profiled
 * @property {boolean} [alone] whether the runtime has nothing but the Worker
 */

/**
 * Starts a side; `front` is a module in front of the built gate, `vars` are variables that it has otherwise.
 *
 * @param {'farebox' | keyof typeof PEERS} name
 * @param {import('./backend.mjs').Backend} backend
 * @param {GateChoice} choice
 * @param {string} [front]
 * @param {Record<string, unknown>} [vars]
 * @returns {Promise<Side>}
 */
export async function startSide(name, { originUrl, facilitatorUrl }, { build, ledger, inspected, alone }, front, vars = {}) {
  const options =
    name === 'farebox'
      ? gateOptions(build, originUrl, facilitatorUrl, vars)
      : {
          modules: [{ type: 'ESModule', path: 'index.js', contents: await bundle(PEERS[name]) }],
          compatibilityFlags: ['nodejs_compat'],
          bindings: { ORIGIN_URL: originUrl, FACILITATOR_URL: facilitatorUrl, NETWORK, PAY_TO, ASSET, CHAIN_ID },
          ...(name === 'three calls' || name === 'two calls' ? { durableObjects: DURABLE_OBJECTS } : {}),
        };
  const runner = alone
    ? runnerOf(name, await startAlone({ compatibilityDate: COMPATIBILITY, ...options }, folderOf(ledger)))
    : await startRunner(name, options, ledger, front, inspected);
  return { ...runner, paid: payerOf(name, runner.client) };
}

/** Workers that answer payments. */
const PEERS = {
  '@x402/hono': 'scripts/bench/peers/hono.mjs',
  'x402-hono': 'scripts/bench/peers/x402-hono.mjs',
  mppx: 'scripts/bench/peers/mppx.mjs',
  'a plain proxy': 'scripts/bench/peers/proxy.mjs',
  'three calls': 'scripts/bench/peers/three-calls.mjs',
  'two calls': 'scripts/bench/peers/two-calls.mjs',
  'an empty Worker': 'scripts/bench/peers/empty.mjs',
};

/**
 * Starts an object class that is not the gate's, under the same name, behind a module that plays commands to it.
 *
 * @param {string} name
 * @param {string} peer its module
 * @param {GateChoice['ledger']} ledger
 * @param {string} front
 * @returns {Promise<Runner>}
 */
export async function startObjects(name, peer, ledger, front) {
  const modules = [{ type: 'ESModule', path: 'index.js', contents: await bundle(peer) }];
  return startRunner(name, { modules, durableObjects: DURABLE_OBJECTS }, ledger, front);
}

export const COMPATIBILITY = '2026-04-01';
const DURABLE_OBJECTS = { LEDGER: { className: 'Ledger', useSQLite: true } };

/**
 * Starts a Worker of the paying side. What it fetches is answered by a merchant in the same runtime.
 *
 * @param {string} name
 * @param {{peer: string, bindings?: Record<string, unknown>} | {build: string, bindings: Record<string, unknown>}} worker a module to bundle, or the built treasury
 * @param {GateChoice['ledger']} ledger
 * @param {Record<string, unknown>} merchantBindings what the merchant says
 * @param {string} [front]
 * @param {boolean} [inspected]
 * @returns {Promise<Runner>}
 */
export async function startPaying(name, worker, ledger, merchantBindings, front, inspected) {
  const merchant = {
    name: 'merchant',
    compatibilityDate: COMPATIBILITY,
    modules: [{ type: 'ESModule', path: 'index.js', contents: await bundle('scripts/bench/peers/merchant.mjs') }],
    bindings: merchantBindings,
  };
  const own =
    'peer' in worker
      ? {
          modules: [{ type: 'ESModule', path: 'index.js', contents: await bundle(worker.peer) }],
          compatibilityFlags: ['nodejs_compat'],
          bindings: worker.bindings ?? {},
        }
      : {
          modules: builtModules(resolve(root, worker.build, 'treasury')),
          durableObjects: { TREASURY: { className: 'Treasury', useSQLite: true } },
          bindings: worker.bindings,
        };
  return startRunner(name, { ...own, outboundService: merchant.name }, ledger, front, inspected, [merchant]);
}

/**
 * @param {string} name
 * @param {{modules: object[], [option: string]: unknown}} options
 * @param {GateChoice['ledger']} ledger
 * @param {string} [front]
 * @param {boolean} [inspected]
 * @param {object[]} [beside] Workers in the same runtime
 * @returns {Promise<Runner>}
 */
async function startRunner(name, { modules, ...options }, ledger, front, inspected = false, beside = []) {
  const all =
    front === undefined
      ? modules
      : [{ type: 'ESModule', path: 'front.js', contents: await bundle(front, ['./index.js']) }, ...modules.map(measurable)];
  return runnerOf(name, await startWorkerd({ modules: all, ...options }, ledger, inspected, beside));
}

/**
 * @param {string} name
 * @param {Awaited<ReturnType<typeof startWorkerd>>} started
 * @returns {Runner}
 */
function runnerOf(name, { url, pid, inspector, end }) {
  const client = new Client(name, url);
  const stop = async () => {
    client.close();
    await end();
  };
  return { name, client, processor: new Processor(pid), inspector, stop };
}

/**
 * The built script behind a front also says how much memory its compiled part has.
 *
 * @param {any} module
 */
function measurable(module) {
  const [, compiled] = COMPILED.exec(module.contents) ?? [];
  if (module.path !== 'index.js' || compiled === undefined) return module;
  return { ...module, contents: `${module.contents}\nexport const benchMemoryBytes = () => ${compiled}.memory.buffer.byteLength;\n` };
}

/** The exports of the compiled part, whatever the build has called them. */
const COMPILED = /([\w$]+)\.memory\.buffer/;

/**
 * @param {string} folder
 * @param {string} originUrl
 * @param {string} facilitatorUrl
 * @param {Record<string, unknown>} vars
 */
export function gateOptions(folder, originUrl, facilitatorUrl, vars) {
  const route = (/** @type {string} */ path, /** @type {object} */ more = {}) => ({ path, methods: ['GET'], price: '$0.01', ...more });
  const modules = builtModules(resolve(root, folder));
  // A build from before sessions has no such class.
  const hasChannels = modules.some(({ contents }) => typeof contents === 'string' && /\bChannel\b[^{}]*\};\s*$/.test(contents));
  return {
    modules,
    durableObjects: hasChannels ? { ...DURABLE_OBJECTS, CHANNEL: { className: 'Channel', useSQLite: true } } : DURABLE_OBJECTS,
    bindings: {
      ...randomSecrets(),
      NETWORK,
      PAY_TO,
      ORIGIN_URL: originUrl,
      FACILITATOR_URL: facilitatorUrl,
      ROUTES: [
        route('/after', { description: 'Paid after the answer' }),
        route('/silent', { description: 'Paid after the answer', diagnostics: false }),
        route('/before', { settle: 'before', description: 'Paid before the answer' }),
        ...(hasChannels ? [route('/session', { session_delay_secs: 86_400 })] : []),
        route('/big', { mime_type: 'application/octet-stream', description: 'Five megabytes' }),
      ],
      ...vars,
    },
  };
}

/**
 * @param {string} at folder of a built Worker
 */
function builtModules(at) {
  if (!existsSync(join(at, 'index.js'))) throw new StepFailed(`there is no built Worker in ${at}: build it first`);
  return [
    { type: 'ESModule', path: 'index.js', contents: readFileSync(join(at, 'index.js'), 'utf8') },
    { type: 'CompiledWasm', path: 'index_bg.wasm', contents: readFileSync(join(at, 'index_bg.wasm')) },
  ];
}

/**
 * @param {string} entry
 * @param {string[]} [beside] modules that stand beside it
 * @returns {Promise<string>}
 */
async function bundle(entry, beside = []) {
  const known = bundled.get(entry);
  if (known !== undefined) return known;
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
    external: ['node:*', 'cloudflare:*', '@x402/paywall', '@modelcontextprotocol/sdk/*', ...beside],
    // The runtime has Node's modules under their full names only.
    alias: Object.fromEntries(NODE_MODULES.map((name) => [name, `node:${name}`])),
    legalComments: 'none',
    logLevel: 'error',
  });
  const text = outputFiles[0]?.text;
  if (text === undefined) throw new Error(`${entry} gave no bundle`);
  bundled.set(entry, text);
  return text;
}

/**
 * Bundles by entry: a side may be started many times.
 *
 * @type {Map<string, string>}
 */
const bundled = new Map();

const NODE_MODULES = [
  'async_hooks',
  'buffer',
  'crypto',
  'events',
  'http',
  'https',
  'net',
  'os',
  'path',
  'stream',
  'tls',
  'url',
  'util',
  'zlib',
];

/** Where the rows are in memory: a file system of the kernel's that has no disk. */
const MEMORY = '/dev/shm';

/**
 * @param {object} options of the one Worker
 * @param {GateChoice['ledger']} ledger
 * @param {boolean} inspected
 * @param {object[]} beside Workers in the same runtime
 * @returns {Promise<{url: string, pid: number, inspector: string | undefined, end: () => Promise<void>}>}
 */
async function startWorkerd(options, ledger, inspected, beside) {
  const rows = mkdtempSync(join(folderOf(ledger), 'farebox-bench-'));
  const name = `bench-${randomBytes(4).toString('hex')}`;
  const starts = startWatched(async () => {
    const miniflare = new Miniflare(
      /** @type {any} */ ({
        cf: false,
        host: '127.0.0.1',
        port: 0,
        handleRuntimeStdio: drain,
        defaultPersistRoot: rows,
        ...(inspected ? { inspectorPort: 0 } : {}),
        workers: [{ name, compatibilityDate: COMPATIBILITY, ...options, unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }] }, ...beside],
      }),
    );
    await miniflare.ready;
    return miniflare;
  });
  let ended = false;
  const end = async () => {
    if (ended) return;
    ended = true;
    const { started } = await starts;
    await started.dispose();
    rmSync(rows, { recursive: true, force: true });
  };
  onEnd(end);
  const { started: miniflare, pids } = await starts;
  const [pid] = pids;
  if (pid === undefined) throw new Error('workerd cannot be found among the children: is `pgrep` there?');
  const inspector = inspected ? `ws://${(await miniflare.getInspectorURL()).host}/core:user:${name}` : undefined;
  return { url: (await miniflare.unsafeGetDirectURL(name)).origin, pid, inspector, end };
}

/**
 * Where rows are kept.
 *
 * @param {GateChoice['ledger']} ledger
 */
function folderOf(ledger) {
  if (ledger === 'disk') return tmpdir();
  if (!existsSync(MEMORY)) throw new StepFailed(`there is no ${MEMORY}: use --ledger disk`);
  return MEMORY;
}

/**
 * Reads what the Workers write, and keeps it for nobody.
 *
 * @param {import('node:stream').Readable[]} streams
 */
function drain(...streams) {
  for (const stream of streams) stream.resume();
}

/**
 * @param {string} name
 * @param {Client} client
 * @returns {Side['paid']}
 */
function payerOf(name, client) {
  return async (path, count, kind = 'genuine') => {
    const asked = await client.all(
      Array.from({ length: name === 'mppx' ? count : 1 }, () => ({ path, headers: {} })),
      8,
    );
    const first = asked[0];
    if (name === 'x402-hono') {
      const payments = await x402Payments(termsOfVersion1(first?.text ?? ''), count, kind, 1);
      return payments.map((headers) => ({ path, headers }));
    }
    const payments =
      name === 'mppx'
        ? await mppxPayments(asked.map(({ headers }) => String(headers['www-authenticate'])))
        : await x402Payments(termsOf(first?.headers['payment-required']), count, kind);
    return payments.map((headers) => ({ path, headers }));
  };
}
