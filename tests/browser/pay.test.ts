// The page of a 402 in Chromium: a person pays in place, by clicks and by keyboard alone, and the chain moves the price once.

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import type { Browser, BrowserContext, Page, Route } from 'playwright-core';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { PAGES } from '../../scripts/pages.mjs';
import { root } from '../../scripts/steps.mjs';
import { fund } from '../crash/world.ts';
import { changesDuring, startWorld, transfersOf, type World } from '../e2e/world.ts';
import { startChromium } from './chromium.ts';
import { complaintsOf, hasIcon, SCREENS, seriousOf } from './looks.ts';
import { leadsPayments, offersBeside, refusesPayments } from './sellers.ts';
import { HERE, isPaid, losesAnswers, says, signaturesOf, visit } from './visits.ts';
import { addWallet, type WalletPlan } from './wallet.ts';

const LIMIT_MS = 120_000;
/** Another network than the gate's. */
const ELSEWHERE = '0x1';
const HOSTILE = `<img src=x onerror=alert(1)></script><script>alert(2)</script>\u202e gnp.exe`;

/** A page that is for no frame, and needs what pages have. */
const LEAVES = `<!doctype html><base href="/"><title>Leaves</title><p>Goes</p>
<button onclick="window.open('/_farebox/pay/view')">Beside</button>
<a href="data:text/plain,saved" download="saved.txt">Save</a> <a href="/_farebox/pay/view">On</a>
<script>
setTimeout(() => {
  confirm('?') && localStorage.setItem('keeps', 'here');
  document.querySelector('p').textContent = 'Stays. Asks: ' + (localStorage.keeps ? 'yes' : 'no') + '. Keeps: ' + localStorage.keeps;
}, 100);
if (top !== self) top.location = self.location;
</script>`;

let world: World;
let browser: Browser;
let context: BrowserContext;
/** What pages did against their policy, and what they threw. */
let complaints: string[];

before(
  async () => {
    mkdirSync(SCREENS, { recursive: true });
    const priced = (path: string, description: string) => ({ path, methods: ['GET', 'POST'], price: '$0.01', description });
    [world, browser] = await Promise.all([
      startWorld({
        pages: true,
        routes: [
          priced('/', 'A page of the origin'),
          priced('/slow', 'Slow'),
          priced('/report-hostile', HOSTILE),
          priced('/about', 'Plain text'),
          priced('/fail/[status]', 'A failing origin'),
        ],
        vars: { SERVICE: { name: 'Rain & Sons' } },
      }),
      startChromium(),
    ]);
  },
  { timeout: LIMIT_MS },
);
after(async () => {
  await browser?.close();
  await world?.stop();
});
beforeEach(async () => {
  context = await opened({ width: 1280, height: 800 });
});
afterEach(() => context.close());

async function opened(viewport: { width: number; height: number }, more: object = {}): Promise<BrowserContext> {
  const made = await browser.newContext({ viewport, ...more });
  made.setDefaultTimeout(30_000);
  complaints = complaintsOf(made);
  return made;
}

const payerOf = (index: number) => world.chain.accounts.payers[index]!;

const visited = (path: string, plans: readonly WalletPlan[]) => visit(context, world, path, plans);

/** Runs a purchase: this price moved, so often. */
async function charged<T>(payer: `0x${string}`, times: bigint, work: () => Promise<T>): Promise<T> {
  const { result, change } = await changesDuring(world, payer, work);
  const price = PRICE_ATOMIC * times;
  assert.deepEqual(
    { paid: change.paid, received: change.received, settled: BigInt(change.settled) },
    { paid: price, received: price, settled: times },
  );
  return result;
}

async function screenshot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(SCREENS, `${name}.png`), fullPage: true });
}

