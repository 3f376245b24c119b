// Payments that the chain itself settles, on a real chain: signed transactions that the gate sends, and hashes of transactions
// that payers have sent. What is claimed about money is read from balances.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

import { encodeFunctionData, type Hex, keccak256 } from 'viem';

import { type Chain, startChain, USDC } from '../../demo/chain.mjs';
import { type Facilitator, startFacilitator } from '../../demo/facilitator.mjs';
import { gateVars, PRICE_ATOMIC } from '../../demo/gate.mjs';
import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { type Gate, startGate } from '../../scripts/miniflare.mjs';
import { type Challenge, challengeOf, credential, receiptIn } from '../support/mpp-wire.ts';
import { payAsOkx } from '../support/okx-payer.ts';
import { sharedWorld } from '../support/suite.ts';
import { type Change, changesDuring, startWorld, transfersOf, type World } from './world.ts';

type Account = Chain['accounts']['payer'];
type Parts = Pick<World, 'chain' | 'gate'>;

const ROUTES = ['/report', '/report-before'].map((path) => ({
  path: `${path}/shown`,
  methods: ['GET'],
  price: '$0.01',
  hash_mode: true,
  signed_transactions: true,
  ...(path === '/report-before' ? { settle: 'before' } : {}),
}));
const AFTER = '/report/shown';
const BEFORE = '/report-before/shown';
const NOTHING: Change = { paid: 0n, received: 0n, asked: 0, verified: 0, settled: 0 };
const PAID: Change = { paid: PRICE_ATOMIC, received: PRICE_ATOMIC, asked: 1, verified: 0, settled: 0 };
let clients = 0;

/** What a client on an address of its own is answered. */
async function ask(
  gate: Gate,
  path: string,
  credential?: string,
): Promise<{ status: number; text: string; code: string; headers: Headers }> {
  const ip = `198.18.${(clients += 1) >> 8}.${clients & 255}`;
  const headers = { 'cf-connecting-ip': ip, ...(credential === undefined ? {} : { authorization: credential }) };
  const answer = await fetch(gate.url + path, { headers });
  const text = await answer.text();
  const code = /"code":"([a-z_]+)"/.exec(text)?.[1] ?? '';
  return { status: answer.status, text, code, headers: answer.headers };
}

/** The challenge of a 402. */
async function challenge(gate: Gate, path: string): Promise<Challenge> {
  const { status, headers } = await ask(gate, path);
  assert.equal(status, 402);
  return challengeOf(headers.get('www-authenticate'));
}

/** A credential for a fresh challenge. */
async function answering(parts: Parts, path: string, payload: Record<string, string>, source?: Hex): Promise<string> {
  return answer(await challenge(parts.gate, path), payload, source);
}

function answer({ description: _, ...echo }: Challenge, payload: Record<string, string>, source?: Hex): string {
  return credential({ challenge: echo, payload, ...(source === undefined ? {} : { source: `did:pkh:eip155:84532:${source}` }) });
}

interface Differently {
  to?: Hex;
  value?: bigint;
  token?: Hex;
  gas?: bigint;
  nonce?: number;
}

/** A transfer that this account has signed and nobody has sent. */
async function signed(
  { chain }: Pick<World, 'chain'>,
  account: Account,
  { to, value = PRICE_ATOMIC, token = USDC, gas = 120_000n, nonce }: Differently = {},
): Promise<Hex> {
  const data = encodeFunctionData({ abi: chain.token.abi, functionName: 'transfer', args: [to ?? chain.accounts.payee.address, value] });
  return account.signTransaction({
    type: 'eip1559',
    chainId: 84532,
    to: token,
    data,
    gas,
    maxFeePerGas: 20_000_000_000n,
    maxPriorityFeePerGas: 1n,
    nonce: nonce ?? (await chain.publicClient.getTransactionCount({ address: account.address })),
  });
}

/** The account sends a transaction itself, and it is in a block. */
async function sent(parts: Pick<World, 'chain'>, account: Account, differently: Differently = {}): Promise<Hex> {
  const { publicClient } = parts.chain;
  const hash = await publicClient.sendRawTransaction({ serializedTransaction: await signed(parts, account, differently) });
  await publicClient.waitForTransactionReceipt({ hash });
  return hash;
}

