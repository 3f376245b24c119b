/** Requests that a model has chosen: what it read may have told it the URL, so that a policy says which are asked at all. */
import { mayLook } from '#wasm';

import { FareboxError, told } from '../error.js';
import type { Policy } from '../options.js';
import type { PaidRequestHttpRequest } from './contracts.js';
import { initOf } from './request.js';

/** An answer, and the URL that gave it. */
export type Seen = { readonly response: Response; readonly url: string };

/** The answer to a request that a model has chosen: of a host that the policy allows, and through redirects to the same origin alone, and the URL that answered. */
export async function guarded(
  fetch: typeof globalThis.fetch,
  policy: Policy,
  request: PaidRequestHttpRequest,
  init: RequestInit | undefined,
): Promise<Seen> {
  // As `fetch` reads it, for which `\` ends a host: what is judged is what is asked.
  let url = URL.canParse(request.url) ? new URL(request.url).href : request.url;
  told(() => {
    mayLook(JSON.stringify(policy), request.method, url);
  });
  for (let hop = 0; ; hop += 1) {
    const response = await fetch(url, { ...initOf({ ...request, url }, init), redirect: 'manual' });
    // A page sees no redirect, and reaches no more than any page does.
    if (response.type === 'opaqueredirect') return { response: await fetch(url, initOf({ ...request, url }, init)), url };
    const location = [301, 302, 303, 307, 308].includes(response.status) ? response.headers.get('location') : null;
    if (location === null) return { response, url: hop === 0 ? request.url : url };
    response.body?.cancel().catch(() => undefined);
    const next = new URL(location, url);
    if (next.origin !== new URL(url).origin || !['GET', 'HEAD'].includes(request.method) || hop === MAX_HOPS) {
      throw new FareboxError({
        code: 'redirected',
        message: `the request was redirected to ${next.origin}`,
        remedy: 'request the final URL yourself if you trust it',
      });
    }
    url = next.href;
  }
}

/** Redirects that are followed. */
const MAX_HOPS = 5;
