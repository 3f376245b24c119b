// Payers by Permit2 who have no gas: the stock client and the package sign a permit of the token beside the payment, and the reference
// facilitator submits both.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { UptoEvmScheme } from '@x402/evm/upto/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { createWalletClient, type Hex, http, parseAbi } from 'viem';

import { account, NETWORK, PERMIT2 } from '../../demo/chain.mjs';
import { PRICE, PRICE_ATOMIC } from '../../demo/gate.mjs';
import { payingFetch as payingFetchOfPackage, receiptOf, wrapFetch } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { memoryStore } from '../../pkg/dist/store.js';
import { sharedWorld } from '../support/suite.ts';
import { type Payer, settlementOf } from './clients.ts';
import { changesDuring, startWorld, transfersOf } from './world.ts';

const PERMIT = { price: PRICE, asset_transfer_method: 'permit2', gas_sponsoring: true };
const ROUTES = [
  { path: '/report-sponsored', ...PERMIT },
  { path: '/report-sponsored-before', settle: 'before', ...PERMIT },
  { path: '/report-sponsored-sure', confirm: 'chain', ...PERMIT },
  { path: '/report-unsponsored', ...PERMIT, gas_sponsoring: false },
  { path: '/report-metered', price: PRICE, unit_price: '$0.001', gas_sponsoring: true },
];

const world = sharedWorld(() =>
  startWorld({
    readsChain: true,
    routes: ROUTES.map((route) => ({ ...route, methods: ['GET'] })),
    extra: { [NETWORK]: { facilitatorAddress: account(0).address } },
  }),
);

const APPROVE = parseAbi(['function approve(address spender, uint256 value) returns (bool)']);

/** Extensions of a payment or of a 402. */
type Extended = { extensions?: Record<string, { info: Record<string, string> }>; payload: Record<string, unknown> };

const decoded = (header: string | null) => JSON.parse(Buffer.from(header ?? '', 'base64').toString()) as Extended;
const encoded = (message: Extended) => Buffer.from(JSON.stringify(message)).toString('base64');

function payingFetch(payer: Payer, base: typeof fetch = fetch) {
  const node = { rpcUrl: world.chain.url };
  const schemes = [new ExactEvmScheme(payer, node), new UptoEvmScheme(payer, node)];
  return wrapFetchWithPaymentFromConfig(base, { schemes: schemes.map((client) => ({ network: 'eip155:*' as const, client })) });
}

/** A payment that the stock client signs, which is not sent. */
async function signed(payer: Payer, path: string): Promise<Extended> {
  let payment: string | null = null;
  const holdsBack: typeof fetch = async (input, init) => {
    payment = new Request(input, init).headers.get('payment-signature');
    return payment === null ? fetch(input, init) : new Response('held back');
  };
  await payingFetch(payer, holdsBack)(`${world.gate.url}${path}`);
  return decoded(payment);
}

const show = (path: string, payment: Extended) => fetch(`${world.gate.url}${path}`, { headers: { 'payment-signature': encoded(payment) } });

async function gasOf(payer: Payer): Promise<bigint> {
  await world.chain.rpc('anvil_setBalance', [payer.address, '0x0']);
  return world.chain.publicClient.getBalance({ address: payer.address });
}

async function allowanceOf(owner: Hex): Promise<bigint> {
  const { address, abi } = world.chain.token;
  return (await world.chain.publicClient.readContract({ address, abi, functionName: 'allowance', args: [owner, PERMIT2] })) as bigint;
}

for (const [index, path] of ['/report-sponsored', '/report-sponsored-before', '/report-sponsored-sure'].entries()) {
  test(`a payer without gas and without an allowance pays ${path}, and pays it again`, async () => {
    const payer = world.chain.accounts.payers[index]!;
    assert.equal(await gasOf(payer), 0n);
    for (const turn of [1, 2]) {
      assert.equal(await allowanceOf(payer.address), 0n);
      const { result, change } = await changesDuring(world, payer.address, () => payingFetch(payer)(`${world.gate.url}${path}`));
      assert.equal(result.status, 200, `${turn}: ${await result.clone().text()}`);
      assert.deepEqual([change.paid, change.received, change.settled], [PRICE_ATOMIC, PRICE_ATOMIC, 1]);
      const { transaction } = settlementOf(result.headers, 2);
      const { payee } = world.chain.accounts;
      assert.deepEqual(await transfersOf(world, transaction), [{ from: payer.address, to: payee.address, value: PRICE_ATOMIC }]);
    }
  });
}

