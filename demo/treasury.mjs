// The story of a company's wallet: two agents buy under three policies, a person approves, a machine dies in the middle, a
// budget runs out, and the books agree with the chain.

import { ends, line, usdc } from './show.mjs';

/**
 * @typedef {import('./treasury-world.mjs').TreasuryWorld} World
 * @typedef {'buyer' | 'reporter'} Agent
 * @typedef {{kind: string, status: number, reason: string, reviewId: string | undefined, receipt: any, body: string}} Told
 * @typedef {object} Stage
 * @property {World} world
 * @property {(agent: Agent, url: string, key?: string) => Promise<Told>} buy
 * @property {(holds: boolean, sentence: string) => void} check
 * @typedef {{title: string, short: string, outcome: string, cost: bigint, transfers: number, play: (stage: Stage) => Promise<unknown>}} Scene
 */

/** @type {Scene[]} */
const SCENES = [
  {
    title: 'The buyer needs a weather report, and the policies allow it',
    short: 'an allowed payment',
    outcome: 'success',
    cost: 10_000n,
    transfers: 1,
    play: allowed,
  },
  {
    title: 'The reporter would like one for 0.10, and its day has 0.05',
    short: 'beyond a budget',
    outcome: 'denied',
    cost: 0n,
    transfers: 0,
    play: denied,
  },
  {
    title: 'The reporter tries a merchant that is not on its list',
    short: 'another merchant',
    outcome: 'denied',
    cost: 0n,
    transfers: 0,
    play: elsewhere,
  },
  {
    title: 'The buyer would like gold for 2.00, and a person is asked',
    short: 'a review',
    outcome: 'success',
    cost: 2_000_000n,
    transfers: 1,
    play: reviewed,
  },
  {
    title: 'The machine dies while a merchant is being paid',
    short: 'a crash',
    outcome: 'success',
    cost: 10_000n,
    transfers: 1,
    play: crashed,
  },
  {
    title: 'The reporter goes on until the month is used up',
    short: 'a budget runs out',
    outcome: 'denied',
    cost: 30_000n,
    transfers: 3,
    play: exhausted,
  },
];

/**
 * Tells the story and returns the failed expectations, as sentences.
 *
 * @param {World} world
 * @returns {Promise<string[]>}
 */
export async function treasuryStory(world) {
  /** @type {string[]} */
  const broken = [];
  /** @type {Stage['check']} */
  const check = (holds, sentence) => {
    line(holds ? '✓' : '✗', sentence);
    if (!holds) broken.push(sentence);
  };
  let last = '';
  const stage = {
    world,
    check,
    buy: await buyers(world, (outcome) => {
      last = outcome;
    }),
  };
  const { main } = world.wallets;
  const start = await world.chain.balanceOf(main);
  console.log(
    `\nThe wallet of acme, ${ends(main)}, has ${usdc(start)}. Its two agents may spend 2.05 USDC a month; a person is asked above 0.50.`,
  );
  /** @type {string[][]} */
  const rows = [];
  for (const [index, { title, short, outcome, cost, transfers, play }] of SCENES.entries()) {
    console.log(`\n${index + 1}. ${title}`);
    const before = await moved(world);
    await play(stage);
    const after = await moved(world);
    const [paid, count] = [after.sum - before.sum, after.count - before.count];
    check(
      last === outcome && paid === cost && count === transfers,
      `${usdc(paid)} left the wallet, in ${count === 0 ? 'no transfer' : count === 1 ? 'one transfer' : `${count} transfers`}`,
    );
    rows.push([`${index + 1}. ${short}`, last, usdc(paid), String(count)]);
  }
  console.log('');
  for (const row of [['scene', 'ended as', 'paid', 'transfers'], ...rows]) console.log(columns(row));
  console.log(`\n${SCENES.length + 1}. The books`);
  await books(stage, start - (await world.chain.balanceOf(main)));
  return broken;
}

/** @param {Stage} stage */
async function allowed({ world, buy, check }) {
  const { receipt } = await buy('buyer', `${world.merchants.gate?.url}/report`);
  check(receipt?.money.amount === '0.010000', `a receipt of ${receipt?.money.amount} ${receipt?.money.asset}, ${receipt?.status}`);
}

/** @param {Stage} stage */
async function denied({ world, buy, check }) {
  const { reason } = await buy('reporter', `${world.merchants.hono?.url}/dear`);
  check(
    ['$0.05', '$0.00', '$0.10'].every((figure) => reason.includes(figure)),
    'the reason has limit, spend and request',
  );
}

/** @param {Stage} stage */
async function elsewhere({ world, buy, check }) {
  const { reason } = await buy('reporter', `${world.merchants.scripted.url}/honest`);
  check(reason.includes('not allowed'), 'only its own list counts');
}

/** @param {Stage} stage */
async function reviewed({ world, buy, check }) {
  const url = `${world.merchants.hono?.url}/gold`;
  const { reviewId } = await buy('buyer', url);
  const { status } = await world.operate('POST', `organizations/acme/reviews/${reviewId}/approve`, {});
  line('person  ', `approves review ${reviewId?.slice(0, 8)}…`);
  check(status === 200, 'the review is approved');
  await buy('buyer', url);
}