//
test('a person chooses one of two wallets, signs once, and reads the report with its receipt', async () => {
  const [first, second] = [payerOf(0), payerOf(1)];
  const { page, wallets } = await charged(second.address, 1n, async () => {
    const visit = await visited('/report', [
      { payer: first, network: HERE, name: 'Fox' },
      { payer: second, network: HERE, name: 'Owl' },
    ]);
    await screenshot(visit.page, 'pay-choose-1280');
    // The picture of the README.
    await visit.page.screenshot({ path: join(SCREENS, 'readme-pay.png'), clip: { x: 280, y: 20, width: 720, height: 490 } });
    await visit.page.getByRole('button', { name: 'Pay 0.01 USDC with Owl' }).click();
    await isPaid(visit.page);
    return visit;
  });
  await screenshot(page, 'pay-paid-1280');
  assert.match(await page.locator('#pay pre').innerText(), /Rainfall, Tuesday/);
  const link = (await page.getByRole('link', { name: /^0x/ }).getAttribute('href')) ?? '';
  const transaction = /^https:\/\/sepolia\.basescan\.org\/tx\/(0x[0-9a-f]{64})$/.exec(link)?.[1] as `0x${string}`;
  assert.deepEqual(await transfersOf(world, transaction), [
    { from: second.address, to: world.chain.accounts.payee.address, value: PRICE_ATOMIC },
  ]);
  assert.deepEqual(wallets[0]?.calls, []);
  assert.deepEqual(wallets[1]?.calls.filter((method) => method === 'eth_signTypedData_v4').length, 1);
  assert.deepEqual(await seriousOf(page), []);
  assert.ok(await hasIcon(page));
  assert.deepEqual(complaints, []);
});

test('by keyboard alone', async () => {
  const payer = payerOf(0);
  await charged(payer.address, 1n, async () => {
    const { page } = await visited('/report', [{ payer, network: HERE, name: 'Fox' }]);
    await page.getByRole('button', { name: /with Fox/ }).waitFor();
    await page.keyboard.press('Tab');
    assert.match(await page.evaluate(() => document.activeElement?.textContent ?? ''), /Pay 0\.01 USDC with Fox/);
    await page.keyboard.press('Enter');
    await isPaid(page);
  });
});

test('a wallet that is asked to switch, and one that is told of the network', async () => {
  const payer = payerOf(0);
  const { wallets } = await charged(payer.address, 1n, async () => {
    const visit = await visited('/report', [{ payer, network: ELSEWHERE, knows: [ELSEWHERE] }]);
    await visit.page.getByRole('button', { name: 'Pay 0.01 USDC with your browser wallet' }).click();
    await isPaid(visit.page);
    return visit;
  });
  assert.deepEqual(wallets[0]?.added, [
    {
      chainId: HERE,
      chainName: 'Base Sepolia',
      nativeCurrency: { name: 'ETH', symbol: 'ETH', decimals: 18 },
      rpcUrls: ['https://sepolia.base.org'],
      blockExplorerUrls: ['https://sepolia.basescan.org'],
    },
  ]);
});

test('a wallet that cannot be told of its network is said not to know it', async () => {
  const [page, url] = [await context.newPage(), `${world.gate.url}/report?unknown`];
  await addWallet(page, { payer: payerOf(0), network: ELSEWHERE, knows: [ELSEWHERE], name: 'Fox' });
  await page.route(url, async (route) => {
    const answer = await route.fetch();
    const { 'content-length': _, ...headers } = answer.headers();
    const body = (await answer.text()).replace(/"node":"[^"]*"/g, '"node":""');
    await route.fulfill({ status: answer.status(), headers, body });
  });
  await page.goto(url);
  await page.getByRole('button', { name: /with Fox/ }).click();
  await says(page, /Your wallet does not know this network/);
});

test('a person who declines has paid nothing, and may try again', async () => {
  const payer = payerOf(0);
  await charged(payer.address, 0n, async () => {
    const { page } = await visited('/report', [{ payer, network: HERE, name: 'Fox', person: 'refuses' }]);
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /You declined in your wallet/);
    assert.match(await page.locator('#pay').innerText(), /Nothing was paid\./);
    await screenshot(page, 'pay-declined-1280');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('button', { name: /with Fox/ }).waitFor();
  });
});

test('an empty wallet is told what is missing, and signs nothing', async () => {
  const { account } = await import('../../demo/chain.mjs');
  const empty = account(19);
  const { page, wallets } = await visited('/report', [{ payer: empty as never, network: HERE, name: 'Fox' }]);
  await page.getByRole('button', { name: /with Fox/ }).click();
  await says(page, /not enough in Fox/);
  assert.match(await page.locator('#pay').innerText(), /It holds 0 USDC on Base Sepolia, and this costs 0\.01 USDC\. Nothing was paid\./);
  assert.ok(!wallets[0]?.calls.includes('eth_signTypedData_v4'));
});

