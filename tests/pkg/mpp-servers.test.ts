// The package pays a stock `mppx` server over HTTP, with each signer, on a real chain: every balance to the unit.

import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';

import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { evm, Mppx } from 'mppx/hono';
import type { Hex } from 'viem';

import { type Chain, startChain, USDC } from '../../demo/chain.mjs';
import { type Facilitator, startFacilitator } from '../../demo/facilitator.mjs';
import {
  type AnySigner,
  FareboxError,
  memoryStore,
  type PayOptions,
  type Proposal,
  payingFetch,
  receiptOf,
  type Signer,
  wrapFetch,
} from '../../pkg/dist/index.js';
import { transfersOf, type World } from '../e2e/world.ts';
import { SECRET } from './charges.ts';
import { GOODS } from './shop.ts';
import { SIGNERS } from './signers.ts';

let chain: Chain;
let facilitator: Facilitator;
let server: Server;
let url: string;
before(async () => {
  chain = await startChain();
  facilitator = await startFacilitator({ chain });
  server = serve({ fetch: shop().fetch, hostname: '127.0.0.1', port: 0 }) as Server;
  if (!server.listening)
    await new Promise((resolve) => {
      server.once('listening', resolve);
    });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  server?.close();
  server?.closeAllConnections();
  for (const part of [facilitator, chain]) await part?.stop();
});

/** `mppx/hono` as its documentation sets it up, settling with the reference facilitator. */
function shop(): Hono {
  const method = evm.charge({
    currency: USDC,
    chainId: 84532,
    decimals: 6,
    authorization: { name: 'USDC', version: '2' },
    recipient: chain.accounts.payee.address,
    x402: { facilitator: facilitator.url },
  });
  const mppx = Mppx.create({ methods: [method], secretKey: SECRET });
  const app = new Hono();
  // The method asks by x402 as well; here only MPP is left.
  app.use('/mpp/*', async (c, next) => {
    await next();
    c.res.headers.delete('payment-required');
  });
  app.get('/mpp/report', mppx.charge({ amount: '0.01', externalId: 'order-1', description: 'One weather report' }), (c) => c.text(GOODS));
  app.post('/mpp/report', mppx.charge({ amount: '0.02' }), async (c) => c.text(`${GOODS}: ${await c.req.text()}`));
  app.get('/mpp/dear', mppx.charge({ amount: '5' }), (c) => c.text(GOODS));
  for (const [variable, realm] of Object.entries(PLACES)) {
    const placed = inPlace(variable, realm, () => Mppx.create({ methods: [method], secretKey: SECRET }));
    app.get(`/mpp/${realm}`, placed.charge({ amount: '0.01' }), (c) => c.text(GOODS));
  }
  app.get('/both', mppx.charge({ amount: '0.01' }), (c) => c.text(GOODS));
  return app;
}

/** Where a server may run, which gives it its realm. */
const PLACES = { VERCEL_URL: 'shop.vercel.app', FLY_APP_NAME: 'bank' };

/** Makes something as if it ran there. */
function inPlace<T>(variable: string, realm: string, make: () => T): T {
  process.env[variable] = realm;
  try {
    return make();
  } finally {
    delete process.env[variable];
  }
}

/** One purchase, and what it moved. */
async function buy(path: string, signer: AnySigner, init?: RequestInit, options: Partial<PayOptions> = {}) {
  const { payer, payee } = chain.accounts;
  const read = async () => [await chain.balanceOf(payer.address), await chain.balanceOf(payee.address)] as const;
  const [had, held] = await read();
  const settled = facilitator.counts.settle;
  const proposals: Proposal[] = [];
  const confirm = (proposal: Proposal): boolean => proposals.push(proposal) > 0;
  const response = await payingFetch({ signer, confirm, ...knowing(), ...options })(`${url}${path}`, init);
  const text = await response.text();
  const [has, holds] = await read();
  return { response, text, proposals, paid: had - has, received: holds - held, settled: facilitator.counts.settle - settled };
}

