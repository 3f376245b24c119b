// `farebox/channels` reads streams: at the gate on a chain, by the second and byte, and at sellers that lie about what they sent.

import assert from 'node:assert/strict';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';

import { createWalletClient, type Hex, http } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { account, type Chain, PAYEE as PAYEE_ACCOUNT, PAYMENT_CHANNEL, startChain } from '../../demo/chain.mjs';
import { startFacilitator } from '../../demo/facilitator.mjs';
import { gateVars } from '../../demo/gate.mjs';
import { type ChannelProposal, channelFetch, channelReceiptOf, chunksOf } from '../../pkg/dist/channels.js';
import { memoryStore } from '../../pkg/dist/store.js';
import { type Gate, startGate } from '../../scripts/miniflare.mjs';
import { BLOB, BYTES, startStreams, WORDS } from '../e2e/stream-origin.ts';
import { challenge, credentialIn, credentialOf } from './charges.ts';
import { failing } from './failing.ts';

const UNIT = 1_000n;
const BYTE_STEP = 65_536n;
/** As long as the longest event of WORDS. */
const WORDS_STEP = 1_000n;
const DEPOSIT = 600_000n;
let [chain, gate]: [Chain, Gate] = [] as never;
const ends: { stop(): unknown }[] = [];
function keep<T extends { stop(): unknown }>(part: T): T {
  ends.unshift(part);
  return part;
}

before(async () => {
  chain = keep(await startChain());
  const origin = keep(await startStreams());
  const facilitator = keep(await startFacilitator({ chain }));
  const sold = (path: string, session_unit: string, session_unit_price: string, session_step: number) => ({
    path,
    methods: ['GET'],
    price: '$0.01',
    session_escrow: PAYMENT_CHANNEL,
    session_unit,
    session_unit_price,
    session_step,
    session_pause_secs: 5,
  });
  gate = keep(
    await startGate({
      build: process.env.FAREBOX_BUILD ?? 'build',
      secrets: { PAYEE_KEY: account(PAYEE_ACCOUNT).privateKey },
      vars: {
        ...gateVars({ chain, facilitator, origin }),
        RPC_URL: chain.url,
        ROUTES: [
          sold('/seconds', 'second', '$0.001', 1),
          sold('/bytes', 'byte', '$0.000001', Number(BYTE_STEP)),
          sold('/events', 'event', '$0.001', 3),
          sold('/words', 'byte', '$0.000001', Number(WORDS_STEP)),
          { ...sold('/talk', 'byte', '$0.000001', Number(WORDS_STEP)), methods: ['POST'] },
        ],
      },
    }),
  );
});
after(async () => {
  for (const part of ends) await part.stop();
});

/** A payer with a channel of their own, and how it ends. */
function payerAt(index: number, store = memoryStore(), over: typeof fetch = fetch) {
  const payer = chain.accounts.payers[index];
  assert.ok(payer);
  const wallet = createWalletClient({ account: payer, chain: chain.chain, transport: http(chain.url) });
  const lines: string[] = [];
  const pay = channelFetch(over, {
    signer: payer,
    policy: { perPayment: '0.07', perDay: '5', escrows: [PAYMENT_CHANNEL] },
    store,
    deposit: '0.6',
    onState: (line) => {
      lines.push(line);
    },
    broadcast: async ({ calls }: ChannelProposal) => {
      let hash: Hex | undefined;
      for (const { to, data } of calls ?? []) {
        hash = await wallet.sendTransaction({ to: to as Hex, data: data as Hex });
        await chain.publicClient.waitForTransactionReceipt({ hash });
      }
      return hash;
    },
  });
  const [funds, earlier] = [chain.balanceOf(payer.address), chain.balanceOf(chain.accounts.payee.address)];
  return {
    pay,
    lines,
    signed: async () => BigInt((await pay.channels())[0]?.signed ?? 0),
    /** Closes: the payee has the highest voucher, the payer the rest. */
    async adds(url: string, voucher: bigint) {
      const { refunded } = await pay.refund(url);
      assert.equal(refunded, String(DEPOSIT - voucher));
      const payee = async () => chain.balanceOf(chain.accounts.payee.address);
      for (let waits = 0; waits < 300 && (await payee()) !== (await earlier) + voucher; waits += 1)
        await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(await payee(), (await earlier) + voucher);
      assert.equal(await chain.balanceOf(payer.address), (await funds) - voucher);
    },
  };
}

