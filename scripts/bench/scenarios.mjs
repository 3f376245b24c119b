// What is measured, and which goal each has. A scenario fails when an answer is not the one it is about; a missed
// goal is only reported.

import { BIG_BYTES } from './backend.mjs';
import { badRequests } from './bad-requests.mjs';
import { cold } from './cold.mjs';
import { exchangeDay } from './exchange.mjs';
import { ledgerSize } from './ledger-size.mjs';
import { claims, writes } from './ledgers.mjs';
import { networkOf } from './load.mjs';
import { ledgerReads } from './market.mjs';
import { paint } from './paint.mjs';
import { compared, expect, measure, median, playRounds, quotients } from './rounds.mjs';
import { sessions } from './sessions.mjs';
import { decisions, decisionWrites } from './treasury.mjs';

/** @typedef {import('./sides.mjs').Side} Side */
/** @typedef {import('./load.mjs').Answer} Answer */

/**
 * @typedef {object} Stage
 * @property {Side} gate
 * @property {Side} hono
 * @property {Side} mppx
 * @property {Side} old `x402-hono`
 * @property {Side} proxy one that knows no payment
 * @property {Side} calls a Worker with three calls of an object and no check
 * @property {Side} two one with two calls of a channel's object and no check
 * @property {import('./backend.mjs').Backend} backend
 * @property {import('./sides.mjs').GateChoice} choice for a scenario that starts a gate of its own
 * @property {number} rounds
 */

/**
 * @typedef {object} Line
 * @property {string} scenario
 * @property {string} unit
 * @property {number} ours
 * @property {[number, number]} [ourSpread] its quartiles
 * @property {string} [peer]
 * @property {number} [theirs]
 * @property {[number, number]} [theirSpread]
 * @property {{median: number, least: number, greatest: number}} [ratio]
 * @property {string} goal
 * @property {boolean | null} met null where there is no goal
 */

/**
 * @typedef {object} Scenario
 * @property {string} name
 * @property {(stage: Stage) => Promise<Line[]>} run
 * @property {boolean} [named] whether it runs only where it is named: it needs a browser, and once the registry
 */

/** @type {Scenario[]} */
export const scenarios = [
  { name: 'free', run: (stage) => plain(stage, { name: 'free', shots: () => asking('/free', 250), status: 200, goal: 1.0 }) },
  {
    name: '402-first',
    run: (stage) => plain(stage, { name: '402, first contact', shots: () => asking('/after', 250), status: 402, goal: 1.4 }),
  },
  { name: '402-repeated', run: (stage) => plain(stage, { name: '402, repeated', shots: askingAgain, status: 402, goal: 1.4 }) },
  { name: 'paid-after', run: (stage) => paid(stage, '/after', { [stage.hono.name]: 0.5, [stage.mppx.name]: 1.4 }) },
  { name: 'paid-before', run: (stage) => paid(stage, '/before', { [stage.hono.name]: 0.55 }) },
  { name: 'real-after', run: (stage) => realistic(stage, '/after', 1.0) },
  { name: 'real-before', run: (stage) => realistic(stage, '/before', 0.92) },
  { name: 'cold', run: cold },
  { name: 'paint', run: paint, named: true },
  { name: 'diagnostics', run: diagnostics },
  { name: 'forged', run: forged },
  { name: 'bad-requests', run: badRequests },
  { name: 'copies', run: copies },
  { name: 'stream', run: stream },
  { name: 'claims', run: claims },
  { name: 'writes', run: writes },
  { name: 'ledger-size', run: ledgerSize },
  { name: 'sessions', run: sessions },
  { name: 'market', run: ledgerReads },
  { name: 'exchange', run: exchangeDay },
  { name: 'treasury', run: async (stage) => [...(await decisions(stage)), ...(await decisionWrites(stage))] },
];

/**
 * Requests without a payment.
 *
 * @param {Stage} stage
 * @param {{name: string, shots: () => import('./load.mjs').Shot[], status: number, goal: number}} what
 */
