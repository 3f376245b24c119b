// A session at the gate: the published client of `batch-settlement` pays a hundred requests with one deposit; what was
// earned is claimed and paid out, the rest refunded, to the last unit. A voucher asks no facilitator.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { createWalletClient, encodeAbiParameters, type Hex, hashTypedData, http, keccak256, type LocalAccount } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { BATCH_SETTLEMENT, readArtefact } from '../../demo/chain.mjs';
import { startWorld, type World } from './world.ts';

const PRICE = 10_000n;
const TOKEN = 'operator-token-of-this-test-0123456789';
let world: World;
const persist = mkdtempSync(join(tmpdir(), 'farebox-e2e-sessions-'));
before(async () => {
  world = await startWorld({
    persist,
    routes: ['/report/session', '/fail/[status]'].map((path) => ({ path, methods: ['GET'], price: '$0.01', session_delay_secs: 900 })),
    secrets: { OPERATOR_TOKEN: TOKEN },
  });
});
after(async () => {
  await world?.stop();
  rmSync(persist, { recursive: true, force: true });
});

function payerAt(index: number) {
  const payer = world.chain.accounts.payers[index];
  assert.ok(payer);
  const { readContract } = world.chain.publicClient;
  const deposit = 100n * PRICE;
  const scheme = new BatchSettlementEvmScheme({ ...payer, readContract } as never, { depositStrategy: () => deposit + PRICE });
  const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client: scheme }] });
  return { payer, scheme, pay };
}