async function assertReceipt(response: Response, value: bigint): Promise<void> {
  const receipt = receiptOf(response) ?? assert.fail('no receipt');
  const { payer, payee } = chain.accounts;
  assert.deepEqual([receipt.payer, receipt.payTo, receipt.amount, receipt.signedBy], [payer.address, payee.address, String(value), null]);
  const transfers = await transfersOf({ chain } as World, receipt.transaction as Hex);
  assert.deepEqual(transfers, [{ from: payer.address, to: payee.address, value }]);
}

/** What the payer has to know of a server of that version. */
const knowing = (): Pick<PayOptions, 'policy'> => ({ policy: { mpp: { [new URL(url).host]: { nonce: 'joined' } } } });

const inside = (): AnySigner => SIGNERS['a key inside']?.(chain.accounts.payer, chain) ?? assert.fail();

describe('mppx 0.11', () => {
  for (const [name, signer] of Object.entries(SIGNERS)) {
    test(`${name} pays a charge once, and the receipt names the transfer`, async () => {
      const { response, text, proposals, paid, received, settled } = await buy('/mpp/report', signer(chain.accounts.payer, chain));
      assert.deepEqual([response.status, text, paid, received, settled], [200, GOODS, 10_000n, 10_000n, 1], text);
      assert.deepEqual(
        proposals.map(({ protocol, amountText }) => [protocol, amountText]),
        [['mpp', '0.01 USDC (10000)']],
      );
      await assertReceipt(response, 10_000n);
    });
  }

  test('a body goes along with the payment', async () => {
    const { response, text, paid, received } = await buy('/mpp/report', inside(), { method: 'POST', body: 'Tuesday' });
    assert.deepEqual([response.status, text, paid, received], [200, `${GOODS}: Tuesday`, 20_000n, 20_000n], text);
    await assertReceipt(response, 20_000n);
  });

  test('of the same price by x402 and by MPP it takes MPP if the policy says how the server speaks it', async () => {
    const { response, text, proposals, paid, received, settled } = await buy('/both', inside());
    assert.deepEqual(
      [response.status, text, paid, received, settled, proposals[0]?.protocol],
      [200, GOODS, 10_000n, 10_000n, 1, 'mpp'],
      text,
    );
    await assertReceipt(response, 10_000n);
  });

  test('as installed it is paid by x402, without a word about it in the policy', async () => {
    const { response, text, proposals, paid, received, settled } = await buy('/both', inside(), undefined, { policy: {} });
    assert.deepEqual(
      [response.status, text, paid, received, settled, proposals[0]?.protocol],
      [200, GOODS, 10_000n, 10_000n, 1, 'x402'],
      text,
    );
    await assertReceipt(response, 10_000n);
  });

  test('where the policy has the wrong nonce, the authorization that it refuses is sent as x402: one signature, one charge', async () => {
    const signed: unknown[] = [];
    const wallet = inside() as Signer;
    const signer: Signer = {
      address: () => wallet.address(),
      sign: (data) => {
        signed.push(data);
        return wallet.sign(data);
      },
    };
    const policy = { mpp: { [new URL(url).host]: { nonce: 'listed' as const } } };
    const { response, text, proposals, paid, received, settled } = await buy('/both', signer, undefined, { policy });
    assert.deepEqual(
      [response.status, text, paid, received, settled, signed.length, proposals.map(({ protocol }) => protocol)],
      [200, GOODS, 10_000n, 10_000n, 1, 1, ['mpp']],
      text,
    );
    await assertReceipt(response, 10_000n);
  });

  test('a realm that it takes from where it runs is told at first, and another one is refused afterwards', async () => {
    const store = memoryStore();
    const { VERCEL_URL, FLY_APP_NAME } = PLACES;
    for (const realm of [VERCEL_URL, VERCEL_URL]) {
      const { response, proposals, paid } = await buy(`/mpp/${realm}`, inside(), undefined, { store });
      assert.deepEqual([response.status, paid, proposals.map(({ claimsToSell }) => claimsToSell)], [200, 10_000n, [realm]]);
    }
    const held = await chain.balanceOf(chain.accounts.payee.address);
    await assert.rejects(
      buy(`/mpp/${FLY_APP_NAME}`, inside(), undefined, { store }),
      (error) => error instanceof FareboxError && error.code === 'realm_mismatch' && !error.signed && error.message.includes(VERCEL_URL),
    );
    assert.equal(await chain.balanceOf(chain.accounts.payee.address), held);
    // Its own name is no other realm.
    const { proposals } = await buy('/mpp/report', inside(), undefined, { store });
    assert.deepEqual(
      proposals.map(({ claimsToSell }) => claimsToSell),
      [null],
    );
  });

  test('two calls answer a challenge each and pay twice', async () => {
    const had = await chain.balanceOf(chain.accounts.payer.address);
    const fetch = payingFetch({ signer: inside(), ...knowing() });
    const [one, two] = [await fetch(`${url}/mpp/report`), await fetch(`${url}/mpp/report`)];
    assert.deepEqual([await one.text(), await two.text()], [GOODS, GOODS]);
    assert.notEqual(receiptOf(one)?.transaction, receiptOf(two)?.transaction);
    assert.equal(had - (await chain.balanceOf(chain.accounts.payer.address)), 20_000n);
  });

  test('an answer that is lost is asked for with the same credential, and nothing is paid twice', async () => {
    const had = await chain.balanceOf(chain.accounts.payer.address);
    const sent: (string | null)[] = [];
    const fetch = wrapFetch(
      async (input, init) => {
        const credential = new Headers(init?.headers).get('authorization');
        if (credential !== null) sent.push(credential);
        const response = await globalThis.fetch(input, init);
        if (sent.length === 1 && credential !== null) throw new TypeError('the connection ended');
        return response;
      },
      { signer: inside(), ...knowing() },
    );
    // A server that keeps no answers says that it was used: that is told, and no other challenge is answered.
    const error = await fetch(`${url}/mpp/report`).then(
      () => assert.fail('answered'),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof FareboxError && error.code === 'payment_conflict' && error.signed, String(error));
    assert.equal(sent.length, 2);
    assert.deepEqual([sent[1], error.payment?.header], [sent[0], ['Authorization', sent[0]]]);
    assert.equal(had - (await chain.balanceOf(chain.accounts.payer.address)), 10_000n);
  });

  test('a client that does not know of the joined nonce signs once, is refused, and nothing moves', async () => {
    const { payer, payee } = chain.accounts;
    const signed: unknown[] = [];
    const wallet = SIGNERS['a key inside']?.(payer, chain) as Signer;
    const signer: Signer = {
      address: () => wallet.address(),
      sign: (data) => {
        signed.push(data);
        return wallet.sign(data);
      },
    };
    const held = await chain.balanceOf(payee.address);
    const settled = facilitator.counts.settle;
    await assert.rejects(
      payingFetch({ signer })(`${url}/mpp/report`),
      (error) => error instanceof FareboxError && error.code === 'payment_refused' && error.signed,
    );
    assert.deepEqual([signed.length, facilitator.counts.settle, await chain.balanceOf(payee.address)], [1, settled, held]);
  });

  test('a price above the cap is not signed', async () => {
    const nobody = { address: async () => chain.accounts.payer.address, sign: async () => assert.fail('signed') };
    await assert.rejects(
      buy('/mpp/dear', nobody),
      (error) => error instanceof FareboxError && error.code === 'policy_amount' && !error.signed,
    );
  });

  test("an empty wallet is told in the server's words: nothing moves", async () => {
    const empty = SIGNERS['a key inside']?.({ ...chain.accounts.payer, privateKey: `0x${'77'.repeat(32)}` }, chain) ?? assert.fail();
    const settled = facilitator.counts.settle;
    const held = await chain.balanceOf(chain.accounts.payee.address);
    await assert.rejects(
      payingFetch({ signer: empty, ...knowing() })(`${url}/mpp/report`),
      (error) =>
        error instanceof FareboxError &&
        error.code === 'payment_refused' &&
        /^❌ Seller rejected: Payment verification failed.* \(HTTP 402\)$/.test(error.message),
    );
    assert.deepEqual([facilitator.counts.settle, await chain.balanceOf(chain.accounts.payee.address)], [settled, held]);
  });
});
