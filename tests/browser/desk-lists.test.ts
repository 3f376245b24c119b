// The desk of the gate in Chromium: what is shown first, what is pressed in a list that changes, and what is said of it.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import type { Browser, BrowserContext, Page } from 'playwright-core';

import { PAGES } from '../../scripts/pages.mjs';
import { eventually } from '../support/eventually.ts';
import { startChromium } from './chromium.ts';
import { complaintsOf } from './looks.ts';
import { openScripted } from './scripted-desk.ts';
import { GATE_DESK, ScriptedGate } from './scripted-gate.ts';

const LIMIT_MS = 120_000;
const [ONE, OTHER] = ['rcpt_aaaaaaaaaaaaaaaaaaaaaaaaaa', 'rcpt_bbbbbbbbbbbbbbbbbbbbbbbbbb'] as const;
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

const said = (page: Page, text: RegExp) => page.getByRole('status').filter({ hasText: text }).waitFor();
const refund = (page: Page) => page.getByRole('button', { name: /by wallet/ });

//
test('a second click of the mouse at one place does nothing in a view that has just come', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  gate.readMs = 300;
  const page = await gate.open(context, '#payments');
  const link = page.locator(`#row-${ONE} h3 a`);
  await link.waitFor();
  /** Clicks at the link, and when its page has come there again, elsewhere, and a moment later. */
  const clicked = await page.evaluate(
    () =>
      new Promise<boolean[]>((resolve) => {
        const place = { clientX: 300, clientY: 300, bubbles: true };
        const press = (target: HTMLElement, more: object) => {
          target.dispatchEvent(new PointerEvent('pointerdown', { ...place, ...more, pointerType: 'mouse' }));
          return target.dispatchEvent(new MouseEvent('click', { ...place, ...more, cancelable: true, detail: 1 }));
        };
        const heading = () => document.querySelector<HTMLElement>('#view .tone') as HTMLElement;
        const watch = new MutationObserver(() => {
          if (document.querySelector('#view form[data-do="refund"]') === null) return;
          watch.disconnect();
          const [elsewhere, second] = [press(heading(), { clientX: 340 }), press(heading(), {})];
          setTimeout(() => resolve([second, elsewhere, press(heading(), {})]), 1_000);
        });
        watch.observe(document.body, { subtree: true, childList: true });
        press(document.querySelector<HTMLElement>('#view h3 a') as HTMLElement, {});
        location.hash = (document.querySelector('#view h3 a') as HTMLAnchorElement).hash;
      }),
  );
  assert.deepEqual(clicked, [false, true, true]);
});

test('what came of a deed is said where it was done, and not over another view', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  let open = (): void => {};
  const opens = new Promise<void>((resolve) => {
    open = resolve;
  });
  const page = await gate.open(context, `#payment?id=${ONE}`, { opens, person: 'refuses', send: () => assert.fail('sent') });
  const line = page.locator('#said p');
  const to = async (name: string) => {
    await page.getByRole('link', { name }).click();
    await page.getByRole('heading', { level: 2, name }).waitFor();
  };
  await refund(page).click();
  await said(page, /Your wallet asks you/);
  // One that is under way goes on to say what it needs.
  await to('Payments');
  await said(page, /Your wallet asks you/);
  open();
  await said(page, /You refused in the wallet/);
  await to('Facilitators');
  assert.equal(await line.count(), 0);
});