test('a payer without gas pays a price that is known afterwards', async () => {
  const payer = world.chain.accounts.payers[3]!;
  await gasOf(payer);
  const { result, change } = await changesDuring(world, payer.address, () => payingFetch(payer)(`${world.gate.url}/report-metered`));
  assert.equal(result.status, 200, await result.clone().text());
  assert.equal(change.settled, 1);
  assert.ok(change.paid > 0n && change.paid <= PRICE_ATOMIC, String(change.paid));
});

test('a route that sponsors nothing announces nothing, and passes no permit on', async () => {
  const payer = world.chain.accounts.payers[4]!;
  const announced = async (path: string) =>
    Object.keys(decoded((await fetch(`${world.gate.url}${path}`)).headers.get('payment-required')).extensions ?? {});
  assert.ok((await announced('/report-sponsored')).includes('eip2612GasSponsoring'));
  assert.ok(!(await announced('/report-unsponsored')).includes('eip2612GasSponsoring'));
  const { extensions } = await signed(payer, '/report-sponsored');
  const bare = await signed(payer, '/report-unsponsored');
  const { result, change } = await changesDuring(world, payer.address, () =>
    show('/report-unsponsored', { ...bare, extensions: extensions! }),
  );
  assert.equal(result.status, 402);
  assert.equal(change.paid, 0n);
});

test('one payment with a permit is served once, whatever permit stands beside it the next time', async () => {
  const payer = world.chain.accounts.payers[5]!;
  const payment = await signed(payer, '/report-sponsored');
  const other = await signed(payer, '/report-sponsored');
  const swapped = { ...payment, extensions: other.extensions! };
  const { result, change } = await changesDuring(world, payer.address, () =>
    Promise.all([payment, swapped, payment, swapped].map((it) => show('/report-sponsored', it))),
  );
  assert.equal(result.filter(({ status }) => status === 200).length, 1, result.map(({ status }) => status).join());
  assert.equal(change.paid, PRICE_ATOMIC);
  assert.notEqual((await show('/report-sponsored-before', payment)).status, 200);
});

test('a permit that is wrong, of another payer or of another shape moves nothing', async () => {
  const [payer, stranger] = [world.chain.accounts.payers[6]!, world.chain.accounts.payers[7]!];
  const payment = await signed(payer, '/report-sponsored');
  const { info } = payment.extensions!['eip2612GasSponsoring']!;
  const strangers = (await signed(stranger, '/report-sponsored')).extensions!['eip2612GasSponsoring']!.info;
  const wrong: Record<string, string>[] = [
    strangers,
    { ...info, signature: strangers['signature']! },
    { ...info, amount: `${info['amount']}0` },
    { ...info, spender: stranger.address },
    { ...info, signature: '0x00' },
    { ...info, nonce: 'x'.repeat(5_000) },
    {},
  ];
  const { result, change } = await changesDuring(world, payer.address, async () => {
    const statuses: number[] = [];
    for (const permit of wrong) {
      const shown = { ...payment, extensions: { eip2612GasSponsoring: { info: permit } } };
      statuses.push((await show('/report-sponsored', shown)).status);
    }
    return statuses;
  });
  assert.deepEqual(
    result,
    wrong.map(() => 402),
  );
  assert.equal(change.paid, 0n);
  assert.equal(await allowanceOf(stranger.address), 0n);
  // The payment itself is as good as before.
  assert.equal((await show('/report-sponsored', payment)).status, 200);
});

/** A payer whose signatures are listed by what they are of. */
function listed(payer: Payer): { signer: Payer; types: string[] } {
  const types: string[] = [];
  const signTypedData: Payer['signTypedData'] = (data) => {
    types.push(data.primaryType);
    return payer.signTypedData(data);
  };
  return { signer: { ...payer, signTypedData }, types };
}

const BOTH = ['Permit', 'PermitWitnessTransferFrom'];
const POLICY = { permit2: true, upto: '0.01' };
const nodes = (url = world.chain.url) => ({ [NETWORK]: url });

