// `@x402/express` as its documentation sets it up, in front of an origin, as a program of Node: it prints where it listens.

import { HTTPFacilitatorClient } from '@x402/core/server';
import { ExactEvmScheme } from '@x402/evm/exact/server';
import { paymentMiddleware, x402ResourceServer } from '@x402/express';
import express from 'express';

const [originUrl = '', facilitatorUrl = '', network = '', payTo = ''] = process.argv.slice(2);

const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitatorUrl }));
server.register(/** @type {`eip155:${string}`} */ (network), new ExactEvmScheme());
const app = express();
app.use(
  paymentMiddleware(
    {
      'GET /after': {
        accepts: { scheme: 'exact', network: /** @type {`eip155:${string}`} */ (network), payTo, price: '$0.01' },
        description: 'Paid after the answer',
      },
    },
    server,
  ),
);
app.use(async (request, response) => {
  const answer = await fetch(originUrl + request.url);
  response.status(answer.status).type(answer.headers.get('content-type') ?? '');
  response.send(Buffer.from(await answer.arrayBuffer()));
});
const listener = app.listen(0, '127.0.0.1', () => {
  const address = listener.address();
  if (address !== null && typeof address === 'object') console.log(`http://127.0.0.1:${address.port}`);
});
listener.keepAliveTimeout = 600_000;
