// What a page of a 402 goes on with in Chromium, whatever is lost or answered in between: nothing is charged twice without a word.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import type { Page } from 'playwright-core';

import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { SETTLED_MS } from '../../pkg/src/pages/shared/presses.ts';
import { changesDuring } from '../e2e/world.ts';
import { seriousOf } from './looks.ts';
import { answersLooks, answersPayments, leadsLooks } from './sellers.ts';
import { sharedStage } from './stage.ts';
import { HERE, isPaid, losesAnswers, says, signaturesOf, visit } from './visits.ts';

const PATH = '/report/session';
const DEPOSIT = 50n * PRICE_ATOMIC;

const route = { path: PATH, methods: ['GET'], price: '$0.01', session_delay_secs: 900 };
const live = { ...route, path: '/events/session', mime_type: 'text/event-stream' };
const stage = sharedStage([route, live]);

const payerOf = (index: number) => stage.world.chain.accounts.payers[index]!;
const urlOf = (path: string): string => `${stage.world.gate.url}${path}`;
const open = (index: number, path: string) =>
  visit(stage.context, stage.world, path, [{ payer: payerOf(index), network: HERE, name: 'Fox' }]);
const fromDeposit = (page: Page) => page.getByRole('button', { name: 'Pay 0.01 USDC from your deposit' });

/** Deposits for a page of its own. */
async function deposited(index: number): Promise<void> {
  const { page } = await open(index, `${PATH}?deposit`);
  await page.getByRole('radio', { name: /for about 50 pages like this one/ }).check();
  await page.getByRole('button', { name: 'Deposit 0.5 USDC on Base Sepolia with Fox' }).click();
  await isPaid(page);
  await page.close();
}

/** What an account paid during `work`, and how often the origin was asked. */
async function paidDuring(index: number, work: () => Promise<void>): Promise<readonly [bigint, number]> {
  const asked = stage.world.origin.requests.length;
  const { change } = await changesDuring(stage.world, payerOf(index).address, work);
  return [change.paid, stage.world.origin.requests.length - asked];
}

//
test('an answer from between to a look lets go of nothing that was paid from a deposit', async () => {
  const [paid, asked] = await paidDuring(0, async () => {
    await deposited(0);
    const { page } = await open(0, `${PATH}?between`);
    const losses = await losesAnswers(page, urlOf(`${PATH}?between`));
    await fromDeposit(page).click();
    while (losses.lost() === 0) await page.waitForTimeout(100);
    await losses.ends();
    const looks = await answersLooks(page, urlOf(`${PATH}?between`));
    await page.reload();
    await says(page, /came without a receipt/);
    await page.getByText('We are back soon.').waitFor();
    await Promise.all([looks.again(), page.getByRole('button', { name: 'Ask again' }).click()]);
    await says(page, /came without a receipt/);
    await looks.ends();
    await page.getByRole('button', { name: 'Ask again' }).click();
    await isPaid(page);
    await page.getByText('You have 0.48 USDC left of your deposit here.').waitFor();
  });
  assert.deepEqual([paid, asked], [DEPOSIT, 2]);
});

//
test('events that broke off go on with the voucher of before, and are paid anew by a press alone', async () => {
  const [paid] = await paidDuring(1, async () => {
    await deposited(1);
    const { page } = await open(1, `${live.path}?count=3`);
    await breaksOff(page, 'text/event-stream');
    await fromDeposit(page).click();
    await says(page, /It broke off here/);
    await page.reload();
    // A gate gives events once: nothing is bought anew unless the person says so.
    await says(page, /does not deliver for this payment/);
    await page.getByRole('button', { name: 'Pay anew' }).waitFor();
    await open(1, `${PATH}?rest`).then(({ page: other }) => other.getByText('You have 0.48 USDC left of your deposit here.').waitFor());
  });
  assert.equal(paid, DEPOSIT);
});

//
test('events that began with a receipt are over: the next visit shows the price, and nothing is signed for them', async () => {
  const [paid] = await paidDuring(5, async () => {
    const { page, wallets } = await open(5, '/events?count=3&seen');
    await breaksOff(page, 'text/event-stream');
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /It broke off here\. The seller may owe you a refund/);
    await page.getByRole('link', { name: /^0x/ }).waitFor();
    await page.reload();
    await says(page, /^Choose a wallet\.$/);
    assert.equal(await page.getByRole('button', { name: 'Pay anew' }).count(), 0);
    assert.equal(signaturesOf(wallets), 1);
  });
  assert.equal(paid, PRICE_ATOMIC);
});

