// What the demo prints in the end: lines to type in another terminal. A test runs each of them.

/**
 * @param {{chain: {url: string, accounts: {payer: {privateKey: string}}}, facilitator: {url: string}, origin: {url: string}, gate: {url: string}, token: string}} parts
 * @returns {string}
 */
export function linesToType({ chain, facilitator, origin, gate, token }) {
  const operator = `curl -s -H 'Authorization: Bearer ${token}' ${gate.url}/_farebox`;
  return `
Everything stays up until Ctrl-C: gate ${gate.url}, origin ${origin.url}, facilitator ${facilitator.url}, chain ${chain.url}
Type these in another terminal, in this folder.

A price, and a page that is free
  curl -i ${gate.url}/report
  curl -i ${gate.url}/about
Buy with curl: the program in the middle signs, curl sends
  curl -i -H "$(node demo/sign.mjs ${gate.url}/report)" ${gate.url}/report
Buy with the package's command line, which first compiles it if it is not built (pkg/README.md)
  FAREBOX_PRIVATE_KEY=${chain.accounts.payer.privateKey} npm run -s farebox -- pay --yes --store target/budget ${gate.url}/report
Be refused: this wallet has no money
  curl -s -H "$(node demo/sign.mjs --empty ${gate.url}/report)" ${gate.url}/report
Pay in advance for an origin that fails; then return what is owed
  curl -i -H "$(node demo/sign.mjs ${gate.url}/fail/503)" ${gate.url}/fail/503
  OPERATOR_TOKEN=${token} node demo/refund.mjs ${gate.url} ${chain.url}
Go around the gate: the origin refuses
  curl -i ${origin.url}/report
The operator's side (docs/operations.md): payments, whether the books balance, clients that fail to pay
  ${operator}/payments
  ${operator}/audit
  ${operator}/failures`;
}