test('a connection lost while settling: the same payment is sent again by itself', async () => {
  const payer = payerOf(0);
  await charged(payer.address, 1n, async () => {
    const { page, wallets } = await visited('/report', [{ payer, network: HERE, name: 'Fox' }]);
    const losses = await losesAnswers(page, `${world.gate.url}/report`);
    await page.getByRole('button', { name: /with Fox/ }).click();
    while (losses.lost() === 0) await page.waitForTimeout(100);
    await losses.ends();
    await isPaid(page);
    assert.equal(signaturesOf(wallets), 1);
  });
});

test('a person whose clock is slow is told to look at it', async () => {
  const payer = payerOf(0);
  await charged(payer.address, 0n, async () => {
    await context.clock.setFixedTime(Date.now() - 420_000);
    const { page } = await visited('/report?clock', [{ payer, network: HERE, name: 'Fox' }]);
    const pay = page.getByRole('button', { name: /with Fox/ });
    const said = page.locator('#pay', { hasText: /Check the clock of this device\. You have signed/ });
    await pay.click();
    await said.waitFor();
  });
});

//
test('a seller that asks for no further payment stops the page until its person goes on: one signature, one charge', async () => {
  const payer = payerOf(0);
  await charged(payer.address, 1n, async () => {
    const { page, wallets } = await visited('/report?outage', [{ payer, network: HERE, name: 'Fox' }]);
    const url = `${world.gate.url}/report?outage`;
    const info = { code: 'OPERATOR_ALERT', message: 'the facilitator fails', suggestion: 'come back later', escalate: true };
    const problem = { code: 'facilitator_unavailable', retryable: true, extensions: { diagnostic: { info } } };
    const fail = (route: Route): Promise<void> =>
      route.request().headers()['payment-signature'] === undefined
        ? route.continue()
        : route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify(problem) });
    await page.route(url, fail);
    await page.getByRole('button', { name: /with Fox/ }).click();
    const again = page.getByRole('button', { name: 'Try again' });
    const refusal = page.locator('#pay', { hasText: /asks for no further payment now.*OPERATOR_ALERT "the facilitator fails"/ });
    await refusal.waitFor();
    // What stands there before the page goes on is the earlier refusal.
    await Promise.all([page.waitForResponse((response) => response.url() === url && response.status() === 503), again.click()]);
    await refusal.waitFor();
    await page.reload();
    await refusal.waitFor();
    await page.unroute(url, fail);
    await again.click();
    await isPaid(page);
    assert.equal(signaturesOf(wallets), 1);
  });
});

//
test('another account pays once what the first has signed has ended, and its person agrees', async () => {
  const [first, second] = [payerOf(0), payerOf(1)];
  const path = '/report?other';
  await charged(second.address, 1n, async () => {
    const { page } = await visited(path, [{ payer: first, network: HERE, name: 'Fox' }]);
    await refusesPayments(page, `${world.gate.url}${path}`);
    await context.clock.setFixedTime(Date.now() - 3_600_000);
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /did not take the payment/);
    await page.close();
    // An hour later it has ended.
    await context.clock.setFixedTime(Date.now());
    const { page: later, wallets } = await visited(path, [{ payer: second, network: HERE, name: 'Owl' }]);
    const pay = later.getByRole('button', { name: /with Owl/ });
    await pay.click();
    await says(later, new RegExp(`has ended, and may have been charged\\. It was signed by ${first.address}`));
    await later.getByRole('button', { name: 'Do not pay' }).click();
    await pay.click();
    await later.getByRole('button', { name: 'Pay again' }).click();
    await isPaid(later);
    assert.equal(signaturesOf(wallets), 1);
  });
});