async function plain({ gate, hono, old, mppx, proxy, rounds }, { name, shots, status, goal }) {
  const sides = [gate, hono, old, mppx, ...(status === 200 ? [proxy] : [])];
  const play = async (/** @type {Side} */ side) => {
    const measured = await measure(side, shots(), AT_ONCE);
    for (const answer of measured.answers) expectAnswer(side, name, answer, status);
    return measured;
  };
  // A peer asks for what its facilitator supports once, for all who wait: in other requests than the first the runtime
  // may never let them know.
  for (const side of sides) {
    const [shot] = shots();
    if (shot !== undefined) expectAnswer(side, name, await side.client.send(shot), status);
  }
  await playRounds(sides, WARM_ROUNDS, play);
  return cpuAndWall(name, sides, await playRounds(sides, rounds, play), { [hono.name]: goal });
}

/**
 * What it costs to count clients and to say why: one route with diagnostics and one without, of the same gate.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
async function diagnostics({ gate, backend, rounds }) {
  backend.delay(0, 0);
  /** @type {Line[]} */
  const lines = [];
  /** @type {(what: string, shots: (path: string) => Promise<import('./load.mjs').Shot[]>, status: number, goal: number | undefined) => Promise<void>} */
  const compare = async (what, shots, status, goal) => {
    const routes = [
      { ...gate, name: 'with', path: '/after' },
      { ...gate, name: 'without', path: '/silent' },
    ];
    const play = async (/** @type {(typeof routes)[number]} */ side) => {
      const measured = await measure(side, await shots(side.path), AT_ONCE);
      for (const answer of measured.answers) expectAnswer(side, `diagnostics, ${what}`, answer, status);
      return measured;
    };
    await playRounds(routes, WARM_ROUNDS, play);
    const [ours = [], theirs = []] = await playRounds(routes, Math.max(rounds, 20), play);
    const rates = [ours, theirs].map((all) => all.map(({ perSecond }) => perSecond));
    const costs = [ours, theirs].map((all) => all.map(({ cpuUs }) => cpuUs));
    const rate = quotients(rates[0] ?? [], rates[1] ?? []);
    const peer = 'diagnostics off';
    lines.push(
      {
        scenario: `diagnostics, ${what}`,
        unit: '/s',
        ours: median(rates[0] ?? []),
        peer,
        theirs: median(rates[1] ?? []),
        ratio: rate,
        goal: goal === undefined ? '' : `≥ ${goal}×`,
        met: goal === undefined ? null : rate.median >= goal,
      },
      {
        scenario: `diagnostics, ${what}, processor`,
        unit: 'µs',
        ours: median(costs[0] ?? []),
        peer,
        theirs: median(costs[1] ?? []),
        ratio: quotients(costs[1] ?? [], costs[0] ?? []),
        goal: '',
        met: null,
      },
    );
  };
  await compare('402', async (path) => asking(path, 2000), 402, 0.95);
  await compare('paid', (path) => gate.paid(path, 40), 200, 0.95);
  const one = { 'cf-connecting-ip': '192.0.2.1' };
  await compare('402 past the threshold', async (path) => Array.from({ length: 2000 }, () => ({ path, headers: one })), 402, undefined);
  return lines;
}

/**
 * Requests without a payment, each from another place, so that nobody is asked to stop.
 *
 * @param {string} path
 * @param {number} count
 */
function asking(path, count) {
  return Array.from({ length: count }, () => {
    places += 1;
    return { path, headers: { 'cf-connecting-ip': networkOf(places) } };
  });
}

/** Requests without a payment from places that have asked before, as many as stay below the threshold of the diagnosis. */
function askingAgain() {
  return Array.from({ length: 250 }, () => {
    again += 1;
    return { path: '/after', headers: { 'cf-connecting-ip': networkOf(AGAIN + (again % 1000)) } };
  });
}

/** Where the addresses begin that ask again and again. */
const AGAIN = 120_000;
let again = 0;
let places = 0;

/**
 * Requests with a payment each, and a facilitator that answers at once.
 *
 * @param {Stage} stage
 * @param {'/after' | '/before'} path
 * @param {Record<string, number>} goals by peer
 */
