// The configuration of the gate for demo, `npm run dev` and the end-to-end tests.

import { NETWORK } from './chain.mjs';

/** Price of every priced route, as in the configuration and in atomic units. */
export const PRICE = '$0.01';
export const PRICE_ATOMIC = 10_000n;

/** Paid in advance before the origin fails, so that a refund becomes due. */
export const FAILING = {
  path: '/fail/[status]',
  methods: ['GET'],
  price: PRICE,
  settle: 'before',
  description: 'A failing origin, paid in advance',
};

/**
 * Variables for a gate between these parts.
 *
 * @param {{chain: import('./chain.mjs').Chain, facilitator: {url: string}, origin: {url: string}}} parts
 */
export function gateVars({ chain, facilitator, origin }) {
  return {
    NETWORK,
    PAY_TO: chain.accounts.payee.address,
    FACILITATOR_URL: facilitator.url,
    ORIGIN_URL: origin.url,
    ROUTES: [
      { path: '/report', methods: ['GET'], price: PRICE, description: 'One weather report' },
      { path: '/report-before', methods: ['GET'], price: PRICE, settle: 'before', description: 'One weather report, paid in advance' },
      { path: '/big', methods: ['GET'], price: PRICE, mime_type: 'application/octet-stream', description: 'Five megabytes' },
      {
        path: '/big/before',
        methods: ['GET'],
        price: PRICE,
        settle: 'before',
        mime_type: 'application/octet-stream',
        description: 'Five megabytes, paid in advance',
      },
      { path: '/events', methods: ['GET'], price: PRICE, mime_type: 'text/event-stream', description: 'Live events' },
      {
        path: '/events/before',
        methods: ['GET'],
        price: PRICE,
        settle: 'before',
        mime_type: 'text/event-stream',
        description: 'Live events, paid in advance',
      },
    ],
  };
}
