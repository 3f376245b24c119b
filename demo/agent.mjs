// The story of an agent: a scripted model with the three tools sees the cost, a person is asked, and it
// pays once; first in this process, then over MCP in a process of its own. Both share one budget.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { parseEventLogs } from 'viem';

import { root } from '../scripts/steps.mjs';
import { PRICE_ATOMIC } from './gate.mjs';
import { decode, ends, line, short, usdc } from './show.mjs';

/** What may be spent in a day: two reports. */
const POLICY = { perDay: '0.02' };
/** How often a model may call a tool before a person looks at it. */
const TURNS = 8;

/**
 * @typedef {(name: string, given: object) => Promise<any>} Call
 * @typedef {{call: Call, person: {says: 'yes' | 'no', asked: number}, stop(): Promise<void>}} Host
 * @typedef {{title: string, short: string, host: 'loop' | 'mcp', person: 'yes' | 'no', expected: string, asked: number, charged: bigint}} Purchase
 */

/** @type {Purchase[]} */
const PURCHASES = [
  {
    title: 'A model with three tools is asked for the weather report',
    short: 'in a loop',
    host: 'loop',
    person: 'yes',
    expected: 'success',
    asked: 1,
    charged: PRICE_ATOMIC,
  },
  {
    title: 'The same model over MCP, and a person who says no',
    short: 'over MCP, refused',
    host: 'mcp',
    person: 'no',
    expected: 'denied',
    asked: 1,
    charged: 0n,
  },
  {
    title: 'Again over MCP, and the person says yes',
    short: 'over MCP',
    host: 'mcp',
    person: 'yes',
    expected: 'success',
    asked: 1,
    charged: PRICE_ATOMIC,
  },
  {
    title: 'Once more in the loop: the budget is spent, and no one is asked',
    short: 'beyond the budget',
    host: 'loop',
    person: 'yes',
    expected: 'denied',
    asked: 0,
    charged: 0n,
  },
];

/**
 * Tells the story and returns the failed expectations, as sentences.
 *
 * @param {{chain: import('./chain.mjs').Chain, gate: {url: string}}} parts
 * @returns {Promise<string[]>}
 */
