// What the exchange's demo prints in the end: lines to type in another terminal. A test runs each of them.

import { LIVE } from './exchange-world.mjs';

/**
 * @param {Pick<import('./exchange-world.mjs').ExchangeWorld, 'url' | 'chain'>} world
 * @param {{seller: string, buyer: {address: string, privateKey: string}}} parts `seller` is on duty, for `echo`
 * @returns {string}
 */
export function exchangeLines({ url, chain }, { seller, buyer }) {
  return `
Everything stays up until Ctrl-C: the exchange ${url}, chain ${chain.url}; ${seller} sells echo
Type these in another terminal (docs/exchange.md has all of them).

What is offered
  curl -s '${url}/api/v1/buyers/capabilities?network_profile=${LIVE}'
What it costs: a quote, and a seat for five minutes
  curl -s ${url}/api/v1/jobs/quote -H 'content-type: application/json' -d '{"buyer_id":"${buyer.address}","capability":"echo","prompt":"hello","network_profile":"${LIVE}"}'
Buy it
  node --input-type=module -e "import { buyJob } from './pkg/dist/agent/index.js'; console.log(await buyJob({ url: '${url}', profile: '${LIVE}', capability: 'echo', prompt: 'hello', maxAmount: '0.01', signer: '${buyer.privateKey}' }))"
What agents are told
  curl -s ${url}/skills/quotadex-buyer/SKILL.md`;
}
