// A skill whose price has changed, at a gate that has rested or that works: a buyer pays what they were told, once.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { privateKeyToAccount } from 'viem/accounts';
import { sharedWorld } from '../support/suite.ts';
import { pay, requiredBy } from '../worker/support/payer.ts';
import { type Answer, earned, plainSkill, startSkillsWorld, untilSold } from './market.ts';

const LIMIT = { timeout: 120_000 };
const NEW = [
  ['dearer', '$0.07', 70_000n],
  ['cheaper', '$0.02', 20_000n],
] as const;

const world = sharedWorld(startSkillsWorld);

describe('a skill with another price', () => {
  for (const [what, price, atomic] of NEW) {
    test(`that is ${what} is bought of a gate that has rested, at the price that it names`, LIMIT, async () => {
      const { id, path, seller } = await plainSkill(world, 'deliver', { price: '$0.05' });
      await untilSold(world, id);
      await reprice(seller, id, path, price);
      // Each table that the world has shown has put the next read a minute off.
      await world.wait(61 * (world.kv.counts.puts + 2));
      const { result, paid } = await earned(world, seller, async () => send(id, await signed(await ask(id))));
      assert.deepEqual([result.status, paid], [200, atomic], result.text);
    });

    test(`that is ${what} is still bought by who was told the earlier price`, LIMIT, async () => {
      const { id, path, seller } = await plainSkill(world, 'deliver', { price: '$0.05' });
      await untilSold(world, id);
      const told = await ask(id);
      await reprice(seller, id, path, price);
      await world.gate.reread();
      assert.equal(requiredBy(raw(await ask(id))).accepts[0]?.amount, `${atomic}`, 'the gate has the new table');
      const { result, paid } = await earned(world, seller, async () => send(id, await signed(told)));
      assert.deepEqual([result.status, paid], [200, 50_000n], result.text);
    });
  }
});

const ask = (id: string): Promise<Answer> => world.ask('POST', `/s/${id}`, { body: {} });
const send = (id: string, header: Record<string, string>): Promise<Answer> => world.ask('POST', `/s/${id}`, { body: {}, headers: header });
const raw = ({ status, headers, text }: Answer) =>
  ({ status, headers: Object.fromEntries(headers), text }) as Parameters<typeof requiredBy>[0];

/** A payment for the terms of an answer, by the clock of the gate. */
async function signed(answer: Answer): Promise<Record<string, string>> {
  const { address, privateKey } = world.chain.accounts.payers[0] ?? assert.fail();
  const validForSecs = world.now() - Math.floor(Date.now() / 1000) + 900;
  const payment = await pay({ address, account: privateKeyToAccount(privateKey) }, requiredBy(raw(answer)), { validForSecs });
  return Object.fromEntries([payment.row]);
}

/** Sells a skill at another price, which the gate learns when it reads its table itself. */
async function reprice(seller: Parameters<typeof world.change>[0], id: string, path: string, price: string): Promise<void> {
  const { puts } = world.kv.counts;
  await world.kv.set('behind');
  const skill = { skillId: id, name: `Skill ${id}`, callUrl: `${world.sellers.url}${path}`, version: '1.1.0', price };
  const { status, text } = await world.change(seller, 'version', id, { description: 'Says what arrived', agentId: 'seller', ...skill });
  assert.equal(status, 201, text);
  for (let tries = 0; world.kv.counts.puts === puts && tries < 100; tries += 1) await new Promise((resolve) => setTimeout(resolve, 100));
  world.kv.catchUp();
}
