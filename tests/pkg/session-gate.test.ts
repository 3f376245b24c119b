// `farebox/channels` at the gate's own sessions of MPP, on a chain: the payer sends its deposits, the gate charges vouchers and pays out by itself,
// and what payer, gate and chain say of it is the same to the last unit.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createWalletClient, type Hex, http } from 'viem';
import type { PrivateKeyAccount } from 'viem/accounts';

import { account, PAYEE, PAYMENT_CHANNEL } from '../../demo/chain.mjs';
import { type ChannelOptions, type ChannelProposal, channelFetch, channelReceiptOf } from '../../pkg/dist/channels.js';
import type { FareboxError } from '../../pkg/dist/error.js';
import { memoryStore, type Store } from '../../pkg/dist/store.js';
import { startWorld, type World } from '../e2e/world.ts';
import { eventually } from '../support/eventually.ts';

const PRICE = 10_000n;
const LIMIT = { timeout: 60_000 };
/** What is to be asked again. Spec: OKX payments, error codes. */
const BUSY = 70_007;
let world: World;
let url: string;
before(async () => {
  const sold = { methods: ['GET'], price: '$0.01', session_escrow: PAYMENT_CHANNEL };
  // The dear one has closes of small vouchers wait, also at the others: not those of payers who have sent their deposits.
  const routes = [
    { path: '/report/session', ...sold },
    { path: '/report/sent', ...sold, session_fee_payer: '$0.02' },
    { path: '/report/dear', ...sold, price: '$0.10', session_fee_payer: '$0.10' },
  ];
  world = await startWorld({ readsChain: true, routes, secrets: { PAYEE_KEY: account(PAYEE).privateKey } });
  url = `${world.gate.url}/report/session`;
}, LIMIT);
after(() => world?.stop());

/** Sends what the proposal asks for, each call once the one before it is in a block. */
async function sent(payer: PrivateKeyAccount, { calls }: ChannelProposal): Promise<string> {
  const { chain } = world;
  const wallet = createWalletClient({ account: payer, chain: chain.chain, transport: http(chain.url) });
  let hash: Hex = '0x';
  for (const { to, data } of calls ?? []) {
    hash = await wallet.sendTransaction({ to: to as Hex, data: data as Hex });
    assert.equal((await chain.publicClient.waitForTransactionReceipt({ hash })).status, 'success');
  }
  return hash;
}

/** A payer, the deposits that it has sent, and the codes of the refusals that it has got. */
function payerAt(index: number, { base = fetch, ...others }: Partial<ChannelOptions> & { readonly base?: typeof fetch } = {}) {
  const payer = world.chain.accounts.payers[index];
  assert.ok(payer);
  const [deposits, codes, lines]: [string[], number[], string[]] = [[], [], []];
  const heard: typeof fetch = async (input, init) => {
    const answer = await base(input, init);
    const isPaid = new Headers(init?.headers).has('authorization');
    if (isPaid && answer.status >= 400) codes.push(((await answer.clone().json()) as { code: number }).code);
    return answer;
  };
  const options = {
    signer: payer,
    policy: { perDay: '5', escrows: [PAYMENT_CHANNEL] },
    store: memoryStore(),
    deposit: '0.15',
    onState: (line: string) => lines.push(line),
    broadcast: (proposal: ChannelProposal) => {
      deposits.push(proposal.deposit ?? '');
      return sent(payer, proposal);
    },
    ...others,
  };
  return { payer, deposits, codes, lines, options, pay: channelFetch(heard, options) };
}

const payee = (): Promise<bigint> => world.chain.balanceOf(world.chain.accounts.payee.address);

/** The same record in another store, as a process has it that was restored from a copy. */
async function copyOf(store: Store): Promise<Store> {
  const { record } = await store.read();
  const copy = memoryStore();
  const { version } = await copy.read();
  assert.ok(record !== undefined && (await copy.replace(version, record)));
  return copy;
}

test('a deposit, twenty requests, a second deposit between them and a close pay payee and payer to the last unit', LIMIT, async () => {
  const { payer, deposits, codes, lines, pay } = payerAt(0);
  const [funds, earned, held] = [await world.chain.balanceOf(payer.address), await payee(), await world.chain.balanceOf(PAYMENT_CHANNEL)];
  const [asked, counts] = [world.origin.requests.length, { ...world.facilitator.counts }];
  for (let request = 1n; request <= 20n; request += 1n) {
    const answer = await pay(url);
    assert.equal(answer.status, 200, await answer.clone().text());
    const receipt = channelReceiptOf(answer);
    assert.deepEqual([receipt?.charged, receipt?.spent], [String(PRICE), String(request * PRICE)]);
  }
  assert.deepEqual(deposits, ['0.15', '0.15']);
  // A look at the chain that meets a request in its last steps is to come again.
  assert.deepEqual(
    codes.filter((code) => code !== BUSY),
    [],
  );
  assert.equal(world.origin.requests.length, asked + 20);
  assert.deepEqual(world.facilitator.counts, counts, 'no facilitator takes part');
  const [channel] = await pay.channels();
  assert.deepEqual([channel?.deposit, channel?.spent, channel?.signed, channel?.pending], ['300000', '200000', '200000', null]);
  assert.equal(await world.chain.balanceOf(payer.address), funds - 300_000n);
  assert.equal(await world.chain.balanceOf(PAYMENT_CHANNEL), held + 300_000n);
  assert.equal(lines.length, 22, 'a line for each deposit and each voucher');
  const closed = await pay.refund(url);
  assert.deepEqual([closed.spent, closed.refunded], ['200000', '100000']);
  await eventually('the payee is paid', async () => (await payee()) === earned + 20n * PRICE);
  assert.equal(await world.chain.balanceOf(payer.address), funds - 20n * PRICE);
  assert.equal(await world.chain.balanceOf(PAYMENT_CHANNEL), held);
  assert.deepEqual(await pay.channels(), []);
  // After that another channel is opened.
  assert.equal((await pay(url)).status, 200);
  assert.equal(deposits.length, 3);
});

