// What a seller answers to a page otherwise than the gate.

import type { Page, Route } from 'playwright-core';

/** Answers each payment for a URL by asking for one. */
export const refusesPayments = (page: Page, url: string): Promise<void> => answersAll(page, url, { status: 402, body: 'pay' });

/** Answers each payment for a URL by this problem. */
export const answersPayments = (
  page: Page,
  url: string,
  problem: { readonly status: number; readonly code: string; readonly type?: string },
  contentType = 'application/problem+json',
): Promise<void> => answersAll(page, url, { status: problem.status, contentType, body: JSON.stringify(problem) });

/** Answers what a page asks of a URL without a payment in the gate's place: a page that is shown while something is mended. */
export async function answersLooks(
  page: Page,
  url: string,
  contentType = 'text/plain',
): Promise<{ again: () => Promise<void>; ends: () => Promise<void> }> {
  let answers = 0;
  const answer = (route: Route): Promise<void> => {
    const request = route.request();
    if (request.isNavigationRequest() || request.headers()['payment-signature'] !== undefined) return route.fallback();
    answers += 1;
    return route.fulfill({ contentType, body: 'We are back soon.' });
  };
  await page.route(url, answer);
  return {
    again: async () => {
      for (const before = answers; answers === before; ) await page.waitForTimeout(50);
    },
    ends: () => page.unroute(url, answer),
  };
}

/** Leads what a page asks of a URL without a payment to another one of the origin. */
export async function leadsLooks(page: Page, url: string, location: string): Promise<void> {
  await page.route(url, (route) =>
    route.request().isNavigationRequest() ? route.fallback() : route.fulfill({ status: 302, headers: { location } }),
  );
}

async function answersAll(page: Page, url: string, answer: Parameters<Route['fulfill']>[0]): Promise<void> {
  await page.route(url, (route) =>
    route.request().headers()['payment-signature'] === undefined ? route.fallback() : route.fulfill(answer),
  );
}

/** Leads each payment for a URL to another one of the origin. */
export const leadsPayments = (page: Page, url: string, location: string): Promise<void> =>
  answersAll(page, url, { status: 301, headers: { location } });

/** Offers a way beside the gate's own, which has these terms, first to the payer and last to its person. */
export const offersBeside = (page: Page, url: string, more: Readonly<Record<string, string>>): Promise<void> =>
  answersOtherwise(page, url, (required, text) => {
    const asked = JSON.parse(required) as { accepts: [object] };
    const accepts = [{ ...asked.accepts[0], ...more }, ...asked.accepts];
    const [, ways = ''] = /id="ways">(.*?)<\/script>/.exec(text) ?? [];
    const [way] = JSON.parse(ways === '' ? '[{}]' : ways) as [{ terms: object }];
    const other = { ...way, title: 'Elsewhere', terms: { ...way.terms, ...more } };
    return [JSON.stringify({ ...asked, accepts }), text.replace(ways, () => JSON.stringify([way, other]))];
  });

/** Asks twice the price of this gate for a URL, in the terms and in the page. */
export const doublesPrice = (page: Page, url: string): Promise<void> => {
  const dearer = (text: string): string => text.replace(/"amount":"(\d+)"/g, (_, units: string) => `"amount":"${2n * BigInt(units)}"`);
  return answersOtherwise(page, url, (required, text) => [dearer(required), dearer(text).replace('"price":"0.01"', '"price":"0.02"')]);
};

/** Names another signer of deposits for a URL, as a gate does once its ledger was restored. */
export const signsOtherwise = (page: Page, url: string): Promise<void> => {
  const since = (text: string): string =>
    text.replace(/("receiverAuthorizer":"0x)\w+"/g, (_, before: string) => `${before}${'5'.repeat(40)}"`);
  return answersOtherwise(page, url, (required, text) => [since(required), since(text)]);
};

/** Answers a URL with other terms and another page; what carries a payment goes to the gate. */
async function answersOtherwise(page: Page, url: string, change: (required: string, text: string) => [string, string]): Promise<void> {
  await page.route(url, async (route) => {
    if (route.request().headers()['payment-signature'] !== undefined) return route.continue();
    const answer = await route.fetch();
    const { 'payment-required': given = '', 'content-length': _, ...headers } = answer.headers();
    const [required, body] = change(atob(given), await answer.text());
    await route.fulfill({ status: answer.status(), headers: { ...headers, 'payment-required': btoa(required) }, body });
  });
}
