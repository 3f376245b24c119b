// The desk of the market in Chromium in front of a market that is a script.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import type { Browser, BrowserContext } from 'playwright-core';

import { MARKET_PAGES } from '../../scripts/pages.mjs';
import { startChromium } from './chromium.ts';
import { complaintsOf } from './looks.ts';
import { openScripted } from './scripted-desk.ts';

const LIMIT_MS = 120_000;
/** For so long a press does nothing where the list has changed. */
const SETTLED_MS = 800;

let browser: Browser;
let context: BrowserContext;
let complaints: string[];

before(async () => {
  browser = await startChromium();
});
after(() => browser?.close());
beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  context.setDefaultTimeout(30_000);
  complaints = complaintsOf(context);
});
afterEach(async () => {
  await context.close();
  assert.deepEqual(complaints, []);
});

test('what went to a seller is told to the gate and reported as no refund, and a refund without a name is looked for', {
  timeout: LIMIT_MS,
}, async () => {
  const hold = {
    state: 'untold',
    waits: 'report',
    payer: '0x01',
    payee: '0x02',
    amount_decimal: '0.005',
    symbol: 'USDC',
    transaction: null,
  };
  const waiting = [
    { ...hold, payment: 'sold', leave: 'release' },
    { ...hold, payment: 'lost', leave: 'refund' },
    { ...hold, payment: 'known', leave: 'refund', transaction: `0x${'9'.repeat(64)}` },
  ];
  const page = await context.newPage();
  await openScripted(page, MARKET_PAGES, '/desk/', '', ({ method, path }) => {
    if (method !== 'GET') return { payment: 'lost' };
    return path.endsWith('/profiles') ? { items: [{ network_profile: 'main' }] } : { waiting, money: [], hours: [], complete: true };
  });
  const again = { name: 'Tell the gate again' };
  const sold = page.locator('#hold-sold');
  await sold.getByText('It is no refund: report none at its desk.').waitFor();
  assert.equal(await sold.getByRole('button', again).count(), 1);
  const lost = page.locator('#hold-lost');
  await lost.getByText('a transaction that the exchange does not know').waitFor();
  assert.equal(await lost.getByRole('button', again).count(), 0);
  await page.waitForTimeout(SETTLED_MS);
  await lost.getByRole('button', { name: 'It is reported: ask the gate' }).click();
  await page
    .getByRole('status')
    .filter({ hasText: /^The gate is being asked\. The row stays as it is/ })
    .waitFor();
  const known = page.locator('#hold-known');
  await known.getByText('or report the transaction at its desk').waitFor();
  assert.equal(await known.getByRole('button', again).count(), 1);
});

test('an invocation whose time is none is shown, and the others of its page', { timeout: LIMIT_MS }, async () => {
  const one = { skillId: 'tide', agentId: 'bob', outcome: 'paid_ok', amount: '1' };
  const invocations = [
    { ...one, id: 'inv_1', invokedAt: 9_000_000_000_000_000 },
    { ...one, id: 'inv_2', invokedAt: 1_795_278_756_000 },
  ];
  const page = await context.newPage();
  await openScripted(page, MARKET_PAGES, '/desk/', '#invocations', ({ path }) =>
    path.endsWith('/profiles') ? { items: [] } : { invocations, cursor: null },
  );
  await page.locator('#invocation-inv_1').getByText('at a time that is none').waitFor();
  await page.locator('#invocation-inv_2 time', { hasText: '2026-11-21 16:32:36 UTC' }).waitFor();
});

//
test('what is answered in the place of the market asks for no money, ends no job, and takes no skill back', {
  timeout: LIMIT_MS,
}, async () => {
  const told: string[] = [];
  const hold = { payer: '0x01', payee: '0x02', amount_decimal: '0.005', symbol: 'USDC', leave: 'release', transaction: null };
  const items = [
    { ...hold, payment: 'asked', state: 'paying', waits: 'payout' },
    { ...hold, payment: 'ended', state: 'paying', waits: 'paid_back' },
  ];
  for (const [fragment, place] of [
    ['#money', '#hold-asked'],
    ['#money', '#hold-ended'],
    ['#skills', '#skill-tide'],
  ] as const) {
    const page = await context.newPage();
    await openScripted(page, MARKET_PAGES, '/desk/', fragment, ({ method, path }) => {
      if (method !== 'GET') told.push(path);
      if (method !== 'GET') return { payment: 'another', skill: { id: 'another' } };
      if (path.endsWith('/profiles')) return { items: [{ network_profile: 'main' }] };
      return { items, skills: [{ id: 'tide', name: 'Tide', price: '1', asset: 'USDC', payTo: '0x02' }] };
    });
    const row = page.locator(place);
    if (fragment === '#skills') {
      await row.getByText('Take it off the list').click();
      await row.getByLabel('Reason').fill('it fails');
    }
    const before = told.length;
    await page.waitForTimeout(SETTLED_MS);
    await row.getByRole('button').click();
    await page.locator('#said .critical', { hasText: /The answer is none of a gate, a treasury or a market/ }).waitFor();
    assert.equal(told.length, before + 1);
    await page.close();
  }
});
