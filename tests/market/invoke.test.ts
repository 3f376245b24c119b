/** Invocations over HTTP, with a treasury that decides as it is told: outcomes, keys, crowds, kills, and what the ledger keeps. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { type Script, Seller } from './support/seller.ts';
import { allowed, FakeTreasury, terms, tokenOf } from './support/treasury.ts';
import { type Answer, Market, newOwner, OPERATOR } from './support/worker.ts';

/** Asks for this many atomic units for this payee. */
const asksFor =
  (payTo: string, amount: string): Script =>
  (_, response) => {
    response.writeHead(402, { 'content-type': 'application/json', 'payment-required': terms(payTo, amount) }).end('{}');
  };

describe('an invocation', () => {
  let market: Market;
  let seller: Seller;
  const treasury = new FakeTreasury();
  const owner = newOwner();
  before(async () => {
    seller = await Seller.start();
    market = await Market.start({ treasury: treasury.bound });
  });
  after(async () => {
    await market.stop();
    await seller.stop();
  });

  const publish = async (id: string, script: Script, more: Record<string, unknown> = {}): Promise<void> => {
    seller.scripts.set(`/${id}`, script);
    const answer = await market.publish(owner, {
      skillId: id,
      name: id,
      callUrl: `${seller.url}/${id}`,
      price: '$0.25',
      charges: 'seller',
      ...more,
    });
    assert.equal(answer.status, 201, answer.text);
  };
  const invoke = (
    id: string,
    {
      agent = 'agent-1',
      payload = { input: 'hello' },
      key,
      token = tokenOf(agent),
    }: { agent?: string; payload?: unknown; key?: string; token?: string } = {},
  ): Promise<Answer> =>
    market.ask('POST', `/api/marketplace/skills/${id}/invoke`, {
      token,
      body: { agentId: agent, payload },
      ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
    });
  const rows = async (query: string): Promise<any[]> =>
    (await market.ask('GET', `/api/marketplace/invocations?${query}`, { token: OPERATOR })).json.invocations;
  const spend = async (agent: string): Promise<any> =>
    (await market.ask('GET', `/api/marketplace/agents/${agent}/spend`, { token: tokenOf(agent) })).json;

  it('of a skill that asks for no money is free, and the treasury is asked for nothing', async () => {
    await publish('free', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"result":"free"}');
    });
    const { status, json, headers } = await invoke('free');
    assert.deepEqual(
      [status, json.ok, json.response, json.receipt, headers.get('cache-control')],
      [200, true, { result: 'free' }, undefined, 'no-store'],
    );
    assert.match(json.ledgerId, /^inv_/);
    assert.deepEqual(
      [treasury.asked.length, (await rows('skillId=free')).map(({ amountXLM, status: how }) => [amountXLM, how])],
      [0, [[0, 'success']]],
    );
  });

  it("is paid by the agent's own token, under the ledger's key, for the price that was listed", async () => {
    await publish('paid', asksFor(owner.address, '250000'));
    const { status, json, text } = await invoke('paid');
    assert.deepEqual([status, json.ok, json.response], [200, true, { result: 'done' }], text);
    const asked = treasury.asked.at(-1) ?? assert.fail();
    assert.deepEqual([asked.key, asked.authorization, asked.body.maxAmount], [json.ledgerId, `Bearer ${tokenOf('agent-1')}`, '0.25']);
    assert.match(json.receipt.txHash, /^0x/);
  });

  it('is not paid where the skill asks for more than was listed, or for another payee', async () => {
    await publish('dearer', asksFor(owner.address, '250001'));
    await publish('payee', asksFor(newOwner().address, '250000'));
    const before = treasury.asked.length;
    const answers = [await invoke('dearer'), await invoke('payee')];
    assert.deepEqual(
      answers.map(({ status, json }) => [status, json.error]),
      [
        [500, 'price_exceeds_listing'],
        [500, 'payee_not_listed'],
      ],
    );
    assert.equal(treasury.asked.length, before);
  });

  it('that is paid and not delivered says so, and has its receipt', async () => {
    await publish('fails', asksFor(owner.address, '250000'));
    treasury.decide = (asked) => allowed(asked, 'down', 500, 'paid_fulfillment_failed');
    const { status, json } = await invoke('fails', { agent: 'unlucky' });
    treasury.decide = allowed;
    assert.deepEqual([status, json.ok, json.paid], [500, false, true]);
    assert.match(json.receipt.txHash, /^0x/);
    const { totalXLM, paidFailedXLM } = await spend('unlucky');
    assert.deepEqual([totalXLM, paidFailedXLM > 0], [0, true]);
  });

  it('that the budget does not allow says what it needs and what there is', async () => {
    await publish('budget', asksFor(owner.address, '250000'));
    treasury.decide = () => ({
      status: 200,
      body: { outcome: 'deny', reasonCode: 'budget', reason: 'over budget' },
      headers: { 'farebox-figures': 'required=250000, available=10, asset=USDC, decimals=6' },
    });
    const { status, json } = await invoke('budget', { agent: 'poor' });
    treasury.decide = allowed;
    assert.deepEqual([status, json.error, json.required, json.available], [402, 'insufficient_balance', '250000', '10']);
  });

  it('is refused without a token, with one that the treasury does not know, and for another agent', async () => {
    const before = (await rows('')).length;
    assert.equal((await invoke('free', { token: '' })).status, 401);
    assert.equal((await invoke('free', { token: 'fbt_acme_agent-1_ffffffffffffffff' })).status, 401);
    assert.equal((await invoke('free', { agent: 'other', token: tokenOf('agent-1') })).status, 403);
    assert.equal((await rows('')).length, before);
  });

  it('waits for no treasury that is down: nothing is called, nothing is written', async () => {
    const came = seller.of('/free').length;
    treasury.isDown = true;
    const { status, json } = await invoke('free');
    treasury.isDown = false;
    assert.deepEqual([status, json.error, seller.of('/free').length], [503, 'Treasury is not available', came]);
  });

  it('by twenty requests at once with one key is one payment, one row and one body', async () => {
    await publish('crowd', asksFor(owner.address, '250000'));
    const before = treasury.paid;
    const answers = await Promise.all(Array.from({ length: 20 }, () => invoke('crowd', { agent: 'crowd', key: 'one' })));
    assert.deepEqual([new Set(answers.map(({ text }) => text)).size, answers[0]?.status], [1, 200]);
    assert.deepEqual([treasury.paid - before, (await rows('skillId=crowd')).length, seller.of('/crowd').length], [1, 1, 1]);
    assert.equal((await invoke('crowd', { agent: 'crowd', key: 'one' })).text, answers[0]?.text);
    assert.equal((await invoke('crowd', { agent: 'crowd', key: 'one', payload: 'other' })).status, 409);
  });

  //
  it('by those who wait for one that runs costs the object a few questions, however many they are', async () => {
    await publish('slow', (_, response) => {
      setTimeout(() => response.writeHead(200, { 'content-type': 'application/json' }).end('{"slow":true}'), 3_000);
    });
    await market.asked();
    const answers = await Promise.all(Array.from({ length: 40 }, () => invoke('slow', { agent: 'crowd', key: 'slow' })));
    assert.deepEqual([new Set(answers.map(({ text }) => text)).size, answers[0]?.json.response], [1, { slow: true }]);
    const { invoke: begun, follow = 0 } = await market.asked();
    assert.equal(begun, 40);
    assert.ok(follow >= 1 && follow <= 8, `${follow} questions`);
  });

  it('of a seller that redirects, resets, or answers without end is a failure without payment', async () => {
    const scripts: Record<string, Script> = {
      redirect: (_, response) => {
        response.writeHead(302, { location: '/free' }).end();
      },
      reset: (_, response) => {
        response.socket?.destroy();
      },
      endless: (_, response) => {
        response.writeHead(200, { 'content-length': 1_048_577 }).end(Buffer.alloc(1_048_577, 'a'));
      },
    };
    for (const [id, script] of Object.entries(scripts)) {
      await publish(id, script);
      const { status, json } = await invoke(id);
      assert.deepEqual([status, json.ok], [500, false], id);
    }
    assert.equal((await invoke('endless')).json.error, 'response_too_large');
  });

  it('passes text and bytes on as what they are', async () => {
    await publish('text', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' }).end('plain');
    });
    assert.equal((await invoke('text')).json.response, 'plain');
    await publish('bytes', (_, response) => {
      response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.from([137, 80, 255]));
    });
    assert.deepEqual((await invoke('bytes')).json.response, {
      contentType: 'image/png',
      base64: Buffer.from([137, 80, 255]).toString('base64'),
    });
  });

  it('that workerd was killed in is finished by the alarm: called and not paid, or paid and found at the treasury', async () => {
    await publish('held', () => {});
    await publish('paying', asksFor(owner.address, '250000'));
    let decided = 0;
    treasury.decide = async (asked) => {
      decided += 1;
      return allowed(asked);
    };
    const lost = [invoke('held', { agent: 'killed', key: 'held' }).catch(() => undefined)];
    await eventually('the seller is called', () => seller.of('/held').length === 1);
    // The decision stands, and its answer is never heard.
    treasury.decide = async (asked) => {
      decided += 1;
      void market.kill();
      return allowed(asked);
    };
    market.ahead = 600;
    lost.push(invoke('paying', { agent: 'killed', key: 'paying' }).catch(() => undefined));
    await eventually('it was decided', () => decided === 1);
    await Promise.all(lost);
    treasury.decide = allowed;
    const ended = await eventually('both are over', async () => {
      const found = await rows('agentId=killed').catch(() => []);
      return found.length === 2 && found.every(({ status }) => status !== 'running') && found;
    });
    assert.deepEqual(
      ended.map(({ skillId, status, error }) => [skillId, status, error]),
      [
        ['paying', 'success', undefined],
        ['held', 'failed', 'interrupted'],
      ],
    );
    const again = await eventually('the market is there', () =>
      invoke('paying', { agent: 'killed', key: 'paying' }).catch(() => undefined),
    );
    assert.deepEqual([again.status, again.json.ok, decided], [200, true, 1]);
  });
});

