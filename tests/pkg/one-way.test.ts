// Under one key a purchase is paid one way: what has left by `exact`, by a channel or by a session is not charged beside by another one.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type ChannelOptions, channelFetch } from '../../pkg/dist/channels.js';
import { memoryStore, wrapFetch } from '../../pkg/dist/index.js';
import { resume, sentPayments } from '../../pkg/dist/resume.js';
import { DELAY, startChannelSeller } from '../e2e/channel-seller.ts';
import { sharedWorld } from '../support/suite.ts';
import { challenge } from './charges.ts';
import { base64, GOODS, OFFER, settlement, watchedSigner } from './shop.ts';

/** The contract of OKX's sessions, which the policy names. */
const ESCROW = '0x5E550002e64FaF79B41D89fE8439eEb1be66CE3b';

const world = sharedWorld(startChannelSeller);

const key = (name: string) => ({ headers: { 'idempotency-key': name } });

const WAYS = ['exact', 'channel 1', 'channel 2', 'session'] as const;
type Way = (typeof WAYS)[number];

/** A 402 that sells this way alone, and where it has to, beside a channel that nobody can use. */
function sells(way: Way, asked: Response): Response {
  const payTo = world.chain.accounts.payee.address;
  const session = { amount: '10000', recipient: payTo, suggestedDeposit: '100000', unitType: 'request' };
  const details = { chainId: 84532, escrowContract: ESCROW, feePayer: true, minVoucherDelta: '0' };
  if (way === 'session') {
    const row = challenge({ intent: 'session', request: session, details });
    return new Response('{}', { status: 402, headers: { 'www-authenticate': row } });
  }
  const sold = JSON.parse(atob(asked.headers.get('payment-required') ?? '')) as { accepts: { extra: { withdrawDelay: number } }[] };
  const others = { ...sold, accepts: sold.accepts.map((it) => ({ ...it, extra: { ...it.extra, withdrawDelay: DELAY + 60 } })) };
  const once = { ...sold, accepts: ['exact', 'batch-settlement'].map((scheme) => ({ ...OFFER, payTo, scheme })) };
  const required = { exact: once, 'channel 1': sold, 'channel 2': others }[way];
  return new Response('{}', { status: 402, headers: { 'payment-required': base64(JSON.stringify(required)) } });
}

/** By what a request pays: its scheme, and of channels and sessions their id. */
function wayOf(headers: Headers): string | undefined {
  const payment = headers.get('payment-signature');
  const text = payment ?? headers.get('authorization')?.replace(/^Payment /, '');
  if (text === undefined) return undefined;
  const { payload } = JSON.parse(Buffer.from(text, 'base64url').toString()) as {
    payload: { authorization?: { nonce: string }; voucher?: { channelId: string }; channelId?: string };
  };
  const { channelId = payload.voucher?.channelId ?? `exact ${payload.authorization?.nonce}` } = payload;
  return channelId;
}

//
test('under a key, what has left without an answer is not charged beside by any other way, in each order', async () => {
  const asked = await fetch(world.url);
  const plays = WAYS.flatMap((first) => WAYS.map((second) => [first, second] as const));
  const played = await Promise.all(
    plays.map(async ([first, second]) => {
      const left = new Set<string>();
      let isSecond = false;
      const seller: typeof fetch = async (_, init) => {
        const way = wayOf(new Headers(init?.headers));
        if (way === undefined) return sells(isSecond ? second : first, asked);
        left.add(way);
        if (!isSecond) throw new TypeError('the connection is gone');
        return new Response(GOODS);
      };
      const signer = watchedSigner();
      const options = { signer, policy: { perDay: '5', escrows: [ESCROW], deadlineSecs: 1 }, store: memoryStore() };
      const pay = channelFetch(seller, options);
      await assert.rejects(pay(world.url, key('order-7')), { signed: true });
      isSecond = true;
      const signed = signer.asked.length;
      // What was paid by itself is known to the one that has paid.
      const again = first === 'exact' ? pay : channelFetch(seller, options);
      const end = await again(world.url, key('order-7')).then(
        (it) => it.text(),
        ({ code }: { code: string }) => code,
      );
      return [first, second, left.size, end, first === second || signer.asked.length === signed];
    }),
  );
  const isSame = (first: Way, second: Way): boolean => first === 'exact' || first === second;
  assert.deepEqual(
    played,
    plays.map(([first, second]) => [first, second, 1, isSame(first, second) ? GOODS : 'payment_unresolved', true]),
  );
});

//
test('under a key, a voucher of another channel does not leave beside one that has left, in the same call either', async () => {
  const { payer: account } = world.chain.accounts;
  const left = new Set<string>();
  const signs: string[] = [];
  let isHostile = false;
  const seller: typeof fetch = async (input, init) => {
    const way = wayOf(new Headers(init?.headers));
    if (!isHostile) return fetch(input, init);
    if (way !== undefined) left.add(way);
    return sells('channel 2', await fetch(world.url));
  };
  const signer = {
    address: account.address,
    signTypedData: (typed: Parameters<typeof account.signTypedData>[0]) => {
      signs.push(typed.primaryType);
      return account.signTypedData(typed);
    },
  };
  const pay = channelFetch(seller, { signer, policy: { perDay: '5' }, store: memoryStore(), name: 'renewed' });
  await (await pay(world.url, key('order-7'))).text();
  isHostile = true;
  signs.length = 0;
  await assert.rejects(pay(world.url, key('order-8')), { code: 'payment_unresolved', signed: true });
  assert.deepEqual([left.size, signs], [1, ['Voucher']]);
});

