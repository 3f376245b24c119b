// The report of a bench: docs/bench/ with tables, charts and the figures as JSON.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { costSection, measuredCosts } from '../costs.mjs';
import { root } from '../steps.mjs';
import { chart } from './chart.mjs';

/** @typedef {import('./scenarios.mjs').Line & {group: string}} GroupedLine */

/**
 * @typedef {object} Run
 * @property {string} date
 * @property {string} commit
 * @property {string} command
 * @property {string} machine
 * @property {string} peers
 * @property {string} ledger
 * @property {number} rounds
 * @property {string} note what else the machine did
 * @property {GroupedLine[]} lines
 * @property {{name: string, bytes: number, most: number}[]} sizes of the Workers, gzip
 * @property {string} cost the section of docs/deploy.md
 */

const FOLDER = 'docs/bench';

/**
 * Parts of the report: the scenarios of each, and the lines of its chart.
 *
 * @type {{title: string, file: string, names: string[], says: string, charted?: (line: GroupedLine) => boolean, axis?: string}[]}
 */
const PARTS = [
  {
    title: 'Requests',
    file: 'requests',
    names: ['free', '402-first', '402-repeated', 'paid-after', 'paid-before'],
    says: 'A facilitator answers at once. Right of 1× the gate takes less processor time than the peer for the same request.',
    charted: ({ scenario }) => scenario.endsWith('processor'),
    axis: 'times as fast, by processor time',
  },
  {
    title: 'A facilitator that takes its time',
    file: 'facilitator',
    names: ['real-after', 'real-before'],
    says: 'Each answer of the facilitator takes about as long as on a real network. Left of 1× a client waits for a shorter time.',
    charted: ({ ratio, scenario }) => ratio !== undefined && scenario.endsWith('time'),
    axis: "part of the peer's time",
  },
  {
    title: 'The first request',
    file: 'cold',
    names: ['cold'],
    says: 'A runtime is started anew in each round. Left of 1× it takes a shorter time.',
    charted: ({ ratio }) => ratio !== undefined,
    axis: "part of the peer's time",
  },
  {
    title: 'The page of a 402',
    file: 'paint',
    names: ['paint'],
    says: 'Both pages in one Chromium, on the same machine, with the same terms and one wallet. Left of 1× it takes a shorter time.',
    charted: ({ ratio, unit }) => ratio !== undefined && unit === 'ms',
    axis: "part of the peer's time",
  },
  {
    title: 'Hostile requests',
    file: 'hostile',
    names: ['diagnostics', 'forged', 'bad-requests', 'copies'],
    says: 'Requests that are to cost little.',
  },
  { title: 'Streams', file: 'streams', names: ['stream'], says: 'Answers that flow.' },
  {
    title: 'Sessions',
    file: 'sessions',
    names: ['claims', 'sessions'],
    says: 'Requests that are paid by voucher, and claims of many channels at once.',
  },
  {
    title: 'Storage and recovery',
    file: 'storage',
    names: ['writes', 'ledger-size'],
    says: 'Rows and bytes of a payment, and the start of an object that has many.',
  },
  {
    title: 'The other systems',
    file: 'systems',
    names: ['treasury', 'market', 'exchange'],
    says: 'Decisions of the treasury, lists of the market, and a day of the exchange.',
  },
];

/**
 * Writes it, in the place of an earlier one.
 *
 * @param {Omit<Run, 'sizes' | 'cost'>} measured
 */
export function writeReport(measured) {
  const folder = join(root, FOLDER);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  const run = { ...measured, sizes: sizes(), cost: costSection(measuredCosts()) };
  for (const [name, content] of reportOf(run)) writeFileSync(join(folder, name), content);
}

/**
 * The files of a report, by name.
 *
 * @param {Run} run
 * @returns {Map<string, string>}
 */
