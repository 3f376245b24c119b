// Talks to the inspector of workerd, by the protocol of Chrome's tools.

import { once } from 'node:events';

import { WebSocket } from 'undici';

/** Milliseconds for an answer: workerd looks at what its inspector is asked while a Worker runs. */
const ANSWER_MS = 20_000;

/**
 * Has a workerd collect the garbage of its Workers, while requests come: memory that is in use after it is kept for a reason.
 *
 * @param {number} port where its inspector listens
 */
export async function collectGarbage(port) {
  const answer = await fetch(`http://127.0.0.1:${port}/json`);
  const isolates = /** @type {{webSocketDebuggerUrl: string}[]} */ (await answer.json());
  for (const { webSocketDebuggerUrl: url } of isolates.filter((isolate) => isolate.webSocketDebuggerUrl.includes('/core:'))) {
    const socket = new WebSocket(url);
    const signal = AbortSignal.timeout(ANSWER_MS);
    try {
      await once(socket, 'open', { signal });
      for (const method of ['HeapProfiler.enable', 'HeapProfiler.collectGarbage']) {
        socket.send(JSON.stringify({ id: 1, method }));
        await once(socket, 'message', { signal });
      }
    } finally {
      socket.close();
    }
  }
}
