// The middleware of Faremeter, which settles by itself, as its documentation sets it up.

import { x402Exact } from '@faremeter/info/evm';
import { createMiddleware } from '@faremeter/middleware/express';
import { createFacilitatorHandler } from '@faremeter/payment-evm/exact';

import { FACILITATOR_KEY, PAY_TO, RPC_URL, sell } from './served.mjs';

const chain = {
  id: 84532,
  name: 'Base Sepolia',
  nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
  rpcUrls: { default: { http: [RPC_URL] } },
};
const { asset, network } = x402Exact({ network: 'base-sepolia', asset: 'USDC', payTo: PAY_TO, amount: '10000' });
const handler = await createFacilitatorHandler(chain, FACILITATOR_KEY, 'USDC');
sell(
  await createMiddleware({
    // The middleware passes over handlers that do not say what they are for, and this one does not.
    x402Handlers: [{ ...handler, capabilities: { networks: [network], assets: [asset] }, schemes: ['exact'] }],
    pricing: [{ amount: '10000', asset, recipient: PAY_TO, network }],
    supportedVersions: { x402v1: !process.argv.includes('v2'), x402v2: process.argv.includes('v2') },
  }),
);
