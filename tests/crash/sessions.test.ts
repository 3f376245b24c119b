/**
 * The gate is killed with SIGKILL at every moment of a session: while a deposit is sent, while the origin serves, while a charge is written, while
 * a claim, a refund and a payout are sent. The published client goes on, and its lost requests are sent again as they were. In the end each answer was paid
 * for once, and payer, payee and contract have what they had.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { createWalletClient, http } from 'viem';

import { BATCH_SETTLEMENT, type Chain, NETWORK, readArtefact, startChain } from '../../demo/chain.mjs';
import { type Facilitator, startFacilitator } from '../../demo/facilitator.mjs';
import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { type Gate, startGate } from '../../scripts/miniflare.mjs';
import { eventually } from '../support/eventually.ts';
import { startTap } from './tap.ts';

const PRICE = 10_000n;
const DEPOSIT = 5n * PRICE;

/** A call of the gate, before it arrives and after it was answered. */
type Moment = `${'asked' | 'answered'} ${'deposit' | 'origin' | 'look' | 'claim' | 'refund' | 'settle'}`;

/** What a call of a facilitator is for. */
function kindOf(url: string, body: string): string {
  if (!url.endsWith('/settle')) return 'look';
  const { type } = (JSON.parse(body) as { paymentPayload: { payload: { type: 'deposit' | 'claim' | 'refund' | 'settle' } } }).paymentPayload
    .payload;
  return type;
}

