/** Somebody without a channel at a gate that sells by session: made-up channels cost a bounded number of objects and calls, and another's channel goes on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { type Hex, hashTypedData } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { BATCH_SETTLEMENT } from '../../demo/chain.mjs';
import { startSessionsWorld, UNIT } from '../../demo/sessions-world.mjs';
import type { Random } from '../pkg/random.ts';
import type { Shape } from '../support/hostile/mutate.ts';
import { type Attacked, attack } from '../support/hostile/stranger.ts';
import { sharedWorld } from '../support/suite.ts';

const LIMIT = { timeout: 300_000 };
const REQUESTS = 1_000;
const CHANNELS = 200;
const NETWORKS = 40;
/** Calls of a network that may be refused before it has one in six seconds, and those with which it may begin. */
const REFUSALS = 20;
const AT_ONCE = 16;
const SECS_OF_REFUSAL = 6;
/** Objects of the gate's ledger, and the bytes of an object that has no rows. */
const LEDGER = 17;
const OBJECT_BYTES = 80 * 1024;

const world = sharedWorld(startSessionsWorld);

//
test('a stranger makes up channels, and speaks in the name of one that there is', LIMIT, async (t) => {
  const payer = world.chain.accounts.payers[0] ?? assert.fail();
  const scheme = new BatchSettlementEvmScheme({ ...payer, readContract: world.chain.publicClient.readContract } as never, {
    depositStrategy: () => 200n * UNIT,
  });
  let shown: any;
  const pay = wrapFetchWithPaymentFromConfig(
    (input, init) => {
      const payment = new Request(input, init).headers.get('payment-signature');
      if (payment !== null) shown = JSON.parse(Buffer.from(payment, 'base64').toString('utf8'));
      return fetch(input, init);
    },
    { schemes: [{ network: 'eip155:*', client: scheme }] },
  );
  for (let turn = 0; turn < 2; turn += 1) assert.equal((await pay(world.url)).status, 200);

  /** The same message about another channel, or signed by nobody. */
  const changed = (random: Random, change: (payload: any) => void): Shape => {
    const message = structuredClone(shown);
    change(message.payload);
    message.payload.voucher.signature = `0x${random.bytes(64).toString('hex')}1b`;
    return shapeOf(message);
  };
  const id = (random: Random): string => `0x${random.bytes(32).toString('hex')}`;
  const attacked: Attacked = {
    worker: 'gate',
    url: world.gate.url,
    names: [shown.payload.voucher.channelId],
    secrets: new Map([
      ["the operator's token", world.secrets.OPERATOR_TOKEN],
      ['the secret of the origin', world.secrets.ORIGIN_SECRET],
    ]),
    shapes: [
      (random) => shapeOf(random.pick(made)),
      (random) => shapeOf(random.pick(made)),
      (random) => shapeOf(random.pick(made)),
      (random) =>
        changed(random, (payload) => {
          payload.channelConfig.salt = id(random);
          payload.voucher.channelId = id(random);
        }),
      (random) =>
        changed(random, (payload) => {
          payload.channelConfig.payer = `0x${random.bytes(20).toString('hex')}`;
          payload.channelConfig.payerAuthorizer = payload.channelConfig.payer;
        }),
      (random) => changed(random, () => {}),
      (random) =>
        changed(random, (payload) => {
          payload.type = 'refund';
        }),
      (random) =>
        changed(random, (payload) => {
          payload.voucher.maxClaimableAmount = String(200n * UNIT);
        }),
    ],
  };
  const made = await Promise.all(Array.from({ length: CHANNELS }, () => madeUp(shown)));
  const had = await world.gate.stored();
  const before = { facilitator: world.switches.facilitator.counts.seen, node: world.switches.node.counts.seen, at: performance.now() };
  let turns = 0;
  const buying = (async () => {
    for (; turns < 10; turns += 1) assert.equal((await pay(world.url)).status, 200);
  })();
  const { asked, statuses } = await attack(1, [attacked], REQUESTS, buying);
  const now = await world.gate.stored();
  const secs = Math.ceil((performance.now() - before.at) / 1_000);
  const calls = {
    facilitator: world.switches.facilitator.counts.seen - before.facilitator,
    node: world.switches.node.counts.seen - before.node,
  };
  t.diagnostic(
    `${asked} requests in ${secs} s: ${statuses}; left ${now.objects - had.objects} objects, ${now.bytes - had.bytes} bytes; calls ${JSON.stringify(calls)}`,
  );
  assert.equal(turns, 10);
  const most = NETWORKS * (REFUSALS + AT_ONCE + secs / SECS_OF_REFUSAL);
  assert.ok(calls.facilitator + calls.node <= most, JSON.stringify(calls));
  assert.ok(
    now.objects - had.objects <= most + LEDGER && now.bytes - had.bytes <= (most + LEDGER) * OBJECT_BYTES,
    `${now.objects} objects, ${now.bytes} bytes`,
  );
});

const shapeOf = (message: unknown): Shape => ({
  method: 'GET',
  path: new URL(world.url).pathname,
  headers: { 'payment-signature': Buffer.from(JSON.stringify(message)).toString('base64') },
});

/** The same message of a new wallet, about a channel that it did not open. */
async function madeUp(shown: any): Promise<unknown> {
  const message = structuredClone(shown);
  const account = privateKeyToAccount(generatePrivateKey());
  const typed = (all: readonly string[]) => all.map((field) => ({ name: field.split(' ')[1] ?? '', type: field.split(' ')[0] ?? '' }));
  const domain = { name: 'x402 Batch Settlement', version: '1', chainId: world.chain.chain.id, verifyingContract: BATCH_SETTLEMENT as Hex };
  const types = {
    ChannelConfig: typed([
      'address payer',
      'address payerAuthorizer',
      'address receiver',
      'address receiverAuthorizer',
      'address token',
      'uint40 withdrawDelay',
      'bytes32 salt',
    ]),
    Voucher: typed(['bytes32 channelId', 'uint128 maxClaimableAmount']),
  };
  const { channelConfig, voucher } = message.payload;
  [channelConfig.payer, channelConfig.payerAuthorizer] = [account.address, account.address];
  voucher.channelId = hashTypedData({ domain, types, primaryType: 'ChannelConfig', message: channelConfig } as never);
  voucher.signature = await account.signTypedData({
    domain,
    types,
    primaryType: 'Voucher',
    message: { channelId: voucher.channelId, maxClaimableAmount: BigInt(voucher.maxClaimableAmount) },
  });
  return message;
}
