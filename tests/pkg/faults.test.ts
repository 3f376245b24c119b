// What the package gets for its payer when the gate dies or the facilitator falls silent: one debit, and the content.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import type { Hex } from 'viem';

import { PAYER_FUNDS } from '../../demo/chain.mjs';
import { localSigner, memoryStore, receiptOf, type Signer, wrapFetch } from '../../pkg/dist/index.js';
import { type FaultyWorld, MODES, PRICE_ATOMIC, startFaultyWorld, tally } from '../e2e/faulty-world.ts';
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
  const fetch = wrapFetch(
    (input, init) => {
      sent.push(new Headers(init?.headers).get('payment-signature'));
      return globalThis.fetch(input, init);
    },
    { signer, store },
  );
  const response = await fetch(`${world.gate.url}${path}`);
  return { payer, response, text: await response.text(), signed, payments: sent.slice(1), entries: (await spentIn(store)).entries };
}

/** Paid once, delivered, and nothing signed or counted but that. */
async function assertOneDebit(
  path: string,
  { payer, response, text, signed, payments, entries }: Awaited<ReturnType<typeof askUnder>>,
): Promise<void> {
  assert.equal(response.status, 200, text);
  assert.equal((JSON.parse(text) as { report: string }).report, 'Rainfall, Tuesday');
  assert.equal((await tally(world, payer.address, path)).debits, 1);
  assert.equal(PAYER_FUNDS - (await world.chain.balanceOf(payer.address)), PRICE_ATOMIC);
  assert.deepEqual(
    signed.filter((type) => type !== 'Redelivery'),
    ['TransferWithAuthorization'],
  );
  assert.deepEqual([new Set(payments).size, entries.length], [1, 1]);
  const receipt = receiptOf(response);
  assert.ok(receipt);
  const transfers = await transfersOf(world as unknown as World, receipt.transaction as Hex);
  assert.deepEqual(transfers, [{ from: payer.address, to: world.chain.accounts.payee.address, value: PRICE_ATOMIC }]);
}

describe('a facilitator that applies and then says nothing', { concurrency: true }, () => {
  for (const mode of MODES) {
    for (const how of ['silence', 'cut'] as const) {
      it(`by ${how} (settled ${mode} the work): one debit, the content`, async () => {
        const path = `/report/${mode}/package-${how}`;
        await assertOneDebit(path, await askUnder(lost(how), path));
      });
    }
  }
});

describe('a gate that is killed', () => {
  const KILLED = [
    ['after', 'after'],
    ['after', 'before'],
    ['before', 'after'],
  ] as const;
  const pathOf = (moment: string, mode: string): string => `/report/${mode}/killed-${moment}`;
  const outcomes = new Map<string, Awaited<ReturnType<typeof askUnder>>>();

  // One kill, once each of the payments is where it says: what is waited for afterwards is waited for once.
  before(async () => {
    let arrived = 0;
    let restarting: Promise<void> | undefined;
    let isKilled = (): void => undefined;
    const killed = new Promise<void>((resolve) => {
      isKilled = resolve;
    });
    await Promise.all(
      KILLED.map(async ([moment, mode]) => {
        const path = pathOf(moment, mode);
        outcomes.set(
          path,
          await askUnder(async (settle) => {
            if (moment === 'after') await settle();
            arrived += 1;
            if (arrived === KILLED.length) {
              await world.gate.kill();
              restarting = world.gate.restart();
              isKilled();
            }
            await killed;
            return 'cut';
          }, path),
        );
      }),
    );
    await restarting;
  });

  for (const [moment, mode] of KILLED) {
    it(`${moment} the settlement was applied (settled ${mode} the work): one debit, the content`, async () => {
      const path = pathOf(moment, mode);
      const outcome = outcomes.get(path);
      assert.ok(outcome);
      await assertOneDebit(path, outcome);
      assert.ok(outcome.payments.length > 1, 'the same payment was sent again');
    });
  }
});
