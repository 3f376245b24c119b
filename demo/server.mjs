// A node:http server on a free port of 127.0.0.1, which always stops: open connections are cut.

import { randomInt } from 'node:crypto';
import { createServer } from 'node:http';

import { drawPort } from './beginning.mjs';

/** How long a server keeps a connection without a request: longer than its clients, of which workerd does for 5 s, so that none is closed as one comes. */
export const KEPT_MS = 60_000;

/**
 * @param {(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => unknown} answer
 * @param {{port?: number}} [options]
 * @returns {Promise<{url: string, stop: () => Promise<void>}>}
 */
export async function serve(answer, { port = drawPort() } = {}) {
  const server = createServer({ keepAliveTimeout: KEPT_MS }, answer);
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(undefined));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Where free ports are looked for: below what systems give to connections, so that none takes it before the program listens. */
const PORTS = { first: 10_240, count: 20_000 };

/**
 * A port that was free a moment ago, for programs that cannot pick one themselves, or that listen on it again later.
 *
 * @returns {Promise<number>}
 */
export async function freePort() {
  const known = drawPort();
  if (known !== 0) return known;
  for (;;) {
    const port = PORTS.first + randomInt(PORTS.count);
    if (await isFree(port)) return port;
  }
}

/**
 * Whether nothing listens on that port.
 *
 * @param {number} port
 * @returns {Promise<boolean>}
 */
export async function isFree(port) {
  try {
    const { stop } = await serve(() => {}, { port });
    await stop();
    return true;
  } catch (error) {
    // Anything else is no matter of this port.
    if (!['EADDRINUSE', 'EACCES'].includes(String(/** @type {NodeJS.ErrnoException} */ (error).code))) throw error;
    return false;
  }
}