export function reportOf(run) {
  const files = new Map([['figures.json', `${JSON.stringify(run, null, 1)}\n`]]);
  const parts = PARTS.flatMap((part) => {
    const lines = run.lines.filter(({ group }) => part.names.includes(group));
    if (lines.length === 0) return [];
    const charted = part.charted === undefined ? [] : lines.filter(part.charted);
    const title = `${part.title}: ${part.axis}`;
    if (charted.length > 0) files.set(`${part.file}.svg`, chart(title, charted));
    const picture = charted.length > 0 ? [`![${title}, as in the table below](${part.file}.svg)`, ''] : [];
    return [`## ${part.title}`, '', part.says, '', ...picture, ...table(lines), ''];
  });
  const weights = run.sizes.map(({ name, bytes, most }) => `| ${name} | ${Math.ceil(bytes / 1000)} kB | ${most / 1000} kB |`);
  const ends = [
    ...['## Sizes', '', 'Compressed, as a Worker is uploaded.', '', '| Worker | size | at most |', '|---|---|---|', ...weights, ''],
    // The section has links for the folder above.
    ...['## Cost', '', run.cost.replaceAll('](design.md', '](../design.md')],
  ];
  return files.set('README.md', [...preface(run), ...parts, ...ends].join('\n'));
}

/** @param {Run} run */
const preface = ({ date, commit, command, machine, peers, ledger, rounds, note }) => [
  '# Bench',
  '',
  `A command has written this report on ${date}, of commit \`${commit}\`. [Speed](../speed.md) says what the figures mean, and where the time goes.`,
  '',
  '| | |',
  '|---|---|',
  `| command | \`${command}\` |`,
  `| machine | ${machine} |`,
  `| peers, in the same workerd | ${peers}, a plain proxy, Workers that only call objects |`,
  `| rows | ${ledger === 'disk' ? 'on disk' : 'in memory'} |`,
  `| rounds | ${rounds} |`,
  `| beside it | ${note} |`,
  '',
  "A figure is the median of the rounds, with its quartiles. A ratio is the median of the rounds' quotients, with the least and the greatest. The",
  'figures are also [JSON](figures.json).',
  '',
];

/** @param {GroupedLine[]} lines */
const table = (lines) => [
  '| what | unit | Farebox | peer | its figure | ratio | goal |',
  '|---|---|---|---|---|---|---|',
  ...lines.map(({ scenario, unit, ours, ourSpread, peer, theirs, theirSpread, ratio, goal, met }) =>
    [
      '',
      scenario,
      unit,
      shown(ours, ourSpread),
      peer ?? '',
      theirs === undefined ? '' : shown(theirs, theirSpread),
      ratio === undefined ? '' : `${ratio.median.toFixed(2)}× (${ratio.least.toFixed(2)}–${ratio.greatest.toFixed(2)})`,
      met === null ? goal : `${goal}${met ? '' : ': missed'}`,
      '',
    ]
      .join(' | ')
      .trim(),
  ),
];

/**
 * A figure, and its quartiles if there are any.
 *
 * @param {number} value
 * @param {[number, number] | undefined} quartiles
 */
export const shown = (value, quartiles) =>
  figure(value) + (quartiles === undefined ? '' : ` (${figure(quartiles[0])}–${figure(quartiles[1])})`);

/** @param {number} value */
function figure(value) {
  if (Number.isInteger(value) || value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}

/** What is deployed of each Worker. */
function sizes() {
  const budgets = JSON.parse(readFileSync(join(root, 'tests/sizes.json'), 'utf8'));
  return ['worker', 'treasury', 'market'].map((worker) => {
    const { files, gzip_bytes: most } = budgets[worker];
    const packed = (/** @type {string} */ file) => gzipSync(readFileSync(join(root, file)), { level: 9 }).length;
    const bytes = files.reduce((/** @type {number} */ sum, /** @type {string} */ file) => sum + packed(file), 0);
    return { name: worker === 'worker' ? 'gate' : worker, bytes, most };
  });
}