//
test('without a key, too, what was paid by itself is paid by no channel beside it, and after its end if policy.payAgain says so', async () => {
  const [, account] = world.chain.accounts.payers;
  assert.ok(account);
  const signs: string[] = [];
  const signer = {
    address: account.address,
    signTypedData: (typed: Parameters<typeof account.signTypedData>[0]) => {
      signs.push(typed.primaryType);
      return account.signTypedData(typed);
    },
  };
  let isSoldOnce = true;
  const seller: typeof fetch = async (input, init) => {
    if (!isSoldOnce) return fetch(input, init);
    return wayOf(new Headers(init?.headers)) === undefined ? sells('exact', await fetch(world.url)) : new Response(null, { status: 500 });
  };
  const [store, anHourAgo] = [memoryStore(), Date.now() / 1000 - 3600];
  const paying = (more: Partial<ChannelOptions>, policy: object = {}) =>
    channelFetch(seller, { signer, store, resume, policy: { perDay: '5', deadlineSecs: 2, ...policy }, ...more })(world.url);
  assert.equal((await paying({ now: () => anHourAgo })).status, 500);
  isSoldOnce = false;
  const unresolved = { code: 'payment_unresolved', signed: true };
  await assert.rejects(paying({ now: () => anHourAgo, choose: 'session' }), unresolved);
  for (const choose of [{}, { choose: 'session' as const }]) await assert.rejects(paying(choose), { ...unresolved, message: /has ended/ });
  assert.equal(signs.length, 1);
  assert.equal((await paying({}, { payAgain: true })).status, 200);
  assert.deepEqual(await sentPayments(store), []);
  // It is over: what is bought now is another purchase.
  assert.equal((await paying({})).status, 200);
});

//
test('what was delivered by channel under a key is paid no other way, whether a later call shows its voucher again or not', async () => {
  const [signer] = world.chain.accounts.payers;
  assert.ok(signer);
  let mode: 'honest' | 'loses' | 'exact' = 'honest';
  const left: string[] = [];
  const seller: typeof fetch = async (input, init) => {
    const way = wayOf(new Headers(init?.headers));
    if (mode === 'honest') return fetch(input, init);
    if (way === undefined) return mode === 'exact' ? sells('exact', await fetch(world.url)) : fetch(input, init);
    left.push(way);
    throw new TypeError('the connection is gone');
  };
  const options = { signer, policy: { perDay: '5', deadlineSecs: 1 }, store: memoryStore() };
  const pay = channelFetch(seller, options);
  const first = await pay(world.url, key('order-7'));
  assert.notEqual(await first.text(), '');
  const isRefused = async (code: string): Promise<void> => {
    mode = 'exact';
    const again = channelFetch(seller, { ...options, choose: 'once' });
    await assert.rejects(again(world.url, key('order-7')), { code });
  };
  await isRefused('payment_conflict');
  mode = 'loses';
  await assert.rejects(pay(world.url, key('order-7')), { signed: true });
  await isRefused('payment_conflict');
  assert.equal(new Set(left).size, 1);
});

const delivers = (): Response => new Response(GOODS, { headers: { 'payment-response': base64(JSON.stringify(settlement())) } });
const fails = (): Response => new Response(null, { status: 504 });

type Options = Pick<Parameters<typeof channelFetch>[1], 'signer' | 'policy' | 'store'>;
/** Processes that pay from one store: by channel where they can, with and without `resume` for what they cannot, and never by channel. */
const PROCESSES: Record<string, (seller: typeof fetch, options: Options) => typeof fetch> = {
  'one that pays by channel': channelFetch,
  'one that resumes': (seller, options) => channelFetch(seller, { ...options, once: wrapFetch(seller, { ...options, resume }) }),
  'one without channels': (seller, options) => wrapFetch(seller, { ...options, resume }),
};
const WITHOUT_CHANNELS = 'one without channels';