test('events by the second flow on with a voucher for each, and the reader sees none of the payment', async () => {
  const { pay, signed, lines, adds } = payerAt(0);
  const url = `${gate.url}/seconds`;
  const answer = await pay(url);
  assert.equal(answer.status, 200, answer.status === 200 ? '' : await answer.text());
  assert.equal(channelReceiptOf(answer)?.charged, String(UNIT));
  let text = '';
  for await (const part of chunksOf(answer)) {
    text += new TextDecoder().decode(part);
    if ((await signed()) === 4n * UNIT) break;
  }
  assert.match(text, /^(data: \d+\n\n)+$/);
  assert.ok(text.split('\n\n').length > 40, text);
  assert.ok(
    lines.some((line) => line.includes('cum 0.004 USDC')),
    lines.join('\n'),
  );
  await adds(url, 4n * UNIT);
});

test('bytes flow on although nothing says that they wait, and all of them come', async () => {
  const { pay, signed, adds } = payerAt(1);
  const url = `${gate.url}/bytes`;
  const answer = await pay(url);
  assert.equal(answer.status, 200);
  const got = Buffer.from(await answer.arrayBuffer());
  assert.deepEqual([got.length, got.equals(BLOB)], [BYTES, true]);
  // At most a step beyond what came.
  const most = await signed();
  assert.ok(most >= BigInt(BYTES) && most <= BigInt(BYTES) + BYTE_STEP, `${most}`);
  await adds(url, most);
});

test('events by the byte flow on although a step ends within one', async () => {
  const { pay, signed, adds } = payerAt(3);
  const url = `${gate.url}/words`;
  assert.equal(await (await pay(url)).text(), WORDS);
  const most = await signed();
  assert.ok(most >= BigInt(WORDS.length) && most < BigInt(WORDS.length) + WORDS_STEP, `${most}`);
  await adds(url, most);
});

test('a stream that is sold to POST alone flows on, and its session is paid back', async () => {
  const { pay, signed, adds } = payerAt(5);
  const url = `${gate.url}/talk`;
  assert.equal(await (await pay(url, { method: 'POST', body: 'tell me' })).text(), WORDS);
  await adds(url, await signed());
});

//
test('a voucher that a stream could not be brought is brought again, and where none is taken the reader hears of it', async () => {
  const said: number[] = [];
  const between: typeof fetch = async (input, init) => {
    const status = init?.method === 'HEAD' ? said.shift() : undefined;
    return status === undefined ? fetch(input, init) : new Response(null, { status });
  };
  const { pay, signed, adds } = payerAt(6, memoryStore(), between);
  const url = `${gate.url}/words`;
  said.push(502);
  assert.equal(await (await pay(url)).text(), WORDS);
  assert.equal(said.length, 0);
  const cut = await pay(url);
  said.push(...Array<number>(9).fill(405));
  await assert.rejects(cut.text(), { code: 'payment_refused', message: /the answer stops here: .* said 405$/ });
  said.length = 0;
  await adds(url, await signed());
});

//
test('a stream that was paid for is read to its end though the store fails as that is noted', async () => {
  let isRead = false;
  const store = failing(() => isRead);
  const { pay, signed, adds } = payerAt(4, store);
  const url = `${gate.url}/words`;
  let text = '';
  for await (const part of chunksOf(await pay(url))) {
    text += new TextDecoder().decode(part);
    isRead = text === WORDS;
  }
  assert.deepEqual([text === WORDS, store.failed], [true, 1]);
  await adds(url, await signed());
});

test('two streams at once are read to their end from one channel', async () => {
  const { pay, signed, adds } = payerAt(2);
  const url = `${gate.url}/events`;
  const texts = await Promise.all([pay(url), pay(url)].map(async (asked) => (await asked).text()));
  for (const text of texts) {
    assert.equal(text.match(/^data: event/gm)?.length, 12);
    assert.doesNotMatch(text, /payment-/);
  }
  const most = await signed();
  assert.ok(most >= 24n * UNIT && most <= 32n * UNIT, `${most}`);
  await adds(url, most);
});

