// `@x402/hono` as its documentation sets it up, in front of an origin, as a Worker.

import { HTTPFacilitatorClient } from '@x402/core/server';
import { ExactEvmScheme } from '@x402/evm/exact/server';
import { paymentMiddleware, x402ResourceServer } from '@x402/hono';
import { Hono } from 'hono';

/**
 * @typedef {object} Variables
 * @property {string} ORIGIN_URL
 * @property {string} FACILITATOR_URL
 * @property {`eip155:${string}`} NETWORK
 * @property {string} PAY_TO
 */

/**
 * The application; made at the first request, because nothing may be asked at global scope.
 *
 * @type {import('hono').Hono | undefined}
 */
let application;

export default {
  /**
   * @param {Request} request
   * @param {Variables} env
   */
  fetch(request, env) {
    application ??= build(env);
    return application.fetch(request);
  },
};

/**
 * @param {Variables} env
 */
function build({ ORIGIN_URL, FACILITATOR_URL, NETWORK, PAY_TO }) {
  /** @param {Record<string, unknown>} [extra] */
  const accepts = (extra) => ({ scheme: 'exact', network: NETWORK, payTo: PAY_TO, price: '$0.01', ...(extra ? { extra } : {}) });
  const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: FACILITATOR_URL }));
  server.register(NETWORK, new ExactEvmScheme());
  const app = new Hono();
  app.use(
    paymentMiddleware(
      {
        'GET /after': { accepts: accepts(), description: 'Paid after the answer' },
        'GET /before': { accepts: accepts({ paymentFlow: 'upfront' }), description: 'Paid before the answer' },
        'GET /big': { accepts: accepts(), description: 'Five megabytes' },
      },
      server,
    ),
  );
  app.all('*', (c) => {
    const url = new URL(c.req.url);
    return fetch(new Request(ORIGIN_URL + url.pathname + url.search, c.req.raw));
  });
  return app;
}
