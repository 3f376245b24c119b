/** An exchange whose results are judged by a Worker of its operator before a seller is paid, by HTTP and with money. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { type ExchangeWorld, LIVE, standardProfiles, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { serve } from '../../../demo/server.mjs';
import { eventually } from '../../support/eventually.ts';
import { type Deal, dies, PRICE, quoted } from './support.ts';

describe('an exchange that has results judged', { concurrency: 1 }, () => {
  let world: ExchangeWorld;
  let judge: { url: string; stop(): Promise<unknown> };
  const asked: any[] = [];
  let says: { status: number; body: string; ms: number };
  const answer = (body: unknown, status = 200, ms = 0) => {
    says = { status, body: typeof body === 'string' ? body : JSON.stringify(body), ms };
  };
  before(
    async () => {
      judge = await serve(async (request, response) => {
        let text = '';
        for await (const chunk of request) text += chunk;
        asked.push({ ...JSON.parse(text), path: request.url });
        const { status, body, ms } = says;
        await new Promise((resolve) => setTimeout(resolve, ms));
        response.writeHead(status, { 'content-type': 'application/json' }).end(body);
      });
      world = await startExchangeWorld({
        services: { PROOF: judge.url },
        profiles: (wallets) =>
          standardProfiles(wallets).map((profile) => (profile.profile === LIVE ? { ...profile, unjudged: 'refunded' } : profile)),
      });
    },
    { timeout: 120_000 },
  );
  after(async () => {
    await world?.stop();
    await judge?.stop();
  });

  async function running(capability: string) {
    const deal = await quoted(world, capability);
    const { json } = await deal.verify();
    assert.equal((await deal.call('start', json.job_id)).status, 200);
    asked.length = 0;
    const headers = { authorization: `Bearer ${json.job_token}` };
    return { deal, id: json.job_id as string, job: async () => (await world.ask('GET', `/api/v1/jobs/${json.job_id}`, { headers })).json };
  }
  const ends = (deal: Deal, moved: readonly [bigint, bigint]) =>
    eventually(
      'the money is where it belongs',
      async () => [...(await deal.moved()), await world.held()],
      ([paid, earned, held]) => paid === moved[0] && earned === moved[1] && held === 0n,
    );

  it('pays for what is accepted', async () => {
    const { deal, id, job } = await running('accepted');
    answer({ accepted: true });
    const done = await deal.call('complete', id);
    assert.deepEqual([done.status, done.json.status, done.json.release.status], [200, 'done', 'released'], done.text);
    assert.deepEqual(asked, [
      {
        path: '/check',
        job_id: id,
        payment_id: deal.quote.payment_id,
        network_profile: LIVE,
        buyer_id: deal.buyer.address.toLowerCase(),
        seller_id: deal.seller.wallet.address.toLowerCase(),
        capability: 'accepted',
        prompt: 'hello',
        result: { text: 'world' },
      },
    ]);
    assert.deepEqual([(await job()).result, await deal.moved()], [{ text: 'world' }, [PRICE, PRICE]]);
  });

  it('refunds what is rejected, and shows the buyer why and not what', async () => {
    const { deal, id, job } = await running('rejected');
    answer({ accepted: false, reason: 'It is empty.' });
    const told = await deal.call('complete', id);
    assert.deepEqual(
      [told.status, told.json.status, told.json.refund.status, told.json.result],
      [200, 'failed', 'refunded', { error: 'It is empty.' }],
      told.text,
    );
    assert.deepEqual([(await job()).result, await deal.moved(), await world.held()], [{ error: 'It is empty.' }, [0n, 0n], 0n]);
    answer({ accepted: true });
    assert.equal((await deal.call('complete', id)).json.code, 'INVALID_JOB_STATE');
    assert.equal(asked.length, 1);
  });

  it('asks six times, and then does what the profile says', async () => {
    const { deal, id, job } = await running('silent');
    for (const [body, status] of [
      ['{"accepted":true}', 500],
      ['', 200],
      [{ accepted: 'yes' }, 200],
    ] as const) {
      answer(body, status);
      const told = await deal.call('complete', id);
      assert.deepEqual([told.status, told.json.code, (await job()).status], [500, 'ESCROW_RELEASE_FAILED', 'running'], told.text);
    }
    assert.deepEqual(await deal.moved(), [PRICE, 0n]);
    await eventually(
      'it is asked no more',
      async () => {
        await world.wait(20);
        return job();
      },
      ({ status }) => status === 'failed',
    );
    assert.equal(asked.length, 6);
    await ends(deal, [0n, 0n]);
  });

  it('has one outcome though the market dies while the result is judged', async () => {
    const { deal, id, job } = await running('dies');
    answer({ accepted: true }, 200, 1_500);
    const lost = deal.call('complete', id);
    await eventually(
      'the judge is asked',
      async () => asked.length,
      (count) => count === 1,
      20,
    );
    await dies(world, 'market');
    await lost;
    answer({ accepted: true });
    await eventually(
      'it is asked again',
      async () => {
        await world.wait(5);
        return job();
      },
      ({ status }) => status === 'done',
    );
    await ends(deal, [PRICE, PRICE]);
    assert.equal(asked.length, 2);
  });
});
