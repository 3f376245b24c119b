// What the tests of the pages that people see do with a page.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { BrowserContext, Page } from 'playwright-core';

import { root } from '../../scripts/steps.mjs';

/** Where pictures are kept. */
export const SCREENS = join(root, 'target', 'screens');
const SIZES = [
  ['light', 360],
  ['dark', 360],
  ['dark', 1280],
  ['light', 1280],
] as const;

/** Notes what pages do against their policy, and what they throw. */
export function complaintsOf(context: BrowserContext): string[] {
  const complaints: string[] = [];
  context.on('weberror', (error) => complaints.push(String(error.error())));
  context.on('console', (message) => {
    if (/Content Security Policy|Trusted ?Type|blocked by CORS/i.test(message.text())) complaints.push(message.text());
  });
  return complaints;
}

/** A desk reads again after 20 times as long as its last read took, two minutes at most: as long may pass before it shows what has changed. */
const FOLLOWS_MS = 150_000;

/** Types the token in, and waits for the first view. */
export async function enter(page: Page, token: string): Promise<void> {
  page.setDefaultTimeout(FOLLOWS_MS);
  await page.getByLabel('Operator token').fill(token);
  await page.getByRole('button', { name: 'Open' }).click();
  await page.locator('#heading').waitFor();
}

/** Goes to a view, and waits until it is read. */
export async function goTo(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.locator('#fresh', { hasText: /^Read at .* UTC\.$/ }).waitFor();
  await page.waitForTimeout(400);
}

/** Whether the page has an icon that its policy lets in; without one a browser asks the server for `/favicon.ico`. */
export function hasIcon(page: Page): Promise<boolean> {
  return page.evaluate(async () => {
    const picture = new Image();
    picture.src = document.querySelector<HTMLLinkElement>('link[rel=icon]')?.href ?? '';
    return picture.decode().then(
      () => true,
      () => false,
    );
  });
}

/** A picture of each scheme and width; gives what hinders a reader there. */
export async function looksOf(page: Page, name: string): Promise<readonly string[]> {
  const found: string[] = [];
  assert.ok(await hasIcon(page), `${name} has no icon`);
  for (const [scheme, width] of SIZES) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: 900 });
    await page.screenshot({ path: join(SCREENS, `${name}-${scheme}-${width}.png`), fullPage: true });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} at ${width} scrolls sideways`);
    found.push(...(await seriousOf(page)).map((finding) => `${name} ${scheme} ${width}: ${finding}`));
  }
  return found;
}

/** What axe finds that hinders a reader. */
export async function seriousOf(page: Page): Promise<readonly string[]> {
  const axe = readFileSync(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8');
  // The page's policy takes no script of others: this one runs as the browser's own.
  await page.evaluate(axe);
  return page.evaluate(async () => {
    type Findings = { violations: { id: string; impact: string; nodes: { html: string }[] }[] };
    const { violations } = await (globalThis as unknown as { axe: { run(): Promise<Findings> } }).axe.run();
    const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    return bad.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
  });
}
