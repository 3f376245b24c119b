// The desk of the gate in Chromium, under its own policy: an operator finds every payment and decides what waits, by mouse and by keyboard.

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import type { Browser, BrowserContext, Page } from 'playwright-core';

import { MARKET_PAGES, PAGES, TREASURY_PAGES } from '../../scripts/pages.mjs';
import { root } from '../../scripts/steps.mjs';
import { eventually } from '../support/eventually.ts';
import { startChromium } from './chromium.ts';
import { type DeskWorld, HOSTILE, startDeskWorld } from './desk-world.ts';
import { complaintsOf, enter, goTo, looksOf, SCREENS } from './looks.ts';
import { type AskedTransaction, addWallet, type Injected, injectWallet } from './wallet.ts';

const LIMIT_MS = 180_000;
/** After which a press counts again where the deed beneath it has changed. */
const SETTLED_MS = 1_000;

let world: DeskWorld;
let browser: Browser;
let context: BrowserContext;
/** What the page did against its policy, and what it threw. */
let complaints: string[];

before(
  async () => {
    mkdirSync(SCREENS, { recursive: true });
    [world, browser] = await Promise.all([startDeskWorld(), startChromium()]);
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

async function entered(fragment = '', prepare: (page: Page) => Promise<unknown> = async () => {}): Promise<Page> {
  const page = await context.newPage();
  await prepare(page);
  await page.goto(`${world.gate.url}/_farebox/desk/${fragment}`);
  await enter(page, world.token);
  return page;
}

const said = (page: Page, text: RegExp) => page.getByRole('status').filter({ hasText: text }).waitFor();

async function idIn(state: string): Promise<string> {
  const [first] = await world.paymentsIn(state);
  return first?.id ?? assert.fail(`no payment is ${state}`);
}

async function payment(id: string): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${world.token}` };
  const answer = await fetch(`${world.gate.url}/_farebox/payments/${id}`, { headers });
  return (await answer.json()) as Record<string, unknown>;
}

const stateOf = async (id: string): Promise<unknown> => (await payment(id))['state'];

test('the token is asked for, a wrong one opens nothing, and no URL or store has the right one', { timeout: LIMIT_MS }, async () => {
  const page = await context.newPage();
  const urls: string[] = [];
  page.on('request', (request) => urls.push(request.url()));
  await page.goto(`${world.gate.url}/_farebox/desk/`);
  await page.getByLabel('Operator token').fill('wrong');
  await page.getByRole('button', { name: 'Open' }).click();
  await page
    .getByRole('alert')
    .filter({ hasText: /unauthorized/ })
    .waitFor();
  await page.getByLabel('Operator token').fill(world.token);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  const stored = await page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state, location.href]),
  );
  assert.ok(![...urls, stored].some((text) => text.includes(world.token)));
  await page.getByRole('button', { name: 'Lock' }).click();
  assert.equal(await page.locator('#view').innerHTML(), '');
  await page.reload();
  await page.getByLabel('Operator token').waitFor();
});

test('it looks right in light and dark, narrow and wide, and axe finds nothing serious', { timeout: LIMIT_MS }, async () => {
  await world.buy('/fail/502', 5);
  await told(await idIn('refund_due'), 'waived', { reason: 'a test' });
  const page = await entered();
  const views = [
    'overview',
    'payments',
    `payment?id=${await idIn('refund_due')}`,
    `payment?id=${await idIn('manual')}`,
    'clients',
    'facilitators',
    'channels',
  ];
  const found: string[] = [];
  for (const [at, view] of views.entries()) {
    await goTo(page, `${world.gate.url}/_farebox/desk/#${view}`);
    // The picture of the README.
    if (at === 0)
      await page.screenshot({ path: join(SCREENS, 'readme-desk.png'), clip: { x: 60, y: 0, width: 1160, height: 580 }, fullPage: true });
    found.push(...(await looksOf(page, `desk-${at}-${view.split('?')[0]}`)));
  }
  assert.deepEqual(found, []);
});

