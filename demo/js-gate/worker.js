// A gate without Rust: `npm install farebox-gate`, set the variables in wrangler.toml, put the secrets
// GATE_SECRET (32 bytes or more) and LEDGER_SALT (16 or more, never changed) with `wrangler secret put`,
// and `npm run deploy`.
export { Channel, default, Ledger } from 'farebox-gate';