//
//
test('a file that broke off and is given no more is paid anew, if its person agrees', async () => {
  const [paid] = await paidDuring(6, async () => {
    const { page, wallets } = await open(6, '/big?half');
    await breaksOff(page, 'application/octet-stream');
    const pay = page.getByRole('button', { name: /with Fox/ });
    await pay.click();
    await says(page, /not known yet what became/);
    // Its wallet would sign that the answer is its own: it is asked by a press alone.
    await says(page, /Choose the same account to go on/);
    assert.equal(signaturesOf(wallets), 1);
    await pay.click();
    await says(page, /does not deliver for this payment/);
    await page.getByText('It broke off. Its first 9 bytes came: you can save them until you leave or reload this page.').waitFor();
    assert.equal(await savedBy(page, 'big'), 'data: 1\n\n');
    await page.reload();
    await says(page, /Choose the same account to go on/);
    await pay.click();
    await says(page, /does not deliver for this payment/);
    await page.getByRole('button', { name: 'Pay anew' }).click();
    await says(page, /may still be charged, whatever you pay now/);
    await page.getByRole('button', { name: 'Pay anew' }).click();
    await says(page, /^Choose a wallet\.$/);
    await pay.click();
    await isPaid(page);
  });
  assert.equal(paid, 2n * PRICE_ATOMIC);
});

//
test('a seller who says that it has delivered ends nothing, and who does not pay anew then is asked to sign nothing', async () => {
  const path = '/report?given';
  const [paid] = await paidDuring(6, async () => {
    const { page, wallets } = await open(6, path);
    const type = 'urn:farebox:problem:payment_already_delivered';
    await answersPayments(page, urlOf(path), { type, status: 409, code: 'payment_already_delivered' });
    const anew = page.getByRole('button', { name: 'Pay anew' });
    await page.getByRole('button', { name: /with Fox/ }).click();
    await anew.click();
    await says(page, /may still be charged, whatever you pay now/);
    assert.ok(!(await page.locator('#pay').innerText()).includes('has ended'));
    const before = signaturesOf(wallets);
    await page.getByRole('button', { name: 'Do not pay' }).click();
    await says(page, /Choose the same account to go on|does not deliver for this payment/);
    assert.equal(signaturesOf(wallets), before);
    // What goes on is the payment of before.
    await page.unroute(urlOf(path));
    await page.reload();
    await isPaid(page);
    assert.equal(signaturesOf(wallets), before);
  });
  assert.equal(paid, PRICE_ATOMIC);
});

//
test('what never ends is shown: a stream of lines as it comes, and other content once its person stops it', async () => {
  const [paid] = await paidDuring(7, async () => {
    for (const [kind, isLive] of [
      ['application/x-ndjson', true],
      ['text/plain', false],
    ] as const) {
      const { page, wallets } = await open(7, `/report?kind=${kind}`);
      await neverEnds(page, kind);
      await page.getByRole('button', { name: /with Fox/ }).click();
      await (isLive ? says(page, /^Paid\. It comes live\.$/) : page.getByRole('button', { name: 'Stop, and take what came' }).click());
      await page.locator('#pay pre', { hasText: '{"tick":1}' }).waitFor();
      await says(page, /^Paid\./);
      await page.reload();
      await says(page, /^Choose a wallet\.$/);
      assert.equal(signaturesOf(wallets), 1, kind);
    }
  });
  assert.equal(paid, 2n * PRICE_ATOMIC);
});

//
test('all lines that came can be saved, and not the last of them alone, also where their person stops them', async () => {
  const [paid] = await paidDuring(7, async () => {
    const { page } = await open(7, '/report?lines');
    await neverEnds(page, 'application/x-ndjson', { lines: 30_000 });
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /^Paid\. It comes live\.$/);
    await page.getByRole('link', { name: /^0x/ }).waitFor();
    await page.locator('#pay pre', { hasText: '{"tick":1}' }).waitFor();
    await page.waitForTimeout(SETTLED_MS);
    await page.getByRole('button', { name: 'Stop, and take what came' }).click();
    await says(page, /^Paid\. You stopped it here\.$/);
    assert.equal(await savedBy(page, 'report'), '{"tick":1}\n'.repeat(30_000));
    assert.deepEqual(await seriousOf(page), []);
  });
  assert.equal(paid, PRICE_ATOMIC);
});

