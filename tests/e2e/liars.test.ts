import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { EXPECTED } from '../crash/expected.ts';
import { codeOf } from '../crash/verdict.ts';
import { payingFetch, settlementOf } from './clients.ts';
import { type FaultyWorld, insist, MODES, type Mode, sendTo, signFor, startFaultyWorld, TURNS, tally } from './faulty-world.ts';
import { claims, misreports, type Twist } from './twisted.ts';

interface Lie {
  what: string;
  /** `served`: the hash of a payment that was settled and served before. */
  tell: (served: `0x${string}`) => Twist;
  /** Whether value moved while the facilitator lied. */
  moved: boolean;
  /** The first answer. */
  status: number;
  code: string;
}

const network = 'eip155:84532';
const OTHER = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const FRESH = `0x${'5e'.repeat(32)}`;
const UNKNOWN = { status: 503, code: 'settlement_unknown' };

const lies: Lie[] = [
  { what: 'success without a transaction', tell: () => claims({ success: true, network }), moved: false, ...UNKNOWN },
  { what: 'success without the transaction that there is', tell: () => misreports({ transaction: '' }), moved: true, ...UNKNOWN },
  {
    what: "another payment's transaction",
    tell: (transaction) => claims({ success: true, network, transaction }),
    moved: false,
    ...UNKNOWN,
  },
  { what: "another payment's transaction for its own", tell: (transaction) => misreports({ transaction }), moved: true, ...UNKNOWN },
  { what: 'another payer', tell: () => claims({ success: true, network, payer: OTHER, transaction: FRESH }), moved: false, ...UNKNOWN },
  {
    what: 'a refusal after broadcasting',
    tell: () => misreports({ success: false, errorReason: 'insufficient_funds', transaction: '' }),
    moved: true,
    status: 402,
    code: 'settlement_refused',
  },
];

const confirmations = EXPECTED.confirmsOnChain ? (['facilitator', 'chain'] as const) : (['facilitator'] as const);

for (const confirm of confirmations)
  for (const mode of MODES) {
    describe(`settling ${mode} the origin, confirmed by ${confirm}`, { concurrency: 4 }, () => {
      let world: FaultyWorld;
      let served: `0x${string}`;
      before(async () => {
        world = await startFaultyWorld(confirm);
        served = await serve(world, mode);
      });
      after(() => world?.stop());

      for (const [number, { what, tell, moved, status, code }] of lies.entries()) {
        //
        test(`a facilitator reports ${what}: at most one debit, nothing for nothing`, async () => {
          const payer = world.payer();
          const path = `/report/${mode}/lie-${number}`;
          world.facilitator.script(payer.address, [tell(served), tell(served)]);
          const payment = await signFor(world, payer, path, 'pay_0123456789abcdef0123456789abcdef');

          const first = await sendTo(world, path, payment);
          const during = await tally(world, payer.address, path);
          // A ledger that recovers by itself may have had it settled in earnest by now.
          assert.ok(
            during.debits === (moved ? 1 : 0) || (during.debits === 1 && EXPECTED.unknownEndsBy === 'alarm'),
            `${during.debits} debits`,
          );
          if (moved && EXPECTED.gateReadsChain) assert.ok([200, status].includes(first.status), first.text);
          else assert.deepEqual([first.status, codeOf(first)], [status, code], first.text);
          assert.equal(first.headers['payment-required'], undefined, 'no fresh terms');

          // The facilitator is honest from here on, the payer sends the same payment until somebody answers.
          const last = await insist(TURNS + 1, () => sendTo(world, path, payment));
          const { debits, asked } = await tally(world, payer.address, path);
          assert.ok(debits <= 1, `${debits} debits`);
          assert.ok(asked <= 1, `the origin ran ${asked} times`);
          if (!moved || EXPECTED.unknownEndsBy === 'alarm') {
            assert.equal(last.status, 200, last.text);
            assert.equal(debits, 1);
          } else {
            assert.ok(!last.text.includes('Rainfall'));
          }
        });
      }

      test('after a refusal that was a lie, a stock client that calls again is served for what it pays', async () => {
        const payer = world.payer();
        const path = `/report/${mode}/refused`;
        world.facilitator.script(payer.address, [misreports({ success: false, errorReason: 'insufficient_funds', transaction: '' })]);
        const paying = payingFetch(fetch, { ...payer.account, privateKey: payer.privateKey });
        const first = await paying(`${world.gate.url}${path}`);
        if (first.status === 402) assert.equal(first.headers.get('payment-required'), null, 'terms that the client would sign at once');
        const again = await paying(`${world.gate.url}${path}`);
        const { debits } = await tally(world, payer.address, path);
        const served = [first, again].filter(({ status }) => status === 200).length;
        assert.ok(debits <= 2, `${debits} debits, ${first.status} and ${again.status}`);
        if (EXPECTED.refusalsAreChecked) assert.equal(debits, served, 'each debit is served');
        assert.ok(served <= debits);
      });

      //
      test('one transaction reported for two payments serves one of them', async () => {
        const payer = world.payer();
        const [path, other] = [`/report/${mode}/one`, `/report/${mode}/two`];
        const one = await signFor(world, payer, path);
        const two = await signFor(world, payer, other);
        const first = await sendTo(world, path, one);
        assert.equal(first.status, 200, first.text);
        const { transaction } = settlementOf(new Headers(first.headers), 2);
        world.facilitator.script(
          payer.address,
          Array.from({ length: 20 }, () => claims({ success: true, network, transaction })),
        );
        const second = await sendTo(world, other, two);
        assert.deepEqual([second.status, codeOf(second)], [503, 'settlement_unknown']);
        assert.equal((await tally(world, payer.address, other)).debits, 1);
      });
    });
  }

/** Settles and serves one payment, for its transaction. */
async function serve(world: FaultyWorld, mode: Mode): Promise<`0x${string}`> {
  const path = `/report/${mode}/honest`;
  const answer = await sendTo(world, path, await signFor(world, world.payer(), path));
  assert.equal(answer.status, 200, answer.text);
  return settlementOf(new Headers(answer.headers), 2).transaction;
}
