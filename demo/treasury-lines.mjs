// What the treasury's demo prints in the end: lines to type in another terminal. A test runs each of them.

/**
 * @param {Pick<import('./treasury-world.mjs').TreasuryWorld, 'treasury' | 'operatorToken' | 'chain'>} world
 * @returns {string}
 */
export function operatorLines({ treasury, operatorToken, chain }) {
  const acme = `curl -s -H 'Authorization: Bearer ${operatorToken}' ${treasury.url}/api/organizations/acme`;
  return `
Everything stays up until Ctrl-C: treasury ${treasury.url}, chain ${chain.url}
Type these in another terminal (docs/treasury.md has all of them).

Rules, agents and wallets
  ${acme}
What is spent of each budget
  ${acme}/budgets
What was decided, and the books
  ${acme}/export?format=csv
  ${acme}/audit`;
}
