// workerd with one Worker and nothing else. Miniflare puts Workers of its own into the same process, after that of a bench, and
// for each of them workerd throws away what it has compiled of all WebAssembly: a first request would compile it again.

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { onEnd } from '../processes.mjs';
import { StepFailed } from '../steps.mjs';

/**
 * @typedef {object} Lone a Worker, in the words of miniflare
 * @property {{type: string, path: string, contents: string | Uint8Array}[]} modules
 * @property {Record<string, unknown>} [bindings]
 * @property {Record<string, {className: string, useSQLite: boolean}>} [durableObjects]
 * @property {string[]} [compatibilityFlags]
 * @property {string} compatibilityDate
 */

/** Bytes of a configuration with its modules. */
const MAX_CONFIG_BYTES = 64 * 1024 * 1024;
/** Milliseconds until workerd listens. */
const LISTENING_MS = 20_000;
/** The descriptor on which it says where. */
const CONTROL = 3;

/**
 * Starts it.
 *
 * @param {Lone} worker
 * @param {string} under folder in which it keeps its rows
 * @returns {Promise<{url: string, pid: number, inspector: undefined, end: () => Promise<void>}>}
 */
export async function startAlone(worker, under) {
  const at = mkdtempSync(join(under, 'farebox-alone-'));
  for (const folder of ['modules', 'rows']) mkdirSync(join(at, folder));
  for (const { path, contents } of worker.modules) writeFileSync(join(at, 'modules', path), contents);
  writeFileSync(join(at, 'config.capnp'), configOf(worker, join(at, 'rows')));
  // As workerd deploys it: the runtime that starts reads no text.
  const config = execFileSync(workerd(), ['compile', '--config-only', join(at, 'config.capnp')], { maxBuffer: MAX_CONFIG_BYTES });
  writeFileSync(join(at, 'config.bin'), config);
  const child = spawn(workerd(), ['serve', '--binary', join(at, 'config.bin'), `--control-fd=${CONTROL}`], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const ended = new Promise((resolve) => {
    child.once('exit', resolve);
  });
  const end = async () => {
    forget();
    child.kill('SIGKILL');
    await ended;
    rmSync(at, { recursive: true, force: true });
  };
  const forget = onEnd(end);
  const port = await Promise.race([
    portOf(/** @type {import('node:stream').Readable} */ (child.stdio[CONTROL])),
    ended,
    later(LISTENING_MS),
  ]);
  if (typeof port !== 'number' || child.pid === undefined) {
    await end();
    throw new StepFailed('workerd does not listen');
  }
  return { url: `http://127.0.0.1:${port}`, pid: child.pid, inspector: undefined, end };
}

/**
 * @param {import('node:stream').Readable} control
 * @returns {Promise<number>}
 */
async function portOf(control) {
  for await (const line of createInterface(control)) {
    const { event, port } = JSON.parse(line);
    if (event === 'listen') return port;
  }
  return Number.NaN;
}

/**
 * @param {number} milliseconds
 */
function later(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}

/** The program that miniflare starts. */
function workerd() {
  const from = createRequire(createRequire(import.meta.url).resolve('miniflare'));
  return from('workerd').default;
}

/**
 * A configuration of workerd. Spec: workerd.capnp.
 *
 * @param {Lone} worker
 * @param {string} rows folder of the rows
 */
function configOf({ modules, bindings = {}, durableObjects = {}, compatibilityFlags = [], compatibilityDate }, rows) {
  const code = modules.map(
    ({ type, path }) => `(name = "${path}", ${type === 'CompiledWasm' ? 'wasm' : 'esModule'} = embed "modules/${path}")`,
  );
  const vars = Object.entries(bindings).map(([name, value]) => `(name = "${name}", json = ${JSON.stringify(JSON.stringify(value))})`);
  const objects = Object.entries(durableObjects);
  const bound = objects.map(([name, { className }]) => `(name = "${name}", durableObjectNamespace = "${className}")`);
  const namespaces = objects.map(([, { className }]) => `(className = "${className}", uniqueKey = "${className}", enableSql = true)`);
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"])),
    (name = "rows", disk = (path = "${rows}", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
);

const worker :Workerd.Worker = (
  modules = [${code.join(', ')}],
  compatibilityDate = "${compatibilityDate}",
  compatibilityFlags = [${compatibilityFlags.map((flag) => `"${flag}"`).join(', ')}],
  bindings = [${[...vars, ...bound].join(', ')}],
  durableObjectNamespaces = [${namespaces.join(', ')}],
  durableObjectStorage = (localDisk = "rows"),
);
`;
}
