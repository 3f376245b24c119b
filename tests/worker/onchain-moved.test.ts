/** Money that has moved for a challenge, shown to a gate whose operator has changed everything since: it is served, or owed. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { encodeFunctionData, type Hex, keccak256, parseAbi } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { challengeOf, credential } from '../support/mpp-wire.ts';
import { Pricer } from './support/pricer.ts';
import type { Answer } from './support/raw.ts';
import { TransferNode } from './support/transfers.ts';
import { ASSET, eventually, expectProblem, openWorld, PAY_TO, QUICK, type World } from './support/world.ts';

const OTHER = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const TRANSFER = parseAbi(['function transfer(address to, uint256 value)']);
const taking = { price: '$0.01', hash_mode: true, origin_timeout_secs: 2 };
const EARLIER = [
  ...['dearer', 'payee', 'taken', 'later', 'gone', 'nameless'].map((name) => ({ path: `/${name}/*`, ...taking })),
  { path: '/quoted/*', ...taking, price: { from: 'PRICER', max: '$1.00' } },
];
const LATER = [
  { path: '/dearer/*', ...taking, price: '$0.02' },
  { path: '/payee/*', ...taking, pay_to: OTHER },
  { path: '/taken/*', ...taking, hash_mode: false, protocols: ['x402'] },
  { path: '/later/*', ...taking, price: '$0.02' },
  { path: '/nameless/*', ...taking, price: '$0.02' },
  { path: '/quoted/*', ...taking, price: { from: 'PRICER', max: '$1.00' } },
];

describe('a transaction that was sent before everything changed', () => {
  let world: World;
  let node: TransferNode;
  let pricer: Pricer;
  const shown = new Map<string, () => Promise<Answer>>();

  /** Gets a challenge, sends what it asks, and shows nothing so far; the node hears of it unless it is `held`. */
  async function pay(name: string, { held = false, source = true } = {}): Promise<() => void> {
    const [path, account] = [`/${name}/x`, privateKeyToAccount(generatePrivateKey())];
    const asked = await world.gate.raw('GET', path);
    const { description: _, ...challenge } = challengeOf(asked.headers['www-authenticate']);
    const data = encodeFunctionData({ abi: TRANSFER, functionName: 'transfer', args: [PAY_TO, 10_000n] });
    const bytes = await account.signTransaction({
      type: 'eip1559',
      chainId: 84532,
      nonce: 0,
      gas: 80_000n,
      maxFeePerGas: 10n,
      maxPriorityFeePerGas: 1n,
      to: ASSET,
      data,
    });
    const take = (): Hex => {
      node.sender = account.address;
      return node.take(bytes);
    };
    const hash = held ? keccak256(bytes) : take();
    const named = source ? { source: `did:pkh:eip155:84532:${account.address}` } : {};
    const value = credential({ challenge, payload: { type: 'hash', hash }, ...named });
    shown.set(name, () => world.gate.raw('GET', path, [['Authorization', value]]));
    return take;
  }

  const show = async (name: string) => await (shown.get(name) ?? assert.fail(name))();

  before(async () => {
    [node, pricer] = await Promise.all([TransferNode.start(), Pricer.start()]);
    const recovery = { ...QUICK, chain_secs: [600, 600], refund_secs: 600 };
    world = await openWorld({ routes: EARLIER, vars: { RECOVERY: recovery, RPC_URL: node.url, DEFAULT: 'deny' }, prices: pricer.url });
    pricer.says({ kind: 'json', body: { price: '$0.01', valid_secs: 5 } });
    await pay('quoted');
    const ends = Date.now() + 5_000;
    for (const name of ['dearer', 'payee', 'taken', 'gone']) await pay(name);
    await pay('nameless', { source: false });
    const send = await pay('later', { held: true });
    // It was shown too early, and the client is told to come again.
    expectProblem(await show('later'), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
    send();
    // The client comes again when it was told to, and not within the second in which nobody asks again.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    pricer.says({ kind: 'json', body: { price: '$0.90' } });
    await world.gate.restart('dispose', { vars: { ROUTES: JSON.stringify(LATER) } });
    await eventually('the quote has ended', () => Date.now() > ends + 1_000);
  });
  after(() => Promise.all([world.stop(), node.stop(), pricer.stop()]));

  for (const name of ['dearer', 'payee', 'taken', 'later', 'nameless', 'quoted']) {
    //
    it(`is served once at the price of its challenge (${name})`, async () => {
      const first = await show(name);
      assert.equal(first.status, 200, first.text);
      assert.ok(first.headers['payment-receipt'], 'it has its receipt');
      const again = await show(name);
      assert.deepEqual([again.status, again.headers['payment-replayed'], again.text], [200, 'true', first.text]);
      assert.equal(world.origin.of(`/${name}/x`).length, 1);
    });
  }

  //
  it('is owed where nothing is sold any more, and the origin is not asked', async () => {
    for (let tries = 0; tries < 2; tries += 1) {
      const answer = await show('gone');
      expectProblem(answer, { status: 409, code: 'refund_due' });
      assert.equal(answer.headers['www-authenticate'], undefined);
    }
    assert.equal(world.origin.of('/gone/x').length, 0);
  });
});
