/**
 * The gate is killed with SIGKILL at each step of a session by MPP: while it looks at the chain for an opening, a top-up or a close, while the origin
 * serves, while what was earned is settled. The payer sends its last credential again as it was. At every end no more is accepted than was signed, no more
 * is delivered than was accepted, each request is charged once, and what was earned is settled: payer, payee and contract have what they are owed.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { toHex } from 'viem';

import { account, type Chain, NETWORK, PAYEE, PAYMENT_CHANNEL, startChain } from '../../demo/chain.mjs';
import { startFacilitator } from '../../demo/facilitator.mjs';
import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { startWithClock } from '../../scripts/clock.mjs';
import { GATE } from '../../scripts/miniflare.mjs';
import { OkxPayer } from '../e2e/okx-payer.ts';
import { eventually } from '../support/eventually.ts';
import { startTap } from './tap.ts';

const PRICE = 10_000n;
const LIMIT = { timeout: 60_000 };
const OPERATOR_TOKEN = 'operator-token-of-the-crash-suite-01234';

type Step = 'open' | 'voucher' | 'topUp' | 'close' | 'settle';
/** A call of the gate, before it arrives and after it was answered: to the origin, for a look at the chain, with a transaction. */
type Moment = `${'asked' | 'answered'} ${'origin' | 'look' | 'send'}`;
/** A channel, as the operator sees it. */
type Row = { id: string; deposit: string; accepted: string; spent: string; claimed: string };

const wait = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

