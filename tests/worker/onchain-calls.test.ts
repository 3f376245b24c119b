/** What payments that the chain settles cost the platform: calls of ledger objects and fetches, counted at the isolate. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { encodeFunctionData, type Hex, parseAbi } from 'viem';
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts';

import { challengeOf, credential } from '../support/mpp-wire.ts';
import type { Answer } from './support/raw.ts';
import { TransferNode } from './support/transfers.ts';
import { ASSET, openWorld, PAY_TO, type World } from './support/world.ts';

const ORDINARY = 8;
const ANY = 32;
const UNHURRIED = { settle_secs: 30, resend_secs: [600], chain_secs: [600, 600], refund_secs: 600 };
const ROUTES = [
  { path: '/shown/*', price: '$0.01', hash_mode: true, signed_transactions: true, max_timeout_secs: 200, origin_timeout_secs: 5 },
];
const TRANSFER = parseAbi(['function transfer(address to, uint256 value)']);

describe('calls of a payment that the chain settles', () => {
  let world: World;
  let node: TransferNode;
  const open = (): Promise<World> => openWorld({ probe: true, routes: ROUTES, vars: { RECOVERY: UNHURRIED, RPC_URL: node.url } });
  before(async () => {
    node = await TransferNode.start();
    world = await open();
  });
  after(() => Promise.all([world.stop(), node.stop()]));

  function signed(account: PrivateKeyAccount): Promise<Hex> {
    const data = encodeFunctionData({ abi: TRANSFER, functionName: 'transfer', args: [PAY_TO, 10_000n] });
    node.sender = account.address;
    return account.signTransaction({
      type: 'eip1559',
      chainId: 84532,
      nonce: 0,
      gas: 80_000n,
      maxFeePerGas: 10n,
      maxPriorityFeePerGas: 1n,
      to: ASSET,
      data,
    });
  }

  /** The answer to a credential, and how many calls it took: of objects, of the origin, of the node. */
  async function counted(
    path: string,
    payload: object,
    account: PrivateKeyAccount,
    { gate } = world,
  ): Promise<{ answer: Answer; all: number; repeat: number }> {
    const asked = await gate.raw('GET', path);
    const { description: _, ...challenge } = challengeOf(asked.headers['www-authenticate']);
    const value = credential({ challenge, payload, source: `did:pkh:eip155:84532:${account.address}` });
    const once = async (): Promise<{ answer: Answer; all: number }> => {
      await gate.ledger('ok');
      const answer = await gate.raw('GET', path, [['Authorization', value]]);
      const { calls, fetched } = await gate.ledger();
      return { answer, all: calls + fetched.length };
    };
    const first = await once();
    return { ...first, repeat: (await once()).all };
  }

  it('a signed transaction makes 8, and one more for each look at its receipt that comes too early', async () => {
    for (const [looksInVain, calls] of [
      [0, ORDINARY],
      [1, ORDINARY + 1],
    ] as const) {
      node.looksInVain = looksInVain;
      const account = privateKeyToAccount(generatePrivateKey());
      const payload = { type: 'transaction', signature: await signed(account) };
      const { answer, all, repeat } = await counted(`/shown/signed-${looksInVain}`, payload, account);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(all, calls);
      assert.ok(repeat <= 2, `${repeat} for a repeat`);
    }
  });

  it('a hash makes 7', async () => {
    node.looksInVain = 0;
    const account = privateKeyToAccount(generatePrivateKey());
    const hash = node.take(await signed(account));
    const { answer, all, repeat } = await counted('/shown/hash', { type: 'hash', hash }, account);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(all, 7);
    assert.ok(repeat <= 2, `${repeat} for a repeat`);
  });

  it('one that no block has makes few more, and so does its repeat', async () => {
    node.looksInVain = Infinity;
    const account = privateKeyToAccount(generatePrivateKey());
    const payload = { type: 'transaction', signature: await signed(account) };
    const { answer, all, repeat } = await counted('/shown/waits', payload, account);
    assert.match(answer.text, /settlement_unknown/);
    assert.equal(answer.status, 503);
    // Two claims and the outcome, a look at its prospects, nine at its receipt.
    assert.equal(all, 13);
    assert.ok(repeat <= all && all <= ANY, `${repeat} for a repeat`);
  });

  it('a hash that nobody knows makes six, and leaves a row that answers its repeat with two', async () => {
    const account = privateKeyToAccount(generatePrivateKey());
    // What other cases left open is looked at in the world of those.
    const alone = await open();
    try {
      const { answer, all, repeat } = await counted('/shown/nothing', { type: 'hash', hash: `0x${'5a'.repeat(32)}` }, account, alone);
      assert.match(answer.text, /settlement_unknown/);
      assert.deepEqual([answer.status, all, repeat], [503, 6, 2]);
    } finally {
      await alone.stop();
    }
  });

  it('who shows what is worth nothing is looked at again and again, with one question each', async () => {
    node.isPoor = true;
    const prospects = (): number => node.batches.filter((batch) => batch.includes('eth_getBalance')).length;
    const before = prospects();
    const network = ['CF-Connecting-IP', '198.51.100.7'] as const;
    const codes: string[] = [];
    for (let tries = 0; tries < 12; tries += 1) {
      const account = privateKeyToAccount(generatePrivateKey());
      const asked = await world.gate.raw('GET', '/shown/junk', [network]);
      const { description: _, ...challenge } = challengeOf(asked.headers['www-authenticate']);
      const value = credential({ challenge, payload: { type: 'transaction', signature: await signed(account) } });
      const answer = await world.gate.raw('GET', '/shown/junk', [network, ['Authorization', value]]);
      codes.push(String((JSON.parse(answer.text) as { code: string }).code));
    }
    node.isPoor = false;
    assert.deepEqual(codes, Array<string>(12).fill('verify_refused'), 'it may share its address with honest payers');
    assert.equal(prospects() - before, 12);
  });
});
