// Somebody who pays a challenge of MPP with an EIP-3009 authorization, well or badly, signed by viem.

import type { Hex, PrivateKeyAccount } from 'viem';

import { type Challenge, type ChargeRequest, credential, FRAMINGS, type Framing, type JsonObject, requestOf } from './mpp-wire.ts';

/** What signs: an account of viem. */
export type Signer = Pick<PrivateKeyAccount, 'address' | 'signTypedData'>;

/** The EIP-712 name and version of the token; a challenge does not say them, a payer has them pinned. */
export type TokenDomain = { readonly name: string; readonly version: string };

/** USDC as it is on Base Sepolia. */
export const USDC_DOMAIN: TokenDomain = { name: 'USDC', version: '2' };

export type Authorization = { from: string; to: string; value: string; validAfter: string; validBefore: string; nonce: string };

export type Deviations = {
  /** Members of the authorization to change before signing. */
  readonly signed?: Partial<Authorization>;
  /** Changes the finished credential before it is encoded. */
  readonly tamper?: (message: CredentialMessage) => void;
  readonly domain?: TokenDomain;
  /** How the nonce is made of the challenge ['joined']. */
  readonly framing?: Framing;
  /** The payer's name for himself [did:pkh of the signer]; null leaves it out. */
  readonly source?: string | null;
};

export type CredentialMessage = { challenge: JsonObject; payload: JsonObject; source?: string };

export type MppPayment = {
  /** `Payment …`. */
  readonly value: string;
  readonly message: CredentialMessage;
  readonly challenge: Challenge;
  readonly payer: Hex;
  readonly nonce: Hex;
  readonly authorization: Authorization;
  readonly signature: Hex;
};

export const TRANSFER_TYPES = {
  TransferWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
} as const;

/** Answers a challenge as the reference does: nonce bound to the challenge, valid until it expires. */
export async function payMpp(signer: Signer, challenge: Challenge, deviations: Deviations = {}): Promise<MppPayment> {
  const request = requestOf(challenge);
  const authorization: Authorization = {
    from: signer.address,
    to: request.recipient,
    value: request.amount,
    validAfter: '0',
    validBefore: String(Math.floor(Date.parse(challenge.expires ?? '') / 1000)),
    nonce: FRAMINGS[deviations.framing ?? 'joined'](challenge),
    ...deviations.signed,
  };
  const signature = await signTransfer(signer, authorization, request, deviations.domain);
  const source = deviations.source === undefined ? sourceOf(signer, request) : deviations.source;
  const message: CredentialMessage = {
    challenge: { ...challenge },
    payload: { type: 'authorization', ...authorization, signature },
    ...(source === null ? {} : { source }),
  };
  deviations.tamper?.(message);
  return {
    value: credential(message),
    message,
    challenge,
    payer: signer.address,
    nonce: authorization.nonce as Hex,
    authorization,
    signature,
  };
}

/** The same authorization as an x402 v2 payment for the first terms of a 402. */
export function asX402(
  payment: Pick<MppPayment, 'authorization' | 'signature'>,
  required: { readonly accepts: readonly object[]; readonly resource: object },
): string {
  const { authorization, signature } = payment;
  const message = { x402Version: 2, payload: { signature, authorization }, resource: required.resource, accepted: required.accepts[0] };
  return Buffer.from(JSON.stringify(message)).toString('base64');
}

export function sourceOf({ address }: Pick<Signer, 'address'>, request: ChargeRequest): string {
  return `did:pkh:eip155:${request.methodDetails.chainId}:${address}`;
}

export function signTransfer(
  signer: Pick<Signer, 'signTypedData'>,
  authorization: Authorization,
  request: ChargeRequest,
  domain: TokenDomain = USDC_DOMAIN,
): Promise<Hex> {
  return signer.signTypedData({
    domain: { ...domain, chainId: request.methodDetails.chainId, verifyingContract: request.currency },
    types: TRANSFER_TYPES,
    primaryType: 'TransferWithAuthorization',
    message: {
      from: authorization.from as Hex,
      to: authorization.to as Hex,
      value: BigInt(authorization.value),
      validAfter: BigInt(authorization.validAfter),
      validBefore: BigInt(authorization.validBefore),
      nonce: authorization.nonce as Hex,
    },
  });
}
