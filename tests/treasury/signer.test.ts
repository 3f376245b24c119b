/** A wallet whose key another Worker holds: it is asked once for each payment, and what it answers is checked before anything is sent. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';

import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { eventually } from '../support/eventually.ts';
import { Merchant } from './support/merchant.ts';
import { type Answer, Treasury } from './support/worker.ts';

const DECISIONS = '/api/sdk/payment-decisions';
const WEBHOOK_SECRET = 'a-webhook-secret-of-the-tests';

describe('a bound signer', () => {
  const right = privateKeyToAccount(generatePrivateKey());
  const other = privateKeyToAccount(generatePrivateKey());
  const asked: any[] = [];
  let sign: (typed: any) => Promise<Response>;
  let treasury: Treasury;
  let merchant: Merchant;
  let token: string;

  const signedBy =
    (account: typeof right) =>
    async (typed: any): Promise<Response> =>
      Response.json({ signature: await account.signTypedData(typed) });
  const decide = (path: string, amount = '10000'): Promise<Answer> =>
    treasury.ask('POST', DECISIONS, { token, body: merchant.decision(path, { key: `key-${path}`, amount }) });
  /** What counts in the budgets of the organization. */
  const spent = async (): Promise<number[]> => {
    const { json } = await treasury.operate('GET', '/acme/audit');
    return json.items
      .filter(({ scope }: { scope: string }) => scope === 'organization')
      .map((item: { counted: string }) => Number(item.counted));
  };

  before(
    async () => {
      merchant = await Merchant.start();
      treasury = await Treasury.start({
        vars: {
          WALLETS: [{ name: 'bound', networks: ['eip155:84532'], signer: 'SIGNER', address: right.address }],
          ORGANIZATIONS: [
            {
              name: 'acme',
              environment: 'test',
              policy: { allowedOrigins: [merchant.url] },
              agents: [{ name: 'buyer', bootstrapKey: 'BUYER_KEY' }],
            },
          ],
        },
        bound: {
          SIGNER: async (request) => {
            const typed = await request.json();
            asked.push(typed);
            return sign(typed);
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

  it('signs what is sent, and is not asked again for the same key', async () => {
    sign = signedBy(right);
    const first = await decide('/right');
    assert.equal(first.json.outcome, 'allow', first.text);
    assert.equal((await decide('/right')).text, first.text);
    assert.deepEqual(
      [asked.length, asked[0].primaryType, asked[0].message.from.toLowerCase()],
      [1, 'TransferWithAuthorization', right.address.toLowerCase()],
    );
    const [paid] = merchant.of('/right');
    const { payload } = JSON.parse(Buffer.from(String(paid?.payment), 'base64').toString());
    assert.equal(payload.signature, await right.signTypedData(asked[0]));
  });

  const bad: readonly (readonly [string, () => typeof sign])[] = [
    ['with another key', () => signedBy(other)],
    ['with words', () => async () => Response.json({ signature: '0x1234' })],
    ['with an error', () => async () => new Response('no', { status: 500 })],
    ['without JSON', () => async () => new Response('<html>')],
  ];
  for (const [how, making] of bad) {
    it(`that answers ${how} has nothing sent and nothing counted`, async () => {
      const counted = await spent();
      sign = making();
      const path = `/bad-${bad.findIndex(([name]) => name === how)}`;
      const answer = await decide(path);
      assert.deepEqual([answer.status, answer.json.outcome], [201, 'preflight_failed'], answer.text);
      assert.equal(merchant.of(path).length, 0);
      assert.deepEqual(await spent(), counted);
      assert.equal((await decide(path)).text, answer.text);
    });
  }
});

describe('notices of a treasury', () => {
  it('are signed, and told again under the same id until they are taken', async () => {
    const told: { id: unknown; signature: string; body: string }[] = [];
    const hook = createServer(async (request, response) => {
      let body = '';
      for await (const piece of request) body += String(piece);
      told.push({ id: JSON.parse(body).review?.id, signature: String(request.headers['farebox-signature']), body });
      response.writeHead(told.length === 1 ? 500 : 204).end();
    });
    await new Promise<void>((resolve) => {
      hook.listen(0, '127.0.0.1', resolve);
    });
    const merchant = await Merchant.start();
    const treasury = await Treasury.start({
      vars: {
        WEBHOOK_SECRET,
        WEBHOOK_URL: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook`,
        ORGANIZATIONS: [
          {
            name: 'acme',
            environment: 'test',
            policy: { allowedOrigins: [merchant.url], reviewAbove: { USDC: '0.001' } },
            agents: [{ name: 'buyer', bootstrapKey: 'BUYER_KEY' }],
          },
        ],
      },
    });
    try {
      const token = await treasury.token();
      const { json } = await treasury.ask('POST', DECISIONS, { token, body: merchant.decision('/looked-at', { key: 'k' }) });
      assert.deepEqual([json.outcome, json.reasonCode], ['deny', 'policy_review_required']);
      await eventually('it is told twice', async () => told.length >= 2);
      assert.deepEqual(
        told.map(({ id }) => id),
        [json.policyReviewEventId, json.policyReviewEventId],
      );
      for (const { signature, body } of told) {
        const [, at] = /^t=(\d+),v1=[0-9a-f]{64}$/.exec(signature) ?? assert.fail(signature);
        assert.equal(signature, `t=${at},v1=${createHmac('sha256', WEBHOOK_SECRET).update(`${at}.${body}`).digest('hex')}`);
      }
    } finally {
      await treasury.stop();
      await merchant.stop();
      hook.close();
      hook.closeAllConnections();
    }
  });
});
