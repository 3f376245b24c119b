// The escrow contract of the compute exchange, on a chain.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import {
  type Abi,
  type Address,
  createWalletClient,
  decodeErrorResult,
  encodeErrorResult,
  encodeFunctionData,
  type Hex,
  http,
  numberToHex,
  parseEventLogs,
} from 'viem';

import { type Chain, startChain } from '../../demo/chain.mjs';
import { compile } from '../../demo/token/compile.mjs';

type Artefact = { abi: Abi; bytecode: Hex };
type Account = Chain['accounts']['payer'];

const escrow: Artefact = JSON.parse(readFileSync(new URL('../../contracts/ComputeEscrow.json', import.meta.url), 'utf8'));
const odd: Artefact = JSON.parse(compile('../../tests/e2e/tokens/OddToken'));
const alias: Artefact = JSON.parse(compile('../../tests/e2e/tokens/OddToken', 'Alias'));
const ZERO = '0x0000000000000000000000000000000000000000';
/** In the order of `Manner` in OddToken.sol. */
const MANNERS = ['Honest', 'ReturnsNothing', 'ReturnsFalse', 'ReturnsTwo', 'Reverts', 'MovesNothing', 'TakesFromPayee', 'TakesFromPayer'];
const STEPS = 400;

let chain: Chain;
let gateway: Account, stranger: Account;
let buyer: Address, seller: Address;
before(async () => {
  chain = await startChain();
  gateway = chain.accounts.facilitator;
  stranger = chain.accounts.payers[1]!;
  [buyer, seller] = [chain.accounts.payers[2]!.address, chain.accounts.payers[3]!.address];
});
after(() => chain?.stop());

const word = (number: number) => numberToHex(number, { size: 32 });
const errorData = (errorName: string) => encodeErrorResult({ abi: escrow.abi, errorName });

function wallet(account: Account) {
  return createWalletClient({ account, chain: chain.chain, transport: http(chain.url) });
}

async function deployed({ abi, bytecode }: Artefact, args: unknown[] = []): Promise<Address> {
  const hash = await wallet(gateway).deployContract({ abi, bytecode, args });
  const { contractAddress } = await chain.publicClient.waitForTransactionReceipt({ hash, pollingInterval: 20 });
  assert(contractAddress);
  return contractAddress;
}

/** Sends a call and returns its receipt; the error's name if it would revert. */
async function call(of: Artefact, address: Address, functionName: string, args: unknown[], from: Account = gateway) {
  try {
    await chain.publicClient.simulateContract({ address, abi: of.abi, functionName, args, account: from });
  } catch (error) {
    return nameOf(error);
  }
  const hash = await wallet(from).writeContract({ address, abi: of.abi, functionName, args });
  return chain.publicClient.waitForTransactionReceipt({ hash, pollingInterval: 20 });
}

/** The first of an error and its causes that has a member of this kind. */
function cause<T>(error: unknown, find: (it: Record<string, unknown>) => T | undefined): T | undefined {
  for (let it = error; typeof it === 'object' && it !== null; it = (it as { cause?: unknown }).cause) {
    const found = find(it as Record<string, unknown>);
    if (found !== undefined) return found;
  }
  return undefined;
}

function nameOf(error: unknown): string {
  const name = cause(error, ({ data }) =>
    typeof data === 'string'
      ? decodeErrorResult({ abi: escrow.abi, data: data as Hex }).errorName
      : (data as { errorName?: string } | undefined)?.errorName,
  );
  assert(name !== undefined, String(error));
  return name;
}

async function read<T>(of: Artefact, address: Address, functionName: string, args: unknown[] = []): Promise<T> {
  return (await chain.publicClient.readContract({ address, abi: of.abi, functionName, args })) as T;
}

/** An escrow for the token of the chain, and one of its calls. */
async function plain() {
  const address = await deployed(escrow, [gateway.address, chain.token.address]);
  const does = (name: string, args: unknown[], from = gateway) => call(escrow, address, name, args, from);
  const register = (id: number, amount: bigint, settlement = id) =>
    does('registerFacilitatorPayment', [word(id), buyer, seller, amount, word(settlement)]);
  const mint = (value: bigint) => call(chain.token as unknown as Artefact, chain.token.address, 'mint', [address, value]);
  return { address, does, register, mint };
}

