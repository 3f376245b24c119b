// What the tests of a file share: a world with its pages and a browser, and for each test a context of its own.

import { mkdirSync } from 'node:fs';
import { after, afterEach, before, beforeEach } from 'node:test';

import type { Browser, BrowserContext } from 'playwright-core';

import { startWorld, type World } from '../e2e/world.ts';
import { startChromium } from './chromium.ts';
import { complaintsOf, SCREENS } from './looks.ts';

const LIMIT_MS = 120_000;

export type Stage = {
  world: World;
  browser: Browser;
  context: BrowserContext;
  /** What pages did against their policy, and what they threw. */
  complaints: string[];
};

/** The stage of this file's tests, which hooks fill: a gate that sells by these routes, too. */
export function sharedStage(routes: NonNullable<Parameters<typeof startWorld>[0]>['routes'] & object): Stage {
  const stage = {} as Stage;
  before(
    async () => {
      mkdirSync(SCREENS, { recursive: true });
      [stage.world, stage.browser] = await Promise.all([startWorld({ pages: true, routes }), startChromium()]);
    },
    { timeout: LIMIT_MS },
  );
  after(async () => {
    await stage.browser?.close();
    await stage.world?.stop();
  });
  beforeEach(async () => {
    stage.context = await stage.browser.newContext({ viewport: { width: 1280, height: 800 } });
    stage.context.setDefaultTimeout(30_000);
    stage.complaints = complaintsOf(stage.context);
  });
  afterEach(() => stage.context.close());
  return stage;
}
