// A purchase with a key of its own: the page may go away in the middle, and come back.
import { createLocalAgentClient } from 'farebox/agent';
import { indexedDbStore } from 'farebox/indexeddb';

import { asked, gate, line, show } from './show.js';

const store = (name) => indexedDbStore(`${asked.get('name')}-${name}`);
const client = createLocalAgentClient({ signer: asked.get('key'), policy: { perDay: '1' }, store: store('budget'), sent: store('sent') });

await show('A page that is reloaded', (run) =>
  run('bought', async () => {
    for (;;) {
      try {
        const { kind, response, receipt } = await client.fetchPaid(`${gate}${asked.get('path')}`, undefined, {
          idempotencyKey: asked.get('name'),
        });
        return { kind, body: await response.json(), receipt: receipt.status };
      } catch (error) {
        // The first request is still at the gate: the same payment is sent again.
        if (error.kind !== 'execution_inconclusive') throw error;
        line(error.reason);
        await new Promise((resolve) => {
          setTimeout(resolve, 200);
        });
      }
    }
  }),
);