//
test('lines with a length are a file: shown, kept for a reload, and saved', async () => {
  const path = '/report?file';
  const [paid] = await paidDuring(7, async () => {
    const { page, wallets } = await open(7, path);
    await delivers(page, urlOf(path), 'application/x-ndjson', '{"tick":1}\n{"tick":2}\n');
    await page.getByRole('button', { name: /with Fox/ }).click();
    for (const reloads of [true, false]) {
      await isPaid(page);
      await page.locator('#pay pre', { hasText: '{"tick":2}' }).waitFor();
      assert.equal(await savedBy(page, 'report'), '{"tick":1}\n{"tick":2}\n');
      if (reloads) await page.reload();
    }
    assert.equal(signaturesOf(wallets), 1);
  });
  assert.equal(paid, PRICE_ATOMIC);
});

//
test('what was paid for is shown with its link, also where its browser can read no text, or no long one', async () => {
  const line = 'It rained on Tuesday.\n';
  const [paid] = await paidDuring(7, async () => {
    for (const [path, most, words] of [
      ['/report?unread', 0, 'It cannot be shown here: save it.'],
      ['/report?long', 1_000_000, 'Save the file to see all of it.'],
    ] as const) {
      const { page } = await open(7, path);
      await delivers(page, urlOf(path), 'text/plain', line.repeat(100_000));
      await page.evaluate((most) => {
        const inner = Blob.prototype.text;
        Blob.prototype.text = function () {
          return this.size > most ? Promise.reject(new DOMException('', 'NotReadableError')) : inner.call(this);
        };
      }, most);
      await page.getByRole('button', { name: /with Fox/ }).click();
      await isPaid(page);
      await page.getByText(words).waitFor();
      await page.getByRole('link', { name: /^0x/ }).waitFor();
      assert.equal(await page.locator('#pay pre').count(), most === 0 ? 0 : 1);
      assert.equal(await savedBy(page, 'report'), line.repeat(100_000));
    }
  });
  assert.equal(paid, 2n * PRICE_ATOMIC);
});

//
test('what came of a payment stays while a look is answered for nothing', async () => {
  const path = '/big?free';
  const [paid] = await paidDuring(6, async () => {
    const { page } = await open(6, path);
    await breaksOff(page, 'application/octet-stream');
    const pay = page.getByRole('button', { name: /with Fox/ });
    await pay.click();
    await says(page, /Choose the same account to go on/);
    await pay.click();
    await page.getByRole('button', { name: 'Pay anew' }).click();
    await says(page, /may still be charged, whatever you pay now/);
    await page.getByRole('button', { name: 'Pay anew' }).click();
    await says(page, /^Choose a wallet\.$/);
    const looks = await answersLooks(page, urlOf(path));
    await pay.click();
    await says(page, /^It costs nothing now\. Here it is\.$/);
    await page.getByText('It broke off. Its first 9 bytes came: you can save them until you leave or reload this page.').waitFor();
    const [saved] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Save big' }).last().click()]);
    assert.equal(readFileSync(await saved.path(), 'utf8'), 'data: 1\n\n');
    await looks.ends();
  });
  assert.equal(paid, PRICE_ATOMIC);
});

//
test('a tab that began to wait while events came asks before it pays from the deposit', async () => {
  const [paid] = await paidDuring(5, async () => {
    await deposited(5);
    const path = `${live.path}?count=3&waits`;
    const { page: one } = await open(5, path);
    const { page: two } = await open(5, path);
    await neverEnds(one, 'text/event-stream');
    await fromDeposit(two).waitFor();
    await fromDeposit(one).click();
    await says(one, /^Paid\. It comes live\.$/);
    await fromDeposit(two).click();
    await says(two, /Another tab pays for this page\. This one waits for it/);
    await one.getByRole('button', { name: 'Stop, and take what came' }).click();
    await says(two, /Another tab has just paid for this page, and shows it/);
    await two.getByRole('button', { name: 'Do not pay' }).click();
    await two.getByText('You have 0.48 USDC left of your deposit here.').waitFor();
  });
  assert.equal(paid, DEPOSIT);
});

test('what costs nothing and breaks off is no payment that nobody knows the fate of', async () => {
  const path = '/report?free';
  const [paid] = await paidDuring(7, async () => {
    const { page, wallets } = await open(7, path);
    await answersLooks(page, urlOf(path));
    await breaksOff(page, 'text/plain');
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /has nothing for you here/);
    assert.match(await page.locator('#pay').innerText(), /Nothing was paid\..*It broke off here\..*Its first 9 bytes came/s);
    assert.equal(signaturesOf(wallets), 0);
  });
  assert.equal(paid, 0n);
});

