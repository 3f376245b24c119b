/** Typed data of EIP-712 with `EIP712Domain` among the types and numbers as text. */
export type TypedData = {
    readonly domain: {
        readonly [name: string]: string | number;
    };
    readonly types: {
        readonly [name: string]: readonly {
            readonly name: string;
            readonly type: string;
        }[];
    };
    readonly primaryType: string;
    readonly message: {
        readonly [name: string]: string;
    };
};
/** What the package needs of a signer. */
export type Signer = {
    address(): Promise<string>;
    sign(typedData: TypedData): Promise<string>;
};
/** viem's local accounts and wallet clients, and whatever has the same method. */
export type ViemSigner = {
    readonly address?: string;
    readonly account?: {
        readonly address: string;
    } | undefined;
    signTypedData(parameters: never): Promise<string>;
};
/** A wallet of a page. Spec: EIP-1193. */
export type Eip1193Provider = {
    request(call: {
        method: string;
        params?: readonly unknown[];
    }): Promise<unknown>;
};
export type AnySigner = Signer | ViemSigner | Eip1193Provider;
/** A key in 0x and 64 hex digits; it is taken over by the compiled part, signs there and is never handed back. */
export declare function localSigner(privateKey: string): Signer & {
    forget(): void;
};
/** A new key that exists only in the compiled part, gone with it. */
export declare function generatedSigner(): Signer & {
    forget(): void;
};
/** A wallet of a page: asks for the account once, switches the network when it has to, tells a rejection apart. */
export declare function walletSigner(provider: Eip1193Provider, options?: {
    address?: string;
}): Signer;
/** Anything with viem's `signTypedData`. */
export declare function viemSigner(account: ViemSigner): Signer;
/** Whatever was given, as a {@link Signer}. */
export declare function asSigner(signer: AnySigner): Signer;
