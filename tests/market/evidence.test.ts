// Quotes of the original's shapes that are settled by what is on a chain, and packs of calls that a stock client buys: through the gate.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { createWalletClient, http } from 'viem';

import { readArtefact, USDC } from '../../demo/chain.mjs';
import { payingFetch } from '../e2e/clients.ts';
import { eventually } from '../support/eventually.ts';
import { sharedWorld } from '../support/suite.ts';
import { type Answer, earned, plainSkill, startSkillsWorld, TX } from './market.ts';

const LIMIT = { timeout: 120_000 };
const X402 = '/api/protocol/x402';
const said = (error: string, code = 'invalid_request'): string => JSON.stringify({ ok: false, error, code });

const world = sharedWorld(() => startSkillsWorld({ vars: { COMPATIBILITY: 'open-stellar' } }));

type Quote = {
  readonly paymentRef: string;
  readonly quoteId: string;
  readonly amountUnits: string;
  readonly address: `0x${string}`;
  readonly chain: string;
};

async function quoted(body: Record<string, unknown> = {}): Promise<Quote> {
  const { status, json, text } = await world.ask('POST', `${X402}/quote`, { body: { serviceId: 'svc', unitPriceUsd: 0.25, ...body } });
  assert.equal(status, 200, text);
  return json.quote;
}

/** Sends tokens as a wallet does; the hash of the transaction, which is in a block. */
async function send(
  to: string,
  units: bigint,
  { functionName = 'transfer', payer = 0, token = USDC as `0x${string}` } = {},
): Promise<`0x${string}`> {
  const account = world.chain.accounts.payers[payer] ?? assert.fail();
  const wallet = createWalletClient({ account, chain: world.chain.chain, transport: http(world.chain.url) });
  const hash = await wallet.writeContract({ address: token, abi: world.chain.token.abi, functionName, args: [to, units] } as never);
  await world.chain.publicClient.waitForTransactionReceipt({ hash });
  return hash;
}

const mine = (): Promise<unknown> => world.chain.rpc('anvil_mine', ['0x4']);

/** Settles; a quote is looked at once a second. */
async function settle({ paymentRef }: Quote, txHash: string, more: Record<string, unknown> = {}): Promise<Answer> {
  return eventually(
    'it is not too soon',
    () => world.ask('POST', `${X402}/settle`, { body: { paymentRef, txHash, ...more } }),
    ({ status }) => status !== 429,
  );
}

const refusal = ({ status, text }: Answer): unknown[] => [status, text];