test('a refund is signed by the wallet that was paid, found on the chain, and recorded', { timeout: LIMIT_MS }, async () => {
  const id = await idIn('refund_due');
  const [row] = (await world.paymentsIn('refund_due')).filter((item) => item.id === id);
  const before = await world.chain.balanceOf(row!.payer as `0x${string}`);
  const page = await entered('', (page) => injectWallet(page, world.chain.accounts.payee, '0x1', 'agrees', world.sendAsPayee));
  await page
    .locator(`#row-${id}`)
    .getByRole('button', { name: /^Refund 0\.01 USDC by wallet/ })
    .click();
  await said(page, /0\.01 USDC was refunded, as 0x/);
  assert.equal(await stateOf(id), 'refunded');
  assert.equal((await world.chain.balanceOf(row!.payer as `0x${string}`)) - before, 10_000n);
  await page.locator(`#row-${id}`).waitFor({ state: 'detached' });
});

test('a wallet that was not paid signs no refund, and one that refuses sends none', { timeout: LIMIT_MS }, async () => {
  await world.buy('/fail/503', 6);
  const id = await idIn('refund_due');
  for (const [account, person, words] of [
    [world.chain.accounts.payer, 'agrees', /does not offer that account/],
    [world.chain.accounts.payee, 'refuses', /Nothing was sent/],
  ] as const) {
    const page = await entered(`#payment?id=${id}`, (page) => injectWallet(page, account, '0x14a34', person, () => assert.fail('sent')));
    await page.getByRole('button', { name: /by wallet/ }).click();
    await said(page, words);
    assert.equal(await stateOf(id), 'refund_due');
    await page.close();
  }
});

//
test('a refund that was sent and not reported is not sent again after a reload', { timeout: LIMIT_MS }, async () => {
  const id = await idIn('refund_due');
  const hash = `0x${'9'.repeat(64)}`;
  const page = await entered(`#payment?id=${id}`, (page) =>
    injectWallet(page, world.chain.accounts.payee, '0x14a34', 'agrees', async () => hash),
  );
  await page.getByRole('button', { name: /by wallet/ }).click();
  await said(page, /Waiting until the chain shows it/);
  await page.reload();
  await page.getByLabel('Operator token').fill(world.token);
  await page.keyboard.press('Enter');
  await page.getByText(/do not send it again/).waitFor();
  assert.equal(await page.getByRole('button', { name: /by wallet/ }).count(), 0);
  const failed = page.getByRole('button', { name: 'The transfer failed' });
  await failed.waitFor();
  await page.getByText('It was refunded').click();
  await page.getByRole('button', { name: 'Report the refund' }).click();
  await said(page, /refund_unproven/);
  await page.getByText(/was not found on the chain/).waitFor();
  await page.waitForTimeout(SETTLED_MS);
  await page.getByLabel(/nothing went to the payer in it/).check();
  await failed.click();
  await said(page, /may be begun again/);
  await page.getByRole('button', { name: /by wallet/ }).waitFor();
  // The lists of debts have no order between objects: the next test finds its own.
  await told(id, 'waived', { reason: 'the test is over' });
});

test('a wallet whose network changes while it is asked sends nothing, and may be asked again', { timeout: LIMIT_MS }, async () => {
  await world.buy('/fail/503', 6);
  const id = await idIn('refund_due');
  const sent: AskedTransaction[] = [];
  const send = (asked: AskedTransaction) => {
    sent.push(asked);
    return world.sendAsPayee(asked);
  };
  const plan = { payer: world.chain.accounts.payee, network: '0x14a34', send };
  const page = await entered(`#payment?id=${id}`, (page) => addWallet(page, { ...plan, strays: '0x1' }));
  await page.getByRole('button', { name: /by wallet/ }).click();
  await said(page, /Expected chain 1/);
  assert.deepEqual([sent, await stateOf(id)], [[], 'refund_due']);
  await page.getByText(/a wallet was asked for this refund/).waitFor();
  assert.equal(await page.getByRole('button', { name: /by wallet/ }).count(), 0);
  const other = await entered(`#payment?id=${id}`, (page) => addWallet(page, { ...plan, network: '0x1' }));
  await other.getByRole('button', { name: 'The wallet sent nothing' }).click();
  await said(other, /may be begun again/);
  await other.waitForTimeout(SETTLED_MS);
  await other.getByRole('button', { name: /by wallet/ }).click();
  await said(other, /was refunded, as 0x/);
  assert.deepEqual(
    sent.map(({ chainId }) => chainId),
    ['0x14a34'],
  );
});

