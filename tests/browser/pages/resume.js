// A plain payer with `resume`: the page may go away between the signature and the answer, and come back.
import { payingFetch, receiptOf } from 'farebox';
import { indexedDbStore } from 'farebox/indexeddb';
import { resume, sentPayments } from 'farebox/resume';

import { asked, gate, show } from './show.js';

const store = indexedDbStore(asked.get('budget'));
const fetch = payingFetch({ signer: asked.get('key'), policy: { perDay: '1' }, store, resume });

await show('A reload between signature and answer', async (run) => {
  await run('open', async () => (await sentPayments(store)).map(({ open }) => open));
  await run('report', async () => {
    const response = await fetch(`${gate}/report`);
    return { body: await response.json(), transaction: receiptOf(response)?.transaction };
  });
  await run('kept', async () => (await sentPayments(store)).map(({ open, receipt }) => [open, receipt?.transaction]));
});
