/**
 * An exchange whose money is in the escrow contract on the chain: registered when it is paid, released or refunded once, whatever fails. In the
 * end the contract owes nothing, and has nothing.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { type ExchangeWorld, signedPayment, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { eventually } from '../../support/eventually.ts';
import { type Deal, dies, diesIn, PRICE, quoted, told, works } from './support.ts';

const HASH = /^0x[0-9a-f]{64}$/;
const SEND = { text: 'eth_sendRawTransaction' };

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

  const entry = (deal: Deal) => contract.entry(deal.quote.payment_id);
  const mined = (hash: string) => world.chain.publicClient.getTransactionReceipt({ hash: hash as `0x${string}` });
  const code = (bytes: string) => world.chain.rpc('anvil_setCode', [contract.address, bytes]);
  const read = (id: string, token: string) => async () =>
    (await world.ask('GET', `/api/v1/jobs/${id}`, { headers: { authorization: `Bearer ${token}` } })).json;
  async function bought(capability: string) {
    const deal = await quoted(world, capability);
    const { status, json, text } = await deal.verify();
    assert.equal(status, 200, text);
    return { deal, paid: json, id: json.job_id as string, job: read(json.job_id, json.job_token) };
  }
  async function running(capability: string) {
    const it = await bought(capability);
    assert.equal((await it.deal.call('start', it.id)).status, 200);
    return it;
  }
  /** The money is the seller's or the buyer's again, and the contract holds what it held. */
  const ends = (deal: Deal, earned: bigint, held = 0n) =>
    eventually(
      'the money is where it belongs',
      async () => {
        await world.wait(5);
        return [...(await deal.moved()), await world.held(), await contract.liabilities()];
      },
      ([paid, got, now, owed]) => paid === earned && got === earned && now === held && owed === held,
      90,
    );

  it('11, 19: registers what was paid, and releases it to the seller once', async () => {
    const { deal, paid, id, job } = await bought('release');
    assert.deepEqual(
      [deal.quote.pay_to, deal.quote.payment_mode, paid.payment_mode, paid.status],
      [contract.address, 'x402-escrow', 'x402-escrow', 'paid'],
    );
    assert.match(paid.escrow_registration_tx_hash, HASH);
    const { buyer, seller, ...rest } = await entry(deal);
    assert.deepEqual(rest, { amount: PRICE, settlement: paid.settlement_tx_hash, state: 'funded' });
    assert.deepEqual(
      [buyer, seller].map((it) => it.toLowerCase()),
      [deal.buyer.address, deal.seller.wallet.address].map((it) => it.toLowerCase()),
    );
    const registration = await mined(paid.escrow_registration_tx_hash);
    assert.deepEqual(
      [registration.status, registration.from, registration.to?.toLowerCase()],
      ['success', world.escrow.address.toLowerCase(), contract.address.toLowerCase()],
    );
    assert.deepEqual([await contract.liabilities(), await world.held(), await deal.earned()], [PRICE, PRICE, 0n]);
    assert.deepEqual((await deal.verify()).json, paid, 'the same payment is the same job');
    await deal.call('start', id);
    const done = await deal.call('complete', id);
    assert.deepEqual([done.status, done.json.status, done.json.release?.status], [200, 'done', 'released'], done.text);
    assert.equal((await mined(done.json.release.tx_hash)).status, 'success');
    assert.deepEqual([(await entry(deal)).state, await deal.moved(), await contract.liabilities()], ['released', [PRICE, PRICE], 0n]);
    assert.deepEqual([(await job()).status, (await deal.call('complete', id)).status, await deal.earned()], ['done', 409, PRICE]);
  });

  it('20: refunds a job that failed to who paid', async () => {
    const { deal, id } = await running('refund');
    const failed = await deal.call('fail', id, { error: 'no quota' });
    assert.deepEqual(
      [failed.status, failed.json.status, failed.json.refund?.status, failed.json.result],
      [200, 'failed', 'refunded', { error: 'no quota' }],
      failed.text,
    );
    assert.match(failed.json.refund.tx_hash, HASH);
    assert.deepEqual([(await entry(deal)).state, await deal.moved()], ['refunded', [0n, 0n]]);
  });

  it('refunds a job whose seller does not begin: what is registered is for one seller', async () => {
    const { deal, job } = await bought('late');
    await world.seller({ capability: 'late' });
    await world.wait(61);
    await ends(deal, 0n);
    await eventually('the job is over', job, ({ status }) => status === 'failed');
    assert.equal((await entry(deal)).state, 'refunded');
  });

  it('21: takes a job for done whose release is on the chain already, and names no transaction', async () => {
    const { deal, id } = await running('by-hand');
    await contract.byHand('release', [`0x${deal.quote.payment_id}`]);
    const done = await deal.call('complete', id);
    assert.deepEqual([done.status, done.json.status, done.json.release], [200, 'done', { status: 'released', tx_hash: null }], done.text);
    await ends(deal, PRICE);
  });

  it('13, 14: registers and refunds a settled payment that no job can be made of', async () => {
    const deal = await quoted(world, 'twice');
    const second = await signedPayment(world, deal.buyer, deal.quote);
    const till = (payment: string) =>
      world.ask('POST', `/till/${deal.quote.payment_id}`, { base: world.gate.url, headers: { 'x-payment': payment } });
    // Both are priced before the first one has bought the quote.
    world.switches.facilitator.set({ mode: 'delay', path: '/settle', ms: 1_500, times: 2 });
    const answers = await Promise.all([till(deal.payment), till(second)]);
    world.switches.facilitator.set();
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 502], answers.map(({ text }) => text).join('\n'));
    const { job_id: id } = answers.find(({ status }) => status === 200)!.json;
    await eventually(
      'one of two is back',
      async () => {
        await world.wait(5);
        return [await deal.paid(), await world.held(), await contract.liabilities()];
      },
      (now) => now.every((it) => it === PRICE),
      60,
    );
    await deal.call('start', id);
    assert.equal((await deal.call('complete', id)).status, 200);
    await ends(deal, PRICE);
  });

  it('19: a contract that reverts leaves the job running, and what is owed leaves later', async () => {
    const right = await world.chain.publicClient.getCode({ address: contract.address });
    const deal = await quoted(world, 'reverting');
    await code('0xfe');
    const paid = await deal.verify();
    assert.deepEqual([paid.status, paid.json.status, paid.json.escrow_registration_tx_hash], [200, 'paid', null], paid.text);
    const { job_id: id, job_token: token } = paid.json;
    await deal.call('start', id);
    const failed = await deal.call('complete', id);
    assert.deepEqual(
      [failed.status, failed.json.code, (await read(id, token)()).status],
      [500, 'ESCROW_RELEASE_FAILED', 'running'],
      failed.text,
    );
    assert.equal((await deal.call('fail', id)).json.code, 'INVALID_JOB_STATE');
    await code(right!);
    await world.wait(60);
    await ends(deal, PRICE);
    await eventually('the job is done', read(id, token), ({ status }) => status === 'done');
  });

  it('a transaction that is stuck is replaced, and pays once', async () => {
    const { deal, id, job } = await running('stuck');
    await world.chain.rpc('evm_setAutomine', [false]);
    const flying = async () => {
      const pool = (await world.chain.rpc('txpool_content', [])) as {
        pending: Record<string, Record<string, { hash: string; nonce: string }>>;
      };
      return Object.entries(pool.pending)
        .filter(([from]) => from.toLowerCase() === world.escrow.address.toLowerCase())
        .flatMap(([, all]) => Object.values(all));
    };
    const waiting = await deal.call('complete', id);
    assert.deepEqual([waiting.status, waiting.json.code], [500, 'ESCROW_RELEASE_FAILED'], waiting.text);
    const [first] = await flying();
    await world.treasury.ahead(21);
    const [second] = await eventually('it is replaced', flying, ([now]) => now?.hash !== first?.hash);
    assert.deepEqual([second?.nonce, (await flying()).length], [first?.nonce, 1]);
    await world.chain.rpc('evm_setAutomine', [true]);
    await ends(deal, PRICE);
    await eventually('the job is done', job, ({ status }) => status === 'done');
  });

  it('a transaction that is lost on its way is sent again', async () => {
    const { deal, id } = await running('lost');
    world.switches.node.set({ mode: 'cut', ...SEND, times: 1 });
    await deal.call('complete', id);
    world.switches.node.set();
    await ends(deal, PRICE);
  });

  for (const part of ['market', 'treasury'] as const) {
    for (const step of ['registering', 'registered', 'releasing', 'refunding'] as const) {
      it(`its ${part} dies while it is ${step}`, { timeout: 120_000 }, async () => {
        const deal = await quoted(world, `${part}-${step}`);
        const died = (now: typeof step, work: () => Promise<unknown>) =>
          now === step ? diesIn(world, part, world.switches.node, SEND, work) : work();
        await died('registering', () => deal.verify());
        const answer = await told(deal);
        assert.equal(answer.status, 200, answer.text);
        const id = answer.json.job_id;
        if (step === 'registered') await dies(world, part);
        await deal.call('start', id);
        if (step === 'refunding') await died('refunding', () => deal.call('fail', id));
        else await died('releasing', () => deal.call('complete', id));
        if (step !== 'refunding') await works(deal);
        await ends(deal, step === 'refunding' ? 0n : PRICE);
        assert.equal((await entry(deal)).state, step === 'refunding' ? 'refunded' : 'released');
      });
    }
  }

  it('never says that what was refunded by hand was released', async () => {
    const { deal, id, job } = await running('other-way');
    await contract.byHand('refund', [`0x${deal.quote.payment_id}`]);
    const told = await deal.call('complete', id);
    assert.deepEqual([told.status, told.json.code, (await job()).status], [500, 'ESCROW_RELEASE_FAILED', 'running'], told.text);
    assert.deepEqual([await deal.moved(), await world.held(), await contract.liabilities()], [[0n, 0n], 0n, 0n]);
  });
});