//
test('what one process has paid under a key, delivered or lost, is charged no other way by another one of its store', async () => {
  const asked = await fetch(world.url);
  const names = Object.keys(PROCESSES);
  const plays = WAYS.flatMap((first) => WAYS.map((second) => [first, second] as const))
    .flatMap((ways) => names.flatMap((one) => names.map((other) => [...ways, one, other] as const)))
    .filter(([first, second]) => first !== second && (first === 'exact' || second === 'exact'))
    // One without channels pays for nothing that is sold by channel alone.
    .filter(([first, , one]) => one !== WITHOUT_CHANNELS || first === 'exact');
  for (const isDelivered of [false, true]) {
    const played = await Promise.all(
      plays.map(async ([first, second, one, other]) => {
        const left = new Set<string>();
        let isSecond = false;
        const seller: typeof fetch = async (_, init) => {
          const way = wayOf(new Headers(init?.headers));
          if (way === undefined) return sells(isSecond ? second : first, asked);
          left.add(way);
          if (isSecond) return delivers();
          if (!isDelivered || first !== 'exact') throw new TypeError('the connection is gone');
          return delivers();
        };
        const signer = watchedSigner();
        const options = { signer, policy: { perDay: '5', escrows: [ESCROW], deadlineSecs: 1 }, store: memoryStore() };
        const code = ({ code: it }: { code: string }): string => it;
        await PROCESSES[one]?.(seller, options)(world.url, key('order-7')).then((it) => it.text(), code);
        const signed = signer.asked.length;
        isSecond = true;
        await PROCESSES[other]?.(seller, options)(world.url, key('order-7')).then((it) => it.text(), code);
        return [first, second, one, other, left.size, signer.asked.length - signed];
      }),
    );
    assert.deepEqual(
      played,
      plays.map((play) => [...play, 1, 0]),
    );
  }
});

//
test('of two processes that pay one key in two ways at once, the one whose wallet signs later sends nothing', async () => {
  const asked = await fetch(world.url);
  for (const later of ['exact', 'channel 1'] as const) {
    const left = new Set<string>();
    let asks = (): void => {};
    const isAsked = new Promise<void>((resolve) => {
      asks = resolve;
    });
    let agrees = (): void => {};
    const agreed = new Promise<void>((resolve) => {
      agrees = resolve;
    });
    const seller =
      (sold: Way): typeof fetch =>
      async (_, init) => {
        const way = wayOf(new Headers(init?.headers));
        if (way === undefined) return sells(sold, asked);
        left.add(way);
        throw new TypeError('the connection is gone');
      };
    const options = { signer: watchedSigner(), policy: { perDay: '5', deadlineSecs: 1 }, store: memoryStore() };
    const signer = watchedSigner();
    const slow: typeof signer = {
      ...signer,
      sign: async (typed) => {
        asks();
        await agreed;
        return signer.sign(typed);
      },
    };
    const [waits, sooner] =
      later === 'exact'
        ? [wrapFetch(seller(later), { ...options, signer: slow, resume }), channelFetch(seller('channel 1'), options)]
        : [channelFetch(seller(later), { ...options, signer: slow }), wrapFetch(seller('exact'), { ...options, resume })];
    const call = assert.rejects(waits(world.url, key('order-7')), { signed: true });
    await isAsked;
    await assert.rejects(sooner(world.url, key('order-7')), { signed: true });
    agrees();
    await call;
    assert.equal(left.size, 1, later);
  }
});

/** Two calls under one key that are paid by themselves and wait for their persons, and what is paid in which way. */
async function twoAtOnce() {
  const asked: ((isAgreed: boolean) => void)[] = [];
  const left: string[] = [];
  let [answer, showsChannel] = [fails, false];
  const terms = await fetch(world.url);
  const seller: typeof fetch = async (_, init) => {
    const way = wayOf(new Headers(init?.headers));
    if (way === undefined) return sells(showsChannel ? 'channel 1' : 'exact', terms);
    left.push(way.startsWith('exact') ? 'exact' : 'channel');
    return answer();
  };
  const confirm = (): Promise<boolean> => new Promise((resolve) => void asked.push(resolve));
  const options = { signer: watchedSigner(), policy: { perDay: '5', deadlineSecs: 1 }, store: memoryStore() };
  const pay = channelFetch(seller, { ...options, once: wrapFetch(seller, { ...options, confirm }) });
  const call = () =>
    pay(world.url, key('order-7')).then(
      (it) => it.text(),
      () => 'nothing',
    );
  const calls: Promise<string>[] = [];
  for (const wanted of [1, 2]) {
    calls.push(call());
    while (asked.length < wanted) await new Promise((resolve) => setImmediate(resolve));
  }
  return {
    left,
    /** Ends one of them. */
    async ends(at: 0 | 1, isAgreed: boolean, answers = fails) {
      answer = answers;
      asked[at]?.(isAgreed);
      await calls[at];
    },
    /** Calls again where the seller shows its channel alone. */
    async again() {
      [answer, showsChannel] = [delivers, true];
      left.length = 0;
      await call();
      return [...new Set(left)];
    },
  };
}

//
test('of two calls at once under a key, one that pays nothing lets no channel pay beside what the other one leaves open', async () => {
  const { ends, again, left } = await twoAtOnce();
  await ends(0, false);
  await ends(1, true);
  assert.ok(left.includes('exact'));
  assert.deepEqual(await again(), ['exact']);
});

//
test('of two calls at once under a key, one that was delivered lets no channel pay beside it', async () => {
  const { ends, again, left } = await twoAtOnce();
  await ends(0, true, delivers);
  assert.deepEqual(left, ['exact']);
  assert.deepEqual(await again(), []);
  await ends(1, false);
  assert.deepEqual(await again(), []);
});
