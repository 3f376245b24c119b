// `npm run profile -- 402|repeated|paid|before|forged|free|session|decision|denied`: where the processor time of a request goes, µs by part, in workerd.
//
//   --requests N   requests that are profiled [3000; 600 paid ones]
//   --top N        functions that are listed [25]
//   --build dir    folder of a gate whose wasm has names; without it one is built in build/profile
//   --json         parts and functions as JSON
//
// The parts are self time by function, as V8 samples it; "runtime" is what has no function of its own: sockets, the event
// loop, SQLite, garbage. A profiled process is slower than others, so shares count, and the sum is also given as measured
// by the scheduler.

import { parseArgs } from 'node:util';

import { buildWorker } from '../build.mjs';
import { endAll } from '../processes.mjs';
import { runMain, StepFailed, step } from '../steps.mjs';
import { startBackend } from './backend.mjs';
import { networkOf } from './load.mjs';
import { FORGER, NETWORK } from './payments.mjs';
import { measure } from './rounds.mjs';
import { openChannel } from './sessions.mjs';
import { startSide } from './sides.mjs';
import { decision, startTreasury } from './treasury.mjs';

/** @typedef {import('./sides.mjs').Side} Side */
/** @typedef {import('./sides.mjs').Runner} Runner */
/** @typedef {import('./load.mjs').Shot} Shot */

/**
 * What is asked, by name.
 *
 * @type {Record<string, { requests: number, atOnce?: number, shots: (side: Side, count: number) => Shot[] | Promise<Shot[]> }>}
 */
const KINDS = {
  402: { requests: 3000, shots: (_, count) => asking('/after', count, count) },
  repeated: { requests: 3000, shots: (_, count) => asking('/after', count, 64) },
  free: { requests: 3000, shots: (_, count) => asking('/free', count, count) },
  paid: { requests: 600, shots: (side, count) => side.paid('/after', count) },
  forged: { requests: 600, shots: (side, count) => side.paid('/after', count, 'forged') },
  before: { requests: 600, shots: (side, count) => side.paid('/before', count) },
  // A channel pays for one request after the other.
  session: { requests: 1000, atOnce: 1, shots: async (side, count) => (channel ??= await openChannel(side)).shots(count) },
};

/** @type {Awaited<ReturnType<typeof openChannel>> | undefined} */
let channel;

/**
 * Decisions of the treasury, by name: what is asked for.
 *
 * @type {Record<string, { requests: number, amount: string }>}
 */
const DECISIONS = { decision: { requests: 600, amount: '10000' }, denied: { requests: 2000, amount: '2000000' } };

/**
 * Requests without a payment, from so many networks in turn.
 *
 * @param {string} path
 * @param {number} count
 * @param {number} networks
 */
function asking(path, count, networks) {
  return Array.from({ length: count }, (_, index) => ({ path, headers: { 'cf-connecting-ip': networkOf(index % networks) } }));
}

/**
 * Parts, by what stands in a function's name or URL; the first that fits counts.
 *
 * @type {[part: string, test: RegExp][]}
 */
const PARTS = [
  ['garbage', /^\(garbage collector\)$/],
  ['runtime', /^\((program|root)\)$/],
  ['secp256k1', /k256|secp256k1|elliptic_curve|crypto_bigint|primefield|primeorder|ecdsa/],
  ['hashes', /sha2|sha3|keccak|hmac|digest/],
  ['base64', /base64/],
  ['allocation', /dlmalloc|alloc::alloc|__rust_(re|de)?alloc|__rdl_|raw_vec|memcpy|memmove|memset|_malloc|_free|_realloc/],
  ['JSON', /serde/],
  ['formatting', /core::fmt|alloc::fmt|core::num/],
  ['MPP', /farebox_core::(gate::)?mpp/],
  ['x402', /farebox_core::x402/],
  ['paths and routes', /farebox_core::gate::(path|route)/],
  ['terms', /farebox_core::gate::(challenge|offer|reply|diagnose|template|judge)/],
  ['clients', /farebox_core::(gate::attempts|ledger::attempts|sorted)|alloc::collections/],
  ['ledger rules', /farebox_core::ledger/],
  ['rules of the treasury', /farebox_core::(treasury|client)/],
  ['objects and SQL', /farebox::(worker|treasury)::objects|farebox::platform::sql|worker::(durable|sql)/],
  ['channels', /farebox_core::(channel|gate::session)/],
  ['payments', /farebox_core/],
  ['drive', /farebox::(worker|treasury|platform)/],
  ['futures', /wasm_bindgen_futures|futures|js_sys::futures/],
  ['border', /wasm_bindgen|js_sys|getStringFromWasm|passStringToWasm|__wb|__wbg|Heap|heap|decodeText|TextEncoder/],
  ['other compiled code', /::|wasm-function/],
  ['scripts', /./],
];

