// The package in pages of Chromium, as `npm pack` makes it: pages of another origin than the gate's, under a strict policy,
// buy from the real gate, and the chain moves the price.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import type { Browser, BrowserContext, Page } from 'playwright-core';

import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { changesDuring, startWorld, transfersOf, type World } from '../e2e/world.ts';
import { eventually } from '../support/eventually.ts';
import { startChromium } from './chromium.ts';
import { complaintsOf, SCREENS } from './looks.ts';
import { type Pages, startPages } from './shop-page.ts';
import { type Injected, injectWallet } from './wallet.ts';

const LIMIT_MS = 120_000;

let world: World;
let pages: Pages;
let browser: Browser;
let context: BrowserContext;
/** What pages did against their policy, and what they threw. */
let complaints: string[];

before(
  async () => {
    mkdirSync(SCREENS, { recursive: true });
    [world, pages, browser] = await Promise.all([
      startWorld({
        routes: [
          { path: '/slow', methods: ['GET'], price: '$0.01', description: 'Slow' },
          { path: '/echo', methods: ['GET'], price: '$0.01', cors: { headers: ['X-Api-Version'] } },
        ],
      }),
      startPages(),
      startChromium(),
    ]);
    pages.allow([world.gate.url]);
  },
  { timeout: LIMIT_MS },
);
after(async () => {
  await browser?.close();
  await pages?.stop();
  await world?.stop();
});
beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 800, height: 600 } });
  context.setDefaultTimeout(LIMIT_MS);
  complaints = complaintsOf(context);
});
afterEach(() => context.close());

/** A result that a page shows. */
type Result = { name: string; value?: Record<string, unknown>; code?: string; message?: string };

function addressOf(name: string, more: Readonly<Record<string, string>> = {}): string {
  return `${pages.url}/${name}?${new URLSearchParams({ gate: world.gate.url, ...more })}`;
}

async function opened(
  name: string,
  more: Readonly<Record<string, string>> = {},
  prepare: (page: Page) => Promise<void> = async () => {},
): Promise<Page> {
  const page = await context.newPage();
  await prepare(page);
  await page.goto(addressOf(name, more));
  return page;
}

async function resultsOf(page: Page): Promise<Record<string, Result>> {
  await page.locator('html[data-done]').waitFor({ state: 'attached' });
  await page.screenshot({ path: join(SCREENS, `${(await page.title()).replaceAll(/\W+/g, '-')}.png`) });
  const results = JSON.parse(await page.locator('output').innerText()) as Result[];
  return Object.fromEntries(results.map((result) => [result.name, result]));
}

/** Runs a purchase: this price moved, in the transactions that the page names. */
async function charged<T>(payer: `0x${string}`, times: bigint, work: () => Promise<T>): Promise<T> {
  const { result, change } = await changesDuring(world, payer, work);
  const price = PRICE_ATOMIC * times;
  assert.deepEqual(
    { paid: change.paid, received: change.received, settled: BigInt(change.settled) },
    { paid: price, received: price, settled: times },
  );
  return result;
}

async function assertReport(result: Result | undefined, from: string): Promise<void> {
  const { body, transaction } = (result?.value ?? {}) as { body?: { report?: string }; transaction?: `0x${string}` };
  assert.equal(body?.report, 'Rainfall, Tuesday', JSON.stringify(result));
  assert.deepEqual(await transfersOf(world, transaction ?? '0x'), [{ from, to: world.chain.accounts.payee.address, value: PRICE_ATOMIC }]);
}

const payerOf = (index: number) => world.chain.accounts.payers[index]!;

test('a wallet that the browser injects is asked to switch its network, signs once, and the page gets the report', async () => {
  const payer = payerOf(0);
  let wallet: Injected | undefined;
  const results = await charged(payer.address, 1n, async () =>
    resultsOf(
      await opened('wallet', {}, async (page) => {
        wallet = await injectWallet(page, payer, '0x1');
      }),
    ),
  );
  await assertReport(results['report'], payer.address);
  assert.deepEqual(results['report']?.value?.['steps'], ['looked', 'confirmed', 'signing', 'sent', 'done']);
  assert.deepEqual(wallet?.calls, ['eth_requestAccounts', 'eth_chainId', 'wallet_switchEthereumChain', 'eth_signTypedData_v4']);
  assert.deepEqual(complaints, []);
});