for (const [index, path] of ['/report-sponsored', '/report-sponsored-before', '/report-sponsored-sure', '/report-metered'].entries()) {
  test(`the package pays ${path} without gas and without an allowance, where it is given a node`, async () => {
    const payer = world.chain.accounts.payers[index]!;
    await gasOf(payer);
    const { signer, types } = listed(payer);
    const paying = payingFetchOfPackage({ signer, policy: POLICY, nodes: nodes() });
    for (const _ of [1, 2]) {
      const { result, change } = await changesDuring(world, payer.address, () => paying(`${world.gate.url}${path}`));
      assert.equal(result.status, 200, await result.clone().text());
      assert.equal(change.settled, 1);
      assert.ok(change.paid > 0n && change.paid <= PRICE_ATOMIC, String(change.paid));
      assert.equal(receiptOf(result)?.amount, String(change.paid));
    }
    // What a price that is known afterwards has left of the allowance is too little for the next one.
    assert.deepEqual(types, [...BOTH, ...BOTH]);
  });
}

//
test('payments of one process at once sign one allowance after the other, and each is charged', async () => {
  const payer = world.chain.accounts.payers[7]!;
  const { signer, types } = listed(payer);
  const paying = payingFetchOfPackage({ signer, policy: POLICY, nodes: nodes() });
  const { result, change } = await changesDuring(world, payer.address, () =>
    Promise.all(['/report-sponsored', '/report-sponsored-before', '/report-sponsored'].map((path) => paying(`${world.gate.url}${path}`))),
  );
  assert.deepEqual(
    result.map(({ status }) => status),
    [200, 200, 200],
  );
  assert.deepEqual([change.paid, types.length], [3n * PRICE_ATOMIC, 6]);
});

test('the package signs the payment alone where the allowance is enough', async () => {
  const payer = world.chain.accounts.payers[4]!;
  await world.chain.rpc('anvil_setBalance', [payer.address, '0xde0b6b3a7640000']);
  const wallet = createWalletClient({ account: payer, chain: world.chain.chain, transport: http(world.chain.url) });
  const { address } = world.chain.token;
  const hash = await wallet.writeContract({ address, abi: APPROVE, functionName: 'approve', args: [PERMIT2, PRICE_ATOMIC] });
  await world.chain.publicClient.waitForTransactionReceipt({ hash });
  const { signer, types } = listed(payer);
  const paying = payingFetchOfPackage({ signer, policy: POLICY, nodes: nodes() });
  const { result, change } = await changesDuring(world, payer.address, () => paying(`${world.gate.url}/report-sponsored`));
  assert.equal(result.status, 200, await result.clone().text());
  assert.deepEqual([types, change.paid], [['PermitWitnessTransferFrom'], PRICE_ATOMIC]);
});

test('a seller that takes an allowance and never answers holds up no other payment for longer than it is sent again', async () => {
  const payer = world.chain.accounts.payers[5]!;
  const over = new AbortController();
  const hangs: typeof fetch = async (input, init) => {
    const { url, headers } = new Request(input, init);
    if (!url.endsWith('?hangs') || headers.get('payment-signature') === null) return fetch(input, init);
    return new Promise((_, reject) => over.signal.addEventListener('abort', () => reject(new TypeError('the connection broke off'))));
  };
  const paying = wrapFetch(hangs, { signer: payer, policy: { ...POLICY, deadlineSecs: 1 }, nodes: nodes() });
  const stuck = paying(`${world.gate.url}/report-sponsored?hangs`).catch((error: unknown) => error);
  const { result, change } = await changesDuring(world, payer.address, () => paying(`${world.gate.url}/report-sponsored`));
  assert.equal(result.status, 200, await result.clone().text());
  assert.equal(change.paid, PRICE_ATOMIC);
  over.abort();
  assert.equal(((await stuck) as { code?: string }).code, 'payment_unresolved');
});

//
test('payments that have waited for one that never ends sign one allowance after the other', async () => {
  const payer = world.chain.accounts.payers[5]!;
  const over = new AbortController();
  const numbers: unknown[] = [];
  const signer = {
    address: payer.address,
    signTypedData: (typedData: Parameters<typeof payer.signTypedData>[0]) => {
      if (typedData.primaryType === 'Permit') numbers.push((typedData.message as { nonce: unknown }).nonce);
      if (numbers.length > 1) return payer.signTypedData(typedData);
      return new Promise<never>((_, reject) => over.signal.addEventListener('abort', () => reject(new TypeError('refused'))));
    },
  };
  const paying = payingFetchOfPackage({ signer, policy: { ...POLICY, deadlineSecs: 2 }, nodes: nodes() });
  const stuck = paying(`${world.gate.url}/report-sponsored?first`).catch((error: unknown) => error);
  while (numbers.length === 0) await setTimeout(10);
  const { result, change } = await changesDuring(world, payer.address, () =>
    Promise.all([1, 2, 3].map((page) => paying(`${world.gate.url}/report-sponsored?${page}`))),
  );
  assert.deepEqual(
    result.map(({ status }) => status),
    [200, 200, 200],
  );
  const [first, ...others] = numbers.map(Number);
  assert.deepEqual([change.paid, others], [3n * PRICE_ATOMIC, [0, 1, 2].map((more) => (first ?? 0) + more)]);
  over.abort();
  assert.equal(((await stuck) as { code?: string }).code, 'wallet_failed');
});

