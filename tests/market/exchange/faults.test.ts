/** Facilitator, node and treasury that are dead, slow or lie, clients that only take seats, and sellers who die: where the money is then. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { eventually } from '../../support/eventually.ts';
import { sharedWorld } from '../../support/suite.ts';
import { type Deal, PRICE, quoted, quotedBy } from './support.ts';

const BOGUS = `0x${'b0'.repeat(32)}`;

describe('an exchange around which something fails', { concurrency: 1 }, () => {
  const world = sharedWorld(startExchangeWorld);

  const beat = (deal: Deal) => world.call(deal.seller, 'sellers/heartbeat');
  /** A job that is paid; its seller may have begun. */
  async function bought(capability: string, { started = true } = {}): Promise<{ deal: Deal; id: string; token: string; held: bigint }> {
    const held = await world.held();
    const deal = await quoted(world, capability);
    const paid = await deal.verify();
    assert.equal(paid.status, 200, paid.text);
    const { job_id: id, job_token: token } = paid.json;
    if (started) assert.equal((await deal.call('start', id)).status, 200);
    return { deal, id, token, held };
  }
  const stateOf = async (id: string, token: string): Promise<string> =>
    (await world.ask('GET', `/api/v1/jobs/${id}`, { headers: { authorization: `Bearer ${token}` } })).json.status;
  /** Money that is the seller's, or back at the buyer's, and no longer in the escrow: what other deals had there may leave it meanwhile. */
  const ends = (deal: Deal, held: bigint, [paid, earned]: readonly [bigint, bigint]) =>
    eventually(
      'the money is where it belongs',
      async () => [...(await deal.moved()), await world.held()],
      ([has, gets, left = 0n]) => has === paid && gets === earned && left <= held,
      60,
    );

  describe('the facilitator', () => {
    it('that is gone takes no money and keeps no seat', async () => {
      const deal = await quoted(world, 'gone');
      world.switches.facilitator.set({ mode: 'cut' });
      const answer = await deal.verify();
      assert.ok(answer.status >= 500, answer.text);
      await world.wait(420);
      world.switches.facilitator.set();
      assert.deepEqual(await deal.moved(), [0n, 0n]);
      assert.equal((await beat(deal)).json.seller_status, 'idle');
      await quotedBy(world, deal.seller, 'gone');
    });

    it('that lies makes no job: the chain has to show the payment', async () => {
      const held = await world.held();
      const deal = await quoted(world, 'lie');
      const lie = { success: true, transaction: BOGUS, network: 'eip155:84532', payer: deal.buyer.address };
      world.switches.facilitator.set({ mode: 'answer', path: '/settle', body: lie });
      const answer = await deal.verify();
      world.switches.facilitator.set();
      assert.notEqual(answer.status, 200, answer.text);
      assert.deepEqual((await world.call(deal.seller, 'sellers/jobs')).json.jobs, []);
      const [paid] = await deal.moved();
      assert.ok(paid === 0n || (await world.held()) === held + PRICE, 'what the buyer paid is there');
    });

    it('that is slow is waited for, and charges once', async () => {
      const deal = await quoted(world, 'slow');
      world.switches.facilitator.set({ mode: 'delay', path: '/settle', ms: 1_500, times: 1 });
      const [first, second] = await Promise.all([deal.verify(), deal.verify()]);
      world.switches.facilitator.set();
      assert.ok([first.status, second.status].includes(200), `${first.text} ${second.text}`);
      assert.equal((await deal.verify()).status, 200);
      assert.equal(await deal.paid(), PRICE);
    });
  });

  describe('the treasury', () => {
    it('that is gone delays what the seller has earned, and no more', async () => {
      const { deal, id, token, held } = await bought('treasury-gone');
      world.switches.treasury.set({ mode: 'cut' });
      const told = await deal.call('complete', id);
      assert.deepEqual([told.status, told.json.code, await stateOf(id, token)], [500, 'ESCROW_RELEASE_FAILED', 'running'], told.text);
      world.switches.treasury.set();
      await ends(deal, held, [PRICE, PRICE]);
      await eventually(
        'the job is done',
        () => stateOf(id, token),
        (state) => state === 'done',
      );
    });

    it('whose answer is lost pays once', async () => {
      const { deal, id, held } = await bought('treasury-lost');
      world.switches.treasury.set({ mode: 'lose', path: '/api/payouts', times: 1 });
      await deal.call('complete', id);
      await deal.call('complete', id);
      world.switches.treasury.set();
      await ends(deal, held, [PRICE, PRICE]);
    });
  });

  it('a node that is gone while a job ends is no reason to pay twice', async () => {
    const { deal, id, held } = await bought('node-gone');
    world.switches.node.set({ mode: 'cut' });
    await deal.call('fail', id, { error: 'no quota' });
    world.switches.node.set();
    await ends(deal, held, [0n, 0n]);
  });

  it('of complete and fail at once one counts', async () => {
    const { deal, id, held } = await bought('at-once');
    await Promise.all([deal.call('complete', id), deal.call('fail', id), deal.call('complete', id), deal.call('fail', id)]);
    const [paid] = await eventually(
      'the escrow is as before',
      async () => [await deal.paid(), await world.held()] as const,
      ([, now]) => now === held,
    );
    await ends(deal, held, paid === 0n ? [0n, 0n] : [PRICE, PRICE]);
  });

  it('a job is begun by its own seller, once', async () => {
    const { deal, id, held } = await bought('claimed', { started: false });
    const other = await world.seller({ capability: 'other' });
    assert.deepEqual((await world.call(other, `jobs/${id}/start`)).json.code, 'SELLER_MISMATCH');
    const twice = await Promise.all([deal.call('start', id), deal.call('start', id)]);
    assert.deepEqual(twice.map(({ status }) => status).sort(), [200, 409]);
    await deal.call('complete', id);
    await ends(deal, held, [PRICE, PRICE]);
  });

  it('a client that only asks for quotes has two seats, for five minutes, whatever it writes', async () => {
    const held = await world.held();
    const seller = await world.seller({ capability: 'seats', capacity: 4 });
    const headers = { 'cf-connecting-ip': '192.0.2.66' };
    const ask = (number: number, more: Record<string, string> = {}) =>
      world.quote({ address: `0x${String(number).padStart(40, '1')}` }, `p${number}`, {
        capability: 'seats',
        headers: { ...headers, ...more },
      });
    const statuses = [];
    for (let number = 0; number < 6; number += 1)
      statuses.push((await ask(number, { 'x-forwarded-for': `10.9.9.${number}`, 'x-real-ip': `10.8.8.${number}` })).status);
    assert.deepEqual(statuses, [402, 402, 429, 429, 429, 429]);
    const deal = await quotedBy(world, seller, 'seats');
    assert.equal((await deal.verify()).status, 200, 'others find a seat');
    await world.wait(301);
    // Its seller let the job lie that was paid, and is offline from whenever that is noticed to its next heartbeat.
    await eventually(
      'it has seats again',
      async () => {
        await world.call(seller, 'sellers/heartbeat');
        return (await ask(9)).status;
      },
      (status) => status === 402,
    );
    // No one has begun the job that was paid.
    await ends(deal, held, [0n, 0n]);
  });

  describe('a seller who dies', () => {
    it('before it is paid holds its seat for five minutes', async () => {
      const deal = await quoted(world, 'dies-quoted');
      await world.wait(301);
      assert.equal((await beat(deal)).json.seller_status, 'idle');
      await quotedBy(world, deal.seller, 'dies-quoted');
    });

    for (const [moment, started, secs] of [
      ['before it begins', false, 61],
      ['while it works', true, 121],
    ] as const) {
      it(`${moment} frees seat, job and money after ${secs} s`, async () => {
        const { deal, id, token, held } = await bought(`dies-${secs}`, { started });
        await world.wait(secs);
        await ends(deal, held, [0n, 0n]);
        await eventually(
          'the job has failed',
          () => stateOf(id, token),
          (state) => state === 'failed',
        );
        assert.equal((await beat(deal)).json.seller_status, 'idle');
        assert.deepEqual((await world.call(deal.seller, 'sellers/jobs')).json.jobs, []);
      });

      it(`${moment} leaves the job to another seller, who is paid for it`, async () => {
        const { deal, id, token, held } = await bought(`taken-${secs}`, { started });
        const other = await world.seller({ capability: `taken-${secs}` });
        await world.wait(secs - 20);
        await world.call(other, 'sellers/heartbeat');
        await world.wait(20);
        await eventually(
          'the other one is shown it',
          () => world.call(other, 'sellers/jobs'),
          ({ json }) => json.jobs?.[0]?.job_id === id,
        );
        assert.equal((await world.call(other, `jobs/${id}/start`)).status, 200);
        await world.call(other, `jobs/${id}/complete`, { result: 'by another' });
        await eventually(
          'the other one is paid',
          () => world.chain.balanceOf(other.wallet.address),
          (earned) => earned === PRICE,
        );
        await ends(deal, held, [PRICE, 0n]);
        await eventually(
          'the job is done',
          () => stateOf(id, token),
          (state) => state === 'done',
        );
      });
    }
  });
});