test('what is owed is shown before the sums are read, also after a deed, and sums are read once at a time', {
  timeout: LIMIT_MS,
}, async () => {
  const gate = new ScriptedGate().owes(ONE).owes(OTHER);
  const reads = () => gate.asked.filter((path) => path.startsWith('/_farebox/totals')).length;
  gate.sumMs = 1_000;
  const page = await gate.open(context, '');
  const money = page.locator('#money');
  await page.locator(`#row-${ONE}`).waitFor();
  await money.getByText('The sums are being read.').waitFor();
  assert.ok(reads() <= 4, String(reads()));
  await page.locator('#fresh', { hasText: /UTC\. The rest is being read/ }).waitFor();
  // A person has scrolled on by the time that the sums have come.
  await page.evaluate(() => scrollTo(0, 200));
  gate.sumMs = 0;
  await money.getByText('No payment was claimed in these days.').waitFor();
  await page.locator('#fresh', { hasText: /^Read at .* UTC\.$/ }).waitFor();
  assert.equal(await page.evaluate(() => scrollY), 200);
  assert.equal(reads(), 14);
  gate.sumMs = 3_000;
  const row = page.locator(`#row-${ONE}`);
  await row.getByText('Nothing is owed').click();
  await row.getByLabel('Reason').fill('they agreed');
  await row.getByRole('button', { name: 'Waive the debt' }).click();
  await said(page, /The debt is waived/);
  await row.waitFor({ state: 'detached' });
  // The sums of before stand until they are read again.
  await money.getByText('No payment was claimed in these days.').waitFor();
  assert.ok(reads() <= 16, String(reads()));
});

test('what is owed is read again while the sums are read, and no sum twice for it', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  gate.sumMs = 4_000;
  const page = await gate.open(context, '');
  const wait = page.getByText('The sums are being read.');
  await wait.waitFor();
  gate.owes(OTHER);
  await page.locator(`#row-${OTHER}`).waitFor();
  assert.equal(await wait.count(), 1);
  gate.rows.delete(OTHER);
  // Who comes back to the tab does not wait for it.
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await page.locator(`#row-${OTHER}`).waitFor({ state: 'detached', timeout: 5_000 });
  assert.equal(await wait.count(), 1);
  const sums = gate.asked.filter((path) => path.startsWith('/_farebox/totals'));
  assert.equal(new Set(sums).size, sums.length);
});

test('what is said names its payment while another deed is under way, which may have said nothing yet', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE).owes(OTHER);
  let hear = (): void => {};
  const heard = new Promise<void>((resolve) => {
    hear = resolve;
  });
  const page = await context.newPage();
  await openScripted(page, PAGES, GATE_DESK, '', async (request) => {
    if (request.path.endsWith('/refunded')) await heard;
    return gate.answer(request);
  });
  const [one, other] = [page.locator(`#row-${ONE}`), page.locator(`#row-${OTHER}`)];
  await one.getByText('It was refunded').click();
  await one.getByLabel('Transaction of the refund').fill(`0x${'9'.repeat(64)}`);
  await page.waitForTimeout(SETTLED_MS);
  await one.getByRole('button', { name: 'Report the refund' }).click();
  await other.getByText('Nothing is owed').click();
  await other.getByLabel('Reason').fill('they agreed');
  await page.waitForTimeout(SETTLED_MS);
  await other.getByRole('button', { name: 'Waive the debt' }).click();
  await said(page, /^rcpt_b.*: The debt is waived/);
  hear();
  await said(page, /rcpt_a.*: The refund is on the record/);
});

test('what is pressed in a row names its payment to those who hear it alone', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE).owes(OTHER);
  const page = await gate.open(context, '');
  for (const id of [ONE, OTHER]) {
    const row = page.locator(`#row-${id}`);
    await row.waitFor();
    const spoken = await row.locator('button, summary').evaluateAll((all) => all.map((it) => [it.textContent, it.ariaLabel]));
    assert.equal(spoken.length, 5);
    for (const [words, label] of spoken) assert.equal(label, `${words}: ${id.slice(0, 15)}…`);
  }
});

