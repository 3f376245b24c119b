// Objects of `objectStore` in workerd, as a Worker binds them.

import { readFileSync } from 'node:fs';

import { objectStore } from '../../pkg/dist/object-store.js';
import type { Store } from '../../pkg/dist/store.js';
import { Miniflare } from '../support/miniflare.ts';

/** The store of the object of a name; each call makes a stub of its own, as another isolate has it. */
export type Objects = { store(name: string): Store; stop(): Promise<void> };

const compiled = (path: string) => ({
  type: 'ESModule' as const,
  path,
  contents: readFileSync(new URL(`../../pkg/dist/${path}`, import.meta.url), 'utf8'),
});

export async function openObjects(): Promise<Objects> {
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port: 0,
    cf: false,
    compatibilityDate: '2026-04-01',
    modules: [
      {
        type: 'ESModule',
        path: 'index.js',
        contents: `
        export { Budget } from './object-store.js';
        export default { fetch: (request, { BUDGET }) => BUDGET.get(BUDGET.idFromName(new URL(request.url).pathname)).fetch(request) };`,
      },
      compiled('object-store.js'),
      compiled('error.js'),
    ],
    durableObjects: { BUDGET: { className: 'Budget', useSQLite: true } },
  });
  const url = await miniflare.ready;
  return { store: (name) => objectStore({ fetch: (_, init) => fetch(new URL(`/${name}`, url), init) }), stop: () => miniflare.dispose() };
}
