// A market with sellers and agents, and what a call of theirs moved on the chain.

import assert from 'node:assert/strict';

import { type Answer, type Seller, type SkillsWorld, startSkillsWorld } from '../../demo/skills-world.mjs';
import { eventually } from '../support/eventually.ts';

export { type Answer, type Seller, type SkillsWorld, startSkillsWorld };

export const LEDGER_ID = /^inv_[0-9a-z]+_[0-9a-z]{6}$/;
export const TX = /^0x[0-9a-f]{64}$/;
let count = 0;

/** A name that no other skill has. */
export const fresh = (name: string): string => `${name}-${(count += 1)}`;

/** A seller without payment code, who has published one skill; the gate charges for it. */
export async function plainSkill(
  world: SkillsWorld,
  way: string,
  more: Record<string, unknown> = {},
): Promise<{ id: string; path: string; seller: Seller; published: Answer }> {
  const id = fresh('plain');
  const [name = '', query = ''] = way.split('?');
  const path = `/${name}/${id}`;
  return { path, ...(await published(world, id, `${world.sellers.url}${path}${query && `?${query}`}`, { price: '$0.25', ...more })) };
}

/** A seller whose server asks for money by x402, who has published one skill. */
export async function chargingSkill(
  world: SkillsWorld,
  way: string,
  more: Record<string, unknown> = {},
  amount = '250000',
): Promise<{ id: string; path: string; seller: Seller; published: Answer }> {
  const id = fresh('charging');
  const seller = await world.seller();
  const [name = '', query = ''] = way.split('?');
  const path = `/${name}/${id}`;
  const callUrl = `${world.charging.url}${path}?payTo=${seller.address}&amount=${amount}${query && `&${query}`}`;
  return { path, ...(await published(world, id, callUrl, { price: '$0.25', charges: 'seller', ...more }, seller)) };
}

async function published(world: SkillsWorld, id: string, callUrl: string, skill: Record<string, unknown>, by?: Seller) {
  const seller = by ?? (await world.seller());
  const answer = await world.publish(seller, { skillId: id, name: `Skill ${id}`, callUrl, ...skill });
  assert.equal(answer.status, 201, answer.text);
  return { id, seller, published: answer };
}

/** Runs `work`, and says by how much an address has more in the end. */
export async function earned<T>(
  world: SkillsWorld,
  { address }: Pick<Seller, 'address'>,
  work: () => Promise<T>,
): Promise<{ result: T; paid: bigint }> {
  const before = await world.chain.balanceOf(address);
  const result = await work();
  return { result, paid: (await world.chain.balanceOf(address)) - before };
}

/** A record of the ledger, as its agent sees it. */
export async function recordOf(world: SkillsWorld, agent: string, id: string): Promise<any> {
  const { status, json, text } = await world.ask('GET', `/api/marketplace/invocations/${id}`, { headers: await bearer(world, agent) });
  assert.equal(status, 200, text);
  return json.invocation;
}

/** What the ledger lists for an agent. */
export async function listed(world: SkillsWorld, agent: string, query = ''): Promise<any[]> {
  const { status, json, text } = await world.ask('GET', `/api/marketplace/invocations${query}`, { headers: await bearer(world, agent) });
  assert.equal(status, 200, text);
  return json.invocations;
}

export async function bearer(world: SkillsWorld, agent: string): Promise<Record<string, string>> {
  return { authorization: `Bearer ${await world.tokenOf(agent)}` };
}

/** Waits until the gate asks for money for a skill. */
export async function untilSold(world: SkillsWorld, id: string): Promise<void> {
  await eventually(
    `${id} is sold`,
    () => world.ask('POST', `/s/${id}`, { body: {} }),
    ({ status }) => status === 402,
  );
}
