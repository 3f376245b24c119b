// A payer by channel at a server that sells each request by itself: a person is asked there, too, and a crash does not charge it again.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type ChannelOptions, type ChannelProposal, channelFetch } from '../../pkg/dist/channels.js';
import { type FareboxError, memoryStore, type Store } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { ask, GOODS, honest, PAYEE, paymentOf, sharedShop, watchedSigner } from './shop.ts';

const shop = sharedShop();
const payer = (more: Partial<ChannelOptions>) => {
  const signer = watchedSigner();
  return { signer, pay: channelFetch(fetch, { signer, policy: {}, ...more }) };
};

//
test('whoever is asked before a deposit is asked before a payment without a channel, in all that a channel pays otherwise', async () => {
  for (const choose of [{}, { choose: 'once' as const }]) {
    const asked: ChannelProposal[] = [];
    let says = false;
    const confirm = (it: ChannelProposal): boolean => {
      asked.push(it);
      return says;
    };
    const { signer, pay } = payer({ confirm, ...choose });
    await assert.rejects(pay(shop.url), { code: 'declined' });
    assert.equal(signer.asked.length, 0);
    says = true;
    assert.equal((await pay(shop.url)).status, 200);
    assert.equal(signer.asked.length, 1);
    for (const { channel, deposit, price, host, payTo, payer: account } of asked)
      assert.deepEqual([channel, deposit, price, host, payTo, account], ['', null, '0.01', shop.host, PAYEE, '']);
  }
});

test('whoever gives no question pays within the policy alone', async () => {
  assert.equal((await payer({}).pay(shop.url)).status, 200);
});

test('what costs nothing needs no store, and without one nothing is paid', async () => {
  const store: Store = { read: () => Promise.reject(new Error('no disk')), replace: async () => false };
  const { signer, pay } = payer({ store, resume });
  await assert.rejects(pay(shop.url), { message: 'no disk' });
  assert.deepEqual([signer.asked.length, shop.payments()], [0, []]);
  shop.answers = (_, response) => response.end(GOODS);
  assert.equal(await (await pay(shop.url)).text(), GOODS);
});

//
test('what another process has sent without a channel is sent again, not signed anew', async () => {
  const store = memoryStore();
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response) : response.writeHead(500).end());
  const first = payer({ store, resume, policy: { deadlineSecs: 1 } });
  await first.pay(shop.url).catch((error: FareboxError) => assert.equal(error.code, 'payment_unresolved'));
  shop.answers = honest;
  const next = payer({ store, resume });
  const before = shop.requests.length;
  assert.equal((await next.pay(shop.url)).status, 200);
  // Whatever the server sells by now is not looked at: a channel would be paid beside it.
  assert.equal(shop.requests.length, before + 1);
  assert.deepEqual([first.signer.asked.length, next.signer.asked.length, new Set(shop.payments()).size], [1, 0, 1]);
});
