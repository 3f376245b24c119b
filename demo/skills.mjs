// The story of a market: two sellers and a clumsy one, a client that buys directly, an agent without a wallet that invokes, a price
// that is raised, a failure after payment, and a ledger that agrees with the chain.

import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';

import { ends, line, usdc } from './show.mjs';

/**
 * @typedef {import('./skills-world.mjs').SkillsWorld} World
 * @typedef {import('./skills-world.mjs').Seller} Seller
 * @typedef {object} Stage
 * @property {World} world
 * @property {Record<'ada' | 'bo' | 'cy', Seller>} sellers
 * @property {(holds: boolean, sentence: string) => void} check
 * @property {Record<string, string>} said what one scene leaves to the next
 * @typedef {{title: string, short: string, ended: string, earned: Partial<Record<'ada' | 'bo' | 'cy', bigint>>, play: (stage: Stage) => Promise<unknown>}} Scene
 */

/** @type {Scene[]} */
const SCENES = [
  {
    title: 'Three sellers publish: each signs with the wallet that is to be paid',
    short: 'publishing',
    ended: 'listed',
    earned: {},
    play: publish,
  },
  {
    title: 'A stock client buys from Ada, who has no payment code',
    short: 'a direct sale',
    ended: '200',
    earned: { ada: 50_000n },
    play: direct,
  },
  {
    title: 'An agent without a wallet calls Bo, whose own server asks for money',
    short: 'an invocation',
    ended: 'success',
    earned: { bo: 100_000n },
    play: invoke,
  },
  { title: 'Its connection breaks, so it asks again with the same key', short: 'the same key', ended: 'success', earned: {}, play: again },
  { title: "Bo raises the price behind the market's back", short: 'a raised price', ended: 'failed', earned: {}, play: raised },
  { title: 'Cy takes the money and fails', short: 'paid, not delivered', ended: 'failed', earned: { cy: 20_000n }, play: failed },
];

/**
 * Tells the story and returns the failed expectations, as sentences.
 *
 * @param {World} world
 * @returns {Promise<string[]>}
 */
export async function skillsStory(world) {
  /** @type {string[]} */
  const broken = [];
  /** @type {Stage['check']} */
  const check = (holds, sentence) => {
    line(holds ? '✓' : '✗', sentence);
    if (!holds) broken.push(sentence);
  };
  const sellers = { ada: await world.seller(), bo: await world.seller(), cy: await world.seller() };
  const names = /** @type {(keyof typeof sellers)[]} */ (Object.keys(sellers));
  /** @type {() => Promise<Record<string, bigint>>} */
  const balances = async () =>
    Object.fromEntries(await Promise.all(names.map(async (name) => [name, await world.chain.balanceOf(sellers[name].address)])));
  const stage = { world, sellers, check, said: {} };
  console.log(
    '\nThe market sells what sellers publish. Clients with a wallet pay the seller directly; agents without one have a treasury that pays.',
  );
  /** @type {string[][]} */
  const rows = [];
  for (const [index, { title, short, ended, earned, play }] of SCENES.entries()) {
    console.log(`\n${index + 1}. ${title}`);
    const before = await balances();
    await play(stage);
    const after = await balances();
    const moved = names.map((name) => ({ name, amount: (after[name] ?? 0n) - (before[name] ?? 0n), expected: earned[name] ?? 0n }));
    const paid = moved.filter(({ amount }) => amount !== 0n);
    const sentence =
      paid.length === 0
        ? 'no seller has more than before'
        : paid.map(({ name, amount }) => `${named(name)} has ${usdc(amount)} more`).join(', ');
    check(
      moved.every(({ amount, expected }) => amount === expected),
      sentence,
    );
    rows.push([`${index + 1}. ${short}`, ended, usdc(moved.reduce((sum, { amount }) => sum + amount, 0n))]);
  }
  console.log('');
  for (const row of [['scene', 'ended as', 'paid'], ...rows]) console.log(columns(row));
  console.log(`\n${SCENES.length + 1}. The ledger`);
  await books(stage);
  return broken;
}

/** @param {Stage} stage */
async function publish({ world, sellers: { ada, bo, cy }, check }) {
  const { sellers, charging } = world;
  const skills = /** @type {const} */ ([
    [
      'ada',
      ada,
      {
        skillId: 'word-count',
        name: 'Counts words',
        description: 'Counts the words of a text',
        price: '$0.05',
        callUrl: `${sellers.url}/deliver/words`,
      },
    ],
    [
      'bo',
      bo,
      {
        skillId: 'rain-report',
        name: 'Rain report',
        description: 'One weather report',
        price: '$0.10',
        charges: 'seller',
        callUrl: `${charging.url}/honest/rain?amount=100000&payTo=${bo.address}`,
      },
    ],
    [
      'cy',
      cy,
      {
        skillId: 'horoscope',
        name: 'Horoscope',
        description: 'What the stars say',
        price: '$0.02',
        charges: 'seller',
        callUrl: `${charging.url}/fail/500?amount=20000&payTo=${cy.address}`,
      },
    ],
  ]);
  for (const [name, seller, skill] of skills) {
    const { status } = await world.publish(seller, { agentId: name, ...skill });
    line(named(name).padEnd(8), `publishes ${skill.skillId} for ${skill.price}, to be paid to ${ends(seller.address)}: ${status}`);
  }
  const { proof: _, ...forged } = {
    skillId: 'forged',
    name: 'Forged',
    description: 'x',
    price: '$1',
    callUrl: `${sellers.url}/deliver`,
    payTo: ada.address,
    proof: undefined,
  };
  const { status } = await world.ask('POST', '/api/marketplace/skills', { body: forged, headers: { 'x-agent-id': 'ada' } });
  check(status === 401, "without a signature nothing is published in Ada's name");
  const { json } = await world.ask('GET', '/api/marketplace/skills');
  check(json?.skills?.length === skills.length, `the market lists ${json?.skills?.length} skills`);
  await until(async () => (await world.ask('GET', '/llms.txt')).text.includes('/s/word-count'));
  check(
    (await world.ask('GET', '/openapi.json')).text.includes('/s/word-count'),
    'the gate names word-count in /openapi.json and /llms.txt',
  );
}

