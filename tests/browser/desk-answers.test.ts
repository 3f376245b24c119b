// The desk of the gate in Chromium where answers are lost, or come late.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import type { Browser, BrowserContext, Page } from 'playwright-core';

import { startChromium } from './chromium.ts';
import { complaintsOf, enter } from './looks.ts';
import { TOKEN } from './scripted-desk.ts';
import { ScriptedGate } from './scripted-gate.ts';

const LIMIT_MS = 120_000;
const HASH = `0x${'9'.repeat(64)}`;
const ONE = 'rcpt_aaaaaaaaaaaaaaaaaaaaaaaaaa';
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

test('a begin whose answer was lost is not said to be that of someone else, and may be taken back', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  let sent = 0;
  const send = async () => {
    sent += 1;
    return HASH;
  };
  gate.lost.add('/refunding');
  const page = await gate.open(context, `#payment?id=${ONE}`, { send, receipt: () => ({ status: '0x1' }) });
  await refund(page).click();
  await said(page, /^Nothing was sent: /);
  const back = page.getByRole('button', { name: 'It was not sent, and will not be' });
  for (const _ of ['at once', 'after a reload']) {
    await page.getByText(/asked the gate to begin, and heard no answer.*If somebody did, ask them first/).waitFor();
    await page.reload();
    await enter(page, TOKEN);
  }
  await back.click();
  await said(page, /may be begun again/);
  // What never came to the gate may be asked for again at once.
  gate.silent.add('/refunding');
  await page.waitForTimeout(SETTLED_MS);
  await refund(page).click();
  await said(page, /^Nothing was sent: /);
  gate.silent.clear();
  gate.lost.clear();
  await refund(page).click();
  await said(page, /was refunded, as/);
  assert.equal(sent, 1);
  assert.deepEqual(gate.told, [`refunding ${ONE}`, `not-refunded ${ONE}`, `refunding ${ONE}`, `refunded ${ONE}`]);
});

test('a begin that is refused leaves no mark, and the one of somebody else is theirs', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  let open = (): void => {};
  const opens = new Promise<void>((resolve) => {
    open = resolve;
  });
  const page = await gate.open(context, `#payment?id=${ONE}`, { opens, send: () => assert.fail('sent') });
  await refund(page).click();
  await said(page, /Your wallet asks you/);
  Object.assign(gate.rows.get(ONE) ?? {}, { refunding: '2026-09-21T14:14:20Z', refunding_id: 1 });
  open();
  await said(page, /Nothing was sent: It was begun/);
  await page.getByText(/someone else began this refund/).waitFor();
  assert.equal(await page.evaluate((id) => localStorage.getItem(`farebox-refund-${id}`), ONE), null);
});

test('a refund that is refused in the wallet is taken back, also where the gate does not hear of it at once', {
  timeout: LIMIT_MS,
}, async () => {
  const gate = new ScriptedGate().owes(ONE);
  gate.silent.add('/not-refunded');
  const page = await gate.open(context, `#payment?id=${ONE}`, { person: 'refuses', send: () => assert.fail('sent') });
  await refund(page).click();
  await said(page, /^You refused in the wallet\. Nothing was sent\. The gate did not take the refund back: /);
  gate.silent.clear();
  await page.waitForTimeout(SETTLED_MS);
  await page.getByRole('button', { name: 'The wallet sent nothing' }).click();
  await refund(page).waitFor();
  assert.deepEqual(gate.told, [`refunding ${ONE}`, `not-refunded ${ONE}`]);
});
