// The desk of the treasury in Chromium, under its own policy: a person answers what agents ask, sees what is left, and ends an agent.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import type { Browser, BrowserContext, Page } from 'playwright-core';

import { buy, clientOf, startTreasuryWorld, type TreasuryWorld } from '../treasury/buyers.ts';
import { startChromium } from './chromium.ts';
import { complaintsOf, enter, goTo, looksOf, SCREENS } from './looks.ts';

const LIMIT_MS = 180_000;

let world: TreasuryWorld;
let browser: Browser;
let context: BrowserContext;
let complaints: string[];

before(
  async () => {
    mkdirSync(SCREENS, { recursive: true });
    [world, browser] = await Promise.all([
      startTreasuryWorld({
        stock: false,
        pages: true,
        organizations: ({ scripted }) => [
          {
            name: 'careful',
            policy: { allowedOrigins: [scripted.url], reviewAbove: { USDC: '0.05' }, perMonth: { USDC: '1.00' } },
            agents: [{ name: 'buyer' }, { name: 'other' }],
          },
          { name: 'second', policy: { allowedOrigins: [scripted.url], perDay: { USDC: '0.50' } }, agents: [{ name: 'clerk' }] },
        ],
      }),
      startChromium(),
    ]);
    await ask('small', '20000');
  },
  { timeout: LIMIT_MS },
);
after(async () => {
  await browser?.close();
  await world?.stop();
});
beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  context.setDefaultTimeout(30_000);
  complaints = complaintsOf(context);
});
afterEach(async () => {
  await context.close();
  assert.deepEqual(complaints, []);
});

/** Asks as the buyer; more than 0.05 needs a person. */
function ask(path: string, amount = '60000', body?: string) {
  const init = body === undefined ? undefined : { method: 'POST', body };
  return buy(clientOf(world, 'careful', 'buyer'), `${world.merchants.scripted.url}/honest/${path}?amount=${amount}`, init);
}

async function entered(fragment = ''): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${world.treasury.url}/desk/${fragment}`);
  await enter(page, world.operatorToken);
  return page;
}

const said = (page: Page, text: RegExp) => page.getByRole('status').filter({ hasText: text }).waitFor();

test('a review is approved by a click, and exactly that request is paid', { timeout: LIMIT_MS }, async () => {
  const { policyReviewEventId: id } = await ask('approved');
  const page = await entered();
  const row = page.locator(`#review-${id}`);
  await row.locator('.price').getByText('0.06 USDC').waitFor();
  await row.getByRole('button', { name: 'Approve' }).click();
  await said(page, /The review of \$0\.06 USDC for buyer is approved/);
  const { kind } = await ask('approved');
  assert.equal(kind, 'success');
});

//
test('a person reads the whole payee before they approve', { timeout: LIMIT_MS }, async () => {
  const { policyReviewEventId: id } = await ask('payee');
  const page = await entered();
  const row = page.locator(`#review-${id}`);
  await row.waitFor();
  assert.match(await row.innerText(), /\b0x[0-9a-fA-F]{40}\b/);
  await row.getByRole('button', { name: 'Deny' }).click();
  await said(page, /is denied/);
});

test('a press that another row came beneath does nothing', { timeout: LIMIT_MS }, async () => {
  await ask('one');
  await ask('other');
  const page = await entered();
  await page.locator('.row').nth(1).waitFor();
  // Those of one second stand in the order of their ids. Once the first is answered, the next one stands there.
  const [first = '', second = ''] = await page.locator('.row').evaluateAll((rows) => rows.map((row) => row.id.replace('review-', '')));
  const approve = page.locator(`#review-${first}`).getByRole('button', { name: 'Approve' });
  await approve.hover();
  const { x = 0, y = 0, width = 0, height = 0 } = (await approve.boundingBox()) ?? {};
  await approve.click();
  await page.locator(`#review-${first}`).waitFor({ state: 'detached' });
  await page.mouse.click(x + width / 2, y + height / 2);
  await said(page, /The list has just changed/);
  await page.locator(`#review-${second}`).getByRole('button', { name: 'Approve' }).waitFor();
});

test('a review is denied by keyboard alone', { timeout: LIMIT_MS }, async () => {
  const { policyReviewEventId: id } = await ask('denied');
  const page = await entered();
  await page.locator(`#review-${id}`).waitFor();
  for (let step = 0; step < 60; step += 1) {
    await page.keyboard.press('Tab');
    const held = await page.evaluate(() => [document.activeElement?.textContent, document.activeElement?.closest('li')?.id]);
    if (held[0] === 'Deny' && held[1] === `review-${id}`) break;
  }
  await page.keyboard.press('Enter');
  await said(page, /The review of \$0\.06 USDC for buyer is denied/);
  assert.equal((await ask('denied')).kind, 'denied');
});

test('what an agent sends is text, with hidden characters shown', { timeout: LIMIT_MS }, async () => {
  const { policyReviewEventId: id } = await ask('hostile', '60000', '<img src=x onerror=alert(1)>\u202e');
  const page = await entered();
  const row = page.locator(`#review-${id}`);
  await row.getByText('Headers and body').click();
  await row.getByText('<img src=x onerror=alert(1)>‹U+202E›').waitFor();
  assert.equal(await page.locator('img').count(), 0);
});

test('it looks right in light and dark, narrow and wide, and axe finds nothing serious', { timeout: LIMIT_MS }, async () => {
  await ask('shown');
  const page = await entered();
  const found: string[] = [];
  for (const [at, view] of ['reviews', 'budgets', 'decisions', 'agents', 'changes'].entries()) {
    await goTo(page, `${world.treasury.url}/desk/#${view}`);
    // The picture of docs/treasury.md.
    if (at === 0)
      await page.screenshot({ path: join(SCREENS, 'docs-treasury.png'), clip: { x: 60, y: 0, width: 1160, height: 680 }, fullPage: true });
    found.push(...(await looksOf(page, `treasury-desk-${at}-${view}`)));
  }
  await goTo(page, `${world.treasury.url}/desk/#decisions`);
  await page.getByRole('link', { name: /honest\/small/ }).click();
  await page.getByText('What was asked').waitFor();
  found.push(...(await looksOf(page, 'treasury-desk-5-decision')));
  assert.deepEqual(found, []);
});

test('budgets show what is left', { timeout: LIMIT_MS }, async () => {
  const page = await entered('#budgets');
  const row = page.getByRole('region', { name: 'Budgets of organization' }).getByRole('row', { name: /USDC per month/ });
  const [limit, left, spent, reserved] = await row.getByRole('cell').allInnerTexts();
  const cents = (text = '') => Math.round(Number(text) * 100);
  assert.equal(limit, '1');
  assert.equal(cents(left), 100 - cents(spent) - cents(reserved));
  assert.ok(cents(left) < 100, String(left));
  await page.getByRole('link', { name: 'second' }).click();
  await page.getByRole('cell', { name: '0.5', exact: true }).first().waitFor();
});

test('one click ends an agent, which pays nothing any more', { timeout: LIMIT_MS }, async () => {
  const page = await entered('#agents');
  await page.getByRole('button', { name: 'End buyer' }).click();
  await said(page, /buyer has ended/);
  await page.locator('#agent-buyer').getByText('It has no key.').waitFor();
  await assert.rejects(ask('after', '20000'));
});
