/** What a market takes for a listing, what an agent may spend in a day, and how much of the table and of the time of all a seller has. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { Seller } from './support/seller.ts';
import { FakeTreasury, terms, tokenOf } from './support/treasury.ts';
import { type Answer, forwarded, Market, newOwner, OPERATOR, signed, type Told } from './support/worker.ts';

const PAY_TO = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const DAY_SECS = 86_400;
const skill = (id: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  skillId: id,
  name: id,
  callUrl: 'http://127.0.0.1:9/x',
  price: '$0.01',
  ...more,
});

describe('a market that takes a fee for a listing', () => {
  let market: Market;
  const owner = newOwner();
  before(async () => {
    market = await Market.start({ vars: { LISTING_FEE: '$1.00', PAY_TO } });
  });
  after(() => market.stop());

  const listed = async (): Promise<string[]> =>
    (await market.ask('GET', '/api/marketplace/skills')).json.skills.map(({ id }: { id: string }) => id);
  const pay = (id: string, told: Told = {}): Promise<Answer> => {
    const headers = forwarded('POST', `/fees/${id}`, {
      amount: '1000000',
      payment: `fee-of-${id}`,
      transaction: `0x${'1'.repeat(64)}`,
      ...told,
    });
    return market.ask('POST', `/fees/${id}`, { headers, body: '{}' });
  };

  it('publishes a skill unlisted and unsold, and says where the fee is paid', async () => {
    const { status, json, text } = await market.publish(owner, skill('new'));
    assert.deepEqual([status, json.skill.fee], [201, { price: '1', paid: false, url: 'http://127.0.0.1:1/fees/new' }], text);
    await eventually('the table is written', () => market.kv.paths().length > 0);
    assert.deepEqual([await listed(), market.kv.paths()], [[], ['/api/marketplace/*', '/fees/*']]);
    const route: any = market.kv.routes.find(({ path }) => path === '/fees/*');
    assert.deepEqual([route.price, route.pay_to, route.settle, route.methods], ['1', PAY_TO, 'before', ['POST']]);
    assert.equal((await market.ask('GET', '/skills/new')).status, 404);
  });

  it('lists and sells it once the fee was paid, and not for another amount, asset or network', async () => {
    const other = [{ amount: '999999' }, { amount: '1000001' }, { asset: PAY_TO }, { network: 'eip155:8453' }];
    for (const told of other) assert.deepEqual([(await pay('new', told)).status, await listed()], [409, []], JSON.stringify(told));
    const unsigned = await market.ask('POST', '/fees/new', { body: '{}' });
    assert.deepEqual([unsigned.status, await listed()], [403, []]);
    const { status, json } = await pay('new');
    assert.deepEqual([status, json, await listed()], [200, { ok: true, skillId: 'new', paid: true }, ['new']]);
    await eventually('it is sold', () => market.kv.paths().includes('/s/new'));
    assert.equal((await market.ask('GET', '/api/marketplace/skills/new')).json.skill.fee.paid, true);
  });

  it('takes the fee once: the same payment is told again, and another is refused, so that the gate owes it', async () => {
    assert.deepEqual((await pay('new')).json, { ok: true, skillId: 'new', paid: true });
    assert.equal((await pay('new', { payment: 'another' })).status, 409);
    assert.equal((await pay('nowhere')).status, 404);
    await market.kill();
    assert.deepEqual(await eventually('the market is there', () => listed().catch(() => undefined)), ['new']);
  });

  it('gives unpaid listings no room: as many as wallets publish leave the table as it is', async () => {
    const before = market.kv.paths();
    const wide = { output: { text: 'x'.repeat(3_900) } };
    for (let count = 0; count < 5; count += 1) {
      const wallet = newOwner();
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, index) => market.publish(wallet, skill(`wide-${count}-${index}`, wide))),
      );
      assert.deepEqual(
        answers.map(({ status }) => status),
        answers.map(() => 201),
      );
    }
    assert.equal((await pay('wide-4-11')).status, 200);
    await eventually('it is sold', () => market.kv.paths().includes('/s/wide-4-11'));
    assert.deepEqual(
      market.kv
        .paths()
        .filter((path) => path !== '/s/wide-4-11')
        .sort(),
      before.sort(),
    );
  });
});

describe('an operator', () => {
  let market: Market;
  before(async () => {
    market = await Market.start({ vars: { LISTING_FEE: '$1.00', PAY_TO } });
  });
  after(() => market.stop());

  const listed = async (): Promise<string[]> =>
    (await market.ask('GET', '/api/marketplace/skills')).json.skills.map(({ id }: { id: string }) => id);

  //
  it('takes back any skill for a reason; one whose fee was not paid ends after a day', async () => {
    const owner = newOwner();
    for (const id of ['paid', 'unpaid']) assert.equal((await market.publish(owner, skill(id))).status, 201);
    const headers = forwarded('POST', '/fees/paid', { amount: '1000000', transaction: `0x${'1'.repeat(64)}` });
    assert.equal((await market.ask('POST', '/fees/paid', { headers, body: '{}' })).status, 200);
    market.ahead = DAY_SECS + 60;
    await market.kill();
    const later = async (id: string, wallet = newOwner()): Promise<Answer> => {
      const body = await signed(
        'publish',
        wallet,
        { description: 'Says what came', payTo: wallet.address, agentId: 'seller', ...skill(id) },
        undefined,
        market.ahead,
      );
      return market.ask('POST', '/api/marketplace/skills', { body });
    };
    const next = await eventually('the market is there', () => later('next').catch(() => undefined));
    assert.deepEqual([next.status, await listed()], [201, ['paid']], next.text);
    // Its former owner may still pay its fee, and pays it for no other one.
    assert.equal((await later('unpaid')).status, 409);
    assert.equal((await later('unpaid', owner)).status, 201);
    const remove = (token: string, body: unknown): Promise<Answer> => market.ask('DELETE', '/api/marketplace/skills/paid', { token, body });
    assert.equal((await remove('x'.repeat(32), { reason: 'spam' })).status, 401);
    assert.equal((await remove(OPERATOR, {})).status, 400);
    const removed = await remove(OPERATOR, { reason: 'spam' });
    assert.deepEqual([removed.status, removed.headers.get('farebox-removal'), await listed()], [200, 'spam', []], removed.text);
  });
});

describe('a market that lets an agent spend $0.40 a day', () => {
  let market: Market;
  let seller: Seller;
  const treasury = new FakeTreasury();
  const owner = newOwner();
  before(async () => {
    seller = await Seller.start();
    seller.scripts.set('/charges', (_, response) => {
      response.writeHead(402, { 'content-type': 'application/json', 'payment-required': terms(owner.address, '250000') }).end('{}');
    });
    market = await Market.start({ treasury: treasury.bound, vars: { AGENT_DAILY_CAP: '$0.40' } });
    const answer = await market.publish(owner, skill('charges', { callUrl: `${seller.url}/charges`, price: '$0.25', charges: 'seller' }));
    assert.equal(answer.status, 201, answer.text);
  });
  after(async () => {
    await market.stop();
    await seller.stop();
  });

  const invoke = (agent: string, payload: number): Promise<Answer> =>
    market.ask('POST', '/api/marketplace/skills/charges/invoke', { token: tokenOf(agent), body: { agentId: agent, payload } });
  const statuses = (answers: readonly Answer[]): number[] => answers.map(({ status }) => status).sort();

  it('asks the treasury for no payment above it, and says what is left', async () => {
    assert.equal((await invoke('agent-1', 1)).status, 200);
    const { status, json } = await invoke('agent-1', 2);
    assert.deepEqual([status, json.error, json.required, json.available], [402, 'insufficient_balance', '250000', '150000']);
    assert.equal(treasury.asked.length, 1);
  });

  it('counts each agent by itself, and those of a crowd together', async () => {
    const before = treasury.asked.length;
    const crowd = await Promise.all(Array.from({ length: 6 }, (_, index) => invoke('agent-2', index)));
    assert.deepEqual([statuses(crowd), treasury.asked.length - before], [[200, 402, 402, 402, 402, 402], 1]);
  });

  it('gives back what a treasury did not sign', async () => {
    treasury.decide = () => ({ status: 201, body: { outcome: 'deny', reasonCode: 'policy', reason: 'not allowed' } });
    assert.equal((await invoke('agent-3', 1)).status, 500);
    treasury.decide = new FakeTreasury().decide;
    assert.equal((await invoke('agent-3', 2)).status, 200);
  });

  it('starts anew with the next day of UTC, also after a restart', async () => {
    assert.equal((await invoke('agent-1', 3)).status, 402);
    market.ahead = DAY_SECS;
    await market.kill();
    const answer = await eventually('the market is there', () => invoke('agent-1', 4).catch(() => undefined));
    assert.equal(answer.status, 200, answer.text);
    assert.equal((await invoke('agent-1', 5)).status, 402);
  });
});

describe('strangers with many wallets', () => {
  let market: Market;
  before(async () => {
    market = await Market.start();
  });
  after(() => market.stop());

  //
  it('keep no seller out: what they do not sell makes room', async () => {
    const wide = { output: { text: 'x'.repeat(3_900) } };
    const from = (address: string): Record<string, string> => ({ 'cf-connecting-ip': address });
    assert.equal((await market.publish(newOwner(), skill('quiet', wide), from('192.0.2.1'))).status, 201);
    for (let count = 0; count < 66; count += 3) {
      const wallet = newOwner();
      for (const index of [count, count + 1, count + 2]) {
        const { status, text } = await market.publish(wallet, skill(`wide-${index}`, wide), from(`192.0.2.${10 + (index % 2)}`));
        assert.equal(status, 201, text);
      }
    }
    assert.equal((await market.publish(newOwner(), skill('late', wide), from('192.0.2.2'))).status, 201);
    const listed = (await market.ask('GET', '/api/marketplace/skills')).json.skills.map(({ id }: { id: string }) => id);
    assert.deepEqual(
      ['quiet', 'late', 'wide-65', 'wide-0'].map((id) => listed.includes(id)),
      [true, true, true, false],
    );
    await eventually('the table is written', () => market.kv.paths().includes('/s/late'));
    assert.ok(market.kv.paths().includes('/s/quiet'));
    const many = Array.from({ length: 40 }, (_, index) => market.publish(newOwner(), skill(`more-${index}`), from('192.0.2.10')));
    assert.deepEqual(new Set((await Promise.all(many)).map(({ status }) => status)), new Set([201]));
    const over = await Promise.all(
      Array.from({ length: 40 }, (_, index) => market.publish(newOwner(), skill(`over-${index}`), from('192.0.2.10'))),
    );
    assert.ok(
      over.some(({ status }) => status === 429),
      'a network has a pace',
    );
    assert.equal((await market.publish(newOwner(), skill('of-another'), from('192.0.2.3'))).status, 201);
  });
});

describe('a seller', () => {
  let market: Market;
  before(async () => {
    market = await Market.start();
  });
  after(() => market.stop());

  it('publishes 60 times an hour, and is then told when to go on', async () => {
    const owner = newOwner();
    const told: Answer[] = [];
    for (let count = 0; count < 61; count += 1) {
      const id = `again-${count}`;
      told.push(await market.publish(owner, skill(id)));
      await market.ask('DELETE', `/api/marketplace/skills/${id}`, { body: await signed('deactivate', owner, {}, id) });
    }
    assert.deepEqual(
      told.map(({ status }) => status),
      [...Array.from({ length: 60 }, () => 201), 429],
    );
    const wait = Number(told.at(-1)?.headers.get('retry-after'));
    assert.ok(wait > 3_400 && wait <= 3_600, String(wait));
    assert.equal((await market.publish(newOwner(), skill('of-another'))).status, 201);
  });

  it('has 16 KiB of the table while no one has used its skills', async () => {
    const owner = newOwner();
    const wide = { settle: 'before', output: { text: 'x'.repeat(3_900) } };
    const told: number[] = [];
    for (const name of ['a', 'b', 'c', 'd']) told.push((await market.publish(owner, skill(`wide-${name}`, wide))).status);
    assert.deepEqual(told, [201, 201, 201, 429]);
    const sold = await market.ask('POST', '/s/wide-a', {
      headers: forwarded('POST', '/s/wide-a', { amount: '10000', transaction: `0x${'ab'.repeat(32)}` }),
      body: '{}',
    });
    assert.equal(sold.status, 502);
    assert.equal((await market.publish(owner, skill('wide-d', wide))).status, 201);
  });
});
