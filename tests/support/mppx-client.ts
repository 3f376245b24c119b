// The published client of MPP, as its documentation sets it up, and the strictest reading of a challenge that its code has.

import { Challenge, Expires, Receipt } from 'mppx';
import { evm, Mppx } from 'mppx/client';
import { Types } from 'mppx/evm';
import type { PrivateKeyAccount } from 'viem';

/** `fetch` that pays charges of method evm up to 0.05 USDC on Base Sepolia, and nothing else. */
export function mppxFetch(base: typeof fetch, account: PrivateKeyAccount): typeof fetch {
  const client = Mppx.create({
    polyfill: false,
    fetch: base,
    methods: [evm({ account, networks: [evm.chains.baseSepolia], currencies: [evm.assets.baseSepolia.USDC], maxAmount: '0.05' })],
  });
  return client.fetch as typeof fetch;
}

/**
 * Reads all challenges of an answer; throws if one of them is not what the reference expects of an evm charge.
 *
 * Its whole list fails with one bad member, and so does this.
 */
export function strictlyRead(response: Response): { challenge: Challenge.Challenge; request: unknown }[] {
  return Challenge.fromResponseList(response).map((challenge) => {
    if (challenge.expires === undefined) throw new Error('the challenge has no expires');
    Expires.assert(challenge.expires, challenge.id);
    const request = Types.ChargeRequestSchema.parse(challenge.request);
    if (!request.methodDetails.credentialTypes?.includes('authorization')) throw new Error('authorization is not accepted');
    return { challenge, request };
  });
}

/** The receipt of an answer, by the reference's own schema. */
export function receiptOf(response: Response): Receipt.Receipt {
  return Receipt.fromResponse(response);
}
