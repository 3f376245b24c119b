// A KV namespace that several Workers of a world share, each in a process of its own; it can be behind, and it can be down.

import { kvValues } from './beginning.mjs';
import { serve } from './server.mjs';
import { whole } from './switch.mjs';

/**
 * @typedef {Awaited<ReturnType<typeof startKv>>} Kv
 */

/**
 * Starts it. `values` are those that are read, and `puts` counts what was written. `set('behind')` shows readers the old values until
 * `set()`, as the platform may for a minute; with `set('down')` both fail.
 *
 * @param {() => Promise<unknown>} shown runs when readers see another value, before the writer is answered
 */
export async function startKv(shown) {
  /** @type {Map<string, string>} */
  const values = new Map(kvValues());
  /** @type {Map<string, string>} */
  const metadata = new Map();
  /** @type {Map<string, {value: string, about: string}>} */
  const written = new Map();
  const counts = { puts: 0, gets: 0 };
  /** @type {'behind' | 'down' | undefined} */
  let mode;

  const catchUp = () => {
    for (const [key, { value, about }] of written) {
      values.set(key, value);
      metadata.set(key, about);
    }
    written.clear();
    mode = undefined;
  };
  const show = async () => {
    catchUp();
    await shown();
  };

  const { url, stop } = await serve(async (request, response) => {
    const key = decodeURIComponent((request.url ?? '/').slice(1));
    const body = (await whole(request)).toString('utf8');
    if (mode === 'down') return response.writeHead(503).end();
    if (request.method === 'PUT') {
      counts.puts += 1;
      written.set(key, { value: body, about: String(request.headers['kv-metadata'] ?? 'null') });
      if (mode === undefined) await show().catch(() => {});
      return response.writeHead(204).end();
    }
    counts.gets += 1;
    const value = values.get(key);
    if (value === undefined) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': 'text/plain', 'kv-metadata': metadata.get(key) ?? 'null' }).end(value);
  });
  return {
    url,
    stop,
    values,
    counts,
    /** Ends `behind`, and tells no reader: each reads when it is its time. */
    catchUp,
    async set(/** @type {'behind' | 'down' | undefined} */ next = undefined) {
      mode = next;
      if (mode === undefined && written.size > 0) await show();
    },
  };
}
