/** What other Workers ask of a treasury, and a merchant that is asked through a binding. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Merchant } from './support/merchant.ts';
import { type Answer, bootstrapKey, Treasury } from './support/worker.ts';

const DECISIONS = '/api/sdk/payment-decisions';
const LOOKUP = 'lookup-token-of-the-tests-0123456789';

describe('other Workers of a treasury', () => {
  const bound: { url: string; payment: string | null }[] = [];
  let treasury: Treasury;
  let merchant: Merchant;
  let token: string;
  const decide = (path: string, key: string, amount?: string): Promise<Answer> =>
    treasury.ask('POST', DECISIONS, { token, body: merchant.decision(path, { key, ...(amount === undefined ? {} : { amount }) }) });
  const lookUp = (query: string, headers: Record<string, string> = { authorization: `Bearer ${LOOKUP}` }): Promise<Answer> =>
    treasury.ask('GET', `/api/lookup/${query}`, { headers });

  before(
    async () => {
      merchant = await Merchant.start();
      treasury = await Treasury.start({
        vars: {
          LOOKUP_TOKEN: LOOKUP,
          MERCHANT_BINDINGS: { [merchant.url]: 'GATE' },
          ORGANIZATIONS: [
            {
              name: 'acme',
              environment: 'test',
              policy: { allowedOrigins: [merchant.url], perMonth: { USDC: '0.05' } },
              agents: [{ name: 'buyer', bootstrapKey: 'BUYER_KEY' }],
            },
          ],
        },
        bound: {
          GATE: async ({ url, headers }) => {
            bound.push({ url, payment: headers.get('payment-signature') });
            return new Response('goods of the binding');
          },
        },
      });
      token = await treasury.token();
    },
    { timeout: 120_000 },
  );
  after(async () => {
    await treasury?.stop();
    await merchant?.stop();
  });

  it('pays a bound merchant through its binding alone', async () => {
    const { json, text } = await decide('/s/1', 'a/1 ü');
    assert.equal(json.merchantResponse?.body, 'goods of the binding', text);
    assert.deepEqual(
      bound.map(({ url }) => url),
      [`${merchant.url}/s/1`],
    );
    assert.match(bound[0]?.payment ?? '', /^[\w+/=]{100,}$/);
    assert.equal(merchant.paid.length, 0);
  });

  it('learn whose a token is without a version', async () => {
    const answer = await treasury.ask('GET', '/api/sdk/identity', { headers: { authorization: `Bearer ${token}` } });
    assert.deepEqual([answer.status, answer.json], [200, { organization: 'acme', agent: 'buyer', environment: 'test' }]);
    const wrong = await treasury.ask('GET', '/api/sdk/identity', { token: bootstrapKey('acme', 'buyer') });
    assert.equal(wrong.status, 401);
  });

  it('look a decision up by its key, byte for byte, and its receipt', async () => {
    const decided = await decide('/s/1', 'a/1 ü');
    const query = `decisions?organization=acme&agent=buyer&key=${encodeURIComponent('a/1 ü')}`;
    const found = await lookUp(query);
    assert.deepEqual([found.status, found.text, found.headers.get('farebox-money')], [200, decided.text, 'signed']);
    const receipt = await lookUp(`receipts/${found.headers.get('farebox-receipt')}?organization=acme`);
    assert.deepEqual([receipt.status, receipt.json?.receipt], [200, decided.json.receipt]);
  });

  it('are told the same of every decision that there is not', async () => {
    const none = ['decisions', 'decisions?organization=acme', 'decisions?organization=acme&agent=buyer&key=x'];
    const answers = await Promise.all(none.map((query) => lookUp(query)));
    assert.deepEqual(
      answers.map(({ status, json }) => [status, json?.code]),
      none.map(() => [404, 'not_found']),
    );
    // What is not configured may have paid all the same.
    const { status, json } = await lookUp('decisions?organization=nowhere&agent=buyer&key=x');
    assert.deepEqual([status, json?.code], [404, 'organization_unknown']);
  });

  it('need their own token', async () => {
    for (const authorization of ['', 'Bearer x', `Bearer ${token}`, 'Bearer operator-token-of-the-tests-0123456789']) {
      assert.equal((await lookUp('decisions?organization=acme&agent=buyer&key=x', { authorization })).status, 401, authorization);
    }
    assert.equal((await treasury.ask('GET', '/api/organizations', { token: LOOKUP })).status, 401);
  });

  it('read in a header what a denied payment needed and what there was', async () => {
    const denied = await decide('/s/2', 'b', '50000');
    assert.deepEqual([denied.status, denied.json.outcome], [201, 'deny']);
    assert.equal(denied.headers.get('farebox-figures'), 'required=50000, available=40000, asset=USDC, decimals=6');
  });
});
