// An agent in a page: it looks, pays once, and says what happened.
import { AgentHarness, createLocalAgentClient } from 'farebox/agent';
import { indexedDbStore } from 'farebox/indexeddb';

import { asked, gate, show } from './show.js';

const client = createLocalAgentClient({
  signer: asked.get('key'),
  policy: { perDay: '1', hosts: [new URL(gate).host] },
  store: indexedDbStore('agent-budget'),
  sent: indexedDbStore('agent-sent'),
});
const harness = new AgentHarness({ client, store: indexedDbStore('agent-prepared'), createPreparedId: () => 'prepared-1' });

await show('An agent in a page', async (run) => {
  await harness.restore();
  await run('looked', async () => {
    const { costSummary, nextAction } = await harness.preparePaidRequest({ url: `${gate}/report` });
    return { costSummary, nextAction };
  });
  await run('executed', async () => {
    const { sdkOutcomeKind, merchantResponse, receiptId } = await harness.executePreparedRequest({ preparedId: 'prepared-1' });
    const { receipt } = await client.lookupReceipt(receiptId);
    return { sdkOutcomeKind, body: JSON.parse(merchantResponse.body), transaction: receipt.paymentReference };
  });
  await run('state', async () => harness.getExecutionResult('prepared-1').state);
  await run('again', async () => (await harness.executePreparedRequest({ preparedId: 'prepared-1' })).rejectionCode);
});
