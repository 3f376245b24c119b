// `farebox/channels` at a seller of MPP sessions, written here by the rules of OKX's SDK and read by the reference library: one deposit,
// vouchers, the moves between them, a close, and what may be lost in between.

import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';

import { encodeAbiParameters, type Hex, keccak256, recoverTypedDataAddress } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { type ChannelOptions, channelFetch, channelReceiptOf } from '../../pkg/dist/channels.js';
import { memoryStore } from '../../pkg/dist/store.js';
import { challenge, credentialIn, credentialOf } from './charges.ts';
import { failing, rowsIn } from './failing.ts';
import { PAYEE, USDC } from './shop.ts';

const ESCROW = '0x5E550002e64FaF79B41D89fE8439eEb1be66CE3b';
const CHAIN = 84532;
const ZERO = '0x0000000000000000000000000000000000000000';

type Channel = { payer: Hex; deposit: bigint; highest: bigint; spent: bigint };
type Payload = {
  action: string;
  type?: string;
  channelId: Hex;
  cumulativeAmount: string;
  signature: Hex;
  voucherSignature?: Hex;
  salt: Hex;
  hash?: string;
  authorization?: { from: Hex; to: Hex; value: string; validAfter: string; validBefore: string; nonce: Hex };
  additionalDeposit?: string;
};

const seller = {
  unit: 10n,
  minDelta: '0',
  feePayer: true,
  channels: new Map<string, Channel>(),
  actions: [] as string[],
  answers: new Map<string, [number, string]>(),
  /** The next answer, in the place of the seller's. */
  instead: [] as (() => [number, string] | undefined)[],
  accepted: undefined as string | string[] | undefined,
};
let server: Server;
let url: string;