test('a hundred requests are paid with one deposit, and no facilitator is asked about a voucher', async () => {
  const { chain, facilitator, origin, gate } = world;
  const { payer, scheme, pay } = payerAt(0);
  const url = `${gate.url}/report/session`;
  const funds = await chain.balanceOf(payer.address);
  const earlier = await chain.balanceOf(chain.accounts.payee.address);
  const first = await pay(url);
  assert.equal(first.status, 200, await first.text());
  assert.equal(await chain.balanceOf(BATCH_SETTLEMENT), 101n * PRICE);
  const counts = { ...facilitator.counts };
  const asked = origin.requests.length;
  for (let request = 1; request < 100; request += 1) assert.equal((await pay(url)).status, 200);
  assert.deepEqual(facilitator.counts, counts);
  assert.equal(origin.requests.length, asked + 99);
  const refunded = await scheme.refund(url);
  assert.equal(refunded.success, true);
  assert.equal(refunded.amount, String(PRICE));
  assert.equal(await chain.balanceOf(payer.address), funds - 100n * PRICE);
  // The alarm pays out what the refund has claimed.
  for (let waits = 0; waits < 300; waits += 1) {
    if ((await chain.balanceOf(chain.accounts.payee.address)) === earlier + 100n * PRICE) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(await chain.balanceOf(chain.accounts.payee.address), earlier + 100n * PRICE);
  assert.equal(await chain.balanceOf(BATCH_SETTLEMENT), 0n);
  const list = async (query = ''): Promise<{ items: Record<string, unknown>[]; next: string | null }> => {
    const answer = await fetch(`${gate.url}/_farebox/channels${query}`, { headers: { authorization: `Bearer ${TOKEN}` } });
    assert.equal(answer.status, 200);
    return answer.json() as never;
  };
  const paid = String(100n * PRICE);
  for (let waits = 0; waits < 100 && (await list()).items[0]?.['paid_out'] !== paid; waits += 1)
    await new Promise((resolve) => setTimeout(resolve, 100));
  const {
    items: [channel],
    next,
  } = await list();
  assert.deepEqual(
    [channel?.['state'], channel?.['payer'], channel?.['deposit'], channel?.['spent'], channel?.['claimed'], channel?.['paid_out'], next],
    ['open', payer.address, paid, paid, paid, paid, null],
  );
  assert.deepEqual((await list(`?limit=1&cursor=${channel?.['id']}`)).items, []);
  assert.equal((await fetch(`${gate.url}/_farebox/channels`)).status, 401);
  // The same in totals, audit and export.
  const operator = async (path: string): Promise<string> => {
    const answer = await fetch(`${gate.url}/_farebox/${path}`, { headers: { authorization: `Bearer ${TOKEN}` } });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    return text;
  };
  const rest = String(PRICE);
  for (const path of ['totals', 'audit']) {
    const {
      sessions: [sum, ...more],
    } = JSON.parse(await operator(path)) as { sessions: Record<string, unknown>[] };
    const { channels, symbol, decimals, deposit, spent, claimed, paid_out: paidOut, refunded: paidBack } = sum ?? {};
    assert.deepEqual(
      [channels, symbol, decimals, deposit, spent, claimed, paidOut, paidBack, more],
      [1, 'USDC', 6, paid, paid, paid, paid, rest, []],
      path,
    );
  }
  const [head, row, ...others] = (await operator('export?format=csv&of=channels')).trimEnd().split('\r\n');
  const cells = new Map(head?.split(',').map((name, place) => [name, row?.split(',')[place]]));
  assert.deepEqual(
    [cells.get('id'), cells.get('payer'), cells.get('spent'), cells.get('refunded'), others],
    [channel?.['id'], payer.address, paid, rest, []],
  );
  // The list says the same for people too.
  const { time, symbol, decimals, ...listed } = channel ?? {};
  assert.deepEqual([time, symbol, decimals], [new Date(Number(listed['at']) * 1000).toISOString().replace('.000', ''), 'USDC', 6]);
  assert.equal(listed['spent_decimal'], '1');
  const plain = Object.fromEntries(Object.entries(listed).filter(([name]) => !name.endsWith('_decimal')));
  assert.deepEqual(JSON.parse(await operator('export?format=jsonl&of=channels')), plain);
  const refused = await fetch(`${gate.url}/_farebox/export?format=csv&of=channels&from=1`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  assert.equal(refused.status, 400);
});

//
test('a payer who withdraws buys nothing more, and what was earned is claimed before the withdrawal', async () => {
  const { chain, origin, gate } = world;
  const { payer, pay, scheme } = payerAt(1);
  const url = `${gate.url}/report/session`;
  const earlier = await chain.balanceOf(chain.accounts.payee.address);
  let config: unknown;
  const watched = wrapFetchWithPaymentFromConfig(
    (input, init) => {
      const payment = new Request(input, init).headers.get('payment-signature');
      if (payment !== null) {
        const { payload } = JSON.parse(Buffer.from(payment, 'base64').toString('utf8')) as { payload: { channelConfig: unknown } };
        config = payload.channelConfig;
      }
      return fetch(input, init);
    },
    { schemes: [{ network: 'eip155:*', client: scheme }] },
  );
  for (let request = 0; request < 3; request += 1) assert.equal((await watched(url)).status, 200);
  const { abi } = readArtefact('BatchSettlement');
  const wallet = createWalletClient({ account: payer, chain: chain.chain, transport: http(chain.url) });
  const args = [config, 50n * PRICE];
  const hash = await wallet.writeContract({ address: BATCH_SETTLEMENT, abi, functionName: 'initiateWithdraw', args });
  assert.equal((await chain.publicClient.waitForTransactionReceipt({ hash })).status, 'success');
  // A refund shows the gate what the chain knows.
  assert.equal((await scheme.refund(url, { amount: String(PRICE) })).amount, String(PRICE));
  const asked = origin.requests.length;
  assert.equal((await pay(url)).status, 402);
  assert.equal(origin.requests.length, asked);
  for (let waits = 0; waits < 450 && (await chain.balanceOf(chain.accounts.payee.address)) !== earlier + 3n * PRICE; waits += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(await chain.balanceOf(chain.accounts.payee.address), earlier + 3n * PRICE);
});

interface Terms {
  payTo: Hex;
  asset: Hex;
  network: string;
  extra: { receiverAuthorizer: Hex; withdrawDelay: number; name: string; version: string };
}

/** What an attacker sends: a payment made by hand. */
async function handmade(payer: LocalAccount, salt: Hex) {
  const url = `${world.gate.url}/report/session`;
  const required = (await fetch(url)).headers.get('payment-required') ?? '';
  const { accepts } = JSON.parse(Buffer.from(required, 'base64').toString('utf8')) as { accepts: (Terms & { scheme: string })[] };
  const terms = accepts.find(({ scheme }) => scheme === 'batch-settlement');
  assert.ok(terms);
  const { receiverAuthorizer, withdrawDelay, name, version } = terms.extra;
  const channelConfig = {
    payer: payer.address,
    payerAuthorizer: payer.address,
    receiver: terms.payTo,
    receiverAuthorizer,
    token: terms.asset,
    withdrawDelay,
    salt,
  };
  const chainId = world.chain.chain.id;
  const domain = { name: 'x402 Batch Settlement', version: '1', chainId, verifyingContract: BATCH_SETTLEMENT as Hex };
  const typed = (all: [string, string][]) => all.map(([field, type]) => ({ name: field, type }));
  const ChannelConfig = typed([
    ['payer', 'address'],
    ['payerAuthorizer', 'address'],
    ['receiver', 'address'],
    ['receiverAuthorizer', 'address'],
    ['token', 'address'],
    ['withdrawDelay', 'uint40'],
    ['salt', 'bytes32'],
  ]);
  const channelId = hashTypedData({ domain, types: { ChannelConfig }, primaryType: 'ChannelConfig', message: channelConfig });
  const voucher = async (amount: bigint) => {
    const Voucher = typed([
      ['channelId', 'bytes32'],
      ['maxClaimableAmount', 'uint128'],
    ]);
    const signature = await payer.signTypedData({
      domain,
      types: { Voucher },
      primaryType: 'Voucher',
      message: { channelId, maxClaimableAmount: amount },
    });
    return { channelId, maxClaimableAmount: String(amount), signature };
  };
  const deposit = async (value: bigint) => {
    const nonceSalt: Hex = `0x${randomBytes(32).toString('hex')}`;
    const nonce = keccak256(encodeAbiParameters([{ type: 'bytes32' }, { type: 'uint256' }], [channelId, BigInt(nonceSalt)]));
    const validBefore = BigInt(Math.floor(Date.now() / 1000) + 300);
    const ReceiveWithAuthorization = typed([
      ['from', 'address'],
      ['to', 'address'],
      ['value', 'uint256'],
      ['validAfter', 'uint256'],
      ['validBefore', 'uint256'],
      ['nonce', 'bytes32'],
    ]);
    const signature = await payer.signTypedData({
      domain: { name, version, chainId, verifyingContract: terms.asset },
      types: { ReceiveWithAuthorization },
      primaryType: 'ReceiveWithAuthorization',
      message: { from: payer.address, to: '0x4020806089470a89826cB9fB1f4059150b550004', value, validAfter: 0n, validBefore, nonce },
    });
    return {
      amount: String(value),
      authorization: { erc3009Authorization: { validAfter: '0', validBefore: String(validBefore), salt: nonceSalt, signature } },
    };
  };
  const send = async (payload: object): Promise<string> => {
    const payment = { x402Version: 2, accepted: terms, payload: { channelConfig, ...payload } };
    const answer = await fetch(url, { headers: { 'payment-signature': Buffer.from(JSON.stringify(payment)).toString('base64') } });
    const told = answer.headers.get('payment-required');
    const { error } = told === null ? { error: '' } : (JSON.parse(Buffer.from(told, 'base64').toString('utf8')) as { error: string });
    return [answer.status, error.replace('invalid_batch_settlement_evm_', '')].join(' ').trim();
  };
  return { voucher, deposit, send };
}

/** Databases of channels that have a table. */
function databases(): number {
  const files = readdirSync(persist, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.includes('Channel') && /sqlite(-wal)?$/.test(file),
  );
  const written = files.filter((file) => readFileSync(join(persist, file)).includes('CREATE TABLE channel'));
  return new Set(written.map((file) => file.replace(/-wal$/, ''))).size;
}

test('what is worth no transaction has none, and leaves nothing behind', async () => {
  const { facilitator, chain } = world;
  const payer = chain.accounts.payers[2];
  assert.ok(payer);
  const before = databases();
  assert.ok(before > 0);
  const stranger = privateKeyToAccount(generatePrivateKey());
  for (let number = 1; number <= 8; number += 1) {
    const junk = await handmade(stranger, `0x${number.toString(16).padStart(64, '0')}`);
    assert.equal(await junk.send({ type: 'voucher', voucher: await junk.voucher(PRICE) }), '402 channel_not_found');
  }
  const { voucher, deposit, send } = await handmade(payer, `0x${'a1'.padStart(64, '0')}`);
  assert.equal(await send({ type: 'deposit', voucher: await voucher(1n), deposit: await deposit(2n) }), '402 cumulative_amount_mismatch');
  assert.equal(await send({ type: 'deposit', voucher: await voucher(PRICE), deposit: await deposit(2n) }), '402 deposit_below_min_deposit');
  assert.equal(
    await send({ type: 'deposit', voucher: await voucher(2n * PRICE), deposit: await deposit(9n * PRICE) }),
    '402 cumulative_amount_mismatch',
  );
  // The chain was looked at once for each: for the strangers, and for the deposit that named more than the price.
  assert.deepEqual(facilitator.countsOf(stranger.address), { verify: 8, settle: 0 });
  assert.deepEqual(facilitator.countsOf(payer.address), { verify: 1, settle: 0 });
  assert.equal(databases(), before);
  assert.equal(await send({ type: 'deposit', voucher: await voucher(PRICE), deposit: await deposit(9n * PRICE) }), '200');
  for (const [shown, amount] of [
    [0n, undefined],
    [PRICE, '1'],
    [PRICE, String(PRICE - 1n)],
    [2n * PRICE, undefined],
  ] as const) {
    assert.match(await send({ type: 'refund', voucher: await voucher(shown), ...(amount === undefined ? {} : { amount }) }), /^402 /);
  }
  assert.deepEqual(facilitator.countsOf(payer.address), { verify: 1, settle: 1 });
  assert.equal(databases(), before + 1);
  // A part, whose claim is public from then on: whoever shows it has the answer again, and nothing else.
  const shown = await voucher(PRICE);
  const refund = (amount?: bigint) => send({ type: 'refund', voucher: shown, ...(amount === undefined ? {} : { amount: String(amount) }) });
  assert.equal(await refund(2n * PRICE), '200');
  assert.equal(await refund(2n * PRICE), '200');
  for (const more of [3n * PRICE, 6n * PRICE, undefined]) assert.equal(await refund(more), '402 voucher_published');
  assert.equal(facilitator.countsOf(payer.address).settle, 2);
  // The payer's next voucher buys, and has everything back.
  assert.equal(await send({ type: 'voucher', voucher: await voucher(2n * PRICE) }), '200');
  assert.equal(await send({ type: 'refund', voucher: await voucher(2n * PRICE) }), '200');
  assert.equal(facilitator.countsOf(payer.address).settle, 3);
});

//
test('a client whose first page is missing has deposited once, and goes on with that', async () => {
  const { chain, facilitator, gate } = world;
  const { payer, pay, scheme } = payerAt(2);
  const funds = await chain.balanceOf(payer.address);
  // Of this payer alone: alarms still have paid out what the channels of other tests have earned.
  const deposited = facilitator.countsOf(payer.address);
  for (const status of [404, 404, 500]) assert.equal((await pay(`${gate.url}/fail/${status}`)).status, status);
  assert.equal((await pay(`${gate.url}/report/session`)).status, 200);
  assert.equal(await chain.balanceOf(payer.address), funds - 101n * PRICE);
  assert.equal(facilitator.countsOf(payer.address).settle, deposited.settle + 1);
  assert.equal((await scheme.refund(`${gate.url}/report/session`)).success, true);
  assert.equal(await chain.balanceOf(payer.address), funds - PRICE);
});

test('a client without a strategy of its own deposits ten prices, as the terms announce', async () => {
  const { chain, gate } = world;
  const [, , , , payer] = chain.accounts.payers;
  assert.ok(payer);
  const scheme = new BatchSettlementEvmScheme({ ...payer, readContract: chain.publicClient.readContract } as never);
  const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client: scheme }] });
  const funds = await chain.balanceOf(payer.address);
  for (let request = 0; request < 10; request += 1) assert.equal((await pay(`${gate.url}/report/session`)).status, 200);
  assert.equal(await chain.balanceOf(payer.address), funds - 10n * PRICE);
  assert.equal((await pay(`${gate.url}/report/session`)).status, 200);
  assert.equal(await chain.balanceOf(payer.address), funds - 20n * PRICE);
});
