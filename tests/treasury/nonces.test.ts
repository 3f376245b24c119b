/** The nonce of an MPP payment follows from its challenge: one challenge is one payment, whatever the keys. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Merchant } from './support/merchant.ts';
import { type Answer, Treasury } from './support/worker.ts';

describe('a challenge that was signed', () => {
  let treasury: Treasury;
  let merchant: Merchant;
  let token: string;
  const ask = (body: string): Promise<Answer> => treasury.ask('POST', '/api/sdk/payment-decisions', { token, body });

  before(
    async () => {
      merchant = await Merchant.start();
      treasury = await Treasury.start({
        vars: {
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
      token = await treasury.token();
    },
    { timeout: 120_000 },
  );
  after(async () => {
    await treasury?.stop();
    await merchant?.stop();
  });

  //
  it('is not signed for another key or another URL, and counted once', async () => {
    const paths = ['/one', '/one', '/other'];
    const answers = [];
    for (const [at, path] of paths.entries()) answers.push(await ask(merchant.charge(path, 'the-same-challenge', `key-${at}`)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [201, 409, 409],
      answers.map(({ text }) => text).join('\n'),
    );
    assert.deepEqual(
      answers.slice(1).map(({ json }) => json.code),
      ['challenge_already_used', 'challenge_already_used'],
    );
    assert.equal(merchant.paid.length, 1);
    const { json } = await treasury.operate('GET', '/acme/audit');
    assert.deepEqual(
      json.items
        .filter(({ scope }: { scope: string }) => scope === 'organization')
        .map(({ counted }: { counted: string }) => Number(counted)),
      [0.01],
    );
    assert.equal((await ask(merchant.charge('/one', 'the-same-challenge', 'key-0'))).text, answers[0]?.text);
    assert.equal((await ask(merchant.charge('/one', 'a-new-challenge', 'key-3'))).status, 201);
    assert.equal(merchant.paid.length, 2);
  });
});
