// What every server here takes and gives: terms in the environment, and its port as the first line.

import express from 'express';

export const { FACILITATOR_URL, PAY_TO, RPC_URL, FACILITATOR_KEY } = process.env;

/**
 * Sells `/report` behind a middleware until the process ends.
 *
 * @param {import('express').RequestHandler} middleware
 */
export function sell(middleware) {
  const app = express();
  app.use(middleware);
  app.get('/report', (_, response) => void response.json({ report: 'Rainfall, Tuesday' }));
  const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
}