//
for (const locks of ['with', 'without'] as const)
  test(`of two tabs ${locks} locks that refund the same debt at once one does, and the payer gets it once`, {
    timeout: LIMIT_MS,
  }, async () => {
    await world.buy('/fail/503', 7);
    const [row] = await world.paymentsIn('refund_due');
    const { id, payer, amount } = row as Record<'id' | 'payer' | 'amount', string>;
    const before = await world.chain.balanceOf(payer as `0x${string}`);
    let open = (): void => {};
    const opens = new Promise<void>((resolve) => {
      open = resolve;
    });
    const sent: AskedTransaction[] = [];
    const send = async (asked: AskedTransaction) => {
      sent.push(asked);
      return world.sendAsPayee(asked);
    };
    const wallets: Injected[] = [];
    const tab = () =>
      entered(`#payment?id=${id}`, async (page) => {
        // As a page without a secure context.
        if (locks === 'without') await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }));
        wallets.push(await addWallet(page, { payer: world.chain.accounts.payee, network: '0x14a34', opens, send }));
      });
    const [one, two] = [await tab(), await tab()];
    const isAsked = (at: number) => wallets[at]?.calls.includes('eth_requestAccounts') === true;
    await one.getByRole('button', { name: /by wallet/ }).click();
    await eventually('the first wallet is asked', () => isAsked(0));
    await two.getByRole('button', { name: /by wallet/ }).click();
    const refused = two.getByText(/Another tab refunds this payment/);
    await eventually('the second tab has gone as far as it may', async () => isAsked(1) || (await refused.count()) > 0);
    open();
    if (locks === 'with') await said(one, /was refunded, as 0x/);
    await eventually('the gate knows', async () => (await stateOf(id)) === 'refunded');
    assert.equal((await world.chain.balanceOf(payer as `0x${string}`)) - before, BigInt(amount));
    assert.equal(sent.length, 1);
  });

//
test('a debt that ended while the wallet asked is not paid', { timeout: LIMIT_MS }, async () => {
  await world.buy('/fail/503', 7);
  const id = await idIn('refund_due');
  let open = (): void => {};
  const opens = new Promise<void>((resolve) => {
    open = resolve;
  });
  const page = await entered(`#payment?id=${id}`, (page) =>
    addWallet(page, { payer: world.chain.accounts.payee, network: '0x14a34', opens, send: () => assert.fail('sent') }),
  );
  await page.getByRole('button', { name: /by wallet/ }).click();
  await said(page, /Your wallet asks you/);
  await told(id, 'waived', { reason: 'they agreed' });
  open();
  await said(page, /was paid back or waived before/);
  assert.equal(await stateOf(id), 'waived');
});

//
test('whoever refuses in their wallet takes back their own begin, and not the one that another made since', {
  timeout: LIMIT_MS,
}, async () => {
  await world.buy('/fail/503', 7);
  const id = await idIn('refund_due');
  let refuse = (): void => {};
  const asks = new Promise<void>((resolve) => {
    refuse = resolve;
  });
  const page = await entered(`#payment?id=${id}`, (page) =>
    addWallet(page, {
      payer: world.chain.accounts.payee,
      network: '0x14a34',
      person: 'refuses',
      until: asks,
      send: () => assert.fail('sent'),
    }),
  );
  await page.getByRole('button', { name: /by wallet/ }).click();
  const begun = async (): Promise<number> => Number((await payment(id))['refunding_id']);
  const mine = await eventually('it has begun', begun, (number) => number > 0);
  await told(id, 'not-refunded', { refunding_id: mine });
  await told(id, 'refunding', {});
  refuse();
  await said(page, /was begun at this time/);
  const other = await begun();
  assert.ok(other > mine, 'the begin of the other stands');
  await told(id, 'not-refunded', { refunding_id: other });
  await told(id, 'waived', { reason: 'they agreed' });
});

test('what another operator began is seen, and may be begun again once nothing was sent', { timeout: LIMIT_MS }, async () => {
  await world.buy('/fail/503', 7);
  const id = await idIn('refund_due');
  await told(id, 'refunding', {});
  const page = await entered(`#payment?id=${id}`, (page) =>
    injectWallet(page, world.chain.accounts.payee, '0x14a34', 'agrees', world.sendAsPayee),
  );
  await page.getByText(/someone else began this refund/).waitFor();
  assert.equal(await page.getByRole('button', { name: /by wallet/ }).count(), 0);
  await page.getByRole('button', { name: 'It was not sent, and will not be' }).click();
  await said(page, /may be begun again/);
  await page.waitForTimeout(SETTLED_MS);
  await page.getByRole('button', { name: /by wallet/ }).click();
  await said(page, /was refunded, as 0x/);
});