before(async () => {
  server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/live`;
});
after(() => {
  server.close();
});

function ask(response: ServerResponse, body = ''): void {
  const details = { chainId: CHAIN, escrowContract: ESCROW, feePayer: seller.feePayer, minVoucherDelta: seller.minDelta };
  const row = challenge({
    intent: 'session',
    request: { amount: String(seller.unit), suggestedDeposit: '100', unitType: 'request' },
    details,
  });
  response.writeHead(402, { 'www-authenticate': row }).end(body);
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (credentialOf(request) === undefined) {
    seller.accepted = request.headers['accept-payment'];
    ask(response);
    return;
  }
  const {
    challenge: { id },
    payload,
  } = credentialIn(request) as unknown as { challenge: { id: string }; payload: Payload };
  const known = seller.answers.get(id);
  const [status, body] = known ?? (await decided(payload));
  seller.answers.set(id, [status, body]);
  const bent = seller.instead.shift()?.();
  const [code, text] = bent ?? [status, body];
  if (code === 0) {
    request.socket.destroy();
    return;
  }
  if (code === 402) ask(response, text);
  else response.writeHead(code, { 'content-type': 'application/json' }).end(text);
}

const refusal = (code: number, status: number): [number, string] => [status, JSON.stringify({ reason: '', detail: 'no', code })];

async function voucherHolds(payload: Payload, signature: Hex, payer: Hex): Promise<boolean> {
  const signer = await recoverTypedDataAddress({
    domain: { name: 'EVM Payment Channel', version: '1', chainId: CHAIN, verifyingContract: ESCROW },
    types: {
      Voucher: [
        { name: 'channelId', type: 'bytes32' },
        { name: 'cumulativeAmount', type: 'uint128' },
      ],
    },
    primaryType: 'Voucher',
    message: { channelId: payload.channelId, cumulativeAmount: BigInt(payload.cumulativeAmount) },
    signature,
  });
  return signer.toLowerCase() === payer.toLowerCase();
}

async function decided(payload: Payload): Promise<[number, string]> {
  seller.actions.push(`${payload.action} ${payload.cumulativeAmount ?? payload.additionalDeposit}`);
  const channel = seller.channels.get(payload.channelId);
  const done = JSON.stringify({ action: payload.action, status: 'ok', channelId: payload.channelId, reference: payload.channelId });
  if (payload.action === 'open') {
    if (channel !== undefined) return [200, done];
    const payer = payload.authorization?.from ?? (sender as Hex);
    const id = keccak256(
      encodeAbiParameters(
        ['address', 'address', 'address', 'bytes32', 'address', 'address', 'uint256'].map((type) => ({ type })),
        [payer, PAYEE, USDC, payload.salt, ZERO, ESCROW, BigInt(CHAIN)],
      ),
    );
    assert.equal(payload.channelId, id);
    assert.ok(await voucherHolds(payload, payload.voucherSignature ?? payload.signature, payer));
    if (payload.authorization !== undefined) {
      const { from, to, value, validAfter, validBefore, nonce } = payload.authorization;
      assert.equal(to, ESCROW);
      const signer = await recoverTypedDataAddress({
        domain: { name: 'USDC', version: '2', chainId: CHAIN, verifyingContract: USDC as Hex },
        types: {
          ReceiveWithAuthorization: [
            { name: 'from', type: 'address' },
            { name: 'to', type: 'address' },
            { name: 'value', type: 'uint256' },
            { name: 'validAfter', type: 'uint256' },
            { name: 'validBefore', type: 'uint256' },
            { name: 'nonce', type: 'bytes32' },
          ],
        },
        primaryType: 'ReceiveWithAuthorization',
        message: { from, to, value: BigInt(value), validAfter: BigInt(validAfter), validBefore: BigInt(validBefore), nonce },
        signature: payload.signature,
      });
      assert.equal(signer.toLowerCase(), from.toLowerCase());
    } else assert.match(payload.hash ?? '', /^0x[0-9a-f]{64}$/);
    seller.channels.set(id, { payer, deposit: BigInt(payload.authorization?.value ?? 100), highest: 0n, spent: 0n });
    return [200, done];
  }
  if (channel === undefined) return refusal(70010, 404);
  if (payload.action === 'topUp') {
    channel.deposit += BigInt(payload.additionalDeposit ?? '0');
    return [200, done];
  }
  assert.ok(await voucherHolds(payload, payload.signature, channel.payer));
  const amount = BigInt(payload.cumulativeAmount);
  if (payload.action === 'close') {
    seller.channels.delete(payload.channelId);
    return [200, done];
  }
  if (amount > channel.deposit) return refusal(70012, 402);
  if (amount < channel.highest) return refusal(70013, 402);
  channel.highest = amount;
  if (channel.highest - channel.spent < seller.unit) return refusal(70015, 402);
  channel.spent += seller.unit;
  return [200, JSON.stringify({ live: Number(channel.spent) })];
}

let sender: string;
function payer(more: Partial<ChannelOptions> = {}) {
  const account = privateKeyToAccount(generatePrivateKey());
  sender = account.address;
  Object.assign(seller, { unit: 10n, minDelta: '0', feePayer: true, actions: [], instead: [] });
  const lines: string[] = [];
  const options = {
    signer: account,
    policy: { perDay: '0.001', escrows: [ESCROW] },
    store: memoryStore(),
    deposit: '0.0001',
    onState: (line: string) => lines.push(line),
    ...more,
  } as ChannelOptions;
  return { pay: channelFetch(fetch, options), lines, account, options };
}

test('one deposit pays for ten requests, a top-up for more, and a close gives the rest back', async () => {
  const asked: (string | null)[] = [];
  const { pay, lines } = payer({
    confirm: ({ deposit, escrow, unit }) => {
      asked.push(`${deposit} ${escrow} ${unit}`);
      return true;
    },
  });
  for (let request = 1; request <= 11; request += 1) {
    const answer = await pay(url);
    assert.equal(answer.status, 200);
    assert.deepEqual(await answer.json(), { live: request * 10 });
    assert.deepEqual([channelReceiptOf(answer)?.charged, channelReceiptOf(answer)?.spent], ['10', String(request * 10)]);
  }
  assert.equal(seller.accepted, 'evm/session, evm/charge;q=0.5');
  assert.deepEqual(seller.actions.slice(0, 3), ['open 0', 'voucher 10', 'voucher 20']);
  assert.deepEqual(seller.actions.slice(-2), ['topUp 100', 'voucher 110']);
  const [channel] = await pay.channels();
  assert.deepEqual([channel?.deposit, channel?.spent, channel?.signed, channel?.pending], ['200', '110', '110', null]);
  const closed = await pay.refund(url);
  assert.deepEqual([closed.refunded, closed.spent], ['90', '110']);
  assert.deepEqual(await pay.channels(), []);
  assert.deepEqual(asked, Array(2).fill(`0.0001 ${ESCROW} request`));
  assert.equal(lines.length, 1 + 10 + 1 + 1 + 1);
  assert.match(
    lines.at(-1) ?? '',
    /^channel 0x[0-9a-f]{64}, chain eip155:84532, escrow 0x5E55\w+, deposit 0\.0002 USDC \(200\), cum 0\.00011 USDC \(110\), spent~ 0\.00011 USDC \(110\), sig 0x[0-9a-f]{8}…$/,
  );
});

test('a seller that asks for large vouchers gets one, and it is shown again until it is used up', async () => {
  const { pay } = payer();
  seller.minDelta = '50';
  for (let request = 0; request < 5; request += 1) assert.equal((await pay(url)).status, 200);
  assert.deepEqual(seller.actions, ['open 0', ...(Array(5).fill('voucher 50') as string[])]);
});

test('a voucher that is called used up is followed by one higher one, once', async () => {
  const { pay } = payer();
  assert.equal((await pay(url)).status, 200);
  seller.instead.push(() => refusal(70015, 402));
  assert.equal((await pay(url)).status, 200);
  assert.deepEqual(seller.actions.slice(2), ['voucher 20', 'voucher 30']);
  seller.instead.push(
    () => refusal(70015, 402),
    () => refusal(70015, 402),
  );
  await assert.rejects(pay(url), { code: 'payment_refused', signed: true, message: /code 70015, HTTP 402/ });
  assert.equal(seller.actions.length, 6);
});

test('a lost answer has the same credential sent again, and a process after it goes on with the session', async () => {
  const { pay, options } = payer();
  assert.equal((await pay(url)).status, 200);
  seller.instead.push(() => [0, '']);
  assert.deepEqual(await (await pay(url)).json(), { live: 20 });
  assert.deepEqual(seller.actions, ['open 0', 'voucher 10', 'voucher 20']);
  const later = channelFetch(fetch, options);
  assert.deepEqual(await (await later(url)).json(), { live: 30 });
  assert.equal(seller.channels.size >= 1, true);
  assert.equal((await later.channels()).length, 1);
});

//
test("an answer by session is its buyer's though the store fails as its voucher is noted, and the next request goes on", async () => {
  const store = failing((record) => rowsIn(record).some(([name, , { spent }]) => name.startsWith('session ') && spent === '20'));
  const { pay } = payer({ store, policy: { perDay: '0.001', escrows: [ESCROW], deadlineSecs: 1 } });
  const answers: unknown[] = [];
  for (let request = 1; request <= 2; request += 1) {
    const answer = await pay(url);
    answers.push(await answer.json(), channelReceiptOf(answer)?.charged);
  }
  assert.deepEqual([answers, store.failed], [[{ live: 10 }, '10', { live: 20 }, '10'], 1]);
  // The voucher of before is shown again, is used up, and is followed by one higher one.
  assert.deepEqual(await (await pay(url)).json(), { live: 30 });
  assert.deepEqual(seller.actions, ['open 0', 'voucher 10', 'voucher 20', 'voucher 20', 'voucher 30']);
  const [channel] = await pay.channels();
  assert.deepEqual([channel?.spent, channel?.signed], ['30', '30']);
});

//
test('a hook that is told of the state ends no purchase, whatever it throws', async () => {
  const told: string[] = [];
  const onState = (line: string): void => {
    told.push(line);
    throw new Error('the log is full');
  };
  const { pay } = payer({ onState });
  for (let request = 1; request <= 2; request += 1) assert.deepEqual(await (await pay(url)).json(), { live: request * 10 });
  assert.equal((await pay.refund(url)).refunded, '80');
  assert.equal(told.length, 4);
});

test('who sends the deposit itself is asked once, and nothing is sent where the hook sent nothing', async () => {
  const sent: unknown[] = [];
  const hash = `0x${'ab'.repeat(32)}`;
  const { pay } = payer({
    broadcast: ({ calls }) => {
      sent.push(calls);
      return hash;
    },
  });
  seller.feePayer = false;
  assert.equal((await pay(url)).status, 200);
  assert.equal(sent.length, 1);
  assert.deepEqual(
    (sent[0] as { to: string }[]).map(({ to }) => to),
    [USDC, ESCROW],
  );
  const other = payer({ broadcast: () => null });
  seller.feePayer = false;
  await assert.rejects(other.pay(url), { code: 'broadcast_failed', signed: false });
  assert.deepEqual(await other.pay.channels(), []);
  const none = payer();
  seller.feePayer = false;
  await assert.rejects(none.pay(url), { code: 'broadcast_missing' });
});

test('a hook that throws, whatever it throws, or that returns no hash may have sent the deposit: nothing else is sent before a person has looked', async () => {
  const hooks: readonly (readonly [() => string, string])[] = [
    [
      () => {
        throw undefined;
      },
      'broadcast_failed',
    ],
    [() => 1 as unknown as string, 'wrong_transaction'],
  ];
  for (const [broadcast, code] of hooks) {
    let later = 0;
    const { pay } = payer({ broadcast, now: () => Date.now() / 1000 + later });
    seller.feePayer = false;
    await assert.rejects(pay(url), { name: 'FareboxError', code, signed: true });
    later = 200;
    assert.deepEqual(
      (await pay.channels()).map(({ deposit, pending }) => [deposit, pending]),
      [['0', '100']],
    );
    await assert.rejects(pay(url), { code: 'payment_unresolved' });
    assert.deepEqual(seller.actions, []);
  }
});

test('what is paid by request alone opens no session', async () => {
  const { pay } = payer({ choose: 'once' });
  await assert.rejects(pay(url), { code: 'unsupported_intent' });
  assert.deepEqual(seller.actions, []);
});

test('a person who says no signs nothing, and no cap counts it', async () => {
  const { pay, options } = payer({ confirm: () => false });
  await assert.rejects(pay(url), { code: 'declined' });
  assert.deepEqual([seller.actions, await pay.channels()], [[], []]);
  assert.equal((await channelFetch(fetch, { ...options, confirm: () => true })(url)).status, 200);
});

test('a caller who gives up while a person is asked has nothing signed, and while the wallet signs nothing sent', async () => {
  const stop = new AbortController();
  const signed: unknown[] = [];
  const it = payer();
  const watched = {
    address: async () => it.account.address,
    sign: async (typedData: never) => {
      signed.push(typedData);
      return it.account.signTypedData(typedData);
    },
  };
  const confirm = async (): Promise<boolean> => {
    stop.abort();
    return true;
  };
  await assert.rejects(channelFetch(fetch, { ...it.options, signer: watched, confirm })(url, { signal: stop.signal }), {
    name: 'AbortError',
  });
  assert.deepEqual([signed.length, seller.actions, await it.pay.channels()], [0, [], []]);

  const late = new AbortController();
  const voucherSigner = {
    address: async () => it.account.address,
    sign: async (typedData: never) => {
      late.abort();
      return it.account.signTypedData(typedData);
    },
  };
  seller.feePayer = false;
  const broadcast = (): string => assert.fail('sent');
  const sends = channelFetch(fetch, { ...it.options, voucherSigner, broadcast });
  await assert.rejects(sends(url, { signal: late.signal }), { name: 'AbortError' });
  assert.deepEqual([seller.actions, await it.pay.channels()], [[], []]);
});
