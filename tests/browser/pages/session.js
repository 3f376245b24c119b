// A page with a key of its own, which the person limits once.
import { payingFetch, receiptOf } from 'farebox';
import { openSession } from 'farebox/session';

import { asked, gate, line, show } from './show.js';

await show('A session key', async (run) => {
  const now = () => Date.now() / 1000 + Number(asked.get('later') ?? 0);
  const session = await openSession({
    policy: { perDay: asked.get('cap') ?? '0.019', hosts: [new URL(gate).host] },
    lifetimeSecs: 600,
    now,
  });
  line(`${session.address} holds ${session.policy.perDay} USDC for ${session.policy.hosts}`);
  await run('address', async () => session.address);
  if (asked.has('funded')) {
    const fetch = payingFetch({ ...session, now });
    const buy = async (url) => {
      const response = await fetch(url);
      return { body: await response.json(), transaction: receiptOf(response)?.transaction };
    };
    await run('report', () => buy(`${gate}/report`));
    if (asked.has('other')) await run('elsewhere', () => buy(`${asked.get('other')}/report`));
  }
  await run('renewed', async () => {
    const open = () => openSession({ name: 'renewed', policy: { perDay: '0.01' }, lifetimeSecs: 600 });
    const one = await open();
    const later = await one.renew(6000);
    await (await open()).forget();
    const next = await open();
    // The key of `one` is gone: what it renews must not come back in the place of the next one.
    const code = await one.renew(6000).then(
      () => 'renewed',
      (error) => error.code,
    );
    // Nor may it take the next one away, which another tab has made since and which may hold money.
    await one.forget();
    const last = await open();
    await last.forget();
    return {
      later: later.expires - one.expires,
      code,
      isNext: [last.address === next.address, last.expires === next.expires, next.address === one.address],
    };
  });
  await run('export', async () => {
    const [{ name }] = (await indexedDB.databases()).filter(({ name }) => name === 'farebox-session-default');
    const database = await new Promise((resolve, reject) => {
      const opening = indexedDB.open(name);
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
    const kept = await new Promise((resolve) => {
      const got = database.transaction('rows').objectStore('rows').get('key');
      got.onsuccess = () => resolve(got.result);
    });
    database.close();
    return await crypto.subtle.exportKey('raw', kept.wrapping);
  });
});
