/**
 * The market, the gate and the treasury are killed with SIGKILL at every step of a job, one after the other; buyer and seller go on
 * as their loops do. In the end each job is done or failed once, and buyer, seller and escrow have together what they had.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { type ExchangeWorld, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { eventually } from '../../support/eventually.ts';
import { sharedWorld } from '../../support/suite.ts';
import { dies, diesIn, type Part, PRICE, quoted, startWaitingWorld, told, works } from './support.ts';

/** Where in a job a Worker dies: between two requests, or while the facilitator is asked for one. */
const STEPS = ['quoted', 'settling', 'paid', 'started', 'completing', 'ended'] as const;
type Step = (typeof STEPS)[number];

/** Does `work`; the part dies while the facilitator settles in it. */
const meanwhile = (world: ExchangeWorld, part: Part, work: () => Promise<unknown>): Promise<void> =>
  diesIn(world, part, world.switches.facilitator, { path: '/settle' }, work);

describe('an exchange with an escrow', { concurrency: 1 }, () => {
  const world = sharedWorld(startExchangeWorld);

  for (const part of ['market', 'gate', 'treasury'] as const) {
    for (const step of STEPS) {
      it(`whose ${part} dies when a job is ${step}`, { timeout: 180_000 }, async () => {
        const deal = await quoted(world, `${part}-${step}`);
        const at = async (now: Step): Promise<void> => {
          if (now === step) await dies(world, part);
        };
        await at('quoted');
        if (step === 'settling') await meanwhile(world, part, () => deal.verify());
        else await deal.verify();
        await at('paid');
        const answer = await told(deal);
        if (answer.status === 200) {
          const id = answer.json.job_id;
          await deal.call('start', id);
          await at('started');
          if (step === 'completing') await meanwhile(world, part, () => deal.call('complete', id));
          await works(deal);
          await at('ended');
        }
        // What a payment that was refused may still do is done then.
        if (answer.status !== 200) await world.wait(420);
        // What was settled and got no job goes back; what has one is its seller's.
        const expected = answer.status === 200 ? PRICE : 0n;
        await eventually(
          'the money is where it belongs',
          async () => [...(await deal.moved()), await world.held()],
          ([paid, earned, held]) => paid === expected && earned === expected && held === 0n,
          90,
        );
        if (answer.status === 200) {
          // A treasury that died while it paid is asked again, later each time.
          const read = async () => {
            await world.wait(5);
            return world.ask('GET', `/api/v1/jobs/${answer.json.job_id}`, {
              headers: { authorization: `Bearer ${answer.json.job_token}` },
            });
          };
          const { json } = await eventually('the job is done', read, ({ json: job }) => job.status === 'done');
          assert.deepEqual(json.result, { text: 'world' });
        }
      });
    }
  }

  it('that fails a job while its market dies pays it back once', { timeout: 180_000 }, async () => {
    const held = await world.held();
    const deal = await quoted(world, 'failing');
    const { job_id: id } = (await told(deal)).json;
    await deal.call('start', id);
    await meanwhile(world, 'market', () => deal.call('fail', id, { error: 'no quota' }));
    await eventually(
      'it is paid back',
      async () => [...(await deal.moved()), await world.held()],
      ([paid, earned, now]) => paid === 0n && earned === 0n && now === held,
      60,
    );
  });

  it('that is settled while its market is gone and makes no job of it pays the buyer back, and the gate hears of it', {
    timeout: 240_000,
  }, async () => {
    const held = await world.held();
    const deal = await quoted(world, 'orphan');
    world.switches.market.set({ mode: 'cut', path: '/till/' });
    const answer = await deal.verify();
    assert.notEqual(answer.status, 200, answer.text);
    assert.deepEqual(await deal.moved(), [PRICE, 0n], 'it was settled');
    // The seat is free and the quote over before the gate can reach the market again.
    await world.wait(130);
    await world.call(deal.seller, 'sellers/offline');
    await dies(world, 'market');
    world.switches.market.set();
    await eventually(
      'it is paid back',
      async () => {
        await world.wait(5);
        return [...(await deal.moved()), await world.held()];
      },
      ([paid, earned, now]) => paid === 0n && earned === 0n && now === held,
      90,
    );
  });
});

describe('an exchange with an escrow contract', { concurrency: 1 }, () => {
  let world: ExchangeWorld;
  let contract: NonNullable<ExchangeWorld['contract']>;
  before(
    async () => {
      world = await startExchangeWorld({ entrusted: true });
      contract = world.contract ?? assert.fail('there is no contract');
    },
    { timeout: 120_000 },
  );
  after(() => world?.stop());

  // Market and treasury die at the steps of the contract in contract.test.ts.
  for (const step of STEPS) {
    it(`whose gate dies when a job is ${step}`, { timeout: 180_000 }, async () => {
      const deal = await quoted(world, `contract-${step}`);
      const at = async (now: Step): Promise<void> => {
        if (now === step) await dies(world, 'gate');
      };
      await at('quoted');
      if (step === 'settling') await meanwhile(world, 'gate', () => deal.verify());
      else await deal.verify();
      await at('paid');
      const answer = await told(deal);
      if (answer.status === 200) {
        const id = answer.json.job_id;
        await deal.call('start', id);
        await at('started');
        if (step === 'completing')
          await diesIn(world, 'gate', world.switches.node, { text: 'eth_sendRawTransaction' }, () => deal.call('complete', id));
        await works(deal);
        await at('ended');
      } else await world.wait(420);
      const expected = answer.status === 200 ? PRICE : 0n;
      const read = async () => {
        await world.wait(5);
        return [...(await deal.moved()), await world.held(), await contract.liabilities()];
      };
      await eventually(
        'the money is where it belongs',
        read,
        ([paid, earned, held, owed]) => paid === expected && earned === expected && held === 0n && owed === 0n,
        90,
      );
      if (answer.status === 200) assert.equal((await contract.entry(deal.quote.payment_id)).state, 'released');
    });
  }
});

describe('an exchange that charges on delivery', { concurrency: 1 }, () => {
  const world = sharedWorld(startWaitingWorld);

  for (const part of ['market', 'gate'] as const) {
    for (const step of STEPS) {
      it(`whose ${part} dies when a job is ${step}`, { timeout: 180_000 }, async () => {
        const deal = await quoted(world, `${part}-${step}`);
        const at = async (now: Step): Promise<void> => {
          if (now === step) await dies(world, part);
        };
        await at('quoted');
        const first = deal.verify();
        const id = await deal.shown();
        await at('paid');
        await deal.call('start', id);
        await at('started');
        if (step === 'settling' || step === 'completing') await meanwhile(world, part, () => deal.call('complete', id));
        await works(deal);
        await at('ended');
        await first;
        const answer = await told(deal);
        // Charged if and only if the buyer has the work, and then to the seller alone.
        const expected = answer.status === 200 ? PRICE : 0n;
        await eventually(
          'the money is where it belongs',
          () => deal.moved(),
          ([paid, earned]) => paid === expected && earned === expected,
          60,
        );
        assert.equal(await world.held(), 0n);
        if (answer.status === 200) assert.deepEqual(answer.json.result, { text: 'world' });
      });
    }
  }
});