test('events without a receipt and without an end are stopped by their person, who asks again', async () => {
  const path = '/report?unproven';
  const [paid] = await paidDuring(7, async () => {
    const { page } = await open(7, path);
    await neverEnds(page, 'text/event-stream', { lines: 1, hasReceipt: false });
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /^It came without a receipt\. It comes live\.$/);
    await page.waitForTimeout(SETTLED_MS);
    await page.getByRole('button', { name: 'Stop, and take what came' }).click();
    await says(page, /came without a receipt\.$/);
    assert.equal(await savedBy(page, 'report'), '{"tick":1}\n');
    await page.getByRole('button', { name: 'Ask again' }).waitFor();
  });
  assert.equal(paid, PRICE_ATOMIC);
});

//
test('what was signed by itself goes on in a tab that has chosen a deposit, also where its note is lost', async () => {
  const [paid, asked] = await paidDuring(2, async () => {
    const path = `${PATH}?noted`;
    const { page: one } = await open(2, path);
    const { page: two, wallets } = await open(2, path);
    await two.getByRole('radio', { name: /for about 50 pages like this one/ }).check();
    await two.getByRole('button', { name: 'Deposit 0.5 USDC on Base Sepolia with Fox' }).click();
    await isPaid(two);
    await two.getByRole('button', { name: /Forget it/ }).click();
    await fromDeposit(two).waitFor();
    await answersPayments(one, urlOf(path), { status: 404, code: 'gone' });
    await one.reload();
    await one.getByRole('button', { name: 'Pay 0.01 USDC on Base Sepolia with Fox' }).click();
    await says(one, /The seller did not deliver/);
    await one.evaluate((url) => localStorage.removeItem(`farebox-signed ${url}`), urlOf(path));
    await fromDeposit(two).click();
    await isPaid(two);
    assert.equal(signaturesOf(wallets), 1);
    await two.getByText('You have 0.49 USDC left of your deposit here.').waitFor();
  });
  assert.deepEqual([paid, asked], [DEPOSIT + PRICE_ATOMIC, 2]);
});

//
test('a site that clears its store hides no deposit, and lets go of nothing that was paid from it', async () => {
  const [paid, asked] = await paidDuring(3, async () => {
    await deposited(3);
    const { page, wallets } = await open(3, `${PATH}?cleared`);
    const losses = await losesAnswers(page, urlOf(`${PATH}?cleared`));
    await fromDeposit(page).click();
    while (losses.lost() === 0) await page.waitForTimeout(100);
    await losses.ends();
    await page.evaluate(() => localStorage.clear());
    await page.reload();
    await isPaid(page);
    await page.evaluate(() => localStorage.clear());
    await page.getByRole('button', { name: /Forget it/ }).click();
    await fromDeposit(page).waitFor();
    await page.getByText('You have 0.48 USDC left of your deposit here.').waitFor();
    assert.equal(signaturesOf(wallets), 0);
  });
  assert.deepEqual([paid, asked], [DEPOSIT, 2]);
});

//
test('a page that was paid for and has not come is named before the next one is paid from the same deposit', async () => {
  const [paid, asked] = await paidDuring(4, async () => {
    await deposited(4);
    const { page: one } = await open(4, `${PATH}?one`);
    const losses = await losesAnswers(one, urlOf(`${PATH}?one`));
    await fromDeposit(one).click();
    while (losses.lost() === 0) await one.waitForTimeout(100);
    await one.close();
    const { page: two } = await open(4, `${PATH}?two`);
    await fromDeposit(two).click();
    await says(two, /signed for another page, which has not come and may have been charged/);
    assert.deepEqual(await seriousOf(two), []);
    await two.getByRole('button', { name: 'Do not pay' }).click();
    await says(two, /You declined/);
    const [again] = await Promise.all([
      stage.context.waitForEvent('page'),
      two
        .getByRole('button', { name: 'Try again' })
        .click()
        .then(() => fromDeposit(two).click())
        .then(() => two.getByRole('link', { name: `${PATH}?one` }).click()),
    ]);
    await isPaid(again);
    await two.getByRole('button', { name: 'Pay here' }).click();
    await isPaid(two);
    const { page: three } = await open(4, `${PATH}?three`);
    await fromDeposit(three).click();
    await isPaid(three);
    await three.getByText('You have 0.46 USDC left of your deposit here.').waitFor();
  });
  assert.deepEqual([paid, asked], [DEPOSIT, 4]);
});