describe('a key whose payment was in doubt', () => {
  let market: Market;
  let seller: Seller;
  const treasury = new FakeTreasury();
  const owner = newOwner();
  before(async () => {
    seller = await Seller.start();
    market = await Market.start({ treasury: treasury.bound });
  });
  after(async () => {
    await market.stop();
    await seller.stop();
  });

  it('is answered with what the ledger knows by now: the receipt, once the money was seen', async () => {
    const tx = `0x${'7'.repeat(64)}`;
    seller.scripts.set('/doubt', asksFor(owner.address, '250000'));
    const published = await market.publish(owner, {
      skillId: 'doubt',
      name: 'doubt',
      callUrl: `${seller.url}/doubt`,
      price: '$0.25',
      charges: 'seller',
    });
    assert.equal(published.status, 201, published.text);
    treasury.decide = () => ({
      status: 201,
      body: {
        outcome: 'inconclusive',
        reasonCode: 'x',
        reason: 'x',
        receipt: { receiptId: 'receipt-7', settlementIdentifier: tx, status: 'confirmed' },
      },
    });
    const ask = (): Promise<Answer> =>
      market.ask('POST', '/api/marketplace/skills/doubt/invoke', {
        token: tokenOf('agent-1'),
        body: { agentId: 'agent-1', payload: 1 },
        headers: { 'idempotency-key': 'key-7' },
      });
    const first = await ask();
    assert.deepEqual([first.status, first.json.paid, first.json.receipt], [500, 'unknown', undefined]);
    assert.equal((await ask()).text, first.text);
    // The alarm looks a minute later.
    market.ahead = 120;
    await market.kill();
    const then = await eventually('it is known', async () => {
      const answer = await ask().catch(() => undefined);
      return answer?.json?.paid === true && answer;
    });
    assert.deepEqual([then.status, then.json.ledgerId, then.json.receipt.txHash, treasury.asked.length], [500, first.json.ledgerId, tx, 1]);
    const { json } = await market.ask('GET', `/api/marketplace/invocations/${then.json.ledgerId}`, { token: OPERATOR });
    assert.deepEqual([json.invocation.paid, json.invocation.outcome], ['yes', 'paid_failed']);
  });
});