//
test('a press for a deed that has just become another one does nothing, by pointer and by keyboard', { timeout: LIMIT_MS }, async () => {
  await world.buy('/fail/503', 7);
  const id = await idIn('refund_due');
  const page = await entered(`#payment?id=${id}`, (page) =>
    injectWallet(page, world.chain.accounts.payee, '0x14a34', 'agrees', () => assert.fail('sent')),
  );
  const begunId = async () => Number((await payment(id))['refunding_id']);
  const read = page.getByRole('button', { name: /by wallet/ });
  const begun = page.getByRole('button', { name: 'It was not sent, and will not be' });
  const comeBack = () => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));

  // What is aimed at stays as it is, also for a person who comes back to the tab.
  await read.hover();
  await told(id, 'refunding', {});
  const mine = await begunId();
  await comeBack();
  await page.waitForTimeout(1_000);
  assert.equal(await begun.count(), 0);
  // A read that was under way changes it nevertheless; the press comes a moment after.
  const press = (detail: number, event: string) =>
    page.evaluate(
      ([detail, event]) =>
        new Promise<void>((resolve) => {
          const button = document.querySelector<HTMLElement>('#view form[data-do="refund"] button');
          if (detail === 0) button?.focus();
          new MutationObserver((_, observer) => {
            if (button?.textContent !== 'It was not sent, and will not be') return;
            observer.disconnect();
            const click = new MouseEvent('click', { bubbles: true, cancelable: true, detail });
            setTimeout(() => resolve(void button.dispatchEvent(click)), 50);
          }).observe(document.body, { subtree: true, childList: true, characterData: true });
          (event === 'hashchange' ? window : document).dispatchEvent(new Event(event));
        }),
      [detail, event] as const,
    );
  await press(1, 'hashchange');
  await said(page, /has just changed/);
  await page.waitForTimeout(500);
  assert.equal(await begunId(), mine);

  await told(id, 'not-refunded', { refunding_id: mine });
  await page.mouse.move(0, 0);
  await read.waitFor();
  await told(id, 'refunding', {});
  const later = await begunId();
  await press(0, 'visibilitychange');
  await page.waitForTimeout(500);
  assert.equal(await begunId(), later);
  await told(id, 'not-refunded', { refunding_id: later });
  await told(id, 'waived', { reason: 'the test is over' });
});

/** Has the gate told by another operator. */
async function told(id: string, decision: string, body: object): Promise<void> {
  const answer = await fetch(`${world.gate.url}/_farebox/payments/${id}/${decision}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.token}` },
    body: JSON.stringify(body),
  });
  assert.equal(answer.status, 200, await answer.text());
}

test('a debt is waived by keyboard alone', { timeout: LIMIT_MS }, async () => {
  const id = await idIn('refund_due');
  const page = await context.newPage();
  await page.goto(`${world.gate.url}/_farebox/desk/#payment?id=${id}`);
  await page.keyboard.press('Tab');
  await page.keyboard.type(world.token);
  await page.keyboard.press('Enter');
  await page.getByText('What you can do').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'heading');
  const reach = async (name: string) => {
    for (let step = 0; step < 20; step += 1) {
      await page.keyboard.press('Tab');
      if ((await page.evaluate(() => document.activeElement?.textContent)) === name) return;
    }
    assert.fail(`the keyboard does not reach ${name}`);
  };
  await reach('Nothing is owed');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.type('goodwill, by keyboard');
  // What refreshes meanwhile takes neither the focus nor what was typed.
  await page.waitForTimeout(6_000);
  await page.keyboard.type('.');
  await page.keyboard.press('Enter');
  await said(page, /The debt is waived/);
  assert.equal(await stateOf(id), 'waived');
  await page.getByText('operator: goodwill, by keyboard.').waitFor();
});

