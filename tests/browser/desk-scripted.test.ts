// The desk of the gate in Chromium where something is missing: an answer of the gate, room in the store, a node, a pointer.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import type { Browser, BrowserContext, Page } from 'playwright-core';

import { PAGES, TREASURY_PAGES } from '../../scripts/pages.mjs';
import { eventually } from '../support/eventually.ts';
import { startChromium } from './chromium.ts';
import { complaintsOf, enter } from './looks.ts';
import { openScripted, TOKEN } from './scripted-desk.ts';
import { GATE_DESK, payee, ScriptedGate } from './scripted-gate.ts';
import { addWallet, WalletError } from './wallet.ts';

const LIMIT_MS = 120_000;
const HASH = `0x${'9'.repeat(64)}`;
const [ONE, OTHER] = ['rcpt_aaaaaaaaaaaaaaaaaaaaaaaaaa', 'rcpt_bbbbbbbbbbbbbbbbbbbbbbbbbb'] as const;
/** For so long a press does nothing where the list has changed. */
const SETTLED_MS = 800;
/** As long as the mark of the first begin of a refund is. */
const KEPT_CHARS = 68;

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
test('under the address of a payment that cannot be read nothing of another one may be pressed', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE).owes(OTHER);
  const page = await gate.open(context, `#payment?id=${ONE}`);
  await page.getByText('Nothing is owed').click();
  await page.getByLabel('Reason').fill('they agreed');
  gate.silent.add(OTHER);
  await page.evaluate((id) => {
    location.hash = `#payment?id=${id}`;
  }, OTHER);
  await page.getByRole('heading', { name: 'Nothing to show' }).waitFor();
  assert.equal(await page.locator('#view form').count(), 0);
  // A view that was read stays while the next read of it fails.
  gate.silent.clear();
  await refund(page).waitFor();
  gate.silent.add(OTHER);
  await page.locator('#fresh', { hasText: /^Not read: .* Read at 20\d\d-\d\d-\d\d / }).waitFor();
  assert.equal(await refund(page).count(), 1);
  assert.deepEqual(gate.told, []);
});

//
test('a store that is full stops a refund before the wallet is asked, and takes a transaction where it took the mark', {
  timeout: LIMIT_MS,
}, async () => {
  const gate = new ScriptedGate().owes(ONE);
  let sent = 0;
  const send = async () => {
    sent += 1;
    return HASH;
  };
  gate.silent.add('/refunded');
  const page = await gate.open(context, `#payment?id=${ONE}`, { send });
  /** Fills the store but for so much. */
  const fill = (chars: number) =>
    page.evaluate((chars) => {
      localStorage.removeItem('filled');
      localStorage.setItem('rest', 'x'.repeat(chars));
      for (let [text, step] = ['', 2 ** 22]; step >= 1; step /= 2)
        try {
          localStorage.setItem('filled', text + 'x'.repeat(step));
          text += 'x'.repeat(step);
        } catch {
          // Half of it may fit.
        }
      localStorage.removeItem('rest');
    }, chars);
  const key = `farebox-refund-${ONE}`.length;
  await fill(key);
  await refund(page).click();
  await said(page, /keeps nothing more/);
  assert.deepEqual([sent, gate.told], [0, []]);
  await fill(key + KEPT_CHARS);
  await refund(page).click();
  await page.waitForFunction(([id, hash]) => localStorage.getItem(`farebox-refund-${id}`) === `1 ${hash}`, [ONE, HASH] as const);
  assert.equal(sent, 1);
});

//
test('a gate without a node is told of a refund once the node of the wallet shows that it succeeded', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  const receipts: unknown[] = [null, { status: '0x1' }];
  const page = await gate.open(context, `#payment?id=${ONE}`, {
    send: async () => HASH,
    receipt: () => {
      assert.deepEqual(gate.told, [`refunding ${ONE}`]);
      return receipts.shift();
    },
  });
  await refund(page).click();
  await said(page, new RegExp(`was refunded, as ${HASH}\\.$`));
  assert.deepEqual([receipts, gate.told], [[], [`refunding ${ONE}`, `refunded ${ONE}`]]);
});

