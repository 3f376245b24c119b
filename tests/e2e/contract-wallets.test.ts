// Payers that are contracts, on a real chain through the reference facilitator: a deployed wallet (ERC-1271), one that its
// first payment deploys (ERC-6492), an account with code (EIP-7702), and those that try to pay without a signature.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { concat, encodeAbiParameters, encodeFunctionData, type Hex, pad, serializeErc6492Signature, toHex } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { readArtefact } from '../../demo/chain.mjs';
import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { encode, type JsonObject, type Payer, type PaymentRequired, pay } from '../worker/support/payer.ts';
import { changesDuring, startWorld, transfersOf, type World } from './world.ts';

const FACTORY = '0x00000000000000000000000000000000fac70001';
const OTHER_FACTORY = '0x00000000000000000000000000000000fac70002';
const IDENTITY = '0x0000000000000000000000000000000000000004';
const SECRET = { 'idempotency-key': 'a secret between wallet and gate' };
const OPERATOR = 'operator-token-of-the-test-suite-0123456789';
const NOTHING = { paid: 0n, received: 0n, asked: 0, settled: 0 };
const factory = readArtefact('WalletFactory');
const walletCode = readArtefact('Wallet');
const MOODS = { honest: 0, burnsGas: 1, reverts: 2, onlyInSimulation: 3 } as const;

let world: World;
let salts = 0;
let clients = 0;

before(async () => {
  world = await startWorld({
    factories: [FACTORY],
    secrets: { OPERATOR_TOKEN: OPERATOR },
    vars: { CONTRACT_WALLETS: 'facilitator', WALLET_FACTORIES: [FACTORY], RECOVERY: { settle_secs: 15 } },
    routes: [{ path: '/slow', price: '$0.01', methods: ['GET'] }],
  });
  for (const address of [FACTORY, OTHER_FACTORY]) await world.chain.rpc('anvil_setCode', [address, factory.runtime]);
});
after(() => world?.stop());

interface Wallet {
  owner: Payer;
  address: Hex;
  deployment: { address: Hex; data: Hex };
}

/** A wallet with ten dollars at an address that is known before it is deployed. */
async function wallet({ deployed, by = FACTORY }: { deployed: boolean; by?: Hex }): Promise<Wallet> {
  const account = privateKeyToAccount(generatePrivateKey());
  const owner = { address: account.address, account };
  const args = [owner.address, pad(toHex((salts += 1)), { size: 32 })] as const;
  const data = encodeFunctionData({ abi: factory.abi, functionName: 'deploy', args: [...args] });
  const address = (await world.chain.publicClient.readContract({
    address: by,
    abi: factory.abi,
    functionName: 'addressOf',
    args: [...args],
  })) as Hex;
  if (deployed) await transact(by, data);
  await transact(
    world.chain.token.address,
    encodeFunctionData({ abi: world.chain.token.abi, functionName: 'mint', args: [address, 10_000_000n] }),
  );
  return { owner, address, deployment: { address: by, data } };
}

/** Sends a transaction from an account that nobody else uses. */
async function transact(to: string, data: Hex): Promise<void> {
  const from = world.chain.accounts.payers.at(-1)?.address;
  const hash = (await world.chain.rpc('eth_sendTransaction', [{ from, to, data }])) as Hex;
  await world.chain.publicClient.waitForTransactionReceipt({ hash });
}

async function setMood(address: Hex, mood: keyof typeof MOODS): Promise<void> {
  await transact(address, encodeFunctionData({ abi: walletCode.abi, functionName: 'setMood', args: [MOODS[mood]] }));
}

async function terms(path: string): Promise<PaymentRequired> {
  const answer = await fetch(world.gate.url + path);
  assert.equal(answer.status, 402);
  return JSON.parse(Buffer.from(answer.headers.get('payment-required') ?? '', 'base64').toString()) as PaymentRequired;
}

/** A payment from `from` that `signer` signed; `wrap` changes the signature. */
async function signed(path: string, signer: Payer, from: Hex, wrap: (signature: Hex) => Hex = (it) => it): Promise<Record<string, string>> {
  const tamper = (payload: JsonObject) => {
    const inner = payload['payload'] as JsonObject;
    inner['signature'] = wrap(inner['signature'] as Hex);
  };
  const [name, value] = (await pay(signer, await terms(path), { signed: { from }, tamper })).row;
  return { [name]: value };
}

/** Asks from an address of its own, unless `headers` name one. */
async function ask(
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; code: string; text: string; headers: Headers }> {
  const ip = `198.18.${(clients += 1) >> 8}.${clients & 255}`;
  const answer = await fetch(world.gate.url + path, { headers: { 'cf-connecting-ip': ip, ...headers } });
  const text = await answer.text();
  let code = '';
  try {
    code = (JSON.parse(text) as { code?: string }).code ?? '';
  } catch {
    // The origin's own words.
  }
  return { status: answer.status, code, text, headers: answer.headers };
}

