// `npm run bench:pkg`: the built npm package beside `@x402/fetch` with viem, in one process.
//
//   --rounds N    rounds [30]
//   --json        the lines as JSON
//
// Each round measures both sides, the one that goes first changes; a ratio is the median of the quotients of the rounds,
// ours by theirs, with their range. A payment is everything between the call and the answer while `fetch` is a script: it
// answers 402, then 200. Both sign with the same key in this process; ours counts the budget and checks its own signature,
// too. An import is that of a new process. Sizes are those of one page's script by esbuild, minified, gzip -9.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { arch, cpus } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import * as esbuild from 'esbuild';
import { hashTypedData, recoverTypedDataAddress } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

import { elapsed, root, runMain, StepFailed, step } from '../steps.mjs';
import { ASSET, CHAIN_ID, NETWORK, PAY_TO } from './payments.mjs';
import { median, quotients } from './rounds.mjs';

/**
 * @typedef {object} Line
 * @property {string} what
 * @property {string} unit
 * @property {number} ours
 * @property {number} theirs
 * @property {{median: number, least: number, greatest: number}} ratio
 */

/** What measures one side once. @typedef {() => number | Promise<number>} Measure */

/**
 * @param {string} what
 * @param {string} unit
 * @param {number} rounds
 * @param {[ours: Measure, theirs: Measure]} sides
 * @returns {Promise<Line>}
 */
async function compare(what, unit, rounds, [ours, theirs]) {
  /** @type {[number[], number[]]} */
  const found = [[], []];
  for (let round = -WARM_ROUNDS; round < rounds; round += 1) {
    for (const turn of [0, 1]) {
      const isOurs = (turn + round) % 2 === 0;
      const value = await (isOurs ? ours : theirs)();
      if (round >= 0) found[isOurs ? 0 : 1].push(value);
    }
  }
  return { what, unit, ours: median(found[0]), theirs: median(found[1]), ratio: quotients(...found) };
}

/** Rounds before the measured ones, in which the runtime compiles. */
const WARM_ROUNDS = 3;

/** What a server asks for: one cent of USDC on Base Sepolia. */
const REQUIRED = Buffer.from(
  JSON.stringify({
    x402Version: 2,
    error: 'Payment required',
    resource: { url: 'https://api.example.com/report', description: 'One weather report', mimeType: 'application/json' },
    accepts: [
      {
        scheme: 'exact',
        network: NETWORK,
        amount: '10000',
        asset: ASSET,
        payTo: PAY_TO,
        maxTimeoutSeconds: 300,
        extra: { name: 'USDC', version: '2' },
      },
    ],
  }),
).toString('base64');

/**
 * A `fetch` that asks for money once and then delivers; `paid` is the payment that came last.
 */
function scripted() {
  const seen = { paid: '' };
  /** @type {typeof globalThis.fetch} */
  const fetch = async (input, init) => {
    const request = new Request(input, init);
    const payment = request.headers.get('payment-signature');
    if (payment === null)
      return new Response('{}', { status: 402, headers: { 'PAYMENT-REQUIRED': REQUIRED, 'content-type': 'application/json' } });
    seen.paid = payment;
    return new Response('{"report":"Rainfall, Tuesday"}', { headers: { 'content-type': 'application/json' } });
  };
  return { fetch, seen };
}

/**
 * Median milliseconds of payments, one after the other.
 *
 * @param {typeof globalThis.fetch} fetch
 * @param {{paid: string}} seen
 */
async function payments(fetch, seen) {
  const times = [];
  for (let turn = 0; turn < PAYMENTS; turn += 1) {
    seen.paid = '';
    const start = performance.now();
    // Another purchase each time: one that came without a receipt would go on with its payment.
    const response = await fetch(`https://api.example.com/report?day=${(bought += 1)}`);
    times.push(performance.now() - start);
    if (response.status !== 200 || seen.paid === '') throw new Error('nothing was paid');
  }
  return median(times);
}

const PAYMENTS = 20;
let bought = 0;

/**
 * Microseconds of a call, over many.
 *
 * @param {number} count
 * @param {() => unknown} call
 */
async function each(count, call) {
  const start = performance.now();
  for (let turn = 0; turn < count; turn += 1) await call();
  return ((performance.now() - start) * 1000) / count;
}

/**
 * Milliseconds in which a new process imports modules.
 *
 * @param {string[]} modules
 */
