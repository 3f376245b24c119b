// The page of the market as people, crawlers and agents get it, in a real browser where looks matter.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import type { Browser } from 'playwright-core';

import { startChromium } from '../browser/chromium.ts';
import { hasIcon } from '../browser/looks.ts';
import { plainSkill, type SkillsWorld, startSkillsWorld, untilSold } from './market.ts';

const LIMIT = { timeout: 120_000 };
const EVIL = '</script><script>document.title="owned"</script><img src=x onerror=alert(1)>';
const LONG = 'AVeryLongNameWithoutSpaces'.repeat(4);

let world: SkillsWorld;
let browser: Browser;
let evil: string;
before(async () => {
  [world, browser] = await Promise.all([startSkillsWorld(), startChromium()]);
  const { id } = await plainSkill(world, 'deliver', { name: EVIL, description: EVIL });
  evil = id;
  await plainSkill(world, 'deliver', { name: LONG, description: 'Long' });
  const { id: rain } = await plainSkill(world, 'deliver', { name: 'Rain report', description: 'One weather report', price: '$1.50' });
  await untilSold(world, rain);
}, LIMIT);
after(async () => {
  await browser?.close();
  await world?.stop();
});

describe('the page of the market', () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [360, 1280]) {
      //
      test(`fits ${width} pixels, ${colorScheme}, without a script, and what owners wrote is text`, LIMIT, async () => {
        const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } });
        const asked: string[] = [];
        page.on('request', (request) => asked.push(request.url()));
        await page.goto(world.url);
        const seen = await page.evaluate(() => ({
          width: document.documentElement.scrollWidth,
          title: document.title,
          images: document.images.length,
          items: document.querySelectorAll('.skill').length,
          back: getComputedStyle(document.body).backgroundColor,
          text: document.body.innerText,
        }));
        const requests = [...asked];
        assert.ok(await hasIcon(page));
        await page.close();
        assert.deepEqual([seen.width, seen.title, seen.images, seen.items], [width, 'Skills', 0, 3]);
        assert.ok(seen.text.includes(EVIL) && seen.text.includes('1.5 USDC'), seen.text);
        assert.equal(seen.back, { light: 'rgb(250, 250, 248)', dark: 'rgb(20, 20, 19)' }[colorScheme]);
        assert.deepEqual(
          requests.filter((url) => !url.startsWith('data:')),
          [`${world.url}/`],
        );
      });
    }
  }

  test('has what a crawler reads, as one JSON document', LIMIT, async () => {
    const { text, headers } = await world.ask('GET', '/');
    const [, data = ''] = /<script type="application\/ld\+json">(.*?)<\/script>/s.exec(text) ?? [];
    const { numberOfItems, itemListElement } = JSON.parse(data);
    assert.deepEqual([numberOfItems, itemListElement.map(({ offers }: any) => offers.price).sort()], [3, ['0.25', '0.25', '1.5']]);
    assert.match(headers.get('content-type') ?? '', /^text\/html; charset=utf-8$/);
    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/);
  });

  test('finds skills by their words, with the form alone', LIMIT, async () => {
    const page = await browser.newPage();
    await page.goto(world.url);
    await page.getByLabel('Find a skill').fill('RAIN');
    await page.getByRole('button', { name: 'Find' }).click();
    assert.deepEqual(await page.locator('.skill h2').allInnerTexts(), ['Rain report']);
    await page.getByRole('link', { name: 'Rain report' }).click();
    assert.equal(await page.locator('h1').innerText(), 'Rain report');
    await page.close();
  });

  test('of a skill that is not there is 404', LIMIT, async () => {
    assert.equal((await world.ask('GET', '/skills/nope')).status, 404);
    assert.equal((await world.ask('GET', '/skills/nope/SKILL.md')).status, 404);
  });
});

test('SKILL.md tells agents what is sold and how to call it, for the market and for each skill', LIMIT, async () => {
  const [all, one] = [await world.ask('GET', '/SKILL.md'), await world.ask('GET', `/skills/${evil}/SKILL.md`)];
  for (const { status, headers } of [all, one])
    assert.deepEqual([status, headers.get('content-type')], [200, 'text/markdown; charset=utf-8']);
  assert.ok(all.text.includes(`${world.url}/skills/${evil}/SKILL.md`) && !all.text.includes('<script>'), all.text);
  assert.ok(one.text.includes(`${world.url}/s/${evil}`) && one.text.includes(`/api/marketplace/skills/${evil}/invoke`), one.text);
});
