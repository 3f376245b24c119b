// Deposits at the page of a 402 in Chromium: signed for once, spent page by page without the wallet, and paid back to the last unit.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import type { Page } from 'playwright-core';

import { BATCH_SETTLEMENT } from '../../demo/chain.mjs';
import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { fund } from '../crash/world.ts';
import { SCREENS, seriousOf } from './looks.ts';
import { answersPayments, doublesPrice, signsOtherwise } from './sellers.ts';
import { sharedStage } from './stage.ts';
import { HERE, isPaid, losesAnswers, says, signaturesOf, visit } from './visits.ts';

const PATH = '/report/session';
const DEPOSIT = 50n * PRICE_ATOMIC;

const route = { path: PATH, methods: ['GET'], price: '$0.01', session_delay_secs: 900 };
const dear = { ...route, path: '/report/dear', price: '$2' };
const other = { ...route, path: '/report/other', session_delay_secs: 1_800 };
const slow = { ...route, path: '/report/later', session_delay_secs: 86_401 };
const stage = sharedStage([route, slow, dear, other]);

const payerOf = (index: number) => stage.world.chain.accounts.payers[index]!;
const open = (index: number, path = PATH) =>
  visit(stage.context, stage.world, path, [{ payer: payerOf(index), network: HERE, name: 'Fox' }]);
const choose = (page: Page) => page.getByRole('radio', { name: /for about 50 pages like this one/ }).check();
const deposits = (page: Page) => page.getByRole('button', { name: 'Deposit 0.5 USDC on Base Sepolia with Fox' });
const fromDeposit = (page: Page) => page.getByRole('button', { name: 'Pay 0.01 USDC from your deposit' });

/** What the contract holds more, and this account less, after `work`; and how often the origin was asked. */
async function moved(index: number, work: () => Promise<void>): Promise<readonly [bigint, bigint, number]> {
  const { chain, origin } = stage.world;
  const read = async () => [await chain.balanceOf(BATCH_SETTLEMENT), await chain.balanceOf(payerOf(index).address)] as const;
  const [held, had] = await read();
  const asked = origin.requests.length;
  await work();
  const [holds, has] = await read();
  return [holds - held, had - has, origin.requests.length - asked];
}

test('one signature deposits, pages after it are paid without the wallet, and the rest comes back', async () => {
  const change = await moved(0, async () => {
    const { page, wallets } = await open(0);
    await choose(page);
    await page.screenshot({ path: join(SCREENS, 'pay-deposit-1280.png'), fullPage: true });
    await deposits(page).click();
    await isPaid(page);
    assert.match(await page.locator('#pay').innerText(), /Rainfall, Tuesday[^]*You have 0\.49 USDC left of your deposit here\./);
    await page.screenshot({ path: join(SCREENS, 'pay-deposit-paid-1280.png'), fullPage: true });
    assert.deepEqual(await seriousOf(page), []);
    assert.equal(signaturesOf(wallets), 1);
    // Another page, in a browser whose wallet is asked for nothing.
    const other = await open(0, `${PATH}?two`);
    await fromDeposit(other.page).click();
    await isPaid(other.page);
    await other.page.getByText('You have 0.48 USDC left of your deposit here.').waitFor();
    assert.deepEqual(other.wallets[0]?.calls, []);
    await other.page.reload();
    await isPaid(other.page);
    await other.page.getByRole('button', { name: 'Get the rest back' }).click();
    await says(other.page, /You have 0\.48 USDC back\./);
    assert.match(await other.page.locator('#pay').innerText(), new RegExp(`It went to ${payerOf(0).address}`, 'i'));
    // What was paid for is shown again, and not a choice of wallets.
    await other.page.getByRole('button', { name: 'Go on' }).click();
    await other.page.getByText('Rainfall, Tuesday').waitFor();
    assert.deepEqual(other.wallets[0]?.calls, []);
  });
  // The two pages: what they earned is claimed with the refund, and paid out from the contract later.
  assert.equal(change[1], 2n * PRICE_ATOMIC);
  assert.equal(change[2], 2);
  assert.deepEqual(stage.complaints, []);
});

test('a deposit whose answer is lost, and a voucher whose answer is lost, are each one charge, also over a reload', async () => {
  const [, paid, asked] = await moved(1, async () => {
    const { page, wallets } = await open(1, `${PATH}?lost`);
    const url = `${stage.world.gate.url}${PATH}?lost`;
    const losses = await losesAnswers(page, url);
    await choose(page);
    await deposits(page).click();
    while (losses.lost() === 0) await page.waitForTimeout(100);
    await page.reload();
    await losses.ends();
    await isPaid(page);
    assert.equal(signaturesOf(wallets), 1);
    const next = await open(1, `${PATH}?next`);
    const again = await losesAnswers(next.page, `${stage.world.gate.url}${PATH}?next`);
    await fromDeposit(next.page).click();
    while (again.lost() === 0) await next.page.waitForTimeout(100);
    await next.page.reload();
    await again.ends();
    await isPaid(next.page);
    await next.page.getByText('You have 0.48 USDC left of your deposit here.').waitFor();
    assert.deepEqual(next.wallets[0]?.calls, []);
  });
  assert.deepEqual([paid, asked], [DEPOSIT, 2]);
});

