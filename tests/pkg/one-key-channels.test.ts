// One key is one charge by channel of x402 and by session of MPP as well, at this gate: however its calls come, and whatever else the
// channel pays in between.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { account, PAYEE, PAYMENT_CHANNEL } from '../../demo/chain.mjs';
import { type GateWorld, startGateWorld } from '../../demo/gate-world.mjs';
import { channelFetch } from '../../pkg/dist/channels.js';
import { memoryStore, wrapFetch } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';

const KINDS = ['x402', 'mpp'] as const;
type Kind = (typeof KINDS)[number];
const PRICE = 10_000n;
const BOUGHT = '200 true';

let world: GateWorld;
before(async () => {
  const common = { methods: ['GET', 'POST'], price: '$0.01' };
  world = await startGateWorld(
    [
      { path: '/report/x402/*', ...common, session_delay_secs: 900 },
      { path: '/report/mpp/*', ...common, session_escrow: PAYMENT_CHANNEL, session_fee_payer: '$0.10' },
    ] as never,
    { PAYEE_KEY: account(PAYEE).privateKey },
  );
});
after(() => world?.stop());

/** The voucher in a request, if it brings one. */
function voucherOf(headers: Headers): bigint | undefined {
  const text = headers.get('payment-signature') ?? headers.get('authorization')?.replace(/^Payment /, '');
  if (text === undefined || text === null) return undefined;
  const { payload } = JSON.parse(Buffer.from(text, 'base64url').toString()) as {
    payload: { voucher?: { maxClaimableAmount: string }; action?: string; cumulativeAmount?: string };
  };
  const amount = payload.voucher?.maxClaimableAmount ?? (payload.action === 'voucher' ? payload.cumulativeAmount : undefined);
  return amount === undefined ? undefined : BigInt(amount);
}

/** Whether a kind's requests or answers are lost, its highest voucher, and its store. */
const line = (kind: Kind) => ({ kind, store: memoryStore(), loses: 'nothing' as 'nothing' | 'requests' | 'answers', highest: 0n });
const LINES = { x402: line('x402'), mpp: line('mpp') };
type Line = typeof LINES.x402;

type How = { readonly deadlineSecs?: number; readonly choose?: 'session' | 'once' | undefined; readonly resumes?: boolean };

/** A process that buys at this path, and whether it was delivered, or the code of its error. */
function opened(it: Line, path: string, how: How = { choose: 'session' }): (key: string, body?: string) => Promise<string> {
  const { deadlineSecs = 2, choose, resumes = false } = how;
  const watched: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers);
    if (!headers.has('payment-signature') && !headers.has('authorization')) return fetch(input, init);
    const voucher = voucherOf(headers) ?? 0n;
    if (voucher > it.highest) it.highest = voucher;
    if (it.loses === 'requests') throw new TypeError('the connection is gone');
    const answer = await fetch(input, init);
    if (it.loses === 'nothing') return answer;
    await answer.arrayBuffer();
    throw new TypeError('the connection is gone');
  };
  const signer = world.chain.accounts.payers[KINDS.indexOf(it.kind)];
  assert.ok(signer);
  const policy = { perDay: '5', deadlineSecs, escrows: [PAYMENT_CHANNEL] };
  const { store } = it;
  const once = resumes ? { once: wrapFetch(watched, { signer, policy, store, resume }) } : {};
  const chosen = choose === undefined ? {} : { choose };
  const pay = channelFetch(watched, { signer, policy, store, deposit: '0.5', maxDeposit: '0.5', ...once, ...chosen });
  return (key, body) =>
    pay(`${world.gate.url}${path}`, { headers: { 'idempotency-key': key }, ...(body === undefined ? {} : { method: 'POST', body }) }).then(
      async (answer) => `${answer.status} ${(await answer.text()) !== ''}`,
      ({ code }: { code: string }) => code,
    );
}

/** A product of this kind whose channel is open, and how much was signed for it, in prices, and how often it was worked for. */
async function product(kind: Kind, name: string) {
  const it = LINES[kind];
  const path = `/report/${kind}/${name}`;
  // The gate's own transaction opens a session.
  if (it.highest === 0n) assert.equal(await opened(it, `${path}/first`, { deadlineSecs: 60, choose: 'session' })('first'), BOUGHT);
  const before = it.highest;
  const sold = () => [(it.highest - before) / PRICE, BigInt(world.origin.requests.filter(({ url }) => url === path).length)];
  return { it, opens: (how?: How) => opened(it, path, how), sold };
}