const byTransaction = (signature: Hex) => ({ type: 'transaction', signature });
const byHash = (hash: Hex) => ({ type: 'hash', hash });

const reference = (headers: Headers) => receiptIn(headers.get('payment-receipt'))?.reference;

describe('payments that the chain settles', () => {
  const world = sharedWorld(() => startWorld({ readsChain: true, routes: ROUTES, vars: { RECOVERY: { settle_secs: 15 } } }));

  const payer = (place: number): Account => world.chain.accounts.payers[place] as Account;

  /** Tries to pay: nothing moves, nobody is asked, and the account has sent nothing. */
  async function fails(account: Account, path: string, payment: string, code: string, says = ''): Promise<void> {
    const { publicClient } = world.chain;
    const sentBefore = await publicClient.getTransactionCount({ address: account.address });
    const { result, change } = await changesDuring(world, account.address, () => ask(world.gate, path, payment));
    assert.deepEqual([result.status, result.code], [402, code], result.text);
    assert.match(Buffer.from(result.headers.get('payment-required') ?? '', 'base64').toString(), new RegExp(says));
    assert.deepEqual(change, NOTHING);
    assert.equal(await publicClient.getTransactionCount({ address: account.address }), sentBefore);
  }

  for (const [place, path] of [AFTER, BEFORE].entries()) {
    it(`a signed transaction is sent by the gate and pays, with the payer's own gas (${path})`, async () => {
      const account = payer(place);
      const bytes = await signed(world, account);
      const payment = await answering(world, path, byTransaction(bytes));
      const { result, change } = await changesDuring(world, account.address, () => ask(world.gate, path, payment));
      assert.equal(result.status, 200, result.text);
      assert.deepEqual(change, PAID);
      assert.equal(reference(result.headers), keccak256(bytes));
      const { payee } = world.chain.accounts;
      assert.deepEqual(await transfersOf(world, keccak256(bytes)), [{ from: account.address, to: payee.address, value: PRICE_ATOMIC }]);

      const again = await changesDuring(world, account.address, () => ask(world.gate, path, payment));
      assert.equal(again.result.headers.get('payment-replayed'), 'true', again.result.text);
      assert.equal(again.result.text, result.text);
      // From the chain everybody has the bytes, and nobody the challenge.
      const stranger = await answering(world, path, byTransaction(bytes));
      assert.equal((await ask(world.gate, path, stranger)).code, 'payment_already_delivered');
      assert.deepEqual(again.change, NOTHING);
    });

    it(`the same transaction twenty times at once is sent and delivered once (${path})`, async () => {
      const account = payer(place);
      const payment = await answering(world, path, byTransaction(await signed(world, account)));
      const copies = Array.from({ length: 20 }, () => payment);
      const { result, change } = await changesDuring(world, account.address, () =>
        Promise.all(copies.map((copy) => ask(world.gate, path, copy))),
      );
      assert.deepEqual(change, PAID);
      const fresh = result.filter(({ status, headers }) => status === 200 && !headers.has('payment-replayed'));
      assert.equal(fresh.length, 1);
      const codes = new Set(result.filter(({ status }) => status !== 200).map(({ code }) => code));
      for (const code of codes) assert.ok(['rate_limited', 'payment_in_progress'].includes(code), code);
    });

    it(`OKX's payer reads that he pays the gas, sends a transaction and shows its hash (${path})`, async () => {
      const account = payer(place);
      const { headers } = await ask(world.gate, path);
      const { result, change } = await changesDuring(world, account.address, async () => {
        const broadcast = () => sent(world, account);
        const { value } = await payAsOkx(headers.get('www-authenticate') ?? '', account, { broadcast });
        return ask(world.gate, path, value);
      });
      assert.equal(result.status, 200, result.text);
      assert.deepEqual(change, PAID);
    });

    it(`a transaction that the payer has sent pays by its hash, once (${path})`, async () => {
      const account = payer(place);
      const echo = await challenge(world.gate, path);
      const { result, change } = await changesDuring(world, account.address, async () => {
        const hash = await sent(world, account);
        return { hash, told: await ask(world.gate, path, answer(echo, byHash(hash), account.address)) };
      });
      assert.equal(result.told.status, 200, result.told.text);
      assert.deepEqual(change, PAID);
      assert.equal(reference(result.told.headers), result.hash);
      const other = path === AFTER ? BEFORE : AFTER;
      const reuse = await changesDuring(world, account.address, async () => [
        await ask(world.gate, path, await answering(world, path, byHash(result.hash), account.address)),
        await ask(world.gate, other, await answering(world, other, byHash(result.hash), account.address)),
      ]);
      assert.deepEqual(
        reuse.result.map(({ code }) => code),
        ['payment_already_delivered', 'payment_already_used'],
      );
      assert.deepEqual(reuse.change, NOTHING);
    });
  }

  it('a signed transaction that does not pay this is refused and never sent', async () => {
    const account = payer(2);
    const table: [Differently, string, string?][] = [
      [{ to: account.address }, 'recipient_mismatch'],
      [{ value: PRICE_ATOMIC - 1n }, 'amount_mismatch'],
      [{ token: '0x00000000000000000000000000000000c0ffee03' }, 'terms_mismatch'],
      [{ nonce: 1_000 }, 'verify_refused', 'transaction_out_of_turn'],
      [{ gas: 22_000n }, 'verify_refused', 'transaction_simulation_failed'],
      [{ gas: 2n ** 60n }, 'verify_refused', 'insufficient_funds'],
    ];
    for (const [differently, code, says] of table) {
      const payment = await answering(world, AFTER, byTransaction(await signed(world, account, differently)));
      await fails(account, AFTER, payment, code, says);
    }
    const old = await signed(world, account);
    await sent(world, account, { to: account.address, value: 0n });
    await fails(account, AFTER, await answering(world, AFTER, byTransaction(old)), 'verify_refused', 'nonce_already_used');
  });

  //
  it('a payer whom the token has blocked is refused before anything is sent', async () => {
    const account = payer(3);
    const { facilitator } = world.chain.accounts;
    const block = async (blocked: boolean): Promise<void> => {
      const data = encodeFunctionData({ abi: world.chain.token.abi, functionName: 'setBlacklisted', args: [account.address, blocked] });
      const hash = (await world.chain.rpc('eth_sendTransaction', [{ from: facilitator.address, to: USDC, data }])) as Hex;
      await world.chain.publicClient.waitForTransactionReceipt({ hash });
    };
    await block(true);
    await fails(
      account,
      AFTER,
      await answering(world, AFTER, byTransaction(await signed(world, account))),
      'verify_refused',
      'simulation_failed',
    );
    const echo = await challenge(world.gate, AFTER);
    const reverted = await sent(world, account);
    await fails(account, AFTER, answer(echo, byHash(reverted), account.address), 'verify_refused', 'transaction_not_this_payment');
    await block(false);
  });

  it('a hash of something else is refused', async () => {
    const [account, other] = [payer(4), payer(5)];
    const echo = await challenge(world.gate, AFTER);
    const shows = (hash: Hex, whose = account) => answer(echo, byHash(hash), whose.address);
    const wrong = 'transaction_not_this_payment';
    await fails(account, AFTER, shows(await sent(world, account, { to: other.address })), 'verify_refused', wrong);
    await fails(account, AFTER, shows(await sent(world, account, { value: 1n })), 'verify_refused', wrong);
    await fails(account, AFTER, shows(await sent(world, other)), 'verify_refused', wrong);
    // A transfer of another function is another payment's, even if it moves the same.
    const approve = encodeFunctionData({
      abi: world.chain.token.abi,
      functionName: 'mint',
      args: [world.chain.accounts.payee.address, PRICE_ATOMIC],
    });
    const hash = (await world.chain.rpc('eth_sendTransaction', [{ from: account.address, to: USDC, data: approve }])) as Hex;
    await world.chain.publicClient.waitForTransactionReceipt({ hash });
    await fails(account, AFTER, shows(hash), 'verify_refused', wrong);
  });

  it('a transaction whose sender is not named belongs to who sent it, as the chain says, and is the same payment under their name', async () => {
    const account = payer(7);
    const echo = await challenge(world.gate, AFTER);
    const hash = await sent(world, account);
    const { result, change } = await changesDuring(world, account.address, () => ask(world.gate, AFTER, answer(echo, byHash(hash))));
    assert.deepEqual([result.status, reference(result.headers), change.asked], [200, hash, 1], result.text);
    const again = await ask(world.gate, AFTER, answer(echo, byHash(hash), account.address));
    assert.deepEqual([again.status, again.headers.get('payment-replayed'), again.text], [200, 'true', result.text]);
  });

  it('a transaction that is older than its challenge is refused', async () => {
    const account = payer(6);
    const hash = await sent(world, account);
    const { timestamp } = await world.chain.publicClient.getBlock();
    // Two seconds of difference between the clocks are allowed for.
    let echo = await challenge(world.gate, AFTER);
    while (Date.parse(echo.expires ?? '') / 1000 - 300 <= Number(timestamp) + 2) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      echo = await challenge(world.gate, AFTER);
    }
    await fails(account, AFTER, answer(echo, byHash(hash), account.address), 'verify_refused', 'transaction_before_challenge');
  });
});

