// Runs a built Worker in real workerd, as it will be deployed: one module, one wasm, one object class.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

import { drawToken } from '../demo/beginning.mjs';
import { freePort } from '../demo/server.mjs';
import { startWatched } from './children.mjs';
import './connections.mjs';
import { collectGarbage } from './inspector.mjs';
import { randomSecrets } from './local/secrets.mjs';
import { headerRules } from './pages.mjs';
import { onEnd } from './processes.mjs';
import { root } from './steps.mjs';

// Required: to import it takes twice as long, and each file of tests is a process.
const { Miniflare } = /** @type {typeof import('miniflare')} */ (createRequire(import.meta.url)('miniflare'));

/**
 * @typedef {object} WorkerOptions
 * @property {string} [build] folder of index.js and index_bg.wasm, relative to the repository
 * @property {Record<string, unknown>} [vars] variables, as text or as JSON values
 * @property {Record<string, string>} [secrets] merged over the variables; random ones are there already
 * @property {string} [persist] folder for the objects' storage; without it a restart forgets
 * @property {number} [port]
 * @property {Record<string, string>} [services] URLs of servers on this machine, bound as Workers are: they see the URL that is asked for
 * @property {string} [pages] folder of static files beside the Worker, as `[assets]` of wrangler.toml names them; bound as `PAGES`
 * @property {Record<string, string>} [kv] URLs of `startKv`, bound as KV namespaces
 * @property {(request: import('miniflare').Request) => import('miniflare').Response | Promise<import('miniflare').Response>} [outboundService] stands between
 *   the Worker and the network; an error thrown there is a 500 to the Worker, not a lost connection
 */

/**
 * @typedef {object} Kind what distinguishes the Workers of this repository
 * @property {string} name
 * @property {string} build where it is built, if the options name no other folder
 * @property {Record<string, string>} objects class of the objects by the name of their binding
 * @property {() => Record<string, string>} secrets fresh ones
 * @property {() => string} [front] source of a module in front of the built one
 */

/**
 * @typedef {Awaited<ReturnType<typeof startWorker>>} Gate
 */

/**
 * Starts the gate.
 *
 * @param {WorkerOptions} [options]
 */
export function startGate(options) {
  return startWorker(GATE, options);
}

/** Milliseconds from one request to the next one while garbage is collected. */
const ASKING_MS = 100;
/** Whether Workers that start from now on can be told to collect their garbage. */
let isInspected = false;

/** Lets [`collect`] of the Workers that start from now on do its work. */
export function inspectWorkers() {
  isInspected = true;
}

/**
 * Starts workerd and waits until it listens on 127.0.0.1.
 *
 * `restart()` ends workerd and starts it again at the same address on the same storage, with the build of another folder
 * if one is named; `kill()` ends it with SIGKILL first, as a lost machine would. `logs()` is all it has written, `follow` hears what it
 * writes from then on. `collect()` has it collect its garbage.
 *
 * @param {Kind} kind
 * @param {WorkerOptions} [options]
 */