test('a wallet that does not answer holds up no other payment for longer', async () => {
  const payer = world.chain.accounts.payers[5]!;
  const over = new AbortController();
  let asked = 0;
  const signer = {
    address: payer.address,
    signTypedData: (typedData: Parameters<typeof payer.signTypedData>[0]) => {
      asked += 1;
      if (asked > 1) return payer.signTypedData(typedData);
      return new Promise<never>((_, reject) => over.signal.addEventListener('abort', () => reject(new TypeError('refused'))));
    },
  };
  const paying = payingFetchOfPackage({ signer, policy: { ...POLICY, deadlineSecs: 1 }, nodes: nodes() });
  const stuck = paying(`${world.gate.url}/report-sponsored?first`).catch((error: unknown) => error);
  while (asked === 0) await setTimeout(10);
  const { result, change } = await changesDuring(world, payer.address, () => paying(`${world.gate.url}/report-sponsored`));
  assert.equal(result.status, 200, await result.clone().text());
  assert.equal(change.paid, PRICE_ATOMIC);
  over.abort();
  assert.equal(((await stuck) as { code?: string }).code, 'wallet_failed');
});

test('a node is named by a URL for each network, and by nothing else', () => {
  const signer = world.chain.accounts.payers[5]!;
  for (const wrong of [
    ['https://a.example'],
    { base: 'https://a.example' },
    { 'eip155:1': 'a.example' },
    { 'eip155:1': 'https://key@a.example' },
  ])
    assert.throws(() => payingFetchOfPackage({ signer, nodes: wrong as never }), { code: 'invalid_options' }, JSON.stringify(wrong));
});

test('without an announcement or without a node that answers, the package signs no allowance, and says what is missing', async () => {
  const payer = world.chain.accounts.payers[5]!;
  for (const [path, node] of [
    ['/report-unsponsored', world.chain.url],
    ['/report-sponsored', 'http://127.0.0.1:9/'],
    ['/report-sponsored-before', `${world.gate.url}/nowhere`],
  ] as const) {
    const { signer, types } = listed(payer);
    const paying = payingFetchOfPackage({ signer, policy: POLICY, nodes: nodes(node) });
    const { change } = await changesDuring(world, payer.address, () =>
      assert.rejects(paying(`${world.gate.url}${path}`), { code: 'allowance_missing', signed: true }, path),
    );
    assert.deepEqual([types, change.paid], [['PermitWitnessTransferFrom'], 0n], path);
  }
});

test('a payment whose answer was lost is sent again with its permit by another process, and charged once', async () => {
  const payer = world.chain.accounts.payers[6]!;
  const store = memoryStore();
  const { signer, types } = listed(payer);
  const sent: (string | null)[] = [];
  const loses: typeof fetch = async (input, init) => {
    const payment = new Request(input, init).headers.get('payment-signature');
    if (payment !== null) sent.push(payment);
    const answer = await fetch(input, init);
    if (payment === null || sent.length > 1) return answer;
    throw new TypeError('the answer is lost');
  };
  const url = `${world.gate.url}/report-sponsored`;
  const abort = new AbortController();
  const { result, change } = await changesDuring(world, payer.address, async () => {
    const stops: typeof fetch = (input, init) =>
      loses(input, init).catch((error: unknown) => {
        abort.abort();
        throw error;
      });
    const first = wrapFetch(stops, { signer, policy: POLICY, nodes: nodes(), store, resume });
    await assert.rejects(first(url, { signal: abort.signal }), { code: 'aborted', signed: true });
    // Made anew from the record of the store, without a node.
    return wrapFetch(loses, { signer, policy: POLICY, store, resume })(url);
  });
  assert.equal(result.status, 200, await result.clone().text());
  assert.equal(change.paid, PRICE_ATOMIC);
  assert.deepEqual(types, BOTH);
  assert.equal(sent.length, 2);
  assert.equal(sent[0], sent[1]);
});