//
test('once what was signed has ended it is paid in another way, by the same account or another one, if its person agrees', async () => {
  const first = payerOf(0);
  for (const [at, payer] of [first, payerOf(1)].entries()) {
    const path = `/report?beside=${at}`;
    /** USDC on another network, which every payer knows. */
    const elsewhere = { network: 'eip155:80002', asset: '0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582' };
    await charged(payer.address, 1n, async () => {
      await context.clock.setFixedTime(Date.now() - 3_600_000);
      const { page } = await visited(path, [{ payer: first, network: HERE, name: 'Fox' }]);
      await offersBeside(page, `${world.gate.url}${path}`, elsewhere);
      await page.reload();
      await refusesPayments(page, `${world.gate.url}${path}`);
      await page.getByRole('radio', { name: /Elsewhere/ }).check();
      await page.getByRole('button', { name: /with Fox/ }).click();
      await says(page, /did not take the payment/);
      // While it can be charged, there is no other way.
      await page.reload();
      await says(page, /did not take the payment/);
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByRole('button', { name: /with Fox/ }).waitFor();
      assert.equal(await page.getByRole('radio').count(), 0);
      await page.close();
      await context.clock.setFixedTime(Date.now());
      const { page: later, wallets } = await visited(path, [{ payer, network: HERE, name: 'Owl' }]);
      await offersBeside(later, `${world.gate.url}${path}`, elsewhere);
      await later.reload();
      await says(later, new RegExp(`Choose the same account to go on, ${first.address} and pay as before, on Elsewhere`));
      await later.getByRole('radio', { name: /Base Sepolia/ }).check();
      const pay = later.getByRole('button', { name: 'Pay 0.01 USDC on Base Sepolia with Owl' });
      await pay.click();
      await says(later, new RegExp(`has ended, and may have been charged\\. It was signed by ${first.address}`));
      await later.getByRole('button', { name: 'Do not pay' }).click();
      assert.ok(!wallets[0]?.calls.includes('eth_signTypedData_v4'));
      await pay.click();
      await later.getByRole('button', { name: 'Pay again' }).click();
      await isPaid(later);
      assert.equal(signaturesOf(wallets), 1);
      await later.close();
    });
  }
});

//
test('of two tokens of one network the wallet is asked for the chosen one', async () => {
  const page = await context.newPage();
  const wallet = await addWallet(page, { payer: payerOf(0), network: HERE, name: 'Fox', person: 'refuses', node: world.chain.url });
  await offersBeside(page, `${world.gate.url}/report?tokens`, { asset: `0x${'7'.repeat(40)}` });
  await page.goto(`${world.gate.url}/report?tokens`);
  await page.getByRole('radio', { name: /Elsewhere/ }).check();
  await page.getByRole('button', { name: /with Fox/ }).click();
  await says(page, /You declined in your wallet/);
  assert.equal(wallet.calls.filter((method) => method === 'eth_signTypedData_v4').length, 1);
});

//
test('the account that signed is known although its note was lost, and a record that cannot be read loses none', async () => {
  const [first, second] = [payerOf(0), payerOf(1)];
  const path = '/report?note';
  await charged(first.address, 0n, async () => {
    const { page } = await visited(path, [{ payer: first, network: HERE, name: 'Fox' }]);
    await refusesPayments(page, `${world.gate.url}${path}`);
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /did not take the payment/);
    const notes = (): Promise<number> => page.evaluate(() => localStorage.length);
    assert.equal(await notes(), 1);
    await page.addInitScript(() => {
      indexedDB.open = () => {
        throw new DOMException('no database', 'UnknownError');
      };
    });
    await page.reload();
    await says(page, /did not read what it keeps/);
    assert.ok(!(await page.locator('#pay').innerText()).includes('Nothing was paid'));
    assert.equal(await notes(), 1);
    await page.evaluate(() => localStorage.clear());
    await page.close();
    const later = await context.newPage();
    const owl = await addWallet(later, { payer: second, network: HERE, name: 'Owl', node: world.chain.url });
    // Before it is opened: what is signed is sent at once.
    await refusesPayments(later, `${world.gate.url}${path}`);
    await later.goto(`${world.gate.url}${path}`);
    await later.getByRole('button', { name: 'Try again' }).click();
    await later.getByRole('button', { name: /with Owl/ }).click();
    await says(later, /Another account has signed a payment for this page/);
    assert.match(await later.locator('#pay').innerText(), new RegExp(`Choose ${first.address}`));
    assert.ok(!owl.calls.includes('eth_signTypedData_v4'));
  });
});

