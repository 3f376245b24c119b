// The desk of the treasury in Chromium in front of a treasury that is a script.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import type { Browser, BrowserContext, Page } from 'playwright-core';

import { TREASURY_PAGES } from '../../scripts/pages.mjs';
import { startChromium } from './chromium.ts';
import { complaintsOf, enter } from './looks.ts';
import { type DeskApi, goToScripted, openScripted, TOKEN } from './scripted-desk.ts';

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

/** Opens the desk of an organization whose lists are these. */
async function open(fragment: string, lists: DeskApi): Promise<Page> {
  const page = await context.newPage();
  await openScripted(page, TREASURY_PAGES, '/desk/', fragment, (request) =>
    request.path === '/api/organizations' ? { items: [{ name: 'acme' }] } : lists(request),
  );
  return page;
}

test('decisions are looked for by each outcome that one can have, and by no other', { timeout: LIMIT_MS }, async () => {
  const asked: (string | null)[] = [];
  const page = await open('#decisions?org=acme', ({ query }) => {
    asked.push(query.get('outcome'));
    return { items: [{ paidRequestId: 'req_1', outcome: 'paid_fulfillment_failed', agent: 'bob', amount: '5.00 EURC', asset: 'EURC' }] };
  });
  const choice = page.getByLabel('Outcome');
  const outcomes = await choice.locator('option').evaluateAll((all) => all.map((one) => (one as HTMLOptionElement).value));
  const [any, ...named] = outcomes;
  assert.deepEqual(
    [any, named.slice(0, 7)],
    ['', ['allow', 'deny', 'preflight_failed', 'execution_failed', 'paid_fulfillment_failed', 'inconclusive', 'executing']],
  );
  await page.locator('#decision-req_1 .price', { hasText: /^5\.00 EURC$/ }).waitFor();
  await page.locator('#decision-req_1 .tone.critical').waitFor();
  await choice.selectOption('paid_fulfillment_failed');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.waitForURL(/outcome=paid_fulfillment_failed/);
  await page.locator('#decision-req_1').waitFor();
  assert.equal(asked.at(-1), 'paid_fulfillment_failed');
});

//
test('an approved payment that is being prepared can be denied at the desk, and one that is signed cannot', {
  timeout: LIMIT_MS,
}, async () => {
  const told: string[] = [];
  const review = { agent: 'bob', amount: '5.00 USDC', asset: 'USDC', state: 'used', payee: '0x01' };
  const rows = [
    { ...review, id: 'rev_1', preparing: true },
    { ...review, id: 'rev_2', preparing: false },
  ];
  const page = await open('#reviews?org=acme&state=used', ({ method, path }) => {
    if (method === 'GET') return { items: rows, cursor: null };
    told.push(path);
    return { ...rows.shift(), state: 'denied' };
  });
  const prepared = page.locator('#review-rev_1');
  await prepared.locator('.tone', { hasText: /^preparing$/ }).waitFor();
  assert.equal(await page.locator('#review-rev_2 form').count(), 0);
  // A press right after a list was read again does nothing.
  while (told.length === 0) {
    await page.waitForTimeout(SETTLED_MS + 100);
    await prepared.getByRole('button', { name: /^Deny/ }).click();
    for (let wait = 0; wait < 30 && told.length === 0; wait += 1) await page.waitForTimeout(100);
  }
  await page
    .getByRole('status')
    .filter({ hasText: /The review of .* for bob is denied/ })
    .waitFor();
  assert.deepEqual(told, ['/api/organizations/acme/reviews/rev_1/deny']);
});

//
test('what is answered in the place of the treasury ends no agent, takes no key back, and answers no review', {
  timeout: LIMIT_MS,
}, async () => {
  const told: string[] = [];
  const agent = { name: 'bob', disabled: false };
  const review = { id: 'rev_1', agent: 'bob', amount: '5.00 USDC', asset: 'USDC', state: 'open', payee: '0x01' };
  const answer: DeskApi = ({ method, path }) => {
    if (method !== 'GET') {
      told.push(path);
      return told.length % 2 === 1 ? {} : { id: 'another', name: 'another', state: 'approved' };
    }
    if (path.endsWith('/bootstrap-keys')) return { items: [{ id: 'key_1', createdAt: '2026-09-21T14:13:20Z' }] };
    return path.endsWith('/reviews') ? { items: [review], cursor: null } : { agents: [agent], wallets: [] };
  };
  for (const [fragment, button] of [
    ['#agents?org=acme', 'End bob'],
    ['#agents?org=acme', 'Take back: key_1'],
    ['#reviews?org=acme', /^Approve/],
  ] as const) {
    const page = await open(fragment, answer);
    for (const _ of ['nothing', 'another']) {
      const before = told.length;
      await page.waitForTimeout(SETTLED_MS);
      await page.getByRole('button', { name: button }).click();
      await page.locator('#said .critical', { hasText: /The answer is none of a gate, a treasury or a market/ }).waitFor();
      assert.equal(told.length, before + 1);
    }
    await page.close();
  }
});

//
test('a desk takes its token over https, or on its own machine, and says so where others can read along', {
  timeout: LIMIT_MS,
}, async () => {
  const asked: string[] = [];
  const page = await context.newPage();
  const desk = {
    pages: TREASURY_PAGES,
    home: '/desk/',
    fragment: '',
    api: ({ path }: { path: string }) => {
      asked.push(path);
      return { items: [{ name: 'acme' }] };
    },
  };
  await goToScripted(page, { ...desk, origin: 'http://192.168.1.5:8402' });
  const alert = page.getByRole('alert');
  await alert.filter({ hasText: /^Others can read what goes over http/ }).waitFor();
  await page.getByLabel('Operator token').fill(TOKEN);
  await page.getByRole('button', { name: 'Open' }).click();
  await alert.filter({ hasText: /^Not opened: Others can read what goes over http/ }).waitFor();
  assert.deepEqual(asked, []);
  for (const origin of ['http://localhost:8402', 'http://127.0.0.1:8402', 'http://gate.localhost:8402']) {
    await goToScripted(page, { ...desk, origin });
    await enter(page, TOKEN);
  }
});