//
test('a page whose content broke off on the way is named as well', async () => {
  const [paid, asked] = await paidDuring(2, async () => {
    await deposited(2);
    const { page: one } = await open(2, `${PATH}?broken`);
    await breaksOff(one, 'application/json');
    await fromDeposit(one).click();
    await says(one, /It is not known yet/);
    await one.close();
    const { page: two } = await open(2, `${PATH}?whole`);
    await fromDeposit(two).click();
    await says(two, /signed for another page, which has not come and may have been charged/);
    await two.getByRole('button', { name: 'Do not pay' }).click();
    const { page: again } = await open(2, `${PATH}?broken`);
    await isPaid(again);
  });
  assert.deepEqual([paid, asked], [DEPOSIT, 2]);
});

//
test('what was signed for a page that has moved goes on, and nothing is paid from a deposit beside it', async () => {
  const [paid, asked] = await paidDuring(7, async () => {
    await deposited(7);
    const [path, moved] = [`${PATH}?moved`, `${PATH}?there`];
    const { page, wallets } = await open(7, path);
    const pay = page.getByRole('button', { name: 'Pay 0.01 USDC on Base Sepolia with Fox' });
    await pay.waitFor();
    await leadsLooks(page, urlOf(path), urlOf(moved));
    await answersPayments(page, urlOf(moved), { status: 404, code: 'gone' });
    await pay.click();
    await says(page, /The seller did not deliver/);
    await page.getByRole('button', { name: 'Try again' }).click();
    await says(page, /Choose the same account to go on/);
    assert.equal(await fromDeposit(page).count(), 0);
    await page.unroute(urlOf(moved));
    await page.reload();
    await isPaid(page);
    assert.equal(signaturesOf(wallets), 1);
  });
  assert.deepEqual([paid, asked], [DEPOSIT + PRICE_ATOMIC, 2]);
});

test('events that cost nothing, and those without a receipt, are not called paid', async () => {
  const [paid, asked] = await paidDuring(5, async () => {
    const path = '/events?count=3&free';
    const { page } = await open(5, path);
    const looks = await answersLooks(page, urlOf(path), 'text/event-stream');
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /^It costs nothing now\. That was all\.$/);
    assert.equal(await page.title(), 'Payment required');
    await looks.ends();
    await page.reload();
    await answersPayments(page, urlOf(path), { status: 200, code: 'stripped' }, 'text/event-stream');
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /came without a receipt/);
    await page.unroute(urlOf(path));
    await page.getByRole('button', { name: 'Ask again' }).click();
    await says(page, /^Paid\. That was all\.$/);
  });
  assert.deepEqual([paid, asked], [PRICE_ATOMIC, 1]);
});

test('what did not come is said to go on, and a deposit goes on whichever account was chosen before', async () => {
  const path = `${PATH}?account`;
  const plans = [
    { payer: payerOf(6), network: HERE, name: 'Fox' },
    { payer: payerOf(7), network: HERE, name: 'Owl', person: 'refuses' as const },
  ];
  const [paid, asked] = await paidDuring(6, async () => {
    await deposited(6);
    const { page } = await visit(stage.context, stage.world, path, plans);
    await page.getByRole('button', { name: 'Pay 0.01 USDC on Base Sepolia with Owl' }).click();
    await says(page, /You declined in your wallet/);
    await page.getByRole('button', { name: 'Try again' }).click();
    await fromDeposit(page).waitFor();
    const { page: other } = await open(6, path);
    await answersPayments(other, urlOf(path), { status: 404, code: 'gone' });
    await fromDeposit(other).click();
    await says(other, /The seller did not deliver/);
    await fromDeposit(page).click();
    await isPaid(page);
    const { page: once } = await open(6, '/report?once');
    await answersPayments(once, urlOf('/report?once'), { status: 404, code: 'gone' });
    await once.getByRole('button', { name: /with Fox/ }).click();
    await says(once, /The seller did not deliver/);
    await once.getByRole('button', { name: 'Try again' }).click();
    await says(once, new RegExp(`Choose the same account to go on, ${payerOf(6).address}`));
  });
  assert.deepEqual([paid, asked], [DEPOSIT, 2]);
});

