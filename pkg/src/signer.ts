/**
 * Signers: a key inside the compiled part, anything with viem's `signTypedData`, or a page's wallet
 * (EIP-1193).
 */
import { LocalKey } from '#wasm';

import { FareboxError, given, memberOf, told, unusable } from './error.js';
import { askPerson } from './person.js';

/** Typed data of EIP-712 with `EIP712Domain` among the types and numbers as text. */
export type TypedData = {
  readonly domain: { readonly [name: string]: string | number };
  readonly types: { readonly [name: string]: readonly { readonly name: string; readonly type: string }[] };
  readonly primaryType: string;
  readonly message: { readonly [name: string]: string };
};

/** The part of a signer that the package needs. */
export type Signer = {
  /** The address, if it is known without asking anyone. */
  readonly known?: string;
  address(): Promise<string>;
  /** An abort before the wallet signs ends it; a signer that asks no one may ignore it. */
  sign(typedData: TypedData, signal?: AbortSignal | null): Promise<string>;
};

/** viem's local accounts and wallet clients, and any object with the same method. */
export type ViemSigner = {
  readonly address?: string;
  readonly account?: { readonly address: string } | undefined;
  // The shape of viem's parameters, which its own types make generic.
  signTypedData(parameters: never): Promise<string>;
};

/** A wallet of ethers, version 6. */
export type EthersSigner = {
  getAddress(): Promise<string>;
  // The types of ethers' own parameters belong to ethers.
  signTypedData(domain: never, types: never, message: never): Promise<string>;
};

/** A wallet of a page. Spec: EIP-1193. */
export type Eip1193Provider = { request(call: { method: string; params?: readonly unknown[] }): Promise<unknown> };

/** The kinds of signer; a text is a private key, and passed to {@link localSigner}. */
export type AnySigner = string | Signer | ViemSigner | EthersSigner | Eip1193Provider;

/**
 * A key of 64 hex digits, with 0x or without; it moves into the compiled part, signs there and is
 * never returned. The type takes `undefined` so that an environment variable can be passed; an
 * unset one is the error `invalid_key`.
 */
export function localSigner(privateKey: string | undefined): Signer & { forget(): void } {
  if (typeof privateKey !== 'string')
    throw unusable(
      'invalid_key',
      'the private key is not set, or is not text',
      'pass 0x and 64 hex digits; if it is an environment variable, set it',
    );
  const key = privateKey.trim();
  return held(told(() => LocalKey.fromHex(BARE_KEY.test(key) ? `0x${key}` : key)));
}

/** A key as some tools write it. */
const BARE_KEY = /^[0-9a-f]{64}$/i;

/** A new key that exists only in the compiled part, and ends with it. */
export function generatedSigner(): Signer & { forget(): void } {
  return held(told(() => LocalKey.generate()));
}

function held(key: LocalKey): Signer & { forget(): void } {
  return {
    known: key.address,
    address: async () => key.address,
    sign: async (typedData) =>
      given('sign', () => {
        const text: unknown = JSON.stringify(typedData);
        return told(() => key.signTypedData(typeof text === 'string' ? text : ''));
      }),
    /** Overwrites the key. */
    forget: () => key.free(),
  };
}

/**
 * A wallet of a page: asks for the account once, switches the network if necessary, and recognizes
 * a rejection.
 */
export function walletSigner(provider: Eip1193Provider, options: { address?: string } = {}): Signer {
  const own = memberOf(options, 'address') ?? undefined;
  if (typeof memberOf(provider, 'request') !== 'function' || (own !== undefined && !isAddress(own)))
    throw noSigner('the wallet has no request method, or its address is not text');
  let account: Promise<string> | undefined;
  const ask = async (method: string, params?: readonly unknown[]): Promise<unknown> => {
    try {
      return await provider.request(params === undefined ? { method } : { method, params });
    } catch (error) {
      throw walletError(error, method);
    }
  };
  const address = (): Promise<string> => {
    account ??=
      own === undefined
        ? ask('eth_requestAccounts').then((accounts) => {
            const first = Array.isArray(accounts) ? (accounts[0] as unknown) : undefined;
            if (typeof first !== 'string') throw walletError(undefined, 'eth_requestAccounts');
            return first;
          })
        : Promise.resolve(own);
    // A user who refused may be asked again.
    account.catch(() => {
      account = undefined;
    });
    return account;
  };
  return {
    address,
    sign: async (typedData, signal) => {
      const from = await askPerson(signal, address);
      const { chainId } = typedData.domain;
      // Wallets refuse typed data of a network other than the selected one.
      if (chainId !== undefined && Number(await ask('eth_chainId')) !== Number(chainId)) {
        const wanted = `0x${Number(chainId).toString(16)}`;
        await askPerson(signal, () => ask('wallet_switchEthereumChain', [{ chainId: wanted }]));
      }
      const signature = await ask('eth_signTypedData_v4', [from, JSON.stringify(typedData)]);
      if (typeof signature !== 'string') throw walletError(undefined, 'eth_signTypedData_v4');
      return signature;
    },
  };
}

