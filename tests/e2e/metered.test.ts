// Prices that are known afterwards (x402 `upto`): the stock client signs the most, the origin counts, and the chain moves what it
// cost. Permit2 and x402's proxy stand at their canonical addresses, written from their specifications.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { UptoEvmScheme } from '@x402/evm/upto/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { createWalletClient, erc20Abi, http, maxUint256 } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

import { account, NETWORK, PERMIT2 } from '../../demo/chain.mjs';
import { serve } from '../../demo/server.mjs';
import { FareboxError, memoryStore, payingFetch, receiptOf } from '../../pkg/dist/index.js';
import { type Payer, settlementOf } from './clients.ts';
import { startWorld, transfersOf, type World } from './world.ts';

const MOST = 10_000n;

let world: World;
let origin: Awaited<ReturnType<typeof serve>>;
let count: string | string[] | undefined;
let asked = 0;
/** What the origin answers with: pieces, and milliseconds behind each. */
let long: { readonly piece: string; readonly pieces: number; readonly everyMs: number } | undefined;
before(async () => {
  origin = await serve(async (request, response) => {
    asked += 1;
    response.writeHead(200, { 'content-type': 'text/plain', ...(count === undefined ? {} : { 'farebox-units': count }) });
    for (let n = 0; n < (long?.pieces ?? 0); n += 1) {
      response.write(long?.piece);
      await new Promise((resolve) => setTimeout(resolve, long?.everyMs));
    }
    response.end(long === undefined ? `tokens for ${request.url}` : '');
  });
  world = await startWorld({
    readsChain: true,
    routes: [
      { path: '/tokens', price: '$0.01', unit_price: '$0.0005' },
      { path: '/tokens-sure', price: '$0.01', unit_price: '$0.0005', confirm: 'chain' },
      { path: '/tokens-session', price: '$0.01', unit_price: '$0.0005', session_delay_secs: 900 },
    ],
    vars: { ORIGIN_URL: origin.url },
    extra: { [NETWORK]: { facilitatorAddress: account(0).address } },
  });
});
after(async () => {
  await world?.stop();
  await origin?.stop();
});

async function allow(payer: Payer): Promise<void> {
  const { chain } = world;
  await chain.rpc('anvil_setBalance', [payer.address, '0xde0b6b3a7640000']);
  const wallet = createWalletClient({ account: payer, chain: chain.chain, transport: http(chain.url) });
  const hash = await wallet.writeContract({
    address: chain.token.address,
    abi: erc20Abi,
    functionName: 'approve',
    args: [PERMIT2, maxUint256],
  });
  await chain.publicClient.waitForTransactionReceipt({ hash });
}

const paying = (payer: Payer, base: typeof fetch = fetch) =>
  wrapFetchWithPaymentFromConfig(base, { schemes: [{ network: 'eip155:*', client: new UptoEvmScheme(payer) }] });

/** What a payer paid, and how often origin and facilitator were asked. */
async function during<T>(payer: Payer, work: () => Promise<T>) {
  const [had, before, settled] = [await world.chain.balanceOf(payer.address), asked, world.facilitator.countsOf(payer.address).settle];
  const result = await work();
  return {
    result,
    paid: had - (await world.chain.balanceOf(payer.address)),
    asked: asked - before,
    settled: world.facilitator.countsOf(payer.address).settle - settled,
  };
}

for (const [counted, charged] of [
  ['3', 1_500n],
  ['1', 500n],
  ['20', MOST],
  ['21', MOST],
  ['1000000', MOST],
  [undefined, MOST],
] as const) {
  for (const path of ['/tokens', '/tokens-sure']) {
    test(`${counted ?? 'no'} units of ${path} cost ${charged}, and the receipt says so`, async () => {
      const payer = world.chain.accounts.payers[0]!;
      await allow(payer);
      count = counted;
      const { result, paid, asked, settled } = await during(payer, () => paying(payer)(`${world.gate.url}${path}`));
      assert.equal(result.status, 200, await result.clone().text());
      assert.deepEqual({ paid, asked, settled }, { paid: charged, asked: 1, settled: 1 });
      assert.equal(result.headers.get('farebox-units'), null);
      const settlement = settlementOf(result.headers, 2) as ReturnType<typeof settlementOf> & { amount: string };
      assert.equal(settlement.amount, String(charged));
      const { payee } = world.chain.accounts;
      assert.deepEqual(await transfersOf(world, settlement.transaction), [{ from: payer.address, to: payee.address, value: charged }]);
    });
  }
}

test('no units cost nothing: the answer is served, and nothing is settled', async () => {
  const payer = world.chain.accounts.payers[1]!;
  await allow(payer);
  count = '0';
  const { result, paid, asked, settled } = await during(payer, () => paying(payer)(`${world.gate.url}/tokens`));
  assert.deepEqual([result.status, await result.text()], [200, 'tokens for /tokens']);
  assert.deepEqual({ paid, asked, settled }, { paid: 0n, asked: 1, settled: 0 });
  const settlement = settlementOf(result.headers, 2) as ReturnType<typeof settlementOf> & { amount: string };
  assert.deepEqual([settlement.success, settlement.transaction, settlement.amount], [true, '', '0']);
});

