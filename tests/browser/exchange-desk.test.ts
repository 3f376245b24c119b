// The desk of the market in Chromium, under its own policy: a person sees jobs, money and sellers, and has what waits asked for.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import type { Browser, BrowserContext, Page } from 'playwright-core';

import { NETWORK } from '../../demo/chain.mjs';
import { startMarket } from '../../scripts/market.mjs';
import { MARKET_PAGES } from '../../scripts/pages.mjs';
import { PRICE } from '../market/exchange/support.ts';
import { eventually } from '../support/eventually.ts';
import { startChromium } from './chromium.ts';
import { type ExchangeDeskWorld, HOSTILE, MARKUP, startExchangeDeskWorld } from './exchange-desk-world.ts';
import { complaintsOf, enter, goTo, looksOf, SCREENS } from './looks.ts';

const LIMIT_MS = 180_000;

let desk: ExchangeDeskWorld;
let browser: Browser;
let context: BrowserContext;
let complaints: string[];

before(
  async () => {
    mkdirSync(SCREENS, { recursive: true });
    [desk, browser] = await Promise.all([startExchangeDeskWorld(), startChromium()]);
  },
  { timeout: LIMIT_MS },
);
after(async () => {
  await browser?.close();
  await desk?.world.stop();
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

const urlOf = (fragment = '') => `${desk.world.url}/desk/${fragment}`;

async function entered(fragment = ''): Promise<Page> {
  const page = await context.newPage();
  await page.goto(urlOf(fragment));
  await enter(page, desk.token);
  return page;
}

const said = (page: Page, text: RegExp) => page.getByRole('status').filter({ hasText: text }).waitFor();

test('a wrong token opens nothing, and no URL or store has the right one', { timeout: LIMIT_MS }, async () => {
  const page = await context.newPage();
  const urls: string[] = [];
  page.on('request', (request) => urls.push(request.url()));
  await page.goto(urlOf());
  await page.getByLabel('Operator token').fill('wrong');
  await page.getByRole('button', { name: 'Open' }).click();
  await page
    .getByRole('alert')
    .filter({ hasText: /OPERATOR_TOKEN_INVALID/ })
    .waitFor();
  await enter(page, desk.token);
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]));
  assert.ok(![...urls, stored].some((text) => text.includes(desk.token)));
});

test('it looks right in light and dark, narrow and wide, and axe finds nothing serious', { timeout: LIMIT_MS }, async () => {
  const page = await entered();
  const found: string[] = [];
  const views = ['overview', 'jobs', `job?id=${desk.jobs.stuck}`, 'money', 'sellers', 'skills', 'invocations'];
  for (const [at, view] of views.entries()) {
    await goTo(page, urlOf(`#${view}`));
    found.push(...(await looksOf(page, `exchange-desk-${at}-${view.split('?')[0]}`)));
  }
  for (const [path, name] of [
    ['/exchange?mode=live&network=testnet', 'exchange-public'],
    ['/', 'market-public'],
  ] as const) {
    await page.goto(`${desk.world.url}${path}`);
    found.push(...(await looksOf(page, name)));
  }
  assert.deepEqual(found, []);
});

test('jobs are found by id, quote and payment, and listed by state', { timeout: LIMIT_MS }, async () => {
  const page = await entered('#jobs');
  const { payment_id: quote, payment } = await desk.read(`jobs/${desk.jobs.done}`);
  for (const text of [desk.jobs.done, quote, payment]) {
    await page.getByLabel(/^Id of a job/).fill(text);
    await page.keyboard.press('Enter');
    await page.locator(`[id*="-${text}-"]`).waitFor();
    await page.locator(`#job-${desk.jobs.done}`).waitFor();
    assert.equal(await page.locator('.row').count(), 1);
  }
  await page.goto(urlOf('#jobs?state=failed'));
  await page.locator(`#job-${desk.jobs.failed}`).waitFor();
  await eventually('nothing else is listed', async () => (await page.locator('.row .tone').allInnerTexts()).join() === 'failed');
  await page.locator(`#job-${desk.jobs.failed}`).getByRole('link').click();
  await page.getByText('It is not done. Who paid has the money back').waitFor();
  await page.getByText('Buyer refunded').waitFor();
  await page.locator('.row .price').getByText('0.005 USDC').waitFor();
});

test('the sums, the money and the sellers are those of the books', { timeout: LIMIT_MS }, async () => {
  const page = await entered();
  const row = page.getByRole('row').filter({ hasText: 'The treasury is asked to move it' });
  // Another one may be on its way just now.
  await eventually('one is asked for', async () => (await row.getByRole('cell').allInnerTexts()).join() === '1,0.005 USDC');
  await page.goto(urlOf('#money?leave=refund'));
  await page.locator(`#hold-${desk.waiting.report}`).waitFor();
  await eventually(
    'refunds alone are listed',
    () => page.locator('.row h3 .tone').allInnerTexts(),
    (pills) => pills.length >= 4 && pills.every((pill, at) => at % 2 === 0 || pill === 'refund'),
  );
  await page.goto(urlOf('#sellers'));
  const seller = page.locator(`#seller-${desk.owed.seller.wallet.address.toLowerCase()}`);
  await seller.getByText('0 of 1 seats free, 0 done, 0 failed, earned 0 USDC').waitFor();
  await seller.getByRole('link', { name: 'Its jobs' }).click();
  await page.locator(`#job-${desk.jobs.stuck}`).waitFor();
});