test('requests at once take turns, each is served and charged once, and one deposit is sent', LIMIT, async () => {
  const { deposits, pay } = payerAt(1);
  const asked = world.origin.requests.length;
  const answers = await Promise.all(Array.from({ length: 10 }, () => pay(url)));
  assert.deepEqual(
    answers.map(({ status }) => status),
    Array(10).fill(200),
  );
  assert.equal(world.origin.requests.length, asked + 10);
  assert.deepEqual(
    (await pay.channels()).map(({ spent, signed }) => [spent, signed]),
    [['100000', '100000']],
  );
  assert.equal(deposits.length, 1);
});

test(
  'lost answers, of an opening, of a voucher and of a close, are asked for again and come: nothing is paid for twice',
  LIMIT,
  async () => {
    let loses = false;
    const base: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init);
      if (!loses || !new Headers(init?.headers).has('authorization')) return answer;
      loses = false;
      throw new TypeError('the connection is gone');
    };
    const { payer, deposits, pay } = payerAt(2, { base });
    const [funds, earned, asked] = [await world.chain.balanceOf(payer.address), await payee(), world.origin.requests.length];
    loses = true;
    assert.equal((await pay(url)).status, 200);
    loses = true;
    assert.equal(channelReceiptOf(await pay(url))?.spent, String(2n * PRICE));
    assert.deepEqual([loses, deposits.length, world.origin.requests.length], [false, 1, asked + 2]);
    loses = true;
    assert.equal((await pay.refund(url)).refunded, String(150_000n - 2n * PRICE));
    await eventually('the payee is paid', async () => (await payee()) === earned + 2n * PRICE);
    assert.equal(await world.chain.balanceOf(payer.address), funds - 2n * PRICE);
  },
);

test(
  'a process with an old record signs once more where its voucher is used up, opens another channel where it closes, and makes no deposit where it is closed',
  LIMIT,
  async () => {
    const first = payerAt(3);
    for (let request = 0; request < 2; request += 1) assert.equal((await first.pay(url)).status, 200);
    const [old, older] = [await copyOf(first.options.store), await copyOf(first.options.store)];
    assert.equal((await first.pay(url)).status, 200);
    // The voucher that it would sign next was signed and charged already.
    const second = payerAt(3, { store: old });
    const answer = await second.pay(url);
    assert.deepEqual([answer.status, second.codes], [200, [70015]]);
    assert.deepEqual(
      (await second.pay.channels()).map(({ signed }) => signed),
      [String(4n * PRICE)],
    );
    const funds = await world.chain.balanceOf(first.payer.address);
    assert.equal((await second.pay.refund(url)).refunded, String(150_000n - 4n * PRICE));
    await eventually(
      'the rest is paid back',
      async () => (await world.chain.balanceOf(first.payer.address)) === funds + 150_000n - 4n * PRICE,
    );
    const third = payerAt(3, { store: older });
    const outcome = await third.pay(url).then(
      ({ status }) => status,
      ({ name, signed }: FareboxError) => [name, signed],
    );
    // Closing, or closed, by whether the gate has seen its own transaction in a block: one that closes is left for another channel.
    assert.match(String(third.codes), /^700(08|14)$/);
    assert.deepEqual([outcome, third.deposits.length], third.codes[0] === 70014 ? [200, 1] : [['FareboxError', true], 0]);
  },
);

test('a payer without gas signs its deposits, which the gate sends, also when the answer to one is lost', LIMIT, async () => {
  let loses = true;
  const base: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    if (!loses || !new Headers(init?.headers).has('authorization')) return answer;
    loses = false;
    throw new TypeError('the connection is gone');
  };
  const {
    payer,
    options: { broadcast, ...options },
  } = payerAt(4);
  assert.ok(broadcast);
  const { chain } = world;
  await chain.rpc('anvil_setBalance', [payer.address, '0x0']);
  const [pay, sent] = [channelFetch(base, options), `${world.gate.url}/report/sent`];
  const [funds, earned, held] = [await chain.balanceOf(payer.address), await payee(), await chain.balanceOf(PAYMENT_CHANNEL)];
  for (let request = 1n; request <= 20n; request += 1n) {
    const answer = await pay(sent);
    assert.deepEqual([answer.status, channelReceiptOf(answer)?.spent], [200, String(request * PRICE)]);
  }
  const [channel] = await pay.channels();
  assert.deepEqual([channel?.deposit, channel?.spent, channel?.pending], ['300000', '200000', null]);
  assert.equal(await chain.balanceOf(PAYMENT_CHANNEL), held + 300_000n);
  assert.deepEqual((await pay.refund(sent)).refunded, '100000');
  await eventually('the payee is paid', async () => (await payee()) === earned + 20n * PRICE);
  assert.equal(await chain.balanceOf(payer.address), funds - 20n * PRICE);
  assert.equal(await chain.publicClient.getTransactionCount({ address: payer.address }), 0);
});
