// A seller as a process of its own, so that it can die: sells what FAREBOX_SELLER says, and prints what happens, a line of JSON each.

import { sellJobs } from '../pkg/dist/agent/index.js';
import { fileStore } from '../pkg/dist/file-store.js';

/** @type {{url: string, profile: string, sellerId: string, agentId: string, capability: string, price: string, capacity?: number, token: string, folder: string, works: 'well' | 'badly' | 'forever', heartbeatMs?: number, pollMs?: number}} */
const { token, folder, works, heartbeatMs = 500, pollMs = 200, ...seller } = JSON.parse(process.env.FAREBOX_SELLER ?? '{}');

/** @param {object} event */
const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const selling = sellJobs({
  ...seller,
  heartbeatMs,
  pollMs,
  identity: () => token,
  store: fileStore(folder),
  onEvent: tell,
  handler: async (prompt, { jobId, signal }) => {
    if (jobId !== 'self-check') tell({ type: 'working', jobId });
    if (works === 'forever' && jobId !== 'self-check')
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    if (works === 'badly' && prompt.includes('impossible')) throw new Error('I cannot do the impossible');
    const text = seller.capability === 'echo' ? prompt : `${seller.capability}: ${prompt.split(/\s+/).length} words`;
    return { text, meta: { by: seller.agentId } };
  },
});
await selling.ended;
