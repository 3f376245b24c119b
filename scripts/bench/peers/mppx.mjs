// `mppx` with its `evm` method and `authorization` credentials, in front of an origin, as a Worker.
//
// It checks the signature itself; `settle` asks the same facilitator once per payment.

import { evm } from 'mppx/evm/server';
import { Mppx } from 'mppx/server';

/**
 * @typedef {object} Variables
 * @property {string} ORIGIN_URL
 * @property {string} FACILITATOR_URL
 * @property {`0x${string}`} ASSET
 * @property {number} CHAIN_ID
 * @property {`0x${string}`} PAY_TO
 */

/** @type {((request: Request) => Promise<any>) | undefined} */
let charge;

export default {
  /**
   * @param {Request} request
   * @param {Variables} env
   */
  async fetch(request, env) {
    const url = new URL(request.url);
    const target = env.ORIGIN_URL + url.pathname + url.search;
    if (url.pathname === '/free') return fetch(new Request(target, request));
    charge ??= build(env);
    const result = await charge(request);
    if (result.status === 402) return result.challenge;
    return result.withReceipt(await fetch(new Request(target, request)));
  },
};

/**
 * @param {Variables} env
 * @returns {(request: Request) => Promise<any>}
 */
function build({ FACILITATOR_URL, ASSET, CHAIN_ID, PAY_TO }) {
  const mppx = Mppx.create({
    realm: 'bench.example',
    secretKey: 'a secret of the bench, long enough to be accepted',
    methods: [
      evm.charge({
        currency: ASSET,
        chainId: CHAIN_ID,
        decimals: 6,
        recipient: PAY_TO,
        authorization: { name: 'USDC', version: '2' },
        settle: async ({ payload }) => {
          const response = await fetch(`${FACILITATOR_URL}/settle`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ paymentPayload: { payload: { authorization: payload } } }),
          });
          const { transaction } = /** @type {{transaction: `0x${string}`}} */ (await response.json());
          return { reference: transaction };
        },
      }),
    ],
  });
  return /** @type {any} */ (mppx.charge({ amount: '0.01' }));
}