describe('a quote', () => {
  test('is settled by the transfer of its amount once that is final, and its receipt names who sent it', LIMIT, async () => {
    const quote = await quoted();
    assert.deepEqual([quote.chain, quote.address], ['base', world.chain.accounts.payee.address]);
    const units = BigInt(quote.amountUnits);
    assert.ok(units > 250_000n && units < 251_000n, quote.amountUnits);
    const { result, paid } = await earned(world, world.chain.accounts.payee, async () => {
      const txHash = await send(quote.address, units);
      const early = await settle(quote, txHash);
      assert.deepEqual(
        [...refusal(early), early.headers.get('retry-after')],
        [402, said('Payment is not final yet', 'payment_required'), '5'],
      );
      await mine();
      return settle(quote, txHash);
    });
    assert.deepEqual([result.status, paid], [200, units], result.text);
    const { receipt } = result.json;
    assert.match(receipt.txHash, TX);
    assert.deepEqual(
      [receipt.accepted, receipt.amountUsd, receipt.amountUnits, receipt.agent, receipt.chain],
      [true, 0.25, quote.amountUnits, world.chain.accounts.payers[0]?.address, 'base'],
    );
    assert.deepEqual((await world.ask('GET', `${X402}/receipts/${receipt.id}`)).json, { ok: true, receipt });
    assert.deepEqual(refusal(await settle(quote, receipt.txHash)), [200, result.text], 'a repeat has the same answer');
    const other = await quoted();
    assert.deepEqual(refusal(await settle(other, receipt.txHash)), [400, said('Transaction is used for another payment')]);
  });

  test('is not settled by another amount, token, way or wallet, or by the amount of another quote', LIMIT, async () => {
    const quote = await quoted({ payer: world.chain.accounts.payers[1]?.address });
    const other = await quoted();
    const units = BigInt(quote.amountUnits);
    const fake = '0x00000000000000000000000000000000000fa4e0' as const;
    await world.chain.rpc('anvil_setCode', [fake, readArtefact('Token').runtime]);
    const { address } = world.chain.accounts.payers[1] ?? assert.fail();
    await send(address, units, { functionName: 'mint', token: fake });
    const pays = [400, said('Transaction does not pay this quote')];
    const wrong: readonly (readonly [string, unknown[]])[] = [
      [await send(quote.address, units - 1n, { payer: 1 }), pays],
      [await send(quote.address, BigInt(other.amountUnits), { payer: 1 }), pays],
      [await send(address, units, { payer: 1 }), pays],
      [await send(quote.address, units, { payer: 1, token: fake }), pays],
      // Its event is the one of a transfer.
      [await send(quote.address, units, { payer: 1, functionName: 'mint' }), pays],
      [await send(quote.address, units, { payer: 2 }), [400, said('paidBy does not match quote payer')]],
      [`0x${'ab'.repeat(32)}`, [402, said('Payment is not final yet', 'payment_required')]],
    ];
    await mine();
    for (const [hash, refused] of wrong) assert.deepEqual(refusal(await settle(quote, hash)), refused, hash);
    const { status, text } = await settle(
      quote,
      await send(quote.address, units, { payer: 1 }).then(async (hash) => {
        await mine();
        return hash;
      }),
    );
    assert.equal(status, 200, text);
  });

  test('is not settled by what was reorganized away', LIMIT, async () => {
    const quote = await quoted();
    const state = await world.chain.rpc('evm_snapshot', []);
    const hash = await send(quote.address, BigInt(quote.amountUnits), { payer: 3 });
    assert.equal((await settle(quote, hash)).status, 402);
    await world.chain.rpc('evm_revert', [state]);
    await mine();
    assert.deepEqual(refusal(await settle(quote, hash)), [402, said('Payment is not final yet', 'payment_required')]);
  });

  test('of one chain is not settled by another, nor while the chain cannot be read', LIMIT, async () => {
    const quote = await quoted();
    const hash = await send(quote.address, BigInt(quote.amountUnits), { payer: 4 });
    await mine();
    assert.deepEqual(refusal(await settle(quote, hash, { chain: 'bnb' })), [400, said('Settlement chain does not match quote chain')]);
    assert.deepEqual(
      refusal(await world.ask('POST', `${X402}/settle`, { body: { quoteId: quote.quoteId, txHash: hash, chain: 'stellar' } })),
      [400, said('Settlement chain is not available for quote')],
    );
    assert.deepEqual(refusal(await world.ask('POST', `${X402}/quote`, { body: { chain: 'stellar' } })), [
      400,
      said('Settlement chain is not available for quote'),
    ]);
    world.switches.node.set({ mode: 'cut' });
    try {
      assert.deepEqual(refusal(await settle(quote, hash)), [503, said('Chain cannot be read', 'unavailable')]);
    } finally {
      world.switches.node.set();
    }
    const crowd = await Promise.all(Array.from({ length: 8 }, () => settle(quote, hash)));
    assert.deepEqual([new Set(crowd.map(({ status, text }) => `${status} ${text}`)).size, crowd[0]?.status], [1, 200], crowd[0]?.text);
  });

  test('renews a subscription, whose proof has the block and the token', LIMIT, async () => {
    const { status, json, text } = await world.ask('POST', `${X402}/subscriptions`, {
      body: { agentId: 'a', serviceId: 's', plan: 'starter' },
    });
    assert.equal(status, 201, text);
    const hash = await send(json.quote.address, BigInt(json.quote.amountUnits), { payer: 5 });
    const { blockNumber } = await world.chain.publicClient.getTransactionReceipt({ hash });
    await mine();
    const paid = await settle(json.quote, hash, { subscriptionId: json.subscription.id });
    assert.deepEqual(
      paid.json.subscriptionProof,
      {
        subscriptionId: json.subscription.id,
        isActive: true,
        lastPaymentLedger: Number(blockNumber),
        lastPaymentTx: hash,
        contractId: USDC,
      },
      paid.text,
    );
    const used = await world.ask('GET', `${X402}/subscriptions/a/s?consume=true`, { headers: { authorization: `Bearer ${json.key}` } });
    assert.deepEqual([used.status, used.json.callsRemaining], [200, 99], used.text);
  });
});

