// What a seller answers to a page otherwise than the gate.

import type { Page, Route } from 'playwright-core';

/** Answers each payment for a URL by asking for one. */
export const refusesPayments = (page: Page, url: string): Promise<void> => answersAll(page, url, { status: 402, body: 'pay' });

/** Answers each payment for a URL by this problem. */
export const answersPayments = (page: Page, url: string, problem: { readonly status: number; readonly code: string }): Promise<void> =>
  answersAll(page, url, { status: problem.status, contentType: 'application/problem+json', body: JSON.stringify(problem) });

async function answersAll(page: Page, url: string, answer: Parameters<Route['fulfill']>[0]): Promise<void> {
  await page.route(url, (route) =>
    route.request().headers()['payment-signature'] === undefined ? route.fallback() : route.fulfill(answer),
  );
}

/** Offers a way beside the gate's own, which has these terms, first to the payer and last to its person. */
export async function offersBeside(page: Page, url: string, more: Readonly<Record<string, string>>): Promise<void> {
  await page.route(url, async (route) => {
    if (route.request().headers()['payment-signature'] !== undefined) return route.continue();
    const answer = await route.fetch();
    const { 'payment-required': required = '', 'content-length': _, ...headers } = answer.headers();
    const asked = JSON.parse(atob(required)) as { accepts: [object] };
    const accepts = [{ ...asked.accepts[0], ...more }, ...asked.accepts];
    const text = await answer.text();
    const [, ways = ''] = /id="ways">(.*?)<\/script>/.exec(text) ?? [];
    const [way] = JSON.parse(ways === '' ? '[{}]' : ways) as [{ terms: object }];
    const other = { ...way, title: 'Elsewhere', terms: { ...way.terms, ...more } };
    await route.fulfill({
      status: answer.status(),
      headers: { ...headers, 'payment-required': btoa(JSON.stringify({ ...asked, accepts })) },
      body: text.replace(ways, () => JSON.stringify([way, other])),
    });
  });
}

/** Asks twice the price of this gate for a URL, in the terms and in the page. */
export async function doublesPrice(page: Page, url: string): Promise<void> {
  await page.route(url, async (route) => {
    const answer = await route.fetch();
    const { 'payment-required': required = '', 'content-length': _, ...headers } = answer.headers();
    const dearer = (text: string): string => text.replace(/"amount":"(\d+)"/g, (__, units: string) => `"amount":"${2n * BigInt(units)}"`);
    const body = dearer(await answer.text()).replace('"price":"0.01"', '"price":"0.02"');
    await route.fulfill({ status: answer.status(), headers: { ...headers, 'payment-required': btoa(dearer(atob(required))) }, body });
  });
}