test('what others wrote is text, with hidden characters shown', { timeout: LIMIT_MS }, async () => {
  const page = await entered();
  for (const [view, text] of [
    ['sellers', `${MARKUP}‹U+202E›‹U+200B›`],
    ['skills', MARKUP],
    ['invocations', `${MARKUP}‹U+202E›‹U+200B›`],
  ] as const) {
    await page.goto(urlOf(`#${view}`));
    await page.getByText(text, { exact: true }).first().waitFor();
    assert.equal(await page.locator('img').count(), 0);
  }
  assert.ok((await desk.read('sellers')).items.some((item: { capability: string }) => item.capability === HOSTILE));
});

test('the gate is told again of a refund by keyboard alone', { timeout: LIMIT_MS }, async () => {
  const page = await context.newPage();
  await page.goto(urlOf());
  await page.keyboard.press('Tab');
  await page.keyboard.type(desk.token);
  await page.keyboard.press('Enter');
  await page.locator(`#hold-${desk.waiting.report}`).waitFor();
  for (let step = 0; step < 40; step += 1) {
    await page.keyboard.press('Tab');
    if ((await page.evaluate(() => document.activeElement?.textContent)) === 'Tell the gate again') break;
  }
  await page.keyboard.press('Enter');
  await said(page, /The gate is being told/);
  await page.locator(`#hold-${desk.waiting.report}`).waitFor({ state: 'detached' });
  await eventually('it has arrived', async () => (await desk.read(`holds?payment=${desk.waiting.report}`)).items[0].state === 'ended');
});

test('a payout that did not come is asked for by a click, and arrives once', { timeout: LIMIT_MS }, async () => {
  const page = await entered();
  assert.equal(await desk.owed.earned(), 0n);
  desk.world.switches.treasury.set();
  const row = page.locator(`#hold-${desk.waiting.payout}`);
  await row.getByText('The treasury does not move it').waitFor();
  await row.getByRole('button', { name: 'Ask for 0.005 USDC now' }).click();
  await said(page, /The treasury is being asked/);
  await row.waitFor({ state: 'detached' });
  await eventually('the seller is paid', async () => (await desk.owed.earned()) === PRICE);
  await page.goto(urlOf(`#job?id=${desk.jobs.stuck}`));
  await page.getByText('Seller paid').waitFor();
});

test('a skill is taken back by a click, with its reason', { timeout: LIMIT_MS }, async () => {
  const page = await entered('#skills');
  const row = page.locator('#skill-word-count');
  await row.getByText('Take it off the list').click();
  await row.getByLabel('Reason').fill('it counts wrongly');
  await row.getByRole('button', { name: 'Take it back' }).click();
  await said(page, /Word count is taken back/);
  await row.waitFor({ state: 'detached' });
  const { json } = await desk.world.ask('GET', '/api/marketplace/skills');
  assert.deepEqual(
    json.skills.map(({ id }: { id: string }) => id),
    ['hostile'],
  );
});

test('a market that sells skills alone has the same desk', { timeout: LIMIT_MS }, async () => {
  const token = 'o'.repeat(32);
  const vars = { MARKET_URL: 'https://skills.example.com', NETWORK, TEST_NETWORKS_ONLY: 'true' };
  const market = await startMarket({ pages: MARKET_PAGES, vars, secrets: { OPERATOR_TOKEN: token } });
  try {
    const page = await context.newPage();
    await page.goto(`${market.url}/desk/`);
    await page.getByLabel('Operator token').fill('wrong');
    await page.getByRole('button', { name: 'Open' }).click();
    await page
      .getByRole('alert')
      .filter({ hasText: /Not opened/ })
      .waitFor();
    await enter(page, token);
    await page.getByText('This Worker serves no exchange.').waitFor();
    await page.getByRole('link', { name: 'Skills', exact: true }).click();
    await page.getByText('No skill is sold.').waitFor();
  } finally {
    await market.stop();
  }
});

test('from the pages that everyone sees one leads to the other', { timeout: LIMIT_MS }, async () => {
  const page = await context.newPage();
  await page.goto(`${desk.world.url}/`);
  await page.getByRole('link', { name: 'Compute exchange' }).click();
  await page.getByRole('heading', { name: 'Compute exchange' }).waitFor();
  await page.getByRole('link', { name: 'Skills' }).click();
  await page.getByRole('heading', { name: 'Skills' }).waitFor();
});
