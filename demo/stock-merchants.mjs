// Merchants as others sell: `@x402/hono`, `x402-hono` of version 1, a server with `mppx`, and FastAPI where Python has it.

import { serve } from '@hono/node-server';
import { HTTPFacilitatorClient } from '@x402/core/server';
import { ExactEvmScheme } from '@x402/evm/exact/server';
import { paymentMiddleware, x402ResourceServer } from '@x402/hono';
import { Hono } from 'hono';
import { evm, Mppx } from 'mppx/hono';
import { paymentMiddleware as paymentMiddleware1 } from 'x402-hono';

import { startProcess } from '../scripts/processes.mjs';
import { findPython } from '../scripts/python.mjs';
import { root } from '../scripts/steps.mjs';
import { drawPort } from './beginning.mjs';
import { NETWORK, NETWORK_V1, USDC } from './chain.mjs';
import { KEPT_MS } from './server.mjs';

/** What every one of them delivers. */
const GOODS = { report: 'Rainfall, Tuesday', millimetres: 10 };
/** Prices in dollars by path; each takes GET and POST. */
const PRICES = { '/report': '0.01', '/dear': '0.10', '/gold': '2.00' };

/**
 * @typedef {{url: string, stop: () => Promise<void>}} Merchant
 * @typedef {{chain: import('./chain.mjs').Chain, facilitator: {url: string}, payTo?: `0x${string}`}} Parts
 */

/**
 * `@x402/hono` as its documentation sets it up.
 *
 * @param {Parts} parts
 * @returns {Promise<Merchant>}
 */
export function startHonoMerchant({ chain, facilitator }) {
  const app = new Hono();
  const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitator.url })).register(NETWORK, new ExactEvmScheme());
  const offer = (/** @type {string} */ price) =>
    /** @type {const} */ ({ scheme: 'exact', network: NETWORK, payTo: chain.accounts.payee.address, price });
  const routes = Object.entries(PRICES).flatMap(([path, price]) =>
    ['GET', 'POST'].map((method) => [`${method} ${path}`, { accepts: offer(`$${price}`), description: 'One weather report' }]),
  );
  app.use(paymentMiddleware(Object.fromEntries(routes), server));
  return listen(delivering(app));
}

/**
 * `x402-hono`, the middleware of x402 version 1, as its documentation sets it up.
 *
 * @param {Parts} parts
 * @returns {Promise<Merchant>}
 */
export function startVersion1Merchant({ chain, facilitator }) {
  const app = new Hono();
  const offer = (/** @type {string} */ price) => ({
    price: `$${price}`,
    network: /** @type {'base-sepolia'} */ (NETWORK_V1),
    config: { description: 'One weather report' },
  });
  const routes = Object.fromEntries(Object.entries(PRICES).map(([path, price]) => [path, offer(price)]));
  app.use(paymentMiddleware1(chain.accounts.payee.address, routes, { url: /** @type {`${string}://${string}`} */ (facilitator.url) }));
  return listen(delivering(app));
}

/**
 * A server with `mppx` as its documentation sets it up; it asks by MPP alone.
 *
 * @param {Parts} parts
 * @returns {Promise<Merchant>}
 */
export function startMppMerchant({ chain, facilitator, payTo = chain.accounts.payee.address }) {
  const method = evm.charge({
    currency: USDC,
    chainId: 84532,
    decimals: 6,
    authorization: { name: 'USDC', version: '2' },
    recipient: payTo,
    x402: { facilitator: facilitator.url },
  });
  const mppx = Mppx.create({ methods: [method], secretKey: MPP_SECRET });
  const app = new Hono();
  // It would ask by x402 as well.
  app.use('*', async (c, next) => {
    await next();
    c.res.headers.delete('payment-required');
  });
  for (const [path, price] of Object.entries(PRICES)) app.use(path, mppx.charge({ amount: price, description: 'One weather report' }));
  return listen(delivering(app));
}

/**
 * FastAPI with the middleware of `x402`; undefined where it is not installed.
 *
 * @param {Parts} parts
 * @returns {Promise<Merchant | undefined>}
 */
export async function startFastApiMerchant({ chain, facilitator }) {
  const found = await findPython();
  if ('leftOut' in found) return undefined;
  const server = startProcess(found.python, ['-B', 'tests/interop/python/fastapi_server.py'], {
    cwd: root,
    env: { ...process.env, FACILITATOR_URL: facilitator.url, PAY_TO: chain.accounts.payee.address },
  });
  let gone = false;
  server.exited.then(() => {
    gone = true;
  });
  for (;;) {
    const port = /^(\d{2,5})\n/m.exec(server.output())?.[1];
    if (port !== undefined) return { url: `http://127.0.0.1:${port}`, stop: server.stop };
    if (gone) throw new Error(`FastAPI ended at once: ${server.output()}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** @param {Hono} app */
function delivering(app) {
  app.get('*', (c) => c.json(GOODS));
  app.post('*', async (c) => c.json({ ...GOODS, echo: await c.req.text() }));
  return app;
}

/**
 * @param {Hono} app
 * @returns {Promise<Merchant>}
 */
async function listen({ fetch }) {
  const server = /** @type {import('node:http').Server} */ (
    serve({ fetch, hostname: '127.0.0.1', port: drawPort(), serverOptions: { keepAliveTimeout: KEPT_MS } })
  );
  if (!server.listening)
    await new Promise((resolve) => {
      server.once('listening', () => resolve(undefined));
    });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the merchant has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Published, worth nothing anywhere. */
const MPP_SECRET = 'a secret of a merchant that is open to everyone';
const POLL_MS = 20;
