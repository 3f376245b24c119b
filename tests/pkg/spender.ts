// One of several processes that pay out of one folder: makes its share of each schedule that it is sent.

import { appendFileSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { fileStore } from '../../pkg/dist/file-store.js';
import type { Store } from '../../pkg/dist/index.js';
import { makeShare, type Schedule, type Signed, signing } from './schedule.ts';

export type Order = {
  readonly id: number;
  readonly schedule: Schedule;
  readonly share: 0 | 1;
  readonly folder: string;
  /** Whether the wallet signs; otherwise it is only asked. */
  readonly signs: boolean;
  readonly store: 'fileStore' | 'without a reservation';
  /** Where each signature is noted before it is given. */
  readonly log?: string;
};
export type Report = { readonly id: number; readonly signed: readonly Signed[]; readonly failed?: string };

/** What a store must not be: whoever writes last wins, and nobody hears of it. */
function careless(folder: string): Store {
  const path = join(folder, 'budget.json');
  return {
    read: async () => ({ record: await readFile(path, 'utf8').catch(() => undefined), version: undefined }),
    replace: async (_, record) => {
      const draft = `${path}.${process.pid}.${Math.random()}`;
      await writeFile(draft, record);
      await rename(draft, path);
      return true;
    },
  };
}

process.on('message', async ({ id, schedule, share, folder, signs, store, log }: Order) => {
  const signed: Signed[] = [];
  try {
    await makeShare(schedule, share, store === 'fileStore' ? fileStore(folder) : careless(folder), {
      ...(signs ? { wallet: signing } : {}),
      onSigned: (it) => {
        signed.push(it);
        if (log !== undefined) appendFileSync(log, `${JSON.stringify(it)}\n`);
      },
    });
    process.send?.({ id, signed } satisfies Report);
  } catch (error) {
    process.send?.({ id, signed, failed: String((error as Error).stack) } satisfies Report);
  }
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
