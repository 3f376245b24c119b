// Times the market's lists, searches and totals: 100 skills in the catalogue, with 1,000 invocations each in the books.
//
// The rows come in as an operator would bring them: by pages of an export. Times are those of a client of this machine, HTTP and
// the Worker's own work included.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { startKv } from '../../demo/kv.mjs';
import { signedSkill } from '../../demo/skill-proof.mjs';
import { startMarket } from '../market.mjs';
import { expect } from './rounds.mjs';

/** @typedef {import('./scenarios.mjs').Stage} Stage */
/** @typedef {import('./scenarios.mjs').Line} Line */

/**
 * Medians and 95th percentiles.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
export async function ledgerReads({ choice, rounds }) {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-bench-market-'));
  const kv = await startKv(async () => {});
  const operator = randomBytes(16).toString('hex');
  const market = await startMarket({
    build: join(choice.build ?? 'build', 'market'),
    persist: folder,
    vars: { MARKET_URL, NETWORK, TEST_NETWORKS_ONLY: 'true' },
    secrets: { OPERATOR_TOKEN: operator },
    kv: { CONFIG: kv.url },
  });
  const headers = { authorization: `Bearer ${operator}` };
  try {
    for (let count = 0; count < SKILLS; count += 1) await publish(market.url, count);
    for (let first = 0; first < SKILLS * CALLS; first += PAGE) {
      const rows = Array.from({ length: PAGE }, (_, index) => JSON.stringify(row(first + index)));
      const { status, text } = await ask(`${market.url}/api/marketplace/import`, { method: 'POST', headers, body: rows.join('\n') });
      expect(status === 200, `market: an import gave ${status} ${text.slice(0, 300)}`);
    }
    /** @type {Line[]} */
    const lines = [];
    for (const [name, path] of READS) {
      /** @type {number[]} */
      const times = [];
      for (let turn = 0; turn < WARM + rounds * TURNS_OF_ROUND; turn += 1) {
        const start = performance.now();
        const { status, text } = await ask(`${market.url}${path}`, { headers });
        if (turn >= WARM) times.push(performance.now() - start);
        expect(status === 200, `market: ${path} gave ${status} ${text.slice(0, 300)}`);
      }
      times.sort((a, b) => a - b);
      const at = (/** @type {number} */ share) => times[Math.floor(times.length * share)] ?? 0;
      lines.push(
        { scenario: `market, ${name}, median`, unit: 'ms', ours: at(0.5), goal: `≤ ${GOAL_MS}`, met: at(0.5) <= GOAL_MS },
        { scenario: `market, ${name}, 95 %`, unit: 'ms', ours: at(0.95), goal: '', met: null },
      );
    }
    return lines;
  } finally {
    await market.stop();
    await kv.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} url
 * @param {number} count
 */
async function publish(url, count) {
  const account = privateKeyToAccount(generatePrivateKey());
  const skill = {
    skillId: `skill-${count}`,
    name: `Skill ${count}`,
    description: 'Counts the words of a text',
    agentId: `seller-${count}`,
    payTo: account.address,
    callUrl: `https://seller-${count}.example.com/call`,
    price: '$0.10',
  };
  const body = await signedSkill({ market: MARKET_URL, action: 'publish', skill, account });
  const { status, text } = await ask(`${url}/api/marketplace/skills`, { method: 'POST', body: JSON.stringify(body) });
  expect(status === 201, `market: a publication gave ${status} ${text.slice(0, 300)}`);
}

/**
 * The row of an export with this place.
 *
 * @param {number} place
 */
function row(place) {
  const isShort = place % RARE === 0;
  return {
    id: `inv_${place}_aaaaaa`,
    agentId: `agent-${place % AGENTS}`,
    organization: 'acme',
    skillId: `skill-${place % SKILLS}`,
    version: '1.0.0',
    number: place + 1,
    amountXLM: isShort ? 0 : 1,
    amount: isShort ? '0' : '0.1',
    asset: 'USDC',
    network: NETWORK,
    txHash: isShort ? '' : `0x${place.toString(16).padStart(64, '0')}`,
    invokedAt: 1_790_000_000_000 + place,
    status: isShort ? 'insufficient_balance' : 'success',
    outcome: isShort ? 'insufficient_balance' : 'paid_ok',
    paid: isShort ? 'no' : 'yes',
    ...(isShort ? {} : { receiptId: `receipt-${place}` }),
  };
}

/**
 * @param {string} url
 * @param {RequestInit} given
 */
async function ask(url, given) {
  const answer = await fetch(url, given);
  return { status: answer.status, text: await answer.text() };
}

const READS = /** @type {const} */ ([
  ['newest 100', '/api/marketplace/invocations?limit=100'],
  ['one agent', '/api/marketplace/invocations?agentId=agent-7&limit=100'],
  ['one skill', '/api/marketplace/invocations?skillId=skill-42&limit=100'],
  ['agent and skill', '/api/marketplace/invocations?agentId=agent-7&skillId=skill-7&limit=100'],
  ['successes', '/api/marketplace/invocations?status=success&limit=100'],
  ['failures, of which there are few', '/api/marketplace/invocations?status=insufficient_balance&limit=100'],
  ['totals of an agent', '/api/marketplace/agents/agent-7/spend'],
  ['skills', '/api/marketplace/skills'],
  ['skills by name', '/api/marketplace/skills?name=skill%204'],
]);
const MARKET_URL = 'https://skills.example.com';
const NETWORK = 'eip155:84532';
const SKILLS = 100;
const CALLS = 1_000;
const AGENTS = 50;
const PAGE = 2_000;
/** One of so many rows is a failure. */
const RARE = 5_000;
/** Reads before those that count. */
const WARM = 10;
const TURNS_OF_ROUND = 5;
const GOAL_MS = 20;
