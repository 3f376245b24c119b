// `npm run bench:pair -- build/before build`: two builds of the gate in turn, round by round, in one run of the same workerd, so
// that a change is told apart from the machine's load.
//
//   --rounds N    rounds [20]
//   --only a,b    402, repeated, free, paid, before, forged, session
//   --beside X    a peer in the same rounds: @x402/hono, mppx, x402-hono, three calls
//
// A quotient is the first build's processor time by the other's in the same round: above 1, the other one takes less. `least`
// is the mean of the lower third: what a side takes when the machine is least disturbed.

import { parseArgs } from 'node:util';

import { endAll } from '../processes.mjs';
import { runMain, StepFailed, step } from '../steps.mjs';
import { startBackend } from './backend.mjs';
import { networkOf } from './load.mjs';
import { FORGER, NETWORK } from './payments.mjs';
import { expect, measure, median, playRounds, quotients } from './rounds.mjs';
import { openChannel } from './sessions.mjs';
import { startSide } from './sides.mjs';

/** @typedef {import('./sides.mjs').Side} Side */
/** @typedef {import('./load.mjs').Shot} Shot */

/**
 * What is asked, by name, and the status of the answers.
 *
 * @type {Record<string, { status: number, atOnce?: number, shots: (side: Side) => Shot[] | Promise<Shot[]> }>}
 */
const KINDS = {
  402: { status: 402, shots: () => asking('/after', () => first++) },
  repeated: { status: 402, shots: () => asking('/after', () => first++ % 1000) },
  free: { status: 200, shots: () => asking('/free', () => first++) },
  paid: { status: 200, shots: (side) => side.paid('/after', 60) },
  before: { status: 200, shots: (side) => side.paid('/before', 60) },
  forged: { status: 402, shots: (side) => side.paid('/after', 60, 'forged') },
  // A channel pays for one request after the other.
  session: { status: 200, atOnce: 1, shots: async (side) => (await channelOf(side)).shots(200) },
};

let first = 0;

/** @type {Map<Side, ReturnType<typeof openChannel>>} */
const channels = new Map();

/**
 * @param {Side} side
 */
function channelOf(side) {
  const channel = channels.get(side) ?? openChannel(side);
  channels.set(side, channel);
  return channel;
}

/**
 * @param {string} path
 * @param {() => number} network
 */
function asking(path, network) {
  return Array.from({ length: 360 }, () => ({ path, headers: { 'cf-connecting-ip': networkOf(network()) } }));
}

/**
 * The mean of the lower third.
 *
 * @param {number[]} values
 */
function least(values) {
  const lower = [...values].sort((a, b) => a - b).slice(0, Math.ceil(values.length / 3));
  return lower.reduce((sum, value) => sum + value, 0) / lower.length;
}

const WARM_ROUNDS = 6;
const AT_ONCE = 8;

await runMain(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '20' },
      only: { type: 'string', default: Object.keys(KINDS).join(',') },
      beside: { type: 'string' },
    },
  });
  const [before, after = 'build'] = positionals;
  if (before === undefined) throw new StepFailed('name the folder of a built gate, and another one unless it is build');
  const kinds = values.only.split(',');
  const unknown = kinds.filter((kind) => KINDS[kind] === undefined);
  if (unknown.length > 0) throw new StepFailed(`nothing is called ${unknown.join(', ')}; there are ${Object.keys(KINDS).join(', ')}`);

  const backend = await startBackend({ forger: FORGER, network: NETWORK });
  backend.delay(0, 0);
  /** @type {(name: Parameters<typeof startSide>[0], build: string, label: string) => Promise<Side>} */
  const start = async (name, build, label) => ({ ...(await startSide(name, backend, { build, ledger: 'memory' })), name: label });
  const sides = [await start('farebox', before, before), await start('farebox', after, after)];
  if (values.beside !== undefined) sides.push(await start(/** @type {any} */ (values.beside), after, values.beside));

  const lines = [];
  for (const kind of kinds) {
    const { status, atOnce = AT_ONCE, shots } = /** @type {(typeof KINDS)[string]} */ (KINDS[kind]);
    const play = async (/** @type {Side} */ side) => {
      const { answers, cpuUs } = await measure(side, await shots(side), atOnce);
      for (const answer of answers)
        expect(answer.status === status, `${kind}: ${side.name} answered ${answer.status}: ${answer.text.slice(0, 300)}`);
      return cpuUs;
    };
    const results = await step(kind, async () => {
      await playRounds(sides, WARM_ROUNDS, play);
      return playRounds(sides, Number(values.rounds), play);
    });
    const [ours = []] = results;
    for (const [index, { name }] of sides.entries()) {
      const all = results[index] ?? [];
      const ratio = quotients(ours, all);
      const range = `${ratio.median.toFixed(3)} (${ratio.least.toFixed(2)}–${ratio.greatest.toFixed(2)})`;
      lines.push(
        [
          kind.padEnd(9),
          name.padEnd(24),
          `${median(all).toFixed(0)} µs`.padStart(9),
          `least ${least(all).toFixed(0)} µs`.padStart(15),
          index === 0 ? '' : `  ${range}`,
        ]
          .join(' ')
          .trimEnd(),
      );
    }
  }
  for (const side of sides) side.client.close();
  await backend.stop();
  await endAll();
  console.log(`\n${lines.join('\n')}`);
});