test('what a script has sent to the address of a page as another request is none of the page', async () => {
  const [payer, url] = [payerOf(0), `${world.gate.url}/report?method`];
  const { page } = await visited('/report?method', [{ payer, network: HERE, name: 'Fox' }]);
  await refusesPayments(page, url);
  await page.getByRole('button', { name: /with Fox/ }).click();
  await says(page, /did not take the payment/);
  await page.evaluate(async () => {
    const asked = indexedDB.open('farebox', 1);
    await new Promise((done) => asked.addEventListener('success', done));
    const rows = asked.result.transaction('rows', 'readwrite').objectStore('rows');
    const got = rows.get('state');
    await new Promise((done) => got.addEventListener('success', done));
    const state = got.result as { record: string };
    const put = rows.put({ ...state, record: state.record.replaceAll(/fetch [0-9a-f]{64}/g, `fetch ${'ab'.repeat(32)}`) }, 'state');
    await new Promise((done) => put.addEventListener('success', done));
    asked.result.close();
  });
  await page.reload();
  await page.getByRole('button', { name: /with Fox/ }).waitFor();
  assert.ok(!(await page.locator('#pay').innerText()).includes('You have signed'));
});

test('a wallet that has paid with all it had goes on, and nobody reads that nothing was paid', async () => {
  const privateKey = generatePrivateKey();
  const payer = { ...privateKeyToAccount(privateKey), privateKey };
  await fund(world.chain, payer.address, PRICE_ATOMIC);
  await charged(payer.address, 1n, async () => {
    const { page, wallets } = await visited('/report', [{ payer, network: HERE, name: 'Fox' }]);
    const url = `${world.gate.url}/report`;
    let sent = 0;
    const lie = async (route: Route): Promise<void> => {
      if (route.request().headers()['payment-signature'] === undefined) return route.continue();
      sent += 1;
      if (sent > 1) return route.fulfill({ status: 402, body: 'pay' });
      await route.fetch();
      await route.abort('connectionreset');
    };
    await page.route(url, lie);
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /did not take the payment/);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.unroute(url, lie);
    await page.getByRole('button', { name: /with Fox/ }).click();
    await isPaid(page);
    assert.equal(signaturesOf(wallets), 1);
  });
});

test('a reload at each step is one charge', async () => {
  const payer = payerOf(1);
  await charged(payer.address, 1n, async () => {
    const { page, wallets } = await visited('/report', [{ payer, network: HERE, name: 'Fox' }]);
    const button = page.getByRole('button', { name: /with Fox/ });
    await button.waitFor();
    await page.reload();
    const losses = await losesAnswers(page, `${world.gate.url}/report`);
    await button.click();
    while (losses.lost() === 0) await page.waitForTimeout(100);
    await losses.ends();
    // Signed, sent and settled; the page never heard of it.
    await page.reload();
    await isPaid(page);
    await page.reload();
    await isPaid(page);
    assert.match(await page.locator('#pay pre').innerText(), /Rainfall, Tuesday/);
    assert.equal(signaturesOf(wallets), 1);
    await page.getByRole('button', { name: /Forget it/ }).click();
    await button.waitFor();
  });
});

test('two tabs pay once for one page', async () => {
  const payer = payerOf(0);
  await charged(payer.address, 1n, async () => {
    const plans: WalletPlan[] = [{ payer, network: HERE, name: 'Fox' }];
    const { page: one } = await visited('/slow?ms=1500', plans);
    await one.getByRole('button', { name: /with Fox/ }).click();
    await says(one, /server checks and settles/);
    const { page: two } = await visited('/slow?ms=1500', plans);
    await Promise.all([isPaid(one), isPaid(two)]);
  });
});

test('two tabs whose persons are asked at once pay once', async () => {
  const payer = payerOf(0);
  await charged(payer.address, 1n, async () => {
    let agree = (): void => {};
    const until = new Promise<void>((resolve) => {
      agree = resolve;
    });
    const plans: WalletPlan[] = [{ payer, network: HERE, name: 'Fox', until }];
    const { page: one, wallets: first } = await visited('/report?tabs', plans);
    const { page: two, wallets: second } = await visited('/report?tabs', plans);
    await one.getByRole('button', { name: /with Fox/ }).click();
    await says(one, /Sign in Fox/);
    await two.getByRole('button', { name: /with Fox/ }).click();
    await says(two, /Another tab pays/);
    agree();
    await Promise.all([isPaid(one), isPaid(two)]);
    assert.equal(signaturesOf([...first, ...second]), 1);
  });
});

