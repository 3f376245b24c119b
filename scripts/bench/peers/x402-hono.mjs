// `x402-hono`, the middleware of x402 version 1, as its documentation sets it up, in front of an origin, as a Worker.

import { Hono } from 'hono';
import { paymentMiddleware } from 'x402-hono';

/**
 * @typedef {object} Variables
 * @property {string} ORIGIN_URL
 * @property {`${string}://${string}`} FACILITATOR_URL
 * @property {`0x${string}`} PAY_TO
 */

/** @type {Hono | undefined} */
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
function build({ ORIGIN_URL, FACILITATOR_URL, PAY_TO }) {
  const route = (/** @type {string} */ description) => ({
    price: '$0.01',
    network: /** @type {const} */ ('base-sepolia'),
    config: { description },
  });
  const app = new Hono();
  app.use(paymentMiddleware(PAY_TO, { 'GET /after': route('Paid after the answer') }, { url: FACILITATOR_URL }));
  app.all('*', async (c) => {
    const url = new URL(c.req.url);
    const response = await fetch(new Request(ORIGIN_URL + url.pathname + url.search, c.req.raw));
    // The middleware writes into the answer's fields.
    return new Response(response.body, response);
  });
  return app;
}
