// A stranger sends a permit first, through a contract whose call says nothing of it: on a real chain, the payment goes on once the node
// shows the calls inside of that transaction, and waits until then.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { createWalletClient, encodeFunctionData, type Hex, http, maxUint256, parseAbi, toHex } from 'viem';

import { type Chain, EXACT_PROXY, NETWORK, PERMIT2, readArtefact, startChain } from '../../demo/chain.mjs';
import { PRICE, PRICE_ATOMIC } from '../../demo/gate.mjs';
import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { type Gate, startGate } from '../../scripts/miniflare.mjs';
import { get } from '../crash/payments.ts';
import type { Payer } from './clients.ts';
import { type CountingNode, countingNode } from './counting-node.ts';
import { insist } from './faulty-world.ts';
import { startTwisted, type TwistedFacilitator } from './twisted.ts';

const TRACES = 'debug_traceTransaction';
let chain: Chain;
let origin: Origin;
let facilitator: TwistedFacilitator;
let node: CountingNode;
let gate: Gate;
before(async () => {
  chain = await startChain();
  origin = await startOrigin();
  facilitator = await startTwisted(chain);
  node = await countingNode(chain.url);
  gate = await startGate({
    build: process.env['FAREBOX_BUILD'] ?? 'build',
    vars: {
      NETWORK,
      PAY_TO: chain.accounts.payee.address,
      FACILITATOR_URL: facilitator.url,
      ORIGIN_URL: origin.url,
      RPC_URL: node.url,
      ROUTES: ['after', 'before'].map((settle) => ({
        path: `/report/${settle}`,
        methods: ['GET'],
        price: PRICE,
        settle,
        asset_transfer_method: 'permit2',
      })),
      RECOVERY: { settle_secs: 2, resend_secs: [1, 2, 4], chain_secs: [1, 2], refund_secs: 60, manual_secs: 600, breaker_secs: 1 },
    },
  });
});
after(async () => {
  await gate?.stop();
  node?.stop();
  for (const part of [facilitator, origin, chain]) await part?.stop();
});

/** Sends a transaction of this account; its hash. */
async function transact(account: Payer, to: Hex, data: Hex): Promise<Hex> {
  await chain.rpc('anvil_setBalance', [account.address, '0xde0b6b3a7640000']);
  return createWalletClient({ account, chain: chain.chain, transport: http(chain.url) }).sendTransaction({ to, data, gas: 1_000_000n });
}

/** The same, in a block. */
async function send(account: Payer, to: Hex, data: Hex): Promise<void> {
  const { status } = await chain.publicClient.waitForTransactionReceipt({ hash: await transact(account, to, data) });
  assert.equal(status, 'success');
}

interface Permit {
  from: Hex;
  permitted: { token: Hex; amount: string };
  nonce: string;
  deadline: string;
  witness: { to: Hex; validAfter: string };
}
interface Message {
  payload: { signature: Hex; permit2Authorization: Permit };
  extensions?: object;
}

/** A payment that the stock client signs and that is not sent, with a secret of its own. */
async function signed(payer: Payer, path: string): Promise<Message> {
  let header = '';
  const holdsBack: typeof fetch = async (input, init) => {
    const payment = new Request(input, init).headers.get('payment-signature');
    if (payment === null) return fetch(input, init);
    header = payment;
    return new Response('held back');
  };
  await wrapFetchWithPaymentFromConfig(holdsBack, { schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(payer) }] })(
    `${gate.url}${path}`,
  );
  const message = JSON.parse(Buffer.from(header, 'base64').toString()) as Message;
  return { ...message, extensions: { 'payment-identifier': { info: { required: false, id: 'pay_0123456789abcdef0123456789abcdef' } } } };
}

/** The data by which x402's proxy settles a permit. */
function settling({ payload: { signature, permit2Authorization: permit } }: Message): Hex {
  const { from, permitted, nonce, deadline, witness } = permit;
  return encodeFunctionData({
    abi: readArtefact('ExactPermit2Proxy').abi,
    functionName: 'settle',
    args: [{ permitted, nonce, deadline }, from, witness, signature],
  });
}

const STOP = '00';
const REVERT = '60006000fd';

/** Places a contract that makes these calls with the data in its own code, whether or not they fail, and ends so. */
async function place(contract: Hex, calls: readonly { to: Hex; data: Hex }[], end: string): Promise<void> {
  const word = (number: number) => toHex(number, { size: 2 }).slice(2);
  let at = calls.length * 44 + end.length / 2;
  const code = calls.map(({ to, data }) => {
    const length = word(data.length / 2 - 1);
    const from = word(at);
    at += data.length / 2 - 1;
    // CODECOPY(0, from, length), CALL(gas, to, 0, 0, length, 0, 0), POP
    return `61${length}61${from}600039` + `6000600061${length}6000600073${to.slice(2)}5af1` + '50';
  });
  await chain.rpc('anvil_setCode', [contract, `0x${code.join('')}${end}${calls.map(({ data }) => data.slice(2)).join('')}`]);
}

