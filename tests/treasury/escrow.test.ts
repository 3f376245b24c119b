// The treasury as the gateway of an escrow contract on a chain: each payment leaves once, whatever becomes of nodes,
// transactions and of the treasury itself.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { type Abi, createWalletClient, getContractAddress, type Hex, http } from 'viem';

import { eventually } from '../support/eventually.ts';
import { startTreasuryWorld, type TreasuryWorld } from './buyers.ts';

const { abi, bytecode }: { abi: Abi; bytecode: Hex } = JSON.parse(
  readFileSync(new URL('../../contracts/ComputeEscrow.json', import.meta.url), 'utf8'),
);
/** The address of the first contract of the account that deploys, which the treasury is told before it is there. */
const CONTRACT = getContractAddress({ from: '0x14dC79964da2C08b23698B3D3cc7Ca32193d9955', nonce: 0n });
const PRICE = 5_000n;
const LEASE_SECS = 16;

let world: TreasuryWorld;
let buyer: Hex, seller: Hex;
let last = 0;
before(
  async () => {
    world = await startTreasuryWorld({
      stock: false,
      organizations: () => [{ name: 'exchange', policy: {}, agents: [{ name: 'market' }] }],
      vars: {
        ESCROWS: [
          {
            organization: 'exchange',
            wallet: 'second',
            network: 'eip155:84532',
            contract: CONTRACT,
            asset: 'USDC',
            maxFeeGwei: '40',
            tipGwei: '1',
            bumpSecs: 60,
          },
        ],
        CONFIRMATIONS: '3',
      },
    });
    const { chain } = world;
    const deployer = chain.accounts.payers.find(({ address }) => getContractAddress({ from: address, nonce: 0n }) === CONTRACT)!;
    const wallet = createWalletClient({ account: deployer, chain: chain.chain, transport: http(chain.url) });
    await seen(await wallet.deployContract({ abi, bytecode, args: [world.wallets.second, chain.token.address] }));
    [buyer, seller] = [chain.accounts.payers[5]!.address, chain.accounts.payers[6]!.address];
    await token('mint', [CONTRACT, 1_000n * PRICE]);
  },
  { timeout: 120_000 },
);
after(() => world?.stop());

const seen = (hash: Hex) => world.chain.publicClient.waitForTransactionReceipt({ hash, pollingInterval: 20 });
const word = (number: number): Hex => `0x${number.toString(16).padStart(64, '0')}`;
const id = (payment: number) => `esc_${word(payment).slice(2)}`;

async function token(functionName: string, args: unknown[]) {
  const wallet = createWalletClient({
    account: world.chain.accounts.facilitator,
    chain: world.chain.chain,
    transport: http(world.chain.url),
  });
  return seen(await wallet.writeContract({ ...world.chain.token, functionName, args }));
}

/** What the gateway's owner does by hand. */
async function byHand(functionName: string, args: unknown[]) {
  const wallet = createWalletClient({
    account: world.chain.accounts.payers[0]!,
    chain: world.chain.chain,
    transport: http(world.chain.url),
  });
  return seen(await wallet.writeContract({ address: CONTRACT, abi, functionName, args }));
}

const ask = (payment: number, goal: string, more: object = {}) =>
  world.operate('POST', 'payouts', {
    organization: 'exchange',
    wallet: 'second',
    network: 'eip155:84532',
    contract: CONTRACT,
    payment: word(payment),
    buyer,
    seller,
    amountMinor: `${PRICE}`,
    settlement: word(payment + 1_000_000),
    goal,
    ...more,
  });
const standing = async (payment: number) => (await world.operate('GET', `payouts/${id(payment)}?organization=exchange`)).json;
const entry = async (payment: number) =>
  Number(
    (
      (await world.chain.publicClient.readContract({
        address: CONTRACT,
        abi,
        functionName: 'payments',
        args: [word(payment)],
      })) as unknown[]
    )[4],
  );
const has = (account: Hex) => world.chain.balanceOf(account);
const nonce = () => world.chain.publicClient.getTransactionCount({ address: world.wallets.second! });

