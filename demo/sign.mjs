// Signs a payment for a URL of the demo, with a key of the local chain, and prints the header that
// carries it:
//
//   curl -i -H "$(node demo/sign.mjs URL)" URL
//
// `--empty` signs with a wallet that has no money.

import { fileURLToPath } from 'node:url';

import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';

import { account, EMPTY, PAYER } from './chain.mjs';

/**
 * The header of a payment that was signed and not sent.
 *
 * @param {string} url
 * @param {import('viem/accounts').PrivateKeyAccount} payer
 */
export async function sign(url, payer) {
  let header = '';
  const client = wrapFetchWithPaymentFromConfig(
    async (input, init) => {
      const request = new Request(input, init);
      header = request.headers.get('payment-signature') ?? '';
      return header === '' ? fetch(request) : new Response();
    },
    { schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(payer) }] },
  );
  const answer = await client(url);
  if (header === '') throw new Error(`${url} answers ${answer.status}: there is nothing to pay`);
  return `PAYMENT-SIGNATURE: ${header}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [url, ...others] = process.argv.slice(2).filter((word) => word !== '--empty');
  if (url === undefined || others.length > 0) {
    console.error('usage: node demo/sign.mjs [--empty] URL');
    process.exitCode = 2;
  } else {
    console.log(await sign(url, account(process.argv.includes('--empty') ? EMPTY : PAYER)));
  }
}
