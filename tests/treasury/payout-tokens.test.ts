/** The secret that opens the payouts of one wallet, and the doors that it leaves closed. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { type Answer, OPERATOR, Treasury } from './support/worker.ts';

const TOKEN = 'payout-token-of-the-tests-0123456789';
const TO = '0x90F79bf6EB2c4f870365E785982E1f101E93b906';

describe('the payout token of a wallet', () => {
  let treasury: Treasury;
  const ask = (method: string, path: string, body?: unknown, token = TOKEN): Promise<Answer> =>
    treasury.ask(method, path, {
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const payout = (change: Record<string, unknown> = {}): unknown => ({
    organization: 'acme',
    wallet: 'main',
    network: 'eip155:84532',
    asset: 'USDC',
    to: TO,
    amount: '0.25',
    idempotencyKey: 'job-1',
    ...change,
  });

  before(
    async () => {
      treasury = await Treasury.start({
        vars: {
          ESCROW_TOKEN: TOKEN,
          PAYOUT_TOKENS: [{ organization: 'acme', wallet: 'main', secret: 'ESCROW_TOKEN' }],
          ORGANIZATIONS: [
            { name: 'acme', environment: 'test', policy: { payoutsPerDay: { USDC: '1.00' } }, agents: [{ name: 'buyer' }] },
            { name: 'other', environment: 'test', agents: [{ name: 'buyer' }] },
          ],
        },
      });
    },
    { timeout: 120_000 },
  );
  after(() => treasury?.stop());

  it('asks for payouts of its organization and wallet', async () => {
    const asked = await ask('POST', '/api/payouts', payout());
    // Without FACILITATOR_URL the request is understood, and nothing can be paid.
    assert.deepEqual([asked.status, asked.json.code], [409, 'payouts_not_configured'], asked.text);
    const seen = await ask('GET', '/api/payouts/none?organization=acme');
    assert.deepEqual([seen.status, seen.json.code], [404, 'not_found']);
    const wrong = await ask('POST', '/api/payouts', payout({ amount: 7 }));
    assert.deepEqual([wrong.status, wrong.json.code], [400, 'invalid_payout']);
  });

  it('asks for no other organization and no other wallet', async () => {
    for (const change of [{ wallet: 'savings' }, { organization: 'other' }, { organization: 'nowhere' }]) {
      const { status, json } = await ask('POST', '/api/payouts', payout(change));
      assert.deepEqual([status, json.code], [403, 'payouts_not_allowed'], JSON.stringify(change));
    }
    for (const query of ['', '?organization=other', '?organization=nowhere']) {
      assert.equal((await ask('GET', `/api/payouts/none${query}`)).status, 404, query);
    }
  });

  it('opens nothing else', async () => {
    const closed = [
      ['GET', '/api/payouts?organization=acme'],
      ['GET', '/api/payouts/?organization=acme'],
      ['GET', '/api/payouts'],
      ['PUT', '/api/payouts'],
      ['DELETE', '/api/payouts/none?organization=acme'],
      ['POST', '/api/payouts/none?organization=acme'],
      ['GET', '/api/payouts/a/b?organization=acme'],
      ['GET', '/api/organizations'],
      ['GET', '/api/organizations/acme'],
      ['PUT', '/api/organizations/acme/policy'],
      ['PUT', '/api/organizations/acme/agents/new'],
      ['POST', '/api/organizations/acme/agents/buyer/bootstrap-keys'],
      ['GET', '/api/organizations/acme/budgets'],
      ['GET', '/api/organizations/acme/decisions'],
      ['POST', '/api/organizations/acme/reviews/r/approve'],
      ['GET', '/api/organizations/acme/export'],
      ['GET', '/api/organizations/acme/audit'],
      ['GET', '/api/lookup/decisions?organization=acme&agent=buyer&key=x'],
      ['GET', '/api/lookup/receipts/r?organization=acme'],
      ['POST', '/api/sdk/runtime-tokens'],
      ['POST', '/api/sdk/payment-decisions'],
      ['GET', '/api/sdk/identity'],
      ['GET', '/api/sdk/receipts/r'],
    ] as const;
    for (const [method, path] of closed) {
      const { status } = await ask(method, path, method === 'GET' ? undefined : {});
      assert.equal(status, 401, `${method} ${path}`);
    }
  });

  it('is compared whole, and is shown nowhere', async () => {
    for (const wrong of ['', TOKEN.slice(1), TOKEN.slice(0, -1), `${TOKEN}x`, 'x'.repeat(TOKEN.length)]) {
      assert.equal((await ask('POST', '/api/payouts', payout(), wrong)).status, 401, wrong);
    }
    for (const path of [
      '/api/organizations',
      '/api/organizations/acme',
      '/api/organizations/acme/log',
      '/api/organizations/acme/metrics',
    ]) {
      const { status, text } = await ask('GET', path, undefined, OPERATOR);
      assert.ok(status === 200 && !text.includes(TOKEN), path);
    }
  });
});