test('a page whose API needs a header of its own buys where the route allows it, and nowhere else', async () => {
  const payer = payerOf(0);
  const wallet = (page: Page) => injectWallet(page, payer, '0x14a34').then(() => undefined);
  const [allowed, refused] = await charged(payer.address, 1n, async () => [
    await resultsOf(await opened('wallet', { header: '', path: '/echo' }, wallet)),
    await resultsOf(await opened('wallet', { header: '' }, wallet)),
  ]);
  const { headers } = (allowed?.['report']?.value as { body: { headers: Record<string, string> } }).body;
  assert.equal(headers['x-api-version'], '2');
  assert.equal(refused?.['report']?.code, 'TypeError');
  assert.ok(
    complaints.some((text) => /x-api-version is not allowed/.test(text)),
    complaints.join('\n'),
  );
});

test('a person who refuses in the wallet has paid nothing', async () => {
  const payer = payerOf(0);
  const results = await charged(payer.address, 0n, async () =>
    resultsOf(
      await opened('wallet', {}, async (page) => {
        await injectWallet(page, payer, '0x14a34', 'refuses');
      }),
    ),
  );
  assert.equal(results['report']?.code, 'wallet_rejected');
});

test('a wallet client of viem pays in a page', async () => {
  const payer = payerOf(1);
  const results = await charged(payer.address, 1n, async () =>
    resultsOf(
      await opened('wallet', { viem: '' }, async (page) => {
        await injectWallet(page, payer, '0x1');
      }),
    ),
  );
  await assertReport(results['report'], payer.address);
  assert.deepEqual(complaints, []);
});

//
test('a session key pays without the wallet, within its cap, its host and its time, and what wraps it cannot be exported', async () => {
  const first = await resultsOf(await opened('session'));
  const address = String(first['address']?.value) as `0x${string}`;
  assert.match(address, /^0x[0-9a-fA-F]{40}$/);
  assert.equal(first['export']?.code, 'InvalidAccessError');
  const { later, ...renewed } = first['renewed']?.value as { later: number };
  assert.ok(later >= 5_400, `${later} seconds`);
  assert.deepEqual(
    renewed,
    { code: 'session_expired', isNext: [true, true, false] },
    'a key that was forgotten is not put back, and takes no other away',
  );
  await fund(address);

  const other = world.gate.url.replace('127.0.0.1', 'localhost');
  pages.allow([world.gate.url, other]);
  // After a reload it is the same key with the same limits, whatever the page asks for by then.
  const second = await charged(address, 1n, async () => resultsOf(await opened('session', { funded: '', other, cap: '5' })));
  assert.equal(second['address']?.value, address);
  await assertReport(second['report'], address);
  assert.equal(second['elsewhere']?.code, 'policy_host');
  const codes = await charged(address, 0n, async () => [
    (await resultsOf(await opened('session', { funded: '' })))['report']?.code,
    (await resultsOf(await opened('session', { funded: '', later: '90000' })))['report']?.code,
  ]);
  assert.deepEqual(codes, ['budget_exhausted', 'session_expired']);
  assert.deepEqual(complaints, []);
});

//
test('two tabs share one budget: what one has spent, the other has not', async () => {
  const payer = payerOf(2);
  const more = { key: payer.privateKey, cap: '0.035', budget: 'tabs' };
  // All terms arrive at one moment: without the store's order, one tab would spend what the other has counted.
  const atOnce = meeting(12);
  await context.route(`${world.gate.url}/**`, async (route) => {
    const request = route.request();
    if (request.method() !== 'GET' || (await request.headerValue('payment-signature')) !== null) return route.continue();
    const response = await route.fetch();
    await atOnce();
    await route.fulfill({ response });
  });
  const tabs = await charged(payer.address, 3n, async () => {
    const both = await Promise.all([opened('tab', more), opened('tab', more)]);
    return Promise.all(both.map(resultsOf));
  });
  for (const { order } of tabs) assert.deepEqual(order?.value, [true, false, 'first']);
  const results = tabs.flatMap((tab) => Object.values(tab)).filter(({ name }) => name !== 'order');
  const codes = results.map(({ code }) => code ?? 'paid');
  assert.deepEqual(
    [codes.length, codes.filter((code) => code === 'paid').length, codes.filter((code) => code === 'budget_exhausted').length],
    [12, 3, 9],
  );
  assert.deepEqual(complaints, []);
});