/** Pays once and holds what the chain shows against it. */
async function paysOnce(path: string, from: Hex, payment: Record<string, string>): Promise<void> {
  const { result, change } = await changesDuring(world, from, () => ask(path, { ...payment, ...SECRET }));
  assert.equal(result.status, 200, result.text);
  assert.deepEqual(change, { paid: PRICE_ATOMIC, received: PRICE_ATOMIC, asked: 1, verified: 1, settled: 1 });
  const settlement = JSON.parse(Buffer.from(result.headers.get('payment-response') ?? '', 'base64').toString()) as {
    transaction: Hex;
    payer: string;
  };
  assert.equal(settlement.payer.toLowerCase(), from.toLowerCase());
  const [transfer] = await transfersOf(world, settlement.transaction);
  assert.deepEqual([transfer?.from.toLowerCase(), transfer?.value], [from.toLowerCase(), PRICE_ATOMIC]);
  const again = await changesDuring(world, from, () => ask(path, { ...payment, ...SECRET }));
  assert.equal(again.result.headers.get('payment-replayed'), 'true', again.result.text);
  assert.deepEqual(again.change, { ...NOTHING, verified: 0 }, 'a repeat asks nobody');
}

/** Tries to pay, and nothing moves, nothing is served and nothing is settled. */
async function failsWithoutTrace(
  path: string,
  from: Hex,
  payment: Record<string, string>,
  verified: number,
): Promise<{ status: number; code: string }> {
  const { result, change } = await changesDuring(world, from, () => ask(path, payment));
  assert.deepEqual({ ...change }, { ...NOTHING, verified }, result.text);
  assert.equal(result.status, 402, result.text);
  return { status: result.status, code: result.code };
}

describe('a deployed wallet', () => {
  for (const path of ['/report', '/report-before']) {
    //
    it(`pays for ${path}, and is settled before the origin is asked`, async () => {
      const { owner, address } = await wallet({ deployed: true });
      await paysOnce(path, address, await signed(path, owner, address));
    });
  }

  it('pays when its signature comes wrapped though it is deployed', async () => {
    const { owner, address, deployment } = await wallet({ deployed: true });
    const wrapped = await signed('/report', owner, address, (signature) => serializeErc6492Signature({ ...deployment, signature }));
    await paysOnce('/report', address, wrapped);
  });

  //
  it('is served once for fifty of the same payment', async () => {
    const { owner, address } = await wallet({ deployed: true });
    const payment = await signed('/report', owner, address);
    const { result, change } = await changesDuring(world, address, () =>
      Promise.all(Array.from({ length: 50 }, () => ask('/report', payment))),
    );
    assert.equal(result.filter(({ status }) => status === 200).length, 1);
    for (const { status, text } of result) assert.ok([200, 409, 429].includes(status), text);
    assert.deepEqual({ ...change, verified: 0 }, { paid: PRICE_ATOMIC, received: PRICE_ATOMIC, asked: 1, verified: 0, settled: 1 });
  });

  it('waits with the next payment until the origin has answered the one before', async () => {
    const { owner, address } = await wallet({ deployed: true });
    const [slow, next] = [await signed('/slow?ms=4000', owner, address), await signed('/report', owner, address)];
    const asked = world.origin.requests.length;
    const first = ask('/slow?ms=4000', slow);
    while (world.origin.requests.length === asked) await new Promise((resolve) => setTimeout(resolve, 20));
    const { status, code, text } = await ask('/report', next);
    assert.deepEqual([status, code], [429, 'too_many_in_flight'], text);
    assert.equal((await first).status, 200);
    assert.equal((await ask('/report', next)).status, 200, 'the same payment, later');
  });

  it('has one payment in work at a time', async () => {
    const { owner, address } = await wallet({ deployed: true });
    const payments = await Promise.all(Array.from({ length: 8 }, () => signed('/report', owner, address)));
    const answers = await Promise.all(payments.map((payment) => ask('/report', payment)));
    const served = answers.filter(({ status }) => status === 200).length;
    assert.ok(served >= 1);
    for (const { status, code, text } of answers) {
      assert.ok(status === 200 || code === 'rate_limited' || code === 'too_many_in_flight', text);
    }
    assert.equal(await world.chain.balanceOf(address), 10_000_000n - BigInt(served) * PRICE_ATOMIC);
  });
});