test('a refund that failed on the chain is not reported, and may be begun again, also after a reload', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  let receipt: unknown = { status: '0x0' };
  const page = await gate.open(context, `#payment?id=${ONE}`, { send: async () => HASH, receipt: () => receipt });
  await refund(page).click();
  await said(page, /failed on the chain/);
  assert.deepEqual(gate.told, [`refunding ${ONE}`]);
  const failed = page.getByRole('button', { name: 'The transfer failed' });
  await failed.waitFor();
  assert.equal(await page.getByText(/Report it below/).count(), 0);
  await page.reload();
  await enter(page, TOKEN);
  await failed.waitFor();
  // What this browser sent is looked up before the gate is told.
  const report = page.getByRole('button', { name: 'Report the refund' });
  await page.getByText('It was refunded').click();
  for (const [shown, words] of [
    [null, /is in no block yet/],
    [{ status: '0x0' }, /failed on the chain/],
  ] as const) {
    receipt = shown;
    await report.click();
    await said(page, words);
    assert.deepEqual(gate.told, [`refunding ${ONE}`]);
    await page.waitForTimeout(SETTLED_MS);
  }
  receipt = { status: '0x1' };
  await report.click();
  await said(page, /on the record/);
  assert.deepEqual(gate.told, [`refunding ${ONE}`, `refunded ${ONE}`]);
});

test('a wallet that reads no chain is told of with the refund', { timeout: LIMIT_MS }, async () => {
  for (const more of [{}, { receipt: () => new WalletError(-32004) }]) {
    const page = await new ScriptedGate().owes(ONE).open(context, `#payment?id=${ONE}`, { send: async () => HASH, ...more });
    await refund(page).click();
    await said(page, /was refunded, as 0x9+\. The wallet reads no chain/);
    await page.evaluate(() => localStorage.clear());
    await page.close();
  }
});

for (const [why, receipt] of [
  ['is on another network', () => null],
  ['has a node that fails', () => new WalletError(-32005)],
  ['never answers', () => new Promise(() => {})],
] as const)
  test(`a wallet that ${why} does not say that a refund is in no block`, { timeout: LIMIT_MS }, async () => {
    const gate = new ScriptedGate().owes(ONE);
    const page = await context.newPage();
    await page.clock.install();
    const stray = () =>
      page.evaluate(() =>
        (globalThis as unknown as { ethereum: { request: (asked: object) => Promise<unknown> } }).ethereum.request({
          method: 'wallet_switchEthereumChain',
          params: [{ chainId: '0x1' }],
        }),
      );
    const send = async () => {
      if (why === 'is on another network') await stray();
      return HASH;
    };
    await addWallet(page, { payer: payee, network: '0x14a34', send, receipt });
    await openScripted(page, PAGES, GATE_DESK, `#payment?id=${ONE}`, (request) => gate.answer(request));
    await refund(page).click();
    await said(page, /Waiting until the chain shows it/);
    const unsure = page.getByRole('status').filter({ hasText: /could not look it up.*If the gate has a node, report it below/ });
    await eventually('it gives up', async () => {
      await page.clock.fastForward(4_000);
      return (await unsure.count()) > 0;
    });
    await page.getByRole('button', { name: 'The transfer failed' }).waitFor();
    assert.equal(await page.getByText(/not found on the chain/).count(), 0);
    assert.deepEqual(gate.told, [`refunding ${ONE}`]);
    // A gate that has a node looks itself.
    const word = page.getByLabel(/The gate has a node/);
    await word.waitFor({ state: 'attached' });
    await page.clock.fastForward(1_000);
    await page.getByText('It was refunded').click();
    await word.check();
    await page.getByRole('button', { name: 'Report the refund' }).click();
    await eventually('the gate is told', async () => {
      await page.clock.fastForward(4_000);
      return gate.told.length > 1;
    });
    assert.deepEqual(gate.told, [`refunding ${ONE}`, `refunded ${ONE}`]);
  });

//
test('a desk whose reads take long asks seldom, and shows what is owed though the sums cannot be read', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  gate.silent.add('/totals');
  gate.readMs = 400;
  const page = await gate.open(context, '');
  await page.locator(`#row-${ONE}`).waitFor();
  await page
    .locator('#money')
    .getByText(/^Not read/)
    .waitFor();
  const asked = gate.asked.length;
  // Longer than the shortest wait.
  await page.waitForTimeout(7_000);
  assert.equal(gate.asked.length, asked);
  await eventually('it reads again', () => gate.asked.length > asked);
});

