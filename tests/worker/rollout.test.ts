/** Two versions of a Worker on one ledger, as while a deployment rolls out: other prices, other secrets. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { type EIP712SignedReceipt, verifyReceiptSignatureEIP712 } from '@x402/extensions/offer-receipt';

import { type Payment, settlementOf } from './support/payer.ts';
import type { Answer } from './support/raw.ts';
import {
  expectCalls,
  expectFreshTerms,
  expectPaid,
  expectProblem,
  jsonOf,
  MODES,
  NO_CALLS,
  openWorld,
  ordinaryCalls,
  payFor,
  QUICK,
  routes,
  SECRETS,
  send,
  type World,
} from './support/world.ts';

const IDENTIFIER = 'pay_0123456789abcdef0123456789abcdef';
/** Time enough on a busy machine, where a settle call that takes too long is made again. */
const RECOVERY = { ...QUICK, settle_secs: 10 };
const NEW_SECRET = 'new-gate-secret-of-the-test-suite-0123456789abcdef';

/** Sends one payment three times to each version, all at once. */
async function sendToBoth(world: World, path: string, payment: Payment): Promise<{ readonly here: Answer[]; readonly beside: Answer[] }> {
  const three = (at?: string): Promise<Answer>[] =>
    Array.from({ length: 3 }, () => send(world, path, payment, at === undefined ? {} : { at }));
  const [here, beside] = [three(), three(world.gate.besideUrl)];
  return { here: await Promise.all(here), beside: await Promise.all(beside) };
}

describe('two versions on one ledger', { concurrency: 2 }, () => {
  it('with other prices: a payment counts at the version whose terms it was signed for, once', async () => {
    const dearer = JSON.parse(JSON.stringify(routes()).replaceAll('"$0.01"', '"$0.03"')) as ReturnType<typeof routes>;
    const world = await openWorld({ vars: { RECOVERY }, beside: { ROUTES: JSON.stringify(dearer) } });
    try {
      await Promise.all(
        MODES.map(async (mode) => {
          const path = `/${mode}/priced`;
          const payment = await payFor(world, path);
          world.origin.script(path, { delayMs: 100 });
          const { here, beside } = await sendToBoth(world, path, payment);
          const delivered = here.filter((answer) => answer.status === 200);
          assert.equal(delivered.length, 1, here.map((answer) => answer.status).join(' '));
          expectPaid(delivered[0] as Answer, payment);
          const terms = (answer: Answer) => {
            const { required } = expectFreshTerms(answer, 'terms_mismatch');
            assert.equal(required.accepts[0]?.amount, '30000');
          };
          for (const answer of beside) {
            // It asks another price, unless the ledger knows what becomes of this payment.
            if (answer.status === 409) assert.match(answer.text, /"code":"payment_(in_progress|already_delivered)"/);
            else terms(answer);
          }
          expectProblem(await send(world, path, payment, { at: world.gate.besideUrl }), { status: 409, code: 'payment_already_delivered' });
          const unseen = await payFor(world, `${path}-unseen`);
          terms(await send(world, `${path}-unseen`, unseen, { at: world.gate.besideUrl }));
          expectCalls(world, payment.payer, path, ordinaryCalls(mode));
          expectCalls(world, unseen.payer, `${path}-unseen`, NO_CALLS);
        }),
      );
    } finally {
      await world.stop();
    }
  });

  it('with other secrets: either serves, once, and the receipt of both is the same and verifies at both', async () => {
    const world = await openWorld({
      vars: { RECOVERY },
      beside: { GATE_SECRET: NEW_SECRET, GATE_SECRET_PREVIOUS: SECRETS['GATE_SECRET'] ?? '' },
    });
    try {
      await Promise.all(
        Array.from({ length: 8 }, async (_, i) => {
          const mode = i % 2 === 0 ? 'after' : 'before';
          const path = `/${mode}/rotated-${i}`;
          const payment = await payFor(world, path, { identifier: IDENTIFIER });
          world.origin.script(path, { delayMs: 100 });
          const { here, beside } = await sendToBoth(world, path, payment);
          const fresh = [...here, ...beside].filter((answer) => answer.status === 200 && answer.headers['payment-replayed'] === undefined);
          assert.equal(fresh.length, 1);
          // Both know it now: each gives the stored response, with the id that the ledger keeps.
          const again = [await send(world, path, payment), await send(world, path, payment, { at: world.gate.besideUrl })];
          const ids = new Set<string>();
          for (const answer of [...fresh, ...again]) {
            expectPaid(answer, payment);
            ids.add(String(world.origin.of(path)[0]?.headers['farebox-payment']));
            const receipt = receiptOf(answer);
            const { signer } = await verifyReceiptSignatureEIP712(receipt);
            assert.ok((await listed(world, world.gate.besideUrl)).includes(signer), 'the version with both secrets lists either signer');
          }
          for (const answer of [...here, ...beside].filter(({ status }) => status !== 200)) {
            assert.equal(jsonOf(answer)['code'], 'payment_in_progress', answer.text);
          }
          assert.deepEqual([ids.size, again.map((answer) => answer.headers['payment-replayed'])], [1, ['true', 'true']]);
          expectCalls(world, payment.payer, path, ordinaryCalls(mode));
        }),
      );
    } finally {
      await world.stop();
    }
  });

  for (const [name, how] of [
    ['a Worker of an earlier version asks', 'fetch'],
    ['an object of an earlier version is asked', 'earlier'],
  ] as const)
    it(`${name} by fetch, and each payment counts once`, async () => {
      const world = await openWorld({ probe: true });
      try {
        await world.gate.ledger(how);
        await Promise.all(
          MODES.map(async (mode) => {
            const path = `/${mode}/by-${how}`;
            const payment = await payFor(world, path, { identifier: IDENTIFIER });
            expectPaid(await send(world, path, payment), payment);
            const again = await send(world, path, payment);
            assert.equal(again.status, 200, again.text);
            assert.equal(again.headers['payment-replayed'], 'true');
            expectCalls(world, payment.payer, path, ordinaryCalls(mode));
          }),
        );
      } finally {
        await world.stop();
      }
    });
});

function receiptOf(answer: Answer): EIP712SignedReceipt {
  const settlement = settlementOf(answer) as unknown as { extensions: { 'offer-receipt': { info: { receipt: EIP712SignedReceipt } } } };
  return settlement.extensions['offer-receipt'].info.receipt;
}

/** Addresses of those who sign or signed receipts, as one version says. */
async function listed(world: World, at: string): Promise<string[]> {
  const answer = await send(world, '/.well-known/farebox-keys.json', undefined, { at });
  return (jsonOf(answer)['keys'] as { address: string }[]).map(({ address }) => address);
}