/** A payer whose tokens Permit2 may move, and a stranger. */
async function accounts(index: number): Promise<{ payer: Payer; stranger: Payer }> {
  const [payer, stranger] = [chain.accounts.payers[index]!, chain.accounts.payers[7]!];
  await send(
    payer,
    chain.token.address,
    encodeFunctionData({ abi: parseAbi(['function approve(address,uint256)']), args: [PERMIT2, maxUint256] }),
  );
  return { payer, stranger };
}

const show = (path: string, message: Message) =>
  get(`${gate.url}${path}`, { 'payment-signature': Buffer.from(JSON.stringify(message)).toString('base64') });

for (const [index, settle] of ['after', 'before'].entries()) {
  //
  test(`a permit that a stranger sends first waits for a node with tracing, and is then served once (${settle})`, async () => {
    const { payer, stranger } = await accounts(index);
    const path = `/report/${settle}`;
    const funds = await chain.balanceOf(payer.address);
    const message = await signed(payer, path);
    node.lacks = TRACES;
    node.methods.clear();
    facilitator.script(payer.address, [
      async (settles) => {
        const contract = toHex(0x9d51n + BigInt(index), { size: 20 });
        await place(contract, [{ to: EXACT_PROXY, data: settling(message) }], STOP);
        await send(stranger, contract, '0x');
        await chain.rpc('anvil_mine', ['0x3']);
        return settles();
      },
    ]);

    const waiting = await insist(6, () => show(path, message));
    assert.equal(waiting.status, 503, waiting.text);
    assert.ok(node.methods.has(TRACES));
    assert.equal(funds - (await chain.balanceOf(payer.address)), PRICE_ATOMIC);

    node.lacks = undefined;
    const served = await insist(20, () => show(path, message));
    assert.equal(served.status, 200, served.text);
    assert.equal(JSON.parse(served.text).report, 'Rainfall, Tuesday');
    assert.equal(origin.requests.filter(({ url }) => url === path).length, 1);
    assert.equal(funds - (await chain.balanceOf(payer.address)), PRICE_ATOMIC);
  });
}

//
test('a payer who ends one nonce and pays once by another one in the same block is served nothing for the first', async () => {
  const { payer, stranger } = await accounts(2);
  const path = '/report/before';
  const [funds, asked] = [await chain.balanceOf(payer.address), origin.requests.length];
  const [vain, other] = [await signed(payer, path), await signed(payer, path)];
  node.lacks = undefined;
  node.methods.clear();
  facilitator.script(payer.address, [
    async (settles) => {
      // The call for the first permit takes effect and is taken back; the one for the second stays.
      const [inner, outer] = [toHex(0x9d61n, { size: 20 }), toHex(0x9d62n, { size: 20 })];
      await place(inner, [{ to: EXACT_PROXY, data: settling(vain) }], REVERT);
      await place(
        outer,
        [
          { to: inner, data: '0x' },
          { to: EXACT_PROXY, data: settling(other) },
        ],
        STOP,
      );
      const nonce = BigInt(vain.payload.permit2Authorization.nonce);
      const ends = encodeFunctionData({
        abi: parseAbi(['function invalidateUnorderedNonces(uint256,uint256)']),
        args: [nonce >> 8n, 1n << (nonce & 0xffn)],
      });
      await chain.rpc('evm_setAutomine', [false]);
      const hashes = [await transact(stranger, outer, '0x'), await transact(payer, PERMIT2, ends)];
      await chain.rpc('anvil_mine', ['0x1']);
      await chain.rpc('evm_setAutomine', [true]);
      const receipts = await Promise.all(hashes.map((hash) => chain.publicClient.getTransactionReceipt({ hash })));
      assert.deepEqual(
        receipts.map(({ status, blockNumber }) => [status, blockNumber]),
        receipts.map(() => ['success', receipts[0]!.blockNumber]),
      );
      await chain.rpc('anvil_mine', ['0x3']);
      return settles();
    },
  ]);
  const answer = await insist(8, () => show(path, vain));
  assert.equal(answer.status, 503, answer.text);
  assert.ok(node.methods.has(TRACES));
  assert.equal(funds - (await chain.balanceOf(payer.address)), PRICE_ATOMIC);
  assert.equal(origin.requests.length, asked);
});
