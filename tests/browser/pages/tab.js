// One of several tabs with one budget.
import { payingFetch, receiptOf } from 'farebox';
import { indexedDbStore } from 'farebox/indexeddb';

import { asked, gate, show } from './show.js';

await show('One budget, two tabs', async (run) => {
  const fetch = payingFetch({ signer: asked.get('key'), policy: { perDay: asked.get('cap') }, store: indexedDbStore(asked.get('budget')) });
  await Promise.all([1, 2, 3].map((number) => run(`report ${number}`, async () => {
    const response = await fetch(`${gate}/report`);
    return { body: await response.json(), transaction: receiptOf(response)?.transaction };
  })));
});
