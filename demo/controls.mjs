// Local URLs by which a client of a world breaks its parts: `POST` with JSON, answered with JSON.

import { serve } from './server.mjs';
import { whole } from './switch.mjs';

/**
 * Serves one URL for each of these; `urls` has them by name.
 *
 * @template {string} N
 * @param {Record<N, (given: any) => unknown>} controls
 * @returns {Promise<{urls: Record<N, string>, stop: () => Promise<void>}>}
 */
export async function startControls(controls) {
  const { url, stop } = await serve(async (request, response) => {
    /** @type {(status: number, body: unknown) => void} */
    const answer = (status, body) => void response.writeHead(status, { 'content-type': 'application/json' })
      .end(JSON.stringify(body ?? null, (_, value) => (typeof value === 'bigint' ? value.toString() : value)));
    const name = /** @type {N} */ ((request.url ?? '/').slice(1));
    if (request.method !== 'POST' || !Object.hasOwn(controls, name)) return answer(404, { error: `POST one of ${Object.keys(controls).join(', ')}` });
    try {
      const text = (await whole(request)).toString('utf8');
      return answer(200, await controls[name](text === '' ? {} : JSON.parse(text)));
    } catch (error) {
      return answer(400, { error: error instanceof Error ? error.message : String(error) });
    }
  });
  const names = /** @type {N[]} */ (Object.keys(controls));
  return { stop, urls: /** @type {Record<N, string>} */ (Object.fromEntries(names.map((name) => [name, `${url}/${name}`]))) };
}