async function paid({ gate, hono, old, mppx, calls, backend, rounds }, path, goals) {
  const name = `paid${path.replace('/', '-')}`;
  backend.delay(0, 0);
  const sides = path === '/after' ? [gate, hono, old, mppx, calls] : [gate, hono, mppx];
  const play = async (/** @type {Side} */ side) => {
    const shots = await side.paid(path, 40);
    const before = backend.counts();
    const measured = await measure(side, shots, AT_ONCE);
    for (const answer of measured.answers) expectAnswer(side, name, answer, 200);
    const after = backend.counts();
    expect(after.origin - before.origin === shots.length, `${name}: ${side.name} asked the origin ${after.origin - before.origin} times`);
    expect(after.settle - before.settle === shots.length, `${name}: ${side.name} settled ${after.settle - before.settle} times`);
    return measured;
  };
  await playRounds(sides, 2 * WARM_ROUNDS, play);
  const results = await playRounds(sides, rounds, play);
  return [...cpuAndWall(name, sides, results, goals), ...throughput(name, sides, results)];
}

/**
 * Requests with a payment each, and a facilitator that takes its time: the gate in one mode beside the peer's usual
 * order (verify, work, settle) and its `upfront` one (settle, work).
 *
 * @param {Stage} stage
 * @param {'/after' | '/before'} path
 * @param {number} goal
 * @returns {Promise<Line[]>}
 */
async function realistic({ gate, hono, backend, rounds }, path, goal) {
  const name = `real${path.replace('/', '-')}`;
  const paths = new Map([
    [gate.name, path],
    [hono.name, '/after'],
    [UPFRONT, '/before'],
  ]);
  const sides = path === '/after' ? [gate, hono] : [gate, hono, { ...hono, name: UPFRONT }];
  const play = async (/** @type {Side} */ side) => {
    const { answers, wallMs } = await measure(side, await side.paid(paths.get(side.name) ?? path, 4), 2);
    for (const answer of answers) expectAnswer(side, name, answer, 200);
    return wallMs;
  };
  backend.delay(0, 0);
  await playRounds(sides, 2, play);
  backend.delay(VERIFY_MS, SETTLE_MS);
  const [ours = [], ...peers] = await playRounds(sides, Math.ceil(rounds / 2), play);
  const many = async (/** @type {Side} */ side) => {
    const measured = await measure(side, await side.paid(paths.get(side.name) ?? path, 2 * MANY), MANY);
    for (const answer of measured.answers) expectAnswer(side, name, answer, 200);
    return measured;
  };
  const results = await playRounds(sides, Math.ceil(rounds / 5), many);
  backend.delay(0, 0);
  const times = peers.map((theirs, index) => {
    const ratio = quotients(ours, theirs);
    const usual = index === 0;
    return {
      scenario: `${name}, time`,
      unit: 'ms',
      peer: sides[index + 1]?.name ?? '',
      ...compared(ours, theirs),
      goal: usual ? `≤ ${goal}× its time` : '',
      met: usual ? ratio.median <= goal : null,
    };
  });
  return [...times, ...throughput(name, sides, results)];
}

/**
 * Payments with a signature of somebody else: what one costs, in time with a facilitator that takes its time and in
 * processor time with one that does not, and how often the facilitator is asked.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
async function forged({ gate, hono, backend, rounds }) {
  const sides = [gate, hono];
  /** @type {Record<string, number[]>} */
  const calls = { [gate.name]: [], [hono.name]: [] };
  /** @type {(count: number) => (side: Side) => Promise<import('./rounds.mjs').Measured>} */
  const play = (count) => async (side) => {
    const shots = await side.paid('/after', count, 'forged');
    const before = backend.counts();
    const measured = await measure(side, shots, AT_ONCE);
    for (const answer of measured.answers) expectAnswer(side, 'forged', answer, 402);
    const after = backend.counts();
    expect(after.origin === before.origin, `forged: ${side.name} asked the origin`);
    expect(after.settle === before.settle, `forged: ${side.name} settled`);
    calls[side.name]?.push((after.verify - before.verify) / count);
    return measured;
  };
  backend.delay(0, 0);
  await playRounds(sides, WARM_ROUNDS, play(40));
  const free = await playRounds(sides, rounds, play(40));
  backend.delay(VERIFY_MS, SETTLE_MS);
  const [ours = [], theirs = []] = await playRounds(sides, Math.ceil(rounds / 2), play(8));
  backend.delay(0, 0);
  const [ourTimes, theirTimes] = [ours, theirs].map((all) => all.map(({ wallMs }) => wallMs));
  const ratio = quotients(theirTimes ?? [], ourTimes ?? []);
  const [ourCalls, theirCalls] = sides.map((side) => median(calls[side.name] ?? []));
  return [
    {
      scenario: 'forged, time',
      unit: 'ms',
      peer: hono.name,
      ...compared(ourTimes ?? [], theirTimes ?? [], { inverse: true }),
      goal: '≥ 10×',
      met: ratio.median >= 10,
    },
    {
      scenario: 'forged, facilitator',
      unit: 'calls',
      ours: ourCalls ?? Number.NaN,
      peer: hono.name,
      theirs: theirCalls ?? Number.NaN,
      goal: '0 calls',
      met: ourCalls === 0,
    },
    ...cpuAndWall('forged', sides, free, { [hono.name]: 1.25 }),
  ];
}