/** Anything with viem's `signTypedData`. */
export function viemSigner(account: ViemSigner): Signer {
  if (typeof memberOf(account, 'signTypedData') !== 'function') throw noSigner();
  const own = memberOf(account, 'address');
  const address = own ?? memberOf(memberOf(account, 'account'), 'address');
  if (!isAddress(address)) {
    throw unusable(
      'invalid_signer',
      'the signer has signTypedData but no address',
      'pass an account with an address, or a wallet client with an account',
    );
  }
  return {
    known: address,
    address: async () => address,
    sign: async ({ domain, types, primaryType, message }) => {
      const { EIP712Domain: _, ...rest } = types;
      const client = own === undefined ? { account: account.account } : {};
      const parameters = { ...client, domain, types: rest, primaryType, message: withNumbers(types[primaryType], message) };
      try {
        return await account.signTypedData(parameters as never);
      } catch (error) {
        throw walletError(error, 'signTypedData');
      }
    },
  };
}

/** A wallet of ethers: its `signTypedData` takes domain, types and message one by one. */
function ethersSigner(wallet: EthersSigner): Signer {
  return {
    address: async () => {
      try {
        return await wallet.getAddress();
      } catch (error) {
        throw walletError(error, 'getAddress');
      }
    },
    sign: async ({ domain, types, primaryType, message }) => {
      const { EIP712Domain: _, ...rest } = types;
      try {
        return await wallet.signTypedData(domain as never, rest as never, withNumbers(types[primaryType], message) as never);
      } catch (error) {
        throw walletError(error, 'signTypedData');
      }
    },
  };
}

/** A message with its numbers as `bigint`, which wallets' libraries expect. */
function withNumbers(fields: TypedData['types'][string] = [], message: TypedData['message']): Record<string, string | bigint> {
  const numbers = new Set(fields.filter(({ type }) => type.startsWith('uint')).map(({ name }) => name));
  return Object.fromEntries(Object.entries(message).map(([name, value]) => [name, numbers.has(name) ? BigInt(value) : value]));
}

/** Any accepted signer, as a {@link Signer}. */
export function asSigner(signer: AnySigner | undefined): Signer {
  if (signer === undefined || signer === null) throw noSigner('there is no signer: it is not set');
  if (typeof signer === 'string') return localSigner(signer);
  const has = (name: string): boolean => typeof memberOf(signer, name) === 'function';
  if (has('sign') && has('address')) return signer as Signer;
  if (has('signTypedData')) return has('getAddress') ? ethersSigner(signer as EthersSigner) : viemSigner(signer as ViemSigner);
  if (has('request')) return walletSigner(signer as Eip1193Provider);
  throw noSigner();
}

/** The signer's address; a value that is not text never reaches the compiled part. */
export async function addressOf(signer: Signer): Promise<string> {
  const address: unknown = await signer.address();
  if (!isAddress(address)) throw unusable('invalid_signer', "the signer's address is not an address");
  return address;
}

function noSigner(message = 'the signer has neither signTypedData nor request'): FareboxError {
  return unusable('invalid_signer', message, 'pass a private key, a viem account, an ethers wallet, or an EIP-1193 wallet');
}

/** Accepts only text; the compiled part decides whether it is an address. */
function isAddress(value: unknown): value is string {
  return typeof value === 'string';
}

function walletError(error: unknown, method: string): FareboxError {
  const code = memberOf(error, 'code');
  // Spec: EIP-1193 "Provider Errors"; viem names the same by its class.
  if (code === 4001 || code === 'ACTION_REJECTED' || memberOf(error, 'name') === 'UserRejectedRequestError') {
    return new FareboxError(
      { code: 'wallet_rejected', message: 'the user rejected the request in the wallet', remedy: 'ask again only if the user wants to' },
      error,
    );
  }
  if (code === 4902) {
    return new FareboxError(
      {
        code: 'wallet_network_missing',
        message: 'the wallet does not know the network of the payment',
        remedy: 'add the network to the wallet',
      },
      error,
    );
  }
  return new FareboxError(
    {
      code: 'wallet_failed',
      message: `the wallet did not answer ${method} as expected`,
      remedy: "read error.cause, which is the wallet's own error",
    },
    error,
  );
}
