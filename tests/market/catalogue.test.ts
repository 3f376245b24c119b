// The catalogue by HTTP: who may publish what, what is listed, and the answers of the contract, text for text.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { signedSkill } from '../../demo/skill-proof.mjs';
import { eventually } from '../support/eventually.ts';
import { fresh, plainSkill, type Seller, type SkillsWorld, startSkillsWorld, untilSold } from './market.ts';

const LIMIT = { timeout: 120_000 };
const PATH = '/api/marketplace/skills';

let world: SkillsWorld;
let seller: Seller;
before(async () => {
  world = await startSkillsWorld();
  seller = await world.seller();
}, LIMIT);
after(() => world?.stop());

const skillOf = (change: Record<string, unknown> = {}) => ({
  agentId: 'ada',
  skillId: fresh('listed'),
  name: 'A skill',
  description: 'Does it',
  price: '$0.25',
  callUrl: `${world.sellers.url}/deliver`,
  payTo: seller.address,
  ...change,
});
const signed = (skill: Record<string, unknown>, { account = seller, market = world.url, now = world.now() } = {}) =>
  signedSkill({ market, action: 'publish', skill, account, now });
const publish = (body: unknown) => world.ask('POST', PATH, { body });
const listed = async (query = ''): Promise<any[]> => (await world.ask('GET', `${PATH}${query}`)).json.skills;

describe('publishing', () => {
  test('is answered with the skill and with a secret that is shown once', LIMIT, async () => {
    const skill = skillOf({ agentId: 'ada' });
    const { status, json, text } = await publish(await signed(skill));
    assert.deepEqual(
      [status, json.ok, json.skill.id, json.skill.agentId, json.skill.payTo, json.skill.active, json.skill.priceXLM],
      [201, true, skill.skillId, 'ada', seller.address, true, 2.5],
      text,
    );
    assert.match(json.secret, /^fbs_[0-9a-f]{64}$/);
    assert.ok(!(await world.ask('GET', PATH)).text.includes(json.secret));
  });

  test("takes the original's shape, whose skill charges by itself", LIMIT, async () => {
    const { price: _, ...skill } = skillOf({ priceXLM: 1.5 });
    const { status, json, text } = await publish(await signed(skill));
    assert.deepEqual(
      [status, json.skill.priceXLM, json.skill.charges, json.skill.price, json.skill.asset],
      [201, 1.5, 'seller', '0.15', 'USDC'],
      text,
    );
  });

  const refusals: readonly (readonly [what: string, change: Record<string, unknown>, error: string])[] = [
    ['no name', { name: '' }, 'name is required'],
    ['no description', { description: undefined }, 'description is required'],
    ['no callUrl', { callUrl: undefined }, 'callUrl is required'],
    ['a callUrl that is none', { callUrl: 'skills' }, 'callUrl must be a valid URL'],
    ['a callUrl without encryption', { callUrl: 'http://seller.example.net/x' }, 'callUrl must use HTTPS'],
    ['no payTo', { payTo: undefined }, 'payTo is required'],
    ['a price of nothing', { price: undefined, priceXLM: 0 }, 'priceXLM must be > 0 and <= 100'],
    ['a price above the bound', { price: undefined, priceXLM: 100.5 }, 'priceXLM must be > 0 and <= 100'],
  ];
  for (const [what, change, error] of refusals) {
    test(`with ${what} is 400`, LIMIT, async () => {
      const { status, text } = await publish(await signed(JSON.parse(JSON.stringify(skillOf(change)))));
      assert.deepEqual([status, JSON.parse(text)], [400, { ok: false, error, code: 'invalid_request' }]);
    });
  }

  test('without a proof is 401, whatever the caller calls itself', LIMIT, async () => {
    const labels: Record<string, string>[] = [{}, { 'x-agent-id': 'ada' }, { authorization: 'Bearer ada' }];
    for (const headers of labels) {
      const { status, text } = await world.ask('POST', PATH, { body: skillOf(), headers });
      assert.deepEqual([status, text], [401, '{"ok":false,"error":"Agent authentication required","code":"unauthorized"}']);
    }
  });

  test('with a proof that was used, is late, is for another market, or for another body is refused', LIMIT, async () => {
    const good = await signed(skillOf());
    assert.equal((await publish(good)).status, 201);
    const skill = skillOf();
    const wrong = [
      good,
      { ...good, skillId: fresh('again') },
      await signed(skill, { now: world.now() - 7_200 }),
      await signed(skill, { now: world.now() + 7_200 }),
      await signed(skill, { market: 'https://other.example.net' }),
      { ...(await signed(skill)), price: '$0.01' },
      { ...(await signed(skill)), callUrl: `${world.sellers.url}/elsewhere` },
    ];
    for (const [index, body] of wrong.entries()) {
      const { status, text } = await publish(body);
      assert.ok(status === 401 || status === 403 || status === 409, `${index}: ${status} ${text}`);
    }
    assert.ok(!(await listed()).some(({ id }) => id === skill.skillId));
  });

  test('by another wallet than the payee is refused', LIMIT, async () => {
    const { status, text } = await publish(await signed(skillOf(), { account: await world.seller() }));
    assert.deepEqual([status, text], [403, '{"ok":false,"error":"You do not own this skill","code":"forbidden"}']);
  });

  test('what the market gives to sign is what the signature is of', LIMIT, async () => {
    const skill = skillOf();
    const { proof } = await signed(skill);
    const { status, json, text } = await world.ask('POST', `${PATH}/typed-data?action=publish`, {
      body: { ...skill, proof: { nonce: proof.nonce, validBefore: proof.validBefore } },
    });
    assert.equal(status, 200, text);
    const { domain, types, primaryType, message } = json.typedData ?? json;
    const { EIP712Domain: _, ...rest } = types;
    const signature = await seller.signTypedData({ domain, types: rest, primaryType, message });
    assert.equal(signature, proof.signature);
  });
});