//
test('a click that was meant for a window above the page pays nothing from a deposit, and a browser is asked to keep it', async () => {
  const change = await moved(1, async () => {
    const { page } = await open(1, `${PATH}?above`);
    await page.evaluate(() => {
      navigator.storage.persist = async () => {
        document.documentElement.dataset['keeps'] = 'asked';
        return false;
      };
    });
    await choose(page);
    await page.getByText('in this browser alone').waitFor();
    await deposits(page).click();
    await isPaid(page);
    assert.equal(await page.evaluate(() => document.documentElement.dataset['keeps']), 'asked');
    const other = await open(1, `${PATH}?below`);
    await fromDeposit(other.page).waitFor();
    const said = await other.page.evaluate(() => {
      window.dispatchEvent(new Event('focus'));
      const button = [...document.querySelectorAll<HTMLButtonElement>('#pay button')].find((it) =>
        it.textContent?.includes('from your deposit'),
      );
      button?.click();
      return document.querySelector('#pay [role=status]')?.textContent;
    });
    assert.equal(said, 'Choose a wallet.');
    await fromDeposit(other.page).click();
    await isPaid(other.page);
  });
  assert.deepEqual([change[1], change[2]], [DEPOSIT, 2]);
});

test('two tabs pay for one page once from one deposit', async () => {
  const [, paid, asked] = await moved(2, async () => {
    const { page: one } = await open(2, `${PATH}?tabs`);
    const { page: two } = await open(2, `${PATH}?tabs`);
    await choose(one);
    await choose(two);
    await deposits(one).click();
    await deposits(two).click();
    await Promise.all([isPaid(one), isPaid(two)]);
    await one.getByText('You have 0.49 USDC left of your deposit here.').waitFor();
  });
  assert.deepEqual([paid, asked], [DEPOSIT, 1]);
});

test('a person who declines has deposited nothing, and another account goes on with no deposit of the first', async () => {
  const [held, paid] = await moved(3, async () => {
    const { page } = await visit(stage.context, stage.world, `${PATH}?no`, [
      { payer: payerOf(3), network: HERE, name: 'Fox', person: 'refuses' },
    ]);
    await choose(page);
    await deposits(page).click();
    await says(page, /You declined in your wallet/);
    assert.match(await page.locator('#pay').innerText(), /Nothing was paid\./);
    await page.getByRole('button', { name: 'Try again' }).click();
    await deposits(page).waitFor();
    assert.equal(await fromDeposit(page).count(), 0);
  });
  assert.deepEqual([held, paid], [0n, 0n]);
});

test('a seller that does not deliver: the same voucher asks again, and a person may pay anew', async () => {
  const [, paid, asked] = await moved(4, async () => {
    const { page, wallets } = await open(4, `${PATH}?broken`);
    const url = `${stage.world.gate.url}${PATH}?broken`;
    await answersPayments(page, url, { status: 404, code: 'gone' });
    await choose(page);
    await deposits(page).click();
    await says(page, /The seller did not deliver/);
    await page.reload();
    await says(page, /The seller did not deliver/);
    await page.getByRole('button', { name: 'Pay anew' }).click();
    await says(page, /may be charged to your deposit, whatever you pay now/);
    await page.getByRole('button', { name: 'Do not pay' }).click();
    await says(page, /The seller did not deliver/);
    await page.unroute(url);
    await page.getByRole('button', { name: 'Try again' }).click();
    await isPaid(page);
    assert.equal(signaturesOf(wallets), 1);
  });
  assert.deepEqual([paid, asked], [DEPOSIT, 1]);
});

//
test('what another tab has signed by itself goes on, and nothing is paid from the deposit beside it', async () => {
  const [, paid, asked] = await moved(7, async () => {
    const { page: first } = await open(7, `${PATH}?first`);
    await choose(first);
    await deposits(first).click();
    await isPaid(first);
    const { page: one } = await open(7, `${PATH}?beside`);
    const { page: two, wallets } = await open(7, `${PATH}?beside`);
    await fromDeposit(two).waitFor();
    const url = `${stage.world.gate.url}${PATH}?beside`;
    await answersPayments(one, url, { status: 404, code: 'gone' });
    await one.getByRole('button', { name: 'Pay 0.01 USDC on Base Sepolia with Fox' }).click();
    await says(one, /The seller did not deliver/);
    await fromDeposit(two).click();
    await isPaid(two);
    await one.reload();
    await isPaid(one);
    assert.equal(signaturesOf(wallets), 0);
    await two.getByText('You have 0.49 USDC left of your deposit here.').waitFor();
  });
  assert.deepEqual([paid, asked], [DEPOSIT + PRICE_ATOMIC, 2]);
});

