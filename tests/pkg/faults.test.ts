// What the package gets for its payer when the gate dies or the facilitator falls silent: one debit, and the content.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import type { Hex } from 'viem';

import { PAYER_FUNDS } from '../../demo/chain.mjs';
import { localSigner, memoryStore, receiptOf, wrapFetch, type Signer } from '../../pkg/dist/index.js';
import { MODES, PRICE_ATOMIC, startFaultyWorld, tally, type FaultyWorld } from '../e2e/faulty-world.ts';
import { lost, type Twist } from '../e2e/twisted.ts';
import { transfersOf, type World } from '../e2e/world.ts';
import { spentIn } from './shop.ts';

let persist: string;
let world: FaultyWorld;
before(async () => {
  persist = mkdtempSync(join(tmpdir(), 'farebox-faults-'));
  world = await startFaultyWorld('facilitator', persist);
});
after(async () => {
  await world?.stop();
  await rm(persist, { recursive: true, force: true });
});

/** Asks once through the package, while the facilitator does this to the first settle call. */
async function askUnder(twist: Twist, path: string) {
  const payer = world.payer();
  world.facilitator.script(payer.address, [twist]);
  const [key, store] = [localSigner(payer.privateKey), memoryStore()];
  const signed: string[] = [];
  const signer: Signer = {
    address: key.address,
    sign: (typedData) => {
      signed.push(typedData.primaryType);
      return key.sign(typedData);
    },
  };
  const sent: (string | null)[] = [];
  const fetch = wrapFetch((input, init) => {
    sent.push(new Headers(init?.headers).get('payment-signature'));
    return globalThis.fetch(input, init);
  }, { signer, store });
  const response = await fetch(`${world.gate.url}${path}`);
  return { payer, response, text: await response.text(), signed, payments: sent.slice(1), entries: (await spentIn(store)).entries };
}

/** Paid once, delivered, and nothing signed or counted but that. */
async function assertOneDebit(path: string, { payer, response, text, signed, payments, entries }: Awaited<ReturnType<typeof askUnder>>): Promise<void> {
  assert.equal(response.status, 200, text);
  assert.equal((JSON.parse(text) as { report: string }).report, 'Rainfall, Tuesday');
  assert.equal((await tally(world, payer.address, path)).debits, 1);
  assert.equal(PAYER_FUNDS - (await world.chain.balanceOf(payer.address)), PRICE_ATOMIC);
  assert.deepEqual(signed.filter((type) => type !== 'Redelivery'), ['TransferWithAuthorization']);
  assert.deepEqual([new Set(payments).size, entries.length], [1, 1]);
  const receipt = receiptOf(response);
  assert.ok(receipt);
  const transfers = await transfersOf(world as unknown as World, receipt.transaction as Hex);
  assert.deepEqual(transfers, [{ from: payer.address, to: world.chain.accounts.payee.address, value: PRICE_ATOMIC }]);
}

for (const mode of MODES) {
  for (const how of ['silence', 'cut'] as const) {
    test(`a facilitator that applies and then says nothing, by ${how} (settled ${mode} the work): one debit, the content`, async () => {
      const path = `/report/${mode}/package-${how}`;
      await assertOneDebit(path, await askUnder(lost(how), path));
    });
  }

}

for (const [moment, mode] of [['after', 'after'], ['after', 'before'], ['before', 'after']] as const) {
  test(`a gate that is killed ${moment} the settlement was applied (settled ${mode} the work): one debit, the content`, async () => {
    const path = `/report/${mode}/killed-${moment}`;
    let back: Promise<void> | undefined;
    const outcome = await askUnder(async (settle) => {
      if (moment === 'after') await settle();
      await world.gate.kill();
      back = world.gate.restart();
      return 'cut';
    }, path);
    assert.ok(back, 'the gate was killed');
    await back;
    await assertOneDebit(path, outcome);
    assert.ok(outcome.payments.length > 1, 'the same payment was sent again');
  });
}