describe('a wallet that is not deployed yet', () => {
  it('is deployed by its first payment, by a factory on the list', async () => {
    const { owner, address, deployment } = await wallet({ deployed: false });
    const wrap = (signature: Hex) => serializeErc6492Signature({ ...deployment, signature });
    await paysOnce('/report', address, await signed('/report', owner, address, wrap));
    assert.notEqual(await world.chain.publicClient.getCode({ address }), undefined);
    await paysOnce('/report-before', address, await signed('/report-before', owner, address));
  });

  //
  it('is refused without a call when another contract is to be called', async () => {
    const { owner, address, deployment } = await wallet({ deployed: false, by: OTHER_FACTORY });
    const wrap = (signature: Hex) => serializeErc6492Signature({ ...deployment, signature });
    const refused = await failsWithoutTrace('/report', address, await signed('/report', owner, address, wrap), 0);
    assert.equal(refused.code, 'signature_invalid');
    assert.equal(await world.chain.publicClient.getCode({ address }), undefined);
  });

  //
  it('is refused when the listed factory stands where no address is', async () => {
    const { owner, address, deployment } = await wallet({ deployed: false });
    const wrap = (signature: Hex) => {
      const body = encodeAbiParameters(
        [{ type: 'uint256' }, { type: 'bytes' }, { type: 'bytes' }],
        [(1n << 160n) + BigInt(deployment.address), deployment.data, signature],
      );
      return concat([body, `0x${'6492'.repeat(16)}`]);
    };
    await failsWithoutTrace('/report', address, await signed('/report', owner, address, wrap), 0);
  });

  //
  it("is refused when the signature inside is nobody's", async () => {
    const { address, deployment, owner } = await wallet({ deployed: false });
    const stranger = privateKeyToAccount(generatePrivateKey());
    const wrap = (signature: Hex) => serializeErc6492Signature({ ...deployment, signature });
    await failsWithoutTrace(
      '/report',
      address,
      await signed('/report', { address: stranger.address, account: stranger }, address, wrap),
      1,
    );
    const junk = (_: Hex) => serializeErc6492Signature({ ...deployment, signature: `0x${'5a'.repeat(65)}` });
    await failsWithoutTrace('/report', address, await signed('/report', owner, address, junk), 1);
    // Not wrapped, a wallet without code has no signature of its own.
    await failsWithoutTrace('/report', address, await signed('/report', owner, address), 1);
  });
});

describe('a payer that is no wallet', () => {
  //
  it('is refused where precompiles live, which answer what they are asked', async () => {
    const account = privateKeyToAccount(generatePrivateKey());
    for (const from of [IDENTITY, pad('0x01', { size: 20 }), pad('0xffff', { size: 20 })] as const) {
      const refused = await failsWithoutTrace('/report', from, await signed('/report', { address: account.address, account }, from), 0);
      assert.equal(refused.code, 'signature_invalid');
    }
  });

  it('is refused when somebody else signed for a wallet, or for an account', async () => {
    const { address } = await wallet({ deployed: true });
    const account = privateKeyToAccount(generatePrivateKey());
    const victim = world.chain.accounts.payers[0]?.address ?? assert.fail();
    for (const from of [address, victim]) {
      await failsWithoutTrace('/report', from, await signed('/report', { address: account.address, account }, from), 1);
    }
  });
});

describe('a network that sends what nobody vouches for', () => {
  it('stops nobody who shares its address, the wallet that it names included', async () => {
    const account = privateKeyToAccount(generatePrivateKey());
    const { address, owner } = await wallet({ deployed: true });
    const forged = await signed('/report', { address: account.address, account }, address);
    const from = { 'cf-connecting-ip': '203.0.113.9' };
    for (let round = 0; round < 12; round += 1) await failsWithoutTrace('/report', address, { ...forged, ...from }, 1);
    const honest = world.chain.accounts.payers[1] ?? assert.fail();
    await paysOnce('/report', honest.address, {
      ...(await signed('/report', { address: honest.address, account: honest as never }, honest.address)),
      ...from,
    });
    await paysOnce('/report', address, { ...(await signed('/report', owner, address)), ...from });
    const failures = await fetch(`${world.gate.url}/_farebox/failures`, { headers: { authorization: `Bearer ${OPERATOR}` } });
    assert.equal(failures.status, 200);
    const { items } = (await failures.json()) as { items: { client: string }[] };
    assert.deepEqual(
      items.filter(({ client }) => client === address.toLowerCase()),
      [],
      'nothing is held against whom a forger names',
    );
  });
});

