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
    const answer = (status, body) =>
      void response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(JSON.stringify(body ?? null, (_, value) => (typeof value === 'bigint' ? value.toString() : value)));
    const name = /** @type {N} */ ((request.url ?? '/').slice(1));
    if (request.method !== 'POST' || !Object.hasOwn(controls, name))
      return answer(404, { error: `POST one of ${Object.keys(controls).join(', ')}` });
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

/**
 * Breaks a part in the way that is asked for; `{}` lets everything pass again.
 *
 * @param {import('./switch.mjs').Switch} one
 */
export const switched = (one) => (/** @type {Partial<import('./switch.mjs').Fault>} */ fault) =>
  one.set(fault.mode === undefined ? undefined : { ...fault, mode: fault.mode });

/**
 * What every world does with its chain.
 *
 * @param {import('./chain.mjs').Chain} chain
 */
export const chainControls = (chain) => ({
  /** @param {{blocks?: number}} given */
  mine: ({ blocks = 1 }) => chain.rpc('anvil_mine', [`0x${Number(blocks).toString(16)}`]),
  snapshot: async () => ({ id: await chain.rpc('evm_snapshot', []) }),
  /** @param {{id: string}} given */
  revert: ({ id }) => chain.rpc('evm_revert', [id]),
  /** @param {{addresses: `0x${string}`[]}} given */
  balances: async ({ addresses }) =>
    Object.fromEntries(await Promise.all(addresses.map(async (address) => [address, await chain.balanceOf(address)]))),
});
