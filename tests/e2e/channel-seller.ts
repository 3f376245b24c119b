// The published server of x402 `batch-settlement` on a chain, with the published facilitator.

import { serve } from '@hono/node-server';
import { HTTPFacilitatorClient } from '@x402/core/server';
import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/server';
import { paymentMiddleware, x402ResourceServer } from '@x402/hono';
import { Hono } from 'hono';

import { account, type Chain, NETWORK, startChain } from '../../demo/chain.mjs';
import { type Facilitator, startFacilitator } from '../../demo/facilitator.mjs';

export const PRICE = 10_000n;
export const DELAY = 900;
export const AUTHORIZER = account(40);

export type ChannelSeller = {
  readonly chain: Chain;
  readonly facilitator: Facilitator;
  readonly seller: BatchSettlementEvmScheme;
  /** Sold by channel for `PRICE`, and answered with the number of the request. */
  readonly url: string;
  /** How often it was served. */
  served(): number;
  stop(): Promise<void>;
};

export async function startChannelSeller(): Promise<ChannelSeller> {
  const chain = await startChain();
  const facilitator = await startFacilitator({ chain });
  const seller = new BatchSettlementEvmScheme(chain.accounts.payee.address, { receiverAuthorizerSigner: AUTHORIZER, withdrawDelay: DELAY });
  const resources = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitator.url })).register(NETWORK, seller);
  const app = new Hono();
  const accepts = { scheme: 'batch-settlement', network: NETWORK, payTo: chain.accounts.payee.address, price: '$0.01' } as const;
  let count = 0;
  app.use(paymentMiddleware({ 'GET /report': { accepts } }, resources));
  app.get('/report', (context) => {
    count += 1;
    return context.json({ millimetres: 10, count });
  });
  let server: ReturnType<typeof serve> | undefined;
  const url = await new Promise<string>((resolve) => {
    server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => resolve(`http://127.0.0.1:${port}/report`));
  });
  return {
    chain,
    facilitator,
    seller,
    url,
    served: () => count,
    stop: async () => {
      server?.close();
      await facilitator.stop();
      await chain.stop();
    },
  };
}
