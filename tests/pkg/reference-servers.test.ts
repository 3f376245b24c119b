// The package pays the reference servers as they come, of both versions, with each signer, on a real chain.

import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';

import { serve } from '@hono/node-server';
import { HTTPFacilitatorClient } from '@x402/core/server';
import { ExactEvmScheme } from '@x402/evm/exact/server';
import { UptoEvmScheme } from '@x402/evm/upto/server';
import { declareEip2612GasSponsoringExtension } from '@x402/extensions';
import { paymentMiddleware, setSettlementOverrides, x402ResourceServer } from '@x402/hono';
import { Hono } from 'hono';
import { createWalletClient, erc20Abi, type Hex, http } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { paymentMiddleware as paymentMiddlewareV1 } from 'x402-hono';

import { type Chain, NETWORK, NETWORK_V1, PERMIT2, startChain } from '../../demo/chain.mjs';
import { type Facilitator, startFacilitator } from '../../demo/facilitator.mjs';
import { FareboxError, payingFetch, receiptOf, type Signer } from '../../pkg/dist/index.js';
import { transfersOf, type World } from '../e2e/world.ts';
import { GOODS } from './shop.ts';
import { SIGNERS } from './signers.ts';

type Shop = { readonly url: string; stop(): Promise<void> };

let chain: Chain;
let facilitator: Facilitator;
const shops: Partial<Record<1 | 2, Shop>> = {};
before(async () => {
  chain = await startChain();
  facilitator = await startFacilitator({ chain });
  shops[1] = await open(version1());
  shops[2] = await open(version2());
});
after(async () => {
  for (const part of [shops[1], shops[2], facilitator, chain]) await part?.stop();
});

/** `@x402/hono` as its documentation sets it up. */
function version2(): Hono {
  const app = new Hono();
  const offer = (price: string, extra?: Record<string, unknown>) =>
    ({ scheme: 'exact', network: NETWORK, payTo: chain.accounts.payee.address, price, ...(extra === undefined ? {} : { extra }) }) as const;
  const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitator.url }))
    .register(NETWORK, new ExactEvmScheme())
    .register(NETWORK, new UptoEvmScheme());
  app.use(
    paymentMiddleware(
      {
        'GET /report': { accepts: offer('$0.01'), description: 'One weather report' },
        'GET /report-before': { accepts: offer('$0.01', { paymentFlow: 'upfront' }), description: 'One weather report' },
        'POST /report': { accepts: [offer('$0.03'), offer('$0.02')], description: 'One weather report' },
        'GET /permit': { accepts: offer('$0.01', { assetTransferMethod: 'permit2' }), description: 'One weather report' },
        'GET /sponsored': {
          accepts: offer('$0.01', { assetTransferMethod: 'permit2' }),
          description: 'One weather report',
          extensions: declareEip2612GasSponsoringExtension(),
        },
        'GET /counted/:units': { accepts: { ...offer('$0.01'), scheme: 'upto' }, description: 'As many reports as there are' },
        'GET /dear': { accepts: offer('$5'), description: 'Gold' },
      },
      server,
    ),
  );
  app.get('/counted/:units', (c) => {
    setSettlementOverrides(c, { amount: c.req.param('units') });
    return c.text(GOODS);
  });
  return answering(app);
}

/** `x402-hono` as its documentation sets it up. */
function version1(): Hono {
  const app = new Hono();
  app.use(
    paymentMiddlewareV1(
      chain.accounts.payee.address,
      {
        'GET /report': { price: '$0.01', network: NETWORK_V1 },
        'POST /report': { price: '$0.02', network: NETWORK_V1 },
        'GET /dear': { price: '$5', network: NETWORK_V1 },
      },
      { url: facilitator.url as `http://${string}` },
    ),
  );
  return answering(app);
}

function answering(app: Hono): Hono {
  app.get('*', (c) => c.text(GOODS));
  app.post('*', async (c) => c.text(`${GOODS}: ${await c.req.text()}`));
  return app;
}

