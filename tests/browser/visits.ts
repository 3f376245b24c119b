// Visits of priced pages by people with wallets, and what the pages say to them.

import type { BrowserContext, Page, Route } from 'playwright-core';

import type { World } from '../e2e/world.ts';
import { addWallet, type Injected, type WalletPlan } from './wallet.ts';

/** Base Sepolia. */
export const HERE = '0x14a34';

/** Opens a priced page in front of these wallets. */
export async function visit(
  context: BrowserContext,
  { gate, chain }: World,
  path: string,
  plans: readonly WalletPlan[],
): Promise<{ page: Page; wallets: Injected[] }> {
  const page = await context.newPage();
  const wallets: Injected[] = [];
  for (const plan of plans) wallets.push(await addWallet(page, { node: chain.url, ...plan }));
  await page.goto(`${gate.url}${path}`);
  return { page, wallets };
}

const statusOf = (page: Page) => page.locator('#pay [role=status]');

export const isPaid = (page: Page): Promise<void> =>
  statusOf(page)
    .filter({ hasText: /^Paid\./ })
    // A channel that a page which is gone has in use is waited for, 15 s each time.
    .waitFor({ timeout: 60_000 });

export const says = (page: Page, text: RegExp): Promise<void> => statusOf(page).filter({ hasText: text }).waitFor();

/** How often a wallet was asked to sign. */
export const signaturesOf = (wallets: readonly Injected[]): number =>
  wallets.flatMap(({ calls }) => calls.filter((method) => method === 'eth_signTypedData_v4')).length;

/** Loses the answers to paid requests for a URL until `ends` is called: the gate does its work. */
export async function losesAnswers(page: Page, url: string): Promise<{ lost: () => number; ends: () => Promise<void> }> {
  let lost = 0;
  const lose = async (route: Route): Promise<void> => {
    if (route.request().headers()['payment-signature'] === undefined) return route.continue();
    await route.fetch();
    lost += 1;
    await route.abort('connectionreset');
  };
  await page.route(url, lose);
  return { lost: () => lost, ends: () => page.unroute(url, lose) };
}
