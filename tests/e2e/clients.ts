// The published clients, exactly as their documentation sets them up, with their default spend limits.

import { wrapAxiosWithPaymentFromConfig } from '@x402/axios';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import axios, { type AxiosError, AxiosHeaders } from 'axios';
import { privateKeyToAccount } from 'viem/accounts';
import { wrapFetchWithPayment as wrapFetchWithPaymentV1 } from 'x402-fetch';

import type { Chain } from '../../demo/chain.mjs';

export type Payer = Chain['accounts']['payer'];

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

export interface StockClient {
  name: string;
  version: 1 | 2;
  /** Asks, pays if asked to, and returns the last answer. */
  get(url: string, payer: Payer): Promise<Answer>;
}

export const stockClients: StockClient[] = [
  { name: '@x402/fetch', version: 2, get: async (url, payer) => answerOf(await payingFetch(fetch, payer)(url)) },
  {
    name: '@x402/axios',
    version: 2,
    async get(url, payer) {
      const client = wrapAxiosWithPaymentFromConfig(axios.create({ responseType: 'text', transformResponse: [] }), {
        schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(signerOf(payer)) }],
      });
      const { status, headers, data } = await client.get<string>(url).catch((error: AxiosError<string>) => {
        // Its own text shows the whole request, the signature too: keep the answer alone.
        if (!error.response) throw new Error(error.message);
        return error.response;
      });
      const plain = AxiosHeaders.from(headers as AxiosHeaders).toJSON(true) as Record<string, string>;
      return { status, headers: new Headers(plain), text: data };
    },
  },
  { name: 'x402-fetch', version: 1, get: async (url, payer) => answerOf(await payingFetchV1(fetch, payer)(url)) },
];

/** `@x402/fetch` over a given fetch. */
export function payingFetch(base: typeof fetch, payer: Payer) {
  return wrapFetchWithPaymentFromConfig(base, { schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(signerOf(payer)) }] });
}

/** `x402-fetch` over a given fetch. */
export function payingFetchV1(base: typeof fetch, payer: Payer): (url: string) => Promise<Response> {
  return wrapFetchWithPaymentV1(base, signerOf(payer));
}

function signerOf(payer: Payer) {
  return privateKeyToAccount(payer.privateKey);
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, text: await response.text() };
}

export interface SettlementHeader {
  success: boolean;
  transaction: `0x${string}`;
  network: string;
  payer: string;
}

/** The settlement header of an answer, decoded; v1 and v2 have names of their own for it. */
export function settlementOf(headers: Headers, version: 1 | 2): SettlementHeader {
  const name = version === 1 ? 'x-payment-response' : 'payment-response';
  const value = headers.get(name);
  if (value === null) throw new Error(`the answer has no ${name}`);
  return JSON.parse(Buffer.from(value, 'base64').toString('utf8')) as SettlementHeader;
}
