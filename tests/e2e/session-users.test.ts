/** Users who pay by one channel: each has their own answer, and a call that is made again under its key is one purchase. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { account, PAYEE, PAYMENT_CHANNEL } from '../../demo/chain.mjs';
import { type GateWorld, startGateWorld } from '../../demo/gate-world.mjs';
import { channelFetch, channelReceiptOf } from '../../pkg/dist/channels.js';
import { memoryStore } from '../../pkg/dist/store.js';

const KINDS = ['x402', 'mpp'] as const;
const PRICE = 10_000n;
const NAMES = {
  keys: (user: string) => ({ 'idempotency-key': `order-of-${user}` }),
  credentials: (user: string) => ({ authorization: `Bearer ${user}` }),
} as const;

describe('by one channel', () => {
  let world: GateWorld;
  before(async () => {
    const common = { methods: ['GET'], price: '$0.01' };
    world = await startGateWorld(
      [
        { path: '/report/x402/*', ...common, session_delay_secs: 900 },
        { path: '/report/mpp/*', ...common, session_escrow: PAYMENT_CHANNEL, session_fee_payer: '$0.10' },
      ] as never,
      { PAYEE_KEY: account(PAYEE).privateKey },
    );
  });
  after(() => world.stop());

  /** A payer whose paid requests lose their answers while it is told so. */
  const payerOf = (index: number) => {
    const line = { isLost: false };
    const base: typeof fetch = async (input, init) => {
      const headers = new Headers(init?.headers);
      const answer = await fetch(input, init);
      // A user's own credential leaves its field to it.
      const isPaid = ['payment-signature', 'payment-authorization'].some((name) => headers.has(name));
      if (!line.isLost || !(isPaid || /payment /i.test(headers.get('authorization') ?? ''))) return answer;
      await answer.arrayBuffer().catch(() => undefined);
      throw new TypeError('lost');
    };
    const signer = world.chain.accounts.payers[index];
    assert.ok(signer);
    const policy = { perDay: '5', deadlineSecs: 3, escrows: [PAYMENT_CHANNEL] };
    const pay = channelFetch(base, { signer, policy, store: memoryStore(), deposit: '0.15', choose: 'session' } as never);
    return { line, pay };
  };
  const asked = (path: string): number => world.origin.requests.filter(({ url }) => url === path).length;

  for (const [index, kind] of KINDS.entries()) {
    for (const [turn, [what, nameOf]] of Object.entries(NAMES).entries()) {
      //
      it(`${kind}: another user is asked for, and not handed the first one's answer (${what})`, async () => {
        const path = `/report/${kind}/${what}`;
        const { line, pay } = payerOf(2 * index + turn);
        const call = (user: string) => pay(`${world.gate.url}${path}`, { headers: nameOf(user) });
        assert.equal((await call('first')).status, 200);
        line.isLost = true;
        await assert.rejects(call('alice'), { code: 'payment_unresolved' });
        line.isLost = false;
        const theirs = await call('bob');
        assert.deepEqual([theirs.status, theirs.headers.get('payment-replayed'), asked(path)], [200, null, 3]);
      });
    }

    //
    it(`${kind}: a call that is made again under its key is charged once`, async () => {
      const path = `/report/${kind}/again`;
      const { line, pay } = payerOf(4 + index);
      const call = (name: string) => pay(`${world.gate.url}${path}`, { headers: { 'idempotency-key': name } });
      assert.equal((await call('order-1')).status, 200);
      line.isLost = true;
      await assert.rejects(call('order-2'), { code: 'payment_unresolved' });
      line.isLost = false;
      const again = await call('order-2');
      assert.deepEqual([again.status, channelReceiptOf(again)?.spent, asked(path)], [200, String(2n * PRICE), 2]);
    });
  }
});
