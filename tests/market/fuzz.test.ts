/** Thousands of requests to a market that are almost right: each is answered, none tells a secret or leaves more than a bound, and an agent buys as before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { signedSkill } from '../../demo/skill-proof.mjs';
import type { Json } from '../support/hostile/mutate.ts';
import { LIMIT, MOST_BYTES, play, REQUESTS, SEED } from '../support/hostile/play.ts';
import { sharedWorld } from '../support/suite.ts';
import { chargingSkill, earned, plainSkill, startSkillsWorld, TX } from './market.ts';
import { requestsOf, SKILLS, X402 } from './support/requests.ts';

const world = sharedWorld(() => startSkillsWorld({ vars: { COMPATIBILITY: 'open-stellar' } }));

// I-21
test(`a market answers ${REQUESTS} requests that are almost right`, LIMIT, async (t) => {
  const honest = await chargingSkill(world, 'honest');
  const skills = [
    await plainSkill(world, 'deliver'),
    await plainSkill(world, 'status/500', { charges: 'seller' }),
    await plainSkill(world, 'deliver', { charges: 'seller' }),
  ];
  const [victim, rogue] = [await world.tokenOf('agent-1'), await world.tokenOf('agent-2')];
  const seen = await world.invoke('agent-1', honest.id, { payload: { of: 'the victim' }, key: 'of-the-victim' });
  assert.equal(seen.status, 200, seen.text);
  const [seller, now] = [await world.seller(), world.now()];
  const signed = (action: 'publish' | 'version' | 'deactivate' | 'rotate', skill: Record<string, unknown>, id?: string) =>
    signedSkill({
      market: world.url,
      action,
      skill: { payTo: seller.address, ...skill },
      account: seller,
      now,
      ...(id === undefined ? {} : { id }),
    }) as Promise<Json>;
  const skill = (id: string): Record<string, unknown> => ({
    skillId: id,
    name: `A skill ${id}`,
    description: 'Says what arrived',
    callUrl: `${world.sellers.url}/deliver/${id}`,
    price: '$0.05',
    version: '1.0.0',
    input: { text: 'a' },
    packs: { starter: '$20' },
  });
  const id = `rogue-${SEED}`;

  await play(t, {
    worker: 'market',
    urls: [world.market.url],
    shapes: requestsOf({
      agent: 'agent-2',
      skills: skills.map((it) => it.id),
      entry: seen.json.ledgerId,
      wallet: seller.address,
      published: await Promise.all(
        Array.from({ length: 24 }, (_, index) =>
          signed('publish', { ...skill(index === 0 ? id : `${id}-${index}`), ...(index % 2 === 0 ? { agentId: 'rogue' } : {}) }),
        ),
      ),
      changes: {
        id,
        version: await signed('version', { price: '$0.06', version: '1.1.0' }, id),
        deactivate: await signed('deactivate', {}, id),
        rotate: await signed('rotate', {}, id),
      },
      tokens: { agent: rogue, operator: world.tokens.operator },
    }),
    names: {
      foreign: [honest.id, String(seen.json.ledgerId), 'agent-1', 'of-the-victim', honest.seller.address, seller.address, 'nowhere'],
      tokens: [rogue, 'fbp_0123456789abcdef0123456789abcdef', 'fbq_0123456789abcdef0123456789abcdef'],
    },
    secrets: new Map([
      ["the operator's token", world.tokens.operator],
      ['the token of look-ups', world.tokens.lookup],
      ['the secret of gate and market', world.tokens.origin],
      ["another agent's token", victim],
      ['what a seller signs with', honest.published.json.secret],
      ["a seller's key", honest.seller.privateKey.slice(2)],
      ["the wallet's key", world.chain.accounts.payer.privateKey.slice(2)],
      ["another agent's payload", 'the victim'],
    ]),
    pages: [
      ...['/', '/SKILL.md', SKILLS, `${X402}/receipts`, `${X402}/subscriptions`].map((path) => `${world.market.url}${path}`),
      `${world.url}/openapi.json`,
      `${world.url}/llms.txt`,
    ],
    stored: () => world.market.stored(),
    most: { objects: 1, bytes: MOST_BYTES },
    honest: async (when) => {
      const { result, paid } = await earned(world, honest.seller, () => world.invoke('agent-1', honest.id, { payload: { when } }));
      assert.deepEqual([result.status, paid], [200, 250_000n], result.text);
      assert.match(result.json.receipt.txHash, TX);
    },
  });
});
