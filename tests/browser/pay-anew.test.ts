// What is paid anew at the page of a 402 in Chromium, and what is not: once for each time that a person agrees.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { changesDuring } from '../e2e/world.ts';
import { answersPayments } from './sellers.ts';
import { sharedStage } from './stage.ts';
import { HERE, isPaid, says, signaturesOf, visit } from './visits.ts';
import { addWallet, type WalletPlan } from './wallet.ts';

const stage = sharedStage([{ path: '/report/dear', methods: ['GET'], price: '$60' }]);

const payerOf = (index: number) => stage.world.chain.accounts.payers[index]!;
const visited = (path: string, plans: readonly WalletPlan[]) => visit(stage.context, stage.world, path, plans);

/** Runs a purchase: the price moved once. */
async function charged(payer: `0x${string}`, work: () => Promise<void>): Promise<void> {
  const { change } = await changesDuring(stage.world, payer, work);
  assert.deepEqual([change.paid, change.received, change.settled], [PRICE_ATOMIC, PRICE_ATOMIC, 1]);
}

//
test('what was paid back is bought anew by the same account once it has ended, if its person agrees', async () => {
  const payer = payerOf(0);
  const path = '/report?back';
  await charged(payer.address, async () => {
    const { page } = await visited(path, [{ payer, network: HERE, name: 'Fox' }]);
    await answersPayments(page, `${stage.world.gate.url}${path}`, { status: 409, code: 'refunded' });
    await stage.context.clock.setFixedTime(Date.now() - 3_600_000);
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /You paid, and the seller could not deliver/);
    // While it can be charged, it is no other purchase.
    assert.equal(await page.getByRole('button', { name: 'Pay anew' }).count(), 0);
    await page.close();
    await stage.context.clock.setFixedTime(Date.now());
    const { page: later, wallets } = await visited(path, [{ payer, network: HERE, name: 'Fox' }]);
    for (const answer of ['Do not pay', 'Pay anew']) {
      await says(later, new RegExp(`Choose the same account to go on, ${payer.address}`));
      await later.getByRole('button', { name: 'Pay anew' }).click();
      await says(later, /has ended, and may have been charged\. Look at your wallet first/);
      await later.getByRole('button', { name: answer }).click();
    }
    await says(later, /^Choose a wallet\.$/);
    await later.getByRole('button', { name: /with Fox/ }).click();
    await isPaid(later);
    assert.equal(signaturesOf(wallets), 1);
  });
});

//
test('what was answered without a receipt and ended while it was sent again is paid again if its person agrees', async () => {
  const payer = payerOf(1);
  const path = '/report?answered';
  await charged(payer.address, async () => {
    await stage.context.clock.setFixedTime(Date.now() - 3_600_000);
    const { page, wallets } = await visited(path, [{ payer, network: HERE, name: 'Fox' }]);
    const url = `${stage.world.gate.url}${path}`;
    await answersPayments(page, url, { status: 200, code: 'stripped' });
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /came without a receipt/);
    // The network is away until it has ended.
    await page.route(url, (route) => route.abort());
    await page.getByRole('button', { name: 'Ask again' }).click();
    await says(page, /checks and settles|is sent again/);
    await stage.context.clock.setFixedTime(Date.now());
    await says(page, /not known yet what became/);
    await page.unroute(url);
    await says(page, /has ended, and may have been charged\. An answer came for it, without a receipt/);
    assert.equal(signaturesOf(wallets), 1);
    await page.getByRole('button', { name: /with Fox/ }).click();
    await page.getByRole('button', { name: 'Pay again' }).click();
    await isPaid(page);
  });
});

//
test('what ends while a wallet is asked for its network is paid again if its person agrees', async () => {
  const payer = payerOf(2);
  const path = '/report?changing';
  await charged(payer.address, async () => {
    await stage.context.clock.setFixedTime(Date.now() - 3_600_000);
    let change = (): void => {};
    const changes = new Promise<void>((resolve) => {
      change = resolve;
    });
    const { page: one } = await visited(path, [{ payer, network: HERE, name: 'Fox' }]);
    const { page: two, wallets } = await visited(path, [{ payer, network: '0x1', name: 'Fox', changes }]);
    await two.getByRole('button', { name: /with Fox/ }).waitFor();
    await answersPayments(one, `${stage.world.gate.url}${path}`, { status: 200, code: 'stripped' });
    await one.getByRole('button', { name: /with Fox/ }).click();
    await says(one, /came without a receipt/);
    await two.getByRole('button', { name: /with Fox/ }).click();
    await says(two, /Choose Base Sepolia in Fox/);
    await stage.context.clock.setFixedTime(Date.now());
    change();
    await says(two, /has ended, and may have been charged/);
    assert.equal(signaturesOf(wallets), 0);
    await two.getByRole('button', { name: 'Pay again' }).click();
    await isPaid(two);
  });
});