//
test('a page of the origin is shown in place, and by itself under its own address, where no cache answers for it', async () => {
  const payer = payerOf(0);
  await charged(payer.address, 1n, async () => {
    const { page } = await visited('/', [{ payer, network: HERE, name: 'Fox' }]);
    await page.getByRole('button', { name: /with Fox/ }).click();
    await isPaid(page);
    await page.frameLocator('#pay iframe').getByText('Free to read.').waitFor();
    await screenshot(page, 'pay-page-1280');
    // As a service worker of the site looks for it.
    assert.equal(await page.evaluate(async () => (await caches.match(location.href)) === undefined), true);
    assert.deepEqual(
      await page.evaluate(async () => {
        const cache = await caches.open('farebox-paid');
        const all = await Promise.all((await cache.keys()).map((key) => cache.match(key)));
        return all.map((kept) => kept?.headers.get('content-type'));
      }),
      ['application/octet-stream'],
    );
    await page.getByRole('link', { name: 'Open it by itself' }).click();
    await page.getByText('Free to read.').waitFor();
    assert.equal(page.url(), `${world.gate.url}/`);
  });
  assert.deepEqual(complaints, []);
});

//
test('a page that leaves frames stays in its own, does there what it does by itself, and leads on by a press', async () => {
  const [payer, url] = [payerOf(0), `${world.gate.url}/?leaves`];
  await charged(payer.address, 1n, async () => {
    const { page } = await visited('/?leaves', [{ payer, network: HERE, name: 'Fox' }]);
    await page.route(url, async (route) => {
      if (route.request().headers()['payment-signature'] === undefined) return route.fallback();
      await route.fulfill({ response: await route.fetch(), body: LEAVES });
    });
    // A page that asks has an answer.
    page.on('dialog', (dialog) => void dialog.accept());
    let visits = 0;
    page.on('framenavigated', (frame) => {
      if (frame === page.mainFrame()) visits += 1;
    });
    // Nothing is looked for in the frame meanwhile: that counts as a press.
    const isKept = () => page.waitForEvent('console', (message) => /has no user activation/.test(message.text()));
    await Promise.all([isKept(), page.getByRole('button', { name: /with Fox/ }).click()]);
    await isPaid(page);
    await Promise.all([isKept(), page.reload()]);
    assert.equal(visits, 1);
    const frame = page.frameLocator('#pay iframe');
    await frame.getByText('Stays. Asks: yes. Keeps: here').waitFor();
    const [beside] = await Promise.all([context.waitForEvent('page'), frame.getByRole('button', { name: 'Beside' }).click()]);
    assert.equal(await beside.evaluate(() => origin), world.gate.url);
    await Promise.all([page.waitForEvent('download'), frame.getByRole('link', { name: 'Save' }).click()]);
    await Promise.all([page.waitForURL(/\/_farebox\/pay\/view$/), frame.getByRole('link', { name: 'On' }).click()]);
  });
});

test('a page of HTML under a policy, or as a file of any kind, is read in a frame without rights, and its text is there', async () => {
  const payer = payerOf(0);
  const guards: readonly Readonly<Record<string, string>>[] = [
    { 'content-security-policy': "default-src 'self'" },
    { 'content-disposition': 'file; filename="a.html"' },
  ];
  await charged(payer.address, BigInt(guards.length), async () => {
    for (const [at, guard] of guards.entries()) {
      const { page } = await visited(`/?guard=${at}`, [{ payer, network: HERE, name: 'Fox' }]);
      await page.route(`${world.gate.url}/?guard=${at}`, async (route) => {
        if (route.request().headers()['payment-signature'] === undefined) return route.fallback();
        const response = await route.fetch();
        const body = '<!doctype html><p>Words.</p><script>document.body.textContent = parent.origin</script>';
        await route.fulfill({ response, body, headers: { ...response.headers(), ...guard } });
      });
      await page.getByRole('button', { name: /with Fox/ }).click();
      await isPaid(page);
      const frame = page.frameLocator('#pay iframe[sandbox=""]');
      await frame.getByText('Words.').waitFor();
      assert.equal(await frame.locator('body').evaluate(() => self.origin), 'null');
      await page.getByText('Its text').click();
      assert.match(await page.locator('#pay pre').innerText(), /<!doctype html><p>Words/);
      await page.reload();
      await frame.getByText('Words.').waitFor();
    }
  });
});

