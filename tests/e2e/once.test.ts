import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { payingFetch, payingFetchV1, settlementOf } from './clients.ts';
import { changesDuring, startWorld, transfersOf, type World } from './world.ts';

let world: World;
before(async () => { world = await startWorld(); });
after(() => world?.stop());

const COPIES = 20;
const cases = [
  { version: 2, header: 'payment-signature', path: '/report', wrap: payingFetch },
  { version: 2, header: 'payment-signature', path: '/report-before', wrap: payingFetch },
  { version: 1, header: 'x-payment', path: '/report', wrap: payingFetchV1 },
  { version: 1, header: 'x-payment', path: '/report-before', wrap: payingFetchV1 },
] as const;

for (const { version, header, path, wrap } of cases) {
  test(`the same v${version} payment for ${path}, sent ${COPIES} times at once, is delivered once`, async () => {
    const { payer, payee } = world.chain.accounts;
    const answers: Response[] = [];
    let paid: Request | undefined;
    // The stock client's own paid request, multiplied on its way by an impatient network.
    const multiplying: typeof fetch = async (input, init) => {
      const request = new Request(input, init);
      if (!request.headers.has(header)) return fetch(request);
      paid = request;
      answers.push(...(await Promise.all(Array.from({ length: COPIES }, () => fetch(request.clone())))));
      return (answers.find((answer) => answer.status === 200) ?? answers[0] ?? Response.error()).clone();
    };

    const { change } = await changesDuring(world, payer.address, () =>
      wrap(multiplying, payer)(`${world.gate.url}${path}`),
    );

    const statuses = answers.map((answer) => answer.status).sort();
    assert.deepEqual(statuses, [200, ...Array.from({ length: COPIES - 1 }, () => 409)]);
    assert.equal(change.asked, 1);
    assert.equal(change.settled, 1);
    assert.equal(change.paid, PRICE_ATOMIC);
    assert.equal(change.received, PRICE_ATOMIC);

    const delivered = answers.find((answer) => answer.status === 200);
    assert.ok(delivered);
    const { transaction } = settlementOf(delivered.headers, version);
    assert.deepEqual(await transfersOf(world, transaction), [
      { from: payer.address, to: payee.address, value: PRICE_ATOMIC },
    ]);
    const codes = await Promise.all(
      answers.filter((answer) => answer.status === 409).map(async (answer) => (await answer.json()).code as string),
    );
    const known = new Set(['payment_in_progress', 'payment_already_delivered']);
    assert.deepEqual(codes.filter((code) => !known.has(code)), []);

    assert.ok(paid);
    const later = paid;
    const again = await changesDuring(world, payer.address, () => fetch(later.clone()));
    assert.equal(again.result.status, 409);
    assert.equal((await again.result.json()).code, 'payment_already_delivered');
    assert.deepEqual(again.change, { paid: 0n, received: 0n, asked: 0, verified: 0, settled: 0 });
  });
}
