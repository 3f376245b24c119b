// A desk in Chromium whose Worker is a script: what its API answers, and when, is up to the test.

import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

import type { Page, Route } from 'playwright-core';

import { enter } from './looks.ts';

/** A request of the desk. */
export interface DeskRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What it is answered: members with 200, or a refusal; `undefined` for no answer at all. */
export type DeskAnswer = object | { readonly status: number; readonly code: string } | undefined;
export type DeskApi = (request: DeskRequest) => DeskAnswer | Promise<DeskAnswer>;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const ORIGIN = 'https://desk.test';
export const TOKEN = 'operator-0123456789abcdef0123456789';

/** Opens the desk that is in `pages` below `home`, and types the token in. */
export async function openScripted(page: Page, pages: string, home: string, fragment: string, api: DeskApi): Promise<void> {
  await goToScripted(page, { origin: ORIGIN, pages, home, fragment, api });
  await enter(page, TOKEN);
}

/** Opens the door of a desk at an origin. */
export async function goToScripted(
  page: Page,
  { origin, pages, home, fragment, api }: { origin: string; pages: string; home: string; fragment: string; api: DeskApi },
): Promise<void> {
  await page.route(`${origin}/**`, (route) => answer(route, pages, home, api));
  await page.goto(`${origin}${home}${fragment}`);
}

async function answer(route: Route, pages: string, home: string, api: DeskApi): Promise<void> {
  const request = route.request();
  const { pathname, searchParams } = new URL(request.url());
  // The rules of wrangler's static files: a folder is its index.
  const file = pathname === home ? join(home, 'index.html') : pathname;
  const type = TYPES[extname(file)];
  if (type !== undefined) return route.fulfill({ contentType: type, body: readFileSync(join(pages, file)) });
  const body = JSON.parse(request.postData() ?? '{}') as Record<string, unknown>;
  const said = await api({ method: request.method(), path: pathname, query: searchParams, body });
  if (said === undefined) return route.abort();
  const status = 'status' in said && typeof said.status === 'number' ? said.status : 200;
  return route.fulfill({ status, contentType: 'application/json', body: JSON.stringify(said) });
}