async function open({ fetch }: Hono): Promise<Shop> {
  const server = serve({ fetch, hostname: '127.0.0.1', port: 0 }) as Server;
  if (!server.listening)
    await new Promise((resolve) => {
      server.once('listening', resolve);
    });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** One purchase, and what it moved. */
async function buy(version: 1 | 2, path: string, signer: (typeof SIGNERS)[string], init?: RequestInit) {
  const account = chain.accounts.payer;
  const had = await chain.balanceOf(account.address);
  const settled = facilitator.counts.settle;
  const response = await payingFetch({ signer: signer(account, chain) })(`${shops[version]?.url}${path}`, init);
  const text = await response.text();
  return { response, text, paid: had - (await chain.balanceOf(account.address)), settled: facilitator.counts.settle - settled };
}

async function assertReceipt(response: Response, value: bigint): Promise<void> {
  const receipt = receiptOf(response);
  assert.ok(receipt);
  const { payer, payee } = chain.accounts;
  assert.deepEqual([receipt.payer, receipt.payTo, receipt.amount, receipt.signedBy], [payer.address, payee.address, String(value), null]);
  const transfers = await transfersOf({ chain } as World, receipt.transaction as Hex);
  assert.deepEqual(transfers, [{ from: payer.address, to: payee.address, value }]);
}

const PATHS = { 1: ['/report'], 2: ['/report', '/report-before'] } as const;

for (const version of [2, 1] as const) {
  describe(version === 2 ? '@x402/hono 2.27' : 'x402-hono 1.1', () => {
    for (const [name, signer] of Object.entries(SIGNERS)) {
      for (const path of PATHS[version]) {
        test(`${name} pays ${path} once, and the receipt names the transfer`, async () => {
          const { response, text, paid, settled } = await buy(version, path, signer);
          assert.deepEqual([response.status, text, paid, settled], [200, GOODS, 10_000n, 1], text);
          await assertReceipt(response, 10_000n);
        });
      }
    }

    test('a body goes along with the payment, and the cheapest of the offers is paid', async () => {
      const { response, text, paid } = await buy(version, '/report', SIGNERS['a key inside'] ?? assert.fail(), {
        method: 'POST',
        body: 'Tuesday',
      });
      assert.deepEqual([response.status, text, paid], [200, `${GOODS}: Tuesday`, 20_000n], text);
      await assertReceipt(response, 20_000n);
    });

    test('a price above the cap is not signed', async () => {
      const nobody: Signer = { address: async () => chain.accounts.payer.address, sign: async () => assert.fail('signed') };
      await assert.rejects(
        buy(version, '/dear', () => nobody),
        (error) => error instanceof FareboxError && error.code === 'policy_amount' && !error.signed,
      );
    });

    test('an empty wallet is told apart from a payment: nothing moves, insufficient_funds', async () => {
      const empty = SIGNERS['a key inside']?.({ ...chain.accounts.payer, privateKey: `0x${'77'.repeat(32)}` }, chain) ?? assert.fail();
      const settled = facilitator.counts.settle;
      await assert.rejects(
        payingFetch({ signer: empty })(`${shops[version]?.url}/report`),
        (error) =>
          error instanceof FareboxError &&
          error.code === 'insufficient_funds' &&
          error.signed &&
          error.response?.status === 402 &&
          /0\.01 USDC \(10000\), contract 0x\w{40} on eip155:/.test(error.message),
      );
      assert.equal(facilitator.counts.settle, settled);
    });
  });
}

test('a permit is signed where the policy says so, and pays @x402/hono once Permit2 may move the token', async () => {
  const account = chain.accounts.payers[0]!;
  const url = `${shops[2]?.url}/permit`;
  const signer = privateKeyToAccount(account.privateKey);
  const had = await chain.balanceOf(account.address);
  await assert.rejects(payingFetch({ signer })(url), (error) => error instanceof FareboxError && error.code === 'unsupported_scheme');
  // The server's own word for a missing allowance.
  assert.equal((await payingFetch({ signer, policy: { permit2: true } })(url)).status, 412);
  assert.equal(await chain.balanceOf(account.address), had);
  const wallet = createWalletClient({ account, chain: chain.chain, transport: http(chain.url) });
  await chain.rpc('anvil_setBalance', [account.address, '0xde0b6b3a7640000']);
  const hash = await wallet.writeContract({
    address: chain.token.address,
    abi: erc20Abi,
    functionName: 'approve',
    args: [PERMIT2, 10_000n],
  });
  await chain.publicClient.waitForTransactionReceipt({ hash });
  const response = await payingFetch({ signer, policy: { permit2: true } })(url);
  assert.deepEqual([response.status, await response.text()], [200, GOODS]);
  assert.equal(had - (await chain.balanceOf(account.address)), 10_000n);
  const transfers = await transfersOf({ chain } as World, receiptOf(response)?.transaction as Hex);
  assert.deepEqual(transfers, [{ from: account.address, to: chain.accounts.payee.address, value: 10_000n }]);
});

test('without gas and without an allowance @x402/hono is paid by Permit2 where the package is given a node', async () => {
  const account = chain.accounts.payers[2]!;
  await chain.rpc('anvil_setBalance', [account.address, '0x0']);
  const url = `${shops[2]?.url}/sponsored`;
  const signer = privateKeyToAccount(account.privateKey);
  const had = await chain.balanceOf(account.address);
  const options = { signer, policy: { permit2: true }, nodes: { [NETWORK]: chain.url } };
  const response = await payingFetch(options)(url);
  assert.deepEqual([response.status, await response.text()], [200, GOODS]);
  assert.equal(had - (await chain.balanceOf(account.address)), 10_000n);
  const transfers = await transfersOf({ chain } as World, receiptOf(response)?.transaction as Hex);
  assert.deepEqual(transfers, [{ from: account.address, to: chain.accounts.payee.address, value: 10_000n }]);
});

test('a price that is known afterwards is signed up to its bound, and @x402/hono charges what it counted', async () => {
  const account = chain.accounts.payers[1]!;
  const signer = privateKeyToAccount(account.privateKey);
  const wallet = createWalletClient({ account, chain: chain.chain, transport: http(chain.url) });
  await chain.rpc('anvil_setBalance', [account.address, '0xde0b6b3a7640000']);
  const hash = await wallet.writeContract({
    address: chain.token.address,
    abi: erc20Abi,
    functionName: 'approve',
    args: [PERMIT2, 1_000_000n],
  });
  await chain.publicClient.waitForTransactionReceipt({ hash });
  const pays = payingFetch({ signer, policy: { upto: '0.01', perDay: '0.02', uptoPerDay: '1' } });
  for (const charged of ['2500', '0', '10000']) {
    const had = await chain.balanceOf(account.address);
    const response = await pays(`${shops[2]?.url}/counted/${charged}`);
    assert.deepEqual([response.status, await response.text()], [200, GOODS]);
    assert.equal(had - (await chain.balanceOf(account.address)), BigInt(charged));
    assert.deepEqual([receiptOf(response)?.amount, receiptOf(response)?.transaction === ''], [charged, charged === '0']);
  }
  // 0.0125 are counted, and one more bound would be above the day.
  await assert.rejects(pays(`${shops[2]?.url}/counted/1`), (error) => error instanceof FareboxError && error.code === 'budget_exhausted');
});
