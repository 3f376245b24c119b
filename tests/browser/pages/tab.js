// One of several tabs with one budget.
import { payingFetch, receiptOf } from 'farebox';
import { indexedDbStore } from 'farebox/indexeddb';

import { asked, gate, show } from './show.js';

await show('One budget, two tabs', async (run) => {
  await run('order', async () => {
    // Two writers that have read the same state, as two tabs do.
    const name = `order-${crypto.getRandomValues(new Uint32Array(2)).join()}`;
    const [one, two] = [indexedDbStore(name), indexedDbStore(name)];
    const seen = [await one.read(), await two.read()];
    return [await one.replace(seen[0].version, 'first'), await two.replace(seen[1].version, 'second'), (await two.read()).record];
  });
  const fetch = payingFetch({ signer: asked.get('key'), policy: { perDay: asked.get('cap') }, store: indexedDbStore(asked.get('budget')) });
  await Promise.all(
    [1, 2, 3, 4, 5, 6].map((number) =>
      run(`report ${number}`, async () => {
        const response = await fetch(`${gate}/report`);
        return { body: await response.json(), transaction: receiptOf(response)?.transaction };
      }),
    ),
  );
});