/** Blocks and seconds go by until the payment is that far. */
const until = (payment: number, state: string) =>
  eventually(
    `the payment is ${state}`,
    async () => {
      await world.mine(1);
      return standing(payment);
    },
    (now) => now.state === state,
  );

async function funded() {
  last += 1;
  const { status, json } = await ask(last, 'funded');
  assert.deepEqual([status, json.outcome, await entry(last)], [200, 'sent', 1], JSON.stringify(json));
  return last;
}

describe('a payment in an escrow contract', () => {
  test('is registered, released and confirmed, and its second release changes nothing', async () => {
    const [before, first] = [await has(seller), await nonce()];
    const payment = await funded();
    const { json } = await ask(payment, 'released');
    assert.deepEqual([json.outcome, await entry(payment), (await has(seller)) - before], ['sent', 2, PRICE], JSON.stringify(json));
    const { status, to } = await seen(json.transaction);
    assert.deepEqual([status, to?.toLowerCase()], ['success', CONTRACT.toLowerCase()]);
    assert.equal((await ask(payment, 'released')).json.transaction, json.transaction);
    const other = await ask(payment, 'refunded');
    assert.deepEqual([other.status, other.json.code], [409, 'escrow_decided']);
    await until(payment, 'confirmed');
    assert.equal(await nonce(), first + 2);
  });

  test('that was never registered is registered and refunded in one request', async () => {
    const before = await has(buyer);
    last += 1;
    const { json } = await ask(last, 'refunded');
    assert.deepEqual([json.outcome, await entry(last), (await has(buyer)) - before], ['sent', 3, PRICE], JSON.stringify(json));
    assert.notEqual(json.registration, json.transaction);
  });

  test('of several at once: each is paid once, with one nonce after the other', async () => {
    const [before, first] = [await has(seller), await nonce()];
    const payments = Array.from({ length: 6 }, (_, index) => last + 1 + index);
    last += payments.length;
    await Promise.all(payments.map((payment) => ask(payment, 'released')));
    for (const payment of payments) await until(payment, 'confirmed');
    assert.equal((await has(seller)) - before, PRICE * 6n);
    assert.equal(await nonce(), first + 12);
  });

  test('whose transaction is lost on its way, or its answer, is sent again as it was', async () => {
    for (const mode of ['cut', 'lose'] as const) {
      const [payment, before, first] = [await funded(), await has(seller), await nonce()];
      world.switches.node.set({ mode, text: 'eth_sendRawTransaction', times: 1 });
      await ask(payment, 'released');
      world.switches.node.set();
      await world.wait(LEASE_SECS);
      const { transactions } = await until(payment, 'confirmed');
      assert.deepEqual([(await has(seller)) - before, (await nonce()) - first, transactions], [PRICE, 1, 2], mode);
    }
  });

  test('is paid once though the treasury is killed while it looks, signs or sends', async () => {
    for (const text of ['eth_call', 'eth_sendRawTransaction']) {
      for (const goal of ['released', 'refunded']) {
        const [payment, before] = [await funded(), [await has(seller), await has(buyer)]];
        const { broken } = world.switches.node.counts;
        world.switches.node.set({ mode: 'delay', text, ms: 3_000, times: 1 });
        const lost = ask(payment, goal).then(
          () => false,
          () => true,
        );
        await eventually(
          'the node is asked',
          async () => world.switches.node.counts.broken,
          (now) => now > broken,
        );
        await world.crash();
        assert.equal(await lost, true);
        await world.wait(LEASE_SECS);
        await until(payment, 'confirmed');
        const moved = [(await has(seller)) - before[0]!, (await has(buyer)) - before[1]!];
        assert.deepEqual(moved, goal === 'released' ? [PRICE, 0n] : [0n, PRICE], `${text} ${goal}`);
      }
    }
  });

  test('that no block takes is offered at a higher price under the same nonce', async () => {
    const [payment, before, first] = [await funded(), await has(seller), await nonce()];
    await world.chain.rpc('evm_setAutomine', [false]);
    const waiting = await ask(payment, 'released');
    assert.deepEqual([waiting.json.outcome, waiting.json.transactions], ['executing', 2]);
    await world.treasury.ahead(61);
    await eventually(
      'a second one is signed',
      () => standing(payment),
      (now) => now.transactions === 3,
    );
    const pool = (await world.chain.rpc('txpool_content', [])) as { pending: Record<string, Record<string, { maxFeePerGas: Hex }>> };
    const own = Object.entries(pool.pending).find(([from]) => from.toLowerCase() === world.wallets.second!.toLowerCase())![1];
    assert.deepEqual(Object.keys(own), [`${first}`]);
    await world.chain.rpc('evm_setAutomine', [true]);
    await until(payment, 'confirmed');
    assert.deepEqual([(await has(seller)) - before, (await nonce()) - first], [PRICE, 1]);
  });

  test('that the token does not let out costs no gas, and leaves once it does', async () => {
    const [payment, before, first] = [await funded(), await has(seller), await nonce()];
    await token('setBlacklisted', [seller, true]);
    const { json } = await ask(payment, 'released');
    assert.deepEqual([json.outcome, json.openBecause, await nonce()], ['executing', 'the contract would not carry it out', first]);
    // It is in no other one's way.
    last += 1;
    assert.equal((await ask(last, 'refunded')).json.outcome, 'sent');
    await token('setBlacklisted', [seller, false]);
    await world.wait(60);
    await until(payment, 'confirmed');
    assert.equal((await has(seller)) - before, PRICE);
  });

  test('whose block is forgotten is sent again, and counts when it is there for good', async () => {
    const [payment, before] = [await funded(), await has(seller)];
    const snapshot = await world.chain.rpc('evm_snapshot', []);
    const { json } = await ask(payment, 'released');
    assert.equal(json.outcome, 'sent');
    await world.chain.rpc('evm_revert', [snapshot]);
    assert.equal(await has(seller), before);
    await eventually(
      'it is open again',
      () => standing(payment),
      (now) => now.state !== 'open',
    );
    await world.wait(12);
    const now = await until(payment, 'confirmed');
    assert.deepEqual([(await has(seller)) - before, now.transactions], [PRICE, 2]);
  });

  test('that was released by hand is released, without a transaction of the treasury', async () => {
    const [payment, before] = [await funded(), await has(seller)];
    await byHand('release', [word(payment)]);
    const { json } = await ask(payment, 'released');
    assert.deepEqual([json.outcome, json.transaction, json.transactions], ['sent', null, 1]);
    await until(payment, 'confirmed');
    assert.equal((await has(seller)) - before, PRICE);
  });

  test('waits while the node is silent, and while gas costs too much', async () => {
    const [payment, before] = [await funded(), await has(seller)];
    world.switches.node.set({ mode: 'cut' });
    assert.equal((await ask(payment, 'released')).json.outcome, 'executing');
    world.switches.node.set();
    await until(payment, 'confirmed');
    assert.equal((await has(seller)) - before, PRICE);
    const dear = await funded();
    await world.chain.rpc('anvil_setNextBlockBaseFeePerGas', ['0x174876e800']);
    await world.mine(1);
    const { json } = await ask(dear, 'refunded');
    assert.deepEqual([json.outcome, json.openBecause, json.transactions], ['executing', 'gas costs more than maxFeeGwei', 1]);
    await world.mine(60);
    await until(dear, 'confirmed');
    assert.equal(await entry(dear), 3);
  });

  test('leaves nothing behind: what is owed is there, and every payment has one end', async () => {
    const liabilities = await world.chain.publicClient.readContract({ address: CONTRACT, abi, functionName: 'totalLiabilities' });
    let left = 0;
    for (let payment = 1; payment <= last; payment += 1) left += [2, 3].includes(await entry(payment)) ? 1 : 0;
    assert.deepEqual([left, liabilities], [last, 0n]);
    assert.equal(await has(CONTRACT), PRICE * BigInt(1_000 - last));
  });
});