test('a payment under review is resolved by what was found', { timeout: LIMIT_MS }, async () => {
  const id = await idIn('manual');
  const page = await entered();
  const row = page.locator(`#row-${id}`);
  await row.getByLabel('What you found').selectOption('void');
  await row.getByLabel('Reason').fill('the chain shows no transfer');
  await row.getByRole('button', { name: 'Resolve' }).click();
  await said(page, /The review is resolved: the payment is void/);
  assert.equal(await stateOf(id), 'void');
});

test('an unknown outcome is shown with what it means, and nothing to press', { timeout: LIMIT_MS }, async () => {
  const id = await idIn('unknown');
  const page = await entered(`#payment?id=${id}`);
  await page.getByText(/It is not known whether money moved/).waitFor();
  assert.equal(await page.locator('#view form').count(), 0);
});

test('a payment is found by its id, key, transaction, correlation id and payer, and lists are filtered', {
  timeout: LIMIT_MS,
}, async () => {
  const id = await idIn('delivered');
  const headers = { authorization: `Bearer ${world.token}` };
  const whole = (await (await fetch(`${world.gate.url}/_farebox/payments/${id}`, { headers })).json()) as Record<string, string>;
  const page = await entered('#payments');
  for (const text of [id, whole.key, whole.transaction, whole.correlation_id, whole.payer].map(String)) {
    await page.getByLabel(/^Id, key/).fill(text);
    await page.keyboard.press('Enter');
    await page.locator(`[id^="search-${text}-"]`).waitFor();
    await page.locator(`#row-${id}`).waitFor();
  }
  await page.goto(`${world.gate.url}/_farebox/desk/#payments?state=delivered`);
  await page.locator(`#row-${id}`).waitFor();
  await eventually('the form says what is listed', async () => (await page.getByLabel('State').inputValue()) === 'delivered');
  const pills = await page.locator('.row .tone').allInnerTexts();
  assert.ok(pills.length >= 2 && pills.every((pill) => pill === 'delivered'), pills.join());
});

test('it follows what happens', { timeout: LIMIT_MS }, async () => {
  const page = await entered();
  await page.locator('#waits-refund_due').waitFor();
  await world.buy('/fail/503', 7);
  const id = await idIn('refund_due');
  await page.locator(`#row-${id}`).waitFor();
});

//
test('what others wrote is text, with hidden characters shown', { timeout: LIMIT_MS }, async () => {
  const page = await entered('#payments', async (page) => {
    const plant = (text: string) =>
      text.replaceAll(/"(route|reason|url|claims|why)":"[^"]*"/g, (_, name) => `"${name}":${JSON.stringify(HOSTILE)}`);
    await page.route(/_farebox\/(payments|failures|health)/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: plant(await response.text()) });
    });
  });
  await eventually('a client fails', async () => {
    await fetch(`${world.gate.url}/report`);
    const headers = { authorization: `Bearer ${world.token}` };
    const { items } = (await (await fetch(`${world.gate.url}/_farebox/failures`, { headers })).json()) as { items: unknown[] };
    return items.length > 0;
  });
  for (const view of ['payments', 'overview', `payment?id=${await idIn('delivered')}`, 'clients', 'facilitators']) {
    await page.goto(`${world.gate.url}/_farebox/desk/#${view}`);
    await page.getByText('<img src=x onerror=alert(1)>‹U+202E›‹U+200B›').first().waitFor();
    assert.equal(await page.locator('img').count(), 0);
  }
  await page.unrouteAll({ behavior: 'ignoreErrors' });
});

test('every desk is as small as tests/sizes.json says', () => {
  const { gzip_bytes: most } = JSON.parse(readFileSync(join(root, 'tests/sizes.json'), 'utf8')).desk as { gzip_bytes: number };
  for (const folder of [join(PAGES, '_farebox', 'desk'), join(TREASURY_PAGES, 'desk'), join(MARKET_PAGES, 'desk')]) {
    const bytes = readdirSync(folder).map((file) => gzipSync(readFileSync(join(folder, file)), { level: 9 }).length);
    const sum = bytes.reduce((all, one) => all + one, 0);
    assert.ok(sum > 5_000 && sum <= most, `${folder}: ${sum} bytes, at most ${most}`);
  }
});

test('clients that fail are listed while the desk is open', { timeout: LIMIT_MS }, async () => {
  const page = await entered('#clients');
  await eventually('a client fails', async () => {
    await fetch(`${world.gate.url}/report`);
    return (await page.locator('.row').count()) > 0;
  });
});