describe('a session by MPP whose gate dies', { concurrency: 1 }, () => {
  const started: { stop(): Promise<void> }[] = [];
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    started.push(part);
    return part;
  };
  let chain: Chain;
  let origin: Origin;
  let gate: Awaited<ReturnType<typeof startWithClock>>;
  let planned: { moment: Moment; afterMs: number } | undefined;
  let killed: Promise<void> | undefined;
  let salts = 0;

  const tell = async (moment: string): Promise<void> => {
    if (planned?.moment !== moment) return;
    const { afterMs } = planned;
    planned = undefined;
    killed = (async () => {
      await wait(afterMs);
      await gate.kill();
      await gate.restart();
    })();
    // The call itself goes on where the death comes later.
    if (afterMs === 0) await killed;
  };

  before(async () => {
    chain = keep(await startChain());
    origin = keep(await startOrigin());
    const facilitator = keep(await startFacilitator({ chain }));
    const persist = mkdtempSync(join(tmpdir(), 'farebox-mpp-sessions-'));
    keep({ stop: async () => rmSync(persist, { recursive: true, force: true }) });
    const node = keep(
      await startTap(
        () => chain.url,
        (_, body) => (body.includes('eth_sendRawTransaction') ? 'send' : 'look'),
        tell,
      ),
    );
    const toOrigin = keep(
      await startTap(
        () => origin.url,
        () => 'origin',
        tell,
      ),
    );
    gate = keep(
      await startWithClock(GATE, {
        build: process.env.FAREBOX_BUILD ?? 'build',
        persist,
        secrets: {
          GATE_SECRET: 'gate-secret-of-the-crash-suite-0123456789',
          LEDGER_SALT: 'ledger-salt-of-the-crash-suite',
          OPERATOR_TOKEN,
          PAYEE_KEY: account(PAYEE).privateKey,
        },
        vars: {
          NETWORK,
          PAY_TO: chain.accounts.payee.address,
          FACILITATOR_URL: facilitator.url,
          ORIGIN_URL: toOrigin.url,
          RPC_URL: node.url,
          ROUTES: [
            { path: '/report/session', methods: ['GET'], price: '$0.01', session_escrow: PAYMENT_CHANNEL },
            { path: '/report/sent', methods: ['GET'], price: '$0.01', session_escrow: PAYMENT_CHANNEL, session_fee_payer: '$0.02' },
          ],
        },
      }),
    );
  }, LIMIT);
  after(async () => {
    for (const part of started.reverse()) await part.stop();
  });

  /** Time goes by, for the gate and its alarms. */
  const pass = async (secs: number): Promise<void> => {
    await gate.ahead(secs).catch(() => undefined);
    await wait(50);
  };

  /** Sends a request until the gate has answered it: the same bytes each time. */
  const patient: typeof fetch = async (input, init) => {
    for (let tries = 0; tries < 100; tries += 1) {
      try {
        const begun = await fetch(input, init);
        // The gate may die while it sends a body.
        const answer = new Response(await begun.arrayBuffer(), begun);
        if (answer.status < 500 && !(await isEarly(answer.clone()))) return answer;
      } catch {
        await killed;
      }
      await pass(2);
    }
    throw new Error('the gate does not answer');
  };

  /** What the gate has of a channel. */
  const rowOf = async (id: string): Promise<Row | undefined> => {
    const answer = await fetch(`${gate.url}/_farebox/channels`, { headers: { authorization: `Bearer ${OPERATOR_TOKEN}` } });
    const { items } = (await answer.json()) as { items: Row[] };
    return items.find((item) => item.id === id);
  };

  /** Plays a session in which the gate dies once, in this step, at this moment. */
  async function play(dying: Step, moment: Moment, afterMs = 0, path = '/report/session'): Promise<void> {
    const payer = chain.accounts.payers[0];
    assert.ok(payer);
    salts += 1;
    const session = new OkxPayer(chain, payer, `${gate.url}${path}`, patient);
    const balances = (): Promise<bigint[]> =>
      Promise.all([payer.address, chain.accounts.payee.address, PAYMENT_CHANNEL].map((owner) => chain.balanceOf(owner)));
    const [funds, earned, held] = await balances();
    const asked = origin.requests.length;
    killed = undefined;
    let delivered = 0n;
    const dies = async <T>(step: Step, work: () => Promise<T>): Promise<T> => {
      if (step === dying) planned = { moment, afterMs };
      const done = await work();
      await killed;
      return done;
    };
    const buy = async (): Promise<void> => {
      const answer = await session.buy();
      assert.equal(answer.status, 200, answer.body);
      delivered += 1n;
      const { spent, acceptedCumulative } = answer.receipt ?? assert.fail('no receipt');
      assert.deepEqual([BigInt(spent), BigInt(acceptedCumulative)], [delivered * PRICE, session.cumulative]);
      assert.ok(delivered * PRICE <= session.cumulative && session.cumulative <= session.deposit);
    };
    const opened = await dies('open', () => session.open(3n * PRICE, toHex(salts, { size: 32 })));
    assert.equal(opened.status, 200, opened.body);
    await buy();
    await dies('voucher', buy);
    await buy();
    const added = await dies('topUp', () => session.topUp(2n * PRICE));
    assert.equal(added.status, 200, added.body);
    await buy();
    assert.ok(origin.requests.length - asked <= 5, 'one request is perhaps served again, and charged once');
    if (dying === 'settle') {
      await session.call('requestClose', [session.id]);
      const seen = await dies('settle', () => session.see());
      assert.equal(seen.status, 409, seen.body);
    } else {
      const closed = await dies('close', () => session.close());
      assert.equal(closed.status, 200, closed.body);
    }
    await eventually("what was earned is the payee's", async () => {
      await pass(5);
      return (await chain.balanceOf(chain.accounts.payee.address)) === earned! + 4n * PRICE;
    });
    await killed;
    assert.equal(planned, undefined, 'it died');
    if (dying === 'settle') {
      await chain.rpc('evm_increaseTime', [901]);
      await session.call('withdraw', [session.id]);
    }
    const row = await eventually('it is listed with what was claimed', async () => {
      await pass(5);
      const found = await rowOf(session.id);
      return found?.claimed === String(4n * PRICE) && found;
    });
    assert.deepEqual([row.accepted, row.spent], [String(session.cumulative), String(4n * PRICE)]);
    assert.deepEqual(await balances(), [funds! - 4n * PRICE, earned! + 4n * PRICE, held]);
  }

  for (const step of ['open', 'topUp'] as const) {
    for (const moment of ['asked look', 'answered look'] as const)
      it(`in its ${step}, when the gate has ${moment}`, LIMIT, () => play(step, moment));
  }
  // The gate sends what the payer has signed, once.
  for (const step of ['open', 'topUp'] as const) {
    for (const moment of ['asked look', 'answered look', 'asked send', 'answered send'] as const) {
      it(`in its ${step}, which it sends, when it has ${moment}`, LIMIT, () => play(step, moment, 0, '/report/sent'));
    }
  }
  for (const moment of ['asked origin', 'answered origin'] as const)
    it(`in a request, when the gate has ${moment}`, LIMIT, () => play('voucher', moment));
  for (const afterMs of [1, 3, 6, 10])
    it(`in a request, ${afterMs} ms after the origin has answered`, LIMIT, () => play('voucher', 'answered origin', afterMs));
  for (const step of ['close', 'settle'] as const) {
    for (const moment of ['asked look', 'answered look', 'asked send', 'answered send'] as const)
      it(`in its ${step}, when the gate has ${moment}`, LIMIT, () => play(step, moment));
  }
});

/** Whether the gate asks to wait: another request holds the channel, or a transaction is in no block yet. */
async function isEarly(answer: Response): Promise<boolean> {
  if (answer.status !== 409 && answer.status !== 402) return false;
  const { code, retryable } = (await answer.json().catch(() => ({}))) as { code?: number; retryable?: boolean };
  return retryable === true || code === 70007;
}