/** An escrow for an odd token. */
async function oddly() {
  const token = await deployed(odd);
  const address = await deployed(escrow, [gateway.address, token]);
  const does = (name: string, args: unknown[]) => call(escrow, address, name, args);
  const behaves = (manner: string) => call(odd, token, 'behave', [MANNERS.indexOf(manner)]);
  const has = (account: Address) => read<bigint>(odd, token, 'balanceOf', [account]);
  await call(odd, token, 'mint', [address, 1_000n]);
  const registered = await does('registerFacilitatorPayment', [word(1), buyer, seller, 500n, word(1)]);
  assert(typeof registered !== 'string', String(registered));
  return { token, address, does, behaves, has };
}

async function succeeds(sent: ReturnType<typeof call>) {
  const receipt = await sent;
  assert(typeof receipt !== 'string', String(receipt));
  return receipt;
}

test('a payment is registered, released and told about in full', async () => {
  const { address, does, register, mint } = await plain();
  await succeeds(mint(5_000n));
  const registered = await succeeds(register(1, 5_000n, 77));
  assert.deepEqual(await read(escrow, address, 'payments', [word(1)]), [buyer, seller, 5_000n, word(77), 1]);
  assert.equal(await read(escrow, address, 'usedSettlementTxHashes', [word(77)]), true);
  assert.equal(await read(escrow, address, 'totalLiabilities'), 5_000n);
  assert.equal(await read(escrow, address, 'gateway'), gateway.address);
  assert.equal(await read(escrow, address, 'paymentToken'), chain.token.address);
  const had = await chain.balanceOf(seller);
  const released = await succeeds(does('release', [word(1)]));
  assert.equal((await chain.balanceOf(seller)) - had, 5_000n);
  assert.equal(await read(escrow, address, 'totalLiabilities'), 0n);
  assert.deepEqual(await read(escrow, address, 'payments', [word(1)]), [buyer, seller, 5_000n, word(77), 2]);
  const events = parseEventLogs({ abi: escrow.abi, logs: [...registered.logs, ...released.logs] });
  assert.deepEqual(
    events.map((event) => ({ ...event }) as { eventName?: string; args?: unknown }).map(({ eventName, args }) => [eventName, args]),
    [
      ['FacilitatorPaymentRegistered', { paymentId: word(1), buyer, seller, amount: 5_000n, settlementTxHash: word(77) }],
      ['PaymentReleased', { paymentId: word(1), seller, amount: 5_000n }],
    ],
  );
});

test('a refund goes to the buyer, and what has left leaves no second time', async () => {
  const { address, does, register, mint } = await plain();
  await succeeds(mint(900n));
  await succeeds(register(1, 400n));
  await succeeds(register(2, 500n));
  const had = await chain.balanceOf(buyer);
  const refunded = await succeeds(does('refund', [word(1)]));
  assert.equal((await chain.balanceOf(buyer)) - had, 400n);
  const [event] = parseEventLogs({ abi: escrow.abi, logs: refunded.logs }) as unknown as { eventName: string; args: unknown }[];
  assert.deepEqual([event!.eventName, event!.args], ['PaymentRefunded', { paymentId: word(1), buyer, amount: 400n }]);
  assert.equal(await does('release', [word(1)]), 'PaymentNotFunded');
  assert.equal(await does('refund', [word(1)]), 'PaymentNotFunded');
  assert.equal(await does('release', [word(3)]), 'PaymentNotFunded');
  assert.equal(await register(1, 1n, 9), 'PaymentAlreadyExists');
  assert.equal(await chain.balanceOf(address), 500n);
});