//
describe('a wallet that misbehaves', () => {
  it('is refused when it burns gas or does not answer', async () => {
    for (const mood of ['burnsGas', 'reverts'] as const) {
      const { owner, address } = await wallet({ deployed: true });
      await setMood(address, mood);
      const { result, change } = await changesDuring(world, address, async () => ask('/report', await signed('/report', owner, address)));
      assert.ok([402, 503].includes(result.status), result.text);
      assert.deepEqual({ ...change, verified: 0 }, { ...NOTHING, verified: 0 }, mood);
    }
  });

  it('is not served when it changes its answer between simulation and transaction', async () => {
    const { owner, address } = await wallet({ deployed: true });
    await setMood(address, 'onlyInSimulation');
    const payment = await signed('/report', owner, address);
    const { result, change } = await changesDuring(world, address, () => ask('/report', payment));
    assert.ok([402, 503].includes(result.status), result.text);
    assert.deepEqual([change.paid, change.received, change.asked], [0n, 0n, 0], 'nothing moved, and the origin was not asked');
  });
});

//
describe('an account that gets or loses code (EIP-7702)', () => {
  const delegateTo = (address: Hex): Hex => concat(['0xef0100', address]);

  it('is not served when code that refuses came between verify and settle', async () => {
    const account = privateKeyToAccount(generatePrivateKey());
    const payer = { address: account.address, account };
    await transact(
      world.chain.token.address,
      encodeFunctionData({ abi: world.chain.token.abi, functionName: 'mint', args: [payer.address, 10_000_000n] }),
    );
    const { address: delegate } = await wallet({ deployed: true });
    const payment = await signed('/slow?ms=2000', payer, payer.address);
    const asked = world.origin.requests.length;
    const answer = ask('/slow?ms=2000', payment);
    while (world.origin.requests.length === asked) await new Promise((resolve) => setTimeout(resolve, 20));
    // Verified, and the origin works: now the account is code that knows another owner.
    await world.chain.rpc('anvil_setCode', [payer.address, delegateTo(delegate)]);
    const { status, text } = await answer;
    assert.ok([402, 503].includes(status), text);
    assert.equal(await world.chain.balanceOf(payer.address), 10_000_000n);
  });

  it('pays with a signature of its code, and not any more when the code is gone', async () => {
    const owner = privateKeyToAccount(generatePrivateKey());
    const { address } = privateKeyToAccount(generatePrivateKey());
    // The owner of the delegate is read from the account's own storage.
    await world.chain.rpc('anvil_setCode', [address, delegateTo((await wallet({ deployed: true })).address)]);
    await world.chain.rpc('anvil_setStorageAt', [address, pad('0x00', { size: 32 }), pad(owner.address, { size: 32 })]);
    await transact(
      world.chain.token.address,
      encodeFunctionData({ abi: world.chain.token.abi, functionName: 'mint', args: [address, 10_000_000n] }),
    );
    const payer = { address: owner.address, account: owner };
    await paysOnce('/report', address, await signed('/report', payer, address));
    const late = await signed('/report', payer, address);
    await world.chain.rpc('anvil_setCode', [address, '0x']);
    await failsWithoutTrace('/report', address, late, 1);
  });
});

//
describe("other spellings of a wallet's payment", () => {
  it('are one payment, or no payment', async () => {
    const { owner, address } = await wallet({ deployed: true });
    const required = await terms('/report');
    const payment = await pay(owner, required, { signed: { from: address } });
    const respelled = (change: (inner: { signature: string; authorization: JsonObject }) => void) => {
      const payload = JSON.parse(payment.json) as { payload: { signature: string; authorization: JsonObject } };
      change(payload.payload);
      const [name, value] = encode(JSON.stringify(payload));
      return { [name]: value };
    };
    const malformed = [
      respelled((inner) => {
        inner.signature = inner.signature.slice(0, -1);
      }),
      respelled((inner) => {
        inner.signature = inner.signature.replace('0x', '0X');
      }),
      respelled((inner) => {
        inner.signature = inner.signature.slice(2);
      }),
      respelled((inner) => {
        inner.signature = `0x${'00'.repeat(4097)}`;
      }),
    ];
    for (const payment of malformed) {
      const { result, change } = await changesDuring(world, address, () => ask('/report', payment));
      assert.equal(result.status, 400, result.text);
      assert.deepEqual(change, { ...NOTHING, verified: 0 });
    }
    for (const longer of [
      respelled((inner) => {
        inner.signature += '00';
      }),
      respelled((inner) => {
        inner.signature += inner.signature.slice(2);
      }),
    ]) {
      await failsWithoutTrace('/report', address, longer, 1);
    }
    await paysOnce('/report', address, { [payment.row[0]]: payment.row[1] });
    const upper = respelled((inner) => {
      inner.signature = `0x${inner.signature.slice(2).toUpperCase()}`;
    });
    const { result, change } = await changesDuring(world, address, () => ask('/report', { ...upper, ...SECRET }));
    assert.equal(result.headers.get('payment-replayed'), 'true', result.text);
    assert.deepEqual(change, { ...NOTHING, verified: 0 });
  });
});