//
test('a tap, and a press of a screen reader, for what has just come to another place does nothing', { timeout: LIMIT_MS }, async () => {
  await context.close();
  context = await browser.newContext({ viewport: { width: 400, height: 800 }, hasTouch: true });
  complaints = complaintsOf(context);
  const gate = new ScriptedGate().owes(OTHER);
  const page = await gate.open(context, '');
  await page.locator(`#row-${OTHER}`).waitFor();
  for (const press of ['touch', 'reader'] as const) {
    // A row comes on top, and a finger comes down the moment after.
    const id = `rcpt_${press.padEnd(26, 'a')}`;
    const rows = [...gate.rows];
    gate.rows.clear();
    gate.owes(id);
    for (const [other, row] of rows) gate.rows.set(other, row);
    const pressed = await page.evaluate(
      ([id, press]) =>
        new Promise<boolean[]>((resolve) => {
          const watch = new MutationObserver(() => {
            const button = document.querySelector<HTMLElement>(`#row-${id} form button`);
            if (button === null) return;
            watch.disconnect();
            if (press === 'touch') button.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true, pointerType: 'touch' }));
            const click = () =>
              button.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, detail: press === 'touch' ? 1 : 0 }));
            const hasty = click();
            setTimeout(() => resolve([hasty, click()]), 1_000);
          });
          watch.observe(document.body, { subtree: true, childList: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }),
      [id, press] as const,
    );
    assert.deepEqual(pressed, [false, true], press);
  }
});

test('a tap for what a paragraph, or a longer line above the view, has just moved does nothing', { timeout: LIMIT_MS }, async () => {
  await context.close();
  context = await browser.newContext({ viewport: { width: 400, height: 800 }, hasTouch: true });
  complaints = complaintsOf(context);
  const gate = new ScriptedGate().owes(ONE);
  let send = (_hash: string): void => {};
  const sent = new Promise<string>((resolve) => {
    send = resolve;
  });
  const page = await gate.open(context, `#payment?id=${ONE}`, { send: () => sent });
  await refund(page).waitFor();
  /** Taps when the form has come to another place, and a second later: on what does nothing by itself. */
  const tapOnceMoved = () =>
    page.evaluate(
      () =>
        new Promise<boolean[]>((resolve) => {
          const top = () => Math.round(document.querySelector('form[data-do="refund"]')?.getBoundingClientRect().top ?? 0);
          const before = top();
          const watch = new MutationObserver(() => {
            if (top() === before) return;
            watch.disconnect();
            const target = document.getElementById('heading') as HTMLElement;
            target.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true, pointerType: 'touch' }));
            const tap = () => target.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, detail: 1 }));
            const hasty = tap();
            setTimeout(() => resolve([hasty, tap()]), 1_000);
          });
          watch.observe(document.body, { subtree: true, childList: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }),
    );
  gate.owes(ONE, { reason: 'let_go' });
  assert.deepEqual(await tapOnceMoved(), [false, true]);
  await refund(page).click();
  await said(page, /^Your wallet asks you\.$/);
  await eventually('the wallet is asked', () => gate.told.length > 0);
  const tapped = tapOnceMoved();
  send(HASH);
  assert.deepEqual(await tapped, [false, true]);
});

test('a review takes the names of transactions that the gate takes, and a wallet is offered where it can send', {
  timeout: LIMIT_MS,
}, async () => {
  const hedera = { network: 'hedera:testnet', asset: '0.0.429274' };
  for (const [more, names] of [
    [hedera, ['0.0.1234@1700000000.000000001', 'A'.repeat(52)]],
    [{}, [HASH, 'pending']],
  ] as const) {
    const gate = new ScriptedGate().owes(ONE, { state: 'manual', reason: 'overdue', ...more }).owes(OTHER, more);
    const page = await gate.open(context, '');
    const row = page.locator(`#row-${ONE}`);
    const field = row.getByLabel(/^Transaction of the payment/);
    await field.waitFor();
    const takes = (name: string) => field.fill(name).then(() => field.evaluate((it: HTMLInputElement) => it.validity.valid));
    for (const name of names) assert.ok(await takes(name), name);
    for (const name of ['9'.repeat(15), `0x${'9'.repeat(64)}?`, '9'.repeat(97)]) assert.ok(!(await takes(name)), name);
    assert.equal(await refund(page).count(), more === hedera ? 0 : 1);
    await page.close();
  }
});