/**
 * @typedef {object} Profile
 * @property {{ id: number, callFrame: { functionName: string, url: string }, hitCount: number }[]} nodes
 */

/**
 * A connection to the runtime's inspector.
 *
 * @param {string} url
 */
async function inspect(url) {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new StepFailed(`the inspector at ${url} does not answer`));
  });
  let last = 0;
  /** @type {Map<number, (result: any) => void>} */
  const waiting = new Map();
  socket.onmessage = ({ data }) => {
    const { id, result } = JSON.parse(String(data));
    waiting.get(id)?.(result);
  };
  return {
    /** @type {(method: string, params?: object) => Promise<any>} */
    call: (method, params = {}) =>
      new Promise((resolve) => {
        last += 1;
        waiting.set(last, resolve);
        socket.send(JSON.stringify({ id: last, method, params }));
      }),
    close: () => socket.close(),
  };
}

const AT_ONCE = 8;
const SAMPLE_US = 100;

await runMain(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      requests: { type: 'string' },
      top: { type: 'string', default: '25' },
      build: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const name = positionals[0] ?? '';
  const [kind, asked] = [KINDS[name], DECISIONS[name]];
  const about = kind ?? asked;
  if (about === undefined) throw new StepFailed(`profile takes one of ${[...Object.keys(KINDS), ...Object.keys(DECISIONS)].join(', ')}`);
  if (values.json) console.log = console.error;
  const count = Number(values.requests ?? about.requests);
  const folder = values.build ?? 'build/profile';
  if (values.build === undefined)
    await buildWorker(asked === undefined ? { out: folder, named: true } : { worker: 'treasury', out: `${folder}/treasury`, named: true });

  const backend = await startBackend({ forger: FORGER, network: NETWORK });
  /** @type {import('./sides.mjs').GateChoice} */
  const choice = { build: folder, ledger: 'memory', inspected: true };
  /** @type {() => Promise<{runner: Runner, shots: (count: number) => Shot[] | Promise<Shot[]>}>} */
  const start = async () => {
    if (asked !== undefined) {
      const { runner, headers } = await startTreasury(choice);
      return { runner, shots: (count) => Array.from({ length: count }, () => decision(headers, asked)) };
    }
    const gate = await startSide('farebox', backend, choice);
    return { runner: gate, shots: (count) => kind?.shots(gate, count) ?? [] };
  };
  const { runner, shots: make } = await start();
  await step('warming up', async () => measure(runner, await make(Math.ceil(count / 2)), kind?.atOnce ?? AT_ONCE));
  const shots = await make(count);
  const inspector = await inspect(String(runner.inspector));
  await inspector.call('Profiler.enable');
  await inspector.call('Profiler.setSamplingInterval', { interval: SAMPLE_US });
  await inspector.call('Profiler.start');
  const { cpuUs } = await step('profile', () => measure(runner, shots, kind?.atOnce ?? AT_ONCE));
  /** @type {{profile: Profile}} */
  const { profile } = await inspector.call('Profiler.stop');
  inspector.close();
  runner.client.close();
  await backend.stop();
  await endAll();

  const counted = profile.nodes.filter(({ callFrame }) => callFrame.functionName !== '(idle)');
  const sum = counted.reduce((all, { hitCount }) => all + hitCount, 0);
  /** @type {(keyOf: (name: string) => string) => [string, number][]} */
  const byKey = (keyOf) => {
    /** @type {Map<string, number>} */
    const hits = new Map();
    for (const { callFrame, hitCount } of counted) {
      const key = keyOf(callFrame.functionName === '' ? '(anonymous)' : callFrame.functionName);
      hits.set(key, (hits.get(key) ?? 0) + hitCount);
    }
    return [...hits].map(([key, all]) => /** @type {[string, number]} */ ([key, (all / sum) * cpuUs])).sort((a, b) => b[1] - a[1]);
  };
  const parts = byKey((name) => PARTS.find(([, test]) => test.test(name))?.[0] ?? name);
  const functions = byKey((name) => name).slice(0, Number(values.top));
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ kind: positionals[0], requests: count, cpuUs, parts, functions }, null, 2)}\n`);
    return;
  }
  const rows = (/** @type {[string, number][]} */ all) =>
    all.map(([name, us]) => `${us.toFixed(1).padStart(8)}  ${name.slice(0, 120)}`).join('\n');
  console.log(
    `\n${positionals[0]}: ${cpuUs.toFixed(0)} µs of processor time for each of ${count} requests, ${sum} samples\n\n${rows(parts)}\n\n${rows(functions)}`,
  );
});
