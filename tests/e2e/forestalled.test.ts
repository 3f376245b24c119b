// A stranger sends a permit first, through a contract whose call says nothing of it: on a real chain, the payment goes on once the node
// shows the calls inside of that transaction, and waits until then.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createWalletClient, encodeFunctionData, http, maxUint256, parseAbi, toHex, type Hex } from 'viem';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { ExactEvmScheme } from '@x402/evm/exact/client';

import { EXACT_PROXY, NETWORK, PERMIT2, readArtefact, startChain, type Chain } from '../../demo/chain.mjs';
import { PRICE, PRICE_ATOMIC } from '../../demo/gate.mjs';
import { startOrigin, type Origin } from '../../demo/origin.mjs';
import { startGate, type Gate } from '../../scripts/miniflare.mjs';
import { get } from '../crash/payments.ts';
import type { Payer } from './clients.ts';
import { countingNode, type CountingNode } from './counting-node.ts';
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
      NETWORK, PAY_TO: chain.accounts.payee.address, FACILITATOR_URL: facilitator.url, ORIGIN_URL: origin.url, RPC_URL: node.url,
      ROUTES: ['after', 'before'].map((settle) => ({ path: `/report/${settle}`, methods: ['GET'], price: PRICE, settle, asset_transfer_method: 'permit2' })),
      RECOVERY: { settle_secs: 2, resend_secs: [1, 2, 4], chain_secs: [1, 2], refund_secs: 60, manual_secs: 600, breaker_secs: 1 },
    },
  });
});
after(async () => {
  await gate?.stop();
  node?.stop();
  for (const part of [facilitator, origin, chain]) await part?.stop();
});

async function send(account: Payer, to: Hex, data: Hex): Promise<void> {
  await chain.rpc('anvil_setBalance', [account.address, '0xde0b6b3a7640000']);
  const wallet = createWalletClient({ account, chain: chain.chain, transport: http(chain.url) });
  const hash = await wallet.sendTransaction({ to, data, gas: 1_000_000n });
  const { status } = await chain.publicClient.waitForTransactionReceipt({ hash });
  assert.equal(status, 'success');
}

interface Permit { from: Hex; permitted: { token: Hex; amount: string }; nonce: string; deadline: string; witness: { to: Hex; validAfter: string } }
interface Message { payload: { signature: Hex; permit2Authorization: Permit }; extensions?: object }

/** A payment that the stock client signs and that is not sent, with a secret of its own. */
async function signed(payer: Payer, path: string): Promise<Message> {
  let header = '';
  const holdsBack: typeof fetch = async (input, init) => {
    const payment = new Request(input, init).headers.get('payment-signature');
    if (payment === null) return fetch(input, init);
    header = payment;
    return new Response('held back');
  };
  await wrapFetchWithPaymentFromConfig(holdsBack, { schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(payer) }] })(`${gate.url}${path}`);
  const message = JSON.parse(Buffer.from(header, 'base64').toString()) as Message;
  return { ...message, extensions: { 'payment-identifier': { info: { required: false, id: 'pay_0123456789abcdef0123456789abcdef' } } } };
}

/** Sends a permit through a contract that has the proxy's data in its own code, so that the call has none. */
async function forestall({ payload: { signature, permit2Authorization: permit } }: Message, stranger: Payer, contract: Hex): Promise<void> {
  const { from, permitted, nonce, deadline, witness } = permit;
  const data = encodeFunctionData({
    abi: readArtefact('ExactPermit2Proxy').abi, functionName: 'settle',
    args: [{ permitted, nonce, deadline }, from, witness, signature],
  }).slice(2);
  const length = toHex(data.length / 2, { size: 2 }).slice(2);
  const code = [
    `61${length}`, '61002c', '6000', '39', // CODECOPY(0, 44, length): the data stands behind the code.
    '6000', '6000', `61${length}`, '6000', '6000', `73${EXACT_PROXY.slice(2)}`, '5a', 'f1', // CALL(gas, proxy, 0, 0, length, 0, 0)
    '00',
  ].join('');
  assert.equal(code.length / 2, 0x2c);
  await chain.rpc('anvil_setCode', [contract, `0x${code}${data}`]);
  await send(stranger, contract, '0x');
  await chain.rpc('anvil_mine', ['0x3']);
}

for (const [place, settle] of ['after', 'before'].entries()) {
  test(`a permit that a stranger sends first waits for a node with tracing, and is then served once (${settle})`, async () => {
    const [payer, stranger] = [chain.accounts.payers[place]!, chain.accounts.payers[7]!];
    const path = `/report/${settle}`;
    await send(payer, chain.token.address, encodeFunctionData({ abi: parseAbi(['function approve(address,uint256)']), args: [PERMIT2, maxUint256] }));
    const funds = await chain.balanceOf(payer.address);
    const message = await signed(payer, path);
    const show = () => get(`${gate.url}${path}`, { 'payment-signature': Buffer.from(JSON.stringify(message)).toString('base64') });
    node.lacks = TRACES;
    node.lacked = 0;
    facilitator.script(payer.address, [async (settles) => {
      await forestall(message, stranger, toHex(0x9d51n + BigInt(place), { size: 20 }));
      return settles();
    }]);

    const waiting = await insist(6, show);
    assert.equal(waiting.status, 503, waiting.text);
    assert.ok(node.lacked > 0);
    assert.equal(funds - await chain.balanceOf(payer.address), PRICE_ATOMIC);

    node.lacks = undefined;
    const served = await insist(20, show);
    assert.equal(served.status, 200, served.text);
    assert.equal(JSON.parse(served.text).report, 'Rainfall, Tuesday');
    assert.equal(origin.requests.filter(({ url }) => url === path).length, 1);
    assert.equal(funds - await chain.balanceOf(payer.address), PRICE_ATOMIC);
  });
}