/** A node whose answer to the bytes of a transaction never comes, although it takes them. */
async function startSilentNode(chain: Chain): Promise<{ url: string; took: Promise<void>; heal(): void; stop(): Promise<void> }> {
  let silent = true;
  let tell = (): void => {};
  const took = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      void fetch(chain.url, { method: 'POST', body, headers: { 'content-type': 'application/json' } }).then(async (answer) => {
        const text = await answer.text();
        if (silent && body.includes('eth_sendRawTransaction')) return tell();
        response.setHeader('content-type', 'application/json');
        response.end(text);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    took,
    heal: () => {
      silent = false;
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('a Worker that is killed after it has sent a transaction', () => {
  const started: { stop(): Promise<void> }[] = [];
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    started.push(part);
    return part;
  };
  after(async () => {
    for (const part of started.reverse()) await part.stop();
  });

  it('leaves a payment that the alarm finds, and its payer fetches what he has paid for', async () => {
    const chain = keep(await startChain());
    const origin: Origin = keep(await startOrigin());
    const facilitator: Facilitator = keep(await startFacilitator({ chain }));
    const node = keep(await startSilentNode(chain));
    const vars = gateVars({ chain, facilitator, origin });
    const recovery = { settle_secs: 2, resend_secs: [1], chain_secs: [1, 1] };
    const persist = await mkdtemp(join(tmpdir(), 'farebox-onchain-'));
    started.unshift({ stop: () => rm(persist, { recursive: true, force: true }) });
    const gate = keep(
      await startGate({
        build: process.env['FAREBOX_BUILD'] ?? 'build',
        persist,
        vars: { ...vars, ROUTES, RPC_URL: node.url, RECOVERY: recovery },
      }),
    );
    const parts = { chain, gate };
    const account = chain.accounts.payer;
    const bytes = await signed(parts, account);
    const payment = await answering(parts, AFTER, byTransaction(bytes));
    const lost = ask(gate, AFTER, payment).then(
      ({ status }) => status,
      () => 0,
    );
    await node.took;
    await gate.kill();
    assert.equal(await lost, 0, 'nobody was answered');
    node.heal();
    await gate.restart();

    let told = await ask(gate, AFTER, payment);
    for (let tries = 0; tries < 300 && told.status !== 200; tries += 1) {
      assert.ok(['payment_in_progress', 'settlement_unknown', 'rate_limited'].includes(told.code), told.text);
      await new Promise((resolve) => setTimeout(resolve, 200));
      told = await ask(gate, AFTER, payment);
    }
    assert.equal(told.status, 200, told.text);
    assert.equal(reference(told.headers), keccak256(bytes));
    assert.equal(await chain.balanceOf(account.address), 1_000_000_000n - PRICE_ATOMIC);
    assert.equal(await chain.balanceOf(chain.accounts.payee.address), PRICE_ATOMIC);
    assert.equal(origin.requests.length, 1);
    assert.equal(await chain.publicClient.getTransactionCount({ address: account.address }), 1);
  });
});
