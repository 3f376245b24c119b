// A wallet as browsers inject it: it lives outside of the page, knows one network at a time, and signs typed data of that one only.

import type { Page } from 'playwright-core';
import type { TypedDataDefinition } from 'viem';

import type { Payer } from '../e2e/clients.ts';

export interface Injected {
  /** The methods that were called, in order. */
  calls: string[];
  /** The networks that pages added, as they were described. */
  added: Record<string, unknown>[];
}

/** A wallet and its person. */
export interface WalletPlan {
  payer: Payer;
  /** The network that is chosen at first. */
  network: string;
  person?: 'agrees' | 'refuses';
  /** What a person does before they agree or refuse. */
  until?: Promise<void>;
  /** The opening of its window that asks for accounts. */
  opens?: Promise<void>;
  /** What a person does before they change the network. */
  changes?: Promise<void>;
  /** The network that its person changes to while they are asked for a transaction. */
  strays?: string;
  /** Its name, if it announces itself (EIP-6963); else it is `window.ethereum`. */
  name?: string;
  /** Networks that it knows; left out, all. */
  knows?: string[];
  /** The node from which it reads; without it, it reads nothing. */
  node?: string;
  /** Whether its node never answers. */
  hangs?: boolean;
  /** What its node says of a transaction, or an error with its code; without it, it knows no such method. */
  receipt?: (hash: string) => unknown;
  /** Sends transactions; without it, it sends none. */
  send?: (asked: AskedTransaction) => Promise<string>;
}

/** An error that a wallet answers with. */
export class WalletError extends Error {
  constructor(readonly code: number) {
    super('the wallet does not say');
  }
}

/** A transaction as a page asks for it. */
export type AskedTransaction = {
  readonly from: string;
  readonly chainId?: string;
  readonly to: `0x${string}`;
  readonly data: `0x${string}`;
};

/** Spec: EIP-1193 "Provider Errors". */
type Answer = { result: unknown } | { error: { code: number; message: string } };

/** Gives a page `window.ethereum`, on this network; a person who `refuses` signs nothing. With `send` it sends transactions. */
export function injectWallet(
  page: Page,
  payer: Payer,
  network: string,
  person: 'agrees' | 'refuses' = 'agrees',
  send?: WalletPlan['send'],
): Promise<Injected> {
  return addWallet(page, { payer, network, person, ...(send === undefined ? {} : { send }) });
}

/** Gives a page a wallet. */
export async function addWallet(page: Page, plan: WalletPlan): Promise<Injected> {
  const injected: Injected = { calls: [], added: [] };
  const ask = walletOf(plan, injected);
  const door = `askWallet${doors++}`;
  await page.exposeFunction(door, ask);
  await page.addInitScript(
    ({ door, name }) => {
      const scope = globalThis as unknown as Record<string, (method: string, params: readonly unknown[]) => Promise<Answer>>;
      const provider = {
        async request({ method, params = [] }: { method: string; params?: readonly unknown[] }): Promise<unknown> {
          const answer = await scope[door]!(method, params);
          if ('error' in answer) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
          return answer.result;
        },
      };
      if (name === undefined) {
        (globalThis as unknown as { ethereum: object }).ethereum = provider;
        return;
      }
      const icon =
        "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'><rect width='1' height='1' fill='orange'/></svg>";
      const detail = Object.freeze({ info: Object.freeze({ uuid: door, name, icon, rdns: 'example.wallet' }), provider });
      const announce = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail }));
      window.addEventListener('eip6963:requestProvider', announce);
      announce();
    },
    { door, name: plan.name },
  );
  return injected;
}

let doors = 0;

function walletOf(plan: WalletPlan, { calls, added }: Injected) {
  const { payer, network, person = 'agrees', until, opens, changes, knows, node, hangs, receipt, send } = plan;
  let current = network;
  const answers: Record<string, (params: readonly unknown[]) => Promise<Answer> | Answer> = {
    eth_requestAccounts: async () => {
      await opens;
      return { result: [payer.address] };
    },
    eth_chainId: () => ({ result: current }),
    wallet_switchEthereumChain: async ([wanted]) => {
      await changes;
      const { chainId } = wanted as { chainId: string };
      if (knows !== undefined && !knows.includes(chainId)) return { error: { code: 4902, message: 'Unrecognized chain ID' } };
      current = chainId;
      return { result: null };
    },
    wallet_addEthereumChain: ([facts]) => {
      added.push(facts as Record<string, unknown>);
      knows?.push((facts as { chainId: string }).chainId);
      return { result: null };
    },
    eth_signTypedData_v4: async ([from, text]) => {
      const typedData = JSON.parse(String(text)) as TypedDataDefinition;
      await until;
      if (person === 'refuses') return { error: { code: 4001, message: 'User rejected the request.' } };
      if (Number(typedData.domain?.chainId) !== Number(current))
        return { error: { code: -32603, message: 'Provided chainId must match the active chainId' } };
      if (String(from).toLowerCase() !== payer.address.toLowerCase()) return { error: { code: 4100, message: 'unknown account' } };
      return { result: await payer.signTypedData(typedData) };
    },
    ...(node === undefined
      ? {}
      : { eth_call: (params: readonly unknown[]) => (hangs ? new Promise<never>(() => undefined) : readFrom(node, params)) }),
    ...(receipt === undefined
      ? {}
      : {
          eth_getTransactionReceipt: async ([hash]): Promise<Answer> => {
            const result = await receipt(String(hash));
            return result instanceof WalletError ? { error: { code: result.code, message: result.message } } : { result };
          },
        }),
    ...(send === undefined
      ? {}
      : {
          eth_sendTransaction: async ([asked]): Promise<Answer> => {
            const { chainId } = asked as AskedTransaction;
            current = plan.strays ?? current;
            await until;
            if (person === 'refuses') return { error: { code: 4001, message: 'User rejected the request.' } };
            if (chainId !== undefined && Number(chainId) !== Number(current))
              return { error: { code: -32602, message: `Expected chain ${Number(current)}` } };
            return { result: await send(asked as AskedTransaction) };
          },
        }),
  };
  return async (method: string, params: readonly unknown[]): Promise<Answer> => {
    calls.push(method);
    return answers[method]?.(params) ?? { error: { code: 4200, message: `no ${method}` } };
  };
}

async function readFrom(node: string, params: readonly unknown[]): Promise<Answer> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_call', params });
  const response = await fetch(node, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return (await response.json()) as Answer;
}
