// One of several processes that ask the same endpoint out of one folder, and tell how that ended.

import { fileStore } from '../../pkg/dist/file-store.js';
import { type EscalationEvent, FareboxError, wrapFetch } from '../../pkg/dist/index.js';
import { watchedSigner } from './shop.ts';

export type Question = { readonly url: string; readonly folder: string; readonly calls: number };
export type Answers = { readonly codes: readonly string[]; readonly events: readonly EscalationEvent[]; readonly signed: number };

process.on('message', async ({ url, folder, calls }: Question) => {
  const events: EscalationEvent[] = [];
  const signer = watchedSigner();
  const fetch = wrapFetch(globalThis.fetch, {
    signer,
    store: fileStore(folder),
    onEscalation: (event) => {
      events.push(event);
    },
  });
  const codes = await Promise.all(
    Array.from({ length: calls }, () =>
      fetch(url).then(
        ({ status }) => String(status),
        (error: unknown) => (error instanceof FareboxError ? error.code : String(error)),
      ),
    ),
  );
  process.send?.({ codes, events, signed: signer.asked.length } satisfies Answers, undefined, undefined, () => {
    process.disconnect();
  });
});
