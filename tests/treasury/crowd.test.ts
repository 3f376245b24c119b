// Ten agents at once under one budget, without and with SIGKILL at random moments: what fits is spent, and never a unit more.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AgentPayClient } from '../../pkg/dist/agent/index.js';
import { eventually } from '../support/eventually.ts';
import { sharedWorld } from '../support/suite.ts';
import { buy, clientOf, startTreasuryWorld, type Told } from './buyers.ts';

const AGENTS = Array.from({ length: 10 }, (_, index) => `agent-${index}`);
const DECISIONS = 200;
/** How many purchases go on at once: several of each agent. */
const LANES = 30;
/** How many of them a budget of one dollar pays. */
const FITS = 100;
const LEASE_SECS = 33;
/** The longest pause of one who asks again. */
const MOST_GAP_MS = 3_000;
/** By then every authorization has ended. */
const ENDED_SECS = 900;
const KILLS = Number(process.env.FAREBOX_CRASH_MOMENTS ?? 20);
const SEED = Number(process.env.FAREBOX_CRASH_SEED ?? Date.now() % 100_000);

const world = sharedWorld(() =>
  startTreasuryWorld({
    stock: false,
    organizations: ({ scripted }) =>
      ['crowd', 'killed'].map((name) => ({
        name,
        policy: { allowedOrigins: [scripted.url], perMonth: { USDC: '1.00' } },
        agents: AGENTS.map((agent) => ({ name: agent })),
      })),
  }),
);

function kindsOf(told: readonly Told[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of told) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** What moved for an organization: its merchants' paths begin with its name. */
async function movedFor(organization: string) {
  const transfers = await world.transfers();
  const paid = world.merchants.scripted.requests.filter(
    ({ path, nonce }) => path.startsWith(`/honest/${organization}-`) && nonce !== undefined,
  );
  const payments = [...new Set(paid.map(({ path }) => path))].map(
    (path) => new Set(paid.filter((request) => request.path === path).map(({ nonce }) => nonce)).size,
  );
  const nonces = new Set(paid.map(({ nonce }) => nonce ?? ''));
  return { mostPerDecision: Math.max(0, ...payments), moved: [...nonces].filter((nonce) => transfers.has(nonce)).length };
}

//
test('of 200 decisions of ten agents at once, under a budget for 100, exactly 100 are paid', { timeout: 120_000 }, async () => {
  const clients = AGENTS.map((agent) => clientOf(world, 'crowd', agent));
  const told = (
    await Promise.all(
      Array.from({ length: LANES }, async (_, lane) => {
        const all: Told[] = [];
        for (let index = lane; index < DECISIONS; index += LANES)
          all.push(await buy(clients[index % clients.length]!, `${world.merchants.scripted.url}/honest/crowd-${index}`));
        return all;
      }),
    )
  ).flat();
  const { denied = 0, success = 0, execution_inconclusive: slow = 0 } = kindsOf(told);
  // On a busy machine the last of a hundred waits longer for its merchant than an answer may take; it is paid all the same.
  assert.deepEqual([denied, success + slow], [DECISIONS - FITS, FITS], JSON.stringify(kindsOf(told)));
  const { mostPerDecision } = await eventually(
    'all that fit have moved',
    () => movedFor('crowd'),
    ({ moved }) => moved === FITS,
  );
  assert.equal(mostPerDecision, 1);
  const refused = told.find(({ kind }) => kind === 'denied');
  assert.match(
    refused?.reason ?? '',
    /^Policy denied: workspace monthly budget of \$1\.00 exceeded\. Current spend: \$1\.00\. Requested: \$0\.01\.$/,
  );
});

test(`the same with ${KILLS} kills of seed ${SEED}: every decision ends, none is paid twice, and the books agree with the chain`, {
  timeout: 420_000,
}, async () => {
  const random = chance(SEED);
  const clients = AGENTS.map((agent) => clientOf(world, 'killed', agent));
  let running = true;
  const buying = Promise.all(Array.from({ length: DECISIONS }, (_, index) => insist(clients[index % clients.length]!, index)));
  const done = buying.finally(() => {
    running = false;
  });
  for (let kill = 0; kill < KILLS && running; kill += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20 + random() * 280));
    await world.crash();
  }
  // Past the time in which those that were killed might still work on anything.
  await world.wait(LEASE_SECS);
  const told = await done;
  const kinds = kindsOf(told);
  assert.ok(
    Object.keys(kinds).every((kind) => ['success', 'denied', 'execution_inconclusive', 'execution_failed'].includes(kind)),
    JSON.stringify(kinds),
  );
  const { mostPerDecision, moved } = await movedFor('killed');
  assert.equal(mostPerDecision, 1, JSON.stringify(kinds));
  assert.ok(moved <= FITS && (kinds['success'] ?? 0) <= moved, `${moved} moved, ${JSON.stringify(kinds)}`);
  // What was signed counts until the chain shows its fate: the books are never behind the chain, and agree once all has ended.
  const spent = await audited('killed');
  assert.ok(spent >= moved, `${spent} cents are less than ${moved}`);
  await world.wait(ENDED_SECS);
  await world.mine(13);
  // A merchant that was given up may have settled since.
  const both = async () => ({ books: await audited('killed'), chain: (await movedFor('killed')).moved });
  await eventually('books and chain agree', both, ({ books, chain }) => books === chain);
});

/** Asks under one key until there is a decision that stays. */
async function insist(client: AgentPayClient, index: number): Promise<Told> {
  // Ever more rarely: two hundred that ask all the time leave a busy machine no time to answer.
  for (let gapMs = 100; ; gapMs = Math.min(2 * gapMs, MOST_GAP_MS)) {
    const told = await buy(client, `${world.merchants.scripted.url}/honest/killed-${index}`, undefined, {
      idempotencyKey: `killed-${index}`,
    }).catch(() => undefined);
    if (told !== undefined && told.kind !== 'execution_pending' && told.kind !== 'request_failed') return told;
    await new Promise((resolve) => setTimeout(resolve, gapMs));
  }
}

/** What the books count, in cents: they write no zeros at the end. */
async function audited(organization: string): Promise<number> {
  const { json } = await world.operate('GET', `organizations/${organization}/audit`);
  return Math.round(Number(json?.items?.find(({ scope }: { scope: string }) => scope === 'organization')?.counted) * 100);
}

/** Numbers from 0 to 1 that a seed gives. */
function chance(seed: number): () => number {
  let state = seed + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
