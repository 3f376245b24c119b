import { WorkerEntrypoint } from 'cloudflare:workers';

/** The files of public/: wrangler.toml binds this as ORIGIN, and the gate alone reaches it. */
export class Site extends WorkerEntrypoint {
  fetch(request) {
    return this.env.PAGES.fetch(request);
  }
}

// The gate, which everyone reaches. Its prices are in wrangler.toml.
export { Channel, default, Ledger } from 'farebox-gate';
