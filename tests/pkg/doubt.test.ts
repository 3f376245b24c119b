// A charge by a nonce that the server chose, which has ended without a receipt: only the chain tells whether it was charged, and
// the package asks no node. It is made again only where a person is asked, or the policy says so.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createLocalAgentClient } from '../../pkg/dist/agent/index.js';
import { FareboxError, memoryStore, type PayOptions, type Proposal, payingFetch, type Store } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { askFor, challenge, credentialIn, credentialOf, deliver, inSeconds } from './charges.ts';
import { OFFER, paymentOf, serve, sharedShop, spentIn, watchedSigner } from './shop.ts';

const shop = sharedShop();
const signer = watchedSigner();
/** Seconds by which the payer's clock is ahead. */
let ahead = 0;
const now = (): number => Date.now() / 1000 + ahead;

/** Sells by MPP alone, or beside x402, and delivers once it is let. */
function sells(accepts?: readonly (typeof OFFER)[]): { delivers: boolean } {
  const state = { delivers: false };
  ahead = 0;
  shop.answers = (request, response) => {
    if (credentialOf(request) === undefined && paymentOf(request) === undefined)
      askFor(response, [challenge({ expires: inSeconds(ahead + 300) })], accepts);
    else if (!state.delivers) response.writeHead(404).end();
    else if (paymentOf(request) === undefined) deliver(response);
    else serve(response);
  };
  return state;
}
/** How many different charges were signed. */
const charges = (): number =>
  new Set(
    shop.requests.flatMap((request) => {
      if (credentialOf(request) !== undefined) return [JSON.stringify(credentialIn(request).payload)];
      return paymentOf(request) ?? [];
    }),
  ).size;

type Buys = (options?: Partial<PayOptions>) => Promise<string>;
const WAYS: Record<string, () => { buys: Buys; store: Store }> = {
  'resume, a process each': () => {
    const store = memoryStore();
    return {
      store,
      buys: async (options) =>
        (
          await payingFetch({ signer, store, now, resume, ...options, policy: { deadlineSecs: 1, ...options?.policy } })(`${shop.url}/it`)
        ).text(),
    };
  },
  'a local agent, a process each': () => {
    const store = memoryStore();
    return {
      store,
      buys: async (options) => {
        const host = new URL(shop.url).host;
        const paid = await createLocalAgentClient({
          signer,
          store,
          now,
          ...options,
          policy: { deadlineSecs: 1, hosts: [host], ...options?.policy },
        }).fetchPaid(`${shop.url}/it`, undefined, {});
        if (paid.kind !== 'success') throw new Error(JSON.stringify(paid));
        return paid.response.text();
      },
    };
  },
};

for (const [way, begins] of Object.entries(WAYS)) {
  test(`${way}: what has ended without a receipt is not charged again unasked`, async () => {
    const state = sells();
    const { buys, store } = begins();
    await buys().catch(() => undefined);
    assert.equal(charges(), 1);
    ahead = 600;
    state.delivers = true;
    shop.answers = ((answers) => (request, response) => {
      // Its end has passed: the server takes it no more.
      const old =
        credentialOf(request) !== undefined && new Date(String(credentialIn(request).challenge['expires'])).getTime() / 1000 < now();
      return old ? void response.writeHead(402).end() : answers(request, response);
    })(shop.answers);
    for (let turn = 0; turn < 3; turn += 1) {
      await assert.rejects(buys(), (error: Error) =>
        way.startsWith('resume')
          ? error instanceof FareboxError && error.code === 'payment_unresolved'
          : /only the chain tells/.test(error.message),
      );
    }
    assert.equal(charges(), 1);
    assert.equal((await spentIn(store)).entries.length, 1);
    // A person who says no is asked again the next time.
    let asked: Proposal[] = [];
    const says = (answer: boolean) => ({
      confirm: (proposal: Proposal) => {
        asked.push(proposal);
        return answer;
      },
    });
    if (way.startsWith('resume')) {
      await assert.rejects(buys(says(false)), { code: 'declined' });
      await assert.rejects(buys(), { code: 'payment_unresolved' });
      assert.deepEqual(
        asked.map(({ again }) => again),
        [true],
      );
    } else {
      // A person says whether it is let go; then the agent's caller asks for it once more.
      await assert.rejects(buys(says(false)), /only the chain tells/);
      await assert.rejects(buys(says(true)));
      assert.deepEqual(
        asked.map(({ again }) => again),
        [true, true],
      );
    }
    asked = [];
    assert.equal(await buys(says(true)), 'Rainfall, Tuesday');
    assert.equal(asked.length, 1);
    assert.equal(charges(), 2);
    // Both may be charged, and both are counted.
    assert.equal((await spentIn(store)).entries.length, 2);
  });
}

test('one wrapped fetch: what has ended is charged again if the policy says so, and what is sold by x402, too, counts beside it', async () => {
  for (const accepts of [undefined, [OFFER]]) {
    const state = sells();
    const [store, host] = [memoryStore(), new URL(shop.url).host];
    const options = { signer, store, now, policy: { deadlineSecs: 1, hosts: [host] } };
    const [strict, bold] = [payingFetch(options), payingFetch({ ...options, policy: { ...options.policy, payAgain: true } })];
    for (const pay of [strict, bold]) {
      sells();
      assert.equal((await pay(`${shop.url}/policy`)).status, 404);
    }
    const before = charges();
    const again = sells(accepts);
    again.delivers = true;
    ahead = 600;
    await assert.rejects(strict(`${shop.url}/policy`), { code: 'payment_unresolved' });
    assert.equal(charges(), before);
    assert.equal(await (await bold(`${shop.url}/policy`)).text(), 'Rainfall, Tuesday');
    assert.equal(charges(), before + 1);
    assert.equal(state.delivers, false);
    assert.equal((await spentIn(store)).entries.length, 3);
  }
});