test('what never ends stops no purchase: the node of a wallet, and what a seller says', async () => {
  const [paid] = await paidDuring(5, async () => {
    const path = '/report?endless';
    const { page } = await visit(stage.context, stage.world, path, [{ payer: payerOf(5), network: HERE, name: 'Fox', hangs: true }]);
    await page.getByRole('button', { name: /with Fox/ }).waitFor();
    await page.evaluate(() => {
      const inner = globalThis.fetch;
      globalThis.fetch = async (...words) => {
        if (!new Headers(words[1]?.headers).has('payment-signature')) return inner(...words);
        globalThis.fetch = inner;
        return new Response(new ReadableStream({ start: (body) => body.enqueue(new TextEncoder().encode('no')) }), { status: 404 });
      };
    });
    await page.getByRole('button', { name: /with Fox/ }).click();
    await says(page, /The seller did not deliver/);
    await page.getByText('The server answered 404: no').waitFor();
    await page.reload();
    await isPaid(page);
  });
  assert.equal(paid, PRICE_ATOMIC);
});

test('a button that is pressed twice acts once', async () => {
  const [paid] = await paidDuring(5, async () => {
    const { page, wallets } = await open(5, '/events?count=3&twice');
    await page.getByRole('button', { name: /with Fox/ }).evaluate((button: HTMLButtonElement) => {
      button.click();
      button.click();
    });
    await says(page, /That was all/);
    await page.waitForTimeout(500);
    await says(page, /That was all/);
    assert.equal(wallets[0]?.calls.filter((method) => method === 'eth_requestAccounts').length, 1);
  });
  assert.equal(paid, PRICE_ATOMIC);
});

test('once a button is pressed, no other one is there to take away what it brings', async () => {
  const plans = [5, 6].map((index) => ({ payer: payerOf(index), network: HERE, name: `Fox ${index}` }));
  const [paid] = await paidDuring(5, async () => {
    const { page } = await visit(stage.context, stage.world, '/events?count=3&other', plans);
    await page.getByRole('button', { name: /with Fox 6/ }).waitFor();
    const left = await page.getByRole('button', { name: /with Fox 5/ }).evaluate((button: HTMLButtonElement) => {
      button.click();
      return document.querySelectorAll('#pay button').length;
    });
    assert.equal(left, 0);
    await says(page, /That was all/);
  });
  assert.equal(paid, PRICE_ATOMIC);
});

/** Breaks off what comes to a page of this kind, behind its first bytes. */
const breaksOff = (page: Page, kind: string): Promise<void> =>
  page.evaluate((kind) => {
    const inner = globalThis.fetch;
    globalThis.fetch = async (...words) => {
      const answer = await inner(...words);
      if (!answer.ok || !answer.headers.get('content-type')?.startsWith(kind)) return answer;
      const { status, headers, url } = answer;
      const broken = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode('data: 1\n\n')),
        pull: (controller) => controller.error(new TypeError('network error')),
      });
      return Object.defineProperty(new Response(broken, { status, headers }), 'url', { value: url });
    };
  }, kind);

/** Gives a page a whole body of this kind for its payment. */
async function delivers(page: Page, url: string, kind: string, body: string): Promise<void> {
  await page.route(url, async (route) => {
    if (route.request().headers()['payment-signature'] === undefined) return route.fallback();
    const answer = await route.fetch();
    const headers = { ...answer.headers(), 'content-type': kind, 'content-length': String(body.length) };
    await route.fulfill({ status: 200, headers, body });
  });
}

/** What a page saves under this name. */
async function savedBy(page: Page, file: string): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: `Save ${file}`, exact: true }).click(),
  ]);
  return readFileSync(await download.path(), 'utf8');
}

/** Gives a page content of this kind for its payment, without an end behind its lines. */
const neverEnds = (page: Page, kind: string, { lines = 1, hasReceipt = true } = {}): Promise<void> =>
  page.evaluate(
    ([kind, lines, hasReceipt]) => {
      const inner = globalThis.fetch;
      globalThis.fetch = async (...words) => {
        const answer = await inner(...words);
        if (!answer.ok || !answer.headers.has('payment-response')) return answer;
        const headers = new Headers(answer.headers);
        headers.set('content-type', kind);
        // Many origins send one with each answer.
        headers.set('content-security-policy', "default-src 'self'");
        if (!hasReceipt) headers.delete('payment-response');
        const endless = new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode('{"tick":1}\n'.repeat(lines))),
        });
        return Object.defineProperty(new Response(endless, { headers }), 'url', { value: answer.url });
      };
    },
    [kind, lines, hasReceipt] as const,
  );
