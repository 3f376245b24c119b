// A market without Rust: `npm install farebox-market`, set the variables and bindings in wrangler.toml, put the secrets MARKET_SECRET and
// OPERATOR_TOKEN (32 bytes or more each), ORIGIN_SECRET (the gate's) and LOOKUP_TOKEN (the treasury's) with `wrangler secret put`, and
// `npm run deploy`.
export { default, Skills } from 'farebox-market';