//
test('what no browser would show as a page is none under the address of paid pages either', async () => {
  const [payer, url] = [payerOf(0), `${world.gate.url}/?other-type`];
  await charged(payer.address, 1n, async () => {
    const { page } = await visited('/?other-type', [{ payer, network: HERE, name: 'Fox' }]);
    await page.route(url, async (route) => {
      if (route.request().headers()['payment-signature'] === undefined) return route.fallback();
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), 'content-type': 'text/html-x' } });
    });
    await page.getByRole('button', { name: /with Fox/ }).click();
    await isPaid(page);
    await page.goto(`${world.gate.url}/_farebox/pay/view#${encodeURIComponent(url)}`);
    await page.getByText('This page is not kept here any more.').waitFor();
  });
});

test('a seller that does not deliver: no charge, and no word that nothing was signed', async () => {
  const payer = payerOf(0);
  await charged(payer.address, 0n, async () => {
    for (const [path, title] of [
      ['/fail/404', /did not deliver/],
      ['/fail/503', /does not deliver for this payment/],
    ] as const) {
      const { page } = await visited(path, [{ payer, network: HERE, name: 'Fox' }]);
      await page.getByRole('button', { name: /with Fox/ }).click();
      await says(page, title);
      const text = await page.locator('#pay').innerText();
      assert.match(text, /"Try again" charges you once at most\./);
      assert.match(text, path === '/fail/404' ? /The server answered 404: / : /the origin returned an error/);
      assert.ok(!text.includes('Nothing was paid'), text);
    }
  });
});

test('a page whose origin only adds the last slash of its path links to that address, and calls nothing charged or not', async () => {
  const [payer, url] = [payerOf(0), `${world.gate.url}/report?slash`];
  await charged(payer.address, 0n, async () => {
    const { page } = await visited('/report?slash', [{ payer, network: HERE, name: 'Fox' }]);
    await leadsPayments(page, url, url.replace('?', '/?'));
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /The server leads to another address, which this page cannot follow\./);
    const text = await page.locator('#pay').innerText();
    assert.match(text, /charged once at most/);
    assert.ok(!/Nothing was/.test(text), text);
    assert.equal(await page.locator('#pay a').getAttribute('href'), url.replace('?', '/?'));
  });
});

test('an answer without content is paid, and one that breaks off after the charge is fetched again', async () => {
  const payer = payerOf(1);
  await charged(payer.address, 2n, async () => {
    const { page: empty } = await visited('/fail/204', [{ payer, network: HERE, name: 'Fox' }]);
    await empty.getByRole('button', { name: /with Fox/ }).click();
    await isPaid(empty);
    const { page } = await visited('/report?cut', [{ payer, network: HERE, name: 'Fox' }]);
    // The first answer has its head and half of its body.
    let cuts = 0;
    await page.exposeFunction('cuts', () => cuts++ === 0);
    await page.evaluate(() => {
      const inner = globalThis.fetch;
      globalThis.fetch = async (...words) => {
        const answer = await inner(...words);
        const isGoods = answer.ok && answer.headers.has('payment-response');
        if (!isGoods || !(await (globalThis as unknown as { cuts(): Promise<boolean> }).cuts())) return answer;
        const broken = new ReadableStream({ pull: (controller) => controller.error(new TypeError('network error')) });
        const { status, headers, url } = answer;
        return Object.defineProperty(new Response(broken, { status, headers }), 'url', { value: url });
      };
    });
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /not known yet what became/);
    assert.ok(!(await page.locator('#pay').innerText()).includes('Nothing was paid'));
    await isPaid(page);
    assert.match(await page.locator('#pay pre').innerText(), /Rainfall, Tuesday/);
  });
});

test('of several ways the chosen one is shown, and named where it is paid', async () => {
  const page = await context.newPage();
  const payer = payerOf(0);
  await addWallet(page, { payer, network: HERE, name: 'Fox', node: world.chain.url });
  await offersBeside(page, `${world.gate.url}/report?ways`, { network: 'eip155:80002' });
  await page.goto(`${world.gate.url}/report?ways`);
  const first = page.getByRole('radio', { name: /Base Sepolia/ });
  await first.waitFor();
  assert.equal(await first.isChecked(), true);
  await page.getByRole('radio', { name: /Elsewhere/ }).check();
  await page.getByRole('button', { name: 'Pay 0.01 USDC on Elsewhere with Fox' }).waitFor();
  assert.equal(await page.getByRole('radio', { name: /Elsewhere/ }).isChecked(), true);
  assert.equal(await first.isChecked(), false);
});

