/** Content that comes without a receipt: time ends a plain request. Under a key it is one purchase, and goes on as all else that has ended. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';

import { memoryStore, type PayOptions, payingFetch } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { askFor, challenge, credentialIn, credentialOf, inSeconds } from './charges.ts';
import { ask, GOODS, OFFER, ON_BASE, paymentOf, sharedShop, TRANSACTION, terms, watchedSigner } from './shop.ts';

const shop = sharedShop();
const KEYED = { method: 'POST', headers: { 'idempotency-key': 'order-17' }, body: '{"t":1}' };
/** Seconds after which all that was signed before has ended. */
const END = 600;

const BY_HASH = { chainId: 84532, credentialTypes: ['hash'], decimals: 6 };
const inTime = (later: number): string => inSeconds(later + 300);
const asksOf = {
  'a token': (response: ServerResponse) => ask(response, terms([OFFER])),
  'another token': (response: ServerResponse) => ask(response, terms([ON_BASE])),
  "a nonce of the server's": (response: ServerResponse, later: number) => askFor(response, [challenge({ expires: inTime(later) })]),
  "a transaction of the payer's": (response: ServerResponse, later: number) =>
    askFor(response, [challenge({ expires: inTime(later), details: BY_HASH })]),
} as const;
type Asks = keyof typeof asksOf;

/** A shop that takes whatever is paid, and answers with the content alone; its payer, and its payer's clock. */
function silent(asks: Asks, more: Partial<PayOptions>) {
  const world = { asks, later: 0, transfers: 0, signer: watchedSigner() };
  shop.answers = (request, response) => {
    if (paymentOf(request) === undefined && credentialOf(request) === undefined) asksOf[world.asks](response, world.later);
    else response.writeHead(200, { 'content-type': 'text/plain' }).end(GOODS);
  };
  const broadcast = async (): Promise<string> => {
    world.transfers += 1;
    return TRANSACTION;
  };
  const now = (): number => Date.now() / 1000 + world.later;
  const pay = payingFetch({ signer: world.signer, store: memoryStore(), now, broadcast, policy: { deadlineSecs: 1 }, ...more });
  const buys = async (init: RequestInit = KEYED): Promise<string> => (await pay(`${shop.url}/report`, init)).text();
  return { world, buys };
}

/** Charges, if all that came is charged: a token takes each nonce once, and a challenge is paid once. */
function charged(): number {
  const named = (request: IncomingMessage): string[] => {
    if (credentialOf(request) !== undefined) return [String(credentialIn(request).challenge['id'])];
    const text = Buffer.from(paymentOf(request) ?? '', 'base64').toString();
    if (text === '') return [];
    const { accepted, payload } = JSON.parse(text) as { accepted: { network: string }; payload: { authorization: { nonce: string } } };
    return [`${accepted.network} ${payload.authorization.nonce}`];
  };
  return new Set(shop.requests.flatMap(named)).size;
}

for (const [way, more] of [
  ['in one wrapped fetch', {}],
  ['with one store', { resume }],
] as const) {
  for (const [first, second] of [
    ["a nonce of the server's", "a nonce of the server's"],
    ["a nonce of the server's", 'a token'],
    ['a token', 'another token'],
    ['a token', "a transaction of the payer's"],
    ["a transaction of the payer's", "a transaction of the payer's"],
  ] satisfies [Asks, Asks][]) {
    //
    test(`content without a receipt under a key is no other purchase once it has ended, ${way}: ${first}, then ${second}`, async () => {
      const { world, buys } = silent(first, more);
      assert.equal(await buys(), GOODS);
      world.asks = second;
      const before = [world.signer.asked.length, world.transfers];
      for (let turn = 0; turn < 2; turn += 1) {
        world.later += END;
        await assert.rejects(buys(), { code: 'payment_unresolved' });
      }
      // Its key stands for one request as before.
      await assert.rejects(buys({ ...KEYED, body: '{"t":2}' }), { code: 'payment_conflict' });
      assert.deepEqual([world.signer.asked.length, world.transfers], before);
      assert.equal(charged(), 1);
    });

    //
    test(`content without a receipt under a key is paid for again where a person says so, ${way}: ${first}, then ${second}`, async () => {
      const agains: boolean[] = [];
      const { world, buys } = silent(first, {
        ...more,
        confirm: ({ again }) => {
          agains.push(again);
          return agains.length !== 2;
        },
      });
      assert.equal(await buys(), GOODS);
      world.asks = second;
      world.later = END;
      await assert.rejects(buys(), { code: 'declined' });
      assert.equal(charged(), 1);
      assert.equal(await buys(), GOODS);
      assert.deepEqual([agains, charged()], [[false, true, true], 2]);
    });
  }

  //
  test(`content without a receipt under a key is signed again with its nonce, ${way}`, async () => {
    const { world, buys } = silent('a token', more);
    for (let turn = 0; turn < 3; turn += 1) {
      assert.equal(await buys(), GOODS);
      world.later += END;
    }
    assert.deepEqual([world.signer.asked.length, charged()], [3, 1]);
  });

  test(`a plain request is another purchase once its content came without a receipt and has ended, ${way}`, async () => {
    const { world, buys } = silent("a nonce of the server's", more);
    for (const count of [1, 1, 2]) {
      assert.equal(await buys({}), GOODS);
      assert.equal(charged(), count);
      if (shop.requests.length > 2) world.later = END;
    }
  });
}