describe('a pack', () => {
  test('is bought by a stock client, gives as many calls as were paid, and then 402', LIMIT, async () => {
    const { id, path, seller } = await plainSkill(world, 'deliver', { packs: { starter: '$1' } });
    await eventually(
      'the pack is sold',
      () => world.ask('POST', `/packs/${id}/starter`, { body: {} }),
      ({ status }) => status === 402,
    );
    const payer = world.chain.accounts.payers[6] ?? assert.fail();
    const { result: bought, paid } = await earned(world, seller, () =>
      payingFetch(fetch, payer)(`${world.url}/packs/${id}/starter`, { method: 'POST' }),
    );
    const { pack } = (await bought.json()) as { pack: Record<string, unknown> & { key: string } };
    assert.deepEqual(
      [bought.status, paid, pack.plan, pack.calls, pack.used, pack.remaining, pack.status],
      [201, 1_000_000n, 'starter', 100, 0, 100, 'active'],
    );
    assert.match(pack.key, /^fbp_[^_]+_[0-9a-f]{64}$/);
    const invoke = (n: number, key = pack.key, skill = id): Promise<Answer> =>
      world.ask('POST', `/api/marketplace/skills/${skill}/invoke`, {
        body: { agentId: 'whoever', payload: { n } },
        headers: { authorization: `Bearer ${key}` },
      });
    const { result: first, paid: more } = await earned(world, seller, () => invoke(0));
    assert.deepEqual(
      [first.status, first.json.ok, first.json.response.result, 'receipt' in first.json, more],
      [200, true, 'skill executed', false, 0n],
      first.text,
    );
    const [call, ...calls] = world.sellers.at(path);
    assert.deepEqual([call?.headers['farebox-skill'], calls.length], [id, 0]);
    assert.match(String(call?.headers['farebox-signature-v2']), /^t=\d+,v2=[0-9a-f]{64}$/);
    const left = async (): Promise<unknown[]> => {
      const { status, json } = await world.ask('GET', `/api/marketplace/packs/${pack.key}`);
      return [status, json.pack.used, json.pack.remaining, json.pack.status, 'key' in json.pack];
    };
    assert.deepEqual(await left(), [200, 1, 99, 'active', false]);
    const quiet = await world.ask('GET', '/api/marketplace/packs/current', { headers: { authorization: `Bearer ${pack.key}` } });
    assert.deepEqual([quiet.status, quiet.json.pack?.remaining], [200, 99], quiet.text);
    assert.equal((await world.ask('GET', '/api/marketplace/packs/current')).status, 404);
    await eventually(
      'the market has logged the question',
      () => world.market.logs(),
      (logs) => logs.includes('"path":"/api/marketplace/packs/fbp_[redacted]"'),
    );
    for (const logs of [world.market.logs(), world.gate.logs()]) assert.ok(!logs.includes(pack.key), 'the key is in no log');
    const statuses: number[] = [];
    for (let n = 1; n < 110; n += 10) {
      const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => invoke(n + index)));
      statuses.push(...answers.map(({ status }) => status));
    }
    assert.deepEqual(
      [statuses.filter((status) => status === 200).length, statuses.filter((status) => status === 402).length, statuses.length],
      [99, 11, 110],
    );
    assert.equal(world.sellers.at(path).length, 100, 'the seller was called for what was paid');
    const { status, text } = await invoke(1_000);
    assert.deepEqual(
      [status, text],
      [402, '{"ok":false,"error":"insufficient_balance","code":"insufficient_balance","status":"exhausted"}'],
    );
    assert.deepEqual(await left(), [200, 100, 0, 'exhausted', false]);
  });

  //
  test('is for its own skill, which may be taken back meanwhile, and its key is its own', LIMIT, async () => {
    const { id, path, seller } = await plainSkill(world, 'deliver', { packs: { starter: '$1' } });
    const { id: other, path: others } = await plainSkill(world, 'deliver');
    await eventually(
      'the pack is sold',
      () => world.ask('POST', `/packs/${id}/starter`, { body: {} }),
      ({ status }) => status === 402,
    );
    const bought = await payingFetch(fetch, world.chain.accounts.payers[7] ?? assert.fail())(`${world.url}/packs/${id}/starter`, {
      method: 'POST',
    });
    const {
      pack: { key },
    } = (await bought.json()) as { pack: { key: string } };
    const invoke = (skill: string, token: string): Promise<Answer> =>
      world.ask('POST', `/api/marketplace/skills/${skill}/invoke`, {
        body: { agentId: 'whoever' },
        headers: { authorization: `Bearer ${token}` },
      });
    const forged = `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`;
    assert.deepEqual(
      [
        (await invoke(other, key)).status,
        (await invoke(id, forged)).status,
        world.sellers.at(others).length,
        world.sellers.at(path).length,
      ],
      [403, 401, 0, 0],
    );
    assert.equal((await invoke(id, key)).status, 200);
    const gone = await world.change(seller, 'deactivate', id);
    assert.equal(gone.status, 200, gone.text);
    // What was paid serves until it ends, whatever becomes of its skill.
    assert.deepEqual([(await invoke(id, key)).status, world.sellers.at(path).length], [200, 2]);
    const { pack } = (await world.ask('GET', `/api/marketplace/packs/${key}`)).json;
    assert.deepEqual([pack.status, pack.remaining], ['active', 98]);
    await eventually(
      'no pack is sold',
      () => world.ask('POST', `/packs/${id}/starter`, { body: {} }),
      ({ status: answer }) => answer === 410 || answer === 404 || answer === 403,
    );
  });
});