test('events are shown while they come, and a file can be saved', async () => {
  const payer = payerOf(1);
  await charged(payer.address, 2n, async () => {
    const { page } = await visited('/events?count=3', [{ payer, network: HERE, name: 'Fox' }]);
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /That was all/);
    assert.match(await page.locator('#pay pre').innerText(), /"tick":3/);
    const { page: big } = await visited('/big', [{ payer, network: HERE, name: 'Fox' }]);
    await big.getByRole('button', { name: /with Fox/ }).click();
    await isPaid(big);
    const [download] = await Promise.all([big.waitForEvent('download'), big.getByRole('link', { name: 'Save big' }).click()]);
    assert.equal(readFileSync(await download.path()).length, 5 * 1024 * 1024);
  });
});

test('without a wallet: a code for a phone, and links to the apps of wallets', async () => {
  const page = await context.newPage();
  await page.goto(`${world.gate.url}/report`);
  await page.getByRole('img', { name: 'QR code of this page' }).waitFor();
  await screenshot(page, 'pay-elsewhere-1280');
  const host = new URL(world.gate.url).host;
  assert.equal(
    await page.getByRole('link', { name: 'Open in MetaMask' }).getAttribute('href'),
    `https://link.metamask.io/dapp/${host}/report`,
  );
  assert.deepEqual(await seriousOf(page), []);
});

test('on a phone in the dark, with texts that want to be more', async () => {
  await context.close();
  for (const colorScheme of ['light', 'dark'] as const) {
    context = await opened({ width: 360, height: 740 }, { colorScheme });
    const { page } = await visited('/report-hostile', [
      { payer: payerOf(0), network: HERE, name: 'Fox' },
      { payer: payerOf(1), network: HERE, name: `${HOSTILE} of a very long name` },
    ]);
    await page.getByRole('button', { name: /with Fox/ }).waitFor();
    await screenshot(page, `pay-hostile-360-${colorScheme}`);
    const text = await page.locator('main').innerText();
    assert.ok(text.includes('<img src=x onerror=alert(1)></script><script>alert(2)</script>‹U+202E› gnp.exe'), text);
    assert.match(text, /with <img src=x onerror=alert\(1\)><\/script><script>alert\(2\)<\/script>‹U\+202E› gnp\.exe of a very long name/);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    assert.deepEqual(await seriousOf(page), []);
    if (colorScheme === 'light') await context.close();
  }
  assert.deepEqual(complaints, []);
});

test('without scripts the terms stay, and a form that was sent cannot be paid by a page', async () => {
  await context.close();
  context = await opened({ width: 800, height: 600 }, { javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${world.gate.url}/report`);
  assert.match(await page.locator('main').innerText(), /\$0\.01 in USDC/);
  assert.match(await page.locator('main').innerText(), /Paying in this page needs its script/);
  const headers = { accept: 'text/html', 'user-agent': 'Mozilla/5.0' };
  const posted = await fetch(`${world.gate.url}/about`, { method: 'POST', headers });
  assert.equal(posted.status, 402);
  assert.ok(!(await posted.text()).includes('<script'));
});

test('what a person waits for is small', () => {
  const folder = join(PAGES, '_farebox', 'pay');
  const bytes = (name: string): number => gzipSync(readFileSync(join(folder, name)), { level: 9 }).length;
  const first = /import"\.\/(part-\w+\.js)"|from"\.\/(part-\w+\.js)"/g;
  const text = readFileSync(join(folder, 'pay.js'), 'utf8');
  const parts = [...text.matchAll(first)].map(([, one, other]) => one ?? other ?? '');
  const sum = [...new Set(parts), 'pay.js', 'pay.css'].reduce((total, name) => total + bytes(name), 0);
  const { gzip_bytes: limit } = (
    JSON.parse(readFileSync(join(root, 'tests', 'sizes.json'), 'utf8')) as Record<string, { gzip_bytes: number }>
  )['pay page']!;
  assert.ok(sum <= limit, `${sum} bytes`);
  assert.equal(readdirSync(folder).filter((name) => name.endsWith('.wasm')).length, 2, 'the payer, and what pays from deposits');
});
