// Forty channels of x402 that are due at once: the gate claims all of them in a few transactions of the published facilitator. One of them has nothing
// left, the gate is killed while a batch is sent, an answer is lost: what is earned is claimed once, to the last unit.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { createWalletClient, decodeFunctionData, type Hex, http } from 'viem';

import { BATCH_SETTLEMENT, type Chain, readArtefact, startChain } from '../../demo/chain.mjs';
import { startFacilitator } from '../../demo/facilitator.mjs';
import { gateVars } from '../../demo/gate.mjs';
import { startOrigin } from '../../demo/origin.mjs';
import { startWithClock } from '../../scripts/clock.mjs';
import { GATE } from '../../scripts/miniflare.mjs';
import { startTap } from '../crash/tap.ts';
import { eventually } from '../support/eventually.ts';

const PRICE = 10_000n;
const DELAY = 900;
const { abi } = readArtefact('BatchSettlement');
let chain: Chain;
let gate: Awaited<ReturnType<typeof startWithClock>>;
/** What happens when the facilitator is asked for a claim, or has answered one. */
let happens: Partial<Record<string, () => Promise<void>>> = {};
const ends: { stop(): unknown }[] = [];
function keep<T extends { stop(): unknown }>(part: T): T {
  ends.unshift(part);
  return part;
}

before(async () => {
  chain = keep(await startChain());
  const origin = keep(await startOrigin());
  const facilitator = keep(await startFacilitator({ chain }));
  const kindOf = (url: string, body: string) => {
    if (!url.endsWith('/settle')) return 'look';
    return (JSON.parse(body) as { paymentPayload: { payload: { type: string } } }).paymentPayload.payload.type;
  };
  const tap = keep(
    await startTap(
      () => facilitator.url,
      kindOf,
      async (moment) => {
        const work = happens[moment];
        happens = {};
        await work?.();
      },
    ),
  );
  const persist = mkdtempSync(join(tmpdir(), 'farebox-claims-'));
  keep({ stop: () => rmSync(persist, { recursive: true, force: true }) });
  const vars = gateVars({ chain, facilitator: tap, origin });
  const route = { path: '/report/session/*', methods: ['GET'], price: '$0.01', session_delay_secs: DELAY };
  gate = keep(
    await startWithClock(GATE, {
      build: process.env.FAREBOX_BUILD ?? 'build',
      persist,
      vars: { ...vars, ROUTES: [...vars.ROUTES, route] },
      secrets: { LEDGER_SALT: 'ledger-salt-of-the-test-of-claims' },
    }),
  );
});
after(async () => {
  for (const part of ends) await part.stop();
});

interface Opened {
  payer: Chain['accounts']['payer'];
  config: object;
  id: Hex;
}

/** Channels of five accounts, each with a deposit for three requests and one request that was paid. */
async function open(many: number): Promise<Opened[]> {
  const accounts = chain.accounts.payers.slice(0, 5);
  const { readContract } = chain.publicClient;
  const opened = await Promise.all(
    accounts.map(async (payer, place) => {
      const mine: Opened[] = [];
      for (let number = place; number < many; number += accounts.length) {
        const salt: Hex = `0x${randomBytes(32).toString('hex')}`;
        const scheme = new BatchSettlementEvmScheme({ ...payer, readContract } as never, { depositStrategy: () => 3n * PRICE, salt });
        let shown: { channelConfig: object; voucher: { channelId: Hex } } | undefined;
        const pay = wrapFetchWithPaymentFromConfig(
          (input, init) => {
            const payment = new Request(input, init).headers.get('payment-signature');
            if (payment !== null)
              shown = (JSON.parse(Buffer.from(payment, 'base64').toString('utf8')) as { payload: NonNullable<typeof shown> }).payload;
            return fetch(input, init);
          },
          { schemes: [{ network: 'eip155:*', client: scheme }] },
        );
        const answer = await pay(`${gate.url}/report/session/${number}`);
        assert.equal(answer.status, 200, await answer.text());
        assert.ok(shown);
        mine.push({ payer, config: shown.channelConfig, id: shown.voucher.channelId });
      }
      return mine;
    }),
  );
  return opened.flat();
}

