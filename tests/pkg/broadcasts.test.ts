// A charge that the payer sends by itself: where its hash never came, it may have been sent, and is not sent again unasked.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { createLocalAgentClient, type FetchPaidError } from '../../pkg/dist/agent/index.js';
import { fileStore } from '../../pkg/dist/file-store.js';
import { memoryStore, type PayOptions, payingFetch, type Store } from '../../pkg/dist/index.js';
import { resume, sentPayments } from '../../pkg/dist/resume.js';
import { eventually } from '../support/eventually.ts';
import { askFor, challenge, credentialIn, credentialOf, deliver } from './charges.ts';
import { open, PAYER_KEY, type Shop, spentIn } from './shop.ts';

const home = mkdtempSync(join(tmpdir(), 'farebox-broadcasts-'));
after(() => rmSync(home, { recursive: true, force: true }));

/** A shop whose clock is this much later. */
async function shopOf(later: () => number = () => 0): Promise<Shop> {
  const details = { chainId: 84532, credentialTypes: ['hash'], decimals: 6 };
  return open((request, response) => {
    const expires = new Date(Date.now() + (later() + 300) * 1000).toISOString();
    if (credentialOf(request) === undefined) return askFor(response, [challenge({ details, expires })]);
    deliver(response, { reference: (credentialIn(request).payload as { hash: string }).hash });
  });
}

const HASH = `0x${'5a'.repeat(32)}`;
/** After the end of what was asked for. */
const LATER = 3_600;

for (const [name, more] of [
  ['a wrapped fetch', {}],
  ['a store with resume', { resume }],
] as const) {
  //
  test(`${name}: a transaction whose hash was lost is not sent again while it may be mined, and then only asked for`, async (t) => {
    const [agains, transfers]: [boolean[], number[]] = [[], []];
    let [later, fails] = [0, true];
    const shop = await shopOf(() => later);
    t.after(() => shop.stop());
    const store = memoryStore();
    let agrees: ((again: boolean) => boolean) | undefined;
    const options: PayOptions = {
      signer: PAYER_KEY,
      store,
      ...more,
      now: () => Date.now() / 1000 + later,
      broadcast: async () => {
        transfers.push(later);
        if (fails) throw new Error('socket hang up');
        return HASH;
      },
    };
    const confirm = (it: { readonly again: boolean }): boolean => {
      agains.push(it.again);
      return agrees?.(it.again) ?? true;
    };
    const pays = payingFetch({ ...options, confirm });
    const call = (fetch = pays) => fetch(shop.url, { headers: { 'idempotency-key': 'order-7' } });
    await assert.rejects(call(), { code: 'broadcast_failed', signed: true });
    fails = false;
    await assert.rejects(call(), { code: 'payment_unresolved', signed: true });
    assert.equal(transfers.length, 1);
    if ('resume' in more) {
      assert.deepEqual(
        (await sentPayments(store)).map(({ open: isOpen }) => isOpen),
        [true],
      );
      later = LATER;
      await assert.rejects(call(payingFetch(options)), { code: 'payment_unresolved' });
    }
    later = LATER;
    agrees = (again) => !again;
    await assert.rejects(call(), { code: 'declined' });
    assert.deepEqual([transfers.length, agains.at(-1)], [1, true]);
    agrees = () => true;
    assert.equal((await call()).status, 200);
    assert.deepEqual([transfers, agains.at(-1)], [[0, LATER], true]);
    assert.equal((await spentIn(store)).entries.length, 2);
  });
}

//
test('what a process was killed in is known to the next one before anything is sent', async (t) => {
  const shop = await shopOf();
  t.after(() => shop.stop());
  const store = (): Store => fileStore(join(home, 'budget'));
  let transfers = 0;
  const options = (broadcast: NonNullable<PayOptions['broadcast']>): PayOptions => ({
    signer: PAYER_KEY,
    store: store(),
    resume,
    broadcast: (it) => {
      transfers += 1;
      return broadcast(it);
    },
  });
  // As one that ends in its hook.
  void payingFetch(options(() => new Promise<string>(() => undefined)))(shop.url);
  await eventually('the hook is called', () => transfers === 1);
  await assert.rejects(payingFetch(options(async () => HASH))(shop.url), { code: 'payment_unresolved' });
  assert.equal(transfers, 1);
});

//
test("an agent's client knows of a transaction that may have been sent, after a hook that failed and in the next process", async (t) => {
  const store = memoryStore();
  const [transfers, agains]: [number[], boolean[]] = [[], []];
  let [later, fails] = [0, true];
  const shop = await shopOf(() => later);
  t.after(() => shop.stop());
  const client = () =>
    createLocalAgentClient({
      signer: PAYER_KEY,
      store,
      policy: { hosts: [shop.host] },
      now: () => Date.now() / 1000 + later,
      confirm: ({ again }) => {
        agains.push(again);
        return true;
      },
      broadcast: async () => {
        transfers.push(later);
        if (fails) throw new Error('socket hang up');
        return HASH;
      },
    });
  const buys = (it = client()): Promise<string> =>
    it.fetchPaid(shop.url, undefined, {}).then(
      ({ kind }) => kind,
      (error: unknown) => (error as FetchPaidError).details.kind,
    );
  const first = client();
  assert.equal(await buys(first), 'execution_inconclusive');
  fails = false;
  assert.deepEqual([await buys(first), await buys(), transfers.length], ['execution_inconclusive', 'execution_inconclusive', 1]);
  later = LATER;
  // Once a person has let the first one go, the next call is a purchase of its own.
  assert.deepEqual([await buys(), transfers.length, agains.at(-1)], ['execution_failed', 1, true]);
  assert.deepEqual([await buys(), transfers], ['success', [0, LATER]]);
});