describe('a session whose gate dies', { concurrency: 1 }, () => {
  const started: { stop(): Promise<void> }[] = [];
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    started.push(part);
    return part;
  };
  let chain: Chain;
  let facilitator: Facilitator;
  let origin: Origin;
  let gate: Gate;
  let planned: { moment: Moment; afterMs: number } | undefined;
  let killed: Promise<void> | undefined;
  let seeds = 0;
  /** What payers who leave have added to their deposits. */
  let added = 0n;

  const tell = async (moment: string): Promise<void> => {
    if (planned?.moment !== moment) return;
    const { afterMs } = planned;
    planned = undefined;
    killed = (async () => {
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      await gate.kill();
      await gate.restart();
    })();
    // The call itself goes on where the death comes later.
    if (afterMs === 0) await killed;
  };

  before(
    async () => {
      chain = keep(await startChain());
      origin = keep(await startOrigin());
      facilitator = keep(await startFacilitator({ chain }));
      const persist = mkdtempSync(join(tmpdir(), 'farebox-sessions-'));
      keep({ stop: async () => rmSync(persist, { recursive: true, force: true }) });
      const toFacilitator = keep(await startTap(() => facilitator.url, kindOf, tell));
      const toOrigin = keep(
        await startTap(
          () => origin.url,
          () => 'origin',
          tell,
        ),
      );
      gate = keep(
        await startGate({
          build: process.env.FAREBOX_BUILD ?? 'build',
          persist,
          secrets: { GATE_SECRET: 'gate-secret-of-the-crash-suite-0123456789', LEDGER_SALT: 'ledger-salt-of-the-crash-suite' },
          vars: {
            NETWORK,
            PAY_TO: chain.accounts.payee.address,
            FACILITATOR_URL: toFacilitator.url,
            ORIGIN_URL: toOrigin.url,
            ROUTES: [{ path: '/report/*', methods: ['GET'], price: '$0.01', session_delay_secs: 900 }],
          },
        }),
      );
    },
    { timeout: 120_000 },
  );
  after(async () => {
    for (const part of started.reverse()) await part.stop();
  });

  /** Sends a request until the gate has answered it: the same bytes each time. */
  const patient: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    for (let tries = 0; tries < 100; tries += 1) {
      try {
        const answer = await whole(await fetch(request.clone()));
        if (answer.status < 500 && !(answer.status === 402 && errorOf(answer)?.endsWith('channel_busy') === true)) return answer;
      } catch {
        await killed;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error('the gate does not answer');
  };

  /** Plays a session in which the gate dies once, at this moment, in the request with this number. */
  async function play(dying: number, moment: Moment, afterMs: number): Promise<void> {
    const payer = chain.accounts.payers[0];
    assert.ok(payer);
    seeds += 1;
    const salt = `0x${seeds.toString(16).padStart(64, '0')}` as const;
    const { readContract } = chain.publicClient;
    const scheme = new BatchSettlementEvmScheme({ ...payer, readContract } as never, { depositStrategy: () => DEPOSIT, salt });
    const pay = wrapFetchWithPaymentFromConfig(patient, { schemes: [{ network: 'eip155:*', client: scheme }] });
    const funds = await chain.balanceOf(payer.address);
    const earned = await received();
    const answers = new Set<string>();
    killed = undefined;
    for (let request = 0; request < 3; request += 1) {
      if (request === dying) planned = { moment, afterMs };
      const answer = await pay(`${gate.url}/report/${seeds}-${request}`);
      const text = await answer.text();
      assert.equal(answer.status, 200, text);
      answers.add(text);
      await killed;
    }
    assert.equal(answers.size, 3);
    if (dying === 3) planned = { moment, afterMs };
    // Whether it hears of it or not: the refund is made once.
    await scheme.refund(`${gate.url}/report/1`, { fetch: patient }).catch(() => undefined);
    const expected = 3n * PRICE;
    await eventually(
      'the rest is paid back',
      async () => funds - (await chain.balanceOf(payer.address)),
      (paid) => paid === expected,
    );
    await eventually('it dies', () => planned === undefined);
    await killed;
    await eventually(
      "what was earned is the payee's",
      async () => (await received()) - earned,
      (paid) => paid === expected,
    );
  }

  /** Plays a session whose payer withdraws: what was earned is claimed by the alarm, in which the gate dies. */
  async function leave(moment: Moment): Promise<void> {
    const payer = chain.accounts.payers[0];
    assert.ok(payer);
    seeds += 1;
    const salt = `0x${seeds.toString(16).padStart(64, '0')}` as const;
    const { readContract } = chain.publicClient;
    const scheme = new BatchSettlementEvmScheme({ ...payer, readContract } as never, { depositStrategy: () => DEPOSIT, salt });
    let shown: { payload: { channelConfig: object; voucher: { channelId: string } } } | undefined;
    const watched: typeof fetch = (input, init) => {
      const payment = new Request(input, init).headers.get('payment-signature');
      if (payment !== null) shown = JSON.parse(Buffer.from(payment, 'base64').toString('utf8')) as typeof shown;
      return patient(input, init);
    };
    const pay = wrapFetchWithPaymentFromConfig(watched, { schemes: [{ network: 'eip155:*', client: scheme }] });
    const funds = await chain.balanceOf(payer.address);
    killed = undefined;
    for (let request = 0; request < 5; request += 1) assert.equal((await pay(`${gate.url}/report/${seeds}-${request}`)).status, 200);
    assert.ok(shown);
    const fifth = shown;
    const { channelConfig, voucher } = fifth.payload;
    const { abi } = readArtefact('BatchSettlement');
    const wallet = createWalletClient({ account: payer, chain: chain.chain, transport: http(chain.url) });
    const hash = await wallet.writeContract({
      address: BATCH_SETTLEMENT,
      abi,
      functionName: 'initiateWithdraw',
      args: [channelConfig, 5n * PRICE],
    });
    assert.equal((await chain.publicClient.waitForTransactionReceipt({ hash })).status, 'success');
    // The deposit for the next request shows the gate that its payer is leaving.
    planned = { moment, afterMs: 0 };
    assert.equal((await pay(`${gate.url}/report/${seeds}-5`)).status, 402);
    await eventually('it dies', () => planned === undefined);
    await killed;
    const claimed = async (): Promise<bigint> => {
      const read = { address: BATCH_SETTLEMENT, abi, functionName: 'channels', args: [voucher.channelId] } as const;
      return ((await chain.publicClient.readContract(read)) as readonly [bigint, bigint])[1];
    };
    await eventually('what was earned is claimed', claimed, (all) => all === 5n * PRICE);
    // The client has not heard that its deposit arrived, and its last voucher was claimed a moment ago: anyone can show that one,
    // so it has nothing paid back.
    const asked = { ...fifth, payload: { type: 'refund', channelConfig, voucher } };
    const headers = { 'payment-signature': Buffer.from(JSON.stringify(asked)).toString('base64') };
    const answer = await fetch(`${gate.url}/report/1`, { headers });
    assert.deepEqual([answer.status, errorOf(answer)], [402, 'invalid_batch_settlement_evm_voucher_published']);
    assert.equal(funds - (await chain.balanceOf(payer.address)), 2n * DEPOSIT);
    added += DEPOSIT;
  }

  /** What the payee has, or the contract keeps for the payee alone: a payout that was cut off waits for the next one. */
  const received = async (): Promise<bigint> => {
    // Both in one call: a payout moves it from one to the other, and the chain answers for a block while it makes the next one.
    const balanceOf = (owner: string) =>
      ({ address: chain.token.address, abi: chain.token.abi, functionName: 'balanceOf', args: [owner] }) as const;
    const [paidOut, kept] = (await chain.publicClient.multicall({
      contracts: [balanceOf(chain.accounts.payee.address), balanceOf(BATCH_SETTLEMENT)],
      deployless: true,
      allowFailure: false,
    })) as [bigint, bigint];
    return paidOut + kept;
  };

  for (const moment of ['asked deposit', 'answered deposit', 'asked origin', 'answered origin'] as const) {
    it(`in its first request, when the gate has ${moment}`, { timeout: 60_000 }, () => play(0, moment, 0));
  }
  for (const moment of ['asked origin', 'answered origin'] as const) {
    it(`in a later request, when the gate has ${moment}`, { timeout: 60_000 }, () => play(1, moment, 0));
  }
  for (const afterMs of [1, 2, 4, 6, 9]) {
    it(`${afterMs} ms after the origin has answered`, { timeout: 60_000 }, () => play(2, 'answered origin', afterMs));
  }
  for (const moment of ['asked refund', 'answered refund'] as const) {
    it(`in its refund, when the gate has ${moment}`, { timeout: 60_000 }, () => play(3, moment, 0));
  }
  for (const moment of ['asked settle', 'answered settle'] as const) {
    it(`in its payout, when the gate has ${moment}`, { timeout: 60_000 }, () => play(3, moment, 0));
  }
  for (const moment of ['asked claim', 'answered claim', 'asked look', 'answered look'] as const) {
    it(`in its alarm, when the gate has ${moment}`, { timeout: 60_000 }, () => leave(moment));
  }
  it('and the payouts that were cut off come with the next one', { timeout: 60_000 }, async () => {
    await play(0, 'asked origin', 0);
    await eventually(
      'the contract has only what was added lately',
      () => chain.balanceOf(BATCH_SETTLEMENT),
      (held) => held === added,
    );
  });
});

/** An answer whose body has come: the gate may die while it sends it. */
async function whole(answer: Response): Promise<Response> {
  return new Response(await answer.arrayBuffer(), answer);
}

function errorOf(answer: Response): string | undefined {
  const terms = answer.headers.get('payment-required');
  return terms === null ? undefined : (JSON.parse(Buffer.from(terms, 'base64').toString('utf8')) as { error?: string }).error;
}