test('what the gate refuses is not offered: a waiver of what is being paid back, or a review without the name of what paid', {
  timeout: LIMIT_MS,
}, async () => {
  const begun = { refunding: '2026-09-21T14:14:20Z', refunding_id: 4, refunding_key: 'treasury:acme' };
  const gate = new ScriptedGate().owes(ONE, begun).owes(OTHER, { state: 'manual', reason: 'overdue', transaction: 'pending' });
  const page = await gate.open(context, `#payment?id=${ONE}`);
  await page.getByText(`npx farebox refund ${ONE} --not-sent 4 --key …`).waitFor();
  assert.equal(await page.getByText('Nothing is owed').count(), 0);
  await page.getByText('It was refunded').waitFor();
  // What was to be settled later has its transaction by now.
  const review = await gate.open(context, `#payment?id=${OTHER}`);
  await review.getByLabel(/^Transaction of the payment/).fill(`0x${'9'.repeat(64)}`);
  await review.getByRole('button', { name: 'Resolve' }).waitFor();
});

test('an account without gas for claims stands before the channels, and of a channel that is over nothing is to be claimed', {
  timeout: LIMIT_MS,
}, async () => {
  const channel = {
    network: 'eip155:84532',
    asset: '0x03',
    symbol: 'USDC',
    decimals: 6,
    deposit: '50000',
    spent: '30000',
    claimed: '10000',
  };
  const account = { id: 'payee/eip155:84532/0x01', account: '0x01', network: 'eip155:84532', lacks_wei: '7', time: '2026-09-21T14:13:20Z' };
  const [open, over] = [`0x${'1'.repeat(64)}`, `0x${'2'.repeat(64)}`];
  const gate = new ScriptedGate();
  gate.channels.push({ ...channel, id: open, state: 'open' }, { ...channel, id: over, state: 'finalized' }, account);
  const page = await gate.open(context, '#channels');
  await page.locator('#gas').getByText('It lacks 7 wei for its next transaction.').waitFor();
  assert.equal(await page.locator('.row').count(), 3);
  await page.locator(`#channel-${open} .price`, { hasText: '0.02 USDC to claim' }).waitFor();
  await page.locator(`#channel-${over} .price`, { hasText: '0.01 USDC claimed' }).waitFor();
});

test('what was tapped keeps no list from being read again', { timeout: LIMIT_MS }, async () => {
  await context.close();
  context = await browser.newContext({ viewport: { width: 400, height: 800 }, hasTouch: true });
  complaints = complaintsOf(context);
  const gate = new ScriptedGate().owes(ONE, { state: 'manual', reason: 'overdue' });
  const page = await gate.open(context, '');
  const button = page.getByRole('button', { name: 'Resolve' });
  await page.waitForTimeout(SETTLED_MS);
  await button.tap();
  assert.equal(await page.locator('button:hover').count(), 1);
  gate.owes(OTHER);
  await page.locator(`#row-${OTHER}`).waitFor();
});

test('who types into a row keeps their place in it where rows above go, come, and change their order', { timeout: LIMIT_MS }, async () => {
  const last = `rcpt_${'c'.repeat(26)}`;
  const gate = new ScriptedGate().owes(ONE).owes(OTHER).owes(last);
  const page = await gate.open(context, '');
  const row = page.locator(`#row-${OTHER}`);
  await row.getByText('Nothing is owed').click();
  const field = row.getByLabel('Reason');
  await field.fill('they');
  /** Shows these debts, in this order, and goes on with the sentence. */
  const showing = async (...ids: string[]) => {
    gate.rows.clear();
    for (const id of ids) gate.owes(id);
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await page.waitForFunction(
      (ids) => JSON.stringify([...document.querySelectorAll('li[id^="row-"]')].map(({ id }) => id)) === ids,
      JSON.stringify(ids.map((id) => `row-${id}`)),
    );
    await page.keyboard.type(' agreed');
  };
  await showing(OTHER, last);
  await showing(ONE, OTHER, last);
  await showing(last, OTHER);
  assert.equal(await field.inputValue(), 'they agreed agreed agreed');
});