test('a quote that was paid too late is not settled, and one that was paid in time is, also later', LIMIT, async () => {
  const [late, early] = [await quoted({ ttlSeconds: 120 }), await quoted({ ttlSeconds: 120 })];
  const inTime = await send(early.address, BigInt(early.amountUnits), { payer: 6 });
  await world.wait(200);
  const tooLate = await send(late.address, BigInt(late.amountUnits), { payer: 6 });
  await mine();
  assert.deepEqual(refusal(await settle(late, tooLate)), [400, said('Quote expired')]);
  assert.equal((await settle(early, inTime)).status, 200);
});

//
test('a quote that was paid stays while its block waits to be safe, whoever asks for quotes meanwhile', LIMIT, async () => {
  const quote = await quoted({ ttlSeconds: 60 });
  const hash = await send(quote.address, BigInt(quote.amountUnits), { payer: 6 });
  const early = [402, said('Payment is not final yet', 'payment_required')];
  // Twice the half hour in which a transfer may be shown, while no block becomes safe.
  for (const secs of [1_200, 1_200, 1_200]) {
    await Promise.all([world.gate.ahead(secs), world.market.ahead(secs)]);
    assert.deepEqual(refusal(await settle(quote, hash)), early);
    await quoted();
  }
  await mine();
  const { status, text } = await settle(quote, hash);
  assert.equal(status, 200, text);
});