describe('the list', () => {
  test('is newest first, filters by name, agent and price, and refuses a price that is none', LIMIT, async () => {
    const one = skillOf({ name: 'Zebra one', agentId: 'zoo', price: '$0.10' });
    const two = skillOf({ name: 'ZEBRA two', agentId: 'zoo', price: '$0.20' });
    for (const skill of [one, two]) assert.equal((await publish(await signed(skill))).status, 201);
    const ids = async (query: string) => (await listed(query)).map(({ id }) => id);
    assert.deepEqual(await ids('?name=zebra'), [two.skillId, one.skillId]);
    assert.deepEqual(await ids('?agentId=zoo&maxPriceXLM=1'), [one.skillId]);
    for (const bad of ['-1', 'NaN', 'much']) {
      const { status, text } = await world.ask('GET', `${PATH}?maxPriceXLM=${bad}`);
      assert.deepEqual([status, text], [400, '{"ok":false,"error":"maxPriceXLM must be a non-negative number","code":"invalid_request"}']);
    }
  });

  test('has at most 20 active skills of a wallet, whatever labels they have', LIMIT, async () => {
    const busy = await world.seller();
    const next = (index: number) => signed(skillOf({ payTo: busy.address, agentId: `label-${index}`, price: '$0.01' }), { account: busy });
    for (let index = 0; index < 20; index += 1) assert.equal((await publish(await next(index))).status, 201);
    const { status, text } = await publish(await next(20));
    assert.deepEqual([status, text], [429, '{"ok":false,"error":"Agent has reached the max of 20 active skills","code":"rate_limited"}']);
  });

  test('loses what its owner takes back, and another wallet cannot', LIMIT, async () => {
    const { id, seller: owner } = await plainSkill(world, 'deliver');
    const other = await world.change(await world.seller(), 'deactivate', id);
    assert.deepEqual([other.status, other.text], [403, '{"ok":false,"error":"You do not own this skill","code":"forbidden"}']);
    assert.equal((await world.change(owner, 'deactivate', 'nope')).status, 404);
    assert.equal((await world.change(owner, 'deactivate', id)).status, 200);
    assert.ok(!(await listed()).some((skill) => skill.id === id));
  });
});

describe('a new version', () => {
  test('has its own price, which the gate asks for; the old one is not sold any more', LIMIT, async () => {
    const { id, seller: owner } = await plainSkill(world, 'deliver');
    await untilSold(world, id);
    const { status, text } = await world.change(owner, 'version', id, {
      version: '2.0.0',
      price: '$0.40',
      name: 'Second',
      description: 'Better',
      callUrl: `${world.sellers.url}/deliver/second`,
    });
    assert.ok(status === 200 || status === 201, text);
    await eventually(
      'the gate asks for the new price',
      () => world.ask('POST', `/s/${id}`, { body: {} }),
      (answer) => answer.text.includes('"400000"'),
    );
  });
});

describe('the route table', () => {
  test('is what the gate sees when KV was behind or down, once it is back', LIMIT, async () => {
    await world.kv.set('down');
    const { id } = await plainSkill(world, 'deliver');
    assert.equal((await world.ask('POST', `/s/${id}`, { body: {} })).status, 403);
    await world.kv.set('behind');
    const later = await plainSkill(world, 'deliver');
    await world.kv.set();
    for (const one of [id, later.id]) await untilSold(world, one);
  });

  test('keeps skills that were there when twenty owners publish at once', LIMIT, async () => {
    const published = await Promise.all(Array.from({ length: 20 }, () => plainSkill(world, 'deliver')));
    for (const { id } of published) await untilSold(world, id);
  });
});
