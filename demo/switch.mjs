// A proxy in front of a part, which cuts, delays, loses or answers for it when it is told to.

import { Agent, request as ask } from 'node:http';
import { pipeline } from 'node:stream/promises';

import { serve } from './server.mjs';

/**
 * What becomes of requests from now on: `cut` does not let one through, `lose` does and cuts the answer, `delay` waits
 * before, `answer` answers in the part's place. `path` and `text` choose the requests, by a piece of each; after `times`
 * of them the rest passes.
 *
 * @typedef {object} Fault
 * @property {'cut' | 'lose' | 'delay' | 'answer'} mode
 * @property {string} [path]
 * @property {string} [text] of the body
 * @property {number} [times]
 * @property {number} [ms] for `delay`
 * @property {number} [status] for `answer`
 * @property {Record<string, string>} [headers]
 * @property {unknown} [body] text, or a value for JSON
 */

/**
 * @typedef {Awaited<ReturnType<typeof startSwitch>>} Switch
 */

/**
 * Starts a proxy to `target`. `set(fault)` replaces what it does, `set()` lets everything pass again; `seen` counts
 * the requests, and `broken` those that met a fault.
 *
 * In front of a Worker, `worker` keeps the host that was asked for, and opens a connection for each request: workerd closes those that are
 * idle after five seconds, maybe while one is sent.
 *
 * @param {string} target
 * @param {{worker?: boolean}} [options]
 */
export async function startSwitch(target, { worker = false } = {}) {
  const agent = new Agent({ keepAlive: !worker });
  /** @type {(Fault & {left: number}) | undefined} */
  let fault;
  const counts = { seen: 0, broken: 0 };

  const { url, stop } = await serve(async (incoming, response) => {
    counts.seen += 1;
    try {
      const body = await whole(incoming);
      const met = take(incoming.url ?? '/', body);
      if (met?.mode === 'cut') return response.destroy();
      if (met?.mode === 'delay') await new Promise((resolve) => setTimeout(resolve, met.ms ?? 1_000));
      if (met?.mode === 'answer') {
        const { status = 200, headers = {}, body: said = '' } = met;
        return response
          .writeHead(status, { 'content-type': 'application/json', ...headers })
          .end(typeof said === 'string' ? said : JSON.stringify(said));
      }
      const answer = await carried(incoming, body);
      if (met?.mode === 'lose') {
        await whole(answer.body);
        return response.destroy();
      }
      response.writeHead(answer.status, answer.headers).flushHeaders();
      return await pipeline(answer.body, response);
    } catch {
      // The part or its client has gone: as without a proxy, the connection ends.
      return response.destroy();
    }
  });

  /**
   * The fault for a request, counted.
   *
   * @param {string} path
   * @param {Buffer} body
   */
  function take(path, body) {
    if (fault === undefined || fault.left <= 0) return undefined;
    if (!path.includes(fault.path ?? '') || !body.includes(fault.text ?? '')) return undefined;
    fault.left -= 1;
    counts.broken += 1;
    return fault;
  }

  /**
   * @param {import('node:http').IncomingMessage} incoming
   * @param {Buffer} body
   * @returns {Promise<{status: number, headers: import('node:http').IncomingHttpHeaders, body: import('node:http').IncomingMessage}>}
   */
  function carried(incoming, body) {
    return new Promise((resolve, reject) => {
      const { host: _, connection: __, 'transfer-encoding': ___, ...headers } = incoming.headers;
      const outgoing = ask(new URL(incoming.url ?? '/', target), {
        agent,
        method: incoming.method ?? 'GET',
        headers: { ...headers, ...(worker ? { host: incoming.headers.host } : {}), 'content-length': body.length },
      });
      outgoing.on('error', reject);
      outgoing.on('response', (reply) => {
        const { connection: _, 'transfer-encoding': __, 'keep-alive': ___, ...given } = reply.headers;
        resolve({ status: reply.statusCode ?? 502, headers: given, body: reply });
      });
      outgoing.end(body);
    });
  }

  return {
    url,
    counts,
    set(/** @type {Fault | undefined} */ next = undefined) {
      fault = next && { ...next, left: next.times ?? Number.POSITIVE_INFINITY };
    },
    async stop() {
      agent.destroy();
      await stop();
    },
  };
}

/**
 * @param {import('node:http').IncomingMessage} stream
 * @returns {Promise<Buffer>}
 */
export async function whole(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}
