/** How long a market keeps what skills answered, and what a key is told afterwards. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { Seller } from './support/seller.ts';
import { allowed, FakeTreasury, terms, tokenOf } from './support/treasury.ts';
import { type Answer, Market, newOwner } from './support/worker.ts';

const DAY_SECS = 86_400;

describe('a market with answers of a seller', () => {
  let market: Market;
  let seller: Seller;
  const treasury = new FakeTreasury();
  const owner = newOwner();
  before(async () => {
    seller = await Seller.start();
    for (const [path, bytes] of [
      ['/short', 100],
      ['/long', 20_000],
    ] as const) {
      seller.scripts.set(path, (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify('x'.repeat(bytes)));
      });
    }
    seller.scripts.set('/charges', (_, response) => {
      response.writeHead(402, { 'content-type': 'application/json', 'payment-required': terms(owner.address, '250000') }).end('{}');
    });
    market = await Market.start({ treasury: treasury.bound });
    for (const skillId of ['short', 'long', 'charges']) {
      const answer = await market.publish(owner, {
        skillId,
        name: skillId,
        callUrl: `${seller.url}/${skillId}`,
        price: '$0.25',
        charges: 'seller',
      });
      assert.equal(answer.status, 201, answer.text);
    }
  });
  after(async () => {
    await market.stop();
    await seller.stop();
  });

  const invoke = (id: string, key: string): Promise<Answer> =>
    market.ask('POST', `/api/marketplace/skills/${id}/invoke`, {
      token: tokenOf('agent-1'),
      body: { agentId: 'agent-1', payload: 1 },
      headers: key ? { 'idempotency-key': key } : {},
    });
  const later = async (secs: number): Promise<void> => {
    market.ahead = secs;
    await market.kill();
    // What has ended leaves with the next answer.
    await eventually('the market is there', () => invoke('short', '').catch(() => undefined));
  };

  it('keeps a short one for 30 days, a longer one for a day, and then tells a key that it is gone, without another call', async () => {
    const first = { short: await invoke('short', 'k-short'), long: await invoke('long', 'k-long') };
    assert.deepEqual([first.short.status, first.long.status], [200, 200], first.long.text);
    await later(DAY_SECS - 60);
    assert.equal((await invoke('long', 'k-long')).text, first.long.text);
    await later(DAY_SECS + 60);
    assert.equal((await invoke('short', 'k-short')).text, first.short.text);
    const gone = await invoke('long', 'k-long');
    assert.deepEqual(
      [gone.status, gone.json],
      [410, { ok: false, error: 'answer_gone', code: 'answer_gone', outcome: 'free', ledgerId: first.long.json.ledgerId }],
    );
    assert.equal(gone.headers.get('farebox-outcome'), 'free');
    assert.equal(seller.of('/long').length, 1);
  });

  it('tells the receipt of what was paid, and pays nothing again', async () => {
    treasury.decide = (asked) => allowed(asked, JSON.stringify('x'.repeat(20_000)));
    const bought = await invoke('charges', 'k-paid');
    assert.equal(bought.status, 200, bought.text);
    const asked = treasury.asked.length;
    await later(2 * DAY_SECS + 120);
    const gone = await invoke('charges', 'k-paid');
    assert.deepEqual(
      [gone.status, gone.json],
      [
        410,
        {
          ok: false,
          error: 'answer_gone',
          code: 'answer_gone',
          outcome: 'paid_ok',
          receipt: bought.json.receipt,
          paid: true,
          ledgerId: bought.json.ledgerId,
        },
      ],
    );
    assert.equal(treasury.asked.length, asked);
  });
});
