// A wallet as browsers inject it: it lives outside of the page, knows one network at a time, and signs typed data of that one only.

import type { Page } from 'playwright-core';
import type { TypedDataDefinition } from 'viem';

import type { Payer } from '../e2e/clients.ts';

export interface Injected {
  /** The methods that were called, in order. */
  calls: string[];
}

/** Spec: EIP-1193 "Provider Errors". */
type Answer = { result: unknown } | { error: { code: number; message: string } };

/** A transaction as a page asks for it. */
export type AskedTransaction = { readonly from: string; readonly to: `0x${string}`; readonly data: `0x${string}` };

/** Gives a page `window.ethereum`, on this network; a person who `refuses` signs nothing. With `send` it sends transactions. */
export async function injectWallet(
  page: Page,
  payer: Payer,
  network: string,
  person: 'agrees' | 'refuses' = 'agrees',
  send?: (asked: AskedTransaction) => Promise<string>,
): Promise<Injected> {
  const calls: string[] = [];
  let current = network;
  const answers: Record<string, (params: readonly unknown[]) => Promise<Answer> | Answer> = {
    eth_requestAccounts: () => ({ result: [payer.address] }),
    eth_chainId: () => ({ result: current }),
    wallet_switchEthereumChain: ([wanted]) => {
      current = (wanted as { chainId: string }).chainId;
      return { result: null };
    },
    eth_signTypedData_v4: async ([from, text]) => {
      const typedData = JSON.parse(String(text)) as TypedDataDefinition;
      if (person === 'refuses') return { error: { code: 4001, message: 'User rejected the request.' } };
      if (Number(typedData.domain?.chainId) !== Number(current))
        return { error: { code: -32603, message: 'Provided chainId must match the active chainId' } };
      if (String(from).toLowerCase() !== payer.address.toLowerCase()) return { error: { code: 4100, message: 'unknown account' } };
      return { result: await payer.signTypedData(typedData) };
    },
    ...(send === undefined
      ? {}
      : {
          eth_sendTransaction: async ([asked]): Promise<Answer> =>
            person === 'refuses'
              ? { error: { code: 4001, message: 'User rejected the request.' } }
              : { result: await send(asked as AskedTransaction) },
        }),
  };
  await page.exposeFunction('askWallet', async (method: string, params: readonly unknown[]): Promise<Answer> => {
    calls.push(method);
    return answers[method]?.(params) ?? { error: { code: 4200, message: `no ${method}` } };
  });
  await page.addInitScript(() => {
    const scope = globalThis as unknown as { askWallet(method: string, params: readonly unknown[]): Promise<Answer>; ethereum: object };
    scope.ethereum = {
      async request({ method, params = [] }: { method: string; params?: readonly unknown[] }): Promise<unknown> {
        const answer = await scope.askWallet(method, params);
        if ('error' in answer) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
        return answer.result;
      },
    };
  });
  return { calls };
}