export async function startWorker(
  { name, build: built, objects, secrets: fresh, front },
  { build = built, vars = {}, secrets = {}, persist, port, services = {}, kv = {}, pages, outboundService } = {},
) {
  let folder = resolve(root, build);
  const bindings = { ...fresh(), ...vars, ...secrets };
  let logs = '';
  /** @type {(text: string) => void} */
  let follow = () => {};

  /** @param {number} onPort */
  const start = async (onPort) => {
    const inspectorPort = isInspected ? await freePort() : undefined;
    const worker = {
      name,
      compatibilityDate: COMPATIBILITY_DATE,
      modules: [
        ...(front === undefined ? [] : [{ type: 'ESModule', path: 'front.js', contents: front() }]),
        { type: 'ESModule', path: 'index.js', contents: readFileSync(join(folder, 'index.js'), 'utf8') },
        { type: 'CompiledWasm', path: 'index_bg.wasm', contents: readFileSync(join(folder, 'index_bg.wasm')) },
      ],
      durableObjects: Object.fromEntries(Object.entries(objects).map(([binding, className]) => [binding, { className, useSQLite: true }])),
      bindings,
      serviceBindings: Object.fromEntries(Object.entries(services).map(([binding, at]) => [binding, external(at)])),
      wrappedBindings: Object.fromEntries(Object.keys(kv).map((binding) => [binding, storeName(binding)])),
      ...(outboundService === undefined ? {} : { outboundService }),
      ...(pages === undefined ? {} : { assets: staticFiles(resolve(root, pages)) }),
    };
    const mf = new Miniflare(
      /** @type {import('miniflare').MiniflareOptions} */ ({
        host: '127.0.0.1',
        port: onPort,
        ...(inspectorPort === undefined ? {} : { inspectorPort }),
        cf: false,
        ...(persist === undefined ? {} : { defaultPersistRoot: resolve(root, persist) }),
        workers: [
          worker,
          ...Object.entries(kv).map(([binding, at]) => ({
            name: storeName(binding),
            modules: [
              { type: 'ESModule', path: 'kv.js', contents: readFileSync(new URL('../demo/kv-binding.mjs', import.meta.url), 'utf8') },
            ],
            serviceBindings: { STORE: external(at) },
          })),
        ],
        handleRuntimeStdio: (/** @type {import('node:stream').Readable} */ out, /** @type {import('node:stream').Readable} */ err) => {
          for (const stream of [out, err])
            stream.on('data', (chunk) => {
              logs += chunk;
              follow(String(chunk));
            });
        },
      }),
    );
    try {
      return { mf, url: (await mf.ready).origin, inspectorPort };
    } catch (error) {
      // What has started by then would keep this process alive.
      await mf.dispose().catch(() => {});
      throw error;
    }
  };

  /** @param {number} onPort */
  const run = async (onPort) => {
    const { started, pids } = await startWatched(() => start(onPort));
    return { ...started, pid: pids[0] ?? -1 };
  };

  let running = await run(port ?? (await freePort()));
  const { url } = running;
  const stop = async () => {
    forget();
    await running.mf.dispose();
  };
  const forget = onEnd(stop);

  return {
    url,
    get mf() {
      return running.mf;
    },
    get pid() {
      return running.pid;
    },
    logs: () => logs,
    follow(/** @type {(text: string) => void} */ listener) {
      follow = listener;
    },
    stop,
    async restart(/** @type {string | undefined} */ other = undefined) {
      if (other !== undefined) folder = resolve(root, other);
      await running.mf.dispose();
      running = await run(Number(new URL(url).port));
    },
    async collect() {
      if (running.inspectorPort === undefined) throw new Error('the Worker was started without `inspectWorkers`');
      // An isolate that nothing is asked of answers no inspector.
      const asking = setInterval(() => void fetch(`${url}/health`).catch(() => {}), ASKING_MS);
      try {
        await collectGarbage(running.inspectorPort);
      } finally {
        clearInterval(asking);
      }
    },
    async kill() {
      if (running.pid > 0) process.kill(running.pid, 'SIGKILL');
    },
  };
}

/**
 * Static files in front of the Worker, under the headers that they name.
 *
 * @param {string} directory
 */
export const staticFiles = (directory) => ({
  directory,
  binding: 'PAGES',
  routerConfig: { has_user_worker: true },
  assetConfig: { headers: { version: 2, rules: headerRules(readFileSync(join(directory, '_headers'), 'utf8')) } },
});

/** @param {string} binding */
const storeName = (binding) => `kv-${binding.toLowerCase()}`;

/**
 * A server as a service binding: a request to one that is down fails, as it does on the platform, and answers are not compressed.
 *
 * @param {string} url
 */
const external = (url) => ({
  external: { address: new URL(url).host, http: { injectRequestHeaders: [{ name: 'accept-encoding', value: 'identity' }] } },
});

export { randomSecrets };

/** @type {Kind} */
export const GATE = {
  name: 'farebox',
  build: 'build',
  objects: { LEDGER: 'Ledger', CHANNEL: 'Channel' },
  secrets: () => randomSecrets(drawToken),
};

const COMPATIBILITY_DATE = '2026-04-01';