//
test('what someone else began is theirs to take back, and what this browser began is refused in the wallet first', {
  timeout: LIMIT_MS,
}, async () => {
  const gate = new ScriptedGate().owes(ONE, { refunding: '2026-09-21T14:14:20Z', refunding_id: 1 });
  const page = await gate.open(context, `#payment?id=${ONE}`);
  await page
    .getByText(/someone else began this refund.*or you did in.*a private window\. Ask them first, and look into the history/)
    .waitFor();
  await page.getByRole('button', { name: 'It was not sent, and will not be' }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'The wallet sent nothing' }).count(), 0);
  await page.evaluate((id) => localStorage.setItem(`farebox-refund-${id}`, ''), ONE);
  await page.getByText(/If the wallet still asks, refuse it there first/).waitFor();
  await page.getByRole('button', { name: 'The wallet sent nothing' }).waitFor();
});

test('a mark of this browser is of one begin: another one is of someone else, whose transfer may come', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE, { refunding: '2026-09-21T14:14:20Z', refunding_id: 2 });
  const page = await gate.open(context, `#payment?id=${ONE}`);
  const theirs = page.getByRole('button', { name: 'It was not sent, and will not be' });
  const nothing = page.getByRole('button', { name: 'The wallet sent nothing' });
  const failed = page.getByRole('button', { name: 'The transfer failed' });
  for (const [mark, button] of [
    ['1 ', theirs],
    ['2 ', nothing],
    [' '.repeat(66), nothing],
    [HASH, failed],
    [`2 ${HASH}`, failed],
    [`1 ${HASH}`, theirs],
  ] as const) {
    await page.evaluate(
      ([id, mark]) => {
        localStorage.setItem(`farebox-refund-${id}`, mark);
        document.dispatchEvent(new Event('visibilitychange'));
      },
      [ONE, mark] as const,
    );
    await button.waitFor();
    for (const other of [theirs, nothing, failed]) assert.equal(await other.count(), other === button ? 1 : 0, mark);
  }
  // What this browser sent under the begin of before may have moved: it is not forgotten with the begin of the other.
  await page.getByText(`This browser sent ${HASH} before that`).waitFor();
  await page.waitForTimeout(SETTLED_MS);
  await theirs.click();
  await said(page, /That refund is taken back/);
  await failed.waitFor();
  assert.equal(await refund(page).count(), 0);
  assert.deepEqual(gate.told, [`not-refunded ${ONE}`]);
  await page.waitForTimeout(SETTLED_MS);
  await failed.click();
  await page.waitForTimeout(SETTLED_MS);
  await page.getByLabel(/nothing went to the payer in it/).check();
  await failed.click();
  await refund(page).waitFor();
  assert.deepEqual(gate.told, [`not-refunded ${ONE}`]);
});

//
test('a button that was shown before another tab sent a refund takes nothing back', { timeout: LIMIT_MS }, async () => {
  const mark = `farebox-refund-${ONE}`;
  const earlier = `0x${'8'.repeat(64)}`;
  for (const [more, shown, name, since] of [
    [{ refunding: '2026-09-21T14:14:20Z', refunding_id: 1 }, '1 ', 'The wallet sent nothing', `1 ${HASH}`],
    [{}, `1 ${earlier}`, 'The transfer failed', `2 ${HASH}`],
  ] as const) {
    const gate = new ScriptedGate().owes(ONE, more);
    const page = await gate.open(context, `#payment?id=${ONE}`, { send: async () => HASH, receipt: () => ({ status: '0x0' }) });
    await page.getByText('It was refunded').waitFor();
    await page.evaluate(
      ([mark, shown]) => {
        localStorage.setItem(mark, shown);
        document.dispatchEvent(new Event('visibilitychange'));
      },
      [mark, shown] as const,
    );
    const button = page.getByRole('button', { name });
    await button.waitFor();
    await page.waitForTimeout(SETTLED_MS);
    await button.evaluate(
      (button: HTMLButtonElement, [mark, since]) => {
        localStorage.setItem(mark, since);
        button.click();
      },
      [mark, since] as const,
    );
    await said(page, /has begun or sent a refund since this was shown/);
    assert.deepEqual([gate.told, await page.evaluate((mark) => localStorage.getItem(mark), mark)], [[], since]);
    await page.getByText(`sent as ${HASH}`).waitFor();
    await page.evaluate(() => localStorage.clear());
    await page.close();
  }
});

