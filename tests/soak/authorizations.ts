/** What a chain says of authorizations, however long it has become. */
import { type Hex, parseAbiItem } from 'viem';

import type { Chain } from '../../demo/chain.mjs';

/** Blocks that are read at once: an answer has at most 10 MB. */
const BLOCKS = 1_000n;

/** The nonces of all authorizations that were used, in lower case; of one payer, if it is said. */
export async function usedNonces({ publicClient, token }: Chain, authorizer?: Hex): Promise<readonly string[]> {
  const nonces: string[] = [];
  const last = await publicClient.getBlockNumber();
  for (let fromBlock = 0n; fromBlock <= last; fromBlock += BLOCKS) {
    const used = await publicClient.getLogs({
      address: token.address,
      event: parseAbiItem('event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce)'),
      ...(authorizer === undefined ? {} : { args: { authorizer } }),
      fromBlock,
      toBlock: fromBlock + BLOCKS - 1n,
      strict: true,
    });
    nonces.push(...used.map(({ args }) => args.nonce.toLowerCase()));
  }
  return nonces;
}