function importing(modules) {
  const script = `const start = performance.now(); for (const name of ${JSON.stringify(modules)}) await import(name); console.log(performance.now() - start);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: root, encoding: 'utf8' }));
}

/**
 * Bytes of a page's script, gzip -9.
 *
 * @param {string} contents
 */
async function bundled(contents) {
  const { outputFiles } = await esbuild.build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'error',
  });
  return gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length;
}

/**
 * @param {Line[]} lines
 */
function table(lines) {
  const row = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [
    row(['', 'unit', 'farebox', 'peer', 'ours ÷ theirs']),
    '|---|---|--:|--:|--:|',
    ...lines.map(({ what, unit, ours, theirs, ratio }) => {
      const range = ratio.least === ratio.greatest ? '' : ` (${ratio.least.toFixed(2)}–${ratio.greatest.toFixed(2)})`;
      return row([what, unit, figure(ours), figure(theirs), `${ratio.median.toFixed(2)}${range}`]);
    }),
  ].join('\n');
}

/**
 * @param {number} value
 */
function figure(value) {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value >= 10 ? value.toFixed(0) : value.toFixed(2);
}

/**
 * @param {string} name
 * @returns {string}
 */
function version(name) {
  return `${name} ${JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version}`;
}

await runMain(async () => {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '30' }, json: { type: 'boolean', default: false } } });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new StepFailed('--rounds takes a whole number from 1');
  const entry = join(root, 'pkg', 'dist', 'index.js');
  if (!existsSync(entry)) throw new StepFailed('there is no built package: run `npm run build:pkg` first');
  // The lines alone belong on the standard output then.
  if (values.json) console.log = console.error;
  /** @type {typeof import('../../pkg/dist/index.js')} */
  const farebox = await import(pathToFileURL(entry).href);

  const key = `0x${'4a'.repeat(32)}`;
  const account = privateKeyToAccount(/** @type {`0x${string}`} */ (key));
  const signer = farebox.localSigner(key);
  const policy = { perDay: '1000' };
  const peer = scripted();
  const theirs = wrapFetchWithPaymentFromConfig(peer.fetch, { schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(account) }] });
  const payTheirs = () => payments(theirs, peer.seen);
  const payOurs = (/** @type {import('../../pkg/dist/index.js').Store} */ store, /** @type {number | undefined} */ at = undefined) => {
    const { fetch, seen } = scripted();
    const now = at === undefined ? {} : { now: () => at };
    return payments(farebox.wrapFetch(fetch, { signer, policy, store, ...now }), seen);
  };
  /**
   * The record of a payer who has paid a thousand times in the last `secs`.
   *
   * @param {number} secs
   */
  const thousandIn = async (secs) => {
    const store = farebox.memoryStore();
    const turns = 1000 / PAYMENTS;
    const begin = Date.now() / 1000 - secs;
    for (let turn = 0; turn < turns; turn += 1) await payOurs(store, begin + (secs * turn) / turns);
    return (await store.read()).record ?? '';
  };
  const [hour, minutes] = await step('full records', async () => [await thousandIn(3_500), await thousandIn(200)]);

  /** @type {Line[]} */
  const lines = [];
  lines.push(
    await step('payments', () =>
      compare('a payment: 402, terms, budget, signature, header', 'ms', rounds, [() => payOurs(farebox.memoryStore()), payTheirs]),
    ),
  );
  for (const [span, record] of [
    ['an hour', hour],
    ['three minutes', minutes],
  ]) {
    lines.push(
      await step(`payments after ${span}`, () =>
        compare(`the same, after 1,000 payments in ${span}`, 'ms', rounds, [
          async () => {
            const store = farebox.memoryStore();
            await store.replace(0, record ?? '');
            return payOurs(store);
          },
          payTheirs,
        ]),
      ),
    );
  }

  const { message, ...data } = farebox.authorizationTypedData(
    { name: 'USDC', version: '2', chainId: CHAIN_ID, verifyingContract: ASSET },
    { from: account.address, to: PAY_TO, value: 10_000n, validAfter: 0n, validBefore: 1_900_000_000n, nonce: `0x${'17'.repeat(32)}` },
  );
  const typed = { ...data, message: { ...message, value: 10_000n, validAfter: 0n, validBefore: 1_900_000_000n } };
  const signature = await account.signTypedData(/** @type {any} */ (typed));
  if (farebox.hashTypedData(typed) !== hashTypedData(/** @type {any} */ (typed))) throw new Error('the two hash differently');
  if (farebox.recoverSigner(typed, signature) !== account.address) throw new Error('the two disagree about the signer');
  lines.push(
    await step('hashTypedData', () =>
      compare('hashTypedData', 'µs', rounds, [
        () => each(200, () => farebox.hashTypedData(typed)),
        () => each(200, () => hashTypedData(/** @type {any} */ (typed))),
      ]),
    ),
  );
  lines.push(
    await step('recoverSigner', () =>
      compare('recoverSigner', 'µs', rounds, [
        () => each(50, () => farebox.recoverSigner(typed, signature)),
        () => each(50, () => recoverTypedDataAddress(/** @type {any} */ ({ ...typed, signature }))),
      ]),
    ),
  );
  lines.push(
    await step('imports', () =>
      compare('import in a new process', 'ms', Math.min(rounds, 15), [
        () => importing([pathToFileURL(entry).href]),
        () => importing(['@x402/fetch', '@x402/evm/exact/client', 'viem/accounts']),
      ]),
    ),
  );
  const [ours, others] = await Promise.all([
    bundled("export { localSigner, payingFetch, receiptOf } from './pkg/dist/index.js';"),
    bundled(
      "export { wrapFetchWithPaymentFromConfig } from '@x402/fetch'; export { ExactEvmScheme } from '@x402/evm/exact/client'; export { privateKeyToAccount } from 'viem/accounts';",
    ),
  ]);
  lines.push({ what: 'script of a page', unit: 'bytes gzip', ours, theirs: others, ratio: quotients([ours], [others]) });

  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${arch}, Node ${process.versions.node}`;
  const peers = [version('@x402/fetch'), version('@x402/evm'), version('viem')].join(', ');
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ machine, peers, rounds, lines }, null, 2)}\n`);
  } else {
    console.log(
      `\n${machine}\n${peers}; ${rounds} rounds, medians of their quotients (least to greatest)\n\n${table(lines)}\n\n${elapsed()}`,
    );
  }
});
