// The desk of the gate in Chromium on the origin of a site that has a service worker.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import type { Browser, BrowserContext } from 'playwright-core';

import { PAGES } from '../../scripts/pages.mjs';
import { eventually } from '../support/eventually.ts';
import { startChromium } from './chromium.ts';
import { complaintsOf, enter } from './looks.ts';
import { TOKEN } from './scripted-desk.ts';
import { GATE_DESK } from './scripted-gate.ts';

const LIMIT_MS = 120_000;
/** Keeps all that it sees, as many sites have it, and stands before open pages, too. */
const WORKER = `addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => event.waitUntil(clients.claim()));
addEventListener('fetch', (event) => event.respondWith(fetch(event.request).then((answer) => {
  const copy = answer.clone();
  return caches.open('v1').then((cache) => (cache.put(event.request, copy), answer));
})));`;
const TYPES: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

let browser: Browser;
let context: BrowserContext;
let complaints: string[];
let server: Server;
let origin: string;
/** What came with a token. */
const asked: string[] = [];
/** A part of the paths that are answered once `release` is called. */
let held = '';
let release = (): void => {};
let released = Promise.resolve();

before(async () => {
  browser = await startChromium();
  server = createServer(async ({ url = '/', headers }, response) => {
    if (headers.authorization !== undefined) asked.push(url);
    if (held !== '' && url.includes(held)) await released;
    const answer = (type: string, body: string | Buffer) => response.setHeader('content-type', type).end(body);
    if (url === '/') return answer('text/html', '<script>navigator.serviceWorker.register("/worker.js")</script>');
    if (url === '/worker.js') return answer('text/javascript', WORKER);
    if (url === GATE_DESK) return answer('text/html', readFileSync(join(PAGES, GATE_DESK, 'index.html')));
    const type = TYPES[extname(url)];
    if (type !== undefined) return answer(type, readFileSync(join(PAGES, url)));
    return answer('application/json', '{"items": [], "sessions": [], "next": null}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  await browser?.close();
  server.close();
});
beforeEach(async () => {
  asked.length = 0;
  held = '';
  released = new Promise((resolve) => {
    release = resolve;
  });
  context = await browser.newContext();
  context.setDefaultTimeout(30_000);
  complaints = complaintsOf(context);
});
afterEach(async () => {
  await context.close();
  assert.deepEqual(complaints, []);
});

/** Visits the site until its worker is there. */
async function visit(): Promise<void> {
  const site = await context.newPage();
  await site.goto(origin);
  await site.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
}

//
test('no token goes through a service worker of the site, which would keep it', { timeout: LIMIT_MS }, async () => {
  await visit();
  const page = await context.newPage();
  await page.goto(`${origin}${GATE_DESK}`);
  const words = page.getByRole('alert').filter({ hasText: /A service worker of this site stands between/ });
  await words.waitFor();
  await page.getByLabel('Operator token').fill(TOKEN);
  await page.keyboard.press('Enter');
  await words.filter({ hasText: /^Not opened/ }).waitFor();
  // The way that keeps what this browser has sent comes first.
  await words.filter({ hasText: /hold Shift.*A private window knows of no refund/ }).waitFor();
  assert.deepEqual(asked, []);
});

test('a desk that is open is locked once a service worker comes between, and opens where none does', { timeout: LIMIT_MS }, async () => {
  const page = await context.newPage();
  await page.goto(`${origin}${GATE_DESK}`);
  await enter(page, TOKEN);
  await visit();
  await page
    .getByRole('alert')
    .filter({ hasText: /A service worker/ })
    .waitFor();
  assert.equal(await page.locator('#view').innerHTML(), '');
  const kept = await page.evaluate(async () => {
    const requests = await (await caches.open('v1')).keys();
    return requests.filter((request) => request.headers.has('authorization')).map(({ url }) => url);
  });
  assert.deepEqual(kept, []);
});

for (const [what, part] of [
  ['a door that is asked', 'payments?limit=1'],
  ['a long read', '/totals'],
] as const) {
  //
  test(`${what} when a service worker comes between sends the token no more, and nothing opens`, { timeout: LIMIT_MS }, async () => {
    held = part;
    const page = await context.newPage();
    await page.goto(`${origin}${GATE_DESK}`);
    await page.getByLabel('Operator token').fill(TOKEN);
    await page.keyboard.press('Enter');
    await eventually('it is under way', () => asked.some((url) => url.includes(part)));
    await visit();
    const words = page.getByRole('alert').filter({ hasText: /A service worker/ });
    await words.waitFor();
    const before = asked.length;
    release();
    if (what === 'a door that is asked') await words.filter({ hasText: /^Not opened/ }).waitFor();
    // As long as the desk takes for the rest of its reads.
    await page.waitForTimeout(1_000);
    assert.equal(asked.length, before);
    assert.ok(await page.getByLabel('Operator token').isVisible());
  });
}
