/** A world for the acceptance cases of the exchange, and what they have in common. */

import assert from 'node:assert/strict';
import { after, before } from 'node:test';

import { encodeFunctionData } from 'viem';

import {
  type ExchangeWorld,
  LIVE,
  type OnlineSeller,
  signedPayment,
  standardProfiles,
  startExchangeWorld,
  type Wallet,
} from '../../../demo/exchange-world.mjs';

export const LIMIT = { timeout: 120_000 };
export const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
export const HEX_64 = /^[0-9a-f]{64}$/;
let count = 0;
export const fresh = (name: string): string => `${name}-${(count += 1)}`;

export let world: ExchangeWorld;
export let profiles: ReturnType<typeof standardProfiles>;
before(async () => {
  world = await startExchangeWorld({
    profiles: (wallets) => {
      profiles = standardProfiles(wallets);
      return profiles;
    },
  });
}, LIMIT);
after(() => world?.stop());

export const codeOf = ({ status, json }: { status: number; json: any }): [number, string] => {
  assert.equal(typeof json?.error, 'string', JSON.stringify(json));
  return [status, json.code];
};
export const verify = (
  quote: any,
  buyer: Wallet | { address: string },
  given: { prompt?: string; payment?: string; tx?: unknown; capability: string; profile?: string },
) =>
  world.ask('POST', '/api/v1/jobs/verify', {
    body: {
      fingerprint: quote.fingerprint,
      ...(given.tx === undefined ? {} : { tx_hash: given.tx }),
      payload: {
        buyer_id: buyer.address,
        capability: given.capability,
        prompt: given.prompt ?? 'hello',
        network_profile: given.profile ?? LIVE,
      },
    },
    headers: given.payment === undefined ? {} : { 'x-payment': given.payment },
  });
/** A seller, a buyer and a quote between them. */
export const quoted = async () => {
  const capability = fresh('task');
  const [seller, buyer] = [await world.seller({ capability }), await world.wallet()];
  const quote = await world.quote(buyer, 'hello', { capability });
  assert.equal(quote.status, 402, quote.text);
  return { capability, seller, buyer, quote: quote.json };
};
export const paid = async () => {
  const it = await quoted();
  const answer = await verify(it.quote, it.buyer, { capability: it.capability, payment: await signedPayment(world, it.buyer, it.quote) });
  assert.equal(answer.status, 200, answer.text);
  return { ...it, job: answer.json };
};
export const unknown = async (): Promise<OnlineSeller> => ({
  wallet: await world.wallet(),
  agent: fresh('agent'),
  profile: LIVE,
  token: '',
});
export const beat = (seller: OnlineSeller) => world.call(seller, 'sellers/heartbeat');

/** Sends tokens by a transaction of the wallet's own. */
export async function transfer(from: Wallet, to: `0x${string}`, amount: bigint): Promise<`0x${string}`> {
  assert.match(to, ADDRESS);
  const { chain } = world;
  await chain.rpc('anvil_setBalance', [from.address, '0xde0b6b3a7640000']);
  await chain.rpc('anvil_impersonateAccount', [from.address]);
  const data = encodeFunctionData({ abi: chain.token.abi, functionName: 'transfer', args: [to, amount] });
  const hash = (await chain.rpc('eth_sendTransaction', [{ from: from.address, to: chain.token.address, data }])) as `0x${string}`;
  await chain.publicClient.waitForTransactionReceipt({ hash });
  return hash;
}
