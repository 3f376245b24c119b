/** The pages of the exchange as people see them, in a real browser. FAREBOX_SCREENS names a folder for pictures of them. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import type { Browser, Page } from 'playwright-core';
import { type ExchangeWorld, LIVE, MOCK, signedPayment, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { startChromium } from '../../browser/chromium.ts';
import { hasIcon } from '../../browser/looks.ts';
import { eventually } from '../../support/eventually.ts';

const LIMIT = { timeout: 120_000 };
const EVIL = '</style><script>document.title="owned"</script><img src=x onerror=alert(1)>\u202egpj.exe\u200b';
const LONG = 'AVeryLongNameWithoutSpaces'.repeat(4);
const BUYER = { address: '0x1111111111111111111111111111111111111111' };

let world: ExchangeWorld;
let browser: Browser;
let job: { id: string; token: string; finish(): Promise<void> };
before(async () => {
  [world, browser] = await Promise.all([startExchangeWorld(), startChromium()]);
  await world.seller({ profile: MOCK, capability: EVIL, price: '0.000001' });
  await world.seller({ profile: MOCK, capability: LONG, price: '99.678901', capacity: 7 });
  const paid = await world.seller({ capability: 'translate', price: '0.25' });
  const buyer = await world.wallet();
  const quote = (await world.quote(buyer, 'hello', { capability: 'translate' })).json;
  const payload = { buyer_id: buyer.address, capability: 'translate', prompt: 'hello', network_profile: LIVE };
  const headers = { 'x-payment': await signedPayment(world, buyer, quote) };
  const bought = (await world.ask('POST', '/api/v1/jobs/verify', { body: { fingerprint: quote.fingerprint, payload }, headers })).json;
  await world.call(paid, `jobs/${bought.job_id}/start`);
  assert.equal((await world.call(paid, `jobs/${bought.job_id}/complete`, { result: 'hallo' })).status, 200);
  const seller = await world.seller({ profile: MOCK, capability: 'summarize' });
  await world.quote(BUYER, 'other', { profile: MOCK, capability: LONG });
  const mock = (await world.quote(BUYER, 'hello', { profile: MOCK, capability: 'summarize' })).json;
  const verified = await world.ask('POST', '/api/v1/jobs/verify', {
    body: {
      fingerprint: mock.fingerprint,
      tx_hash: '0xabc123',
      payload: { buyer_id: BUYER.address, capability: 'summarize', prompt: 'hello', network_profile: MOCK },
    },
  });
  const { job_id: id, job_token: token } = verified.json;
  job = {
    id,
    token,
    async finish() {
      await world.call(seller, `jobs/${id}/start`);
      assert.equal(
        (
          await world.call(seller, `jobs/${id}/complete`, {
            result: { text: `${EVIL}\nA second line of the result, long enough to wrap on a small screen: ${LONG}` },
          })
        ).status,
        200,
      );
    },
  };
}, LIMIT);
after(async () => {
  await browser?.close();
  await world?.stop();
});

const picture = async (page: Page, name: string) => {
  if (process.env.FAREBOX_SCREENS !== undefined)
    await page.screenshot({ path: join(process.env.FAREBOX_SCREENS, `${name}.png`), fullPage: true });
};
const opened = async (colorScheme: 'light' | 'dark', width: number) => {
  const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } });
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  return { page, faults };
};
const widthOf = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth);

describe('the page of the exchange', LIMIT, () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [360, 1280]) {
      it(`fits ${width} pixels, ${colorScheme}, and what sellers wrote is text whose hidden letters are shown`, async () => {
        const { page, faults } = await opened(colorScheme, width);
        await page.goto(`${world.url}/exchange?mode=live&network=testnet`);
        await eventually('it is live', async () => (await page.locator('#feed').innerText()) === 'Live.');
        const text = await page.locator('body').innerText();
        assert.deepEqual([await widthOf(page), await page.title(), await page.locator('img').count()], [width, 'Compute exchange', 0]);
        assert.ok(text.includes('</style><script>') && text.includes('‹U+202E›gpj.exe‹U+200B›'), text);
        assert.ok(text.includes('0.000001 USDC') && text.includes('99.678901 USDC') && text.includes(LONG), text);
        assert.equal(
          await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
          { light: 'rgb(250, 250, 248)', dark: 'rgb(20, 20, 19)' }[colorScheme],
        );
        const links = await page.locator('a[href^="https://"]').evaluateAll((all) => all.map((a) => a.getAttribute('href') ?? ''));
        assert.ok(links.length >= 3 && links.every((url) => url.startsWith('https://sepolia.basescan.org/')), links.join());
        await picture(page, `exchange-${width}-${colorScheme}`);
        assert.ok(await hasIcon(page));
        assert.deepEqual(faults, []);
        await page.close();
      });
    }
  }

  it('follows what happens without a reload, and shows who is reserved and offline', async () => {
    const { page, faults } = await opened('light', 1280);
    await page.goto(`${world.url}/exchange?mode=demo`);
    await eventually('it is live', async () => (await page.locator('#feed').innerText()) === 'Live.');
    const seller = await world.seller({ profile: MOCK, capability: 'fresh' });
    const status = page.locator('#sellers .row', { hasText: 'fresh' }).locator('.status');
    await status.waitFor({ timeout: 3_000 });
    assert.equal(await status.innerText(), 'idle');
    await world.quote(BUYER, 'fresh', { profile: MOCK, capability: 'fresh' });
    await eventually('it is reserved', async () => (await status.innerText()) === 'reserved');
    await world.call(seller, 'sellers/offline');
    await eventually('it is offline', async () => (await status.innerText()) === 'offline');
    assert.equal(await page.locator('a[href^="https://"]').count(), 0, 'pretended rows have no links');
    assert.deepEqual(faults, []);
    await page.close();
  });

  it('keeps the chosen network when it is opened again', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${world.url}/exchange`);
    await page.getByRole('link', { name: 'Demo' }).click();
    await page.goto(`${world.url}/exchange`);
    assert.equal(await page.locator('a[aria-current="page"]').innerText(), 'Demo');
    await page.getByRole('link', { name: 'Test network' }).press('Enter');
    await page.goto(`${world.url}/exchange`);
    assert.equal(await page.locator('a[aria-current="page"]').innerText(), 'Test network');
    await context.close();
  });

  it('says everything without its script', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(`${world.url}/exchange?mode=demo`);
    assert.ok((await page.locator('body').innerText()).includes('summarize'));
    await context.close();
  });
});

describe('the page of a job', LIMIT, () => {
  it('follows the job of who has its token, and shows its result as text', async () => {
    const { page, faults } = await opened('light', 1280);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(`${world.url}/exchange/jobs/${job.id}#${job.token}`);
    await eventually('it is live', async () => (await page.locator('#feed').innerText()) === 'Live.');
    assert.equal(await page.locator('#status').innerText(), 'paid');
    assert.ok(!page.url().includes(job.token), 'the token leaves the address');
    await job.finish();
    await eventually('it is done', async () => (await page.locator('#status').innerText()) === 'done');
    await eventually('all is told', async () => (await page.locator('#events li').count()) === 4);
    const result = await page.locator('#result').innerText();
    assert.ok(result.startsWith('</style><script>') && result.includes('‹U+202E›gpj.exe‹U+200B›\nA second line'), result);
    assert.deepEqual([await page.title(), await page.locator('img').count()], ['Job', 0]);
    assert.ok(
      asked.every((url) => !url.includes(job.token)),
      asked.join(),
    );
    await page.reload();
    await eventually('it is shown again', async () => (await page.locator('#status').innerText()) === 'done');
    assert.deepEqual(faults, []);
    await page.close();
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [360, 1280]) {
      it(`fits ${width} pixels, ${colorScheme}, by the token from the keyboard`, async () => {
        const { page, faults } = await opened(colorScheme, width);
        await page.goto(`${world.url}/exchange/jobs/${job.id}`);
        await picture(page, `job-asks-${width}-${colorScheme}`);
        await page.getByLabel('Token of the job').fill(job.token);
        await page.keyboard.press('Enter');
        await eventually('all is told', async () => (await page.locator('#events li').count()) === 4);
        assert.equal(await widthOf(page), width);
        await picture(page, `job-${width}-${colorScheme}`);
        assert.deepEqual(faults, []);
        await page.close();
      });
    }
  }

  it('tells nothing to another token, nor whether there is such a job', async () => {
    const page = await browser.newPage();
    for (const id of [job.id, `${job.id.slice(0, -4)}0000`]) {
      await page.goto(`${world.url}/exchange/jobs/${id}`);
      await page.getByLabel('Token of the job').fill('qdj_wrong');
      await page.getByRole('button', { name: 'Show' }).click();
      await eventually('it is refused', async () => (await page.locator('#feed').innerText()) === 'This token reads no such job.');
      await page.goto('about:blank');
    }
    await page.close();
    assert.equal((await world.ask('GET', '/exchange/jobs/x')).status, 404);
  });

  it('is served with a strict policy', async () => {
    for (const path of ['/exchange?mode=demo', `/exchange/jobs/${job.id}`]) {
      const { headers } = await world.ask('GET', path);
      const policy = headers.get('content-security-policy') ?? '';
      assert.ok(policy.startsWith("default-src 'none'; style-src 'self'; script-src 'self'") && !policy.includes('unsafe'), policy);
      assert.deepEqual([headers.get('referrer-policy'), headers.get('x-content-type-options')], ['no-referrer', 'nosniff']);
    }
  });
});