test('a payment or settlement is registered once, with what is there, and between accounts', async () => {
  const { address, does, register, mint } = await plain();
  await succeeds(mint(1_000n));
  await succeeds(register(1, 600n, 1));
  assert.equal(await register(1, 100n, 2), 'PaymentAlreadyExists');
  assert.equal(await register(2, 100n, 1), 'SettlementAlreadyRegistered');
  assert.equal(await register(2, 401n), 'EscrowBalanceInsufficient');
  assert.equal(await register(2, 2n ** 256n - 1n), 'EscrowBalanceInsufficient');
  assert.equal(await register(2, 0n), 'InvalidAmount');
  const named = (from: Address, to: Address, settlement: Hex) => does('registerFacilitatorPayment', [word(2), from, to, 1n, settlement]);
  assert.equal(await named(ZERO, seller, word(2)), 'InvalidBuyer');
  assert.equal(await named(address, seller, word(2)), 'InvalidBuyer');
  assert.equal(await named(buyer, ZERO, word(2)), 'InvalidSeller');
  assert.equal(await named(buyer, address, word(2)), 'InvalidSeller');
  assert.equal(await named(buyer, seller, word(0)), 'InvalidSettlementTxHash');
  await succeeds(register(2, 400n));
  assert.equal(await read(escrow, address, 'totalLiabilities'), 1_000n);
});

test('only the gateway changes anything', async () => {
  const { does, register, mint } = await plain();
  await succeeds(mint(10n));
  await succeeds(register(1, 5n));
  const calls: [string, unknown[]][] = [
    ['registerFacilitatorPayment', [word(2), buyer, seller, 1n, word(2)]],
    ['release', [word(1)]],
    ['refund', [word(1)]],
    ['sweepNative', [stranger.address, 1n]],
    ['recoverUnsupportedToken', [chain.token.address, stranger.address, 1n]],
    ['recoverExcessPaymentToken', [stranger.address, 1n]],
  ];
  for (const [name, args] of calls) assert.equal(await does(name, args, stranger), 'NotGateway', name);
  const mutators = escrow.abi.filter((it) => it.type === 'function' && it.stateMutability === 'nonpayable');
  assert.deepEqual(mutators.map((it) => 'name' in it && it.name).sort(), calls.map(([name]) => name).sort());
});

test('no escrow is made without a gateway and a token', async () => {
  const made = (args: unknown[]) => deployed(escrow, args).catch(nameOf);
  assert.equal(await made([ZERO, chain.token.address]), 'InvalidGateway');
  assert.equal(await made([gateway.address, ZERO]), 'InvalidPaymentToken');
  assert.equal(await made([gateway.address, stranger.address]), 'InvalidPaymentToken');
});

test('only what no payment covers is recovered', async () => {
  const { address, does, register, mint } = await plain();
  await succeeds(mint(1_000n));
  await succeeds(register(1, 700n));
  const recover = (amount: bigint, to: Address = stranger.address) => does('recoverExcessPaymentToken', [to, amount]);
  assert.equal(await recover(301n), 'EscrowBalanceInsufficient');
  assert.equal(await recover(0n), 'InvalidAmount');
  assert.equal(await recover(1n, ZERO), 'InvalidRecipient');
  assert.equal(await recover(1n, address), 'InvalidRecipient');
  const had = await chain.balanceOf(stranger.address);
  await succeeds(recover(300n));
  assert.equal((await chain.balanceOf(stranger.address)) - had, 300n);
  assert.equal(await recover(1n), 'EscrowBalanceInsufficient');
  await succeeds(does('release', [word(1)]));
});

test('ether is refused, and what was forced in can be taken out', async () => {
  const { address, does } = await plain();
  const rejected = errorData('NativeTransferRejected');
  for (const data of ['0x', '0x12345678'] as const) {
    const params = [{ from: stranger.address, to: address, value: '0x1', data }, 'latest'];
    const error = await chain.rpc('eth_call', params).then(
      () => undefined,
      (it: unknown) => it,
    );
    assert.equal(
      cause(error, (it) => (typeof it.data === 'string' ? it.data : undefined)),
      rejected,
    );
  }
  const empty = '0x00000000000000000000000000000000c0ffee11';
  assert.equal(await does('sweepNative', [empty, 1n]), 'NativeTransferFailed');
  await chain.rpc('anvil_setBalance', [address, '0x64']);
  assert.equal(await does('sweepNative', [ZERO, 1n]), 'InvalidRecipient');
  assert.equal(await does('sweepNative', [empty, 0n]), 'InvalidAmount');
  assert.equal(await does('sweepNative', [address, 1n]), 'InvalidRecipient');
  const swept = await succeeds(does('sweepNative', [empty, 100n]));
  assert.equal(await chain.publicClient.getBalance({ address: empty }), 100n);
  const [event] = parseEventLogs({ abi: escrow.abi, logs: swept.logs }) as unknown as { eventName: string }[];
  assert.equal(event!.eventName, 'NativeSwept');
});

