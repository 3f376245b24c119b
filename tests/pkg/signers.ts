// Everything that can sign for the package.

import assert from 'node:assert/strict';

import { Wallet } from 'ethers';
import { createWalletClient, http } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

import type { Chain } from '../../demo/chain.mjs';
import { type AnySigner, localSigner } from '../../pkg/dist/index.js';

type Payer = Chain['accounts']['payer'];

/** A wallet of a page over one key: what EIP-1193 asks for, and a network that has to be switched first. */
export function wallet(account: Payer): AnySigner & { readonly calls: string[] } {
  const calls: string[] = [];
  let chainId = '0x1';
  return {
    calls,
    request: async ({ method, params = [] }) => {
      calls.push(method);
      switch (method) {
        case 'eth_requestAccounts':
          return [account.address];
        case 'eth_chainId':
          return chainId;
        case 'wallet_switchEthereumChain':
          chainId = (params[0] as { chainId: string }).chainId;
          return null;
        case 'eth_signTypedData_v4': {
          const data = JSON.parse(params[1] as string);
          assert.equal(BigInt(chainId), BigInt(data.domain.chainId), 'wallets refuse other networks');
          delete data.types.EIP712Domain;
          return account.signTypedData(data);
        }
        default:
          throw Object.assign(new Error(method), { code: 4200 });
      }
    },
  };
}

/** Each kind, over the key of a payer of this chain. */
export const SIGNERS: Readonly<Record<string, (account: Payer, chain: Chain) => AnySigner>> = {
  'a key inside': ({ privateKey }) => localSigner(privateKey),
  'a private key as text': ({ privateKey }) => privateKey.slice(2),
  // The library of most wallets' programs: its signTypedData takes its arguments one by one.
  'a wallet of ethers': ({ privateKey }) => new Wallet(privateKey),
  'an account of viem': ({ privateKey }) => privateKeyToAccount(privateKey),
  'a wallet client of viem': ({ privateKey }, { chain, url }) =>
    createWalletClient({ account: privateKeyToAccount(privateKey), chain, transport: http(url) }),
  'a wallet of a page': wallet,
};
