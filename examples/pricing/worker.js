// The gate, which everyone reaches. Its routes are in wrangler.toml, and what /rainfall costs is said in shop/worker.js.
export { Channel, default, Ledger } from 'farebox-gate';