/** @param {Stage} stage */
async function direct({ world, check }) {
  const payer = world.chain.accounts.payers[0];
  if (payer === undefined) throw new Error('there is no payer');
  const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(payer) }] });
  line('client  ', 'POST /s/word-count, with @x402/fetch');
  const answer = await pay(`${world.url}/s/word-count`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"text":"three little words"}',
  });
  const body = await answer.text();
  line('market  ', `${answer.status} ${body}`);
  check(answer.status === 200 && body.includes('skill executed'), "the answer is Ada's");
}

/** @param {Stage} stage */
async function invoke({ world, check, said }) {
  const { status, text, json } = await told(world, 'rain-report', 'order-1');
  said.first = text;
  const hash = json?.receipt?.txHash;
  const found = await world.chain.publicClient.getTransactionReceipt({ hash }).catch(() => undefined);
  check(status === 200 && found?.status === 'success', 'the receipt names a transaction that the chain has');
  const calls = world.charging.requests.filter(({ path }) => path.startsWith('/honest/rain'));
  check(calls.length === 2, 'Bo was called twice: once without a payment, once with it');
}

/** @param {Stage} stage */
async function again({ world, check, said }) {
  const { text } = await told(world, 'rain-report', 'order-1');
  check(text === said.first, 'the answer is the same, byte for byte');
}

/** @param {Stage} stage */
async function raised({ world, check }) {
  world.charging.prices.set('/honest/rain', '150000');
  line('Bo      ', 'asks for 0.15 from now on');
  const { status, json } = await told(world, 'rain-report', 'order-2');
  check(status === 500 && json?.error === 'price_exceeds_listing', 'nothing is signed above the listed price');
}

/** @param {Stage} stage */
async function failed({ world, check }) {
  const { status, json } = await told(world, 'horoscope', 'order-3');
  check(status === 500 && json?.paid === true && json?.receipt?.txHash !== undefined, 'the answer is a failure, and has the receipt');
}

/** @param {Stage} stage */
async function books({ world, sellers, check }) {
  const operator = { authorization: `Bearer ${world.tokens.operator}` };
  const { text } = await world.ask('GET', '/api/marketplace/export?format=csv', { headers: operator });
  const [head = '', ...lines] = text.trim().split(/\r?\n/);
  const columnsOf = head.split(',');
  const short = (/** @type {string} */ row) => SHOWN.map((name) => row.split(',')[columnsOf.indexOf(name)]).join(',');
  for (const row of [head, ...lines]) line('export  ', short(row));
  check(lines.length === 3, `${lines.length} invocations: one key is one row, and direct sales are the gate's`);
  const { json } = await world.ask('GET', '/api/marketplace/agents/agent-1/spend', {
    headers: { authorization: `Bearer ${await world.tokenOf('agent-1')}` },
  });
  const start = 100_000_000n;
  const [bo, cy] = [(await world.chain.balanceOf(sellers.bo.address)) - start, (await world.chain.balanceOf(sellers.cy.address)) - start];
  check(
    units(json?.totalXLM) === bo && units(json?.paidFailedXLM) === cy,
    `agent-1 spent ${usdc(bo)} on the chain, and lost ${usdc(cy)}; the market counts in XLM too, at $0.10 each: ${json?.totalXLM} and ${json?.paidFailedXLM}`,
  );
}

/**
 * @param {World} world
 * @param {string} skill
 * @param {string} key
 */
async function told(world, skill, key) {
  line('agent-1 ', `invokes ${skill}, key ${key}`);
  const answer = await world.invoke('agent-1', skill, { payload: { place: 'Bergen' }, key });
  const { json } = answer;
  const receipt = json?.receipt === undefined ? '' : `, receipt ${json.receipt.txHash.slice(0, 8)}… of $${json.receipt.amountUsd}`;
  line('market  ', `${answer.status} ${json?.ok ? 'ok' : json?.error}${receipt}${json?.paid === undefined ? '' : `, paid ${json.paid}`}`);
  return answer;
}

/** Atomic units of USDC for so many XLM, at ten cents. */
const units = (/** @type {number | undefined} */ xlm) => BigInt(Math.round((xlm ?? -1) * 100_000));

/** @param {string} name */
const named = (name) => `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;

/** @param {() => Promise<boolean>} holds */
async function until(holds) {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

/** @param {string[]} cells */
function columns([first = '', ...others]) {
  return `   ${first.padEnd(24)}${others.map((cell) => cell.padStart(14)).join('')}`;
}

/** Columns that are the same each time. */
const SHOWN = ['agentId', 'skillId', 'outcome', 'amountXLM', 'error'];
const POLL_MS = 300;
