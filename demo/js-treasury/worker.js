// A treasury without Rust: `npm install farebox-treasury`, set the variables in wrangler.toml, put the secrets TREASURY_SECRET and
// OPERATOR_TOKEN (32 bytes or more each) and the key of each wallet with `wrangler secret put`, and `npm run deploy`.
export { default, Treasury } from 'farebox-treasury';
