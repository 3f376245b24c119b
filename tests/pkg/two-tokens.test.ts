/** Calls at once under one key, each of which a server asks for another token: one of them is charged. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';

import { memoryStore, payingFetch, type Store } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { eventually } from '../support/eventually.ts';
import { ask, GOODS, OFFER, ON_BASE, paymentOf, serve, settlement, sharedShop, terms, watchedSigner } from './shop.ts';

const shop = sharedShop();
const KEYED = { headers: { 'idempotency-key': 'order-7' } };

/** Serves what was paid on its network. */
function served(request: IncomingMessage, response: ServerResponse): void {
  const payment = Buffer.from(paymentOf(request) ?? '', 'base64').toString();
  const { accepted } = JSON.parse(payment) as { accepted: { network: string } };
  serve(response, settlement({ network: accepted.network }));
}

for (const [name, more] of [
  ['in one wrapped fetch', {}],
  ['with one store', { resume }],
] as const) {
  //
  test(`of two calls at once under one key that are asked for two tokens one pays, ${name}`, async (t) => {
    const held: (() => void)[] = [];
    t.after(() => held.pop()?.());
    let offer: unknown = OFFER;
    shop.answers = (request, response) => {
      if (paymentOf(request) === undefined) return ask(response, terms([offer]));
      if (offer === OFFER) return void held.push(() => served(request, response));
      served(request, response);
    };
    const signer = watchedSigner();
    const pay = payingFetch({ signer, store: memoryStore(), ...more });
    const first = pay(`${shop.url}/report`, KEYED);
    await eventually('the payment is sent', () => held.length === 1);
    offer = ON_BASE;
    await assert.rejects(pay(`${shop.url}/report`, KEYED), { code: 'payment_unresolved' });
    assert.equal(shop.payments().length, 1);
    held.pop()?.();
    assert.equal(await (await first).text(), GOODS);
    // What was delivered is over, and the next call is a new purchase.
    assert.equal(await (await pay(`${shop.url}/report`, KEYED)).text(), GOODS);
  });
}

//
test('what another process has closed is not paid in another token by one whose person is asked for long', async () => {
  const base = memoryStore();
  const store = (): Store => ({ read: () => base.read(), replace: (version, record) => base.replace(version, record) });
  const answers: ((yes: boolean) => void)[] = [];
  let offer: unknown = ON_BASE;
  shop.answers = (request, response) => (paymentOf(request) === undefined ? ask(response, terms([offer])) : served(request, response));
  const confirm = (): Promise<boolean> => new Promise((resolve) => answers.push(resolve));
  const slow = payingFetch({ signer: watchedSigner(), store: store(), resume, confirm })(`${shop.url}/report`, KEYED);
  await eventually('the person is asked', () => answers.length === 1);
  offer = OFFER;
  const quick = payingFetch({ signer: watchedSigner(), store: store(), resume });
  assert.equal(await (await quick(`${shop.url}/report`, KEYED)).text(), GOODS);
  answers.pop()?.(true);
  await assert.rejects(slow, { code: 'payment_conflict' });
  assert.equal(shop.payments().length, 1);
});
