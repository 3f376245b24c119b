// The origin and the facilitator of the bench, in a thread of their own, so that the Workers' processor time is theirs alone.
//
//   /free, /after, /before    one line of JSON
//   /big                      five megabytes in parts, with a pause after each
//
// The facilitator finds every payment good, except those of `forger`. It waits as long as `shared` says.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { parentPort, Worker, workerData } from 'node:worker_threads';

/**
 * @typedef {object} Backend
 * @property {string} originUrl
 * @property {string} facilitatorUrl
 * @property {() => Counts} counts since the start
 * @property {(verifyMs: number, settleMs: number) => void} delay how long the facilitator takes
 * @property {() => Promise<unknown>} stop
 */

/**
 * @typedef {object} Counts
 * @property {number} origin
 * @property {number} verify
 * @property {number} settle
 */

/** Length of the body of `/big`, and of its parts. */
export const BIG_BYTES = 5 * 1024 * 1024;
const PART_BYTES = BIG_BYTES / 20;
/** Pause after a part: the whole takes a fifth of a second. */
const PART_MS = 10;

const ORIGIN = 0;
const VERIFY = 1;
const SETTLE = 2;
const VERIFY_MS = 3;
const SETTLE_MS = 4;

/**
 * Starts the thread.
 *
 * @param {{forger: string, network: string}} options payer whose signatures are forged; CAIP-2 network
 * @returns {Promise<Backend>}
 */
export async function startBackend(options) {
  const shared = new Int32Array(new SharedArrayBuffer(5 * Int32Array.BYTES_PER_ELEMENT));
  const thread = new Worker(new URL(import.meta.url), { workerData: { shared, ...options } });
  const urls = await new Promise((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
  });
  thread.unref();
  return {
    ...urls,
    counts: () => ({ origin: Atomics.load(shared, ORIGIN), verify: Atomics.load(shared, VERIFY), settle: Atomics.load(shared, SETTLE) }),
    delay(verifyMs, settleMs) {
      Atomics.store(shared, VERIFY_MS, verifyMs);
      Atomics.store(shared, SETTLE_MS, settleMs);
    },
    stop: () => thread.terminate(),
  };
}

/**
 * @param {{shared: Int32Array, forger: string, network: string}} data
 */
async function serveBoth({ shared, forger, network }) {
  const answer = Buffer.from(`${JSON.stringify({ report: 'Rainfall, Tuesday', millimetres: 10, station: 'north' })}\n`);
  const originUrl = await listen((request, response) => {
    Atomics.add(shared, ORIGIN, 1);
    request.resume();
    if (request.url?.startsWith('/big')) return sendBig(response);
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length }).end(answer);
  });
  /** What is deposited, by channel. @type {Map<string, bigint>} */
  const deposits = new Map();
  const facilitatorUrl = await listen(async (request, response) => {
    let text = '';
    for await (const piece of request.setEncoding('utf8')) text += piece;
    /** @param {unknown} value */
    const send = (value) => {
      // As the reference's facilitators do, which are made with Express.
      const answer = Buffer.from(JSON.stringify(value));
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length }).end(answer);
    };
    if (request.url === '/supported' || request.method === 'GET') {
      return send({
        kinds: ['exact', 'batch-settlement'].map((scheme) => ({ x402Version: 2, scheme, network })),
        extensions: [],
        signers: {},
      });
    }
    const { payload } = JSON.parse(text).paymentPayload;
    if (payload.channelConfig !== undefined) return send(channelAnswer(payload, deposits, request.url === '/verify', network));
    const { from: payer, nonce } = payload.authorization;
    const operation = request.url === '/verify' ? VERIFY : SETTLE;
    Atomics.add(shared, operation, 1);
    const wait = Atomics.load(shared, operation === VERIFY ? VERIFY_MS : SETTLE_MS);
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    if (operation === VERIFY) {
      return send(
        payer.toLowerCase() === forger.toLowerCase()
          ? { isValid: false, invalidReason: 'invalid_exact_evm_payload_signature', payer }
          : { isValid: true, payer },
      );
    }
    // As unlike the nonce as a transaction's hash is.
    const transaction = `0x${createHash('sha256').update(nonce).digest('hex')}`;
    return send({ success: true, payer, transaction, network: JSON.parse(text).paymentRequirements?.network ?? network });
  });
  parentPort?.postMessage({ originUrl, facilitatorUrl });
}

/**
 * What the facilitator says of a channel; a deposit is made at once.
 *
 * @param {any} payload
 * @param {Map<string, bigint>} deposits
 * @param {boolean} looks
 * @param {string} network
 */
function channelAnswer({ channelConfig: { payer }, voucher: { channelId }, deposit }, deposits, looks, network) {
  const balance = (deposits.get(channelId) ?? 0n) + BigInt(looks ? 0 : (deposit?.amount ?? 0));
  deposits.set(channelId, balance);
  const state = { channelId, balance: String(balance), totalClaimed: '0', withdrawRequestedAt: 0, refundNonce: '0' };
  if (looks) return { isValid: true, payer, extra: state };
  return {
    success: true,
    payer,
    network,
    transaction: `0x${createHash('sha256').update(channelId).digest('hex')}`,
    amount: deposit?.amount ?? '',
    extra: { channelState: state },
  };
}

/**
 * @param {import('node:http').ServerResponse} response
 */
async function sendBig(response) {
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': BIG_BYTES });
  const part = Buffer.alloc(PART_BYTES, 0x2e);
  for (let sent = 0; sent < BIG_BYTES && !response.destroyed; sent += PART_BYTES) {
    response.write(part);
    await new Promise((resolve) => setTimeout(resolve, PART_MS));
  }
  response.end();
}

/**
 * @param {(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => unknown} answer
 * @returns {Promise<string>}
 */
async function listen(answer) {
  const server = createServer(answer);
  server.keepAliveTimeout = 600_000;
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return `http://127.0.0.1:${address.port}`;
}

if (workerData?.shared instanceof Int32Array) await serveBoth(workerData);