//
test('what this browser sent for a payment that was sold is reported with the word of a person', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE, { state: 'sold' });
  const page = await gate.open(context, '', { receipt: () => new WalletError(-32005) });
  await page.evaluate(([id, hash]) => localStorage.setItem(`farebox-refund-${id}`, `1 ${hash}`), [ONE, HASH] as const);
  await page.evaluate((id) => {
    location.hash = `#payment?id=${id}`;
  }, ONE);
  await page.getByText('It was refunded').click();
  assert.equal(await page.getByLabel('Transaction of the refund').inputValue(), HASH);
  await page.waitForTimeout(SETTLED_MS);
  await page.getByRole('button', { name: 'Report the refund' }).click();
  await said(page, /could not look it up.*Say so beside the button/);
  await page.waitForTimeout(SETTLED_MS);
  await page.getByLabel(/The gate has a node/).check();
  await page.getByRole('button', { name: 'Report the refund' }).click();
  await said(page, /on the record/);
  assert.deepEqual(gate.told, [`refunded ${ONE}`]);
});

test('a review ends with what somebody chose, and a debt whose money may not be there says so', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE, { state: 'manual', reason: 'stream_lost', transaction: HASH });
  gate.owes(OTHER, { transaction: 'pending' }).owes(`rcpt_${'c'.repeat(26)}`, { reason: 'let_go' });
  const page = await gate.open(context, '');
  await page.locator(`#row-${ONE}`).getByLabel('Reason').fill('the log says so');
  await page.keyboard.press('Enter');
  assert.equal(await page.locator('select:invalid').count(), 1);
  assert.deepEqual(gate.told, []);
  await page
    .locator(`#row-${OTHER}`)
    .getByText(/moves the money later/)
    .waitFor();
  await page.getByText(/look whether it delivered/).waitFor();
});

test('an empty page that has a next one, or came after one, says nothing of the whole list', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate();
  for (const [fragment, next, words] of [
    ['#payments', 'c', 'Nothing on this page: go on to the next one.'],
    ['#payments?cursor=c', null, 'Nothing more.'],
    ['#payments', null, 'No payment is like this.'],
  ] as const) {
    gate.next = next;
    const page = await gate.open(context, fragment);
    await page.getByText(words).waitFor();
    await page.close();
  }
});

test('a gate that does not answer for a while is told of a refund again', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  gate.silent.add('/refunded');
  const page = await gate.open(context, `#payment?id=${ONE}`, { send: async () => HASH });
  await refund(page).click();
  await eventually('it is told', () => gate.asked.some((path) => path.includes('/refunded')));
  gate.silent.clear();
  await said(page, /was refunded, as/);
});

test('a wallet that never answers does not keep what is shown for ever', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  const page = await context.newPage();
  await page.clock.install();
  await addWallet(page, { payer: payee, network: '0x14a34', opens: new Promise(() => {}) });
  await openScripted(page, PAGES, GATE_DESK, `#payment?id=${ONE}`, (request) => gate.answer(request));
  await refund(page).click();
  await said(page, /Your wallet asks you/);
  const asked = gate.asked.length;
  await page.clock.fastForward(30_000);
  assert.equal(gate.asked.length, asked);
  await page.clock.fastForward(40_000);
  await eventually('it is read', () => gate.asked.length > asked);
  // What is under way is not begun again.
  assert.equal(await page.locator('form[aria-busy=true]').count(), 1);
});

test('the name of an organization that is no more leads to no other one', { timeout: LIMIT_MS }, async () => {
  const page = await context.newPage();
  await openScripted(page, TREASURY_PAGES, '/desk/', '#agents?org=acme', () => ({ items: [{ name: 'other' }] }));
  await page.getByRole('heading', { name: 'Nothing to show' }).waitFor();
  await page.getByText('There is no organization acme.').waitFor();
});

test('where a site may keep nothing the debts are shown', { timeout: LIMIT_MS }, async () => {
  const gate = new ScriptedGate().owes(ONE);
  const page = await context.newPage();
  await page.addInitScript(() =>
    Object.defineProperty(window, 'localStorage', {
      get() {
        throw new DOMException('Access is denied for this document.', 'SecurityError');
      },
    }),
  );
  await openScripted(page, PAGES, GATE_DESK, '', (request) => gate.answer(request));
  await page.locator(`#row-${ONE}`).waitFor();
});
