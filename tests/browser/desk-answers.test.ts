// The desk of the gate in Chromium where answers are lost, or come late.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import type { Browser, BrowserContext, Page } from 'playwright-core';

import { startChromium } from './chromium.ts';
import { complaintsOf, enter } from './looks.ts';
import { TOKEN } from './scripted-desk.ts';
import { ScriptedGate } from './scripted-gate.ts';
import { WalletError } from './wallet.ts';

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

//
test('a refund that a wallet of another network sends is begun at the gate first, and by one person', { timeout: LIMIT_MS }, async () => {
  const transaction = '5'.repeat(88);
  const gate = new ScriptedGate().owes(ONE, { network: 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp', transaction });
  const page = await gate.open(context, `#payment?id=${ONE}`);
  const begin = page.getByRole('button', { name: /^Begin the refund of/ });
  await begin.click();
  await said(page, /is begun\. Send it once, then report it below/);
  // Who reads it later does not know whether it was sent, nor does the page.
  const begun = page.getByText(
    /you began it here\. Look into the history of the wallet.*report it below\. If not, send it once, from 0x.*, which was paid, to 0x/,
  );
  await begun.waitFor();
  await page.reload();
  await enter(page, TOKEN);
  await begun.waitFor();
  // What was begun here may have been sent, also where another person has begun since.
  Object.assign(gate.rows.get(ONE) ?? {}, { refunding_id: 2 });
  await page.getByText(/someone else began this refund.*This browser began it before that: look into the history/).waitFor();
  Object.assign(gate.rows.get(ONE) ?? {}, { refunding_id: 1 });
  await begun.waitFor();
  // At another desk it is the one of somebody else, and nobody is told to send it.
  const other = await gate.open(await browser.newContext(), `#payment?id=${ONE}`);
  await other.getByText(/someone else began this refund/).waitFor();
  assert.equal(await other.getByText(/[Ss]end it once/).count(), 0);
  await other.context().close();
  await page.waitForTimeout(SETTLED_MS);
  const unsent = page.getByRole('button', { name: 'It was not sent, and will not be' });
  await unsent.click();
  await said(page, /may be begun again/);
  await page.waitForTimeout(SETTLED_MS);
  await begin.click();
  await unsent.waitFor();
  await page.waitForTimeout(SETTLED_MS);
  await page.getByText('It was refunded').click();
  await page.getByLabel('Transaction of the refund').fill('6'.repeat(88));
  await page.waitForTimeout(SETTLED_MS);
  await page.getByRole('button', { name: 'Report the refund' }).click();
  await said(page, /on the record/);
  assert.deepEqual(gate.told, [`refunding ${ONE}`, `not-refunded ${ONE}`, `refunding ${ONE}`, `refunded ${ONE}`]);
  assert.equal(await page.evaluate((id) => localStorage.getItem(`farebox-refund-${id}`), ONE), null);
});

//
test('a refund that the wallet does not show is reported by the word of a person, and one that it shows is not begun again', {
  timeout: LIMIT_MS,
}, async () => {
  const gate = new ScriptedGate().owes(ONE, { refunding: '2026-09-21T14:14:20Z', refunding_id: 1 });
  let receipt: unknown = { status: '0x1', blockNumber: '0x1' };
  const page = await gate.open(context, `#payment?id=${ONE}`, { receipt: () => receipt });
  await page.evaluate(
    ([id, hash]) => {
      localStorage.setItem(`farebox-refund-${id}`, `1 ${hash}`);
      document.dispatchEvent(new Event('visibilitychange'));
    },
    [ONE, HASH] as const,
  );
  const failed = page.getByRole('button', { name: 'The transfer failed' });
  await failed.waitFor();
  await page.waitForTimeout(SETTLED_MS);
  await failed.click();
  await said(page, /The wallet shows that 0x9+ succeeded\. Report it below/);
  // Its node shows nothing: then it is not reported, but by the word of a person who sees it elsewhere.
  receipt = null;
  await page.getByText('It was refunded').click();
  const report = page.getByRole('button', { name: 'Report the refund' });
  const word = page.getByLabel(/An explorer shows that it succeeded/);
  assert.equal(await word.count(), 0);
  await report.click();
  await said(page, /is in no block yet/);
  await word.waitFor();
  await page.waitForTimeout(SETTLED_MS);
  await report.click();
  await said(page, /is in no block yet/);
  assert.deepEqual(gate.told, []);
  await word.check();
  // What failed by its node did not succeed.
  receipt = { status: '0x0' };
  await report.click();
  await said(page, /failed on the chain/);
  assert.deepEqual(gate.told, []);
  await word.waitFor({ state: 'detached' });
  receipt = null;
  await page.waitForTimeout(SETTLED_MS);
  await report.click();
  await word.waitFor();
  await page.waitForTimeout(SETTLED_MS);
  await word.check();
  await page.waitForTimeout(SETTLED_MS);
  await report.click();
  await said(page, /on the record/);
  assert.deepEqual(gate.told, [`refunded ${ONE}`]);
});

//
test('a wallet that another refund has led elsewhere is led back to look one up, and where it stays a person has to say so', {
  timeout: LIMIT_MS,
}, async () => {
  const gate = new ScriptedGate().owes(ONE);
  let receipt: unknown = { status: '0x0' };
  const known = ['0x1', '0x14a34'];
  const page = await gate.open(context, `#payment?id=${ONE}`, { knows: known, receipt: () => receipt });
  await page.evaluate(([id, hash]) => localStorage.setItem(`farebox-refund-${id}`, `1 ${hash}`), [ONE, HASH] as const);
  await page.reload();
  await enter(page, TOKEN);
  const stray = () =>
    page.evaluate(() =>
      (globalThis as unknown as { ethereum: { request: (asked: object) => Promise<unknown> } }).ethereum.request({
        method: 'wallet_switchEthereumChain',
        params: [{ chainId: '0x1' }],
      }),
    );
  const press = async (name: string, words: RegExp) => {
    await page.waitForTimeout(SETTLED_MS);
    await page.getByRole('button', { name }).click();
    await said(page, words);
  };
  await page.getByText('It was refunded').click();
  await stray();
  await press('Report the refund', /failed on the chain/);
  receipt = { status: '0x1' };
  await stray();
  await press('The transfer failed', /The wallet shows that 0x9+ succeeded\. Report it below/);
  // It does not know the network any more: both deeds need a word of the person.
  known.pop();
  await stray();
  await press('The transfer failed', /could not look up 0x9+\. It may have succeeded/);
  await press('Report the refund', /could not look it up, and the gate was not told/);
  assert.deepEqual(gate.told, []);
  await page.waitForTimeout(SETTLED_MS);
  await page.getByLabel(/The gate has a node, or an explorer shows/).check();
  await press('Report the refund', /on the record/);
  assert.deepEqual(gate.told, [`refunded ${ONE}`]);
});

test('a transfer that cannot be looked up is made again by the word of a person who saw that it failed', {
  timeout: LIMIT_MS,
}, async () => {
  const gate = new ScriptedGate().owes(ONE, { refunding: '2026-09-21T14:14:20Z', refunding_id: 1 });
  const page = await gate.open(context, `#payment?id=${ONE}`, { receipt: () => new WalletError(-32005) });
  await page.evaluate(([id, hash]) => localStorage.setItem(`farebox-refund-${id}`, `1 ${hash}`), [ONE, HASH] as const);
  await page.reload();
  await enter(page, TOKEN);
  const failed = page.getByRole('button', { name: 'The transfer failed' });
  await failed.waitFor();
  await page.waitForTimeout(SETTLED_MS);
  await failed.click();
  await said(page, /could not look up 0x9+/);
  assert.deepEqual(gate.told, []);
  await page.waitForTimeout(SETTLED_MS);
  await page.getByLabel(/nothing went to the payer in it/).check();
  await failed.click();
  await refund(page).waitFor();
  assert.deepEqual(gate.told, [`not-refunded ${ONE}`]);
});

for (const [what, receipt, words] of [
  ['does not find', () => null, /The wallet does not find 0x9+/],
  ['reads no chain for', () => new WalletError(-32004), /The wallet could not look up 0x9+/],
] as const) {
  //
  test(`a transfer that a wallet ${what} is made again by the word of a person alone`, { timeout: LIMIT_MS }, async () => {
    const gate = new ScriptedGate().owes(ONE, { refunding: '2026-09-21T14:14:20Z', refunding_id: 1 });
    gate.finds = 'none';
    const page = await gate.open(context, `#payment?id=${ONE}`, { receipt });
    await page.evaluate(([id, hash]) => localStorage.setItem(`farebox-refund-${id}`, `1 ${hash}`), [ONE, HASH] as const);
    await page.reload();
    await enter(page, TOKEN);
    const press = async (name: string, text: RegExp) => {
      await page.waitForTimeout(SETTLED_MS);
      await page.getByRole('button', { name }).click();
      await said(page, text);
    };
    await press('The transfer failed', words);
    assert.deepEqual(gate.told, []);
    // A gate that has denied it is asked again first.
    await page.getByText('It was refunded').click();
    await page.locator('form[data-do="refunded"] input[type="checkbox"]').check();
    await press('Report the refund', /refund_unproven/);
    await press('The transfer failed', words);
    assert.deepEqual(gate.told, [`refunded ${ONE}`, `refunded ${ONE}`]);
    await page.waitForTimeout(SETTLED_MS);
    await page.getByLabel(/nothing went to the payer in it, nor can any more/).check();
    await press('The transfer failed', /may be begun again/);
    assert.deepEqual(gate.told.slice(2), [`refunded ${ONE}`, `not-refunded ${ONE}`]);
  });
}

test('a refund that this browser sent and that failed is not reported by its name in capitals', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  const page = await gate.open(context, `#payment?id=${ONE}`, { receipt: () => ({ status: '0x0' }) });
  const hash = `0x${'a'.repeat(64)}`;
  await page.evaluate(([id, hash]) => localStorage.setItem(`farebox-refund-${id}`, `1 ${hash}`), [ONE, hash] as const);
  await page.reload();
  await enter(page, TOKEN);
  await page.getByText('It was refunded').click();
  await page.getByLabel('Transaction of the refund').fill(`0x${'A'.repeat(64)}`);
  await page.waitForTimeout(SETTLED_MS);
  await page.getByRole('button', { name: 'Report the refund' }).click();
  await said(page, /failed on the chain/);
  assert.deepEqual(gate.told, []);
});

test('a receipt that is written in another way than the standard says neither yes nor no', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  const page = await gate.open(context, `#payment?id=${ONE}`, { receipt: () => ({ status: 1, blockNumber: 7 }) });
  await page.evaluate(([id, hash]) => localStorage.setItem(`farebox-refund-${id}`, `1 ${hash}`), [ONE, HASH] as const);
  await page.reload();
  await enter(page, TOKEN);
  await page.getByText('It was refunded').click();
  await page.waitForTimeout(SETTLED_MS);
  const report = page.getByRole('button', { name: 'Report the refund' });
  await report.click();
  await said(page, /could not look it up/);
  await page.waitForTimeout(SETTLED_MS);
  await page.getByLabel(/The gate has a node/).check();
  await report.click();
  await said(page, /on the record/);
});

