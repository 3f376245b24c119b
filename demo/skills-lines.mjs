// What the market's demo prints in the end: lines to type in another terminal. A test runs each of them.

/**
 * @param {Pick<import('./skills-world.mjs').SkillsWorld, 'url' | 'tokens' | 'chain'>} world
 * @param {string} token of agent-1
 * @returns {string}
 */
export function marketLines({ url, tokens, chain }, token) {
  return `
Everything stays up until Ctrl-C: the market ${url}, chain ${chain.url}
Open ${url}/ in a browser, or type these in another terminal (docs/skills.md has all of them).

What is sold
  curl -s ${url}/api/marketplace/skills
  curl -s ${url}/SKILL.md
What it costs without a wallet
  curl -s -X POST ${url}/s/word-count -d '{}'
An agent without a wallet calls it
  curl -s -X POST ${url}/api/marketplace/skills/word-count/invoke -H 'Authorization: Bearer ${token}' -H 'content-type: application/json' -d '{"agentId":"agent-1","payload":{"text":"four words are enough"}}'
The ledger
  curl -s '${url}/api/marketplace/export?format=csv' -H 'Authorization: Bearer ${tokens.operator}'`;
}