/**
 * Twenty copies of one payment at once: how often the origin runs and the facilitator settles.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
async function copies({ gate, hono, backend, rounds }) {
  const play = async (/** @type {Side} */ side) => {
    const [shot] = await side.paid('/after', 1);
    const before = backend.counts();
    const answers = await side.client.all(
      Array.from({ length: COPIES }, () => /** @type {import('./load.mjs').Shot} */ (shot)),
      COPIES,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    const after = backend.counts();
    for (const { status, text } of answers) {
      expect(status === 200 || status === 409, `copies: ${side.name} answered ${status}: ${text.slice(0, 300)}`);
    }
    const delivered = answers.filter(({ status }) => status === 200).length;
    return { delivered, origin: after.origin - before.origin, settle: after.settle - before.settle };
  };
  backend.delay(VERIFY_MS / 6, SETTLE_MS / 10);
  const [ours = [], theirs = []] = await playRounds([gate, hono], Math.ceil(rounds / 4), play);
  backend.delay(0, 0);
  return /** @type {const} */ (['origin', 'settle', 'delivered']).map((what) => {
    const all = ours.map((counts) => counts[what]);
    return {
      scenario: `copies, ${what}`,
      unit: 'times',
      ours: Math.max(...all),
      peer: hono.name,
      theirs: median(theirs.map((counts) => counts[what])),
      goal: '1',
      met: all.every((count) => count === 1),
    };
  });
}

/**
 * Five megabytes that the origin takes a fifth of a second to send: time to the first byte of the body, and memory
 * with sixteen of them at once.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
async function stream({ gate, hono, calls, backend, rounds }) {
  backend.delay(0, 0);
  const check = (/** @type {Side} */ side, /** @type {Answer} */ answer) => {
    expectAnswer(side, 'stream', answer, 200);
    expect(answer.bytes === BIG_BYTES, `stream: ${side.name} sent ${answer.bytes} bytes`);
  };
  const one = async (/** @type {Side} */ side) => {
    const { answers, cpuUs } = await measure(side, await side.paid('/big', 1), 1);
    for (const answer of answers) check(side, answer);
    return { firstByteMs: answers[0]?.firstByteMs ?? Number.NaN, cpuUs };
  };
  const sides = [gate, calls, hono];
  await playRounds(sides, 2, one);
  const [ours = [], ...theirs] = await playRounds(sides, rounds, one);

  const many = async (/** @type {Side} */ side) => {
    const shots = await side.paid('/big', STREAMS);
    const before = side.processor.residentBytes();
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, side.processor.residentBytes());
    }, 5);
    const answers = await side.client.all(shots, STREAMS);
    clearInterval(watch);
    for (const answer of answers) check(side, answer);
    return (most - before) / 1e6;
  };
  const [ourGrowth = [], theirGrowth = []] = await playRounds([gate, hono], Math.max(2, Math.ceil(rounds / 5)), many);
  const growth = median(ourGrowth);
  return [
    ...theirs.map((all, index) => {
      const figures = compared(
        ours.map(({ firstByteMs }) => firstByteMs),
        all.map(({ firstByteMs }) => firstByteMs),
      );
      const isFloor = index === 0;
      return {
        scenario: 'stream, first byte',
        unit: 'ms',
        peer: sides[index + 1]?.name ?? '',
        ...figures,
        goal: isFloor ? '≤ 1.4× its time' : '',
        met: isFloor ? figures.ratio.median <= 1.4 : null,
      };
    }),
    ...theirs.map((all, index) => ({
      scenario: 'stream of 5 MB, processor',
      unit: 'µs',
      peer: sides[index + 1]?.name ?? '',
      ...compared(
        ours.map(({ cpuUs }) => cpuUs),
        all.map(({ cpuUs }) => cpuUs),
      ),
      goal: '',
      met: null,
    })),
    {
      scenario: `stream, memory of ${STREAMS}`,
      unit: 'MB',
      ours: growth,
      peer: hono.name,
      theirs: median(theirGrowth),
      goal: `≤ ${FLAT_MB} MB`,
      met: growth <= FLAT_MB,
    },
  ];
}