//
test('a transfer that failed in a transaction that succeeded is made again by the word of a person, as the node may be behind', {
  timeout: LIMIT_MS,
}, async () => {
  const gate = new ScriptedGate().owes(ONE, { refunding: '2026-09-21T14:14:20Z', refunding_id: 1 });
  gate.finds = 'none';
  const page = await gate.open(context, `#payment?id=${ONE}`, { receipt: () => ({ status: '0x1' }) });
  await page.evaluate(([id, hash]) => localStorage.setItem(`farebox-refund-${id}`, `1 ${hash}`), [ONE, HASH] as const);
  await page.reload();
  await enter(page, TOKEN);
  await page.getByText('It was refunded').click();
  await page.waitForTimeout(SETTLED_MS);
  await page.getByRole('button', { name: 'Report the refund' }).click();
  await said(page, /refund_unproven/);
  await page.getByText(/was not found on the chain/).waitFor();
  const failed = page.getByRole('button', { name: 'The transfer failed' });
  await page.waitForTimeout(SETTLED_MS);
  await failed.click();
  await said(page, /The wallet shows that 0x9+ succeeded, and the gate's node does not find the transfer\. It may be behind/);
  assert.deepEqual(gate.told, [`refunded ${ONE}`, `refunded ${ONE}`]);
  await page.getByLabel(/nothing went to the payer in it/).check();
  await page.waitForTimeout(SETTLED_MS);
  await failed.click();
  await refund(page).waitFor();
  assert.deepEqual(gate.told.slice(2), [`refunded ${ONE}`, `not-refunded ${ONE}`]);
});

test('what a program has sold and paid back is reported at the desk, and nothing else is offered', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE, { state: 'sold', reason: 'constructor' });
  const page = await gate.open(context, `#payment?id=${ONE}`);
  await page.getByText('It was refunded').click();
  await page.locator('dd', { hasText: /^constructor$/ }).waitFor();
  await page.getByLabel('Transaction of the refund').fill(HASH);
  assert.equal(await page.locator('#view form').count(), 1);
  await page.waitForTimeout(SETTLED_MS);
  await page.getByRole('button', { name: 'Report the refund' }).click();
  await said(page, /on the record/);
  assert.deepEqual(gate.told, [`refunded ${ONE}`]);
});