export async function agentStory({ chain, gate }) {
  const { payer, payee } = chain.accounts;
  const folder = mkdtempSync(join(tmpdir(), 'farebox-agent-'));
  // A model asks hosts of this machine that the policy names, and no others.
  const policy = { ...POLICY, hosts: [new URL(gate.url).host] };
  const hosts = { loop: await inLoop(folder, payer.privateKey, policy), mcp: await overMcp(folder, payer.privateKey, policy) };
  /** @type {string[]} */
  const broken = [];
  /** @type {(holds: boolean, sentence: string) => void} */
  const check = (holds, sentence) => {
    line(holds ? '✓' : '✗', sentence);
    if (!holds) broken.push(sentence);
  };
  /** @type {string[][]} */
  const rows = [];
  try {
    console.log(
      `\nThe agent's wallet, ${ends(payer.address)}, has ${usdc(await chain.balanceOf(payer.address))}. It may spend ${POLICY.perDay} USDC a day, and a person is asked each time.`,
    );
    for (const [index, { title, short: name, host, person, expected, asked, charged }] of PURCHASES.entries()) {
      console.log(`\n${index + 1}. ${title}`);
      const { call, person: at } = hosts[host];
      Object.assign(at, { says: person, asked: 0 });
      const before = await chain.balanceOf(payer.address);
      const { outcome, transaction } = await converse(call, `${gate.url}/report`);
      const cost = before - (await chain.balanceOf(payer.address));
      check(
        outcome === expected && cost === charged && at.asked === asked,
        `${outcome}: ${usdc(cost)} paid, the person was asked ${at.asked === 0 ? 'nothing' : 'once'}`,
      );
      if (transaction !== undefined) {
        const receipt = await chain.publicClient.getTransactionReceipt({ hash: transaction });
        const [log] = /** @type {any[]} */ (parseEventLogs({ abi: chain.token.abi, eventName: 'Transfer', logs: receipt.logs }));
        check(
          log?.args.to === payee.address && log?.args.value === PRICE_ATOMIC,
          `block ${receipt.blockNumber} moved ${usdc(PRICE_ATOMIC)} from ${ends(payer.address)} to ${ends(payee.address)}`,
        );
      }
      rows.push([`${index + 1}. ${name}`, outcome, usdc(cost), transaction === undefined ? 'none' : short(transaction)]);
    }
  } finally {
    await Promise.all(Object.values(hosts).map((host) => host.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
  console.log('');
  for (const row of [['purchase', 'outcome', 'cost', 'receipt'], ...rows]) console.log(columns(row));
  return broken;
}

/**
 * A conversation: what the model decides, and what the tools answer.
 *
 * @param {Call} call
 * @param {string} url
 * @returns {Promise<{outcome: string, transaction?: `0x${string}`}>}
 */
async function converse(call, url) {
  line('person ', '"Get me the weather report."');
  const heard = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const move = decide(heard, url);
    if ('says' in move) {
      line('model  ', `"${move.says}"`);
      const { outcome, transaction } = move;
      return { outcome, ...(transaction === undefined ? {} : { transaction }) };
    }
    line('model →', move.tool, move.tool === 'prepare_paid_request' ? `GET ${new URL(url).pathname}` : '');
    const result = await call(move.tool, move.given);
    line('tool  ←', told(result));
    heard.push({ tool: move.tool, result });
  }
  return { outcome: 'too many turns' };
}

/**
 * The script of the model: what it does next, from what it has heard. It decides by `nextAction` and by
 * outcomes, as the tools' descriptions ask of every model.
 *
 * @param {{tool: string, result: any}[]} heard
 * @param {string} url
 * @returns {{tool: string, given: object} | {says: string, outcome: string, transaction?: `0x${string}`}}
 */
function decide(heard, url) {
  const last = heard.at(-1);
  if (last === undefined) return { tool: 'prepare_paid_request', given: { url } };
  const { tool, result } = last;
  if (result.toolError) return { says: result.toolError.message, outcome: result.toolError.code };
  const { preparedId } = result;
  if (tool === 'prepare_paid_request') {
    if (result.nextAction === 'execute')
      return { tool: 'execute_prepared_request', given: { preparedId, executionContext: { description: 'the weather report' } } };
    return { says: `I cannot do that: ${result.nextAction}.`, outcome: result.nextAction };
  }
  // It tries to pay twice for one purchase, as models do.
  if (tool === 'execute_prepared_request' && result.sdkOutcomeKind === 'success')
    return { tool: 'execute_prepared_request', given: { preparedId } };
  if (tool === 'execute_prepared_request') return { tool: 'get_execution_result', given: { preparedId } };
  const { sdkOutcomeKind, merchantResponse, reason = '' } = result.executionResult;
  if (sdkOutcomeKind !== 'success') return { says: `Nothing was bought: ${reason}.`, outcome: sdkOutcomeKind };
  const { report, millimetres } = JSON.parse(merchantResponse.body);
  const { transaction } = decode(merchantResponse.headers['payment-response']);
  return { says: `${report}: ${millimetres} mm. It cost 0.01 USDC.`, outcome: sdkOutcomeKind, transaction };
}

/**
 * A tool's result in one line.
 *
 * @param {any} result
 */
function told({ toolError, nextAction, costSummary, rejectionCode, sdkOutcomeKind, status, state }) {
  if (toolError) return `${toolError.code}: ${toolError.message}`;
  if (nextAction) return `nextAction: ${nextAction}. ${costSummary ?? ''}`;
  if (rejectionCode) return `rejected: ${rejectionCode}`;
  return sdkOutcomeKind ? `${sdkOutcomeKind}, status ${status}` : `${state}`;
}

/**
 * A model's loop in this process: the harness, and this wallet and policy.
 *
 * @param {string} folder
 * @param {string} key
 * @param {import('../pkg/dist/index.js').Policy} policy
 * @returns {Promise<Host>}
 */
async function inLoop(folder, key, policy) {
  const { AgentHarness, createLocalAgentClient } = await import('../pkg/dist/agent/index.js');
  const { fileStore } = await import('../pkg/dist/file-store.js');
  const { callTool, cardOf } = await import(new URL('../mcp/dist/index.js', import.meta.url).href);
  const person = aPerson();
  const client = createLocalAgentClient({
    signer: key,
    policy,
    store: fileStore(join(folder, 'budget')),
    confirm: (proposal) => answerTo(cardOf(proposal), person),
  });
  const harness = new AgentHarness({ client });
  return { person, call: (name, given) => callTool(harness, name, given), stop: async () => {} };
}

/**
 * A host that starts `farebox-mcp`, as an application for models does.
 *
 * @param {string} folder
 * @param {string} key
 * @param {import('../pkg/dist/index.js').Policy} policy
 * @returns {Promise<Host>}
 */
async function overMcp(folder, key, policy) {
  const file = join(folder, 'mcp.json');
  writeFileSync(file, JSON.stringify({ policy, ask: 'always', folder: '.' }));
  const person = aPerson();
  const client = new Client({ name: 'demo', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => ({
    action: 'accept',
    content: { pay: answerTo(params.message, person) },
  }));
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [join(root, 'mcp', 'dist', 'main.js'), file],
      env: { PATH: process.env.PATH ?? '', HOME: folder, FAREBOX_PRIVATE_KEY: key },
    }),
  );
  return {
    person,
    call: async (name, given) => {
      const { content } = /** @type {{content: {text: string}[]}} */ (await client.callTool({ name, arguments: { ...given } }));
      return JSON.parse(content[0]?.text ?? '{}');
    },
    stop: () => client.close(),
  };
}

/** @returns {Host['person']} */
function aPerson() {
  return { says: 'no', asked: 0 };
}

/**
 * Shows a card to a person, and what they answer.
 *
 * @param {string} card
 * @param {Host['person']} person
 */
function answerTo(card, person) {
  person.asked += 1;
  for (const text of card.split('\n')) line('card  |', text);
  line('person ', `"${person.says}"`);
  return person.says === 'yes';
}

/** @param {string[]} cells */
function columns([first = '', ...others]) {
  return `   ${first.padEnd(24)}${others.map((cell) => cell.padStart(20)).join('')}`;
}
