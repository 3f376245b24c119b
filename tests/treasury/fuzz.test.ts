/** Thousands of requests to a treasury that are almost right: each is answered, none tells a secret or leaves more than a bound, and an agent buys as before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LIMIT, MOST_BYTES, play, REQUESTS } from '../support/hostile/play.ts';
import { sharedWorld } from '../support/suite.ts';
import { buy, clientOf, during, startTreasuryWorld } from './buyers.ts';
import { requestsOf, TO, VERSION } from './support/requests.ts';

const LOOKUP = 'lookup-token-of-the-fuzz-0123456789abcdef';
const PAYOUTS = 'payout-token-of-the-fuzz-0123456789abcdef';
const world = sharedWorld(() =>
  startTreasuryWorld({
    stock: false,
    organizations: ({ scripted }) => [
      { name: 'honest', policy: { allowedOrigins: [scripted.url], perMonth: { USDC: '5.00' } }, agents: [{ name: 'buyer' }] },
      {
        name: 'rogues',
        policy: { allowedOrigins: [scripted.url], perMonth: { USDC: '0.50' }, payoutsPerDay: { USDC: '0.05' } },
        agents: [{ name: 'rogue' }, { name: 'other' }],
      },
    ],
    vars: { LOOKUP_TOKEN: LOOKUP, PAYOUT: PAYOUTS, PAYOUT_TOKENS: [{ organization: 'rogues', wallet: 'own-1', secret: 'PAYOUT' }] },
  }),
);

// I-21
test(`a treasury answers ${REQUESTS} requests that are almost right`, LIMIT, async (t) => {
  const { url } = world.treasury;
  const exchange = async (organization: string, agent: string): Promise<string> => {
    const answer = await fetch(`${url}/api/sdk/runtime-tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${world.keyOf(organization, agent)}`, ...VERSION },
    });
    return ((await answer.json()) as { token: string }).token;
  };
  const [victim, rogue] = [await exchange('honest', 'buyer'), await exchange('rogues', 'rogue')];
  const link = async (organization: string): Promise<string> => {
    const { status, json, text } = await world.operate('POST', 'v6/pay/a2a/payment/create', {
      organization,
      type: 'charge',
      network: 'eip155:84532',
      symbol: 'USDC',
      recipient: TO,
      amount: '0.01',
      expiresIn: 3_600,
    });
    assert.equal(status, 201, text);
    return json.data.paymentId;
  };
  const links = [await link('rogues'), await link('honest')] as const;
  const bought = await buy(clientOf(world, 'honest', 'buyer'), `${world.merchants.scripted.url}/honest/seen`, undefined, {
    idempotencyKey: 'of-the-victim',
  });
  const receipt = String(bought.receipt?.receiptId);

  await play(t, {
    worker: 'treasury',
    urls: [url],
    shapes: requestsOf({
      organization: 'rogues',
      agent: 'rogue',
      merchant: world.merchants.scripted.url,
      wallet: 'own-1',
      receipt,
      links,
      tokens: { agent: rogue, key: world.keyOf('rogues', 'rogue'), lookup: LOOKUP, payouts: PAYOUTS, operator: world.operatorToken },
    }),
    names: {
      foreign: [links[1], receipt, String(bought.paidRequestId), 'honest', 'buyer', 'nowhere', 'of-the-victim'],
      tokens: [rogue, LOOKUP, PAYOUTS, 'fbt_rogues_x_0123456789abcdef0123456789abcdef'],
    },
    secrets: new Map([
      ["the operator's token", world.operatorToken],
      ['the token of look-ups', LOOKUP],
      ['the token of payouts', PAYOUTS],
      ["another agent's token", victim],
      ["another agent's key", world.keyOf('honest', 'buyer')],
      ["a wallet's key", world.chain.accounts.payer.privateKey.slice(2)],
      ["the rogues' wallet's key", (world.chain.accounts.payers[1]?.privateKey ?? '0x-').slice(2)],
    ]),
    pages: [`${url}/.well-known/farebox-keys.json`],
    stored: () => world.treasury.stored(),
    most: { objects: 20, bytes: MOST_BYTES },
    honest: async (when) => {
      const { result, paid, count } = await during(world, () =>
        buy(clientOf(world, 'honest', 'buyer'), `${world.merchants.scripted.url}/honest/${when}`),
      );
      assert.deepEqual([result.kind, paid, count], ['success', 10_000n, 1], result.reason);
    },
  });
});