test('an extension that a facilitator does not list is named, and not all is said to be settled', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate();
  const one = { url: 'https://f.test', supported: 'ok', networks_missing: [], at: 1_795_278_756 };
  gate.health = { ok: true, facilitators: [{ ...one, extensions_missing: ['eip2612GasSponsoring'] }] };
  const page = await gate.open(context, '#facilitators');
  await page.getByText(/can be settled, but not for payers who need an extension/).waitFor();
  await page.getByText('does not list what a route announces: eip2612GasSponsoring').waitFor();
  gate.health = { ok: true, facilitators: [one] };
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await page.getByText(/can be settled\.$/).waitFor();
});

test('the next page of a search is asked for by what its first page was found by', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  const queries: string[] = [];
  const page = await context.newPage();
  await openScripted(page, PAGES, GATE_DESK, '#payments?find=0123456789ab', ({ path, query }) => {
    if (path === '/_farebox/payments') queries.push([...query].map(([name, value]) => `${name} ${value}`).join());
    const isFound = query.has('correlation_id') && !query.has('cursor');
    return { items: isFound ? [...gate.rows.values()] : [], next: isFound ? 'c2' : null };
  });
  await page.getByRole('link', { name: 'Next page' }).click();
  await page.getByText('Nothing more.').waitFor();
  assert.deepEqual(
    queries.filter((query) => query.includes('cursor')),
    ['cursor c2,correlation_id 0123456789ab,limit 25'],
  );
});

test('of two deeds that are under way at once each says what it is of, and neither hides the other', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE).owes(OTHER);
  let open = (): void => {};
  const opens = new Promise<void>((resolve) => {
    open = resolve;
  });
  const page = await gate.open(context, '', { opens, person: 'refuses', send: () => assert.fail('sent') });
  const lines = page.locator('#said p');
  await page
    .locator(`#row-${ONE}`)
    .getByRole('button', { name: /by wallet/ })
    .click();
  await said(page, /^Your wallet asks you\.$/);
  await page.waitForTimeout(SETTLED_MS);
  const row = page.locator(`#row-${OTHER}`);
  await row.getByText('Nothing is owed').click();
  await row.getByLabel('Reason').fill('they agreed');
  await row.getByRole('button', { name: 'Waive the debt' }).click();
  await said(page, /rcpt_bbb…bbbbbb: The debt is waived/);
  assert.deepEqual(await lines.allInnerTexts(), ['rcpt_aaa…aaaaaa: Your wallet asks you.', 'rcpt_bbb…bbbbbb: The debt is waived.']);
  open();
  await said(page, /rcpt_aaa…aaaaaa: You refused in the wallet/);
  assert.equal(await lines.count(), 2);
});

test('what could not be read for a while is said to be old above it', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  const page = await context.newPage();
  await page.clock.install();
  await openScripted(page, PAGES, GATE_DESK, '#payments', (request) => gate.answer(request));
  await page.locator('#fresh', { hasText: /^Read at/ }).waitFor();
  const old = page.locator('#old');
  gate.silent.add('/_farebox/payments');
  await page.clock.fastForward(6_000);
  await page.locator('#fresh', { hasText: /^Not read/ }).waitFor();
  assert.equal(await old.textContent(), '');
  await page.clock.fastForward(60_000);
  await said(page, /^What is below is old\. Read at 20.* UTC\. Since then: ./);
  gate.silent.clear();
  await page.clock.fastForward(60_000);
  await page.locator('#fresh', { hasText: /^Read at/ }).waitFor();
  assert.equal(await old.textContent(), '');
});

test('who goes from tab to tab while a view is read begins no second read of it', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  gate.readMs = 1_500;
  const page = await gate.open(context, '#payments');
  const asked = gate.asked.length;
  for (let visit = 0; visit < 4; visit += 1) await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await eventually('it is read', () => gate.asked.length > asked);
  await page.waitForTimeout(SETTLED_MS);
  assert.equal(gate.asked.length, asked + 1);
});
