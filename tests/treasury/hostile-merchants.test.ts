// Merchants that fail, lie and cheat: what an agent is told, how often the payment was sent, and what moved on the chain.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { AgentPayClient } from '../../pkg/dist/agent/index.js';
import { sharedWorld } from '../support/suite.ts';
import { buy, clientOf, startTreasuryWorld } from './buyers.ts';

const world = sharedWorld(() =>
  startTreasuryWorld({
    stock: false,
    organizations: ({ scripted }) => [{ name: 'acme', policy: { allowedOrigins: [scripted.url] }, agents: [{ name: 'buyer' }] }],
  }),
);

/** What a merchant saw of a path's payments: how often one came, how many there were, and how many of these moved. */
async function seenOf(path: string) {
  const paid = world.merchants.scripted.requests.filter((request) => request.path === path && request.payment !== undefined);
  const nonces = new Set(paid.map(({ nonce }) => nonce));
  const moved = await world.transfers();
  return {
    sent: paid.length,
    payments: nonces.size,
    bytes: new Set(paid.map(({ payment }) => payment)).size,
    moved: [...nonces].filter((nonce) => moved.has(nonce ?? '')).length,
  };
}

async function bought(path: string, init?: RequestInit) {
  const told = await buy(clientOf(world, 'acme', 'buyer'), `${world.merchants.scripted.url}${path}`, init);
  return { told, seen: await seenOf(path) };
}

describe('a merchant', { concurrency: true }, () => {
  test('that begins to answer too late leaves the outcome open: one payment, sent as it was', async () => {
    const { told, seen } = await bought('/slow/head?ms=60000');
    assert.deepEqual([told.kind, told.reasonCode, told.status], ['execution_inconclusive', 'merchant_transport_lost', 202]);
    assert.deepEqual([seen.payments, seen.bytes, seen.moved], [1, 1, 1]);
  });

  test('that cuts its answer leaves the outcome open', async () => {
    const { told, seen } = await bought('/cut/body');
    assert.deepEqual([told.kind, told.reasonCode], ['execution_inconclusive', 'merchant_transport_lost']);
    assert.deepEqual([seen.payments, seen.bytes, seen.moved], [1, 1, 1]);
  });

  test('that loses its answer once gets the same bytes again', async () => {
    const { told, seen } = await bought('/lost/once?times=1');
    assert.equal(told.kind, 'success', told.reason);
    assert.deepEqual(seen, { sent: 2, payments: 1, bytes: 1, moved: 1 });
  });

  test('that is busy for a moment gets the same bytes again', async () => {
    const { told, seen } = await bought('/busy/once');
    assert.equal(told.kind, 'success', told.reason);
    assert.deepEqual(seen, { sent: 2, payments: 1, bytes: 1, moved: 1 });
  });

  test('that redirects a payment is not followed', async () => {
    const { told, seen } = await bought('/redirect/away?to=/honest/after-redirect');
    assert.notEqual(told.kind, 'success');
    assert.deepEqual([seen.payments, seen.moved, (await seenOf('/honest/after-redirect')).sent], [1, 0, 0]);
  });

  //
  test('that delivers without settling has no evidence on its receipt', async () => {
    const { told, seen } = await bought('/unsettled/free');
    assert.deepEqual(
      [told.kind, told.receipt?.status, told.receipt?.settlementEvidenceClass],
      ['success', 'provisional', 'none'],
      told.reason,
    );
    assert.deepEqual([seen.payments, seen.moved], [1, 0]);
  });

  for (const lie of ['payer=0x70997970C51812dc3A010C7d01b50e0d17dc79C8', 'network=eip155:8453', 'transaction=0x12']) {
    test(`whose settlement lies (${lie}) has given no evidence`, async () => {
      const { told, seen } = await bought(`/forged/lie?${lie}`);
      assert.deepEqual([told.kind, told.receipt?.settlementEvidenceClass], ['success', 'none'], told.reason);
      assert.equal(seen.moved, 0);
    });
  }

  test('that settles twice moves the money once', async () => {
    const { told, seen } = await bought('/twice/at-once');
    assert.deepEqual([told.kind, JSON.parse(told.body).second, seen.moved], ['success', false, 1], told.reason);
  });

  test('that asks for more once it has a payment gets no second one', async () => {
    const { told, seen } = await bought('/drift/up');
    assert.deepEqual([told.kind, told.reasonCode, told.status], ['execution_failed', 'merchant_rejected', 402]);
    assert.deepEqual([seen.payments, seen.moved], [1, 0]);
  });

  test('gets neither cookies nor tokens of the agent, nor the headers of the treasury; and its own cookies go nowhere', async () => {
    const { url } = world.merchants.scripted;
    const client = new AgentPayClient({
      controlPlaneBaseUrl: world.treasury.url,
      organization: 'acme',
      agent: 'buyer',
      forwardHeaders: ['cookie', 'authorization', 'proxy-authorization'],
      auth: { type: 'bootstrapKey', bootstrapKey: world.keyOf('acme', 'buyer') },
    });
    const headers = {
      cookie: 'session=agent',
      authorization: 'Bearer agent',
      'x-402flow-secret': '1',
      'x-farebox-secret': '1',
      'x-order': '7',
      'accept-language': 'de',
    };
    const told = await buy(client, `${url}/honest/headers`, { headers });
    assert.equal(told.kind, 'success', told.reason);
    const paid =
      world.merchants.scripted.requests.find(({ path, payment }) => path === '/honest/headers' && payment !== undefined)?.headers ?? {};
    assert.deepEqual([paid['x-order'], paid['accept-language']], ['7', 'de']);
    assert.deepEqual(
      Object.keys(headers)
        .slice(0, 4)
        .filter((name) => name in paid),
      [],
    );
    assert.equal(told.headers.get('set-cookie'), null);
  });
});

describe('a URL', () => {
  for (const url of [
    'http://user:secret@127.0.0.1/x',
    'ftp://127.0.0.1/x',
    'http://169.254.169.254/latest',
    'https://10.0.0.1/x',
    'https://localhost/x',
  ]) {
    test(`${url} is never asked`, async () => {
      const client = clientOf(world, 'acme', 'buyer');
      const honest = await client.preparePaidRequest(`${world.merchants.scripted.url}/honest/challenge`);
      assert.ok(honest.kind === 'ready');
      const told = await buy(client, url, undefined, { challenge: honest.challenge });
      assert.ok(['denied', 'request_failed'].includes(told.kind), told.kind);
    });
  }
});