/** The calls of the contract since this block, by name, with how many claims each has. */
async function calls(since: bigint): Promise<string[]> {
  const found: string[] = [];
  for (let number = since + 1n; number <= (await chain.publicClient.getBlockNumber()); number += 1n) {
    const { transactions } = await chain.publicClient.getBlock({ blockNumber: number, includeTransactions: true });
    for (const { to, input } of transactions) {
      if (to?.toLowerCase() !== BATCH_SETTLEMENT.toLowerCase()) continue;
      const { functionName, args } = decodeFunctionData({ abi, data: input }) as { functionName: string; args: unknown[] };
      found.push(functionName === 'claimWithSignature' ? `claim ${(args[0] as object[]).length}` : functionName);
    }
  }
  return found;
}

async function claimed(opened: Opened[]): Promise<bigint> {
  const all = await Promise.all(
    opened.map(({ id }) => chain.publicClient.readContract({ address: BATCH_SETTLEMENT, abi, functionName: 'channels', args: [id] })),
  );
  return (all as [bigint, bigint][]).reduce((sum, [, each]) => sum + each, 0n);
}

/** Moves the chain's clock. */
async function blocks(secs: number): Promise<void> {
  await chain.rpc('evm_increaseTime', [secs]);
  await chain.rpc('evm_mine', []);
}

const clock = Date.now;
let aheadMs = 0;
/** Moves the clock of gate and payers. */
async function passes(secs: number): Promise<void> {
  aheadMs += secs * 1000;
  Date.now = () => clock() + aheadMs;
  await gate.ahead(secs);
}

/** Lets what was earned come due, and waits until the payee has so much of it; the calls of the contract. */
async function due(expected: bigint, opened: Opened[], moves = blocks): Promise<string[]> {
  const earlier = await chain.balanceOf(chain.accounts.payee.address);
  const since = await chain.publicClient.getBlockNumber();
  await moves(DELAY);
  await passes(DELAY);
  await eventually(
    'what was earned is with the payee',
    async () => (await chain.balanceOf(chain.accounts.payee.address)) - earlier,
    (paid) => paid === expected,
    90,
  );
  assert.equal(await claimed(opened), expected);
  // Nothing follows.
  await blocks(60);
  await passes(60);
  await new Promise((resolve) => {
    setTimeout(resolve, 3_000);
  });
  assert.equal((await chain.balanceOf(chain.accounts.payee.address)) - earlier, expected);
  return calls(since);
}

const count = (all: string[], name: string) => all.filter((it) => it.startsWith(name)).length;

test('forty channels that are due at once, of which one has nothing left, are claimed by a few transactions', {
  timeout: 240_000,
}, async () => {
  const opened = await open(40);
  const [bad] = opened;
  assert.ok(bad);
  // It withdraws while the gate does not look, and takes back what it spent.
  const wallet = createWalletClient({ account: bad.payer, chain: chain.chain, transport: http(chain.url) });
  for (const [functionName, args] of [
    ['initiateWithdraw', [bad.config, 3n * PRICE]],
    ['finalizeWithdraw', [bad.config]],
  ] as const) {
    const hash = await wallet.writeContract({ address: BATCH_SETTLEMENT, abi, functionName, args });
    assert.equal((await chain.publicClient.waitForTransactionReceipt({ hash })).status, 'success');
    if (functionName === 'initiateWithdraw') {
      await blocks(DELAY);
    }
  }
  const all = await due(39n * PRICE, opened, async () => {});
  assert.ok(count(all, 'claim') <= 3, all.join(', '));
  assert.ok(count(all, 'settle') <= 3, all.join(', '));
});

test('a gate that is killed while a batch is sent claims the rest, and no unit twice', { timeout: 240_000 }, async () => {
  const dies = async () => {
    await gate.kill();
    await gate.restart();
  };
  for (const moment of ['asked claim', 'answered claim']) {
    const opened = await open(10);
    happens = { [moment]: dies };
    const all = await due(10n * PRICE, opened);
    assert.deepEqual(happens, {}, moment);
    assert.ok(count(all, 'claim') <= 3, `${moment}: ${all.join(', ')}`);
  }
});