/**
 * Lines of processor time (the goals, one per peer) and of waiting time (without a goal).
 *
 * @param {string} name
 * @param {Side[]} sides the gate and its peers
 * @param {import('./rounds.mjs').Measured[][]} results
 * @param {Record<string, number>} goals by peer
 * @returns {Line[]}
 */
function cpuAndWall(name, sides, results, goals) {
  const [ours = []] = results;
  return sides.slice(1).flatMap((peer, index) => {
    const theirs = results[index + 1] ?? [];
    const goal = goals[peer.name];
    const compare = (/** @type {'cpuUs' | 'wallMs'} */ key) => ({
      peer: peer.name,
      ...compared(
        ours.map((measured) => measured[key]),
        theirs.map((measured) => measured[key]),
        { inverse: true },
      ),
    });
    const cpu = compare('cpuUs');
    return [
      {
        scenario: `${name}, processor`,
        unit: 'µs',
        ...cpu,
        goal: goal === undefined ? '' : `≥ ${goal}×`,
        met: goal === undefined ? null : cpu.ratio.median >= goal,
      },
      { scenario: `${name}, time`, unit: 'ms', ...compare('wallMs'), goal: '', met: null },
    ];
  });
}

/**
 * Lines of requests per second.
 *
 * @param {string} name
 * @param {Side[]} sides the gate and its peers
 * @param {import('./rounds.mjs').Measured[][]} results
 * @returns {Line[]}
 */
function throughput(name, sides, results) {
  const [ours = [], ...peers] = results.map((all) => all.map(({ perSecond }) => perSecond));
  return peers.map((theirs, index) => ({
    scenario: `${name}, throughput`,
    unit: '/s',
    peer: sides[index + 1]?.name ?? '',
    ...compared(ours, theirs),
    goal: '',
    met: null,
  }));
}

/**
 * @param {Side} side
 * @param {string} name
 * @param {Answer} answer
 * @param {number} status
 */
function expectAnswer(side, name, answer, status) {
  expect(answer.status === status, `${name}: ${side.name} answered ${answer.status}, not ${status}: ${answer.text.slice(0, 300)}`);
  const { headers } = answer;
  if (status === 402)
    expect(
      'payment-required' in headers || 'www-authenticate' in headers || answer.text.includes('"accepts":['),
      `${name}: ${side.name} asked for no payment`,
    );
  if (status === 200 && name !== 'free')
    expect(
      ['payment-response', 'payment-receipt', 'x-payment-response'].some((field) => field in headers),
      `${name}: ${side.name} gave no receipt`,
    );
}

const UPFRONT = '@x402/hono upfront';
const AT_ONCE = 8;
/** Until the compilers of the runtime are done with what is hot. */
const WARM_ROUNDS = 6;
const COPIES = 20;
const STREAMS = 16;
/** What sixteen streams may take and still count as flat: a fifth of their bodies. */
const FLAT_MB = 16;
/** Requests at once where the facilitator takes its time. */
const MANY = 32;
const VERIFY_MS = 80;
const SETTLE_MS = 900;
