// x402-express, the middleware of version 1, as its documentation sets it up.

import { paymentMiddleware } from 'x402-express';

import { FACILITATOR_URL, PAY_TO, sell } from './served.mjs';

sell(paymentMiddleware(PAY_TO, { 'GET /report': { price: '$0.01', network: 'base-sepolia' } }, { url: FACILITATOR_URL }));