test('a page that is reloaded while its payment is at the gate is charged once, and gets what it bought', async () => {
  const payer = payerOf(3);
  const before = world.origin.requests.length;
  const results = await charged(payer.address, 1n, async () => {
    const page = await opened('reload', { key: payer.privateKey, name: 'arrived', path: '/slow?ms=1500' });
    await eventually('the request arrives', () => world.origin.requests.length > before);
    await page.reload();
    return resultsOf(page);
  });
  assert.deepEqual(results['bought']?.value, { kind: 'success', body: { slow: true }, receipt: 'provisional' });
  assert.deepEqual(complaints, []);
});

test('a page that is reloaded before its payment reached the gate sends the same payment', async () => {
  const payer = payerOf(4);
  const payments: (string | null)[] = [];
  const results = await charged(payer.address, 1n, async () => {
    const page = await context.newPage();
    await page.route(`${world.gate.url}/**`, async (route) => {
      const payment = await route.request().headerValue('payment-signature');
      if (payment !== null) payments.push(payment);
      // The first one is lost on the way.
      if (payment === null || payments.length > 1) await route.continue();
    });
    await page.goto(addressOf('reload', { key: payer.privateKey, name: 'lost', path: '/report' }));
    await eventually('it pays', () => payments.length === 1);
    await page.reload();
    return resultsOf(page);
  });
  assert.equal((results['bought']?.value as { kind?: string } | undefined)?.kind, 'success', JSON.stringify(results));
  assert.deepEqual([payments.length, new Set(payments).size], [2, 1]);
});

test('a payer in a page that is reloaded between the signature and the answer sends the same payment: one debit, and the content', async () => {
  const payer = payerOf(6);
  const payments: (string | null)[] = [];
  const results = await charged(payer.address, 1n, async () => {
    const page = await context.newPage();
    await page.route(`${world.gate.url}/**`, async (route) => {
      const payment = await route.request().headerValue('payment-signature');
      if (payment !== null) payments.push(payment);
      // The first one is lost on the way.
      if (payment === null || payments.length > 1) await route.continue();
    });
    await page.goto(addressOf('resume', { key: payer.privateKey, budget: 'resumed' }));
    await eventually('it pays', () => payments.length === 1);
    await page.reload();
    return resultsOf(page);
  });
  await assertReport(results['report'], payer.address);
  assert.deepEqual([payments.length, new Set(payments).size, results['open']?.value], [2, 1, [true]]);
  assert.deepEqual(results['kept']?.value, [[false, results['report']?.value?.['transaction']]]);
  assert.deepEqual(complaints, []);
});

test('an agent in a page looks, pays once and reports', async () => {
  const payer = payerOf(5);
  const results = await charged(payer.address, 1n, async () => resultsOf(await opened('agent', { key: payer.privateKey })));
  assert.deepEqual(results['looked']?.value, { costSummary: 'Costs 0.010000 USDC on Base Sepolia (exact).', nextAction: 'execute' });
  await assertReport(results['executed'], payer.address);
  assert.deepEqual([results['state']?.value, results['again']?.value], ['consumed', 'prepared_request_consumed']);
  assert.deepEqual(complaints, []);
});

/** Gives an address what it may spend. */
async function fund(address: `0x${string}`): Promise<void> {
  const { chain } = world;
  const { createWalletClient, http } = await import('viem');
  const wallet = createWalletClient({ account: payerOf(7), chain: chain.chain, transport: http(chain.url) });
  const hash = await wallet.writeContract({
    address: chain.token.address,
    abi: chain.token.abi,
    functionName: 'transfer',
    args: [address, 100n * PRICE_ATOMIC],
  });
  await chain.publicClient.waitForTransactionReceipt({ hash });
}

/** A function that returns once so many have called it. */
function meeting(count: number): () => Promise<void> {
  let missing = count;
  let begin: () => void = () => undefined;
  const all = new Promise<void>((resolve) => {
    begin = resolve;
  });
  return () => {
    missing -= 1;
    if (missing === 0) begin();
    return all;
  };
}