test('a person who declines to pay beside what has ended reads that it has, and not that they go on with it', async () => {
  const path = '/report?declines';
  await stage.context.clock.setFixedTime(Date.now() - 3_600_000);
  const { page } = await visited(path, [{ payer: payerOf(5), network: HERE, name: 'Fox' }]);
  await answersPayments(page, `${stage.world.gate.url}${path}`, { status: 404, code: 'gone' });
  await page.getByRole('button', { name: /with Fox/ }).click();
  await says(page, /The seller did not deliver/);
  await page.close();
  await stage.context.clock.setFixedTime(Date.now());
  const { page: later } = await visited(path, [{ payer: payerOf(6), network: HERE, name: 'Owl', person: 'refuses' }]);
  await later.getByRole('button', { name: /with Owl/ }).click();
  await later.getByRole('button', { name: 'Pay again' }).click();
  await says(later, /You declined in your wallet/);
  const text = await later.locator('#pay').innerText();
  assert.match(text, /An earlier payment for this page has ended, and may have been charged\./);
  assert.ok(!text.includes('You are charged once'), text);
});

//
test('a limit that reloads have used up is lifted by whoever reads that there is one', async () => {
  const payer = payerOf(0);
  const { page, wallets } = await visited('/report/dear', [{ payer, network: HERE, name: 'Fox', until: new Promise(() => undefined) }]);
  const pay = page.getByRole('button', { name: 'Pay 60 USDC with Fox' });
  await pay.click();
  await says(page, /Sign in Fox/);
  await page.reload();
  await pay.click();
  await says(page, /have paid a lot here in the last day, or begun to/);
  assert.match(await page.locator('#pay').innerText(), /Nothing was paid\./);
  await page.getByRole('button', { name: 'Pay all the same' }).click();
  await page.getByRole('button', { name: 'Pay all the same' }).click();
  await pay.click();
  await says(page, /Sign in Fox/);
  // It is said a moment before the wallet is asked.
  while (signaturesOf(wallets) < 2) await page.waitForTimeout(50);
});

//
test('a tab that waited for what is not kept asks before it pays as well', async () => {
  const payer = payerOf(0);
  await charged(payer.address, async () => {
    const plans: WalletPlan[] = [{ payer, network: HERE, name: 'Fox' }];
    const { page: one } = await visited('/events?count=3&tabs', plans);
    const { page: two, wallets } = await visited('/events?count=3&tabs', plans);
    await one.getByRole('button', { name: /with Fox/ }).click();
    await two.getByRole('button', { name: /with Fox/ }).click();
    await says(one, /That was all/);
    await says(two, /Another tab has just paid for this page, and shows it/);
    await two.getByRole('button', { name: 'Do not pay' }).click();
    await two.getByRole('button', { name: /with Fox/ }).waitFor();
    assert.equal(signaturesOf(wallets), 0);
  });
});

test('a page whose payer did not load says so, and is loaded anew', async () => {
  const payer = payerOf(3);
  await charged(payer.address, async () => {
    const page = await stage.context.newPage();
    await page.route('**/_farebox/pay/*.wasm', (route) => route.abort());
    await addWallet(page, { payer, network: HERE, name: 'Fox', node: stage.world.chain.url });
    await page.goto(`${stage.world.gate.url}/report?train`);
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /A part of this page did not come/);
    await page.unroute('**/_farebox/pay/*.wasm');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('button', { name: /with Fox/ }).click();
    await isPaid(page);
  });
});

//
test('without a wallet the page tells what is signed, and leads to another browser only beside nothing', async () => {
  const payer = payerOf(4);
  const path = '/report?gone';
  await charged(payer.address, async () => {
    await stage.context.clock.setFixedTime(Date.now() - 3_600_000);
    const { page } = await visited(path, [{ payer, network: HERE, name: 'Fox' }]);
    await answersPayments(page, `${stage.world.gate.url}${path}`, { status: 409, code: 'refunded' });
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /You paid, and the seller could not deliver/);
    await page.close();
    await stage.context.clock.setFixedTime(Date.now());
    const { page: bare } = await visited(path, []);
    await says(bare, new RegExp(`Choose the same account to go on, ${payer.address}`));
    await bare.getByText('This browser has no wallet.').waitFor();
    assert.equal(await bare.getByRole('link', { name: /Open in/ }).count(), 0);
    await bare.getByRole('button', { name: 'Pay anew' }).click();
    await bare.getByRole('button', { name: 'Pay anew' }).click();
    await says(bare, /This browser has no wallet/);
    await bare.getByRole('link', { name: 'Open in MetaMask' }).waitFor();
    await bare.close();
    const { page: later } = await visited(path, [{ payer, network: HERE, name: 'Fox' }]);
    await later.getByRole('button', { name: /with Fox/ }).click();
    await isPaid(later);
  });
});

//
test('what was paid for is shown where the browser can keep none of it', async () => {
  const payer = payerOf(6);
  const path = '/report?full';
  await charged(payer.address, async () => {
    const { page } = await visited(path, [{ payer, network: HERE, name: 'Fox' }]);
    const pay = page.getByRole('button', { name: /with Fox/ });
    await pay.waitFor();
    await page.evaluate(() => {
      const full = (): never => {
        throw new DOMException('exceeded the quota', 'QuotaExceededError');
      };
      Storage.prototype.setItem = full;
      CacheStorage.prototype.open = async () => full();
      const status = document.querySelector('#pay [role=status]')!;
      const note = (): void => void (document.documentElement.dataset['said'] += `${status.textContent} `);
      new MutationObserver(note).observe(status, { childList: true });
    });
    await pay.click();
    await page.getByText('Rainfall, Tuesday').waitFor();
    assert.match(await page.evaluate(() => document.documentElement.dataset['said'] ?? ''), /Sign in Fox\. Signed\. The server checks/);
  });
});