for (const [what, piece, pieces, everyMs] of [
  ['longer than what is held', 'l'.repeat(100_000), 20, 0],
  ['slower than what is waited for', 's'.repeat(1_000), 12, 1_000],
] as const) {
  //
  test(`an answer that costs nothing comes whole where it is ${what}`, async () => {
    const payer = world.chain.accounts.payers[6]!;
    await allow(payer);
    count = '0';
    long = { piece, pieces, everyMs };
    const { result, paid, settled } = await during(payer, async () => {
      const answer = await paying(payer)(`${world.gate.url}/tokens`);
      return { status: answer.status, text: await answer.text() };
    }).finally(() => {
      long = undefined;
    });
    assert.deepEqual([result.status, result.text.length, paid, settled], [200, piece.length * pieces, 0n, 0]);
    assert.equal(result.text, piece.repeat(pieces));
  });
}

//
test('one permit buys one answer, whatever it cost', async () => {
  const payer = world.chain.accounts.payers[2]!;
  await allow(payer);
  let payment = '';
  const holdsBack: typeof fetch = async (input, init) => {
    payment = new Request(input, init).headers.get('payment-signature') ?? '';
    return payment === '' ? fetch(input, init) : new Response('held back');
  };
  await paying(payer, holdsBack)(`${world.gate.url}/tokens`);
  count = '2';
  const show = () => fetch(`${world.gate.url}/tokens`, { headers: { 'payment-signature': payment } });
  const { result, paid, asked } = await during(payer, () => Promise.all(Array.from({ length: 6 }, show)));
  assert.equal(result.filter(({ status }) => status === 200).length, 1, result.map(({ status }) => status).join());
  assert.deepEqual({ paid, asked }, { paid: 1_000n, asked: 1 });
  assert.equal((await show()).status, 409);
});

for (const units of ['many', '-1', '1.5', '3, 3', '9'.repeat(79)]) {
  test(`a count of ${units.slice(0, 8)} is a failure of the origin, and costs nothing`, async () => {
    const payer = world.chain.accounts.payers[3]!;
    await allow(payer);
    count = units;
    const { result, paid, settled } = await during(payer, () => paying(payer)(`${world.gate.url}/tokens`));
    assert.deepEqual([result.status, ((await result.json()) as { code: string }).code], [502, 'origin_failed']);
    assert.deepEqual({ paid, settled }, { paid: 0n, settled: 0 });
  });
}

test('two headers are no count', async () => {
  const payer = world.chain.accounts.payers[3]!;
  await allow(payer);
  count = ['3', '3'];
  const { result, paid } = await during(payer, () => paying(payer)(`${world.gate.url}/tokens`));
  assert.deepEqual([result.status, paid], [502, 0n]);
});

test('the package signs the most, pays what was counted, and its budget counts that', async () => {
  const payer = world.chain.accounts.payers[4]!;
  await allow(payer);
  const store = memoryStore();
  const [signer, url] = [privateKeyToAccount(payer.privateKey), `${world.gate.url}/tokens`];
  const refused = (policy: object) =>
    assert.rejects(payingFetch({ signer, policy })(url), (error) => error instanceof FareboxError && error.signed === false);
  await refused({ permit2: true });
  await refused({ upto: '0.009' });
  // Three bounds of a cent, of which the day allows two at once.
  const pays = payingFetch({ signer, store, policy: { upto: '0.01', perDay: '0.02', uptoPerDay: '1' } });
  for (const [units, charged] of [
    ['3', 1_500n],
    ['0', 0n],
    ['20', MOST],
  ] as const) {
    count = units;
    const { result, paid } = await during(payer, () => pays(url));
    assert.equal(paid, charged);
    const receipt = receiptOf(result) ?? assert.fail();
    assert.deepEqual([receipt.amount, receipt.transaction === ''], [String(charged), charged === 0n]);
    if (charged > 0n)
      assert.deepEqual(
        (await transfersOf(world, receipt.transaction as `0x${string}`)).map(({ value }) => value),
        [charged],
      );
  }
  // 0.0115 are spent: another bound of a cent would be above the day.
  await assert.rejects(pays(url), (error) => error instanceof FareboxError && error.code === 'budget_exhausted');
});

test('of a session each voucher is for the most, and what was counted is charged: the rest comes back', async () => {
  const { chain, facilitator, gate } = world;
  const payer = chain.accounts.payers[3];
  assert.ok(payer);
  const { readContract } = chain.publicClient;
  const scheme = new BatchSettlementEvmScheme({ ...payer, readContract } as never, { depositStrategy: () => 10n * MOST });
  const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client: scheme }] });
  const url = `${gate.url}/tokens-session`;
  const had = await chain.balanceOf(payer.address);
  const counts: [string | undefined, bigint][] = [
    ['3', 1_500n],
    ['0', 0n],
    ['1', 500n],
    [undefined, MOST],
    ['21', MOST],
    ['0', 0n],
    ['20', MOST],
    ['2', 1_000n],
  ];
  let spent = 0n;
  for (const [request, [counted, charged]] of counts.entries()) {
    count = counted;
    const settled = { ...facilitator.counts };
    const answer = await pay(`${url}?${request}`);
    assert.equal(answer.status, 200, await answer.clone().text());
    assert.match(await answer.text(), new RegExp(`\\?${request}$`));
    spent += charged;
    const { extra } = settlementOf(answer.headers, 2) as unknown as {
      extra: { chargedAmount: string; channelState: { chargedCumulativeAmount: string } };
    };
    assert.deepEqual([extra.chargedAmount, extra.channelState.chargedCumulativeAmount], [String(charged), String(spent)]);
    if (request > 0) assert.deepEqual(facilitator.counts, settled);
  }
  count = undefined;
  const refunded = await scheme.refund(url);
  assert.equal(refunded.amount, String(10n * MOST - spent));
  assert.equal(await chain.balanceOf(payer.address), had - spent);
});