/** What a seller claims after each event; the payer is asked for vouchers as it says. */
type Liar = { readonly stop: () => void; readonly url: string; readonly vouchers: bigint[] };

async function liar(
  demands: readonly bigint[],
  { step = 30n, spent }: { readonly step?: bigint; readonly spent?: bigint } = {},
): Promise<Liar> {
  const vouchers: bigint[] = [];
  const server: Server = createServer((request, response) => {
    if (credentialOf(request) === undefined) {
      const details = { chainId: 84532, escrowContract: PAYMENT_CHANNEL, feePayer: true, minVoucherDelta: String(step) };
      const row = challenge({ intent: 'session', request: { amount: '10', suggestedDeposit: '100000', unitType: 'event' }, details });
      response.writeHead(402, { 'www-authenticate': row }).end();
      return;
    }
    const { payload } = credentialIn(request) as unknown as { payload: { action: string; channelId: string; cumulativeAmount: string } };
    if (payload.action === 'voucher') vouchers.push(BigInt(payload.cumulativeAmount));
    const told = {
      method: 'evm',
      intent: 'session',
      status: 'success',
      timestamp: new Date().toISOString(),
      reference: payload.channelId,
      channelId: payload.channelId,
      spent: String(spent ?? 10n),
      acceptedCumulative: payload.cumulativeAmount,
    };
    const receipt = Buffer.from(JSON.stringify(told)).toString('base64url');
    if (payload.action !== 'voucher' || request.method === 'HEAD') {
      response.writeHead(200, { 'payment-receipt': receipt }).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'payment-receipt': receipt });
    void flow(response, payload.channelId);
  });
  const flow = async (response: ServerResponse, channelId: string): Promise<void> => {
    for (const demand of demands) {
      const need = { channelId, requiredCumulative: String(demand), acceptedCumulative: '0', deposit: '100000' };
      response.write(`data: goods\n\nevent: payment-need-voucher\ndata: ${JSON.stringify(need)}\n\n`);
      // The payer has time for each demand.
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    response.end('data: last\n\n');
  };
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/live`,
    vouchers,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const buyer = (policy: object) =>
  channelFetch(fetch, {
    signer: privateKeyToAccount(generatePrivateKey()),
    policy: { perDay: '5', escrows: [PAYMENT_CHANNEL], ...policy },
    store: memoryStore(),
    deposit: '0.1',
  });

//
test('a seller that says that more is required than was sent gets one step and no more', async () => {
  // One event of ten was paid with the first voucher; each further one allows a step of thirty beyond what came.
  for (const [demands, signed, fails] of [
    [[40n, 50n], [30n, 40n, 50n], false],
    [[41n], [30n], true],
    [[40n, 51n], [30n, 40n], true],
    [[100_000n], [30n], true],
  ] as const) {
    const seller = await liar(demands);
    const answer = await buyer({})(seller.url);
    const read = answer.text();
    if (fails) await assert.rejects(read, { code: 'policy_amount' });
    else assert.equal(await read, 'data: goods\n\ndata: goods\n\ndata: last\n\n');
    assert.deepEqual(seller.vouchers, signed, `${demands}`);
    seller.stop();
  }
});

test('a seller whose receipts say that everything is spent gets no more for it', async () => {
  const seller = await liar([40n, 70n], { spent: 30n });
  const answer = await buyer({})(seller.url);
  await assert.rejects(answer.text(), { code: 'policy_amount' });
  seller.stop();
  assert.ok(
    seller.vouchers.every((voucher) => voucher <= 60n),
    `${seller.vouchers}`,
  );
});

test('a step is a payment under the policy', async () => {
  const seller = await liar([40n], { step: 20_000n });
  await assert.rejects(buyer({ perPayment: '0.01' })(seller.url), { code: 'policy_amount' });
  seller.stop();
  assert.deepEqual(seller.vouchers, []);
});