test('a foreign token can be taken out, the payment token by no address', async () => {
  const { token, address, does, has } = await oddly();
  const foreign = await deployed(odd);
  await call(odd, foreign, 'mint', [address, 9n]);
  const recover = (of: Address, amount = 9n) => does('recoverUnsupportedToken', [of, stranger.address, amount]);
  assert.equal(await recover(token), 'CannotRecoverPaymentToken');
  assert.equal(await recover(ZERO), 'InvalidPaymentToken');
  assert.equal(await recover(foreign, 0n), 'InvalidAmount');
  assert.equal(await recover(foreign, 10n), 'TokenTransferFailed');
  assert.equal(await recover(stranger.address), 'TokenTransferFailed');
  assert.equal(await recover(await deployed(alias, [token])), 'CannotRecoverPaymentToken');
  await succeeds(recover(foreign));
  assert.equal(await read<bigint>(odd, foreign, 'balanceOf', [stranger.address]), 9n);
  assert.equal(await has(address), 1_000n);
});

test('a token that returns nothing pays, and one that fails in whatever way moves no state', async () => {
  for (const manner of ['ReturnsFalse', 'ReturnsTwo', 'Reverts', 'MovesNothing', 'TakesFromPayer']) {
    const { address, does, behaves, has } = await oddly();
    await succeeds(behaves(manner));
    for (const way of ['release', 'refund']) assert.equal(await does(way, [word(1)]), 'TokenTransferFailed', manner);
    assert.deepEqual(await read(escrow, address, 'payments', [word(1)]), [buyer, seller, 500n, word(1), 1], manner);
    assert.deepEqual([await read(escrow, address, 'totalLiabilities'), await has(address)], [500n, 1_000n], manner);
    await succeeds(behaves('ReturnsNothing'));
    const had = await has(seller);
    await succeeds(does('release', [word(1)]));
    assert.equal((await has(seller)) - had, 500n, manner);
  }
});

//
test('a token that takes a fee of what arrives costs the escrow no more than the payment', async () => {
  const { address, does, behaves, has } = await oddly();
  await succeeds(behaves('TakesFromPayee'));
  const had = await has(buyer);
  await succeeds(does('refund', [word(1)]));
  assert.deepEqual([await has(address), (await has(buyer)) - had], [500n, 450n]);
});

test('a token that calls back while it moves is refused', async () => {
  const token = await deployed(odd);
  const address = await deployed(escrow, [token, token]);
  const data = (functionName: string, args: unknown[]) => encodeFunctionData({ abi: escrow.abi, functionName, args });
  const act = (functionName: string, args: unknown[]) => succeeds(call(odd, token, 'act', [address, data(functionName, args)]));
  await call(odd, token, 'mint', [address, 1_000n]);
  await act('registerFacilitatorPayment', [word(1), buyer, seller, 400n, word(1)]);
  await act('registerFacilitatorPayment', [word(2), buyer, seller, 400n, word(2)]);
  const inner: [string, unknown[]][] = [
    ['release', [word(2)]],
    ['refund', [word(1)]],
    ['refund', [word(2)]],
    ['recoverExcessPaymentToken', [stranger.address, 200n]],
    ['registerFacilitatorPayment', [word(3), buyer, seller, 400n, word(3)]],
  ];
  const before = await chain.rpc('evm_snapshot', []);
  let snapshot = before;
  for (const [name, args] of inner) {
    await succeeds(call(odd, token, 'callBack', [address, data(name, args)]));
    await act('release', [word(1)]);
    const answer = await read<Hex>(odd, token, 'answer');
    assert.equal(decodeErrorResult({ abi: escrow.abi, data: answer }).errorName, 'Reentrancy', name);
    assert.deepEqual([await read(odd, token, 'balanceOf', [address]), await read(escrow, address, 'totalLiabilities')], [600n, 400n], name);
    await chain.rpc('evm_revert', [snapshot]);
    snapshot = await chain.rpc('evm_snapshot', []);
  }
});

