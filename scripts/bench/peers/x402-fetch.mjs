// `@x402/fetch` as its documentation sets it up, as a Worker: pays for the URL that it is told. It has no books and no rules.

import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { privateKeyToAccount } from 'viem/accounts';

/**
 * The client; made at the first request, because nothing may be asked at global scope.
 *
 * @type {typeof fetch | undefined}
 */
let paying;

export default {
  /**
   * @param {Request} request
   * @param {{WALLET_KEY: `0x${string}`}} env
   */
  async fetch(request, { WALLET_KEY }) {
    paying ??= wrapFetchWithPaymentFromConfig(fetch, {
      schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(privateKeyToAccount(WALLET_KEY)) }],
    });
    const { url, method } = await request.json();
    const answer = await paying(url, { method });
    return new Response(await answer.text(), {
      status: answer.status,
      headers: { 'payment-response': answer.headers.get('payment-response') ?? '' },
    });
  },
};
