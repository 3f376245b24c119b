/** Who signs: a key inside the compiled part, anything with viem's `signTypedData`, or a wallet of a page (EIP-1193). */
import { LocalKey } from '#wasm';
import { FareboxError, told } from './error.js';
/** A key in 0x and 64 hex digits; it is taken over by the compiled part, signs there and is never handed back. */
export function localSigner(privateKey) {
    return held(told(() => LocalKey.fromHex(privateKey)));
}
/** A new key that exists only in the compiled part, gone with it. */
export function generatedSigner() {
    return held(told(() => LocalKey.generate()));
}
function held(key) {
    return {
        address: async () => key.address,
        sign: async (typedData) => told(() => key.signTypedData(JSON.stringify(typedData))),
        /** Overwrites the key. */
        forget: () => key.free(),
    };
}
/** A wallet of a page: asks for the account once, switches the network when it has to, tells a rejection apart. */
export function walletSigner(provider, options = {}) {
    let account;
    const ask = async (method, params) => {
        try {
            return await provider.request(params === undefined ? { method } : { method, params });
        }
        catch (error) {
            throw walletError(error, method);
        }
    };
    const address = () => {
        account ??= options.address === undefined
            ? ask('eth_requestAccounts').then((accounts) => {
                const first = Array.isArray(accounts) ? accounts[0] : undefined;
                if (typeof first !== 'string')
                    throw walletError(undefined, 'eth_requestAccounts');
                return first;
            })
            : Promise.resolve(options.address);
        // Who said no may be asked again.
        account.catch(() => { account = undefined; });
        return account;
    };
    return {
        address,
        sign: async (typedData) => {
            const from = await address();
            const wanted = `0x${Number(typedData.domain['chainId']).toString(16)}`;
            const current = await ask('eth_chainId');
            // Wallets refuse typed data of another network than the one they show.
            if (typeof current !== 'string' || BigInt(current) !== BigInt(wanted)) {
                await ask('wallet_switchEthereumChain', [{ chainId: wanted }]);
            }
            const signature = await ask('eth_signTypedData_v4', [from, JSON.stringify(typedData)]);
            if (typeof signature !== 'string')
                throw walletError(undefined, 'eth_signTypedData_v4');
            return signature;
        },
    };
}
/** Anything with viem's `signTypedData`. */
export function viemSigner(account) {
    const address = account.address ?? account.account?.address;
    if (address === undefined) {
        throw new FareboxError({
            code: 'invalid_signer',
            message: 'the signer has signTypedData but no address',
            remedy: 'give an account with an address, or a wallet client with an account',
        });
    }
    return {
        address: async () => address,
        sign: async ({ domain, types, primaryType, message }) => {
            const { EIP712Domain: _, ...own } = types;
            const fields = types[primaryType] ?? [];
            const numbers = new Set(fields.filter(({ type }) => type.startsWith('uint')).map(({ name }) => name));
            const values = Object.fromEntries(Object.entries(message).map(([name, value]) => [name, numbers.has(name) ? BigInt(value) : value]));
            const client = account.address === undefined ? { account: account.account } : {};
            const parameters = { ...client, domain, types: own, primaryType, message: values };
            try {
                return await account.signTypedData(parameters);
            }
            catch (error) {
                throw walletError(error, 'signTypedData');
            }
        },
    };
}
/** Whatever was given, as a {@link Signer}. */
export function asSigner(signer) {
    if ('sign' in signer && typeof signer.sign === 'function' && typeof signer.address === 'function')
        return signer;
    if ('signTypedData' in signer)
        return viemSigner(signer);
    if ('request' in signer)
        return walletSigner(signer);
    throw new FareboxError({
        code: 'invalid_signer',
        message: 'the signer has neither signTypedData nor request',
        remedy: 'give localSigner(key), an account of viem, or a wallet that follows EIP-1193',
    });
}
function walletError(error, method) {
    const code = error?.code;
    // Spec: EIP-1193 "Provider Errors"; viem names the same by its class.
    if (code === 4001 || code === 'ACTION_REJECTED' || error?.name === 'UserRejectedRequestError') {
        return new FareboxError({
            code: 'wallet_rejected',
            message: 'the wallet\'s owner said no',
            remedy: 'ask again only when the owner wants to',
        }, error);
    }
    if (code === 4902) {
        return new FareboxError({
            code: 'wallet_network_missing',
            message: 'the wallet does not know the network of the payment',
            remedy: 'add the network to the wallet',
        }, error);
    }
    return new FareboxError({
        code: 'wallet_failed',
        message: `the wallet did not answer ${method} as expected`,
        remedy: 'look at error.cause, which is what the wallet said',
    }, error);
}