/** A process. */
type Opens = () => (key: string) => Promise<string>;
const PLAYS: Record<string, (opens: Opens, it: Line) => Promise<readonly string[]>> = {
  'at once': (opens) => {
    const buys = opens();
    return Promise.all([buys('order'), buys('order')]);
  },
  'one after the other': async (opens) => {
    const buys = opens();
    return [await buys('order'), await buys('order')];
  },
  'after a lost answer': async (opens, it) => {
    const buys = opens();
    it.loses = 'answers';
    assert.equal(await buys('order'), 'payment_unresolved');
    it.loses = 'nothing';
    return [await buys('order'), await buys('order')];
  },
  'in two processes': async (opens) => [await opens()('order'), await opens()('order')],
  'in two processes at once': (opens) => Promise.all([opens()('order'), opens()('order')]),
};

for (const kind of KINDS) {
  //
  for (const [way, play] of Object.entries(PLAYS))
    test(`${kind}: two calls under one key, ${way}, are one charge`, async () => {
      const { it, opens, sold } = await product(kind, way.replaceAll(' ', '-'));
      assert.deepEqual(await play(opens, it), [BOUGHT, BOUGHT]);
      assert.deepEqual(sold(), [1n, 1n]);
    });

  //
  //
  for (const resumes of [false, true])
    for (const loses of ['answers', 'nothing'] as const)
      test(`${kind}: what was paid by itself is not paid by channel in the next process, ${loses} lost, with resume ${resumes}`, async () => {
        const { it, opens, sold } = await product(kind, `itself-${loses}-${resumes}`);
        it.loses = loses;
        const first = await opens({ choose: 'once', resumes })('order');
        it.loses = 'nothing';
        assert.deepEqual([first, await opens({ resumes })('order')], [loses === 'nothing' ? BOUGHT : 'payment_unresolved', BOUGHT]);
        assert.equal(await opens({ choose: 'session', resumes })('order'), 'payment_conflict');
        assert.deepEqual(sold(), [0n, 1n]);
      });

  test(`${kind}: a key whose answer was lost is not charged again where another order came between`, async () => {
    const { it, opens, sold } = await product(kind, 'between');
    const buys = opens();
    it.loses = 'answers';
    assert.equal(await buys('lost'), 'payment_unresolved');
    it.loses = 'nothing';
    assert.equal(await buys('between'), BOUGHT);
    assert.deepEqual([await buys('lost'), await buys('lost')], ['payment_conflict', 'payment_conflict']);
    assert.deepEqual(sold(), [2n, 2n]);
    // The channel goes on.
    assert.equal(await buys('last'), BOUGHT);
    assert.deepEqual(sold(), [3n, 3n]);
  });

  //
  test(`${kind}: a key whose voucher has paid for another order, and never came, is charged once`, async () => {
    const { it, opens, sold } = await product(kind, 'never-came');
    const buys = opens();
    it.loses = 'requests';
    assert.equal(await buys('lost'), 'payment_unresolved');
    it.loses = 'nothing';
    assert.equal(await buys('between'), BOUGHT);
    assert.deepEqual(sold(), [1n, 1n]);
    assert.deepEqual([await buys('lost'), await buys('lost')], [BOUGHT, BOUGHT]);
    assert.deepEqual(sold(), [2n, 2n]);
  });

  //
  test(`${kind}: another body under a key is refused, and no voucher is signed for it`, async () => {
    const { it, opens, sold } = await product(kind, 'bodies');
    const buys = opens();
    it.loses = 'answers';
    assert.equal(await buys('order', '{"t":1}'), 'payment_unresolved');
    it.loses = 'nothing';
    assert.equal(await buys('order', '{"t":2}'), 'payment_conflict');
    assert.deepEqual(sold(), [1n, 1n]);
    assert.equal(await buys('order', '{"t":1}'), BOUGHT);
    assert.equal(await buys('order', '{"t":2}'), 'payment_conflict');
    assert.deepEqual(sold(), [1n, 1n]);
  });
}