/** @param {Stage} stage */
async function crashed({ world, buy, check }) {
  const url = `${world.merchants.scripted.url}/slow/crash?ms=20000&times=1`;
  const { settled } = world.merchants.scripted;
  const before = settled.size;
  const lost = buy('buyer', url, 'a crash').then(
    () => false,
    () => true,
  );
  await until(async () => settled.size > before);
  await world.crash();
  line('kill -9 ', 'the merchant is paid, its answer is still to come; the treasury starts again');
  check(await lost, 'the agent hears nothing');
  await buy('buyer', url, 'a crash');
  // Until then the one that was killed might still have worked on it.
  await world.wait(LEASE_SECS);
  line('clock   ', `${LEASE_SECS} seconds later`);
  const { requests } = world.merchants.scripted;
  const payments = () =>
    requests.filter(({ path, payment }) => path.startsWith('/slow/crash') && payment !== undefined).map(({ payment }) => payment);
  await until(async () => payments().length > 1);
  check(new Set(payments()).size === 1, 'the merchant gets the same bytes again');
  await until(async () => (await world.operate('GET', 'organizations/acme/decisions?outcome=executing')).json?.items.length === 0);
  await buy('buyer', url, 'a crash');
}

/** @param {Stage} stage */
async function exhausted({ world, buy, check }) {
  const url = `${world.merchants.hono?.url}/report`;
  /** @type {Told} */
  let told;
  let bought = 0;
  for (;;) {
    told = await buy('reporter', url);
    if (told.kind !== 'success' || bought > MANY) break;
    bought += 1;
  }
  check(told.reason.includes('$2.05 exceeded. Current spend: $2.05. Requested: $0.01.'), `the ${bought + 1}th is denied`);
}

/**
 * @param {Stage} stage
 * @param {bigint} paid what the chain says
 */
async function books({ world, check }, paid) {
  const { text } = await world.operate('GET', 'organizations/acme/export?format=csv');
  const [head = '', ...lines] = text.trim().split(/\r?\n/);
  const names = head.split(',');
  const short = (/** @type {string} */ row) => SHOWN.map((name) => row.split(',')[names.indexOf(name)]).join(',');
  for (const row of [short(head), ...lines.map(short).sort()]) line('export  ', row);
  check(lines.length === DECISIONS, `${lines.length} decisions are exported; these are some of the columns`);
  const { json } = await world.operate('GET', 'organizations/acme/audit');
  const counted = json?.items?.find((/** @type {any} */ { scope }) => scope === 'organization')?.counted;
  check(
    counted !== undefined && BigInt(Math.round(Number(counted) * 1e6)) === paid,
    `the books say ${counted} USDC, and the chain ${usdc(paid)}`,
  );
}

/**
 * Makes both agents; each purchase is told as it goes.
 *
 * @param {World} world
 * @param {(outcome: string) => void} note
 * @returns {Promise<Stage['buy']>}
 */
async function buyers(world, note) {
  const { AgentPayClient, isFetchPaidError } = await import('../pkg/dist/agent/index.js');
  const clients = Object.fromEntries(
    world.agents.map(({ organization, agent, bootstrapKey }) => [
      agent,
      new AgentPayClient({ controlPlaneBaseUrl: world.treasury.url, organization, agent, auth: { type: 'bootstrapKey', bootstrapKey } }),
    ]),
  );
  return async (agent, url, idempotencyKey) => {
    const client = clients[agent];
    if (client === undefined) throw new Error(`there is no ${agent}`);
    line(agent.padEnd(8), `GET ${new URL(url).pathname}`);
    /** @type {any} */
    const it = await client.fetchPaid(url, undefined, idempotencyKey === undefined ? {} : { idempotencyKey }).catch((error) => {
      if (isFetchPaidError(error)) return error.details;
      throw error;
    });
    const { kind, reason = '', response, receipt, policyReviewEventId: reviewId } = it;
    note(kind);
    const body = await response.text();
    line(
      'treasury',
      `${kind}${receipt === undefined ? '' : `, receipt ${receipt.receiptId.slice(0, 8)}…, ${receipt.status}`}${reason === '' ? '' : `: ${reason}`}`,
    );
    return { kind, status: response.status, reason, reviewId, receipt, body };
  };
}

/** @param {World} world */
async function moved(world) {
  const all = [...(await world.transfers()).values()];
  return { sum: all.reduce((sum, { value }) => sum + value, 0n), count: all.length };
}

/** @param {() => Promise<boolean>} holds */
async function until(holds) {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

/** @param {string[]} cells */
function columns([first = '', ...others]) {
  return `   ${first.padEnd(24)}${others.map((cell) => cell.padStart(14)).join('')}`;
}

/** How many decisions the scenes make: those of one key are one. */
const DECISIONS = 9;
const MANY = 10;
/** Columns that are the same each time. */
const SHOWN = ['agent', 'outcome', 'reasonCode', 'amount', 'asset', 'money', 'receiptStatus'];
const LEASE_SECS = 33;
const POLL_MS = 300;