//
test('what was signed for goes on at its price, and nothing is signed for a dearer one', async () => {
  const [, paid, asked] = await moved(5, async () => {
    const { page, wallets } = await open(5, `${PATH}?raised`);
    const url = `${stage.world.gate.url}${PATH}?raised`;
    await answersPayments(page, url, { status: 404, code: 'gone' });
    await choose(page);
    await deposits(page).click();
    await says(page, /The seller did not deliver/);
    await page.unroute(url);
    await doublesPrice(page, url);
    await page.reload();
    await isPaid(page);
    assert.equal(signaturesOf(wallets), 1);
  });
  assert.deepEqual([paid, asked], [500_000n, 1]);
});

//
test('a deposit is offered where it pays alone, and of a dear page the rest comes back as well', async () => {
  await fund(stage.world.chain, payerOf(6).address, 100_000_000n);
  const [, paid] = await moved(6, async () => {
    const { page } = await open(6, '/report/dear');
    await choose(page);
    await page.getByRole('button', { name: 'Deposit 100 USDC on Base Sepolia with Fox' }).click();
    await isPaid(page);
    for (const elsewhere of [PATH, '/report/other']) {
      const { page: other } = await open(6, elsewhere);
      await other.getByRole('button', { name: 'Pay 0.01 USDC on Base Sepolia with Fox' }).waitFor();
      // Of one delay it is one channel.
      assert.equal(await fromDeposit(other).count(), elsewhere === PATH ? 1 : 0, elsewhere);
    }
    const url = `${stage.world.gate.url}/report/dear`;
    const losses = await losesAnswers(page, url);
    await page.getByRole('button', { name: 'Get the rest back' }).click();
    await says(page, /It is not known yet whether the rest came back/);
    await losses.ends();
    await page.getByRole('button', { name: 'Try again' }).click();
    await says(page, /You have 98 USDC back/);
  });
  assert.equal(paid, 2_000_000n);
});

//
test('a page that was paid for and has not come is named before the rest of its deposit comes back', async () => {
  const [, paid, asked] = await moved(7, async () => {
    const { page } = await open(7, `${PATH}?shown`);
    await choose(page);
    await deposits(page).click();
    await isPaid(page);
    const { page: lost } = await open(7, `${PATH}?away`);
    const losses = await losesAnswers(lost, `${stage.world.gate.url}${PATH}?away`);
    await fromDeposit(lost).click();
    while (losses.lost() === 0) await lost.waitForTimeout(100);
    await lost.close();
    await page.getByRole('button', { name: 'Get the rest back' }).click();
    await says(page, /signed for another page.* Open it first: it does not come once the rest is back/);
    await page.getByRole('button', { name: 'Not now' }).click();
    await page.getByText('Rainfall, Tuesday').waitFor();
    await page.getByRole('button', { name: 'Get the rest back' }).click();
    const [again] = await Promise.all([stage.context.waitForEvent('page'), page.getByRole('link', { name: `${PATH}?away` }).click()]);
    await isPaid(again);
    await page.getByRole('button', { name: 'Get the rest back' }).click();
    await says(page, /You have 0\.48 USDC back\./);
  });
  assert.deepEqual([paid, asked], [2n * PRICE_ATOMIC, 2]);
});

test('what was bought comes back to sight where another tab keeps the rest waiting', async () => {
  const { page } = await open(3, `${PATH}?waits`);
  await choose(page);
  await deposits(page).click();
  await isPaid(page);
  const { page: other } = await open(3, '/about');
  await other.evaluate((name) => {
    void navigator.locks.request(name, () => new Promise(() => undefined));
  }, `farebox ${stage.world.gate.url}${PATH}?waits`);
  await page.getByRole('button', { name: 'Get the rest back' }).click();
  await says(page, /Another tab pays for this page/);
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByText('Rainfall, Tuesday').waitFor();
  await other.close();
  await page.getByRole('button', { name: 'Get the rest back' }).click();
  await says(page, /You have 0\.49 USDC back/);
});

//
test('once a seller was restored, a deposit of before pays for nothing and comes back', async () => {
  const [, paid, asked] = await moved(2, async () => {
    const { page: first } = await open(2, `${PATH}?before`);
    await choose(first);
    await deposits(first).click();
    await isPaid(first);
    const { page, wallets } = await open(2, `${PATH}?since`);
    await fromDeposit(page).waitFor();
    await signsOtherwise(page, `${stage.world.gate.url}${PATH}?since`);
    await page.reload();
    await page.getByText('You have 0.49 USDC left of your deposit here.').waitFor();
    assert.equal(await fromDeposit(page).count(), 0);
    await page.getByRole('button', { name: 'Get the rest back' }).click();
    await says(page, /You have 0\.49 USDC back\./);
    await page.getByRole('button', { name: 'Go on' }).click();
    await choose(page);
    await deposits(page).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Get the rest back' }).count(), 0);
    assert.deepEqual(wallets[0]?.calls, []);
  });
  assert.deepEqual([paid, asked], [PRICE_ATOMIC, 1]);
});

test('a deposit that would be held for longer than a day is not offered', async () => {
  const { page } = await open(0, '/report/later');
  await page.getByRole('button', { name: 'Pay 0.01 USDC with Fox' }).waitFor();
  assert.equal(await page.getByRole('radio').count(), 0);
});
