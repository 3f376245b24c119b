/**
 * A panic anywhere in the compiled treasury, or an exception that comes through it: whoever waits is told at once, no request hangs, the next one works,
 * and nothing that the object was writing is kept. Runs a build that panics on request.
 */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { Merchant } from './support/merchant.ts';
import { type Answer, bootstrapKey, DRILL, OPERATOR, Treasury } from './support/worker.ts';

const DECISIONS = '/api/sdk/payment-decisions';
const KEY = bootstrapKey('acme', 'buyer');

describe('a panic of the treasury', () => {
  let treasury: Treasury;
  let merchant: Merchant;
  before(async () => {
    merchant = await Merchant.start();
    treasury = await Treasury.start({
      build: DRILL,
      vars: {
        SEND_SECS: 1,
        ORGANIZATIONS: [
          {
            name: 'acme',
            environment: 'test',
            policy: { allowedOrigins: [merchant.url] },
            agents: [{ name: 'buyer', bootstrapKey: 'BUYER_KEY' }],
          },
        ],
      },
    });
    assert.equal((await treasury.operate('GET', '')).status, 200);
  });
  after(async () => {
    await treasury.stop();
    await merchant.stop();
  });

  /** A request whose body does not come to its end: it waits in the instance. */
  function neighbour(name: string, token: string): Promise<{ status: number; code: unknown }> {
    return new Promise<{ status: number; code: unknown }>((resolve, reject) => {
      const asked = request(
        `${treasury.url}${DECISIONS}`,
        { method: 'POST', headers: { authorization: `Bearer ${token}`, 'transfer-encoding': 'chunked', 'x-waits': name } },
        async (response) => {
          let text = '';
          for await (const piece of response) text += String(piece);
          asked.destroy();
          resolve({ status: response.statusCode ?? 0, code: JSON.parse(text).code });
        },
      );
      asked.on('error', reject);
      asked.write('{');
    });
  }

  const edges = [
    ['a panic', 'x-panic'],
    ['an exception of JavaScript', 'x-throw'],
  ] as const;
  for (const [what, header] of edges) {
    //
    it(`${what} at the edge is answered 500, for it and for those that wait`, async () => {
      const waits = neighbour(header, await treasury.token());
      // One that came too late for the instance would wait for ever.
      await eventually('the neighbour waits', async () => treasury.logs.includes(`drill: waits ${header}`));
      const lost = await treasury.ask('GET', '/api/organizations', { token: OPERATOR, headers: { [header]: 'edge' } });
      assert.deepEqual([lost.status, lost.json.code, lost.headers.get('cache-control')], [500, 'internal', 'no-store']);
      assert.deepEqual(await waits, { status: 500, code: 'internal' });
      assert.equal((await treasury.operate('GET', '')).status, 200);
    });
  }

  it('in the object is told to who asked, and the next request is answered', async () => {
    const lost = await treasury.ask('GET', '/api/sdk/receipts/drill-here', { token: KEY });
    assert.ok(lost.status === 500 || lost.status === 503, lost.text);
    assert.notEqual((await treasury.operate('GET', '/acme')).status, 500);
  });

  it('in the object after its writes takes these back', async () => {
    const before = await treasury.operate('GET', '/acme/agents');
    const lost = await treasury.operate('PUT', '/acme/agents/drill-late');
    assert.ok(lost.status === 500 || lost.status === 503, lost.text);
    assert.deepEqual((await treasury.operate('GET', '/acme/agents')).json, before.json);
  });

  it('in the middle of a payment leaves it to the alarm, which sends the same bytes', async () => {
    const token = await treasury.token();
    const decide = (place: string, headers = {}): Promise<Answer> =>
      treasury.ask('POST', DECISIONS, { token, headers, body: merchant.decision(`/${place}`, { key: place }) });
    const places = ['sending', 'reporting'];
    for (const place of places) {
      const lost = await decide(place, { 'x-panic': place });
      assert.deepEqual([lost.status, lost.json.code], [500, 'internal']);
    }
    for (const place of places) {
      const final = await eventually(`${place} is over`, async () => {
        const answer = await decide(place);
        return answer.json?.outcome !== 'executing' && answer;
      });
      assert.equal(final.json.outcome, 'allow', final.text);
    }
    const payments = places.map((place) => merchant.of(`/${place}`).map(({ payment }) => payment));
    assert.deepEqual(
      payments.map((of) => [of.length, new Set(of).size]),
      [
        [1, 1],
        [2, 1],
      ],
    );
  });

  it('cannot be asked for where a treasury is deployed', async () => {
    const deployed = await Treasury.start();
    try {
      for (const header of ['x-panic', 'x-throw']) {
        assert.equal((await deployed.ask('GET', '/api/organizations', { token: OPERATOR, headers: { [header]: 'edge' } })).status, 200);
      }
      assert.notEqual((await deployed.operate('PUT', '/acme/agents/drill-late')).status, 500);
    } finally {
      await deployed.stop();
    }
  });
});