//
test('hundreds of random calls do what a model of balances says, and what is owed is always there', async () => {
  const { address, does, mint } = await plain();
  let state = 20_251_122n;
  const below = (limit: number) => {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) % 2n ** 64n;
    return Number((state >> 33n) % BigInt(limit));
  };
  const people = [buyer, seller, stranger.address] as const;
  const start = await Promise.all(people.map((it) => chain.balanceOf(it)));
  const payments = new Map<number, { from: number; to: number; amount: bigint; state: 'Funded' | 'Released' | 'Refunded' }>();
  const settlements = new Set<number>();
  const got = [0n, 0n, 0n];
  let held = 0n;
  const owed = () => [...payments.values()].reduce((all, it) => (it.state === 'Funded' ? all + it.amount : all), 0n);
  const counts: Record<string, number> = {};
  for (let step = 0; step < STEPS; step += 1) {
    const [id, settlement, from, to, amount] = [below(60), below(60), below(3), below(3), BigInt(below(900))];
    const by = below(12) === 0 ? stranger : gateway;
    const known = payments.get(id);
    const [what, args, expected, effect] = ((): [string, unknown[], string, () => void] => {
      switch (below(5)) {
        case 0: {
          const error =
            amount === 0n
              ? 'InvalidAmount'
              : known
                ? 'PaymentAlreadyExists'
                : settlements.has(settlement)
                  ? 'SettlementAlreadyRegistered'
                  : owed() + amount > held
                    ? 'EscrowBalanceInsufficient'
                    : '';
          const hash = word(settlement + 1);
          return [
            'registerFacilitatorPayment',
            [word(id), people[from], people[to], amount, hash],
            error,
            () => {
              payments.set(id, { from, to, amount, state: 'Funded' });
              settlements.add(settlement);
            },
          ];
        }
        case 1:
        case 2: {
          const way = below(2) === 0 ? 'release' : 'refund';
          return [
            way,
            [word(id)],
            known?.state === 'Funded' ? '' : 'PaymentNotFunded',
            () => {
              known!.state = way === 'release' ? 'Released' : 'Refunded';
              got[way === 'release' ? known!.to : known!.from]! += known!.amount;
              held -= known!.amount;
            },
          ];
        }
        case 3: {
          const error = amount === 0n ? 'InvalidAmount' : owed() + amount > held ? 'EscrowBalanceInsufficient' : '';
          return [
            'recoverExcessPaymentToken',
            [people[to], amount],
            error,
            () => {
              got[to]! += amount;
              held -= amount;
            },
          ];
        }
        default:
          return [
            'mint',
            [],
            '',
            () => {
              held += amount;
            },
          ];
      }
    })();
    const outcome = what === 'mint' ? await mint(amount) : await does(what, args, by);
    const error = what !== 'mint' && by === stranger ? 'NotGateway' : expected;
    assert.equal(typeof outcome === 'string' ? outcome : '', error, `step ${step}: ${what} ${args}`);
    if (error === '') effect();
    counts[`${what} ${error}`] = (counts[`${what} ${error}`] ?? 0) + 1;
    const [balance, liabilities] = await Promise.all([chain.balanceOf(address), read<bigint>(escrow, address, 'totalLiabilities')]);
    assert.deepEqual([balance, liabilities], [held, owed()], `step ${step}`);
    assert(balance >= liabilities);
  }
  const ends = await Promise.all(people.map((it) => chain.balanceOf(it)));
  assert.deepEqual(
    ends.map((end, place) => end - start[place]!),
    got,
  );
  for (const [id, payment] of payments) {
    const row = await read<unknown[]>(escrow, address, 'payments', [word(id)]);
    assert.equal(row[4], ['None', 'Funded', 'Released', 'Refunded'].indexOf(payment.state));
  }
  // Each way to go wrong was met.
  assert(Object.keys(counts).length >= 14, JSON.stringify(counts));
});
